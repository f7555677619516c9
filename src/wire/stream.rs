//! [`Stream`]: the running usage of a stream.

use super::body::{Body, Names};
use super::frames::{Event, Frames, Receiver};
use super::json::{invalid, read_json};
use super::response::Response;
use super::tools::Tools;
use crate::error::Error;
use crate::usage::{Counter, Format, Normal, Part, Shape, Units, Usage, UsageFields};

/// The most models that may transcribe the input of a session, since what is kept is limited.
const MOST_MODELS: usize = 64;

/// The longest event that is accepted by default, in bytes.
const LONGEST: usize = 16 << 20;

/// The running usage of a stream, read from its bytes as they arrive.
///
/// Server-sent events, JSON arrays, JSON lines and AWS event streams are told by their first byte.
/// The stream keeps what it knows of the usage, and at most one event that is not whole yet. Counts
/// that providers report again replace earlier ones; those of realtime sessions are added up.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, wire::Stream};
///
/// let mut stream = Stream::new();
/// for bytes in [
///     &b"data: {\"model\": \"gpt-4o\", \"choices\": [{\"delta\": {\"content\": \"Hi\"}}]}\n\n"[..],
///     b"data: {\"model\": \"gpt-4o\", \"choices\": [], \"usage\": {\"prompt_tokens\": 1000,",
///     b" \"completion_tokens\": 2}}\n\ndata: [DONE]\n\n",
/// ] {
///     // ... and pass the bytes on to the client.
///     stream.push(bytes)?;
/// }
/// assert!(stream.is_final());
/// let response = stream.response()?;
/// let cost = CostMap::bundled().cost(response.lookup_or("gpt-4o"), &response)?;
/// assert_eq!(cost.total().to_string(), "0.00252");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream {
    frames: Frames,
    longest: usize,
    state: State,
}

/// The facts that a stream has told so far.
#[derive(Debug, Default)]
struct State {
    format: Option<Format>,
    body: Body,
    /// The sums of the responses of a realtime session.
    session: Option<Session>,
    is_final: bool,
    /// The number of events with JSON.
    events: u64,
    /// The first error of a push.
    error: Option<Error>,
}

/// The usage of the responses of a realtime session that are done.
#[derive(Debug, Default)]
struct Session {
    usage: Option<Usage>,
    parts: Vec<Part>,
    tools: Tools,
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// Creates a stream whose format is recognised.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self { frames: Frames::Unknown, longest: LONGEST, state: State::default() }
    }

    /// Creates a stream of a known format.
    #[must_use]
    pub fn of(format: Format) -> Self {
        let mut stream = Self::new();
        stream.state.format = Some(format);
        stream
    }

    /// Sets the length of an event beyond which it is skipped with an error, in bytes. Default:
    /// 16 MiB.
    #[inline]
    #[must_use]
    pub fn max_event_bytes(self, bytes: usize) -> Self {
        Self { longest: bytes, ..self }
    }

    /// Reads bytes, which may begin and end anywhere.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidResponse`] if an event cannot be read, the first one if there are several; or
    /// if another response follows the end of the first, whose usage is then mixed with it. All
    /// bytes are read nevertheless, and what is known of the usage is kept. Behind a frame of AWS
    /// whose length cannot be trusted, nothing more is read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.frames.push(bytes, self.longest, &mut self.state);
        self.state.error.take().map_or(Ok(()), Err)
    }

    /// Reads one whole event that another framing delivered, such as a message of a WebSocket.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidResponse`] if the event cannot be read.
    pub fn push_event(&mut self, json: &[u8]) -> Result<(), Error> {
        self.state.event(Event::Json { kind: None, json });
        self.state.error.take().map_or(Ok(()), Err)
    }

    /// Ends the stream: reads a last event whose end is missing.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidResponse`] if the stream ends within an event.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.frames.finish(self.longest, &mut self.state);
        self.state.error.take().map_or(Ok(()), Err)
    }

    /// Returns whether the usage will not change: whether the event was read with which a stream of
    /// its format ends.
    ///
    /// That is `[DONE]` for OpenAI's chat completions, a terminal event for Responses,
    /// `message_stop` for Anthropic, a `finishReason` for Gemini, the `metadata` or metrics of
    /// Bedrock, `message-end` for Cohere, and `done` for Ollama. A realtime session is final between
    /// two responses.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.state.is_final
    }

    /// Returns the number of events with JSON that were read.
    pub(super) fn events(&self) -> u64 {
        self.state.events
    }

    /// Returns whether the stream consists of server-sent events. A stream whose first byte was not read
    /// yet does not.
    pub(super) fn is_sse(&self) -> bool {
        matches!(self.frames, Frames::Sse(_))
    }

    /// Returns the response as far as it was read: its usage, and what else is known of it.
    ///
    /// # Errors
    ///
    /// [`Error::MissingUsage`] if no count was read yet, and [`Error::ErrorResponse`] if an error
    /// was read instead.
    pub fn response(&self) -> Result<Response, Error> {
        self.state.response(self.state.body.names.clone())
    }

    /// Returns the response as far as it was read, with estimates of the caller's in the place of
    /// counts that were not reported: those of an interrupted stream. A stream that is
    /// [final](Self::is_final) and has a usage is not estimated.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::usage::{Counter, Provenance};
    /// use llm_costmap::wire::Stream;
    ///
    /// let mut stream = Stream::new();
    /// stream.push(b"event: message_start\ndata: {\"type\": \"message_start\", \"message\": {\"model\": \"m\", \
    ///     \"usage\": {\"input_tokens\": 25, \"output_tokens\": 1}}}\n\n")?;
    /// // The client hung up after some 200 tokens.
    /// let response = stream.response_or_estimate(30, 200);
    /// let usage = response.usage();
    /// assert_eq!((usage.prompt_tokens, usage.completion_tokens), (25, 200));
    /// assert_eq!(usage.provenance(Counter::PromptTokens), Provenance::Reported);
    /// assert_eq!(usage.provenance(Counter::CompletionTokens), Provenance::Estimated);
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn response_or_estimate(&self, prompt_tokens: u64, completion_tokens: u64) -> Response {
        if let (true, Ok(response)) = (self.is_final(), self.response()) {
            return response;
        }
        let mut response = self.response().unwrap_or_else(|_| {
            let body = &self.state.body;
            let format = self.state.format.unwrap_or_else(|| body.likely_format());
            let mut shown = Normal::unknown();
            if let Some(searches) = body.context(&body.names).web_searches {
                shown.usage.set(Counter::WebSearchRequests, searches);
            }
            Response::with(body, body.names.clone(), format, shown, &body.tools)
        });
        let usage = response.usage_mut();
        for (counter, estimate) in
            [(Counter::PromptTokens, prompt_tokens), (Counter::CompletionTokens, completion_tokens)]
        {
            if usage.get(counter).is_none() {
                usage.set_estimate(counter, estimate);
            }
        }
        response
    }

    /// Returns the fields of the usage, to set counts that are not in the text.
    pub(super) fn fields(&mut self) -> &mut UsageFields {
        &mut self.state.body.fields
    }

    /// Reads a whole text, which is one event or a list of them, and returns its response.
    pub(super) fn read_whole(&mut self, json: &[u8]) -> Result<Response, Error> {
        if json.trim_ascii_start().first() == Some(&b'[') {
            self.push(json)?;
            self.finish()?;
        } else {
            self.push_event(json)?;
        }
        let names = std::mem::take(&mut self.state.body.names);
        self.state.response(names)
    }
}

impl Receiver for State {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Json { kind, json } => {
                self.events += 1;
                self.read(kind, json);
            }
            Event::Done => self.is_final = true,
            Event::Exception(kind) => self.body.fail(kind),
        }
    }

    fn error(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }
}

impl State {
    #[inline]
    fn read(&mut self, kind: Option<&str>, json: &[u8]) {
        self.body.begin_event();
        let ended = self.is_final.then(|| self.body.names.id.get().map(str::to_owned)).flatten();
        if let Some(kind) = kind {
            self.body.kind.set(kind);
        }
        if let Err(error) = read_json(&mut self.body, json) {
            self.error(error);
        }
        if let Err(error) = self.end_event() {
            self.error(error);
        }
        if self.session.is_none() && ended.is_some_and(|ended| self.body.names.id.get() != Some(&*ended)) {
            self.error(invalid("the stream goes on with another response: begin a new Stream for each"));
        }
    }

    /// Concludes from the kind of an event.
    #[inline]
    fn end_event(&mut self) -> Result<(), Error> {
        let body = &self.body;
        match body.kind.get().unwrap_or("") {
            "response.created" => self.is_final = false,
            "response.done" => self.end_realtime_response()?,
            "conversation.item.input_audio_transcription.completed" => self.end_transcription()?,
            _ if body.is_last_event() => self.is_final = true,
            _ => {}
        }
        Ok(())
    }

    /// Takes the usage that was read last. A response that was cancelled may have none.
    fn take_usage(&mut self, format: Format) -> Result<Option<Normal>, Error> {
        let is_counted = self.body.fields.format(Shape::Realtime).is_some();
        let normal = if is_counted { self.body.normal(format).map(Some) } else { Ok(None) };
        self.body.fields = UsageFields::default();
        normal
    }

    /// Adds the usage of a response of a realtime session.
    fn end_realtime_response(&mut self) -> Result<(), Error> {
        self.is_final = true;
        let tools = std::mem::take(&mut self.body.tools);
        let normal = self.take_usage(Format::OpenAiRealtime)?;
        let session = self.session.get_or_insert_default();
        session.tools.add(tools);
        if let Some(normal) = normal {
            session.usage = Some(add(session.usage.take(), normal.usage)?);
        }
        Ok(())
    }

    /// Adds the usage of a transcription within a realtime session.
    fn end_transcription(&mut self) -> Result<(), Error> {
        let model = self.body.transcription_model.get().unwrap_or("input_audio_transcription").to_owned();
        let Some(Normal { usage, units, .. }) = self.take_usage(Format::OpenAiTranscription)? else {
            return Ok(());
        };
        let audio = units.get().and_then(|units| units.input_audio);
        let session = self.session.get_or_insert_default();
        let has_room = session.parts.len() < MOST_MODELS;
        match session.parts.iter_mut().find(|part| part.model == model) {
            Some(part) => {
                part.usage = add(Some(part.usage.clone()), usage)?;
                let sum = &mut part.units.input_audio;
                *sum = match (*sum, audio) {
                    (Some(sum), Some(more)) => sum.checked_add(more),
                    (sum, more) => sum.or(more),
                };
            }
            None if has_room => {
                let units = Units { input_audio: audio, ..Units::new() };
                session.parts.push(Part { model, usage, units });
            }
            None => {
                return Err(invalid("the session has too many models that transcribe its input"));
            }
        }
        Ok(())
    }

    fn response(&self, names: Names) -> Result<Response, Error> {
        let counted = self.session.as_ref().filter(|known| known.usage.is_some() || !known.parts.is_empty());
        let Some(Session { usage, parts, tools }) = counted else {
            return Response::of(&self.body, names, self.format);
        };
        // A session in which no response is done yet used nothing but transcriptions.
        let usage = usage.clone().unwrap_or(Usage::UNKNOWN);
        let normal = Normal { usage, parts: parts.clone(), ..Normal::unknown() };
        Ok(Response::with(&self.body, names, Format::OpenAiRealtime, normal, tools))
    }
}

fn add(known: Option<Usage>, more: Usage) -> Result<Usage, Error> {
    match known {
        None => Ok(more),
        Some(known) => {
            known.checked_add(&more).ok_or_else(|| invalid("the sum of the counts is beyond 2^64 - 1"))
        }
    }
}
