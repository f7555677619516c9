//! [`Usage`]: the usage of a call, as LiteLLM normalises it.

mod read;
mod tier;

use serde::Serialize;

use crate::num::Usd;
pub use tier::{ServiceTier, UnknownTier};

/// The usage of a call, in LiteLLM's terms and by OpenAI's convention: `prompt_tokens` includes
/// tokens read from and written to a cache, and `completion_tokens` includes reasoning.
///
/// Counts are tokens unless documented otherwise. Zero means that none were reported. Counts that have
/// no setter are set by assigning the public fields.
///
/// # Examples
///
/// ```
/// use llm_costmap::Usage;
///
/// let plain = Usage::new(1_000, 500);
/// let cached = Usage::new(1_000, 500).cached_tokens(800).reasoning_tokens(300);
///
/// // Or as a provider that speaks OpenAI's format, or a LiteLLM log, has it:
/// let read: Usage = serde_json::from_str(
///     r#"{"prompt_tokens": 1000, "completion_tokens": 500,
///         "prompt_tokens_details": {"cached_tokens": 800},
///         "completion_tokens_details": {"reasoning_tokens": 300}}"#,
/// )?;
/// assert_eq!(read, cached);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Reading
///
/// Unknown fields are ignored and null counts are zero. A count that is negative or not whole is an
/// error. Top-level `cache_read_input_tokens` and `prompt_cache_hit_tokens` replace
/// `cached_tokens`, and top-level `cache_creation_input_tokens` replaces `cache_creation_tokens`;
/// they do not add to `prompt_tokens`. `cache_write_tokens` takes precedence over
/// `cache_creation_tokens`. A top-level `reasoning_tokens` fills in for an absent one. A stated
/// `cost` that is negative or not a valid amount is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// The speed that the provider reports: `fast` or `standard` (Anthropic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// The geo that the provider reports to have served from: `us`, `global`, … (Anthropic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_geo: Option<String>,
    /// The charge that the provider reports, in US dollars. It replaces the calculated cost, unless
    /// the operator set prices of the model or of the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Usd>,
}

/// The composition of a prompt's tokens. Counts may overlap, as providers report them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct PromptTokensDetails {
    /// Tokens read from a cache.
    pub cached_tokens: u64,
    /// The kind of cache that was read; `ephemeral` is an explicit cache.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// The number of web searches that the model made. Only Perplexity's have a price so far; a
    /// call to another model that made searches is an [`Error::Unpriced`](crate::Error::Unpriced).
    pub web_search_requests: u64,
}

/// Cached tokens by modality.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
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
    /// Creates a usage of text tokens only.
    #[must_use]
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self { prompt_tokens, completion_tokens, ..Self::default() }
    }

    /// Sets the number of prompt tokens that were read from a cache.
    #[must_use]
    pub fn cached_tokens(mut self, tokens: u64) -> Self {
        self.prompt_tokens_details.cached_tokens = tokens;
        self
    }

    /// Sets the number of prompt tokens that were written to a cache.
    #[must_use]
    pub fn cache_creation_tokens(mut self, tokens: u64) -> Self {
        self.prompt_tokens_details.cache_creation_tokens = tokens;
        self
    }

    /// Sets the number of cache-written tokens that were written for an hour.
    #[must_use]
    pub fn cache_creation_1h_tokens(mut self, tokens: u64) -> Self {
        self.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens = tokens;
        self
    }

    /// Sets the number of completion tokens that were spent on reasoning.
    #[must_use]
    pub fn reasoning_tokens(mut self, tokens: u64) -> Self {
        self.completion_tokens_details.reasoning_tokens = tokens;
        self
    }
}
