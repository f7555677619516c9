//! Maps that wait for the time at which they go live.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::reloader::{Applied, Arrived, Reloader};
use super::settings::Guarded;
use super::status::{PendingMap, ReloadReport};
use crate::error::Error;
use crate::live::VersionedCatalog;
use crate::panics;
use crate::source::{Upcoming, Validators};
use crate::sync::lock;
use crate::version::Channel;

/// The longest wait before another look at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// A map that was read and checked, and goes live later.
pub(super) struct Pending {
    base: VersionedCatalog,
    validators: Validators,
    at: SystemTime,
    /// The number of its bytes, unpacked.
    length: usize,
    guarded: Guarded,
    /// Tells the map of one thread that waits from that of another.
    edition: Arc<()>,
}

impl Pending {
    pub(super) fn shown(&self) -> PendingMap {
        PendingMap {
            source_revision: self.base.version.revision.clone().unwrap_or_default(),
            models_count: self.base.catalog.len(),
            not_before: self.at,
        }
    }
}

impl Reloader {
    /// Returns the map that waits, as reports show it.
    pub(super) fn pending_map(&self) -> Option<PendingMap> {
        lock(&self.pending).as_ref().map(Pending::shown)
    }

    /// Forgets the map that waits.
    pub(super) fn forget_pending(&self) {
        *lock(&self.pending) = None;
    }

    /// Reads and checks a map that goes live later, and starts the thread that waits for that.
    pub(super) fn prepare(
        self: &Arc<Self>,
        upcoming: Upcoming,
        validators: Validators,
        source: &str,
        guarded: Guarded,
    ) -> Result<(), Error> {
        let Upcoming { map, at } = upcoming;
        let edition = Arc::new(());
        {
            let _nothing_is_swapped = lock(&self.applying);
            self.check_held()?;
            let before = self.live()?.base();
            let mut pending = lock(&self.pending);
            if before.version.revision.as_ref() == Some(&map.revision) {
                *pending = None;
                return Ok(());
            }
            let known = pending.as_ref().map(|pending| (&pending.base, pending.at));
            let known = known.filter(|(base, _)| base.version.revision.as_ref() == Some(&map.revision));
            if known.is_some_and(|(_, known)| known == at) {
                return Ok(());
            }
            let length = map.bytes.len();
            let base = match known {
                Some((base, _)) => base.clone(),
                None => Arrived { map, source: source.to_owned(), channel: Channel::Source }.read()?,
            };
            self.check_guards(&before, &base, guarded)?;
            *pending = Some(Pending { base, validators, at, length, guarded, edition: edition.clone() });
        }
        let reloader = self.clone();
        let waiting = thread::Builder::new().name("llm-costmap-swap".to_owned());
        if let Err(error) = waiting.spawn(move || reloader.wait_and_swap(&edition)) {
            self.forget_pending();
            return Err(Error::Thread { source: Arc::new(error) });
        }
        if let Some(pending) = self.pending_map() {
            log::info!("{source}: {pending}");
        }
        Ok(())
    }

    /// Waits until the time of a map has come, and swaps it in. Returns at once if another map takes its
    /// place, or if the last handle is dropped.
    fn wait_and_swap(&self, edition: &Arc<()>) {
        let is_ours = |pending: &Pending| Arc::ptr_eq(&pending.edition, edition);
        loop {
            let at =
                lock(&self.pending).as_ref().filter(|pending| is_ours(pending)).map(|pending| pending.at);
            let Some(at) = at else { return };
            match at.duration_since(SystemTime::now()) {
                Ok(left) if !left.is_zero() => {
                    if !self.stop.sleep(left.min(LOOK)) {
                        return;
                    }
                }
                _ => break,
            }
        }
        let start = Instant::now();
        // A panic must not go unreported.
        let result = panics::catch(|| self.swap_pending(edition)).unwrap_or_else(|said| {
            let origin = self.settings.origin.as_ref().map(|origin| origin.name()).unwrap_or_default();
            Err(Error::Fetch { origin, reason: format!("the swap panicked: {said}") })
        });
        let Some(result) = result.transpose() else { return };
        let result: Result<ReloadReport, Error> = result.map(|applied| {
            let source = applied.report.source.clone();
            self.cached(applied, &source).since(start)
        });
        if result.is_err() {
            self.fetch_anew();
        }
        self.note(&result);
        self.tell(&result);
    }

    /// Swaps in the map that waits. Returns `None` if that is another one by now.
    fn swap_pending(&self, edition: &Arc<()>) -> Result<Option<Applied>, Error> {
        let _one_at_a_time = lock(&self.applying);
        let pending = lock(&self.pending).take_if(|pending| Arc::ptr_eq(&pending.edition, edition));
        let Some(Pending { base, validators, length, guarded, .. }) = pending else { return Ok(None) };
        self.check_held()?;
        let live = self.live()?;
        let before = live.base();
        if before.version.revision == base.version.revision && before.version.channel != Channel::Bundled {
            return Ok(None);
        }
        self.swap(&live, &before, base, validators, length, guarded).map(Some)
    }
}
