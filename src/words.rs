//! Enums whose variants are words: written and read by name, in text and with serde.

use crate::text::clip;

/// The error of a word that names no variant of an enum, such as a
/// [`Component`](crate::cost::Component).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {kind}")]
pub struct ParseWordError {
    kind: &'static str,
    word: Box<str>,
}

impl ParseWordError {
    pub(crate) fn new(kind: &'static str, word: &str) -> Self {
        Self { kind, word: clip(word).into() }
    }

    /// Returns the word, or its beginning if it is very long.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }
}

/// Implements `as_str`, `FromStr`, `Serialize` and `Deserialize` for an enum of words.
macro_rules! words {
    ($type:ident is a $kind:literal: $($variant:ident = $word:literal,)+) => {
        impl $type {
            /// All variants, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name, as it is serialised.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        /// Reads the name that [`as_str`](Self::as_str) returns.
        impl std::str::FromStr for $type {
            type Err = $crate::words::ParseWordError;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().find(|known| known.as_str() == word).copied();
                known.ok_or_else(|| $crate::words::ParseWordError::new($kind, word))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct WordVisitor;

                impl serde::de::Visitor<'_> for WordVisitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a ", $kind))
                    }

                    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<$type, E> {
                        word.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(WordVisitor)
            }
        }
    };
}
pub(crate) use words;
