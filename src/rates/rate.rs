//! Rates, multipliers, quantities, and their product.

use super::Component;
use crate::json;
use crate::num::decimal::{Decimal, NotDecimal, multiply_all, multiply_divide, pow10};
use crate::num::{Number, Usd};

/// A rate in US dollars per unit. Rates are never negative, and are held in 10^-28 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    units: u128,
}

/// The reason why a text is not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRate {
    #[error("not a number")]
    NotANumber,
    #[error("negative")]
    Negative,
    #[error("too large to be a rate")]
    TooLarge,
    #[error("more than 28 decimals, which cannot be kept exactly")]
    TooPrecise,
}

impl Rate {
    /// Parses a decimal number.
    pub(crate) fn parse(text: &str) -> Result<Self, BadRate> {
        let decimal = match Decimal::parse(text.trim()) {
            Ok(decimal) => decimal,
            Err(NotDecimal::Syntax) => return Err(BadRate::NotANumber),
            Err(NotDecimal::TooManyDigits) => return Err(BadRate::TooPrecise),
        };
        if decimal.digits == 0 {
            return Ok(Self { units: 0 });
        }
        if decimal.negative {
            return Err(BadRate::Negative);
        }
        if decimal.decimals() > Usd::DECIMALS {
            return Err(BadRate::TooPrecise);
        }
        let units = decimal.scaled(Usd::DECIMALS).filter(|units| *units <= Usd::MAX.units().unsigned_abs());
        units.map(|units| Self { units }).ok_or(BadRate::TooLarge)
    }

    /// Reads a rate from JSON: a number, or a string that holds one, as YAML may yield. Returns
    /// `Ok(None)` for null.
    pub(crate) fn from_json(json: &str) -> Result<Option<Self>, BadRate> {
        match json.as_bytes().first() {
            Some(b'n') => Ok(None),
            Some(b'"') => {
                let text = json::text(json).ok_or(BadRate::NotANumber)?;
                Self::parse(&text).map(Some)
            }
            _ => Self::parse(json).map(Some),
        }
    }

    pub(crate) fn from_units(units: u128) -> Self {
        Self { units }
    }

    pub(crate) fn units(self) -> u128 {
        self.units
    }

    pub(crate) fn is_zero(self) -> bool {
        self.units == 0
    }

    /// Returns `self x part / whole`, rounded to 28 decimals, half to even. Returns `None` if
    /// `whole` is zero or the result is too large.
    pub(crate) fn proportional(self, part: Self, whole: Self) -> Option<Self> {
        multiply_divide(self.units, part.units, whole.units).map(Self::from_units)
    }

    /// Returns the rate as an amount of money.
    pub(crate) fn usd(self) -> Usd {
        Usd::from_unsigned(self.units).unwrap_or(Usd::MAX)
    }
}

/// A multiplier of rates: `digits x 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factor {
    digits: u64,
    scale: u8,
}

impl Factor {
    const HALF: Self = Self { digits: 5, scale: 1 };

    /// Converts a rate into a multiplier. Returns `None` if it has too many digits.
    pub(crate) fn new(rate: Rate) -> Option<Self> {
        let (mut digits, mut scale) = (rate.units, 28);
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Some(Self { digits: u64::try_from(digits).ok()?, scale })
    }
}

/// The multipliers of a call: at most a data residency, a location, a geo and a speed. Their
/// product is exact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factors {
    digits: [u64; 4],
    /// The scale of the product of all multipliers.
    scale: u16,
    len: u8,
}

impl Factors {
    /// No multiplier.
    pub(crate) const ONE: Self = Self { digits: [0; 4], scale: 0, len: 0 };

    /// Adds a multiplier. Returns `None` if there is no room for it.
    pub(crate) fn push(&mut self, factor: Factor) -> Option<()> {
        *self.digits.get_mut(usize::from(self.len))? = factor.digits;
        self.scale += u16::from(factor.scale);
        self.len += 1;
        Some(())
    }

    /// Returns whether there are no multipliers.
    #[inline]
    pub(crate) fn is_one(&self) -> bool {
        self.len == 0
    }

    /// Returns the digits and the number of decimals of the product, or `None` if it has too many
    /// digits.
    pub(crate) fn whole(&self) -> Option<(u64, u32)> {
        let digits = self.digits.into_iter().take(usize::from(self.len));
        let digits = digits.into_iter().try_fold(1_u64, u64::checked_mul)?;
        Some((digits, u32::from(self.scale)))
    }

    /// Returns the product as a number, exact unless it has more than 19 digits.
    #[inline]
    pub(crate) fn number(&self) -> Number {
        if self.is_one() {
            return Number::ONE;
        }
        match self.whole() {
            Some((digits, scale)) => Number::of_digits(digits, u8::try_from(scale).unwrap_or(u8::MAX)),
            None => self.rounded(),
        }
    }

    /// Returns the product, rounded to 28 decimals.
    #[cold]
    fn rounded(&self) -> Number {
        let one = Rate::from_units(pow10(Usd::DECIMALS).unwrap_or(1).unsigned_abs());
        let product = units(Quantity::whole(1), one, self, false).and_then(Usd::from_unsigned);
        product.unwrap_or(Usd::MAX).to_string().parse().unwrap_or(Number::ONE)
    }
}

/// An amount of usage: `digits x 10^-scale` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantity {
    pub(crate) digits: u64,
    pub(crate) scale: u8,
}

impl Quantity {
    pub(crate) fn whole(digits: u64) -> Self {
        Self { digits, scale: 0 }
    }

    /// Creates a quantity of a component from a count, at the component's scale.
    #[inline]
    pub(crate) fn of(component: Component, digits: u64) -> Self {
        Self { digits, scale: component.decimals() }
    }
}

/// Returns `quantity x rate x factors`, or half of that, in 10^-28 dollars, rounded at most once,
/// half to even. Returns `None` if the result is far beyond the range of [`Usd`].
#[inline]
pub(crate) fn units(quantity: Quantity, rate: Rate, factors: &Factors, halved: bool) -> Option<u128> {
    if factors.len == 0 && quantity.scale == 0 && !halved {
        return product(rate.units, quantity.digits);
    }
    let half = halved.then_some(Factor::HALF);
    let scale =
        u32::from(quantity.scale) + u32::from(factors.scale) + half.map_or(0, |half| u32::from(half.scale));
    let multipliers = factors.digits.into_iter().take(usize::from(factors.len));
    let digits = std::iter::once(quantity.digits).chain(multipliers).chain(half.map(|half| half.digits));
    multiply_all(rate.units, digits, scale)
}

/// Returns `a x b`, or `None` on overflow. Takes two multiplications; `u128::checked_mul` takes
/// more.
#[inline]
pub(super) fn product(a: u128, b: u64) -> Option<u128> {
    let b = u128::from(b);
    let low = (a & u128::from(u64::MAX)) * b;
    let high = (a >> 64) * b;
    // Products that overflow are far beyond the range of money.
    if high >> 64 != 0 { None } else { (high << 64).checked_add(low) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn product(count: u64, text: &str, factors: &[&str]) -> Option<String> {
        amount(Quantity::whole(count), text, factors, false)
    }

    fn amount(quantity: Quantity, text: &str, factors: &[&str], halved: bool) -> Option<String> {
        let mut all = Factors::ONE;
        for factor in factors {
            all.push(Factor::new(rate(factor)).expect("few digits")).expect("few factors");
        }
        let units = units(quantity, rate(text), &all, halved).and_then(Usd::from_unsigned);
        units.map(|amount| amount.to_string())
    }

    #[test]
    fn reads_rates_and_says_why_not() {
        assert_eq!(rate("2.5e-06").usd().to_string(), "0.0000025");
        assert_eq!(rate(" 4e-07 ").usd().to_string(), "0.0000004");
        assert_eq!(rate("-0.0"), Rate::from_units(0));
        assert_eq!(rate("1e-28").usd().to_string(), "0.0000000000000000000000000001");
        assert_eq!(rate("17000000000").usd(), Usd::MAX);
        for (text, why) in [
            ("-1e-6", "negative"),
            ("NaN", "not a number"),
            ("", "not a number"),
            ("1e999", "too large to be a rate"),
            ("17000000001", "too large to be a rate"),
            ("1e-29", "more than 28 decimals, which cannot be kept exactly"),
        ] {
            assert_eq!(Rate::parse(text).map_err(|e| e.to_string()), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn halves_exactly() {
        let half = |count: u64, text: &str| amount(Quantity::whole(count), text, &[], true);
        assert_eq!(half(1, "3e-06").as_deref(), Some("0.0000015"));
        assert_eq!(half(4, "1e-28").as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(half(3, "1e-28").as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(half(1, "1e-28").as_deref(), Some("0"));
    }

    #[test]
    fn keeps_proportions() {
        assert_eq!(rate("6e-06").proportional(rate("1.875e-06"), rate("3.75e-06")), Some(rate("3e-06")));
        assert_eq!(
            rate("6e-06").proportional(Rate::from_units(0), rate("3.75e-06")),
            Some(Rate::from_units(0))
        );
        assert_eq!(rate("6e-06").proportional(rate("1"), Rate::from_units(0)), None);
    }

    /// The ratio of these rates has infinitely many digits. Rounding it before the multiplication
    /// would make the twelfth digit of the result wrong.
    #[test]
    fn keeps_proportions_to_the_last_digit() {
        let [whole, part] = ["3.7512345678901234e-06", "1.8751234567890123e-06"].map(rate);
        let of = rate("6.0000000000000007e-06").proportional(part, whole);
        assert_eq!(of.map(|rate| rate.usd().to_string()).as_deref(), Some("0.000002999210136587656366756"));
    }

    #[test]
    fn multiplies_exactly_or_not_at_all() {
        assert_eq!(product(1_000, "2.5e-06", &[]).as_deref(), Some("0.0025"));
        assert_eq!(product(1_000, "2.5e-06", &["1.1"]).as_deref(), Some("0.00275"));
        assert_eq!(product(3, "1e-28", &["0.5"]).as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(product(5, "1e-28", &["0.5"]).as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(product(u64::MAX, "1e-6", &[]), None);
        assert_eq!(product(u64::MAX, "3.6e-18", &[]).as_deref(), Some("66.408278665354385814"));
        // The intermediate product overflows 128 bits, the result does not.
        assert_eq!(
            product(u64::MAX, "1.23456789012345678e-10", &["1.00000000000001"]).as_deref(),
            Some("2277375791.0727208972580013517444049709")
        );
    }

    #[test]
    fn long_multipliers_do_not_overflow() {
        assert_eq!(
            product(1_000_000, "1e-06", &["1.000000000000000001"; 4]).as_deref(),
            Some("1.000000000000000004")
        );
        let tiny = "0.0000000000000000000000000001";
        assert_eq!(
            product(u64::MAX, "1", &[tiny, "10000000000", "100000000"]).as_deref(),
            Some("1844674407.3709551615")
        );
    }

    /// An hour at a cent a second: in nanoseconds, the intermediate product overflows 128 bits.
    #[test]
    fn a_long_time_does_not_overflow() {
        let hour = Quantity { digits: 3_600_000_000_000, scale: 9 };
        assert_eq!(amount(hour, "0.01", &[], false).as_deref(), Some("36"));
        let century = Quantity { digits: u64::MAX, scale: 9 };
        assert_eq!(amount(century, "0.01", &["1.5"], true).as_deref(), Some("138350580.5528216371125"));
        assert_eq!(amount(century, "17000000000", &[], false), None);
    }
}
