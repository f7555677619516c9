//! The points and batches of a history, as they are returned.

use std::time::SystemTime;

use serde::Serialize;

use crate::catalog::BatchOrigin;
use crate::model_info::ModelInfo;
use crate::time;

/// A point at which the row of a model changes: from [`History::points`](super::History::points).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PricePoint {
    /// The instant from which the row applies.
    pub effective_from: SystemTime,
    /// The instant at which it became known.
    pub recorded_at: SystemTime,
    /// The source of the row.
    pub source: String,
    /// True if the row is that of a whole map, and false if it is a correction.
    pub is_of_map: bool,
    /// The row. `None` if the model is gone.
    pub model_info: Option<ModelInfo<'static>>,
}

impl PricePoint {
    pub(super) fn of(model: &str, origin: &BatchOrigin, row: Option<&str>) -> Self {
        Self {
            effective_from: time::of_micros(origin.effective),
            recorded_at: time::of_micros(origin.recorded),
            source: origin.source.clone(),
            is_of_map: origin.is_map,
            model_info: row.map(|row| ModelInfo::of_text(model.to_owned(), row.to_owned())),
        }
    }
}

/// Rows that were recorded together: from [`History::batches`](super::History::batches).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct RecordedBatch {
    /// The instant from which the rows apply.
    #[serde(serialize_with = "crate::time::serialize")]
    pub effective_from: SystemTime,
    /// The instant at which they became known.
    #[serde(serialize_with = "crate::time::serialize")]
    pub recorded_at: SystemTime,
    /// The source of the rows.
    pub source: String,
    /// The git blob id of the map, if the rows are those of one.
    pub source_revision: Option<String>,
    /// True if the rows are the changes of a whole map, and false if they are corrections.
    pub is_map: bool,
}

impl RecordedBatch {
    pub(super) fn of(origin: &BatchOrigin) -> Self {
        Self {
            effective_from: time::of_micros(origin.effective),
            recorded_at: time::of_micros(origin.recorded),
            source: origin.source.clone(),
            source_revision: origin.revision.clone(),
            is_map: origin.is_map,
        }
    }
}
