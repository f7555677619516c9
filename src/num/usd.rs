//! [`Usd`]: exact money.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Number;
use super::decimal::{Decimal, NotDecimal, divide_half_even, pow10};
use crate::json;

/// An amount of US dollars, exact to 28 decimals.
///
/// This is a fixed-point number. Every price of the map, its products with token counts and their
/// sums are exact. The range is ± 17 billion dollars ([`Usd::MAX`]). Arithmetic that would leave it
/// returns `None`, and never a wrapped or clamped amount.
///
/// # Examples
///
/// ```
/// use llm_costmap::Usd;
///
/// let rate: Usd = "2.5e-06".parse()?;
/// let cost = rate.checked_mul(1_000).ok_or("overflow")?;
/// assert_eq!(cost.to_string(), "0.0025");
/// assert_eq!(format!("{cost:.2}"), "0.00");
///
/// // A sum is an `Option`, since it may leave the range.
/// let total: Option<Usd> = [cost, cost].into_iter().sum();
/// assert_eq!(total, Some("0.005".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(
    /// The amount in 10^-28 dollars. The absolute value never exceeds `MAX_UNITS`.
    i128,
);

const MAX_UNITS: i128 = 17_000_000_000 * 10_i128.pow(Usd::DECIMALS);

impl Usd {
    /// The number of decimals of an amount: 28.
    pub const DECIMALS: u32 = 28;
    /// Zero dollars.
    pub const ZERO: Self = Self(0);
    /// The largest amount: 17 billion dollars.
    pub const MAX: Self = Self(MAX_UNITS);

    /// Returns the amount of `units` times 10^-28 dollars, or `None` beyond the range. This is exact, and the
    /// reverse of [`units`](Self::units).
    #[inline]
    #[must_use]
    pub fn from_units(units: i128) -> Option<Self> {
        (units.unsigned_abs() <= MAX_UNITS.unsigned_abs()).then_some(Self(units))
    }

    /// Returns the amount of unsigned `units` times 10^-28 dollars, or `None` beyond the range.
    #[inline]
    pub(crate) fn from_unsigned(units: u128) -> Option<Self> {
        i128::try_from(units).ok().and_then(Self::from_units)
    }

    /// Returns the amount as a number.
    pub(crate) fn number(self) -> Number {
        let decimal = Decimal { negative: self.0 < 0, digits: self.0.unsigned_abs(), exponent: -28 };
        Number::new(decimal)
    }

    /// Returns the amount in 10^-28 dollars, which is exact: the value of a `DECIMAL(38, 28)`, which
    /// holds every amount below ten billion dollars.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Usd;
    ///
    /// let amount: Usd = "0.0000025".parse()?;
    /// assert_eq!(amount.units(), 25 * 10_i128.pow(Usd::DECIMALS - 7));
    /// assert_eq!(Usd::from_units(amount.units()), Some(amount));
    /// # Ok::<(), llm_costmap::cost::ParseUsdError>(())
    /// ```
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    fn from_decimal(decimal: Decimal) -> Result<Self, ParseUsdError> {
        let whole = decimal.exponent.saturating_add(28);
        if decimal.digits != 0 && whole < 0 {
            return Err(ParseUsdError(Reason::TooPrecise));
        }
        let units = decimal
            .scaled(Self::DECIMALS)
            .and_then(|units| i128::try_from(units).ok())
            .and_then(|units| Self::from_units(if decimal.negative { -units } else { units }));
        units.ok_or(ParseUsdError(Reason::TooLarge))
    }

    /// Converts a floating-point number by its shortest decimal digits: `0.1` becomes exactly ten
    /// cents.
    ///
    /// # Errors
    ///
    /// Returns an error if the number is not finite, is beyond [`Usd::MAX`], or needs more than 28
    /// decimals.
    pub fn from_f64(dollars: f64) -> Result<Self, ParseUsdError> {
        if !dollars.is_finite() {
            return Err(ParseUsdError(Reason::Syntax));
        }
        format!("{dollars:e}").parse()
    }

    /// Returns the nearest floating-point number. Intended for display and statistics: the result
    /// is no longer exact.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        // The standard library rounds correctly when it parses digits.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Returns whether the amount is exactly zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Rounds to a number of decimals, half to even. Rounding to 28 decimals or more changes
    /// nothing.
    ///
    /// ```
    /// # use llm_costmap::Usd;
    /// let amount: Usd = "0.0125".parse()?;
    /// assert_eq!(amount.round_dp(3).to_string(), "0.012");
    /// # Ok::<(), llm_costmap::cost::ParseUsdError>(())
    /// ```
    #[must_use]
    pub fn round_dp(self, decimals: u32) -> Self {
        match Self::DECIMALS.checked_sub(decimals).and_then(pow10) {
            Some(step) => {
                let step = step.unsigned_abs();
                let steps = divide_half_even(self.0.unsigned_abs(), step);
                // `MAX` is a whole number of dollars, so rounding never exceeds it.
                let units = i128::try_from(steps * step).unwrap_or(i128::MAX);
                Self(if self.0 < 0 { -units } else { units })
            }
            None => self,
        }
    }

    /// Returns `self + other`, or `None` beyond the range.
    #[must_use]
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_units)
    }

    /// Returns `self - other`, or `None` beyond the range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).and_then(Self::from_units)
    }

    /// Returns `self x count`, or `None` beyond the range.
    #[must_use]
    pub fn checked_mul(self, count: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(count)).and_then(Self::from_units)
    }
}

/// Prints plain decimal digits: no exponent and no currency sign. A precision (`{:.2}`) rounds half
/// to even and pads with zeros.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = f.precision().map_or(*self, |p| self.round_dp(u32::try_from(p).unwrap_or(u32::MAX)));
        let one = 10_u128.pow(Self::DECIMALS);
        let units = shown.0.unsigned_abs();
        let fraction = format!("{:028}", units % one);
        let fraction = match f.precision() {
            Some(precision) => fraction.get(..precision).unwrap_or(&fraction),
            None => fraction.trim_end_matches('0'),
        };
        let point = if fraction.is_empty() { "" } else { "." };
        let pad = f.precision().unwrap_or(0).saturating_sub(28);
        let digits = format!("{}{point}{fraction}{:0<pad$}", units / one, "");
        f.pad_integral(shown.0 >= 0, "", &digits)
    }
}

impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Usd({self})")
    }
}

/// An error of a text or a number that is not a valid [`Usd`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseUsdError(Reason);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("not a number of dollars: write decimal digits, such as 0.0025 or 2.5e-3")]
    Syntax,
    #[error("more than 28 decimals: an amount this fine cannot be kept exactly")]
    TooPrecise,
    #[error("beyond 17 billion dollars")]
    TooLarge,
}

/// Parses decimal digits exactly, with an optional sign and exponent.
impl FromStr for Usd {
    type Err = ParseUsdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Decimal::parse(text) {
            Ok(decimal) => Self::from_decimal(decimal),
            Err(NotDecimal::Syntax) => Err(ParseUsdError(Reason::Syntax)),
            Err(NotDecimal::TooManyDigits) => Err(ParseUsdError(Reason::TooPrecise)),
        }
    }
}

/// Adds amounts. The sum is `None` if it, or an intermediate sum, leaves the range.
impl Sum<Usd> for Option<Usd> {
    fn sum<I: Iterator<Item = Usd>>(amounts: I) -> Self {
        amounts.into_iter().try_fold(Usd::ZERO, Usd::checked_add)
    }
}

/// Adds amounts. The sum is `None` if it, or an intermediate sum, leaves the range.
impl<'a> Sum<&'a Usd> for Option<Usd> {
    fn sum<I: Iterator<Item = &'a Usd>>(amounts: I) -> Self {
        amounts.copied().sum()
    }
}

/// Serialises as a string of decimal digits, so that no reader rounds it through a float.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Deserialises a string of decimal digits, or a number. Numbers are exact if `serde_json` reads
/// them from JSON; otherwise their shortest digits are taken. Formats that are not human-readable
/// must hold a string.
impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        json::deserialize_digits(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn shows_plain_digits() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("2.5e-06", "0.0000025"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("-12.50", "-12.5"),
            ("17000000000", "17000000000"),
            ("1e3", "1000"),
        ] {
            assert_eq!(usd(text).to_string(), shown);
        }
        assert_eq!(format!("{:?}", usd("0.5")), "Usd(0.5)");
    }

    #[test]
    fn shows_a_precision_and_a_width() {
        assert_eq!(format!("{:.2}", usd("0.125")), "0.12");
        assert_eq!(format!("{:.2}", usd("-0.135")), "-0.14");
        assert_eq!(format!("{:.0}", usd("2.5")), "2");
        assert_eq!(format!("{:.4}", usd("3")), "3.0000");
        assert_eq!(format!("{:.30}", usd("1")), format!("1.{}", "0".repeat(30)));
        assert_eq!(format!("{:>8}|{:<8}|{:+}", usd("1.5"), usd("1.5"), usd("1.5")), "     1.5|1.5     |+1.5");
    }

    #[test]
    fn says_why_a_text_is_refused() {
        let error = |text: &str| text.parse::<Usd>().map_err(|e| e.to_string()).err();
        let syntax = "not a number of dollars: write decimal digits, such as 0.0025 or 2.5e-3";
        assert_eq!(error("$5").as_deref(), Some(syntax));
        assert_eq!(error("").as_deref(), Some(syntax));
        assert_eq!(
            error("1e-29").as_deref(),
            Some("more than 28 decimals: an amount this fine cannot be kept exactly")
        );
        assert_eq!(error("17000000000.01").as_deref(), Some("beyond 17 billion dollars"));
        assert_eq!(error("1e999").as_deref(), Some("beyond 17 billion dollars"));
    }

    #[test]
    fn arithmetic_stays_within_the_range() {
        assert_eq!(Usd::MAX.checked_add(usd("1e-28")), None);
        assert_eq!(Usd::ZERO.checked_sub(Usd::MAX).and_then(|low| low.checked_sub(Usd::MAX)), None);
        assert_eq!(Usd::MAX.checked_mul(2), None);
        assert_eq!(usd("1").checked_mul(u64::MAX), None);
        assert_eq!(usd("1e-9").checked_mul(u64::MAX), None);
        assert_eq!(usd("1e-10").checked_mul(u64::MAX), Some(usd("1844674407.3709551615")));
        assert_eq!([Usd::MAX, Usd::MAX].iter().sum::<Option<Usd>>(), None);
        assert_eq!([usd("1"), usd("2.5")].into_iter().sum::<Option<Usd>>(), Some(usd("3.5")));
        assert_eq!(Usd::MAX.round_dp(0), Usd::MAX);
    }

    #[test]
    fn goes_through_floats_at_their_shortest_digits() {
        assert_eq!(Usd::from_f64(0.1), Ok(usd("0.1")));
        assert_eq!(Usd::from_f64(2.5e-6), Ok(usd("0.0000025")));
        assert!(Usd::from_f64(f64::NAN).is_err() && Usd::from_f64(f64::INFINITY).is_err());
        assert!((usd("0.1").as_f64() - 0.1).abs() < f64::EPSILON / 16.0);
    }

    #[test]
    fn is_a_string_in_json_and_reads_numbers_too() {
        assert_eq!(serde_json::to_string(&usd("0.0025")).ok().as_deref(), Some("\"0.0025\""));
        for json in ["\"0.0025\"", "0.0025", "2.5e-3", "\"2.5E-03\""] {
            assert_eq!(serde_json::from_str::<Usd>(json).ok(), Some(usd("0.0025")), "{json}");
        }
        assert_eq!(serde_json::from_str::<Usd>("7").ok(), Some(usd("7")));
        assert_eq!(serde_json::from_str::<Usd>("-7").ok(), Some(usd("-7")));
        assert_eq!(serde_json::from_value::<Usd>(serde_json::json!(1.5)).ok(), Some(usd("1.5")));
        // Numbers in JSON text keep every digit.
        let digits = "0.00000000691175564267812";
        assert_eq!(serde_json::from_str::<Usd>(digits).ok(), Some(usd(digits)));
        assert!(serde_json::from_str::<Usd>("1e-400").is_err());
        let error = serde_json::from_str::<Usd>("true").map_err(|e| e.to_string());
        assert_eq!(
            error,
            Err("not a number of dollars: write decimal digits, such as 0.0025 or 2.5e-3".to_owned())
        );
    }
}
