//! Which text a map was made of: what lets a bill say by which prices it was made.

use std::time::SystemTime;

use serde::Serialize;
use sha1::{Digest, Sha1};

/// Which text a catalogue was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version {
    /// A path, a URL without credentials, or words.
    pub(crate) source: String,
    /// `None` of a map of nothing.
    pub(crate) revision: Option<String>,
    /// How it came in.
    pub(crate) channel: Channel,
}

/// How a text came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Channel {
    /// It is part of the program, or there is none.
    #[default]
    Bundled,
    /// It was handed in.
    HandedIn,
    /// From the cache on disk.
    Cache,
    /// From the map's source.
    Source,
}

impl Version {
    /// The version of the map that is part of the program.
    #[cfg(feature = "bundled")]
    pub(crate) fn bundled() -> Self {
        Self {
            source: "bundled".to_owned(),
            revision: Some(crate::BUNDLED.source_revision.to_owned()),
            channel: Channel::Bundled,
        }
    }

    /// The version of a map of no models.
    pub(crate) fn empty() -> Self {
        Self { source: "empty".to_owned(), ..Self::default() }
    }

    pub(crate) fn of(bytes: &[u8], source: &str, channel: Channel) -> Self {
        Self { source: source.to_owned(), revision: Some(git_blob_id(bytes)), channel }
    }
}

/// The id that git gives to a file of these bytes, as `git hash-object` prints it.
pub(crate) fn git_blob_id(bytes: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    format!("{:x}", hash.finalize())
}

/// One generation of a map: which prices it has, and since when. From [`CostMap::generation`](crate::CostMap::generation).
///
/// It serialises as `{"generation", "source", "source_revision", "loaded_at"}`, times as RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Generation {
    /// Its number: what [`Cost::generation`](crate::Cost::generation) says.
    pub generation: u64,
    /// Where its map is from: `bundled`, a path, a URL without credentials, a source's name.
    pub source: String,
    /// The git blob id of the map's bytes, as `git hash-object` prints it; of the bundled map, that of upstream's file. `None` of an
    /// empty map.
    pub source_revision: Option<String>,
    /// When it went live.
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
