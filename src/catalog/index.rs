//! An index of names: exact, and ignoring case.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

/// The position of an entry in its catalogue.
pub(crate) type EntryId = u32;

/// The entry that a name leads to, and the position of its rates, since pricing needs nothing else
/// of the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) entry: EntryId,
    pub(crate) rates: u32,
}

/// The names of a catalogue and their targets.
///
/// All names are stored in one string, so that an index takes few allocations and a lookup touches
/// few cache lines.
#[derive(Default)]
pub(crate) struct Index {
    names: String,
    exact: HashTable<Slot>,
    /// The names that are not plain (lower-case ASCII), hashed by their lower case. A plain key
    /// that is added after such a name with the same lower case takes its slot.
    folded: HashTable<Slot>,
    longest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    name: Span,
    target: Target,
}

/// A range of bytes in a text. It is aligned like a `u64`, so that functions return it in one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(8))]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Span {
    /// Creates a span. Returns `None` if the span ends beyond 4 GiB.
    pub(crate) fn new(start: usize, len: usize) -> Option<Self> {
        let end = u32::try_from(start.checked_add(len)?).ok()?;
        let start = u32::try_from(start).ok()?;
        Some(Self { start, len: end - start })
    }

    /// Returns whether the text of the span is `name`. Compares bytes, without checking character
    /// boundaries.
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

/// The hash of a name. Hashes are comparable within a process: all indexes and the memo of lookups
/// use the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameHash(u64);

impl NameHash {
    /// Hashes the bytes of a name alone, without the terminator that `str` adds to its hash.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a call costs more than the lookup; see benches/instructions")]
    pub(crate) fn of(name: &str) -> Self {
        /// Seeded from the system's randomness, so that nobody can prepare names whose hashes
        /// collide in this process.
        static SEEDS: LazyLock<FixedState> =
            LazyLock::new(|| FixedState::with_seed(RandomState::new().hash_one(0_u8)));
        let mut state = SEEDS.build_hasher();
        state.write(name.as_bytes());
        Self(state.finish())
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0
    }
}

/// The result of adding a name.
pub(crate) enum Added {
    New(Span),
    /// Another entry has the name.
    Taken,
}

impl Index {
    pub(crate) fn with_capacity(names: usize) -> Self {
        Self { exact: HashTable::with_capacity(names), ..Self::default() }
    }

    /// Adds a key. If two keys differ in case only, the later one answers to lookups that ignore
    /// case.
    ///
    /// Returns `None` if the names together exceed 4 GiB.
    pub(crate) fn add_key(&mut self, name: &str, target: Target) -> Option<Added> {
        self.add(name, target, true)
    }

    /// Adds an alias, which displaces no name.
    ///
    /// Returns `None` if the names together exceed 4 GiB.
    pub(crate) fn add_alias(&mut self, name: &str, target: Target) -> Option<Added> {
        self.add(name, target, false)
    }

    fn add(&mut self, name: &str, target: Target, displaces: bool) -> Option<Added> {
        let span = Span::new(self.names.len(), name.len())?;
        let Self { names, exact, folded, longest } = self;
        let slot = Slot { name: span, target };
        let hash_slot = |slot: &Slot| NameHash::of(slot.name.of(names)).0;
        let hash = NameHash::of(name).0;
        match exact.entry(hash, |s| s.name.is(name, names), hash_slot) {
            TableEntry::Occupied(_) => return Some(Added::Taken),
            TableEntry::Vacant(vacant) => {
                vacant.insert(slot);
            }
        }
        names.push_str(name);
        *longest = (*longest).max(name.len());

        let names = names.as_str();
        if is_plain(name) {
            // A plain name needs no slot of its own in `folded`: a key takes the slot of a name
            // with the same lower case, if there is one.
            let other = folded.find_mut(hash, |slot| folds_to(slot.name.of(names), name));
            if let (Some(other), true) = (other, displaces) {
                *other = slot;
            }
            return Some(Added::New(span));
        }
        let rehash = |slot: &Slot| with_folded(slot.name.of(names), |folded| NameHash::of(folded).0);
        with_folded(name, |lower| {
            let hash = NameHash::of(lower).0;
            let lower_is_taken = || exact.find(hash, |slot| slot.name.is(lower, names)).is_some();
            match folded.entry(hash, |slot| folds_to(slot.name.of(names), lower), rehash) {
                TableEntry::Occupied(mut taken) if displaces => *taken.get_mut() = slot,
                TableEntry::Vacant(vacant) if displaces || !lower_is_taken() => {
                    vacant.insert(slot);
                }
                TableEntry::Occupied(_) | TableEntry::Vacant(_) => {}
            }
        });
        Some(Added::New(span))
    }

    /// Returns the target of a name.
    #[inline]
    pub(crate) fn find(&self, name: &str, hash: NameHash) -> Option<Target> {
        self.exact.find(hash.0, |slot| slot.name.is(name, &self.names)).map(|slot| slot.target)
    }

    /// Returns the target of a name, exactly or else ignoring case, and whether the match is exact.
    pub(crate) fn find_either(&self, name: &str) -> Option<(Target, bool)> {
        // Lower-casing makes a name at most three times shorter.
        if name.len() > self.longest.saturating_mul(3) {
            return None;
        }
        let hash = NameHash::of(name);
        if let Some(target) = self.find(name, hash) {
            return Some((target, true));
        }
        let folded = if is_plain(name) {
            self.find_folded(name, hash)
        } else {
            with_folded(name, |lower| {
                let hash = NameHash::of(lower);
                self.find_folded(lower, hash).or_else(|| self.find(lower, hash))
            })
        };
        folded.map(|target| (target, false))
    }

    #[inline]
    fn find_folded(&self, lower: &str, hash: NameHash) -> Option<Target> {
        self.folded.find(hash.0, |slot| folds_to(slot.name.of(&self.names), lower)).map(|slot| slot.target)
    }

    /// Returns all names and their targets, in no particular order.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, Target)> {
        self.exact.iter().map(|slot| (self.name(slot.name), slot.target))
    }

    pub(crate) fn name(&self, span: Span) -> &str {
        span.of(&self.names)
    }

    /// Returns the length of the longest name, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    pub(crate) fn shrink(&mut self) {
        self.names.shrink_to_fit();
        let Self { names, folded, .. } = self;
        folded.shrink_to_fit(|slot| with_folded(slot.name.of(names), |folded| NameHash::of(folded).0));
    }
}

/// Writes the names and their targets, sorted by name.
impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.names().collect::<BTreeMap<_, _>>()).finish()
    }
}

/// The longest name that is lower-cased without an allocation, in bytes.
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

/// Returns whether a name is ASCII without upper-case letters.
fn is_plain(name: &str) -> bool {
    // Without an early exit, the compiler can test many bytes at once.
    !name.bytes().fold(false, |odd, byte| odd | !byte.is_ascii() | byte.is_ascii_uppercase())
}

/// Returns whether `lower` is the lower case of a name.
fn folds_to(name: &str, lower: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(lower) } else { name.to_lowercase() == lower }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(entry: EntryId) -> Target {
        Target { entry, rates: entry + 1 }
    }

    fn find(index: &Index, name: &str) -> Option<EntryId> {
        let found = index.find(name, NameHash::of(name))?;
        assert_eq!(found.rates, found.entry + 1);
        Some(found.entry)
    }

    fn find_either(index: &Index, name: &str) -> Option<EntryId> {
        index.find_either(name).map(|(found, _)| found.entry)
    }

    fn index(keys: &[&str]) -> Index {
        let mut index = Index::default();
        for (id, key) in (0..).zip(keys) {
            assert!(matches!(index.add_key(key, target(id)), Some(Added::New(_))), "{key}");
        }
        index
    }

    #[test]
    fn finds_exact_names_and_then_any_case() {
        let index = index(&["gpt-4o", "Org/Model-7B", "über-Modell", "GPT-4O"]);
        assert_eq!(find(&index, "gpt-4o"), Some(0));
        assert_eq!(find(&index, "GPT-4O"), Some(3));
        assert_eq!(find(&index, "Gpt-4o"), None);
        // If keys differ in case only, the last one answers.
        assert_eq!(find_either(&index, "Gpt-4o"), Some(3));
        assert_eq!(find_either(&index, "org/MODEL-7b"), Some(1));
        assert_eq!(find_either(&index, "ÜBER-MODELL"), Some(2));
        assert_eq!(find_either(&index, "gpt-4"), None);
        assert_eq!(find(&index, ""), None);
        assert_eq!(find_either(&index, &"x".repeat(1_000_000)), None);
    }

    #[test]
    fn an_alias_displaces_nothing() {
        let mut index = index(&["gpt-4o"]);
        assert!(matches!(index.add_alias("gpt-4o", target(7)), Some(Added::Taken)));
        assert!(matches!(index.add_alias("GPT-4o", target(7)), Some(Added::New(_))));
        assert_eq!((find(&index, "gpt-4o"), find(&index, "GPT-4o")), (Some(0), Some(7)));
        assert_eq!(find_either(&index, "gPT-4o"), Some(0));
    }

    #[test]
    fn grows_without_losing_a_name() {
        let names: Vec<String> = (0..5_000).map(|n| format!("Model-{n}")).collect();
        let index = index(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (id, name) in (0..).zip(&names) {
            assert_eq!(find(&index, name), Some(id));
            assert_eq!(find_either(&index, &name.to_uppercase()), Some(id));
        }
    }

    #[test]
    fn the_last_of_two_keys_that_differ_in_case_answers_for_others() {
        for keys in [["gpt-4o", "Gpt-4o"], ["Gpt-4o", "gpt-4o"]] {
            let both = index(&keys);
            assert_eq!((find(&both, keys[0]), find(&both, keys[1])), (Some(0), Some(1)));
            assert_eq!(find_either(&both, "gPT-4o"), Some(1), "{keys:?}");
        }
        let mut alias = index(&["Gpt-4o"]);
        assert!(matches!(alias.add_alias("gpt-4o", target(7)), Some(Added::New(_))));
        assert_eq!((find_either(&alias, "gpt-4o"), find_either(&alias, "GPT-4o")), (Some(7), Some(0)));
    }
}
