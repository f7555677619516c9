//! What names led to before: most calls of a gateway name few models, and many of them not by their keys.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Layers, Lookup};
use crate::catalog::{EntryId, EntryRef, NameHash};
use crate::cost::Asked;

/// How many buckets of names are remembered of each kind.
const BUCKETS: usize = 256;

/// A name has its place in any slot of its bucket.
const WAYS: usize = 8;

/// A cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; WAYS]);

const NOTHING: u64 = 0;

/// Names that led to an entry, and names that led nowhere: one word each, so that any thread reads and writes them without a lock.
///
/// A name that is taken for another is a wrong price. What tells names apart are 48 bits of a hash with random seeds; and what is remembered
/// is believed, and put down at all, only where the key is what the name begins or ends with, or the other way round. Of names that lead
/// nowhere the whole hash is kept.
#[derive(Debug)]
pub(crate) struct Memo {
    known: Box<[Bucket]>,
    /// The hashes alone.
    unknown: Box<[Bucket]>,
}

/// A lookup's hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashed(u64);

impl Hashed {
    #[inline]
    pub(crate) fn of(lookup: Lookup<'_>, name: NameHash) -> Self {
        let provider = lookup.provider.map_or(0, |provider| NameHash::of(provider).as_u64());
        let both = name.as_u64() ^ provider.rotate_left(32) ^ u64::from(lookup.strict);
        // Nothing that was remembered is zero.
        Self(both.max(1 << PAYLOAD))
    }
}

/// What a name led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Remembered {
    entry: EntryId,
    /// Whether the entry is the operator's own.
    is_own: bool,
    /// See [`Asked::number`].
    asked: u8,
}

/// Bits of a word that say what a name led to. The others are of its hash.
const PAYLOAD: u32 = 24;

impl Remembered {
    fn pack(self) -> Option<u64> {
        let entry = u64::from(self.entry);
        let packed = entry << 3 | u64::from(self.is_own) << 2 | u64::from(self.asked & 3);
        (packed >> PAYLOAD == 0).then_some(packed)
    }

    fn unpack(word: u64) -> Option<Self> {
        let packed = u32::try_from(word & ((1 << PAYLOAD) - 1)).ok()?;
        let asked = u8::try_from(packed & 3).ok()?;
        Some(Self { entry: packed >> 3, is_own: packed & 4 != 0, asked })
    }
}

impl Default for Memo {
    fn default() -> Self {
        let slots = || (0..BUCKETS).map(|_| Bucket::default()).collect();
        Self { known: slots(), unknown: slots() }
    }
}

impl Memo {
    /// What a name led to, as far as it is remembered.
    #[inline]
    pub(crate) fn get<'m>(
        &self,
        hashed: Hashed,
        layers: Layers<'m>,
        lookup: Lookup<'_>,
    ) -> Option<(EntryRef<'m>, Asked)> {
        let tag = hashed.0 >> PAYLOAD;
        let words = ways(&self.known, hashed).iter().map(|slot| slot.load(Ordering::Relaxed));
        let found = Remembered::unpack(words.into_iter().find(|word| word >> PAYLOAD == tag)?)?;
        let catalog = if found.is_own { layers.own? } else { layers.base };
        let entry = catalog.entry(found.entry)?;
        is_likely(entry.key(), lookup).then_some((entry, Asked::from_number(found.asked)))
    }

    /// Remembers what a name led to.
    pub(crate) fn put(
        &self,
        hashed: Hashed,
        layers: Layers<'_>,
        lookup: Lookup<'_>,
        entry: EntryRef<'_>,
        asked: Asked,
    ) {
        if !is_likely(entry.key(), lookup) {
            return;
        }
        let is_own = layers.own.is_some_and(|own| entry.is_of(own));
        let found = Remembered { entry: entry.id(), is_own, asked: asked.number() };
        if let Some(payload) = found.pack() {
            put(&self.known, hashed, (hashed.0 >> PAYLOAD) << PAYLOAD | payload);
        }
    }

    /// Whether a name is remembered to lead nowhere.
    #[inline]
    pub(crate) fn is_unknown(&self, hashed: Hashed) -> bool {
        ways(&self.unknown, hashed).iter().any(|slot| slot.load(Ordering::Relaxed) == hashed.0)
    }

    /// Remembers that a name leads nowhere.
    pub(crate) fn put_unknown(&self, hashed: Hashed) {
        put(&self.unknown, hashed, hashed.0);
    }
}

/// Where a hash has its place.
#[inline]
fn ways(buckets: &[Bucket], hashed: Hashed) -> &[AtomicU64] {
    let bucket = usize::try_from(hashed.0 % BUCKETS as u64).unwrap_or(0);
    buckets.get(bucket).map_or(&[], |bucket| &bucket.0)
}

/// Into the slot that the name has, or else an empty one, or else in the place of another name.
fn put(buckets: &[Bucket], hashed: Hashed, word: u64) {
    let ways = ways(buckets, hashed);
    let held = |slot: &&AtomicU64| {
        let word = slot.load(Ordering::Relaxed);
        word == NOTHING || word >> PAYLOAD == hashed.0 >> PAYLOAD
    };
    let victim = || ways.get(usize::try_from(hashed.0 >> 61).unwrap_or(0));
    if let Some(slot) = ways.iter().find(held).or_else(victim) {
        slot.store(word, Ordering::Relaxed);
    }
}

/// Whether a key is what a name begins or ends with, or the other way round: in any case, and without the provider asked for.
#[inline]
fn is_likely(key: &str, lookup: Lookup<'_>) -> bool {
    let behind = |key| {
        let provider = lookup.provider?;
        str::strip_prefix(key, provider)?.strip_prefix('/')
    };
    let (model, name) = (behind(key).unwrap_or(key).as_bytes(), lookup.name.as_bytes());
    let (short, long) = if model.len() < name.len() { (model, name) } else { (name, model) };
    let is = |part: Option<&[u8]>| part.is_some_and(|part| part == short || part.eq_ignore_ascii_case(short));
    !short.is_empty() && (is(long.get(long.len() - short.len()..)) || is(long.get(..short.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_what_they_are_given() {
        for entry in [0, 1, (1 << 21) - 1] {
            for is_own in [false, true] {
                for asked in 0..4 {
                    let found = Remembered { entry, is_own, asked };
                    assert_eq!(found.pack().and_then(Remembered::unpack), Some(found));
                }
            }
        }
        assert_eq!(Remembered { entry: 1 << 21, is_own: false, asked: 0 }.pack(), None);
    }

    #[test]
    fn names_that_lead_nowhere_are_remembered_and_forgotten() {
        let memo = Memo::default();
        let names: Vec<String> = (0..100_000).map(|n| format!("name-{n}")).collect();
        let hashed: Vec<Hashed> =
            names.iter().map(|name| Hashed::of(Lookup::new(name), NameHash::of(name))).collect();
        for (seen, hash) in hashed.iter().enumerate() {
            assert!(!memo.is_unknown(*hash), "{}", names[seen]);
            memo.put_unknown(*hash);
            assert!(memo.is_unknown(*hash), "{}", names[seen]);
        }
        let left = hashed.iter().filter(|hash| memo.is_unknown(**hash)).count();
        assert!((BUCKETS * WAYS - 8..=BUCKETS * WAYS).contains(&left), "{left}");
    }

    #[test]
    fn only_what_is_likely_is_believed() {
        let likely = |key: &str, name: &str, provider: Option<&str>| {
            is_likely(key, Lookup { name, provider, strict: false })
        };
        for (key, name, provider) in [
            ("gpt-4o", "GPT-4o", None),
            ("gpt-4o", "openai/gpt-4o", None),
            ("gpt-4o", "gpt-4o-2031-01-31", Some("openai")),
            ("azure/gpt-4o", "gpt-4o", Some("azure")),
            ("azure/gpt-4o", "gpt-4o-2031-01-31", Some("azure")),
            ("azure/gpt-4o", "azure/azure/gpt-4o", Some("azure")),
        ] {
            assert!(likely(key, name, provider), "{key} {name}");
        }
        for (key, name, provider) in [
            ("gpt-4o", "gpt-5", None),
            ("gpt-4o", "claude", Some("openai")),
            ("azure/gpt-4o", "gpt-5-2031-01-31", Some("azure")),
            ("gpt-4o", "", None),
        ] {
            assert!(!likely(key, name, provider), "{key} {name}");
        }
    }
}
