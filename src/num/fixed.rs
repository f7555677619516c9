//! [`Fixed`]: the decimal of rates, multipliers and quantities.

use super::decimal::{Decimal, divide_half_even, divide_wide, multiply_divide, pow10};
use super::{Number, Usd};
use num_bigint::BigUint;

/// A number that is not negative, `digits x 10^-scale`: a rate, a multiplier or a quantity.
///
/// A number that is read has no zeros at the end of its digits unless its scale is 0, so that equal
/// numbers have equal fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fixed {
    pub(crate) digits: u64,
    pub(crate) scale: u8,
}

/// Returns `10^n`, or `None` if it does not fit a `u64`.
#[inline]
pub(crate) fn pow10_u64(n: u8) -> Option<u64> {
    #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    const POWERS: [u64; 20] = {
        let mut powers = [1; 20];
        let mut n = 1;
        while n < powers.len() {
            powers[n] = powers[n - 1] * 10;
            n += 1;
        }
        powers
    };
    POWERS.get(usize::from(n)).copied()
}

/// `10^-scale` in units of 10^-28, by scale.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const UNITS: [u128; 29] = {
    let mut units = [1; 29];
    let mut scale = 28;
    while scale > 0 {
        scale -= 1;
        units[scale] = units[scale + 1] * 10;
    }
    units
};

/// The limit of digits: every number below has at most 19.
const LIMIT: u64 = 10_u64.pow(19);

impl Fixed {
    pub(crate) const ZERO: Self = Self { digits: 0, scale: 0 };
    pub(crate) const ONE: Self = Self { digits: 1, scale: 0 };
    pub(crate) const HALF: Self = Self { digits: 5, scale: 1 };

    #[inline]
    pub(crate) fn new(digits: u64, scale: u8) -> Self {
        Self { digits, scale }
    }

    /// Converts a decimal, ignoring its sign. Returns `None` if it has more than 19 significant
    /// digits, or more than 255 decimals.
    pub(crate) fn from_decimal(decimal: Decimal) -> Option<Self> {
        let fits = |digits: u128| u64::try_from(digits).ok().filter(|digits| *digits < LIMIT);
        if decimal.exponent > 0 {
            return Some(Self { digits: fits(decimal.scaled(0)?)?, scale: 0 });
        }
        Some(Self { digits: fits(decimal.digits)?, scale: u8::try_from(decimal.decimals()).ok()? })
    }

    /// Returns a thousandth, or `None` if it has more decimals than money.
    pub(crate) fn per_thousand(self) -> Option<Self> {
        let scale = u32::from(self.scale) + 3;
        u8::try_from(scale).ok().filter(|_| scale <= Usd::DECIMALS).map(|scale| Self { scale, ..self })
    }

    #[inline]
    pub(crate) fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// Returns the digits at another scale. Returns `None` if digits would be lost, or if the
    /// result is too large.
    pub(crate) fn at_scale(self, scale: u8) -> Option<u64> {
        self.digits.checked_mul(pow10_u64(scale.checked_sub(self.scale)?)?)
    }

    #[inline]
    pub(crate) fn number(self) -> Number {
        Number::of_digits(self.digits, self.scale)
    }

    /// Returns the number as money, rounded to 28 decimals, half to even. Returns `None` beyond the
    /// range of [`Usd`].
    #[inline]
    pub(crate) fn usd(self) -> Option<Usd> {
        Usd::from_unsigned(self.units().or_else(|| product([self].into_iter()))?)
    }

    /// Returns the number in units of 10^-28, unless digits would be lost.
    #[inline]
    fn units(self) -> Option<u128> {
        times(*UNITS.get(usize::from(self.scale))?, self.digits)
    }

    /// Returns `self x part / whole`, rounded once to 19 significant digits or 28 decimals,
    /// whichever are fewer, half to even. Returns `None` if `whole` is zero.
    pub(crate) fn proportional(self, part: Self, whole: Self) -> Option<Self> {
        let digits = u128::from(self.digits) * u128::from(part.digits);
        let scale = i32::from(self.scale) + i32::from(part.scale) - i32::from(whole.scale);
        // The powers of ten that leave at most 19 digits of the quotient are tried from the
        // greatest on.
        let (numerator, denominator) = (digits.checked_ilog10().unwrap_or(0), whole.digits.checked_ilog10()?);
        let most = 19 - (i32::try_from(numerator).ok()? - i32::try_from(denominator).ok()?);
        let mut shift = most.min(28 - scale);
        loop {
            let power = pow10(shift.unsigned_abs())?.unsigned_abs();
            let quotient = if shift >= 0 {
                multiply_divide(digits, power, u128::from(whole.digits))
            } else {
                multiply_divide(digits, 1, u128::from(whole.digits).checked_mul(power)?)
            };
            if let Some(digits) = quotient.and_then(|whole| u64::try_from(whole).ok()).filter(|d| *d < LIMIT)
            {
                let exponent = (scale + shift).checked_neg()?;
                return Self::from_decimal(Decimal::trimmed(u128::from(digits), exponent));
            }
            shift -= 1;
        }
    }
}

/// Returns `quantity x rate` in units of 10^-28, rounded at most once, half to even. Returns `None`
/// if the product is beyond 128 bits.
#[inline]
pub(crate) fn product_of_two(quantity: Fixed, rate: Fixed) -> Option<u128> {
    match rate.units() {
        Some(units) if quantity.scale == 0 => times(units, quantity.digits),
        _ => product([quantity, rate].into_iter()),
    }
}

/// Returns a product in units of 10^-28, rounded at most once, half to even. Returns `None` if it
/// is beyond 128 bits.
pub(crate) fn product(numbers: impl Iterator<Item = Fixed> + Clone) -> Option<u128> {
    let scale = numbers.clone().fold(0, |scale, number| scale + u32::from(number.scale));
    let digits = numbers.clone().try_fold(1_u128, |digits, number| times(digits, number.digits));
    match (digits, Usd::DECIMALS.checked_sub(scale)) {
        (Some(digits), Some(zeros)) => digits.checked_mul(pow10(zeros)?.unsigned_abs()),
        _ => divided_product(numbers, scale),
    }
}

/// Returns a product that is rounded, or that exceeds 128 bits on the way.
#[cold]
fn divided_product(numbers: impl Iterator<Item = Fixed>, scale: u32) -> Option<u128> {
    let digits = numbers.fold(BigUint::from(1_u8), |digits, number| digits * number.digits);
    let power = |zeros: u32| BigUint::from(10_u8).pow(zeros);
    match scale.checked_sub(Usd::DECIMALS) {
        None => u128::try_from(digits * power(Usd::DECIMALS - scale)).ok(),
        Some(places) => match (u128::try_from(&digits), pow10(places)) {
            (Ok(digits), Some(power)) => Some(divide_half_even(digits, power.unsigned_abs())),
            _ => divide_wide(&digits, &power(places)),
        },
    }
}

/// Returns `a x b`, or `None` on overflow. Takes two multiplications; `u128::checked_mul` takes
/// more.
#[inline]
pub(crate) fn times(a: u128, b: u64) -> Option<u128> {
    let b = u128::from(b);
    let low = (a & u128::from(u64::MAX)) * b;
    let high = (a >> 64) * b;
    if high >> 64 != 0 { None } else { (high << 64).checked_add(low) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        Fixed::from_decimal(Decimal::parse(text).unwrap()).unwrap_or_else(|| panic!("{text}"))
    }

    fn shown(numbers: &[&str]) -> Option<String> {
        let numbers = numbers.iter().map(|text| fixed(text));
        product(numbers).and_then(Usd::from_unsigned).map(|amount| amount.to_string())
    }

    #[test]
    fn keeps_nineteen_digits() {
        assert_eq!(fixed("2.5e-06"), Fixed::new(25, 7));
        assert_eq!(fixed("1200"), Fixed::new(1_200, 0));
        assert_eq!(fixed("9999999999999999999"), Fixed::new(LIMIT - 1, 0));
        for text in ["10000000000000000000", "1.8446744073709551615", "1e19", "1e-256"] {
            assert_eq!(Fixed::from_decimal(Decimal::parse(text).unwrap()), None, "{text}");
        }
        assert_eq!(fixed("2.5e-06").at_scale(12), Some(2_500_000));
        assert_eq!(fixed("2.5e-06").at_scale(6), None);
        assert_eq!(fixed("9e18").at_scale(1), None);
    }

    #[test]
    fn multiplies_exactly_or_rounds_once() {
        assert_eq!(shown(&["1000", "2.5e-06"]).as_deref(), Some("0.0025"));
        assert_eq!(shown(&["1000", "2.5e-06", "1.1"]).as_deref(), Some("0.00275"));
        assert_eq!(shown(&["3", "1e-28", "0.5"]).as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(shown(&["5", "1e-28", "0.5"]).as_deref(), Some("0.0000000000000000000000000002"));
        let most = u64::MAX;
        let all = [Fixed::new(most, 0), fixed("1.23456789012345678e-10"), fixed("1.00000000000001")];
        let amount = product(all.into_iter()).and_then(Usd::from_unsigned).map(|amount| amount.to_string());
        assert_eq!(amount.as_deref(), Some("2277375791.0727208972580013517444049709"));
        // The digits exceed 128 bits on the way.
        let tiny = ["1e-28", "10000000000", "100000000"].map(fixed);
        let amount = product([Fixed::new(most, 0)].into_iter().chain(tiny)).and_then(Usd::from_unsigned);
        assert_eq!(amount.map(|amount| amount.to_string()).as_deref(), Some("1844674407.3709551615"));
        assert_eq!(
            shown(&["1000000", "1e-06", "1.000000000000000001", "1.000000000000000001"]).as_deref(),
            Some("1.000000000000000002")
        );
        assert_eq!(product([Fixed::new(most, 0); 4].into_iter()), None);
    }

    #[test]
    fn keeps_proportions() {
        let of = |this: &str, part: &str, whole: &str| fixed(this).proportional(fixed(part), fixed(whole));
        assert_eq!(of("6e-06", "1.875e-06", "3.75e-06"), Some(fixed("3e-06")));
        assert_eq!(of("6e-06", "0", "3.75e-06"), Some(Fixed::ZERO));
        assert_eq!(of("6e-06", "1", "0"), None);
        assert_eq!(of("1", "1", "3"), Some(fixed("0.3333333333333333333")));
        assert_eq!(of("2", "1", "3"), Some(fixed("0.6666666666666666667")));
        assert_eq!(of("9e18", "9e18", "9e18"), Some(fixed("9e18")));
        assert_eq!(of("1e-28", "1", "9e18"), Some(Fixed::ZERO));
        assert_eq!(
            of("6.0000000000000007e-06", "1.8751234567890123e-06", "3.7512345678901234e-06"),
            Some(fixed("2.999210136587656367e-06"))
        );
    }
}
