//! Prices over time: the price of a model at any instant, as it is known now or as it was known earlier.
//!
//! A [`History`] is a ledger of the rows of maps. It holds, for each model, the points at which its row
//! changed. Each point has two times:
//!
//! - *effective from*: the instant from which the row applies, to the microsecond.
//! - *recorded at*: the instant at which the history learned of it. A correction has a later one, and the same
//!   time from which it applies.
//!
//! [`History::at`] returns a [`Snapshot`] that prices by the rows that were in force at an instant, corrections
//! included, so that a bill is made as it should have been. With [`AsOf::recorded_by`], the snapshot ignores
//! what was recorded later, so that a bill is made as it was made then.
//!
//! A history is made of dated maps by [`History::record_map`], and a live map records each map that goes live
//! in the history of [`CostMapBuilder::history`](crate::CostMapBuilder::history).
//! [`CostMap::at`](crate::CostMap::at) is then the map at an instant. `examples/history` builds a history from
//! files, and draws the prices of a model.
//!
//! # Examples
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use llm_costmap::history::{History, Recording};
//! use llm_costmap::{Error, Usage};
//!
//! let history = History::new();
//! let monday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
//! let friday = monday + Duration::from_secs(4 * 86_400);
//! for (from, map) in [
//!     (monday, r#"{"deepseek-chat": {"input_cost_per_token": 2.7e-7}}"#),
//!     (friday, r#"{"deepseek-chat": {"input_cost_per_token": 5.5e-7}}"#),
//! ] {
//!     history.record_map(map, Recording::new("deepseek.com").effective_from(from).recorded_at(from))?;
//! }
//!
//! let usage = Usage::new(1_000_000, 0);
//! let just_before = friday - Duration::from_micros(1);
//! assert_eq!(history.at(just_before).total("deepseek-chat", &usage)?.to_string(), "0.27");
//! assert_eq!(history.at(friday).total("deepseek-chat", &usage)?.to_string(), "0.55");
//! let too_early = history.at(monday - Duration::from_secs(1)).total("deepseek-chat", &usage);
//! assert!(matches!(too_early, Err(Error::NoPriceAt { earliest, .. }) if earliest == monday));
//! # Ok::<(), Error>(())
//! ```
//!
//! # The file
//!
//! [`History::open`] keeps a history in a file of UTF-8 lines, which only grows. The first line is
//! `{"llm_costmap_history":1}`. Batches follow, each with a line of its own before its rows:
//!
//! ```text
//! {"batch":{"effective_from":"2026-11-12T02:00:18.000000+00:00","recorded_at":"…","source":"…",
//!           "source_revision":"d68e…","map":true,"rows":3,"bytes":187,"crc32":1234567890}}
//! ["gpt-x",{"litellm_provider":"openai","input_cost_per_token":1e-6}]
//! ["gpt-y",{"output_cost_per_token":2e-6},["input_cost_per_image"]]
//! ["gpt-z"]
//! ```
//!
//! (The first line of a batch is not wrapped.) `map` is `true` for the changes of a whole map and `false` for
//! corrections; `source_revision` is the git blob id of the map, or `null`; `rows`, `bytes` and `crc32` are the
//! number of the lines that follow, their length in bytes, and the CRC-32 of these bytes (as gzip has it). A row
//! is `[key, row]` in full; `[key, fields, names]`, the fields to set and the names of those to remove, over
//! the last row of the key that stands before it in the file; or `[key]` if the model left the map. The fields
//! of a row are sorted by name.
//! `fallback_generalizations` is recorded like a model. The fields `source`, `comment` and `metadata` are left
//! out, and prices that fallback rules fill in are part of a row.
//!
//! Points that are recorded later than asked for are left out, and so are those that apply from a later time.
//! Of the others, the one with the latest *effective from* counts. If several apply from one time, corrections
//! count before maps, and then the latest *recorded at* counts. (If these are equal as well, the source that is
//! last in the order of its bytes counts, and then the row that is.) A point of a map does not end an earlier
//! correction if the prices in its row are the same as before the correction: a correction holds until the
//! prices of the map change. The order in the file does not matter, with one exception: of two rows of a map
//! with the same alias, or of two keys that differ in case only, the one that was recorded first has precedence
//! as the first of a map has.
//!
//! A batch is appended with one write, and synced. A last batch that is cut, or has bytes of zero, was being
//! written when a program or the system ended: readers leave it out, and the next batch overwrites it. Anything
//! else that is not as described here is an error with its line. On Unix, the file is locked while a program
//! appends to it, is used only if nobody but its owner may write to it, and is created for its owner alone.

mod as_of;
mod changes;
mod file;
mod format;
mod points;

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::Serialize;

use crate::catalog::{
    self, BatchOrigin, Catalog, KeyedRow, MapTimes, NameHash, Timelines, View, check_prices,
};
use crate::error::Error;
use crate::json;
use crate::overlay::laid_over;
use crate::snapshot::Snapshot;
use crate::sync::lock;
use crate::time;
use crate::version::{MapBytes, Version};
pub use as_of::{AsOf, Recording};
use changes::{Change, Rows, changes};
use file::HistoryFile;
pub use points::{PricePoint, RecordedBatch};

/// The rows of maps over time, in memory and in a file.
///
/// A clone is another handle on the same history. Readers never wait: [`at`](Self::at) takes about a
/// microsecond, and the snapshots of all instants share the rows and their compiled prices. A history is meant
/// for one [`CostMap`](crate::CostMap).
#[derive(Clone, Default)]
pub struct History {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    timelines: ArcSwap<Timelines>,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Writer {
    /// `None` for a history in memory.
    file: Option<HistoryFile>,
    /// The texts of batches that could not be written, or are to be written with the next one.
    unwritten: VecDeque<String>,
}

impl History {
    /// Creates an empty history in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with(timelines: Timelines, file: Option<HistoryFile>) -> Self {
        let writer = Mutex::new(Writer { file, unwritten: VecDeque::new() });
        Self { inner: Arc::new(Inner { timelines: ArcSwap::from_pointee(timelines), writer }) }
    }

    /// Opens a file, to which all that is recorded is appended. Creates it if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::HistoryFile`] if the file cannot be opened, is no history or a damaged one, may have been
    /// written by another user, or is open already, in this process or in another.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("prices.history");
    /// use llm_costmap::history::{History, Recording};
    ///
    /// let history = History::open(&path)?;
    /// history.record_map(r#"{"m": {"input_cost_per_token": 1e-6}}"#, Recording::new("mine"))?;
    /// assert_eq!(History::read(&path)?.models(), ["m"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let (file, timelines) = HistoryFile::open(path.as_ref())?;
        Ok(Self::with(timelines, Some(file)))
    }

    /// Reads a file. What is recorded later is kept in memory alone, so that any number of processes may read
    /// a file that one of them appends to.
    ///
    /// # Errors
    ///
    /// [`Error::HistoryFile`] if the file cannot be read, or is no history or a damaged one.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        file::read(path.as_ref()).map(|timelines| Self::with(timelines, None))
    }

    /// Reads the text of a file, which may come from anywhere. What is recorded later is kept in memory alone.
    ///
    /// # Errors
    ///
    /// [`Error::HistoryFile`] if the text is no history or a damaged one.
    pub fn from_bytes(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        file::from_bytes(text.as_ref()).map(|timelines| Self::with(timelines, None))
    }

    /// Returns the snapshot of an instant: its prices are those that were in force then. By default they are
    /// those that are known now, and models that had left the map are unknown: see [`AsOf`].
    ///
    /// A name that leads to no model at that instant, but to one at another, is an [`Error::NoPriceAt`].
    /// [`Snapshot::generation`] is 0.
    #[must_use]
    pub fn at(&self, as_of: impl Into<AsOf>) -> Arc<Snapshot> {
        let as_of = as_of.into();
        Snapshot::of_past(self.view(&as_of), as_of.retired)
    }

    /// Returns the view of an instant.
    pub(crate) fn view(&self, as_of: &AsOf) -> View {
        as_of.view(self.inner.timelines.load_full())
    }

    /// Returns the view of the rows that are in force now.
    pub(crate) fn view_of_now(&self) -> View {
        self.view(&AsOf::new(SystemTime::now()))
    }

    /// Records a map in LiteLLM's format: the rows by which it differs from the map before it. Returns the
    /// number of rows that were recorded for it.
    ///
    /// Maps may be recorded in any order of their times, with the same result. In their order they take the
    /// least room: a map that belongs before others is recorded in full, and so are the rows of those others
    /// that it has as well.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidMap`] if the bytes hold no map; [`Error::NotRecorded`] if another map has been
    /// recorded with the same times, a time is not in the years 0 to 9999, or the time of its recording is in
    /// the future; and [`Error::HistoryFile`] if the file cannot be written: the rows then apply in this
    /// process, and are written together with what is recorded next.
    pub fn record_map(&self, map: impl Into<Vec<u8>>, recording: Recording) -> Result<usize, Error> {
        let origin = recording.checked()?.origin(None, true)?;
        let MapBytes { bytes, revision, damage } = MapBytes::from(map.into());
        let catalog = catalog::read(bytes, damage).map_err(|bad| Error::not_a_map(&origin.source, bad))?;
        self.record_catalog(&catalog, BatchOrigin { revision: Some(revision), ..origin }, true)
    }

    /// Records a map that was read. `writes` is false if the file is written later.
    fn record_catalog(&self, catalog: &Catalog, origin: BatchOrigin, writes: bool) -> Result<usize, Error> {
        let mut writer = lock(&self.inner.writer);
        let timelines = self.inner.timelines.load_full();
        let times = origin.times();
        let same = timelines.map_before(times).filter(|known| known.times() == times);
        if same.is_some_and(|same| same.revision != origin.revision) {
            let reason = "another map has the same times: give it a later time of recording".to_owned();
            return Err(Error::NotRecorded { what: origin.source, reason });
        }
        let changes = changes(&timelines, catalog, times);
        let count =
            changes.last().filter(|change| change.times == times).map_or(0, |change| change.rows.len());
        // A map without a change is recorded as well: it was in force, whatever is recorded between others.
        let no_change = Change { times, rows: Rows::new() };
        let is_new = count == 0 && same.is_none();
        let changes = changes.into_iter().chain(is_new.then_some(no_change));
        let batches = changes.map(|change| {
            let known = timelines.map_before(change.times).filter(|_| change.times != times);
            let of = known.unwrap_or(&origin);
            let origin = BatchOrigin {
                effective: change.times.effective,
                recorded: change.times.recorded,
                ..of.clone()
            };
            (origin, change.rows)
        });
        self.add(&mut writer, &timelines, batches.collect(), writes).map(|()| count)
    }

    /// Records the row of one model in full: a model of the operator's, or a correction of the row of a map.
    ///
    /// `info` serialises to an object of fields, in LiteLLM's format. The row applies until a later point of
    /// the model, such as that of a map in which its row changes.
    ///
    /// # Errors
    ///
    /// [`Error::NotRecorded`] if `info` is not an object, a price in it is not valid, or a time is as
    /// [`record_map`](Self::record_map) does not accept it; and [`Error::HistoryFile`], as there.
    ///
    /// # Examples
    ///
    /// The map of Monday had a wrong price, which was noticed on Friday:
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use llm_costmap::Usage;
    /// use llm_costmap::history::{AsOf, History, Recording};
    /// use serde_json::json;
    ///
    /// let monday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let friday = monday + Duration::from_secs(4 * 86_400);
    /// let of_monday = Recording::new("the map").effective_from(monday);
    ///
    /// let history = History::new();
    /// let map = r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}}"#;
    /// history.record_map(map, of_monday.clone().recorded_at(monday))?;
    /// let right = json!({"input_cost_per_token": 1e-6, "output_cost_per_token": 3e-6});
    /// history.record("m", right, of_monday.recorded_at(friday))?;
    ///
    /// let usage = Usage::new(0, 1_000_000);
    /// let as_it_should_have_been = history.at(monday).total("m", &usage)?;
    /// let as_it_was_made = history.at(AsOf::new(monday).recorded_by(monday)).total("m", &usage)?;
    /// assert_eq!((as_it_should_have_been.to_string(), as_it_was_made.to_string()), ("3".into(), "4".into()));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn record(&self, model: &str, info: impl Serialize, recording: Recording) -> Result<(), Error> {
        let row = row_of(model, &info)?;
        self.record_row(model, Some(row), recording)
    }

    /// Records fields of one model, over the row that is in force at the time from which they apply, as it is
    /// known now.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::Usage;
    /// use llm_costmap::history::{History, Recording};
    /// use serde_json::json;
    ///
    /// let history = History::new();
    /// let map = r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}}"#;
    /// let recording = Recording::new("the map");
    /// history.record_map(map, recording.clone())?;
    /// history.correct("m", json!({"output_cost_per_token": 3e-6}), recording)?;
    /// let now = history.at(std::time::SystemTime::now());
    /// assert_eq!(now.total("m", &Usage::new(1_000_000, 1_000_000))?.to_string(), "4");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn correct(&self, model: &str, info: impl Serialize, recording: Recording) -> Result<(), Error> {
        let row = row_of(model, &info)?;
        let view = self.view(&AsOf::new(recording.effective_from));
        let known = view.find(model, NameHash::of(model)).filter(|entry| entry.key() == model);
        let row = match known {
            Some(entry) => laid_over(entry.json(), &row),
            None => row,
        };
        self.record_row(model, Some(row), recording)
    }

    /// Records that there is no model of this key any more.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn record_removal(&self, model: &str, recording: Recording) -> Result<(), Error> {
        self.record_row(model, None, recording)
    }

    fn record_row(&self, model: &str, row: Option<String>, recording: Recording) -> Result<(), Error> {
        if !catalog::is_model(model) {
            let reason = "maps use this name for something other than a model".to_owned();
            return Err(Error::NotRecorded { what: model.to_owned(), reason });
        }
        let origin = recording.checked()?.origin(None, false)?;
        let mut writer = lock(&self.inner.writer);
        let timelines = self.inner.timelines.load_full();
        self.add(&mut writer, &timelines, vec![(origin, vec![(model.to_owned(), row)])], true)
    }

    /// Adds batches, in memory and then in the file.
    fn add(
        &self,
        writer: &mut Writer,
        timelines: &Timelines,
        batches: Vec<(BatchOrigin, Rows)>,
        writes: bool,
    ) -> Result<(), Error> {
        if !batches.is_empty() {
            let (mut next, mut texts) = (timelines.clone(), Vec::new());
            for (origin, rows) in batches {
                let rows: Vec<KeyedRow<'_>> =
                    rows.iter().map(|(key, row)| (&**key, row.as_deref())).collect();
                texts.push(format::write(&next, &origin, &rows));
                let what = origin.source.clone();
                let failed = next.push(origin, &rows);
                failed.map_err(|error| Error::NotRecorded { what, reason: error.to_string() })?;
            }
            if writer.file.is_some() {
                writer.unwritten.extend(texts);
            }
            self.inner.timelines.store(Arc::new(next));
        }
        if writes { writer.flush() } else { Ok(()) }
    }

    /// Records a map that is live, unless it is the one that was recorded last. `since` is the time at which
    /// it went live.
    pub(crate) fn record_live(
        &self,
        catalog: &Catalog,
        version: &Version,
        since: SystemTime,
        writes: bool,
    ) -> Result<(), Error> {
        let timelines = self.inner.timelines.load_full();
        let last = timelines.maps().into_iter().max_by_key(|map| (map.recorded, map.effective));
        let known = last.and_then(|last| timelines.map_before(last));
        if known.is_some_and(|known| known.revision == version.revision) {
            return if writes { lock(&self.inner.writer).flush() } else { Ok(()) };
        }
        let now = time::as_micros(SystemTime::now());
        // Two maps may go live in a microsecond, and clocks may be set back.
        let recorded = last.map_or(now, |last| now.max(last.recorded.saturating_add(1)));
        // If the clock was set back, maps that were recorded before seem to apply later than this one.
        let is_undone = |map: &MapTimes| map.recorded > now && map.effective > time::as_micros(since);
        let undone = timelines.maps().into_iter().filter(is_undone).map(|map| time::of_micros(map.effective));
        for effective in undone.chain([since]) {
            let recording = Recording::new(&version.source).effective_from(effective);
            let recording = recording.recorded_at(time::of_micros(recorded));
            let origin = recording.origin(version.revision.clone(), true)?;
            self.record_catalog(catalog, origin, writes)?;
        }
        Ok(())
    }

    /// Returns whether no map was recorded.
    pub(crate) fn has_no_map(&self) -> bool {
        self.inner.timelines.load().maps().is_empty()
    }

    /// Returns the keys of all models that there ever were, in the order in which they were first recorded.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        let timelines = self.inner.timelines.load();
        timelines.keys().filter(|key| catalog::is_model(key)).map(str::to_owned).collect()
    }

    /// Returns the points at which the row of a key changes, in the order in which they apply. The key is
    /// taken literally.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::history::{History, Recording};
    ///
    /// let history = History::new();
    /// history.record_map(r#"{"m": {"input_cost_per_token": 1e-6}}"#, Recording::new("the map"))?;
    /// history.record_removal("m", Recording::new("the provider's news"))?;
    /// let prices = history.points("m").into_iter().map(|point| {
    ///     let info = point.model_info.as_ref();
    ///     info.and_then(|info| info.input_cost_per_token()).map(|price| price.to_string())
    /// });
    /// assert_eq!(prices.collect::<Vec<_>>(), [Some("0.000001".to_owned()), None]);
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn points(&self, model: &str) -> Vec<PricePoint> {
        let timelines = self.inner.timelines.load();
        timelines.points(model).map(|(origin, row)| PricePoint::of(model, origin, row)).collect()
    }

    /// Returns the batches that were recorded, in the order in which they were.
    #[must_use]
    pub fn batches(&self) -> Vec<RecordedBatch> {
        self.inner.timelines.load().origins().map(RecordedBatch::of).collect()
    }
}

impl Writer {
    /// Writes what is not written yet.
    fn flush(&mut self) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        // One by one: after a crash of the system, a part of the last batch alone may be missing.
        while let Some(text) = self.unwritten.front() {
            file.append(text)?;
            self.unwritten.pop_front();
        }
        Ok(())
    }
}

/// Returns the row of a model's fields, if calls can be priced by it.
fn row_of(model: &str, info: &impl Serialize) -> Result<String, Error> {
    let bad = |reason: String| Error::NotRecorded { what: model.to_owned(), reason };
    let text = serde_json::to_string(info).map_err(|error| bad(error.to_string()))?;
    let fields = json::fields(&text).map_err(|error| bad(format!("not an object of fields: {error}")))?;
    check_prices(&fields).map_err(bad)?;
    Ok(changes::plain_row(fields))
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timelines = self.inner.timelines.load();
        f.debug_struct("History")
            .field("batches", &timelines.origins().len())
            .field("models", &timelines.keys().count())
            .finish_non_exhaustive()
    }
}
