//! Panics in the code of callers: sources and listeners.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::redact;

/// Runs the code of a caller. Returns the message of a panic as an error, without credentials.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        if let Some(text) = text {
            return redact::shown(text);
        }
        // A payload of another type may panic again when it is dropped.
        std::mem::forget(payload);
        "it says not why".to_owned()
    })
}
