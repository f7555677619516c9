//! The reloader's side of a history: which maps are recorded, and when.

use std::time::SystemTime;

use super::reloader::Reloader;
use crate::live::VersionedCatalog;
use crate::sync::lock;
use crate::version::Channel;

impl Reloader {
    /// Has a map recorded that went live. Does no I/O: the lock `applying` may be held.
    pub(super) fn to_be_recorded(&self, base: &VersionedCatalog, since: SystemTime) {
        if self.settings.history.is_some() {
            lock(&self.unrecorded.maps).push_back((base.clone(), since));
        }
    }

    /// Has the map recorded that the program starts with, unless another one is to be fetched in its place.
    pub(crate) fn record_start(&self) {
        let (Some(history), Ok(live)) = (&self.settings.history, self.live()) else { return };
        let (base, since) = live.base_since();
        if base.catalog.len() == 0 || (self.is_stopgap(&base) && !history.has_no_map()) {
            return;
        }
        // In memory: the file is written with the first reload.
        if let Err(error) = history.record_live(&base.catalog, &base.version, since, false) {
            log::warn!("{error}");
        }
    }

    /// Returns whether a map stands in for one of the source that was not fetched yet.
    fn is_stopgap(&self, base: &VersionedCatalog) -> bool {
        let is_of_source = matches!(base.version.channel, Channel::Source | Channel::Cache);
        !is_of_source && self.settings.origin.is_some()
    }

    /// Records the maps that went live, and returns the error if that fails.
    pub(super) fn record(&self) -> Option<String> {
        let history = self.settings.history.as_ref()?;
        let _one_at_a_time = lock(&self.unrecorded.recording);
        let mut failed = None;
        let mut record = |base: &VersionedCatalog, since| {
            let recorded = history.record_live(&base.catalog, &base.version, since, true);
            if let Err(error) = recorded {
                log::warn!("{error}");
                failed = Some(error.to_string());
            }
        };
        let mut went_live = false;
        while let Some((base, since)) = { lock(&self.unrecorded.maps).pop_front() } {
            record(&base, since);
            went_live = true;
        }
        // What a program that was killed could not record, it records when it is back.
        if let Ok(live) = self.live() {
            let (base, since) = live.base_since();
            if !went_live && !self.is_stopgap(&base) && base.catalog.len() > 0 {
                record(&base, since);
            }
        }
        self.results().history_error.clone_from(&failed);
        failed
    }
}
