//! The one [`Error`].

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use crate::text::clip;

/// What can go wrong. Every message says what, where, and what to do about it.
///
/// [`Error::code`] is a stable word for each kind, for logs and metrics.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No entry of the map answers to the name.
    #[error(transparent)]
    UnknownModel(Box<UnknownModel>),
    /// Something that the call used has no price, so that the total would be too low.
    /// Only from [`Cost::require_complete`](crate::Cost::require_complete).
    #[error("the cost of {key} is incomplete: no price for {components}")]
    Incomplete {
        /// The entry's key.
        key: String,
        /// What was used and has no price, comma-separated.
        components: String,
    },
    /// The bill is beyond 17 billion dollars, or a count beyond what can be counted.
    #[error("the cost of {key} overflows: check the counts of the usage")]
    Overflow {
        /// The entry's key.
        key: String,
    },
    /// The text is not JSON, or not an object of models.
    #[error("{origin} is no model map: {message}{}", Position(*.line, *.column))]
    InvalidMap {
        /// Where the text is from: a path, or what it was handed in as.
        origin: String,
        /// What is wrong.
        message: String,
        /// The line, from 1; 0 where the text as a whole is wrong.
        line: usize,
        /// The column, from 1; 0 where the text as a whole is wrong.
        column: usize,
    },
    /// A map without a single model, where one with models was to be replaced.
    #[error("{origin} has no models: the map in use is kept")]
    EmptyMap {
        /// Where the text is from.
        origin: String,
    },
    /// The file could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// A map with fewer models than one must have: see
    /// [`CostMapBuilder::min_models`](crate::CostMapBuilder::min_models).
    #[error("{origin} has {models} models, fewer than {least}: the map in use is kept")]
    TooFewModels {
        /// Where the text is from.
        origin: String,
        /// How many models it has.
        models: usize,
        /// How many it must have.
        least: usize,
    },
    /// A map that lost too many models: see
    /// [`CostMapBuilder::max_shrink_ratio`](crate::CostMapBuilder::max_shrink_ratio).
    #[error("{origin} has {models} models, where {live} are in use: the map in use is kept")]
    MapShrank {
        /// Where the text is from.
        origin: String,
        /// How many models it has.
        models: usize,
        /// How many the map in use has.
        live: usize,
    },
    /// A map without a model that it must have: see
    /// [`CostMapBuilder::required_models`](crate::CostMapBuilder::required_models).
    #[error("{origin} has no {model}, which is required: the map in use is kept")]
    MissingModel {
        /// Where the text is from.
        origin: String,
        /// The model.
        model: String,
    },
    /// A map without a price of a model that must have one: see
    /// [`CostMapBuilder::required_models`](crate::CostMapBuilder::required_models).
    #[error("{origin} has no price of {model}, which is required: the map in use is kept")]
    UnpricedModel {
        /// Where the text is from.
        origin: String,
        /// The model.
        model: String,
    },
    /// A map in which too many prices changed more than tenfold, as if by a slip of units: see
    /// [`CostMapBuilder::max_price_jump_ratio`](crate::CostMapBuilder::max_price_jump_ratio).
    #[error(
        "{origin} changes prices of {models} of {of} models more than tenfold, such as {example}: the map in use is kept"
    )]
    PricesJumped {
        /// Where the text is from.
        origin: String,
        /// How many models have such a price.
        models: usize,
        /// How many models both maps have.
        of: usize,
        /// One of the prices.
        example: String,
    },
    /// The source did not give a map.
    #[error("cannot fetch {origin}: {reason}")]
    Fetch {
        /// The source: a URL without credentials, or its name.
        origin: String,
        /// Why.
        reason: String,
    },
    /// A setting that cannot be.
    #[error("invalid {setting}: {reason}")]
    InvalidSetting {
        /// The setting, as the builder's method is called.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing that a map could start with before it was ever fetched.
    #[error(
        "{origin} was never fetched, and there is no other map to start with: use the feature bundled, give a json or a cache_dir that has one, or build_and_fetch"
    )]
    NothingToStartWith {
        /// The source: a URL without credentials, or its name.
        origin: String,
    },
    /// The system starts no thread for the schedule.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// A reload of a map that was not built from anything that can be read again.
    #[error(
        "this map has no source to reload from: build it with a file, a url or a source, or hand bytes to reload_from_bytes"
    )]
    NoSource,
    /// A reload that a source asks for while it is asked for the map, or a listener while it is told of a reload.
    #[error("this thread is in a reload of the map already: a source or a listener cannot reload it")]
    NestedReload,
    /// A registered model that cannot be priced, or is no JSON object.
    #[error("cannot register {model}: {}{reason}", FieldPrefix(.field.as_deref()))]
    InvalidModel {
        /// The model's name.
        model: String,
        /// The field that is wrong; `None` where it is the model as a whole.
        field: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// A deployment that is none, or that cannot be among the others.
    #[error("cannot use {deployment}: {}{reason}", FieldPrefix(.field.as_deref()))]
    InvalidDeployment {
        /// Its name, or its place in the list.
        deployment: String,
        /// The field that is wrong; `None` where it is the deployment as a whole.
        field: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// No deployment has the id or the name.
    #[error("no deployment has the id or the name {name:?}: add it, or check the name")]
    UnknownDeployment {
        /// What was asked for, or its beginning where it is very long.
        name: String,
    },
    /// The deployments of a name differ in what they cost, so that only an id says which is meant.
    #[error("the deployments of {model_name:?} differ in price: ask for one of the ids {}", .ids.join(", "))]
    AmbiguousDeployment {
        /// The name.
        model_name: String,
        /// The ids of its deployments.
        ids: Vec<String>,
    },
}

/// Where in a text; nothing where it is about the text as a whole.
struct Position(usize, usize);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, " (line {}, column {})", self.0, self.1) }
    }
}

struct FieldPrefix<'a>(Option<&'a str>);

impl fmt::Display for FieldPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |field| write!(f, "{field}: "))
    }
}

impl Error {
    /// A stable word for the kind of error: `unknown_model`, `incomplete`, `overflow`, `invalid_map`,
    /// `empty_map`, `io`, `too_few_models`, `map_shrank`, `missing_model`, `unpriced_model`, `prices_jumped`, `fetch`,
    /// `invalid_setting`, `nothing_to_start_with`, `thread`, `no_source`, `nested_reload`, `invalid_model`, `invalid_deployment`,
    /// `unknown_deployment`, `ambiguous_deployment`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownModel(_) => "unknown_model",
            Self::Incomplete { .. } => "incomplete",
            Self::Overflow { .. } => "overflow",
            Self::InvalidMap { .. } => "invalid_map",
            Self::EmptyMap { .. } => "empty_map",
            Self::Io { .. } => "io",
            Self::TooFewModels { .. } => "too_few_models",
            Self::MapShrank { .. } => "map_shrank",
            Self::MissingModel { .. } => "missing_model",
            Self::UnpricedModel { .. } => "unpriced_model",
            Self::PricesJumped { .. } => "prices_jumped",
            Self::Fetch { .. } => "fetch",
            Self::InvalidSetting { .. } => "invalid_setting",
            Self::NothingToStartWith { .. } => "nothing_to_start_with",
            Self::Thread { .. } => "thread",
            Self::NoSource => "no_source",
            Self::NestedReload => "nested_reload",
            Self::InvalidModel { .. } => "invalid_model",
            Self::InvalidDeployment { .. } => "invalid_deployment",
            Self::UnknownDeployment { .. } => "unknown_deployment",
            Self::AmbiguousDeployment { .. } => "ambiguous_deployment",
        }
    }
}

/// Knows the names that are near to a name which it does not know.
pub(crate) trait Suggest: Send + Sync {
    fn suggest(&self, name: &str, provider: Option<&str>) -> Vec<String>;
}

/// No entry of the map answers to a name.
///
/// Its `Display` suggests names that are near. They are looked for when it is displayed, in the generation of the map that was asked, as long
/// as that is in use: the error costs next to nothing, and keeps no generation alive.
#[derive(Clone)]
pub struct UnknownModel {
    model: Box<str>,
    provider: Option<Box<str>>,
    asked: Weak<dyn Suggest>,
}

impl UnknownModel {
    pub(crate) fn new(model: &str, provider: Option<&str>, asked: Weak<dyn Suggest>) -> Self {
        Self { model: clip(model).into(), provider: provider.map(|provider| clip(provider).into()), asked }
    }

    /// The name that was asked for, or its beginning where it is very long.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The provider that was asked for.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }

    /// Keys of the map that are written almost like the name, nearest first; at most three. None where the map has moved on, and the
    /// generation that was asked is no longer in use.
    #[must_use]
    pub fn near_names(&self) -> Vec<String> {
        self.asked.upgrade().map(|asked| asked.suggest(&self.model, self.provider())).unwrap_or_default()
    }
}

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown model {:?}", self.model)?;
        if let Some(provider) = &self.provider {
            write!(f, " of provider {provider:?}")?;
        }
        match &*self.near_names() {
            [] => f.write_str(": register it, or check the name"),
            near => write!(f, ": did you mean {}? If not, register it", near.join(", ")),
        }
    }
}

impl fmt::Debug for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UnknownModel");
        shown.field("model", &self.model).field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Two are the same if they are about the same name and provider.
impl PartialEq for UnknownModel {
    fn eq(&self, other: &Self) -> bool {
        (&self.model, &self.provider) == (&other.model, &other.provider)
    }
}

impl Eq for UnknownModel {}

impl std::error::Error for UnknownModel {}
