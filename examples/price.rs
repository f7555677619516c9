//! A filter that prices calls: reads one JSON object per line and writes one per line.
//!
//! ```text
//! echo '{"id": 1, "model": "gpt-4o", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}' |
//!     cargo run --release --example price
//! {"id":1,"key":"gpt-4o","input":"0.0025","output":"0.005","tools":"0","total":"0.0075","complete":true}
//! ```
//!
//! `--help` lists the forms of a line and the options. A summary goes to standard error, also on
//! Ctrl-C. Memory use does not grow with the number of lines.

#[path = "price/amounts.rs"]
mod amounts;
#[path = "price/answer.rs"]
mod answer;
#[path = "price/options.rs"]
mod options;
#[path = "price/report.rs"]
mod report;
#[path = "price/request.rs"]
mod request;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use answer::{Pricer, Prices};
use llm_costmap::history::History;
use llm_costmap::{CostMap, Error, RetiredModels};
use options::Options;
use report::Report;

/// The exit status if anything was unknown, without a price, or invalid.
const UNSETTLED: u8 = 1;
/// The exit status if the program could not do its work.
const FAILED: u8 = 2;
/// The exit status after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(Some(options)) => options,
        Ok(None) => {
            // The reader of the help may stop reading.
            let _ = io::stdout().write_all(options::HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("price: {error}\nTry --help.");
            return ExitCode::from(FAILED);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(UNSETTLED),
        // The reader of the output may stop reading.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("price: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prices all lines. Returns whether every call has a price.
fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let prices = match &options.history {
        Some(file) => Prices::History(History::read(file)?),
        None => Prices::Map(map(options)?.snapshot()),
    };
    let pricer = Pricer { prices, options };
    let report = Arc::new(Mutex::new(Report::new(options.by, options.csv)));
    let interrupted = report.clone();
    ctrlc::set_handler(move || {
        let mut report = lock(&interrupted);
        // There is nobody left to tell of an error.
        let _ = report.finish();
        std::process::exit(INTERRUPTED);
    })?;
    lock(&report).begin()?;
    let mut progress = Progress::new();
    if options.files.is_empty() {
        read_lines(io::stdin().lock(), &pricer, &report, &mut progress)?;
    }
    for path in &options.files {
        let file = File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        read_lines(BufReader::new(file), &pricer, &report, &mut progress)?;
    }
    progress.clear();
    let mut report = lock(&report);
    report.finish()?;
    Ok(report.is_settled())
}

fn map(options: &Options) -> Result<CostMap, Error> {
    let builder = match &options.map {
        Some(file) => CostMap::builder().file(file),
        None => CostMap::builder(),
    };
    let retired = if options.retired { RetiredModels::Keep } else { RetiredModels::Forget };
    builder.retired(retired).build()
}

fn read_lines(
    mut input: impl BufRead,
    pricer: &Pricer<'_>,
    report: &Mutex<Report>,
    progress: &mut Progress,
) -> io::Result<()> {
    let (mut line, mut number) = (Vec::new(), 0);
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { &text };
        if let Some(answer) = pricer.answer(text.trim(), number) {
            lock(report).add(&answer)?;
            progress.count();
        }
        line.clear();
    }
    Ok(())
}

/// Shows on a terminal how many lines were read, if that takes long.
struct Progress {
    lines: u64,
    shown: Option<Instant>,
    is_visible: bool,
}

impl Progress {
    const INTERVAL: Duration = Duration::from_millis(500);

    fn new() -> Self {
        let is_useful = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self { lines: 0, shown: is_useful.then(Instant::now), is_visible: false }
    }

    fn count(&mut self) {
        self.lines += 1;
        let Some(shown) = self.shown else { return };
        // The clock is read every so often.
        if self.lines % 256 == 0 && shown.elapsed() >= Self::INTERVAL {
            (self.shown, self.is_visible) = (Some(Instant::now()), true);
            eprint!("\r{} lines", self.lines);
        }
    }

    fn clear(&mut self) {
        if self.is_visible {
            eprint!("\r\x1b[K");
        }
    }
}
