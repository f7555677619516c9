//! The text of a history file: written and read.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::catalog::{BatchOrigin, KeyedRow, Timelines};
use crate::json::{self, JsonField, Union};
use crate::time;

/// The first line of a file, without its line break.
pub(super) const FIRST_LINE: &str = r#"{"llm_costmap_history":1}"#;

/// The beginning of the first line of files of every version.
const KIND: &str = r#"{"llm_costmap_history":"#;

/// The line before the rows of a batch.
#[derive(Serialize, Deserialize)]
struct Head {
    batch: HeadFields,
}

#[derive(Serialize, Deserialize)]
struct HeadFields {
    #[serde(with = "time")]
    effective_from: SystemTime,
    #[serde(with = "time")]
    recorded_at: SystemTime,
    source: String,
    source_revision: Option<String>,
    /// True for the changes of a whole map, and false for corrections.
    map: bool,
    rows: usize,
    /// The length of the lines of the rows, line breaks included.
    bytes: usize,
    /// The checksum of those bytes.
    crc32: u32,
}

/// The reason that a text is no history.
#[derive(Debug)]
pub(super) struct BadHistory {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// A text that was read.
pub(super) struct ReadHistory {
    pub(super) timelines: Timelines,
    /// The length of what is whole, in bytes. What follows was being written when a program ended.
    pub(super) whole: usize,
}

/// Writes a batch as it follows on what was added before.
pub(super) fn write(before: &Timelines, origin: &BatchOrigin, rows: &[KeyedRow<'_>]) -> String {
    let mut body = String::new();
    for (key, row) in rows {
        let key_json = json::quoted(key);
        let known = before.last_added(key);
        let difference = known.zip(*row).and_then(|(known, row)| difference(known, row));
        let line = match (row, difference) {
            (None, _) => format!("[{key_json}]\n"),
            (Some(row), Some((set, removed))) if set.len() + removed.len() < row.len() => {
                format!("[{key_json},{set},{removed}]\n")
            }
            (Some(row), _) => format!("[{key_json},{row}]\n"),
        };
        body.push_str(&line);
    }
    let head = Head {
        batch: HeadFields {
            effective_from: time::of_micros(origin.effective),
            recorded_at: time::of_micros(origin.recorded),
            source: origin.source.clone(),
            source_revision: origin.revision.clone(),
            map: origin.is_map,
            rows: rows.len(),
            bytes: body.len(),
            crc32: crc32fast::hash(body.as_bytes()),
        },
    };
    // Texts and numbers are always written.
    let head = serde_json::to_string(&head).unwrap_or_default();
    format!("{head}\n{body}")
}

/// Returns the fields to set and the names of those to remove, as JSON. Returns `None` if a row is no object.
fn difference(before: &str, after: &str) -> Option<(String, String)> {
    let (before, after) = (json::fields(before).ok()?, json::fields(after).ok()?);
    let known: hashbrown::HashMap<&str, &str> = before.iter().map(|(name, json)| (&**name, *json)).collect();
    let left: hashbrown::HashSet<&str> = after.iter().map(|(name, _)| &**name).collect();
    let set = after.iter().filter(|(name, json)| known.get(&**name) != Some(json));
    let removed =
        before.iter().filter(|(name, _)| !left.contains(&**name)).map(|(name, _)| json::quoted(name));
    let removed: Vec<String> = removed.collect();
    Some((json::object(set.map(|(name, json)| (name, json))), format!("[{}]", removed.join(","))))
}

/// Reads a text.
///
/// A batch at the end that is not whole is left out: it was being written when a program ended.
pub(super) fn read(text: &[u8]) -> Result<ReadHistory, BadHistory> {
    let mut timelines = Timelines::default();
    let bad = |line: usize, reason: String| BadHistory { line, reason };
    let Some((first, mut rest)) = split_line(text) else {
        // A file that was being created.
        if FIRST_LINE.as_bytes().starts_with(text) {
            return Ok(ReadHistory { timelines, whole: 0 });
        }
        return Err(bad(1, "not a history of this crate".to_owned()));
    };
    if first != FIRST_LINE.as_bytes() {
        let reason = if first.starts_with(KIND.as_bytes()) { "of another version" } else { "not a history" };
        return Err(bad(1, format!("{reason} of this crate")));
    }
    let mut line = 2;
    while !rest.is_empty() {
        let Some(batch) = Batch::split(rest) else {
            if is_damaged(rest) {
                return Err(bad(line, "damaged: neither a batch nor the end of the file".to_owned()));
            }
            break;
        };
        let rows = batch.rows(&timelines).map_err(|(at, reason)| bad(line + at, reason))?;
        let rows: Vec<KeyedRow<'_>> = rows.iter().map(|(key, row)| (&**key, row.as_deref())).collect();
        let HeadFields { effective_from, recorded_at, source, source_revision, map, .. } = batch.head;
        let origin = BatchOrigin {
            effective: time::as_micros(effective_from),
            recorded: time::as_micros(recorded_at),
            source,
            revision: source_revision,
            is_map: map,
        };
        timelines.add(origin, &rows).map_err(|error| bad(line, error.to_string()))?;
        line += 1 + rows.len();
        rest = batch.rest;
    }
    timelines.sort_all();
    Ok(ReadHistory { timelines, whole: text.len() - rest.len() })
}

/// A batch of a text, of which the checksum is right.
struct Batch<'t> {
    head: HeadFields,
    body: &'t str,
    rest: &'t [u8],
}

/// The key of a row, and the row in full, or `None` if the model is gone.
type FullRow<'t> = (Cow<'t, str>, Option<Cow<'t, str>>);

impl<'t> Batch<'t> {
    /// Splits the first batch from a text. Returns `None` if the text does not begin with a whole one.
    fn split(text: &'t [u8]) -> Option<Self> {
        let (head, behind) = split_line(text)?;
        let Head { batch: head } = serde_json::from_slice(head).ok()?;
        let (body, rest) = behind.split_at_checked(head.bytes)?;
        if crc32fast::hash(body) != head.crc32 {
            return None;
        }
        Some(Self { head, body: std::str::from_utf8(body).ok()?, rest })
    }

    /// Returns the rows in full. An error has the line, counted from the one of the head.
    fn rows(&self, before: &Timelines) -> Result<Vec<FullRow<'t>>, (usize, String)> {
        let mut rows = Vec::new();
        for (line, text) in (1..).zip(self.body.lines()) {
            let row = full_row(text, before).map_err(|reason| (line, reason))?;
            rows.push(row);
        }
        if rows.len() == self.head.rows {
            Ok(rows)
        } else {
            Err((0, format!("it has {} rows, and not {}", rows.len(), self.head.rows)))
        }
    }
}

/// Reads the line of a row: `[key, row]`, `[key, fields, names of removed fields]` or `[key]`.
fn full_row<'t>(text: &'t str, before: &Timelines) -> Result<FullRow<'t>, String> {
    let parts: Vec<&'t RawValue> = serde_json::from_str(text).map_err(|_| "not a list".to_owned())?;
    let key = |key: &'t RawValue| json::text(key.get()).ok_or("its key is no text");
    match parts.as_slice() {
        [name] => Ok((key(name)?, None)),
        [name, row] => Ok((key(name)?, Some(Cow::Borrowed(row.get())))),
        [name, set, removed] => {
            let name = key(name)?;
            let known = before.last_added(&name).ok_or("it changes a row that there is none of")?;
            let (Ok(known), Ok(set)) = (json::fields(known), json::fields(set.get())) else {
                return Err("it changes a row that has no fields".to_owned());
            };
            let removed: Vec<String> =
                serde_json::from_str(removed.get()).map_err(|_| "its third part is no list of names")?;
            Ok((name, Some(Cow::Owned(changed(known, set, &removed)))))
        }
        _ => Err("not a key and its row".to_owned()),
    }
}

/// Returns a row with fields set and others removed, and its fields by name, as they are recorded.
fn changed(known: Vec<JsonField<'_>>, set: Vec<JsonField<'_>>, removed: &[String]) -> String {
    let removed: hashbrown::HashSet<&str> = removed.iter().map(|name| &**name).collect();
    let mut row = Union::default();
    for (name, json) in known.into_iter().filter(|(name, _)| !removed.contains(&**name)).chain(set) {
        row.set(name, json);
    }
    row.fields.sort_unstable();
    json::object(row.fields)
}

/// Returns whether a text that does not begin with a whole batch is anything else than what a crash leaves
/// behind: a batch that is cut, or one with parts that were not written, whose bytes are then zero.
fn is_damaged(text: &[u8]) -> bool {
    let head = |line: &[u8]| serde_json::from_slice::<Head>(line).ok();
    let mut lines = text.split(|byte| *byte == b'\n');
    let first = lines.next();
    if lines.any(|line| head(line).is_some()) {
        // Batches are written one by one.
        return true;
    }
    let is_cut = match split_line(text) {
        None => true,
        Some((_, behind)) => first.and_then(head).is_some_and(|head| head.batch.bytes > behind.len()),
    };
    !is_cut && memchr::memchr(0, text).is_none()
}

/// Splits the first line from a text. Returns `None` if the text has no line break.
fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', text)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}
