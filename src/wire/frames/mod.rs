//! [`Frames`]: the events of a stream, from bytes in any slicing.
//!
//! Whole events are handed on as slices of the bytes that were pushed. Only an event that is spread
//! over several pushes is copied, and no more than the longest event is kept.

mod aws;
mod json;
mod sse;

use aws::Aws;
use json::Json;
use sse::Sse;

use crate::error::Error;

/// An event of a stream.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// JSON. The kind of the event is given if the framing names it.
    Json { kind: Option<&'a str>, json: &'a [u8] },
    /// The sentinel at the end of OpenAI's streams.
    Done,
    /// An exception of AWS, by its type.
    Exception(&'a str),
}

/// A receiver of events, and of the errors of events that cannot be framed.
pub(super) trait Receiver {
    fn event(&mut self, event: Event<'_>);
    fn error(&mut self, error: Error);
}

/// The framing of a stream, which its first byte tells.
#[derive(Debug)]
pub(super) enum Frames {
    /// No byte but blanks and a byte order mark was pushed.
    Unknown,
    /// Server-sent events.
    Sse(Sse),
    /// A JSON array, JSON lines, or JSON values one after another.
    Json(Json),
    /// Event streams of AWS.
    Aws(Aws),
}

impl Frames {
    /// Splits bytes into events.
    pub(super) fn push(&mut self, bytes: &[u8], longest: usize, receiver: &mut impl Receiver) {
        let mut rest = bytes;
        if let Self::Unknown = self {
            // A byte order mark may be split over several pushes.
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xEF | 0xBB | 0xBF);
            let Some(start) = rest.iter().position(|byte| !is_blank(byte)) else { return };
            (_, rest) = rest.split_at(start);
            *self = match rest.first() {
                Some(b'{' | b'[') => Self::Json(Json::default()),
                Some(0..=0x1F) => Self::Aws(Aws::default()),
                _ => Self::Sse(Sse::default()),
            };
        }
        match self {
            Self::Unknown => {}
            Self::Sse(frames) => frames.push(rest, longest, receiver),
            Self::Json(frames) => frames.push(rest, longest, receiver),
            Self::Aws(frames) => frames.push(rest, longest, receiver),
        }
    }

    /// Hands on what is left at the end of the stream.
    pub(super) fn finish(&mut self, longest: usize, receiver: &mut impl Receiver) {
        match self {
            Self::Unknown => {}
            Self::Sse(frames) => frames.finish(longest, receiver),
            Self::Json(frames) => frames.finish(receiver),
            Self::Aws(frames) => frames.finish(receiver),
        }
    }
}

/// Returns the error of an event that is longer than the limit.
#[cold]
fn too_long(longest: usize) -> Error {
    crate::wire::json::invalid(format_args!(
        "an event is longer than {longest} bytes: see Stream::max_event_bytes"
    ))
}

/// Returns the error of a stream that ends within an event.
#[cold]
fn cut_off() -> Error {
    crate::wire::json::invalid("the stream ends within an event")
}

/// Appends bytes to an event that is kept, unless it becomes too long.
fn append(buffer: &mut Vec<u8>, bytes: &[u8], longest: usize) -> Result<(), Error> {
    if bytes.len() > longest.saturating_sub(buffer.len()) {
        return Err(too_long(longest));
    }
    buffer.extend_from_slice(bytes);
    Ok(())
}
