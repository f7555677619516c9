//! The grammar of price fields.
//!
//! ```text
//! FIELD = BASE [ "_above_" TTL ] [ "_above_" N ["k"] "_tokens" ] [ "_" TIER ]
//!       | BASE "_" SIZE [ "_" TIER ]
//! SIZE  = N [ "." N ] [ "p" | "k" | "K" ]
//! ```
//!
//! Only cache writes have a TTL, so the bases below include it. Names are parsed, not listed, so
//! that a future `_above_1024k_tokens` or `_8k` is priced without a new release.

use std::fmt;

pub(crate) use super::size::Size;

/// Defines the bases, each with the name that the map has for it.
macro_rules! bases {
    ($($(#[$doc:meta])* $base:ident = $name:literal,)+) => {
        /// The subject of a rate, without threshold, size and tier.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Base {
            $($(#[$doc])* $base,)+
        }

        impl Base {
            /// All bases, in the order of their discriminants.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$base),+];

            /// Returns the base that the map calls by a name.
            fn named(name: &str) -> Option<Self> {
                Some(match name {
                    $($name => Self::$base,)+
                    _ => return None,
                })
            }

            /// Returns the name that the map has for the base.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$base => $name,)+
                }
            }
        }
    };
}

bases! {
    Input = "input_cost_per_token",
    CacheRead = "cache_read_input_token_cost",
    ExplicitCacheRead = "explicit_cache_read_input_token_cost",
    CacheReadAudio = "cache_read_input_audio_token_cost",
    CacheReadImage = "cache_read_input_image_token_cost",
    CacheWrite = "cache_creation_input_token_cost",
    CacheWrite1h = "cache_creation_input_token_cost_above_1hr",
    CacheWrite12h = "cache_creation_input_token_cost_above_12hr",
    InputAudio = "input_cost_per_audio_token",
    InputImage = "input_cost_per_image_token",
    InputVideo = "input_cost_per_video_token",
    Output = "output_cost_per_token",
    Reasoning = "output_cost_per_reasoning_token",
    OutputAudio = "output_cost_per_audio_token",
    OutputImage = "output_cost_per_image_token",
    OutputVideo = "output_cost_per_video_token",
    // The bases above are the rates of tokens, which rows hold. Those below are looked up by unit.
    Citation = "citation_cost_per_token",
    Second = "cost_per_second",
    InputSecond = "input_cost_per_second",
    /// By resolution, in fields such as `output_cost_per_second_720p`.
    OutputSecond = "output_cost_per_second",
    Request = "input_cost_per_request",
    TextMessage = "input_cost_per_text_message",
    InputCharacter = "input_cost_per_character",
    OutputCharacter = "output_cost_per_character",
    /// Images that are sent; images that are made, with models that make images and have no
    /// [`PerOutputImage`](Self::PerOutputImage).
    PerInputImage = "input_cost_per_image",
    /// By resolution, in fields such as `output_cost_per_image_2K`.
    PerOutputImage = "output_cost_per_image",
    InputPixel = "input_cost_per_pixel",
    OutputPixel = "output_cost_per_pixel",
    InputAudioSecond = "input_cost_per_audio_per_second",
    OutputAudioSecond = "output_cost_per_audio_per_second",
    InputVideoSecond = "input_cost_per_video_per_second",
    OutputVideoSecond = "output_cost_per_video_per_second",
    Query = "input_cost_per_query",
    Page = "ocr_cost_per_page",
    AnnotatedPage = "annotation_cost_per_page",
    Credit = "ocr_cost_per_credit",
    /// By search context size. A table, which [`Field::search`] reads its fields of.
    SearchContext = "search_context_cost_per_query",
    MapsGrounding = "google_maps_grounding_cost_per_query",
    FileSearch = "file_search_cost_per_1k_calls",
    FileStorage = "file_search_cost_per_gb_per_day",
    VectorStore = "vector_store_cost_per_gb_per_day",
    CodeInterpreter = "code_interpreter_cost_per_session",
    ComputerInput = "computer_use_input_cost_per_1k_tokens",
    ComputerOutput = "computer_use_output_cost_per_1k_tokens",
    /// LiteLLM's name of a constant. No entry of the public map has the field.
    PageVisit = "groq_browser_visit_website_cost_per_call",
}

impl Base {
    /// Returns whether the base is a rate of tokens. These come first.
    pub(crate) fn is_of_tokens(self) -> bool {
        (self as usize) < Self::Citation as usize
    }

    /// Returns whether the base may have rates by size, in the place of thresholds.
    pub(crate) fn has_sizes(self) -> bool {
        matches!(self, Self::OutputSecond | Self::PerOutputImage | Self::SearchContext)
    }

    /// Returns whether the field holds the price of a thousand units.
    pub(crate) fn is_per_thousand(self) -> bool {
        matches!(self, Self::FileSearch | Self::ComputerInput | Self::ComputerOutput)
    }
}

/// The name of the table of prices by search context size.
pub(crate) const SEARCH_CONTEXT: &str = "search_context_cost_per_query";

/// The fields of the table of prices by search context size.
pub(crate) const SEARCH_SIZES: [(Size, &str); 3] = [
    (Size::LOW, "search_context_size_low"),
    (Size::MEDIUM, "search_context_size_medium"),
    (Size::HIGH, "search_context_size_high"),
];

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

    /// Returns the tier's bit in a set of tiers.
    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }

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

/// A field that holds a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    pub(crate) base: Base,
    pub(crate) tier: Tier,
    /// The number of prompt tokens above which the rate applies, or the [`Size`] that it applies to
    /// if the base [has sizes](Base::has_sizes); 0 if it has neither.
    pub(crate) qualifier: u32,
}

impl Field {
    pub(crate) const fn new(base: Base) -> Self {
        Self { base, tier: Tier::Standard, qualifier: 0 }
    }

    /// Returns the field of the table of searches for a context size.
    pub(crate) const fn search(size: Size) -> Self {
        Self::new(Base::SearchContext).sized(size)
    }

    pub(crate) fn tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    /// Returns a number that is unique to the field. The lowest byte is zero.
    pub(crate) fn as_u64(self) -> u64 {
        u64::from(self.qualifier) << 32 | (self.base as u64) << 16 | (self.tier as u64) << 8
    }

    pub(crate) fn above(self, tokens: u32) -> Self {
        Self { qualifier: tokens, ..self }
    }

    const fn sized(self, size: Size) -> Self {
        Self { qualifier: size.as_u32(), ..self }
    }

    /// Returns the number of prompt tokens above which the rate applies; 0 if it has no threshold.
    pub(crate) fn threshold(self) -> u32 {
        if self.base.has_sizes() { 0 } else { self.qualifier }
    }

    /// Returns the size that the rate applies to.
    pub(crate) fn size(self) -> Option<Size> {
        if self.base.has_sizes() { Size::from_u32(self.qualifier) } else { None }
    }
}

/// Writes the name as the map does: multiples of a thousand with a `k`.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.name())?;
        if self.base == Base::SearchContext {
            let sizes = SEARCH_SIZES.iter().find(|(size, _)| self.size() == Some(*size));
            return sizes.map_or(Ok(()), |(_, name)| write!(f, ".{name}"));
        }
        if let Some(size) = self.size() {
            write!(f, "_{size}")?;
        }
        match self.threshold() {
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
    /// A known price that no call is priced by, or a table of prices.
    Unit,
    /// A name with `cost` in it that the grammar does not know.
    Unknown,
    /// Not a price.
    Other,
}

/// Known prices that no call is priced by: usages do not say which of the tokens that they wrote to
/// a cache are audio or images.
const NOT_PRICED_BY: [&str; 2] =
    ["cache_creation_input_audio_token_cost", "cache_creation_input_image_token_cost"];

/// Parses the name of a field.
pub(crate) fn parse(name: &str) -> Kind {
    // Fast path: most prices have neither a tier nor a threshold.
    match Base::named(name) {
        Some(Base::SearchContext) => return Kind::Unit,
        Some(base) => return Kind::Rate(Field::new(base)),
        None => {}
    }
    if name.starts_with("supports_") || !name.as_bytes().windows(4).any(|part| part == b"cost") {
        return Kind::Other;
    }
    let (rest, tier) = strip_tier(name);
    let Some((base_name, above)) = strip_threshold(rest) else {
        return Kind::Unknown;
    };
    match Base::named(base_name) {
        Some(base) if above > 0 && base.has_sizes() => Kind::Unknown,
        Some(base) => Kind::Rate(Field::new(base).tier(tier).above(above)),
        None if NOT_PRICED_BY.contains(&base_name) => Kind::Unit,
        None if above > 0 => Kind::Unknown,
        None => sized(base_name).map_or(Kind::Unknown, |field| Kind::Rate(field.tier(tier))),
    }
}

/// Parses the name of a rate by size, without its tier.
fn sized(name: &str) -> Option<Field> {
    let (base, size) = name.rsplit_once('_')?;
    let base = Base::named(base).filter(|base| base.has_sizes() && *base != Base::SearchContext)?;
    Some(Field::new(base).sized(Size::parse(size)?))
}

/// Prices of the same in several units, of which one applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alternatives {
    /// Seconds of audio or of video, of a call or of a session.
    Seconds,
    /// Images that a model makes, by the image or the pixel.
    Images,
}

impl Alternatives {
    /// Returns the alternatives that a field is one of, in an entry that prices images that a model
    /// makes or does not.
    pub(crate) fn of(name: &str, makes_images: bool) -> Option<Self> {
        let Kind::Rate(field) = parse(name) else { return None };
        match field.base {
            Base::Second | Base::InputSecond | Base::OutputSecond | Base::OutputVideoSecond => {
                Some(Self::Seconds)
            }
            Base::PerInputImage | Base::PerOutputImage | Base::InputPixel | Base::OutputPixel
                if makes_images =>
            {
                Some(Self::Images)
            }
            _ => None,
        }
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
    fn reads_the_rates_of_units() {
        for name in [
            "output_cost_per_image",
            "output_cost_per_image_1024",
            "output_cost_per_image_0.5K",
            "output_cost_per_second_720p",
            "output_cost_per_second_4k",
            "output_cost_per_second_4k_flex",
            "input_cost_per_video_per_second_above_128k_tokens",
            "ocr_cost_per_page_batches",
            "input_cost_per_request",
        ] {
            assert_eq!(rate(name).to_string(), name);
        }
        assert_eq!(rate("output_cost_per_image_2K").size(), Size::parse("2K"));
        assert_eq!(
            (rate("output_cost_per_image_2K").threshold(), rate("input_cost_per_image").size()),
            (0, None)
        );
        assert_eq!(
            Field::search(Size::LOW).to_string(),
            "search_context_cost_per_query.search_context_size_low"
        );
    }

    #[test]
    fn tells_what_no_call_is_priced_by() {
        for name in ["search_context_cost_per_query", "cache_creation_input_audio_token_cost"] {
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
            "output_cost_per_image_above_128k_tokens",
            "output_cost_per_image_wide",
            "input_cost_per_image_1024",
            "input_cost_per_token_hyperspeed",
        ] {
            assert_eq!(parse(name), Kind::Unknown, "{name}");
        }
        for name in ["max_tokens", "supports_low_cost_mode", "", "mode"] {
            assert_eq!(parse(name), Kind::Other, "{name}");
        }
    }
}
