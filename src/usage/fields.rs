//! The fields of usage objects, of all formats. Their names do not clash, so that one object has
//! room for all of them, and the format is told by the fields that were found.

use arrayvec::ArrayString;
use serde::Deserializer;
use serde::de::MapAccess;

use super::lists::{CacheDetails, Modalities, Predictions, Results};
use super::slot::{List, Object, Slot, object, read_object, slots_by};
use super::turns::Turns;
use super::{Count, Format, Seconds, ServiceTier, Text, Word};
use crate::num::{Number, Usd};

object! {
    /// Anthropic's `server_tool_use`, and xAI's `server_side_tool_usage_details`.
    struct ServerTools {
        web_searches: Count = "web_search_requests" | "web_search_calls",
        page_visits: Count = "browser_open_requests",
    }
}

object! {
    struct CachedFields {
        text_tokens: Count = "text_tokens",
        audio_tokens: Count = "audio_tokens",
        image_tokens: Count = "image_tokens",
    }
}

object! {
    struct LifetimeFields {
        ephemeral_5m: Count = "ephemeral_5m_input_tokens",
        ephemeral_30m: Count = "ephemeral_30m_input_tokens" | "ttl_30m_tokens",
        ephemeral_1h: Count = "ephemeral_1h_input_tokens",
        ephemeral_12h: Count = "ephemeral_12h_input_tokens" | "ttl_12h_tokens",
    }
}

object! {
    struct InputFields {
        cached_tokens: Count = "cached_tokens",
        cache_type: Text = "cache_type",
        cached_details: CachedFields = "cached_tokens_details",
        cache_write_tokens: Count = "cache_write_tokens",
        cache_creation_tokens: Count = "cache_creation_tokens",
        cache_creation_input_tokens: Count = "cache_creation_input_tokens",
        lifetimes: LifetimeFields = "cache_creation_token_details" | "cache_write_tokens_details",
        text_tokens: Count = "text_tokens",
        audio_tokens: Count = "audio_tokens",
        image_tokens: Count = "image_tokens",
        video_tokens: Count = "video_tokens",
        web_search_requests: Count = "web_search_requests",
        // LiteLLM's counts in other units.
        character_count: Count = "character_count",
        image_count: Count = "image_count",
        video_length_seconds: Seconds = "video_length_seconds",
        audio_length_seconds: Seconds = "audio_length_seconds",
        maps_requests: Count = "google_maps_grounding_requests",
    }
}

object! {
    struct OutputFields {
        reasoning_tokens: Count = "reasoning_tokens",
        /// Anthropic's reasoning.
        thinking_tokens: Count = "thinking_tokens",
        text_tokens: Count = "text_tokens",
        audio_tokens: Count = "audio_tokens",
        image_tokens: Count = "image_tokens",
        video_tokens: Count = "video_tokens",
    }
}

slots_by!(read_list: Estimated);

object! {
    /// Cohere's `tokens` and `billed_units`.
    struct CohereUnits {
        input_tokens: Count = "input_tokens",
        output_tokens: Count = "output_tokens",
        image_tokens: Count = "image_tokens",
        search_units: Count = "search_units",
        images: Count = "images",
    }
}

object! {
    /// Cohere's `meta`, of version 1 and of embeddings and rerankers.
    struct CohereMeta {
        tokens: CohereUnits = "tokens",
        billed: CohereUnits = "billed_units",
    }
}

object! {
    struct CostDetails {
        upstream: Option<Usd> = "upstream_inference_cost",
    }
}

object! {
    /// The fields of a usage object in any format.
    struct KnownFields {
        // OpenAI's chat completions, and what resembles them.
        prompt_tokens: Count = "prompt_tokens",
        completion_tokens: Count = "completion_tokens",
        total_tokens: Count = "total_tokens",
        input: InputFields = "prompt_tokens_details" | "input_tokens_details" | "input_token_details",
        output: OutputFields = "completion_tokens_details" | "output_tokens_details" | "output_token_details",
        reasoning_tokens: Count = "reasoning_tokens",
        prompt_cache_hit_tokens: Count = "prompt_cache_hit_tokens",
        prompt_cache_miss_tokens: Count = "prompt_cache_miss_tokens",
        /// Moonshot, Mistral and Cohere.
        cached_tokens: Count = "cached_tokens" | "num_cached_tokens",
        citation_tokens: Count = "citation_tokens",
        num_search_queries: Count = "num_search_queries",
        /// xAI, for searches before a request.
        num_sources_used: Count = "num_sources_used",
        cost: Option<Usd> = "cost",
        cost_in_usd_ticks: Count = "cost_in_usd_ticks",
        is_byok: Option<bool> = "is_byok",
        cost_details: CostDetails = "cost_details",
        estimated: Estimated = "estimated",
        // OpenAI's Responses, and Anthropic.
        input_tokens: Count = "input_tokens",
        output_tokens: Count = "output_tokens",
        cache_read_input_tokens: Count = "cache_read_input_tokens",
        cache_creation_input_tokens: Count = "cache_creation_input_tokens",
        cache_creation: LifetimeFields = "cache_creation",
        server_tools: ServerTools = "server_tool_use",
        /// xAI.
        side_tools: ServerTools = "server_side_tool_usage_details",
        iterations: Turns = "iterations",
        service_tier: Option<ServiceTier> = "service_tier",
        speed: Text = "speed",
        inference_geo: Text = "inference_geo",
        /// `tokens` or `duration`, of a transcription.
        kind: Word = "type",
        seconds: Seconds = "seconds",
        // Gemini.
        prompt_token_count: Count = "promptTokenCount",
        candidates_token_count: Count = "candidatesTokenCount",
        response_token_count: Count = "responseTokenCount",
        thoughts_token_count: Count = "thoughtsTokenCount",
        tool_use_token_count: Count = "toolUsePromptTokenCount",
        cached_content_token_count: Count = "cachedContentTokenCount",
        total_token_count: Count = "totalTokenCount",
        prompt_modalities: Modalities = "promptTokensDetails",
        candidates_modalities: Modalities = "candidatesTokensDetails",
        response_modalities: Modalities = "responseTokensDetails",
        cache_modalities: Modalities = "cacheTokensDetails",
        traffic_type: Word = "trafficType",
        // Bedrock's Converse.
        bedrock_input: Count = "inputTokens",
        bedrock_output: Count = "outputTokens",
        bedrock_total: Count = "totalTokens",
        bedrock_read: Count = "cacheReadInputTokens" | "cacheReadInputTokenCount",
        bedrock_write: Count = "cacheWriteInputTokens" | "cacheWriteInputTokenCount",
        cache_details: CacheDetails = "cacheDetails",
        // Cohere.
        cohere_tokens: CohereUnits = "tokens",
        cohere_billed: CohereUnits = "billed_units",
        cohere_meta: CohereMeta = "meta",
        // Ollama.
        prompt_eval_count: Count = "prompt_eval_count",
        eval_count: Count = "eval_count",
        // Bedrock's InvokeModel: metrics and headers, Titan, Llama.
        metrics_input: Count = "inputTokenCount",
        metrics_output: Count = "outputTokenCount",
        titan_input: Count = "inputTextTokenCount",
        titan_output: Count = "totalOutputTextTokenCount",
        llama_input: Count = "prompt_token_count",
        llama_output: Count = "generation_token_count",
        // Mistral's OCR.
        pages: Count = "pages_processed",
        annotated_pages: Count = "pages_processed_annotation",
        credits: Option<Number> = "credits",
    }
}

/// The names of counts that were estimated, as LiteLLM's names of them are written.
#[derive(Debug, Default, Clone)]
pub(crate) struct Estimated(pub(crate) Vec<super::Counter>);

impl List for Estimated {
    type Element = Text;

    fn begin(&mut self) {
        self.0.clear();
    }

    fn add(&mut self, element: Text) {
        if let Some(Ok(counter)) = element.get().map(str::parse) {
            if !self.0.contains(&counter) {
                self.0.push(counter);
            }
        }
    }
}

/// The fields of a usage object, and the names of those that are not known.
#[derive(Debug, Default, Clone)]
pub(crate) struct UsageFields {
    pub(crate) known: KnownFields,
    /// Results of watsonx and of Titan, which stand beside the usage.
    pub(crate) results: Results,
    /// Predictions of Vertex AI's embeddings, which stand in the place of a usage.
    pub(crate) predictions: Predictions,
    /// The first names of unknown fields, for errors.
    pub(crate) unknown: ArrayString<96>,
}

impl Object for UsageFields {
    #[inline]
    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let is_known = self.known.read_field(name, map)?;
        if !is_known {
            self.remember(name);
        }
        Ok(is_known)
    }
}

impl Slot for UsageFields {
    #[inline]
    fn read<'de, D: Deserializer<'de>>(&mut self, _: &'static str, value: D) -> Result<(), D::Error> {
        read_object(self, value)
    }
}

/// Shapes of a response that tell formats apart where the usage alone does not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing beside the usage is known.
    #[default]
    Unknown,
    /// A message of Anthropic's.
    Message,
    /// Images of OpenAI's.
    Images,
    /// An event of a realtime session.
    Realtime,
    /// A transcription.
    Transcription,
    /// A response of OpenAI's Responses.
    Response,
}

/// The counts of Gemini, and their details.
pub(crate) struct GeminiCounts {
    counts: [Count; 3],
    details: [Modalities; 3],
}

impl KnownFields {
    /// Takes the details of Gemini's counts, and returns them with the counts.
    pub(crate) fn take_gemini(&mut self) -> GeminiCounts {
        let counts = self.gemini_counts();
        let details = self.gemini_details().map(std::mem::take);
        GeminiCounts { counts, details }
    }

    /// Puts details back whose counts did not change, unless new ones were read.
    pub(crate) fn put_back(&mut self, before: &GeminiCounts) {
        let counts = self.gemini_counts();
        let GeminiCounts { counts: old_counts, details: old_details } = before;
        let slots = self.gemini_details().into_iter().zip(old_details);
        for ((slot, old), (count, old_count)) in slots.zip(counts.into_iter().zip(old_counts)) {
            if !slot.is_known && count == *old_count {
                *slot = *old;
            }
        }
    }

    fn gemini_counts(&self) -> [Count; 3] {
        [self.prompt_token_count, self.candidates_token_count, self.cached_content_token_count]
    }

    fn gemini_details(&mut self) -> [&mut Modalities; 3] {
        [&mut self.prompt_modalities, &mut self.candidates_modalities, &mut self.cache_modalities]
    }
}

impl CohereUnits {
    fn counts(&self) -> [Count; 5] {
        [self.input_tokens, self.output_tokens, self.image_tokens, self.search_units, self.images]
    }
}

impl UsageFields {
    #[inline]
    fn remember(&mut self, name: &str) {
        // Whatever does not look like the name of a field may be anybody's text.
        let is_name =
            name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_name && name.len() + 2 <= self.unknown.remaining_capacity() {
            let separator = if self.unknown.is_empty() { "" } else { ", " };
            self.unknown.push_str(separator);
            self.unknown.push_str(name);
        }
    }

    /// Returns the format that the counts are in: the first one of which a count is positive, or else
    /// the first one of which a count is known. Zeros of one format may stand beside the counts of
    /// another. Returns `None` if there is no count that can be priced.
    pub(crate) fn format(&self, shape: Shape) -> Option<Format> {
        let is_positive = |count: &Count| count.is_some_and(|count| count > 0);
        self.format_by(shape, is_positive).or_else(|| self.format_by(shape, Count::is_some))
    }

    /// Returns the first format of which a count is wanted.
    #[inline]
    fn format_by(&self, shape: Shape, is_wanted: impl Fn(&Count) -> bool) -> Option<Format> {
        let has = |counts: &[Count]| counts.iter().any(&is_wanted);
        let known = &self.known;
        let has_units = |units: &CohereUnits| has(&units.counts());
        if has(&[known.prompt_token_count, known.candidates_token_count, known.total_token_count])
            || has(&[known.response_token_count, known.thoughts_token_count])
        {
            return Some(Format::Gemini);
        }
        if has(&[known.bedrock_input, known.bedrock_output]) {
            return Some(Format::BedrockConverse);
        }
        if has(&[known.prompt_tokens, known.completion_tokens]) {
            return Some(Format::OpenAiChat);
        }
        let has_input = known.input_tokens.or(known.output_tokens).is_some();
        let caches = [known.cache_read_input_tokens, known.cache_creation_input_tokens];
        if has_input && (has(&[known.input_tokens, known.output_tokens]) || has(&caches)) {
            return Some(self.format_of_input_tokens(shape));
        }
        if has(&[known.seconds.0.map(|seconds| u64::from(!seconds.is_zero()))]) {
            return Some(Format::OpenAiTranscription);
        }
        let meta = &known.cohere_meta;
        if [&known.cohere_tokens, &known.cohere_billed, &meta.billed, &meta.tokens].into_iter().any(has_units)
        {
            return Some(Format::Cohere);
        }
        if has(&[known.prompt_eval_count, known.eval_count]) {
            return Some(Format::Ollama);
        }
        let inputs = [known.metrics_input, known.titan_input, known.llama_input];
        if has(&inputs) || has(&[known.metrics_output, known.llama_output]) {
            return Some(Format::BedrockInvoke);
        }
        if has(&[self.results.input, self.results.output]) {
            return Some(Format::Watsonx);
        }
        if has(&[self.predictions.tokens, self.predictions.images]) {
            return Some(Format::VertexPredictions);
        }
        if has(&[known.pages, known.annotated_pages]) || known.credits.is_some() {
            return Some(Format::MistralOcr);
        }
        has(&[known.total_tokens]).then_some(Format::OpenAiChat)
    }

    fn format_of_input_tokens(&self, shape: Shape) -> Format {
        let known = &self.known;
        let cache = &known.cache_creation;
        let has_cache = known.cache_read_input_tokens.or(known.cache_creation_input_tokens).is_some()
            || cache.ephemeral_5m.or(cache.ephemeral_1h).is_some();
        let is_anthropic = has_cache
            || known.server_tools.web_searches.is_some()
            || !known.iterations.is_empty()
            || known.inference_geo.get().or(known.speed.get()).is_some()
            || known.output.thinking_tokens.is_some();
        match shape {
            Shape::Message => Format::Anthropic,
            Shape::Realtime => Format::OpenAiRealtime,
            Shape::Transcription => Format::OpenAiTranscription,
            Shape::Response => Format::OpenAiResponses,
            // Anthropic's counts have no details of their input.
            _ if known.input.cached_tokens.is_some() => Format::OpenAiResponses,
            _ if is_anthropic => Format::Anthropic,
            _ if known.kind.get().is_some() => Format::OpenAiTranscription,
            Shape::Images => Format::OpenAiImages,
            Shape::Unknown => Format::OpenAiResponses,
        }
    }
}
