//! The rates of text alone, of an entry whose rates hang on nothing but the tier and the length of the prompt: most calls, to most models.
//!
//! They are what the rows of a [`RateSet`] say, in the fewest cache lines that a price can be read from.

use std::num::NonZeroU64;

use super::field::Tier;
use super::{Component, Origin, Price, RateSet, rate};

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
    from: Box<[[Origin; 5]]>,
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

/// The scales that are tried, as powers of ten: rates have 12 decimals, or rarely more.
const SCALES: [u32; 4] = [16, 13, 10, 4];

/// `units / 10^scale`, where that is whole and of a rate's size.
fn digits(units: u128, scale: u32) -> Option<u64> {
    let small = match u64::try_from(units >> scale) {
        // By twos and then by fives, which is far less work where it can be done.
        Ok(halved) if units.trailing_zeros() >= scale => {
            let fives = 5_u64.pow(scale);
            (halved % fives == 0).then_some(halved / fives)?
        }
        Ok(_) => return None,
        Err(_) => {
            let power = u128::from(10_u64.pow(scale));
            u64::try_from((units % power == 0).then_some(units / power)?).ok()?
        }
    };
    (small >> RATE_BITS == 0).then_some(small)
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
        let (first, others) = rates.bands.get(..end)?.split_first()?;
        let mut from = Vec::with_capacity(end);
        let first = Band::of(*first, rates, &mut from)?;
        let others: Option<Vec<Band>> = others.iter().map(|band| Band::of(*band, rates, &mut from)).collect();
        let others = others?.into();
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
    pub(crate) fn from(&self, position: Position) -> Option<&[Origin; 5]> {
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

    /// `None` where a rate hangs on anything else, or is missing.
    fn of(band: super::Band, rates: &RateSet, from: &mut Vec<[Origin; 5]>) -> Option<Self> {
        let row = rates.rows.get(usize::from(band.row))?;
        let mut prices = [Price::NONE; 5];
        let mut halves_reads = false;
        for (price, component) in prices.iter_mut().zip(Self::COMPONENTS) {
            let cell = row.cell(component);
            *price = *rates.price(cell)?;
            if cell.is_half() {
                halves_reads = component == Component::CacheRead;
                if !halves_reads {
                    return None;
                }
            }
        }
        from.push(prices.map(|price| price.from));
        Self::new(prices, halves_reads, band)
    }

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
        SCALES.into_iter().find_map(|scale| {
            let mut rates = [0; 5];
            for (slot, units) in rates.iter_mut().zip(units) {
                *slot = digits(units, scale)?;
            }
            let unit = NonZeroU64::new(10_u64.pow(scale))?;
            let super::Band { above, displaces_tier, .. } = band;
            Some(Self { digits: rates, unit, above, displaces_tier, halves_reads })
        })
    }

    /// The price at a place of [`COMPONENTS`](Self::COMPONENTS), and whether half of it is billed.
    #[inline]
    pub(crate) fn price(&self, place: usize, from: Origin) -> Option<(Price, bool)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_by_powers_of_ten_or_not_at_all() {
        for scale in SCALES {
            let power = 10_u128.pow(scale);
            for whole in [0, 1, 5, 1 << 40, (1 << 60) - 1] {
                assert_eq!(digits(whole * power, scale), u64::try_from(whole).ok(), "{whole} {scale}");
                assert_eq!(digits(whole * power + 1, scale), None, "{whole} {scale}");
                assert_eq!(digits(whole * power + (1 << scale), scale), None, "{whole} {scale}");
            }
            assert_eq!(digits((1 << 60) * power, scale), None, "{scale}");
            assert_eq!(digits(u128::MAX, scale), None, "{scale}");
        }
    }
}
