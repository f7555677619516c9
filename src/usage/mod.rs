//! [`Usage`]: what a call used, as LiteLLM normalises it.

mod read;

use serde::Serialize;

use crate::usd::Usd;

/// What a call used, in LiteLLM's terms and OpenAI's convention: `prompt_tokens` includes the cached
/// and cache-written ones, `completion_tokens` includes reasoning.
///
/// All counts are tokens unless they say otherwise; zero means "none reported".
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
/// Unknown fields are passed over and null counts are zero; a count that is negative or not whole is
/// an error. Top-level `cache_read_input_tokens` and `prompt_cache_hit_tokens` take the place of
/// `cached_tokens`, top-level `cache_creation_input_tokens` that of `cache_creation_tokens` (they do not
/// add to `prompt_tokens`), `cache_write_tokens` goes before `cache_creation_tokens`, and a top-level
/// `reasoning_tokens` fills in for an absent one. A stated `cost` that is negative or not finite is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// All tokens of the prompt.
    pub prompt_tokens: u64,
    /// All tokens of the completion.
    pub completion_tokens: u64,
    /// What the prompt's tokens were.
    pub prompt_tokens_details: PromptTokensDetails,
    /// What the completion's tokens were.
    pub completion_tokens_details: CompletionTokensDetails,
    /// Citation tokens (Perplexity).
    pub citation_tokens: u64,
    /// The service tier that the provider says it served: `priority`, `flex`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The speed that the provider says it served: `fast` or `standard` (Anthropic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// The geo that the provider says it served from: `us`, `global`, … (Anthropic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_geo: Option<String>,
    /// What the provider says it charged, in US dollars. It is then the cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Usd>,
}

/// What the tokens of a prompt were. Counts may overlap, as providers report them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PromptTokensDetails {
    /// Tokens read from a cache.
    pub cached_tokens: u64,
    /// What kind of cache they were read from; `ephemeral` is an explicit one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_type: Option<String>,
    /// Of which modality the cached tokens were.
    pub cached_tokens_details: CachedTokensDetails,
    /// Tokens written to a cache.
    pub cache_creation_tokens: u64,
    /// For how long they were written.
    pub cache_creation_token_details: CacheCreationTokenDetails,
    /// Text tokens.
    pub text_tokens: u64,
    /// Audio tokens.
    pub audio_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
    /// Video tokens.
    pub video_tokens: u64,
    /// Searches that the model made, a number of queries.
    pub web_search_requests: u64,
}

/// Of which modality cached tokens were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CachedTokensDetails {
    /// Text tokens.
    pub text_tokens: u64,
    /// Audio tokens.
    pub audio_tokens: u64,
    /// Image tokens.
    pub image_tokens: u64,
}

/// For how long tokens were written to a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheCreationTokenDetails {
    /// For five minutes.
    pub ephemeral_5m_input_tokens: u64,
    /// For thirty minutes.
    pub ephemeral_30m_input_tokens: u64,
    /// For an hour.
    pub ephemeral_1h_input_tokens: u64,
    /// For twelve hours.
    pub ephemeral_12h_input_tokens: u64,
}

/// What the tokens of a completion were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    /// A usage of text only: tokens in and tokens out.
    #[must_use]
    pub fn new(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self { prompt_tokens, completion_tokens, ..Self::default() }
    }

    /// Of the prompt's tokens, so many were read from a cache.
    #[must_use]
    pub fn cached_tokens(mut self, tokens: u64) -> Self {
        self.prompt_tokens_details.cached_tokens = tokens;
        self
    }

    /// Of the prompt's tokens, so many were written to a cache.
    #[must_use]
    pub fn cache_creation_tokens(mut self, tokens: u64) -> Self {
        self.prompt_tokens_details.cache_creation_tokens = tokens;
        self
    }

    /// Of the tokens written to a cache, so many were written for an hour.
    #[must_use]
    pub fn cache_creation_1h_tokens(mut self, tokens: u64) -> Self {
        self.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens = tokens;
        self
    }

    /// Of the completion's tokens, so many were spent on reasoning.
    #[must_use]
    pub fn reasoning_tokens(mut self, tokens: u64) -> Self {
        self.completion_tokens_details.reasoning_tokens = tokens;
        self
    }
}
