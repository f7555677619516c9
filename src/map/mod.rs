//! [`CostMap`]: the handle that programs keep.

mod builder;
mod constructors;
mod env;
mod operator;
mod reload;
mod start;
mod state;

use std::sync::{Arc, Mutex};

use crate::cost::{Call, Cost};
use crate::error::Error;
use crate::history::{AsOf, History};
use crate::live::{Live, VersionedCatalog};
use crate::model_info::ModelInfo;
use crate::num::Usd;
use crate::reload::{KEPT_MAPS, Listener, Reloader, Results, Settings};
use crate::resolve::Lookup;
use crate::snapshot::{ResolvedModel, Snapshot};
use crate::version::Generation;
pub use builder::CostMapBuilder;

/// A model map that any number of threads price by, while it is reloaded.
///
/// A clone is another handle on the same map. Readers never wait: each call loads the live
/// [`Snapshot`] once, without a lock. Writers (registering a model, reloading) are serialised. They
/// build the next snapshot beside the live one and swap it in whole, so that no reader sees half of
/// a change.
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
    /// Held while the file of [`CostMap::write_state`] is written.
    writing_state: Mutex<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.reloader.close();
    }
}

impl CostMap {
    pub(crate) fn with(
        base: VersionedCatalog,
        mut settings: Settings,
        results: Results,
        listeners: Vec<Arc<Listener>>,
    ) -> Self {
        let trusted = std::mem::take(&mut settings.trusted);
        let kept_maps = settings.kept_maps.unwrap_or(KEPT_MAPS);
        let (retired, history) = (settings.retired, settings.history.as_ref().map(History::view_of_now));
        let adjustments = settings.adjustments.take();
        let live = Arc::new(Live::new(base, trusted, adjustments, retired, history.as_ref(), kept_maps));
        let reloader = Arc::new(Reloader::new(&live, settings, results, listeners));
        reloader.record_start();
        Self { live, handle: Arc::new(Handle { reloader, writing_state: Mutex::default() }) }
    }

    pub(crate) fn reloader(&self) -> &Arc<Reloader> {
        &self.handle.reloader
    }

    /// Returns the live snapshot, which does not change for as long as it is kept.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.snapshot()
    }

    /// Returns the snapshot of an instant: its prices are those that were in force then, by the
    /// [history](crate::CostMapBuilder::history) of this map. Takes about a microsecond, and no lock.
    ///
    /// The operator's registered models and deployments lie over those prices, as they are now: a registration
    /// has no date. (They take some microseconds each.) Models that had left the map by that instant are kept
    /// if [`CostMapBuilder::retired`](crate::CostMapBuilder::retired) or [`AsOf::retired`] says so.
    ///
    /// # Errors
    ///
    /// [`Error::NoHistory`] if the map has no history; [`Error::InvalidModel`] and
    /// [`Error::InvalidDeployment`] if one of the operator's models or deployments cannot be laid over the
    /// prices of that instant.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use llm_costmap::history::History;
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::builder()
    ///     .json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)
    ///     .history(History::new())
    ///     .build()?;
    /// let before = SystemTime::now();
    /// map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
    ///
    /// let usage = Usage::new(1_000_000, 0);
    /// assert_eq!(map.total("m", &usage)?.to_string(), "2");
    /// assert_eq!(map.at(before)?.total("m", &usage)?.to_string(), "1");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn at(&self, as_of: impl Into<AsOf>) -> Result<Arc<Snapshot>, Error> {
        let settings = self.reloader().settings();
        let history = settings.history.as_ref().ok_or(Error::NoHistory)?;
        let as_of = as_of.into();
        let retired = as_of.retired.max(settings.retired);
        self.live.load().with_past(history.view(&as_of), retired)
    }

    /// Returns the history that maps are recorded in: see
    /// [`CostMapBuilder::history`](crate::CostMapBuilder::history).
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.reloader().settings().history.as_ref()
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

    /// Returns the provenance of a generation's prices: the one that [`Cost::generation`] names,
    /// for example. Each swap makes a generation, that of a registered model included. The last 64
    /// are kept.
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
        self.live.generations()
    }
}

impl std::fmt::Debug for CostMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostMap")
            .field("live", &*self.live.load())
            .field("source", &self.source_info().origin)
            .finish_non_exhaustive()
    }
}
