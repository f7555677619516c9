//! How a cost carries its key: inline, so that making one neither allocates nor shares a counter.

use arrayvec::ArrayString;

/// Room for every key of every map known so far (the longest has 76 bytes), and then some.
const INLINE: usize = 84;

#[derive(Debug, Clone)]
pub(super) struct Key {
    short: ArrayString<INLINE>,
    /// A key of an operator who writes very long names.
    long: Option<Box<str>>,
}

impl Key {
    #[inline]
    pub(super) fn new(key: &str) -> Self {
        match ArrayString::from(key) {
            Ok(short) => Self { short, long: None },
            Err(_) => Self::long(key),
        }
    }

    #[cold]
    fn long(key: &str) -> Self {
        Self { short: ArrayString::new(), long: Some(key.into()) }
    }

    pub(super) fn as_str(&self) -> &str {
        self.long.as_deref().unwrap_or(&self.short)
    }
}
