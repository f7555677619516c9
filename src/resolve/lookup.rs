//! [`Lookup`]: a name to look up. [`FoundBy`]: how the name was found.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// A model to look up: a name and, optionally, a provider.
///
/// Methods that take a lookup also accept a plain name, as a `&str` or a `&String`.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a lookup does nothing until it is handed to a snapshot"]
pub struct Lookup<'a> {
    pub(crate) name: &'a str,
    pub(crate) provider: Option<&'a str>,
    pub(crate) strict: bool,
    /// True for a name as a provider's response has it.
    pub(crate) served: bool,
}

impl<'a> Lookup<'a> {
    /// Creates a lookup of a model by any name in use for it.
    #[inline]
    pub fn new(name: &'a str) -> Self {
        Self { name, provider: None, strict: false, served: false }
    }

    /// Creates a lookup of a model by the name that a response has for it.
    ///
    /// A provider may serve a model under a longer name than it is asked for: `models/gemini-2.5-pro`,
    /// a date or a tag behind the name. If the name leads to no entry, what providers add is removed.
    #[inline]
    pub fn served(name: &'a str) -> Self {
        Self { served: true, ..Self::new(name) }
    }

    /// Sets the provider of the model, under LiteLLM's name for it (`openai`, `bedrock`, …). By
    /// default the provider is inferred from the name.
    #[inline]
    pub fn provider(mut self, provider: &'a str) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Restricts the lookup to the keys and aliases of the map, case-sensitively. If a provider is
    /// set, the entry must be one of that provider's. By default, any name that leads to a model is
    /// accepted.
    #[inline]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }
}

impl<'a, N: AsRef<str> + ?Sized> From<&'a N> for Lookup<'a> {
    #[inline]
    fn from(name: &'a N) -> Self {
        Self::new(name.as_ref())
    }
}

/// A form of a name. The variants are in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Candidate {
    /// `provider/name`, if a provider was asked for.
    WithProvider,
    /// The name as given.
    AsGiven,
    /// `bedrock_mantle/name` without the region.
    WithoutRegion,
    /// The name without the provider and, on Bedrock, without the route.
    WithoutProvider,
    /// `provider/` and the stripped name: without a version, a date, the fields of a fine-tune, or
    /// a geography.
    StrippedWithProvider,
    /// The stripped name, without `provider/` in front.
    Stripped,
    /// `provider/name` where the name begins with the provider already, for ids that repeat the
    /// provider.
    RepeatedProvider,
    /// `fireworks_ai/` and the name of the resource.
    FireworksResource,
    /// A name of a response without what its provider adds to it: see [`Lookup::served`].
    Served,
}

impl Candidate {
    /// Returns a stable identifier of the candidate, such as `stripped_with_provider`.
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
            Self::Served => "served",
        }
    }
}

/// Writes a description in words, such as `the stripped name behind its provider`.
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
            Self::Served => "the served name without what its provider adds",
        })
    }
}

/// The way in which a candidate matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Match {
    /// The candidate is the key of an entry.
    Key,
    /// The candidate is an alias of an entry.
    Alias,
    /// The candidate is a key or an alias if case is ignored.
    IgnoringCase,
    /// The name leads to no entry, and another entry stands in: the entry for models of its size,
    /// for the current name of its endpoint, or for a router.
    StandIn,
    /// The name leads to no entry, and its provider runs on the caller's own machines, where a call
    /// costs nothing.
    SelfHosted,
    /// The name leads to no entry, but fallback rules of the map describe it.
    Described,
}

impl Match {
    /// Returns a stable identifier of the match: `key`, `alias`, `ignoring_case`, `stand_in`,
    /// `self_hosted`, or `described`.
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

/// Writes a description in words, such as `a key, ignoring case`.
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

/// The way in which a model was found: the form of the name that matched, and the kind of match.
///
/// The `Display` implementation writes both in words: `the name behind its provider, a key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct FoundBy {
    /// The form of the name that matched.
    pub candidate: Candidate,
    /// The kind of match.
    pub matched: Match,
    /// True if the name was an older one of the model and was rewritten before the lookup.
    pub rewritten: bool,
    /// True if the model left the map, and its last prices are
    /// [kept](crate::CostMapBuilder::retired).
    pub retired: bool,
}

impl FoundBy {
    pub(crate) const KEY: Self =
        Self { candidate: Candidate::AsGiven, matched: Match::Key, rewritten: false, retired: false };
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.candidate, self.matched)?;
        if self.rewritten {
            f.write_str(", after rewriting an older name")?;
        }
        if self.retired { f.write_str(", of a model that left the map") } else { Ok(()) }
    }
}

impl Serialize for FoundBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut found = serializer.serialize_struct("FoundBy", if self.retired { 4 } else { 3 })?;
        found.serialize_field("candidate", self.candidate.as_str())?;
        found.serialize_field("matched", self.matched.as_str())?;
        found.serialize_field("rewritten", &self.rewritten)?;
        if self.retired {
            found.serialize_field("retired", &true)?;
        }
        found.end()
    }
}
