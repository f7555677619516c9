//! Versions of a map: the text that it was made from, so that a bill can name the prices behind it.

use std::time::SystemTime;

use serde::Serialize;
use sha1::{Digest, Sha1};

use crate::packed;

/// The text that a catalogue was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// A path, a URL without credentials, or a description in words.
    pub(crate) source: String,
    /// The git blob id of the text. `None` for an empty map.
    pub(crate) revision: Option<String>,
    /// The way by which the text came in.
    pub(crate) channel: Channel,
}

/// The source of a map that a caller handed in, as messages and reports name it.
pub(crate) const HANDED_IN: &str = "the text that was handed in";

/// The way by which a text came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The text is bundled with the crate, or the map is empty.
    #[default]
    Bundled,
    /// The caller handed in the text.
    HandedIn,
    /// The text was read from the cache on disk.
    Cache,
    /// The text was fetched from the map's source.
    Source,
}

impl Version {
    /// Returns the version of the bundled map.
    #[cfg(feature = "bundled")]
    pub(crate) fn bundled() -> Self {
        Self {
            source: "bundled".to_owned(),
            revision: Some(crate::BUNDLED.source_revision.to_owned()),
            channel: Channel::Bundled,
        }
    }

    /// Returns the version of an empty map.
    pub(crate) fn empty() -> Self {
        Self { source: "empty".to_owned(), ..Self::default() }
    }

    /// Returns the revision of the text, if that is the whole of it. The bundled map has the revision of
    /// upstream's file but lacks its prose, so that the file itself replaces it.
    pub(crate) fn whole_revision(&self) -> Option<&String> {
        self.revision.as_ref().filter(|_| self.channel != Channel::Bundled)
    }

    pub(crate) fn of(map: &MapBytes, source: &str, channel: Channel) -> Self {
        Self { source: source.to_owned(), revision: Some(map.revision.clone()), channel }
    }
}

/// The bytes of a map, unpacked if they were packed, with their git blob id, which is computed once.
#[derive(Debug)]
pub(crate) struct MapBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) revision: String,
    /// The reason that the bytes could not be unpacked. They are then as they came, and hold no map.
    pub(crate) damage: Option<String>,
}

impl From<Vec<u8>> for MapBytes {
    fn from(bytes: Vec<u8>) -> Self {
        let (bytes, damage) = match packed::unpack(&bytes) {
            Some(Ok(unpacked)) => (unpacked, None),
            Some(Err(reason)) => (bytes, Some(reason)),
            None => (bytes, None),
        };
        let revision = git_blob_id(&bytes);
        Self { bytes, revision, damage }
    }
}

/// Returns the git blob id of a file with these bytes, as `git hash-object` prints it.
fn git_blob_id(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    format!("{:x}", hash.finalize())
}

/// One generation of a map: the prices it has, and the time since which they are live. Returned by
/// [`CostMap::generation`](crate::CostMap::generation).
///
/// Serialises as `{"generation", "source", "source_revision", "loaded_at"}`, with times as RFC 3339
/// in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Generation {
    /// The number of the generation, as in [`Cost::generation`](crate::Cost::generation).
    pub generation: u64,
    /// The source of the map: `bundled`, a path, a URL without credentials, or the name of a
    /// source.
    pub source: String,
    /// The git blob id of the map's bytes, as `git hash-object` prints it. For the bundled map, the
    /// id of upstream's file. `None` for an empty map.
    pub source_revision: Option<String>,
    /// The time at which the generation went live.
    #[serde(serialize_with = "crate::time::serialize")]
    pub loaded_at: SystemTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_those_of_git() {
        // `printf '' | git hash-object --stdin`, and of "hello\n".
        assert_eq!(git_blob_id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(git_blob_id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }
}
