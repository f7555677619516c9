//! Event streams of AWS: binary frames with headers and two checksums.
//!
//! A frame is its length, the length of its headers, the CRC-32 of both, the headers, the payload,
//! and the CRC-32 of all that. Numbers are big-endian.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::borrow::Cow;

use super::{Event, Receiver, append, cut_off, too_long};
use crate::error::Error;
use crate::wire::json::invalid;

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

/// The state between pushes.
#[derive(Debug, Default)]
pub(in crate::wire) struct Aws {
    /// The beginning of a frame whose end was not pushed yet.
    buffer: Vec<u8>,
    /// The JSON of the latest chunk, decoded.
    decoded: Vec<u8>,
    /// True after a length that cannot be trusted, behind which no frame can be found.
    is_lost: bool,
}

impl Aws {
    pub(super) fn push(&mut self, bytes: &[u8], longest: usize, receiver: &mut impl Receiver) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_lost {
            if let Err(error) = self.push_frame(&mut rest, longest, receiver) {
                (self.is_lost, self.buffer) = (true, Vec::new());
                receiver.error(error);
            }
        }
    }

    pub(super) fn finish(&mut self, receiver: &mut impl Receiver) {
        if !self.buffer.is_empty() {
            self.buffer.clear();
            receiver.error(cut_off());
        }
    }

    /// Takes a frame from the bytes, or all of them if the frame goes on. Returns an error if the
    /// end of the frame cannot be known.
    fn push_frame(
        &mut self,
        rest: &mut &[u8],
        longest: usize,
        receiver: &mut impl Receiver,
    ) -> Result<(), Error> {
        if self.buffer.is_empty() {
            if let Some(length) = frame_length(rest, longest)? {
                if let Some((frame, behind)) = rest.split_at_checked(length) {
                    *rest = behind;
                    read_frame(frame, &mut self.decoded, receiver);
                    return Ok(());
                }
            }
        }
        // First as much as the length is in, then as much as it says.
        let wanted = match frame_length(&self.buffer, longest)? {
            Some(length) => length,
            None => PRELUDE,
        };
        let missing = wanted.saturating_sub(self.buffer.len()).min(rest.len());
        let (more, behind) = rest.split_at(missing);
        append(&mut self.buffer, more, longest.max(PRELUDE))?;
        *rest = behind;
        if frame_length(&self.buffer, longest)? == Some(self.buffer.len()) {
            read_frame(&self.buffer, &mut self.decoded, receiver);
            self.buffer.clear();
        }
        Ok(())
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*digits))
}

/// Returns the length of the frame that bytes begin with, if its prelude is whole.
fn frame_length(bytes: &[u8], longest: usize) -> Result<Option<usize>, Error> {
    let Some(prelude) = bytes.get(..PRELUDE - CHECKSUM) else { return Ok(None) };
    let Some(checksum) = number(bytes, prelude.len()) else { return Ok(None) };
    if crc32fast::hash(prelude) != checksum {
        return Err(invalid("the checksum of a frame's length is wrong: the stream cannot be read further"));
    }
    let length = number(bytes, 0).and_then(|length| usize::try_from(length).ok());
    let headers = number(bytes, 4).and_then(|length| usize::try_from(length).ok());
    let (Some(length), Some(headers)) = (length, headers) else { return Ok(None) };
    if length > longest {
        return Err(too_long(longest));
    }
    if length < PRELUDE + CHECKSUM || headers > length - PRELUDE - CHECKSUM {
        return Err(invalid("a frame is shorter than its headers: the stream cannot be read further"));
    }
    Ok(Some(length))
}

/// Hands on the event of a whole frame.
fn read_frame(frame: &[u8], decoded: &mut Vec<u8>, receiver: &mut impl Receiver) {
    let Some((message, _)) = frame.split_last_chunk::<CHECKSUM>() else { return };
    if number(frame, message.len()) != Some(crc32fast::hash(message)) {
        return receiver.error(invalid("the checksum of a frame is wrong: its event is skipped"));
    }
    let headers = number(message, 4).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let Some((headers, payload)) = message.get(PRELUDE..).and_then(|rest| rest.split_at_checked(headers))
    else {
        return;
    };
    let Some(headers) = Headers::read(headers) else {
        return receiver.error(invalid("the headers of a frame cannot be read: its event is skipped"));
    };
    if let Some(exception) = headers.exception {
        return receiver.event(Event::Exception(exception));
    }
    let kind = headers.event;
    if kind != Some("chunk") {
        return receiver.event(Event::Json { kind, json: payload });
    }
    match Chunk::decode(payload, decoded) {
        Ok(()) => receiver.event(Event::Json { kind: None, json: decoded }),
        Err(error) => receiver.error(error),
    }
}

/// A chunk of Bedrock's `InvokeModelWithResponseStream`: the model's event, in Base64.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    bytes: Cow<'a, str>,
}

impl Chunk<'_> {
    fn decode(payload: &[u8], decoded: &mut Vec<u8>) -> Result<(), Error> {
        let chunk: Chunk<'_> = serde_json::from_slice(payload).map_err(invalid)?;
        decoded.clear();
        STANDARD
            .decode_vec(chunk.bytes.as_bytes(), decoded)
            .map_err(|error| invalid(format_args!("the bytes of a chunk are not base64: {error}")))
    }
}

/// The headers of a frame that matter.
#[derive(Default)]
struct Headers<'a> {
    event: Option<&'a str>,
    exception: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// Returns `None` if the headers are malformed.
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut headers = Self::default();
        while let Some((length, rest)) = bytes.split_first() {
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            let (kind, rest) = rest.split_first()?;
            let (length, rest) = match kind {
                0 | 1 => (0, rest),
                2 => (1, rest),
                3 => (2, rest),
                4 => (4, rest),
                5 | 8 => (8, rest),
                9 => (16, rest),
                6 | 7 => {
                    let (length, rest) = rest.split_first_chunk::<2>()?;
                    (usize::from(u16::from_be_bytes(*length)), rest)
                }
                _ => return None,
            };
            let (value, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            match name {
                b":event-type" => headers.event = std::str::from_utf8(value).ok(),
                b":exception-type" | b":error-code" => headers.exception = std::str::from_utf8(value).ok(),
                _ => {}
            }
        }
        Some(headers)
    }
}
