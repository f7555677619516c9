//! [`Timelines`]: the rows that models have had, each with the time from which it applies. A [`View`] shows
//! them as they were at a time.

mod view;

use std::sync::Arc;

use hashbrown::{HashMap, HashTable};

use super::builder::NotAMap;
use super::index::{NameHash, Span, Target};
use super::row::is_plain;
use super::{Catalog, EntryRef, RULES, SAMPLE, Text};
use crate::json::{self, JsonField};
use crate::num::is_same_value;
pub(crate) use view::{Shows, View};

/// Rows that were recorded together: some or all rows of a map, or corrections of rows.
///
/// A batch is never changed, so that every later state of its [`Timelines`] shares its rates.
#[derive(Debug)]
pub(crate) struct Batch {
    catalog: Arc<Catalog>,
    origin: BatchOrigin,
}

/// The origin of a batch, and its two times, in microseconds from 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BatchOrigin {
    /// The time from which the rows apply.
    pub(crate) effective: i64,
    /// The time at which they became known.
    pub(crate) recorded: i64,
    /// The source of the rows, as messages name it.
    pub(crate) source: String,
    /// The revision of the map, if the rows are those of one.
    pub(crate) revision: Option<String>,
    /// True if the rows are the changes of a whole map, and not corrections.
    pub(crate) is_map: bool,
}

/// The times of a map, in microseconds from 1970. The later of two maps is the one that applies from a later
/// time, or was recorded later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MapTimes {
    pub(crate) effective: i64,
    pub(crate) recorded: i64,
}

impl BatchOrigin {
    pub(crate) fn times(&self) -> MapTimes {
        MapTimes { effective: self.effective, recorded: self.recorded }
    }
}

/// A row of a batch: the key, and the JSON of the row, or `None` if the model is gone.
pub(crate) type KeyedRow<'a> = (&'a str, Option<&'a str>);

/// The rows that models have had, in any number of batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timelines {
    batches: Vec<Arc<Batch>>,
    names: Vec<Arc<Timeline>>,
    /// Positions in `names`, by name.
    exact: HashTable<u32>,
    /// Positions in `names`, by the lower case of names: of several names, that of the one that was added
    /// last.
    folded: HashTable<u32>,
    /// For each provider, positions in `names`: those of the keys that were of the provider at some time.
    providers: HashMap<Box<str>, Vec<u32>>,
    /// The times of the batches of maps, in their order, each with its position in `batches`.
    maps: Vec<(MapTimes, u32)>,
    /// Batches with rows that were set aside. If there are none, no lookup searches for them.
    sets_aside: bool,
    longest: usize,
    /// A map without fallback rules.
    without_rules: Arc<Catalog>,
}

/// The points at which the row of one name changes.
#[derive(Debug, Clone)]
struct Timeline {
    name: Box<str>,
    /// In the order in which they apply.
    points: Vec<Point>,
    /// The point that was added last.
    last: Option<Point>,
    /// True if some of the points are corrections.
    is_corrected: bool,
    /// Positions of the keys that had this name as an alias at some time, in the order of the keys.
    claims: Vec<u32>,
    /// The position of another name that differs from this one in case only.
    alike: Option<u32>,
}

/// A change of a row.
#[derive(Debug, Clone, Copy)]
struct Point {
    times: MapTimes,
    batch: u32,
    /// True for the row of a map, and false for a correction.
    is_of_map: bool,
    row: PointRow,
    /// The row in the text of the batch. Empty if the model is gone.
    json: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PointRow {
    Entry(Target),
    /// The row cannot be trusted.
    SetAside,
    /// The row holds fallback rules.
    Rules,
    Gone,
}

impl Timelines {
    /// Adds a batch. Batches may come in any order of their times.
    ///
    /// # Errors
    ///
    /// Returns an error if the rows together are no map.
    pub(crate) fn push(&mut self, origin: BatchOrigin, rows: &[KeyedRow<'_>]) -> Result<(), NotAMap> {
        self.add(origin, rows)?;
        let keys: Vec<u32> = rows.iter().filter_map(|(key, _)| self.find(key, NameHash::of(key))).collect();
        self.sort(keys.into_iter());
        Ok(())
    }

    /// Adds a batch as [`push`](Self::push) does, but lookups are right after [`sort_all`](Self::sort_all)
    /// alone.
    pub(crate) fn add(&mut self, origin: BatchOrigin, rows: &[KeyedRow<'_>]) -> Result<(), NotAMap> {
        let mut text = String::from("{");
        let mut spans = Vec::with_capacity(rows.len());
        for (key, json) in rows {
            let Some(json) = json else {
                spans.push(Some(Span { start: 0, len: 0 }));
                continue;
            };
            if text.len() > 1 {
                text.push_str(",\n");
            }
            text.push_str(&json::quoted(key));
            text.push(':');
            spans.push(Span::new(text.len(), json.len()));
            text.push_str(json);
        }
        text.push('}');
        let catalog = Arc::new(Catalog::parse(Text::Owned(text.into()))?);
        let batch = u32::try_from(self.batches.len()).map_err(|_| NotAMap::TooLarge)?;
        self.sets_aside |= !catalog.notes.set_aside.is_empty();
        let (times, is_of_map) = (origin.times(), origin.is_map);
        if is_of_map {
            self.maps.push((times, batch));
        }
        self.batches.push(Arc::new(Batch { catalog: catalog.clone(), origin }));
        for ((key, json), span) in rows.iter().zip(spans) {
            if *key == SAMPLE {
                continue;
            }
            let span = span.ok_or(NotAMap::TooLarge)?;
            let entry = catalog.find(key).filter(|entry| entry.key() == *key);
            let row = match (json, entry) {
                (None, _) => PointRow::Gone,
                (Some(_), Some(entry)) => PointRow::Entry(entry.target()),
                (Some(_), None) if *key == RULES => PointRow::Rules,
                (Some(_), None) => PointRow::SetAside,
            };
            let at = self.position(key)?;
            if let Some(provider) = entry.and_then(EntryRef::provider) {
                let keys = self.providers.entry_ref(provider).or_default();
                if keys.last() != Some(&at) {
                    keys.push(at);
                }
            }
            self.add_point(at, Point { times, batch, is_of_map, row, json: span });
            if let Some(json) = json.filter(|json| json.contains("\"aliases\"")) {
                for alias in aliases(json) {
                    let alias = self.position(&alias)?;
                    let Some(alias) = self.names.get_mut(alias as usize) else { continue };
                    if let Err(place) = alias.claims.binary_search(&at) {
                        Arc::make_mut(alias).claims.insert(place, at);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the position of a name, which is added if it is new.
    fn position(&mut self, name: &str) -> Result<u32, NotAMap> {
        if let Some(known) = self.find(name, NameHash::of(name)) {
            return Ok(known);
        }
        let at = u32::try_from(self.names.len()).map_err(|_| NotAMap::TooLarge)?;
        let lower = name.to_lowercase();
        let Self { names, exact, folded, .. } = self;
        let name_at = |at: u32| names.get(at as usize).map_or("", |timeline| &timeline.name);
        let is_alike = |known: &u32| name_at(*known).to_lowercase() == lower;
        // Names that differ in case only are linked, so that they take one slot.
        let slot = folded.find_mut(NameHash::of(&lower).as_u64(), is_alike);
        let alike = slot.map(|slot| std::mem::replace(slot, at));
        let (points, claims) = (Vec::new(), Vec::new());
        let timeline = Timeline { name: name.into(), points, last: None, is_corrected: false, claims, alike };
        names.push(Arc::new(timeline));
        let name_at = |at: u32| names.get(at as usize).map_or("", |timeline| &timeline.name);
        exact.insert_unique(NameHash::of(name).as_u64(), at, |at| NameHash::of(name_at(*at)).as_u64());
        if alike.is_none() {
            let folded_at = |at: &u32| NameHash::of(&name_at(*at).to_lowercase()).as_u64();
            folded.insert_unique(NameHash::of(&lower).as_u64(), at, folded_at);
        }
        self.longest = self.longest.max(name.len());
        Ok(at)
    }

    fn add_point(&mut self, at: u32, point: Point) {
        let Some(timeline) = self.names.get_mut(at as usize) else { return };
        let timeline = Arc::make_mut(timeline);
        timeline.points.push(point);
        timeline.last = Some(point);
        timeline.is_corrected |= !point.is_of_map;
    }

    /// Sorts what was [added](Self::add).
    pub(crate) fn sort_all(&mut self) {
        let count = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.sort(0..count);
    }

    /// Sorts the points of names. The order does not depend on the order in which they were added.
    fn sort(&mut self, names: impl Iterator<Item = u32>) {
        self.maps.sort_unstable();
        let batches = &self.batches;
        let order = |point: &Point| {
            let batch = batches.get(point.batch as usize);
            let tie = batch.map(|batch| (&*batch.origin.source, batch.row(*point)));
            (point.times.effective, !point.is_of_map, point.times.recorded, tie)
        };
        for at in names {
            let Some(timeline) = self.names.get_mut(at as usize) else { continue };
            if !timeline.points.is_sorted_by(|a, b| order(a) <= order(b)) {
                Arc::make_mut(timeline).points.sort_by(|a, b| order(a).cmp(&order(b)));
            }
        }
    }

    fn batch(&self, at: u32) -> Option<&Batch> {
        self.batches.get(at as usize).map(|batch| &**batch)
    }

    /// Returns the origins of all batches, in the order in which they were added.
    pub(crate) fn origins(&self) -> impl ExactSizeIterator<Item = &BatchOrigin> {
        self.batches.iter().map(|batch| &batch.origin)
    }

    fn find(&self, name: &str, hash: NameHash) -> Option<u32> {
        self.exact
            .find(hash.as_u64(), |at| self.timeline(*at).is_some_and(|known| *known.name == *name))
            .copied()
    }

    fn timeline(&self, at: u32) -> Option<&Timeline> {
        self.names.get(at as usize).map(|timeline| &**timeline)
    }

    fn timeline_of(&self, key: &str) -> Option<&Timeline> {
        self.timeline(self.find(key, NameHash::of(key))?)
    }

    /// Returns the row of a key that was added last, whatever its times. Returns `None` if there is none, or
    /// if the model was gone.
    pub(crate) fn last_added(&self, key: &str) -> Option<&str> {
        self.row(self.timeline_of(key)?.last?)
    }

    fn row(&self, point: Point) -> Option<&str> {
        self.batch(point.batch)?.row(point)
    }

    /// Returns the keys that have points, in the order in which they were added.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter(|name| !name.points.is_empty()).map(|name| &*name.name)
    }

    /// Returns the points of a key, in the order in which they apply: each with its origin and its row, which
    /// is `None` if the model is gone.
    pub(crate) fn points(&self, key: &str) -> impl Iterator<Item = (&BatchOrigin, Option<&str>)> {
        let points = self.timeline_of(key).map_or(&[][..], |timeline| &timeline.points);
        points.iter().filter_map(|point| Some((&self.batch(point.batch)?.origin, self.row(*point))))
    }

    /// Returns the row of a key in the last map that is not later than `at`. Returns `None` if that map does
    /// not have the key. Corrections do not count.
    pub(crate) fn row_in_maps(&self, key: &str, at: MapTimes) -> Option<&str> {
        self.row(self.point_in_maps(key, at)?)
    }

    /// Returns whether a map has had a key at any time.
    pub(crate) fn was_in_map(&self, key: &str) -> bool {
        self.timeline_of(key).is_some_and(|timeline| timeline.points.iter().any(|point| point.is_of_map))
    }

    /// Returns whether a map of just this time says anything of a key.
    pub(crate) fn has_row_at(&self, key: &str, at: MapTimes) -> bool {
        self.point_in_maps(key, at).is_some_and(|point| point.times == at)
    }

    fn point_in_maps(&self, key: &str, at: MapTimes) -> Option<Point> {
        let counts = |point: &&Point| point.is_of_map && point.times <= at;
        self.timeline_of(key)?.points.iter().rev().find(counts).copied()
    }

    /// Returns the last map that is not later than `at`.
    pub(crate) fn map_before(&self, at: MapTimes) -> Option<&BatchOrigin> {
        self.last_map(|map| map <= at, i64::MAX)
    }

    /// Returns the last of the first maps that fit, as far as it was known at a time.
    fn last_map(&self, fits: impl Fn(MapTimes) -> bool, recorded: i64) -> Option<&BatchOrigin> {
        let end = self.maps.partition_point(|(map, _)| fits(*map));
        let (_, batch) = self.maps.get(..end)?.iter().rfind(|(map, _)| map.recorded <= recorded)?;
        self.batch(*batch).map(|batch| &batch.origin)
    }

    /// Returns the times of all maps, in their order, each once.
    pub(crate) fn maps(&self) -> Vec<MapTimes> {
        let mut maps: Vec<MapTimes> = self.maps.iter().map(|(times, _)| *times).collect();
        maps.dedup();
        maps
    }
}

impl Batch {
    fn row(&self, point: Point) -> Option<&str> {
        (point.row != PointRow::Gone).then(|| point.json.of(&self.catalog.text))
    }
}

impl Timeline {
    /// Returns the point that counts at a time, as far as it was known at another.
    fn at(&self, at: i64, recorded: i64, timelines: &Timelines) -> Option<Point> {
        let begun = self.points.partition_point(|point| point.times.effective <= at);
        let points = self.points.get(..begun)?;
        let last = *points.iter().rfind(|point| point.times.recorded <= recorded)?;
        let correction = || correction_of(points, recorded, timelines);
        let corrected = if self.is_corrected && last.is_of_map { correction() } else { None };
        Some(corrected.unwrap_or(last))
    }
}

/// Returns the last correction among points, if the prices of the maps are the same since.
fn correction_of(points: &[Point], recorded: i64, timelines: &Timelines) -> Option<Point> {
    let is_known = |point: &&Point| point.times.recorded <= recorded;
    let at = points.iter().rposition(|point| !point.is_of_map && is_known(&point))?;
    let (before, behind) = points.split_at_checked(at)?;
    let of_maps = |point: &&Point| point.is_of_map && is_known(point);
    // A model that no map has had, and one that is gone, are alike.
    let row = before.iter().rfind(of_maps).and_then(|point| timelines.row(*point));
    let mut after = behind.iter().filter(of_maps).peekable();
    while let Some(point) = after.next() {
        // Of maps that apply from one time, the one that was recorded last counts.
        let is_replaced = after.peek().is_some_and(|next| next.times.effective == point.times.effective);
        if !is_replaced && !has_same_prices(row, timelines.row(*point)) {
            return None;
        }
    }
    points.get(at).copied()
}

/// Returns the names in the field `aliases` of a row.
fn aliases(json: &str) -> Vec<String> {
    let fields = json::fields(json).unwrap_or_default();
    let list = json::get(&fields, "aliases").and_then(|list| serde_json::from_str(list).ok());
    list.unwrap_or_default()
}

/// Returns whether two rows have the same fields that prices depend on, numbers in any notation.
fn has_same_prices(known: Option<&str>, row: Option<&str>) -> bool {
    let (Some(known), Some(row)) = (known, row) else { return known == row };
    if known == row {
        return true;
    }
    let fields = |row| {
        let mut fields = json::fields(row).ok()?;
        fields.retain(|(name, _)| !is_plain(name));
        fields.sort_unstable();
        Some(fields)
    };
    let (Some(known), Some(row)) = (fields(known), fields(row)) else { return false };
    let is_same = |((name, value), (other, next)): (&JsonField<'_>, &JsonField<'_>)| {
        name == other && is_same_value(value, next)
    };
    known.len() == row.len() && known.iter().zip(&row).all(is_same)
}
