//! [`CostMapBuilder`]: builds a [`CostMap`] with settings.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use super::CostMap;
use super::env::{LOCAL, Named, URL, named_by_env};
use super::start::{Start, start};
use crate::cost::Adjustments;
use crate::error::Error;
use crate::history::History;
use crate::live::VersionedCatalog;
use crate::reload::cache::Cache;
use crate::reload::guard::Guards;
use crate::reload::{Guarded, Listener, ReloadReport, Results, Settings};
use crate::retired::RetiredModels;
use crate::snapshot::TrustedProviders;
#[cfg(feature = "http")]
use crate::source::HttpSource;
use crate::source::{Asked, PUBLIC_MAP, PointerSource, Source};

/// A builder of a [`CostMap`], with its settings.
///
/// A map has a *source* that it is reloaded from, and a map that it *starts* with. The source is
/// the first of these that applies:
///
/// 1. The source that is set here.
/// 2. With [`env`](Self::env), the source that the environment names, or none if the environment
///    asks for the bundled map.
/// 3. LiteLLM's public map, if the crate has the feature `http`. Without `env`, a map with
///    [`json`](Self::json) has no source instead.
///
/// The map starts with the source itself if that is a file that can be read. Otherwise it starts
/// with the first of these that exists: the map in the [`cache_dir`](Self::cache_dir),
/// [`json`](Self::json), the bundled map. The bundled map replaces a file that cannot be read only
/// with `or_bundled`.
///
/// Nothing is fetched over a network before [`CostMap::reload`] or [`CostMap::schedule_reload`] is
/// called, except by [`build_and_fetch`](Self::build_and_fetch).
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
/// A map for a gateway, which is ready at once, is reloaded every six hours, and keeps the last
/// good map:
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
///         Err(error) => eprintln!("prices are kept: {error:#}"),
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
    trusted: TrustedProviders,
    adjustments: Adjustments,
    kept_maps: Option<usize>,
    retired: RetiredModels,
    history: Option<History>,
}

impl CostMapBuilder {
    /// Sets JSON in LiteLLM's format to start with.
    ///
    /// If the map has no source, it is reloaded by [`CostMap::reload_from_bytes`] only. If it has
    /// one, it starts with the JSON unless the source is a file that can be read, or the cache has
    /// a map.
    pub fn json(self, json: impl Into<Vec<u8>>) -> Self {
        Self { json: Some(json.into()), ..self }
    }

    /// Reads the map from a file in LiteLLM's format, at the start and at each reload.
    ///
    /// While reloads are scheduled, the file is checked for changes every second, and read again as
    /// soon as it changes.
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Self { asked: Some(Asked::File(path.into())), ..self }
    }

    /// Reloads the map from an `https`, `http` or `file` URL. To set headers, certificates and
    /// timeouts, use [`http`](Self::http).
    pub fn url(self, url: impl Into<String>) -> Self {
        Self { asked: Some(Asked::Url(url.into())), ..self }
    }

    /// Reloads the map from a URL, with settings.
    #[cfg(feature = "http")]
    pub fn http(self, source: HttpSource) -> Self {
        Self { asked: Some(Asked::Http(source)), ..self }
    }

    /// Reloads the map from a custom source.
    pub fn source(self, source: impl Source) -> Self {
        Self { asked: Some(Asked::Custom(Arc::new(source))), ..self }
    }

    /// Reloads the map that a pointer names: a small document, so that all instances of a program
    /// price by one map.
    pub fn pointer(self, source: PointerSource) -> Self {
        Self { asked: Some(Asked::Pointer(Box::new(source))), ..self }
    }

    /// Reads the source from the environment, as LiteLLM does, if none is set here.
    ///
    /// If `LITELLM_LOCAL_MODEL_COST_MAP` is `true`, the map has no source, and starts with
    /// [`json`](Self::json) if that is set, or else with the bundled map. Otherwise
    /// `LITELLM_MODEL_COST_MAP_URL` is the URL of the source, or the path of a file. If neither is set,
    /// the source is the public map. The environment is read when the map is built.
    pub fn env(self) -> Self {
        Self { env: true, ..self }
    }

    /// Starts with the bundled map if the source is a file that cannot be read yet, or holds no
    /// map.
    ///
    /// [`SourceInfo::fallback_reason`](crate::reload::SourceInfo::fallback_reason) then has the
    /// reason. By default, [`build`](Self::build) returns the error, unless the cache or
    /// [`json`](Self::json) has a map.
    #[cfg(feature = "bundled")]
    pub fn or_bundled(self) -> Self {
        Self { or_bundled: true, ..self }
    }

    /// Keeps the last good map of the source in a folder, and starts with it if it passes the
    /// guards.
    ///
    /// The first reload fetches the whole map nevertheless. By default, nothing is kept.
    ///
    /// Processes of one user may share the folder: sources are told apart by their names and URLs.
    /// Sources that differ only in headers or in credentials of the URL are not told apart, since
    /// no secret is written: give them separate folders. On Unix, a cache file is ignored if it
    /// belongs to a user who is neither the process's nor root, or if users other than its owner
    /// may write to it.
    pub fn cache_dir(self, folder: impl Into<PathBuf>) -> Self {
        Self { cache_dir: Some(folder.into()), ..self }
    }

    /// Refuses a map with fewer models than this.
    ///
    /// The default is 50, or half the number of live models if that is less. A map without models
    /// is refused unless this is 0.
    pub fn min_models(mut self, models: usize) -> Self {
        self.guards.min_models = Some(models);
        self
    }

    /// Refuses a map whose number of models is less than this share of the live ones. The share is
    /// from 0 to 1, and 0.5 by default.
    pub fn max_shrink_ratio(mut self, ratio: f64) -> Self {
        self.guards.max_shrink_ratio = ratio;
        self
    }

    /// Refuses a map in which one of these models is missing or has no price.
    ///
    /// The names are looked up in the fetched map alone, without the operator's models. A model
    /// that has no entry of its own counts as missing, even if
    /// [`Snapshot::resolve`](crate::Snapshot::resolve) finds it. By default, no model is required.
    pub fn required_models<M: Into<String>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.guards.required = models.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses a map in which the prices of more than this share of models jump.
    ///
    /// A price jumps if it becomes more than ten times what it was, or less than a tenth, as when a
    /// price per million tokens stands in the place of a price per token. The share is of the
    /// models that both maps have, from 0 to 1. A map in which fewer than three models have such a
    /// price is not refused. The default is 0.05; in the history of the public map, the share was
    /// never more than 0.004.
    pub fn max_price_jump_ratio(mut self, ratio: f64) -> Self {
        self.guards.max_jump_ratio = ratio;
        self
    }

    /// Sets the providers that are trusted with the charges that they state, under LiteLLM's names.
    ///
    /// A charge that a trusted provider states in a [usage](crate::Usage::cost) is what the call
    /// costs. The charges of others are shown by [`Cost::stated`](crate::Cost::stated), and the
    /// call is priced by the map: some servers state credits, or amounts of their own. The default
    /// is `openrouter`, `perplexity` and `xai`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Lookup, Usage};
    ///
    /// let json = r#"{"m": {"input_cost_per_token": 1e-6}}"#;
    /// let usage: Usage = serde_json::from_str(r#"{"prompt_tokens": 1000, "cost": 0.25}"#).expect("a usage");
    /// let lookup = Lookup::new("m").provider("my_proxy");
    ///
    /// let map = CostMap::from_json(json)?;
    /// assert_eq!(map.cost("m", &usage)?.total().to_string(), "0.001");
    /// let map = CostMap::builder().json(json).trust_stated_costs(["my_proxy"]).build()?;
    /// assert_eq!(map.cost(lookup, &usage)?.total().to_string(), "0.25");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn trust_stated_costs<P: Into<String>>(mut self, providers: impl IntoIterator<Item = P>) -> Self {
        self.trusted.set(providers.into_iter().map(Into::into));
        self
    }

    /// Sets discounts and margins, which apply to every call. They survive every reload. Default: none.
    pub fn adjustments(mut self, adjustments: Adjustments) -> Self {
        self.adjustments = adjustments;
        self
    }

    /// Keeps this many of the maps that were replaced last, for [`CostMap::rollback`]. Each takes the memory
    /// of a map: 4.5 MiB for the public one. Default: 1.
    pub fn kept_maps(mut self, maps: usize) -> Self {
        self.kept_maps = Some(maps);
        self
    }

    /// Keeps or forgets the models that a newer map no longer has. Default:
    /// [`RetiredModels::Forget`], as LiteLLM does.
    ///
    /// A model that is kept answers to its names with its last prices, for as long as the program runs, and
    /// with a [`history`](Self::history) in a file after a restart. Live entries take precedence, those that
    /// are registered and those that [stand in](crate::lookup::Match::StandIn) for others included. A
    /// cost by such prices has [`Note::Retired`](crate::cost::Note::Retired),
    /// [`FoundBy::retired`](crate::lookup::FoundBy::retired) is set, and
    /// [`Resolved::retirement`](crate::Resolved::retirement) is the last map that had the model. Reports and
    /// guards count the model as removed.
    ///
    /// With the feature `retired`, the models that earlier releases of LiteLLM had are kept from the start,
    /// whatever the map.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::cost::Note;
    /// use llm_costmap::{CostMap, RetiredModels, Usage};
    ///
    /// let map = CostMap::builder()
    ///     .json(r#"{"old": {"input_cost_per_token": 1e-6}, "new": {"input_cost_per_token": 2e-6}}"#)
    ///     .retired(RetiredModels::Keep)
    ///     .build()?;
    /// map.reload_from_bytes(r#"{"new": {"input_cost_per_token": 2e-6}}"#)?;
    /// let cost = map.cost("old", &Usage::new(1_000_000, 0))?;
    /// assert_eq!(cost.total().to_string(), "1");
    /// assert_eq!(cost.notes().collect::<Vec<_>>(), [Note::Retired]);
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn retired(self, retired: RetiredModels) -> Self {
        Self { retired, ..self }
    }

    /// Records each map that goes live in a history, from the instant at which it does, so that
    /// [`CostMap::at`] has the prices of any instant. Default: none.
    ///
    /// The map that the program starts with is recorded as well, unless it stands in for a source that was not
    /// fetched yet and the history has a map already: until the first reload, [`CostMap::at`] then has the
    /// last recorded one. With a history in a [file](History::open), rows are written after each reload; if
    /// that fails, [`ReloadReport::history_error`] says why, and they are written after the next. A program
    /// that was killed before it wrote records the map when it reloads the next time. A history belongs to one
    /// map: two would record their maps by turns.
    pub fn history(self, history: History) -> Self {
        Self { history: Some(history), ..self }
    }

    /// Calls `listener` after each reload that replaced the map, and after each that failed.
    ///
    /// This is the same as [`CostMap::on_reload`], but the listener is in place before the first
    /// reload.
    pub fn on_reload(
        mut self,
        listener: impl Fn(&Result<ReloadReport, Error>) + Send + Sync + 'static,
    ) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Builds the map. The only I/O is to read the cache and the file that is the source. No thread
    /// is started.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidSetting`] if a setting is not valid.
    /// - [`Error::Io`] or [`Error::InvalidMap`] if the file or the JSON holds no map, and there is
    ///   nothing else to start with.
    /// - [`Error::NothingToStartWith`] if the map has a source that was not fetched yet, and
    ///   nothing to start with.
    pub fn build(self) -> Result<CostMap, Error> {
        match self.prepare()? {
            Prepared { start: Ok(start), rest } => Ok(rest.finish(start)),
            Prepared { start: Err(error), .. } => Err(error),
        }
    }

    /// Builds the map and fetches it from its source, waiting until the deadline at most, rather
    /// than starting with older prices.
    ///
    /// If the fetch fails, or is not done before the deadline, the map starts as it does with
    /// [`build`](Self::build), and
    /// [`SourceInfo::fallback_reason`](crate::reload::SourceInfo::fallback_reason) has the reason.
    /// A fetch that is late is swapped in when it is done.
    ///
    /// # Errors
    ///
    /// - The errors of [`build`](Self::build), except [`Error::NothingToStartWith`].
    /// - The error of the fetch, if there is nothing else to start with.
    /// - [`Error::NoSource`] if there is no source to fetch from, unless the environment asks for the
    ///   bundled map alone.
    /// - [`Error::Thread`] if the system does not start the thread that fetches.
    pub fn build_and_fetch(self, deadline: Duration) -> Result<CostMap, Error> {
        let Prepared { start, rest } = self.prepare()?;
        // The fetch can replace a missing start. Other errors are returned, as by `build`.
        let start = match start {
            Err(Error::NothingToStartWith { .. }) | Ok(_) => start,
            Err(error) => return Err(error),
        };
        let Some(origin) = rest.settings.origin.as_ref().map(|origin| origin.name()) else {
            return if rest.settings.is_env_forced {
                start.map(|start| rest.finish(start))
            } else {
                Err(Error::NoSource)
            };
        };
        let has_start = start.is_ok();
        let map = rest.finish(start.unwrap_or_else(|_| Start::new(VersionedCatalog::empty())));
        let reloader = map.reloader().clone();
        let (done, result) = mpsc::channel();
        let fetch = move || {
            // After the deadline nobody receives the result.
            let _ = done.send(reloader.reload(Guarded::Yes));
        };
        let spawned = thread::Builder::new().name("llm-costmap-fetch".to_owned()).spawn(fetch);
        spawned.map_err(|source| Error::Thread { source: Arc::new(source) })?;
        let fetched = result.recv_timeout(deadline).unwrap_or_else(|_| {
            let reason = format!("not done within {deadline:?}");
            Err(Error::Fetch { origin: origin.clone(), reason })
        });
        let fetched = fetched.and_then(|report| match report.pending {
            Some(pending) if !map.reloader().has_map_of_source() => {
                let reason = format!("{pending}, and the pointer names no map before it");
                Err(Error::Pointer { origin, reason })
            }
            _ => Ok(()),
        });
        match fetched {
            Err(error) if !has_start => Err(error),
            Err(error) => {
                // `note_start` does nothing if the map arrived after the deadline was noticed.
                map.reloader().note_start(&error);
                Ok(map)
            }
            Ok(()) => Ok(map),
        }
    }

    fn prepare(self) -> Result<Prepared, Error> {
        self.guards.check_settings()?;
        let (mut is_env_forced, mut is_env_named) = (false, false);
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
                Named::Source(asked) => {
                    is_env_named = true;
                    Some(asked)
                }
                Named::Nothing => public_map(),
            },
            None if self.json.is_some() => None,
            None => public_map(),
        };
        // An error of a source that the environment names, names the variable.
        let named = |error: Error| match error {
            Error::InvalidSetting { setting: "url", reason } if is_env_named => {
                Error::InvalidSetting { setting: URL, reason }
            }
            Error::Io { .. } if is_env_named => {
                Error::InvalidSetting { setting: URL, reason: format!("{error:#}") }
            }
            error => error,
        };
        let origin = asked.map(Asked::prepare).transpose().map_err(named)?;
        let cache = match (&origin, self.cache_dir) {
            (Some(origin), Some(folder)) => Some(Cache::new(folder, &origin.identity())),
            _ => None,
        };
        let start = start(origin.as_deref(), cache.as_ref(), &self.guards, self.json, self.or_bundled);
        let adjustments = Some(self.adjustments).filter(|adjustments| !adjustments.is_empty()).map(Arc::new);
        let settings = Settings {
            origin,
            guards: self.guards,
            cache,
            is_env_forced,
            trusted: self.trusted,
            adjustments,
            kept_maps: self.kept_maps,
            retired: self.retired,
            history: self.history,
        };
        Ok(Prepared { start: start.map_err(named), rest: Rest { settings, listeners: self.listeners } })
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
        let results = Results::of_start(start.validators, start.reason, start.cache_error, start.cached);
        CostMap::with(start.base, self.settings, results, self.listeners)
    }
}

/// Returns the source to use if none is named.
fn public_map() -> Option<Asked> {
    cfg!(feature = "http").then(|| Asked::Url(PUBLIC_MAP.to_owned()))
}
