//! Reads the JSON of a response or an event, and makes the errors of text that cannot be read.

use std::fmt;

use serde::de::DeserializeSeed;

use super::body::Body;
use crate::error::Error;
use crate::usage::Place;

/// Reads a text of JSON into a body.
pub(super) fn read_json(body: &mut Body, json: &[u8]) -> Result<(), Error> {
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    let text = simdutf8::basic::from_utf8(json).map_err(|_| not_utf8(json))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Place { slot: body, name: "" }.deserialize(&mut deserializer).map_err(invalid)?;
    deserializer.end().map_err(invalid)?;
    body.end_event();
    body.settle_metadata();
    Ok(())
}

#[cold]
fn not_utf8(bytes: &[u8]) -> Error {
    let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    invalid(format_args!("it is not UTF-8 from byte {valid} on"))
}

pub(super) fn invalid(reason: impl fmt::Display) -> Error {
    Error::InvalidResponse { reason: reason.to_string() }
}
