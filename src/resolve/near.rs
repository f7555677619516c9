//! Keys that are written almost like a name that nobody knows.

use std::ops::Range;

use super::Layers;
use crate::catalog::EntryRef;

/// How many keys are suggested.
const SUGGESTIONS: usize = 3;

/// Longer names are no slip of anyone's finger.
const MAX_NAME: usize = 256;

/// How near a key is: how many letters are different, then whether it is another provider's, then how
/// different the names are as a whole.
type Distance = (usize, bool, usize);

/// The keys of a snapshot, prepared for the search of near ones.
///
/// Most keys are ruled out by their lengths and by how often they have each letter, which takes a few nanoseconds a key; only what is left is
/// compared letter by letter.
#[derive(Debug)]
pub(crate) struct Spellings {
    /// By the number of letters of their last segments.
    keys: Vec<Known>,
    /// Where the keys of each number of letters begin.
    starts: Vec<usize>,
    /// Positions among the keys, in the order of the last segments.
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

    /// Returns the keys nearest to a name, nearest first.
    pub(crate) fn near(&self, name: &str, provider: Option<&str>) -> Vec<&str> {
        if name.len() > MAX_NAME {
            return Vec::new();
        }
        let name = Spelling::of(name);
        let provider = provider.or_else(|| name.whole.split_once('/').map(|(first, _)| first));
        let limit = name.limit();
        // A change of one letter changes two counts by one at the most: keys are compared in the order of how near they can be, and no further
        // once there are enough that are nearer.
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

    /// The keys that a name is the beginning of, cut at a dash, and that are too long to be near otherwise.
    fn cut_short(&self, name: &Spelling, limit: usize) -> impl Iterator<Item = &Known> {
        let (beginning, least) = (format!("{}-", name.bare()), name.letters + limit);
        let start = self.by_bare.partition_point(|at| bare(&self.keys, *at) < beginning.as_str());
        let behind = self.by_bare.iter().skip(start).filter_map(|at| self.keys.get(*at));
        let cut = behind.take_while(move |key| key.spelling.bare().starts_with(&beginning));
        cut.filter(move |key| key.spelling.letters > least)
    }

    /// The keys of so many letters.
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

/// How many letters are counted apart: others are counted with one of these.
const COUNTED: usize = 32;

/// A name as it is compared: without case, and with one sign for all that people mix up.
#[derive(Debug)]
struct Spelling {
    whole: String,
    /// Where the last segment begins.
    bare: usize,
    letters: usize,
    /// How often the last segment has each letter.
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

    /// How many letters may differ: one in four, and two at the least in all but the shortest names.
    fn limit(&self) -> usize {
        (self.letters / 4).max(2).min(self.letters / 2)
    }

    /// By how much the counts of letters differ in all.
    fn counts_apart(&self, key: &Self) -> usize {
        self.counts.iter().zip(key.counts).map(|(a, b)| usize::from(a.abs_diff(b))).sum()
    }
}

#[cfg(all(test, feature = "bundled"))]
mod tests {
    use super::*;
    use crate::catalog::bundled;

    /// What is ruled out without being compared would not have been near: the same names compared with every key, letter by letter.
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
