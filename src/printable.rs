//! The printable form of what the operator sets: deployments and registered models, without their
//! secrets.

use serde_json::Value;

use crate::json::{self, Shown, quoted};
use crate::redact::{self, is_secret};

/// Parameters that are left out entirely.
const DROPPED: [&str; 6] = [
    "api_key",
    "client_secret",
    "vertex_credentials",
    "vertex_ai_credentials",
    "aws_access_key_id",
    "aws_secret_access_key",
];

/// Values shorter than this are masked whole: four letters at both ends would be most of a short
/// secret.
const SHORT: usize = 16;

/// The number of letters left visible at each end of a longer value.
const SHOWN: usize = 4;

/// Returns whether a parameter is shown at all.
pub(crate) fn is_shown(name: &str) -> bool {
    !DROPPED.contains(&name)
}

/// Returns the printable form of a parameter, or of a field of the operator's model info. The JSON
/// must not be [deep](json::is_deep).
pub(crate) fn shown<'a>(name: &str, json: &'a str) -> Shown<'a> {
    if !json::is_readable(json) {
        // Secrets cannot be told apart in unreadable JSON. Only numbers are shown, unless the name
        // is that of a secret.
        let shows = json::is_number(json) && !is_secret(name);
        return Shown::Value(if shows { Value::from(json) } else { Value::Null });
    }
    let mut out = String::with_capacity(json.len());
    redact(json, is_secret(name), &mut out);
    Shown::of_text(out)
}

/// Writes JSON without its secrets. The output is rebuilt from the parsed value, so that nothing
/// else of the text, such as a repeated field, is copied. Digits of numbers are kept.
fn redact(json: &str, secret: bool, out: &mut String) {
    match json.as_bytes().first() {
        Some(b'{') => {
            let fields = json::fields(json).unwrap_or_default();
            // `{"name": "Authorization", "value": …}` is a header as well.
            let is_named = ["name", "key", "header"].iter().any(|field| {
                json::get(&fields, field).and_then(json::text).is_some_and(|name| is_secret(&name))
            });
            out.push('{');
            for (position, (name, json)) in fields.iter().enumerate() {
                out.push_str(if position > 0 { "," } else { "" });
                out.push_str(&quoted(name));
                out.push(':');
                redact(json, secret || is_secret(name) || (is_named && name == "value"), out);
            }
            out.push('}');
        }
        Some(b'[') => {
            let list = json::list(json).unwrap_or_default();
            // `["Authorization", …]` is a header as well.
            let is_pair = list.len() == 2
                && list.first().and_then(|name| json::text(name)).is_some_and(|name| is_secret(&name));
            out.push('[');
            for (position, json) in list.into_iter().enumerate() {
                out.push_str(if position > 0 { "," } else { "" });
                redact(json, secret || (is_pair && position == 1), out);
            }
            out.push(']');
        }
        Some(b'"') => {
            let text = json::text(json).unwrap_or_default();
            if secret && !is_reference(&text) {
                out.push_str(&quoted(&masked(&text)));
            } else {
                out.push_str(&quoted(&redact::shown(&text)));
            }
        }
        // A number is masked in the form that `serde_json` prints, whatever length it was written
        // with.
        _ if secret && json != "null" => {
            let printed = serde_json::from_str::<Value>(json).unwrap_or_default().to_string();
            out.push_str(&quoted(&masked(&printed)));
        }
        _ => out.push_str(json),
    }
}

fn masked(text: &str) -> String {
    let letters = text.chars().count();
    let hidden = |position: usize| letters < SHORT || (SHOWN..letters - SHOWN).contains(&position);
    text.chars().enumerate().map(|(position, c)| if hidden(position) { '*' } else { c }).collect()
}

/// Returns whether a text is `os.environ/NAME`, which refers to a secret and does not contain it.
fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix("os.environ/");
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(name: &str, value: impl Into<Value>) -> Value {
        serde_json::to_value(super::shown(name, &value.into().to_string())).unwrap()
    }

    #[test]
    fn masks_by_the_segments_of_a_name() {
        assert_eq!(shown("azure_ad_token", json!("abcdefghijklmnop")), json!("abcd********mnop"));
        assert_eq!(shown("X-Api-Key", json!("abcdefghijklmno")), json!("***************"));
        assert_eq!(
            shown("auth", json!("日本語日本語日本語日本語日本語日")),
            json!("日本語日********語日本語日".replace("語日本語日", "日本語日"))
        );
        for plain in ["max_tokens", "monkey", "input_cost_per_token", "model", "default_api_key_rpm_limit"] {
            assert_eq!(shown(plain, json!("abcdefghijklmnop")), json!("abcdefghijklmnop"), "{plain}");
        }
        assert_eq!(shown("private", json!(12_345)), json!("*****"));
        assert_eq!(shown("private", json!(null)), json!(null));
        assert_eq!(shown("token", json!("os.environ/TOKEN")), json!("os.environ/TOKEN"));
        assert_eq!(shown("token", json!("os.environ/not a name!")), json!("os.e**************ame!"));
    }

    #[test]
    fn masks_everything_under_a_secret_at_any_depth() {
        assert_eq!(
            shown(
                "extra_headers",
                json!({"Authorization": {"a": ["x", {"b": 1}]}, "plain": ["y", {"cookie": "z"}]})
            ),
            json!({"Authorization": {"a": ["*", {"b": "*"}]}, "plain": ["y", {"cookie": "*"}]})
        );
    }

    #[test]
    fn shows_no_credential_of_a_url() {
        for (url, expected) in [
            ("https://user:pa@ss@host:8080/path?q=1", "https://****@host:8080/path?q=1"),
            (
                "https://host/?api-key=x&v=2&sig=y&apikey=z",
                "https://host/?api-key=****&v=2&sig=****&apikey=****",
            ),
            ("https://host/a@b", "https://host/a@b"),
            ("see http://u@h and ftp://p:q@i/#token=t", "see http://****@h and ftp://****@i/#token=****"),
            ("https://host", "https://host"),
        ] {
            assert_eq!(shown("api_base", json!(url)), json!(expected), "{url}");
        }
    }

    #[test]
    fn shows_the_operator_s_own_keys() {
        assert_eq!(shown("my_custom_key", json!("my_custom_value")), json!("my_custom_value"));
        assert_eq!(shown("access_groups", json!(["a"])), json!(["a"]));
        assert_eq!(shown("output_cost_per_token", json!(1)), json!(1));
        assert_eq!(shown("api_key", json!("sk-1")), json!("****"));
        assert_eq!(
            shown("more", json!({"db_password": "x", "url": "http://u:p@h"})),
            json!({"db_password": "*", "url": "http://****@h"})
        );
    }

    #[test]
    fn headers_are_headers_however_they_are_listed() {
        for (value, expected) in [
            (
                json!([["Authorization", "abc"], ["plain", "x"]]),
                json!([["Authorization", "***"], ["plain", "x"]]),
            ),
            (json!([{"name": "X-Api-Key", "value": "abc"}]), json!([{"name": "X-Api-Key", "value": "***"}])),
            (json!("Authorization: Bearer abcdef; v=1"), json!("Authorization: Bearer ****; v=1")),
            (json!("basic YWJj"), json!("basic ****")),
            (json!("Bearer  abcdef v1"), json!("Bearer  **** v1")),
        ] {
            assert_eq!(shown("extra_headers", value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown_only_where_it_is_no_secret() {
        let shown = |name: &str, json: &str| serde_json::to_value(super::shown(name, json)).unwrap();
        assert_eq!(shown("temperature", "1e999"), json!("1e999"));
        assert_eq!(shown("api_key", "1e999"), json!(null));
        assert_eq!(shown("more", r#"{"password": "SECRET", "odd": 1e999}"#), json!(null));
        assert_eq!(shown("odd", r#""\ud800""#), json!(null));
        // Of repeated fields readers see the last. No other text is shown.
        let twice = r#"{"password": "SECRET", "password": null, "more": [{"api-key": "SECRET", "api-key": "os.environ/X"}]}"#;
        assert_eq!(
            serde_json::to_string(&super::shown("extra_headers", twice)).unwrap(),
            r#"{"password":null,"more":[{"api-key":"os.environ/X"}]}"#
        );
        // Digits are kept as written.
        assert_eq!(serde_json::to_string(&super::shown("x", "0.10")).unwrap(), "0.10");
    }
}
