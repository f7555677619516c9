//! Settles a fetch: checks the map that it found, and swaps it in.

use std::sync::Arc;
use std::time::SystemTime;

use super::arrived::{Applied, Arrived, Settled};
use super::reloader::Reloader;
use super::settings::Guarded;
use super::status::{ReloadOutcome, ReloadReport};
use crate::diff::Diff;
use crate::error::Error;
use crate::live::{Live, Swapped, VersionedCatalog};
use crate::resolve::Layers;
use crate::snapshot::Snapshot;
use crate::source::{Content, Fetched, Known, Validators};
use crate::sync::lock;
use crate::version::Channel;

impl Reloader {
    /// Swaps in what a fetch found, and has the map wait that goes live later. Returns `None` if the answer
    /// speaks of another map than the live one.
    pub(super) fn settle(
        self: &Arc<Self>,
        fetched: Fetched,
        known: &Known,
        source: &str,
        guarded: Guarded,
    ) -> Result<Option<Settled>, Error> {
        let Fetched { mut content, validators, mut upcoming } = fetched;
        let _one_at_a_time = lock(&self.applying);
        // Its time may have come while it was fetched.
        if upcoming.as_ref().is_some_and(|upcoming| upcoming.at <= SystemTime::now()) {
            match upcoming.take().and_then(|upcoming| upcoming.map) {
                Some(map) => content = Content::Map(map?),
                // It waited already: its own thread swaps it in.
                None => return Ok(Some(Settled { applied: None, failed: None })),
            }
        }
        let names_map = !matches!(content, Content::Unchanged);
        let applied = match content {
            Content::Map(map) => {
                let arrived = Arrived { map, source: source.to_owned(), channel: Channel::Source };
                self.apply(arrived, validators.clone(), guarded).map(Some)
            }
            Content::Unchanged if self.results().validators != known.validators => return Ok(None),
            Content::Unchanged => {
                self.confirm(validators.clone().or(known.validators.clone()), source).map(Some)
            }
            Content::Live(revision) if self.live()?.base().version.whole_revision() != Some(&revision) => {
                return Ok(None);
            }
            Content::Live(_) => self.confirm(validators.clone(), source).map(Some),
            Content::Unnamed => Ok(None),
            Content::Failed(error) => Err(error),
        };
        let (applied, mut failed) = match applied {
            Ok(applied) => (applied, None),
            Err(error) => (None, Some(error)),
        };
        match upcoming {
            Some(upcoming) => {
                if let Err(error) = self.prepare(upcoming, validators, source, guarded) {
                    self.fetch_anew();
                    failed.get_or_insert(error);
                }
            }
            // An answer that names no map leaves the one that waits.
            None if names_map => {
                let one_waited = self.forget_pending();
                if one_waited && failed.is_some() {
                    // The validators are those of the document that named it.
                    self.fetch_anew();
                }
            }
            None => {}
        }
        let pending = self.pending_map();
        let applied = applied.map(|applied| Applied {
            report: ReloadReport { pending, ..applied.report },
            good: applied.good,
        });
        Ok(Some(Settled { applied, failed }))
    }

    /// Checks a map against the live one and swaps it in. The lock `applying` is held.
    pub(super) fn apply(
        &self,
        arrived: Arrived,
        validators: Validators,
        guarded: Guarded,
    ) -> Result<Applied, Error> {
        let live = self.live()?;
        let before = live.base();
        let (length, channel) = (arrived.map.bytes.len(), arrived.channel);
        if before.version.whole_revision() == Some(&arrived.map.revision) {
            // A map that is handed in says nothing about the source.
            if channel == Channel::Source {
                let mut results = self.results();
                let known = Some(results.validators.clone()).filter(|_| validators.is_empty());
                results.is_live(known.unwrap_or(validators), Some(arrived.map.revision));
            }
            let report = self.report(&live.snapshot(), &before, arrived.source, length);
            let good = (channel == Channel::Source && self.is_good(&before)).then_some(before);
            return Ok(Applied { report, good });
        }
        self.check_held()?;
        self.swap(&live, &before, arrived.read()?, validators, length, guarded)
    }

    /// Returns the changes from one map to another, and the refusal of a guard that is forced past.
    pub(super) fn check_guards(
        &self,
        before: &VersionedCatalog,
        base: &VersionedCatalog,
        guarded: Guarded,
    ) -> Result<(Diff, Option<String>), Error> {
        let diff = Diff::between(Layers::only(&before.catalog), Layers::only(&base.catalog));
        let source = &base.version.source;
        match self.settings.guards.check(source, &before.catalog, &base.catalog, &diff) {
            Err(refusal) if guarded == Guarded::Yes => Err(refusal),
            checked => Ok((diff, checked.err().map(|refusal| refusal.to_string()))),
        }
    }

    /// Swaps in a map, unless a guard refuses it.
    pub(super) fn swap(
        &self,
        live: &Live,
        before: &VersionedCatalog,
        base: VersionedCatalog,
        validators: Validators,
        length: usize,
        guarded: Guarded,
    ) -> Result<Applied, Error> {
        let (diff, forced_past) = self.check_guards(before, &base, guarded)?;
        let (snapshot, diff) = self.go_live(live, &base, diff)?;
        let mut results = self.results();
        let revision = base.version.revision.clone();
        results.note_forced(revision.as_ref(), forced_past.is_some());
        results.is_live(validators, revision.filter(|_| base.version.channel == Channel::Source));
        drop(results);
        let report = self.report(&snapshot, &base, base.version.source.clone(), length);
        let good = forced_past.is_none().then_some(base);
        Ok(Applied {
            report: ReloadReport { outcome: ReloadOutcome::Replaced, diff, forced_past, ..report },
            good,
        })
    }

    /// Swaps in a map, whatever it is, and has it recorded. Returns the diff with the corrections that
    /// expired.
    pub(super) fn go_live(
        &self,
        live: &Live,
        base: &VersionedCatalog,
        mut diff: Diff,
    ) -> Result<(Arc<Snapshot>, Diff), Error> {
        let Swapped { snapshot, expired } = live.replace(base.clone())?;
        self.to_be_recorded(base, snapshot.loaded_at());
        diff.expired = expired;
        Ok((snapshot, diff))
    }

    /// Records that the source has the live map. The lock `applying` is held.
    fn confirm(&self, validators: Validators, source: &str) -> Result<Applied, Error> {
        let live = self.live()?;
        let base = live.base();
        self.results().is_live(validators, base.version.revision.clone());
        let report = self.report(&live.snapshot(), &base, source.to_owned(), 0);
        let good = self.is_good(&base).then_some(base);
        Ok(Applied { report, good })
    }
}
