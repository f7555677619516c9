//! Builds a history of prices from dated maps, shows what changed between them, and draws the prices of a model
//! over time.
//!
//! ```text
//! cd examples/history
//! cargo run --release -- prices.history 2025-11-16=1.80.0.json 2026-11-12=1.109.1.json
//! cargo run --release -- prices.history --plot claude-sonnet-4-5 --out sonnet.svg
//! ```

mod genai;
mod options;
mod plot;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use jiff::Timestamp;
use llm_costmap::history::{History, Recording};
use options::Options;

/// The exit status if the program could not do its work.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(Some(options)) => options,
        Ok(None) => {
            // The reader of the help may stop reading.
            let _ = io::stdout().write_all(options::HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("history: {error}\nTry --help.");
            return ExitCode::from(FAILED);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output may stop reading.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("history: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run(options: &Options) -> Result<()> {
    let history =
        if options.records() { History::open(&options.ledger) } else { History::read(&options.ledger) }?;
    let chart_on_stdout = options.plot.is_some() && options.out.is_none();
    let mut told: Box<dyn Write> =
        if chart_on_stdout { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
    for (at, file) in &options.maps {
        record(&history, *at, file, options, &mut *told)?;
    }
    if let Some(file) = &options.genai_prices {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let joined = genai::join(&history, &text).with_context(|| format!("{}", file.display()))?;
        writeln!(told, "genai-prices: {joined}")?;
    }
    if options.records() {
        let size = fs::metadata(&options.ledger)?.len();
        writeln!(
            told,
            "{}: {} models, {} batches, {size} bytes",
            options.ledger.display(),
            history.models().len(),
            history.batches().len()
        )?;
    }
    if let Some(model) = &options.show {
        show(&history, model, &mut *told)?;
    }
    if let Some(model) = &options.plot {
        let svg = plot::draw(&history, model, options.from, options.to)?;
        match &options.out {
            Some(file) => fs::write(file, svg).with_context(|| format!("cannot write {}", file.display()))?,
            None => io::stdout().write_all(svg.as_bytes())?,
        }
    }
    Ok(())
}

/// Records a map, and tells what it changes.
fn record(
    history: &History,
    at: SystemTime,
    file: &std::path::Path,
    options: &Options,
    told: &mut dyn Write,
) -> Result<()> {
    let map = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let recording = Recording::new(file.display().to_string()).effective_from(at);
    let recording = if options.recorded_now { recording } else { recording.recorded_at(at) };
    let before = history.at(at - Duration::from_micros(1));
    history.record_map(map, recording)?;
    let after = history.at(at);
    let diff = before.diff(&after);
    let jumped = diff.repriced.iter().map(|change| &*change.model).collect::<BTreeSet<_>>().len();
    writeln!(
        told,
        "{} {}: {} models, {} added, {} removed, {} prices of {jumped} models changed, {} rows set aside",
        Timestamp::try_from(at)?,
        file.display(),
        after.len(),
        diff.added.len(),
        diff.removed.len(),
        diff.repriced.len(),
        after.set_aside().count(),
    )?;
    if options.changes {
        for model in &diff.added {
            writeln!(told, "  + {model}")?;
        }
        for model in &diff.removed {
            writeln!(told, "  - {model}")?;
        }
        for change in &diff.repriced {
            writeln!(told, "  {change}")?;
        }
    }
    Ok(())
}

/// Lists the points of a model.
fn show(history: &History, model: &str, told: &mut dyn Write) -> Result<()> {
    let points = history.points(model);
    anyhow::ensure!(!points.is_empty(), "{model} is no key of the ledger{}", plot::near(history, model));
    for point in points {
        let kind = if point.is_of_map { "map" } else { "correction" };
        let effective = Timestamp::try_from(point.effective_from)?;
        let recorded = Timestamp::try_from(point.recorded_at)?;
        let row = point.model_info.as_ref().map_or("gone", |row| row.json());
        writeln!(told, "{effective} (recorded {recorded}, {kind}, {}): {row}", point.source)?;
    }
    Ok(())
}
