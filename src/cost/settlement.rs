//! [`Settlement`]: what follows on a bill after the prices of the map: a discount, a margin, and the
//! caller's own charges.

use std::sync::Arc;

use super::adjustments::{Adjustment, CallAdjustments, Rule};
use super::{Basis, Charge, Cost, Line, PricingSource};
use crate::num::{Number, Usd};
use crate::rates::Component;

/// The amounts of a bill behind those of the map, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    /// The sum of the lines before these.
    pub(super) original: Usd,
    pub(super) discount: Option<Applied>,
    pub(super) margin: Option<Applied>,
    pub(super) charges: Vec<Charge>,
    pub(super) is_prepaid: bool,
}

/// A discount or a margin of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    scope: Arc<str>,
    pub(super) adjustment: Adjustment,
    /// Not negative, for a discount either.
    pub(super) amount: Usd,
}

impl Applied {
    fn of(rule: Option<&Rule>, amount: Usd) -> Option<Self> {
        let Rule { scope, adjustment, .. } = rule?;
        Some(Self { scope: scope.clone(), adjustment: *adjustment, amount })
    }

    fn line<'a>(&'a self, key: &'a str, component: Component) -> Line<'a> {
        let Adjustment { share, fixed_amount } = self.adjustment;
        // A discount within the range has a negative within the range.
        let amount = match component {
            Component::Discount => Usd::ZERO.checked_sub(self.amount).unwrap_or(Usd::ZERO),
            _ => self.amount,
        };
        Line {
            key,
            component,
            name: Some(&self.scope),
            quantity: Number::ONE,
            rate: Some(fixed_amount).filter(|fixed| !fixed.is_zero()),
            multiplier: share.number(),
            amount,
            basis: Basis::Adjustment,
            source: None,
            pricing_source: PricingSource::CostMap,
            terms_multiplier: Number::ONE,
        }
    }
}

impl Settlement {
    fn of(original: Usd) -> Self {
        Self { original, discount: None, margin: None, charges: Vec::new(), is_prepaid: false }
    }

    /// Returns the number of lines.
    pub(super) fn len(&self) -> usize {
        usize::from(self.discount.is_some()) + usize::from(self.margin.is_some()) + self.charges.len()
    }

    /// Returns the line at a position.
    pub(super) fn line<'a>(&'a self, key: &'a str, position: usize) -> Option<Line<'a>> {
        let adjustments = [(&self.discount, Component::Discount), (&self.margin, Component::Margin)];
        let adjustments = adjustments.into_iter().filter_map(|(applied, of)| Some((applied.as_ref()?, of)));
        let before = adjustments.clone().count();
        match position.checked_sub(before) {
            None => adjustments.map(|(applied, component)| applied.line(key, component)).nth(position),
            Some(position) => self.charges.get(position).map(|charge| charge.line(key)),
        }
    }
}

impl Charge {
    fn line<'a>(&'a self, key: &'a str) -> Line<'a> {
        Line {
            key,
            component: self.component,
            name: Some(&self.name),
            quantity: Number::ONE,
            rate: None,
            multiplier: Number::ONE,
            amount: self.amount,
            basis: Basis::Charge,
            source: None,
            pricing_source: PricingSource::CostMap,
            terms_multiplier: Number::ONE,
        }
    }
}

impl Cost {
    pub(super) fn settlement(&self) -> Option<&Settlement> {
        self.extra.as_ref()?.rest.settlement.as_ref()
    }

    fn settlement_mut(&mut self) -> &mut Settlement {
        let original = self.total;
        let extra = self.extra.get_or_insert_default();
        Arc::make_mut(&mut extra.rest).settlement.get_or_insert_with(|| Settlement::of(original))
    }

    /// Adds a discount and a margin. Returns `None` if a sum is beyond the range of [`Usd`].
    pub(crate) fn adjust(&mut self, adjustments: CallAdjustments<'_>) -> Option<()> {
        let CallAdjustments { discount, margin } = adjustments;
        if discount.is_none() && margin.is_none() {
            return Some(());
        }
        let (less, more) = adjustments.amounts(self.total)?;
        let total = self.total.checked_sub(less)?.checked_add(more)?;
        let settlement = self.settlement_mut();
        settlement.discount = Applied::of(discount, less);
        settlement.margin = Applied::of(margin, more);
        self.total = total;
        Some(())
    }

    /// Marks the call as one that was paid for in advance.
    pub(crate) fn set_prepaid(&mut self) {
        self.settlement_mut().is_prepaid = true;
    }

    /// Adds a charge of the caller's. Returns `None` if the sum is beyond the range of [`Usd`].
    pub(crate) fn push_charge(&mut self, charge: Charge) -> Option<()> {
        let total = self.total.checked_add(charge.amount)?;
        self.settlement_mut().charges.push(charge);
        self.total = total;
        Some(())
    }

    /// Returns the sum of the lines that the map prices, in US dollars: the [total](Self::total) before
    /// the discount, the margin and the caller's charges.
    #[must_use]
    pub fn original(&self) -> Usd {
        self.settlement().map_or(self.total, |settlement| settlement.original)
    }

    /// Returns the discount, in US dollars: the amount by which it lowers the total, which is not
    /// negative.
    #[must_use]
    pub fn discount(&self) -> Usd {
        let discount = self.settlement().and_then(|settlement| settlement.discount.as_ref());
        discount.map_or(Usd::ZERO, |applied| applied.amount)
    }

    /// Returns the margin, in US dollars.
    #[must_use]
    pub fn margin(&self) -> Usd {
        let margin = self.settlement().and_then(|settlement| settlement.margin.as_ref());
        margin.map_or(Usd::ZERO, |applied| applied.amount)
    }

    /// Returns the sum of the caller's [charges](Charge), in US dollars.
    #[must_use]
    pub fn charges(&self) -> Usd {
        let before =
            self.original().checked_sub(self.discount()).and_then(|less| less.checked_add(self.margin()));
        before.and_then(|before| self.total.checked_sub(before)).unwrap_or(Usd::ZERO)
    }

    /// Returns the amount that is billed for the call, in US dollars: the [total](Self::total), unless
    /// the call was [prepaid](super::Call::prepaid). Of a prepaid call, the caller's charges alone are
    /// billed, and the total tells what the call would have cost.
    #[must_use]
    pub fn billed(&self) -> Usd {
        if self.is_prepaid() { self.charges() } else { self.total }
    }

    /// Returns whether the call was paid for in advance: by a subscription, or as reserved capacity.
    #[must_use]
    pub fn is_prepaid(&self) -> bool {
        self.settlement().is_some_and(|settlement| settlement.is_prepaid)
    }
}
