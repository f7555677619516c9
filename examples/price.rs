//! A filter that prices calls: reads one JSON object per line and writes one per line.
//!
//! ```text
//! echo '{"id": 1, "model": "gpt-4o", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}' |
//!     cargo run --release --example price
//! {"id":1,"key":"gpt-4o","input":"0.0025","output":"0.005","tools":"0","total":"0.0075","complete":true}
//! ```
//!
//! The fields of an input object are `id` (any value, echoed), `model`, and optionally `provider`,
//! `usage`, `service_tier`, `batch`, `data_residency`, `vertex_location` and `at` (RFC 3339). A
//! line without `usage` asks for the model's info and for the way in which its name was found; a
//! line that is just a name (`gpt-4o` or `"gpt-4o"`) asks for the same.
//!
//! `--map FILE` prices by another map than the bundled one. A summary goes to standard error. The
//! exit status is 1 if a line was not JSON. Memory use does not grow with the number of lines.

use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use llm_costmap::lookup::{FoundBy, Match};
use llm_costmap::{Call, CostMap, Error, Lookup, ModelInfo, Snapshot, Usage, Usd};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A line of input.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    model: String,
    provider: Option<String>,
    usage: Option<Usage>,
    service_tier: Option<String>,
    batch: Option<bool>,
    data_residency: Option<String>,
    vertex_location: Option<String>,
    at: Option<String>,
}

/// A line of output.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Cost {
        id: Option<&'a RawValue>,
        key: &'a str,
        input: Usd,
        output: Usd,
        tools: Usd,
        total: Usd,
        complete: bool,
    },
    Info {
        id: Option<&'a RawValue>,
        /// The key of the model's own entry, or the name that fallback rules describe. Null if the
        /// model has neither.
        key: Option<&'a str>,
        /// The key that calls to the model are priced under.
        priced_by: &'a str,
        found_by: FoundBy,
        how: String,
        model_info: &'a ModelInfo<'a>,
    },
    Failure {
        id: Option<&'a RawValue>,
        error: &'a str,
        message: String,
    },
    NotJson {
        line: u64,
        error: &'a str,
        message: String,
    },
}

/// The counts and the total of all lines.
#[derive(Default)]
struct Summary {
    lines: u64,
    priced: u64,
    unknown: u64,
    incomplete: u64,
    failed: u64,
    invalid: u64,
    total: Usd,
    overflowed: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(summary) if summary.invalid == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        // The reader of the output may stop reading.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("price: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run() -> Result<Summary, Box<dyn std::error::Error>> {
    let snapshot = open_map()?.snapshot();
    let mut input = io::stdin().lock();
    let mut output = BufWriter::new(io::stdout().lock());
    let mut summary = Summary::default();
    let mut line = Vec::new();
    let mut number = 0;
    while input.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            summary.lines += 1;
            answer(&snapshot, text, number, &mut summary, &mut output)?;
        }
        line.clear();
    }
    output.flush()?;
    let Summary { lines, priced, unknown, incomplete, failed, invalid, total, overflowed } = &summary;
    eprintln!(
        "{lines} lines: {priced} priced, {unknown} unknown, {incomplete} incomplete, {failed} failed, \
         {invalid} invalid; total {total} USD{}",
        if *overflowed { " (and more than can be counted)" } else { "" }
    );
    Ok(summary)
}

fn open_map() -> Result<CostMap, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(CostMap::builder().build()?),
        (Some("--map"), Some(file), None) => Ok(CostMap::from_file(file)?),
        _ => Err("usage: price [--map FILE] < CALLS".into()),
    }
}

/// Answers one line.
fn answer(
    snapshot: &Arc<Snapshot>,
    text: &str,
    line: u64,
    summary: &mut Summary,
    output: &mut impl Write,
) -> io::Result<()> {
    if text.starts_with('[') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        summary.failed += 1;
        let message = "a call is an object".to_owned();
        return write_line(output, &Answer::Failure { id: None, error: "invalid_call", message });
    }
    // A bare name needs no quotes.
    let name = if text.starts_with(['{', '[']) { None } else { Some(bare_name(text)) };
    let request = match name {
        Some(name) => Ok(Request::named(name)),
        None => serde_json::from_str::<Request<'_>>(text),
    };
    let request = match request {
        Ok(request) => request,
        Err(error) if error.is_data() => {
            let id = serde_json::from_str::<OnlyId<'_>>(text).ok().and_then(|only| only.id);
            summary.failed += 1;
            return write_line(
                output,
                &Answer::Failure { id, error: "invalid_call", message: error.to_string() },
            );
        }
        Err(error) => {
            summary.invalid += 1;
            return write_line(
                output,
                &Answer::NotJson { line, error: "invalid_json", message: error.to_string() },
            );
        }
    };
    match &request.usage {
        Some(usage) => price(snapshot, &request, usage, summary, output),
        None => describe(snapshot, &request, summary, output),
    }
}

/// The id of a line that is not a valid call, for its error.
#[derive(Deserialize)]
struct OnlyId<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

fn bare_name(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

impl Request<'_> {
    fn named(model: String) -> Self {
        Self {
            id: None,
            model,
            provider: None,
            usage: None,
            service_tier: None,
            batch: None,
            data_residency: None,
            vertex_location: None,
            at: None,
        }
    }

    fn lookup(&self) -> Lookup<'_> {
        let lookup = Lookup::new(&self.model);
        self.provider.as_deref().map_or(lookup, |provider| lookup.provider(provider))
    }

    fn call<'a>(&'a self, usage: &'a Usage) -> Result<Call<'a>, String> {
        let mut call = Call::new(usage);
        if self.batch.unwrap_or(false) {
            call = call.batch();
        }
        if let Some(tier) = &self.service_tier {
            call = call.service_tier(&**tier);
        }
        if let Some(region) = &self.data_residency {
            call = call.data_residency(region);
        }
        if let Some(location) = &self.vertex_location {
            call = call.vertex_location(location);
        }
        if let Some(at) = &self.at {
            let time: jiff::Timestamp =
                at.parse().map_err(|_| format!("at: {at:?} is not a time in RFC 3339 form"))?;
            call = call.at(SystemTime::from(time));
        }
        Ok(call)
    }
}

fn price(
    snapshot: &Snapshot,
    request: &Request<'_>,
    usage: &Usage,
    summary: &mut Summary,
    output: &mut impl Write,
) -> io::Result<()> {
    let id = request.id;
    let call = match request.call(usage) {
        Ok(call) => call,
        Err(message) => {
            summary.failed += 1;
            return write_line(output, &Answer::Failure { id, error: "invalid_call", message });
        }
    };
    let (key, [input, output_side, total], complete) = match &snapshot.cost(request.lookup(), call) {
        Ok(cost) => (cost.key().to_owned(), [cost.input(), cost.output(), cost.total()], true),
        Err(Error::Unpriced(bill)) => {
            summary.incomplete += 1;
            (bill.key().to_owned(), [bill.known_input(), bill.known_output(), bill.known_total()], false)
        }
        Err(error) => return fail(request, error, summary, output),
    };
    summary.priced += 1;
    match summary.total.checked_add(total) {
        Some(total) => summary.total = total,
        None => summary.overflowed = true,
    }
    let answer =
        Answer::Cost { id, key: &key, input, output: output_side, tools: Usd::ZERO, total, complete };
    write_line(output, &answer)
}

fn describe(
    snapshot: &Snapshot,
    request: &Request<'_>,
    summary: &mut Summary,
    output: &mut impl Write,
) -> io::Result<()> {
    match snapshot.resolve(request.lookup()) {
        Ok(found) => {
            let found_by = found.found_by();
            let has_entry = !matches!(found_by.matched, Match::StandIn | Match::SelfHosted);
            let answer = Answer::Info {
                id: request.id,
                key: has_entry.then(|| found.key()),
                priced_by: found.key(),
                found_by,
                how: found_by.to_string(),
                model_info: &found.model_info(),
            };
            write_line(output, &answer)
        }
        Err(error) => fail(request, &error, summary, output),
    }
}

fn fail(
    request: &Request<'_>,
    error: &Error,
    summary: &mut Summary,
    output: &mut impl Write,
) -> io::Result<()> {
    if matches!(error, Error::UnknownModel(_)) {
        summary.unknown += 1;
    } else {
        summary.failed += 1;
    }
    write_line(output, &Answer::Failure { id: request.id, error: error.code(), message: error.to_string() })
}

fn write_line(output: &mut impl Write, answer: &Answer<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *output, answer)?;
    output.write_all(b"\n")
}
