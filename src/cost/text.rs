//! The common call: text alone, by an entry whose rates hang on nothing but the tier and the length of the prompt.
//!
//! It is the general calculation with everything left out that does not apply; a test holds the two against each other.

use super::lines::Lines;
use super::price::is_asked;
use super::{CostRequest, Note, Notes, tokens};
use crate::catalog::EntryRef;
use crate::rates::RuleProvider;
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
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "handed back through memory, a call is waited for")]
    pub(super) fn of(
        entry: EntryRef<'a>,
        provider: Option<RuleProvider>,
        request: &CostRequest<'_>,
    ) -> Option<Self> {
        let rates = entry.text_rates()?;
        if !(request.is_plain() && tokens::is_plain(request.usage)) {
            return None;
        }
        let (tier, knows_tier) = request.billed_tier();
        let (band, position) = rates.pick(tier, request.usage.prompt_tokens)?;
        if band.halves_reads && !is_asked(RuleProvider::FireworksAi, provider, request) {
            return None;
        }
        let counts = tokens::text(request.usage);
        Some(Self { rates, band, position, counts, knows_tier })
    }

    /// `None` where an amount is beyond the range of money.
    #[inline]
    pub(super) fn bill(&self) -> Option<Bill> {
        let [input, output] = self.band.sums(self.counts)?;
        let (input, output) = (Usd::from_unsigned(input)?, Usd::from_unsigned(output)?);
        Some(Bill {
            input,
            output,
            total: input.checked_add(output)?,
            notes: self.notes(),
            lines: Lines::text(*self.band, *self.rates.from(self.position)?, self.counts),
        })
    }

    #[inline]
    fn notes(&self) -> Notes {
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

/// What such a call costs.
pub(super) struct Bill {
    pub(super) input: Usd,
    pub(super) output: Usd,
    pub(super) total: Usd,
    pub(super) notes: Notes,
    pub(super) lines: Lines,
}

/// What such a call costs in all. `None` where it is none, or where the sum is beyond the range of money.
#[inline(always)]
#[allow(clippy::inline_always, reason = "handed back through memory, an amount is waited for")]
pub(crate) fn total(
    entry: EntryRef<'_>,
    provider: Option<RuleProvider>,
    request: &CostRequest<'_>,
) -> Option<Usd> {
    let call = TextCall::of(entry, provider, request)?;
    Usd::from_unsigned(call.band.total(call.counts)?)
}
