//! Names to entries: exactly, and ignoring case.

use std::hash::{BuildHasher, Hasher};

use hashbrown::hash_table::Entry as TableEntry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Which entry of a catalogue.
pub(crate) type EntryId = u32;

/// All names lie one behind the other in one string, so that a map is a handful of allocations
/// and a lookup touches few cache lines.
#[derive(Debug, Default)]
pub(crate) struct Index {
    names: String,
    exact: HashTable<Slot>,
    folded: HashTable<Slot>,
    hasher: DefaultHashBuilder,
    longest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    name: Span,
    entry: EntryId,
}

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    /// `None` beyond 4 GiB.
    pub(crate) fn new(start: usize, len: usize) -> Option<Self> {
        let end = u32::try_from(start.checked_add(len)?).ok()?;
        let start = u32::try_from(start).ok()?;
        Some(Self { start, len: end - start })
    }

    /// Whether it is this, without a look at where characters begin.
    #[inline]
    fn is(self, name: &str, text: &str) -> bool {
        let start = self.start as usize;
        self.len as usize == name.len()
            && text.as_bytes().get(start..start + name.len()) == Some(name.as_bytes())
    }

    #[inline]
    pub(crate) fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        text.get(start..start + self.len as usize).unwrap_or("")
    }
}

/// Names are hashed as bytes alone: what tells `str`s apart in a tuple has no part in it.
#[inline]
#[allow(clippy::trivially_copy_pass_by_ref, reason = "whatever it holds")]
fn hash(hasher: &DefaultHashBuilder, name: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(name.as_bytes());
    state.finish()
}

/// What became of a name that was added.
pub(crate) enum Added {
    New(Span),
    /// Another entry has the name.
    Taken,
}

impl Index {
    pub(crate) fn with_capacity(names: usize) -> Self {
        Self {
            exact: HashTable::with_capacity(names),
            folded: HashTable::with_capacity(names),
            ..Self::default()
        }
    }

    /// Adds a key. Of two that differ in case only, the last answers where case is ignored.
    pub(crate) fn add_key(&mut self, name: &str, entry: EntryId) -> Option<Added> {
        self.add(name, entry, true)
    }

    /// Adds an alias, which displaces nothing.
    pub(crate) fn add_alias(&mut self, name: &str, entry: EntryId) -> Option<Added> {
        self.add(name, entry, false)
    }

    fn add(&mut self, name: &str, entry: EntryId, displaces: bool) -> Option<Added> {
        let span = Span::new(self.names.len(), name.len())?;
        let Self { names, exact, folded, hasher, longest } = self;
        let slot = Slot { name: span, entry };
        let hash_slot = |slot: &Slot| hash(hasher, slot.name.of(names));
        match exact.entry(hash(hasher, name), |s| s.name.of(names) == name, hash_slot) {
            TableEntry::Occupied(_) => return Some(Added::Taken),
            TableEntry::Vacant(vacant) => {
                vacant.insert(slot);
            }
        }
        names.push_str(name);
        *longest = (*longest).max(name.len());

        let names = names.as_str();
        let rehash = |slot: &Slot| with_folded(slot.name.of(names), |folded| hash(hasher, folded));
        with_folded(name, |lower| {
            let same = |s: &Slot| folds_to(s.name.of(names), lower);
            match folded.entry(hash(hasher, lower), same, rehash) {
                TableEntry::Occupied(mut taken) if displaces => *taken.get_mut() = slot,
                TableEntry::Occupied(_) => {}
                TableEntry::Vacant(vacant) => {
                    vacant.insert(slot);
                }
            }
        });
        Some(Added::New(span))
    }

    /// The entry of a name.
    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<EntryId> {
        if name.len() > self.longest {
            return None;
        }
        let same = |slot: &Slot| slot.name.is(name, &self.names);
        self.exact.find(hash(&self.hasher, name), same).map(|slot| slot.entry)
    }

    /// The entry of a name, ignoring case.
    pub(crate) fn find_folded(&self, name: &str) -> Option<EntryId> {
        // Lower-casing makes a name at most three times as short.
        if name.len() > self.longest.saturating_mul(3) {
            return None;
        }
        with_folded(name, |lower| {
            let hash = hash(&self.hasher, lower);
            self.folded.find(hash, |slot| folds_to(slot.name.of(&self.names), lower)).map(|slot| slot.entry)
        })
    }

    pub(crate) fn name(&self, span: Span) -> &str {
        span.of(&self.names)
    }

    /// How long the longest name is.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    pub(crate) fn shrink(&mut self) {
        self.names.shrink_to_fit();
    }
}

/// Names up to this length are lower-cased without an allocation.
const INLINE: usize = 128;

/// Calls `f` with the name in lower case.
fn with_folded<T>(name: &str, f: impl FnOnce(&str) -> T) -> T {
    match arrayvec::ArrayString::<INLINE>::from(name) {
        Ok(mut lower) if name.is_ascii() => {
            lower.make_ascii_lowercase();
            f(&lower)
        }
        _ => f(&name.to_lowercase()),
    }
}

/// Whether a name is `lower` in lower case.
fn folds_to(name: &str, lower: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(lower) } else { name.to_lowercase() == lower }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(keys: &[&str]) -> Index {
        let mut index = Index::default();
        for (id, key) in (0..).zip(keys) {
            assert!(matches!(index.add_key(key, id), Some(Added::New(_))), "{key}");
        }
        index
    }

    #[test]
    fn finds_exact_names_and_then_any_case() {
        let index = index(&["gpt-4o", "Org/Model-7B", "über-Modell", "GPT-4O"]);
        assert_eq!(index.find("gpt-4o"), Some(0));
        assert_eq!(index.find("GPT-4O"), Some(3));
        assert_eq!(index.find("Gpt-4o"), None);
        // On a tie the last key.
        assert_eq!(index.find_folded("Gpt-4o"), Some(3));
        assert_eq!(index.find_folded("org/MODEL-7b"), Some(1));
        assert_eq!(index.find_folded("ÜBER-MODELL"), Some(2));
        assert_eq!(index.find_folded("gpt-4"), None);
        assert_eq!(index.find(""), None);
        assert_eq!(index.find_folded(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn an_alias_displaces_nothing() {
        let mut index = index(&["gpt-4o"]);
        assert!(matches!(index.add_alias("gpt-4o", 7), Some(Added::Taken)));
        assert!(matches!(index.add_alias("GPT-4o", 7), Some(Added::New(_))));
        assert_eq!((index.find("gpt-4o"), index.find("GPT-4o")), (Some(0), Some(7)));
        assert_eq!(index.find_folded("gPT-4o"), Some(0));
    }

    #[test]
    fn grows_without_losing_a_name() {
        let names: Vec<String> = (0..5_000).map(|n| format!("Model-{n}")).collect();
        let index = index(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (id, name) in (0..).zip(&names) {
            assert_eq!(index.find(name), Some(id));
            assert_eq!(index.find_folded(&name.to_uppercase()), Some(id));
        }
    }
}
