//! Texts as errors and warnings show them.

/// The number of bytes of a text that errors keep, since the text of a client or a map may be of
/// any size.
const KEPT: usize = 256;

/// Returns the beginning of a text, cut between characters.
pub(crate) fn clip(text: &str) -> &str {
    let end = (0..=KEPT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}
