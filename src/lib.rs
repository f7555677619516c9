//! What a call to a language model costs, to the last digit, inside any program.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod catalog;
mod cost;
mod decimal;
mod error;
mod families;
mod json;
mod map;
mod model_info;
mod overlay;
mod rates;
mod resolve;
mod snapshot;
mod source;
mod usage;
mod usd;

#[cfg(feature = "bundled")]
pub use catalog::bundled::{BUNDLED, BundledCatalog};
pub use catalog::{SetAside, UnpricedField, Warning};
pub use cost::{Cost, CostRequest, Line, Note, Quantity, RateSource};
pub use error::{Error, UnknownModel};
pub use map::{CostMap, CostMapBuilder, ReloadReport};
pub use model_info::ModelInfo;
pub use rates::{Component, Unit};
pub use snapshot::Snapshot;
pub use usage::{
    CacheCreationTokenDetails, CachedTokensDetails, CompletionTokensDetails, PromptTokensDetails, Usage,
};
pub use usd::{ParseUsdError, Usd};
