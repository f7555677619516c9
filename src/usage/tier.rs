//! [`ServiceTier`]: the words that providers have for service tiers.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A service tier, as a request asks for it or a response says that it was served.
///
/// Every word can be read, in any case: an unknown word becomes [`Unknown`](Self::Unknown) and
/// keeps its text. The words are those of OpenAI, Anthropic, Gemini and Bedrock as LiteLLM reads
/// them.
///
/// # Examples
///
/// ```
/// use llm_costmap::ServiceTier;
///
/// assert_eq!("Priority".parse(), Ok(ServiceTier::Priority));
/// assert_eq!(ServiceTier::from("fast"), ServiceTier::Priority);
/// assert_eq!(ServiceTier::from("default"), ServiceTier::Standard);
///
/// let unknown = ServiceTier::from("warp");
/// assert!(unknown.is_unknown());
/// assert_eq!(unknown.to_string(), "warp");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ServiceTier {
    /// `auto`: the provider chooses. Priced as [`Standard`](Self::Standard) unless the response
    /// names the tier that it served.
    Auto,
    /// `standard` or `default`.
    Standard,
    /// `flex`.
    Flex,
    /// `balanced`.
    Balanced,
    /// `priority` or `fast`.
    Priority,
    /// `ultrafast`.
    Ultrafast,
    /// An unknown word.
    Unknown(UnknownTier),
}

/// An unknown word for a service tier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownTier(ArrayString<LONGEST>);

/// The number of bytes that are kept of a word.
const LONGEST: usize = 27;

impl UnknownTier {
    fn new(word: &str) -> Self {
        let mut kept = ArrayString::new();
        for letter in word.chars() {
            if kept.try_push(letter).is_err() {
                break;
            }
        }
        Self(kept)
    }

    /// Returns the word as it was written; the first 27 bytes of a longer one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnknownTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for UnknownTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl ServiceTier {
    /// Returns the word, as it is serialised: `standard` for `default`, `priority` for `fast`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Standard => "standard",
            Self::Flex => "flex",
            Self::Balanced => "balanced",
            Self::Priority => "priority",
            Self::Ultrafast => "ultrafast",
            Self::Unknown(word) => word.as_str(),
        }
    }

    /// Returns whether the tier is unknown.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    fn known(lower_case: &str) -> Option<Self> {
        Some(match lower_case {
            "auto" => Self::Auto,
            "default" | "standard" => Self::Standard,
            "flex" => Self::Flex,
            "balanced" => Self::Balanced,
            "priority" | "fast" => Self::Priority,
            "ultrafast" => Self::Ultrafast,
            _ => return None,
        })
    }
}

impl From<&str> for ServiceTier {
    fn from(word: &str) -> Self {
        let known = Self::known(word).or_else(|| {
            let mut lower = ArrayString::<LONGEST>::from(word).ok()?;
            lower.make_ascii_lowercase();
            Self::known(&lower)
        });
        known.unwrap_or_else(|| Self::Unknown(UnknownTier::new(word)))
    }
}

impl From<&String> for ServiceTier {
    fn from(word: &String) -> Self {
        Self::from(&**word)
    }
}

/// Reads any word; see [`ServiceTier::is_unknown`].
impl FromStr for ServiceTier {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(word))
    }
}

impl fmt::Display for ServiceTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ServiceTier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ServiceTier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TierVisitor)
    }
}

struct TierVisitor;

impl Visitor<'_> for TierVisitor {
    type Value = ServiceTier;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service tier")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(ServiceTier::from(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case() {
        for (word, tier, written) in [
            ("auto", ServiceTier::Auto, "auto"),
            ("DEFAULT", ServiceTier::Standard, "standard"),
            ("Flex", ServiceTier::Flex, "flex"),
            ("balanced", ServiceTier::Balanced, "balanced"),
            ("FAST", ServiceTier::Priority, "priority"),
            ("UltraFast", ServiceTier::Ultrafast, "ultrafast"),
        ] {
            assert_eq!(ServiceTier::from(word), tier, "{word}");
            assert_eq!(serde_json::to_value(tier).unwrap(), written, "{word}");
            assert_eq!(serde_json::from_value::<ServiceTier>(word.into()).unwrap(), tier, "{word}");
        }
    }

    #[test]
    fn an_unknown_word_is_kept() {
        for word in ["on_demand", "Warp", "", "priority ", "🦀"] {
            let tier = ServiceTier::from(word);
            assert!(tier.is_unknown(), "{word}");
            assert_eq!(tier.as_str(), word);
        }
        let long = ServiceTier::from("aaaaaaaaaaaaaaaaaaaaaaaaaüüü");
        assert_eq!(long.as_str(), "aaaaaaaaaaaaaaaaaaaaaaaaaü");
        assert_eq!(format!("{:?}", ServiceTier::from("x")), "Unknown(\"x\")");
    }
}
