//! [`InvalidTerms`]: the error of terms that no call can be priced by.

/// The error of a discount, a margin, a price set or a multiplier that no call can be priced by.
///
/// It converts to an [`Error::InvalidTerms`](crate::Error::InvalidTerms).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct InvalidTerms {
    place: String,
    reason: String,
}

impl InvalidTerms {
    pub(crate) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }

    /// Returns the place of what is wrong, such as `cost_margin_config.openai.percentage`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
