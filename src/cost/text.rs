//! The common call: text alone, by an entry whose rates hang on nothing but the tier and the length of the prompt.
//!
//! It is the general calculation with everything left out that does not apply; a test holds the two against each other.

use super::line::How;
use super::{Cost, CostRequest, Note, tokens};
use crate::catalog::field::Tier;
use crate::rates::{Band, RateSet, TextRates};
use crate::usd::Usd;

/// Such a call: its band, the rates of that, and its counts.
pub(super) struct TextCall<'a> {
    band: &'a Band,
    rates: &'a TextRates,
    counts: [u64; 5],
    knows_tier: bool,
}

impl<'a> TextCall<'a> {
    /// `None` where a call is no such one.
    #[inline]
    pub(super) fn of(rates: &'a RateSet, request: &CostRequest<'_>) -> Option<Self> {
        if !(rates.is_plain() && request.is_plain() && tokens::is_plain(request.usage)) {
            return None;
        }
        let (tier, unknown) = if request.has_tier() { request.billed_tier() } else { (Tier::Standard, None) };
        let band = rates.plain_band(tier, request.usage.prompt_tokens)?;
        let counts = tokens::text(request.usage);
        Some(Self { band, rates: band.text()?, counts, knows_tier: unknown.is_none() })
    }
}

/// What such a call costs in all. `None` where it is none, or where the sum leaves the range of money.
#[inline]
pub(crate) fn total(rates: &RateSet, request: &CostRequest<'_>) -> Option<Usd> {
    let call = TextCall::of(rates, request).filter(|_| request.usage.cost.is_none())?;
    Usd::from_units(i128::try_from(call.rates.total(call.counts)?).ok()?)
}

impl Cost {
    /// Makes the bill of such a call. `None` where an amount overflows.
    #[inline]
    pub(super) fn fill_text(&mut self, call: &TextCall<'_>) -> Option<()> {
        if !call.knows_tier {
            self.notes.add(Note::UnknownServiceTier);
        }
        if call.band.displaces_tier {
            self.notes.add(Note::StandardRateAboveThreshold);
        }
        for ((component, price), count) in
            TextRates::COMPONENTS.into_iter().zip(call.rates.prices()).zip(call.counts)
        {
            if count > 0 {
                self.lines.push(Some(&price), count, component, How::Multiplied)?;
            }
        }
        let [input, output] = call.rates.sums(call.counts)?;
        self.set_sums(input, output)
    }
}
