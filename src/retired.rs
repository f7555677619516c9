//! Models that left the map, with their last prices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::catalog::{BatchOrigin, Catalog, EntryRef, KeyedRow, Layer, Shows, Timelines, View};
use crate::json;
use crate::resolve::Layers;
use crate::time;
use crate::version::Version;

/// The number of batches of retired models from which on they are written anew.
const MOST_BATCHES: usize = 256;

/// The treatment of models that a newer map no longer has: see
/// [`CostMapBuilder::retired`](crate::CostMapBuilder::retired).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RetiredModels {
    /// A model that left the map is unknown, as in LiteLLM.
    #[default]
    Forget,
    /// A model that left the map is known as retired, and calls to it are priced by its last prices, with
    /// [`Note::Retired`](crate::cost::Note::Retired).
    Keep,
}

/// The last map that had a model which is retired.
///
/// Serialises as `{"source", "source_revision", "date"}`, with the date as RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Retirement {
    /// The source of the map: a path, a URL without credentials, the name of a source, or the release of
    /// LiteLLM that shipped it.
    pub source: String,
    /// The git blob id of the map, as `git hash-object` prints it.
    pub source_revision: Option<String>,
    /// The time at which the map went live, or was released. If the clock was set back meanwhile, that of an
    /// earlier map.
    #[serde(serialize_with = "crate::time::serialize")]
    pub date: SystemTime,
}

impl std::fmt::Display for Retirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "last in {}", self.source)?;
        if let Some(revision) = &self.source_revision {
            write!(f, ", revision {revision}")?;
        }
        time::rfc3339(self.date).map_or(Ok(()), |date| write!(f, ", of {date}"))
    }
}

impl From<&BatchOrigin> for Retirement {
    fn from(origin: &BatchOrigin) -> Self {
        Self {
            source: origin.source.clone(),
            source_revision: origin.revision.clone(),
            date: time::of_micros(origin.effective),
        }
    }
}

/// Returns the models that are retired when a program starts with a map: those that a history has and the map
/// has not, and those that left the public map before.
pub(crate) fn at_start(base: &Catalog, history: Option<&View>) -> Option<Arc<Layer>> {
    #[cfg(feature = "retired")]
    let mut known = crate::catalog::bundled_retired::timelines();
    #[cfg(not(feature = "retired"))]
    let mut known: Arc<Timelines> = Arc::default();
    if let Some(history) = history {
        let is_gone = |key: &str| history.timelines.was_in_map(key) && !base.has_key(key);
        known = with_entries(known, &history.showing(Shows::Gone), is_gone);
        known = with_entries(known, history, is_gone);
    }
    let returned = returned(&View::last(Arc::clone(&known)), base);
    layer_with(known, (0, &Version::empty()), &[], &returned)
}

/// Returns the models that are retired when one map has replaced another: those that were before and are not
/// in the new map, and those of the other that are not in the new one. `since` is the time at which the other
/// went live.
///
/// The last prices of a model whose row is set aside are among them, so that they are known when the row is
/// gone. Lookups do not show them before.
pub(crate) fn after(
    known: Option<&Layer>,
    before: &Catalog,
    version: &Version,
    since: SystemTime,
    base: &Catalog,
) -> Option<Arc<Layer>> {
    let known = known.and_then(Layer::under);
    let is_gone = |entry: &EntryRef<'_>| !base.has_key(entry.key());
    let layers = Layers::only(before);
    let gone =
        before.entries().filter(is_gone).map(|entry| (entry.key(), json::object(layers.fields_of(entry))));
    let gone: Vec<(&str, String)> = gone.collect();
    let returned = known.map(|known| returned(known, base)).unwrap_or_default();
    let timelines = known.map(|known| known.timelines.clone()).unwrap_or_default();
    layer_with(timelines, (time::as_micros(since), version), &gone, &returned)
}

/// Returns the retired models that a map has.
fn returned(known: &View, base: &Catalog) -> Vec<String> {
    let retired = known.entries().map(EntryRef::key);
    retired.filter(|key| base.has_key(key)).map(str::to_owned).collect()
}

/// Returns the layer of retired models, with further ones, and without those that returned. Returns `None` if
/// there are none.
fn layer_with(
    timelines: Arc<Timelines>,
    (since, version): (i64, &Version),
    gone: &[(&str, String)],
    returned: &[String],
) -> Option<Arc<Layer>> {
    let gone = gone.iter().map(|(key, json)| (*key, Some(&**json)));
    let returned = returned.iter().map(|key| (&**key, None));
    let rows: Vec<KeyedRow<'_>> = gone.chain(returned).collect();
    // Clocks may go back, but what is added later counts.
    let latest = timelines.origins().map(|origin| origin.effective).max().unwrap_or(i64::MIN);
    let (source, revision) = (version.source.clone(), version.revision.clone());
    let origin = BatchOrigin { effective: since.max(latest), recorded: 0, source, revision, is_map: true };
    let batches = if rows.is_empty() { Vec::new() } else { vec![(origin, rows)] };
    let mut view = View::last(with_batches(timelines, batches));
    if view.timelines.origins().len() > MOST_BATCHES {
        // Models that come and go leave rows behind that count no more.
        view = View::last(with_entries(Arc::default(), &view, |_| true));
    }
    let is_empty = view.entries().next().is_none();
    (!is_empty).then(|| Arc::new(Layer::new(Vec::new(), Some(view))))
}

/// Adds the entries of a view whose keys are wanted, each with the last map that had its model.
fn with_entries(known: Arc<Timelines>, view: &View, is_wanted: impl Fn(&str) -> bool) -> Arc<Timelines> {
    let mut by_map: BTreeMap<(i64, i64), (&BatchOrigin, Vec<KeyedRow<'_>>)> = BTreeMap::new();
    for entry in view.entries().filter(|entry| is_wanted(entry.key())) {
        let Some(last) = view.last_map_with(entry.key()) else { continue };
        let (_, rows) = by_map.entry((last.effective, last.recorded)).or_insert((last, Vec::new()));
        rows.push((entry.key(), Some(entry.json())));
    }
    let batches = by_map.into_values().map(|(last, rows)| (last.clone(), rows));
    with_batches(known, batches.collect())
}

/// Adds the last rows of models. Of two rows of a model, the one whose map is the later counts, or else the one
/// that was added last.
fn with_batches(known: Arc<Timelines>, batches: Vec<(BatchOrigin, Vec<KeyedRow<'_>>)>) -> Arc<Timelines> {
    if batches.is_empty() {
        return known;
    }
    let mut next = (*known).clone();
    for (origin, rows) in batches {
        let recorded = i64::try_from(next.origins().len()).unwrap_or(i64::MAX);
        if let Err(error) = next.push(BatchOrigin { recorded, is_map: true, ..origin }, &rows) {
            // The rows are those of maps, which were read before.
            log::error!("models that left the map are not kept: {error}");
            return known;
        }
    }
    Arc::new(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Text;

    /// Models that come and go do not grow without end, and keep their last rows and maps.
    #[test]
    fn models_that_come_and_go_take_bounded_room() {
        let map = |json: String| Catalog::parse(Text::Owned(json.into())).unwrap();
        let with = |price: u32| map(format!(r#"{{"a": {{"input_cost_per_token": {price}}}, "b": {{}}}}"#));
        let (without, version) = (map(r#"{"b": {}}"#.to_owned()), Version::empty());
        let first = map(r#"{"old": {}, "b": {}}"#.to_owned());
        let mut known = after(None, &first, &version, time::of_micros(1), &without);
        for turn in 0..1_000_u32 {
            let since = |step: u32| time::of_micros(i64::from(turn * 2 + step) + 2);
            let live = with(turn);
            known = after(known.as_deref(), &without, &version, since(0), &live);
            known = after(known.as_deref(), &live, &version, since(1), &without);
        }
        let view = known.as_deref().and_then(Layer::under).unwrap();
        assert!(view.timelines.origins().len() <= MOST_BATCHES + 1, "{}", view.timelines.origins().len());
        let rows: Vec<(&str, &str, i64)> = view
            .entries()
            .map(|entry| (entry.key(), entry.json(), view.last_map_with(entry.key()).unwrap().effective))
            .collect();
        assert_eq!(rows.len(), 2);
        assert!(rows.contains(&("old", "{}", 1)), "{rows:?}");
        assert!(rows.contains(&("a", r#"{"input_cost_per_token":999}"#, 2_001)), "{rows:?}");
    }
}
