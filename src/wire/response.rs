//! [`Response`]: what a response says of its call.

use super::body::{Body, Names};
use super::tools::{ToolCalls, Tools};
use crate::cost::Call;
use crate::error::Error;
use crate::resolve::Lookup;
use crate::usage::{Context, Format, Normal, NotRead, Part, ServiceTier, ShownUnits, Units, Usage, Word};
use crate::words::words;

/// A response of a provider, as far as its price is concerned.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, wire::Response};
///
/// let body = br#"{"type": "message", "model": "claude-sonnet-4-5-20250929", "content": [],
///     "usage": {"input_tokens": 100, "cache_read_input_tokens": 10000, "output_tokens": 50}}"#;
/// let response = Response::read(body)?;
/// assert_eq!(response.usage().prompt_tokens, 10_100);
///
/// let cost = CostMap::bundled().cost(response.lookup_or("claude-sonnet-4-5"), &response)?;
/// assert_eq!(cost.total().to_string(), "0.00405");
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    format: Format,
    id: Option<String>,
    model: Option<String>,
    tier: Option<ServiceTier>,
    status: Option<Status>,
    finish_reason: Word,
    tool_calls: ToolCalls,
    usage: Usage,
    units: ShownUnits,
    parts: Vec<Part>,
    lacks_completion: bool,
}

/// The usage of another model than the one that served the call, as a response shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponsePart<'a> {
    /// The name of the model; `image_generation` or `input_audio_transcription` if the response shows
    /// what such a model did, and does not name it.
    pub model: &'a str,
    /// The tokens that were used.
    pub usage: &'a Usage,
    /// The usage in other units.
    pub units: Option<&'a Units>,
}

/// The state in which a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// The model came to an end, or called a tool.
    Completed,
    /// The output was cut at a limit.
    Incomplete,
    /// The provider or the model refused or filtered the output.
    Filtered,
    /// The response failed. Its usage may be billed nevertheless.
    Failed,
    /// The response was cancelled. Its usage may be billed nevertheless.
    Cancelled,
}

words! {
    Status is a "status of a response":
    Completed = "completed",
    Incomplete = "incomplete",
    Filtered = "filtered",
    Failed = "failed",
    Cancelled = "cancelled",
}

impl Status {
    /// Returns the status that a provider's word stands for, in any case.
    fn of(word: Word) -> Option<Self> {
        Some(match word.to_ascii_lowercase().get()? {
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "incomplete"
            | "model_length"
            | "pause_turn"
            | "model_context_window_exceeded"
            | "error_limit" => Self::Incomplete,
            "content_filter"
            | "content_filtered"
            | "refusal"
            | "safety"
            | "recitation"
            | "blocklist"
            | "prohibited_content"
            | "spii"
            | "image_safety"
            | "guardrail_intervened" => Self::Filtered,
            "failed" | "error" | "error_toxic" | "malformed_function_call" => Self::Failed,
            "cancelled" | "user_cancel" => Self::Cancelled,
            "in_progress" | "queued" | "not_finished" | "finish_reason_unspecified" => return None,
            _ => Self::Completed,
        })
    }
}

impl Response {
    /// Returns what is known of a response, or of a stream up to now.
    pub(super) fn of(body: &Body, names: Names, format: Option<Format>) -> Result<Self, Error> {
        let known = match format {
            Some(format) => Ok(format),
            None => body.fields.format(body.shape).ok_or_else(|| body.fields.missing()),
        };
        if body.tools.is_beyond() || body.grounding.is_beyond() {
            return Err(not_read(body, &NotRead::TooManyTools));
        }
        let normalise = |format| Ok((format, body.fields.normalise(format, body.context(&names))?));
        let (format, normal) = match known.and_then(normalise) {
            Ok(counted) => counted,
            Err(error) => body.counted_otherwise(format).ok_or_else(|| not_read(body, &error))?,
        };
        Ok(Self::with(body, names, format, normal, &body.tools))
    }

    #[inline]
    pub(super) fn with(body: &Body, names: Names, format: Format, normal: Normal, tools: &Tools) -> Self {
        let mut tool_calls = tools.calls;
        tool_calls.web_searches = normal.usage.prompt_tokens_details.web_search_requests;
        tool_calls.maps_grounding = body.grounding.maps_requests();
        let (mut units, mut parts) = (normal.units, normal.parts);
        tools.count_units(format, &tool_calls, &mut units);
        parts.append(&mut tools.image_parts());
        if let (Format::OpenAiImages, Some(made)) = (format, body.images()) {
            units = made.into();
        }
        let finish = [body.finish, body.fields.results.stop_reason];
        let finish = finish.into_iter().find(|word| word.get().is_some()).unwrap_or_default();
        // The status of a Responses body says more than the reason for which it is incomplete.
        let status = Status::of(body.status).filter(|status| *status != Status::Completed);
        let status = body.error.is_some().then_some(Status::Failed).or(status);
        Self {
            format,
            id: names.id.into_inner(),
            model: names.model.into_inner(),
            tier: body.tier.or(normal.usage.service_tier),
            status: status.or_else(|| Status::of(finish).or_else(|| Status::of(body.status))),
            finish_reason: finish,
            tool_calls,
            usage: normal.usage,
            units,
            parts,
            lacks_completion: normal.lacks_completion,
        }
    }

    /// Returns the format of the response.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the id of the response.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the model that served the call, under the provider's name for it.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Returns a lookup of the model that served the call, or of the given name if the response
    /// does not say. Set the [provider](Lookup::provider) that was called: it is not in a response.
    ///
    /// A deployment that has a price of its own is better priced by
    /// [`deployment_cost`](crate::CostMap::deployment_cost), and a regional profile of Bedrock by the id
    /// that was asked for: neither is in a response.
    pub fn lookup_or<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        self.model().map_or(Lookup::new(name), Lookup::served)
    }

    /// Returns the service tier that was served: that of the response, else that of its usage, else
    /// what Gemini's traffic type stands for.
    #[must_use]
    pub fn service_tier(&self) -> Option<ServiceTier> {
        self.tier
    }

    /// Returns the state in which the response ended, if it says.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status
    }

    /// Returns the provider's word for the reason for which the model stopped.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.get()
    }

    /// Returns the calls of tools that the response shows.
    #[must_use]
    pub fn tool_calls(&self) -> ToolCalls {
        self.tool_calls
    }

    /// Returns the usage. A charge that the provider states is its [`cost`](Usage::cost).
    ///
    /// To price the response, hand it over whole: it may have [`parts`](Self::parts) and
    /// [`units`](Self::units) beside its usage.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Returns the usage, to complete it by estimates of what was received.
    pub fn usage_mut(&mut self) -> &mut Usage {
        &mut self.usage
    }

    /// Returns what the response used of other models than the one that served the call: Anthropic's
    /// turns of another model, the transcription of a realtime session, and images that a tool made.
    /// It is not part of the [`usage`](Self::usage), and makes lines of the same cost.
    #[must_use]
    pub fn parts(&self) -> impl ExactSizeIterator<Item = ResponsePart<'_>> {
        self.parts.iter().map(|Part { model, usage, units }| ResponsePart {
            model,
            usage,
            units: Some(units).filter(|units| !units.is_empty()),
        })
    }

    /// Returns what was used in other units than tokens, if the response shows any of it: pages, search
    /// units, seconds of audio, images, and tools that the provider ran.
    #[must_use]
    pub fn units(&self) -> Option<&Units> {
        self.units.get()
    }

    /// Returns the units, to add what a response does not show, such as the context size of searches or
    /// the resolution of a video.
    pub fn units_mut(&mut self) -> &mut Units {
        self.units.get_mut()
    }

    /// Returns the call, to be described further before it is priced.
    pub fn call(&self) -> Call<'_> {
        let mut call = Call::new(&self.usage).parts_of(&self.parts);
        if let Some(units) = self.units() {
            call = call.units(units);
        }
        if self.lacks_completion {
            call = call.cut();
        }
        match self.tier {
            // Anthropic reports a batch as a service tier.
            Some(tier) if tier.as_str() == "batch" => call.batch(),
            Some(tier) => call.served_tier(tier),
            None => call,
        }
    }
}

impl<'a> From<&'a Response> for Call<'a> {
    fn from(response: &'a Response) -> Self {
        response.call()
    }
}

impl Body {
    /// Returns the usage of a response that reports none, but holds what is billed: images, or how long
    /// the audio is that was transcribed.
    #[cold]
    fn counted_otherwise(&self, wanted: Option<Format>) -> Option<(Format, Normal)> {
        let is_wanted = |format: &Format| wanted.is_none_or(|wanted| wanted == *format);
        let audio = || Some(Units::new().input_audio(self.duration.0?));
        let transcribed = Some(Format::OpenAiTranscription).filter(is_wanted).zip(audio());
        let counted = transcribed.or_else(|| Some(Format::OpenAiImages).filter(is_wanted).zip(self.images()));
        let (format, units) = counted?;
        Some((format, Normal { units: units.into(), ..Normal::unknown() }))
    }

    /// Returns the usage so far of the fields in the format of their own.
    pub(super) fn normal(&self, format: Format) -> Result<Normal, Error> {
        self.fields.normalise(format, Context::default()).map_err(|error| not_read(self, &error))
    }
}

/// Returns the error of a body without a usage.
fn not_read(body: &Body, error: &NotRead) -> Error {
    // What does not look like an identifier may be anybody's text.
    let is_identifier =
        |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    let owned = |word: Option<&str>| word.filter(is_identifier).map(str::to_owned);
    match (&body.error, error) {
        (Some(error), NotRead::Missing { .. }) => {
            Error::ErrorResponse { kind: owned(error.kind.get()), code: owned(error.code.get()) }
        }
        (_, NotRead::Missing { format: None, .. }) if !body.has_usage => {
            let reason = "there is neither a usage object nor another field with counts";
            Error::MissingUsage { reason: reason.to_owned() }
        }
        (_, NotRead::Missing { .. }) => Error::MissingUsage { reason: error.to_string() },
        (_, NotRead::Overflow | NotRead::TooManyModels | NotRead::TooManyTools) => {
            Error::InvalidResponse { reason: error.to_string() }
        }
    }
}
