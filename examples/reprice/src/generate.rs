//! Synthetic logs, to try the program and to measure it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use indicatif::ProgressBar;
use llm_costmap::{CostMap, Usage};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// The rows of a batch.
const BATCH: u64 = 65_536;

/// The number of models that the calls go to.
const HOT: usize = 64;

/// The start and the length of the logs, in microseconds: the year 2026.
const START: i64 = 1_767_225_600_000_000;
const YEAR: u64 = 365 * 24 * 3_600 * 1_000_000;

/// A generator of numbers that are the same for a seed (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Returns a place in a list.
    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }
}

/// Writes files of calls to 64 models that the map prices, over a year, in the order of their times. The same seed gives
/// the same calls.
///
/// # Errors
///
/// Returns an error if the folder cannot be written to, or if the map prices no model of chats.
pub fn generate(map: &CostMap, folder: &Path, rows: u64, files: u64, seed: u64) -> Result<()> {
    let snapshot = map.snapshot();
    let mut chat: Vec<(String, String)> = snapshot
        .models()
        .filter(|model| model.mode().as_deref() == Some("chat"))
        .filter_map(|model| Some((model.key().to_owned(), model.litellm_provider()?)))
        .filter(|(key, _)| snapshot.total(key, &Usage::new(1_000, 500).cached_tokens(100)).is_ok())
        .collect();
    chat.sort();
    let mut seeded = Seeded(seed);
    ensure!(!chat.is_empty(), "the map prices no model of chats");
    let hot: Vec<(String, String)> =
        (0..HOT.min(chat.len())).map(|_| chat.swap_remove(seeded.place(chat.len()))).collect();
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let bar = crate::report::progress(Some(rows), "rows");
    for file in 0..files {
        let (from, to) = (rows * file / files, rows * (file + 1) / files);
        write(&folder.join(format!("{file:04}.parquet")), &hot, from..to, rows, &mut seeded, &bar)?;
    }
    bar.finish();
    Ok(())
}

fn write(
    path: &Path,
    hot: &[(String, String)],
    rows: std::ops::Range<u64>,
    all: u64,
    seeded: &mut Seeded,
    bar: &ProgressBar,
) -> Result<()> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = None;
    let mut start = rows.start;
    while start < rows.end {
        let end = (start + BATCH).min(rows.end);
        let picks: Vec<&(String, String)> = (start..end)
            // The smaller of two: some models have most of the calls.
            .filter_map(|_| hot.get(seeded.place(hot.len()).min(seeded.place(hot.len()))))
            .collect();
        let at = (start..end).map(|row| {
            let since = u128::from(YEAR) * u128::from(row) / u128::from(all.max(1));
            START.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
        });
        let at: TimestampMicrosecondArray = at.collect::<Vec<i64>>().into();
        let prompt: Vec<i64> = picks.iter().map(|_| 1 + (seeded.below(20_000) as i64)).collect();
        let cached: Vec<i64> = prompt
            .iter()
            .map(|prompt| if seeded.below(3) == 0 { seeded.below(*prompt as u64) as i64 } else { 0 })
            .collect();
        let completion: Int64Array = picks.iter().map(|_| Some(seeded.below(2_000) as i64)).collect();
        let columns: [(&str, ArrayRef); 6] = [
            ("at", Arc::new(at.with_timezone("UTC"))),
            ("model", Arc::new(picks.iter().map(|(model, _)| Some(model)).collect::<StringArray>())),
            ("provider", Arc::new(picks.iter().map(|(_, provider)| Some(provider)).collect::<StringArray>())),
            ("prompt_tokens", Arc::new(Int64Array::from(prompt))),
            ("completion_tokens", Arc::new(completion)),
            ("cached_tokens", Arc::new(Int64Array::from(cached))),
        ];
        let batch = RecordBatch::try_from_iter(columns)?;
        if writer.is_none() {
            let file = File::create(path).with_context(|| path.display().to_string())?;
            writer = Some(ArrowWriter::try_new(file, batch.schema(), Some(properties.clone()))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(&batch)?;
        }
        bar.inc(end - start);
        start = end;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}
