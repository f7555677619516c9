//! Where the bytes of a map come from. The only room with I/O, but for the cache.

#[cfg(feature = "http")]
mod address;
#[cfg(feature = "http")]
mod client;
mod file;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod proxy;
mod stop;
#[cfg(feature = "http")]
mod veil;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "http")]
use client::Client;
pub(crate) use file::FileSource;
use file::path_of_url;
#[cfg(feature = "http")]
pub use http::HttpSource;
pub(crate) use stop::Stop;

use crate::error::Error;
use crate::panics;
use crate::redact;

/// The most bytes of a map, decoded, unless a source is told otherwise.
pub(crate) const MAX_BYTES: u64 = 64 << 20;

/// The public map: what is fetched where nothing else is named.
pub(crate) const PUBLIC_MAP: &str =
    "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json";

/// Where a map is fetched from: a bucket, a key-value store, a client of one's own.
///
/// [`CostMapBuilder::source`](crate::CostMapBuilder::source) takes one. Files and URLs need none: see
/// [`CostMapBuilder::file`](crate::CostMapBuilder::file) and [`CostMapBuilder::url`](crate::CostMapBuilder::url).
///
/// A fetch may block, and may be called from any thread, but never twice at a time by one map. It runs outside of every lock. What it
/// returns is parsed and checked like any other map, so that it need not look at the bytes. A fetch that panics is a failed reload.
///
/// A fetch must not wait for a reload of the same map, on whatever thread: that reload waits for this fetch. On its own thread it is
/// given [`Error::NestedReload`]; a thread of its own that it joins would wait for ever.
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
/// use llm_costmap::{CostMap, Fetched, Source, Validators};
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
    /// What it is called in errors, logs and [`SourceInfo`](crate::SourceInfo): an address without credentials. Caches are told apart
    /// by it. It is asked for once, when a map is built.
    fn name(&self) -> String;

    /// Fetches the map, or says that it is the one that had these validators. They are those of the last map that was taken over
    /// from here, and [empty](Validators::is_empty) if there was none.
    ///
    /// # Errors
    ///
    /// Whatever went wrong, in words for people: the map in use is kept.
    fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>>;
}

/// What tells one version of a map from another: HTTP's, or words of a source's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Validators {
    /// With an entity tag, as it was sent: quotes and all.
    #[must_use]
    pub fn with_etag(self, etag: impl Into<String>) -> Self {
        Self { etag: Some(etag.into()), ..self }
    }

    /// With the time of the last change, as it was sent.
    #[must_use]
    pub fn with_last_modified(self, last_modified: impl Into<String>) -> Self {
        Self { last_modified: Some(last_modified.into()), ..self }
    }

    /// The entity tag.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The time of the last change.
    #[must_use]
    pub fn last_modified(&self) -> Option<&str> {
        self.last_modified.as_deref()
    }

    /// These, and what they leave out from others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { etag: self.etag.or(other.etag), last_modified: self.last_modified.or(other.last_modified) }
    }

    /// Whether there is nothing to tell versions by.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What a [`Source`] fetched.
#[derive(Debug)]
pub struct Fetched {
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) validators: Validators,
}

impl Fetched {
    /// A map, as JSON in LiteLLM's format.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: Some(bytes.into()), validators: Validators::default() }
    }

    /// The map that had the validators is still the one.
    #[must_use]
    pub fn unchanged() -> Self {
        Self { bytes: None, validators: Validators::default() }
    }

    /// With what the next fetch is given to tell versions by. Of an unchanged map they stay as they were where none are set.
    #[must_use]
    pub fn validators(self, validators: Validators) -> Self {
        Self { validators, ..self }
    }
}

/// Where a map is reloaded from, ready to be asked.
pub(crate) trait Origin: Send + Sync {
    /// What it is called, without credentials.
    fn name(&self) -> String;

    /// What tells it from others, without credentials.
    fn identity(&self) -> String;

    /// The URL, without credentials, where it is one.
    fn url(&self) -> Option<String>;

    /// The file, where it is one.
    fn as_file(&self) -> Option<&FileSource> {
        None
    }

    /// Fetches the map. `stop` ends every wait of it.
    fn fetch(&self, previous: &Validators, stop: &Stop) -> Result<Fetched, Error>;

    /// Cuts a fetch in flight, for good, where that can be done.
    fn shut_down(&self) {}
}

/// A source of an embedder's own. Its name is asked for once, since that is not ours to trust either.
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

    fn fetch(&self, previous: &Validators, _: &Stop) -> Result<Fetched, Error> {
        self.source.fetch(previous).map_err(|error| {
            let reason = redact::shown(&error.to_string());
            Error::Fetch { origin: self.name.clone(), reason }
        })
    }
}

/// A source as a builder is given it.
pub(crate) enum Asked {
    File(PathBuf),
    Url(String),
    #[cfg(feature = "http")]
    Http(HttpSource),
    Custom(Arc<dyn Source>),
}

impl Asked {
    /// The source, ready to fetch from. It reads no file and opens no connection.
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
                    // It is not shown: what is no URL may be a password.
                    reason: "it takes the feature http, which this program was built without".to_owned(),
                }),
            },
            #[cfg(feature = "http")]
            Self::Http(source) => Ok(Box::new(Client::new(source)?)),
            Self::Custom(source) => Ok(Box::new(Custom::new(source)?)),
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
            Self::Custom(_) => f.write_str("a source of one's own"),
        }
    }
}
