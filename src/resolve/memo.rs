//! What names led to before: most calls of a gateway name few models, and many of them not by their keys.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

use super::{Layers, Lookup};
use crate::catalog::{EntryRef, NameHash, Target};
use crate::rates::RuleProvider;

/// How many buckets of names are remembered of each kind.
const BUCKETS: usize = 512;

/// How many names a bucket has room for.
const WAYS: usize = 4;

/// Longer names, the provider included, are looked up each time.
const MAX_NAME: usize = 256;

/// Names that led to an entry, and names that led nowhere. Any thread reads and remembers them without a lock.
///
/// A name is known again by its text, never by its hash alone: a name that is taken for another is a wrong price.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    known: Table<Remembered>,
    unknown: Table<()>,
}

/// What a name led to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remembered {
    place: Place,
    pub(crate) provider: RuleProvider,
}

/// An entry of a snapshot.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Of the catalogue.
    Base(Target),
    /// Of the operator's own, by its position.
    Own(u32),
}

impl Remembered {
    pub(crate) fn new(layers: Layers<'_>, entry: EntryRef<'_>, provider: RuleProvider) -> Option<Self> {
        let place = if entry.is_of(layers.base) {
            Place::Base(entry.target())
        } else {
            Place::Own(layers.own?.position(entry.key())?)
        };
        Some(Self { place, provider })
    }

    #[inline]
    pub(crate) fn entry<'m>(&self, layers: Layers<'m>) -> Option<EntryRef<'m>> {
        match self.place {
            Place::Base(target) => Some(layers.base.at(target)),
            Place::Own(position) => layers.own?.entry(position),
        }
    }
}

impl Memo {
    /// What a name led to, as far as it is remembered.
    #[inline]
    pub(crate) fn get(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<Remembered> {
        self.known.get(lookup, hash)
    }

    /// Remembers what a name led to.
    pub(crate) fn put(&self, lookup: Lookup<'_>, hash: NameHash, found: Remembered) {
        self.known.put(lookup, hash, found);
    }

    /// Whether a name is remembered to lead nowhere.
    #[inline]
    pub(crate) fn is_unknown(&self, lookup: Lookup<'_>, hash: NameHash) -> bool {
        self.unknown.get(lookup, hash).is_some()
    }

    /// Remembers that a name leads nowhere.
    pub(crate) fn put_unknown(&self, lookup: Lookup<'_>, hash: NameHash) {
        self.unknown.put(lookup, hash, ());
    }
}

/// Names with what is known of each. A name has its place in any slot of its bucket, and takes that of another where all are taken.
#[derive(Debug)]
struct Table<T> {
    /// Allocated when there is something to remember: most snapshots of a map that is being filled never price a call.
    buckets: OnceLock<Box<[Bucket<T>]>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { buckets: OnceLock::new() }
    }
}

/// A cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Bucket<T> {
    /// A part of each name's hash, so that most slots need not be looked into; 0 where there is none.
    tags: [AtomicU32; WAYS],
    slots: [ArcSwapOption<Seen<T>>; WAYS],
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self { tags: Default::default(), slots: Default::default() }
    }
}

/// A name that was looked up.
#[derive(Debug)]
struct Seen<T> {
    name: Box<str>,
    provider: Option<Box<str>>,
    value: T,
}

impl<T> Seen<T> {
    #[inline]
    fn is_of(&self, lookup: Lookup<'_>) -> bool {
        *self.name == *lookup.name && self.provider.as_deref() == lookup.provider
    }
}

/// Where a lookup has its place: its bucket, and the tag that it has there.
#[derive(Clone, Copy)]
struct Spot {
    bucket: usize,
    tag: u32,
}

impl Spot {
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "a part of a hash is what is asked for")]
    fn of(lookup: Lookup<'_>, hash: NameHash) -> Self {
        let provider = lookup.provider.map_or(0, |provider| NameHash::of(provider).as_u64());
        let both = hash.as_u64() ^ provider.rotate_left(32);
        Self { bucket: both as usize % BUCKETS, tag: (both >> 32) as u32 | 1 }
    }
}

impl<T: Copy> Table<T> {
    #[inline]
    fn get(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<T> {
        if lookup.strict {
            return None;
        }
        let Spot { bucket, tag } = Spot::of(lookup, hash);
        let Bucket { tags, slots } = self.buckets.get()?.get(bucket)?;
        let ways = tags.iter().zip(slots).filter(|(known, _)| known.load(Ordering::Relaxed) == tag);
        ways.into_iter().find_map(|(_, slot)| {
            let seen = slot.load();
            seen.as_deref().filter(|seen| seen.is_of(lookup)).map(|seen| seen.value)
        })
    }

    #[cold]
    fn put(&self, lookup: Lookup<'_>, hash: NameHash, value: T) {
        if lookup.strict || lookup.name.len() + lookup.provider.map_or(0, str::len) > MAX_NAME {
            return;
        }
        let Spot { bucket, tag } = Spot::of(lookup, hash);
        let buckets = self.buckets.get_or_init(|| (0..BUCKETS).map(|_| Bucket::default()).collect());
        let Some(Bucket { tags, slots }) = buckets.get(bucket) else { return };
        let empty = tags.iter().position(|known| known.load(Ordering::Relaxed) == 0);
        let taken = || usize::try_from(tag >> 30).unwrap_or(0);
        let way = empty.unwrap_or_else(taken);
        if let (Some(known), Some(slot)) = (tags.get(way), slots.get(way)) {
            let (name, provider) = (lookup.name.into(), lookup.provider.map(Into::into));
            slot.store(Some(Arc::new(Seen { name, provider, value })));
            known.store(tag, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(lookup: Lookup<'_>) -> NameHash {
        NameHash::of(lookup.name)
    }

    #[test]
    fn names_are_remembered_and_forgotten() {
        let memo = Memo::default();
        let names: Vec<String> = (0..100_000).map(|n| format!("name-{n}")).collect();
        for name in &names {
            let lookup = Lookup::new(name);
            assert!(!memo.is_unknown(lookup, hash(lookup)), "{name}");
            memo.put_unknown(lookup, hash(lookup));
            assert!(memo.is_unknown(lookup, hash(lookup)), "{name}");
        }
        let left =
            names.iter().map(|name| Lookup::new(name)).filter(|name| memo.is_unknown(*name, hash(*name)));
        assert_eq!(left.count(), BUCKETS * WAYS);
    }

    /// Were hashes believed, the second lookup would be answered with what was remembered of the first.
    #[test]
    fn lookups_with_one_hash_are_told_apart() {
        let table = Table::default();
        let first = Lookup::new("o1-6040-65-57");
        let same = hash(first);
        table.put(first, same, 1);
        for other in [Lookup::new("o1-pro-4075-08-40"), Lookup::new("o1-6040-65-5"), Lookup::new("")] {
            assert_eq!(table.get(other, same), None, "{other:?}");
        }
        table.put(Lookup::new("o1-pro-4075-08-40"), same, 2);
        assert_eq!(
            (table.get(first, same), table.get(Lookup::new("o1-pro-4075-08-40"), same)),
            (Some(1), Some(2))
        );
        // A provider is part of the lookup, and no provider is none: "a" of "b" is not "b" of "a", whose hashes may be alike.
        let asked = first.provider("openai");
        table.put(asked, same, 3);
        assert_eq!((table.get(asked, same), table.get(first, same)), (Some(3), Some(1)));
        assert_eq!(table.get(first.provider("azure"), same), None);
    }

    #[test]
    fn long_names_and_strict_lookups_are_not_remembered() {
        let memo = Memo::default();
        memo.put_unknown(Lookup::new("x"), hash(Lookup::new("x")));
        let long = "x".repeat(MAX_NAME + 1);
        for lookup in [Lookup::new(&long), Lookup::new("x").provider(&long), Lookup::new("x").strict()] {
            memo.put_unknown(lookup, hash(lookup));
            assert!(!memo.is_unknown(lookup, hash(lookup)), "{lookup:?}");
        }
    }
}
