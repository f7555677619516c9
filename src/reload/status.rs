//! Reports of reloads, with the field names of LiteLLM's endpoints.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::catalog::{SetAside, Warning};
use crate::diff::Diff;
use crate::error::Error;
use crate::time;

/// The result of a reload that succeeded.
///
/// It serialises with the names that LiteLLM's `POST /reload/model_cost_map` has (`models_count`,
/// `source_revision`, `etag`, `timestamp`), among others. A diff may have thousands of changes:
/// [`summary`](Self::summary) serialises without them. The `Display` of both is one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReloadReport {
    /// The outcome: the map was replaced, or was unchanged.
    pub outcome: ReloadOutcome,
    /// The generation that is live now.
    pub generation: u64,
    /// The number of models in the source's map, without the operator's.
    pub models_count: usize,
    /// The git blob id of the map's bytes, as `git hash-object` prints it.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave the map.
    pub etag: Option<String>,
    /// The origin of the map: a path, a URL without credentials, or a source's name.
    pub source: String,
    /// The number of bytes fetched, decoded. Zero if the source reported that nothing had changed.
    pub bytes: usize,
    /// The changes from the previous map. The operator's models are not compared.
    #[serde(flatten)]
    pub diff: Diff,
    /// The rows that were not loaded, since their prices cannot be trusted.
    pub set_aside: Vec<SetAside>,
    /// Warnings about rows that were loaded nevertheless, and about the operator's models and
    /// deployments that could not be laid over the new map and stay as they were.
    pub warnings: Vec<Warning>,
    /// The refusal of a guard that a forced reload bypassed.
    pub forced_past: Option<String>,
    /// The reason that the map could not be written to the cache, if so. The map is live
    /// nevertheless.
    pub cache_error: Option<String>,
    /// The reason that what went live could not be written to the
    /// [history](crate::CostMapBuilder::history), if so. It is written with what is recorded next.
    pub history_error: Option<String>,
    /// The map that goes live later, if the source names one.
    pub pending: Option<PendingMap>,
    /// The duration of the reload, fetch included. Serialised in seconds, as `seconds`.
    #[serde(rename = "seconds", serialize_with = "time::serialize_seconds")]
    pub took: Duration,
    /// The time at which the reload ended.
    #[serde(serialize_with = "time::serialize")]
    pub timestamp: SystemTime,
}

impl ReloadReport {
    /// Returns whether the source has the map that was live already, so that nothing was swapped.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.outcome == ReloadOutcome::Unchanged
    }

    /// Returns the report with numbers in the place of its lists.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::CostMap;
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let report = map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}, "n": {}}"#)?;
    /// assert_eq!(report.summary().added, 1);
    /// assert_eq!(
    ///     report.to_string(),
    ///     "the text that was handed in: generation 2 has 2 models: 1 added, 0 removed, 1 prices changed, 0 rows set aside"
    /// );
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn summary(&self) -> ReloadSummary {
        ReloadSummary {
            outcome: self.outcome,
            generation: self.generation,
            models_count: self.models_count,
            source_revision: self.source_revision.clone(),
            etag: self.etag.clone(),
            source: self.source.clone(),
            bytes: self.bytes,
            added: self.diff.added.len(),
            removed: self.diff.removed.len(),
            repriced: self.diff.repriced.len(),
            expired: self.diff.expired.len(),
            set_aside: self.set_aside.len(),
            warnings: self.warnings.len(),
            forced_past: self.forced_past.clone(),
            cache_error: self.cache_error.clone(),
            history_error: self.history_error.clone(),
            pending: self.pending.clone(),
            took: self.took,
            timestamp: self.timestamp,
        }
    }
}

impl fmt::Display for ReloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

/// A [`ReloadReport`] without its lists: from [`ReloadReport::summary`].
///
/// It serialises with the names of the report, and numbers as `added`, `removed`, `repriced`,
/// `set_aside` and `warnings`. Its `Display` is one line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReloadSummary {
    /// The outcome: the map was replaced, or was unchanged.
    pub outcome: ReloadOutcome,
    /// The generation that is live now.
    pub generation: u64,
    /// The number of models in the source's map, without the operator's.
    pub models_count: usize,
    /// The git blob id of the map's bytes.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave the map.
    pub etag: Option<String>,
    /// The origin of the map: a path, a URL without credentials, or a source's name.
    pub source: String,
    /// The number of bytes fetched, decoded.
    pub bytes: usize,
    /// The number of added models.
    pub added: usize,
    /// The number of removed models.
    pub removed: usize,
    /// The number of changed prices.
    pub repriced: usize,
    /// The number of corrections that no longer apply.
    pub expired: usize,
    /// The number of rows that were not loaded.
    pub set_aside: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The refusal of a guard that a forced reload bypassed.
    pub forced_past: Option<String>,
    /// The reason that the map could not be written to the cache, if so.
    pub cache_error: Option<String>,
    /// The reason that what went live could not be written to the
    /// [history](crate::CostMapBuilder::history), if so. It is written with what is recorded next.
    pub history_error: Option<String>,
    /// The map that goes live later, if the source names one.
    pub pending: Option<PendingMap>,
    /// The duration of the reload, fetch included. Serialised in seconds, as `seconds`.
    #[serde(rename = "seconds", serialize_with = "time::serialize_seconds")]
    pub took: Duration,
    /// The time at which the reload ended.
    #[serde(serialize_with = "time::serialize")]
    pub timestamp: SystemTime,
}

impl fmt::Display for ReloadSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: generation {} has {} models: ", self.source, self.generation, self.models_count)?;
        match self.outcome {
            ReloadOutcome::Unchanged => f.write_str("unchanged"),
            ReloadOutcome::Replaced => write!(
                f,
                "{} added, {} removed, {} prices changed, {} rows set aside",
                self.added, self.removed, self.repriced, self.set_aside
            ),
        }?;
        if self.expired > 0 {
            let (corrections, apply) = match self.expired {
                1 => ("correction", "applies"),
                _ => ("corrections", "apply"),
            };
            write!(f, "; {} {corrections} no longer {apply}", self.expired)?;
        }
        self.pending.as_ref().map_or(Ok(()), |pending| write!(f, "; {pending}"))
    }
}

/// A map that was fetched and checked, and goes live later: see
/// [`PointerSource`](crate::source::PointerSource).
///
/// Its `Display` is as in `revision 48eb463b14b5f9e0fa71add798fb8802953a61ff goes live at
/// 2026-12-01T00:00:00.000000+00:00`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PendingMap {
    /// The git blob id of the map's bytes.
    pub source_revision: String,
    /// The number of its models.
    pub models_count: usize,
    /// The time at which it goes live.
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::deserialize")]
    pub not_before: SystemTime,
}

impl fmt::Display for PendingMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = time::rfc3339(self.not_before).unwrap_or_default();
        write!(f, "revision {} goes live at {at}", self.source_revision)
    }
}

/// The outcome of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadOutcome {
    /// The source has the map that was live already.
    Unchanged,
    /// A new generation is live.
    Replaced,
}

/// The state of a map's reloads, from [`CostMap::status`](crate::CostMap::status).
///
/// It serialises with the names that LiteLLM's `GET /schedule/model_cost_map_reload/status` has,
/// among others. Stored and read back, by another process, it continues the schedule: see
/// [`CostMap::restore_schedule`](crate::CostMap::restore_schedule). Fields that are missing when it
/// is read have no value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// True if reloads are scheduled.
    pub scheduled: bool,
    /// The interval of the schedule, in hours.
    #[serde(serialize_with = "time::serialize_hours")]
    pub interval_hours: Option<f64>,
    /// The time at which the last reload from the source ended, successful or not, scheduled or
    /// requested by a call.
    #[serde(serialize_with = "time::serialize_option", deserialize_with = "time::deserialize_option")]
    pub last_run: Option<SystemTime>,
    /// The time at which the next scheduled reload is due.
    #[serde(serialize_with = "time::serialize_option", deserialize_with = "time::deserialize_option")]
    pub next_run: Option<SystemTime>,
    /// The git blob id of the live map's bytes.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave the live map.
    pub etag: Option<String>,
    /// The error of the last reload from the source, if it failed.
    pub last_error: Option<String>,
    /// The time of the first failure since the last reload from the source that succeeded.
    #[serde(serialize_with = "time::serialize_option", deserialize_with = "time::deserialize_option")]
    pub failing_since: Option<SystemTime>,
    /// The number of failures since the last reload from the source that succeeded.
    pub failures: u32,
    /// The reason that the cache could not be read or written when it was last used, if so.
    pub cache_error: Option<String>,
    /// The reason that what went live could not be written to the
    /// [history](crate::CostMapBuilder::history), if so. It is written with what is recorded next.
    pub history_error: Option<String>,
    /// The panic of the last listener that panicked.
    pub listener_error: Option<String>,
    /// The time since which the map is held, if it is: see [`CostMap::hold`](crate::CostMap::hold).
    #[serde(serialize_with = "time::serialize_option", deserialize_with = "time::deserialize_option")]
    pub held_since: Option<SystemTime>,
    /// The map that goes live later, if the source names one.
    pub pending: Option<PendingMap>,
}

impl ScheduleStatus {
    /// Returns the interval. Returns `None` if nothing is scheduled.
    pub(super) fn interval(&self) -> Result<Option<Duration>, Error> {
        let Some(hours) = self.interval_hours.filter(|_| self.scheduled) else { return Ok(None) };
        // A minute is no whole number of hours in binary: rounded to the millisecond.
        let every = Duration::try_from_secs_f64((hours * 3_600_000.0).round() / 1_000.0);
        every.map(Some).map_err(|_| Error::InvalidSetting {
            setting: "interval_hours",
            reason: format!("{hours} is no number of hours"),
        })
    }
}

/// The origin of the live map, from [`CostMap::source_info`](crate::CostMap::source_info).
///
/// It serialises with the names that LiteLLM's `GET /model/cost_map/source` has, and `origin`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct SourceInfo {
    /// `remote` if the map was fetched from a URL or a custom source, in this process or, with the
    /// cache, an earlier one; otherwise `local`.
    pub source: &'static str,
    /// The origin of the live map: `bundled`, `cache`, a path, a URL without credentials, or a
    /// source's name.
    pub origin: String,
    /// The URL that reloads fetch from, without credentials.
    pub url: Option<String>,
    /// True if the environment asks for the bundled map (`LITELLM_LOCAL_MODEL_COST_MAP`).
    pub is_env_forced: bool,
    /// The reason that the live map is not the source's, if so.
    pub fallback_reason: Option<String>,
    /// The time at which the live map went live.
    #[serde(serialize_with = "time::serialize")]
    pub loaded_at: SystemTime,
    /// The git blob id of the live map's bytes. For the bundled map, that of upstream's file.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave the live map.
    pub etag: Option<String>,
    /// The number of models, the operator's included.
    pub model_count: usize,
}
