//! Normalisation: from the counts of a format to a [`Usage`].

use super::fields::{KnownFields, LifetimeFields};
use super::not_read::NotRead;
use super::turns::Turn;
use super::value::Count;
use super::{Counter, Format, Seconds, ServiceTier, ShownUnits, Units, Usage, UsageFields};
use crate::num::{Number, Usd};

/// The facts of a response beside its usage that the usage depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Context<'a> {
    /// The model that the response names.
    pub(crate) model: Option<&'a str>,
    /// True if Gemini searched the web or Maps, whose results are not billed as tokens.
    pub(crate) is_grounded: bool,
    /// The number of web searches that the response shows beside its usage.
    pub(crate) web_searches: Count,
}

/// A usage of another model than the one that the response names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) model: String,
    pub(crate) usage: Usage,
    pub(crate) units: Units,
}

/// A usage, and what was used beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Normal {
    pub(crate) usage: Usage,
    pub(crate) units: ShownUnits,
    /// The usages of other models.
    pub(crate) parts: Vec<Part>,
    /// True if the format always has a number of completion tokens, and there is none: the response
    /// was cut.
    pub(crate) lacks_completion: bool,
}

impl Normal {
    /// A usage of which nothing is known yet.
    pub(crate) fn unknown() -> Self {
        Self {
            usage: Usage::UNKNOWN,
            units: ShownUnits::default(),
            parts: Vec::new(),
            lacks_completion: false,
        }
    }
}

/// A sum of counts, of which those that are absent count as zero. It is absent if all are.
fn sum<const N: usize>(counts: [Count; N]) -> Result<Count, NotRead> {
    let mut total = None;
    for count in counts.into_iter().flatten() {
        total = Some(total.unwrap_or(0_u64).checked_add(count).ok_or(NotRead::Overflow)?);
    }
    Ok(total)
}

/// A sum of counts of any size, to be compared with a reported total.
fn wide<const N: usize>(counts: [Count; N]) -> u128 {
    counts.into_iter().flatten().map(u128::from).sum()
}

impl Normal {
    /// Returns whether anything was counted.
    fn has_counts(&self) -> bool {
        let has = |counter| self.usage.get(counter).is_some();
        let has_tokens = has(Counter::PromptTokens) || has(Counter::CompletionTokens);
        has_tokens || self.units.get().is_some() || !self.parts.is_empty()
    }
}

impl Usage {
    #[inline]
    fn put(&mut self, counter: Counter, count: Count) {
        if let Some(count) = count {
            self.set(counter, count);
        }
    }

    fn put_all<const N: usize>(&mut self, counts: [(Counter, Count); N]) {
        for (counter, count) in counts {
            self.put(counter, count);
        }
    }

    fn put_lifetimes(&mut self, fields: &LifetimeFields) {
        self.put_all([
            (Counter::Ephemeral5m, fields.ephemeral_5m),
            (Counter::Ephemeral30m, fields.ephemeral_30m),
            (Counter::Ephemeral1h, fields.ephemeral_1h),
            (Counter::Ephemeral12h, fields.ephemeral_12h),
        ]);
    }

    /// Keeps a reported total that is none of the sums that its format may mean by it.
    fn put_total<const N: usize>(&mut self, total: Count, sums: [u128; N]) {
        self.odd_total = total.filter(|total| !sums.contains(&u128::from(*total)));
    }
}

impl UsageFields {
    /// Returns the usage, by the rules of the given format or else of the format that its counts
    /// are in.
    pub(crate) fn normalise(&self, format: Format, context: Context<'_>) -> Result<Normal, NotRead> {
        let known = &self.known;
        if known.prompt_modalities.overflows
            || known.candidates_modalities.overflows
            || known.response_modalities.overflows
            || known.cache_modalities.overflows
            || self.results.overflows
            || self.predictions.overflows
            || known.iterations.overflows
        {
            return Err(NotRead::Overflow);
        }
        if known.iterations.has_too_many_models {
            return Err(NotRead::TooManyModels);
        }
        let mut normal = Normal::unknown();
        let usage = &mut normal.usage;
        match format {
            Format::OpenAiChat => chat(known, usage)?,
            Format::OpenAiResponses
            | Format::OpenAiImages
            | Format::OpenAiRealtime
            | Format::OpenAiTranscription => {
                responses(known, usage);
                let output = &known.output;
                let has_details = output.text_tokens.or(output.image_tokens).or(output.audio_tokens);
                if format == Format::OpenAiImages && has_details.or(output.reasoning_tokens).is_none() {
                    // The output of an image API is images, unless it says otherwise.
                    usage.put(Counter::CompletionImage, known.output_tokens);
                }
                normal.units.put(|units| &mut units.input_audio, known.seconds.0);
            }
            Format::Anthropic => normal.parts = anthropic(known, usage, context.model)?,
            Format::Gemini => gemini(known, usage, context.is_grounded)?,
            Format::BedrockConverse => bedrock(known, usage)?,
            Format::BedrockInvoke => {
                let input = known.metrics_input.or(known.titan_input).or(known.llama_input);
                let output = known.metrics_output.or(self.results.titan_output).or(known.titan_output);
                let output = output.or(known.llama_output);
                beside(usage, input, output, [known.bedrock_read, known.bedrock_write])?;
            }
            Format::Cohere => cohere(known, usage, &mut normal.units)?,
            Format::Ollama => {
                usage.put(Counter::PromptTokens, known.prompt_eval_count);
                usage.put(Counter::CompletionTokens, known.eval_count);
            }
            Format::Watsonx => {
                usage.put(Counter::PromptTokens, self.results.input);
                usage.put(Counter::CompletionTokens, self.results.output);
            }
            Format::VertexPredictions => {
                usage.put(Counter::PromptTokens, self.predictions.tokens);
                normal.units.put(|units| &mut units.images, self.predictions.images);
            }
            Format::MistralOcr => {
                let annotated = known.annotated_pages.filter(|pages| *pages > 0);
                normal.units.put(|units| &mut units.pages, known.pages);
                normal.units.put(|units| &mut units.annotated_pages, annotated);
                let credits = known.credits.filter(|credits| *credits >= Number::from(0));
                normal.units.put(|units| &mut units.credits, credits);
            }
        }
        if !normal.has_counts() {
            return Err(NotRead::Missing { format: Some(format), found: self.found() });
        }
        let always_completes = matches!(
            format,
            Format::Anthropic | Format::BedrockConverse | Format::OpenAiResponses | Format::OpenAiRealtime
        );
        normal.lacks_completion = always_completes
            && normal.usage.get(Counter::CompletionTokens).is_none()
            && !normal.usage.is_unknown();
        common(known, &mut normal.usage, context);
        put_units(known, &mut normal.units);
        Ok(normal)
    }

    /// Returns the error of fields without any count that can be priced.
    pub(crate) fn missing(&self) -> NotRead {
        NotRead::Missing { format: None, found: self.found() }
    }

    /// Returns the names of fields that were found, as far as an error shows them.
    fn found(&self) -> Box<str> {
        let mut found = String::new();
        let known = &self.known;
        for (name, is_found) in [
            ("prompt_tokens", known.prompt_tokens.is_some()),
            ("completion_tokens", known.completion_tokens.is_some()),
            ("total_tokens", known.total_tokens.is_some()),
            ("input_tokens", known.input_tokens.is_some()),
            ("output_tokens", known.output_tokens.is_some()),
            ("promptTokenCount", known.prompt_token_count.is_some()),
            ("candidatesTokenCount", known.candidates_token_count.is_some()),
            ("totalTokenCount", known.total_token_count.is_some()),
            ("inputTokens", known.bedrock_input.is_some()),
            ("outputTokens", known.bedrock_output.is_some()),
            ("prompt_eval_count", known.prompt_eval_count.is_some()),
            ("eval_count", known.eval_count.is_some()),
            ("cost", known.cost.is_some()),
            (&self.unknown, !self.unknown.is_empty()),
        ] {
            if is_found {
                found.push_str(if found.is_empty() { "" } else { ", " });
                found.push_str(name);
            }
        }
        found.into()
    }
}

/// Sets what usages of several formats hold under the same names.
fn common(known: &KnownFields, usage: &mut Usage, context: Context<'_>) {
    usage.service_tier = known.service_tier.or_else(|| known.traffic_type.get().map(traffic_tier));
    usage.speed = known.speed.get().map(str::to_owned);
    usage.inference_geo = known.inference_geo.get().map(str::to_owned);
    usage.cost = stated_cost(known);
    usage.put(Counter::CitationTokens, known.citation_tokens);
    let searches = known.input.web_search_requests;
    let searches = searches.or(known.num_search_queries).or(known.server_tools.web_searches);
    let searches = searches.or(known.side_tools.web_searches).or(context.web_searches);
    let searches = searches.or(known.num_sources_used.filter(|sources| *sources > 0));
    usage.put(Counter::WebSearchRequests, searches);
    // A prompt that is missing is the rest of the total.
    let rest = usage.odd_total().and_then(|total| total.checked_sub(usage.completion_tokens));
    if usage.lacks_prompt() && !usage.is_unknown() && rest.is_some_and(|rest| rest > 0) {
        usage.put(Counter::PromptTokens, rest);
        usage.odd_total = None;
    }
    for counter in &known.estimated.0 {
        if usage.get(*counter).is_some() {
            usage.estimated.insert(*counter);
        }
    }
}

/// Sets the counts of other units, as usages of several formats hold them. LiteLLM writes those of the
/// prompt's details, zero where nothing was counted.
fn put_units(known: &KnownFields, units: &mut ShownUnits) {
    let input = &known.input;
    let positive = |count: Count| count.filter(|count| *count > 0);
    let seconds = |seconds: &Seconds| seconds.0.filter(|seconds| !seconds.is_zero());
    units.put(|units| &mut units.input_characters, positive(input.character_count));
    units.put(|units| &mut units.input_images, positive(input.image_count));
    units.put(|units| &mut units.input_video, seconds(&input.video_length_seconds));
    units.put(|units| &mut units.input_audio, seconds(&input.audio_length_seconds));
    units.put(|units| &mut units.maps_requests, positive(input.maps_requests));
    units.put(|units| &mut units.page_visits, positive(known.server_tools.page_visits));
}

/// Returns the charge that a provider states. OpenRouter's `cost` includes the upstream's charge,
/// unless the caller's own key paid for that.
fn stated_cost(known: &KnownFields) -> Option<Usd> {
    if let Some(ticks) = known.cost_in_usd_ticks {
        // 10^10 ticks are a dollar, and 10^18 units are a tick.
        return Usd::from_unsigned(u128::from(ticks).checked_mul(10_u128.pow(18))?);
    }
    let upstream = known.cost_details.upstream.filter(|_| known.is_byok == Some(true));
    if known.is_byok == Some(true) && upstream.is_none() {
        // A part of the charge is not stated.
        return None;
    }
    match (known.cost, upstream) {
        (Some(cost), Some(upstream)) => cost.checked_add(upstream),
        (cost, upstream) => cost.or(upstream),
    }
}

/// Returns the service tier that Gemini's traffic type stands for.
fn traffic_tier(word: &str) -> ServiceTier {
    match word {
        "ON_DEMAND_PRIORITY" => ServiceTier::Priority,
        "FLEX" | "BATCH" | "ON_DEMAND_FLEX" => ServiceTier::Flex,
        _ => ServiceTier::Standard,
    }
}

/// OpenAI's chat completions: cached tokens and reasoning are parts of prompt and completion.
fn chat(known: &KnownFields, usage: &mut Usage) -> Result<(), NotRead> {
    let (input, output) = (&known.input, &known.output);
    let (mut prompt, mut completion) = (known.prompt_tokens, known.completion_tokens);
    if prompt.unwrap_or(0) == 0 && completion.unwrap_or(0) == 0 {
        // Embeddings and rerankers may report a total alone, or beside zeros.
        let reasoning = output.reasoning_tokens.or(known.reasoning_tokens).unwrap_or(0);
        let rest = known.total_tokens.map(|total| total.saturating_sub(reasoning));
        let is_alone = prompt.or(completion).is_none();
        prompt = rest.filter(|rest| *rest > 0 || is_alone).or(prompt);
    }
    let reasoning = output.reasoning_tokens.or(known.reasoning_tokens);
    let both = wide([prompt, completion]);
    // xAI counts reasoning beside the completion, and so does Perplexity.
    let with_reasoning = wide([prompt, completion, reasoning]);
    let is_beside = match (reasoning, known.total_tokens.map(u128::from)) {
        (Some(1..), Some(total)) if total != both && total == with_reasoning => true,
        (Some(reasoning @ 1..), _) => {
            known.reasoning_tokens.is_some()
                && output.reasoning_tokens.is_none()
                && known.citation_tokens.or(known.num_search_queries).is_some()
                && completion.is_none_or(|completion| reasoning > completion)
        }
        _ => false,
    };
    if is_beside {
        completion = sum([completion, reasoning])?;
    }
    let hits = known.cache_read_input_tokens.or(known.prompt_cache_hit_tokens);
    let hits = hits.or(input.cached_tokens).or(known.cached_tokens);
    let writes = known.cache_creation_input_tokens.or(input.cache_write_tokens);
    let writes = writes.or(input.cache_creation_tokens).or(input.cache_creation_input_tokens);
    usage.put(Counter::PromptTokens, prompt);
    usage.put(Counter::CompletionTokens, completion);
    put_details(known, usage, hits, writes);
    usage.put(Counter::ReasoningTokens, reasoning);
    usage.put_total(known.total_tokens, [both, with_reasoning]);
    Ok(())
}

/// OpenAI's Responses, images, transcriptions and realtime sessions.
fn responses(known: &KnownFields, usage: &mut Usage) {
    let input = &known.input;
    usage.put(Counter::PromptTokens, known.input_tokens);
    usage.put(Counter::CompletionTokens, known.output_tokens);
    let writes = input.cache_write_tokens.or(input.cache_creation_tokens);
    let writes = writes.or(known.cache_creation_input_tokens);
    put_details(known, usage, input.cached_tokens.or(known.cache_read_input_tokens), writes);
    usage.put(Counter::ReasoningTokens, known.output.reasoning_tokens);
    usage.put_total(known.total_tokens, [wide([known.input_tokens, known.output_tokens])]);
}

/// Sets the composition of prompt and completion, as OpenAI reports it.
fn put_details(known: &KnownFields, usage: &mut Usage, hits: Count, writes: Count) {
    let (input, output) = (&known.input, &known.output);
    usage.put_all([
        (Counter::CachedTokens, hits),
        (Counter::CacheCreationTokens, writes),
        (Counter::PromptText, input.text_tokens),
        (Counter::PromptAudio, input.audio_tokens),
        (Counter::PromptImage, input.image_tokens),
        (Counter::PromptVideo, input.video_tokens),
        (Counter::CachedText, input.cached_details.text_tokens),
        (Counter::CachedAudio, input.cached_details.audio_tokens),
        (Counter::CachedImage, input.cached_details.image_tokens),
        (Counter::CompletionText, output.text_tokens),
        (Counter::CompletionAudio, output.audio_tokens),
        (Counter::CompletionImage, output.image_tokens),
        (Counter::CompletionVideo, output.video_tokens),
    ]);
    usage.put_lifetimes(&input.lifetimes);
    usage.prompt_tokens_details.cache_type = input.cache_type.get().map(str::to_owned);
}

/// Formats in which cached and written tokens stand beside the input.
fn beside(usage: &mut Usage, input: Count, output: Count, [read, write]: [Count; 2]) -> Result<(), NotRead> {
    usage.put(Counter::PromptTokens, sum([input, read, write])?);
    usage.put(Counter::CompletionTokens, output);
    usage.put(Counter::CachedTokens, read);
    usage.put(Counter::CacheCreationTokens, write);
    Ok(())
}

/// Cohere: the tokens that version 2 of the chat reports, and else the units that are billed.
fn cohere(known: &KnownFields, usage: &mut Usage, shown: &mut ShownUnits) -> Result<(), NotRead> {
    let meta = &known.cohere_meta;
    let units = [&known.cohere_tokens, &known.cohere_billed, &meta.billed, &meta.tokens];
    let has = |is_wanted: fn(u64) -> bool| {
        units.into_iter().find(|units| {
            let counts = [units.input_tokens, units.output_tokens, units.image_tokens];
            counts.into_iter().flatten().any(is_wanted)
        })
    };
    if let Some(units) = has(|count| count > 0).or_else(|| has(|_| true)) {
        usage.put(Counter::PromptTokens, sum([units.input_tokens, units.image_tokens])?);
        usage.put(Counter::PromptImage, units.image_tokens);
        usage.put(Counter::CompletionTokens, units.output_tokens);
    }
    usage.put(Counter::CachedTokens, known.cached_tokens);
    let billed = [&known.cohere_billed, &meta.billed];
    shown.put(|units| &mut units.search_units, billed.iter().find_map(|units| units.search_units));
    shown.put(|units| &mut units.input_images, billed.iter().find_map(|units| units.images));
    Ok(())
}

/// Anthropic's messages. The turns of a call replace its totals; those of another model become
/// parts of their own. On Bedrock, the metrics may have the counts of the cache.
fn anthropic(known: &KnownFields, usage: &mut Usage, model: Option<&str>) -> Result<Vec<Part>, NotRead> {
    if !known.iterations.are_counted() {
        let read = known.cache_read_input_tokens.or(known.bedrock_read);
        let write = known.cache_creation_input_tokens.or(known.bedrock_write);
        beside(usage, known.input_tokens, known.output_tokens, [read, write])?;
        usage.put_lifetimes(&known.cache_creation);
        put_thinking(usage, known.output.thinking_tokens);
        return Ok(Vec::new());
    }
    let turns = known.iterations.models();
    // The model of the response, or the only one that is named.
    let model = model.or(if let [turn] = turns { turn.model.as_deref() } else { None });
    let (own, others): (Vec<&Turn>, Vec<&Turn>) =
        turns.iter().partition(|turn| turn.model.as_deref().is_none_or(|name| is_same(name, model)));
    let mut sums = Turn { all_think: true, ..Turn::default() };
    for turn in own {
        sums.add(turn).ok_or(NotRead::Overflow)?;
    }
    put_turn(usage, &sums)?;
    if sums.written_5m.or(sums.written_1h).is_none() {
        usage.put_lifetimes(&known.cache_creation);
    }
    put_thinking(usage, if sums.all_think { sums.thinking } else { known.output.thinking_tokens });
    let part = |turn: &Turn| {
        let mut usage = Usage::UNKNOWN;
        put_turn(&mut usage, turn)?;
        put_thinking(&mut usage, turn.thinking);
        Ok(Part { model: turn.model.clone().unwrap_or_default(), usage, units: Units::new() })
    };
    others.into_iter().map(part).collect()
}

/// Returns whether a turn names the model of the response, with a date or without.
fn is_same(name: &str, model: Option<&str>) -> bool {
    let undated = |name: &str| {
        let (model, date) = name.rsplit_once(['-', '@'])?;
        let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
        is_date.then(|| model.to_owned())
    };
    let undated = |name: &str| undated(name).unwrap_or_else(|| name.to_owned());
    model.is_some_and(|model| undated(model) == undated(name))
}

fn put_turn(usage: &mut Usage, turn: &Turn) -> Result<(), NotRead> {
    beside(usage, turn.input, turn.output, [turn.read, turn.write])?;
    usage.put(Counter::Ephemeral5m, turn.written_5m);
    usage.put(Counter::Ephemeral1h, turn.written_1h);
    Ok(())
}

/// Sets the reasoning of a completion, which is not more than the completion.
fn put_thinking(usage: &mut Usage, thinking: Count) {
    usage.put(Counter::ReasoningTokens, thinking.map(|thinking| thinking.min(usage.completion_tokens)));
}

/// Gemini: thoughts and the results of tools stand beside the counts, unless the total says that
/// thoughts are part of the candidates.
fn gemini(known: &KnownFields, usage: &mut Usage, is_grounded: bool) -> Result<(), NotRead> {
    let (prompt, candidates) = (known.prompt_token_count, known.candidates_token_count);
    let (thoughts, tool_use) = (known.thoughts_token_count, known.tool_use_token_count);
    let total = known.total_token_count;
    let without_thoughts = wide([prompt, candidates, tool_use]);
    let is_inclusive = without_thoughts == u128::from(total.unwrap_or(0));
    let billed_tool_use = tool_use.filter(|_| !is_grounded);
    let response = known.response_token_count.filter(|count| *count > 0).or(candidates);
    let beside = thoughts.filter(|_| !is_inclusive);
    let hits = known.cached_content_token_count;
    usage.put(Counter::PromptTokens, sum([prompt, billed_tool_use])?);
    usage.put(Counter::CompletionTokens, sum([response, beside])?);
    usage.put(Counter::CachedTokens, hits);

    let (mut input, cached) = (known.prompt_modalities, known.cache_modalities);
    if !cached.is_known {
        input.text = input.text.map(|text| text.saturating_sub(hits.unwrap_or(0)));
    }
    input.video = input.video.map(|video| video.saturating_sub(cached.video.unwrap_or(0)));
    if input.text.is_some() {
        input.text = sum([input.text, billed_tool_use])?;
    }
    let (one, other) = (known.candidates_modalities, known.response_modalities);
    usage.put_all([
        (Counter::PromptText, input.text),
        (Counter::PromptAudio, input.audio),
        (Counter::PromptImage, input.image),
        (Counter::PromptVideo, input.video),
        (Counter::CachedText, cached.text),
        (Counter::CachedAudio, cached.audio),
        (Counter::CachedImage, cached.image),
        (Counter::CompletionText, sum([one.text, other.text])?),
        (Counter::CompletionAudio, sum([one.audio, other.audio])?),
        (Counter::CompletionImage, sum([one.image, other.image])?),
        (Counter::CompletionVideo, sum([one.video, other.video])?),
        (Counter::ReasoningTokens, thoughts),
    ]);
    let live = wide([prompt, known.response_token_count, tool_use, thoughts]);
    let with_thoughts = wide([prompt, candidates, tool_use, thoughts]);
    let sums = [without_thoughts, with_thoughts, live, wide([prompt, response])];
    usage.put_total(total, sums);
    Ok(())
}

/// Bedrock's Converse. Lifetimes of writes are used only if they add up to the writes.
fn bedrock(known: &KnownFields, usage: &mut Usage) -> Result<(), NotRead> {
    let (input, output) = (known.bedrock_input, known.bedrock_output);
    let (read, write) = (known.bedrock_read, known.bedrock_write);
    beside(usage, input, output, [read, write])?;
    let details = known.cache_details;
    let accounted = details.five_minutes.checked_add(details.hour);
    if details.is_known && accounted == Some(write.unwrap_or(0)) {
        usage.set(Counter::Ephemeral5m, details.five_minutes);
        usage.set(Counter::Ephemeral1h, details.hour);
    }
    put_thinking(usage, known.output.thinking_tokens);
    let sums = [wide([input, output]), wide([input, output, read, write])];
    usage.put_total(known.bedrock_total, sums);
    Ok(())
}
