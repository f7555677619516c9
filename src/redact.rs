//! Names of secrets, and texts without the credentials of the URLs in them.
//!
//! One matcher decides for fields, headers and parameters of URLs. It splits a name into words, so that `apiKey`, `api-key`, `api_key` and
//! `X-API-Key` are one name.

/// Words that name a secret.
const SECRET: [&str; 36] = [
    "access",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cert",
    "certificate",
    "certificates",
    "connectionstring",
    "connstr",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "creds",
    "dsn",
    "fingerprint",
    "jwt",
    "key",
    "keys",
    "oauth",
    "pass",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "private",
    "pwd",
    "sas",
    "secret",
    "secrets",
    "sig",
    "signature",
    "tenancy",
    "token",
];

/// Ends of words that are written as one, such as `accesstoken`.
const ENDS: [&str; 10] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credentials",
    "cookie",
    "signature",
    "jwt",
];

/// Words with such an end that name no secret.
const HARMLESS: [&str; 11] = [
    "donkey", "flunkey", "hickey", "hockey", "hotkey", "jockey", "lackey", "monkey", "turkey", "valkey",
    "whiskey",
];

/// Pairs of words that name a secret.
const PAIRS: [[&str; 2]; 2] = [["connection", "string"], ["conn", "str"]];

/// Names that LiteLLM shows, or gives to its users as their own, though they have such a word.
const SHOWN: [&str; 12] = [
    "access_groups",
    "access_windows",
    "default_api_key_rpm_limit",
    "default_api_key_tpm_limit",
    "litellm_credential_name",
    "my_custom_key",
    "thought_signature_in_tool_call_id",
    "token_count_framing",
    "token_count_model",
    "token_count_tokenizer",
    "use_in_pass_through",
    "use_xai_oauth",
];

/// Returns whether a name is a secret's: of a field, a header or a parameter of a URL.
pub(crate) fn is_secret(name: &str) -> bool {
    if SHOWN.contains(&name) {
        return false;
    }
    let words = words(name);
    // Prices say so: `input_cost_per_token`.
    if words.iter().any(|word| word == "cost") {
        return false;
    }
    words.iter().any(|word| is_secret_word(word))
        || words.windows(2).any(|pair| PAIRS.iter().any(|known| pair.iter().eq(known)))
}

fn is_secret_word(word: &str) -> bool {
    SECRET.contains(&word) || (ENDS.iter().any(|end| word.ends_with(end)) && !HARMLESS.contains(&word))
}

/// Splits a name into its words, in lower case and without the digits that they end in: `apiKey2` is `api` and `key`, `JWTToken` is `jwt`
/// and `token`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut letters = name.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let begins = letter.is_uppercase()
            && (before.is_lowercase()
                || before.is_numeric()
                || letters.peek().is_some_and(|next| next.is_lowercase()));
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_alphanumeric(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    for word in &mut words {
        let end = word.trim_end_matches(|c: char| c.is_numeric()).len();
        word.truncate(end);
    }
    words.retain(|word| !word.is_empty());
    words
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
        let (url, behind) = after.split_at_checked(end_of_url(after)).unwrap_or((after, ""));
        url_without_credentials(url, &mut shown);
        rest = behind;
    }
    shown.push_str(rest);
    (shown != text).then_some(shown)
}

/// Where a URL ends: at white space, quotes or brackets, or where another URL begins, as in a list with commas.
fn end_of_url(after: &str) -> usize {
    let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')).unwrap_or(after.len());
    let url = after.get(..end).unwrap_or(after);
    let next = url.find("://").and_then(|colon| url.get(..colon)).map(|before| {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        before.trim_end_matches(is_scheme).trim_end_matches([',', ';', '|']).len()
    });
    next.unwrap_or(end)
}

/// What stands behind a name and a password with letters that end a host, where there are such: what seems to be a port, or is one, and an
/// `@` follows.
fn behind_odd_password(after: &str) -> Option<&str> {
    let ends_host = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '<' | '>' | ',');
    let (host, rest) = after.split_at_checked(after.find(ends_host)?)?;
    let (_, port) = host.rsplit_once(':')?;
    if host.contains(['@', '[']) {
        return None;
    }
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let same_url = if is_port {
        // It may be a password of digits all the same, and is hidden with what follows it in one word.
        rest.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | ',')).next().unwrap_or(rest)
    } else {
        rest.split("://").next().unwrap_or(rest)
    };
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

/// Returns whether a parameter of a URL is a secret: the code of an authorization is one, too.
fn is_secret_parameter(name: &str) -> bool {
    is_secret(name) || name.eq_ignore_ascii_case("code")
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
            ("redis://user:12345/SECRET@host/0", "redis://****@host/0"),
            ("http://h/a,http://u:SECRET@h", "http://h/a,http://****@h"),
            (
                "http://u:SECRET@h,http://v:SECRET@i/?token=SECRET,http://j/?sig=SECRET",
                "http://****@h,http://****@i/?token=****,http://j/?sig=****",
            ),
            ("http://h/?next=http://u:SECRET@h/", "http://h/?next=http://****@h/"),
            ("http://h:80,http://u:SECRET@h", "http://h:80,http://****@h"),
            // A path with an `@` behind a port may be a password of digits.
            ("see http://host:80/a@b and http://u:p@h", "see http://****@b and http://****@h"),
            ("see http://host:80/a and mail to a@b", "see http://host:80/a and mail to a@b"),
            ("http://[::1]/a@b", "http://[::1]/a@b"),
            ("no URL", "no URL"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn splits_names_into_words() {
        for (name, expected) in [
            ("apiKey", "api key"),
            ("api-key", "api key"),
            ("X-API-Key", "x api key"),
            ("APIKey2", "api key"),
            ("JWTToken", "jwt token"),
            ("aws_secret_access_key", "aws secret access key"),
            ("extra.headers[authorization]", "extra headers authorization"),
            ("oauth2Token", "oauth token"),
            ("ÄußererSchlüssel", "äußerer schlüssel"),
            ("", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn knows_secrets_by_their_names_however_they_are_written() {
        for secret in [
            "apikey",
            "apiKey",
            "api_key",
            "accessToken",
            "clientSecret",
            "privateKey",
            "passwd",
            "bearer",
            "jwt",
            "passphrase",
            "connection_string",
            "connectionString",
            "openai_api_key",
            "secret_access_key",
            "cookie",
            "Set-Cookie",
            "X-Api-Key",
            "Authorization",
            "Proxy-Authorization",
            "azure_ad_token",
            "vertex_credentials",
            "accountkey",
            "refreshtoken",
            "dbPassword",
            "subscription-key",
            "x-amz-signature",
            "sig",
            "AWSAccessKeyId",
            "key1",
            "KEY",
            "private",
            "tenancy",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for plain in [
            "max_tokens",
            "monkey",
            "model",
            "valkey_host",
            "use_in_pass_through",
            "input_cost_per_token",
            "costPerToken",
            "default_api_key_rpm_limit",
            "access_groups",
            "my_custom_key",
            "tokenizer",
            "author",
            "passage",
            "compass",
            "keyboard",
            "keyword",
            "mode",
            "id",
            "",
        ] {
            assert!(!is_secret(plain), "{plain}");
        }
    }
}
