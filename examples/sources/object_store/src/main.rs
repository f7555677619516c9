//! Follows a map in an object store, and prints what each reload changes.

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use lexopt::prelude::*;
use llm_costmap::CostMap;
use object_store_source::ObjectStoreSource;

const HELP: &str = "\
Follows a map in an object store, and prints what each reload changes.

Usage: object-store-source URL [options]

URL is s3://bucket/key, gs://bucket/key, az://container/key or file:///folder/key. Credentials are those of the
environment, such as AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT.

Options:
  --pointer          The object is a pointer, which names the map.
  --every SECONDS    The interval of the reloads. Default: 60.
  --once             Fetches once, prints the report, and ends.
  -h, --help         Prints this help.

Exit codes: 0 ended by Ctrl-C, or fetched; 1 the first fetch failed; 2 wrong arguments.
";

fn main() -> ExitCode {
    let done = match options() {
        Ok(Some(options)) => follow(&options),
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("object-store-source: {error}; see object-store-source --help");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("object-store-source: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    url: String,
    is_pointer: bool,
    every: Duration,
    once: bool,
}

/// Reads the arguments. Returns `None` if they ask for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut options =
        Options { url: String::new(), is_pointer: false, every: Duration::from_secs(60), once: false };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("pointer") => options.is_pointer = true,
            Long("once") => options.once = true,
            Long("every") => options.every = Duration::from_secs(arguments.value()?.parse()?),
            Short('h') | Long("help") => return Ok(None),
            Value(url) if options.url.is_empty() => options.url = url.string()?,
            other => return Err(other.unexpected()),
        }
    }
    if options.url.is_empty() { Err("URL is missing".into()) } else { Ok(Some(options)) }
}

fn follow(Options { url, is_pointer, every, once }: &Options) -> Result<(), Box<dyn Error>> {
    let source = ObjectStoreSource::from_url(url).map_err(|error| format!("the URL: {error}"))?;
    let builder = CostMap::builder().json("{}");
    let builder = if *is_pointer { builder.pointer(source.into_pointer()) } else { builder.source(source) };
    let map = builder.build()?;
    println!("{}", map.reload()?);
    if *once {
        return Ok(());
    }
    map.on_reload(|result| match result {
        Ok(report) => {
            println!("{report}");
            report.diff.repriced.iter().for_each(|price| println!("  {price}"));
        }
        Err(error) => eprintln!("prices are kept: {error:#}"),
    });
    map.schedule_reload(*every)?;
    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody waits any more if the program ends.
        let _ = stop.send(());
    })?;
    stopped.recv()?;
    Ok(())
}
