//! The providers whose prices follow rules of their own.

/// Which provider a call is to, as far as a rule of prices depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleProvider {
    /// No rule depends on it.
    Other,
    Xai,
    FireworksAi,
    VertexAi,
}

impl RuleProvider {
    /// Reads the provider asked for or inferred, or else the segment that the name begins with.
    pub(crate) fn of(provider: Option<&str>, name: &str) -> Self {
        match provider.or_else(|| name.split_once('/').map(|(first, _)| first)) {
            Some("xai") => Self::Xai,
            Some("fireworks_ai") => Self::FireworksAi,
            Some("vertex_ai") => Self::VertexAi,
            _ => Self::Other,
        }
    }
}
