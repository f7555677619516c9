//! The thread that reloads: one a map, parked but for its runs and, where the source is a file, a look every second.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::{Guarded, Reloader};
use crate::error::Error;
use crate::jitter;
use crate::panics;
use crate::sync::lock;

/// How often a file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long after a first failure a reload is tried again; doubled after each further one.
const FIRST_RETRY: Duration = Duration::from_secs(30);

/// Longer intervals are this long.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// When the next reload is, and what wakes the thread.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    plan: Mutex<Plan>,
    changed: Condvar,
}

/// What a thread goes by.
#[derive(Debug, Default, Clone)]
pub(crate) struct Plan {
    /// `None` where nothing is scheduled.
    pub(crate) every: Option<Duration>,
    /// When the next reload is due, for people.
    pub(crate) next_run: Option<SystemTime>,
    /// The same, by a clock that nobody sets.
    due: Option<Instant>,
    /// Counts the schedules, so that a run of one does not plan for another.
    edition: u64,
    has_thread: bool,
    closed: bool,
}

impl Plan {
    fn next_in(&mut self, wait: Duration) {
        self.due = Instant::now().checked_add(wait);
        self.next_run = SystemTime::now().checked_add(wait);
    }
}

/// What a thread does next.
enum Next {
    Reload { edition: u64 },
    Look { edition: u64 },
    End,
}

impl Schedule {
    pub(crate) fn plan(&self) -> Plan {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    /// Schedules reloads in the place of those that were; the first is due at once.
    pub(super) fn start(&self, reloader: &Arc<Reloader>, every: Duration) -> Result<(), Error> {
        let mut plan = self.lock();
        if !plan.has_thread {
            let reloader = reloader.clone();
            let spawned = thread::Builder::new().name("llm-costmap".to_owned()).spawn(move || run(&reloader));
            spawned.map_err(|source: io::Error| Error::Thread { source: Arc::new(source) })?;
            plan.has_thread = true;
        }
        plan.every = Some(every.min(LONGEST));
        plan.edition += 1;
        plan.next_in(Duration::ZERO);
        drop(plan);
        self.changed.notify_all();
        Ok(())
    }

    /// Ends the schedule, and its thread. Whether there was one.
    pub(super) fn cancel(&self) -> bool {
        let mut plan = self.lock();
        let was_scheduled = plan.every.take().is_some();
        plan.next_run = None;
        plan.edition += 1;
        drop(plan);
        self.changed.notify_all();
        was_scheduled
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until there is something to do.
    fn wait(&self, looks: bool) -> Next {
        let mut plan = self.lock();
        let next_look = Instant::now() + LOOK;
        loop {
            if plan.closed || plan.every.is_none() {
                plan.has_thread = false;
                return Next::End;
            }
            let now = Instant::now();
            if plan.due.is_some_and(|due| due <= now) {
                return Next::Reload { edition: plan.edition };
            }
            if looks && next_look <= now {
                return Next::Look { edition: plan.edition };
            }
            let wake =
                if looks { plan.due.map(|due| due.min(next_look)).or(Some(next_look)) } else { plan.due };
            let wait = wake.map_or(LONGEST, |wake| wake.saturating_duration_since(now));
            plan = self.changed.wait_timeout(plan, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Plans the next reload after one that ended.
    fn plan_next(&self, edition: u64, failures: u32) {
        let mut plan = self.lock();
        if let (true, Some(every)) = (plan.edition == edition, plan.every) {
            plan.next_in(next_wait(every, failures));
        }
    }
}

/// The interval, or up to a tenth less, so that a fleet does not ask as one; sooner after a failure.
fn next_wait(every: Duration, failures: u32) -> Duration {
    let wait = match failures {
        0 => every,
        _ => FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16)).min(every / 2),
    };
    wait.mul_f64(1.0 - jitter::fraction() / 10.0)
}

fn run(reloader: &Reloader) {
    let looks = reloader.settings.origin.as_ref().is_some_and(|origin| origin.as_file().is_some());
    loop {
        // What comes of it is in the status, and the listeners heard it.
        let (edition, ran) = match reloader.schedule.wait(looks) {
            Next::End => return,
            Next::Reload { edition } => {
                // Whatever happens in a run, there is a next one.
                let _ = panics::catch(|| reloader.reload(Guarded::Yes));
                (edition, true)
            }
            Next::Look { edition } => {
                let looked = panics::catch(|| reloader.reload_if_changed());
                (edition, !matches!(looked, Ok(Ok(None))))
            }
        };
        if ran {
            let failures = reloader.history().failures;
            reloader.schedule.plan_next(edition, failures);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tried_again_sooner_and_sooner_less_often() {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        for (every, failures, most) in [
            (hours(6), 0, hours(6)),
            (hours(6), 1, Duration::from_secs(30)),
            (hours(6), 2, Duration::from_secs(60)),
            (hours(6), 3, Duration::from_secs(120)),
            (hours(6), 100, hours(3)),
            (Duration::from_secs(10), 1, Duration::from_secs(5)),
            (LONGEST, 0, LONGEST),
        ] {
            let wait = next_wait(every, failures);
            assert!(wait <= most && wait >= most.mul_f64(0.9), "{every:?} {failures}: {wait:?}");
        }
    }
}
