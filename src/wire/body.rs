//! [`Body`]: what is read of a response or of the events of a stream, in one pass over the text
//! that skips all content.

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess};

use super::tools::{Grounding, GroundingMetadata, ToolCalls};
use crate::usage::{
    Context, Object, Place, Seconds, ServiceTier, Shape, Slot, Text, TextVisitor, UsageFields, Word,
    read_object, slots_by,
};

/// What is known of a response. Each event of a stream is read into the same body, and replaces what
/// it repeats.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) fields: UsageFields,
    pub(super) names: Names,
    pub(super) tier: Option<ServiceTier>,
    /// The reason for which the model stopped, in the provider's word.
    pub(super) finish: Word,
    /// The state of the response, in the provider's word.
    pub(super) status: Word,
    pub(super) error: Option<ProviderError>,
    pub(super) tools: ToolCalls,
    pub(super) grounding: Grounding,
    pub(super) duration: Seconds,
    /// The model that transcribes the input of a realtime session.
    pub(super) transcription_model: Text,
    /// True if the body has `data`, as images have.
    has_data: bool,
    /// The `object` of a body.
    object: Word,
    /// The `type` of a body or of an event.
    pub(super) kind: Word,
    /// True if the last event of an Ollama or a Cohere stream was read.
    pub(super) is_done: Option<bool>,
    /// True if metrics of Bedrock were read, which the last event of a stream has.
    pub(super) has_metrics: bool,
    /// What tells formats apart beside the counts.
    pub(super) shape: Shape,
    /// True if a usage was read, whether or not it holds a count.
    pub(super) has_usage: bool,
}

/// The names that a response has.
#[derive(Debug, Default, Clone)]
pub(super) struct Names {
    pub(super) id: Text,
    pub(super) model: Text,
}

/// The error that a provider responds with. Its message is not kept, since it may quote the request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct ProviderError {
    pub(super) kind: Text,
    pub(super) code: Text,
}

impl Object for ProviderError {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let slot = match name {
            "type" | "status" | "__type" => &mut self.kind,
            "code" => &mut self.code,
            _ => return Ok(false),
        };
        map.next_value_seed(Place { slot, name: "error" })?;
        Ok(true)
    }
}

/// A place for an error. Null is none.
struct ErrorPlace<'a>(&'a mut Option<ProviderError>);

impl Slot for ErrorPlace<'_> {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        if let Some(error) = value.deserialize_option(ErrorVisitor)? {
            *self.0 = Some(error);
        }
        Ok(())
    }
}

struct ErrorVisitor;

impl<'de> serde::de::Visitor<'de> for ErrorVisitor {
    type Value = Option<ProviderError>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        let mut error = ProviderError::default();
        read_object(&mut error, value)?;
        Ok(Some(error))
    }
}

slots_by!(read_each: Within<'_>, Body, Output<'_>);
slots_by!(read_object: TierObject<'_>, IncompleteDetails<'_>);

/// A part of a response, whose fields belong to the response.
struct Within<'a> {
    body: &'a mut Body,
    part: Part,
}

/// The parts of a response that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A message, which Anthropic's streams begin with. Its count of output is a placeholder.
    Message,
    /// A choice, a delta, or another object that counts and calls of tools may be in. Its content is
    /// skipped.
    Fragment,
    /// A candidate of Gemini's, or a message of Bedrock's: its content may call tools.
    Candidate,
    /// A block of content, an item of output, or a part of a candidate, which may call a tool.
    Item,
    /// A list of calls of functions, or one call.
    Calls,
    /// The session of a realtime API, or a part of it.
    Session,
    /// The transcription settings of a session.
    Transcription,
}

impl Object for Within<'_> {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match self.part {
            Part::Message => self.body.read_message_field(name, map),
            Part::Fragment => self.body.read_fragment_field(name, map),
            Part::Candidate => self.body.read_candidate_field(name, map),
            Part::Item => self.body.read_item_field(name, map),
            Part::Calls => self.body.read_call_field(name, map),
            Part::Session | Part::Transcription => self.body.read_session_field(self.part, name, map),
        }
    }
}

/// Reads a value into a place.
fn read<'de, S: Slot, A: MapAccess<'de>>(slot: &mut S, map: &mut A) -> Result<bool, A::Error> {
    map.next_value_seed(Place { slot, name: "" })?;
    Ok(true)
}

/// Hands a word on.
struct WordSeed<F>(F);

impl<'de, F: FnOnce(&str)> DeserializeSeed<'de> for WordSeed<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(TextVisitor(self.0))
    }
}

impl Body {
    /// Prepares for the next event of a stream.
    pub(super) fn begin_event(&mut self) {
        self.kind.clear();
    }

    /// Notes what a body or an event tells about its format.
    pub(super) fn note_shape(&mut self) {
        let kind = self.kind.get().unwrap_or("");
        let object = self.object.get().unwrap_or("");
        if object == "realtime.response" || kind.starts_with("conversation.") {
            self.shape = Shape::Realtime;
        } else if kind == "message" || kind.starts_with("message_") || kind.starts_with("content_block_") {
            self.shape = Shape::Message;
        } else if kind.starts_with("transcript.") || self.duration.0.is_some() {
            self.shape = Shape::Transcription;
        } else if kind.starts_with("image_") || (self.has_data && object.is_empty()) {
            self.shape = Shape::Images;
        }
    }

    /// Notes an error that the framing reports.
    pub(super) fn fail(&mut self, kind: &str) {
        self.error.get_or_insert_default().kind.set(kind);
    }

    /// Returns whether a stream ends with the event that was read last.
    #[inline]
    pub(super) fn is_last_event(&self) -> bool {
        let ends = match self.kind.get() {
            Some(kind) => matches!(
                kind,
                "message_stop"
                    | "message"
                    | "message-end"
                    | "stream-end"
                    | "metadata"
                    | "response.completed"
                    | "response.incomplete"
                    | "response.failed"
                    | "response.cancelled"
                    | "transcript.text.done"
                    | "image_generation.completed"
                    | "image_edit.completed"
            ),
            // A whole body, which is not split into events.
            None => matches!(
                self.object.get(),
                Some("chat.completion" | "chat.completion.done" | "text_completion.done" | "response")
            ),
        };
        let gemini = || self.fields.known.prompt_token_count.is_some() && self.finish.get().is_some();
        let watsonx = || self.fields.results.stop_reason.get().is_some_and(|reason| reason != "not_finished");
        ends || self.has_metrics || self.is_done == Some(true) || gemini() || watsonx()
    }

    /// Forgets the calls of tools, which are counted anew.
    fn recount(&mut self) {
        self.tools = ToolCalls::default();
    }

    /// Returns what a usage depends on beside its counts.
    pub(super) fn context<'a>(&self, names: &'a Names) -> Context<'a> {
        let shown = self.tools.web_searches;
        Context {
            model: names.model.get(),
            is_grounded: self.grounding.is_grounded(),
            web_searches: self.grounding.web_searches().or((shown > 0).then_some(shown)),
        }
    }

    fn within<'de, A: MapAccess<'de>>(&mut self, part: Part, map: &mut A) -> Result<bool, A::Error> {
        read(&mut Within { body: self, part }, map)
    }

    fn read_usage<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        self.has_usage = true;
        read(&mut self.fields, map)
    }

    fn read_message_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match name {
            "id" => read(&mut self.names.id, map),
            "model" => read(&mut self.names.model, map),
            "usage" => {
                let output = self.fields.known.output_tokens;
                self.read_usage(map)?;
                self.fields.known.output_tokens = output;
                Ok(true)
            }
            _ => self.read_fragment_field(name, map),
        }
    }

    fn read_fragment_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match name {
            "usage" => self.read_usage(map),
            "finish_reason" | "stop_reason" | "stopReason" => read(&mut self.finish, map),
            "message" | "delta" => self.within(Part::Fragment, map),
            "tool_calls" | "function_call" => self.within(Part::Calls, map),
            "toolUse" => self.count_function(map),
            _ => Ok(false),
        }
    }

    fn read_candidate_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match name {
            "finishReason" => read(&mut self.finish, map),
            "content" => self.within(Part::Item, map),
            "groundingMetadata" => {
                let mut item = GroundingMetadata::default();
                read(&mut item, map)?;
                self.grounding.add(item);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn read_item_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "type" => {
                map.next_value_seed(WordSeed(|kind: &str| self.tools.count(kind)))?;
                Ok(true)
            }
            // Gemini's and Bedrock's calls. Gemini's content has parts.
            "functionCall" | "toolUse" => self.count_function(map),
            "parts" => self.within(Part::Item, map),
            _ => Ok(false),
        }
    }

    fn count_function<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let mut is_null = IsNull(true);
        read(&mut is_null, map)?;
        if !is_null.0 {
            self.tools.count_function();
        }
        Ok(true)
    }

    /// A call begins with the name of its function; further deltas of it have none.
    fn read_call_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "name" => {
                map.next_value_seed(WordSeed(|name: &str| {
                    if !name.is_empty() {
                        self.tools.count_function();
                    }
                }))?;
                Ok(true)
            }
            "function" | "custom" => self.within(Part::Calls, map),
            _ => Ok(false),
        }
    }

    fn read_session_field<'de, A: MapAccess<'de>>(
        &mut self,
        part: Part,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match (part, name) {
            (Part::Transcription, "model") => read(&mut self.transcription_model, map),
            (_, "model") => read(&mut self.names.model, map),
            (_, "input_audio_transcription" | "transcription") => self.within(Part::Transcription, map),
            (_, "audio" | "input") => self.within(Part::Session, map),
            _ => Ok(false),
        }
    }
}

impl Object for Body {
    #[inline]
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "usage" | "usageMetadata" | "usage_info" | "meta" => self.read_usage(map),
            "model" | "modelVersion" => read(&mut self.names.model, map),
            "id" | "responseId" | "generation_id" => read(&mut self.names.id, map),
            "service_tier" => read(&mut self.tier, map),
            "serviceTier" => read(&mut TierObject(&mut self.tier), map),
            "status" => read(&mut self.status, map),
            "type" | "event_type" => read(&mut self.kind, map),
            "object" => read(&mut self.object, map),
            "error" => read(&mut ErrorPlace(&mut self.error), map),
            "incomplete_details" => read(&mut IncompleteDetails(&mut self.finish), map),
            "finish_reason" | "stop_reason" | "stopReason" | "done_reason" => read(&mut self.finish, map),
            "candidates" => self.within(Part::Candidate, map),
            "choices" | "delta" | "x_groq" | "start" | "additionalModelResponseFields" => {
                self.within(Part::Fragment, map)
            }
            "message" => self.within(Part::Message, map),
            "content" | "content_block" => self.within(Part::Item, map),
            "item" if self.kind.is("response.output_item.done") => self.within(Part::Item, map),
            "tool_calls" => self.within(Part::Calls, map),
            // OpenAI's items are a list, and Bedrock's message is an object.
            "output" => {
                self.recount();
                read(&mut Output(self), map)
            }
            // Events of OpenAI's hold a response, and so do Cloud Code's and Cloudflare's.
            "response" | "result" => read(self, map),
            "session" => self.within(Part::Session, map),
            "results" => read(&mut self.fields.results, map),
            "predictions" => read(&mut self.fields.predictions, map),
            "amazon-bedrock-invocationMetrics" => {
                self.has_metrics = true;
                self.read_usage(map)
            }
            "data" => {
                self.has_data = true;
                Ok(false)
            }
            "duration" => read(&mut self.duration, map),
            "done" | "is_finished" => read(&mut self.is_done, map),
            "prompt_eval_count"
            | "eval_count"
            | "inputTextTokenCount"
            | "prompt_token_count"
            | "generation_token_count" => self.fields.known.read_field(name, map),
            _ => Ok(false),
        }
    }
}

/// The output of a response: OpenAI's items, or Bedrock's message.
struct Output<'a>(&'a mut Body);

impl Object for Output<'_> {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "message" => self.0.within(Part::Candidate, map),
            _ => self.0.read_item_field(name, map),
        }
    }
}

/// Bedrock's service tier: a word, or an object with it.
struct TierObject<'a>(&'a mut Option<ServiceTier>);

impl Object for TierObject<'_> {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name == "type" { read(self.0, map) } else { Ok(false) }
    }
}

/// The reason for which a response of OpenAI's is incomplete.
struct IncompleteDetails<'a>(&'a mut Word);

impl Object for IncompleteDetails<'_> {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name == "reason" { read(self.0, map) } else { Ok(false) }
    }
}

/// Tells null from any other value.
struct IsNull(bool);

impl Slot for IsNull {
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        let skipped: Option<serde::de::IgnoredAny> = serde::Deserialize::deserialize(value)?;
        self.0 = skipped.is_none();
        Ok(())
    }
}
