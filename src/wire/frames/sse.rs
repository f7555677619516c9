//! Server-sent events, as the HTML standard defines them: lines end in LF, CR or CRLF, an empty line
//! ends an event, and only `data` is read.

use memchr::memchr2;

use super::{Event, Receiver, append, too_long};

/// The bytes of a line before its data.
const PREFIX: usize = b"data: ".len();

/// The state between pushes.
#[derive(Debug, Default)]
pub(in crate::wire) struct Sse {
    /// The beginning of a line whose end was not pushed yet.
    line: Vec<u8>,
    /// The data of an event whose end was not pushed yet.
    data: Vec<u8>,
    has_data: bool,
    /// True behind a CR, which an LF may follow.
    after_cr: bool,
    skips: Skips,
}

/// The part of the input that is skipped, since it is too long.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Skips {
    #[default]
    Nothing,
    /// The rest of an event.
    Event,
    /// The rest of a line, and then that of its event.
    Line,
}

impl Sse {
    pub(super) fn push(&mut self, bytes: &[u8], longest: usize, receiver: &mut impl Receiver) {
        let mut rest = bytes;
        // The data of the current event, as long as one line of these bytes holds all of it.
        let mut borrowed = None;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr) {
                if let Some(behind) = rest.strip_prefix(b"\n") {
                    rest = behind;
                    continue;
                }
            }
            let end = memchr2(b'\n', b'\r', rest);
            let Some((line, behind)) = end.and_then(|end| rest.split_at_checked(end)) else {
                self.keep_line(rest, longest, receiver);
                break;
            };
            self.after_cr = behind.first() == Some(&b'\r');
            rest = behind.get(1..).unwrap_or_default();
            if self.line.is_empty() && self.skips != Skips::Line {
                self.read_line(line, &mut borrowed, longest, receiver);
            } else {
                self.keep_line(line, longest, receiver);
                if self.skips == Skips::Line {
                    self.skips = Skips::Event;
                } else {
                    let mut line = std::mem::take(&mut self.line);
                    self.keep_data(&mut borrowed, longest, receiver);
                    let mut own = None;
                    self.read_line(&line, &mut own, longest, receiver);
                    self.keep_data(&mut own, longest, receiver);
                    line.clear();
                    self.line = line;
                }
            }
        }
        self.keep_data(&mut borrowed, longest, receiver);
    }

    pub(super) fn finish(&mut self, longest: usize, receiver: &mut impl Receiver) {
        // The last line, and the empty line behind the last event, may be missing.
        self.push(b"\n\n", longest, receiver);
    }

    #[inline]
    fn read_line<'b>(
        &mut self,
        line: &'b [u8],
        borrowed: &mut Option<&'b [u8]>,
        longest: usize,
        receiver: &mut impl Receiver,
    ) {
        if line.is_empty() {
            self.end_event(borrowed, receiver);
        } else if self.skips != Skips::Nothing {
            // The rest of an event that is too long.
        } else if line.len() > longest.saturating_add(PREFIX) {
            self.skip_event(longest, receiver);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            let data = data.strip_prefix(b" ").unwrap_or(data);
            // Some servers leave out the empty lines between events. Within JSON, no line that ends in a
            // brace is followed by one that begins with another.
            if data.starts_with(b"{") || data.trim_ascii() == b"[DONE]" {
                let before = if self.has_data { Some(&*self.data) } else { *borrowed };
                if before.is_some_and(|before| before.trim_ascii_end().ends_with(b"}")) {
                    self.end_event(borrowed, receiver);
                }
            }
            if borrowed.is_none() && !self.has_data && data.len() <= longest {
                *borrowed = Some(data);
                return;
            }
            self.keep_data(borrowed, longest, receiver);
            if self.has_data {
                self.keep(b"\n", longest, receiver);
            }
            self.keep(data, longest, receiver);
        }
    }

    #[inline]
    fn end_event(&mut self, borrowed: &mut Option<&[u8]>, receiver: &mut impl Receiver) {
        let skips = std::mem::take(&mut self.skips) != Skips::Nothing;
        let data = if std::mem::take(&mut self.has_data) { Some(&*self.data) } else { borrowed.take() };
        match data.filter(|_| !skips).map(<[u8]>::trim_ascii) {
            None | Some(b"") => {}
            Some(b"[DONE]") => receiver.event(Event::Done),
            Some(json) => receiver.event(Event::Json { kind: None, json }),
        }
        self.data.clear();
    }

    /// Keeps the data of an event whose end was not read yet.
    fn keep_data(&mut self, borrowed: &mut Option<&[u8]>, longest: usize, receiver: &mut impl Receiver) {
        if let Some(data) = borrowed.take() {
            self.keep(data, longest, receiver);
        }
    }

    fn keep(&mut self, data: &[u8], longest: usize, receiver: &mut impl Receiver) {
        self.has_data = true;
        if self.skips == Skips::Nothing && append(&mut self.data, data, longest).is_err() {
            self.skip_event(longest, receiver);
        }
    }

    /// Skips the rest of an event that is too long.
    #[cold]
    fn skip_event(&mut self, longest: usize, receiver: &mut impl Receiver) {
        if std::mem::replace(&mut self.skips, Skips::Event) == Skips::Nothing {
            receiver.error(too_long(longest));
        }
        self.data = Vec::new();
    }

    fn keep_line(&mut self, bytes: &[u8], longest: usize, receiver: &mut impl Receiver) {
        let most = longest.saturating_add(PREFIX);
        if self.skips != Skips::Line && append(&mut self.line, bytes, most).is_err() {
            self.skip_event(longest, receiver);
            (self.skips, self.line) = (Skips::Line, Vec::new());
        }
    }
}
