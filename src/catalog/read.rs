//! Reads a catalogue from bytes, or explains why they hold none.

use super::{Catalog, NotAMap, Text};
use crate::packed;

/// The reason why bytes hold no map.
#[derive(Debug)]
pub(crate) struct BadMap {
    pub(crate) message: String,
    /// The line, from 1; 0 if the reason concerns the whole text.
    pub(crate) line: usize,
    /// The column, from 1; 0 if the reason concerns the whole text.
    pub(crate) column: usize,
}

/// Reads a map from bytes, which were unpacked. `damage` is the reason that they were not.
pub(crate) fn read(bytes: Vec<u8>, damage: Option<String>) -> Result<Catalog, BadMap> {
    let invalid = |message: String, line: usize, column: usize| BadMap { message, line, column };
    if let Some(reason) = damage {
        return Err(invalid(reason, 0, 0));
    }
    if packed::is_packed(&bytes) {
        return Err(invalid("packed more than once: unpack it once".to_owned(), 0, 0));
    }
    let what = kind_of(&bytes);
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or(&[]);
        let (mut line, mut column) = (1, 1);
        for byte in before {
            (line, column) = if *byte == b'\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        invalid(what.unwrap_or("not UTF-8 text").to_owned(), line, column)
    })?;
    match Catalog::parse(Text::Owned(text.into_boxed_str())) {
        Ok(catalog) => Ok(catalog),
        Err(NotAMap::Json(error)) => {
            let message = error.to_string();
            // The error has the position in fields of its own.
            let message = message.split(" at line ").next().unwrap_or(&message);
            let message = what.map_or_else(|| message.to_owned(), |what| format!("{what}: {message}"));
            Err(invalid(message, error.line(), error.column()))
        }
        Err(error @ (NotAMap::TooLarge | NotAMap::TooManyRules(_) | NotAMap::SlowRules)) => {
            Err(invalid(error.to_string(), 0, 0))
        }
    }
}

/// Returns a description of bytes that are not JSON at all.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => Some("empty"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..] => {
            Some("UTF-16 text, save it as UTF-8")
        }
        _ if bytes.trim_ascii_start().starts_with(b"<") => Some("a page, not JSON"),
        _ => None,
    }
}
