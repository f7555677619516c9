//! Lists that the naming rules need in addition to the map.

/// Providers that names begin with, but that no entry of the map has as its provider.
pub(super) const OTHER_PROVIDERS: [&str; 4] = ["litellm_proxy", "github", "nadir", "openrouter"];

/// Returns the current name of a model that has been renamed.
pub(super) fn renamed(name: &str) -> Option<&'static str> {
    Some(match name {
        "ada" => "azure/ada",
        "gpt-35-turbo" => "azure/gpt-35-turbo",
        "gpt-35-turbo-16k" => "azure/gpt-35-turbo-16k",
        "gpt-35-turbo-instruct" => "azure/gpt-35-turbo-instruct",
        "azure/gpt-41" => "gpt-4.1",
        "azure/gpt-41-mini" => "gpt-4.1-mini",
        "azure/gpt-41-nano" => "gpt-4.1-nano",
        _ => return None,
    })
}

/// The naming rules that apply to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Bedrock,
    /// The provider `bedrock_mantle`.
    Mantle,
    Fireworks,
    /// Providers whose names end in a version made of digits.
    Versioned,
    Other,
}

impl Family {
    pub(super) fn of(provider: &str) -> Self {
        match provider {
            "bedrock" | "bedrock_converse" => Self::Bedrock,
            "bedrock_mantle" => Self::Mantle,
            "fireworks_ai" => Self::Fireworks,
            "vertex_ai" | "gemini" | "databricks" => Self::Versioned,
            _ => Self::Other,
        }
    }
}

/// Prefixes of Bedrock ids that choose a route, in the order in which they are removed.
pub(super) const BEDROCK_ROUTES: [&str; 8] =
    ["bedrock/", "chat_completions/", "converse/", "invoke/", "openai/", "mantle/", "nova-2/", "nova/"];

/// Geographies of Bedrock's cross-region inference: `us.anthropic.…`.
pub(super) const BEDROCK_GEOS: [&str; 7] = ["global", "us", "eu", "apac", "jp", "au", "us-gov"];

/// Regions of Bedrock: `us-west-2/anthropic.…`.
pub(super) const BEDROCK_REGIONS: [&str; 23] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];
