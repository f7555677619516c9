//! [`Counter`]: the counts of a usage, and where each is from.

use super::Usage;
use crate::words::words;

/// A count of a [`Usage`].
///
/// Its name is the path of LiteLLM's field, such as `prompt_tokens_details.cached_tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Counter {
    /// [`Usage::prompt_tokens`].
    PromptTokens,
    /// [`Usage::completion_tokens`].
    CompletionTokens,
    /// [`Usage::citation_tokens`].
    CitationTokens,
    /// [`PromptTokensDetails::cached_tokens`](super::PromptTokensDetails::cached_tokens).
    CachedTokens,
    /// [`PromptTokensDetails::cache_creation_tokens`](super::PromptTokensDetails::cache_creation_tokens).
    CacheCreationTokens,
    /// [`PromptTokensDetails::text_tokens`](super::PromptTokensDetails::text_tokens).
    PromptText,
    /// [`PromptTokensDetails::audio_tokens`](super::PromptTokensDetails::audio_tokens).
    PromptAudio,
    /// [`PromptTokensDetails::image_tokens`](super::PromptTokensDetails::image_tokens).
    PromptImage,
    /// [`PromptTokensDetails::video_tokens`](super::PromptTokensDetails::video_tokens).
    PromptVideo,
    /// [`PromptTokensDetails::web_search_requests`](super::PromptTokensDetails::web_search_requests).
    WebSearchRequests,
    /// [`CachedTokensDetails::text_tokens`](super::CachedTokensDetails::text_tokens).
    CachedText,
    /// [`CachedTokensDetails::audio_tokens`](super::CachedTokensDetails::audio_tokens).
    CachedAudio,
    /// [`CachedTokensDetails::image_tokens`](super::CachedTokensDetails::image_tokens).
    CachedImage,
    /// [`CacheCreationTokenDetails::ephemeral_5m_input_tokens`](super::CacheCreationTokenDetails::ephemeral_5m_input_tokens).
    Ephemeral5m,
    /// [`CacheCreationTokenDetails::ephemeral_30m_input_tokens`](super::CacheCreationTokenDetails::ephemeral_30m_input_tokens).
    Ephemeral30m,
    /// [`CacheCreationTokenDetails::ephemeral_1h_input_tokens`](super::CacheCreationTokenDetails::ephemeral_1h_input_tokens).
    Ephemeral1h,
    /// [`CacheCreationTokenDetails::ephemeral_12h_input_tokens`](super::CacheCreationTokenDetails::ephemeral_12h_input_tokens).
    Ephemeral12h,
    /// [`CompletionTokensDetails::reasoning_tokens`](super::CompletionTokensDetails::reasoning_tokens).
    ReasoningTokens,
    /// [`CompletionTokensDetails::text_tokens`](super::CompletionTokensDetails::text_tokens).
    CompletionText,
    /// [`CompletionTokensDetails::audio_tokens`](super::CompletionTokensDetails::audio_tokens).
    CompletionAudio,
    /// [`CompletionTokensDetails::image_tokens`](super::CompletionTokensDetails::image_tokens).
    CompletionImage,
    /// [`CompletionTokensDetails::video_tokens`](super::CompletionTokensDetails::video_tokens).
    CompletionVideo,
}

words! {
    Counter is a "count of a usage":
    PromptTokens = "prompt_tokens",
    CompletionTokens = "completion_tokens",
    CitationTokens = "citation_tokens",
    CachedTokens = "prompt_tokens_details.cached_tokens",
    CacheCreationTokens = "prompt_tokens_details.cache_creation_tokens",
    PromptText = "prompt_tokens_details.text_tokens",
    PromptAudio = "prompt_tokens_details.audio_tokens",
    PromptImage = "prompt_tokens_details.image_tokens",
    PromptVideo = "prompt_tokens_details.video_tokens",
    WebSearchRequests = "prompt_tokens_details.web_search_requests",
    CachedText = "prompt_tokens_details.cached_tokens_details.text_tokens",
    CachedAudio = "prompt_tokens_details.cached_tokens_details.audio_tokens",
    CachedImage = "prompt_tokens_details.cached_tokens_details.image_tokens",
    Ephemeral5m = "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
    Ephemeral30m = "prompt_tokens_details.cache_creation_token_details.ephemeral_30m_input_tokens",
    Ephemeral1h = "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
    Ephemeral12h = "prompt_tokens_details.cache_creation_token_details.ephemeral_12h_input_tokens",
    ReasoningTokens = "completion_tokens_details.reasoning_tokens",
    CompletionText = "completion_tokens_details.text_tokens",
    CompletionAudio = "completion_tokens_details.audio_tokens",
    CompletionImage = "completion_tokens_details.image_tokens",
    CompletionVideo = "completion_tokens_details.video_tokens",
}

impl Counter {
    /// Returns the count's own field of a usage.
    pub(super) fn slot(self, usage: &mut Usage) -> &mut u64 {
        let Usage { prompt_tokens_details: prompt, completion_tokens_details: completion, .. } = usage;
        match self {
            Self::PromptTokens => &mut usage.prompt_tokens,
            Self::CompletionTokens => &mut usage.completion_tokens,
            Self::CitationTokens => &mut usage.citation_tokens,
            Self::CachedTokens => &mut prompt.cached_tokens,
            Self::CacheCreationTokens => &mut prompt.cache_creation_tokens,
            Self::PromptText => &mut prompt.text_tokens,
            Self::PromptAudio => &mut prompt.audio_tokens,
            Self::PromptImage => &mut prompt.image_tokens,
            Self::PromptVideo => &mut prompt.video_tokens,
            Self::WebSearchRequests => &mut prompt.web_search_requests,
            Self::CachedText => &mut prompt.cached_tokens_details.text_tokens,
            Self::CachedAudio => &mut prompt.cached_tokens_details.audio_tokens,
            Self::CachedImage => &mut prompt.cached_tokens_details.image_tokens,
            Self::Ephemeral5m => &mut prompt.cache_creation_token_details.ephemeral_5m_input_tokens,
            Self::Ephemeral30m => &mut prompt.cache_creation_token_details.ephemeral_30m_input_tokens,
            Self::Ephemeral1h => &mut prompt.cache_creation_token_details.ephemeral_1h_input_tokens,
            Self::Ephemeral12h => &mut prompt.cache_creation_token_details.ephemeral_12h_input_tokens,
            Self::ReasoningTokens => &mut completion.reasoning_tokens,
            Self::CompletionText => &mut completion.text_tokens,
            Self::CompletionAudio => &mut completion.audio_tokens,
            Self::CompletionImage => &mut completion.image_tokens,
            Self::CompletionVideo => &mut completion.video_tokens,
        }
    }

    /// Returns the count in a usage; 0 if it is missing.
    #[must_use]
    pub fn of(self, usage: &Usage) -> u64 {
        let Usage { prompt_tokens_details: prompt, completion_tokens_details: completion, .. } = usage;
        match self {
            Self::PromptTokens => usage.prompt_tokens,
            Self::CompletionTokens => usage.completion_tokens,
            Self::CitationTokens => usage.citation_tokens,
            Self::CachedTokens => prompt.cached_tokens,
            Self::CacheCreationTokens => prompt.cache_creation_tokens,
            Self::PromptText => prompt.text_tokens,
            Self::PromptAudio => prompt.audio_tokens,
            Self::PromptImage => prompt.image_tokens,
            Self::PromptVideo => prompt.video_tokens,
            Self::WebSearchRequests => prompt.web_search_requests,
            Self::CachedText => prompt.cached_tokens_details.text_tokens,
            Self::CachedAudio => prompt.cached_tokens_details.audio_tokens,
            Self::CachedImage => prompt.cached_tokens_details.image_tokens,
            Self::Ephemeral5m => prompt.cache_creation_token_details.ephemeral_5m_input_tokens,
            Self::Ephemeral30m => prompt.cache_creation_token_details.ephemeral_30m_input_tokens,
            Self::Ephemeral1h => prompt.cache_creation_token_details.ephemeral_1h_input_tokens,
            Self::Ephemeral12h => prompt.cache_creation_token_details.ephemeral_12h_input_tokens,
            Self::ReasoningTokens => completion.reasoning_tokens,
            Self::CompletionText => completion.text_tokens,
            Self::CompletionAudio => completion.audio_tokens,
            Self::CompletionImage => completion.image_tokens,
            Self::CompletionVideo => completion.video_tokens,
        }
    }
}

/// The provenance of a count of a [`Usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Provenance {
    /// The provider reported the count, or the program set it.
    Reported,
    /// The program [estimated](Usage::set_estimate) the count.
    Estimated,
    /// Nobody reported the count: it is priced as 0.
    Missing,
}

words! {
    Provenance is a "provenance of a count":
    Reported = "reported",
    Estimated = "estimated",
    Missing = "missing",
}

/// A set of counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct CounterSet(u32);

impl CounterSet {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn with(self, counter: Counter) -> Self {
        Self(self.0 | 1 << counter as u32)
    }

    pub(super) fn insert(&mut self, counter: Counter) {
        *self = self.with(counter);
    }

    pub(super) fn remove(&mut self, counter: Counter) {
        self.0 &= !(1 << counter as u32);
    }

    pub(super) fn has(self, counter: Counter) -> bool {
        self.0 & 1 << counter as u32 != 0
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Counter> {
        Counter::ALL.iter().copied().filter(move |counter| self.has(*counter))
    }
}
