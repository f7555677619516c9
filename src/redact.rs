//! Detection of secrets by their names, and removal of credentials from texts.
//!
//! The same matcher serves fields, headers and parameters of URLs. It splits a name into words, so
//! that `apiKey`, `api-key` and `api_key` are the same name, and `X-API-Key` has the same words
//! after an `x`.

/// Words that denote a secret.
const SECRET: [&str; 40] = [
    "access",
    "auth",
    "authentication",
    "authorization",
    "basicauth",
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
    "jaas",
    "jwt",
    "key",
    "keys",
    "oauth",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pem",
    "private",
    "psk",
    "pw",
    "pwd",
    "sas",
    "secret",
    "secrets",
    "sig",
    "signature",
    "tenancy",
    "token",
];

/// Endings of compound words that denote a secret, such as `accesstoken`. A plural `s` may follow.
const ENDS: [&str; 12] = [
    "auth",
    "authorization",
    "cookie",
    "credential",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "signature",
    "token",
];

/// Words that make `tokens` a secret and not a count: `refresh_tokens`, `accesstokens`.
const BEARERS: [&str; 8] = ["access", "api", "auth", "bearer", "id", "refresh", "secret", "session"];

/// Words with such an ending that do not denote a secret.
const HARMLESS: [&str; 11] = [
    "donkey", "flunkey", "hickey", "hockey", "hotkey", "jockey", "lackey", "monkey", "turkey", "valkey",
    "whiskey",
];

/// Pairs of words that denote a secret.
const PAIRS: [[&str; 2]; 2] = [["connection", "string"], ["conn", "str"]];

/// Names that contain such a word, but are shown: LiteLLM shows them, or gives them to its users
/// for their own fields.
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

/// Returns whether a name is that of a secret: of a field, a header or a parameter of a URL.
pub(crate) fn is_secret(name: &str) -> bool {
    if SHOWN.contains(&name) {
        return false;
    }
    let words = words(name);
    // `token` in the name of a price is not a secret: `input_cost_per_token`.
    let is_price = words.iter().any(|word| word == "cost");
    words.iter().any(|word| !(is_price && word == "token") && is_secret_word(word))
        || words.last().is_some_and(|word| word == "pass")
        || words.windows(2).any(|pair| PAIRS.iter().any(|known| pair.iter().eq(known)) || are_bearers(pair))
}

fn is_secret_word(word: &str) -> bool {
    let is_end =
        |end: &&str| word.ends_with(*end) || word.strip_suffix('s').is_some_and(|word| word.ends_with(*end));
    let is_compound = ENDS.iter().any(is_end) && !HARMLESS.contains(&word.strip_suffix('s').unwrap_or(word));
    // `tokens` mostly means a count.
    match word.strip_suffix("tokens") {
        Some(first) => BEARERS.contains(&first),
        None => SECRET.contains(&word) || is_compound,
    }
}

fn are_bearers(pair: &[String]) -> bool {
    matches!(pair, [first, tokens] if tokens == "tokens" && BEARERS.contains(&&**first))
}

/// Splits a name into words, in lower case and without trailing digits: `apiKey2` becomes `api` and
/// `key`, `JWTToken` becomes `jwt` and `token`.
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

/// Returns a text without the credentials in it.
pub(crate) fn shown(text: &str) -> String {
    without_credentials(text).unwrap_or_else(|| text.to_owned())
}

/// Returns a text without the credentials in its URLs and after the name of an authentication
/// scheme. Returns `None` if it has none.
pub(crate) fn without_credentials(text: &str) -> Option<String> {
    let without = if text.contains("://") {
        without_bearers(&without_urls_credentials(text))
    } else {
        without_bearers(text)
    };
    (without != text).then_some(without)
}

/// Returns a text without the words that follow `Bearer` and `Basic`.
fn without_bearers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut hides_next = false;
    for (position, word) in text.split(' ').enumerate() {
        shown.push_str(if position > 0 { " " } else { "" });
        let end = word.trim_end_matches([',', ';', '"', '\'', ')', ']', '}']).len();
        let (credential, behind) = word.split_at_checked(end).unwrap_or((word, ""));
        // Any number of spaces may separate the scheme from the credential.
        if hides_next && word.is_empty() {
            continue;
        }
        if hides_next && !credential.is_empty() {
            shown.push_str("****");
            shown.push_str(behind);
            hides_next = false;
            continue;
        }
        shown.push_str(word);
        let scheme = word.trim_start_matches(['"', '\'', '(', '[', '{']);
        hides_next = ["bearer", "basic"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    }
    shown
}

fn without_urls_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let slashes = after.len() - after.trim_start_matches('/').len();
        let (slashes, after) = after.split_at_checked(slashes).unwrap_or(("", after));
        shown.push_str(slashes);
        let after = behind_odd_password(after).map_or(after, |host| {
            shown.push_str("****@");
            host
        });
        let (url, behind) = after.split_at_checked(end_of_url(after)).unwrap_or((after, ""));
        let ends_in_secret = url_without_credentials(url, &mut shown);
        // A quoted secret continues after its opening quote.
        let hidden = if ends_in_secret && behind.starts_with('"') {
            behind.find(char::is_whitespace).unwrap_or(behind.len())
        } else {
            0
        };
        rest = behind.get(hidden..).unwrap_or("");
    }
    shown.push_str(rest);
    shown
}

/// Returns whether a character ends a URL in a text.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '<' | '>')
}

/// Returns the length of a URL, which ends at white space, a double quote or an angle bracket, or
/// where another URL begins, as in a list with commas.
fn end_of_url(after: &str) -> usize {
    // The search stops at the next URL, so that a text of many URLs is scanned once.
    let next = after.find("://").map(|colon| {
        let before = after.get(..colon).unwrap_or("");
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        before.trim_end_matches(is_scheme).len()
    });
    let until_next = next.and_then(|next| after.get(..next)).unwrap_or(after);
    if let Some(end) = until_next.find(ends_url) {
        return end;
    }
    // Text that looks like another URL may be part of a secret, unless a separator precedes it, as
    // in a list.
    let last = until_next.rsplit(['?', '&', ';', '#']).next().unwrap_or("");
    let is_secret = last.split_once('=').is_some_and(|(name, _)| is_secret_parameter(name));
    match next {
        Some(_) if is_secret && !until_next.ends_with([',', ';', '|']) => {
            after.find(|c| ends_url(c) || c == '&').unwrap_or(after.len())
        }
        Some(_) => until_next.trim_end_matches([',', ';', '|']).len(),
        None => after.len(),
    }
}

/// Returns the text after the user and the password of a URL, if the password contains characters
/// that end a host. The text before such a character looks like a port, or is one, and an `@`
/// follows.
fn behind_odd_password(after: &str) -> Option<&str> {
    let same_url = after.split("://").next().unwrap_or(after);
    let ends_host = |c: char| ends_url(c) || matches!(c, '/' | '?' | '#' | ',');
    let (host, rest) = same_url.split_at_checked(same_url.find(ends_host)?)?;
    let (_, port) = host.rsplit_once(':')?;
    if host.contains('@') || host.starts_with('[') {
        return None;
    }
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    // A port may be the digits at the start of a password. It is then hidden together with the rest
    // of its word.
    let reach = if is_port { rest.split(|c| ends_url(c) || c == ',').next().unwrap_or(rest) } else { rest };
    let at = reach.rfind('@')?;
    after.get(host.len() + at + 1..)
}

/// Appends the part of a URL after `://` without its credentials. Returns whether it ends in a
/// secret.
fn url_without_credentials(url: &str, shown: &mut String) -> bool {
    let (address, query) =
        url.split_once(['?', '#', ';']).map_or((url, None), |(address, query)| (address, Some(query)));
    let (host, path) = address.split_once('/').map_or((address, None), |(host, path)| (host, Some(path)));
    shown.push_str(&without_user(host));
    if let Some(path) = path {
        shown.push('/');
        // Further hosts of a list may have users of their own.
        for (position, part) in path.split(',').enumerate() {
            shown.push_str(if position > 0 { "," } else { "" });
            let has_user = position > 0 && part.split_once('@').is_some_and(|(user, _)| user.contains(':'));
            shown.push_str(&if has_user { without_user(part) } else { part.to_owned() });
        }
    }
    let Some(query) = query else { return false };
    shown.push_str(url.get(address.len()..=address.len()).unwrap_or("?"));
    let query = shown_query(query);
    shown.push_str(&query);
    query.ends_with("=****")
}

/// Replaces the user and the password before a host.
fn without_user(host: &str) -> String {
    host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("****@{host}"))
}

/// Returns a query or a fragment without its secrets.
pub(crate) fn shown_query(query: &str) -> String {
    let mut shown = String::with_capacity(query.len());
    for (position, group) in query.split('&').enumerate() {
        shown.push_str(if position > 0 { "&" } else { "" });
        // Text after a secret that has no name of its own is part of the secret.
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

/// Returns whether a parameter of a URL is a secret. So is the `code` of an authorization, and any
/// name with a percent sign, which may hide one.
fn is_secret_parameter(name: &str) -> bool {
    is_secret(name) || name.eq_ignore_ascii_case("code") || name.contains('%')
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
            // A path with an `@` after a port may be a password that starts with digits.
            ("see http://host:80/a@b and http://u:p@h", "see http://****@b and http://****@h"),
            ("see http://host:80/a and mail to a@b", "see http://host:80/a and mail to a@b"),
            ("http://[::1]/a@b", "http://[::1]/a@b"),
            ("no URL", "no URL"),
            ("http://h/?to%6ben=SECRET&v=1", "http://h/?to%6ben=****&v=1"),
            ("redis://u:SEC[RET/x@host", "redis://****@host"),
            ("http://h1:9200/,user:SECRET@h2/", "http://h1:9200/,****@h2/"),
            ("http://h/;token=SECRET", "http://h/;token=****"),
            ("jdbc:sqlserver://h;user=u;password=SECRET", "jdbc:sqlserver://h;user=u;password=****"),
            ("http://h/?token=a://SECRET&v=1", "http://h/?token=****&v=1"),
            ("http://h/?token=SECRET://x", "http://h/?token=****"),
            ("http://h/?token=\"SECRET\" next", "http://h/?token=**** next"),
            ("http:////u:SECRET@h", "http:////****@h"),
            ("Authorization: Bearer SECRET", "Authorization: Bearer ****"),
            ("{\"a\": \"Basic SECRET\"}", "{\"a\": \"Basic ****\"}"),
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
            "costApiKey",
            "cost_center_password",
            "apikeys",
            "accesstokens",
            "refreshTokens",
            "sshkeys",
            "basicauth",
            "proxyauthorization",
            "usercredential",
            "db_pass",
            "psk",
            "sasl_jaas_config",
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
            "maxtokens",
            "turkeys",
            "passes_through",
            "cost_per_token",
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

    /// A text of many URLs is scanned once.
    #[test]
    fn long_texts_take_no_longer_than_their_length() {
        for part in ["a://", "http://a:b/", "http://u:p@h ", "http://h/?token=a://", "Bearer "] {
            let text = part.repeat(200_000 / part.len());
            assert!(shown(&text).len() <= text.len() + text.len() / part.len() * 4, "{part}");
        }
    }
}
