//! The command line.

use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lexopt::prelude::*;

pub(crate) const HELP: &str = "\
Builds a history of prices from dated maps, and shows what changed between them.

Usage: history LEDGER [OPTIONS] [TIME=FILE]...

LEDGER is the file of the history: created if there is none, and appended to. Each TIME=FILE is a map in
LiteLLM's format (JSON, plain or packed with gzip or Zstandard) and the instant from which its prices apply:
a day, which begins at 00:00 UTC, or a time in RFC 3339. Maps may come in any order. A map that the ledger has
already changes nothing.

  history prices.history 2025-11-16=1.80.0.json 2026-11-12T01:59:54Z=1.109.1.json
  history prices.history --plot claude-sonnet-4-5 --out sonnet.svg

Options:
  --recorded-now         Record maps as known since now. By default, they count as known since their TIME, so
                         that bills of the past are made as they were by these maps
  --changes              List each change, and not only their numbers
  --genai-prices FILE    Join the data of genai-prices (prices/data.json of pydantic/genai-prices, MIT): the
                         prices of its models from each start_date on
  --show MODEL           List the points at which the row of a model changes
  --plot MODEL           Draw the token prices of a model over time, as SVG
  --from DAY, --to DAY   The days that a chart shows. Default: those of the ledger, and today
  --out FILE             Write the chart to a file. Default: standard output
  --help                 Show this help

What was recorded goes to standard output; with --plot and no --out, to standard error. The exit status is 0,
or 2 if the program failed.
";

/// The wishes of a user.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) ledger: PathBuf,
    /// The maps, each with the time from which it applies, oldest first.
    pub(crate) maps: Vec<(SystemTime, PathBuf)>,
    pub(crate) recorded_now: bool,
    pub(crate) changes: bool,
    pub(crate) genai_prices: Option<PathBuf>,
    pub(crate) show: Option<String>,
    pub(crate) plot: Option<String>,
    pub(crate) from: Option<SystemTime>,
    pub(crate) to: Option<SystemTime>,
    pub(crate) out: Option<PathBuf>,
}

impl Options {
    /// Reads the command line. Returns `None` if it asks for help.
    pub(crate) fn read() -> Result<Option<Self>, lexopt::Error> {
        let (mut options, mut ledger) = (Self::default(), None);
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("recorded-now") => options.recorded_now = true,
                Long("changes") => options.changes = true,
                Long("genai-prices") => options.genai_prices = Some(arguments.value()?.into()),
                Long("show") => options.show = Some(arguments.value()?.string()?),
                Long("plot") => options.plot = Some(arguments.value()?.string()?),
                Long("from") => options.from = Some(time(&arguments.value()?.string()?)?),
                Long("to") => options.to = Some(time(&arguments.value()?.string()?)?),
                Long("out") => options.out = Some(arguments.value()?.into()),
                Value(file) if ledger.is_none() => ledger = Some(file),
                Value(map) => options.maps.push(dated(&map.string()?)?),
                _ => return Err(argument.unexpected()),
            }
        }
        options.ledger = ledger.ok_or("missing LEDGER, the file of the history")?.into();
        options.maps.sort();
        Ok(Some(options))
    }

    /// Returns whether the ledger is to be written.
    pub(crate) fn records(&self) -> bool {
        !self.maps.is_empty() || self.genai_prices.is_some()
    }
}

fn dated(argument: &str) -> Result<(SystemTime, PathBuf), lexopt::Error> {
    let (at, file) = argument.split_once('=').ok_or_else(|| {
        format!(
            "{argument}: write the time from which the map applies before it, as in 2026-11-12={argument}"
        )
    })?;
    Ok((time(at)?, file.into()))
}

/// Reads an instant, or a day, which begins at 00:00 UTC.
pub(crate) fn time(text: &str) -> Result<SystemTime, lexopt::Error> {
    let instant = text.parse::<Timestamp>().ok();
    let day = || Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let bad = || format!("{text}: write a day, such as 2026-11-12, or a time, such as 2026-11-12T16:00:00Z");
    Ok(instant.or_else(day).ok_or_else(bad)?.into())
}
