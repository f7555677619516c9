//! [`Number`]: an exact decimal without a unit.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Fixed;
use super::decimal::{Decimal, pow10};
use crate::json;

/// An exact decimal number without a unit: a multiplier, a quantity, or a number of the map whose
/// unit depends on its field.
///
/// A number keeps up to 38 significant digits, exactly as they were written. Two numbers are equal
/// if their values are: `1.50` equals `1.5`.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::Number;
///
/// let factor: Number = "1.10".parse()?;
/// assert_eq!(factor.to_string(), "1.1");
/// assert_eq!(factor, "11e-1".parse()?);
/// assert_eq!(Number::from(1_200).to_string(), "1200");
/// # Ok::<(), llm_costmap::cost::ParseNumberError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Number(
    /// Zeros at the end of the digits are allowed, so that a number is made without a division.
    /// Negative zero is forbidden.
    Decimal,
);

/// Exponents beyond which a number is written with an exponent.
const PLAIN: std::ops::RangeInclusive<i32> = -60..=60;

impl Number {
    /// The number 1.
    pub const ONE: Self = Self(Decimal { negative: false, digits: 1, exponent: 0 });

    pub(crate) fn new(decimal: Decimal) -> Self {
        Self(Decimal { negative: decimal.negative && decimal.digits != 0, ..decimal })
    }

    /// Returns `digits x 10^-scale`.
    #[inline]
    pub(crate) fn of_digits(digits: u64, scale: u8) -> Self {
        Self(Decimal { negative: false, digits: u128::from(digits), exponent: -i32::from(scale) })
    }

    /// Returns the product of two numbers that are not negative, or `None` if it has more digits than
    /// a number keeps.
    pub(crate) fn checked_mul(self, other: Self) -> Option<Self> {
        let (a, b) = (self.normal(), other.normal());
        let digits = a.digits.checked_mul(b.digits)?;
        let exponent = a.exponent.checked_add(b.exponent)?;
        // A number that is written has to be one that can be read.
        Some(Self::new(Decimal { negative: false, digits, exponent })).filter(|_| digits < 10_u128.pow(38))
    }

    /// Returns the sum of two numbers. Returns `None` if one is negative, or if the sum has more digits
    /// than a number keeps.
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let (a, b) = (self.normal(), other.normal());
        if a.negative || b.negative {
            return None;
        }
        let exponent = a.exponent.min(b.exponent);
        let at = |number: Decimal| {
            let shift = u32::try_from(i64::from(number.exponent) - i64::from(exponent)).ok()?;
            if number.digits == 0 { Some(0) } else { number.digits.checked_mul(pow10(shift)?.unsigned_abs()) }
        };
        let digits = at(a)?.checked_add(at(b)?).filter(|digits| *digits < 10_u128.pow(38))?;
        Some(Self::new(Decimal { negative: false, digits, exponent }))
    }

    /// Returns the number without zeros at the end of its digits: equal numbers have equal fields.
    fn normal(self) -> Decimal {
        let Decimal { negative, digits, exponent } = self.0;
        let trimmed = Decimal::trimmed(digits, exponent);
        Decimal { negative: negative && digits != 0, ..trimmed }
    }

    /// Returns the number as a rate or a multiplier is kept. Returns `None` if it is negative or has
    /// more than 19 significant digits.
    pub(crate) fn to_fixed(self) -> Option<Fixed> {
        Some(self.normal()).filter(|number| !number.negative).and_then(Fixed::from_decimal)
    }

    /// Returns the number if it is whole, not negative, and at most [`u64::MAX`].
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        let whole = Some(self.normal()).filter(|number| !number.negative)?.scaled(0)?;
        u64::try_from(whole).ok()
    }

    /// Returns the nearest floating-point number. Intended for display and statistics: the result
    /// is no longer exact.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        let Decimal { negative, digits, exponent } = self.0;
        // The standard library rounds correctly when it reads digits.
        let parsed = format!("{digits}e{exponent}").parse().unwrap_or(f64::NAN);
        if negative { -parsed } else { parsed }
    }

    /// Returns whether the number is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.digits == 0
    }

    /// Returns whether this positive number is more than ten times `other`, which is positive too.
    pub(crate) fn is_over_tenfold(self, other: Self) -> bool {
        let tenfold = Decimal { exponent: other.0.exponent.saturating_add(1), ..other.0 };
        !self.0.negative && !other.0.negative && !other.is_zero() && self > Self(tenfold)
    }

    /// Returns the power of ten of the first digit.
    fn magnitude(self) -> i64 {
        i64::from(self.0.digits.checked_ilog10().unwrap_or(0)) + i64::from(self.0.exponent)
    }

    /// Compares the absolute values of two numbers.
    fn cmp_absolute(self, other: Self) -> Ordering {
        if self.is_zero() || other.is_zero() {
            return self.0.digits.cmp(&other.0.digits);
        }
        // Of numbers whose first digits have one place, the digits are compared at one exponent.
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let least = self.0.exponent.min(other.0.exponent);
            let at_least = |number: Self| {
                let shift = u32::try_from(i64::from(number.0.exponent) - i64::from(least)).ok()?;
                number.0.digits.checked_mul(pow10(shift)?.unsigned_abs())
            };
            match (at_least(self), at_least(other)) {
                (Some(own), Some(others)) => own.cmp(&others),
                // Only the number with the greater exponent is multiplied, and both have one
                // magnitude: a product beyond 128 bits belongs to the greater one.
                (None, _) => Ordering::Greater,
                (_, None) => Ordering::Less,
            }
        })
    }
}

impl From<u64> for Number {
    fn from(whole: u64) -> Self {
        Self::of_digits(whole, 0)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal().hash(state);
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0.negative, other.0.negative) {
            (false, false) => self.cmp_absolute(*other),
            (true, true) => other.cmp_absolute(*self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

/// Writes plain decimal digits, or digits and an exponent if there would be more than 60 zeros.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { negative, digits, exponent } = self.normal();
        let text = digits.to_string();
        let text = if !PLAIN.contains(&exponent) {
            format!("{text}e{exponent}")
        } else if exponent >= 0 {
            format!("{text}{:0<1$}", "", exponent.unsigned_abs() as usize)
        } else {
            let decimals = exponent.unsigned_abs() as usize;
            let padded = format!("{text:0>0$}", decimals + 1);
            let (whole, fraction) =
                padded.split_at_checked(padded.len() - decimals).unwrap_or((&padded, "0"));
            format!("{whole}.{fraction}")
        };
        f.pad_integral(!negative, "", &text)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

/// The error of a text that is no [`Number`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a number of at most 38 significant digits: write decimal digits, such as 1.1 or 2.5e-3")]
pub struct ParseNumberError(());

/// Reads decimal digits with an optional sign and exponent, exactly.
impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Decimal::parse(text).map(Self::new).map_err(|_| ParseNumberError(()))
    }
}

/// Writes a string of decimal digits, so that no reader rounds them through a float.
impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a string of decimal digits or a number, exactly if it is JSON that `serde_json` reads.
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::deserialize_digits(deserializer)
    }
}

/// Returns whether two JSON values are equal, numbers in any notation.
pub(crate) fn is_same_value(one: &str, other: &str) -> bool {
    let number = |json: &str| json.trim_matches('"').parse::<Number>().ok();
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other || value(one).is_some_and(|one| Some(one) == value(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn shows_plain_digits() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.10", "1.1"),
            ("-2.5e-3", "-0.0025"),
            ("12e3", "12000"),
            ("100", "100"),
            ("0.5", "0.5"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("15e61", "15e61"),
            ("-1e-999", "-1e-999"),
        ] {
            assert_eq!(number(text).to_string(), shown, "{text}");
            assert_eq!(number(shown), number(text), "{text}");
        }
        assert_eq!(Number::of_digits(1_500, 3).to_string(), "1.5");
        assert_eq!(Number::of_digits(0, 9), number("0"));
        assert_eq!(Number::from(u64::MAX).as_u64(), Some(u64::MAX));
        assert_eq!((number("1.5").as_u64(), number("-1").as_u64()), (None, None));
        assert!((number("-0.1").as_f64() + 0.1).abs() < f64::EPSILON);
    }

    #[test]
    fn compares_values() {
        let ascending = [
            "-1e999",
            "-12",
            "-1.2",
            "-1e-999",
            "0",
            "1e-999",
            "0.09",
            "0.1",
            "1",
            "1.1",
            "9.9",
            "10",
            "99999999999999999999999999999999999999",
            "1e38",
            "1.1e38",
            "1e999",
        ];
        let mut compared = 0;
        for (place, less) in ascending.iter().enumerate() {
            for more in ascending.iter().skip(place + 1) {
                assert!(number(less) < number(more) && number(more) > number(less), "{less} {more}");
                compared += 1;
            }
            assert_eq!(number(less).cmp(&number(less)), Ordering::Equal);
        }
        assert_eq!(compared, 120);
        assert!(number("10.1").is_over_tenfold(number("1")));
        assert!(!number("10").is_over_tenfold(number("1")));
        assert!(!number("10").is_over_tenfold(number("0")) && !number("10").is_over_tenfold(number("-1")));
    }

    #[test]
    fn is_a_string_in_json_and_reads_numbers_too() {
        assert_eq!(serde_json::to_string(&number("1.10")).unwrap(), "\"1.1\"");
        for json in ["\"1.1\"", "1.1", "11e-1"] {
            assert_eq!(serde_json::from_str::<Number>(json).unwrap(), number("1.1"), "{json}");
        }
        assert_eq!(
            serde_json::from_str::<Number>("true").unwrap_err().to_string(),
            "not a number of at most 38 significant digits: write decimal digits, such as 1.1 or 2.5e-3"
        );
        assert_eq!("1..2".parse::<Number>(), Err(ParseNumberError(())));
    }
}
