//! Keys that are written almost like a name that nobody knows.

use super::Layers;

/// How many keys are suggested.
const SUGGESTIONS: usize = 3;

/// Longer names are no slip of anyone's finger.
const MAX_NAME: usize = 256;

/// How near a key is: how many letters are different, then whether it is another provider's, then how
/// different the names are as a whole.
type Distance = (usize, bool, usize);

/// The keys nearest to a name, nearest first.
pub(crate) fn near_keys<'a>(layers: Layers<'a>, name: &str, provider: Option<&str>) -> Vec<&'a str> {
    if name.len() > MAX_NAME {
        return Vec::new();
    }
    let name = Spelling::of(name);
    let provider = provider.or_else(|| name.whole.split_once('/').map(|(first, _)| first));
    let mut near: Vec<(Distance, &str)> = Vec::new();
    for entry in layers.entries() {
        let other = provider.is_some() && entry.provider() != provider;
        if let Some((letters, whole)) = name.distance(&Spelling::of(entry.key())) {
            near.push(((letters, other, whole), entry.key()));
        }
    }
    near.sort_unstable();
    near.into_iter().take(SUGGESTIONS).map(|(_, key)| key).collect()
}

/// A name as it is compared: without case, and with one sign for all that people mix up.
struct Spelling {
    whole: String,
    /// Where the last segment begins.
    bare: usize,
    letters: usize,
}

impl Spelling {
    fn of(name: &str) -> Self {
        let letter = |c: char| if matches!(c, '.' | '_' | ':' | '@' | ' ') { '-' } else { c };
        let whole: String = name.chars().flat_map(char::to_lowercase).map(letter).collect();
        let bare = whole.rfind('/').map_or(0, |slash| slash + 1);
        let letters = whole.get(bare..).unwrap_or_default().chars().count();
        Self { whole, bare, letters }
    }

    fn bare(&self) -> &str {
        self.whole.get(self.bare..).unwrap_or_default()
    }

    /// How many letters of the last segments differ, and of the whole names. `None` where they are too different.
    fn distance(&self, key: &Self) -> Option<(usize, usize)> {
        // One letter in four, and two at the least in all but the shortest names.
        let limit = (self.letters / 4).max(2).min(self.letters / 2);
        if self.letters == 0 || self.letters.abs_diff(key.letters) > limit {
            // A name cut short is near to what it begins.
            let cut = self.letters >= 4
                && key.bare().strip_prefix(self.bare()).is_some_and(|rest| rest.starts_with('-'));
            return cut.then(|| (limit + 1, key.letters));
        }
        let letters = strsim::osa_distance(self.bare(), key.bare());
        (letters <= limit).then(|| (letters, strsim::osa_distance(&self.whole, &key.whole)))
    }
}
