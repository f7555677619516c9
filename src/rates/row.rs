//! The rates of one row, in the form that pricing uses.

use std::num::NonZeroU64;

use super::rate::{Factors, product};
use super::{Cells, Component, Price};

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
    /// The rates of [`COMMON`]. A rate is `digits x unit`, in 10^-28 dollars; 0 if it is apart.
    digits: CommonCounts,
    /// The shared scale, a power of ten.
    unit: NonZeroU64,
    /// The number of zeros of `unit`.
    zeros: u8,
    /// The rates that are apart, one bit each.
    apart: u8,
    /// The rates that are half of their prices, one bit each.
    halved: u8,
    /// True if a standard rate above a threshold displaces the tier's own rate.
    pub(crate) displaces_tier: bool,
    /// The number of prompt tokens above which the row applies; 0 if it has no threshold.
    pub(crate) above: u32,
}

/// The scales to try, as powers of ten. Rates have 12 decimals, rarely more.
const SCALES: [u32; 4] = [16, 13, 10, 4];

/// The limit of bits in a rate's digits. With 64 bits of a count and three for a sum of five, a sum
/// stays below 128 bits.
const RATE_BITS: u32 = 60;

impl RateRow {
    /// A row without rates.
    pub(crate) const EMPTY: Self = Self {
        digits: [0; COMMON.len()],
        unit: NonZeroU64::MIN,
        zeros: 0,
        apart: u8::MAX,
        halved: 0,
        displaces_tier: false,
        above: 0,
    };

    pub(super) fn new(cells: &Cells, prices: &[Price], above: u32, displaces_tier: bool) -> Self {
        let mut halved = 0;
        let mut units = [None; COMMON.len()];
        for (place, (slot, component)) in units.iter_mut().zip(COMMON).enumerate() {
            let cell = cells.cell(component);
            let Some(price) = prices.get(cell.index()) else { continue };
            let whole = price.rate().units();
            halved |= u8::from(cell.is_half()) << place;
            // An odd number of units has no exact half.
            let is_odd = cell.is_half() && whole % 2 == 1;
            *slot = (!is_odd).then_some(if cell.is_half() { whole / 2 } else { whole });
        }
        let most = units.iter().flatten().count();
        let [mut scale, ..] = SCALES;
        let (mut fitting, mut fits) = ([None; COMMON.len()], 0);
        // The first of the scales that fit the most rates wins.
        for tried in SCALES {
            let digits = units.map(|units| units.and_then(|units| digits(units, tried)));
            let count = digits.iter().flatten().count();
            if count > fits {
                (scale, fitting, fits) = (tried, digits, count);
            }
            if fits == most {
                break;
            }
        }
        let apart =
            (0..).zip(fitting).fold(0, |apart, (place, digits)| apart | u8::from(digits.is_none()) << place);
        Self {
            digits: fitting.map(|digits| digits.unwrap_or(0)),
            unit: NonZeroU64::new(10_u64.pow(scale)).unwrap_or(NonZeroU64::MIN),
            zeros: u8::try_from(scale).unwrap_or(0),
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

    /// Returns the rate of the component at `place`, in 10^-28 dollars. Already halved if half of
    /// the price is billed.
    #[inline]
    pub(crate) fn rate(&self, place: usize) -> Option<u128> {
        Some(u128::from(*self.digits.get(place)?) * u128::from(self.unit.get()))
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
        Some([product(input, self.unit.get())?, product(output, self.unit.get())?])
    }

    /// Returns the sum of input and output, in 10^-28 dollars, or `None` if it is far beyond the
    /// range of money.
    #[inline]
    pub(crate) fn total(&self, counts: CommonCounts) -> Option<u128> {
        let [input, output] = self.products(counts);
        product(input + output, self.unit.get())
    }

    /// Returns the costs of input and output times `factors`, in 10^-28 dollars. Returns `None` if
    /// they need rounding or are far beyond the range of money.
    #[inline]
    pub(crate) fn multiplied_sums(&self, counts: CommonCounts, factors: &Factors) -> Option<[u128; 2]> {
        if factors.is_one() {
            return self.sums(counts);
        }
        let (digits, scale) = factors.whole()?;
        let unit = 10_u64.pow(u32::from(self.zeros).checked_sub(scale)?);
        let times = |sum: u128| product(product(sum, digits)?, unit);
        let [input, output] = self.products(counts);
        Some([times(input)?, times(output)?])
    }
}

/// Returns `units / 10^scale`, if that is a whole number of at most [`RATE_BITS`] bits.
fn digits(units: u128, scale: u32) -> Option<u64> {
    let small = match u64::try_from(units >> scale) {
        // Dividing by a power of two and then one of five, in 64 bits, is much cheaper than a
        // 128-bit division.
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

#[cfg(test)]
mod tests {
    use super::super::{Cell, Rate, RatePlace};
    use super::*;
    use crate::rates::field::{Base, Field};

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

    /// Makes a row of rates for input, reads, writes, output and reasoning. `half` and `missing`
    /// hold the places of rates that are halved and absent.
    fn row(rates: [&str; 5], half: &[usize], missing: &[usize]) -> RateRow {
        let mut cells = Cells::EMPTY;
        let mut prices = Vec::new();
        for (place, (text, component)) in rates.into_iter().zip(COMMON).enumerate() {
            let rate = Rate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
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
        assert_eq!((plain.apart(31), plain.zeros), (0, 16));
        assert_eq!(plain.total([1, 1, 1, 1, 1]), Some(37_050_000 * 10_u128.pow(16)));
        // The rates at places 1 and 3 have no exact half, and the rate at place 2 is missing.
        let mixed = row(["1", "1e-28", "3e-6", "3e-28", "10000"], &[1, 3], &[2]);
        assert_eq!(mixed.apart(31), 0b01110);
        assert_eq!(mixed.sums([1, 7, 7, 7, 1]), Some([10_u128.pow(28), 10_u128.pow(32)]));
        let halved = row(["3e-6", "3e-7", "0", "0", "0"], &[0], &[]);
        assert_eq!(
            (halved.rate(0), halved.is_halved(0), halved.is_halved(1)),
            (Some(15 * 10_u128.pow(21)), true, false)
        );
    }
}
