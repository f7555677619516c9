//! The reloader's side of the cache: which map is written, and when.

use super::arrived::Applied;
use super::reloader::Reloader;
use super::status::ReloadReport;
use crate::live::VersionedCatalog;
use crate::sync::lock;

impl Reloader {
    /// Writes a map that was accepted to the cache if it is good, and to the history, and returns its report.
    pub(super) fn cached(&self, applied: Applied, source: &str) -> ReloadReport {
        let Applied { mut report, good } = applied;
        if let Some(base) = good {
            report.cache_error = self.remember(&base, source);
        }
        report.history_error = self.record();
        report
    }

    /// Writes a map of the source that passed the guards to the cache, unless the cache has it.
    /// Returns the error if that fails.
    pub(super) fn remember(&self, base: &VersionedCatalog, source: &str) -> Option<String> {
        // An empty map may be live, if the settings allow that, but no map starts with one.
        let cache = self.settings.cache.as_ref().filter(|_| base.catalog.len() > 0)?;
        let revision = base.version.revision.as_deref()?;
        // Another map may go live meanwhile: whoever writes last, the file has the live one.
        let _one_at_a_time = lock(&self.caching);
        let validators = {
            let _nothing_is_swapped = lock(&self.applying);
            if self.is_replaced(base) {
                return None;
            }
            let results = self.results();
            let known = results.cached.as_ref();
            if known.is_some_and(|(cached, of)| cached == revision && *of == results.validators) {
                return None;
            }
            results.validators.clone()
        };
        let error = cache.write(source, revision, base.catalog.text().as_bytes(), &validators).err();
        if let Some(error) = &error {
            log::warn!("{error}");
        }
        let mut results = self.results();
        results.cached = error.is_none().then(|| (revision.to_owned(), validators));
        results.cache_error.clone_from(&error);
        error
    }

    /// Removes the map from the cache, unless another than the given one is live.
    pub(super) fn empty_cache(&self, base: &VersionedCatalog) -> Option<String> {
        let cache = self.settings.cache.as_ref()?;
        let _one_at_a_time = lock(&self.caching);
        if self.is_replaced(base) {
            return None;
        }
        let error = cache.remove().err();
        let mut results = self.results();
        results.cached = None;
        results.cache_error.clone_from(&error);
        error
    }

    /// Returns whether another map than the given one is live.
    fn is_replaced(&self, base: &VersionedCatalog) -> bool {
        self.live().is_ok_and(|live| live.base().version != base.version)
    }

    /// Returns whether the live map may be written to the cache: it passes the guards by itself,
    /// and was not forced past one.
    pub(super) fn is_good(&self, base: &VersionedCatalog) -> bool {
        let checked = self.settings.guards.check_alone(&base.version.source, &base.catalog);
        let revision = base.version.revision.as_ref();
        checked.is_ok() && !self.results().forced.iter().any(|forced| Some(forced) == revision)
    }
}
