//! [`CostMapBuilder`]: what a map is built with.

use std::env::VarError;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::catalog;
use crate::error::Error;
use crate::live::Base;
use crate::map::CostMap;
use crate::reload::cache::Cache;
use crate::reload::guard::{Guards, KEPT};
use crate::reload::status::ReloadReport;
use crate::reload::{Guarded, HANDED_IN, History, Listener, Settings};
#[cfg(feature = "http")]
use crate::source::HttpSource;
use crate::source::{Asked, Origin, PUBLIC_MAP, Source, Validators};
use crate::version::{Channel, Version};

/// Settings of a [`CostMap`].
///
/// A map has a *source* that it is reloaded from, and something that it *starts* with. The source is the one that is set here; else, with
/// [`env`](Self::env), the one that the environment names; else the public map, where the crate has the feature `http`. The map starts
/// with the file that is its source; else with what the [`cache_dir`](Self::cache_dir) has, [`json`](Self::json), or the bundled map, in
/// this order. Nothing is fetched over a network before [`CostMap::reload`] or [`CostMap::schedule_reload`], or by
/// [`build_and_fetch`](Self::build_and_fetch).
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
///
/// A gateway's map: ready at once, fresh every six hours, never worse than the last good one.
///
/// ```no_run
/// # #[cfg(feature = "http")] {
/// use std::time::Duration;
///
/// use llm_costmap::CostMap;
///
/// let map = CostMap::builder()
///     .env()
///     .cache_dir("/var/cache/my-gateway")
///     .min_models(1_000)
///     .required_models(["gpt-4o", "claude-sonnet-4-5"])
///     .on_reload(|result| match result {
///         Ok(report) => println!("{} prices changed", report.diff.repriced.len()),
///         Err(error) => eprintln!("prices are kept: {error}"),
///     })
///     .build()?;
/// map.schedule_reload(Duration::from_secs(6 * 3600))?;
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct CostMapBuilder {
    asked: Option<Asked>,
    env: bool,
    json: Option<Vec<u8>>,
    or_bundled: bool,
    cache_dir: Option<PathBuf>,
    guards: Guards,
    listeners: Vec<Arc<Listener>>,
}

impl CostMapBuilder {
    /// Starts with JSON in LiteLLM's format. Without a source beside it the map is reloaded by
    /// [`CostMap::reload_from_bytes`] alone; with one, it is what the map starts with where the source has nothing to.
    pub fn json(self, json: impl Into<Vec<u8>>) -> Self {
        Self { json: Some(json.into()), ..self }
    }

    /// Reads the map from a file in LiteLLM's format, at the start and at each reload. While reloads are scheduled it is looked at every
    /// second, and read again as soon as it changes.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Self { asked: Some(Asked::File(path.into())), ..self }
    }

    /// Reloads the map from a URL: `https`, `http` or `file`. For headers, certificates and timeouts see
    /// [`http`](Self::http).
    pub fn url(self, url: impl Into<String>) -> Self {
        Self { asked: Some(Asked::Url(url.into())), ..self }
    }

    /// Reloads the map from a URL, with settings.
    #[cfg(feature = "http")]
    pub fn http(self, source: HttpSource) -> Self {
        Self { asked: Some(Asked::Http(source)), ..self }
    }

    /// Reloads the map from a source of one's own.
    pub fn source(self, source: impl Source) -> Self {
        Self { asked: Some(Asked::Custom(Arc::new(source))), ..self }
    }

    /// Lets the environment name the source, as it does for LiteLLM, where none is set here: `LITELLM_LOCAL_MODEL_COST_MAP` (`true` for the
    /// bundled map and no other), or else `LITELLM_MODEL_COST_MAP_URL`. It is read when the map is built.
    pub fn env(self) -> Self {
        Self { env: true, ..self }
    }

    /// Starts with the bundled map where the file cannot be read yet, and says so in
    /// [`SourceInfo::fallback_reason`](crate::SourceInfo::fallback_reason). By default that is an error.
    #[cfg(feature = "bundled")]
    pub fn or_bundled(self) -> Self {
        Self { or_bundled: true, ..self }
    }

    /// Keeps the last good map of the source in a folder, and starts with it, if the guards let it pass; the first reload fetches the
    /// whole map all the same. By default nothing is kept.
    ///
    /// Processes of one user may share the folder: sources are told apart by their names and URLs. Headers and credentials in URLs do not
    /// tell them apart, since nothing of a secret is written: give such sources folders of their own. On Unix a file that another user
    /// (but for root) owns, or that others may write to, is passed over.
    pub fn cache_dir(self, folder: impl Into<PathBuf>) -> Self {
        Self { cache_dir: Some(folder.into()), ..self }
    }

    /// Refuses a map with fewer models. By default 50, or half the live ones where that is less. A map of no models is refused unless this
    /// is 0.
    pub fn min_models(mut self, models: usize) -> Self {
        self.guards.min_models = Some(models);
        self
    }

    /// Refuses a map with fewer models than this share of the live ones, from 0 to 1. By default 0.5.
    pub fn max_shrink_ratio(mut self, ratio: f64) -> Self {
        self.guards.max_shrink_ratio = ratio;
        self
    }

    /// Refuses a map in which one of these models is missing, or has no price. Names as for
    /// [`Snapshot::resolve`](crate::Snapshot::resolve). By default none.
    pub fn required_models<M: Into<String>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.guards.required = models.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses a map in which more than this share of the models that both maps have, from 0 to 1, has a price that is
    /// more than ten times what it was, or less than a tenth: prices for a million tokens, say, where one is for a token. Three such
    /// models are the least that count. By default 0.05; in the history of the public map it was never more than 0.004.
    pub fn max_price_jump_ratio(mut self, ratio: f64) -> Self {
        self.guards.max_jump_ratio = ratio;
        self
    }

    /// Calls `listener` after each reload that replaced the map, and after each that failed. As [`CostMap::on_reload`], but nothing is
    /// missed.
    pub fn on_reload(
        mut self,
        listener: impl Fn(&Result<ReloadReport, Error>) + Send + Sync + 'static,
    ) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Makes the map. The only I/O is to read the file that was named and the cache; no thread is started.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] where a setting cannot be; [`Error::Io`] and [`Error::InvalidMap`] where the file or the JSON is no map, and
    /// there is nothing else to start with; [`Error::NothingToStartWith`] where there never was anything.
    pub fn build(self) -> Result<CostMap, Error> {
        match self.prepare()? {
            Prepared { start: Ok(start), rest } => Ok(rest.finish(start)),
            Prepared { start: Err(error), .. } => Err(error),
        }
    }

    /// Makes the map and fetches it, for those who would rather wait than start with older prices. Where the fetch fails, or is
    /// not done before the deadline, the map starts with what [`build`](Self::build) would have, if there is anything, and
    /// [`SourceInfo::fallback_reason`](crate::SourceInfo::fallback_reason) says why; a fetch that is late is swapped in when it comes.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); what went wrong with the fetch where there is nothing else to start with; [`Error::NoSource`] where there
    /// is nothing to fetch from.
    pub fn build_and_fetch(self, deadline: Duration) -> Result<CostMap, Error> {
        let Prepared { start, rest } = self.prepare()?;
        // Nothing to start with is what the fetch is for; anything else is an error as it is when nothing is fetched.
        let start = match start {
            Err(error) if error.code() != "nothing_to_start_with" => return Err(error),
            start => start,
        };
        let origin = rest.settings.origin.as_ref().ok_or(Error::NoSource)?.name();
        let has_start = start.is_ok();
        let map = rest.finish(start.unwrap_or_else(|_| Start::new(Base::empty())));
        let reloader = map.reloader().clone();
        let (done, result) = mpsc::channel();
        let fetch = move || {
            // Nobody may be there to hear it any more.
            let _ = done.send(reloader.reload(Guarded::Yes).map(drop));
        };
        let spawned = thread::Builder::new().name("llm-costmap-fetch".to_owned()).spawn(fetch);
        spawned.map_err(|source| Error::Thread { source: Arc::new(source) })?;
        let fetched = result.recv_timeout(deadline).unwrap_or_else(|_| {
            let reason = format!("not done within {deadline:?}");
            Err(Error::Fetch { origin, reason })
        });
        match fetched {
            Err(error) if !has_start => Err(error),
            Err(error) => {
                // Unless it arrived in this very moment.
                map.reloader().note_start(&error);
                Ok(map)
            }
            Ok(()) => Ok(map),
        }
    }

    fn prepare(self) -> Result<Prepared, Error> {
        self.guards.check_settings()?;
        let mut is_env_forced = false;
        let asked = match self.asked {
            Some(asked) => Some(asked),
            None if self.env => match named_by_env()? {
                Named::Bundled if self.json.is_none() && !cfg!(feature = "bundled") => {
                    return Err(Error::InvalidSetting {
                        setting: "env",
                        reason: format!(
                            "{LOCAL} asks for the bundled map, which this program was built without"
                        ),
                    });
                }
                Named::Bundled => {
                    is_env_forced = true;
                    None
                }
                Named::Url(url) => Some(Asked::Url(url)),
                Named::Nothing => public_map(),
            },
            None if self.json.is_some() => None,
            None => public_map(),
        };
        let origin = asked.map(Asked::prepare).transpose()?;
        let cache = match (&origin, self.cache_dir) {
            (Some(origin), Some(folder)) => Some(Cache::new(folder, &origin.identity())),
            _ => None,
        };
        let start = start(origin.as_deref(), cache.as_ref(), &self.guards, self.json, self.or_bundled);
        let settings = Settings { origin, guards: self.guards, cache, is_env_forced };
        Ok(Prepared { start, rest: Rest { settings, listeners: self.listeners } })
    }
}

impl std::fmt::Debug for CostMapBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostMapBuilder")
            .field("source", &self.asked)
            .field("env", &self.env)
            .field("cache_dir", &self.cache_dir)
            .field("guards", &self.guards)
            .finish_non_exhaustive()
    }
}

/// The ways to make a map.
impl CostMap {
    /// The public map that is part of this crate: see [`BUNDLED`](crate::BUNDLED) for which one. It has no source to be reloaded
    /// from; [`builder`](Self::builder) makes one that has.
    ///
    /// It is parsed once a process, when it is first asked for, and shared by all maps made so.
    #[cfg(feature = "bundled")]
    #[must_use]
    pub fn bundled() -> Self {
        let base = Base::new(crate::catalog::bundled::catalog(), crate::version::Version::bundled());
        Self::with(base, Settings::default(), History::default(), Vec::new())
    }

    /// A map of no models, to be filled with [`register_model`](Self::register_model) or
    /// [`reload_from_bytes`](Self::reload_from_bytes).
    #[must_use]
    pub fn empty() -> Self {
        Self::with(Base::empty(), Settings::default(), History::default(), Vec::new())
    }

    /// A map out of JSON in LiteLLM's format: an object of entries by model.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`] where the text is not JSON, or not an object. A row whose price cannot be
    /// trusted is no error: it is set aside, and listed by [`Snapshot::set_aside`](crate::Snapshot::set_aside).
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

    /// A map with the source that the environment names, as LiteLLM reads it: `LITELLM_LOCAL_MODEL_COST_MAP` (`true` for the bundled map
    /// and no other), or else `LITELLM_MODEL_COST_MAP_URL`, or else the public map. It starts with the bundled map; nothing is
    /// fetched before [`reload`](Self::reload) or [`schedule_reload`](Self::schedule_reload).
    ///
    /// # Errors
    ///
    /// As [`CostMapBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().env().build()
    }

    /// A map with settings.
    pub fn builder() -> CostMapBuilder {
        CostMapBuilder::default()
    }
}

struct Prepared {
    start: Result<Start, Error>,
    rest: Rest,
}

struct Rest {
    settings: Settings,
    listeners: Vec<Arc<Listener>>,
}

impl Rest {
    fn finish(self, start: Start) -> CostMap {
        let history = History::of_start(start.validators, start.reason, start.cache_error, start.cached);
        CostMap::with(start.base, self.settings, history, self.listeners)
    }
}

/// What a map starts with.
struct Start {
    base: Base,
    validators: Validators,
    /// Why it is not what the source has.
    reason: Option<String>,
    cache_error: Option<String>,
    /// The revision that the cache has, where it was read.
    cached: Option<String>,
}

impl Start {
    fn new(base: Base) -> Self {
        Self { base, validators: Validators::default(), reason: None, cache_error: None, cached: None }
    }
}

/// Finds what to start with: the file that is the source, the cache, what was handed in, the bundled map.
fn start(
    origin: Option<&dyn Origin>,
    cache: Option<&Cache>,
    guards: &Guards,
    json: Option<Vec<u8>>,
    or_bundled: bool,
) -> Result<Start, Error> {
    let mut failed = None;
    if let Some(file) = origin.and_then(Origin::as_file) {
        let name = file.name();
        match file.read().and_then(|bytes| read(bytes, &name, Channel::Source)) {
            Ok(base) => return Ok(Start::new(base)),
            Err(error) => failed = Some(error),
        }
    }
    let mut cache_error = None;
    if let (Some(cache), Some(origin)) = (cache, origin) {
        match from_cache(cache, &origin.name(), guards) {
            Ok(None) => {}
            Ok(Some((base, validators))) => {
                let reason = failed.map(|error| error.to_string());
                let cached = base.version.revision.clone();
                return Ok(Start { base, validators, reason, cache_error, cached });
            }
            Err(error) => {
                log::warn!("{error}");
                cache_error = Some(error);
            }
        }
    }
    let reason = failed.as_ref().map(ToString::to_string).or_else(|| cache_error.clone());
    let with =
        |base| Ok(Start { base, validators: Validators::default(), reason, cache_error, cached: None });
    if let Some(json) = json {
        return with(read(json, HANDED_IN, Channel::HandedIn)?);
    }
    match (failed, origin) {
        (Some(error), _) if !or_bundled => Err(error),
        #[cfg(feature = "bundled")]
        _ => with(Base::new(catalog::bundled::catalog(), Version::bundled())),
        #[cfg(not(feature = "bundled"))]
        (_, Some(origin)) => Err(Error::NothingToStartWith { origin: origin.name() }),
        #[cfg(not(feature = "bundled"))]
        (_, None) => with(Base::empty()),
    }
}

fn read(bytes: Vec<u8>, origin: &str, channel: Channel) -> Result<Base, Error> {
    let version = Version::of(&bytes, origin, channel);
    Ok(Base::new(Arc::new(catalog::read(bytes, origin)?), version))
}

/// The map in the cache, as far as it may be believed: the guards look at it as at one that is fetched.
fn from_cache(cache: &Cache, origin: &str, guards: &Guards) -> Result<Option<(Base, Validators)>, String> {
    let Some(cached) = cache.read()? else { return Ok(None) };
    let passed_over = |reason: String| format!("the cache is passed over: {reason}");
    let base = read(cached.bytes, origin, Channel::Cache).map_err(|error| passed_over(error.to_string()))?;
    if base.catalog.len() == 0 {
        return Err(passed_over("it has no models".to_owned()));
    }
    guards.check_alone(origin, &base.catalog).map_err(|refusal| {
        let said = refusal.to_string();
        passed_over(said.strip_suffix(KEPT).unwrap_or(&said).to_owned())
    })?;
    Ok(Some((base, cached.validators)))
}

/// What is fetched where nothing else is named.
fn public_map() -> Option<Asked> {
    cfg!(feature = "http").then(|| Asked::Url(PUBLIC_MAP.to_owned()))
}

enum Named {
    Bundled,
    Url(String),
    Nothing,
}

/// `true` for the bundled map and no other.
const LOCAL: &str = "LITELLM_LOCAL_MODEL_COST_MAP";
/// Where the map is, else.
const URL: &str = "LITELLM_MODEL_COST_MAP_URL";

fn named_by_env() -> Result<Named, Error> {
    let set = |name: &str| match std::env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Error::InvalidSetting { setting: "env", reason: format!("{name} is not UTF-8") })
        }
    };
    if set(LOCAL)?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Named::Bundled);
    }
    Ok(set(URL)?.map_or(Named::Nothing, Named::Url))
}
