//! Holding a map, and going back to one that was live before.

use std::time::{Instant, SystemTime};

use super::reloader::Reloader;
use super::status::{ReloadOutcome, ReloadReport};
use crate::diff::Diff;
use crate::error::Error;
use crate::live::VersionedCatalog;
use crate::resolve::Layers;
use crate::source::Validators;
use crate::sync::lock;
use crate::version::Channel;

impl Reloader {
    /// Keeps every map from replacing the live one, the one of a reload in flight included.
    pub(crate) fn hold(&self) {
        let _one_at_a_time = lock(&self.applying);
        self.results().held_since.get_or_insert_with(SystemTime::now);
    }

    /// Ends a hold, and has the schedule catch up. Returns whether the map was held.
    pub(crate) fn release(&self) -> bool {
        let was_held = self.results().held_since.take().is_some();
        if was_held {
            self.schedule.run_now();
        }
        was_held
    }

    /// Returns an error if the map is held.
    pub(super) fn check_held(&self) -> Result<(), Error> {
        if self.results().held_since.is_some() { Err(Error::Held) } else { Ok(()) }
    }

    /// Swaps in the map of a generation, and holds it.
    pub(crate) fn rollback(&self, generation: u64) -> Result<ReloadReport, Error> {
        self.check_nesting()?;
        let start = Instant::now();
        let (mut report, base) = self.go_back(generation)?;
        // A restart starts with this map, too: with the one in the cache, or else with what it started with.
        match base.version.channel {
            Channel::Source | Channel::Cache if self.is_good(&base) => {
                report.cache_error = self.remember(&base, &base.version.source);
            }
            _ => report.cache_error = self.empty_cache(&base),
        }
        report.history_error = self.record();
        let result = Ok(report.since(start));
        self.tell(&result);
        result
    }

    fn go_back(&self, generation: u64) -> Result<(ReloadReport, VersionedCatalog), Error> {
        let _one_at_a_time = lock(&self.applying);
        let live = self.live()?;
        let (before, base) = (live.base(), live.base_of(generation)?);
        let source = base.version.source.clone();
        let is_live = before.version == base.version;
        let (snapshot, diff) = if is_live {
            (live.snapshot(), Diff::default())
        } else {
            let diff = Diff::between(Layers::only(&before.catalog), Layers::only(&base.catalog));
            self.go_live(&live, &base, diff)?
        };
        let mut results = self.results();
        results.held_since.get_or_insert_with(SystemTime::now);
        if !is_live {
            // The source has another map, so that the next reload fetches the whole of it.
            results.is_live(Validators::default(), None);
        }
        drop(results);
        if let Some(origin) = &self.settings.origin {
            origin.forget();
        }
        let report = self.report(&snapshot, &base, source, 0);
        let outcome = if is_live { ReloadOutcome::Unchanged } else { ReloadOutcome::Replaced };
        Ok((ReloadReport { outcome, diff, ..report }, base))
    }
}
