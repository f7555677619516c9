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

/// Returns the provider of a kind of its models, where the map tells kinds apart by the name of the
/// provider: `vertex_ai` of `vertex_ai-language-models`. Returns `None` for all others.
pub(crate) fn provider_of_kind(kind: &str) -> Option<&'static str> {
    ["vertex_ai", "fireworks_ai", "bedrock"].into_iter().find(|own| {
        let rest = kind.strip_prefix(own).unwrap_or_default();
        rest.starts_with('-') || matches!(rest, "_beta" | "_converse")
    })
}

/// The provider of an entry, as far as the prices of tools depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolProvider {
    /// OpenAI and all others: each search of the web that a response of OpenAI's Responses shows is
    /// billed, else one for all, at the price of the context size that was asked for.
    Other,
    /// As [`Other`](Self::Other), with storage in the place of searches of files.
    Azure,
    /// Anthropic's models, also on Vertex AI, and models on Azure AI: each search is billed, at the price
    /// of the medium context size.
    Anthropic,
    /// Gemini: each query or prompt is billed.
    Google,
    /// As [`Anthropic`](Self::Anthropic), and each page that was opened is billed.
    Groq,
    /// Each search is billed, at the first price of a context size.
    Xai,
    /// Each search is output, at the price of the low context size.
    Perplexity,
}

impl ToolProvider {
    /// Classifies the provider that an entry names.
    pub(crate) fn of(provider: Option<&str>) -> Self {
        match provider.unwrap_or("") {
            "azure" => Self::Azure,
            "anthropic" | "azure_ai" | "vertex_ai-anthropic_models" => Self::Anthropic,
            "gemini" => Self::Google,
            "groq" => Self::Groq,
            "xai" => Self::Xai,
            "perplexity" => Self::Perplexity,
            other if other.starts_with("vertex_ai") => Self::Google,
            _ => Self::Other,
        }
    }
}
