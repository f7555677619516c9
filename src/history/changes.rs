//! The rows that a whole map changes.

use hashbrown::HashSet;

use crate::catalog::{Catalog, MapTimes, RULES, SAMPLE, Timelines};
use crate::json::{self, JsonField};
use crate::rates::field;
use crate::resolve::Layers;

/// Fields that say nothing about the model itself, and that a history leaves out.
const PROSE: [&str; 3] = ["source", "comment", "metadata"];

/// Rows to be recorded at one time: each a key, with its row, or `None` if the model is gone.
pub(super) type Rows = Vec<(String, Option<String>)>;

/// Rows to be recorded, with their times.
pub(super) struct Change {
    pub(super) times: MapTimes,
    pub(super) rows: Rows,
}

/// Returns the rows to record for a map: those by which it differs from the map before it.
///
/// A map that belongs before others, by either of its times, is recorded in full, and the rows that it would
/// change of the later ones are recorded with their times: each map stays what it was, whichever of the others
/// are known at a time.
pub(super) fn changes(timelines: &Timelines, catalog: &Catalog, times: MapTimes) -> Vec<Change> {
    let rows = rows(catalog);
    let maps = timelines.maps();
    let is_last = maps.iter().all(|map| map.effective <= times.effective && map.recorded <= times.recorded);
    let mut changed: Rows = Vec::new();
    let mut keys: HashSet<&str> = HashSet::with_capacity(rows.len());
    for (key, row) in &rows {
        keys.insert(key);
        let known = timelines.row_in_maps(key, times);
        if !is_last || known != Some(row) {
            changed.push((key.clone(), Some(row.clone())));
        }
    }
    let is_gone =
        |key: &&str| !keys.contains(key) && (!is_last || timelines.row_in_maps(key, times).is_some());
    changed.extend(timelines.keys().filter(is_gone).map(|key| (key.to_owned(), None)));
    let mut all = Vec::new();
    for later in maps.into_iter().filter(|map| *map > times) {
        let of_later = changed.iter().filter(|(key, _)| !timelines.has_row_at(key, later));
        let row = |key: &String| timelines.row_in_maps(key, later).map(str::to_owned);
        let rows = of_later.map(|(key, _)| (key.clone(), row(key))).collect();
        all.push(Change { times: later, rows });
    }
    all.push(Change { times, rows: changed });
    all.retain(|change| !change.rows.is_empty());
    all
}

/// Returns the rows of a map, in its order, without what a history leaves out.
fn rows(catalog: &Catalog) -> Vec<(String, String)> {
    let layers = Layers::only(catalog);
    let fills = layers.rules().may_fill(field::is_price);
    let text = catalog.text();
    let all = json::fields(text.strip_prefix('\u{feff}').unwrap_or(text)).unwrap_or_default();
    let row = |(key, row): JsonField<'_>| {
        let entry = catalog.find(&key).filter(|entry| entry.key() == key);
        let fields = match entry {
            // The prices that rules fill in belong to the row as long as these rules apply.
            Some(entry) if fills => Ok(layers.fields_of(entry)),
            _ if key == RULES => return (key.into_owned(), json::compact(row)),
            _ => json::fields(row),
        };
        let Ok(fields) = fields else { return (key.into_owned(), json::compact(row)) };
        (key.into_owned(), plain_row(fields))
    };
    all.into_iter().filter(|(key, _)| key != SAMPLE).map(row).collect()
}

/// Returns a row in the form in which it is recorded: without white space, without what a history leaves out,
/// and with its fields by name, so that equal rows are equal texts.
pub(super) fn plain_row(mut fields: Vec<JsonField<'_>>) -> String {
    fields.retain(|(name, _)| !PROSE.contains(&&**name));
    fields.sort_unstable();
    json::object(fields.into_iter().map(|(name, json)| (name, json::compact(json))))
}
