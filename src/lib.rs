//! Prices calls to language models, exactly, inside your own process.
//!
//! A [`CostMap`] holds LiteLLM's public model map: the prices, context windows and abilities of
//! over 4,500 models. It prices calls from any number of threads, without a lock, while a newer map
//! is swapped in.
//!
//! ```
//! # #[cfg(feature = "bundled")] {
//! use llm_costmap::{CostMap, Usage};
//!
//! let map = CostMap::bundled();
//! let cost = map.cost("gpt-4o", &Usage::new(1_000, 500))?;
//! println!("{} = {} in + {} out", cost.total(), cost.input(), cost.output());
//! # assert_eq!(cost.total().to_string(), "0.0075");
//! # }
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! # Overview
//!
//! 1. **A map.** [`CostMap::bundled`], [`CostMap::from_env`], [`CostMap::from_file`] and
//!    [`CostMap::from_json`] create one, and [`CostMap::builder`] one with settings.
//! 2. **A model.** A name, or a [`Lookup`]: a name with its provider.
//! 3. **A call.** A [`wire::Response`] or a [`wire::Stream`], read from a provider's bytes; a
//!    [`Usage`] of tokens; [`Units`] such as images, seconds and pages; or a [`Call`]: these with
//!    what else the price depends on, such as the service tier, a batch, a region or the time.
//! 4. **A cost.** [`Cost`] is a complete bill. It has the total, and [lines](cost::Line) with the
//!    quantity, the rate and the [place in the map](cost::RateSource) that the rate is from. Its
//!    `Display` is a receipt.
//!
//! Prices are US dollars per unit, and amounts are [`Usd`]: exact decimals, never floats.
//!
//! # How do I ...
//!
//! **... price a provider's response?** Read its bytes, of whatever format, and hand it to
//! [`CostMap::cost`]. The model that was served, the service tier and the charge that the provider
//! states are part of it:
//!
//! ```
//! # #[cfg(feature = "bundled")] {
//! use llm_costmap::{CostMap, wire::Response};
//!
//! let body = br#"{"model": "gpt-4o-2024-08-06", "choices": [], "service_tier": "default",
//!     "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}"#;
//! let response = Response::read(body)?;
//! let model = response.lookup_or("gpt-4o").provider("openai");
//! let cost = CostMap::bundled().cost(model, &response)?;
//! assert_eq!(cost.total().to_string(), "0.0075");
//! # }
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! **... price a stream?** Push its bytes into a [`wire::Stream`] as they pass. It tells the usage so
//! far at any time, and whether that is final. If the client hangs up,
//! [`wire::Stream::response_or_estimate`] completes what is missing, and the bill says so.
//!
//! **... price a call on a service tier, or in a batch?** With a [`Call`]:
//!
//! ```
//! # #[cfg(feature = "bundled")] {
//! use llm_costmap::{Call, CostMap, Lookup, ServiceTier, Usage};
//!
//! let map = CostMap::bundled();
//! let usage = Usage::new(300_000, 2_000).cached_tokens(250_000);
//! let call = Call::new(&usage).service_tier(ServiceTier::Priority);
//! let cost = map.cost(Lookup::new("gemini-2.5-pro").provider("vertex_ai"), &call)?;
//! for line in cost.lines() {
//!     println!("{} {} of {}: {}", line.quantity, line.unit(), line.component, line.amount);
//! }
//! # }
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! **... price images, audio, video, pages or searches?** Count them in [`Units`], which are a call of
//! their own, or part of one beside its tokens. A response counts those that it shows:
//!
//! ```
//! # #[cfg(feature = "bundled")] {
//! use std::time::Duration;
//!
//! use llm_costmap::{CostMap, Units};
//!
//! let map = CostMap::bundled();
//! let video = Units::new().video(Duration::from_secs(8)).video_resolution("1080p");
//! let cost = map.cost("gemini/veo-3.1-fast-generate-preview", &video)?;
//! assert_eq!(cost.total().to_string(), "0.96");
//! let speech = Units::new().input_characters(1_000);
//! assert_eq!(map.cost("tts-1", &speech)?.total().to_string(), "0.015");
//! # }
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! **... pass a stream on, with its cost?** With a [`wire::Relay`]: it adds an event with the cost where
//! clients read it, and prices a stream as well that the client breaks off.
//!
//! **... answer LiteLLM's endpoints?** With [`endpoints`]: a request in, a status and JSON out, for a server
//! of any framework. `examples/gateway` is one to copy from.
//!
//! **... keep models and schedules across restarts?** In a file of [`CostMap::write_state`], which
//! [`CostMap::read_state`] reads.
//!
//! **... bill the tools that a provider ran?** Hand over the whole [`wire::Response`]: searches, file
//! searches, containers and images are counted from its bytes. [`Cost::tools`] is their sum. What a
//! response does not show, such as the context size of a search, is set by
//! [`units_mut`](wire::Response::units_mut).
//!
//! **... add my own price?** [`CostMap::register_model`] adds a model or lays fields over one, and
//! [`CostMap::set_deployments`] takes LiteLLM's `model_list`. Both survive every reload.
//! [`ModelInfo::field_origin`] tells an operator's field from one of the map;
//! [`CostMap::deployment_cost`] prices a call by the id or the name of a [`Deployment`]; and
//! [`Snapshot::model_info`] shows all deployments as LiteLLM's `GET /model/info` does. No secret is
//! shown.
//!
//! **... bill my tenants by other prices?** With [`PriceTerms`](cost::PriceTerms): a tenant's
//! [`PriceSet`](cost::PriceSet)s, a multiplier, and [discounts and margins](cost::Adjustments), which
//! [`CostMapBuilder::adjustments`] sets for all. [`Cost::add_charge`] adds a guardrail, a tool that you
//! ran, or a fee. [`Cost::billed`] leaves out what was [prepaid](Call::prepaid).
//!
//! ```
//! use llm_costmap::cost::{Adjustments, PriceTerms};
//! use llm_costmap::{Call, CostMap, Usage};
//!
//! let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
//! let margin = Adjustments::from_json(r#"{"cost_margin_config": {"global": 0.25}}"#)?;
//! let terms = PriceTerms::new().adjustments(margin);
//! let cost = map.cost("m", Call::new(&Usage::new(1_000_000, 0)).terms(&terms))?;
//! assert_eq!((cost.original().to_string(), cost.total().to_string()), ("1".into(), "1.25".into()));
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! **... add up attempts, batches and days?** With a [`CostSum`](accounting::CostSum) of their bills. Never
//! price a sum of usages: thresholds and tiers are per call.
//!
//! **... price a year of logs?** With [`columns`]: slices of models and counts in, totals out, and errors by
//! row. `examples/reprice` does it with an engine, in SQL, and reports what another map changes.
//!
//! **... hand a bill on?** The module [`accounting`] has LiteLLM's form of it,
//! [`Cost::headers`] those of a response, [`Cost::otel_attributes`] those of a span, and
//! [`Cost::focus_rows`] rows for finance. [`Usd::to_nanos`] and [`Usd::to_micros_ceil`] are integers for
//! databases and limiters, and [`cost::usd`] has forms for serde.
//!
//! **... compare models, or tell what a cache saved?** By [`Cost::compare`], with the bill of the same
//! call by another model, another [`Snapshot`], or [without the cache](Call::without_cache).
//!
//! **... show another currency?** Convert at the edge: every price and amount here is in US dollars, and
//! a row that names another `currency` is refused.
//!
//! **... reload the map every six hours?** Build it with a source, and schedule it. A fetched map
//! is checked before it is swapped in, and a map that fails or is refused changes nothing:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use llm_costmap::CostMap;
//!
//! let map = CostMap::builder().env().cache_dir("/var/cache/my-gateway").build()?;
//! map.schedule_reload(Duration::from_secs(6 * 3600))?;
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! The module [`reload`] has the reports, and [`source`] the sources: a file, a URL, or a
//! [`Source`] of your own.
//!
//! **... have all my instances price by one map?** Point them at a small document that names it:
//! [`CostMapBuilder::pointer`]. They check its hash, or its signature, and swap at one time.
//! `examples/publish.rs` writes the document.
//!
//! **... price calls of last month?** By the prices of their time, with a [`history`]:
//! [`CostMapBuilder::history`] records what goes live, and [`CostMap::at`] is the map at an instant.
//!
//! **... price a model that left the map?** By its last prices, with [`CostMapBuilder::retired`]. The cost
//! carries a note that says so.
//!
//! **... correct a wrong price until the map has the right one?** With
//! [`CostMap::register_model_while`], which expires by itself.
//!
//! **... undo a reload?** With [`CostMap::rollback`], which goes back to the map of an earlier generation and
//! holds it until [`CostMap::release`]. [`CostMap::hold`] keeps the live one.
//!
//! **... find out why a name has a price?** [`Snapshot::resolve`] returns the entry and the [way it
//! was found](lookup::FoundBy), and [`Snapshot::explain`] lists the candidates that were tried.
//! [`Lookup::strict`] accepts only keys and aliases of the map. [`ModelInfo`] has all fields of an
//! entry.
//!
//! **... decide whose stated charges count?** By
//! [`trust_stated_costs`](CostMapBuilder::trust_stated_costs). [`Cost::stated`] and
//! [`Cost::computed`] tell both amounts.
//!
//! **... store a bill and read it back?** A [`Cost`] serialises as a
//! [`CostRecord`](cost::CostRecord), which can be deserialised.
//!
//! **... choose a status for an error?** By [`Error::kind`]: [`ErrorKind::NotFound`] is 404,
//! [`ErrorKind::InvalidInput`] 400, [`ErrorKind::Unpriced`] 422, [`ErrorKind::Upstream`] 502, and
//! [`ErrorKind::Internal`] 500.
//!
//! **... handle a call that has no price?** Match on [`Error::Unpriced`], which holds the
//! [partial bill](cost::Unpriced):
//!
//! ```
//! use llm_costmap::{CostMap, Error, Usage};
//!
//! let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
//! let amount = match map.total("m", &Usage::new(1_000, 500)) {
//!     Ok(total) => total,
//!     Err(Error::Unpriced(bill)) => {
//!         eprintln!("{bill}");
//!         bill.known_total()
//!     }
//!     Err(error) => return Err(error),
//! };
//! assert_eq!(amount.to_string(), "0.001");
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! **... check a budget before a call?** Price the most that it may use: a [`Usage`] of the prompt's
//! tokens and [`ModelInfo::max_output_tokens`].
//!
//! **... use it in an asynchronous server?** Keep a [`CostMap`] in the state of the server; a clone is
//! another handle on the same map. Pricing does not block. [`CostMap::reload`] and
//! [`CostMapBuilder::build_and_fetch`] do: call them on a thread that may block.
//!
//! # What is priced
//!
//! Tokens of text, audio, images and video, cache reads and writes, reasoning and citations; images by
//! number, size, quality and resolution, or by the pixel; seconds of audio, video, sessions and calls;
//! characters; pages and credits; search units and queries; and the tools that a provider ran:
//! searches of the web, Google Maps and files, code interpreters, storage and computer use.
//! [`Component`](cost::Component) lists them, and [`Snapshot::unpriced_fields`] the prices of a map
//! that no call is priced by.
//!
//! An unknown model is an [`Error::UnknownModel`], a call that used something without a price is an
//! [`Error::Unpriced`], and a response without a usage is an [`Error::MissingUsage`]. A call that does
//! not count what its model is billed by is an [`Error::Unpriced`], too, which names the unit. A price
//! of zero is a price: the call is free.
//!
//! # Generations
//!
//! Every swap makes a new [`Snapshot`]. [`CostMap::cost`] loads the live one once, so that a cost
//! never mixes two generations. [`CostMap::snapshot`] pins one for as long as it is kept:
//!
//! ```
//! use llm_costmap::{CostMap, Usage};
//!
//! let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
//! let usage = Usage::new(1_000_000, 0);
//! let pinned = map.snapshot();
//! map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
//!
//! assert_eq!(map.total("m", &usage)?.to_string(), "2");
//! assert_eq!(pinned.total("m", &usage)?.to_string(), "1");
//! # Ok::<(), llm_costmap::Error>(())
//! ```
//!
//! [`CostMap::generation`] returns the file that the prices of a [`Cost::generation`] came from.
//!
//! # Speed
//!
//! Pricing a call waits for nothing. It allocates nothing if the name is a key of the map or was
//! looked up before; some two thousand other names are remembered in each snapshot.
//! [`CostMap::total`] leaves out the lines, for budgets and limits. A pinned [`Snapshot`] saves
//! loading the live one for each call, and [`Snapshot::resolve`] or [`CostMap::resolve`] save the
//! lookup.
//!
//! # Features
//!
//! - `bundled` (default): the public map inside the binary, and [`CostMap::bundled`].
//! - `http` (default): maps behind a URL, and [`HttpSource`].
//! - `gzip` (with `http`) and `zstd`: maps that are packed.
//! - `signatures`: [pointers](source::PointerSource) that are signed.
//! - `retired`: the models that left the public map, with their last prices, for
//!   [`CostMapBuilder::retired`].
//! - `yaml`: `Deployment::list_from_yaml`, for a `config.yaml`. It needs Rust 1.89.

#![cfg_attr(not(all(feature = "bundled", feature = "http")), allow(rustdoc::broken_intra_doc_links))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod accounting;
mod catalog;
pub mod columns;
pub mod cost;
mod currency;
mod deployment;
mod diff;
pub mod endpoints;
mod error;
mod files;
pub mod history;
mod jitter;
mod json;
mod live;
mod map;
mod model_info;
mod num;
mod overlay;
mod packed;
mod panics;
mod printable;
mod rates;
mod redact;
pub mod reload;
mod resolve;
mod retired;
mod snapshot;
pub mod source;
mod sync;
mod text;
mod time;
pub mod usage;
mod version;
pub mod wire;
mod words;

/// Results of lookups: the form of a name that matched, and the candidates that did not.
pub mod lookup {
    pub use crate::error::UnknownModel;
    pub use crate::resolve::{Candidate, Explanation, FoundBy, Match, Outcome, Step};
    pub use crate::retired::Retirement;
}

#[cfg(feature = "bundled")]
pub use catalog::bundled::{BUNDLED, BundledCatalog};
#[doc(inline)]
pub use cost::{Call, Cost};
pub use deployment::{Deployment, DeploymentLookup, DeploymentMatch, DeploymentWithSecrets, Secret};
pub use error::{Error, ErrorKind};
pub use map::{CostMap, CostMapBuilder};
pub use model_info::{FieldOrigin, ModelInfo};
pub use num::Usd;
pub use resolve::Lookup;
pub use retired::RetiredModels;
pub use snapshot::{DeploymentInfo, ModelInfoList, Resolved, ResolvedModel, Snapshot};
#[cfg(feature = "http")]
#[doc(inline)]
pub use source::HttpSource;
#[doc(inline)]
pub use source::Source;
#[doc(inline)]
pub use usage::{ImageSize, ServiceTier, Units, Usage};

/// Any number of threads may share or send a value of a public type.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<(CostMap, CostMapBuilder, Snapshot, Resolved<'_>, ResolvedModel)>();
    is_shared::<(Lookup<'_>, ModelInfo<'_>, ModelInfoList<'_>, FieldOrigin, Deployment)>();
    is_shared::<(DeploymentLookup<'_>, DeploymentMatch<'_>, DeploymentInfo<'_>, Secret)>();
    is_shared::<(Error, ErrorKind, Usd, ServiceTier, Usage, Units, Call<'_>, Cost)>();
    is_shared::<(ImageSize, usage::ParseImageSizeError, usage::SearchContextSize)>();
    is_shared::<(cost::Line<'_>, cost::RateSource, cost::Basis, cost::Component, cost::Unit, cost::Note)>();
    is_shared::<(cost::CostRecord, cost::LineRecord, cost::SourceRecord, cost::RatePlace)>();
    is_shared::<(cost::Unpriced, cost::Number, cost::ParseNumberError, cost::ParseUsdError)>();
    is_shared::<(cost::ParseWordError, usage::UnknownTier, usage::PromptTokensDetails)>();
    is_shared::<(usage::CachedTokensDetails, usage::CacheCreationTokenDetails)>();
    is_shared::<(usage::CompletionTokensDetails, usage::Counter, usage::Provenance)>();
    is_shared::<(wire::Response, wire::ResponsePart<'_>, wire::Stream)>();
    is_shared::<(wire::Format, wire::Status, wire::ToolCalls)>();
    is_shared::<(lookup::Candidate, lookup::Explanation, lookup::FoundBy, lookup::Match)>();
    is_shared::<(lookup::Outcome, lookup::Step, lookup::UnknownModel)>();
    is_shared::<(RetiredModels, lookup::Retirement)>();
    is_shared::<(reload::ReloadReport, reload::ReloadOutcome, reload::ScheduleStatus)>();
    is_shared::<(reload::SourceInfo, reload::Generation, reload::Diff, reload::Repriced)>();
    is_shared::<(reload::SetAside, reload::Warning, reload::UnpricedField)>();
    is_shared::<(reload::ExpiredCorrection, history::History, history::AsOf, history::Recording)>();
    is_shared::<(history::PricePoint, history::RecordedBatch)>();
    is_shared::<(cost::Adjustment, cost::Adjustments, cost::PriceSet, cost::PriceTerms)>();
    is_shared::<(cost::Charge, cost::InvalidTerms, cost::PricingSource)>();
    is_shared::<(accounting::CostSum, accounting::ComponentSum, accounting::FocusRow)>();
    is_shared::<(accounting::Comparison, accounting::ComparedLine, accounting::AttributeValue)>();
    is_shared::<(accounting::PricingSnapshot, accounting::UnpricedEvent, accounting::Multiplier)>();
    is_shared::<(accounting::Rate, accounting::PricedQuantity, accounting::NamedCost)>();
    is_shared::<accounting::PricingUnit>();
    is_shared::<(source::Fetched, source::Validators, Box<dyn Source>)>();
    #[cfg(feature = "http")]
    is_shared::<HttpSource>();
    #[cfg(feature = "bundled")]
    is_shared::<BundledCatalog>();
};

/// The examples of the README, run as tests.
#[cfg(all(doctest, feature = "bundled"))]
#[doc = include_str!("../README.md")]
struct Readme;
