//! The parts of messages that are more than a text.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::SystemTime;

use crate::time;

pub(super) fn fmt_io(
    path: &std::path::Path,
    source: &Arc<std::io::Error>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "cannot read {}", path.display())?;
    fmt_cause(source, f)
}

pub(super) fn fmt_thread(source: &Arc<std::io::Error>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("cannot start a thread")?;
    fmt_cause(source, f)
}

/// Appends the cause to a message that is written with `{:#}`.
fn fmt_cause(cause: &Arc<std::io::Error>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if f.alternate() { write!(f, ": {cause}") } else { Ok(()) }
}

#[allow(clippy::ref_option, reason = "the signature that is asked for")]
pub(super) fn fmt_no_price_at(
    model: &String,
    at: &SystemTime,
    earliest: &SystemTime,
    until: &Option<SystemTime>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let shown =
        |at: &SystemTime| time::rfc3339(*at).unwrap_or_else(|| "a time beyond the year 9999".to_owned());
    write!(f, "{model:?} has no price at {}: ", shown(at))?;
    match until {
        Some(until) => write!(f, "it left the map at {}; AsOf::retired keeps its last price", shown(until)),
        None => write!(f, "its prices begin at {}", shown(earliest)),
    }
}

/// The generations whose maps are kept.
pub(super) struct KeptGenerations<'a>(pub(super) &'a [RangeInclusive<u64>]);

impl fmt::Display for KeptGenerations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none is, beside the live one; CostMapBuilder::kept_maps keeps some");
        }
        f.write_str("beside the live one, those of ")?;
        for (position, generations) in self.0.iter().enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(f, "{comma}{}", generations.start())?;
            if generations.end() > generations.start() {
                write!(f, " to {}", generations.end())?;
            }
        }
        f.write_str(" are")
    }
}

/// A position in a text; writes nothing for line 0.
pub(super) struct TextPosition(pub(super) usize, pub(super) usize);

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " (line {}, column {})", self.0, self.1) }
    }
}

/// The type and the code of a provider's error; writes nothing for an error without either.
pub(super) struct ErrorName<'a>(pub(super) Option<&'a str>, pub(super) Option<&'a str>);

impl fmt::Display for ErrorName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (None, None) => Ok(()),
            (Some(name), None) | (None, Some(name)) => write!(f, " ({name})"),
            (Some(kind), Some(code)) => write!(f, " ({kind}, {code})"),
        }
    }
}

pub(super) struct FieldPrefix<'a>(pub(super) Option<&'a str>);

impl fmt::Display for FieldPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |field| write!(f, "{field}: "))
    }
}
