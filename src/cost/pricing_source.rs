//! [`PricingSource`]: the source of the prices of a call.

use std::fmt;

use crate::words::words;

/// The source of the prices of a call, in the words of LiteLLM's accounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum PricingSource {
    /// The map, with the models that the operator registered.
    #[default]
    CostMap,
    /// A deployment's own prices, over those of the map.
    Deployment,
    /// A price set of the call, over those of the map: see [`PriceTerms`](super::PriceTerms).
    PerRequest,
    /// The provider, which stated what it charged.
    UpstreamHeader,
}

words! {
    PricingSource is a "source of prices":
    CostMap = "cost_map",
    Deployment = "deployment",
    PerRequest = "per_request",
    UpstreamHeader = "upstream_header",
}

impl fmt::Display for PricingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
