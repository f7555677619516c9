//! How a cost carries its key: inline, so that making one neither allocates nor shares a counter.

use arrayvec::ArrayString;

/// Room for every key of every map known so far, and then some.
pub(super) const INLINE: usize = 104;

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "the large variant is the one that is used")]
pub(super) enum Key {
    Inline(ArrayString<INLINE>),
    /// A key of an operator who writes very long names.
    Long(Box<str>),
}

impl Key {
    #[inline]
    pub(super) fn new(key: &str) -> Self {
        ArrayString::from(key).map_or_else(|_| Self::Long(key.into()), Self::Inline)
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Inline(key) => key,
            Self::Long(key) => key,
        }
    }
}
