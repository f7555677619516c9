//! The grammar of price fields.
//!
//! ```text
//! FIELD = BASE [ "_above_" TTL ] [ "_above_" N ["k"] "_tokens" ] [ "_" TIER ]
//! ```
//!
//! Only cache writes have a TTL, so the bases below include it. Names are parsed, not listed, so
//! that a future `_above_1024k_tokens` is priced without a new release.

use std::fmt;

/// The subject of a rate, without threshold and tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    Input,
    CacheRead,
    ExplicitCacheRead,
    CacheReadAudio,
    CacheReadImage,
    CacheWrite,
    CacheWrite1h,
    CacheWrite12h,
    InputAudio,
    InputImage,
    InputVideo,
    Output,
    Reasoning,
    OutputAudio,
    OutputImage,
    OutputVideo,
    Citation,
    Second,
    InputSecond,
    OutputSecond,
    /// A table by search context size. Read with the entry, not parsed as a field. Its low rate
    /// prices Perplexity's searches.
    SearchContext,
}

impl Base {
    /// All bases, in the order of their discriminants.
    pub(crate) const ALL: [Self; 21] = [
        Self::Input,
        Self::CacheRead,
        Self::ExplicitCacheRead,
        Self::CacheReadAudio,
        Self::CacheReadImage,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::InputAudio,
        Self::InputImage,
        Self::InputVideo,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::OutputVideo,
        Self::Citation,
        Self::Second,
        Self::InputSecond,
        Self::OutputSecond,
        Self::SearchContext,
    ];

    /// Returns the base that the map calls by a name.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "input_cost_per_token" => Self::Input,
            "cache_read_input_token_cost" => Self::CacheRead,
            "explicit_cache_read_input_token_cost" => Self::ExplicitCacheRead,
            "cache_read_input_audio_token_cost" => Self::CacheReadAudio,
            "cache_read_input_image_token_cost" => Self::CacheReadImage,
            "cache_creation_input_token_cost" => Self::CacheWrite,
            "cache_creation_input_token_cost_above_1hr" => Self::CacheWrite1h,
            "cache_creation_input_token_cost_above_12hr" => Self::CacheWrite12h,
            "input_cost_per_audio_token" => Self::InputAudio,
            "input_cost_per_image_token" => Self::InputImage,
            "input_cost_per_video_token" => Self::InputVideo,
            "output_cost_per_token" => Self::Output,
            "output_cost_per_reasoning_token" => Self::Reasoning,
            "output_cost_per_audio_token" => Self::OutputAudio,
            "output_cost_per_image_token" => Self::OutputImage,
            "output_cost_per_video_token" => Self::OutputVideo,
            "citation_cost_per_token" => Self::Citation,
            "cost_per_second" => Self::Second,
            "input_cost_per_second" => Self::InputSecond,
            "output_cost_per_second" => Self::OutputSecond,
            _ => return None,
        })
    }

    /// Returns the name that the map has for the base.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Input => "input_cost_per_token",
            Self::CacheRead => "cache_read_input_token_cost",
            Self::ExplicitCacheRead => "explicit_cache_read_input_token_cost",
            Self::CacheReadAudio => "cache_read_input_audio_token_cost",
            Self::CacheReadImage => "cache_read_input_image_token_cost",
            Self::CacheWrite => "cache_creation_input_token_cost",
            Self::CacheWrite1h => "cache_creation_input_token_cost_above_1hr",
            Self::CacheWrite12h => "cache_creation_input_token_cost_above_12hr",
            Self::InputAudio => "input_cost_per_audio_token",
            Self::InputImage => "input_cost_per_image_token",
            Self::InputVideo => "input_cost_per_video_token",
            Self::Output => "output_cost_per_token",
            Self::Reasoning => "output_cost_per_reasoning_token",
            Self::OutputAudio => "output_cost_per_audio_token",
            Self::OutputImage => "output_cost_per_image_token",
            Self::OutputVideo => "output_cost_per_video_token",
            Self::Citation => "citation_cost_per_token",
            Self::Second => "cost_per_second",
            Self::InputSecond => "input_cost_per_second",
            Self::OutputSecond => "output_cost_per_second",
            Self::SearchContext => SEARCH_CONTEXT,
        }
    }
}

/// The name of the table of prices by search context size.
pub(crate) const SEARCH_CONTEXT: &str = "search_context_cost_per_query";

/// The column of a rate: a service tier or a kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tier {
    Standard,
    Flex,
    Balanced,
    Priority,
    Ultrafast,
    Batches,
    /// A kind of call that some models have; not a service tier.
    Decisions,
}

impl Tier {
    /// All tiers, in the order of their discriminants.
    pub(crate) const ALL: [Self; 7] = [
        Self::Standard,
        Self::Flex,
        Self::Balanced,
        Self::Priority,
        Self::Ultrafast,
        Self::Batches,
        Self::Decisions,
    ];

    /// Returns the suffix of a field's name, such as `_flex`. The standard tier has an empty one.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Standard => "",
            Self::Flex => "_flex",
            Self::Balanced => "_balanced",
            Self::Priority => "_priority",
            Self::Ultrafast => "_ultrafast",
            Self::Batches => "_batches",
            Self::Decisions => "_decisions",
        }
    }
}

/// A field that prices tokens, or seconds of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    pub(crate) base: Base,
    pub(crate) tier: Tier,
    /// The number of prompt tokens above which the rate applies; 0 if it has no threshold.
    pub(crate) above: u32,
}

impl Field {
    pub(crate) const fn new(base: Base) -> Self {
        Self { base, tier: Tier::Standard, above: 0 }
    }

    pub(crate) fn tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    /// Returns a number that is unique to the field. The lowest byte is zero.
    pub(crate) fn as_u64(self) -> u64 {
        u64::from(self.above) << 32 | (self.base as u64) << 16 | (self.tier as u64) << 8
    }

    pub(crate) fn above(self, above: u32) -> Self {
        Self { above, ..self }
    }
}

/// Writes the name as the map does: multiples of a thousand with a `k`.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.name())?;
        match self.above {
            0 => {}
            n if n % 1000 == 0 => write!(f, "_above_{}k_tokens", n / 1000)?,
            n => write!(f, "_above_{n}_tokens")?,
        }
        f.write_str(self.tier.suffix())
    }
}

/// The meaning of a field's name for prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A rate that prices calls.
    Rate(Field),
    /// A known price, or a table of prices, that does not price tokens here: it is priced elsewhere
    /// or not yet.
    Unit,
    /// A name with `cost` in it that the grammar does not know.
    Unknown,
    /// Not a price.
    Other,
}

/// Known prices other than a rate times a count of tokens.
const UNITS: [&str; 14] = [
    "ocr_cost_per_page",
    "ocr_cost_per_credit",
    "annotation_cost_per_page",
    "code_interpreter_cost_per_session",
    "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens",
    "file_search_cost_per_1k_calls",
    "file_search_cost_per_gb_per_day",
    "vector_store_cost_per_gb_per_day",
    "google_maps_grounding_cost_per_query",
    "cache_creation_input_audio_token_cost",
    "cache_creation_input_image_token_cost",
    SEARCH_CONTEXT,
    "search_queries_cost_per_query",
];

/// Units that follow `input_cost_per_` and `output_cost_per_`.
const PER: [&str; 9] = [
    "character",
    "image",
    "pixel",
    "second",
    "query",
    "request",
    "audio_per_second",
    "video_per_second",
    "audio_second",
];

/// Parses the name of a field.
pub(crate) fn parse(name: &str) -> Kind {
    // Fast path: most prices have neither a tier nor a threshold.
    if let Some(base) = Base::named(name) {
        return Kind::Rate(Field::new(base));
    }
    if name.starts_with("supports_") || !name.as_bytes().windows(4).any(|part| part == b"cost") {
        return Kind::Other;
    }
    let (rest, tier) = strip_tier(name);
    let Some((base_name, above)) = strip_threshold(rest) else {
        return Kind::Unknown;
    };
    match Base::named(base_name) {
        Some(base) => Kind::Rate(Field { base, tier, above }),
        None if is_unit(base_name) => Kind::Unit,
        None => Kind::Unknown,
    }
}

/// Returns whether a field holds a price or a table of prices.
pub(crate) fn is_price(name: &str) -> bool {
    matches!(name, "tiered_pricing" | "off_peak_pricing") || matches!(parse(name), Kind::Rate(_) | Kind::Unit)
}

fn strip_tier(name: &str) -> (&str, Tier) {
    let stripped = name.rfind('_').and_then(|at| {
        let (rest, suffix) = name.split_at_checked(at)?;
        let tier = Tier::ALL.into_iter().find(|tier| tier.suffix() == suffix)?;
        Some((rest, tier))
    });
    stripped.unwrap_or((name, Tier::Standard))
}

/// Splits a name into the part before `_above_N_tokens`, and `N`, which is 0 if there is no
/// threshold. Returns `None` if the threshold is not a positive number that fits a `u32`.
fn strip_threshold(name: &str) -> Option<(&str, u32)> {
    let Some((rest, count)) = name.strip_suffix("_tokens").and_then(|name| name.rsplit_once("_above_"))
    else {
        return Some((name, 0));
    };
    let (digits, factor) = match count.strip_suffix('k') {
        Some(digits) => (digits, 1000),
        None => (count, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let above = digits.parse::<u32>().ok()?.checked_mul(factor)?;
    // No map has "above 0", which would be every prompt. Here, 0 means "no threshold".
    (above > 0).then_some((rest, above))
}

fn is_unit(name: &str) -> bool {
    let per = name.strip_prefix("input_cost_per_").or_else(|| name.strip_prefix("output_cost_per_"));
    match per {
        // `image` and `second` may be followed by a size: `image_1024`, `second_720p`.
        Some(per) => PER.iter().any(|unit| {
            per.strip_prefix(unit).is_some_and(|size| {
                size.is_empty()
                    || (matches!(*unit, "image" | "second")
                        && size.starts_with('_')
                        && size.contains(|c: char| c.is_ascii_digit())
                        && !size.contains("_above_"))
            })
        }),
        None => UNITS.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(name: &str) -> Field {
        match parse(name) {
            Kind::Rate(field) => field,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn reads_every_qualifier() {
        assert_eq!(rate("input_cost_per_token"), Field::new(Base::Input));
        assert_eq!(
            rate("output_cost_per_token_above_200k_tokens_priority"),
            Field::new(Base::Output).above(200_000).tier(Tier::Priority)
        );
        assert_eq!(
            rate("cache_creation_input_token_cost_above_1hr_above_300k_tokens_flex"),
            Field::new(Base::CacheWrite1h).above(300_000).tier(Tier::Flex)
        );
        assert_eq!(rate("input_cost_per_token_above_1024k_tokens"), Field::new(Base::Input).above(1_024_000));
        assert_eq!(rate("input_cost_per_token_above_128000_tokens"), Field::new(Base::Input).above(128_000));
        assert_eq!(
            rate("cache_creation_input_token_cost_above_12hr_batches"),
            Field::new(Base::CacheWrite12h).tier(Tier::Batches)
        );
        assert_eq!(rate("input_cost_per_token_decisions"), Field::new(Base::Input).tier(Tier::Decisions));
    }

    #[test]
    fn shows_the_name_that_it_read() {
        for name in [
            "input_cost_per_token",
            "cache_creation_input_token_cost_above_1hr_above_300k_tokens_flex",
            "output_cost_per_token_above_1500_tokens",
            "cache_creation_input_token_cost_above_12hr_ultrafast",
            "explicit_cache_read_input_token_cost",
            "output_cost_per_reasoning_token_balanced",
        ] {
            assert_eq!(rate(name).to_string(), name);
        }
    }

    #[test]
    fn tells_units_from_what_it_does_not_know() {
        for name in [
            "output_cost_per_image",
            "output_cost_per_image_1024",
            "output_cost_per_second_720p",
            "input_cost_per_video_per_second_above_128k_tokens",
            "ocr_cost_per_page_batches",
            "input_cost_per_request",
        ] {
            assert_eq!(parse(name), Kind::Unit, "{name}");
        }
        for name in [
            "input_cost_per_token_cache_hit",
            "input_dbu_cost_per_token",
            "input_cost_per_thought",
            "input_cost_per_token_above_many_tokens",
            "input_cost_per_token_above_99999999k_tokens",
            "input_cost_per_token_above_0k_tokens",
            "input_cost_per_token_above_1hr",
            "input_cost_per_video_per_second_above_15s_interval",
            "guardrail_cost_per_unit",
            "input_cost_per_token_hyperspeed",
        ] {
            assert_eq!(parse(name), Kind::Unknown, "{name}");
        }
        for name in ["max_tokens", "supports_low_cost_mode", "", "mode"] {
            assert_eq!(parse(name), Kind::Other, "{name}");
        }
    }
}
