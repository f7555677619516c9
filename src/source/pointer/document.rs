//! [`Pointer`]: the document that names the map in force.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::redact;
use crate::text::clip;
use crate::time;
use crate::version::{HANDED_IN, MapBytes};

/// The limit on a document, in bytes. A document has some 500.
const MAX_BYTES: usize = 64 << 10;

/// A published map: its revision, and the bytes that hold it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PublishedMap {
    /// The git blob id of the map's text, unpacked, as `git hash-object` prints it: 40 hexadecimal digits.
    /// This is the [revision](crate::reload::Generation::source_revision) of a map that is live.
    pub revision: String,
    /// The SHA-256 of the bytes as they are fetched, packed if they are: 64 hexadecimal digits.
    pub sha256: String,
    /// The URL of the bytes. If the document is at a URL or in a file, the URL may be relative to it.
    pub url: String,
}

impl PublishedMap {
    /// Checks the digits of the hashes, and makes them lower-case.
    fn checked(self) -> Result<Self, String> {
        let hash = |name: &str, digits: usize, text: String| {
            if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                Ok(text.to_ascii_lowercase())
            } else {
                Err(format!("{name} {:?} is not {digits} hexadecimal digits", clip(&text)))
            }
        };
        if self.url.is_empty() || self.url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("url {:?} is not one", clip(&self.url)));
        }
        Ok(Self {
            revision: hash("revision", 40, self.revision)?,
            sha256: hash("sha256", 64, self.sha256)?,
            url: self.url,
        })
    }

    /// Returns whether fetched bytes are those of the map, by their SHA-256.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let sha256 = format!("{:x}", Sha256::digest(bytes));
        if sha256 == self.sha256 {
            return Ok(());
        }
        Err(format!("their SHA-256 is {sha256} ({} bytes), and not {}", bytes.len(), self.sha256))
    }
}

/// A pointer: a small JSON document that names the map in force, so that all instances of a program price by
/// the same one.
///
/// ```json
/// {
///   "revision": "48eb463b14b5f9e0fa71add798fb8802953a61ff",
///   "sha256": "5ae3e2cbcd4ed6f4f3cf2ef95d5ac39ba2a0fe50dd4f8ea2ea8fba9f6a1be5f0",
///   "url": "maps/48eb463b14b5.json.gz",
///   "not_before": "2026-12-01T00:00:00Z",
///   "previous": {"revision": "…", "sha256": "…", "url": "…"},
///   "signature": "…"
/// }
/// ```
///
/// The last three are optional. A [`PointerSource`](super::PointerSource) reads the document, and `Display`
/// and serde write it.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use llm_costmap::source::Pointer;
///
/// let (old, new) = (r#"{"m": {"input_cost_per_token": 1e-6}}"#, r#"{"m": {"input_cost_per_token": 2e-6}}"#);
/// let before = Pointer::to(old, "old.json")?;
/// let pointer = Pointer::to(new, "new.json")?
///     .with_not_before(SystemTime::now() + Duration::from_secs(600))?
///     .with_previous(before.map);
/// assert_eq!(pointer.map.revision, "16ac1f60a9d89f42ea05aa976dfcb742ae02a20f");
/// assert_eq!(pointer.to_string().parse::<Pointer>()?, pointer);
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Pointer {
    /// The map.
    pub map: PublishedMap,
    /// The time at which the map goes live, to the microsecond. `None` if it goes live as soon as it is
    /// fetched.
    pub not_before: Option<SystemTime>,
    /// The map that is in force before that time, for instances that start or reload until then.
    pub previous: Option<PublishedMap>,
    /// The Ed25519 signature of [`signed_text`](Self::signed_text), in Base64.
    pub signature: Option<String>,
}

impl Pointer {
    /// Creates a pointer to a map, whose bytes will be at a URL. The bytes may be packed; the hashes are
    /// computed from them.
    ///
    /// # Errors
    ///
    /// [`Error::Pointer`] if the bytes cannot be unpacked, or if the URL is empty or has white space.
    pub fn to(bytes: impl Into<Vec<u8>>, url: impl Into<String>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        let MapBytes { revision, damage, .. } = MapBytes::from(bytes);
        let map = PublishedMap { revision, sha256, url: url.into() };
        let checked = damage.map_or(Ok(()), Err).and_then(|()| map.checked());
        let map = checked.map_err(|reason| unusable(&reason))?;
        Ok(Self { map, not_before: None, previous: None, signature: None })
    }

    /// Sets the time at which the map goes live: to the microsecond, and rounded down. The signature is
    /// removed.
    ///
    /// # Errors
    ///
    /// [`Error::Pointer`] if the time is beyond the year 9999.
    pub fn with_not_before(self, not_before: SystemTime) -> Result<Self, Error> {
        let not_before =
            time::to_micros(not_before).ok_or_else(|| unusable("not_before is beyond the year 9999"))?;
        Ok(Self { not_before: Some(not_before), signature: None, ..self })
    }

    /// Sets the map that is in force before the time of [`with_not_before`](Self::with_not_before). The
    /// signature is removed.
    #[must_use]
    pub fn with_previous(self, previous: PublishedMap) -> Self {
        Self { previous: Some(previous), signature: None, ..self }
    }

    /// Sets the Ed25519 signature of [`signed_text`](Self::signed_text).
    #[must_use]
    pub fn with_signature(self, signature: &[u8; 64]) -> Self {
        use base64::Engine;
        let signature = base64::engine::general_purpose::STANDARD.encode(signature);
        Self { signature: Some(signature), ..self }
    }

    /// Returns the text that a signature signs: lines that each end in a line feed. They are
    /// `llm-costmap pointer 1`, the revision, the SHA-256, the URL, and the time as in
    /// `2026-12-01T00:00:00.000000+00:00`, which is empty without `not_before`; and, if there is a previous
    /// map, its revision, its SHA-256 and its URL. Hashes are in lower case.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::source::Pointer;
    ///
    /// let pointer = Pointer::to("{}", "map.json")?;
    /// assert_eq!(
    ///     pointer.signed_text(),
    ///     "llm-costmap pointer 1\n\
    ///      9e26dfeeb6e641a33dae4961196235bdb965b21b\n\
    ///      44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n\
    ///      map.json\n\
    ///      \n"
    /// );
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn signed_text(&self) -> String {
        let not_before = self.not_before.and_then(time::rfc3339).unwrap_or_default();
        let mut lines = vec!["llm-costmap pointer 1"];
        let of = |map: &PublishedMap| [map.revision.clone(), map.sha256.clone(), map.url.clone()];
        let map = of(&self.map);
        lines.extend(map.iter().map(String::as_str));
        lines.push(&not_before);
        let previous = self.previous.as_ref().map(of);
        lines.extend(previous.iter().flatten().map(String::as_str));
        lines.into_iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// Reads a document.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!(
                "{} bytes are no pointer: if this is a map, name it by url, file or source",
                bytes.len()
            ));
        }
        let Written { revision, sha256, url, not_before, previous, signature } =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        Ok(Self {
            map: PublishedMap { revision, sha256, url }.checked()?,
            not_before: not_before.and_then(time::to_micros),
            previous: previous
                .map(PublishedMap::checked)
                .transpose()
                .map_err(|reason| format!("previous: {reason}"))?,
            signature,
        })
    }
}

/// A pointer as it is written. A key that is not known may be a mistyped `not_before`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    revision: String,
    sha256: String,
    url: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "time::serialize_option",
        deserialize_with = "time::deserialize_option"
    )]
    not_before: Option<SystemTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<PublishedMap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

impl Serialize for Pointer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { map: PublishedMap { revision, sha256, url }, not_before, previous, signature } =
            self.clone();
        Written { revision, sha256, url, not_before, previous, signature }.serialize(serializer)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Pointer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text.as_bytes()).map_err(|reason| unusable(&reason))
    }
}

fn unusable(reason: &str) -> Error {
    Error::Pointer { origin: HANDED_IN.to_owned(), reason: redact::shown(reason) }
}
