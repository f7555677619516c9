//! The common call: text alone, by an entry whose rates hang on nothing but the tier and the length of the prompt.
//!
//! It is the general calculation with everything left out that does not apply; a test holds the two against each other.

use super::lines::Lines;
use super::{CostRequest, Note, Notes, tokens};
use crate::catalog::EntryRef;
use crate::catalog::field::Tier;
use crate::rates::text::{Band, Position, TextRates};
use crate::usd::Usd;

/// Such a call: the rates of its entry, its band, and its counts.
pub(super) struct TextCall<'a> {
    rates: &'a TextRates,
    band: &'a Band,
    position: Position,
    counts: [u64; 5],
    knows_tier: bool,
}

impl<'a> TextCall<'a> {
    /// `None` where a call is no such one.
    #[inline]
    pub(super) fn of(entry: EntryRef<'a>, request: &CostRequest<'_>) -> Option<Self> {
        let rates = entry.text_rates()?;
        if !(request.is_plain() && tokens::is_plain(request.usage)) {
            return None;
        }
        let (tier, unknown) = if request.has_tier() { request.billed_tier() } else { (Tier::Standard, None) };
        let (band, position) = rates.pick(tier, request.usage.prompt_tokens)?;
        let counts = tokens::text(request.usage);
        Some(Self { rates, band, position, counts, knows_tier: unknown.is_none() })
    }

    /// What went in, and what came out. `None` where an amount is beyond the range of money.
    #[inline]
    pub(super) fn sums(&self) -> Option<[Usd; 2]> {
        let [input, output] = self.band.sums(self.counts)?;
        Some([usd(input)?, usd(output)?])
    }

    /// The lines of what was used.
    #[inline]
    pub(super) fn lines(&self) -> Option<Lines> {
        Some(Lines::text(*self.band, *self.rates.from(self.position)?, self.counts))
    }

    #[inline]
    pub(super) fn notes(&self) -> Notes {
        let mut notes = Notes::NONE;
        if !self.knows_tier {
            notes.add(Note::UnknownServiceTier);
        }
        if self.band.displaces_tier {
            notes.add(Note::StandardRateAboveThreshold);
        }
        notes
    }
}

/// What such a call costs in all. `None` where it is none, or where the sum is beyond the range of money.
#[inline]
pub(crate) fn total(entry: EntryRef<'_>, request: &CostRequest<'_>) -> Option<Usd> {
    let call = TextCall::of(entry, request)?;
    usd(call.band.total(call.counts)?)
}

#[inline]
fn usd(units: u128) -> Option<Usd> {
    i128::try_from(units).ok().and_then(Usd::from_units)
}
