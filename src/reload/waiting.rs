//! The map that waits for its time.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::SystemTime;

use super::settings::Guarded;
use super::status::PendingMap;
use crate::live::VersionedCatalog;
use crate::source::Validators;
use crate::sync::lock;

/// The map that waits, and the thread that swaps it in.
#[derive(Default)]
pub(super) struct Waiting {
    state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) pending: Option<Pending>,
    pub(super) has_thread: bool,
}

/// A map that was read and checked, and goes live later.
pub(super) struct Pending {
    pub(super) base: VersionedCatalog,
    pub(super) validators: Validators,
    pub(super) at: SystemTime,
    /// The number of its bytes, unpacked.
    pub(super) length: usize,
    pub(super) guarded: Guarded,
}

impl Pending {
    pub(super) fn shown(&self) -> PendingMap {
        PendingMap {
            source_revision: self.base.version.revision.clone().unwrap_or_default(),
            models_count: self.base.catalog.len(),
            not_before: self.at,
        }
    }
}

impl Waiting {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Wakes the thread, so that it looks at what changed.
    pub(super) fn wake(&self) {
        // A thread that is about to wait has the lock until it does.
        drop(self.state());
        self.changed.notify_all();
    }
}
