//! Providers with price rules of their own.

/// The provider of a call, as far as price rules depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleProvider {
    /// A provider that no rule depends on.
    Other,
    Xai,
    FireworksAi,
    VertexAi,
}

impl RuleProvider {
    /// Classifies the given provider, or else the first segment of a name with a `/`.
    pub(crate) fn of(provider: Option<&str>, name: &str) -> Self {
        match provider.or_else(|| name.split_once('/').map(|(first, _)| first)) {
            Some("xai") => Self::Xai,
            Some("fireworks_ai") => Self::FireworksAi,
            Some("vertex_ai") => Self::VertexAi,
            _ => Self::Other,
        }
    }
}
