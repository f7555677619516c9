//! [`CostMap`]: the handle that programs keep.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::cost::{Cost, CostRequest};
use crate::deployment::{Deployment, Deployments};
use crate::error::Error;
use crate::json;
use crate::live::{Base, Live};
use crate::model_info::ModelInfo;
use crate::overlay::Registration;
use crate::reload::status::{ReloadReport, ScheduleStatus, SourceInfo};
use crate::reload::{Guarded, History, Listener, Reloader, Settings};
use crate::resolve::Lookup;
use crate::snapshot::Snapshot;
use crate::usd::Usd;
use crate::version::Generation;

/// A model map that any number of threads price by, while it is reloaded under them.
///
/// A clone is another handle on the same map. Readers never wait: each call loads the live
/// [`Snapshot`] once, without a lock. Writers (registering a model, reloading) are serialised; they build the
/// next snapshot aside and swap it in whole, so that no reader ever sees half of a change.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, CostRequest, Usage};
///
/// let map = CostMap::bundled();
/// let usage = Usage::new(1_000, 500);
/// let cost = map.cost(&CostRequest::new("gpt-4o", &usage))?;
/// assert_eq!(cost.total().to_string(), "0.0075");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
///
/// A map of one's own, and a model that the operator adds:
///
/// ```
/// use llm_costmap::{CostMap, CostRequest, Usage};
/// use serde_json::json;
///
/// let map = CostMap::empty();
/// map.register_model(
///     "my-llama",
///     json!({"input_cost_per_token": 2e-7, "output_cost_per_token": "6e-7"}),
/// )?;
/// let usage = Usage::new(1_000_000, 0);
/// assert_eq!(map.cost(&CostRequest::new("my-llama", &usage))?.total().to_string(), "0.2");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
pub struct CostMap {
    /// At hand, since every call loads it.
    live: Arc<Live>,
    handle: Arc<Handle>,
}

/// What all handles on a map share beside it; its end is that of the last of them.
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
        base: Base,
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

    /// The live snapshot, pinned: it stays as it is for as long as it is kept.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.snapshot()
    }

    /// What a call costs, by the live snapshot.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::cost`].
    pub fn cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        self.live.load().cost(request)
    }

    /// What a call costs in all, by the live snapshot, for those who need no lines.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::total`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "bundled")] {
    /// use llm_costmap::{CostMap, CostRequest, Usage};
    ///
    /// let map = CostMap::bundled();
    /// let usage = Usage::new(1_000, 500);
    /// assert_eq!(map.total(&CostRequest::new("gpt-4o", &usage))?.to_string(), "0.0075");
    /// # }
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn total(&self, request: &CostRequest<'_>) -> Result<Usd, Error> {
        self.live.load().total(request)
    }

    /// What the map says of a model, under any name that it knows. A copy: pin a
    /// [`snapshot`](Self::snapshot) to borrow instead.
    #[must_use]
    pub fn get<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Option<ModelInfo<'static>> {
        self.live.load().get(lookup).map(ModelInfo::into_owned)
    }

    /// The keys of all models. A copy: pin a [`snapshot`](Self::snapshot) to iterate over what is known
    /// of them.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.live.load().models().map(|model| model.key().to_owned()).collect()
    }

    /// How many models there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load().len()
    }

    /// Whether there are no models.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.load().is_empty()
    }

    /// Adds a model, or lays fields over the one that answers to `name`. It survives every reload.
    ///
    /// `info` is anything that serialises to an object, or a text of JSON. Fields are merged one by one,
    /// objects in them one level deep; null leaves a field alone; numbers may be strings. The name is
    /// taken literally: registering `openai/gpt-4o` does not change `gpt-4o`, and registering an alias changes neither its model nor the
    /// model's other aliases. An alias among the fields displaces aliases of the map, and no key.
    ///
    /// Where a newer map is such that the fields cannot be laid over its model, the model stays as it was, and the
    /// [report](ReloadReport::warnings) of the reload says so.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] where `info` is no object, or a price in it is none; the map is then as
    /// it was.
    pub fn register_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.register(name, info, Registration::Over)
    }

    /// Adds models, or lays fields over those that answer to their names: all of them, or none.
    ///
    /// `models` is anything that serialises to an object of models, or a text of JSON; each is taken as by
    /// [`register_model`](Self::register_model).
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model), for the first model that is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::CostMap;
    ///
    /// let map = CostMap::empty();
    /// map.register_models(r#"{"a": {"max_input_tokens": 12345}, "b": {"max_output_tokens": "678"}}"#)?;
    /// assert_eq!(map.get("b").and_then(|model| model.max_output_tokens()), Some(678));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn register_models(&self, models: impl Serialize) -> Result<(), Error> {
        let json = model_json("the models", models)?;
        self.live.change(|overrides| overrides.register_all(&json).map(|()| true)).map(drop)
    }

    /// Puts a model in the place of the one that answers to `name`: nothing of that is taken over, nor of what was
    /// registered before.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    pub fn replace_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.register(name, info, Registration::Instead)
    }

    fn register(&self, name: &str, info: impl Serialize, how: Registration) -> Result<(), Error> {
        let json = model_json(name, info)?;
        self.live.change(|overrides| overrides.register(name, &json, how).map(|()| true)).map(drop)
    }

    /// Takes back what was registered under `name`, so that the map's own model is back. Whether there was anything.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model); what is left was registered before, so that none is expected.
    pub fn unregister_model(&self, name: &str) -> Result<bool, Error> {
        self.live.change(|overrides| Ok(overrides.remove(name)))
    }

    /// Adds a deployment, and says its id.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] where another has its id; the map is then as it was.
    pub fn add_deployment(&self, deployment: Deployment) -> Result<String, Error> {
        let id = deployment.id().to_owned();
        self.live.change_deployments(|list| {
            list.push(deployment);
            true
        })?;
        Ok(id)
    }

    /// Puts a deployment in the place of the one with its id.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`] where none has it.
    pub fn update_deployment(&self, deployment: Deployment) -> Result<(), Error> {
        let id = deployment.id().to_owned();
        let known = self.live.change_deployments(|list| {
            let slot = list.iter_mut().find(|slot| slot.id() == id);
            slot.map(|slot| *slot = deployment).is_some()
        })?;
        if known { Ok(()) } else { Err(Error::UnknownDeployment { name: id }) }
    }

    /// Takes away the deployment with an id. Whether there was one.
    ///
    /// # Errors
    ///
    /// As [`set_deployments`](Self::set_deployments); what is left was there before, so that none is expected.
    pub fn remove_deployment(&self, id: &str) -> Result<bool, Error> {
        self.live.change_deployments(|list| {
            let before = list.len();
            list.retain(|deployment| deployment.id() != id);
            list.len() < before
        })
    }

    /// Puts a list of deployments in the place of all that there were, in one swap: no reader ever sees a mixture.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] where two have one id; the map is then as it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, CostRequest, Deployment, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#)?;
    /// map.set_deployments(Deployment::list_from_json(
    ///     r#"[{"model_name": "fast", "litellm_params": {"model": "openai/gpt-x"}, "model_info": {"id": "a"}},
    ///         {"model_name": "cheap", "litellm_params": {"model": "openai/gpt-x", "input_cost_per_token": 5e-7}}]"#,
    /// )?)?;
    /// let usage = Usage::new(1_000_000, 0);
    /// assert_eq!(map.deployment_cost(&CostRequest::new("a", &usage))?.total().to_string(), "1");
    /// assert_eq!(map.deployment_cost(&CostRequest::new("cheap", &usage))?.total().to_string(), "0.5");
    /// assert!(map.cost(&CostRequest::new("cheap", &usage)).is_err());
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn set_deployments(&self, deployments: impl IntoIterator<Item = Deployment>) -> Result<(), Error> {
        // Indexed before the lock is taken.
        let deployments = Arc::new(Deployments::new(deployments.into_iter().collect())?);
        self.live.set_deployments(deployments)
    }

    /// What a call costs that a deployment served, by the live snapshot.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::deployment_cost`].
    pub fn deployment_cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        self.live.load().deployment_cost(request)
    }

    /// Fetches the map from its source and swaps it in, with the operator's models over it. Readers price by the map in use meanwhile. A
    /// call while another fetches shares its fetch and its answer.
    ///
    /// The map is checked first: see [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models), [`max_shrink_ratio`](crate::CostMapBuilder::max_shrink_ratio),
    /// [`required_models`](crate::CostMapBuilder::required_models), [`max_price_jump_ratio`](crate::CostMapBuilder::max_price_jump_ratio).
    ///
    /// # Errors
    ///
    /// [`Error::NoSource`] where the map has none; [`Error::Fetch`] or [`Error::Io`] where the source gives nothing;
    /// [`Error::NestedReload`] where a source or a listener of this map asks for it; and as
    /// [`reload_from_bytes`](Self::reload_from_bytes). The map is then as it was.
    pub fn reload(&self) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload(Guarded::Yes)
    }

    /// As [`reload`](Self::reload), but nothing that the guards say keeps a map out, not even that it has no models;
    /// [`ReloadReport::forced_past`] says what they did. It always fetches the whole map. A map that is forced in is not written to the cache.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload), but for the guards'.
    pub fn reload_forced(&self) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload(Guarded::Forced)
    }

    /// Reloads the map where its source is a file that is not as it was when it was last read. `None` where there was nothing to do. While
    /// reloads are scheduled this is done every second.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload). A file that is no map is tried again when it changes.
    pub fn reload_if_changed(&self) -> Result<Option<ReloadReport>, Error> {
        self.handle.reloader.reload_if_changed()
    }

    /// Swaps in a map that was fetched by other means, with the operator's models over it. It is checked as by
    /// [`reload`](Self::reload), and not written to the cache.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`] where the bytes are not JSON, or not an object; [`Error::EmptyMap`] where there
    /// is no model in them (unless [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models) is 0); [`Error::TooFewModels`], [`Error::MapShrank`], [`Error::MissingModel`], [`Error::UnpricedModel`] and
    /// [`Error::PricesJumped`] where a guard refuses them. The map is then as it was.
    pub fn reload_from_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload_from_bytes(bytes.into(), Guarded::Yes)
    }

    /// As [`reload_from_bytes`](Self::reload_from_bytes), past the guards.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`].
    pub fn reload_from_bytes_forced(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        self.handle.reloader.reload_from_bytes(bytes.into(), Guarded::Forced)
    }

    /// Reloads the map in the background, at once and then at an interval (or up to a tenth sooner), until the schedule is
    /// [cancelled](Self::cancel_schedule) or the last handle on the map is dropped. After a failure it is tried again sooner: in 30 s, then in
    /// twice that and so on, up to half the interval. A second call takes the place of the first.
    ///
    /// Where the source is a file, it is also looked at every second. With the last handle the thread ends at once: a fetch over HTTP is cut
    /// (one that is still connecting, when that is done or times out), and a custom source is left to finish unheard.
    ///
    /// # Errors
    ///
    /// [`Error::NoSource`] where the map has none, [`Error::InvalidSetting`] where the interval is shorter than a second, [`Error::Thread`]
    /// where the system starts no thread.
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

    /// Ends the schedule. Whether there was one. A reload that runs is not interrupted.
    #[allow(clippy::must_use_candidate)]
    pub fn cancel_schedule(&self) -> bool {
        self.handle.reloader.cancel_schedule()
    }

    /// How reloads are going.
    #[must_use]
    pub fn status(&self) -> ScheduleStatus {
        self.handle.reloader.status()
    }

    /// Where the live map is from.
    #[must_use]
    pub fn source_info(&self) -> SourceInfo {
        self.handle.reloader.source_info(&self.live)
    }

    /// Calls `listener` after each reload that replaced the map, and after each that failed: on the thread that reloaded, outside every
    /// lock. One that panics is reported by [`status`](Self::status). A listener that keeps a handle on the map keeps the map for ever.
    ///
    /// A listener cannot reload the map, since it would hear of that as well: it is given [`Error::NestedReload`]. It must not wait for a
    /// reload on another thread either. To reload in answer to a reload, it hands the work to a thread of its own and returns.
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

    /// Which prices a generation has: what [`Cost::generation`] says of a bill. The last 64 are remembered; each swap makes
    /// one, a registered model's too.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, CostRequest, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let cost = map.cost(&CostRequest::new("m", &Usage::new(1, 0)))?;
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

    /// The last 64 generations, oldest first.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        self.live.history()
    }
}

/// Serialises what an operator says of a model. The caller's code runs here, outside every lock: it may ask the map.
fn model_json(model: &str, info: impl Serialize) -> Result<String, Error> {
    json::text_of(&info).map_err(|error| Error::InvalidModel {
        model: model.to_owned(),
        field: None,
        reason: error.to_string(),
    })
}

impl std::fmt::Debug for CostMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostMap")
            .field("live", &*self.live.load())
            .field("source", &self.source_info().origin)
            .finish_non_exhaustive()
    }
}
