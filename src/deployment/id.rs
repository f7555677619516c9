//! The id of a deployment that sets none: SHA-256 over its name and parameters, as LiteLLM computes
//! it.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::Params;
use crate::json::fields;

/// Returns the hash of the name, and of every parameter's name and value in order. Strings are
/// hashed as they are, objects as Python's `json.dumps` prints them, and everything else as `str`
/// does.
pub(super) fn id_of(model_name: &str, litellm_params: Params<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(model_name);
    for (name, json) in litellm_params.fields() {
        hash.update(&*name);
        let mut text = String::new();
        match json.as_bytes().first() {
            Some(b'"') => text = read_text(json),
            Some(b'{') => dumps(json, &mut text),
            _ => repr(json, &mut text),
        }
        hash.update(text);
    }
    let mut id = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a `String` cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

fn read_text(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_default()
}

fn elements(json: &str) -> Vec<&str> {
    let list: Vec<&serde_json::value::RawValue> = serde_json::from_str(json).unwrap_or_default();
    list.into_iter().map(serde_json::value::RawValue::get).collect()
}

/// Prints a value as Python's `json.dumps` does, in ASCII.
fn dumps(json: &str, out: &mut String) {
    match json.as_bytes().first() {
        Some(b'{') => {
            out.push('{');
            for (position, (name, value)) in fields(json).unwrap_or_default().iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                dumps_text(name, out);
                out.push_str(": ");
                dumps(value, out);
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for (position, value) in elements(json).into_iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                dumps(value, out);
            }
            out.push(']');
        }
        Some(b'"') => dumps_text(&read_text(json), out),
        Some(b't' | b'f' | b'n') => out.push_str(json),
        _ => number(json, out),
    }
}

fn dumps_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Prints a value as Python's `repr` does.
fn repr(json: &str, out: &mut String) {
    match json.as_bytes().first() {
        Some(b'{') => {
            out.push('{');
            for (position, (name, value)) in fields(json).unwrap_or_default().iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                repr_text(name, out);
                out.push_str(": ");
                repr(value, out);
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for (position, value) in elements(json).into_iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                repr(value, out);
            }
            out.push(']');
        }
        Some(b'"') => repr_text(&read_text(json), out),
        Some(b't') => out.push_str("True"),
        Some(b'f') => out.push_str("False"),
        Some(b'n') => out.push_str("None"),
        _ => number(json, out),
    }
}

fn repr_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        let _ = match c {
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\\' => out.write_str("\\\\"),
            c if c == quote => write!(out, "\\{c}"),
            c if is_printable(c) => out.write_char(c),
            c if u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
            c if u32::from(c) < 0x1_0000 => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "\\U{:08x}", u32::from(c)),
        };
    }
    out.push(quote);
}

/// Returns the result of Python's `str.isprintable` for a character.
fn is_printable(c: char) -> bool {
    use GeneralCategory as Category;
    c == ' '
        || !matches!(
            c.general_category(),
            Category::Control
                | Category::Format
                | Category::Surrogate
                | Category::PrivateUse
                | Category::Unassigned
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::SpaceSeparator
        )
}

/// Prints a number as Python does: integers digit by digit, others as the shortest digits that read
/// back the same.
fn number(json: &str, out: &mut String) {
    if !json.contains(['.', 'e', 'E']) {
        out.push_str(if json == "-0" { "0" } else { json });
        return;
    }
    let value: f64 = json.parse().unwrap_or(0.0);
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "inf" } else { "-inf" });
        return;
    }
    // `serde_json` prints the shortest digits, and of two equally near candidates the even one, as
    // Python does. The standard library does not.
    let shortest = serde_json::to_string(&value.abs()).unwrap_or_default();
    let (mantissa, exponent) = shortest.split_once(['e', 'E']).unwrap_or((&shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    // The digits are `0.ddd` times ten to the power of `point`.
    let before = i32::try_from(whole.len()).unwrap_or(0) + exponent.parse::<i32>().unwrap_or(0);
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let point = before - i32::try_from(leading).unwrap_or(0);
    let digits = digits.trim_matches('0');
    out.push_str(if value.is_sign_negative() { "-" } else { "" });
    if digits.is_empty() {
        out.push_str("0.0");
    } else if (-3..=16).contains(&point) {
        let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
        let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
        let at = usize::try_from(point).unwrap_or(0);
        let _ = match digits.split_at_checked(at) {
            _ if point <= 0 => write!(out, "0.{}{digits}", zeros(-point)),
            Some((whole, "")) => write!(out, "{whole}.0"),
            Some((whole, fraction)) => write!(out, "{whole}.{fraction}"),
            None => write!(out, "{digits}{}.0", zeros(point - length)),
        };
    } else {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if point > 0 { '+' } else { '-' };
        let _ = write!(out, "{first}{dot}{rest}e{sign}{:02}", (point - 1).abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(print: fn(&str, &mut String), json: &str) -> String {
        let mut out = String::new();
        print(json, &mut out);
        out
    }

    #[test]
    fn prints_numbers_as_python_does() {
        for (json, python) in [
            ("1", "1"),
            ("-0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.0", "1.0"),
            ("1e5", "100000.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.5e300", "1.5e+300"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("3e-7", "3e-07"),
            ("1.25e-100", "1.25e-100"),
            ("-0.0", "-0.0"),
            ("0.1", "0.1"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("759890493043945.25", "759890493043945.2"),
            ("-12.5", "-12.5"),
            ("0.00012345", "0.00012345"),
            ("5e-324", "5e-324"),
            ("1e999", "inf"),
        ] {
            assert_eq!(with(repr, json), python);
        }
    }

    #[test]
    fn prints_texts_as_python_does() {
        assert_eq!(with(repr, r#""it's""#), r#""it's""#);
        assert_eq!(with(repr, r#""it's \"so\"""#), r#"'it\'s "so"'"#);
        assert_eq!(with(repr, r#""é日本\u0000\u200b\ud83d\ude00\\\n""#), r"'é日本\x00\u200b😀\\\n'");
        assert_eq!(with(dumps, r#""é\ud83d\ude00/\u007f\"""#), r#""\u00e9\ud83d\ude00/\u007f\"""#);
        assert_eq!(with(repr, r#"[true, null, {"a": [1.50, "b"]}]"#), "[True, None, {'a': [1.5, 'b']}]");
        assert_eq!(with(dumps, r#"{"a":[1.50,"b",null],"b":{}}"#), r#"{"a": [1.5, "b", null], "b": {}}"#);
    }
}
