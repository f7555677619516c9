//! The rates of text alone, of an entry whose rates hang on nothing but the tier and the length of the prompt: most calls, to most models.
//!
//! They are what the rows of a [`RateSet`] say, in the fewest cache lines that a price can be read from.

use std::num::NonZeroU64;

use super::{Component, From, Price, RateSet, rate};
use crate::catalog::field::Tier;

/// The service tiers, each a column.
const COLUMNS: usize = Tier::Ultrafast as usize + 1;

/// The rates of text of an entry.
#[derive(Debug)]
// In a list of them each begins a cache line.
#[repr(align(64))]
pub(crate) struct TextRates {
    first: Band,
    /// All bands but the first, one tier after the other, ascending within one.
    others: Box<[Band]>,
    /// Where the rates of each band are from.
    from: Box<[[From; 5]]>,
    /// Where each tier's bands begin and end. A tier without bands of its own has those of the standard one.
    columns: [(u16, u16); COLUMNS],
    /// Whether a threshold may belong to the band above it: see [`RateSet::is_inclusive`].
    inclusive: bool,
}

/// The rates above a number of prompt tokens, at one scale, so that a sum of products is made in whole numbers and scaled once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band {
    /// Those of [`COMPONENTS`](Self::COMPONENTS), times `unit` in 10^-28 dollars.
    digits: [u64; 5],
    /// A power of ten.
    unit: NonZeroU64,
    above: u32,
    /// See [`super::Band::displaces_tier`].
    pub(crate) displaces_tier: bool,
    /// Whether a cache read costs half of what its price says, and that to calls of Fireworks only.
    pub(crate) halves_reads: bool,
}

/// The scales that are tried: rates have 12 decimals, or rarely more.
const UNITS: [NonZeroU64; 4] = [ten_to(16), ten_to(13), ten_to(10), ten_to(4)];

const fn ten_to(exponent: u32) -> NonZeroU64 {
    match NonZeroU64::new(10_u64.pow(exponent)) {
        Some(power) => power,
        None => NonZeroU64::MIN,
    }
}

/// Bits that the digits of a rate have: with 64 for a count and three for a sum of five they are fewer than 128.
const RATE_BITS: u32 = 60;

/// The place of cache reads in [`Band::COMPONENTS`].
const READ: usize = 1;

impl TextRates {
    /// `None` where a rate hangs on anything else, or is missing.
    pub(crate) fn of(rates: &RateSet) -> Option<Self> {
        if !rates.second.is_none() || rates.extras.as_ref().is_some_and(|extras| !extras.is_plain()) {
            return None;
        }
        let columns = *rates.columns.first_chunk()?;
        let end = columns.iter().map(|(_, end)| usize::from(*end)).max()?;
        let bands = rates.bands.get(..end)?;
        let mut from = Vec::with_capacity(end);
        let mut text = Vec::with_capacity(end);
        for band in bands {
            let row = rates.rows.get(usize::from(band.row))?;
            let mut prices = [Price::NONE; 5];
            let mut halves_reads = false;
            for (price, component) in prices.iter_mut().zip(Band::COMPONENTS) {
                let cell = row.cell(component);
                *price = *rates.price(cell)?;
                if cell.is_half() {
                    halves_reads = component == Component::CacheRead;
                    if !halves_reads {
                        return None;
                    }
                }
            }
            text.push(Band::new(prices, halves_reads, *band)?);
            from.push(prices.map(|price| price.from));
        }
        let (first, others) = text.split_first()?;
        let (first, others) = (*first, others.into());
        Some(Self { first, others, from: from.into(), columns, inclusive: rates.inclusive })
    }

    /// The band of a call, and where its rates are from. `None` where it hangs on who is asked.
    #[inline]
    pub(crate) fn pick(&self, tier: Tier, prompt_tokens: u64) -> Option<(&Band, Position)> {
        let (start, end) = *self.columns.get(tier as usize)?;
        let (mut position, mut band) = (start, self.band(start)?);
        for next in start + 1..end {
            let above = self.band(next)?;
            if prompt_tokens <= u64::from(above.above) {
                if self.inclusive && prompt_tokens == u64::from(above.above) {
                    return None;
                }
                break;
            }
            (position, band) = (next, above);
        }
        Some((band, Position(position)))
    }

    #[inline]
    fn band(&self, position: u16) -> Option<&Band> {
        match position.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(usize::from(other)),
        }
    }

    /// Where the rates of a band are from.
    #[inline]
    pub(crate) fn from(&self, position: Position) -> Option<&[From; 5]> {
        self.from.get(usize::from(position.0))
    }
}

/// Which of the bands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position(u16);

impl Band {
    /// The components of text, in the order of the digits.
    pub(crate) const COMPONENTS: [Component; 5] = [
        Component::Input,
        Component::CacheRead,
        Component::CacheWrite,
        Component::Output,
        Component::Reasoning,
    ];

    /// `None` where the rates are too far apart for one scale.
    fn new(prices: [Price; 5], halves_reads: bool, band: super::Band) -> Option<Self> {
        let mut units = prices.map(|price| price.rate().units());
        if halves_reads {
            let read = units.get_mut(READ)?;
            // Half of a rate is not always whole.
            if *read % 2 == 1 {
                return None;
            }
            *read /= 2;
        }
        UNITS.into_iter().find_map(|unit| {
            let mut digits = [0; 5];
            for (slot, units) in digits.iter_mut().zip(units) {
                let whole = units / u128::from(unit.get());
                let is_whole = whole * u128::from(unit.get()) == units;
                *slot = u64::try_from(whole).ok().filter(|digits| is_whole && digits >> RATE_BITS == 0)?;
            }
            let super::Band { above, displaces_tier, .. } = band;
            Some(Self { digits, unit, above, displaces_tier, halves_reads })
        })
    }

    /// The price at a place of [`COMPONENTS`](Self::COMPONENTS), and whether half of it is billed.
    #[inline]
    pub(crate) fn price(&self, place: usize, from: From) -> Option<(Price, bool)> {
        let units = u128::from(*self.digits.get(place)?) * u128::from(self.unit.get());
        let halved = self.halves_reads && place == READ;
        Some((Price::of_units(if halved { units * 2 } else { units }, from), halved))
    }

    /// What so many tokens of input and output cost, in `unit`s.
    #[inline]
    fn products(&self, counts: [u64; 5]) -> [u128; 2] {
        let mut products = [0_u128; 5];
        for ((product, rate), count) in products.iter_mut().zip(self.digits).zip(counts) {
            *product = u128::from(rate) * u128::from(count);
        }
        let [input, read, write, output, reasoning] = products;
        [input + read + write, output + reasoning]
    }

    /// What so many tokens of input and output cost, in 10^-28 dollars. `None` far beyond the range of money.
    #[inline]
    pub(crate) fn sums(&self, counts: [u64; 5]) -> Option<[u128; 2]> {
        let [input, output] = self.products(counts);
        Some([rate::product(input, self.unit.get())?, rate::product(output, self.unit.get())?])
    }

    /// What so many tokens cost in all.
    #[inline]
    pub(crate) fn total(&self, counts: [u64; 5]) -> Option<u128> {
        let [input, output] = self.products(counts);
        rate::product(input + output, self.unit.get())
    }
}
