//! [`Line`]: one component of a bill, with how its rate was found.

use std::fmt;

use super::PricingSource;
use crate::num::{Fixed, Number, Usd};
use crate::rates::{Component, Factors, Price, PriceOrigin, RatePlace, Unit, units};
use crate::words::words;

/// A line as a cost keeps it. Its amount is calculated when it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed {
    /// [`Price::NONE`] if there is no price.
    pub(super) price: Price,
    /// The quantity, with [`Component::decimals`].
    pub(super) digits: u64,
    pub(super) what: What,
}

/// The component of a line, and the way in which its amount is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct What {
    pub(super) component: Component,
    pub(super) how: How,
    pub(super) is_priced: bool,
}

/// The way from a price to an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The price, times the multipliers of the call.
    Multiplied,
    /// Half of the price, times the multipliers of the call.
    Halved,
    /// The price, times the multiplier that the caller set.
    Plain,
    /// A share of the amount that the provider states.
    Stated,
    /// Nothing: the quantity is not known.
    Uncounted,
}

impl Packed {
    #[inline]
    fn price(&self) -> Option<&Price> {
        self.what.is_priced.then_some(&self.price)
    }

    #[inline]
    pub(super) fn is_stated(&self) -> bool {
        self.what.how == How::Stated
    }

    #[inline]
    fn quantity(&self) -> Fixed {
        Fixed::new(self.digits, self.what.component.decimals())
    }

    /// Returns the amount, or `None` beyond the range of [`Usd`].
    #[inline]
    pub(super) fn amount(&self, factors: &Factors) -> Option<Usd> {
        line_units(self.price(), self.quantity(), self.what.how, factors).and_then(Usd::from_unsigned)
    }

    /// Returns the rate that is billed: half of the price if that is halved.
    #[inline]
    fn rate(&self) -> Option<Usd> {
        let price = self.price()?.rate();
        match self.what.how {
            How::Halved => units(Fixed::ONE, price, &Factors::ONE, true).and_then(Usd::from_unsigned),
            How::Multiplied | How::Plain | How::Stated | How::Uncounted => price.usd(),
        }
    }
}

/// Returns the amount of a line in 10^-28 dollars, which is zero if there is no price. Returns
/// `None` if the amount is far beyond the range of [`Usd`].
#[inline]
pub(super) fn line_units(
    price: Option<&Price>,
    quantity: Fixed,
    how: How,
    factors: &Factors,
) -> Option<u128> {
    let Some(price) = price else { return Some(0) };
    match how {
        How::Multiplied | How::Halved => units(quantity, price.rate(), factors, how == How::Halved),
        How::Plain | How::Stated | How::Uncounted => {
            units(quantity, price.rate(), &factors.of_all_lines(), false)
        }
    }
}

/// The basis of the amount of a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Basis {
    /// The map has a rate: the amount is quantity x rate x multiplier.
    Rate,
    /// The provider stated what it charged: the amount is a share of that.
    Stated,
    /// No rate is known: the amount is zero, and the bill is not complete.
    Unpriced,
    /// The model is billed for the component, and the call does not count it: quantity and amount are
    /// zero, and the bill is not complete.
    Uncounted,
    /// The operator configured a discount or a margin: the amount is the share that is the line's
    /// multiplier of what stands before it, plus the fixed amount that is its rate.
    Adjustment,
    /// The caller set the amount: see [`Charge`](super::Charge).
    Charge,
}

words! {
    Basis is a "basis of an amount":
    Rate = "rate",
    Stated = "stated",
    Unpriced = "unpriced",
    Uncounted = "uncounted",
    Adjustment = "adjustment",
    Charge = "charge",
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One component of a bill: `amount = quantity x rate x multiplier`, rounded once, half to even, if
/// that needs more than 28 decimals.
///
/// A line serialises as a [`LineRecord`](super::LineRecord), which can be read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line<'a> {
    /// The key of the entry that prices the line: [`Cost::key`](super::Cost::key), or that of
    /// another model that the same response used.
    pub key: &'a str,
    /// The component that was used.
    pub component: Component,
    /// The name of a caller's charge; the scope of a discount or a margin, such as `openai`. `None` for
    /// the lines that the map prices.
    pub name: Option<&'a str>,
    /// The quantity, in [`Component::unit`]s. It is whole unless the unit is seconds.
    pub quantity: Number,
    /// The rate, in US dollars per unit. `None` if the map has none or the provider stated the
    /// amount.
    pub rate: Option<Usd>,
    /// The product of the multipliers of regions, geos and speeds, and of the caller's own; 1 for most
    /// calls.
    pub multiplier: Number,
    /// The amount, in US dollars; zero if there is no rate.
    pub amount: Usd,
    /// The basis of the amount.
    pub basis: Basis,
    /// The place in the map that the rate is from. `None` if there is no rate.
    pub source: Option<RateSource>,
    /// The source of the rate: the map, or prices that lie over it.
    pub pricing_source: PricingSource,
    /// The multiplier that the terms of the call set, which is part of `multiplier`.
    pub(crate) terms_multiplier: Number,
}

impl<'a> Line<'a> {
    #[inline]
    pub(super) fn new(
        key: &'a str,
        packed: &Packed,
        factors: &Factors,
        amount: Usd,
        pricing_source: PricingSource,
    ) -> Self {
        let What { component, how, .. } = packed.what;
        let quantity = packed.quantity();
        Self {
            key,
            component,
            name: None,
            quantity: quantity.number(),
            rate: packed.rate(),
            multiplier: match how {
                How::Multiplied | How::Halved => factors.number(),
                How::Plain | How::Stated | How::Uncounted => factors.of_all_lines().number(),
            },
            amount,
            basis: match (how, packed.price()) {
                (How::Stated, _) => Basis::Stated,
                (How::Uncounted, _) => Basis::Uncounted,
                (_, Some(_)) => Basis::Rate,
                (_, None) => Basis::Unpriced,
            },
            source: packed.price().map(|price| RateSource {
                from: price.origin(),
                halved: how == How::Halved,
                component,
            }),
            pricing_source,
            terms_multiplier: factors.of_all_lines().number(),
        }
    }

    /// Returns the unit of the quantity.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.component.unit()
    }

    /// `margin = 0.081 (10% + 0.001 by global)`.
    fn fmt_adjustment(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} (", self.component, self.amount)?;
        if !self.multiplier.is_zero() || self.rate.is_none() {
            write!(f, "{}%", self.multiplier.checked_mul(Number::from(100)).unwrap_or(self.multiplier))?;
        }
        if let Some(fixed) = self.rate {
            write!(f, "{}{fixed}", if self.multiplier.is_zero() { "" } else { " + " })?;
        }
        write!(f, " by {})", self.name.unwrap_or_default())
    }

    /// Returns whether the amount is not known, so that the bill is not complete: the map has no rate
    /// for the component, or the call does not count it.
    #[must_use]
    pub fn is_unpriced(&self) -> bool {
        matches!(self.basis, Basis::Unpriced | Basis::Uncounted)
    }
}

/// `1200 tokens of cache_read x 0.0000003 = 0.00036 (cache_read_input_token_cost)`.
impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.basis {
            Basis::Uncounted => return write!(f, "{} of {}: not counted", self.unit(), self.component),
            Basis::Adjustment => return self.fmt_adjustment(f),
            Basis::Charge => {
                let name = self.name.unwrap_or_default();
                return write!(f, "{} {name} = {}", self.component, self.amount);
            }
            Basis::Rate | Basis::Stated | Basis::Unpriced => {}
        }
        write!(f, "{} {} of {}", self.quantity, self.unit(), self.component)?;
        match (self.rate, self.source) {
            (Some(rate), Some(source)) => {
                write!(f, " x {rate}")?;
                if self.multiplier != Number::ONE {
                    write!(f, " x {}", self.multiplier)?;
                }
                write!(f, " = {} ({source})", self.amount)
            }
            _ if self.basis == Basis::Stated => write!(f, " = {} (stated by the provider)", self.amount),
            _ => f.write_str(": no price"),
        }
    }
}

/// The place in the map that a rate is from: its field, and the rules that led to it.
///
/// It serialises as a [`SourceRecord`](super::SourceRecord).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RateSource {
    from: PriceOrigin,
    halved: bool,
    component: Component,
}

impl RateSource {
    /// Returns the name of the field that holds the rate, such as
    /// `input_cost_per_token_above_200k_tokens_priority`. The rate of a line is that of one unit, also
    /// where the field holds the price of a thousand.
    #[must_use]
    pub fn field(&self) -> String {
        self.from.field().to_string()
    }

    /// Returns the part of the entry that holds the field.
    #[must_use]
    pub fn place(&self) -> RatePlace {
        self.from.place()
    }

    /// Returns the service tier of the rate, or `batches`; `None` for a standard rate.
    #[must_use]
    pub fn tier(&self) -> Option<&'static str> {
        self.from.field().tier.suffix().strip_prefix('_')
    }

    /// Returns the threshold, in prompt tokens. The rate applies above it; for xAI, at it as well.
    #[must_use]
    pub fn threshold(&self) -> Option<u64> {
        Some(self.from.field().threshold()).filter(|above| *above > 0).map(u64::from)
    }

    /// Returns the component's own field, if the entry lacks it and another field's rate stands in.
    #[must_use]
    pub fn fallback_for(&self) -> Option<&'static str> {
        let own = self.component.own_base()?;
        let base = self.from.field().base;
        (base != own).then(|| own.name())
    }

    /// Returns whether the rate is half of the field's value: that of a batch without batch rates,
    /// or that of a cache read at Fireworks.
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
        f.write_str(match self.from.place() {
            RatePlace::Entry => "",
            RatePlace::TieredPricing => "tiered_pricing.",
            RatePlace::OffPeakPricing => "off_peak_pricing.",
            RatePlace::BatchDiscount => "the batch discount of cache writes on ",
            RatePlace::Default => "LiteLLM's default of ",
        })?;
        write!(f, "{}", self.from.field())?;
        match self.fallback_for() {
            Some(own) => write!(f, ", since there is no {own}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for RateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateSource({self})")
    }
}
