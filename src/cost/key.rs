//! The key of a cost, stored inline, so that creating a cost neither allocates nor updates a
//! reference count.

use arrayvec::ArrayString;

/// The size limit of inline keys, in bytes. The longest key of all maps known so far has 76.
const INLINE: usize = 84;

#[derive(Debug, Clone)]
pub(super) struct Key {
    short: ArrayString<INLINE>,
    /// A key that is too long to be inline, such as an operator may register.
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
