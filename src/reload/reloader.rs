//! A reload: fetch from the source, check the map, swap it in, and write it to the cache.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant, SystemTime};

use super::arrived::{Applied, Arrived, Settled};
use super::flight::Flights;
use super::results::Results;
use super::schedule::Schedule;
use super::settings::{Guarded, Listener, Settings};
use super::status::{ReloadOutcome, ReloadReport, ScheduleStatus, SourceInfo};
use super::unrecorded::Unrecorded;
use super::waiting::Waiting;
use crate::diff::Diff;
use crate::error::Error;
use crate::live::{Live, VersionedCatalog};
use crate::panics;
use crate::snapshot::Snapshot;
use crate::source::{Content, Fetched, Known, Origin, Stop, Validators};
use crate::sync::lock;
use crate::version::{Channel, HANDED_IN, MapBytes};

/// Reloads one map. The reload thread keeps the reloader alive, but not the map, to which the
/// reloader has a weak reference.
pub(crate) struct Reloader {
    live: Weak<Live>,
    pub(super) settings: Settings,
    listeners: Mutex<Vec<Arc<Listener>>>,
    flights: Flights,
    /// Held while a map is checked against the live one and swapped in. Neither I/O nor a caller's
    /// code runs under this lock.
    pub(super) applying: Mutex<()>,
    /// Held while the cache is written.
    pub(super) caching: Mutex<()>,
    results: Mutex<Results>,
    /// The maps that are to be recorded in the history.
    pub(super) unrecorded: Unrecorded,
    /// The map that waits for its time. Locked last of all.
    pub(super) waiting: Waiting,
    pub(super) schedule: Schedule,
    pub(super) stop: Stop,
}

thread_local! {
    /// The addresses of the reloaders whose listeners this thread is calling.
    static TELLING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Marks this thread as calling the listeners of a map, until the value is dropped.
struct Telling;

impl Telling {
    fn begin(map: usize) -> Self {
        TELLING.with_borrow_mut(|telling| telling.push(map));
        Self
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        TELLING.with_borrow_mut(Vec::pop);
    }
}

impl Reloader {
    pub(crate) fn new(
        live: &Arc<Live>,
        settings: Settings,
        results: Results,
        listeners: Vec<Arc<Listener>>,
    ) -> Self {
        Self {
            live: Arc::downgrade(live),
            settings,
            listeners: Mutex::new(listeners),
            flights: Flights::default(),
            applying: Mutex::default(),
            caching: Mutex::default(),
            results: Mutex::new(results),
            unrecorded: Unrecorded::default(),
            waiting: Waiting::default(),
            schedule: Schedule::default(),
            stop: Stop::default(),
        }
    }

    /// Fetches from the source and swaps in the result, or returns the result of the reload in
    /// flight.
    pub(crate) fn reload(self: &Arc<Self>, guarded: Guarded) -> Result<ReloadReport, Error> {
        let Some(origin) = self.settings.origin.as_deref() else { return self.stay() };
        self.check_nesting()?;
        self.check_held()?;
        let (ran_here, result) = self.flights.share(guarded == Guarded::Forced, || self.fly(origin, guarded));
        if ran_here {
            self.tell(&result);
        }
        result
    }

    /// Reports the live map as unchanged, if the environment asks for the bundled map alone.
    fn stay(&self) -> Result<ReloadReport, Error> {
        if !self.settings.is_env_forced {
            return Err(Error::NoSource);
        }
        let start = Instant::now();
        let result = self.report_live().map(|report| report.since(start));
        self.note(&result);
        self.tell(&result);
        result
    }

    /// Refuses a reload from a listener of this map: listeners would be told of that reload as
    /// well, and reload again, without end.
    pub(super) fn check_nesting(&self) -> Result<(), Error> {
        let is_telling = TELLING.with_borrow(|telling| telling.contains(&self.address()));
        if is_telling { Err(Error::NestedReload) } else { Ok(()) }
    }

    /// Returns a number that tells this reloader from others while it lives.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Reloads if the source is a file that has changed since it was last read. Returns `None`
    /// otherwise.
    pub(crate) fn reload_if_changed(self: &Arc<Self>) -> Result<Option<ReloadReport>, Error> {
        let file = self.settings.origin.as_ref().and_then(|origin| origin.watched());
        match file {
            Some(file) if file.has_changed() => self.reload(Guarded::Yes).map(Some),
            _ => Ok(None),
        }
    }

    /// Swaps in a map that a caller handed in.
    pub(crate) fn reload_from_bytes(&self, bytes: Vec<u8>, guarded: Guarded) -> Result<ReloadReport, Error> {
        self.check_nesting()?;
        let start = Instant::now();
        let map = MapBytes::from(bytes);
        let arrived = Arrived { map, source: HANDED_IN.to_owned(), channel: Channel::HandedIn };
        let result = {
            let _one_at_a_time = lock(&self.applying);
            self.apply(arrived, Validators::default(), guarded)
        };
        let recorded = |report| ReloadReport { history_error: self.record(), ..report };
        let result = result.map(|applied| recorded(applied.report).since(start));
        self.tell(&result);
        result
    }

    /// Swaps in a map that was pushed to the program, as that of the source if there is one.
    pub(crate) fn apply_pushed(&self, fetched: Fetched) -> Result<ReloadReport, Error> {
        self.check_nesting()?;
        let start = Instant::now();
        let origin = self.settings.origin.as_deref();
        let source = origin.map_or_else(|| HANDED_IN.to_owned(), Origin::name);
        let channel = if origin.is_some() { Channel::Source } else { Channel::HandedIn };
        let result = match fetched.content {
            Content::Map(map) => {
                let arrived = Arrived { map, source: source.clone(), channel };
                let _one_at_a_time = lock(&self.applying);
                self.apply(arrived, fetched.validators, Guarded::Yes)
            }
            _ => self.report_live().map(|report| Applied {
                report: ReloadReport { source: source.clone(), ..report },
                good: None,
            }),
        };
        let result = result.map(|applied| self.cached(applied, &source).since(start));
        self.note(&result);
        self.tell(&result);
        result
    }

    fn fly(self: &Arc<Self>, origin: &dyn Origin, guarded: Guarded) -> Result<ReloadReport, Error> {
        let start = Instant::now();
        // Sources are code of others: a panic in one is a failed reload, and no more.
        let result = panics::catch(|| self.fetch(origin, guarded)).unwrap_or_else(|said| {
            let reason = format!("the source panicked: {said}");
            Err(Error::Fetch { origin: origin.name(), reason })
        });
        let result = result.map(|report| report.since(start));
        if matches!(result, Err(Error::Held)) {
            // What was fetched is new once more when the map is released.
            origin.forget();
        }
        self.note(&result);
        result
    }

    /// Has the next reload fetch the whole map, even if it has not changed.
    pub(super) fn fetch_anew(&self) {
        self.results().validators = Validators::default();
        if let Some(origin) = &self.settings.origin {
            origin.forget();
        }
    }

    fn fetch(self: &Arc<Self>, origin: &dyn Origin, guarded: Guarded) -> Result<ReloadReport, Error> {
        let source = origin.name();
        let mut known = match guarded {
            Guarded::Yes => self.known()?,
            Guarded::Forced => Known::default(),
        };
        loop {
            let fetched = origin.fetch(&known, &self.stop)?;
            if matches!(fetched.content, Content::Unchanged) && known.validators.is_empty() {
                let reason = "it says that nothing changed, though nothing was fetched before".to_owned();
                return Err(Error::Fetch { origin: source, reason });
            }
            let Some(Settled { applied, failed }) = self.settle(fetched, &known, &source, guarded)? else {
                // Another map was handed in meanwhile, so that the answer does not speak of the
                // live map. The source is asked for the whole map.
                known = Known::default();
                continue;
            };
            let report = applied.map(|applied| self.cached(applied, &source));
            let Some(error) = failed else { return report.map_or_else(|| self.report_live(), Ok) };
            // What went live is told beside what did not.
            if let Some(report) = report.filter(|report| !report.is_unchanged()) {
                self.tell(&Ok(report));
            }
            return Err(error);
        }
    }

    /// Returns what a fetch is told of the live map.
    fn known(&self) -> Result<Known, Error> {
        let version = self.live()?.base().version;
        Ok(Known {
            validators: self.results().fetched_validators(),
            revision: version.whole_revision().cloned(),
            pending: self.pending_map().map(|pending| pending.source_revision),
        })
    }

    /// Returns a report of the live map, unchanged, from where it came.
    fn report_live(&self) -> Result<ReloadReport, Error> {
        let live = self.live()?;
        let base = live.base();
        let source = base.version.source.clone();
        Ok(self.report(&live.snapshot(), &base, source, 0))
    }

    /// Returns a report of the live map, with the outcome `Unchanged`.
    pub(super) fn report(
        &self,
        snapshot: &Snapshot,
        base: &VersionedCatalog,
        source: String,
        bytes: usize,
    ) -> ReloadReport {
        ReloadReport {
            outcome: ReloadOutcome::Unchanged,
            generation: snapshot.generation(),
            models_count: base.catalog.len(),
            source_revision: base.version.revision.clone(),
            etag: self.results().validators.etag().map(str::to_owned),
            source,
            bytes,
            diff: Diff::default(),
            set_aside: base.catalog.set_aside().cloned().collect(),
            warnings: snapshot.warnings().cloned().collect(),
            forced_past: None,
            cache_error: None,
            history_error: None,
            pending: self.pending_map(),
            took: Duration::ZERO,
            timestamp: SystemTime::now(),
        }
    }

    pub(super) fn note(&self, result: &Result<ReloadReport, Error>) {
        // Nothing is wrong with the source.
        if matches!(result, Err(Error::Held)) {
            return;
        }
        let now = SystemTime::now();
        let mut results = self.results();
        results.last_run = Some(now);
        match result {
            Ok(_) => {
                results.last_error = None;
                results.failing_since = None;
                results.failures = 0;
            }
            Err(error) => {
                results.last_error = Some(format!("{error:#}"));
                results.failing_since.get_or_insert(now);
                results.failures = results.failures.saturating_add(1);
            }
        }
    }

    /// Writes a result to the log and calls the listeners, outside every lock. Does neither after
    /// the last handle on the map is dropped.
    pub(super) fn tell(&self, result: &Result<ReloadReport, Error>) {
        if self.stop.is_pulled() {
            return;
        }
        match result {
            Err(Error::Held) => return,
            Ok(report) if report.is_unchanged() => {
                log::debug!("{report}");
                return;
            }
            Ok(report) => {
                log::info!("{report}");
                for expired in &report.diff.expired {
                    log::warn!("{expired}");
                }
                if let Some(refusal) = &report.forced_past {
                    log::warn!("forced past a guard: {refusal}");
                }
            }
            Err(error) => log::warn!("not reloaded: {error:#}"),
        }
        let listeners = lock(&self.listeners).clone();
        let _telling = Telling::begin(self.address());
        for listener in listeners {
            if let Err(said) = panics::catch(|| listener(result)) {
                let error = format!("a listener panicked: {said}");
                log::error!("{error:#}");
                self.results().listener_error = Some(error);
            }
        }
    }

    /// Records the reason that the map starts with something other than the source's map, unless
    /// that went live meanwhile.
    pub(crate) fn note_start(&self, error: &Error) {
        let _one_at_a_time = lock(&self.applying);
        if self.live().is_ok_and(|live| live.base().version.channel != Channel::Source) {
            self.results().start = Some(format!("{error:#}"));
        }
    }

    /// Returns whether the live map is one of the source, be it from the cache.
    pub(crate) fn has_map_of_source(&self) -> bool {
        let live = self.live();
        live.is_ok_and(|live| matches!(live.base().version.channel, Channel::Source | Channel::Cache))
    }

    pub(crate) fn listen(&self, listener: Arc<Listener>) {
        lock(&self.listeners).push(listener);
    }

    pub(crate) fn status(&self) -> ScheduleStatus {
        let plan = self.schedule.plan();
        let version = self.live().ok().map(|live| live.base().version);
        let results = self.results();
        ScheduleStatus {
            scheduled: plan.every.is_some(),
            interval_hours: plan.every.map(|every| every.as_secs_f64() / 3600.0),
            last_run: results.last_run,
            next_run: plan.next_run,
            source_revision: version.and_then(|version| version.revision.clone()),
            etag: results.validators.etag().map(str::to_owned),
            last_error: results.last_error.clone(),
            failing_since: results.failing_since,
            failures: results.failures,
            cache_error: results.cache_error.clone(),
            history_error: results.history_error.clone(),
            listener_error: results.listener_error.clone(),
            held_since: results.held_since,
            pending: self.pending_map(),
        }
    }

    pub(crate) fn source_info(&self, live: &Live) -> SourceInfo {
        let snapshot = live.snapshot();
        let version = snapshot.version();
        let origin = self.settings.origin.as_ref();
        let results = self.results();
        let is_local_file = origin.is_some_and(|origin| origin.as_file().is_some());
        let from_source = matches!(version.channel, Channel::Source | Channel::Cache);
        // The source is known to have the live map, even if that was read from the cache.
        let is_confirmed = version.revision.is_some() && results.confirmed == version.revision;
        let is_fallback = origin.is_some() && version.channel != Channel::Source && !is_confirmed;
        let reason = || results.start.clone().or_else(|| results.last_error.clone());
        SourceInfo {
            source: if from_source && !is_local_file { "remote" } else { "local" },
            origin: if version.channel == Channel::Cache {
                "cache".to_owned()
            } else {
                version.source.clone()
            },
            url: origin.and_then(|origin| origin.url()),
            is_env_forced: self.settings.is_env_forced,
            fallback_reason: if is_fallback { reason() } else { None },
            loaded_at: snapshot.loaded_at(),
            source_revision: version.revision.clone(),
            etag: results.validators.etag().map(str::to_owned),
            model_count: snapshot.len(),
        }
    }

    /// Ends the reload thread, cuts a fetch over HTTP, and silences the listeners. Called when the
    /// last handle on the map is dropped.
    pub(crate) fn close(&self) {
        self.stop.pull();
        self.schedule.close();
        self.waiting.wake();
        if let Some(origin) = &self.settings.origin {
            origin.shut_down();
        }
    }

    pub(super) fn live(&self) -> Result<Arc<Live>, Error> {
        self.live.upgrade().ok_or_else(|| Error::Fetch {
            origin: self.settings.origin.as_ref().map(|origin| origin.name()).unwrap_or_default(),
            reason: "the last handle on the map was dropped".to_owned(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn results(&self) -> MutexGuard<'_, Results> {
        lock(&self.results)
    }
}

impl ReloadReport {
    pub(super) fn since(mut self, start: Instant) -> Self {
        self.took = start.elapsed();
        self.timestamp = SystemTime::now();
        self
    }
}
