//! The options of the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::SystemTime;

use lexopt::prelude::*;

pub(crate) const HELP: &str = r#"Prices calls to language models: one JSON object per line in, one per line out.

Usage: price [OPTIONS] [FILE]...

Reads the files, or standard input if there are none. A line is one of:

  {"id", "model", "provider"?, "usage": {...}}     a usage, in the names of any provider
  {"id", "model", "provider"?, "usage"?,
   "unit"?, "amounts": {...}}                      what was used in other units, named below
  {"id", "format"?, "model"?, "provider"?,
   "body": {...}, "headers"?: {...}}               a provider's response
  {..., "stream": "text"}                          a provider's stream, as it was received
  {..., "stream_base64": "..."}                    the same, for binary event streams of AWS
  {"id", "model", "provider"?}  or  a name         what the map says of a model

Without "model", the model that the response names is priced. A line may also have "service_tier",
"batch", "data_residency", "vertex_location" and "at" (RFC 3339). The id is echoed. A prefix "data:"
is removed.

Units: "image", "video", "speech", "transcription", "session", "rerank", "ocr", "search", "web_search".
Amounts: "images", "size", "quality", "resolution", "input_images", "seconds" (of a transcription, or of
the "video", "speech" or "session" that "unit" names), "input_seconds" (of what was sent), "characters", "output_characters",
"search_units", "total_tokens", "pages", "annotation_pages", "credits", "queries", "max_results",
"search_mode", "text_messages", "web_search_requests", "search_context_size", "page_visits", "maps_requests",
"file_searches", "file_storage_gb_days", "vector_store_gb_days", "code_interpreter_sessions",
"computer_use_input_tokens", "computer_use_output_tokens".

Options:
  --map FILE          Price by another map than the bundled one
  --history FILE      Price each line by what was in force at its own "at", by a history that
                      examples/history or a live map wrote
  --recorded-by TIME  With --history, as far as it was recorded by then (RFC 3339), to make bills as they
                      were made
  --retired           Price models that left the map by their last prices. Those that earlier releases of
                      LiteLLM had are known if the program was built with --features retired
  --provider NAME     The provider of lines that have none
  --strict            Accept only keys and aliases of the map as names
  --suggest           Search for similar names when a model is unknown
  --by model|provider|day
                      Write totals instead of lines
  --csv               Write CSV instead of JSON
  --snapshot          Add to each line what LiteLLM's accounting keeps of the call, as "snapshot": a
                      PricingSnapshot, or an Unpriced with the reason
  --help              Show this help

A summary goes to standard error, also on Ctrl-C. The exit status is 0 if every line was priced, 1 if
anything was unknown, without a price or invalid, and 2 if the program failed.
"#;

/// The groups of totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Model,
    Provider,
    Day,
}

#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "options of the command line")]
pub(crate) struct Options {
    pub(crate) map: Option<PathBuf>,
    pub(crate) provider: Option<String>,
    pub(crate) history: Option<PathBuf>,
    pub(crate) recorded_by: Option<SystemTime>,
    pub(crate) retired: bool,
    pub(crate) strict: bool,
    pub(crate) suggest: bool,
    pub(crate) by: Option<By>,
    pub(crate) csv: bool,
    pub(crate) snapshot: bool,
    pub(crate) files: Vec<PathBuf>,
}

impl Options {
    /// Reads the command line. Returns `None` if it asks for help.
    pub(crate) fn read() -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self::default();
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("map") => options.map = Some(arguments.value()?.into()),
                Long("provider") => options.provider = Some(arguments.value()?.string()?),
                Long("history") => options.history = Some(arguments.value()?.into()),
                Long("recorded-by") => options.recorded_by = Some(time(&arguments.value()?.string()?)?),
                Long("retired") => options.retired = true,
                Long("strict") => options.strict = true,
                Long("suggest") => options.suggest = true,
                Long("csv") => options.csv = true,
                Long("snapshot") => options.snapshot = true,
                Long("by") => options.by = Some(by(arguments.value()?)?),
                Value(file) => options.files.push(file.into()),
                _ => return Err(argument.unexpected()),
            }
        }
        if options.snapshot && (options.csv || options.by.is_some()) {
            return Err("--snapshot: snapshots are JSON lines, and go with neither --csv nor --by".into());
        }
        if options.history.is_some() && options.map.is_some() {
            return Err("--history: a history has maps of its own, and does not go with --map".into());
        }
        if options.recorded_by.is_some() && options.history.is_none() {
            return Err("--recorded-by: it goes with --history FILE".into());
        }
        Ok(Some(options))
    }
}

fn time(text: &str) -> Result<SystemTime, lexopt::Error> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    let bad = |_| format!("--recorded-by {text}: write a time in RFC 3339, such as 2026-11-12T16:00:00Z");
    Ok(time.map_err(bad)?.into())
}

fn by(group: OsString) -> Result<By, lexopt::Error> {
    Ok(match &*group.string()? {
        "model" => By::Model,
        "provider" => By::Provider,
        "day" => By::Day,
        other => return Err(format!("--by {other}: write model, provider or day").into()),
    })
}
