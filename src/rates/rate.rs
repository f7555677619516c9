//! One rate, one multiplier, and the product that a line of a bill is.

use crate::decimal::{Decimal, NotDecimal, divide_half_even, pow10};
use crate::usd::Usd;

/// The most digits a rate may have, chosen so that its half still fits.
const MAX_RATE_DIGITS: u64 = u64::MAX / 5;

/// US dollars per unit: `digits x 10^-scale`, exact, zero or positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rate {
    pub(crate) digits: u64,
    pub(crate) scale: u8,
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
    #[error("more digits than can be kept exactly (18 significant digits, 28 decimals)")]
    TooPrecise,
}

impl Rate {
    pub(crate) const ZERO: Self = Self { digits: 0, scale: 0 };

    /// Reads decimal digits.
    pub(crate) fn parse(text: &str) -> Result<Self, BadRate> {
        let decimal = match Decimal::parse(text.trim()) {
            Ok(decimal) => decimal,
            Err(NotDecimal::Syntax) => return Err(BadRate::NotANumber),
            Err(NotDecimal::TooManyDigits) => return Err(BadRate::TooPrecise),
        };
        if decimal.digits == 0 {
            return Ok(Self::ZERO);
        }
        if decimal.negative {
            return Err(BadRate::Negative);
        }
        let scale = decimal.decimals();
        if scale > Usd::DECIMALS {
            return Err(BadRate::TooPrecise);
        }
        // Within the range of money first: past it no number of digits would help.
        let in_range = decimal.scaled(Usd::DECIMALS).is_some_and(|u| u <= Usd::MAX.units().unsigned_abs());
        if !in_range {
            return Err(BadRate::TooLarge);
        }
        let digits = decimal.scaled(scale).and_then(|digits| u64::try_from(digits).ok());
        match (digits, u8::try_from(scale)) {
            (Some(digits), Ok(scale)) if digits <= MAX_RATE_DIGITS => Ok(Self { digits, scale }),
            _ => Err(BadRate::TooPrecise),
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// Half of this rate, exactly.
    pub(crate) fn halved(self) -> Self {
        if self.digits % 2 == 0 {
            Self { digits: self.digits / 2, ..self }
        } else {
            // `digits` is at most a fifth of what fits.
            Self { digits: self.digits.saturating_mul(5), scale: self.scale + 1 }
        }
    }

    /// `self x part / whole`, to 28 decimals, half to even. `None` where `whole` is zero or digits run out.
    pub(crate) fn proportional(self, part: Self, whole: Self) -> Option<Self> {
        if whole.is_zero() {
            return None;
        }
        let product = u128::from(self.digits).checked_mul(u128::from(part.digits))?;
        // Scale such that the quotient has 28 decimals.
        let shift = 28 + i32::from(whole.scale) - i32::from(self.scale) - i32::from(part.scale);
        let power = pow10(shift.unsigned_abs())?.unsigned_abs();
        let (numerator, denominator) = if shift >= 0 {
            (product.checked_mul(power)?, u128::from(whole.digits))
        } else {
            (product, u128::from(whole.digits).checked_mul(power)?)
        };
        let mut digits = divide_half_even(numerator, denominator);
        let mut scale = 28;
        while scale > 0 && digits % 10 == 0 {
            digits /= 10;
            scale -= 1;
        }
        Some(Self { digits: u64::try_from(digits).ok().filter(|d| *d <= MAX_RATE_DIGITS)?, scale })
    }

    /// As money. Every rate fits; one that was halved may lose its 29th decimal.
    pub(crate) fn usd(self) -> Usd {
        amount(Quantity::whole(1), self, Factor::ONE).unwrap_or(Usd::MAX)
    }
}

/// What token costs are multiplied by: `digits x 10^-scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Factor {
    digits: u64,
    scale: u8,
}

impl Factor {
    pub(crate) const ONE: Self = Self { digits: 1, scale: 0 };

    /// A rate's digits, taken as a multiplier.
    pub(crate) fn from_rate(rate: Rate) -> Self {
        Self { digits: rate.digits, scale: rate.scale }
    }

    /// The product, where it can be kept exactly.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    /// As a decimal number; shown, never calculated with.
    pub(crate) fn decimal(self) -> Usd {
        Rate { digits: self.digits, scale: self.scale }.usd()
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
}

/// `quantity x rate x factor`, rounded once (half to even) where it needs more than 28 decimals.
/// `None` beyond the range of [`Usd`].
#[inline]
pub(crate) fn amount(quantity: Quantity, rate: Rate, factor: Factor) -> Option<Usd> {
    // Two u64 always fit.
    let product = u128::from(quantity.digits) * u128::from(rate.digits);
    let shift = 28 - i32::from(quantity.scale) - i32::from(rate.scale) - i32::from(factor.scale);
    let power = pow10(shift.unsigned_abs())?.unsigned_abs();
    let multiplier = u128::from(factor.digits);
    let units = if shift >= 0 {
        product.checked_mul(multiplier)?.checked_mul(power)?
    } else {
        match product.checked_mul(multiplier) {
            Some(exact) => divide_half_even(exact, power),
            // The same, in two parts: the product is only too large on the way.
            None => (product / power)
                .checked_mul(multiplier)?
                .checked_add(divide_half_even((product % power).checked_mul(multiplier)?, power))?,
        }
    };
    i128::try_from(units).ok().and_then(Usd::from_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        Rate::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn product(count: u64, text: &str, factor: &str) -> Option<String> {
        amount(Quantity::whole(count), rate(text), Factor::from_rate(rate(factor))).map(|a| a.to_string())
    }

    #[test]
    fn reads_rates_and_says_why_not() {
        assert_eq!(rate("2.5e-06").usd().to_string(), "0.0000025");
        assert_eq!(rate(" 4e-07 ").usd().to_string(), "0.0000004");
        assert_eq!(rate("-0.0"), Rate::ZERO);
        assert_eq!(rate("1e-28").usd().to_string(), "0.0000000000000000000000000001");
        assert_eq!(rate("17000000000").usd(), Usd::MAX);
        for (text, why) in [
            ("-1e-6", "negative"),
            ("NaN", "not a number"),
            ("", "not a number"),
            ("1e999", "too large to be a rate"),
            ("17000000001", "too large to be a rate"),
            ("1e-29", "more digits than can be kept exactly (18 significant digits, 28 decimals)"),
            (
                "0.9234567890123456789",
                "more digits than can be kept exactly (18 significant digits, 28 decimals)",
            ),
        ] {
            assert_eq!(Rate::parse(text).map_err(|e| e.to_string()), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn halves_exactly() {
        assert_eq!(rate("3e-06").halved().usd().to_string(), "0.0000015");
        assert_eq!(rate("2e-06").halved().usd().to_string(), "0.000001");
        assert_eq!(amount(Quantity::whole(4), rate("1e-28").halved(), Factor::ONE), Usd::from_units(2));
        assert_eq!(amount(Quantity::whole(3), rate("1e-28").halved(), Factor::ONE), Usd::from_units(2));
        assert_eq!(amount(Quantity::whole(1), rate("1e-28").halved(), Factor::ONE), Usd::from_units(0));
    }

    #[test]
    fn keeps_proportions() {
        assert_eq!(rate("6e-06").proportional(rate("1.875e-06"), rate("3.75e-06")), Some(rate("3e-06")));
        assert_eq!(rate("6e-06").proportional(Rate::ZERO, rate("3.75e-06")), Some(Rate::ZERO));
        assert_eq!(rate("6e-06").proportional(rate("1"), Rate::ZERO), None);
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
