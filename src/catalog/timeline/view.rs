//! [`View`]: timelines as they were at a time.

use std::sync::Arc;

use super::{BatchOrigin, Point, PointRow, Timeline, Timelines, aliases};
use crate::catalog::index::NameHash;
use crate::catalog::{Catalog, EntryRef, RULES, SetAside};

/// The rows of a [`View`] that lookups find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// The rows that apply.
    InForce,
    /// The last rows of models that are gone.
    Gone,
    /// The first rows of all models that there ever were.
    Ever,
}

/// Timelines as they were at a time, as far as that was known at another.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) timelines: Arc<Timelines>,
    /// Microseconds from 1970.
    pub(crate) at: i64,
    /// Microseconds from 1970. Rows that were recorded later are not seen.
    pub(crate) recorded: i64,
    pub(crate) shows: Shows,
}

impl View {
    /// Returns a view of all rows that count in the end.
    pub(crate) fn last(timelines: Arc<Timelines>) -> Self {
        Self { timelines, at: i64::MAX, recorded: i64::MAX, shows: Shows::InForce }
    }

    /// Returns the view of other rows at the same times.
    pub(crate) fn showing(&self, shows: Shows) -> Self {
        Self { shows, ..self.clone() }
    }

    /// Returns the point of a name that is shown.
    fn point(&self, timeline: &Timeline) -> Option<Point> {
        let now = || timeline.at(self.at, self.recorded, &self.timelines);
        match self.shows {
            Shows::InForce => now(),
            Shows::Gone => {
                let mut point = now()?;
                if point.row != PointRow::Gone {
                    return None;
                }
                // The last row that could be trusted, with the corrections that held.
                while matches!(point.row, PointRow::Gone | PointRow::SetAside) {
                    let before = point.times.effective.checked_sub(1)?;
                    point = timeline.at(before, self.recorded, &self.timelines)?;
                }
                Some(point)
            }
            Shows::Ever => {
                let is_entry = |point: &&Point| {
                    point.times.recorded <= self.recorded && matches!(point.row, PointRow::Entry(_))
                };
                timeline.points.iter().find(is_entry).copied()
            }
        }
    }

    fn entry_of(&self, timeline: &Timeline) -> Option<EntryRef<'_>> {
        let point = self.point(timeline)?;
        let PointRow::Entry(target) = point.row else { return None };
        Some(EntryRef { catalog: &self.timelines.batch(point.batch)?.catalog, target })
    }

    /// Returns the entry of a key or an alias.
    pub(crate) fn find(&self, name: &str, hash: NameHash) -> Option<EntryRef<'_>> {
        self.entry_of_name(self.timelines.timeline(self.timelines.find(name, hash)?)?)
    }

    fn entry_of_name(&self, timeline: &Timeline) -> Option<EntryRef<'_>> {
        if let Some(entry) = self.entry_of(timeline) {
            return Some(entry);
        }
        // No alias displaces the key of a row, not even if that was set aside.
        if timeline.claims.is_empty() || self.row_set_aside(&timeline.name).is_some() {
            return None;
        }
        let mut claimed =
            timeline.claims.iter().filter_map(|key| self.entry_of(self.timelines.timeline(*key)?));
        if self.shows == Shows::Ever {
            return claimed.next();
        }
        claimed.find(|entry| aliases(entry.json()).iter().any(|alias| **alias == *timeline.name))
    }

    /// Returns the entry of a key or an alias, exactly or else ignoring case, and whether the match is exact.
    pub(crate) fn find_either(&self, name: &str) -> Option<(EntryRef<'_>, bool)> {
        if name.len() > self.timelines.longest.saturating_mul(3) {
            return None;
        }
        if let Some(entry) = self.find(name, NameHash::of(name)) {
            return Some((entry, true));
        }
        let mut best: Option<(bool, u32, EntryRef<'_>)> = None;
        for (at, timeline) in self.alike(name) {
            let Some(entry) = self.entry_of_name(timeline) else { continue };
            let is_key = entry.key() == &*timeline.name;
            // The last key answers, or else the first alias.
            let is_better = match best {
                None => true,
                Some((known_is_key, known, _)) => match (is_key, known_is_key) {
                    (true, true) => at > known,
                    (false, false) => at < known,
                    (is_key, _) => is_key,
                },
            };
            if is_better {
                best = Some((is_key, at, entry));
            }
        }
        best.map(|(.., entry)| (entry, false))
    }

    /// Returns the names that differ from a name in case only, with their positions.
    fn alike(&self, name: &str) -> impl Iterator<Item = (u32, &Timeline)> {
        let lower = name.to_lowercase();
        let timelines = &*self.timelines;
        let is_alike =
            |at: &u32| timelines.timeline(*at).is_some_and(|known| known.name.to_lowercase() == lower);
        let first = timelines.folded.find(NameHash::of(&lower).as_u64(), is_alike).copied();
        let mut next = first;
        std::iter::from_fn(move || {
            let at = next?;
            let timeline = timelines.timeline(at)?;
            next = timeline.alike;
            Some((at, timeline))
        })
    }

    /// Returns the row that has this key, ignoring case, and was set aside.
    pub(crate) fn row_set_aside(&self, key: &str) -> Option<&SetAside> {
        if !self.timelines.sets_aside || key.len() > self.timelines.longest.saturating_mul(3) {
            return None;
        }
        self.alike(key).find_map(|(_, timeline)| self.set_aside_of(timeline))
    }

    fn set_aside_of(&self, timeline: &Timeline) -> Option<&SetAside> {
        let point = self.point(timeline)?;
        let catalog = &self.timelines.batch(point.batch)?.catalog;
        if point.row == PointRow::SetAside { catalog.row_set_aside(&timeline.name) } else { None }
    }

    /// Returns the rows that were set aside.
    pub(crate) fn set_aside(&self) -> impl Iterator<Item = &SetAside> {
        let names = if self.timelines.sets_aside { &*self.timelines.names } else { &[] };
        names.iter().filter_map(|timeline| self.set_aside_of(timeline))
    }

    /// Returns all entries, in the order in which their keys were first recorded.
    pub(crate) fn entries(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.timelines.names.iter().filter_map(|timeline| self.entry_of(timeline))
    }

    /// Returns whether a name is the key of an entry. Aliases do not count.
    pub(crate) fn has_key(&self, name: &str) -> bool {
        self.timelines.timeline_of(name).is_some_and(|timeline| self.entry_of(timeline).is_some())
    }

    /// Returns whether any entry has this provider.
    pub(crate) fn has_provider(&self, name: &str) -> bool {
        let keys = self.timelines.providers.get(name).map_or(&[][..], |keys| keys);
        let mut entries = keys.iter().filter_map(|key| self.entry(*key));
        entries.any(|entry| entry.provider() == Some(name))
    }

    /// Returns the length of the longest name, in bytes.
    pub(crate) fn longest_name(&self) -> usize {
        self.timelines.longest
    }

    /// Returns a catalogue that has the fallback rules, and may have entries that are not to be looked at.
    pub(crate) fn rules(&self) -> Arc<Catalog> {
        let timeline = self.timelines.timeline_of(RULES);
        let point = timeline.and_then(|timeline| self.point(timeline));
        let point = point.filter(|point| point.row == PointRow::Rules);
        let batch = point.and_then(|point| self.timelines.batch(point.batch));
        batch.map_or_else(|| self.timelines.without_rules.clone(), |batch| batch.catalog.clone())
    }

    /// Returns the catalogue of an entry of this view.
    pub(crate) fn catalog_of(&self, entry: EntryRef<'_>) -> Option<&Arc<Catalog>> {
        let timeline = self.timelines.timeline(self.position(entry)?)?;
        let batch = self.point(timeline)?.batch;
        self.timelines.batches.get(batch as usize).map(|batch| &batch.catalog)
    }

    /// Returns the position of an entry of this view. Returns `None` if the entry is of another map.
    pub(crate) fn position(&self, entry: EntryRef<'_>) -> Option<u32> {
        let key = entry.key();
        let position = self.timelines.find(key, NameHash::of(key))?;
        let known = self.entry(position)?;
        (known.identity() == entry.identity()).then_some(position)
    }

    /// Returns the entry at a position.
    pub(crate) fn entry(&self, position: u32) -> Option<EntryRef<'_>> {
        self.entry_of(self.timelines.timeline(position)?)
    }

    /// Returns the last map that was in force, and known.
    pub(crate) fn map(&self) -> Option<&BatchOrigin> {
        self.timelines.last_map(|map| map.effective <= self.at, self.recorded)
    }

    /// Returns the last map that had a model whose row is shown: the one before the model was gone, or else
    /// the one that the row is of.
    pub(crate) fn last_map_with(&self, key: &str) -> Option<&BatchOrigin> {
        let timeline = self.timelines.timeline_of(key)?;
        let now = timeline.at(self.at, self.recorded, &self.timelines)?;
        let before = || self.timelines.last_map(|map| map < now.times, self.recorded);
        let of_map = if now.row == PointRow::Gone { before() } else { None };
        of_map.or_else(|| Some(&self.timelines.batch(self.point(timeline)?.batch)?.origin))
    }

    /// Returns the time from which a model has a row, and the time at which it was gone, if it was.
    pub(crate) fn span_of(&self, key: &str) -> Option<(i64, Option<i64>)> {
        let timeline = self.timelines.timeline_of(key)?;
        let first = self.showing(Shows::Ever).point(timeline)?;
        let now = timeline.at(self.at, self.recorded, &self.timelines);
        let gone = now.filter(|point| point.row == PointRow::Gone).map(|point| point.times.effective);
        Some((first.times.effective, gone))
    }
}
