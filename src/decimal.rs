//! Decimal digits, read exactly: what `Usd`, rates and multipliers are made from.

/// `10^n` for every power that an `i128` holds.
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

/// `10^n`, where an `i128` holds it.
pub(crate) fn pow10(n: u32) -> Option<i128> {
    POWERS.get(n as usize).copied()
}

/// `numerator / denominator`, rounded half to even. The denominator is not zero.
pub(crate) fn divide_half_even(numerator: u128, denominator: u128) -> u128 {
    round_half_even(numerator / denominator, numerator % denominator, denominator)
}

/// `whole + rest / denominator`, rounded half to even; `rest` is less than the denominator.
fn round_half_even(whole: u128, rest: u128, denominator: u128) -> u128 {
    // Compared with what is missing, since doubling could overflow.
    let round_up = match rest.cmp(&(denominator - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    whole + u128::from(round_up)
}

/// `value x part / whole`, rounded half to even. `None` where `whole` is zero or the result is too large.
///
/// The product may be too large on the way. A ratio that in lowest terms needs more than 64 bits is taken at
/// 64 bits.
pub(crate) fn multiply_divide(value: u128, part: u128, whole: u128) -> Option<u128> {
    if whole == 0 {
        return None;
    }
    let divisor = common_divisor(part, whole);
    let (part, whole) = (part / divisor, whole / divisor);
    let bits = u128::BITS - part.max(whole).leading_zeros();
    let shift = bits.saturating_sub(64);
    let (part, whole) = (part >> shift, (whole >> shift).max(1));
    // Both are below 2^64 now, so that the second product fits.
    let rest = (value % whole) * part;
    let quotient = (value / whole).checked_mul(part)?.checked_add(rest / whole)?;
    Some(round_half_even(quotient, rest % whole, whole))
}

/// The greatest common divisor; `b` is not zero.
fn common_divisor(a: u128, b: u128) -> u128 {
    if a == 0 { b } else { common_divisor(b % a, a) }
}

/// `digits x 10^exponent`, with a sign. `digits` does not end in a zero, unless it is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    pub(crate) digits: u128,
    pub(crate) exponent: i32,
}

/// Why a text is no `Decimal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDecimal {
    /// Not the digits of a number.
    Syntax,
    /// More digits than can be kept.
    TooManyDigits,
}

/// Beyond this an exponent only says "too large" or "too small".
const EXPONENT_LIMIT: i32 = 1_000_000;

impl Decimal {
    /// Reads `[+-] digits [. digits] [(e|E) [+-] digits]`, with at least one digit before the exponent.
    pub(crate) fn parse(text: &str) -> Result<Self, NotDecimal> {
        let mut bytes = text.bytes().peekable();
        let negative = bytes.peek() == Some(&b'-');
        if matches!(bytes.peek(), Some(b'-' | b'+')) {
            bytes.next();
        }
        let (mut digits, mut exponent) = (0u128, 0i32);
        // Zeros are held back until a digit follows: trailing ones cost no room.
        let mut zeros = 0u32;
        let (mut seen_digit, mut seen_point) = (false, false);
        while let Some(&byte) = bytes.peek() {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    if seen_point {
                        exponent = (exponent - 1).max(-EXPONENT_LIMIT);
                    }
                    if byte == b'0' {
                        zeros = zeros.saturating_add(u32::from(digits != 0));
                    } else {
                        digits = pow10(zeros.saturating_add(1))
                            .and_then(|power| digits.checked_mul(power.unsigned_abs()))
                            .and_then(|shifted| shifted.checked_add(u128::from(byte - b'0')))
                            .ok_or(NotDecimal::TooManyDigits)?;
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
        let held_back = i32::try_from(zeros).unwrap_or(i32::MAX);
        let exponent = if digits == 0 { 0 } else { exponent.saturating_add(held_back) };
        Ok(Self { negative, digits, exponent })
    }

    fn parse_exponent(bytes: &mut std::iter::Peekable<std::str::Bytes<'_>>) -> Result<i32, NotDecimal> {
        let negative = bytes.peek() == Some(&b'-');
        if matches!(bytes.peek(), Some(b'-' | b'+')) {
            bytes.next();
        }
        let mut exponent = None;
        while let Some(&digit @ b'0'..=b'9') = bytes.peek() {
            let value = exponent.unwrap_or(0) * 10 + i32::from(digit - b'0');
            exponent = Some(value.min(EXPONENT_LIMIT));
            bytes.next();
        }
        let exponent = exponent.ok_or(NotDecimal::Syntax)?;
        Ok(if negative { -exponent } else { exponent })
    }

    /// `self x 10^scale` as an integer: `None` where digits would be lost or the result is too large.
    pub(crate) fn scaled(self, scale: u32) -> Option<u128> {
        let shift = self.exponent.checked_add(i32::try_from(scale).ok()?)?;
        if self.digits == 0 {
            return Some(0);
        }
        pow10(u32::try_from(shift).ok()?).and_then(|power| self.digits.checked_mul(power.unsigned_abs()))
    }

    /// How many digits stand behind the point.
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
    }
}
