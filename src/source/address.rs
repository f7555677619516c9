//! URLs: the targets of redirects, origins, and URLs as they are shown.

use fluent_uri::pct_enc::EStr;
use fluent_uri::{Uri, UriRef};

use crate::redact;

/// Resolves a reference, such as the location of a redirect, against the URL that it came from. `what` names
/// it in messages.
///
/// # Errors
///
/// Returns a message if the reference is not a URL, if it leads from https to http, or if it has
/// another scheme, no host, or a port beyond 65535.
pub(super) fn resolved(from: &Uri<String>, reference: &str, what: &str) -> Result<Uri<String>, String> {
    let nowhere = || format!("{what} to something that is not a URL");
    let relative = UriRef::parse(reference).map_err(|_| nowhere())?;
    let mut to = relative.resolve_against(&from.borrow()).map_err(|_| nowhere())?;
    // Fragments are not sent.
    to.set_fragment(None);
    let is_address =
        to.authority().is_some_and(|authority| !authority.host().is_empty()) && has_port(to.borrow());
    match (from.scheme().as_str(), to.scheme().as_str()) {
        ("https", "http") => Err(format!("{what} from https to {}, which is not safe", shown(to.borrow()))),
        (_, "http" | "https") if is_address => Ok(to),
        _ => Err(format!("{what} to {}, which is not a web address", shown(to.borrow()))),
    }
}

/// Returns the scheme, the host and the port of a URL, in lower case and with the default port
/// filled in.
///
/// The caller's headers are sent to this origin only.
pub(super) fn origin(url: &Uri<String>) -> (String, String, String) {
    let scheme = url.scheme().as_str().to_ascii_lowercase();
    let (host, port) = url.authority().map_or(("", None), |authority| (authority.host(), authority.port()));
    let known = if scheme == "https" { "443" } else { "80" };
    let port = port.map(EStr::as_str).filter(|port| !port.is_empty()).unwrap_or(known);
    (scheme, host.to_ascii_lowercase(), port.to_owned())
}

/// Returns whether the port of a URL is absent, empty, or at most 65535.
pub(super) fn has_port(url: Uri<&str>) -> bool {
    let port = url.authority().and_then(|authority| authority.port()).map(EStr::as_str);
    port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok())
}

/// Returns a URL as it is shown: without its name and password, and with the secrets of its query
/// masked.
pub(super) fn shown(url: Uri<&str>) -> String {
    let authority = url.authority().map_or(String::new(), |authority| {
        let user = if authority.has_userinfo() { "****@" } else { "" };
        let port = authority.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("//{user}{}{port}", authority.host())
    });
    // Without `//`, the text that parses as a path may be a password.
    let path = if url.authority().is_some() { url.path().as_str() } else { "…" };
    let query = url.query().filter(|_| url.authority().is_some());
    let query = query.map(|query| format!("?{}", redact::shown_query(query.as_str()))).unwrap_or_default();
    format!("{}:{authority}{path}{query}", url.scheme())
}

/// Returns the name and the password in a URL, percent-decoded. Returns `None` if the URL has
/// neither.
pub(super) fn credentials(url: Uri<&str>) -> Option<(Vec<u8>, Vec<u8>)> {
    let user = url.authority()?.userinfo()?;
    let decode = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let (name, password) = user.as_str().split_once(':').unwrap_or((user.as_str(), ""));
    Some((decode(name), decode(password)))
}

/// Returns a URL without its name, password and fragment, and with its scheme in lower case.
pub(super) fn without_user(url: Uri<&str>) -> Option<Uri<String>> {
    let (server, target) = server_and_target(url)?;
    Uri::parse(format!("{server}{target}")).ok()
}

/// Splits a URL into the server (the scheme, the host and the port) and the target that the server
/// is asked for (the path and the query). Returns `None` if the URL has no authority.
pub(super) fn server_and_target(url: Uri<&str>) -> Option<(String, String)> {
    let authority = url.authority()?;
    let port = authority.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = if url.path().is_empty() { "/" } else { url.path().as_str() };
    let scheme = url.scheme().as_str().to_ascii_lowercase();
    Some((format!("{scheme}://{}{port}", authority.host()), format!("{path}{query}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_redirects_as_browsers_do() {
        let from = |url: &str| Uri::parse(url.to_owned()).unwrap();
        let to = |base: &str, location: &str| {
            resolved(&from(base), location, "a redirect").map(|url| url.to_string())
        };
        for (location, expected) in [
            ("/x", "http://host:1/x"),
            ("x", "http://host:1/a/x"),
            ("?q", "http://host:1/a/b?q"),
            ("//other/x", "http://other/x"),
            ("https://other/x#f", "https://other/x"),
            ("../../x", "http://host:1/x"),
        ] {
            assert_eq!(to("http://host:1/a/b?c", location), Ok(expected.to_owned()), "{location}");
        }
        let no_address = |url: &str| Err(format!("a redirect to {url}, which is not a web address"));
        assert_eq!(to("http://h/", "ftp://h/"), no_address("ftp://h/"));
        assert_eq!(to("http://h/", "http://h:99999/"), no_address("http://h:99999/"));
        assert_eq!(to("http://h/", "mailto:u:SECRET@h?SECRET"), no_address("mailto:…"));
        let nowhere = || Err("a redirect to something that is not a URL".to_owned());
        assert_eq!(to("http://h/", "/x?f=\"a.json\"&sig=SECRET"), nowhere());
        assert_eq!(to("http://h/", "/x y?sig=SECRET"), nowhere());
        assert_eq!(
            to("https://h/", "http://h/"),
            Err("a redirect from https to http://h/, which is not safe".to_owned())
        );
        assert_eq!(
            to("https://h/", "http://u:SECRET@h/?sig=SECRET"),
            Err("a redirect from https to http://****@h/?sig=****, which is not safe".to_owned())
        );
    }

    #[test]
    fn knows_an_origin() {
        let of = |url: &str| origin(&Uri::parse(url.to_owned()).unwrap());
        assert_eq!(of("https://Host/a"), of("https://host:443/b"));
        for other in ["http://host/", "https://host:444/", "https://host.evil/", "https://evil/"] {
            assert_ne!(of("https://host/"), of(other));
        }
    }
}
