//! [`Usd`] as an integer: nanodollars and microdollars, for limiters, databases and rules.

use super::Usd;
use super::decimal::divide_half_even;

/// The number of 10^-28 dollars in a nanodollar, 10^-9 dollars.
const NANO: i128 = 10_i128.pow(Usd::DECIMALS - 9);
/// The number of 10^-28 dollars in a microdollar, 10^-6 dollars.
const MICRO: i128 = 10_i128.pow(Usd::DECIMALS - 6);

/// Integers, for programs that keep amounts as such: rate limiters, databases, and rules in CEL.
impl Usd {
    /// Returns the amount in nanodollars (10^-9 dollars), rounded half to even. Returns `None` beyond
    /// the range of an `i64`, which is 9.2 billion dollars.
    ///
    /// A sum of rounded amounts is not the rounded sum: add amounts first, and round the sum.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Usd;
    ///
    /// let amount: Usd = "0.0000000125".parse()?;
    /// assert_eq!(amount.to_nanos(), Some(12));
    /// assert_eq!(Usd::from_nanos(12).to_string(), "0.000000012");
    /// # Ok::<(), llm_costmap::cost::ParseUsdError>(())
    /// ```
    #[must_use]
    pub fn to_nanos(self) -> Option<i64> {
        let nanos = divide_half_even(self.units().unsigned_abs(), NANO.unsigned_abs());
        let nanos = i128::try_from(nanos).ok()?;
        i64::try_from(if self.units() < 0 { -nanos } else { nanos }).ok()
    }

    /// Returns the amount of a number of nanodollars (10^-9 dollars), which is exact.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Self {
        // Every `i64` of nanodollars is within the range: at most 9.2 of 17 billion dollars.
        Self::from_units(i128::from(nanos) * NANO).unwrap_or(Self::ZERO)
    }

    /// Returns the amount in microdollars (10^-6 dollars), rounded up: a limit that is reserved before
    /// a call is then never too low, and an amount above zero never becomes zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Usd;
    ///
    /// let amount: Usd = "0.0000000125".parse()?;
    /// assert_eq!(amount.to_micros_ceil(), 1);
    /// assert_eq!(Usd::from_micros(1).map(|amount| amount.to_string()).as_deref(), Some("0.000001"));
    /// # Ok::<(), llm_costmap::cost::ParseUsdError>(())
    /// ```
    #[must_use]
    pub fn to_micros_ceil(self) -> i64 {
        let (whole, rest) = (self.units() / MICRO, self.units() % MICRO);
        // The range of money is 1.7 x 10^16 microdollars.
        i64::try_from(whole + i128::from(rest > 0)).unwrap_or(i64::MAX)
    }

    /// Returns the amount of a number of microdollars (10^-6 dollars), which is exact, or `None`
    /// beyond the range of [`Usd`].
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        i128::from(micros).checked_mul(MICRO).and_then(Self::from_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn nanodollars_round_half_to_even() {
        for (text, nanos) in [
            ("0", Some(0)),
            ("0.0000000005", Some(0)),
            ("0.0000000015", Some(2)),
            ("-0.0000000015", Some(-2)),
            ("0.0000000005000000000000000001", Some(1)),
            ("1.25", Some(1_250_000_000)),
            ("9223372036.854775807", Some(i64::MAX)),
            ("-9223372036.854775808", Some(i64::MIN)),
            ("9223372036.8547758075", None),
            ("17000000000", None),
        ] {
            assert_eq!(usd(text).to_nanos(), nanos, "{text}");
        }
        assert_eq!(Usd::from_nanos(i64::MIN), usd("-9223372036.854775808"));
        assert_eq!(Usd::from_nanos(i64::MAX).to_nanos(), Some(i64::MAX));
    }

    #[test]
    fn microdollars_round_up() {
        for (text, micros) in [
            ("0", 0),
            ("0.0000000000000000000000000001", 1),
            ("0.000001", 1),
            ("0.0000010000000000000000000001", 2),
            ("-0.0000019", -1),
            ("-0.000001", -1),
            ("17000000000", 17_000_000_000_000_000),
            ("-17000000000", -17_000_000_000_000_000),
        ] {
            assert_eq!(usd(text).to_micros_ceil(), micros, "{text}");
        }
        assert_eq!(Usd::from_micros(-1), Some(usd("-0.000001")));
        assert_eq!(Usd::from_micros(17_000_000_000_000_000), Some(Usd::MAX));
        assert_eq!(Usd::from_micros(17_000_000_000_000_001), None);
        assert_eq!(Usd::from_micros(i64::MAX), None);
    }
}
