//! The models that left the public map before the bundled one.

use std::sync::Arc;

use once_cell::sync::OnceCell;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::timeline::{BatchOrigin, KeyedRow, Timelines};
use crate::{json, time};

/// The last rows of those models, by the last release of LiteLLM that had them.
static TEXT: &str = include_str!("retired.json");

/// The rows whose last map is one.
#[derive(Deserialize)]
struct LastRows<'a> {
    source: String,
    revision: String,
    /// A day: `2025-02-01`.
    date: String,
    #[serde(borrow)]
    models: &'a RawValue,
}

/// Returns the rows, which are read once per process.
pub(crate) fn timelines() -> Arc<Timelines> {
    static TIMELINES: OnceCell<Arc<Timelines>> = OnceCell::new();
    // A test reads the same text, so the fallback is never used.
    TIMELINES.get_or_init(|| Arc::new(read(TEXT).unwrap_or_default())).clone()
}

fn read(text: &str) -> Result<Timelines, Box<dyn std::error::Error>> {
    let mut timelines = Timelines::default();
    let maps: Vec<LastRows<'_>> = serde_json::from_str(text)?;
    for (recorded, LastRows { source, revision, date, models }) in (0..).zip(maps) {
        let day: jiff::civil::Date = date.parse()?;
        let effective = time::as_micros(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().into());
        let rows = json::fields(models.get())?;
        let rows: Vec<KeyedRow<'_>> = rows.iter().map(|(key, json)| (&**key, Some(*json))).collect();
        let origin = BatchOrigin { effective, recorded, source, revision: Some(revision), is_map: true };
        timelines.push(origin, &rows)?;
    }
    Ok(timelines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{EntryRef, View};

    #[test]
    fn the_retired_models_are_whole() {
        let timelines = read(TEXT).unwrap();
        let view = View::last(Arc::new(timelines));
        assert_eq!((view.entries().count(), view.set_aside().count()), (612, 0));
        assert!(view.entries().all(|entry| entry.rates().is_some()));
        let first = view.entries().next().map(EntryRef::key).unwrap();
        let last = view.last_map_with(first).unwrap();
        assert_eq!((&*last.source, last.effective), ("LiteLLM 1.60.0", 1_738_368_000_000_000));
    }
}
