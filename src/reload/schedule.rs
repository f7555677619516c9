//! The reload thread. Each map has at most one. It sleeps except for reloads and, if the source is
//! a file, for a look at the file every second.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::error::Error;
use crate::jitter;
use crate::sync::lock;

/// The interval at which a file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The wait before the reload after a first failure. It doubles with each further failure.
const FIRST_RETRY: Duration = Duration::from_secs(30);

/// The longest interval: ten years.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The time of the next reload, and the signal that wakes the thread when it changes.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    plan: Mutex<Plan>,
    changed: Condvar,
}

/// The state of a schedule.
#[derive(Debug, Default, Clone)]
pub(crate) struct Plan {
    /// The interval. `None` if nothing is scheduled.
    pub(crate) every: Option<Duration>,
    /// The time at which the next reload is due, for people.
    pub(crate) next_run: Option<SystemTime>,
    /// The same time on the monotonic clock, which is the one that counts.
    due: Option<Instant>,
    /// The number of times that the schedule was changed, so that a reload of an earlier schedule
    /// does not plan the next one of a later schedule.
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

/// The next action of the thread.
pub(super) enum Next {
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

    /// Replaces the schedule, and starts the thread, with `run`, if there is none. The first reload
    /// is due after `wait`.
    ///
    /// # Errors
    ///
    /// [`Error::Thread`] if the system does not start the thread.
    pub(super) fn start(
        &self,
        every: Duration,
        wait: Duration,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        let mut plan = self.lock();
        if !plan.has_thread {
            let spawned = thread::Builder::new().name("llm-costmap".to_owned()).spawn(run);
            spawned.map_err(|source: io::Error| Error::Thread { source: Arc::new(source) })?;
            plan.has_thread = true;
        }
        plan.every = Some(every);
        plan.edition += 1;
        plan.next_in(wait);
        drop(plan);
        self.changed.notify_all();
        Ok(())
    }

    /// Has the next reload run at once, if reloads are scheduled.
    pub(super) fn run_now(&self) {
        let mut plan = self.lock();
        if plan.every.is_some() {
            plan.edition += 1;
            plan.next_in(Duration::ZERO);
        }
        drop(plan);
        self.changed.notify_all();
    }

    /// Cancels the schedule and ends its thread. Returns whether a schedule existed.
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

    /// Waits for the next action. `looks` is `true` if the source is a file.
    pub(super) fn wait(&self, looks: bool) -> Next {
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

    /// Plans the next reload after one that ended, unless the schedule was changed meanwhile.
    pub(super) fn plan_next(&self, edition: u64, failures: u32) {
        let mut plan = self.lock();
        if let (true, Some(every)) = (plan.edition == edition, plan.every) {
            plan.next_in(next_wait(every, failures));
        }
    }
}

/// Returns the wait before the next reload: the interval, or a shorter wait after a failure. Up to
/// a tenth is taken off, so that the processes of a fleet do not ask at the same time.
fn next_wait(every: Duration, failures: u32) -> Duration {
    let wait = match failures {
        0 => every,
        _ => FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16)).min(every / 2),
    };
    wait.mul_f64(1.0 - jitter::fraction() / 10.0)
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
