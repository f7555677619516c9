//! What a call is billed for.

use std::fmt;

use super::field::Base;

/// One kind of thing that a call is billed for: what a line of a [`Cost`](crate::Cost) is about.
///
/// Token components are disjoint: every token of a call is in one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Component {
    /// Prompt tokens that were neither cached nor written to a cache, nor audio, image or video.
    Input,
    /// Prompt tokens read from a cache.
    CacheRead,
    /// Audio tokens read from a cache.
    CacheReadAudio,
    /// Image tokens read from a cache.
    CacheReadImage,
    /// Prompt tokens written to a cache, for its usual lifetime (5 or 30 minutes).
    CacheWrite,
    /// Prompt tokens written to a cache that lives for an hour.
    CacheWrite1h,
    /// Prompt tokens written to a cache that lives for twelve hours.
    CacheWrite12h,
    /// Audio tokens of the prompt.
    InputAudio,
    /// Image tokens of the prompt.
    InputImage,
    /// Video tokens of the prompt.
    InputVideo,
    /// Completion tokens of text.
    Output,
    /// Completion tokens spent on reasoning.
    Reasoning,
    /// Audio tokens of the completion.
    OutputAudio,
    /// Image tokens of the completion.
    OutputImage,
    /// Video tokens of the completion.
    OutputVideo,
    /// Citation tokens (Perplexity).
    Citation,
    /// The flat fee of a router, by prompt tokens (Azure's model router).
    RouterFee,
    /// Seconds that the call took, for models that are billed by the second.
    Duration,
    /// Searches that the model made (Perplexity).
    Search,
}

impl Component {
    /// The name, as it is serialised: `input`, `cache_read`, `reasoning`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheReadAudio => "cache_read_audio",
            Self::CacheReadImage => "cache_read_image",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite12h => "cache_write_12h",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image",
            Self::InputVideo => "input_video",
            Self::Citation => "citation",
            Self::RouterFee => "router_fee",
            Self::Duration => "duration",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::OutputVideo => "output_video",
            Self::Search => "search",
        }
    }

    /// Whether it counts towards [`Cost::input`](crate::Cost::input); the others are output.
    #[must_use]
    pub fn is_input(self) -> bool {
        self < Self::Output || matches!(self, Self::Citation | Self::RouterFee | Self::Duration)
    }

    /// Whether it was read from a cache.
    pub(crate) fn is_cache_read(self) -> bool {
        matches!(self, Self::CacheRead | Self::CacheReadAudio | Self::CacheReadImage)
    }

    /// How many decimals its counts have: seconds are counted in nanoseconds.
    #[inline]
    pub(crate) fn decimals(self) -> u8 {
        if self == Self::Duration { 9 } else { 0 }
    }

    /// What a quantity of it counts.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Duration => Unit::Seconds,
            Self::Search => Unit::Queries,
            _ => Unit::Tokens,
        }
    }

    /// What the field that prices it is called, before tiers and thresholds.
    pub(crate) fn own_base(self) -> Base {
        match self {
            Self::Input | Self::RouterFee => Base::Input,
            Self::CacheRead => Base::CacheRead,
            Self::CacheReadAudio => Base::CacheReadAudio,
            Self::CacheReadImage => Base::CacheReadImage,
            Self::CacheWrite => Base::CacheWrite,
            Self::CacheWrite1h => Base::CacheWrite1h,
            Self::CacheWrite12h => Base::CacheWrite12h,
            Self::InputAudio => Base::InputAudio,
            Self::InputImage => Base::InputImage,
            Self::InputVideo => Base::InputVideo,
            Self::Citation => Base::Citation,
            Self::Duration => Base::Second,
            Self::Output => Base::Output,
            Self::Reasoning => Base::Reasoning,
            Self::OutputAudio => Base::OutputAudio,
            Self::OutputImage => Base::OutputImage,
            Self::OutputVideo => Base::OutputVideo,
            Self::Search => Base::SearchContext,
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a quantity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Tokens.
    Tokens,
    /// Seconds.
    Seconds,
    /// Search queries.
    Queries,
}

impl Unit {
    /// The name, as it is serialised: `tokens`, `seconds`, `queries`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Seconds => "seconds",
            Self::Queries => "queries",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
