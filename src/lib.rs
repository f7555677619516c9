//! What a call to a language model costs, to the last digit, inside your own process.
//!
//! A [`CostMap`] holds LiteLLM's public model map: prices, context windows and abilities of over 4,500 models.
//! It prices calls from any number of threads, without a lock, while a newer map is swapped in.
//!
//! ```
//! # #[cfg(feature = "bundled")] {
//! use llm_costmap::{CostMap, CostRequest, Usage};
//!
//! let map = CostMap::bundled();
//! let usage = Usage::new(1_000, 500);
//! let cost = map.cost(&CostRequest::new("gpt-4o", &usage))?;
//! println!("{} = {} in + {} out", cost.total(), cost.input(), cost.output());
//! # assert_eq!(cost.total().to_string(), "0.0075");
//! # }
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! # The way through
//!
//! 1. **A map.** [`CostMap::bundled`], [`CostMap::from_env`], [`CostMap::from_file`], [`CostMap::from_json`], or
//!    [`CostMap::builder`]. The operator's own models go over it with [`CostMap::register_model`], and stay there
//!    when it is reloaded.
//! 2. **A usage.** [`Usage`] has LiteLLM's names and reads what OpenAI-compatible providers write.
//! 3. **A request.** [`CostRequest`] joins the two with what else decides a price: the provider, the service
//!    tier, whether it was a batch, regions, the time.
//! 4. **A cost.** [`Cost`] has the total, and [lines](Cost::lines) that say what was used, what one costs, and where
//!    in the map that [stands](RateSource). Its `Display` is a receipt.
//!
//! All prices are US dollars per unit, and all amounts are [`Usd`]: exact decimals, never floats.
//!
//! # Any name
//!
//! A [`Lookup`] is a name and perhaps a provider; a plain `&str` will do. [`Snapshot::resolve`] finds the model under any name
//! that its users write and says how it was [found](FoundBy); [`Snapshot::explain`] lists the
//! [candidates](Candidate) and why each was passed over; [`Lookup::strict`] accepts nothing but keys and aliases. [`ModelInfo`] is
//! what is known of a model: limits, prices, abilities, and any other field of the map.
//!
//! # Models of your own
//!
//! [`CostMap::register_model`] lays fields over a model, or adds one; [`ModelInfo::field_origin`] says whose a field is. A
//! [`Deployment`] is a model as an operator serves it, with prices of its own: [`CostMap::set_deployments`] takes a whole list,
//! [`CostMap::deployment_cost`] prices by id or name, and [`Snapshot::model_info`] shows all as LiteLLM's `GET /model/info`
//! does. Both outlive every reload. No secret is ever shown.
//!
//! # Absent is not zero
//!
//! An unknown model is an [`Error::UnknownModel`]. A known model that used something which the map has no price for gives
//! a cost that is [not complete](Cost::is_complete): its total is too low, and
//! [`Cost::require_complete`] turns it into an error. A price of zero is a price: free.
//!
//! # Generations
//!
//! Every swap makes a new [`Snapshot`]. [`CostMap::cost`] loads the live one once, so that a cost never mixes two
//! generations; [`CostMap::snapshot`] pins one for as long as it is kept:
//!
//! ```
//! use llm_costmap::{CostMap, CostRequest, Usage};
//!
//! let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
//! let usage = Usage::new(1_000_000, 0);
//! let pinned = map.snapshot();
//! map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
//!
//! assert_eq!(map.cost(&CostRequest::new("m", &usage))?.total().to_string(), "2");
//! assert_eq!(pinned.cost(&CostRequest::new("m", &usage))?.total().to_string(), "1");
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! [`CostMap::generation`] says later which file the prices of a [`Cost::generation`] came from.
//!
//! # The fast ways
//!
//! No price waits for anything, and none allocates; some ways do less all the same. [`CostMap::total`] leaves out the lines, for budgets and limits. A pinned
//! [`Snapshot`] saves loading the live one for each call. [`Snapshot::resolve`] looks a model up once, and [`Resolved::total`] and
//! [`Resolved::cost`] price calls to it without another lookup. A name that is a key is the fastest. Other names are remembered once they were
//! priced by, some two thousand of them in a snapshot, and so are names that are unknown.
//!
//! # Reloads
//!
//! A map that was [built](CostMapBuilder) with a source is reloaded by [`CostMap::reload`], or in the background by
//! [`CostMap::schedule_reload`]: from a file, a URL, or a [`Source`] of one's own. What is fetched is checked before it is swapped in; what
//! fails or is refused leaves the map as it was. The [`ReloadReport`] says what changed; [`CostMap::status`] and
//! [`CostMap::source_info`] how it is going. [`CostMapBuilder::cache_dir`] keeps the last good map for the next start.
//!
//! # Features
//!
//! - `bundled` (default): the public map inside the binary, and [`CostMap::bundled`].
//! - `http` (default): maps behind a URL, and [`HttpSource`].
//! - `yaml`: `Deployment::list_from_yaml`, for a `config.yaml`. It needs Rust 1.89.

#![cfg_attr(not(all(feature = "bundled", feature = "http")), allow(rustdoc::broken_intra_doc_links))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod builder;
mod catalog;
mod cost;
mod decimal;
mod deployment;
mod diff;
mod error;
mod files;
mod jitter;
mod json;
mod live;
mod map;
mod model_info;
mod overlay;
mod panics;
mod rates;
mod redact;
mod reload;
mod resolve;
mod snapshot;
mod source;
mod sync;
mod text;
mod time;
mod usage;
mod usd;
mod version;

pub use builder::CostMapBuilder;

#[cfg(feature = "bundled")]
pub use catalog::bundled::{BUNDLED, BundledCatalog};
pub use catalog::{SetAside, UnpricedField, Warning};
pub use cost::{Cost, CostRequest, Line, Note, Quantity, RateSource};
pub use deployment::Deployment;
pub use diff::{Diff, Repriced};
pub use error::{Error, UnknownModel};
pub use map::CostMap;
pub use model_info::{FieldOrigin, ModelInfo};
pub use rates::{Component, Unit};
pub use reload::status::{ReloadOutcome, ReloadReport, ScheduleStatus, SourceInfo};
pub use resolve::{Candidate, Explanation, FoundBy, Lookup, Match, Outcome, Step};
pub use snapshot::{ModelInfoList, Resolved, Snapshot};
#[cfg(feature = "http")]
pub use source::HttpSource;
pub use source::{Fetched, Source, Validators};
pub use usage::{
    CacheCreationTokenDetails, CachedTokensDetails, CompletionTokensDetails, PromptTokensDetails, Usage,
};
pub use usd::{ParseUsdError, Usd};
pub use version::Generation;

/// The examples of the README, run as tests.
#[cfg(all(doctest, feature = "bundled"))]
#[doc = include_str!("../README.md")]
struct Readme;
