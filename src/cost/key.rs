//! How a cost carries its key: inline, so that making one neither allocates nor shares a counter.

/// Room for every key of every map known so far (the longest has 76 bytes), and then some.
const INLINE: usize = 88;

#[derive(Debug, Clone)]
pub(super) struct Key {
    len: usize,
    bytes: [u8; INLINE],
    /// A key of an operator who writes very long names.
    long: Option<Box<str>>,
}

impl Key {
    pub(super) const EMPTY: Self = Self { len: 0, bytes: [0; INLINE], long: None };

    /// Written where it lies.
    #[inline]
    pub(super) fn set(&mut self, key: &str) {
        if let Some(room) = self.bytes.get_mut(..key.len()) {
            room.copy_from_slice(key.as_bytes());
            self.len = key.len();
        } else {
            self.set_long(key);
        }
    }

    #[cold]
    fn set_long(&mut self, key: &str) {
        self.long = Some(key.into());
    }

    pub(super) fn as_str(&self) -> &str {
        if let Some(long) = &self.long {
            return long;
        }
        // They were a `str`.
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}
