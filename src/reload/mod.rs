//! Reports of reloads: their outcome, the schedule, and the differences between maps.
//!
//! [`CostMap::reload`](crate::CostMap::reload) returns a [`ReloadReport`],
//! [`CostMap::status`](crate::CostMap::status) a [`ScheduleStatus`],
//! [`CostMap::source_info`](crate::CostMap::source_info) a [`SourceInfo`],
//! [`Snapshot::diff`](crate::Snapshot::diff) a [`Diff`], and
//! [`CostMap::generation`](crate::CostMap::generation) a [`Generation`].

mod arrived;
pub(crate) mod cache;
mod cached;
mod flight;
pub(crate) mod guard;
mod hold;
mod pending;
mod recorded;
mod reloader;
mod results;
mod schedule;
mod scheduled;
mod settings;
mod settle;
mod status;
mod unrecorded;
mod waiting;

pub use crate::catalog::{SetAside, UnpricedField, Warning};
pub use crate::diff::{Diff, Repriced};
pub use crate::overlay::ExpiredCorrection;
pub use crate::version::Generation;
pub(crate) use reloader::Reloader;
pub(crate) use results::Results;
pub(crate) use settings::{Guarded, KEPT_MAPS, Listener, Settings};
pub use status::{PendingMap, ReloadOutcome, ReloadReport, ReloadSummary, ScheduleStatus, SourceInfo};
