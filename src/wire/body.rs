//! [`Body`]: the parts of a response, or of the events of a stream, that are read, in one pass over the
//! text that skips all content.

use serde::de::MapAccess;

use super::places::{ErrorPlace, IncompleteDetails, Named, ProviderError, TierObject, WordSeed, read};
use super::tools::{ExecutedTools, Grounding, GroundingMetadata, Item, OfferedTools, Tools, made_images};
use crate::usage::{
    Context, Count, Format, List, Object, Present, Seconds, ServiceTier, Shape, Text, Turns, Units,
    UsageFields, Word, object, slots_by,
};

/// The facts that are known of a response. Each event of a stream is read into the same body, and
/// replaces what it repeats.
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
    pub(super) tools: Tools,
    pub(super) grounding: Grounding,
    pub(super) duration: Seconds,
    /// The model that transcribes the input of a realtime session.
    pub(super) transcription_model: Text,
    /// The images of a body.
    data: Images,
    /// The size and the quality of the images of a body.
    size: Word,
    quality: Word,
    /// The `object` of a body.
    object: Word,
    /// The `type` of a body or of an event.
    pub(super) kind: Word,
    /// True if the last event of a stream of Ollama, Cohere or Bedrock was read.
    pub(super) is_done: Option<bool>,
    /// The shape that tells formats apart beside the counts.
    pub(super) shape: Shape,
    /// The count of output before a message was read.
    output_before_message: Option<Count>,
    /// The usage in the `metadata` of Bedrock's streams. In other formats, `metadata` is the caller's.
    metadata: Metadata,
    /// True while a response or a result within the response is read.
    is_within: bool,
    /// True if a usage was read, whether or not it holds a count.
    pub(super) has_usage: bool,
}

/// The names that a response has.
#[derive(Debug, Default, Clone)]
pub(super) struct Names {
    pub(super) id: Text,
    pub(super) model: Text,
}

object! {
    struct BedrockUsage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        total: Count = "totalTokens",
        read: Count = "cacheReadInputTokens" | "cacheReadInputTokenCount",
        write: Count = "cacheWriteInputTokens" | "cacheWriteInputTokenCount",
    }
}

object! {
    struct Metadata {
        usage: BedrockUsage = "usage",
    }
}

object! {
    struct Image {
        url: Present = "url",
        base64: Present = "b64_json",
    }
}

/// The `data` of a body, which are images in OpenAI's image APIs.
#[derive(Debug, Default)]
struct Images {
    is_present: bool,
    count: u64,
}

impl List for Images {
    type Element = Image;

    fn begin(&mut self) {
        *self = Self { is_present: true, count: 0 };
    }

    fn add(&mut self, element: Image) {
        self.count += u64::from(element.url.0 || element.base64.0);
    }
}

slots_by!(read_each: Within<'_>, Body);
slots_by!(read_object: UsageObject<'_>);
slots_by!(read_list: Images);
slots_by!(read_list_or_object: Output<'_>);

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
    /// The citations of an answer.
    Annotation,
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
            Part::Annotation => self.body.read_annotation_field(name, map),
            Part::Session | Part::Transcription => self.body.read_session_field(self.part, name, map),
        }
    }
}

impl Body {
    /// Prepares for the next event of a stream.
    pub(super) fn begin_event(&mut self) {
        self.kind.clear();
        self.output_before_message = None;
    }

    /// Concludes from a body or an event that was read: notes what it tells about the format.
    pub(super) fn end_event(&mut self) {
        let before = self.output_before_message.take();
        if self.kind.is("message_start") {
            // The count of output in it, also by turns, is a placeholder.
            self.fields.known.output_tokens = before.unwrap_or(self.fields.known.output_tokens);
            self.fields.known.iterations = Turns::default();
        }
        let kind = self.kind.get().unwrap_or("");
        let object = self.object.get().unwrap_or("");
        if object == "realtime.response" || kind.starts_with("conversation.") {
            self.shape = Shape::Realtime;
        } else if kind == "message" || kind.starts_with("message_") || kind.starts_with("content_block_") {
            self.shape = Shape::Message;
        } else if object == "response" {
            self.shape = Shape::Response;
        } else if kind.starts_with("transcript.") || self.duration.0.is_some() {
            self.shape = Shape::Transcription;
        } else if kind.starts_with("image_") || (self.data.is_present && object.is_empty()) {
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
            None => match self.object.get() {
                // Some servers call their chunks so.
                Some("chat.completion") => self.finish.get().is_some(),
                object => {
                    matches!(object, Some("chat.completion.done" | "text_completion.done" | "response"))
                }
            },
        };
        let gemini = || self.fields.known.prompt_token_count.is_some() && self.finish.get().is_some();
        let watsonx = || self.fields.results.stop_reason.get().is_some_and(|reason| reason != "not_finished");
        ends || self.is_done == Some(true) || gemini() || watsonx()
    }

    /// Returns the format of a response of which no usage was read.
    pub(super) fn likely_format(&self) -> Format {
        let is_response = self.kind.get().is_some_and(|kind| kind.starts_with("response."));
        match self.shape {
            Shape::Message => Format::Anthropic,
            Shape::Images => Format::OpenAiImages,
            Shape::Realtime => Format::OpenAiRealtime,
            Shape::Transcription => Format::OpenAiTranscription,
            Shape::Response => Format::OpenAiResponses,
            Shape::Unknown if is_response => Format::OpenAiResponses,
            Shape::Unknown => Format::OpenAiChat,
        }
    }

    /// Returns the images of a body, if it holds some.
    pub(super) fn images(&self) -> Option<Units> {
        let is_images = self.shape == Shape::Images && self.data.count > 0;
        is_images.then(|| made_images(self.data.count, self.size, self.quality))
    }

    /// Takes the usage of Bedrock's metadata, if there is no other but metrics.
    pub(super) fn settle_metadata(&mut self) {
        let BedrockUsage { input, output, total, read, write } = std::mem::take(&mut self.metadata).usage;
        if input.or(output).is_none() || self.kind.get().or(self.object.get()).is_some() {
            return;
        }
        if let None | Some(Format::BedrockInvoke) = self.fields.format(self.shape) {
            let known = &mut self.fields.known;
            (known.bedrock_input, known.bedrock_output, known.bedrock_total) = (input, output, total);
            (known.bedrock_read, known.bedrock_write) = (read, write);
            (self.has_usage, self.is_done) = (true, Some(true));
        }
    }

    /// Returns what a usage depends on beside its counts.
    pub(super) fn context<'a>(&self, names: &'a Names) -> Context<'a> {
        Context {
            model: names.model.get(),
            is_grounded: self.grounding.is_grounded(),
            web_searches: self.grounding.web_searches().or(self.tools.web_searches()),
        }
    }

    fn within<'de, A: MapAccess<'de>>(&mut self, part: Part, map: &mut A) -> Result<bool, A::Error> {
        read(&mut Within { body: self, part }, map)
    }

    fn read_usage<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        self.has_usage = true;
        read(&mut UsageObject(self), map)
    }

    /// Reads Gemini's usage. Details belong to their counts, and are forgotten with them.
    fn read_usage_metadata<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let before = self.fields.known.take_gemini();
        let read = self.read_usage(map)?;
        self.fields.known.put_back(&before);
        Ok(read)
    }

    fn read_message_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match name {
            "type" => {
                map.next_value_seed(WordSeed(|kind: &str| {
                    if kind == "message" {
                        self.shape = Shape::Message;
                    }
                }))?;
                Ok(true)
            }
            // What the response names beside the message takes precedence.
            "id" if self.names.id.get().is_none() => read(&mut Named(&mut self.names.id), map),
            "model" if self.names.model.get().is_none() => read(&mut Named(&mut self.names.model), map),
            "content" => self.within(Part::Item, map),
            "usage" => {
                self.output_before_message = Some(self.fields.known.output_tokens);
                self.read_usage(map)
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
            "message" | "delta" | "start" => self.within(Part::Fragment, map),
            "tool_calls" | "function_call" => self.within(Part::Calls, map),
            "executed_tools" => read(&mut ExecutedTools(&mut self.tools), map),
            "annotations" => self.within(Part::Annotation, map),
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
                map.next_value_seed(WordSeed(|kind: &str| self.tools.calls.count(kind)))?;
                Ok(true)
            }
            // Gemini's and Bedrock's calls. Gemini's content has parts.
            "functionCall" | "toolUse" => self.count_function(map),
            "parts" => self.within(Part::Item, map),
            _ => Ok(false),
        }
    }

    fn count_function<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let mut call = Present::default();
        read(&mut call, map)?;
        if call.0 {
            self.tools.calls.count_function();
        }
        Ok(true)
    }

    /// A call begins with the name of its function; further deltas of it have none.
    fn read_call_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "name" => {
                map.next_value_seed(WordSeed(|name: &str| {
                    if !name.is_empty() {
                        self.tools.calls.count_function();
                    }
                }))?;
                Ok(true)
            }
            "function" | "custom" => self.within(Part::Calls, map),
            _ => Ok(false),
        }
    }

    /// Chat completions show no calls of tools that the provider ran, but what they found.
    fn read_annotation_field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        if name != "type" {
            return Ok(false);
        }
        map.next_value_seed(WordSeed(|kind: &str| self.tools.count_citation(kind)))?;
        Ok(true)
    }

    fn read_session_field<'de, A: MapAccess<'de>>(
        &mut self,
        part: Part,
        name: &str,
        map: &mut A,
    ) -> Result<bool, A::Error> {
        match (part, name) {
            (Part::Transcription, "model") => read(&mut self.transcription_model, map),
            (_, "model") => read(&mut Named(&mut self.names.model), map),
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
            "usage" | "usage_info" => self.read_usage(map),
            "usageMetadata" => self.read_usage_metadata(map),
            "meta" => {
                self.has_usage = true;
                read(&mut self.fields.known.cohere_meta, map)
            }
            "metadata" if !self.is_within => read(&mut self.metadata, map),
            "model" | "modelVersion" | "model_id" => read(&mut Named(&mut self.names.model), map),
            "id" | "responseId" | "generation_id" => read(&mut Named(&mut self.names.id), map),
            "service_tier" => read(&mut self.tier, map),
            "serviceTier" => read(&mut TierObject(&mut self.tier), map),
            "status" => read(&mut self.status, map),
            "type" | "event_type" => read(&mut self.kind, map),
            "object" => read(&mut self.object, map),
            "error" => read(&mut ErrorPlace(&mut self.error), map),
            "incomplete_details" => read(&mut IncompleteDetails(&mut self.finish), map),
            "finish_reason" | "stop_reason" | "stopReason" | "done_reason" => read(&mut self.finish, map),
            "candidates" => self.within(Part::Candidate, map),
            // In Responses, deltas are strings, which may be parts of a character.
            "delta" if self.kind.get().is_some_and(|kind| kind.starts_with("response.")) => Ok(false),
            "choices"
            | "delta"
            | "x_groq"
            | "start"
            | "messageStop"
            | "contentBlockStart"
            | "additionalModelResponseFields" => self.within(Part::Fragment, map),
            "message" => self.within(Part::Message, map),
            "content" | "content_block" => self.within(Part::Item, map),
            "item" if self.kind.is("response.output_item.done") => {
                let mut item = Item::default();
                read(&mut item, map)?;
                self.tools.count_item(item);
                Ok(true)
            }
            "tool_calls" => self.within(Part::Calls, map),
            // OpenAI's items are a list, and Bedrock's message is an object.
            "output" => read(&mut Output { body: self, is_begun: false }, map),
            // Events of OpenAI's hold a response, and so do Cloud Code's and Cloudflare's. What is within
            // that under the same names may be the model's answer.
            "response" | "result" if !self.is_within => {
                self.is_within = true;
                let read = read(self, map);
                self.is_within = false;
                read
            }
            "session" => self.within(Part::Session, map),
            "results" => read(&mut self.fields.results, map),
            "predictions" => read(&mut self.fields.predictions, map),
            "amazon-bedrock-invocationMetrics" => {
                // The last event of a stream has them.
                self.is_done = Some(true);
                self.read_usage(map)
            }
            "data" => read(&mut self.data, map),
            "size" => read(&mut self.size, map),
            "quality" => read(&mut self.quality, map),
            "tools" => read(&mut OfferedTools(&mut self.tools), map),
            "tool_usage" => read(self.tools.usage_mut(), map),
            "duration" => read(&mut self.duration, map),
            "done" | "is_finished" => read(&mut self.is_done, map),
            "prompt_eval_count"
            | "eval_count"
            | "inputTextTokenCount"
            | "totalOutputTextTokenCount"
            | "prompt_token_count"
            | "generation_token_count" => self.fields.known.read_field(name, map),
            _ => Ok(false),
        }
    }
}

/// The usage of a response, which may hold that of its tools.
struct UsageObject<'a>(&'a mut Body);

impl Object for UsageObject<'_> {
    #[inline]
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "tool_usage" => read(self.0.tools.usage_mut(), map),
            _ => self.0.fields.read_field(name, map),
        }
    }
}

/// The output of a response: OpenAI's items, or Bedrock's message.
struct Output<'a> {
    body: &'a mut Body,
    is_begun: bool,
}

impl Object for Output<'_> {
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        if name == "message" { self.body.within(Part::Candidate, map) } else { Ok(false) }
    }
}

impl List for Output<'_> {
    type Element = Item;

    fn begin(&mut self) {}

    /// Counts all items anew, if there are some: the last event of a stream may leave them out.
    fn add(&mut self, element: Item) {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.body.tools.recount();
        }
        self.body.tools.count_item(element);
    }
}
