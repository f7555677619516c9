//! Sources of maps: files, URLs and custom sources, and [pointers](PointerSource) to maps.
//!
//! Whatever the source, a map may be packed with gzip (feature `gzip`) or Zstandard (feature `zstd`): its
//! first bytes tell. It unpacks to at most 64 MiB, and its revision is that of the text.

#[cfg(feature = "http")]
mod address;
#[cfg(feature = "http")]
mod client;
mod file;
#[cfg(feature = "http")]
mod http;
mod pointer;
#[cfg(feature = "http")]
mod proxy;
#[cfg(feature = "http")]
mod retry;
mod stop;
#[cfg(feature = "http")]
mod veil;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "http")]
use client::Client;
pub(crate) use file::FileSource;
use file::path_of_url;
#[cfg(feature = "http")]
pub use http::HttpSource;
pub use pointer::{Pointer, PointerSource, PublishedMap};
pub(crate) use stop::Stop;

use crate::error::Error;
use crate::packed::MAX_BYTES;
use crate::panics;
use crate::redact;
use crate::version::MapBytes;

/// The URL of LiteLLM's public map, the source if no other is named.
pub(crate) const PUBLIC_MAP: &str =
    "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json";

/// A custom source of a map, such as a bucket or a key-value store.
///
/// [`CostMapBuilder::source`](crate::CostMapBuilder::source) takes one. Files and URLs need no
/// implementation: see [`CostMapBuilder::file`](crate::CostMapBuilder::file) and
/// [`CostMapBuilder::url`](crate::CostMapBuilder::url).
///
/// A fetch may block, and may be called from any thread. One map never runs two fetches at the same
/// time, and no lock is held during a fetch. The fetched bytes are parsed and checked like any
/// other map, so that a source need not look at them. A fetch that panics is a failed reload.
///
/// A fetch must not wait for a reload of the same map, since that reload waits for this fetch. A
/// reload on the thread of the fetch returns [`Error::NestedReload`]. A fetch that joins another
/// thread which reloads the map never returns.
///
/// # Examples
///
/// A store that knows a version of each value:
///
/// ```
/// use std::collections::HashMap;
/// use std::error::Error;
/// use std::sync::{Arc, Mutex};
///
/// use llm_costmap::source::{Fetched, Validators};
/// use llm_costmap::{CostMap, Source};
///
/// #[derive(Default)]
/// struct Store(Mutex<HashMap<String, (u64, Vec<u8>)>>);
///
/// struct FromStore {
///     store: Arc<Store>,
///     key: String,
/// }
///
/// impl Source for FromStore {
///     fn name(&self) -> String {
///         format!("store://{}", self.key)
///     }
///
///     fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn Error + Send + Sync>> {
///         let store = self.store.0.lock().map_err(|_| "the store is broken")?;
///         let (version, bytes) = store.get(&self.key).ok_or("no such key")?;
///         let version = version.to_string();
///         if previous.etag() == Some(version.as_str()) {
///             return Ok(Fetched::unchanged());
///         }
///         Ok(Fetched::new(bytes.clone()).validators(Validators::default().with_etag(version)))
///     }
/// }
///
/// let store = Arc::new(Store::default());
/// let put = |version, map: &str| {
///     store.0.lock().unwrap().insert("prices".to_owned(), (version, map.as_bytes().to_vec()));
/// };
/// let source = FromStore { store: store.clone(), key: "prices".to_owned() };
/// let map = CostMap::builder().source(source).json("{}").build()?;
///
/// put(1, r#"{"m": {"input_cost_per_token": 1e-6}}"#);
/// assert_eq!(map.reload()?.models_count, 1);
/// assert!(map.reload()?.is_unchanged());
/// assert_eq!(map.source_info().etag.as_deref(), Some("1"));
/// # Ok::<(), llm_costmap::Error>(())
/// ```
pub trait Source: Send + Sync + 'static {
    /// Returns the name of the source in errors, logs and
    /// [`SourceInfo`](crate::reload::SourceInfo): an address without credentials.
    ///
    /// The name also tells the caches of different sources apart. This method is called once, when
    /// a map is built.
    fn name(&self) -> String;

    /// Fetches the map, or reports that it is unchanged.
    ///
    /// `previous` has the validators of the live map, if that was fetched from this source.
    /// Otherwise, and in a forced reload, they are [empty](Validators::is_empty).
    ///
    /// # Errors
    ///
    /// Returns any error, with a message for people. The map in use is kept.
    fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>>;
}

/// The validators of a map, which tell its versions apart: those of HTTP, or values that a source
/// defines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Validators {
    /// Sets the entity tag, exactly as it was received, quotes included.
    #[must_use]
    pub fn with_etag(self, etag: impl Into<String>) -> Self {
        Self { etag: Some(etag.into()), ..self }
    }

    /// Sets the time of the last change, exactly as it was received.
    #[must_use]
    pub fn with_last_modified(self, last_modified: impl Into<String>) -> Self {
        Self { last_modified: Some(last_modified.into()), ..self }
    }

    /// Returns the entity tag.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Returns the time of the last change.
    #[must_use]
    pub fn last_modified(&self) -> Option<&str> {
        self.last_modified.as_deref()
    }

    /// Returns these validators, with those that are not set taken from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { etag: self.etag.or(other.etag), last_modified: self.last_modified.or(other.last_modified) }
    }

    /// Returns whether no validator is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// The result of a fetch from a [`Source`].
#[derive(Debug)]
pub struct Fetched {
    pub(crate) content: Content,
    pub(crate) validators: Validators,
    /// A map that goes live later.
    pub(crate) upcoming: Option<Upcoming>,
}

/// The map that is in force, as a fetch found it.
#[derive(Debug)]
pub(crate) enum Content {
    Map(MapBytes),
    /// The one that has the validators which the fetch was given.
    Unchanged,
    /// The one with this revision, which is that of the live map.
    Live(String),
    /// The source only names one that goes live later.
    Unnamed,
    /// The source names one that could not be fetched, beside one that goes live later.
    Failed(Error),
}

/// A map that is fetched before it goes live.
#[derive(Debug)]
pub(crate) struct Upcoming {
    pub(crate) revision: String,
    pub(crate) at: SystemTime,
    /// `None` if it is the one that waits already.
    pub(crate) map: Option<Result<MapBytes, Error>>,
}

/// The live map, as a fetch is told of it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Its validators, if it was fetched from this source.
    pub(crate) validators: Validators,
    /// Its revision, unless that has to be fetched again.
    pub(crate) revision: Option<String>,
    /// The revision of the map that waits for its time.
    pub(crate) pending: Option<String>,
}

/// The place of bytes that a pointer names.
pub(crate) enum Place {
    File(PathBuf),
    #[cfg(feature = "http")]
    Web(Box<Client>),
}

impl Fetched {
    /// Creates the result of a fetch that returned a map, as JSON in LiteLLM's format.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self::of(Content::Map(MapBytes::from(bytes.into())))
    }

    /// Creates the result of a fetch that found the map unchanged: it is still the one that has the
    /// validators which the fetch was given.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::of(Content::Unchanged)
    }

    fn of(content: Content) -> Self {
        Self { content, validators: Validators::default(), upcoming: None }
    }

    /// Sets the validators that the next fetch is given. If the map is
    /// [unchanged](Self::unchanged), validators that are not set here stay as they were.
    #[must_use]
    pub fn validators(self, validators: Validators) -> Self {
        Self { validators, ..self }
    }
}

/// A source that was checked and is ready to fetch from.
pub(crate) trait Origin: Send + Sync {
    /// Returns the name of the source, without credentials.
    fn name(&self) -> String;

    /// Returns the text that tells the source from others, without credentials.
    fn identity(&self) -> String;

    /// Returns the URL of the source, without credentials, if it has one.
    fn url(&self) -> Option<String>;

    /// Returns the source as a file, if it is one that is a map.
    fn as_file(&self) -> Option<&FileSource> {
        None
    }

    /// Returns the file whose changes call for a fetch, if there is one.
    fn watched(&self) -> Option<&FileSource> {
        self.as_file()
    }

    /// Returns the place that a URL in a document of this source stands for.
    ///
    /// # Errors
    ///
    /// Returns a message if the URL cannot be used in such a document.
    fn locate(&self, url: &str) -> Result<Place, String> {
        locate_on_web(url)
    }

    /// Returns the shortest interval at which the source may be fetched from on a schedule.
    fn shortest_interval(&self) -> Duration {
        Duration::ZERO
    }

    /// Fetches the map. `stop` ends every wait between attempts.
    fn fetch(&self, known: &Known, stop: &Stop) -> Result<Fetched, Error>;

    /// Forgets what was fetched last, so that it counts as changed.
    fn forget(&self) {}

    /// Cancels the fetch in flight and fails all later ones, if the source supports that.
    fn shut_down(&self) {}
}

/// A custom source and its name. The name is asked for once, with panics caught, since the
/// implementation is not trusted.
struct Custom {
    source: Arc<dyn Source>,
    name: String,
}

impl Custom {
    fn new(source: Arc<dyn Source>) -> Result<Self, Error> {
        let name = panics::catch(|| source.name()).map_err(|said| Error::InvalidSetting {
            setting: "source",
            reason: format!("its name panicked: {said}"),
        })?;
        Ok(Self { source, name: redact::shown(&name) })
    }
}

impl Origin for Custom {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn identity(&self) -> String {
        self.name.clone()
    }

    fn url(&self) -> Option<String> {
        Some(self.name.clone()).filter(|name| name.contains("://"))
    }

    fn fetch(&self, known: &Known, _: &Stop) -> Result<Fetched, Error> {
        self.source.fetch(&known.validators).map_err(|error| {
            let reason = redact::shown(&error.to_string());
            Error::Fetch { origin: self.name.clone(), reason }
        })
    }
}

/// A source as it was given to the builder.
pub(crate) enum Asked {
    File(PathBuf),
    Url(String),
    #[cfg(feature = "http")]
    Http(HttpSource),
    Custom(Arc<dyn Source>),
    Pointer(Box<PointerSource>),
}

/// Returns the place of an absolute URL, such as one in a document that has no address of its own.
fn locate_on_web(url: &str) -> Result<Place, String> {
    #[cfg(feature = "http")]
    return match Client::new(HttpSource::new(url)) {
        Ok(client) => Ok(Place::Web(Box::new(client))),
        Err(Error::InvalidSetting { reason, .. }) => Err(format!("its url cannot be fetched: {reason}")),
        Err(error) => Err(format!("its url cannot be fetched: {error:#}")),
    };
    #[cfg(not(feature = "http"))]
    {
        // The URL is not shown: text that is not a URL may be a password.
        let _ = url;
        Err("its url takes the feature http, which this program was built without".to_owned())
    }
}

impl Asked {
    /// Prepares the source for fetches. Reads no file and opens no connection.
    pub(crate) fn prepare(self) -> Result<Box<dyn Origin>, Error> {
        match self {
            Self::File(path) => Ok(Box::new(FileSource::new(path))),
            Self::Url(url) => match path_of_url(&url)? {
                Some(path) => Ok(Box::new(FileSource::new(path))),
                #[cfg(feature = "http")]
                None => Ok(Box::new(Client::new(HttpSource::new(url))?)),
                #[cfg(not(feature = "http"))]
                None => Err(Error::InvalidSetting {
                    setting: "url",
                    // The URL is not shown: text that is not a URL may be a password.
                    reason: "it takes the feature http, which this program was built without".to_owned(),
                }),
            },
            #[cfg(feature = "http")]
            Self::Http(source) => Ok(Box::new(Client::new(source)?)),
            Self::Custom(source) => Ok(Box::new(Custom::new(source)?)),
            Self::Pointer(source) => source.prepare(),
        }
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Url(_) => f.write_str("a URL"),
            #[cfg(feature = "http")]
            Self::Http(source) => source.fmt(f),
            Self::Custom(_) => f.write_str("a custom source"),
            Self::Pointer(source) => source.fmt(f),
        }
    }
}
