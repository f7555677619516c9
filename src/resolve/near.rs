//! Suggestions for unknown names: keys with a similar spelling.

use std::ops::Range;

use super::Layers;
use crate::catalog::EntryRef;

/// The largest number of suggestions.
const SUGGESTIONS: usize = 3;

/// The longest name that is compared, in bytes. Longer names are not typing errors.
const MAX_NAME: usize = 256;

/// The distance of a key from a name: the edit distance of the last segments, then whether the key
/// is of another provider, then the edit distance of the whole names. For a key of which the name
/// is a beginning, the first part is one above the limit, and the last is the number of letters of
/// the key.
type Distance = (usize, bool, usize);

/// The keys of a snapshot, indexed for the search of similar ones.
///
/// Most keys are ruled out by their lengths and letter counts, which takes a few nanoseconds a key.
/// Only the remaining keys are compared letter by letter.
#[derive(Debug)]
pub(crate) struct Spellings {
    /// The keys, sorted by the number of letters in their last segments.
    keys: Vec<Known>,
    /// The position in `keys` at which each number of letters begins.
    starts: Vec<usize>,
    /// Positions in `keys`, sorted by the last segments.
    by_bare: Vec<usize>,
}

#[derive(Debug)]
struct Known {
    key: Box<str>,
    provider: Option<Box<str>>,
    spelling: Spelling,
}

impl Spellings {
    pub(crate) fn of(layers: Layers<'_>) -> Self {
        let known = |entry: EntryRef<'_>| Known {
            key: entry.key().into(),
            provider: entry.provider().map(Into::into),
            spelling: Spelling::of(entry.key()),
        };
        let mut keys: Vec<Known> =
            layers.entries().filter(|entry| entry.key().len() <= MAX_NAME).map(known).collect();
        keys.sort_by_key(|key| key.spelling.letters);
        let longest = keys.last().map_or(0, |key| key.spelling.letters);
        let starts = (0..=longest + 1)
            .map(|letters| keys.partition_point(|key| key.spelling.letters < letters))
            .collect();
        let mut by_bare: Vec<usize> = (0..keys.len()).collect();
        by_bare.sort_by(|a, b| bare(&keys, *a).cmp(bare(&keys, *b)));
        Self { keys, starts, by_bare }
    }

    /// Returns the keys nearest to a name, nearest first, at most [`SUGGESTIONS`] of them.
    pub(crate) fn near(&self, name: &str, provider: Option<&str>) -> Vec<&str> {
        if name.len() > MAX_NAME {
            return Vec::new();
        }
        let name = Spelling::of(name);
        let provider = provider.or_else(|| name.whole.split_once('/').map(|(first, _)| first));
        let limit = name.limit();
        // Changing one letter changes two counts, by one each, so that half of the difference in
        // counts is a lower bound of the distance. Keys are compared in the order of this bound,
        // until enough keys are nearer than the bound of the next.
        let mut possible: Vec<(usize, &Known)> = self
            .of_letters(name.letters.saturating_sub(limit)..name.letters + limit + 1)
            .iter()
            .map(|key| (name.counts_apart(&key.spelling).div_ceil(2), key))
            .filter(|(least, _)| *least <= limit)
            .collect();
        possible.sort_by_key(|(least, _)| *least);
        let mut near: Vec<(usize, &Known)> = Vec::new();
        let mut worst = limit;
        for (least, key) in possible {
            if least > worst {
                break;
            }
            let letters = strsim::osa_distance(name.bare(), key.spelling.bare());
            if letters <= worst {
                let position = near.partition_point(|(known, _)| *known <= letters);
                near.insert(position, (letters, key));
                worst = near.get(SUGGESTIONS - 1).map_or(limit, |(letters, _)| *letters);
                near.truncate(near.partition_point(|(letters, _)| *letters <= worst));
            }
        }
        if near.len() < SUGGESTIONS && name.letters >= 4 {
            near.extend(self.cut_short(&name, limit).map(|key| (limit + 1, key)));
        }
        let is_other = |key: &Known| provider.is_some() && key.provider.as_deref() != provider;
        let mut near: Vec<(usize, bool, &Known)> =
            near.into_iter().map(|(letters, key)| (letters, is_other(key), key)).collect();
        near.sort_by_key(|(letters, other, _)| (*letters, *other));
        if let Some((letters, other, _)) = near.get(SUGGESTIONS - 1) {
            let last = (*letters, *other);
            near.truncate(near.partition_point(|(letters, other, _)| (*letters, *other) <= last));
        }
        let mut near: Vec<(Distance, &str)> = near
            .into_iter()
            .map(|(letters, other, key)| {
                let is_cut = letters > limit;
                let whole = || strsim::osa_distance(&name.whole, &key.spelling.whole);
                let whole = if is_cut { key.spelling.letters } else { whole() };
                ((letters, other, whole), &*key.key)
            })
            .collect();
        near.sort_unstable();
        near.into_iter().take(SUGGESTIONS).map(|(_, key)| key).collect()
    }

    /// Returns the keys that continue the name after a dash and are too long to be near otherwise.
    fn cut_short(&self, name: &Spelling, limit: usize) -> impl Iterator<Item = &Known> {
        let (beginning, least) = (format!("{}-", name.bare()), name.letters + limit);
        let start = self.by_bare.partition_point(|at| bare(&self.keys, *at) < beginning.as_str());
        let behind = self.by_bare.iter().skip(start).filter_map(|at| self.keys.get(*at));
        let cut = behind.take_while(move |key| key.spelling.bare().starts_with(&beginning));
        cut.filter(move |key| key.spelling.letters > least)
    }

    /// Returns the keys whose number of letters is in the range.
    fn of_letters(&self, letters: Range<usize>) -> &[Known] {
        let start = |letters: usize| self.starts.get(letters).copied().unwrap_or(self.keys.len());
        if letters.is_empty() {
            &[]
        } else {
            self.keys.get(start(letters.start)..start(letters.end)).unwrap_or(&[])
        }
    }
}

fn bare(keys: &[Known], at: usize) -> &str {
    keys.get(at).map_or("", |key| key.spelling.bare())
}

/// The number of letter counters. Letters share a counter if they are equal modulo this number.
const COUNTED: usize = 32;

/// A name in the form that is compared: in lower case, and with one sign for all separators that
/// people mix up.
#[derive(Debug)]
struct Spelling {
    whole: String,
    /// The byte at which the last segment begins.
    bare: usize,
    letters: usize,
    /// The number of times that each letter occurs in the last segment.
    counts: [u8; COUNTED],
}

impl Spelling {
    fn of(name: &str) -> Self {
        let letter = |c: char| if matches!(c, '.' | '_' | ':' | '@' | ' ') { '-' } else { c };
        let whole: String = name.chars().flat_map(char::to_lowercase).map(letter).collect();
        let bare = whole.rfind('/').map_or(0, |slash| slash + 1);
        let (mut letters, mut counts) = (0, [0_u8; COUNTED]);
        for letter in whole.get(bare..).unwrap_or_default().chars() {
            letters += 1;
            if let Some(count) = counts.get_mut(u32::from(letter) as usize % COUNTED) {
                *count = count.saturating_add(1);
            }
        }
        Self { whole, bare, letters, counts }
    }

    fn bare(&self) -> &str {
        self.whole.get(self.bare..).unwrap_or_default()
    }

    /// Returns the largest edit distance of a near key: a quarter of the letters, but at least two,
    /// and never more than half of the letters.
    fn limit(&self) -> usize {
        (self.letters / 4).max(2).min(self.letters / 2)
    }

    /// Returns the sum of the differences between the letter counts.
    fn counts_apart(&self, key: &Self) -> usize {
        self.counts.iter().zip(key.counts).map(|(a, b)| usize::from(a.abs_diff(b))).sum()
    }
}

#[cfg(all(test, feature = "bundled"))]
mod tests {
    use super::*;
    use crate::catalog::bundled;

    /// The search agrees with an edit distance to every key: no key is ruled out that would have
    /// been near.
    #[test]
    fn finds_what_a_comparison_with_every_key_finds() {
        let catalog = bundled::catalog();
        let spellings = Spellings::of(Layers::only(&catalog));
        let (mut compared, mut found) = (0, 0);
        for (n, entry) in catalog.entries().enumerate().step_by(101) {
            let mut letters: Vec<char> = entry.key().chars().collect();
            let at = n % letters.len();
            match n % 4 {
                0 => drop(letters.remove(at)),
                1 => letters.insert(at, 'q'),
                2 => letters[at] = 'Z',
                _ => letters.truncate(letters.len() / 2),
            }
            let name: String = letters.into_iter().collect();
            let spelling = Spelling::of(&name);
            let limit = spelling.limit();
            let mut near: Vec<(Distance, &str)> = Vec::new();
            for key in &spellings.keys {
                let letters = strsim::osa_distance(spelling.bare(), key.spelling.bare());
                let other = name.split_once('/').is_some_and(|(first, _)| {
                    key.provider.as_deref()
                        != Some(&*first.to_lowercase().replace(['.', '_', ':', '@', ' '], "-"))
                });
                let rest = key.spelling.bare().strip_prefix(spelling.bare());
                if spelling.letters > 0 && letters <= limit {
                    let whole = strsim::osa_distance(&spelling.whole, &key.spelling.whole);
                    near.push(((letters, other, whole), &key.key));
                } else if spelling.letters >= 4
                    && key.spelling.letters > spelling.letters + limit
                    && rest.is_some_and(|rest| rest.starts_with('-'))
                {
                    near.push(((limit + 1, other, key.spelling.letters), &key.key));
                }
            }
            near.sort_unstable();
            let expected: Vec<&str> = near.into_iter().take(SUGGESTIONS).map(|(_, key)| key).collect();
            assert_eq!(spellings.near(&name, None), expected, "{name}");
            compared += 1;
            found += usize::from(!expected.is_empty());
        }
        assert_eq!((compared, found), (46, 39));
    }
}
