//! Maps that wait for the time at which they go live: how they come to wait, and how they are swapped in.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::arrived::{Applied, Arrived};
use super::reloader::Reloader;
use super::settings::Guarded;
use super::status::{PendingMap, ReloadReport};
use super::waiting::Pending;
use crate::error::Error;
use crate::panics;
use crate::source::{Upcoming, Validators};
use crate::sync::lock;
use crate::version::Channel;

/// The longest wait before another look at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(1);

impl Reloader {
    /// Returns the map that waits, as reports show it.
    pub(super) fn pending_map(&self) -> Option<PendingMap> {
        self.waiting.state().pending.as_ref().map(Pending::shown)
    }

    /// Forgets the map that waits. Returns whether there was one.
    pub(super) fn forget_pending(&self) -> bool {
        let waited = self.waiting.state().pending.take().is_some();
        self.waiting.wake();
        waited
    }

    /// Reads and checks a map that goes live later, and has it wait in the place of another. The lock
    /// `applying` is held.
    pub(super) fn prepare(
        self: &Arc<Self>,
        upcoming: Upcoming,
        validators: Validators,
        source: &str,
        guarded: Guarded,
    ) -> Result<(), Error> {
        let Upcoming { revision, at, map } = upcoming;
        // What the document does not name any more does not go live.
        let known = self.waiting.state().pending.take();
        let known = known.filter(|known| known.base.version.revision.as_ref() == Some(&revision));
        self.waiting.wake();
        self.check_held()?;
        let before = self.live()?.base();
        if before.version.whole_revision() == Some(&revision) {
            return Ok(());
        }
        let is_known = known.as_ref().is_some_and(|known| known.at == at);
        let (base, length) = match (known, map) {
            (Some(known), _) => (known.base, known.length),
            (None, Some(map)) => {
                let map = map?;
                let length = map.bytes.len();
                (Arrived { map, source: source.to_owned(), channel: Channel::Source }.read()?, length)
            }
            (None, None) => {
                let reason = format!("the map of revision {revision} waited, and does so no longer");
                return Err(Error::Fetch { origin: source.to_owned(), reason });
            }
        };
        self.check_guards(&before, &base, guarded)?;
        let mut state = self.waiting.state();
        if !state.has_thread {
            let reloader = self.clone();
            let thread = thread::Builder::new().name("llm-costmap-swap".to_owned());
            let thread = thread.spawn(move || reloader.swap_when_due());
            thread.map_err(|error| Error::Thread { source: Arc::new(error) })?;
            state.has_thread = true;
        }
        let pending = Pending { base, validators, at, length, guarded };
        if !is_known {
            log::info!("{source}: {}", pending.shown());
        }
        state.pending = Some(pending);
        drop(state);
        self.waiting.wake();
        Ok(())
    }

    /// Swaps in maps when their time has come. Returns when none waits any more, or when the last handle is
    /// dropped.
    fn swap_when_due(&self) {
        while self.wait_until_due() {
            let start = Instant::now();
            // A panic must not go unreported.
            let swapped = panics::catch(|| self.swap_pending()).unwrap_or_else(|said| {
                let origin = self.settings.origin.as_ref().map(|origin| origin.name()).unwrap_or_default();
                Err(Error::Fetch { origin, reason: format!("the swap panicked: {said}") })
            });
            let Some(result) = swapped.transpose() else { continue };
            let result: Result<ReloadReport, Error> = result.map(|applied| {
                let source = applied.report.source.clone();
                self.cached(applied, &source).since(start)
            });
            if result.is_err() {
                self.fetch_anew();
            }
            if matches!(result, Err(Error::Held)) {
                log::info!("the map is held: another, whose time has come, does not go live");
            }
            self.note(&result);
            self.tell(&result);
        }
    }

    /// Waits until the time of a map has come. Returns `false`, and the thread has to end, if none waits.
    fn wait_until_due(&self) -> bool {
        let mut state = self.waiting.state();
        loop {
            let at = state.pending.as_ref().map(|pending| pending.at).filter(|_| !self.stop.is_pulled());
            let Some(at) = at else {
                state.has_thread = false;
                return false;
            };
            let left = at.duration_since(SystemTime::now()).unwrap_or_default();
            if left.is_zero() {
                return true;
            }
            let waited = self.waiting.changed.wait_timeout(state, left.min(LOOK));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Swaps in the map that waits. Returns `None` if there is none by now whose time has come.
    fn swap_pending(&self) -> Result<Option<Applied>, Error> {
        let _one_at_a_time = lock(&self.applying);
        let now = SystemTime::now();
        let pending = self.waiting.state().pending.take_if(|pending| pending.at <= now);
        let Some(Pending { base, validators, length, guarded, .. }) = pending else { return Ok(None) };
        self.check_held()?;
        let live = self.live()?;
        let before = live.base();
        if before.version.whole_revision() == base.version.revision.as_ref() {
            return Ok(None);
        }
        self.swap(&live, &before, base, validators, length, guarded).map(Some)
    }
}
