//! The maps that went live and are to be recorded.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::SystemTime;

use crate::live::VersionedCatalog;

/// The maps that went live and are to be recorded, oldest first, each with the time at which it did.
#[derive(Default)]
pub(super) struct Unrecorded {
    pub(super) maps: Mutex<VecDeque<(VersionedCatalog, SystemTime)>>,
    /// Held while maps are recorded, so that they are in their order.
    pub(super) recording: Mutex<()>,
}
