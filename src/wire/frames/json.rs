//! JSON values one after another: the elements of an array, or JSON lines.

use arrayvec::ArrayString;
use memchr::memchr2;

use super::{Event, Receiver, append, cut_off, too_long};

/// The state between pushes.
#[derive(Debug, Default)]
pub(in crate::wire) struct Json {
    /// The beginning of an object whose end was not pushed yet.
    buffer: Vec<u8>,
    /// The number of objects and lists that are open, within an object of the outermost level.
    depth: usize,
    place: Place,
    /// True in an object that is too long, the rest of which is skipped.
    skips: bool,
    /// The beginning of a text between objects.
    between: ArrayString<8>,
    /// True if a text between objects was reported.
    reported: bool,
}

/// The place that a scan is at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    Text,
    /// Behind a backslash in a text.
    Escape,
}

impl Json {
    pub(super) fn push(&mut self, bytes: &[u8], longest: usize, receiver: &mut impl Receiver) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.depth == 0 {
                let start = rest.iter().position(|byte| *byte == b'{');
                let (between, behind) = rest.split_at(start.unwrap_or(rest.len()));
                self.read_between(between);
                if start.is_some() {
                    self.end_between(receiver);
                }
                rest = behind;
                if rest.is_empty() {
                    return;
                }
            }
            let end = self.scan(rest);
            let (object, behind) = rest.split_at(end.unwrap_or(rest.len()));
            rest = behind;
            if !self.skips {
                let is_whole = end.is_some() && self.buffer.is_empty() && object.len() <= longest;
                if !is_whole && append(&mut self.buffer, object, longest).is_err() {
                    (self.skips, self.buffer) = (true, Vec::new());
                    receiver.error(too_long(longest));
                }
            }
            if end.is_some() && !std::mem::take(&mut self.skips) {
                let json = if self.buffer.is_empty() { object } else { &self.buffer };
                receiver.event(Event::Json { kind: None, json });
            }
            if end.is_some() {
                self.buffer.clear();
            }
        }
    }

    pub(super) fn finish(&mut self, receiver: &mut impl Receiver) {
        self.end_between(receiver);
        if self.depth > 0 {
            *self = Self::default();
            receiver.error(cut_off());
        }
    }

    /// Keeps the beginning of what is neither an object nor between elements.
    fn read_between(&mut self, between: &[u8]) {
        let is_separator = |byte: &u8| matches!(byte, b'[' | b']' | b',') || byte.is_ascii_whitespace();
        for byte in between.iter().filter(|byte| !is_separator(byte)) {
            if self.between.try_push(char::from(*byte)).is_err() {
                break;
            }
        }
    }

    /// Reads the text between two objects, or behind the last one: `[DONE]`, or an error, which is
    /// reported once.
    fn end_between(&mut self, receiver: &mut impl Receiver) {
        match &*self.between {
            "" => return,
            "DONE" => receiver.event(Event::Done),
            _ if std::mem::replace(&mut self.reported, true) => {}
            _ => {
                receiver.error(crate::wire::json::invalid("the stream has text between its JSON objects"));
            }
        }
        self.between.clear();
    }

    /// Returns the end of the object that bytes begin with, or continue, if it is in them.
    fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let found = match self.place {
                Place::Escape => 0,
                Place::Text => memchr2(b'"', b'\\', rest)?,
                Place::Outside => {
                    rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))?
                }
            };
            at += found + 1;
            match (self.place, rest.get(found)) {
                (Place::Text, Some(b'"')) => self.place = Place::Outside,
                (Place::Text, _) => self.place = Place::Escape,
                (Place::Escape, _) | (Place::Outside, Some(b'"')) => self.place = Place::Text,
                (Place::Outside, Some(b'{' | b'[')) => self.depth += 1,
                (Place::Outside, _) => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
            }
        }
        None
    }
}
