//! [`CostMap`]: the handle that programs keep.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::Serialize;

use crate::catalog::{Catalog, NotAMap, SetAside, Text};
use crate::cost::{Cost, CostRequest};
use crate::deployment::{Deployment, Deployments};
use crate::error::Error;
use crate::model_info::ModelInfo;
use crate::overlay::{Overlay, Overrides, Registration};
use crate::resolve::{Layers, Lookup};
use crate::snapshot::{Parts, Snapshot};
use crate::source::read_file;

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
    inner: Arc<Inner>,
}

struct Inner {
    live: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    /// One reload at a time, so that an older file never replaces a newer one.
    reloading: Mutex<()>,
    source: Option<PathBuf>,
}

/// What the next snapshot is made from.
struct Writer {
    base: Arc<Catalog>,
    overrides: Overrides,
    deployments: Arc<Deployments>,
    generation: u64,
    /// Snapshots that readers may still hold: kept until no reader can be the one that frees them.
    retired: Vec<Arc<Snapshot>>,
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReloadReport {
    /// The generation that is live now.
    pub generation: u64,
    /// How many models it has.
    pub models_count: usize,
    /// The rows that were not loaded, since their prices cannot be trusted.
    #[serde(skip)]
    pub set_aside: Vec<SetAside>,
}

impl CostMap {
    /// The public map that is part of this crate: see [`BUNDLED`](crate::BUNDLED) for which one.
    ///
    /// It is parsed once a process, when it is first asked for, and shared by all maps made so.
    #[cfg(feature = "bundled")]
    #[must_use]
    pub fn bundled() -> Self {
        Self::new(crate::catalog::bundled::catalog(), None)
    }

    /// A map of no models, to be filled with [`register_model`](Self::register_model) or
    /// [`reload_from_bytes`](Self::reload_from_bytes).
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Arc::new(Catalog::empty()), None)
    }

    /// A map out of JSON in LiteLLM's format: an object of entries by model.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`] where the text is not JSON, or not an object. A row whose price cannot be
    /// trusted is no error: it is set aside, and listed by [`Snapshot::set_aside`].
    pub fn from_json(json: impl Into<Vec<u8>>) -> Result<Self, Error> {
        Self::builder().json(json).build()
    }

    /// A map out of a file in LiteLLM's format, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the file cannot be read, and as [`from_json`](Self::from_json).
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, Error> {
        Self::builder().file(path).build()
    }

    /// A map with settings.
    pub fn builder() -> CostMapBuilder {
        CostMapBuilder::default()
    }

    fn new(base: Arc<Catalog>, source: Option<PathBuf>) -> Self {
        let generation = 1;
        let first = Parts { base: base.clone(), generation, ..Parts::default() };
        let live = ArcSwap::new(Snapshot::new(first, SystemTime::now()));
        let (overrides, deployments) = (Overrides::default(), Arc::default());
        let writer = Writer { base, overrides, deployments, generation, retired: Vec::new() };
        Self {
            inner: Arc::new(Inner { live, writer: Mutex::new(writer), reloading: Mutex::new(()), source }),
        }
    }

    /// The live snapshot, pinned: it stays as it is for as long as it is kept.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.live.load_full()
    }

    /// What a call costs, by the live snapshot.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::cost`].
    pub fn cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        self.inner.live.load().cost(request)
    }

    /// What the map says of a model, under any name that it knows. A copy: pin a
    /// [`snapshot`](Self::snapshot) to borrow instead.
    #[must_use]
    pub fn get<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Option<ModelInfo<'static>> {
        self.inner.live.load().get(lookup).map(ModelInfo::into_owned)
    }

    /// The keys of all models. A copy: pin a [`snapshot`](Self::snapshot) to iterate over what is known
    /// of them.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.inner.live.load().models().map(|model| model.key().to_owned()).collect()
    }

    /// How many models there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.live.load().len()
    }

    /// Whether there are no models.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.live.load().is_empty()
    }

    /// Adds a model, or lays fields over the one that answers to `name`. It survives every reload.
    ///
    /// `info` is anything that serialises to an object, or a text of JSON. Fields are merged one by one,
    /// objects in them one level deep; null leaves a field alone; numbers may be strings. The name is
    /// taken literally: registering `openai/gpt-4o` does not change `gpt-4o`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModel`] where `info` is no object, or a price in it is none; the map is then as
    /// it was.
    pub fn register_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.change(|overrides| overrides.register(name, &info, Registration::Over).map(|()| true)).map(drop)
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
        self.change(|overrides| overrides.register_all(&models).map(|()| true)).map(drop)
    }

    /// Puts a model in the place of the one that answers to `name`: nothing of that is taken over, nor of what was
    /// registered before.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model).
    pub fn replace_model(&self, name: &str, info: impl Serialize) -> Result<(), Error> {
        self.change(|overrides| overrides.register(name, &info, Registration::Instead).map(|()| true))
            .map(drop)
    }

    /// Takes back what was registered under `name`, so that the map's own model is back. Whether there was anything.
    ///
    /// # Errors
    ///
    /// As [`register_model`](Self::register_model); what is left was registered before, so that none is expected.
    pub fn unregister_model(&self, name: &str) -> Result<bool, Error> {
        self.change(|overrides| Ok(overrides.remove(name)))
    }

    /// Changes what is registered, and swaps it in where `change` says that it did. Nothing changes on an error.
    fn change(&self, change: impl FnOnce(&mut Overrides) -> Result<bool, Error>) -> Result<bool, Error> {
        let mut writer = self.writer();
        let mut overrides = writer.overrides.clone();
        if !change(&mut overrides)? {
            return Ok(false);
        }
        let (base, deployments) = (writer.base.clone(), writer.deployments.clone());
        self.swap(&mut writer, base, overrides, deployments).map(|_| true)
    }

    /// Adds a deployment, and says its id.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] where another has its id; the map is then as it was.
    pub fn add_deployment(&self, deployment: Deployment) -> Result<String, Error> {
        let id = deployment.id().to_owned();
        self.change_deployments(|list| {
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
        let known = self.change_deployments(|list| {
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
        self.change_deployments(|list| {
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
        self.swap_deployments(&mut self.writer(), deployments)
    }

    /// Changes the deployments, and swaps them in where `change` says that it did. Nothing changes on an error.
    fn change_deployments(&self, change: impl FnOnce(&mut Vec<Deployment>) -> bool) -> Result<bool, Error> {
        let mut writer = self.writer();
        let mut list = writer.deployments.list().to_vec();
        if !change(&mut list) {
            return Ok(false);
        }
        let deployments = Arc::new(Deployments::new(list)?);
        self.swap_deployments(&mut writer, deployments).map(|()| true)
    }

    fn swap_deployments(&self, writer: &mut Writer, deployments: Arc<Deployments>) -> Result<(), Error> {
        let (base, overrides) = (writer.base.clone(), writer.overrides.clone());
        self.swap(writer, base, overrides, deployments).map(drop)
    }

    /// What a call costs that a deployment served, by the live snapshot.
    ///
    /// # Errors
    ///
    /// As [`Snapshot::deployment_cost`].
    pub fn deployment_cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        self.inner.live.load().deployment_cost(request)
    }

    /// Reads the map's file again and swaps the new map in, with the registered models over it.
    ///
    /// # Errors
    ///
    /// [`Error::NoSource`] where the map was not built from a file, [`Error::Io`] where that cannot be
    /// read, and as [`reload_from_bytes`](Self::reload_from_bytes). The map is then as it was.
    pub fn reload(&self) -> Result<ReloadReport, Error> {
        let path = self.inner.source.as_deref().ok_or(Error::NoSource)?;
        let _one_at_a_time = lock(&self.inner.reloading);
        self.replace(parse(read_file(path)?, &path.display().to_string())?)
    }

    /// Swaps in a map that was fetched by other means, with the registered models over it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`] where the bytes are not JSON, or not an object; [`Error::EmptyMap`] where there
    /// is no model in them. The map is then as it was.
    pub fn reload_from_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<ReloadReport, Error> {
        let _one_at_a_time = lock(&self.inner.reloading);
        self.replace(parse(bytes.into(), HANDED_IN)?)
    }

    fn replace(&self, parsed: Parsed) -> Result<ReloadReport, Error> {
        if parsed.catalog.len() == 0 {
            return Err(Error::EmptyMap { origin: parsed.origin });
        }
        let mut writer = self.writer();
        let (overrides, deployments) = (writer.overrides.clone(), writer.deployments.clone());
        let live = self.swap(&mut writer, Arc::new(parsed.catalog), overrides, deployments)?;
        Ok(ReloadReport {
            generation: live.generation(),
            models_count: live.len(),
            set_aside: live.set_aside().cloned().collect(),
        })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.inner.writer)
    }

    /// Puts the next snapshot together and swaps it in. Nothing changes on an error.
    fn swap(
        &self,
        writer: &mut Writer,
        base: Arc<Catalog>,
        overrides: Overrides,
        deployments: Arc<Deployments>,
    ) -> Result<Arc<Snapshot>, Error> {
        let own = overrides.compose(&base)?;
        let layers = Layers { own: own.as_ref().map(Overlay::catalog), base: &base };
        let priced = deployments.compose(layers)?;
        let generation = writer.generation + 1;
        let parts = Parts { base: base.clone(), own, deployments: deployments.clone(), priced, generation };
        let next = Snapshot::new(parts, SystemTime::now());
        let before = self.inner.live.swap(next.clone());
        writer.base = base;
        writer.overrides = overrides;
        writer.deployments = deployments;
        writer.generation = generation;
        writer.retired.push(before);
        writer.retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        Ok(next)
    }
}

/// Takes a lock. A panic elsewhere leaves nothing half done: what is guarded is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for CostMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostMap")
            .field("live", &*self.inner.live.load())
            .field("source", &self.inner.source)
            .finish_non_exhaustive()
    }
}

/// What messages call a text that was handed in.
const HANDED_IN: &str = "the text that was handed in";

struct Parsed {
    catalog: Catalog,
    origin: String,
}

/// Reads a map out of bytes.
fn parse(bytes: Vec<u8>, origin: &str) -> Result<Parsed, Error> {
    let invalid = |message: String, line: usize, column: usize| Error::InvalidMap {
        origin: origin.to_owned(),
        message,
        line,
        column,
    };
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or(&[]);
        let (mut line, mut column) = (1, 1);
        for byte in before {
            (line, column) = if *byte == b'\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        invalid("not UTF-8 text".to_owned(), line, column)
    })?;
    // A byte order mark is no part of the text.
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    match Catalog::parse(Text::Owned(text.into_boxed_str())) {
        Ok(catalog) => Ok(Parsed { catalog, origin: origin.to_owned() }),
        Err(NotAMap::Json(error)) => {
            let message = error.to_string();
            // The position is said apart.
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Err(invalid(message, error.line(), error.column()))
        }
        Err(error @ (NotAMap::TooLarge | NotAMap::TooManyRules(_))) => Err(invalid(error.to_string(), 0, 0)),
    }
}

/// Settings of a [`CostMap`].
///
/// By default the map is the bundled one, or empty without the feature `bundled`.
///
/// # Examples
///
/// ```
/// use llm_costmap::CostMap;
///
/// let map = CostMap::builder()
///     .json(r#"{"gpt-x": {"input_cost_per_token": 1e-6, "litellm_provider": "openai"}}"#)
///     .build()?;
/// assert_eq!(map.len(), 1);
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct CostMapBuilder {
    start: Start,
}

#[derive(Debug, Default)]
enum Start {
    #[default]
    Bundled,
    Json(Vec<u8>),
    File(PathBuf),
}

impl CostMapBuilder {
    /// Starts from JSON in LiteLLM's format.
    pub fn json(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.start = Start::Json(json.into());
        self
    }

    /// Starts from a file in LiteLLM's format, which [`CostMap::reload`] reads again.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.start = Start::File(path.into());
        self
    }

    /// Makes the map. The only I/O is to read the file that was named; no thread is started.
    ///
    /// # Errors
    ///
    /// As [`CostMap::from_json`] and [`CostMap::from_file`].
    pub fn build(self) -> Result<CostMap, Error> {
        match self.start {
            #[cfg(feature = "bundled")]
            Start::Bundled => Ok(CostMap::bundled()),
            #[cfg(not(feature = "bundled"))]
            Start::Bundled => Ok(CostMap::empty()),
            Start::Json(json) => Ok(CostMap::new(Arc::new(parse(json, HANDED_IN)?.catalog), None)),
            Start::File(path) => {
                let parsed = parse(read_file(&path)?, &path.display().to_string())?;
                Ok(CostMap::new(Arc::new(parsed.catalog), Some(path)))
            }
        }
    }
}
