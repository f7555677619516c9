//! What is a secret by its name, and texts without the credentials of the URLs in them.

/// What a segment of a name says of a secret.
const SECRET: [&str; 14] = [
    "password",
    "secret",
    "key",
    "token",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "access",
    "private",
    "certificate",
    "fingerprint",
    "tenancy",
];

/// Limits whose names have such a segment.
const LIMITS: [&str; 2] = ["default_api_key_tpm_limit", "default_api_key_rpm_limit"];

/// Words for secrets in the query of a URL, besides.
const SIGNATURES: [&str; 3] = ["sig", "signature", "code"];

/// Whether a name is a secret's: by its segments, whatever their case.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut segments = name.split(['_', '-']);
    !LIMITS.contains(&&*name)
        && segments.clone().all(|segment| segment != "cost")
        && segments.any(|segment| SECRET.contains(&segment))
}

/// A text without the credentials of the URLs in it.
pub(crate) fn shown(text: &str) -> String {
    without_credentials(text).unwrap_or_else(|| text.to_owned())
}

/// A text without the credentials of the URLs in it. `None` where there are none.
pub(crate) fn without_credentials(text: &str) -> Option<String> {
    if !text.contains("://") {
        return None;
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let after = behind_odd_password(after).map_or(after, |host| {
            shown.push_str("****@");
            host
        });
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')).unwrap_or(after.len());
        let (url, behind) = after.split_at_checked(end).unwrap_or((after, ""));
        url_without_credentials(url, &mut shown);
        rest = behind;
    }
    shown.push_str(rest);
    (shown != text).then_some(shown)
}

/// What stands behind a name and a password with letters that end a host, where there are such: what seems to be a port is none, and an
/// `@` follows.
fn behind_odd_password(after: &str) -> Option<&str> {
    let ends_host = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '<' | '>');
    let (host, rest) = after.split_at_checked(after.find(ends_host)?)?;
    let (_, port) = host.rsplit_once(':')?;
    if host.contains(['@', '[']) || port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() {
        return None;
    }
    let same_url = rest.split("://").next().unwrap_or(rest);
    let at = same_url.rfind('@')?;
    rest.get(at + 1..)
}

/// What stands behind `://`.
fn url_without_credentials(url: &str, shown: &mut String) {
    let (address, query) =
        url.split_once(['?', '#']).map_or((url, None), |(address, query)| (address, Some(query)));
    let (host, path) = address.split_once('/').map_or((address, None), |(host, path)| (host, Some(path)));
    match host.rsplit_once('@') {
        Some((_, host)) => {
            shown.push_str("****@");
            shown.push_str(host);
        }
        None => shown.push_str(host),
    }
    if let Some(path) = path {
        shown.push('/');
        shown.push_str(path);
    }
    if let Some(query) = query {
        shown.push_str(url.get(address.len()..=address.len()).unwrap_or("?"));
        shown.push_str(&shown_query(query));
    }
}

/// A query, or a fragment, without its secrets.
pub(crate) fn shown_query(query: &str) -> String {
    let mut shown = String::with_capacity(query.len());
    for (position, group) in query.split('&').enumerate() {
        shown.push_str(if position > 0 { "&" } else { "" });
        // What follows a secret, and names nothing, is more of it.
        let mut hidden = false;
        for part in group.split_inclusive([';', '#', '?']) {
            let (pair, end) = match part.char_indices().next_back() {
                Some((at, ';' | '#' | '?')) => part.split_at_checked(at).unwrap_or((part, "")),
                _ => (part, ""),
            };
            match pair.split_once('=') {
                Some((name, _)) if is_secret_parameter(name) => {
                    hidden = true;
                    shown.push_str(name);
                    shown.push_str("=****");
                }
                None if hidden => {}
                _ => {
                    hidden = false;
                    shown.push_str(pair);
                }
            }
            shown.push_str(end);
        }
    }
    shown
}

fn is_secret_parameter(name: &str) -> bool {
    let lower = name.to_lowercase();
    is_secret(&lower)
        || SIGNATURES.contains(&&*lower)
        || ["key", "signature", "token", "secret", "password", "passwd", "pass", "pwd", "jwt"]
            .iter()
            .any(|end| lower.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left_of_a_url() {
        for (url, expected) in [
            ("http://user:pa'ssWORD@host/", "http://****@host/"),
            ("http://host/?token=x'rest&v=1", "http://host/?token=****&v=1"),
            (
                "http://host/?a=b;accessToken=x;pwd=y#pass=z",
                "http://host/?a=b;accessToken=****;pwd=****#pass=****",
            ),
            ("http://host/?a=b?c", "http://host/?a=b?c"),
            ("http://host/?token=ab;SECRET&v=1", "http://host/?token=****;&v=1"),
            ("http://host/?token=ab?SECRET", "http://host/?token=****?"),
            ("redis://:ab/SECRET@host/0", "redis://****@host/0"),
            ("redis://user:ab#SECRET@host/0", "redis://****@host/0"),
            ("redis://user:ab SECRET@host/0", "redis://****@host/0"),
            ("store://user:a\"SECRET@host/0", "store://****@host/0"),
            ("see http://host:80/a@b and http://u:p@h", "see http://host:80/a@b and http://****@h"),
            ("http://[::1]/a@b", "http://[::1]/a@b"),
            ("no URL", "no URL"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }
}
