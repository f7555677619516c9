//! [`Relay`]: a stream that is passed on to a client, with its cost.

use std::borrow::Cow;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memchr2;

use super::{Format, Response, Stream};
use crate::cost::{Cost, Note};
use crate::error::Error;
use crate::json::{object, quoted};

/// A stream of server-sent events that is passed on to a client while its usage is read. An event with
/// the cost is added at its end.
///
/// Bytes are passed on as they come. Only the beginning of a line that may become `data: [DONE]` is held
/// back until its next byte: with that line, clients of OpenAI's chat completions stop reading, so that
/// the event goes before it. Elsewhere the event comes last.
///
/// In a stream of chat completions, the event is a chunk without choices, which clients accept, with the
/// usage and `response_cost`. In others, it is the event `response_cost`, which clients skip:
///
/// ```text
/// data: {"id": "chatcmpl-1", …, "choices": [], "usage": {…}, "response_cost": {"total": "0.00252", …}}
///
/// event: response_cost
/// data: {"type": "response_cost", "response_cost": {"total": "0.00405", "input": "0.0033", …}}
/// ```
///
/// `response_cost` has the values of [`Cost::headers`](crate::Cost::headers), in US dollars, or an
/// `error`. Streams that are not server-sent events are passed on as they are.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::CostMap;
/// use llm_costmap::wire::{Relay, Stream};
///
/// let map = CostMap::bundled();
/// let mut relay = Relay::new(Stream::new(), 1_000, |served| {
///     let served = served?;
///     map.cost(served.lookup_or("gpt-4o"), &served)
/// });
/// let mut client = Vec::new();
/// client.extend_from_slice(&relay.push(b"data: {\"model\": \"gpt-4o\", \"choices\": [], \"usage\": "));
/// client.extend_from_slice(&relay.push(b"{\"prompt_tokens\": 1000, \"completion_tokens\": 2}}\n\ndata: [DO"));
/// client.extend_from_slice(&relay.push(b"NE]\n\n"));
/// client.extend(relay.finish());
/// let client = String::from_utf8(client)?;
/// assert!(client.contains(r#""response_cost":{"total":"0.00252","original":"0.00252","#));
/// assert!(client.ends_with("}}\n\ndata: [DONE]\n\n"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A client that hangs up leaves no count in a stream of chat completions. When the relay is dropped, the
/// call is priced nevertheless, with estimates: see [`new`](Self::new).
pub struct Relay<P: FnOnce(Result<Response, Error>) -> Result<Cost, Error>> {
    stream: Stream,
    /// `None` once it was called.
    price: Option<P>,
    /// The caller's estimate of the tokens of the prompt.
    prompt_tokens: u64,
    /// The beginning of a line that may become the last one.
    held: Vec<u8>,
    /// The ends of lines behind the last byte of text that was passed on: none within a line, and two or
    /// more behind a whole event.
    line_ends: usize,
    /// True if that byte was a carriage return, whose line feed may follow.
    is_after_return: bool,
    cost: Option<Result<Cost, Error>>,
}

/// The line with which clients of chat completions stop reading, in its two spellings.
const DONE: [&[u8]; 2] = [b"data: [DONE]", b"data:[DONE]"];

/// Returns whether a line is the last one.
fn is_done(line: &[u8]) -> bool {
    DONE.contains(&line.trim_ascii_end())
}

/// Returns whether a line without its end may become the last one. Few blanks at its end are accepted.
fn may_be_done(line: &[u8]) -> bool {
    DONE.iter().any(|done| done.starts_with(line)) || (is_done(line) && line.len() < 32)
}

/// The number of events up to which an error of the provider means that nothing was generated: those that
/// open a response.
const OPENING: u64 = 3;

impl<P: FnOnce(Result<Response, Error>) -> Result<Cost, Error>> Relay<P> {
    /// Creates a relay.
    ///
    /// `price` is called once: before the event is added, or when the relay is dropped before its end. It
    /// gets the response, or the reason that there is none, and its result is the cost that the event
    /// tells and [`cost`](Self::cost) returns. This is the place to write the cost into a ledger.
    ///
    /// A stream that ends before its provider counts tokens, or without doing so, is priced by estimates:
    /// by `prompt_tokens` (a fourth of the request's bytes is usual), and by a token for each event. The
    /// bill then has the note [`EstimatedCounts`](crate::cost::Note::EstimatedCounts), and the event
    /// `"estimated": true`. An error of the provider is estimated as well where it interrupts a response;
    /// within the first three events, it is an error for `price`.
    pub fn new(stream: Stream, prompt_tokens: u64, price: P) -> Self {
        Self {
            stream,
            price: Some(price),
            prompt_tokens,
            held: Vec::new(),
            line_ends: 2,
            is_after_return: false,
            cost: None,
        }
    }

    /// Reads bytes, which may begin and end anywhere, and returns those to pass on.
    ///
    /// An event that cannot be read is passed on all the same, and what is known of the usage is kept.
    #[must_use]
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let _ = self.stream.push(bytes);
        let mut whole = self.release(bytes);
        if self.price.is_none() || !self.stream.is_sse() {
            return whole;
        }
        let (mut start, mut is_new) = (0, self.line_ends > 0);
        while let Some(rest) = whole.get(start..).filter(|rest| !rest.is_empty()) {
            let end = memchr2(b'\n', b'\r', rest);
            let line = end.and_then(|end| rest.get(..end));
            if is_new && line.is_some_and(is_done) {
                let mut whole = whole.into_owned();
                let done = whole.split_off(start);
                self.pass(&whole);
                whole.extend(self.event());
                whole.extend(done);
                return Cow::Owned(whole);
            }
            // The events before the last line have ended when that has.
            if is_new && line.is_none() && may_be_done(rest) {
                self.held = rest.to_vec();
                match &mut whole {
                    Cow::Borrowed(bytes) => *bytes = bytes.get(..start).unwrap_or_default(),
                    Cow::Owned(bytes) => bytes.truncate(start),
                }
                break;
            }
            let Some(end) = end else { break };
            (start, is_new) = (start + end + 1, true);
        }
        self.pass(&whole);
        whole
    }

    /// Returns bytes behind those that were held back.
    fn release<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.held.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(bytes);
        Cow::Owned(whole)
    }

    /// Takes note of the ends of lines at the end of bytes that are passed on.
    fn pass(&mut self, bytes: &[u8]) {
        let text = bytes.trim_ascii_end().len();
        let at_end = bytes.get(text..).unwrap_or_default();
        // A blank that is no end of a line begins a line of its own: rare, and harmless.
        let ends = at_end.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        let ends = ends - at_end.windows(2).filter(|pair| *pair == b"\r\n").count();
        let before = if text == 0 { self.line_ends } else { 0 };
        let is_split = text == 0 && self.is_after_return && bytes.starts_with(b"\n");
        self.line_ends = before + ends - usize::from(is_split);
        self.is_after_return = bytes.last().map_or(self.is_after_return, |last| *last == b'\r');
    }

    /// Ends the stream, and returns the last bytes to pass on: the event, unless that was added before, or
    /// the last event of the provider was cut off.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        let is_whole = self.stream.finish().is_ok();
        let held = std::mem::take(&mut self.held);
        let (mut bytes, done) = if is_done(&held) { (Vec::new(), held) } else { (held, Vec::new()) };
        self.pass(&bytes);
        if self.price.is_some() {
            let event = self.event();
            // Behind half an event, it would be read as the rest of that.
            if self.stream.is_sse() && is_whole {
                bytes.extend(event);
            }
        }
        bytes.extend(done);
        bytes
    }

    /// Returns the cost, or the reason that there is none, once the stream was priced.
    #[must_use]
    pub fn cost(&self) -> Option<&Result<Cost, Error>> {
        self.cost.as_ref()
    }

    /// Prices the stream, and returns the event, behind the end of the one before it.
    fn event(&mut self) -> Vec<u8> {
        let served = self.served();
        let chunk =
            served.as_ref().ok().filter(|served| served.format() == Format::OpenAiChat).map(|served| {
                let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                vec![
                    ("id", quoted(served.id().unwrap_or_default())),
                    ("object", quoted("chat.completion.chunk")),
                    ("created", created.to_string()),
                    ("model", quoted(served.model().unwrap_or_default())),
                    ("choices", "[]".to_owned()),
                    // Clients that collect a stream take the usage of its last chunk.
                    ("usage", serde_json::to_string(served.usage()).unwrap_or_else(|_| "null".to_owned())),
                ]
            });
        let name = if chunk.is_some() { "" } else { "event: response_cost\n" };
        let mut event = chunk.unwrap_or_else(|| vec![("type", quoted("response_cost"))]);
        let Some(price) = self.price.take() else { return Vec::new() };
        let told = match self.cost.insert(price(served)) {
            Ok(cost) => {
                let headers = cost.headers().map(|(name, value)| (field(name), quoted(&value)));
                let is_estimate = cost.notes().any(|note| note == Note::EstimatedCounts);
                let estimated = is_estimate.then(|| ("estimated".to_owned(), "true".to_owned()));
                object(headers.chain(estimated))
            }
            Err(error) => object([("error", quoted(&error.to_string()))]),
        };
        event.push(("response_cost", told));
        let boundary = ["\n\n", "\n", ""].get(self.line_ends).copied().unwrap_or_default();
        format!("{boundary}{name}data: {}\n\n", object(event)).into_bytes()
    }

    /// Returns what was served by now. Counts that the provider did not report are estimated.
    fn served(&self) -> Result<Response, Error> {
        match self.stream.response() {
            Err(error @ Error::ErrorResponse { .. }) if self.stream.events() <= OPENING => Err(error),
            _ => Ok(self.stream.response_or_estimate(self.prompt_tokens, self.stream.events())),
        }
    }
}

/// Returns the field of the event for a header: `total` for `x-litellm-response-cost`, `cache_read` for
/// `x-litellm-response-cost-cache-read`.
fn field(header: &str) -> String {
    let part = header.trim_start_matches("x-litellm-response-cost").trim_start_matches('-');
    if part.is_empty() { "total".to_owned() } else { part.replace('-', "_") }
}

impl<P: FnOnce(Result<Response, Error>) -> Result<Cost, Error>> Drop for Relay<P> {
    fn drop(&mut self) {
        if let Some(price) = self.price.take() {
            // Nobody is left to be told: `price` has written it down.
            let _ = price(self.served());
        }
    }
}

impl<P: FnOnce(Result<Response, Error>) -> Result<Cost, Error>> fmt::Debug for Relay<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("stream", &self.stream)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
