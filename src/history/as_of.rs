//! [`AsOf`]: the instant whose prices are asked for. [`Recording`]: the source and the times of what is recorded.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::catalog::{BatchOrigin, Shows, Timelines, View};
use crate::error::Error;
use crate::retired::RetiredModels;
use crate::time;

/// The instant whose prices are asked for, and by when they must have been recorded.
///
/// Methods that take this also accept a plain [`SystemTime`].
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use llm_costmap::history::{AsOf, History, Recording};
/// use llm_costmap::{RetiredModels, Usage};
///
/// let history = History::new();
/// let at = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400);
/// let from = |days| Recording::new("the map").effective_from(at(days)).recorded_at(at(days));
/// history.record_map(r#"{"old": {"input_cost_per_token": 1e-6}, "new": {}}"#, from(20_000))?;
/// history.record_map(r#"{"new": {}}"#, from(20_030))?;
///
/// let usage = Usage::new(1_000_000, 0);
/// assert!(history.at(at(20_030)).total("old", &usage).is_err());
/// let with_retired = AsOf::new(at(20_030)).retired(RetiredModels::Keep);
/// assert_eq!(history.at(with_retired).total("old", &usage)?.to_string(), "1");
/// // The day before, nobody knew that the model would leave.
/// let as_known_then = AsOf::new(at(20_030)).recorded_by(at(20_029));
/// assert_eq!(history.at(as_known_then).total("old", &usage)?.to_string(), "1");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "this does nothing until it is handed to a history"]
pub struct AsOf {
    at: SystemTime,
    recorded_by: Option<SystemTime>,
    pub(crate) retired: RetiredModels,
}

impl AsOf {
    /// Asks for the prices that were in force at an instant, as they are known now.
    pub fn new(at: SystemTime) -> Self {
        Self { at, recorded_by: None, retired: RetiredModels::Forget }
    }

    /// Asks for what was recorded at this instant or before, so that a bill is made as it was then. Default:
    /// all that was recorded.
    pub fn recorded_by(mut self, recorded: SystemTime) -> Self {
        self.recorded_by = Some(recorded);
        self
    }

    /// Keeps or forgets models that had left the map by the instant. Default: [`RetiredModels::Forget`].
    pub fn retired(mut self, retired: RetiredModels) -> Self {
        self.retired = retired;
        self
    }

    pub(super) fn view(&self, timelines: Arc<Timelines>) -> View {
        View {
            timelines,
            at: time::as_micros(self.at),
            recorded: self.recorded_by.map_or(i64::MAX, time::as_micros),
            shows: Shows::InForce,
        }
    }
}

impl From<SystemTime> for AsOf {
    fn from(at: SystemTime) -> Self {
        Self::new(at)
    }
}

/// The most that the clocks of two machines are taken to differ.
const CLOCKS_APART: Duration = Duration::from_secs(86_400);

/// The source of what is recorded in a [`History`](super::History), and its two times.
///
/// Times are kept to the microsecond.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "this does nothing until it is handed to a history"]
pub struct Recording {
    source: String,
    pub(super) effective_from: SystemTime,
    recorded_at: SystemTime,
}

impl Recording {
    /// Creates a recording of what applies from now on, and is recorded now. `source` says where it comes
    /// from: a URL, a path, or words. It must not contain a secret.
    pub fn new(source: impl Into<String>) -> Self {
        let now = SystemTime::now();
        Self { source: source.into(), effective_from: now, recorded_at: now }
    }

    /// Sets the instant from which the prices apply. Default: now.
    pub fn effective_from(mut self, effective_from: SystemTime) -> Self {
        self.effective_from = effective_from;
        self
    }

    /// Sets the instant at which the prices became known, which is not in the future. Default: now.
    pub fn recorded_at(mut self, recorded_at: SystemTime) -> Self {
        self.recorded_at = recorded_at;
        self
    }

    /// Refuses a time of recording in the future.
    pub(super) fn checked(self) -> Result<Self, Error> {
        if self.recorded_at > SystemTime::now() + CLOCKS_APART {
            let reason = "the time of its recording is in the future".to_owned();
            return Err(Error::NotRecorded { what: self.source, reason });
        }
        Ok(self)
    }

    /// Returns the origin of a batch.
    pub(super) fn origin(self, revision: Option<String>, is_map: bool) -> Result<BatchOrigin, Error> {
        let Self { source, effective_from, recorded_at } = self;
        for (which, time) in [("from which it applies", effective_from), ("of its recording", recorded_at)] {
            // Files have times in RFC 3339, which has years of four digits.
            let is_written = time::rfc3339(time).is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
            if !is_written {
                let reason = format!("the time {which} is not in the years 0 to 9999");
                return Err(Error::NotRecorded { what: source, reason });
            }
        }
        Ok(BatchOrigin {
            effective: time::as_micros(effective_from),
            recorded: time::as_micros(recorded_at),
            source,
            revision,
            is_map,
        })
    }
}
