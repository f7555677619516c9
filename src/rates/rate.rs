//! Rates as they are read, and the multipliers of a call.

use crate::json;
use crate::num::decimal::{Decimal, NotDecimal, multiply_divide, pow10};
use crate::num::{Fixed, Number, Usd, product, product_of_two};

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
    #[error("more than 19 significant digits, which cannot be kept exactly")]
    TooManyDigits,
}

/// Parses a rate in US dollars per unit, or a multiplier of rates. Neither is ever negative.
pub(crate) fn parse(text: &str) -> Result<Fixed, BadRate> {
    let decimal = match Decimal::parse(text) {
        Ok(decimal) => decimal,
        Err(NotDecimal::Syntax) => return Err(BadRate::NotANumber),
        Err(NotDecimal::TooManyDigits) => return Err(BadRate::TooManyDigits),
    };
    if decimal.digits == 0 {
        return Ok(Fixed::ZERO);
    }
    if decimal.negative {
        return Err(BadRate::Negative);
    }
    if decimal.decimals() > Usd::DECIMALS {
        return Err(BadRate::TooPrecise);
    }
    // No rate has more digits before the point than this.
    if decimal.exponent > 19 {
        return Err(BadRate::TooLarge);
    }
    let rate = Fixed::from_decimal(decimal);
    // A rate of at most nine digits, without zeros behind them, is below a thousand million dollars. Most
    // rates have no more, so their range is not asked for.
    let has_few_digits = decimal.digits < 10_u128.pow(9) && decimal.exponent <= 0;
    let is_small = has_few_digits || rate.is_none_or(|rate| rate.usd().is_some());
    if is_small { rate.ok_or(BadRate::TooManyDigits) } else { Err(BadRate::TooLarge) }
}

/// Reads a rate from JSON: a number, or a string that holds one, as YAML may yield. Returns
/// `Ok(None)` for null.
pub(crate) fn from_json(json: &str) -> Result<Option<Fixed>, BadRate> {
    match json.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            let text = json::text(json).ok_or(BadRate::NotANumber)?;
            parse(text.trim()).map(Some)
        }
        _ => parse(json).map(Some),
    }
}

/// The multipliers of a call: at most that of its terms, a data residency, a location, a geo and a
/// speed. Their product is exact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factors {
    digits: [u64; MOST_FACTORS],
    /// The scale of each multiplier.
    scales: [u8; MOST_FACTORS],
    len: u8,
    /// The kinds of the multipliers, one bit each: the order of kinds is that of the multipliers.
    kinds: u8,
}

const MOST_FACTORS: usize = 5;

/// The kind of a multiplier, in the order in which they are added to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactorKind {
    /// That of the call's terms, which applies to all lines, and not to those of tokens alone.
    Terms,
    DataResidency,
    VertexLocation,
    InferenceGeo,
    Speed,
}

impl FactorKind {
    const ALL: [Self; MOST_FACTORS] =
        [Self::Terms, Self::DataResidency, Self::VertexLocation, Self::InferenceGeo, Self::Speed];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Factors {
    /// No multiplier.
    pub(crate) const ONE: Self =
        Self { digits: [0; MOST_FACTORS], scales: [0; MOST_FACTORS], len: 0, kinds: 0 };

    /// Returns a multiplier of all lines.
    pub(crate) fn of_all(factor: Fixed) -> Self {
        let mut factors = Self::ONE;
        // There is room for a first one.
        let _ = factors.push(FactorKind::Terms, factor);
        factors
    }

    /// Returns the multiplier that applies to all lines.
    pub(crate) fn of_all_lines(&self) -> Self {
        let first = FactorKind::Terms.bit();
        if self.kinds & first == 0 { Self::ONE } else { Self { len: 1, kinds: first, ..*self } }
    }

    /// Returns the multipliers with their kinds.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (FactorKind, Number)> + '_ {
        let kinds = FactorKind::ALL.into_iter().filter(|kind| self.kinds & kind.bit() != 0);
        kinds.zip(self.iter().map(Fixed::number))
    }

    /// Adds a multiplier, in the order of kinds. Returns `None` if there is no room for it.
    pub(crate) fn push(&mut self, kind: FactorKind, factor: Fixed) -> Option<()> {
        let position = usize::from(self.len);
        *self.digits.get_mut(position)? = factor.digits;
        *self.scales.get_mut(position)? = factor.scale;
        self.len += 1;
        self.kinds |= kind.bit();
        Some(())
    }

    /// Returns an amount that is not negative times the product, rounded once, half to even. Returns
    /// `None` beyond the range of [`Usd`].
    pub(crate) fn times(&self, amount: Usd) -> Option<Usd> {
        if self.is_one() {
            return Some(amount);
        }
        let factor = self.whole()?;
        let scale = pow10(u32::from(factor.scale))?.unsigned_abs();
        let units = multiply_divide(amount.units().unsigned_abs(), u128::from(factor.digits), scale)?;
        Usd::from_unsigned(units)
    }

    #[inline]
    fn iter(&self) -> impl Iterator<Item = Fixed> + Clone + '_ {
        let all = self.digits.iter().zip(&self.scales).take(usize::from(self.len));
        all.map(|(digits, scale)| Fixed::new(*digits, *scale))
    }

    /// Returns whether there are no multipliers.
    #[inline]
    pub(crate) fn is_one(&self) -> bool {
        self.len == 0
    }

    /// Returns the product, or `None` if it has more than 19 digits.
    pub(crate) fn whole(&self) -> Option<Fixed> {
        self.iter().try_fold(Fixed::ONE, |product, factor| {
            let digits = product.digits.checked_mul(factor.digits)?;
            Some(Fixed::new(digits, product.scale.checked_add(factor.scale)?))
        })
    }

    /// Returns the product as a number, exact unless it has more than 38 digits.
    #[inline]
    pub(crate) fn number(&self) -> Number {
        if self.is_one() {
            return Number::ONE;
        }
        self.whole().map_or_else(|| self.rounded(), Fixed::number)
    }

    /// Returns the product; if it has more than 38 digits, rounded to 28 decimals.
    #[cold]
    fn rounded(&self) -> Number {
        let exact = self.iter().try_fold(Number::ONE, |product, factor| product.checked_mul(factor.number()));
        if let Some(exact) = exact {
            return exact;
        }
        let rounded = product(self.iter()).and_then(Usd::from_unsigned).unwrap_or(Usd::MAX);
        rounded.to_string().parse().unwrap_or(Number::ONE)
    }
}

/// Returns `quantity x rate x factors`, or half of that, in 10^-28 dollars, rounded at most once,
/// half to even. Returns `None` if the result is far beyond the range of [`Usd`].
#[inline]
pub(crate) fn units(quantity: Fixed, rate: Fixed, factors: &Factors, halved: bool) -> Option<u128> {
    if factors.is_one() && !halved {
        return product_of_two(quantity, rate);
    }
    product([quantity, rate].into_iter().chain(factors.iter()).chain(halved.then_some(Fixed::HALF)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Fixed {
        parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn usd(text: &str) -> String {
        rate(text).usd().map(|usd| usd.to_string()).unwrap_or_default()
    }

    fn times(count: u64, text: &str, factors: &[&str]) -> Option<String> {
        amount(Fixed::new(count, 0), text, factors, false)
    }

    fn amount(quantity: Fixed, text: &str, factors: &[&str], halved: bool) -> Option<String> {
        let mut all = Factors::ONE;
        for factor in factors {
            all.push(FactorKind::Speed, rate(factor)).expect("few factors");
        }
        let units = units(quantity, rate(text), &all, halved).and_then(Usd::from_unsigned);
        units.map(|amount| amount.to_string())
    }

    #[test]
    fn reads_rates_and_says_why_not() {
        assert_eq!(usd("2.5e-06"), "0.0000025");
        assert_eq!(from_json("\" 4e-07 \""), Ok(Some(rate("4e-07"))));
        assert_eq!(usd("4e-07"), "0.0000004");
        assert_eq!(rate("-0.0"), Fixed::ZERO);
        assert_eq!(usd("1e-28"), "0.0000000000000000000000000001");
        assert_eq!(rate("17000000000").usd(), Some(Usd::MAX));
        assert_eq!(usd("1e10"), "10000000000");
        assert_eq!(usd("999999999"), "999999999");
        for (text, why) in [
            ("-1e-6", "negative"),
            ("NaN", "not a number"),
            ("", "not a number"),
            ("1e999", "too large to be a rate"),
            ("17000000001", "too large to be a rate"),
            ("2e10", "too large to be a rate"),
            ("999999999e2", "too large to be a rate"),
            ("1e-29", "more than 28 decimals, which cannot be kept exactly"),
            ("1.2345678901234567891e-6", "more than 19 significant digits, which cannot be kept exactly"),
            ("12345678901234567891e-20", "more than 19 significant digits, which cannot be kept exactly"),
        ] {
            assert_eq!(parse(text).map_err(|e| e.to_string()), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn halves_exactly() {
        let half = |count: u64, text: &str| amount(Fixed::new(count, 0), text, &[], true);
        assert_eq!(half(1, "3e-06").as_deref(), Some("0.0000015"));
        assert_eq!(half(4, "1e-28").as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(half(3, "1e-28").as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(half(1, "1e-28").as_deref(), Some("0"));
    }

    #[test]
    fn multiplies_exactly_or_not_at_all() {
        assert_eq!(times(1_000, "2.5e-06", &[]).as_deref(), Some("0.0025"));
        assert_eq!(times(1_000, "2.5e-06", &["1.1"]).as_deref(), Some("0.00275"));
        assert_eq!(times(3, "1e-28", &["0.5"]).as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(times(5, "1e-28", &["0.5"]).as_deref(), Some("0.0000000000000000000000000002"));
        assert_eq!(times(u64::MAX, "1e-6", &[]), None);
        assert_eq!(times(u64::MAX, "3.6e-18", &[]).as_deref(), Some("66.408278665354385814"));
        // The intermediate product overflows 128 bits, the result does not.
        assert_eq!(
            times(u64::MAX, "1.23456789012345678e-10", &["1.00000000000001"]).as_deref(),
            Some("2277375791.0727208972580013517444049709")
        );
    }

    #[test]
    fn long_multipliers_do_not_overflow() {
        assert_eq!(
            times(1_000_000, "1e-06", &["1.000000000000000001"; 4]).as_deref(),
            Some("1.000000000000000004")
        );
        let tiny = "0.0000000000000000000000000001";
        assert_eq!(
            times(u64::MAX, "1", &[tiny, "10000000000", "100000000"]).as_deref(),
            Some("1844674407.3709551615")
        );
    }

    /// An hour at a cent a second: in nanoseconds, the intermediate product overflows 128 bits.
    #[test]
    fn a_long_time_does_not_overflow() {
        let hour = Fixed::new(3_600_000_000_000, 9);
        assert_eq!(amount(hour, "0.01", &[], false).as_deref(), Some("36"));
        let century = Fixed::new(u64::MAX, 9);
        assert_eq!(amount(century, "0.01", &["1.5"], true).as_deref(), Some("138350580.5528216371125"));
        assert_eq!(amount(century, "17000000000", &[], false), None);
    }
}
