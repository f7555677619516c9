//! [`Line`]: one component of a bill, with how its rate was found.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::rates::{self, Component, Factors, Place, Price, Unit};
use crate::usd::Usd;

/// A line as a cost keeps it: small, the amount worked out when it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed {
    pub(super) priced: Priced,
    pub(super) what: What,
}

/// How much, at which price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Priced {
    /// [`Price::NONE`] where it has none.
    pub(super) price: Price,
    /// See [`Component::decimals`].
    pub(super) digits: u64,
}

/// Of what, and how its amount is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct What {
    pub(super) component: Component,
    pub(super) how: How,
    pub(super) is_priced: bool,
}

/// What leads from a price to an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Times the multipliers of the call.
    Multiplied,
    /// Half of it, times the multipliers of the call.
    Halved,
    /// As it is.
    Plain,
    /// The amount is a share of what the provider states.
    Stated,
}

impl Packed {
    #[inline]
    fn price(&self) -> Option<&Price> {
        self.what.is_priced.then_some(&self.priced.price)
    }

    #[inline]
    pub(super) fn is_stated(&self) -> bool {
        self.what.how == How::Stated
    }

    #[inline]
    fn quantity(&self) -> rates::Quantity {
        rates::Quantity::of(self.what.component, self.priced.digits)
    }

    /// The amount. `None` beyond the range of [`Usd`].
    #[inline]
    pub(super) fn amount(&self, factors: &Factors) -> Option<Usd> {
        line_units(self.price(), self.quantity(), self.what.how, factors).and_then(Usd::from_unsigned)
    }

    /// The rate, halved where half of it is billed.
    #[inline]
    fn rate(&self) -> Option<Usd> {
        let rate = self.price()?.rate();
        match self.what.how {
            How::Halved => rates::units(rates::Quantity::whole(1), rate, &Factors::ONE, true)
                .and_then(Usd::from_unsigned),
            _ => Some(rate.usd()),
        }
    }
}

/// The amount of a line in 10^-28 dollars; zero where there is no rate. `None` where it is far beyond the range of
/// [`Usd`].
#[inline]
pub(super) fn line_units(
    price: Option<&Price>,
    quantity: rates::Quantity,
    how: How,
    factors: &Factors,
) -> Option<u128> {
    let Some(price) = price else { return Some(0) };
    let factors = match how {
        How::Multiplied | How::Halved => factors,
        How::Plain | How::Stated => &Factors::ONE,
    };
    rates::units(quantity, price.rate(), factors, how == How::Halved)
}

/// How much of something was used: a whole number, but for seconds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quantity(pub(super) rates::Quantity);

impl Quantity {
    /// The quantity, where it is a whole number.
    #[must_use]
    pub fn as_u64(self) -> Option<u64> {
        let power = 10_u64.checked_pow(u32::from(self.0.scale))?;
        (self.0.digits % power == 0).then(|| self.0.digits / power)
    }

    /// The nearest floating-point number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0.digits as f64 / 10_f64.powi(i32::from(self.0.scale))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_u64() {
            Some(whole) => fmt::Display::fmt(&whole, f),
            None => fmt::Display::fmt(&self.as_f64(), f),
        }
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_u64() {
            Some(whole) => serializer.serialize_u64(whole),
            None => serializer.serialize_f64(self.as_f64()),
        }
    }
}

/// One component of a bill: `amount = quantity x rate x multiplier`, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// What was used.
    pub component: Component,
    /// How much of it, in [`Component::unit`]s.
    pub quantity: Quantity,
    /// What one costs; `None` where the map has no price for it, or the provider stated the amount.
    pub rate: Option<Usd>,
    /// What regions, geos and speeds multiply the rate by; 1 for most calls.
    pub multiplier: Usd,
    /// What the line comes to; zero where there is no price.
    pub amount: Usd,
    /// Where the rate is from; `None` where there is none.
    pub source: Option<RateSource>,
    /// Whether the amount is a share of what the provider states that it charged.
    pub is_stated: bool,
}

impl Line {
    #[inline]
    pub(super) fn new(packed: &Packed, factors: &Factors, amount: Usd) -> Self {
        let What { component, how, .. } = packed.what;
        Self {
            component,
            quantity: Quantity(packed.quantity()),
            rate: packed.rate(),
            multiplier: match how {
                How::Multiplied | How::Halved => factors.decimal(),
                How::Plain | How::Stated => Factors::ONE.decimal(),
            },
            amount,
            source: packed.price().map(|price| RateSource {
                price: *price,
                halved: how == How::Halved,
                component,
            }),
            is_stated: packed.is_stated(),
        }
    }

    /// What the quantity counts.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.component.unit()
    }

    /// Whether the map has no price for what was used: the bill is then incomplete.
    #[must_use]
    pub fn is_unpriced(&self) -> bool {
        self.rate.is_none() && !self.is_stated
    }
}

/// `1200 tokens of cache_read x 0.0000003 = 0.00036 (cache_read_input_token_cost)`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.quantity, self.unit(), self.component)?;
        match (self.rate, self.source) {
            (Some(rate), Some(source)) => {
                write!(f, " x {rate}")?;
                if self.multiplier != Factors::ONE.decimal() {
                    write!(f, " x {}", self.multiplier)?;
                }
                write!(f, " = {} ({source})", self.amount)
            }
            _ if self.is_stated => write!(f, " = {} (stated by the provider)", self.amount),
            _ => f.write_str(": no price"),
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Line", 7)?;
        line.serialize_field("component", self.component.as_str())?;
        line.serialize_field("quantity", &self.quantity)?;
        line.serialize_field("unit", self.unit().as_str())?;
        line.serialize_field("rate", &self.rate)?;
        line.serialize_field("multiplier", &self.multiplier)?;
        line.serialize_field("amount", &self.amount)?;
        line.serialize_field("source", &self.source.map(|source| source.to_string()))?;
        line.end()
    }
}

/// Where a rate is from: the field, and what led to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RateSource {
    price: Price,
    halved: bool,
    component: Component,
}

impl RateSource {
    /// The name of the field that the rate stands in, such as
    /// `input_cost_per_token_above_200k_tokens_priority`.
    #[must_use]
    pub fn field(&self) -> String {
        self.price.field().to_string()
    }

    /// The service tier whose rate it is, or `batches`; `None` for a standard rate.
    #[must_use]
    pub fn tier(&self) -> Option<&'static str> {
        self.price.field().tier.suffix().strip_prefix('_')
    }

    /// The number of prompt tokens above which the rate applies (xAI: from which).
    #[must_use]
    pub fn threshold(&self) -> Option<u64> {
        Some(self.price.field().above).filter(|above| *above > 0).map(u64::from)
    }

    /// The component's own field, where the entry does not have it and another one's rate stands in.
    #[must_use]
    pub fn fallback_for(&self) -> Option<&'static str> {
        let own = self.component.own_base();
        let base = self.price.field().base;
        (base != own && self.component != Component::Duration).then(|| own.name())
    }

    /// Whether it is the rate of off-peak hours.
    #[must_use]
    pub fn is_off_peak(&self) -> bool {
        self.price.place() == Place::OffPeak
    }

    /// Whether it is from a whole-request tier of `tiered_pricing`.
    #[must_use]
    pub fn is_tiered_pricing(&self) -> bool {
        self.price.place() == Place::Range
    }

    /// Whether it is half of what the field says: of a batch without batch rates, or of a cache read
    /// at Fireworks.
    #[must_use]
    pub fn is_halved(&self) -> bool {
        self.halved
    }
}

impl fmt::Display for RateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.halved {
            f.write_str("half of ")?;
        }
        f.write_str(match self.price.place() {
            Place::Entry => "",
            Place::Range => "tiered_pricing.",
            Place::OffPeak => "off_peak_pricing.",
            Place::BatchDiscount => "the batch discount of cache writes on ",
        })?;
        write!(f, "{}", self.price.field())?;
        match self.fallback_for() {
            Some(own) => write!(f, ", for want of {own}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateSource({self})")
    }
}
