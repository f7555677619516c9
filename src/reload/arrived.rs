//! Maps that arrived, and what became of them.

use std::sync::Arc;

use super::status::ReloadReport;
use crate::catalog;
use crate::error::Error;
use crate::live::VersionedCatalog;
use crate::version::{Channel, MapBytes, Version};

/// A map that was fetched or handed in, before it is checked.
pub(super) struct Arrived {
    pub(super) map: MapBytes,
    pub(super) source: String,
    pub(super) channel: Channel,
}

impl Arrived {
    pub(super) fn read(self) -> Result<VersionedCatalog, Error> {
        let Self { map: MapBytes { bytes, revision, damage }, source, channel } = self;
        let catalog = catalog::read(bytes, damage).map_err(|bad| Error::not_a_map(&source, bad))?;
        let version = Version { source, revision: Some(revision), channel };
        Ok(VersionedCatalog::new(Arc::new(catalog), version))
    }
}

/// The result of a map that was accepted.
pub(super) struct Applied {
    pub(super) report: ReloadReport,
    /// The live map, if it passed the guards.
    pub(super) good: Option<VersionedCatalog>,
}

/// The result of a fetch that was dealt with.
pub(super) struct Settled {
    /// The map in force, if it was named and accepted.
    pub(super) applied: Option<Applied>,
    /// The reason that a map was not accepted.
    pub(super) failed: Option<Error>,
}
