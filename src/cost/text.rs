//! The common call: text alone, by an entry whose rates hang on nothing but the tier and the length of the prompt.
//!
//! It is the general calculation with everything left out that does not apply; a test holds the two against each other.

use super::line::{How, Packed};
use super::{Cost, CostRequest, Note, tokens};
use crate::catalog::field::Tier;
use crate::rates::{Component, Picked, Quantity, RateSet, units};
use crate::usd::Usd;

/// Whether a call is one of these.
#[inline]
pub(super) fn is_text(rates: &RateSet, request: &CostRequest<'_>) -> bool {
    rates.is_plain() && request.is_plain() && tokens::is_plain(request.usage)
}

/// The row of such a call.
#[inline]
fn row<'a>(rates: &'a RateSet, request: &CostRequest<'_>) -> (Option<Picked<'a>>, bool) {
    let (tier, unknown) = if request.has_tier() { request.billed_tier() } else { (Tier::Standard, None) };
    (rates.plain_row(tier, request.usage.prompt_tokens), unknown.is_some())
}

/// What such a call costs in all. `None` where something has no price, or the sum leaves the range of money.
#[inline]
pub(crate) fn total(rates: &RateSet, request: &CostRequest<'_>) -> Option<Usd> {
    if !is_text(rates, request) || request.usage.cost.is_some() {
        return None;
    }
    let (picked, _) = row(rates, request);
    let row = picked?.row;
    let mut sum = 0_u128;
    for (component, count) in tokens::text(request.usage) {
        if count > 0 {
            let price = rates.price(row.cell(component))?;
            sum = sum.checked_add(units(price.rate(), count)?)?;
        }
    }
    Usd::from_units(i128::try_from(sum).ok()?)
}

impl Cost {
    /// Makes the bill of such a call. `None` where an amount overflows.
    #[inline]
    pub(super) fn fill_text(&mut self, rates: &RateSet, request: &CostRequest<'_>) -> Option<()> {
        let (picked, unknown) = row(rates, request);
        let picked = picked?;
        if unknown {
            self.notes.add(Note::UnknownServiceTier);
        }
        if picked.displaces_tier {
            self.notes.add(Note::StandardRateAboveThreshold);
        }
        let [mut input, mut output] = [0_u128; 2];
        for (component, count) in tokens::text(request.usage) {
            if count == 0 {
                continue;
            }
            let price = rates.price(picked.row.cell(component));
            match price {
                Some(price) => {
                    let side = if component < Component::Output { &mut input } else { &mut output };
                    *side = side.checked_add(units(price.rate(), count)?)?;
                }
                None => self.complete = false,
            }
            let line = Packed::new(price, Quantity::whole(count), component, How::Multiplied);
            self.lines.try_push(line).ok()?;
        }
        self.set_sums(input, output)
    }
}
