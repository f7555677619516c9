//! A cache of lookups. Most calls of a gateway name few models, and many of those names are not
//! keys.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

use super::{Layers, Lookup};
use crate::catalog::{Catalog, EntryRef, Layer, NameHash, Target};
use crate::cost::CallRules;
use crate::rates::RuleProvider;

/// The number of buckets in each table.
const BUCKETS: usize = 512;

/// The number of names that a bucket holds.
const WAYS: usize = 4;

/// The longest lookup that is remembered, in bytes: name and provider together. Longer ones are
/// looked up each time.
const MAX_NAME: usize = 256;

/// The names that led to an entry, and the names that led nowhere. Any thread reads and writes them
/// without a lock.
///
/// A remembered name is compared by its text, never by its hash alone: a name mistaken for another
/// would be given a wrong price.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    known: Table<Remembered>,
    unknown: Table<()>,
}

/// The entry that a name led to, and the provider whose pricing rules apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remembered {
    place: EntryPlace,
    pub(crate) provider: RuleProvider,
    /// The discount and the margin of the map.
    pub(crate) rules: CallRules,
}

/// The position of an entry in a snapshot.
#[derive(Debug, Clone, Copy)]
enum EntryPlace {
    /// An entry of the catalogue.
    Base(Target),
    /// An entry of the operator's, by its position in the layer.
    Own(u32),
    /// An entry of a model that left the map, by its position among those.
    Retired(u32),
}

impl Remembered {
    pub(crate) fn new(
        layers: Layers<'_>,
        entry: EntryRef<'_>,
        provider: RuleProvider,
        rules: CallRules,
    ) -> Option<Self> {
        let retired = layers.retired.and_then(Layer::under);
        let place = if entry.is_of(layers.base) {
            EntryPlace::Base(entry.target())
        } else if let Some(position) = retired.and_then(|retired| retired.position(entry)) {
            EntryPlace::Retired(position)
        } else {
            EntryPlace::Own(layers.own?.position(entry.key())?)
        };
        Some(Self { place, provider, rules })
    }

    /// Returns whether the model left the map.
    #[inline]
    pub(crate) fn is_retired(self) -> bool {
        matches!(self.place, EntryPlace::Retired(_))
    }

    #[inline]
    pub(crate) fn entry<'m>(
        self,
        base: &'m Catalog,
        layers: impl FnOnce() -> Layers<'m>,
    ) -> Option<EntryRef<'m>> {
        match self.place {
            EntryPlace::Base(target) => Some(base.at(target)),
            _ => self.entry_over(layers()),
        }
    }

    #[cold]
    fn entry_over(self, layers: Layers<'_>) -> Option<EntryRef<'_>> {
        match self.place {
            EntryPlace::Base(target) => Some(layers.base.at(target)),
            EntryPlace::Own(position) => layers.own?.entry(position),
            EntryPlace::Retired(position) => layers.retired?.under()?.entry(position),
        }
    }
}

impl Memo {
    /// Returns the entry that a name led to, if it is remembered.
    #[inline]
    pub(crate) fn get(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<Remembered> {
        self.known.get(lookup, hash)
    }

    /// Remembers the entry that a name led to.
    pub(crate) fn put(&self, lookup: Lookup<'_>, hash: NameHash, found: Remembered) {
        self.known.put(lookup, hash, found);
    }

    /// Returns whether a name is remembered as unknown.
    #[inline]
    pub(crate) fn is_unknown(&self, lookup: Lookup<'_>, hash: NameHash) -> bool {
        self.unknown.get(lookup, hash).is_some()
    }

    /// Remembers that a name is unknown.
    pub(crate) fn put_unknown(&self, lookup: Lookup<'_>, hash: NameHash) {
        self.unknown.put(lookup, hash, ());
    }
}

/// A set-associative cache keyed by lookup. A name may be in any slot of its bucket. If all slots
/// are taken, a new name evicts another.
#[derive(Debug)]
struct Table<T> {
    /// Allocated on the first write: most snapshots of a map that is still being filled never price
    /// a call.
    buckets: OnceLock<Box<[Bucket<T>]>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { buckets: OnceLock::new() }
    }
}

/// One cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Bucket<T> {
    /// A part of the hash of each lookup, which avoids loading most slots. 0 marks an empty slot.
    tags: [AtomicU32; WAYS],
    slots: [ArcSwapOption<SeenName<T>>; WAYS],
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self { tags: Default::default(), slots: Default::default() }
    }
}

/// A lookup that is remembered, and its result.
#[derive(Debug)]
struct SeenName<T> {
    name: Box<str>,
    provider: Option<Box<str>>,
    served: bool,
    value: T,
}

impl<T> SeenName<T> {
    #[inline]
    fn is_of(&self, lookup: Lookup<'_>) -> bool {
        *self.name == *lookup.name
            && self.provider.as_deref() == lookup.provider
            && self.served == lookup.served
    }
}

/// The bucket of a lookup, and the tag under which the lookup is stored there.
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
            slot.store(Some(Arc::new(SeenName { name, provider, served: lookup.served, value })));
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

    /// If hashes were trusted, the second lookup would return the result of the first.
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
        // The provider is part of the lookup, and having no provider differs from any provider.
        // Swapping name and provider may give the same hash, but is a different lookup.
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
