//! [`Lookup`]: a name to look up, and [`FoundBy`]: how it was found.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// A model to look up: a name, and what is known of whose it is.
///
/// Wherever a lookup is taken, a name alone will do.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, Lookup};
///
/// let snapshot = CostMap::bundled().snapshot();
/// assert_eq!(snapshot.resolve("gpt-4o")?.key(), "gpt-4o");
/// assert_eq!(snapshot.resolve(Lookup::new("gpt-4o").provider("azure"))?.key(), "azure/gpt-4o");
/// assert!(snapshot.resolve(Lookup::new("GPT-4o").strict()).is_err());
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a lookup does nothing until it is handed to a snapshot"]
pub struct Lookup<'a> {
    pub(crate) name: &'a str,
    pub(crate) provider: Option<&'a str>,
    pub(crate) strict: bool,
}

impl<'a> Lookup<'a> {
    /// A model under any name that its users write.
    #[inline]
    pub fn new(name: &'a str) -> Self {
        Self { name, provider: None, strict: false }
    }

    /// Whose model it is, in LiteLLM's words (`openai`, `bedrock`, …). Default: whoever the name says.
    #[inline]
    pub fn provider(mut self, provider: &'a str) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Accepts nothing but a key or an alias of the map, letter by letter; where a provider is asked for, one
    /// of that provider's. Default: any name that leads to a model.
    #[inline]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }
}

impl<'a> From<&'a str> for Lookup<'a> {
    fn from(name: &'a str) -> Self {
        Self::new(name)
    }
}

impl<'a> From<&'a String> for Lookup<'a> {
    fn from(name: &'a String) -> Self {
        Self::new(name)
    }
}

/// Which form of a name is looked up: the candidates, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Candidate {
    /// `provider/name`, where a provider was asked for.
    WithProvider,
    /// The name as it was given.
    AsGiven,
    /// `bedrock_mantle/name` without its region.
    WithoutRegion,
    /// The name without its provider, and on Bedrock without its route.
    WithoutProvider,
    /// `provider/` and the name without what else it carries: a version, a date, a fine-tune's fields, a geography.
    StrippedWithProvider,
    /// The name without what else it carries.
    Stripped,
    /// `provider/name` where the name begins with the provider already: ids that repeat it.
    RepeatedProvider,
    /// `fireworks_ai/` and the name of the resource.
    FireworksResource,
}

impl Candidate {
    /// A stable word for it, such as `stripped_with_provider`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WithProvider => "with_provider",
            Self::AsGiven => "as_given",
            Self::WithoutRegion => "without_region",
            Self::WithoutProvider => "without_provider",
            Self::StrippedWithProvider => "stripped_with_provider",
            Self::Stripped => "stripped",
            Self::RepeatedProvider => "repeated_provider",
            Self::FireworksResource => "fireworks_resource",
        }
    }
}

/// What it is, in words.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WithProvider => "the name behind its provider",
            Self::AsGiven => "the name as given",
            Self::WithoutRegion => "the name without its region",
            Self::WithoutProvider => "the name without its provider",
            Self::StrippedWithProvider => "the stripped name behind its provider",
            Self::Stripped => "the stripped name",
            Self::RepeatedProvider => "the name behind its provider once more",
            Self::FireworksResource => "the resource on Fireworks",
        })
    }
}

/// How a candidate matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Match {
    /// It is an entry's key.
    Key,
    /// It is an alias of an entry.
    Alias,
    /// It is a key or an alias, if upper and lower case count as the same.
    IgnoringCase,
    /// It is no entry's name, and another entry stands in: one for models of its size, for an older name of its endpoint, or for a
    /// router.
    StandIn,
    /// It is no entry's name, and its provider runs on machines of the caller's own, which cost nothing by the call.
    SelfHosted,
    /// It is no entry's name, but fallback rules of the map describe it.
    Described,
}

impl Match {
    /// A stable word for it: `key`, `alias`, `ignoring_case`, `stand_in`, `self_hosted`, `described`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Alias => "alias",
            Self::IgnoringCase => "ignoring_case",
            Self::StandIn => "stand_in",
            Self::SelfHosted => "self_hosted",
            Self::Described => "described",
        }
    }
}

/// What it is, in words.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "a key",
            Self::Alias => "an alias",
            Self::IgnoringCase => "a key, ignoring case",
            Self::StandIn => "no entry, another stands in",
            Self::SelfHosted => "no entry, self-hosted",
            Self::Described => "described by fallback rules",
        })
    }
}

/// How a model was found: which form of the name matched, and how.
///
/// Its `Display` says it in words: `the name behind its provider, a key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FoundBy {
    /// The form of the name that matched.
    pub candidate: Candidate,
    /// How it matched.
    pub matched: Match,
    /// Whether the name was an older one of the model, and was rewritten first.
    pub rewritten: bool,
}

impl FoundBy {
    pub(crate) const KEY: Self =
        Self { candidate: Candidate::AsGiven, matched: Match::Key, rewritten: false };
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.candidate, self.matched)?;
        if self.rewritten { f.write_str(", after rewriting an older name") } else { Ok(()) }
    }
}

impl Serialize for FoundBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut found = serializer.serialize_struct("FoundBy", 3)?;
        found.serialize_field("candidate", self.candidate.as_str())?;
        found.serialize_field("matched", self.matched.as_str())?;
        found.serialize_field("rewritten", &self.rewritten)?;
        found.end()
    }
}
