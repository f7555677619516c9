//! Exact parsing and arithmetic of decimal digits, for [`Usd`](crate::Usd), rates and multipliers.

use std::cmp::Ordering;

use num_bigint::BigUint;
use num_integer::Integer;

/// `10^n` for every power that fits an `i128`.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// Returns `10^n`, or `None` if it does not fit an `i128`.
pub(crate) fn pow10(n: u32) -> Option<i128> {
    POWERS.get(n as usize).copied()
}

/// Returns `numerator / denominator`, rounded half to even. The denominator must not be zero.
pub(crate) fn divide_half_even(numerator: u128, denominator: u128) -> u128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    // Doubling the remainder could overflow, so it is compared with its complement.
    whole + u128::from(rounds_up(rest.cmp(&(denominator - rest)), whole % 2 == 1))
}

/// Returns whether a quotient is rounded up. `rest_to_half` compares the remainder with half the
/// denominator.
fn rounds_up(rest_to_half: Ordering, is_odd: bool) -> bool {
    match rest_to_half {
        Ordering::Less => false,
        Ordering::Equal => is_odd,
        Ordering::Greater => true,
    }
}

/// Returns `value x part / whole`, rounded once, half to even, with an exact intermediate product.
/// Returns `None` if `whole` is zero or the result is too large.
pub(crate) fn multiply_divide(value: u128, part: u128, whole: u128) -> Option<u128> {
    if whole == 0 {
        return None;
    }
    match value.checked_mul(part) {
        Some(product) => Some(divide_half_even(product, whole)),
        None => divide_wide(&(BigUint::from(value) * part), &BigUint::from(whole)),
    }
}

/// Divides as [`divide_half_even`] does, for numbers of any length. Returns `None` if the result is
/// too large.
#[cold]
pub(super) fn divide_wide(numerator: &BigUint, denominator: &BigUint) -> Option<u128> {
    let (whole, rest) = numerator.div_rem(denominator);
    let up = rounds_up(rest.cmp(&(denominator - &rest)), whole.bit(0));
    u128::try_from(whole + u8::from(up)).ok()
}

/// A decimal number: `digits x 10^exponent`, with a sign. Trailing zeros in `digits` are forbidden,
/// unless the number is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    pub(crate) digits: u128,
    pub(crate) exponent: i32,
}

/// Returns the digits with so many zeros and another digit behind them.
#[inline]
fn append(digits: u128, zeros: u32, digit: u8) -> Option<u128> {
    if let (0, Ok(small)) = (zeros, u64::try_from(digits)) {
        return Some(u128::from(small) * 10 + u128::from(digit));
    }
    let power = pow10(zeros.saturating_add(1))?;
    digits.checked_mul(power.unsigned_abs())?.checked_add(u128::from(digit))
}

/// The reason why a text is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDecimal {
    /// The text is not a number.
    Syntax,
    /// The number has more digits than fit.
    TooManyDigits,
}

/// The limit of a written exponent, far beyond what the digits of any text can compensate.
const EXPONENT_LIMIT: i64 = i64::MAX / 4;

impl Decimal {
    /// Returns `digits x 10^exponent`, without zeros at the end of the digits.
    pub(crate) fn trimmed(mut digits: u128, mut exponent: i32) -> Self {
        if digits == 0 {
            return Self { negative: false, digits, exponent: 0 };
        }
        while digits % 10 == 0 {
            digits /= 10;
            exponent = exponent.saturating_add(1);
        }
        Self { negative: false, digits, exponent }
    }

    /// Parses `[+-] digits [. digits] [(e|E) [+-] digits]`, with at least one digit before the
    /// exponent.
    pub(crate) fn parse(text: &str) -> Result<Self, NotDecimal> {
        let mut bytes = text.bytes().peekable();
        let negative = bytes.peek() == Some(&b'-');
        if matches!(bytes.peek(), Some(b'-' | b'+')) {
            bytes.next();
        }
        // Every byte changes the exponent by at most one, so it cannot overflow here.
        let (mut digits, mut exponent) = (0u128, 0i64);
        // Zeros are counted and only added before another digit, so that trailing zeros take no
        // space.
        let mut zeros = 0u32;
        let (mut seen_digit, mut seen_point) = (false, false);
        while let Some(&byte) = bytes.peek() {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    exponent -= i64::from(seen_point);
                    if byte == b'0' {
                        zeros = zeros.saturating_add(u32::from(digits != 0));
                    } else {
                        digits = append(digits, zeros, byte - b'0').ok_or(NotDecimal::TooManyDigits)?;
                        zeros = 0;
                    }
                }
                b'.' if !seen_point => seen_point = true,
                _ => break,
            }
            bytes.next();
        }
        if !seen_digit {
            return Err(NotDecimal::Syntax);
        }
        if let Some(b'e' | b'E') = bytes.peek() {
            bytes.next();
            exponent = exponent.saturating_add(Self::parse_exponent(&mut bytes)?);
        }
        if bytes.next().is_some() {
            return Err(NotDecimal::Syntax);
        }
        let exponent = if digits == 0 { 0 } else { exponent.saturating_add(i64::from(zeros)) };
        // An exponent beyond an `i32` only means "too large" or "too small".
        let exponent = i32::try_from(exponent).unwrap_or(if exponent < 0 { i32::MIN } else { i32::MAX });
        Ok(Self { negative, digits, exponent })
    }

    fn parse_exponent(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Result<i64, NotDecimal> {
        let negative = bytes.peek() == Some(&b'-');
        if matches!(bytes.peek(), Some(b'-' | b'+')) {
            bytes.next();
        }
        let mut exponent = None;
        while let Some(&digit @ b'0'..=b'9') = bytes.peek() {
            let value = exponent.unwrap_or(0_i64).saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            exponent = Some(value.min(EXPONENT_LIMIT));
            bytes.next();
        }
        let exponent = exponent.ok_or(NotDecimal::Syntax)?;
        Ok(if negative { -exponent } else { exponent })
    }

    /// Returns `self x 10^scale` as an integer, ignoring the sign. Returns `None` if digits would
    /// be lost or the result is too large.
    pub(crate) fn scaled(self, scale: u32) -> Option<u128> {
        let shift = self.exponent.checked_add(i32::try_from(scale).ok()?)?;
        if self.digits == 0 {
            return Some(0);
        }
        pow10(u32::try_from(shift).ok()?).and_then(|power| self.digits.checked_mul(power.unsigned_abs()))
    }

    /// Returns the number of digits after the point.
    pub(crate) fn decimals(self) -> u32 {
        self.exponent.min(0).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(bool, u128, i32), NotDecimal> {
        Decimal::parse(text).map(|d| (d.negative, d.digits, d.exponent))
    }

    #[test]
    fn reads_digits_exactly() {
        assert_eq!(read("0"), Ok((false, 0, 0)));
        assert_eq!(read("-0.0"), Ok((true, 0, 0)));
        assert_eq!(read("2.5e-06"), Ok((false, 25, -7)));
        assert_eq!(read("4E-7"), Ok((false, 4, -7)));
        assert_eq!(read("1200"), Ok((false, 12, 2)));
        assert_eq!(read("+1.50"), Ok((false, 15, -1)));
        assert_eq!(read(".5"), Ok((false, 5, -1)));
        assert_eq!(read("5."), Ok((false, 5, 0)));
        assert_eq!(read("1e999"), Ok((false, 1, 999)));
        assert_eq!(read("0e99999999999"), Ok((false, 0, 0)));
        assert_eq!(read(&format!("1.{}", "0".repeat(100))), Ok((false, 1, 0)));
        assert_eq!(read(&format!("1{}", "0".repeat(100))), Ok((false, 1, 100)));
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", ".", "e5", "1e", "1e+", "1.2.3", "NaN", "inf", "0x10", "1 ", " 1", "1_000", "١"]
        {
            assert_eq!(read(text), Err(NotDecimal::Syntax), "{text:?}");
        }
        assert_eq!(read(&"9".repeat(40)), Err(NotDecimal::TooManyDigits));
        assert_eq!(read(&format!("1{}1", "0".repeat(60))), Err(NotDecimal::TooManyDigits));
    }

    #[test]
    fn divides_half_to_even() {
        let halves = [(5, 10, 0), (15, 10, 2), (25, 10, 2), (26, 10, 3), (24, 10, 2), (0, 10, 0), (7, 1, 7)];
        for (numerator, denominator, expected) in halves {
            assert_eq!(divide_half_even(numerator, denominator), expected, "{numerator}/{denominator}");
        }
        assert_eq!(divide_half_even(u128::MAX, u128::MAX - 1), 1);
    }

    #[test]
    fn multiplies_and_divides_without_overflow_on_the_way() {
        assert_eq!(multiply_divide(10, 1, 4), Some(2));
        assert_eq!(multiply_divide(30, 1, 4), Some(8));
        assert_eq!(multiply_divide(7, 0, 4), Some(0));
        assert_eq!(multiply_divide(7, 4, 0), None);
        assert_eq!(multiply_divide(u128::MAX, 3, 3), Some(u128::MAX));
        assert_eq!(multiply_divide(u128::MAX, 2, 1), None);
        assert_eq!(
            multiply_divide(4 * 10_u128.pow(30), 25 * 10_u128.pow(28), 10_u128.pow(30)),
            Some(10_u128.pow(30))
        );
        // Neither the ratio nor the product is rounded before the result.
        let long = 123_456_789_012_345_678_901_234_567_890_123_456_u128;
        assert_eq!(multiply_divide(long, long - 1, long), Some(long - 1));
        assert_eq!(multiply_divide(long, long + 1, long - 1), Some(long + 2));
    }

    #[test]
    fn an_exponent_makes_up_for_any_number_of_zeros() {
        let zeros = "0".repeat(1_500_000);
        assert_eq!(read(&format!("0.{zeros}1e1500001")), Ok((false, 1, 0)));
        assert_eq!(read(&format!("0.{zeros}1e1000000")), Ok((false, 1, -500_001)));
        assert_eq!(read(&format!("1{zeros}e-1500000")), Ok((false, 1, 0)));
        assert_eq!(read("1e99999999999999999999"), Ok((false, 1, i32::MAX)));
        assert_eq!(read("1e-99999999999999999999"), Ok((false, 1, i32::MIN)));
    }
}
