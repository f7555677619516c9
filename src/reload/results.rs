//! The results of the reloads of a map.

use std::time::SystemTime;

use crate::source::Validators;

/// The results of the reloads so far.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// The validators of the live map, if that came from the source.
    pub(super) validators: Validators,
    /// True if `validators` come from a reload, and not from the cache at the start.
    pub(super) is_fetched: bool,
    /// The reason that the map did not start with the source's map.
    pub(super) start: Option<String>,
    pub(super) cache_error: Option<String>,
    pub(super) history_error: Option<String>,
    /// The revision of the map in the cache, and its validators.
    pub(super) cached: Option<(String, Validators)>,
    /// The live revision, if the source confirmed by its bytes or its validators that it has that
    /// one.
    pub(super) confirmed: Option<String>,
    /// The revisions that were forced past a guard, and did not pass one since.
    pub(super) forced: Vec<String>,
    pub(super) last_run: Option<SystemTime>,
    pub(super) last_error: Option<String>,
    pub(super) failing_since: Option<SystemTime>,
    pub(super) failures: u32,
    pub(super) listener_error: Option<String>,
    /// The time since which nothing replaces the live map.
    pub(super) held_since: Option<SystemTime>,
}

/// The most forced revisions that are known. Few maps are forced, and fewer gone back to.
const MOST_FORCED: usize = 64;

impl Results {
    /// Returns the results before any reload: the validators of the map that it starts with, the
    /// reason that this is not the source's map, the error of the cache, and the revision in the
    /// cache.
    pub(crate) fn of_start(
        validators: Validators,
        start: Option<String>,
        cache_error: Option<String>,
        cached: Option<String>,
    ) -> Self {
        let cached = cached.map(|revision| (revision, validators.clone()));
        Self { validators, start, cache_error, cached, ..Self::default() }
    }

    /// Notes whether a map was forced past a guard.
    pub(super) fn note_forced(&mut self, revision: Option<&String>, forced: bool) {
        self.forced.retain(|known| Some(known) != revision);
        if self.forced.len() >= MOST_FORCED {
            self.forced.remove(0);
        }
        self.forced.extend(revision.filter(|_| forced).cloned());
    }

    /// Returns the validators of the map that was fetched last, and none before the first fetch.
    /// The validators in a cache are not trusted, so that the first reload after a start fetches
    /// the whole map.
    pub(super) fn fetched_validators(&self) -> Validators {
        if self.is_fetched { self.validators.clone() } else { Validators::default() }
    }

    /// Records the validators of the live map, and its revision if the source has that one.
    pub(super) fn is_live(&mut self, validators: Validators, confirmed: Option<String>) {
        self.validators = validators;
        self.is_fetched = true;
        self.start = None;
        self.confirmed = confirmed;
    }
}
