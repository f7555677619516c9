//! An entry's prices, compiled: bands by threshold, columns by tier, fallbacks already followed.
//! Pricing picks a row and multiplies.

mod batch;
pub(crate) mod compile;
mod component;
mod off_peak;
mod rate;

pub use component::{Component, Unit};
pub(crate) use off_peak::OffPeakHours;
pub(crate) use rate::{BadRate, Factor, Quantity, Rate, amount, units};

use crate::catalog::field::{Base, Field, Tier};

/// Where in an entry a price stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A field of the entry.
    Entry,
    /// A tier of its `tiered_pricing`.
    Range,
    /// Its `off_peak_pricing`.
    OffPeak,
    /// Nowhere: in proportion to what the batch rate is of the standard rate.
    BatchDiscount,
}

/// A price and the field that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    /// The rate's units, in halves that need no alignment beyond eight bytes.
    high: u64,
    low: u64,
    from: From,
}

/// Where a price is from. It is copied as one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(8))]
struct From {
    above: u32,
    base: Base,
    tier: Tier,
    place: Place,
}

impl Price {
    /// What stands in a line without a price.
    pub(crate) const NONE: Self = Self {
        high: 0,
        low: 0,
        from: From { above: 0, base: Base::Input, tier: Tier::Standard, place: Place::Entry },
    };

    pub(crate) fn new(rate: Rate, field: Field, place: Place) -> Self {
        let units = rate.units();
        let Field { base, tier, above } = field;
        // The lower half is cut off on purpose.
        #[allow(clippy::cast_possible_truncation)]
        Self { high: (units >> 64) as u64, low: units as u64, from: From { above, base, tier, place } }
    }

    #[inline]
    pub(crate) fn rate(&self) -> Rate {
        Rate::from_units(u128::from(self.high) << 64 | u128::from(self.low))
    }

    pub(crate) fn field(&self) -> Field {
        let From { above, base, tier, .. } = self.from;
        Field { base, tier, above }
    }

    pub(crate) fn place(&self) -> Place {
        self.from.place
    }
}

/// Which price, and whether half of it; or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell(u16);

impl Cell {
    pub(crate) const NONE: Self = Self(u16::MAX);
    const HALF: u16 = 0x8000;

    /// `None` where an entry has more prices than a cell can tell apart.
    pub(crate) fn new(index: usize) -> Option<Self> {
        u16::try_from(index).ok().filter(|index| *index < Self::HALF - 1).map(Self)
    }

    pub(crate) fn half(self) -> Self {
        if self == Self::NONE { self } else { Self(self.0 | Self::HALF) }
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    pub(crate) fn or(self, other: Self) -> Self {
        if self.is_none() { other } else { self }
    }

    pub(crate) fn is_half(self) -> bool {
        self.0 & Self::HALF != 0
    }

    #[inline]
    fn index(self) -> usize {
        usize::from(self.0 & !Self::HALF)
    }
}

/// How many components are priced by a row: all that are counted in tokens of the model.
const COLUMNS: usize = Component::OutputVideo as usize + 1;

/// One resolved price for each token component, and one for hits of an explicit cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    cells: [Cell; COLUMNS],
    explicit_read: Cell,
    text: Option<TextRates>,
}

/// The rates of text at one scale, so that a sum of products is made in whole numbers and scaled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextRates {
    /// Input, cache read, cache write, output, reasoning: times `unit` in 10^-28 dollars.
    digits: [u64; 5],
    /// A power of ten.
    unit: u64,
}

/// The scales that are tried: rates have 12 decimals, or rarely more.
const UNITS: [u64; 4] = [10_u64.pow(16), 10_u64.pow(13), 10_u64.pow(10), 10_u64.pow(4)];

/// Bits that a rate of text has: with 64 for a count and three for a sum of five they are fewer than 128.
const TEXT_BITS: u32 = 60;

impl TextRates {
    /// The components of text, in the order of the digits.
    pub(crate) const COMPONENTS: [Component; 5] = [
        Component::Input,
        Component::CacheRead,
        Component::CacheWrite,
        Component::Output,
        Component::Reasoning,
    ];

    /// `None` where a rate is missing, or they are too far apart for one scale.
    fn new(rates: [Option<Rate>; 5]) -> Option<Self> {
        let mut units = [0; 5];
        for (slot, rate) in units.iter_mut().zip(rates) {
            *slot = rate?.units();
        }
        UNITS.into_iter().find_map(|unit| {
            let mut digits = [0; 5];
            for (slot, units) in digits.iter_mut().zip(units) {
                let whole = units / u128::from(unit);
                let is_whole = whole * u128::from(unit) == units;
                *slot = u64::try_from(whole).ok().filter(|digits| is_whole && digits >> TEXT_BITS == 0)?;
            }
            Some(Self { digits, unit })
        })
    }

    /// What so many tokens of input and output cost, in 10^-28 dollars. `None` far beyond the range of money.
    #[inline]
    pub(crate) fn sums(&self, counts: [u64; 5]) -> Option<[u128; 2]> {
        // Sixty bits times sixty-four, three times: fewer than 128.
        let mut products = [0_u128; 5];
        for ((product, rate), count) in products.iter_mut().zip(self.digits).zip(counts) {
            *product = u128::from(rate) * u128::from(count);
        }
        let [input, read, write, output, reasoning] = products;
        let (input, output) = (input + read + write, output + reasoning);
        Some([rate::product(input, self.unit)?, rate::product(output, self.unit)?])
    }
}

impl Row {
    const EMPTY: Self = Self { cells: [Cell::NONE; COLUMNS], explicit_read: Cell::NONE, text: None };

    #[inline]
    pub(crate) fn cell(&self, component: Component) -> Cell {
        self.cells.get(component as usize).copied().unwrap_or(Cell::NONE)
    }

    /// The rates of text, where they have one scale.
    #[inline]
    pub(crate) fn text(&self) -> Option<&TextRates> {
        self.text.as_ref()
    }

    pub(crate) fn explicit_read(&self) -> Cell {
        self.explicit_read
    }

    fn set(&mut self, component: Component, cell: Cell) {
        if let Some(slot) = self.cells.get_mut(component as usize) {
            *slot = cell;
        }
    }
}

/// The row that applies above a number of prompt tokens.
#[derive(Debug, Clone, Copy)]
struct Band {
    above: u32,
    row: u16,
    /// Whether a standard rate above a threshold took the place of the tier's own rate.
    displaces_tier: bool,
}

/// A tier of `tiered_pricing`: the row for `start < P <= end`.
#[derive(Debug, Clone, Copy)]
struct RangeTier {
    start: u64,
    end: u64,
    /// `None` where the tier has no input rate, which disables the table.
    row: Option<u16>,
}

/// Everything that an entry says of the price of a call.
#[derive(Debug)]
pub(crate) struct RateSet {
    prices: Box<[Price]>,
    rows: Box<[Row]>,
    /// All bands, one tier after the other, ascending within one.
    bands: Box<[Band]>,
    /// The end of each tier's bands: standard, flex, balanced, priority, ultrafast, batches.
    ends: [u16; 6],
    /// Whether a threshold belongs to the band above it, for calls to xAI.
    inclusive: bool,
    /// The price of a second, where the entry is billed by the second.
    second: Cell,
    citation: Cell,
    /// Whether the row of a call that is no batch hangs on the tier and the length of the prompt alone, and halves nothing.
    plain: bool,
    /// What few entries have.
    extras: Option<Box<Extras>>,
}

/// Multipliers by name.
type NamedFactors = Box<[(Box<str>, Factor)]>;

#[derive(Debug, Default)]
struct Extras {
    ranges: Box<[RangeTier]>,
    off_peak: Option<OffPeak>,
    /// By lower-case region.
    residency: NamedFactors,
    vertex: Option<Factor>,
    /// By lower-case geo; `fast` is a speed.
    specific: NamedFactors,
    /// A search at the low context size.
    search: Option<Cell>,
    /// The rates of models with a step at 128k tokens, when Vertex AI is asked.
    legacy_vertex: Option<LegacyVertex>,
}

#[derive(Debug)]
struct OffPeak {
    hours: OffPeakHours,
    /// How far behind a row its off-peak twin is.
    offset: u16,
}

/// Prompt and completion each against 128k tokens, at one rate each.
#[derive(Debug, Clone, Copy)]
struct LegacyVertex {
    input: [Cell; 2],
    output: [Cell; 2],
}

/// The row that prices a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picked<'a> {
    pub(crate) row: &'a Row,
    /// See [`Band::displaces_tier`].
    pub(crate) displaces_tier: bool,
}

/// What a row was picked by, beside the counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    pub(crate) tier: Tier,
    pub(crate) prompt_tokens: u64,
    /// Whether the provider asked for or inferred is xAI.
    pub(crate) xai: bool,
    /// Seconds since 1970; only asked for where the entry has off-peak hours.
    pub(crate) unix_seconds: i64,
}

impl RateSet {
    /// The price that a cell names.
    #[inline]
    pub(crate) fn price(&self, cell: Cell) -> Option<&Price> {
        self.prices.get(cell.index())
    }

    /// Whether the entry says anything that few entries do.
    #[inline]
    pub(crate) fn has_extras(&self) -> bool {
        self.extras.is_some()
    }

    pub(crate) fn has_off_peak(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.off_peak.is_some())
    }

    pub(crate) fn second(&self) -> Cell {
        self.second
    }

    pub(crate) fn citation(&self) -> Cell {
        self.citation
    }

    pub(crate) fn search(&self) -> Cell {
        self.extras.as_ref().and_then(|extras| extras.search).unwrap_or(Cell::NONE)
    }

    /// Whether a threshold belongs to the band above it, if xAI is asked.
    pub(crate) fn is_inclusive(&self) -> bool {
        self.inclusive
    }

    /// Whether [`plain_row`](Self::plain_row) is the row of calls.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// The row for a call, of an entry that [`is_plain`](Self::is_plain).
    #[inline]
    pub(crate) fn plain_row(&self, tier: Tier, prompt_tokens: u64) -> Option<Picked<'_>> {
        let band = self.band(Selection { tier, prompt_tokens, xai: false, unix_seconds: 0 })?;
        let row = self.rows.get(usize::from(band.row))?;
        Some(Picked { row, displaces_tier: band.displaces_tier })
    }

    /// The row for a call.
    pub(crate) fn row(&self, selection: Selection) -> Option<Picked<'_>> {
        let mut band = self.band(selection)?;
        if let Some(extras) = &self.extras {
            // Batches have neither whole-request tiers nor off-peak hours.
            if selection.tier != Tier::Batches {
                if let Some(row) = extras.range(selection.prompt_tokens) {
                    band = Band { above: 0, row, displaces_tier: false };
                }
                let off_peak = extras.off_peak.as_ref();
                if let Some(open) = off_peak.filter(|off| off.hours.contains(selection.unix_seconds)) {
                    band.row = band.row.checked_add(open.offset)?;
                }
            }
        }
        let row = self.rows.get(usize::from(band.row))?;
        Some(Picked { row, displaces_tier: band.displaces_tier })
    }

    #[inline]
    fn band(&self, selection: Selection) -> Option<Band> {
        let column = match selection.tier {
            Tier::Standard | Tier::Decisions => 0,
            Tier::Flex => 1,
            Tier::Balanced => 2,
            Tier::Priority => 3,
            Tier::Ultrafast => 4,
            Tier::Batches => 5,
        };
        let start = if column == 0 { 0 } else { self.ends.get(column - 1).copied()? };
        let end = self.ends.get(column).copied()?;
        // A tier without bands of its own is priced as standard.
        let (start, end) = if start == end { (0, self.ends.first().copied()?) } else { (start, end) };
        let bands = self.bands.get(usize::from(start)..usize::from(end))?;
        let (first, rest) = bands.split_first()?;
        let mut crossed = first;
        for band in rest {
            let above = u64::from(band.above);
            let inclusive = self.inclusive && selection.xai && selection.prompt_tokens == above;
            if selection.prompt_tokens <= above && !inclusive {
                break;
            }
            crossed = band;
        }
        Some(*crossed)
    }

    /// The input and output price of a model with a step at 128k tokens, when Vertex AI is asked.
    pub(crate) fn legacy_vertex(&self, prompt_tokens: u64, completion_tokens: u64) -> Option<(Cell, Cell)> {
        let legacy = self.extras.as_ref()?.legacy_vertex?;
        let pick = |[below, above]: [Cell; 2], tokens: u64| if tokens > 128_000 { above } else { below };
        Some((pick(legacy.input, prompt_tokens), pick(legacy.output, completion_tokens)))
    }

    /// The multiplier for a data residency; `None` where the entry has none.
    pub(crate) fn residency_factor(&self, region: &str) -> Option<Factor> {
        find_factor(&self.extras.as_ref()?.residency, region)
    }

    /// The multiplier for a Vertex AI location.
    pub(crate) fn vertex_factor(&self, location: &str) -> Option<Factor> {
        let factor = self.extras.as_ref()?.vertex?;
        (!location.eq_ignore_ascii_case("global")).then_some(factor)
    }

    /// The multiplier for the geo that a call was served from.
    pub(crate) fn geo_factor(&self, geo: &str) -> Option<Factor> {
        let specific = &self.extras.as_ref()?.specific;
        let multiplies =
            !["global", "not_available", "fast"].iter().any(|word| geo.eq_ignore_ascii_case(word));
        if multiplies { find_factor(specific, geo) } else { None }
    }

    /// The multiplier for a speed.
    pub(crate) fn speed_factor(&self, speed: &str) -> Option<Factor> {
        if speed == "fast" { find_factor(&self.extras.as_ref()?.specific, speed) } else { None }
    }
}

fn find_factor(factors: &[(Box<str>, Factor)], name: &str) -> Option<Factor> {
    factors.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, factor)| *factor)
}

impl Extras {
    fn range(&self, prompt_tokens: u64) -> Option<u16> {
        if prompt_tokens == 0 {
            return None;
        }
        let matching =
            self.ranges.iter().find(|range| range.start < prompt_tokens && prompt_tokens <= range.end);
        matching.or(self.ranges.last())?.row
    }

    /// Whether calls are priced as if it were not there, but for what they say of regions, geos and speeds.
    fn is_plain(&self) -> bool {
        self.ranges.is_empty() && self.off_peak.is_none() && self.legacy_vertex.is_none()
    }

    fn is_empty(&self) -> bool {
        self.ranges.is_empty()
            && self.off_peak.is_none()
            && self.residency.is_empty()
            && self.vertex.is_none()
            && self.specific.is_empty()
            && self.search.is_none()
            && self.legacy_vertex.is_none()
    }
}
