//! Follows a map in Redis, and prints what each reload changes.

use std::error::Error;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use lexopt::prelude::*;
use llm_costmap::CostMap;
use redis_source::RedisSource;

const HELP: &str = "\
Follows a map in Redis, and prints what each reload changes.

Usage: redis-source URL KEY [options]

URL is redis://:password@host:6379/0, rediss://host (TLS) or redis+unix:///run/redis.sock. The value of KEY is a map in
LiteLLM's format, packed or not. The map is reloaded whenever something is published on the channel KEY, and at an
interval.

Options:
  --pointer          The value is a pointer, which names the key of the map.
  --every SECONDS    The interval of the reloads. Default: 600.
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
            eprintln!("redis-source: {error}; see redis-source --help");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis-source: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    url: String,
    key: String,
    is_pointer: bool,
    every: Duration,
    once: bool,
}

/// Reads the arguments. Returns `None` if they ask for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    let (mut url, mut key) = (None, None);
    let (mut is_pointer, mut every, mut once) = (false, Duration::from_secs(600), false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("pointer") => is_pointer = true,
            Long("once") => once = true,
            Long("every") => every = Duration::from_secs(arguments.value()?.parse()?),
            Short('h') | Long("help") => return Ok(None),
            Value(given) if url.is_none() => url = Some(given.string()?),
            Value(given) if key.is_none() => key = Some(given.string()?),
            other => return Err(other.unexpected()),
        }
    }
    match (url, key) {
        (Some(url), Some(key)) => Ok(Some(Options { url, key, is_pointer, every, once })),
        _ => Err("give a URL and a KEY".into()),
    }
}

fn follow(options: &Options) -> Result<(), Box<dyn Error>> {
    let source = RedisSource::new(&options.url, &options.key).map_err(|error| format!("the URL: {error}"))?;
    let builder = CostMap::builder().json("{}");
    let builder = if options.is_pointer {
        builder.pointer(source.clone().into_pointer())
    } else {
        builder.source(source.clone())
    };
    let map = builder.build()?;
    println!("{}", map.reload()?);
    if options.once {
        return Ok(());
    }
    map.on_reload(|result| match result {
        Ok(report) => {
            println!("{report}");
            report.diff.repriced.iter().for_each(|price| println!("  {price}"));
        }
        Err(error) => eprintln!("prices are kept: {error:#}"),
    });
    map.schedule_reload(options.every)?;
    let _watch = source.watch(map.clone());
    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody waits any more if the program ends.
        let _ = stop.send(());
    })?;
    stopped.recv()?;
    Ok(())
}
