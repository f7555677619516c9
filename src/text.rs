//! Texts as errors and warnings show them.

/// What a client sends, or a map says, may be of any size: errors keep this much of it, in bytes.
const KEPT: usize = 256;

/// Returns the beginning of a text, whole characters only.
pub(crate) fn clip(text: &str) -> &str {
    let end = (0..=KEPT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}
