//! An entry's prices, compiled: bands by threshold, columns by tier, fallbacks already followed.
//! Pricing picks a row and multiplies.

mod batch;
pub(crate) mod compile;
mod component;
pub(crate) mod field;
mod off_peak;
mod provider;
mod rate;
mod row;

pub use component::{Component, Unit};
pub(crate) use off_peak::OffPeakHours;
pub(crate) use provider::RuleProvider;
pub(crate) use rate::{BadRate, Factor, Factors, Quantity, Rate, units};
pub(crate) use row::{COMMON, CommonCounts, Row};

use field::{Base, Field, Tier};

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

impl Place {
    /// In their order.
    const ALL: [Self; 4] = [Self::Entry, Self::Range, Self::OffPeak, Self::BatchDiscount];
}

/// A price and the field that it came from: three words, copied as such into every line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    /// The rate's units, in halves that need no alignment beyond eight bytes.
    high: u64,
    low: u64,
    from: Origin,
}

/// Where a price is from, in one word: threshold, base, tier, place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin(u64);

impl Origin {
    /// Of what has no price.
    pub(crate) const NONE: Self = Self(0);

    fn new(field: Field, place: Place) -> Self {
        Self(field.as_u64() | place as u64)
    }

    /// The byte that begins at a bit.
    fn byte(self, bit: u32) -> usize {
        usize::from((self.0 >> bit).to_le_bytes()[0])
    }

    fn field(self) -> Field {
        let above = u32::try_from(self.0 >> 32).unwrap_or(u32::MAX);
        let base = Base::ALL.get(self.byte(16)).copied().unwrap_or(Base::Input);
        let tier = Tier::ALL.get(self.byte(8)).copied().unwrap_or(Tier::Standard);
        Field { base, tier, above }
    }

    fn place(self) -> Place {
        Place::ALL.get(self.byte(0)).copied().unwrap_or(Place::Entry)
    }
}

impl Price {
    /// What stands in a line without a price.
    pub(crate) const NONE: Self = Self { high: 0, low: 0, from: Origin::NONE };

    pub(crate) fn new(rate: Rate, field: Field, place: Place) -> Self {
        Self::of_units(rate.units(), Origin::new(field, place))
    }

    #[inline]
    pub(crate) fn of_units(units: u128, from: Origin) -> Self {
        // The lower half is cut off on purpose.
        #[allow(clippy::cast_possible_truncation)]
        Self { high: (units >> 64) as u64, low: units as u64, from }
    }

    #[inline]
    pub(crate) fn rate(&self) -> Rate {
        Rate::from_units(u128::from(self.high) << 64 | u128::from(self.low))
    }

    pub(crate) fn field(&self) -> Field {
        self.from.field()
    }

    pub(crate) fn place(&self) -> Place {
        self.from.place()
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

/// What prices each token component in a row, and hits of an explicit cache.
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

/// A tier of `tiered_pricing`: the row for `start < P <= end`.
#[derive(Debug, Clone, Copy)]
struct RangeTier {
    start: u64,
    end: u64,
    /// `None` where the tier has no input rate, which disables the table.
    row: Option<u16>,
}

/// Everything that an entry says of the price of a call.
///
/// Its first cache line prices most calls to most entries, and the second those to entries with tiers or thresholds.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct RateSet {
    first: Row,
    /// Whether the first row is that of every service tier and every prompt.
    is_flat: bool,
    /// Whether a row is picked by its tier and the length of the prompt alone, and nothing but tokens is billed.
    is_simple: bool,
    /// Whether a threshold belongs to the row above it, for calls to xAI.
    inclusive: bool,
    /// How far behind a row its twin is for calls to anyone but Fireworks; 0 where there is none.
    elsewhere: u16,
    /// Where each tier's rows begin and end: standard, flex, balanced, priority, ultrafast, batches. A tier without rows of its own
    /// has those of another one.
    columns: [(u16, u16); 6],
    /// All rows but the first: those of each tier, ascending, then those of ranges, of off-peak hours, their twins for who else is
    /// asked, and those of batches and of older rules.
    others: Box<[Row]>,
    tail: Box<Tail>,
}

/// What lines need beside the rates of a row, and what few calls are priced by.
#[derive(Debug)]
struct Tail {
    /// Where the rates of each row are from, for the common components.
    from: Box<[[Origin; COMMON.len()]]>,
    /// What prices all components, by row.
    cells: Box<[Cells]>,
    prices: Box<[Price]>,
    /// The price of a second, where the entry is billed by the second.
    second: Cell,
    citation: Cell,
    /// Optional tables, absent from most entries.
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
    /// The first of four rows of a model with a step at 128k tokens, when Vertex AI is asked.
    legacy_vertex: Option<u16>,
}

#[derive(Debug)]
struct OffPeak {
    hours: OffPeakHours,
    /// How far behind a row its off-peak twin is.
    offset: u16,
}

/// Which row of a [`RateSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position(u16);

/// What a row is picked by, beside the counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Selection {
    pub(crate) tier: Tier,
    pub(crate) prompt_tokens: u64,
    /// Seconds since 1970; only asked for where the entry has off-peak hours.
    pub(crate) unix_seconds: i64,
}

impl RateSet {
    /// The price that a cell names.
    #[inline]
    pub(crate) fn price(&self, cell: Cell) -> Option<&Price> {
        self.tail.prices.get(cell.index())
    }

    /// Whether a row is picked by its tier and the length of the prompt alone, and nothing but tokens is billed.
    #[inline]
    pub(crate) fn is_simple(&self) -> bool {
        self.is_simple
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

    pub(crate) fn search(&self) -> Cell {
        self.tail.extras.as_ref().and_then(|extras| extras.search).unwrap_or(Cell::NONE)
    }

    #[inline]
    pub(crate) fn row(&self, Position(position): Position) -> Option<&Row> {
        match position.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(usize::from(other)),
        }
    }

    /// Where the rates of a row are from, for the common components.
    #[inline]
    pub(crate) fn from(&self, Position(position): Position) -> Option<&[Origin; COMMON.len()]> {
        self.tail.from.get(usize::from(position))
    }

    /// What prices the components of a row.
    pub(crate) fn cells(&self, Position(position): Position) -> Option<&Cells> {
        self.tail.cells.get(usize::from(position))
    }

    /// The row of a call to an entry that [is simple](Self::is_simple). Who is asked is asked for where it decides.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "handed back through memory, a row is waited for")]
    pub(crate) fn pick_simply(
        &self,
        tier: Tier,
        prompt_tokens: u64,
        asked: impl Fn() -> RuleProvider,
    ) -> Option<(&Row, Position)> {
        let position = if self.is_flat { 0 } else { self.position(tier, prompt_tokens, &asked)? };
        let position = self.as_asked(position, &asked)?;
        Some((self.row(position)?, position))
    }

    /// The row of any call.
    pub(crate) fn pick(
        &self,
        selection: Selection,
        asked: impl Fn() -> RuleProvider,
    ) -> Option<(&Row, Position)> {
        let Selection { tier, prompt_tokens, unix_seconds } = selection;
        let mut position = self.position(tier, prompt_tokens, &asked)?;
        // Batches have neither whole-request tiers nor off-peak hours, and halve what they halve for anyone.
        if tier == Tier::Batches {
            return Some((self.row(Position(position))?, Position(position)));
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

    /// The position of the row of a tier for the length of a prompt.
    #[inline]
    fn position(&self, tier: Tier, prompt_tokens: u64, asked: &impl Fn() -> RuleProvider) -> Option<u16> {
        let column = if tier == Tier::Decisions { Tier::Standard } else { tier };
        let (start, end) = *self.columns.get(column as usize)?;
        let mut position = start;
        for next in start + 1..end {
            let threshold = u64::from(self.row(Position(next))?.above);
            let is_at = prompt_tokens == threshold && self.inclusive;
            if prompt_tokens <= threshold && !(is_at && asked() == RuleProvider::Xai) {
                break;
            }
            position = next;
        }
        Some(position)
    }

    /// The same row as it is for who is asked: only Fireworks halves the price of its cache reads.
    #[inline]
    fn as_asked(&self, position: u16, asked: &impl Fn() -> RuleProvider) -> Option<Position> {
        if self.elsewhere == 0 || asked() == RuleProvider::FireworksAi {
            return Some(Position(position));
        }
        position.checked_add(self.elsewhere).map(Position)
    }

    /// The row of a model with a step at 128k tokens, when Vertex AI is asked: prompt and completion each against it, at one rate each.
    pub(crate) fn legacy_vertex(
        &self,
        prompt_tokens: u64,
        completion_tokens: u64,
    ) -> Option<(&Row, Position)> {
        let first = self.tail.extras.as_ref()?.legacy_vertex?;
        let is_above = |tokens: u64| u16::from(tokens > 128_000);
        let position = first.checked_add(2 * is_above(prompt_tokens) + is_above(completion_tokens))?;
        Some((self.row(Position(position))?, Position(position)))
    }

    /// The multiplier for a data residency; `None` where the entry has none.
    pub(crate) fn residency_factor(&self, region: &str) -> Option<Factor> {
        find_factor(&self.tail.extras.as_ref()?.residency, region)
    }

    /// The multiplier for a Vertex AI location.
    pub(crate) fn vertex_factor(&self, location: &str) -> Option<Factor> {
        let factor = self.tail.extras.as_ref()?.vertex?;
        (!location.eq_ignore_ascii_case("global")).then_some(factor)
    }

    /// The multiplier for the geo that a call was served from.
    pub(crate) fn geo_factor(&self, geo: &str) -> Option<Factor> {
        let specific = &self.tail.extras.as_ref()?.specific;
        let multiplies =
            !["global", "not_available", "fast"].iter().any(|word| geo.eq_ignore_ascii_case(word));
        if multiplies { find_factor(specific, geo) } else { None }
    }

    /// The multiplier for a speed.
    pub(crate) fn speed_factor(&self, speed: &str) -> Option<Factor> {
        if speed == "fast" { find_factor(&self.tail.extras.as_ref()?.specific, speed) } else { None }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a price is from goes into a word and comes out of it again.
    #[test]
    fn a_price_says_where_it_is_from() {
        for base in Base::ALL {
            for tier in Tier::ALL {
                for place in Place::ALL {
                    for above in [0, 200_000, u32::MAX] {
                        let field = Field { base, tier, above };
                        let price = Price::new(Rate::from_units(1 << 100 | 7), field, place);
                        assert_eq!((price.field(), price.place()), (field, place));
                        assert_eq!(price.rate().units(), 1 << 100 | 7);
                    }
                }
            }
        }
    }
}
