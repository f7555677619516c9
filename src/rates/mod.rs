//! An entry's prices, compiled: bands by threshold, columns by tier, fallbacks already followed.
//! Pricing picks a row and multiplies.

mod batch;
pub(crate) mod compile;
mod component;
pub(crate) mod field;
mod off_peak;
mod provider;
mod rate;
pub(crate) mod text;

pub use component::{Component, Unit};
pub(crate) use off_peak::OffPeakHours;
pub(crate) use provider::RuleProvider;
pub(crate) use rate::{BadRate, Factor, Factors, Quantity, Rate, units};

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
    pub(crate) const NONE: Self = Self { high: 0, low: 0, from: Origin(0) };

    pub(crate) fn new(rate: Rate, field: Field, place: Place) -> Self {
        Self::of_units(rate.units(), Origin::new(field, place))
    }

    #[inline]
    fn of_units(units: u128, from: Origin) -> Self {
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

/// One resolved price for each token component, and one for hits of an explicit cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    cells: [Cell; COLUMNS],
    explicit_read: Cell,
}

impl Row {
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
    /// Where each tier's bands begin and end: standard, flex, balanced, priority, ultrafast, batches. A tier without bands of its own
    /// has those of the standard one.
    columns: [(u16, u16); 6],
    /// Whether a threshold belongs to the band above it, for calls to xAI.
    inclusive: bool,
    /// The price of a second, where the entry is billed by the second.
    second: Cell,
    citation: Cell,
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

    /// The row for a call.
    pub(crate) fn row(&self, selection: Selection) -> Option<Picked<'_>> {
        let Band { mut row, mut displaces_tier, .. } = *self.band(selection)?;
        if let Some(extras) = &self.extras {
            // Batches have neither whole-request tiers nor off-peak hours.
            if selection.tier != Tier::Batches {
                if let Some(range) = extras.range(selection.prompt_tokens) {
                    (row, displaces_tier) = (range, false);
                }
                let off_peak = extras.off_peak.as_ref();
                if let Some(open) = off_peak.filter(|off| off.hours.contains(selection.unix_seconds)) {
                    row = row.checked_add(open.offset)?;
                }
            }
        }
        let row = self.rows.get(usize::from(row))?;
        Some(Picked { row, displaces_tier })
    }

    fn band(&self, selection: Selection) -> Option<&Band> {
        let column = if selection.tier == Tier::Decisions { Tier::Standard } else { selection.tier };
        let (start, end) = *self.columns.get(column as usize)?;
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
        Some(crossed)
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
