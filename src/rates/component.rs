//! The components of a bill.

use std::fmt;

use super::field::Base;
use crate::words::words;

/// One kind of usage that a call is billed for. Every line of a [`Cost`](crate::Cost) is about one
/// component.
///
/// Token components are disjoint: every token of a call belongs to exactly one of them.
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
    /// Pages that were read (OCR).
    Page,
    /// Search units of a reranker.
    SearchUnit,
    /// Images that were embedded or made.
    Image,
    /// Calls of tools that the provider ran and has a fee for, other than searches.
    ToolCall,
}

words! {
    Component is a "component of a cost":
    Input = "input",
    CacheRead = "cache_read",
    CacheReadAudio = "cache_read_audio",
    CacheReadImage = "cache_read_image",
    CacheWrite = "cache_write",
    CacheWrite1h = "cache_write_1h",
    CacheWrite12h = "cache_write_12h",
    InputAudio = "input_audio",
    InputImage = "input_image",
    InputVideo = "input_video",
    Output = "output",
    Reasoning = "reasoning",
    OutputAudio = "output_audio",
    OutputImage = "output_image",
    OutputVideo = "output_video",
    Citation = "citation",
    RouterFee = "router_fee",
    Duration = "duration",
    Search = "search",
    Page = "page",
    SearchUnit = "search_unit",
    Image = "image",
    ToolCall = "tool_call",
}

impl Component {
    /// Returns whether the component counts towards [`Cost::input`](crate::Cost::input). All others
    /// are output.
    #[must_use]
    pub fn is_input(self) -> bool {
        self < Self::Output || matches!(self, Self::Citation | Self::RouterFee | Self::Duration)
    }

    /// Returns whether the component is read from a cache.
    pub(crate) fn is_cache_read(self) -> bool {
        matches!(self, Self::CacheRead | Self::CacheReadAudio | Self::CacheReadImage)
    }

    /// Returns the number of decimals of the component's counts: seconds are counted in
    /// nanoseconds.
    #[inline]
    pub(crate) fn decimals(self) -> u8 {
        if self == Self::Duration { 9 } else { 0 }
    }

    /// Returns the unit of the component's quantities.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Duration => Unit::Seconds,
            Self::Search => Unit::Queries,
            Self::Page => Unit::Pages,
            Self::SearchUnit => Unit::SearchUnits,
            Self::Image => Unit::Images,
            Self::ToolCall => Unit::Calls,
            _ => Unit::Tokens,
        }
    }

    /// Returns the base of the field that prices the component. Returns `None` for components that
    /// no field is read for yet.
    pub(crate) fn own_base(self) -> Option<Base> {
        Some(match self {
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
            Self::Page | Self::SearchUnit | Self::Image | Self::ToolCall => return None,
        })
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The unit of a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Unit {
    /// Tokens.
    Tokens,
    /// Seconds.
    Seconds,
    /// Search queries.
    Queries,
    /// Pages.
    Pages,
    /// Search units.
    SearchUnits,
    /// Images.
    Images,
    /// Calls.
    Calls,
}

words! {
    Unit is a "unit":
    Tokens = "tokens",
    Seconds = "seconds",
    Queries = "queries",
    Pages = "pages",
    SearchUnits = "search_units",
    Images = "images",
    Calls = "calls",
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
