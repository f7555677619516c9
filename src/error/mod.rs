//! The one [`Error`].

mod display;
mod unknown;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::catalog::BadMap;
use crate::cost::{InvalidTerms, NotPriced, Unpriced};
use crate::words::words;
use display::{ErrorName, FieldPrefix, KeptGenerations, TextPosition, fmt_io, fmt_no_price_at, fmt_thread};
pub(crate) use unknown::Suggest;
pub use unknown::UnknownModel;

/// The error of every operation of this crate.
///
/// A message says what is wrong, where, and what to do about it. The cause of [`Io`](Self::Io) and
/// [`Thread`](Self::Thread) is their [`source`](std::error::Error::source): `{error}` leaves it
/// out, and `{error:#}` appends it. Other variants hold their reason as text, from which
/// credentials were removed. [`Error::kind`] sorts errors by who can act on them, so that a server
/// can choose a status.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostMap, Error, ErrorKind, Usage};
///
/// let map = CostMap::from_json(r#"{"gpt-x": {"input_cost_per_token": 1e-6}}"#)?;
/// let error = map.cost("gpt-y", &Usage::new(1, 1)).unwrap_err();
/// assert!(matches!(error, Error::UnknownModel(_)));
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.to_string(), "unknown model \"gpt-y\": did you mean gpt-x? If not, register it");
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No entry of the map answers to the name.
    #[error(transparent)]
    UnknownModel(Box<UnknownModel>),
    /// The model has no price at the time of a [history](crate::history), while it has one at another.
    #[error(fmt = fmt_no_price_at)]
    #[non_exhaustive]
    NoPriceAt {
        /// The name, or its beginning if it is very long.
        model: String,
        /// The time.
        at: SystemTime,
        /// The time from which the model has a price for the first time.
        earliest: SystemTime,
        /// The time at which the model had left the map, if it had.
        until: Option<SystemTime>,
    },
    /// The call used something that has no known price. Holds the partial bill.
    #[error("{0}")]
    Unpriced(Box<Unpriced>),
    /// The amount is beyond 17 billion dollars, or a count beyond its range.
    #[error("the cost of {key} overflows: check the counts of the usage")]
    #[non_exhaustive]
    Overflow {
        /// The entry's key.
        key: String,
    },
    /// The requested service tier is unknown. Only totals return this error, since they cannot
    /// carry a note.
    #[error(
        "unknown service tier {tier:?}: write auto, standard, flex, balanced, priority or ultrafast, or use Call::accept_unknown to price it as standard"
    )]
    #[non_exhaustive]
    UnknownServiceTier {
        /// The word.
        tier: String,
    },
    /// The data residency is unknown. Only totals return this error, since they cannot carry a
    /// note.
    #[error(
        "unknown data residency {region:?}: write eu or us, or use Call::accept_unknown to price it without an uplift"
    )]
    #[non_exhaustive]
    UnknownDataResidency {
        /// The word, or its beginning if it is very long.
        region: String,
    },
    /// The response has no usage, or no count of a known format in it. It must not be priced at
    /// zero.
    #[error("the response has no usage: {reason}")]
    #[non_exhaustive]
    MissingUsage {
        /// The fields that are missing, and those that were found.
        reason: String,
    },
    /// The provider responded with an error instead of a usage.
    #[error("the provider responded with an error{}: it reports no usage", ErrorName(.kind.as_deref(), .code.as_deref()))]
    #[non_exhaustive]
    ErrorResponse {
        /// The type of the error, in the provider's word.
        kind: Option<String>,
        /// The code of the error, in the provider's word.
        code: Option<String>,
    },
    /// The response, or an event of the stream, cannot be read.
    #[error("cannot read the response: {reason}")]
    #[non_exhaustive]
    InvalidResponse {
        /// The reason, with its line and column if it is in a text.
        reason: String,
    },
    /// The text is not JSON, or not an object of models.
    #[error("{origin} is not a model map: {message}{}", TextPosition(*.line, *.column))]
    #[non_exhaustive]
    InvalidMap {
        /// The origin of the text: a path, a URL without credentials, or a name.
        origin: String,
        /// The reason.
        message: String,
        /// The line, from 1; 0 if the reason concerns the whole text.
        line: usize,
        /// The column, from 1; 0 if the reason concerns the whole text.
        column: usize,
    },
    /// The map has no models, and would replace one that has.
    #[error("{origin} has no models: the map in use is kept")]
    #[non_exhaustive]
    EmptyMap {
        /// The origin of the text.
        origin: String,
    },
    /// A file could not be read.
    #[error(fmt = fmt_io)]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The file of [`CostMap::write_state`](crate::CostMap::write_state) could not be read or written.
    #[error("the state file {}: {reason}", .path.display())]
    #[non_exhaustive]
    StateFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A file of a [`History`](crate::history::History) could not be read or written.
    #[error("the history {}: {reason}", .path.display())]
    #[non_exhaustive]
    HistoryFile {
        /// The file.
        path: PathBuf,
        /// The reason, with the line if it is in the text.
        reason: String,
    },
    /// A row cannot be recorded in a [`History`](crate::history::History).
    #[error("cannot record {what}: {reason}")]
    #[non_exhaustive]
    NotRecorded {
        /// The model, or the source of the map.
        what: String,
        /// The reason.
        reason: String,
    },
    /// The map has no history: see [`CostMapBuilder::history`](crate::CostMapBuilder::history).
    #[error("this map has no history: set one with CostMapBuilder::history")]
    NoHistory,
    /// The map has fewer models than
    /// [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models).
    #[error("{origin} has {models} models, fewer than {least}: the map in use is kept")]
    #[non_exhaustive]
    TooFewModels {
        /// The origin of the text.
        origin: String,
        /// The number of its models.
        models: usize,
        /// The smallest number that is accepted.
        least: usize,
    },
    /// The map lost more models than
    /// [`CostMapBuilder::max_shrink_ratio`](crate::CostMapBuilder::max_shrink_ratio) accepts.
    #[error("{origin} has {models} models, where {live} are in use: the map in use is kept")]
    #[non_exhaustive]
    MapShrank {
        /// The origin of the text.
        origin: String,
        /// The number of its models.
        models: usize,
        /// The number of models of the map in use.
        live: usize,
    },
    /// The map lacks a model of
    /// [`CostMapBuilder::required_models`](crate::CostMapBuilder::required_models).
    #[error("{origin} has no {model}, which is required: the map in use is kept")]
    #[non_exhaustive]
    MissingModel {
        /// The origin of the text.
        origin: String,
        /// The model.
        model: String,
    },
    /// The map lacks the price of a model of
    /// [`CostMapBuilder::required_models`](crate::CostMapBuilder::required_models).
    #[error("{origin} has no price of {model}, which is required: the map in use is kept")]
    #[non_exhaustive]
    UnpricedModel {
        /// The origin of the text.
        origin: String,
        /// The model.
        model: String,
    },
    /// More prices changed more than tenfold than
    /// [`CostMapBuilder::max_price_jump_ratio`](crate::CostMapBuilder::max_price_jump_ratio)
    /// accepts, as by a wrong unit.
    #[error(
        "{origin} changes prices of {models} of {of} models more than tenfold, such as {example}: the map in use is kept"
    )]
    #[non_exhaustive]
    PricesJumped {
        /// The origin of the text.
        origin: String,
        /// The number of models with such a price.
        models: usize,
        /// The number of models that both maps have.
        of: usize,
        /// One of the prices.
        example: String,
    },
    /// The source did not return a map.
    #[error("cannot fetch {origin}: {reason}")]
    #[non_exhaustive]
    Fetch {
        /// The source: a URL without credentials, or its name.
        origin: String,
        /// The reason, without credentials.
        reason: String,
    },
    /// The document of a [`PointerSource`](crate::source::PointerSource) cannot be read or has no valid
    /// signature, or the bytes that it names are others.
    #[error("cannot use the pointer {origin}: {reason}: the map in use is kept")]
    #[non_exhaustive]
    Pointer {
        /// The source of the document: a path, a URL without credentials, or its name.
        origin: String,
        /// The reason, without credentials.
        reason: String,
    },
    /// A setting is invalid.
    #[error("invalid {setting}: {reason}")]
    #[non_exhaustive]
    InvalidSetting {
        /// The setting, as the builder's method is called.
        setting: &'static str,
        /// The reason.
        reason: String,
    },
    /// The map has a source that was not fetched yet, and nothing to start with.
    #[error(
        "{origin} was never fetched, and there is no other map to start with: enable the feature bundled, set json or a cache_dir that has a map, or use build_and_fetch"
    )]
    #[non_exhaustive]
    NothingToStartWith {
        /// The source: a URL without credentials, or its name.
        origin: String,
    },
    /// The system did not start a thread.
    #[error(fmt = fmt_thread)]
    #[non_exhaustive]
    Thread {
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The map has no source to be reloaded from.
    #[error(
        "this map has no source to reload from: set file, url or source on the builder, or use reload_from_bytes"
    )]
    NoSource,
    /// A column of calls has more or fewer rows than the column of models.
    #[error("the column {column} has {rows} rows, and the models have {expected}: give each call a row")]
    #[non_exhaustive]
    ColumnLength {
        /// The column.
        column: String,
        /// The number of its rows.
        rows: usize,
        /// The number of models.
        expected: usize,
    },
    /// The map is held, so that nothing replaces it.
    #[error("the map is held: release it first, and the next reload replaces it")]
    Held,
    /// The map of a generation is not kept, or there was no such generation.
    #[error("the map of generation {generation} is not kept: {}", KeptGenerations(.kept))]
    #[non_exhaustive]
    UnknownGeneration {
        /// The generation.
        generation: u64,
        /// The generations whose maps are kept, beside the live one's.
        kept: Vec<RangeInclusive<u64>>,
    },
    /// A source called for a reload during its own fetch, or a listener during its own
    /// notification.
    #[error("this thread is in a reload of the map already: a source or a listener cannot reload it")]
    NestedReload,
    /// A discount, a margin, a price set or a charge is invalid.
    #[error("invalid terms: {0}")]
    InvalidTerms(InvalidTerms),
    /// The fields of a model cannot be registered.
    #[error("cannot register {model}: {}{reason}", FieldPrefix(.field.as_deref()))]
    #[non_exhaustive]
    InvalidModel {
        /// The model's name.
        model: String,
        /// The field; `None` if the reason concerns the whole model.
        field: Option<String>,
        /// The reason.
        reason: String,
    },
    /// A deployment cannot be used.
    #[error("cannot use {deployment}: {}{reason}", FieldPrefix(.field.as_deref()))]
    #[non_exhaustive]
    InvalidDeployment {
        /// Its name, or its place in the list.
        deployment: String,
        /// The field; `None` if the reason concerns the whole deployment.
        field: Option<String>,
        /// The reason.
        reason: String,
    },
    /// Two deployments have one id.
    #[error("cannot use {model_name}: another deployment has the id {id:?} too: give it an id of its own")]
    #[non_exhaustive]
    DuplicateDeployment {
        /// The name of the second deployment.
        model_name: String,
        /// The id, or its beginning if it is very long.
        id: String,
    },
    /// No deployment has the id or the name.
    #[error("no deployment has the id or the name {name:?}: add it, or check the name")]
    #[non_exhaustive]
    UnknownDeployment {
        /// The id or the name, or its beginning if it is very long.
        name: String,
    },
    /// The deployments of a name differ in price, so that only an id tells which is meant.
    #[error("the deployments of {model_name:?} differ in price: ask for one of the ids {}", .ids.join(", "))]
    #[non_exhaustive]
    AmbiguousDeployment {
        /// The name.
        model_name: String,
        /// The ids of its deployments.
        ids: Vec<String>,
    },
}

/// The kind of an [`Error`]: who can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The map has no such model, or the list has no such deployment.
    NotFound,
    /// An argument of the call is invalid.
    InvalidInput,
    /// A map could not be fetched or read, or was refused, whoever handed it in; or a provider's
    /// response could not be read, or has no usage.
    Upstream,
    /// The call used something without a known price.
    Unpriced,
    /// The settings, the program or its system are at fault.
    Internal,
}

words! {
    ErrorKind is a "kind of error":
    NotFound = "not_found",
    InvalidInput = "invalid_input",
    Upstream = "upstream",
    Unpriced = "unpriced",
    Internal = "internal",
}

impl From<NotPriced> for Error {
    fn from(reason: NotPriced) -> Self {
        match reason {
            NotPriced::Unpriced(bill) => Self::Unpriced(bill),
            NotPriced::Overflow { key } => Self::Overflow { key },
        }
    }
}

impl From<InvalidTerms> for Error {
    fn from(bad: InvalidTerms) -> Self {
        Self::InvalidTerms(bad)
    }
}

impl Error {
    /// Returns the error of bytes that hold no map. `origin` names them.
    pub(crate) fn not_a_map(origin: &str, BadMap { message, line, column }: BadMap) -> Self {
        Self::InvalidMap { origin: origin.to_owned(), message, line, column }
    }

    /// Returns the kind of the error: who can act on it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownModel(_)
            | Self::NoPriceAt { .. }
            | Self::UnknownDeployment { .. }
            | Self::UnknownGeneration { .. } => ErrorKind::NotFound,
            Self::Unpriced(_) => ErrorKind::Unpriced,
            Self::Overflow { .. }
            | Self::UnknownServiceTier { .. }
            | Self::UnknownDataResidency { .. }
            | Self::InvalidTerms(_)
            | Self::InvalidModel { .. }
            | Self::InvalidDeployment { .. }
            | Self::DuplicateDeployment { .. }
            | Self::AmbiguousDeployment { .. }
            | Self::ColumnLength { .. }
            | Self::NotRecorded { .. }
            | Self::Held => ErrorKind::InvalidInput,
            Self::MissingUsage { .. }
            | Self::ErrorResponse { .. }
            | Self::InvalidResponse { .. }
            | Self::InvalidMap { .. }
            | Self::EmptyMap { .. }
            | Self::Io { .. }
            | Self::TooFewModels { .. }
            | Self::MapShrank { .. }
            | Self::MissingModel { .. }
            | Self::UnpricedModel { .. }
            | Self::PricesJumped { .. }
            | Self::Fetch { .. }
            | Self::Pointer { .. } => ErrorKind::Upstream,
            Self::InvalidSetting { .. }
            | Self::StateFile { .. }
            | Self::HistoryFile { .. }
            | Self::NoHistory
            | Self::NothingToStartWith { .. }
            | Self::NoSource
            | Self::Thread { .. }
            | Self::NestedReload => ErrorKind::Internal,
        }
    }

    /// Returns the name of the variant in lower case, such as `unknown_model`, for logs and
    /// metrics. Programs match on the variants.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => "unknown_model",
            Self::NoPriceAt { .. } => "no_price_at",
            Self::Unpriced(_) => "unpriced",
            Self::Overflow { .. } => "overflow",
            Self::UnknownServiceTier { .. } => "unknown_service_tier",
            Self::UnknownDataResidency { .. } => "unknown_data_residency",
            Self::MissingUsage { .. } => "missing_usage",
            Self::ErrorResponse { .. } => "error_response",
            Self::InvalidResponse { .. } => "invalid_response",
            Self::InvalidMap { .. } => "invalid_map",
            Self::EmptyMap { .. } => "empty_map",
            Self::Io { .. } => "io",
            Self::StateFile { .. } => "state_file",
            Self::HistoryFile { .. } => "history_file",
            Self::NotRecorded { .. } => "not_recorded",
            Self::NoHistory => "no_history",
            Self::TooFewModels { .. } => "too_few_models",
            Self::MapShrank { .. } => "map_shrank",
            Self::MissingModel { .. } => "missing_model",
            Self::UnpricedModel { .. } => "unpriced_model",
            Self::PricesJumped { .. } => "prices_jumped",
            Self::Fetch { .. } => "fetch",
            Self::Pointer { .. } => "pointer",
            Self::ColumnLength { .. } => "column_length",
            Self::Held => "held",
            Self::UnknownGeneration { .. } => "unknown_generation",
            Self::InvalidSetting { .. } => "invalid_setting",
            Self::NothingToStartWith { .. } => "nothing_to_start_with",
            Self::Thread { .. } => "thread",
            Self::NoSource => "no_source",
            Self::NestedReload => "nested_reload",
            Self::InvalidTerms(_) => "invalid_terms",
            Self::InvalidModel { .. } => "invalid_model",
            Self::InvalidDeployment { .. } => "invalid_deployment",
            Self::DuplicateDeployment { .. } => "duplicate_deployment",
            Self::UnknownDeployment { .. } => "unknown_deployment",
            Self::AmbiguousDeployment { .. } => "ambiguous_deployment",
        }
    }
}
