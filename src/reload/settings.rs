//! The settings of reloads.

use std::sync::Arc;

use super::cache::Cache;
use super::guard::Guards;
use super::status::ReloadReport;
use crate::cost::Adjustments;
use crate::error::Error;
use crate::history::History;
use crate::retired::RetiredModels;
use crate::snapshot::TrustedProviders;
use crate::source::Origin;

/// A callback for each reload that replaced the map, and for each that failed.
pub(crate) type Listener = dyn Fn(&Result<ReloadReport, Error>) + Send + Sync;

/// The settings that a map is built with.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) origin: Option<Box<dyn Origin>>,
    pub(crate) guards: Guards,
    pub(crate) cache: Option<Cache>,
    pub(crate) is_env_forced: bool,
    pub(crate) trusted: TrustedProviders,
    pub(crate) adjustments: Option<Arc<Adjustments>>,
    pub(crate) retired: RetiredModels,
    pub(crate) history: Option<History>,
    /// The number of replaced maps to keep for rollbacks. `None` for [`KEPT_MAPS`].
    pub(crate) kept_maps: Option<usize>,
}

/// The number of replaced maps that are kept by default.
pub(crate) const KEPT_MAPS: usize = 1;

/// The choice between a reload that guards may refuse, and a forced one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarded {
    Yes,
    Forced,
}
