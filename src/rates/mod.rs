//! Compiled prices of an entry: one row of rates per threshold and service tier, with all fallbacks
//! resolved. Pricing a call picks a row and multiplies.

mod batch;
mod compile;
mod component;
pub(crate) mod field;
mod inputs;
mod off_peak;
mod provider;
mod rate;
mod row;
mod size;
mod tables;
mod units;

pub(crate) use compile::{Buffers, compile};
pub use component::{Component, Unit};
pub(crate) use inputs::{BadField, Inputs, Mode, ProviderRules, Tables};
pub(crate) use off_peak::OffPeakHours;
pub(crate) use provider::{RuleProvider, ToolProvider, provider_of_kind};
pub(crate) use rate::{BadRate, FactorKind, Factors, from_json, units};
pub(crate) use row::{COMMON, CommonCounts, RateRow};
pub(crate) use units::{Need, Terms, default_price};

use crate::num::Fixed;
use crate::words::words;
use field::{Base, Field, Tier};

/// The part of an entry that a price stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RatePlace {
    /// A field of the entry.
    Entry,
    /// A tier of the entry's `tiered_pricing`.
    TieredPricing,
    /// The entry's `off_peak_pricing`.
    OffPeakPricing,
    /// No field: the rate is the standard rate times the ratio of the batch rate to the standard
    /// rate of plain cache writes.
    BatchDiscount,
    /// No field: the rate is the one that LiteLLM has for all models of the provider whose entries
    /// have none.
    Default,
}

words! {
    RatePlace is a "place of a rate":
    Entry = "entry",
    TieredPricing = "tiered_pricing",
    OffPeakPricing = "off_peak_pricing",
    BatchDiscount = "batch_discount",
    Default = "default",
}

/// A price and the field it came from. Two words long, so that every line can hold a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price {
    digits: u64,
    /// The origin, with the scale of the rate in its free byte.
    from: PriceOrigin,
}

/// The origin of a price, packed into one word: threshold, base, tier and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriceOrigin(u64);

impl PriceOrigin {
    /// The origin of a missing price.
    pub(crate) const NONE: Self = Self(0);

    fn new(field: Field, place: RatePlace) -> Self {
        Self(field.as_u64() | place as u64)
    }

    /// Returns the byte that begins at `bit`.
    fn byte(self, bit: u32) -> usize {
        usize::from((self.0 >> bit).to_le_bytes()[0])
    }

    /// The bit at which the scale of a [`Price`] begins.
    const SCALE: u32 = 24;

    #[inline]
    fn without_scale(self) -> u64 {
        self.0 & !(0xff << Self::SCALE)
    }

    #[inline]
    fn scale(self) -> u8 {
        (self.0 >> Self::SCALE).to_le_bytes()[0]
    }

    pub(crate) fn field(self) -> Field {
        let qualifier = u32::try_from(self.0 >> 32).unwrap_or(u32::MAX);
        let base = Base::ALL.get(self.byte(16)).copied().unwrap_or(Base::Input);
        let tier = Tier::ALL.get(self.byte(8)).copied().unwrap_or(Tier::Standard);
        Field { base, tier, qualifier }
    }

    pub(crate) fn place(self) -> RatePlace {
        RatePlace::ALL.get(self.byte(0)).copied().unwrap_or(RatePlace::Entry)
    }
}

impl Price {
    /// The price of a line without one.
    pub(crate) const NONE: Self = Self { digits: 0, from: PriceOrigin::NONE };

    pub(crate) fn new(rate: Fixed, field: Field, place: RatePlace) -> Self {
        Self::at(rate, PriceOrigin::new(field, place))
    }

    #[inline]
    pub(crate) fn at(rate: Fixed, from: PriceOrigin) -> Self {
        let from = from.without_scale() | u64::from(rate.scale) << PriceOrigin::SCALE;
        Self { digits: rate.digits, from: PriceOrigin(from) }
    }

    #[inline]
    pub(crate) fn rate(&self) -> Fixed {
        Fixed::new(self.digits, self.from.scale())
    }

    /// Returns the origin alone.
    #[inline]
    pub(crate) fn origin(&self) -> PriceOrigin {
        PriceOrigin(self.from.without_scale())
    }

    pub(crate) fn field(&self) -> Field {
        self.from.field()
    }
}

/// An index into an entry's prices, with a flag for half the price; or no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell(u16);

impl Cell {
    pub(crate) const NONE: Self = Self(u16::MAX);
    const HALF: u16 = 0x8000;

    /// Returns the cell of a price, or `None` if the index does not fit into a cell.
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

/// The number of components priced by a row: all those counted in tokens of the model.
const COLUMNS: usize = Component::OutputVideo as usize + 1;

/// The prices of all token components in a row, and of hits of an explicit cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cells {
    cells: [Cell; COLUMNS],
    explicit_read: Cell,
}

impl Cells {
    const EMPTY: Self = Self { cells: [Cell::NONE; COLUMNS], explicit_read: Cell::NONE };

    #[inline]
    pub(crate) fn cell(&self, component: Component) -> Cell {
        self.cells.get(component as usize).copied().unwrap_or(Cell::NONE)
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

/// A tier of `tiered_pricing`. It applies if `start < prompt_tokens <= end`.
#[derive(Debug, Clone, Copy)]
struct RangeTier {
    start: u64,
    end: u64,
    /// The row of the tier. `None` if the tier has no input rate, which disables the table.
    row: Option<u16>,
}

/// The calls of tokens alone whose row the tier and the length of the prompt select.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Simple {
    Always,
    /// Those that use some tokens: the entry is billed for something else if they do not.
    WithTokens,
    Never,
}

/// The compiled prices of an entry.
///
/// Most calls to most entries read only the first cache line. Calls to entries with tiers or
/// thresholds read the second as well.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct RateSet {
    first: RateRow,
    /// True if the first row applies to every service tier and every prompt.
    is_flat: bool,
    /// True if calls are billed by tokens, unless they say that they used something else.
    is_by_tokens: bool,
    simple: Simple,
    /// True if calls to xAI reach a threshold at its number of tokens, not above it.
    inclusive: bool,
    /// True if Gemini's searches are billed by the query, and not by the prompt.
    is_per_query: bool,
    /// The distance from a row to its twin for calls to providers other than Fireworks; 0 if there
    /// are no twins.
    elsewhere: u16,
    /// The start and end of each tier's rows: standard, flex, balanced, priority, ultrafast,
    /// batches. A tier without rows of its own shares those of another tier.
    columns: [(u16, u16); 6],
    /// All rows but the first, in this order: the rows of each service tier, ascending by
    /// threshold; those of `tiered_pricing`; off-peak twins; twins for other providers; those of
    /// batches; those of Vertex AI models with a step at 128k tokens.
    others: Box<[RateRow]>,
    tail: Box<Tail>,
}

/// The data that lines need beside the rates of a row, and the prices that few calls need.
#[derive(Debug)]
struct Tail {
    rows: Box<[RowDetails]>,
    prices: Box<[Price]>,
    /// The price of a second, if the entry is billed by the second.
    second: Cell,
    citation: Cell,
    need: Option<Need>,
    mode: Mode,
    /// Optional tables, absent from most entries.
    extras: Option<Box<Extras>>,
}

/// The data that lines need beside the rates of a row.
#[derive(Debug)]
struct RowDetails {
    /// The origins of the rates of the common components.
    from: [PriceOrigin; COMMON.len()],
    /// The prices of all components.
    cells: Cells,
}

/// Multipliers with their names.
type NamedFactors = Box<[(Box<str>, Fixed)]>;

#[derive(Debug, Default)]
struct Extras {
    ranges: Box<[RangeTier]>,
    off_peak: Option<OffPeak>,
    /// Multipliers by region. Regions are compared without regard to ASCII case.
    residency: NamedFactors,
    vertex: Option<Fixed>,
    /// Multipliers by lower-case geo. The name `fast` is a speed.
    specific: NamedFactors,
    /// The prices of queries by the number of results.
    searches: Box<[ResultRange]>,
    /// The first of four rows for calls to Vertex AI, if the model has a step at 128k tokens.
    legacy_vertex: Option<u16>,
}

/// A tier of `tiered_pricing` by the number of results. It applies if `least <= results <= most`.
#[derive(Debug, Clone, Copy)]
struct ResultRange {
    least: u64,
    most: u64,
    price: Cell,
}

#[derive(Debug)]
struct OffPeak {
    hours: OffPeakHours,
    /// The distance from a row to its off-peak twin.
    offset: u16,
}

/// The position of a row in a [`RateSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowPosition(u16);

/// The properties of a call that select its row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    pub(crate) tier: Tier,
    pub(crate) prompt_tokens: u64,
    /// Seconds since 1970. Only read if the entry has off-peak hours.
    pub(crate) unix_seconds: i64,
}

impl RateSet {
    /// Returns the price that a cell refers to.
    #[inline]
    pub(crate) fn price(&self, cell: Cell) -> Option<&Price> {
        self.tail.prices.get(cell.index())
    }

    /// Returns whether the tier and the length of the prompt alone select the row of a call that uses
    /// tokens alone. Asks whether it uses any only if that makes a difference.
    #[inline]
    pub(crate) fn is_simple(&self, has_tokens: impl FnOnce() -> bool) -> bool {
        match self.simple {
            Simple::Always => true,
            Simple::WithTokens => has_tokens(),
            Simple::Never => false,
        }
    }

    /// Returns whether calls are billed by tokens, unless they say that they used something else.
    #[inline]
    pub(crate) fn is_by_tokens(&self) -> bool {
        self.is_by_tokens
    }

    pub(crate) fn has_off_peak(&self) -> bool {
        self.tail.extras.as_ref().is_some_and(|extras| extras.off_peak.is_some())
    }

    pub(crate) fn second(&self) -> Cell {
        self.tail.second
    }

    pub(crate) fn citation(&self) -> Cell {
        self.tail.citation
    }

    #[inline]
    pub(crate) fn row(&self, RowPosition(position): RowPosition) -> Option<&RateRow> {
        match position.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(usize::from(other)),
        }
    }

    /// Returns the origins of a row's rates, for the common components.
    #[inline]
    pub(crate) fn from(&self, RowPosition(position): RowPosition) -> Option<&[PriceOrigin; COMMON.len()]> {
        self.tail.rows.get(usize::from(position)).map(|row| &row.from)
    }

    /// Returns the cells of a row.
    pub(crate) fn cells(&self, RowPosition(position): RowPosition) -> Option<&Cells> {
        self.tail.rows.get(usize::from(position)).map(|row| &row.cells)
    }

    /// Returns the row of a call to an entry that [is simple](Self::is_simple). Calls `asked` only
    /// if the provider makes a difference.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a result that is returned through memory is measurably slower")]
    pub(crate) fn pick_simply(
        &self,
        tier: Tier,
        prompt_tokens: u64,
        asked: impl Fn() -> RuleProvider,
    ) -> Option<(&RateRow, RowPosition)> {
        let position = if self.is_flat { 0 } else { self.position(tier, prompt_tokens, &asked)? };
        let position = self.as_asked(position, &asked)?;
        Some((self.row(position)?, position))
    }

    /// Returns the row of any call. Calls `asked` only if the provider makes a difference.
    pub(crate) fn pick(
        &self,
        selection: Selection,
        asked: impl Fn() -> RuleProvider,
    ) -> Option<(&RateRow, RowPosition)> {
        let Selection { tier, prompt_tokens, unix_seconds } = selection;
        let mut position = self.position(tier, prompt_tokens, &asked)?;
        // Rows of batches have neither `tiered_pricing` nor off-peak hours, nor twins for other
        // providers.
        if tier == Tier::Batches {
            return Some((self.row(RowPosition(position))?, RowPosition(position)));
        }
        if let Some(extras) = &self.tail.extras {
            position = extras.range(prompt_tokens).unwrap_or(position);
            if let Some(open) = extras.off_peak.as_ref().filter(|off| off.hours.contains(unix_seconds)) {
                position = position.checked_add(open.offset)?;
            }
        }
        let position = self.as_asked(position, &asked)?;
        Some((self.row(position)?, position))
    }

    /// Returns the position of the row for a tier and a length of the prompt.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one call of many is measurable")]
    fn position(&self, tier: Tier, prompt_tokens: u64, asked: &impl Fn() -> RuleProvider) -> Option<u16> {
        let column = if tier == Tier::Decisions { Tier::Standard } else { tier };
        let (start, end) = *self.columns.get(column as usize)?;
        let mut position = start;
        for next in start + 1..end {
            let threshold = u64::from(self.row(RowPosition(next))?.above);
            let is_at = prompt_tokens == threshold && self.inclusive;
            if prompt_tokens <= threshold && !(is_at && asked() == RuleProvider::Xai) {
                break;
            }
            position = next;
        }
        Some(position)
    }

    /// Returns the position of the row itself for calls to Fireworks, else that of its twin, if
    /// there is one. Only Fireworks bills cache reads at half the input rate.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one call of many is measurable")]
    fn as_asked(&self, position: u16, asked: &impl Fn() -> RuleProvider) -> Option<RowPosition> {
        if self.elsewhere == 0 || asked() == RuleProvider::FireworksAi {
            return Some(RowPosition(position));
        }
        position.checked_add(self.elsewhere).map(RowPosition)
    }

    /// Returns the row of a model with a step at 128k tokens, for calls to Vertex AI. The prompt
    /// and the completion are each compared with the step, and each has a single rate.
    pub(crate) fn legacy_vertex(
        &self,
        prompt_tokens: u64,
        completion_tokens: u64,
    ) -> Option<(&RateRow, RowPosition)> {
        let first = self.tail.extras.as_ref()?.legacy_vertex?;
        let is_above = |tokens: u64| u16::from(tokens > 128_000);
        let position = first.checked_add(2 * is_above(prompt_tokens) + is_above(completion_tokens))?;
        Some((self.row(RowPosition(position))?, RowPosition(position)))
    }

    /// Returns the multiplier of a data residency, or `None` if the entry has none.
    pub(crate) fn residency_factor(&self, region: &str) -> Option<Fixed> {
        find_factor(&self.tail.extras.as_ref()?.residency, region)
    }

    /// Returns the multiplier of a Vertex AI location. The `global` location has none.
    pub(crate) fn vertex_factor(&self, location: &str) -> Option<Fixed> {
        let factor = self.tail.extras.as_ref()?.vertex?;
        (!location.eq_ignore_ascii_case("global")).then_some(factor)
    }

    /// Returns the multiplier of the geo that served a call.
    pub(crate) fn geo_factor(&self, geo: &str) -> Option<Fixed> {
        let specific = &self.tail.extras.as_ref()?.specific;
        let multiplies =
            !["global", "not_available", "fast"].iter().any(|word| geo.eq_ignore_ascii_case(word));
        if multiplies { find_factor(specific, geo) } else { None }
    }

    /// Returns the multiplier of a speed. Only `fast` has one.
    pub(crate) fn speed_factor(&self, speed: &str) -> Option<Fixed> {
        if speed == "fast" { find_factor(&self.tail.extras.as_ref()?.specific, speed) } else { None }
    }
}

fn find_factor(factors: &[(Box<str>, Fixed)], name: &str) -> Option<Fixed> {
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

    /// Returns whether these tables hold nothing but multipliers and prices of queries.
    fn is_plain(&self) -> bool {
        self.ranges.is_empty() && self.off_peak.is_none() && self.legacy_vertex.is_none()
    }

    fn is_empty(&self) -> bool {
        self.ranges.is_empty()
            && self.off_peak.is_none()
            && self.residency.is_empty()
            && self.vertex.is_none()
            && self.specific.is_empty()
            && self.searches.is_empty()
            && self.legacy_vertex.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An origin survives packing into a word.
    #[test]
    fn a_price_says_where_it_is_from() {
        for base in Base::ALL {
            for tier in Tier::ALL {
                for place in RatePlace::ALL {
                    for qualifier in [0, 200_000, u32::MAX] {
                        let field = Field { base: *base, tier, qualifier };
                        let price = Price::new(Fixed::new(u64::MAX, 28), field, *place);
                        assert_eq!((price.origin().field(), price.origin().place()), (field, *place));
                        assert_eq!(price.rate(), Fixed::new(u64::MAX, 28));
                    }
                }
            }
        }
    }
}
