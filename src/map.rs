//! [`CostMap`]: the handle that programs keep.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::cost::{Call, Cost};
use crate::deployment::{Deployment, Deployments};
use crate::error::Error;
use crate::live::{Live, VersionedCatalog};
use crate::model_info::ModelInfo;
use crate::num::Usd;
use crate::overlay::Registration;
use crate::reload::status::{ReloadReport, ScheduleStatus, SourceInfo};
use crate::reload::{Guarded, History, Listener, Reloader, Settings};
use crate::resolve::Lookup;
use crate::snapshot::{ResolvedModel, Snapshot};
use crate::version::Generation;

/// A model map that any number of threads price by, while it is reloaded.
///
/// A clone is another handle on the same map. Readers never wait: each call loads the live
/// [`Snapshot`] once, without a lock. Writers (registering a model, reloading) are serialised. They
/// build the next snapshot beside the live one and swap it in whole, so that no reader sees half of a
/// change.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::bundled();
/// let usage = Usage::new(1_000, 500);
/// let cost = map.cost("gpt-4o", &usage)?;
/// assert_eq!(cost.total().to_string(), "0.0075");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
///
/// A map without models, and a model that the operator adds:
///
/// ```
/// use llm_costmap::{CostMap, Usage};
/// use serde_json::json;
///
/// let map = CostMap::empty();
/// map.register_model(
///     "my-llama",
///     json!({"input_cost_per_token": 2e-7, "output_cost_per_token": "6e-7"}),
/// )?;
/// let usage = Usage::new(1_000_000, 0);
/// assert_eq!(map.cost("my-llama", &usage)?.total().to_string(), "0.2");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
pub struct CostMap {
    /// Not behind the handle, since every call loads it.
    live: Arc<Live>,
    handle: Arc<Handle>,
}

/// The state that all handles on a map share. It is dropped with the last of them, which ends the
/// schedule.
struct Handle {
    reloader: Arc<Reloader>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.reloader.close();
    }
}

impl CostMap {
    pub(crate) fn with(
        base: VersionedCatalog,
        settings: Settings,
        history: History,
        listeners: Vec<Arc<Listener>>,
    ) -> Self {
        let live = Arc::new(Live::new(base));
        let reloader = Arc::new(Reloader::new(&live, settings, history, listeners));
        Self { live, handle: Arc::new(Handle { reloader }) }
    }

    pub(crate) fn reloader(&self) -> &Arc<Reloader> {
        &self.handle.reloader
    }

    /// Returns the live snapshot, which does not change for as long as it is kept.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.snapshot()
    }

    /// Prices a call to a model, by the live snapshot.
    ///
    /// The model is a name or a [`Lookup`]; the call is a [`Usage`](crate::Usage) or a [`Call`].
    ///
    /// # Errors
    ///
    /// - [`Error::UnknownModel`] if no entry answers to the name.
    /// - [`Error::Unpriced`] if the call used something that the map has no price for.
    /// - [`Error::Overflow`] if an amount is beyond the range of [`Usd`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "bundled")] {
    /// use llm_costmap::{Call, CostMap, Lookup, ServiceTier, Usage};
    ///
    /// let map = CostMap::bundled();
    /// let usage = Usage::new(1_000, 500);
    /// let call = Call::new(&usage).service_tier(ServiceTier::Priority);
    /// let cost = map.cost(Lookup::new("gemini-2.5-pro").provider("vertex_ai"), &call)?;
    /// assert_eq!(cost.total().to_string(), "0.01125");
    /// # }
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[inline]
    pub fn cost<'n, 'c>(
        &self,
        model: impl Into<Lookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Cost, Error> {
        self.cost_of(model.into(), &call.into())
    }

    fn cost_of(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Result<Cost, Error> {
        self.live.load().cost_of(lookup, call)
    }

    /// Returns the total of a call to a model, by the live snapshot: the amount of
    /// [`cost`](Self::cost), in less time.
    ///
    /// # Errors
    ///
    /// The errors of [`cost`](Self::cost); and, since a total cannot carry a
    /// [note](crate::cost::Note), [`Error::UnknownServiceTier`] and [`Error::UnknownDataResidency`]
    /// unless the call [accepts them](Call::accept_unknown).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "bundled")] {
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::bundled();
    /// assert_eq!(map.total("gpt-4o", &Usage::new(1_000, 500))?.to_string(), "0.0075");
    /// # }
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[inline]
    pub fn total<'n, 'c>(
        &self,
        model: impl Into<Lookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Usd, Error> {
        self.total_of(model.into(), &call.into())
    }

    fn total_of(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Result<Usd, Error> {
        self.live.load().total_of(lookup, call)
    }

    /// Returns the model that a name leads to, with the live snapshot: a handle that prices calls
    /// without another lookup, and by one generation for as long as it is kept.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] if no entry answers to the name and no fallback rule describes it.
    pub fn resolve<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Result<ResolvedModel, Error> {
        self.snapshot().resolve_owned(lookup)
    }

    /// Returns a copy of what the map says of a model, under any name that it knows. To borrow
    /// instead, pin a [`snapshot`](Self::snapshot).
    #[must_use]
    pub fn get<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Option<ModelInfo<'static>> {
        self.live.load().get(lookup).map(ModelInfo::into_owned)
    }

    /// Returns a copy of the keys of all models. To iterate over the models themselves, pin a
    /// [`snapshot`](Self::snapshot).
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.live.load().models().map(|model| model.key().to_owned()).collect()
    }

    /// Returns the number of models.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load().len()
    }

    /// Returns whether the map has no models.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.load().is_empty()
    }

    /// Adds a model, or lays fields over the one that answers to `name`. The registration survives
    /// every reload.
    ///
    /// `info` serialises to an object of fields. Fields are merged one by one, and objects in them one
    /// level deep; null leaves a field alone; numbers may be strings. The name is taken literally:
    /// registering `openai/gpt-4o` does not change `gpt-4o`, and registering an alias changes neither
    /// its model nor the model's other aliases. An alias among the fields displaces aliases of the
    /// map, and no key.
    ///
    /// If the fields cannot be laid over the model of a newer map, the model stays as it was, and the
    /// [report](ReloadReport::warnings) of the reload says so.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] if `info` is not an object, or a price in it is not valid. The map is
    /// then unchanged.
    pub fn register_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.register(name, &object_json(name, &info)?, Registration::Over)
    }

    /// Adds a model, or lays fields over one, as [`register_model`](Self::register_model) does, with
    /// the fields as JSON text.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::empty();
    /// map.register_model_json("my-llama", r#"{"input_cost_per_token": 2e-7}"#)?;
    /// assert_eq!(map.total("my-llama", &Usage::new(1_000_000, 0))?.to_string(), "0.2");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn register_model_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.register(name, json, Registration::Over)
    }

    /// Registers models, each as [`register_model`](Self::register_model) does: all of them, or none.
    ///
    /// `models` serialises to an object of models.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] for the first model that cannot be registered.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::CostMap;
    /// use serde_json::json;
    ///
    /// let map = CostMap::empty();
    /// map.register_models(json!({
    ///     "a": {"max_input_tokens": 12345},
    ///     "b": {"max_output_tokens": "678"},
    /// }))?;
    /// assert_eq!(map.get("b").and_then(|model| model.max_output_tokens()), Some(678));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn register_models(&self, models: impl Serialize) -> Result<(), Error> {
        self.register_models_json(&object_json("the models", &models)?)
    }

    /// Registers models, as [`register_models`](Self::register_models) does, from JSON text.
    ///
    /// # Errors
    ///
    /// As [`register_models`](Self::register_models).
    pub fn register_models_json(&self, json: &str) -> Result<(), Error> {
        self.live.change(|overrides| overrides.register_all(json).map(|()| true)).map(drop)
    }

    /// Replaces the model that answers to `name`: takes over nothing of the map's model, nor of an
    /// earlier registration.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    pub fn replace_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.register(name, &object_json(name, &info)?, Registration::Instead)
    }

    /// Replaces a model, as [`replace_model`](Self::replace_model) does, with the fields as JSON text.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    pub fn replace_model_json(&self, name: &str, json: &str) -> Result<(), Error> {
        self.register(name, json, Registration::Instead)
    }

    fn register(&self, name: &str, json: &str, how: Registration) -> Result<(), Error> {
        self.live.change(|overrides| overrides.register(name, json, how).map(|()| true)).map(drop)
    }

    /// Removes the registration of `name`, so that the map's own model is back. Returns whether one
    /// existed.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model). None is expected, since the registrations that are
    /// left were accepted before.
    pub fn unregister_model(&self, name: &str) -> Result<bool, Error> {
        self.live.change(|overrides| Ok(overrides.remove(name)))
    }

    /// Adds a deployment, and returns its id.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] if another deployment has the same id. The map is then unchanged.
    pub fn add_deployment(&self, deployment: Deployment) -> Result<String, Error> {
        let id = deployment.id().to_owned();
        self.live.change_deployments(|list| {
            list.push(deployment);
            true
        })?;
        Ok(id)
    }

    /// Replaces the deployment that has the same id.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`] if no deployment has the id.
    pub fn update_deployment(&self, deployment: Deployment) -> Result<(), Error> {
        let id = deployment.id().to_owned();
        let known = self.live.change_deployments(|list| {
            let slot = list.iter_mut().find(|slot| slot.id() == id);
            slot.map(|slot| *slot = deployment).is_some()
        })?;
        if known { Ok(()) } else { Err(Error::UnknownDeployment { name: id }) }
    }

    /// Removes the deployment with an id. Returns whether it existed.
    ///
    /// # Errors
    ///
    /// As [`set_deployments`](Self::set_deployments). None is expected, since the deployments that are
    /// left were accepted before.
    pub fn remove_deployment(&self, id: &str) -> Result<bool, Error> {
        self.live.change_deployments(|list| {
            let before = list.len();
            list.retain(|deployment| deployment.id() != id);
            list.len() < before
        })
    }

    /// Replaces all deployments by a list, in one swap: no reader sees a mixture.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] if two deployments have the same id. The map is then unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#)?;
    /// map.set_deployments(Deployment::list_from_json(
    ///     r#"[{"model_name": "fast", "litellm_params": {"model": "openai/gpt-x"}, "model_info": {"id": "a"}},
    ///         {"model_name": "cheap", "litellm_params": {"model": "openai/gpt-x", "input_cost_per_token": 5e-7}}]"#,
    /// )?)?;
    /// let usage = Usage::new(1_000_000, 0);
    /// assert_eq!(map.deployment_cost("a", &usage)?.total().to_string(), "1");
    /// assert_eq!(map.deployment_cost("cheap", &usage)?.total().to_string(), "0.5");
    /// assert!(map.cost("cheap", &usage).is_err());
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn set_deployments(&self, deployments: impl IntoIterator<Item = Deployment>) -> Result<(), Error> {
        // Indexed before the lock is taken.
        let deployments = Arc::new(Deployments::new(deployments.into_iter().collect())?);
        self.live.set_deployments(deployments)
    }

    /// Prices a call that a deployment served, by the live snapshot. `name` is the id or the
    /// `model_name` of a deployment: see [`Snapshot::deployment_cost`].
    ///
    /// # Errors
    ///
    /// As [`Snapshot::deployment_cost`].
    #[inline]
    pub fn deployment_cost<'c>(&self, name: &str, call: impl Into<Call<'c>>) -> Result<Cost, Error> {
        self.deployment_cost_of(name, &call.into())
    }

    fn deployment_cost_of(&self, name: &str, call: &Call<'_>) -> Result<Cost, Error> {
        self.live.load().deployment_cost_of(name, call)
    }

    /// Fetches the map from its source and swaps it in, with the operator's models over it. Readers
    /// price by the map in use meanwhile. Concurrent calls share one fetch and its result.
    ///
    /// The map is checked first: see
    /// [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models),
    /// [`max_shrink_ratio`](crate::CostMapBuilder::max_shrink_ratio),
    /// [`required_models`](crate::CostMapBuilder::required_models) and
    /// [`max_price_jump_ratio`](crate::CostMapBuilder::max_price_jump_ratio).
    ///
    /// # Errors
    ///
    /// - [`Error::NoSource`] if the map has no source.
    /// - [`Error::Fetch`] or [`Error::Io`] if the source returns no map.
    /// - [`Error::NestedReload`] if the caller is a source or a listener of this map.
    /// - The errors of [`reload_from_bytes`](Self::reload_from_bytes).
    ///
    /// The map is then unchanged.
    pub fn reload(&self) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload(Guarded::Yes)
    }

    /// Reloads the map as [`reload`](Self::reload) does, but accepts a map that the guards refuse, even
    /// one without models. [`ReloadReport::forced_past`] has their objection.
    ///
    /// The whole map is fetched even if it has not changed. A map that was forced past a guard is not
    /// written to the cache.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload), except those of the guards.
    pub fn reload_forced(&self) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload(Guarded::Forced)
    }

    /// Reloads the map if its source is a file that has changed since it was last read. Returns `None`
    /// otherwise. While reloads are scheduled, this is done every second.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload). A file that holds no map is read again when it changes.
    pub fn reload_if_changed(&self) -> Result<Option<ReloadReport>, Error> {
        self.handle.reloader.reload_if_changed()
    }

    /// Swaps in a map that the caller fetched, with the operator's models over it. The map is checked
    /// as by [`reload`](Self::reload), and not written to the cache.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidMap`] if the bytes are not JSON, or not an object.
    /// - [`Error::EmptyMap`] if the map has no models, unless
    ///   [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models) is 0.
    /// - [`Error::TooFewModels`], [`Error::MapShrank`], [`Error::MissingModel`],
    ///   [`Error::UnpricedModel`] or [`Error::PricesJumped`] if a guard refuses the map.
    ///
    /// The map is then unchanged.
    pub fn reload_from_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload_from_bytes(bytes.into(), Guarded::Yes)
    }

    /// Swaps in a map as [`reload_from_bytes`](Self::reload_from_bytes) does, but accepts a map that the
    /// guards refuse.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`].
    pub fn reload_from_bytes_forced(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload_from_bytes(bytes.into(), Guarded::Forced)
    }

    /// Reloads the map in the background: at once, and then at an interval or up to a tenth sooner,
    /// until the schedule is [cancelled](Self::cancel_schedule) or the last handle on the map is
    /// dropped.
    ///
    /// After a failure the reload is tried again sooner: after 30 s, after twice that and so on, up to
    /// half the interval. A second call replaces the schedule. If the source is a file, it is also
    /// checked for changes every second.
    ///
    /// When the last handle is dropped, the thread ends at once: a fetch over HTTP is cut off (one that
    /// is still connecting, when the connection is made or times out), and the result of a custom
    /// source is ignored.
    ///
    /// # Errors
    ///
    /// - [`Error::NoSource`] if the map has no source.
    /// - [`Error::InvalidSetting`] if the interval is shorter than a second.
    /// - [`Error::Thread`] if the system does not start a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use llm_costmap::CostMap;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("map.json");
    /// std::fs::write(&path, r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    ///
    /// let map = CostMap::from_file(&path)?;
    /// map.schedule_reload(Duration::from_secs(6 * 3600))?;
    /// assert_eq!(map.status().interval_hours, Some(6.0));
    /// assert!(map.cancel_schedule());
    /// assert!(!map.status().scheduled);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn schedule_reload(&self, every: Duration) -> Result<(), Error> {
        self.handle.reloader.schedule(every)
    }

    /// Ends the schedule. Returns whether one existed. A running reload is not interrupted.
    #[allow(clippy::must_use_candidate)]
    pub fn cancel_schedule(&self) -> bool {
        self.handle.reloader.cancel_schedule()
    }

    /// Returns the state of the schedule and the results of the last reloads.
    #[must_use]
    pub fn status(&self) -> ScheduleStatus {
        self.handle.reloader.status()
    }

    /// Returns the source of the live map.
    #[must_use]
    pub fn source_info(&self) -> SourceInfo {
        self.handle.reloader.source_info(&self.live)
    }

    /// Calls `listener` after each reload that replaced the map, and after each that failed: on the
    /// thread that reloaded, outside every lock.
    ///
    /// A panic of a listener is reported by [`status`](Self::status). A listener that keeps a handle on
    /// the map keeps the map alive forever.
    ///
    /// A listener cannot reload the map, since it would be told of that reload as well: it gets
    /// [`Error::NestedReload`]. It must not wait for a reload on another thread either. To reload in
    /// answer to a reload, it hands the work to a thread of its own and returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// use llm_costmap::CostMap;
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let (told, heard) = mpsc::channel();
    /// map.on_reload(move |result| {
    ///     told.send(result.as_ref().map(|report| report.diff.repriced.len()).ok()).ok();
    /// });
    /// map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
    /// assert_eq!(heard.recv(), Ok(Some(1)));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn on_reload(&self, listener: impl Fn(&Result<ReloadReport, Error>) + Send + Sync + 'static) {
        self.handle.reloader.listen(Arc::new(listener));
    }

    /// Returns the provenance of a generation's prices: the one that [`Cost::generation`] names, for
    /// example. Each swap makes a generation, that of a registered model included. The last 64 are
    /// kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let cost = map.cost("m", &Usage::new(1, 0))?;
    /// map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
    ///
    /// let generation = map.generation(cost.generation()).ok_or("forgotten")?;
    /// assert_eq!(generation.source_revision.as_deref(), Some("48eb463b14b5f9e0fa71add798fb8802953a61ff"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn generation(&self, generation: u64) -> Option<Generation> {
        self.generations().into_iter().find(|known| known.generation == generation)
    }

    /// Returns the last 64 generations, oldest first.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        self.live.history()
    }
}

/// Serialises the fields of a model. The caller's code runs here, outside every lock: it may use the
/// map.
fn object_json(model: &str, info: &impl Serialize) -> Result<String, Error> {
    let invalid = |reason: String| Error::InvalidModel { model: model.to_owned(), field: None, reason };
    let json = serde_json::to_string(info).map_err(|error| invalid(error.to_string()))?;
    if json.starts_with('"') {
        return Err(invalid(
            "not an object but a string: hand JSON text to the method whose name ends in _json".to_owned(),
        ));
    }
    Ok(json)
}

impl std::fmt::Debug for CostMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostMap")
            .field("live", &*self.live.load())
            .field("source", &self.source_info().origin)
            .finish_non_exhaustive()
    }
}
