//! The rates of one row, in the form that pricing uses.

use std::num::NonZeroU64;

use super::rate::Factors;
use super::{Cells, Component, Price};
use crate::num::{Fixed, Usd, pow10_u64, times};

/// The components that most calls are billed for, in the order of a row's digits.
pub(crate) const COMMON: [Component; 5] =
    [Component::Input, Component::CacheRead, Component::CacheWrite, Component::Output, Component::Reasoning];

/// The used quantity of each common component, in the order of [`COMMON`].
pub(crate) type CommonCounts = [u64; COMMON.len()];

/// The rates of the common components above a number of prompt tokens. They share one scale, so
/// that a sum of products is computed in whole numbers and scaled once. A row fits a cache line.
///
/// A rate that is missing, or that does not fit the shared scale, is apart: its component is priced
/// from the row's [cells](Cells).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateRow {
    /// The rates of [`COMMON`], `digits x 10^-scale` dollars each; 0 if a rate is apart.
    digits: CommonCounts,
    /// A dollar's 10^-scale, in 10^-28 dollars: a power of ten.
    unit: NonZeroU64,
    scale: u8,
    /// The rates that are apart, one bit each.
    apart: u8,
    /// The rates that are half of their prices, one bit each.
    halved: u8,
    /// True if a standard rate above a threshold displaces the tier's own rate.
    pub(crate) displaces_tier: bool,
    /// The number of prompt tokens above which the row applies; 0 if it has no threshold.
    pub(crate) above: u32,
}

/// The scales to try. Rates have 12 decimals, rarely more.
const SCALES: [u8; 4] = [12, 15, 18, 24];

/// The limit of bits in a rate's digits. With 64 bits of a count and three for a sum of five, a sum
/// stays below 128 bits.
const RATE_BITS: u32 = 60;

impl RateRow {
    /// A row without rates.
    pub(crate) const EMPTY: Self = Self {
        digits: [0; COMMON.len()],
        unit: NonZeroU64::MIN,
        scale: 28,
        apart: u8::MAX,
        halved: 0,
        displaces_tier: false,
        above: 0,
    };

    pub(super) fn new(cells: &Cells, prices: &[Price], above: u32, displaces_tier: bool) -> Self {
        let (mut halved, mut missing) = (0, 0_u8);
        let mut rates = [Fixed::ZERO; COMMON.len()];
        for (place, (slot, component)) in rates.iter_mut().zip(COMMON).enumerate() {
            let cell = cells.cell(component);
            let price = prices.get(cell.index()).map(Price::rate);
            let rate = if cell.is_half() { price.and_then(half) } else { price };
            halved |= u8::from(cell.is_half() && price.is_some()) << place;
            missing |= u8::from(rate.is_none()) << place;
            *slot = rate.unwrap_or(Fixed::ZERO);
        }
        let [mut scale, ..] = SCALES;
        let (mut best, mut apart) = ([0; COMMON.len()], u8::MAX);
        // Of the scales that fit the same number of rates, the first is taken.
        for tried in SCALES {
            let (mut fitting, mut others) = ([0; COMMON.len()], missing);
            for (place, (slot, rate)) in fitting.iter_mut().zip(rates).enumerate() {
                match digits(rate, tried) {
                    Some(digits) => *slot = digits,
                    None => others |= 1 << place,
                }
            }
            if others.count_ones() < apart.count_ones() {
                (scale, best, apart) = (tried, fitting, others);
            }
            if apart == missing {
                break;
            }
        }
        Self {
            digits: best,
            unit: NonZeroU64::new(unit(scale)).unwrap_or(NonZeroU64::MIN),
            scale,
            apart,
            halved,
            displaces_tier,
            above,
        }
    }

    /// Returns whether no rate is apart.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.apart == 0
    }

    /// Returns the used components whose rates are apart, one bit each.
    #[inline]
    pub(crate) fn apart(&self, used: u8) -> u8 {
        self.apart & used
    }

    /// Returns whether half of a price is billed for the component at `place`.
    #[inline]
    pub(crate) fn is_halved(&self, place: usize) -> bool {
        self.halved >> place & 1 == 1
    }

    /// Returns the price of the component at `place`, before it is halved.
    #[inline]
    pub(crate) fn rate(&self, place: usize) -> Option<Fixed> {
        let digits = *self.digits.get(place)?;
        Some(Fixed::new(if self.is_halved(place) { digits * 2 } else { digits }, self.scale))
    }

    /// Returns the costs of input and output, in `unit`s.
    #[inline]
    fn products(&self, counts: CommonCounts) -> [u128; 2] {
        let mut products = [0_u128; COMMON.len()];
        for ((product, rate), count) in products.iter_mut().zip(self.digits).zip(counts) {
            *product = u128::from(rate) * u128::from(count);
        }
        let [input, read, write, output, reasoning] = products;
        [input + read + write, output + reasoning]
    }

    /// Returns the costs of input and output, in 10^-28 dollars, or `None` if they are far beyond
    /// the range of money.
    #[inline]
    pub(crate) fn sums(&self, counts: CommonCounts) -> Option<[u128; 2]> {
        let [input, output] = self.products(counts);
        Some([times(input, self.unit.get())?, times(output, self.unit.get())?])
    }

    /// Returns the sum of input and output, in 10^-28 dollars, or `None` if it is far beyond the
    /// range of money.
    #[inline]
    pub(crate) fn total(&self, counts: CommonCounts) -> Option<u128> {
        let [input, output] = self.products(counts);
        times(input + output, self.unit.get())
    }

    /// Returns the costs of input and output times `factors`, in 10^-28 dollars. Returns `None` if
    /// they need rounding or are far beyond the range of money.
    #[inline]
    pub(crate) fn multiplied_sums(&self, counts: CommonCounts, factors: &Factors) -> Option<[u128; 2]> {
        if factors.is_one() {
            return self.sums(counts);
        }
        let factor = factors.whole()?;
        let unit = unit(self.scale.checked_add(factor.scale).filter(|scale| *scale <= DECIMALS)?);
        let multiplied = |sum: u128| times(times(sum, factor.digits)?, unit);
        let [input, output] = self.products(counts);
        Some([multiplied(input)?, multiplied(output)?])
    }
}

/// The decimals of money.
#[allow(clippy::cast_possible_truncation, reason = "evaluated by the compiler: 28")]
const DECIMALS: u8 = Usd::DECIMALS as u8;

/// Returns `10^-scale` dollars in 10^-28 dollars. Scales of rows are at least 9.
fn unit(scale: u8) -> u64 {
    pow10_u64(DECIMALS.saturating_sub(scale)).unwrap_or(u64::MAX)
}

/// Returns the digits of a rate at a scale, if they have at most [`RATE_BITS`] bits.
fn digits(rate: Fixed, scale: u8) -> Option<u64> {
    rate.at_scale(scale).filter(|digits| digits >> RATE_BITS == 0)
}

/// Returns half of a rate, if it has no more than 28 decimals.
fn half(rate: Fixed) -> Option<Fixed> {
    if rate.digits % 2 == 0 {
        return Some(Fixed::new(rate.digits / 2, rate.scale));
    }
    let scale = rate.scale.checked_add(1).filter(|scale| *scale <= DECIMALS)?;
    Some(Fixed::new(rate.digits.checked_mul(5)?, scale))
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, RatePlace, rate};
    use super::*;
    use crate::rates::field::{Base, Field};

    #[test]
    fn halves_exactly_or_not_at_all() {
        assert_eq!(half(Fixed::new(6, 28)), Some(Fixed::new(3, 28)));
        assert_eq!(half(Fixed::new(3, 6)), Some(Fixed::new(15, 7)));
        assert_eq!(half(Fixed::new(3, 28)), None);
        assert_eq!(digits(Fixed::new(1, 0), 12), Some(10_u64.pow(12)));
        assert_eq!(digits(Fixed::new(1, 13), 12), None);
        assert_eq!(digits(Fixed::new(1 << 60, 12), 12), None);
        assert_eq!(digits(Fixed::new((1 << 60) - 1, 12), 12), Some((1 << 60) - 1));
    }

    /// Makes a row of rates for input, reads, writes, output and reasoning. `half` and `missing`
    /// hold the places of rates that are halved and absent.
    fn row(rates: [&str; 5], half: &[usize], missing: &[usize]) -> RateRow {
        let mut cells = Cells::EMPTY;
        let mut prices = Vec::new();
        for (place, (text, component)) in rates.into_iter().zip(COMMON).enumerate() {
            let rate = rate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            prices.push(Price::new(rate, Field::new(Base::Input), RatePlace::Entry));
            let cell = Cell::new(place).unwrap();
            if !missing.contains(&place) {
                cells.set(component, if half.contains(&place) { cell.half() } else { cell });
            }
        }
        RateRow::new(&cells, &prices, 0, false)
    }

    #[test]
    fn what_fits_one_scale_is_summed_and_the_rest_is_apart() {
        let plain = row(["3e-6", "3e-7", "3.75e-6", "1.5e-5", "1.5e-5"], &[], &[]);
        assert_eq!((plain.apart(31), plain.scale), (0, 12));
        assert_eq!(plain.total([1, 1, 1, 1, 1]), Some(37_050_000 * 10_u128.pow(16)));
        // The rates at places 1 and 3 have no exact half, and the rate at place 2 is missing.
        let mixed = row(["1", "1e-28", "3e-6", "3e-28", "10000"], &[1, 3], &[2]);
        assert_eq!(mixed.apart(31), 0b01110);
        assert_eq!(mixed.sums([1, 7, 7, 7, 1]), Some([10_u128.pow(28), 10_u128.pow(32)]));
        let halved = row(["3e-6", "3e-7", "0", "0", "0"], &[0], &[]);
        assert_eq!(
            (halved.rate(0), halved.is_halved(0), halved.is_halved(1)),
            (Some(Fixed::new(3_000_000, 12)), true, false)
        );
    }
}
