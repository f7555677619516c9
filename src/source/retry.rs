//! Further attempts: which failures call for one, and when.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;
use ureq::http::header::RETRY_AFTER;

/// The longest wait before another attempt.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The reason that an attempt failed, and whether another is made.
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) retry: Retry,
}

pub(super) enum Retry {
    Never,
    /// After a backoff of the client's own.
    Soon,
    /// After the time that the server asks for.
    After(Duration),
}

impl Failure {
    pub(super) fn last(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: Retry::Never }
    }

    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: Retry::Soon }
    }
}

/// Returns the wait that a server asks for with `Retry-After`, in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    // A date in the past asks for no wait.
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderValue;

    use super::*;

    #[test]
    fn waits_as_long_as_it_is_asked_to() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sunday, 06-Nov-94 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Tue, 06 Nov 1984 08:49:37 GMT"), Some(Duration::ZERO));
        for nonsense in ["-1", "soon", "", "1.5"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }
}
