//! [`HttpSource`]: a URL, and the settings of the client that fetches from it.

use std::fmt;
use std::time::Duration;

use fluent_uri::Uri;

use super::MAX_BYTES;
use super::address::shown;

/// A URL that a map is fetched from, with headers, limits and timeouts.
///
/// By default, an attempt waits 5 s for a connection, 10 s for the first bytes of an answer and for
/// each further piece, and 30 s in all. A fetch makes up to three attempts if the server is busy or
/// the connection breaks. It follows up to five redirects, but none from https to http, and reads
/// at most 64 MiB of JSON, decoded. It trusts the certificates that the platform trusts, and uses
/// the proxies that the environment names (`https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`).
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
    /// Creates a source from an `http` or `https` URL.
    ///
    /// A name and a password in the URL are sent as basic authentication. The URL is checked when
    /// the map is built.
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

    /// Adds a header, such as a bearer token.
    ///
    /// The header is sent to the origin of the source's URL only. After a redirect to another
    /// origin, it is left out.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns the settings without the headers.
    pub(super) fn without_headers(&self) -> Self {
        Self { headers: Vec::new(), ..self.clone() }
    }

    /// Sets how long an attempt waits for the host's address, and then for a connection, TLS
    /// included. The default is 5 s each.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// Sets how long an attempt waits for the next bytes. The default is 10 s.
    pub fn read_timeout(self, read_timeout: Duration) -> Self {
        Self { read_timeout, ..self }
    }

    /// Sets how long an attempt may take in all, redirects included. The default is 30 s.
    pub fn overall_timeout(self, overall_timeout: Duration) -> Self {
        Self { overall_timeout, ..self }
    }

    /// Sets the number of attempts of a fetch, the first one included. The default is 3.
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Sets the wait before the second attempt. The default is 500 ms.
    ///
    /// The wait doubles before each further attempt, has some jitter added, and is never more than
    /// 30 s. If the server asks for a wait (`Retry-After`), that wait is used instead, up to 30 s.
    pub fn retry_delay(self, retry_delay: Duration) -> Self {
        Self { retry_delay, ..self }
    }

    /// Sets the maximum size of a map in bytes, decoded. The default is 64 MiB.
    pub fn max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Sets the maximum number of redirects. The default is 5.
    pub fn max_redirects(self, max_redirects: u32) -> Self {
        Self { max_redirects, ..self }
    }

    /// Trusts these root certificates (PEM, one or more) instead of the platform's.
    pub fn root_certificates(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(pem.into()), ..self }
    }
}

impl fmt::Debug for HttpSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSource")
            // A URL that does not parse is left out, since it may hold a password.
            .field("url", &Uri::parse(self.url.as_str()).map(shown).unwrap_or_default())
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}
