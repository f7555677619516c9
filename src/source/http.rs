//! [`HttpSource`]: how a map is fetched from a URL.

use std::fmt;
use std::time::Duration;

use fluent_uri::Uri;

use super::MAX_BYTES;
use super::address::shown;

/// A map behind a URL, and how to fetch it.
///
/// By default an attempt waits 5 s for a connection, 10 s for each answer and each piece of it, and 30 s in all. It tries three times
/// where the server is busy or the connection breaks, follows five redirects but none from https to http, and reads at most
/// 64 MiB of JSON, decoded. It trusts the certificates that the platform trusts, and goes through the proxies that the environment
/// names (`https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use llm_costmap::{CostMap, HttpSource};
///
/// let source = HttpSource::new("https://maps.example/model_prices.json")
///     .header("authorization", "Bearer …")
///     .overall_timeout(Duration::from_secs(10));
/// let map = CostMap::builder().http(source).build()?;
/// map.reload()?;
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a source does nothing until a map is built with it"]
pub struct HttpSource {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) overall_timeout: Duration,
    pub(super) attempts: u32,
    pub(super) retry_delay: Duration,
    pub(super) max_bytes: u64,
    pub(super) max_redirects: u32,
    pub(super) roots: Option<Vec<u8>>,
}

impl HttpSource {
    /// The map behind a URL of `http` or `https`. A name and a password in it are sent as basic authentication.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(10),
            overall_timeout: Duration::from_secs(30),
            attempts: 3,
            retry_delay: Duration::from_millis(500),
            max_bytes: MAX_BYTES,
            max_redirects: 5,
            roots: None,
        }
    }

    /// Sends a header, such as a bearer token. It is sent to the URL's own origin alone: a redirect to another does not take it along.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How long an attempt waits for the host's address, and then for a connection, TLS included. By default 5 s each.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// How long an attempt waits for the next bytes. By default 10 s.
    pub fn read_timeout(self, read_timeout: Duration) -> Self {
        Self { read_timeout, ..self }
    }

    /// How long an attempt takes in all, redirects included. By default 30 s.
    pub fn overall_timeout(self, overall_timeout: Duration) -> Self {
        Self { overall_timeout, ..self }
    }

    /// How often a fetch is tried, the first time included. By default 3.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// How long to wait before the second attempt; before each further one twice as long, with some jitter, and never more than 30 s. What the
    /// server asks for goes first (`Retry-After`, up to 30 s). By default 500 ms.
    pub fn retry_delay(self, retry_delay: Duration) -> Self {
        Self { retry_delay, ..self }
    }

    /// The most bytes of a map, decoded. By default 64 MiB.
    pub fn max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// How many redirects are followed. By default 5.
    pub fn max_redirects(self, max_redirects: u32) -> Self {
        Self { max_redirects, ..self }
    }

    /// Trusts these root certificates (PEM, one or more) in place of the platform's.
    pub fn root_certificates(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(pem.into()), ..self }
    }
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource")
            // One that does not parse may be shown with its password: not at all, then.
            .field("url", &Uri::parse(self.url.as_str()).map(shown).unwrap_or_default())
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}
