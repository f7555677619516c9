//! [`Note`]: remarks on how a bill was made.

use std::fmt;

use crate::words::words;

/// A remark on how a call was priced, for the readers of its bill.
///
/// Its `Display` is a sentence; [`as_str`](Self::as_str) is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Note {
    /// The requested service tier is unknown: the call is priced as standard.
    UnknownServiceTier,
    /// The data residency is unknown: the call is priced without an uplift.
    UnknownDataResidency,
    /// A standard rate above a threshold replaced the rate of the service tier, since the entry has
    /// none of the tier above the threshold. LiteLLM does the same.
    StandardRateAboveThreshold,
    /// The total is the amount that the provider states.
    StatedByProvider,
    /// The map has no entry for the model, which runs on the caller's own machines: the call is
    /// free.
    SelfHosted,
    /// A count of the usage is the program's estimate: see
    /// [`Usage::set_estimate`](crate::Usage::set_estimate).
    EstimatedCounts,
    /// The usage has no number of prompt tokens, which are priced as none.
    MissingPromptTokens,
    /// The response was cut before its number of completion tokens, which are priced as none.
    MissingCompletionTokens,
    /// The response names a service tier that is unknown: the call is priced by the one that was
    /// asked for.
    UnknownServedTier,
    /// The counts contradict each other, such as 5,000 cached tokens of a prompt of 100.
    InconsistentCounts,
    /// The counts do not add up to the total that the provider reports.
    TotalDoesNotAddUp,
    /// The provider states an amount, and is not [trusted](crate::CostMapBuilder::trust_stated_costs)
    /// with it: the call is priced by the map.
    StatedNotTrusted,
    /// The amount that the provider states and the amount by the map's rates differ by more than a
    /// tenth.
    StatedDiffers,
    /// The model left the map: the call is priced by its last prices. See
    /// [`CostMapBuilder::retired`](crate::CostMapBuilder::retired).
    Retired,
}

words! {
    Note is a "note":
    UnknownServiceTier = "unknown_service_tier",
    UnknownDataResidency = "unknown_data_residency",
    StandardRateAboveThreshold = "standard_rate_above_threshold",
    StatedByProvider = "stated_by_provider",
    SelfHosted = "self_hosted",
    EstimatedCounts = "estimated_counts",
    MissingPromptTokens = "missing_prompt_tokens",
    MissingCompletionTokens = "missing_completion_tokens",
    UnknownServedTier = "unknown_served_tier",
    InconsistentCounts = "inconsistent_counts",
    TotalDoesNotAddUp = "total_does_not_add_up",
    StatedNotTrusted = "stated_not_trusted",
    StatedDiffers = "stated_differs",
    Retired = "retired",
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownServiceTier => "the service tier is unknown; priced as standard",
            Self::UnknownDataResidency => "the data residency is unknown; priced without an uplift",
            Self::StandardRateAboveThreshold => {
                "the entry has no rate of the tier above the threshold; the standard one is billed"
            }
            Self::StatedByProvider => "the total is the amount that the provider states",
            Self::SelfHosted => "the map has no entry; the model is self-hosted, so the call is free",
            Self::EstimatedCounts => "counts of the usage are estimates",
            Self::MissingPromptTokens => "the usage has no number of prompt tokens",
            Self::MissingCompletionTokens => "the response was cut before its number of completion tokens",
            Self::UnknownServedTier => "the service tier of the response is unknown; priced as asked",
            Self::InconsistentCounts => "the counts of the usage contradict each other",
            Self::TotalDoesNotAddUp => "the counts do not add up to the total that the provider reports",
            Self::StatedNotTrusted => {
                "the provider states an amount, and is not trusted with it; priced by the map"
            }
            Self::StatedDiffers => {
                "the amount that the provider states differs by more than a tenth from the map's rates"
            }
            Self::Retired => "the model left the map; priced by its last prices",
        })
    }
}

/// A set of notes: one bit each, from the least on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoteSet(u16);

impl NoteSet {
    pub(super) const NONE: Self = Self(0);

    /// The bit of a bill that a price set made. This and the next one are no notes: they stand here
    /// because fields of their own are measurable in all bills.
    pub(super) const OF_PRICE_SET: Self = Self(1 << 14);

    /// The bit of a bill that a deployment's own prices made.
    pub(super) const OF_DEPLOYMENT: Self = Self(1 << 15);

    /// Sets a bit that is no note.
    pub(super) fn mark(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    pub(super) fn is(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    /// Returns the notes without the bits that are none.
    pub(super) fn only_notes(self) -> Self {
        Self(self.0 & !(Self::OF_PRICE_SET.0 | Self::OF_DEPLOYMENT.0))
    }

    pub(super) fn add(&mut self, note: Note) {
        self.0 |= 1 << note as u8;
    }

    pub(super) fn add_all(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn has(self, note: Note) -> bool {
        self.0 & (1 << note as u8) != 0
    }
}
