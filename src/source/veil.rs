//! Keeps the secrets of requests and answers out of ureq's log.
//!
//! At its finest level, ureq logs whole requests and answers, and a library cannot tell the
//! program's logger to leave them out. Therefore ureq is given a placeholder for the path and none
//! of the caller's headers. A transport directly below ureq, above TLS and proxies, writes the real
//! path and headers, and withholds from ureq the headers of an answer that it does not need.

use std::fmt;
use std::sync::{Arc, Mutex};

use ureq::http::{HeaderMap, HeaderName};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

use crate::sync::lock;

/// The headers of an answer that are passed on to ureq: those that ureq uses, and those that tell a
/// map's version.
const SHOWN: [&str; 10] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "retry-after",
    "server",
    "transfer-encoding",
];

/// The exchange in progress. A client has one at a time.
#[derive(Clone, Default)]
pub(super) struct Veil(Arc<Mutex<Exchange>>);

/// The parts of a request and its answer that are kept from ureq.
#[derive(Default)]
struct Exchange {
    number: u64,
    /// The real path and query of the request.
    target: String,
    headers: HeaderMap,
    /// The target of a redirect, as the answer has it.
    location: Option<Vec<u8>>,
}

impl Veil {
    /// Begins an exchange, and returns the path to give to ureq.
    pub(super) fn begin(&self, target: String, headers: HeaderMap) -> String {
        let mut exchange = lock(&self.0);
        let number = exchange.number.wrapping_add(1);
        *exchange = Exchange { number, target, headers, location: None };
        placeholder(number)
    }

    /// Takes the target of a redirect out of the exchange. Returns `None` if the answer has none.
    pub(super) fn location(&self) -> Option<String> {
        String::from_utf8(lock(&self.0).location.take()?).ok()
    }
}

/// Returns the path that stands for the target of an exchange.
///
/// A connection to a proxy is made with the proxy's own URL, so that this path tells the two apart.
fn placeholder(number: u64) -> String {
    format!("/****{number}")
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veil")
    }
}

impl<In: Transport> Connector<In> for Veil {
    type Out = Either<In, Veiled<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let path = details.uri.path();
        let is_ours = path == placeholder(lock(&self.0).number);
        Ok(chained.map(|inner| {
            if !is_ours {
                return Either::A(inner);
            }
            let config = details.config;
            Either::B(Veiled {
                inner,
                veil: self.clone(),
                buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
                request: Some(Vec::new()),
                answer: Some(Vec::new()),
                undelivered: Vec::new(),
                longest_head: config.max_response_header_size(),
            })
        }))
    }
}

/// A transport that ureq talks to in place of the real one.
pub(super) struct Veiled<In> {
    inner: In,
    veil: Veil,
    /// The buffers that ureq sees. The inner transport has its own.
    buffers: LazyBuffers,
    /// The head of the request as far as ureq has written it. `None` once it is sent.
    request: Option<Vec<u8>>,
    /// The head of the answer as far as it has been received. `None` once it is complete.
    answer: Option<Vec<u8>>,
    /// The bytes to pass on to ureq as soon as its buffer has room.
    undelivered: Vec<u8>,
    longest_head: usize,
}

impl<In> fmt::Debug for Veiled<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veiled")
    }
}

impl<In: Transport> Veiled<In> {
    fn send(&mut self, mut bytes: &[u8], timeout: NextTimeout) -> Result<(), ureq::Error> {
        while !bytes.is_empty() {
            let room = self.inner.buffers().output();
            let amount = room.len().min(bytes.len());
            let (now, later) = bytes.split_at_checked(amount).unwrap_or((bytes, &[]));
            if let Some(room) = room.get_mut(..amount) {
                room.copy_from_slice(now);
            }
            self.inner.transmit_output(amount, timeout)?;
            bytes = later;
        }
        Ok(())
    }

    /// Passes on as many bytes to ureq as its buffer has room for. Returns whether there were any.
    fn deliver(&mut self) -> bool {
        let room = self.buffers.input_append_buf();
        let amount = room.len().min(self.undelivered.len());
        for (to, from) in room.iter_mut().zip(self.undelivered.drain(..amount)) {
            *to = from;
        }
        self.buffers.input_appended(amount);
        amount > 0
    }
}

impl<In: Transport> Transport for Veiled<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let bytes = self.buffers.output().get(..amount).unwrap_or_default().to_vec();
        let Some(mut head) = self.request.take() else { return self.send(&bytes, timeout) };
        head.extend(bytes);
        let Some(end) = end_of_head(&head) else {
            self.request = Some(head);
            return Ok(());
        };
        let (head, body) = head.split_at_checked(end).unwrap_or((&head, &[]));
        let mut whole = real_request(head, &lock(&self.veil.0));
        whole.extend(body);
        self.send(&whole, timeout)
    }

    /// Reads from the inner transport at most once, instead of until there is input for ureq: ureq
    /// computes the remaining time anew for each call.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if !self.undelivered.is_empty() {
            return Ok(self.deliver());
        }
        let has_more = self.inner.buffers().can_use_input() || self.inner.await_input(timeout)?;
        let input = self.inner.buffers();
        let bytes = input.input().to_vec();
        input.input_consume(bytes.len());
        let Some(head) = &mut self.answer else {
            self.undelivered = bytes;
            return Ok(self.deliver());
        };
        head.extend(bytes);
        while !head.is_empty() {
            // Empty lines before an answer are skipped, as ureq skips them.
            let empty = head.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            head.drain(..empty);
            if !head.iter().zip(b"HTTP/").all(|(byte, expected)| byte == expected) {
                // An answer that is not HTTP has no head to hide. ureq reports the error.
                self.undelivered = std::mem::take(head);
                self.answer = None;
                return Ok(self.deliver());
            }
            let Some(end) = end_of_head(head).filter(|end| *end <= self.longest_head) else { break };
            let behind = head.split_off(end);
            let whole = std::mem::replace(head, behind);
            // Interim answers, such as `100 Continue`, are dropped: the final answer follows.
            let code = whole.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            if !matches!(code.get(..3), Some(b"100" | b"102" | b"103")) {
                self.undelivered = shown_answer(&whole, &mut lock(&self.veil.0));
                self.undelivered.append(head);
                self.answer = None;
                return Ok(self.deliver());
            }
        }
        if head.len() > self.longest_head {
            return Err(ureq::Error::LargeResponseHeader(head.len(), self.longest_head));
        }
        Ok(has_more)
    }

    /// A connection serves one request.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Returns the position after the empty line that ends a head. Returns `None` if the head is not
/// complete.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut line_is_empty = false;
    for (position, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if line_is_empty => return Some(position + 1),
            b'\n' => line_is_empty = true,
            b'\r' => {}
            _ => line_is_empty = false,
        }
    }
    None
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split_inclusive(|byte| *byte == b'\n')
}

/// Returns the name and the value of a header line. The name is `None` if the line is not a header,
/// or if it continues the line before it.
fn header(line: &[u8]) -> (Option<HeaderName>, &[u8]) {
    let is_odd = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    let content = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
    if content.first().is_some_and(u8::is_ascii_whitespace) || content.iter().any(is_odd) {
        return (None, line);
    }
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
    (HeaderName::from_bytes(name.trim_ascii()).ok(), value.strip_prefix(b":").unwrap_or(value).trim_ascii())
}

/// Returns the head that is sent: ureq's method and headers, except those that the caller sets,
/// with the real target and the caller's headers.
fn real_request(head: &[u8], exchange: &Exchange) -> Vec<u8> {
    let mut lines = lines(head);
    let method = lines.next().and_then(|line| line.split(|byte| *byte == b' ').next()).unwrap_or_default();
    let mut real = [method, b" ", exchange.target.as_bytes(), b" HTTP/1.1\r\n"].concat();
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        if header(line).0.is_none_or(|name| !exchange.headers.contains_key(name)) {
            real.extend(line);
        }
    }
    for (name, value) in &exchange.headers {
        real.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    real.extend(b"\r\n");
    real
}

/// Returns the head that is passed on to ureq: the status line and the headers in [`SHOWN`]. The
/// first `Location` is kept in the exchange.
fn shown_answer(head: &[u8], exchange: &mut Exchange) -> Vec<u8> {
    let mut shown = Vec::with_capacity(head.len());
    for (number, line) in lines(head).enumerate() {
        let (name, value) = header(line);
        let is_shown = name.as_ref().is_some_and(|name| SHOWN.contains(&name.as_str()));
        if number == 0 || is_shown || line.trim_ascii().is_empty() {
            shown.extend(line);
        } else if let Some(name) = name {
            if name == "location" {
                exchange.location.get_or_insert_with(|| value.to_vec());
            }
        } else {
            // Stands for a malformed line, so that ureq refuses the answer without seeing the line
            // itself.
            shown.extend(b"?\r\n");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line() {
        for (bytes, end) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\nbody", Some(27)),
            ("HTTP/1.1 200 OK\na: b\n\nbody", Some(22)),
            ("HTTP/1.1 200 OK\r\n\r\n", Some(19)),
            ("HTTP/1.1 200 OK\r\na: b\r\n", None),
            ("", None),
        ] {
            assert_eq!(end_of_head(bytes.as_bytes()), end, "{bytes:?}");
        }
    }

    #[test]
    fn the_real_request_has_the_callers_headers_and_each_once() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", "a/b".parse().unwrap());
        headers.insert("authorization", "Bearer SECRET".parse().unwrap());
        let exchange = Exchange { target: "/m?token=SECRET".to_owned(), headers, ..Exchange::default() };
        let head = b"GET /****1 HTTP/1.1\r\nhost: h\r\nAccept: */*\r\n\r\n";
        assert_eq!(
            String::from_utf8(real_request(head, &exchange)).unwrap(),
            "GET /m?token=SECRET HTTP/1.1\r\nhost: h\r\naccept: a/b\r\nauthorization: Bearer SECRET\r\n\r\n"
        );
    }

    #[test]
    fn of_an_answer_the_first_location_is_kept_and_little_is_shown() {
        let mut exchange = Exchange::default();
        let head = b"HTTP/1.1 302 Found\r\nLocation: /x?sig=SECRET\r\nLocation: /y\r\nSet-Cookie: SECRET\r\n\
                     ETag: \"1\"\r\nnonsense SECRET\r\nX: a\r\n SECRET: folded\r\nY: SECR\0ET\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(
            String::from_utf8(shown_answer(head, &mut exchange)).unwrap(),
            "HTTP/1.1 302 Found\r\nETag: \"1\"\r\n?\r\n?\r\n?\r\ncontent-length: 0\r\n\r\n"
        );
        assert_eq!(exchange.location.as_deref(), Some(&b"/x?sig=SECRET"[..]));
    }
}
