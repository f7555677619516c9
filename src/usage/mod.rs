//! [`Usage`]: the usage of a call, as LiteLLM normalises it. [`Counter`] and [`Provenance`]: its
//! counts, and where each is from. [`Units`]: what was used in other units than tokens.

mod counter;
mod fields;
mod format;
mod lists;
mod normal;
mod not_read;
mod read;
mod slot;
mod tier;
mod turns;
mod units;
mod value;
mod write;

use std::hash::{Hash, Hasher};

use crate::num::Usd;
use counter::CounterSet;
pub use counter::{Counter, Provenance};
pub(crate) use fields::{Shape, UsageFields};
pub use format::Format;
pub(crate) use normal::{Context, Normal, Part};
pub(crate) use not_read::NotRead;
pub(crate) use slot::{
    List, Object, Place, Slot, object, read_each, read_list, read_list_or_object, read_object, slots_by,
};
pub use tier::{ServiceTier, UnknownTier};
pub(crate) use turns::Turns;
pub(crate) use units::ShownUnits;
pub use units::{ImageSize, ParseImageSizeError, SearchContextSize, Units};
pub(crate) use value::{Count, Present, Seconds, Text, TextVisitor, Word};

/// The usage of a call, in LiteLLM's terms and by OpenAI's convention: `prompt_tokens` includes
/// tokens read from and written to a cache, and `completion_tokens` includes reasoning.
///
/// Counts are tokens unless documented otherwise. A count is zero if none was reported;
/// [`provenance`](Self::provenance) tells that from a reported zero. Counts that have no setter are
/// set by assigning the public fields.
///
/// # Examples
///
/// ```
/// use llm_costmap::Usage;
///
/// let plain = Usage::new(1_000, 500);
/// let cached = Usage::new(1_000, 500).cached_tokens(800).reasoning_tokens(300);
///
/// // Or as a provider or a LiteLLM log has it:
/// let read: Usage = serde_json::from_str(
///     r#"{"prompt_tokens": 1000, "completion_tokens": 500,
///         "prompt_tokens_details": {"cached_tokens": 800},
///         "completion_tokens_details": {"reasoning_tokens": 300}}"#,
/// )?;
/// assert_eq!(read, cached);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Reading and writing
///
/// A usage is deserialised from the usage object of any [`Format`], which is told by its counts:
/// `prompt_tokens`, `input_tokens`, `inputTokens`, `promptTokenCount`, and so on. An object without
/// any such count is an error, since it must not be priced at zero. To read a whole response, which
/// says more than its usage, use [`wire::Response`](crate::wire::Response).
///
/// Unknown fields are ignored. A null count is missing. A count that is negative or not whole is an
/// error. A stated `cost` that is negative or not a valid amount is ignored.
///
/// A usage serialises under LiteLLM's names, and what was written is read back as it was.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Usage {
    /// All tokens of the prompt.
    pub prompt_tokens: u64,
    /// All tokens of the completion.
    pub completion_tokens: u64,
    /// The composition of the prompt's tokens.
    pub prompt_tokens_details: PromptTokensDetails,
    /// The composition of the completion's tokens.
    pub completion_tokens_details: CompletionTokensDetails,
    /// Citation tokens (Perplexity). Billed only if the map has a rate for them.
    pub citation_tokens: u64,
    /// The service tier that the provider says it served.
    pub service_tier: Option<ServiceTier>,
    /// The speed that the provider reports: `fast` or `standard` (Anthropic).
    pub speed: Option<String>,
    /// The geo that the provider reports to have served from: `us`, `global`, … (Anthropic).
    pub inference_geo: Option<String>,
    /// The charge that the provider states, in US dollars. It replaces the calculated cost if the
    /// provider is [trusted](crate::CostMapBuilder::trust_stated_costs) with it, unless the operator
    /// set prices of the model or of the deployment.
    pub cost: Option<Usd>,
    /// The total that the provider reports, if the counts do not add up to it.
    odd_total: Option<u64>,
    /// Counts that are zero because that was reported.
    zeros: CounterSet,
    /// Counts that the program estimated.
    estimated: CounterSet,
}

/// The composition of a prompt's tokens. Counts may overlap, as providers report them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PromptTokensDetails {
    /// Tokens read from a cache.
    pub cached_tokens: u64,
    /// The kind of cache that was read; `ephemeral` is an explicit cache.
    pub cache_type: Option<String>,
    /// The cached tokens by modality.
    pub cached_tokens_details: CachedTokensDetails,
    /// Tokens written to a cache.
    pub cache_creation_tokens: u64,
    /// The tokens written to a cache by lifetime.
    pub cache_creation_token_details: CacheCreationTokenDetails,
    /// Text tokens.
    pub text_tokens: u64,
    /// Audio tokens.
    pub audio_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
    /// Video tokens.
    pub video_tokens: u64,
    /// The number of searches of the web that the model made. How they are billed depends on the
    /// provider: each query, each search, or once a call. See
    /// [`Units::web_searches`](super::Units::web_searches).
    pub web_search_requests: u64,
}

/// Cached tokens by modality.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CachedTokensDetails {
    /// Text tokens.
    pub text_tokens: u64,
    /// Audio tokens.
    pub audio_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
}

/// Tokens written to a cache, by lifetime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CacheCreationTokenDetails {
    /// Tokens written for five minutes.
    pub ephemeral_5m_input_tokens: u64,
    /// Tokens written for thirty minutes.
    pub ephemeral_30m_input_tokens: u64,
    /// Tokens written for an hour.
    pub ephemeral_1h_input_tokens: u64,
    /// Tokens written for twelve hours.
    pub ephemeral_12h_input_tokens: u64,
}

/// The composition of a completion's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CompletionTokensDetails {
    /// Tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Text tokens.
    pub text_tokens: u64,
    /// Audio tokens.
    pub audio_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
    /// Video tokens.
    pub video_tokens: u64,
}

impl Usage {
    /// A usage of which nothing is known yet.
    pub(crate) const UNKNOWN: Self = Self {
        prompt_tokens: 0,
        completion_tokens: 0,
        prompt_tokens_details: PromptTokensDetails::NONE,
        completion_tokens_details: CompletionTokensDetails::NONE,
        citation_tokens: 0,
        service_tier: None,
        speed: None,
        inference_geo: None,
        cost: None,
        odd_total: None,
        zeros: CounterSet::NONE,
        estimated: CounterSet::NONE,
    };

    /// Creates a usage of text tokens only.
    #[must_use]
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        let zeros = CounterSet::NONE.with(Counter::PromptTokens).with(Counter::CompletionTokens);
        Self { prompt_tokens, completion_tokens, zeros, ..Self::UNKNOWN }
    }

    /// Sets the number of prompt tokens that were read from a cache.
    #[must_use]
    pub fn cached_tokens(self, tokens: u64) -> Self {
        self.with(Counter::CachedTokens, tokens)
    }

    /// Sets the number of prompt tokens that were written to a cache.
    #[must_use]
    pub fn cache_creation_tokens(self, tokens: u64) -> Self {
        self.with(Counter::CacheCreationTokens, tokens)
    }

    /// Sets the number of cache-written tokens that were written for an hour.
    #[must_use]
    pub fn cache_creation_1h_tokens(self, tokens: u64) -> Self {
        self.with(Counter::Ephemeral1h, tokens)
    }

    /// Sets the number of completion tokens that were spent on reasoning.
    #[must_use]
    pub fn reasoning_tokens(self, tokens: u64) -> Self {
        self.with(Counter::ReasoningTokens, tokens)
    }

    fn with(mut self, counter: Counter, tokens: u64) -> Self {
        self.set(counter, tokens);
        self
    }

    /// Sets a count, as reported.
    pub fn set(&mut self, counter: Counter, count: u64) {
        *counter.slot(self) = count;
        self.zeros.insert(counter);
        self.estimated.remove(counter);
    }

    /// Sets a count that the program estimated, such as the completion of a stream that was
    /// interrupted. Its bill has the note
    /// [`EstimatedCounts`](crate::cost::Note::EstimatedCounts).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::cost::Note;
    /// use llm_costmap::usage::{Counter, Provenance};
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}"#)?;
    /// let mut usage = Usage::new(1_000, 0);
    /// usage.set_estimate(Counter::CompletionTokens, 70);
    /// assert_eq!(usage.provenance(Counter::CompletionTokens), Provenance::Estimated);
    ///
    /// let cost = map.cost("m", &usage)?;
    /// assert_eq!(cost.total().to_string(), "0.00114");
    /// assert!(cost.notes().any(|note| note == Note::EstimatedCounts));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn set_estimate(&mut self, counter: Counter, count: u64) {
        self.set(counter, count);
        self.estimated.insert(counter);
    }

    /// Returns where a count is from.
    #[must_use]
    pub fn provenance(&self, counter: Counter) -> Provenance {
        if self.estimated.has(counter) {
            Provenance::Estimated
        } else if counter.of(self) > 0 || self.zeros.has(counter) {
            Provenance::Reported
        } else {
            Provenance::Missing
        }
    }

    /// Returns a count, unless it is missing.
    #[must_use]
    pub fn get(&self, counter: Counter) -> Option<u64> {
        (self.provenance(counter) != Provenance::Missing).then(|| counter.of(self))
    }

    /// Returns the total that the provider reports if the counts do not add up to it, and else the
    /// sum of prompt and completion. Prices do not depend on it.
    #[must_use]
    pub fn total_tokens(&self) -> u64 {
        self.odd_total().unwrap_or_else(|| self.prompt_tokens.saturating_add(self.completion_tokens))
    }

    /// Returns the total that the provider reports, if the counts do not add up to it: neither with
    /// reasoning as a part of the completion nor with reasoning beside it.
    pub(crate) fn odd_total(&self) -> Option<u64> {
        let total = u128::from(self.odd_total?);
        let sum = u128::from(self.prompt_tokens) + u128::from(self.completion_tokens);
        let with_reasoning = sum + u128::from(self.completion_tokens_details.reasoning_tokens);
        self.odd_total.filter(|_| total != sum && total != with_reasoning)
    }

    /// Returns whether a bill of the usage has a note because of the usage itself.
    #[inline]
    pub(crate) fn is_remarkable(&self) -> bool {
        !self.estimated.is_empty()
            || self.odd_total.is_some()
            || self.lacks_prompt()
            || matches!(self.service_tier, Some(ServiceTier::Unknown(_)))
    }

    pub(crate) fn has_estimates(&self) -> bool {
        !self.estimated.is_empty()
    }

    /// Returns whether neither the number of prompt tokens nor that of completion tokens is known.
    pub(crate) fn is_unknown(&self) -> bool {
        self.lacks_prompt() && self.get(Counter::CompletionTokens).is_none()
    }

    /// Returns whether any token was counted.
    pub(crate) fn has_tokens(&self) -> bool {
        self.prompt_tokens > 0 || self.completion_tokens > 0
    }

    /// Returns whether the number of prompt tokens is missing.
    #[inline]
    pub(crate) fn lacks_prompt(&self) -> bool {
        self.prompt_tokens == 0 && !self.zeros.has(Counter::PromptTokens)
    }

    /// Returns the known counts.
    fn known(&self) -> CounterSet {
        let known = Counter::ALL.iter().filter(|counter| self.provenance(**counter) != Provenance::Missing);
        known.fold(CounterSet::NONE, |set, counter| set.with(*counter))
    }

    /// Adds the counts of another usage. Returns `None` if a count overflows.
    pub(crate) fn checked_add(&self, other: &Self) -> Option<Self> {
        let mut sum = self.clone();
        for counter in other.known().iter() {
            let count = counter.of(&sum).checked_add(counter.of(other))?;
            if other.estimated.has(counter) || sum.estimated.has(counter) {
                sum.set_estimate(counter, count);
            } else {
                sum.set(counter, count);
            }
        }
        sum.odd_total = match (self.odd_total(), other.odd_total()) {
            (None, None) => None,
            _ => Some(self.total_tokens().checked_add(other.total_tokens())?),
        };
        sum.cost = match (self.cost, other.cost) {
            (Some(one), Some(other)) => Some(one.checked_add(other)?),
            (one, other) => one.or(other),
        };
        Some(sum)
    }

    /// Returns the values by which usages are equal.
    fn identity(&self) -> Identity<'_> {
        (
            [self.prompt_tokens, self.completion_tokens, self.citation_tokens],
            (&self.prompt_tokens_details, &self.completion_tokens_details),
            (self.service_tier, self.speed.as_deref(), self.inference_geo.as_deref()),
            (self.cost, self.odd_total()),
            [self.known(), self.estimated],
        )
    }
}

type Identity<'a> = (
    [u64; 3],
    (&'a PromptTokensDetails, &'a CompletionTokensDetails),
    (Option<ServiceTier>, Option<&'a str>, Option<&'a str>),
    (Option<Usd>, Option<u64>),
    [CounterSet; 2],
);

/// Two usages are equal if their counts, the [provenance](Usage::provenance) of each, and what else
/// they hold are.
impl PartialEq for Usage {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Usage {}

impl Hash for Usage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PromptTokensDetails {
    const NONE: Self = Self {
        cached_tokens: 0,
        cache_type: None,
        cached_tokens_details: CachedTokensDetails { text_tokens: 0, audio_tokens: 0, image_tokens: 0 },
        cache_creation_tokens: 0,
        cache_creation_token_details: CacheCreationTokenDetails {
            ephemeral_5m_input_tokens: 0,
            ephemeral_30m_input_tokens: 0,
            ephemeral_1h_input_tokens: 0,
            ephemeral_12h_input_tokens: 0,
        },
        text_tokens: 0,
        audio_tokens: 0,
        image_tokens: 0,
        video_tokens: 0,
        web_search_requests: 0,
    };
}

impl CompletionTokensDetails {
    const NONE: Self =
        Self { reasoning_tokens: 0, text_tokens: 0, audio_tokens: 0, image_tokens: 0, video_tokens: 0 };
}
