//! The HTTP client: attempts, redirects and limits.

use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime};

use fluent_uri::Uri;
use ureq::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body, Timeout};

use super::address::{credentials, has_port, origin, resolved, server_and_target, shown, without_user};
use super::proxy::Proxies;
use super::retry::{Failure, LONGEST_WAIT, Retry, retry_after};
use super::veil::Veil;
use super::{Fetched, HttpSource, Known, Origin, Place, Stop, Validators};
use crate::error::Error;
use crate::jitter;
use crate::redact;

/// The upper bound of timeouts: ureq adds them to an `Instant`, and that addition panics on
/// overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Headers that callers cannot set, since other values would contradict what the client does.
const OWN_HEADERS: [&str; 6] =
    ["host", "connection", "content-length", "transfer-encoding", "if-none-match", "if-modified-since"];

/// A source whose settings were checked, and its client.
pub(crate) struct Client {
    source: HttpSource,
    url: Uri<String>,
    /// The URL without credentials.
    name: String,
    headers: HeaderMap,
    proxies: Proxies,
    agent: Agent,
    veil: Veil,
}

/// The bytes of an answer, or `None` if they are unchanged, and the validators.
type Answer = (Option<Vec<u8>>, Validators);

impl Client {
    /// Checks all settings and builds the client, so that no setting can fail later.
    pub(super) fn new(source: HttpSource) -> Result<Self, Error> {
        let invalid = |setting: &'static str, reason: String| Error::InvalidSetting { setting, reason };
        // A URL that does not parse is not shown: the reason may be a password in it.
        let parsed = Uri::parse(source.url.as_str())
            .map_err(|_| invalid("url", "it is not one; write https://host/path".to_owned()))?;
        let name = shown(parsed);
        let bad_url = |reason: &str| invalid("url", format!("{name}: {reason}"));
        match parsed.scheme().as_str().to_ascii_lowercase().as_str() {
            "http" | "https" => {}
            "file" => return Err(bad_url("not the address of a server: use CostMapBuilder::file or url")),
            other => return Err(bad_url(&format!("cannot fetch over {other}; implement Source for it"))),
        }
        if parsed.authority().is_none_or(|authority| authority.host().is_empty()) {
            return Err(bad_url("it names no host"));
        }
        if !has_port(parsed) {
            return Err(bad_url("a port beyond 65535"));
        }
        let mut headers = HeaderMap::new();
        if let Some((name, password)) = credentials(parsed) {
            let basic = base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                [name.as_slice(), b":", &password].concat(),
            );
            let mut value = HeaderValue::try_from(format!("Basic {basic}"))
                .map_err(|_| bad_url("a name or a password that cannot be sent"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let url = without_user(parsed).filter(|url| url.as_str().parse::<ureq::http::Uri>().is_ok());
        let url = url.ok_or_else(|| bad_url("not a URL that can be requested"))?;
        for (place, (name, value)) in (1..).zip(&source.headers) {
            let header = HeaderName::try_from(name)
                .map_err(|_| invalid("header", format!("the name of header {place} is invalid")))?;
            if OWN_HEADERS.contains(&header.as_str()) {
                return Err(invalid("header", format!("{header} is not for callers to set")));
            }
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                invalid("header", format!("the value of {header} has characters that a header must not have"))
            })?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        for (setting, time) in [
            ("connect_timeout", source.connect_timeout),
            ("read_timeout", source.read_timeout),
            ("overall_timeout", source.overall_timeout),
        ] {
            if time.is_zero() {
                return Err(invalid(setting, "must be longer than zero".to_owned()));
            }
        }
        if source.attempts == 0 {
            return Err(invalid("attempts", "must be at least 1".to_owned()));
        }
        let proxies = Proxies::from_env()?;
        let tls = TlsConfig::builder().root_certs(roots(source.roots.as_deref())?).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("llm-costmap/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(source.connect_timeout.min(LONGEST)))
            .timeout_connect(Some(source.connect_timeout.min(LONGEST)))
            .timeout_per_read(Some(source.read_timeout.min(LONGEST)))
            .timeout_per_write(Some(source.read_timeout.min(LONGEST)))
            .max_idle_connections(0)
            .build();
        let veil = Veil::default();
        let connector = DefaultConnector::new().chain(veil.clone());
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Ok(Self { source, url, name, headers, proxies, agent, veil })
    }

    /// Returns how long to wait before another attempt, at most [`LONGEST_WAIT`]. Returns `None` if
    /// there is to be none.
    fn wait(&self, attempt: u32, retry: &Retry) -> Option<Duration> {
        let wait = match retry {
            Retry::Never => return None,
            Retry::Soon => self.backoff(attempt),
            Retry::After(asked) => *asked,
        };
        Some(wait.min(LONGEST_WAIT))
    }

    /// Returns the retry delay, doubled with each attempt, plus up to half of that as jitter, so
    /// that the processes of a fleet do not retry at the same time.
    fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self.source.retry_delay.saturating_mul(1 << (attempt - 1).min(16));
        doubled.min(LONGEST_WAIT).mul_f64(1.0 + jitter::fraction() / 2.0)
    }

    /// Fetches the bytes at the URL, or `None` if they are unchanged, and their validators. Makes
    /// as many attempts as are set.
    pub(super) fn get(&self, previous: &Validators, stop: &Stop) -> Result<Answer, Error> {
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(previous) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let origin = self.name.clone();
            // Messages of the libraries may repeat a URL with its credentials.
            let reason = redact::shown(&failure.reason);
            let Some(wait) = self.wait(attempt, &failure.retry) else {
                return Err(Error::Fetch { origin, reason });
            };
            if attempt >= self.source.attempts {
                let tried = if attempt == 1 { String::new() } else { format!(" (tried {attempt} times)") };
                return Err(Error::Fetch { origin, reason: format!("{reason}{tried}") });
            }
            log::debug!("{origin}: {reason}; trying again in {wait:?}");
            if !stop.sleep(wait) {
                return Err(self.dropped());
            }
            attempt += 1;
        }
    }

    /// Returns the error of a fetch for a map that is gone.
    pub(super) fn dropped(&self) -> Error {
        let reason = "the last handle on the map was dropped".to_owned();
        Error::Fetch { origin: self.name.clone(), reason }
    }

    /// Sends one request and follows its redirects.
    fn attempt(&self, previous: &Validators) -> Result<Answer, Failure> {
        let start = Instant::now();
        let mut url = self.url.clone();
        for _ in 0..=self.source.max_redirects {
            let left = self.source.overall_timeout.saturating_sub(start.elapsed());
            let response = self.ask(&url, previous, left).map_err(|error| self.failure(&error))?;
            let headers = response.headers();
            match response.status() {
                StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => return self.read(response),
                StatusCode::NOT_MODIFIED if previous.is_empty() => {
                    return Err(Failure::last("304 Not Modified, though nothing was fetched before"));
                }
                StatusCode::NOT_MODIFIED => {
                    return Ok((None, validators(headers)));
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    let location = self.veil.location();
                    let location =
                        location.ok_or_else(|| Failure::last("a redirect that says not where to"))?;
                    url = resolved(&url, &location, "a redirect").map_err(Failure::last)?;
                }
                status => {
                    let retry = match status.as_u16() {
                        408 | 429 | 500 | 502 | 503 | 504 => {
                            retry_after(headers, SystemTime::now()).map_or(Retry::Soon, Retry::After)
                        }
                        _ => Retry::Never,
                    };
                    return Err(Failure { reason: format!("the server answered {status}"), retry });
                }
            }
        }
        Err(Failure::last(format!("more than {} redirects", self.source.max_redirects)))
    }

    fn ask(
        &self,
        url: &Uri<String>,
        previous: &Validators,
        left: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let scheme = url.scheme().as_str();
        let left = left.clamp(Duration::from_millis(1), LONGEST);
        let headers = if origin(url) == origin(&self.url) { self.headers.clone() } else { HeaderMap::new() };
        let (server, target) = server_and_target(url.borrow()).unwrap_or_default();
        let placeholder = self.veil.begin(target, headers);
        let mut request = self
            .agent
            .get(format!("{server}{placeholder}"))
            .config()
            .timeout_global(Some(left))
            .proxy(self.proxies.of(scheme))
            .build();
        if let Some(etag) = previous.etag() {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(last_modified) = previous.last_modified() {
            request = request.header(IF_MODIFIED_SINCE, last_modified);
        }
        request.call()
    }

    fn read(&self, response: Response<Body>) -> Result<Answer, Failure> {
        let (parts, body) = response.into_parts();
        let mut bytes = Vec::new();
        // ureq's own limit counts bytes before they are decoded; this one counts decoded bytes.
        let reader = body.into_with_config().limit(u64::MAX).reader();
        let read = reader.take(self.source.max_bytes.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(error))?;
        if bytes.len() as u64 > self.source.max_bytes {
            return Err(Failure::last(format!("more than {} bytes, decoded", self.source.max_bytes)));
        }
        let is_page =
            parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        if is_page && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(Failure::last("an HTML page, not a map: does it ask for a login?"));
        }
        Ok((Some(bytes), validators(&parts.headers)))
    }

    /// Returns the failure of a body that could not be read to its end.
    fn broken(&self, error: io::Error) -> Failure {
        match error.downcast::<ureq::Error>() {
            Ok(error) => self.failure(&error),
            Err(error) => Failure::passing(format!("the answer broke off: {error}")),
        }
    }

    fn failure(&self, error: &ureq::Error) -> Failure {
        use ureq::Error as E;
        let in_time =
            |setting: &str, time: Duration| Failure::passing(format!("no {setting} within {time:?}"));
        match error {
            E::Timeout(Timeout::Connect | Timeout::Resolve) => {
                in_time("connection", self.source.connect_timeout)
            }
            E::Timeout(Timeout::PerRead | Timeout::PerWrite) => in_time("bytes", self.source.read_timeout),
            E::Timeout(_) => in_time("whole answer", self.source.overall_timeout),
            E::Io(error) if is_certificate(error) => Failure::last(format!("TLS failed: {error}")),
            E::Io(error) => Failure::passing(format!("the connection failed: {error}")),
            E::HostNotFound => Failure::passing("no such host"),
            E::ConnectionFailed => Failure::passing("the connection failed"),
            E::ConnectProxyFailed(reason) => Failure::passing(format!("the proxy failed: {reason}")),
            E::Protocol(error) => Failure::passing(format!("the server does not speak HTTP: {error}")),
            E::Decompress(_, error) => Failure::passing(format!("invalid gzip data: {error}")),
            E::LargeResponseHeader(..) => Failure::last("the response headers are too large"),
            E::Rustls(error) => Failure::last(format!("TLS failed: {error}")),
            other => Failure::last(other.to_string()),
        }
    }
}

impl Origin for Client {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn identity(&self) -> String {
        self.name.clone()
    }

    fn url(&self) -> Option<String> {
        Some(self.name.clone())
    }

    fn shortest_interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn locate(&self, url: &str) -> Result<Place, String> {
        let url = resolved(&self.url, url, "a pointer")?;
        let mut client = Self::new(HttpSource { url: url.to_string(), ..self.source.without_headers() })
            .map_err(|error| format!("its url cannot be fetched: {error:#}"))?;
        if origin(&client.url) == origin(&self.url) {
            // Credentials in the URL itself take precedence.
            let own = client.headers.remove(AUTHORIZATION);
            client.headers.clone_from(&self.headers);
            if let Some(own) = own {
                client.headers.insert(AUTHORIZATION, own);
            }
        }
        Ok(Place::Web(Box::new(client)))
    }

    fn fetch(&self, known: &Known, stop: &Stop) -> Result<Fetched, Error> {
        let (bytes, validators) = self.get(&known.validators, stop)?;
        Ok(bytes.map_or_else(Fetched::unchanged, Fetched::new).validators(validators))
    }

    fn shut_down(&self) {
        self.agent.clone().shutdown();
    }
}

/// Returns whether a connection failed with an error of rustls, such as a certificate that is not
/// trusted. Another attempt does not help then.
fn is_certificate(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
}

/// Returns the root certificates in `pem`, or those of the platform if there is no `pem`.
fn roots(pem: Option<&[u8]>) -> Result<RootCerts, Error> {
    let Some(pem) = pem else { return Ok(RootCerts::PlatformVerifier) };
    let invalid = |reason: String| Error::InvalidSetting { setting: "root_certificates", reason };
    let mut found: Vec<Certificate<'static>> = Vec::new();
    let mut store = rustls::RootCertStore::empty();
    for item in parse_pem(pem) {
        match item.map_err(|error| invalid(format!("not PEM: {error}")))? {
            PemItem::Certificate(certificate) => {
                let place = found.len() + 1;
                store
                    .add(rustls::pki_types::CertificateDer::from(certificate.der().to_vec()))
                    .map_err(|error| invalid(format!("certificate {place} is invalid: {error}")))?;
                found.push(certificate);
            }
            _ => return Err(invalid("something other than a certificate: a key?".to_owned())),
        }
    }
    if found.is_empty() {
        return Err(invalid("contains no certificate".to_owned()));
    }
    Ok(RootCerts::from(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<String, String> {
        Client::new(HttpSource::new(url))
            .map(|client| client.url.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        assert_eq!(client("https://user:pass@Host:8443?a=b#c"), Ok("https://Host:8443/?a=b".to_owned()));
        assert_eq!(client("HTTP://host/a"), Ok("http://host/a".to_owned()));
        for (url, message) in [
            ("/a/b", "it is not one; write https://host/path"),
            ("", "it is not one; write https://host/path"),
            ("https://ho st/", "it is not one; write https://host/path"),
            ("https://user:secret word@host/", "it is not one; write https://host/path"),
            ("https://host:65536/", "https://host:65536/: a port beyond 65535"),
            ("user:secret@host/x", "user:…: cannot fetch over user; implement Source for it"),
            ("https:///a", "https:///a: it names no host"),
            ("s3://bucket/key", "s3://bucket/key: cannot fetch over s3; implement Source for it"),
            ("file:///a", "file:///a: not the address of a server: use CostMapBuilder::file or url"),
            ("https://u:secret@h:port/", "it is not one; write https://host/path"),
        ] {
            assert_eq!(client(url), Err(format!("invalid url: {message}")), "{url}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_setting() {
        let error =
            |source: HttpSource| Client::new(source).err().map(|error| error.to_string()).unwrap_or_default();
        let source = || HttpSource::new("https://host/");
        assert_eq!(error(source().header("sk 1", "c")), "invalid header: the name of header 1 is invalid");
        assert_eq!(
            error(source().header("Content-Length", "5")),
            "invalid header: content-length is not for callers to set"
        );
        assert_eq!(
            error(source().header("token", "se\ncret")),
            "invalid header: the value of token has characters that a header must not have"
        );
        assert_eq!(
            error(source().read_timeout(Duration::ZERO)),
            "invalid read_timeout: must be longer than zero"
        );
        assert_eq!(error(source().attempts(0)), "invalid attempts: must be at least 1");
        assert_eq!(
            error(source().root_certificates("nonsense")),
            "invalid root_certificates: contains no certificate"
        );
        let none = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n";
        let said = error(source().root_certificates(none));
        assert!(said.starts_with("invalid root_certificates: certificate 1 is invalid: "), "{said}");
    }

    #[test]
    fn no_secret_is_shown() {
        let source =
            HttpSource::new("https://user:secret1@host/?token=secret2").header("authorization", "secret3");
        let shown = format!("{source:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert_eq!(
            Client::new(source).map(|client| client.name).ok().as_deref(),
            Some("https://****@host/?token=****")
        );
    }

    #[test]
    fn waits_half_a_minute_at_most() {
        let client = Client::new(HttpSource::new("http://host/").retry_delay(Duration::MAX)).unwrap();
        let longest = Some(Duration::from_secs(30));
        assert_eq!(client.wait(1, &Retry::After(Duration::from_secs(3_600))), longest);
        assert_eq!(client.wait(1, &Retry::Soon), longest);
        assert_eq!(client.wait(1, &Retry::After(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        assert_eq!(client.wait(1, &Retry::Never), None);
    }

    #[test]
    fn waits_twice_as_long_each_time() {
        let client = Client::new(HttpSource::new("http://host/")).unwrap();
        for (attempt, least) in [(1, 500), (2, 1_000), (3, 2_000), (7, 30_000), (100, 30_000)] {
            let wait = client.backoff(attempt);
            let least = Duration::from_millis(least);
            assert!(wait >= least && wait <= least.mul_f64(1.5), "{attempt}: {wait:?}");
        }
    }
}
