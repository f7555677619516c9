//! Pointers: small documents that name the map in force, and where its bytes are.

mod document;
#[cfg(feature = "signatures")]
mod keys;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
#[cfg(feature = "http")]
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

#[cfg(feature = "http")]
use super::client::Client;
use super::file::{self, FileSource};
#[cfg(feature = "http")]
use super::http::HttpSource;
use super::{Asked, Content, Fetched, Known, Origin, Place, Source, Stop, Upcoming, Validators};
use crate::error::Error;
use crate::packed::is_packed;
use crate::panics;
use crate::redact;
#[cfg(feature = "http")]
use crate::sync::lock;
use crate::version::MapBytes;
pub use document::{Pointer, PublishedMap};
#[cfg(feature = "signatures")]
use keys::Keys;

/// A function of the caller that fetches the bytes at a URL.
type FetchMap = dyn Fn(&str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> + Send + Sync;

/// A source that a [`Pointer`] is read from, which names the map.
///
/// Instances that each fetch a map by themselves hold different ones for as long as an interval. Behind a
/// pointer, all hold the one that it names: each reads the small document, fetches the bytes at its URL,
/// checks their SHA-256 and their revision, and swaps the map in. If the pointer has a time `not_before`, the
/// map is fetched, checked and parsed ahead, and goes live in all instances at that time, by the clock of
/// each. (Without a time, each swaps when it sees the document.) Until then,
/// [`ScheduleStatus::pending`](crate::reload::ScheduleStatus::pending) shows it, and instances that start use
/// the map that `previous` names. To go back to an earlier map, write a pointer to it.
///
/// A pointer whose document, hash, revision or signature is wrong is a failed reload, with
/// [`Error::Pointer`]: the map in use stays. A map that waits for its time stays as well, unless a document
/// that is right names another. If the map is [held](crate::CostMap::hold) when the time of another comes,
/// that one does not go live; the first reload after the release brings it.
///
/// Unlike a [file](crate::CostMapBuilder::file) that is a map, a file that is a pointer is not read by
/// [`CostMapBuilder::build`](crate::CostMapBuilder::build), but by
/// [`build_and_fetch`](crate::CostMapBuilder::build_and_fetch) and by reloads. While reloads are scheduled, a
/// change to it is seen within a second.
///
/// # URLs
///
/// A document at a URL may name its map by a relative URL. The headers and credentials of the source are sent
/// to the origin of the document only. A document in a file may name its map by a path relative to that file,
/// by a `file` URL, or by an `http` or `https` URL; one from another source by an `http` or `https` URL, or
/// with [`fetch_maps_with`](Self::fetch_maps_with) by anything that this function knows.
///
/// # Signatures
///
/// A hash protects against damage, and a signature against a forged document. An old pointer stays validly
/// signed: whoever can write the document can go back to it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use llm_costmap::source::{Pointer, PointerSource};
/// use llm_costmap::{CostMap, Usage};
///
/// let folder = tempfile::tempdir()?;
/// let prices = r#"{"m": {"input_cost_per_token": 1e-6}}"#;
/// std::fs::write(folder.path().join("prices.json"), prices)?;
/// let pointer = folder.path().join("current.json");
/// std::fs::write(&pointer, Pointer::to(prices, "prices.json")?.to_string())?;
///
/// let map = CostMap::builder()
///     .pointer(PointerSource::file(&pointer))
///     .json("{}")
///     .build_and_fetch(Duration::from_secs(10))?;
/// assert_eq!(map.total("m", &Usage::new(1_000_000, 0))?.to_string(), "1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a source does nothing until a map is built with it"]
pub struct PointerSource {
    document: Asked,
    #[cfg(feature = "signatures")]
    keys: Vec<String>,
    fetch_map: Option<Arc<FetchMap>>,
}

impl PointerSource {
    fn new(document: Asked) -> Self {
        Self {
            document,
            #[cfg(feature = "signatures")]
            keys: Vec::new(),
            fetch_map: None,
        }
    }

    /// Creates a source with the document in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Asked::File(path.into()))
    }

    /// Creates a source with the document at an `https`, `http` or `file` URL.
    pub fn url(url: impl Into<String>) -> Self {
        Self::new(Asked::Url(url.into()))
    }

    /// Creates a source with the document at a URL, with settings. They apply to the map as well.
    #[cfg(feature = "http")]
    pub fn http(source: HttpSource) -> Self {
        Self::new(Asked::Http(source))
    }

    /// Creates a source with the document in a custom source, such as a key of a store.
    pub fn source(source: impl Source) -> Self {
        Self::new(Asked::Custom(Arc::new(source)))
    }

    /// Trusts pointers that are signed with an Ed25519 key. Once a key is trusted, a pointer without a
    /// signature of one that is trusted is refused. Default: none, so that signatures are not checked.
    ///
    /// The key is public: its PEM, as `openssl pkey -pubout` prints it, or its 32 bytes in Base64. To replace
    /// a key, trust the old and the new one for a while.
    #[cfg(feature = "signatures")]
    pub fn trust_key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// Fetches maps with a function of the program instead: it is handed the URL as the pointer has it, and
    /// returns the bytes. It may block. Default: over HTTP or from files, as described above.
    pub fn fetch_maps_with(
        self,
        fetch: impl Fn(&str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        Self { fetch_map: Some(Arc::new(fetch)), ..self }
    }

    /// Checks the settings. Reads no file and opens no connection.
    pub(super) fn prepare(self) -> Result<Box<dyn Origin>, Error> {
        Ok(Box::new(PointerOrigin {
            #[cfg(feature = "signatures")]
            keys: Keys::read(&self.keys)?,
            document: self.document.prepare()?,
            fetch_map: self.fetch_map,
            #[cfg(feature = "http")]
            in_flight: Mutex::default(),
        }))
    }
}

impl fmt::Debug for PointerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointerSource").field("document", &self.document).finish_non_exhaustive()
    }
}

/// A source of pointers that is ready to fetch from.
struct PointerOrigin {
    document: Box<dyn Origin>,
    #[cfg(feature = "signatures")]
    keys: Keys,
    fetch_map: Option<Arc<FetchMap>>,
    /// The client that fetches a map now.
    #[cfg(feature = "http")]
    in_flight: Mutex<Option<Arc<Client>>>,
}

/// The beginning of the entity tag of a document whose source gives it none.
const OWN_TAG: &str = "pointer:";

impl PointerOrigin {
    fn refused(&self, reason: &str) -> Error {
        Error::Pointer { origin: self.document.name(), reason: redact::shown(reason) }
    }

    /// Returns the pointer in a document.
    fn read(&self, document: &MapBytes) -> Result<Pointer, Error> {
        if let Some(damage) = &document.damage {
            return Err(self.refused(damage));
        }
        let pointer = Pointer::read(&document.bytes).map_err(|reason| self.refused(&reason))?;
        #[cfg(feature = "signatures")]
        self.keys.check(&pointer).map_err(|reason| self.refused(&reason))?;
        Ok(pointer)
    }

    /// Fetches a map, and checks that it is the one that the pointer names.
    fn fetch_map(&self, map: &PublishedMap, stop: &Stop) -> Result<MapBytes, Error> {
        let bytes = self.fetch_bytes(&map.url, stop)?;
        let wrong = |reason: String| self.refused(&format!("the bytes of {}: {reason}", map.url));
        map.check(&bytes).map_err(|reason| {
            // What was hashed is the file, and a Content-Encoding is removed on the way.
            let has_ending = std::path::Path::new(&map.url).extension().is_some_and(|ending| ending == "gz");
            let is_unpacked = has_ending && !is_packed(&bytes);
            let hint =
                if is_unpacked { "; they were unpacked on the way: send no Content-Encoding" } else { "" };
            wrong(reason + hint)
        })?;
        let unpacked = MapBytes::from(bytes);
        if let Some(damage) = unpacked.damage {
            return Err(wrong(damage));
        }
        if unpacked.revision != map.revision {
            return Err(wrong(format!("their revision is {}, and not {}", unpacked.revision, map.revision)));
        }
        Ok(unpacked)
    }

    /// Fetches the bytes at a URL of the document.
    #[cfg_attr(not(feature = "http"), allow(unused_variables))]
    fn fetch_bytes(&self, url: &str, stop: &Stop) -> Result<Vec<u8>, Error> {
        if let Some(fetch) = &self.fetch_map {
            // The caller's code: what it says may have credentials.
            let fetched = panics::catch(|| fetch(url).map_err(|error| error.to_string()));
            let fetched = fetched.unwrap_or_else(|said| Err(format!("it panicked: {said}")));
            return fetched.map_err(|reason| Error::Fetch {
                origin: redact::shown(url),
                reason: redact::shown(&reason),
            });
        }
        match self.document.locate(url).map_err(|reason| self.refused(&reason))? {
            Place::File(path) => file::read(&path),
            #[cfg(feature = "http")]
            Place::Web(client) => {
                let client = Arc::new(*client);
                *lock(&self.in_flight) = Some(client.clone());
                // Whoever shuts this source down after here, cuts the fetch.
                let fetched = if stop.is_pulled() {
                    Err(client.dropped())
                } else {
                    client.get(&Validators::default(), stop)
                };
                *lock(&self.in_flight) = None;
                Ok(fetched?.0.unwrap_or_default())
            }
        }
    }
}

impl Origin for PointerOrigin {
    fn name(&self) -> String {
        self.document.name()
    }

    fn identity(&self) -> String {
        format!("pointer {}", self.document.identity())
    }

    fn url(&self) -> Option<String> {
        self.document.url()
    }

    fn watched(&self) -> Option<&FileSource> {
        self.document.watched()
    }

    fn shortest_interval(&self) -> Duration {
        self.document.shortest_interval()
    }

    fn fetch(&self, known: &Known, stop: &Stop) -> Result<Fetched, Error> {
        let is_own = known.validators.etag().is_some_and(|etag| etag.starts_with(OWN_TAG));
        let validators = if is_own { Validators::default() } else { known.validators.clone() };
        let answer = self.document.fetch(&Known { validators, ..Known::default() }, stop)?;
        let Content::Map(document) = answer.content else { return Ok(answer) };
        let pointer = self.read(&document)?;
        let validators = if answer.validators.is_empty() {
            let hash = Sha256::digest(&document.bytes);
            let validators = Validators::default().with_etag(format!("{OWN_TAG}{hash:x}"));
            if validators == known.validators {
                return Ok(Fetched::unchanged().validators(validators));
            }
            validators
        } else {
            answer.validators
        };
        let of = |map: &PublishedMap| {
            if known.revision.as_ref() == Some(&map.revision) {
                Ok(Content::Live(map.revision.clone()))
            } else {
                self.fetch_map(map, stop).map(Content::Map)
            }
        };
        let Some(at) = pointer.not_before.filter(|at| *at > SystemTime::now()) else {
            // Whatever becomes of it, no other map is named any more.
            let content = of(&pointer.map).unwrap_or_else(Content::Failed);
            return Ok(Fetched { content, validators, upcoming: None });
        };
        let waits = known.pending.as_ref() == Some(&pointer.map.revision);
        let map = if waits { None } else { Some(self.fetch_map(&pointer.map, stop)) };
        let content =
            pointer.previous.as_ref().map_or(Ok(Content::Unnamed), of).unwrap_or_else(Content::Failed);
        let upcoming = Some(Upcoming { revision: pointer.map.revision, at, map });
        Ok(Fetched { content, validators, upcoming })
    }

    fn forget(&self) {
        self.document.forget();
    }

    fn shut_down(&self) {
        self.document.shut_down();
        #[cfg(feature = "http")]
        if let Some(client) = &*lock(&self.in_flight) {
            client.shut_down();
        }
    }
}
