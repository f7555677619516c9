//! A signal that ends all waits on behalf of a map.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::sync::lock;

/// A signal that is given once: after that, no wait goes on.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    pulled: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub(crate) fn pull(&self) {
        *lock(&self.pulled) = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_pulled(&self) -> bool {
        *lock(&self.pulled)
    }

    /// Waits for a time, or until the signal is given. Returns `false` if it was given.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let pulled = lock(&self.pulled);
        let waited = self.changed.wait_timeout_while(pulled, time, |pulled| !*pulled);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
