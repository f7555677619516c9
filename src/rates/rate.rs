//! One rate, one multiplier, and the product that a line of a bill is.

use super::Component;
use crate::decimal::{Decimal, NotDecimal, divide_half_even, multiply_divide, pow10};
use crate::usd::Usd;

/// US dollars per unit: zero or positive, in 10^-28 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    units: u128,
}

/// Why a text is no rate.
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
    /// Reads decimal digits.
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

    pub(crate) fn from_units(units: u128) -> Self {
        Self { units }
    }

    pub(crate) fn units(self) -> u128 {
        self.units
    }

    pub(crate) fn is_zero(self) -> bool {
        self.units == 0
    }

    /// `self x part / whole`, to 28 decimals, half to even. `None` where `whole` is zero.
    pub(crate) fn proportional(self, part: Self, whole: Self) -> Option<Self> {
        multiply_divide(self.units, part.units, whole.units).map(Self::from_units)
    }

    /// As money.
    pub(crate) fn usd(self) -> Usd {
        Usd::from_unsigned(self.units).unwrap_or(Usd::MAX)
    }
}

/// What a rate is multiplied by: `digits x 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factor {
    digits: u64,
    scale: u8,
}

impl Factor {
    pub(crate) const ONE: Self = Self { digits: 1, scale: 0 };
    pub(crate) const HALF: Self = Self { digits: 5, scale: 1 };

    /// A rate, taken as a multiplier. `None` where it has more digits than multipliers have room for.
    pub(crate) fn new(rate: Rate) -> Option<Self> {
        let (mut digits, mut scale) = (rate.units, 28);
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Some(Self { digits: u64::try_from(digits).ok()?, scale })
    }

    /// The product, where it can be kept exactly.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    /// As a decimal number; shown, never calculated with.
    #[inline]
    pub(crate) fn decimal(self) -> Usd {
        if self == Self::ONE {
            return Usd::ONE;
        }
        let one = Rate::from_units(pow10(Usd::DECIMALS).unwrap_or(1).unsigned_abs());
        amount(Quantity::whole(1), one, self).unwrap_or(Usd::MAX)
    }
}

/// How much of a unit was used: `digits x 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantity {
    pub(crate) digits: u64,
    pub(crate) scale: u8,
}

impl Quantity {
    pub(crate) fn whole(digits: u64) -> Self {
        Self { digits, scale: 0 }
    }

    /// So much of a component, counted as that is.
    #[inline]
    pub(crate) fn of(component: Component, digits: u64) -> Self {
        Self { digits, scale: component.decimals() }
    }
}

/// `quantity x rate x factor` as money. `None` beyond the range of [`Usd`].
pub(crate) fn amount(quantity: Quantity, rate: Rate, factor: Factor) -> Option<Usd> {
    units(quantity, rate, factor).and_then(Usd::from_unsigned)
}

/// `quantity x rate x factor` in 10^-28 dollars, rounded once (half to even) where it needs more decimals.
/// `None` where it is far beyond the range of [`Usd`].
#[inline]
pub(crate) fn units(quantity: Quantity, rate: Rate, factor: Factor) -> Option<u128> {
    let units = product(rate.units, quantity.digits)?;
    if factor == Factor::ONE && quantity.scale == 0 {
        Some(units)
    } else {
        scaled(units, factor.digits, u32::from(quantity.scale) + u32::from(factor.scale))
    }
}

/// `a x b`, in two multiplications where the standard library's checked one takes more.
#[inline]
pub(super) fn product(a: u128, b: u64) -> Option<u128> {
    let b = u128::from(b);
    let low = (a & u128::from(u64::MAX)) * b;
    let high = (a >> 64) * b;
    // What does not fit is far beyond the range of money.
    if high >> 64 != 0 { None } else { (high << 64).checked_add(low) }
}

/// `units x digits x 10^-scale`, rounded half to even.
fn scaled(units: u128, digits: u64, scale: u32) -> Option<u128> {
    let power = pow10(scale)?.unsigned_abs();
    match units.checked_mul(u128::from(digits)) {
        Some(product) => Some(divide_half_even(product, power)),
        None => multiply_divide(units, u128::from(digits), power),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn product(count: u64, text: &str, factor: &str) -> Option<String> {
        amount(Quantity::whole(count), rate(text), Factor::new(rate(factor)).expect("few digits"))
            .map(|a| a.to_string())
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
        let half = |count: u64, text: &str| amount(Quantity::whole(count), rate(text), Factor::HALF);
        assert_eq!(half(1, "3e-06").map(|a| a.to_string()).as_deref(), Some("0.0000015"));
        assert_eq!(half(4, "1e-28"), Usd::from_units(2));
        assert_eq!(half(3, "1e-28"), Usd::from_units(2));
        assert_eq!(half(1, "1e-28"), Usd::from_units(0));
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

    #[test]
    fn multiplies_exactly_or_not_at_all() {
        assert_eq!(product(1_000, "2.5e-06", "1").as_deref(), Some("0.0025"));
        assert_eq!(product(1_000, "2.5e-06", "1.1").as_deref(), Some("0.00275"));
        assert_eq!(product(3, "1e-28", "0.5").as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(product(5, "1e-28", "0.5").as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(product(u64::MAX, "1e-6", "1"), None);
        assert_eq!(product(u64::MAX, "3.6e-18", "1").as_deref(), Some("66.408278665354385814"));
        // Too large on the way, not in the end.
        assert_eq!(
            product(u64::MAX, "1.23456789012345678e-10", "1.00000000000001").as_deref(),
            Some("2277375791.0727208972580013517444049709")
        );
    }
}
