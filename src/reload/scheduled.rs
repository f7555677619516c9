//! Reloads on a schedule: its start, its continuation after a restart, and the reload thread.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::reloader::Reloader;
use super::schedule::{LONGEST, Next};
use super::settings::Guarded;
use super::status::ScheduleStatus;
use crate::error::Error;
use crate::panics;
use crate::sync::lock;

/// The shortest interval of a schedule, whatever the source.
const SHORTEST: Duration = Duration::from_secs(1);

impl Reloader {
    /// Starts reloads at an interval, the first after `wait`, or replaces the running schedule.
    pub(crate) fn schedule(self: &Arc<Self>, every: Duration, wait: Duration) -> Result<(), Error> {
        if self.settings.origin.is_none() && !self.settings.is_env_forced {
            return Err(Error::NoSource);
        }
        let shortest = self.shortest_interval();
        let invalid = |reason| Error::InvalidSetting { setting: "schedule_reload", reason };
        if every < SHORTEST {
            return Err(invalid(format!("{every:?} is less than a second")));
        }
        if every < shortest {
            return Err(invalid(format!(
                "{every:?} is less than {shortest:?}, the shortest interval for a URL"
            )));
        }
        if every > LONGEST {
            return Err(invalid(format!("{every:?} is more than ten years")));
        }
        let reloader = self.clone();
        self.schedule.start(every, wait, move || reloader.run_schedule())
    }

    /// Returns the shortest interval that the source allows.
    fn shortest_interval(&self) -> Duration {
        let own = self.settings.origin.as_ref().map(|origin| origin.shortest_interval());
        own.unwrap_or_default().max(SHORTEST)
    }

    /// Continues the schedule of an earlier process.
    pub(crate) fn restore_schedule(self: &Arc<Self>, stored: &ScheduleStatus) -> Result<(), Error> {
        {
            let _nothing_is_swapped = lock(&self.applying);
            let live = self.live()?.base().version;
            let mut results = self.results();
            results.last_run = results.last_run.or(stored.last_run);
            // What was held was that map: another is not held in its place.
            if stored.held_since.is_some() && live.revision == stored.source_revision {
                results.held_since = results.held_since.or(stored.held_since);
            } else if stored.held_since.is_some() {
                log::warn!("the map was held, and is another now: it is not held");
            }
        }
        if let Some(every) = stored.interval()? {
            // A clock that was set back does not put the next reload off beyond the interval. A map that
            // waited for its time has to be fetched before that.
            let next_run = stored.next_run.filter(|_| stored.pending.is_none());
            let wait = next_run.and_then(|next| next.duration_since(SystemTime::now()).ok());
            // The source may have changed since, and its limits with it.
            let every = every.clamp(self.shortest_interval(), LONGEST);
            self.schedule(every, wait.unwrap_or_default().min(every))?;
        }
        Ok(())
    }

    /// Reloads when the schedule says so, and looks at a file in between. Returns when the schedule
    /// ends.
    fn run_schedule(self: &Arc<Self>) {
        let looks = self.settings.origin.as_ref().is_some_and(|origin| origin.watched().is_some());
        loop {
            // The results are not used here: the status has them, and the listeners were told.
            let (edition, ran) = match self.schedule.wait(looks) {
                Next::End => return,
                Next::Reload { edition } => {
                    // A panic must not end the thread.
                    let _ = panics::catch(|| self.reload(Guarded::Yes));
                    (edition, true)
                }
                Next::Look { edition } => {
                    let looked = panics::catch(|| self.reload_if_changed());
                    (edition, !matches!(looked, Ok(Ok(None) | Err(Error::Held))))
                }
            };
            if ran {
                let failures = self.results().failures;
                self.schedule.plan_next(edition, failures);
            }
        }
    }

    pub(crate) fn cancel_schedule(&self) -> bool {
        self.schedule.cancel()
    }
}
