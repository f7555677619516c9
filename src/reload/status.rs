//! What is told of reloads, in the words of LiteLLM's endpoints.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::catalog::{SetAside, Warning};
use crate::diff::Diff;
use crate::time;

/// What a reload did.
///
/// It serialises with the names that LiteLLM's `POST /reload/model_cost_map` has (`models_count`, `source_revision`, `etag`, `timestamp`),
/// among others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReloadReport {
    /// Whether the map was replaced.
    pub outcome: ReloadOutcome,
    /// The generation that is live now.
    pub generation: u64,
    /// How many models the source's map has, the operator's not counted.
    pub models_count: usize,
    /// The git blob id of the map's bytes, as `git hash-object` prints it.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave it.
    pub etag: Option<String>,
    /// Where it is from: a path, a URL without credentials, a source's name.
    pub source: String,
    /// How many bytes were fetched, decoded; 0 where the source said that nothing had changed.
    pub bytes: usize,
    /// What changed. The operator's models are not looked at.
    #[serde(flatten)]
    pub diff: Diff,
    /// The rows that were not loaded, since their prices cannot be trusted.
    pub set_aside: Vec<SetAside>,
    /// What is odd about rows that were loaded all the same, and which of the operator's models and deployments could not be laid over
    /// the new map and stay as they were.
    pub warnings: Vec<Warning>,
    /// What a guard said that a forced reload went past.
    pub forced_past: Option<String>,
    /// Why the map was not written to the cache, if so. It is live all the same.
    pub cache_error: Option<String>,
    /// How long it took, fetch included. In seconds where it is serialised.
    #[serde(rename = "seconds", serialize_with = "time::serialize_seconds")]
    pub took: Duration,
    /// When it was done.
    #[serde(serialize_with = "time::serialize")]
    pub timestamp: SystemTime,
}

impl ReloadReport {
    /// Whether the source has what is live already: nothing was swapped.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.outcome == ReloadOutcome::Unchanged
    }
}

/// Whether a reload replaced the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadOutcome {
    /// The source has what is live already.
    Unchanged,
    /// A new generation is live.
    Replaced,
}

/// How the reloads of a map are going: from [`CostMap::status`](crate::CostMap::status).
///
/// It serialises with the names that LiteLLM's `GET /schedule/model_cost_map_reload/status` has, among others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// Whether reloads are scheduled.
    pub scheduled: bool,
    /// How often, in hours.
    pub interval_hours: Option<f64>,
    /// When the last reload from the source ended, well or not, scheduled or by hand.
    #[serde(serialize_with = "time::serialize_option")]
    pub last_run: Option<SystemTime>,
    /// When the next one is due.
    #[serde(serialize_with = "time::serialize_option")]
    pub next_run: Option<SystemTime>,
    /// The git blob id of the live map's bytes.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave it.
    pub etag: Option<String>,
    /// Why the last reload from the source failed, if it did.
    pub last_error: Option<String>,
    /// Since when all of them have failed.
    #[serde(serialize_with = "time::serialize_option")]
    pub failing_since: Option<SystemTime>,
    /// How many have.
    pub failures: u32,
    /// Why the cache could not be read or written, the last time that it was tried.
    pub cache_error: Option<String>,
    /// How the last listener that panicked did.
    pub listener_error: Option<String>,
}

/// Where the live map is from: from [`CostMap::source_info`](crate::CostMap::source_info).
///
/// It serialises with the names that LiteLLM's `GET /model/cost_map/source` has, and `origin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SourceInfo {
    /// `remote` where it was fetched from a URL or a source of one's own, now or before the last start; else `local`.
    pub source: &'static str,
    /// Where its bytes are from: `bundled`, `cache`, a path, a URL without credentials, a source's name.
    pub origin: String,
    /// The URL that reloads fetch from, without credentials.
    pub url: Option<String>,
    /// Whether the environment asks for the bundled map (`LITELLM_LOCAL_MODEL_COST_MAP`).
    pub is_env_forced: bool,
    /// Why it is not what the source has, where it is not.
    pub fallback_reason: Option<String>,
    /// When it went live.
    #[serde(serialize_with = "time::serialize")]
    pub loaded_at: SystemTime,
    /// The git blob id of its bytes; of the bundled map, that of upstream's file.
    pub source_revision: Option<String>,
    /// The entity tag that the source gave it.
    pub etag: Option<String>,
    /// How many models there are, the operator's included.
    pub model_count: usize,
}
