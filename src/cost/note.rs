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
}

words! {
    Note is a "note":
    UnknownServiceTier = "unknown_service_tier",
    UnknownDataResidency = "unknown_data_residency",
    StandardRateAboveThreshold = "standard_rate_above_threshold",
    StatedByProvider = "stated_by_provider",
    SelfHosted = "self_hosted",
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
        })
    }
}

/// A set of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoteSet(u8);

impl NoteSet {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn add(&mut self, note: Note) {
        self.0 |= 1 << note as u8;
    }

    pub(super) fn has(self, note: Note) -> bool {
        self.0 & (1 << note as u8) != 0
    }
}
