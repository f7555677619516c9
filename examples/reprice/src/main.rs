//! Prices logs of calls, and reports what another map changes. See `--help`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};
use llm_costmap::CostMap;
use reprice::cluster::{Executor, Scheduler, execute, schedule};
use reprice::generate::generate;
use reprice::{Columns, Engine, Job, Maps, Price, table};

/// Prices logs of calls to language models, and reports what another map changes.
///
/// Writes DIR/calls (the rows, with the columns llm_cost and llm_cost_before), DIR/summary.parquet (sums by model,
/// provider and day) and DIR/report.html, and prints a table. Amounts are US dollars, with all digits.
///
/// Exit codes: 0 done; 1 failed, and DIR has no results; 2 wrong arguments; 3 done, and calls have no price (with
/// --strict); 130 ended by Ctrl-C, and DIR has no results.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    run: Run,
}

#[derive(Subcommand)]
enum Other {
    /// Writes synthetic logs, to try the program.
    Generate(Generate),
    /// Runs the scheduler of a cluster.
    Scheduler(SchedulerOptions),
    /// Runs an executor of a cluster, which prices by the maps in a folder of its own.
    Executor(ExecutorOptions),
}

#[derive(Args)]
struct Run {
    /// The logs: files of Parquet, or folders with files that are called *.parquet.
    #[arg(value_name = "LOGS", required = true)]
    logs: Vec<String>,
    /// The map to price by, in LiteLLM's format, packed or not. Default: the map in the program.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// The map to compare with.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// The folder of the results.
    #[arg(long, value_name = "DIR", default_value = "repriced")]
    out: PathBuf,
    /// Names a column of the logs, such as model=my_model. The roles are model, provider, at, prompt_tokens,
    /// completion_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, reasoning_tokens,
    /// prompt_audio_tokens, completion_audio_tokens, service_tier and batch. An empty name, as in batch=, is none.
    #[arg(long, value_name = "ROLE=COLUMN")]
    column: Vec<String>,
    /// Leaves out DIR/calls.
    #[arg(long)]
    no_rows: bool,
    /// The number of threads. Default: one for each core.
    #[arg(long)]
    threads: Option<usize>,
    /// Runs on the Ballista cluster of this scheduler, such as df://127.0.0.1:50050. Its executors need the logs under
    /// the same paths, and the maps, by their revisions, in their own folders.
    #[arg(long, value_name = "URL")]
    cluster: Option<String>,
    /// The seconds that the cluster may take to answer a first, small query.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// Prices every call at a constant, which measures the engine alone.
    #[arg(long)]
    constant: bool,
    /// Ends with 3 if calls have no price.
    #[arg(long)]
    strict: bool,
}

#[derive(Args)]
struct Generate {
    /// The folder of the logs.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The number of calls.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// The number of files.
    #[arg(long, default_value_t = 4)]
    files: u64,
    /// The same seed gives the same calls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The map whose models are called. Default: the map in the program.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
}

#[derive(Args)]
struct SchedulerOptions {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:50050")]
    address: SocketAddr,
    /// The name that executors reach it by. Default: that of the address.
    #[arg(long)]
    external_host: Option<String>,
    /// The seconds after which an executor that does not report is taken for lost.
    #[arg(long, default_value_t = 30)]
    executor_timeout: u64,
}

#[derive(Args)]
struct ExecutorOptions {
    /// The host and the port of the scheduler.
    #[arg(long, default_value = "127.0.0.1:50050")]
    scheduler: String,
    /// The address to listen on, which results are fetched from.
    #[arg(long, default_value = "127.0.0.1:50051")]
    address: SocketAddr,
    /// The name that others reach it by. Default: that of the address.
    #[arg(long)]
    external_host: Option<String>,
    /// The port for the scheduler's calls.
    #[arg(long, default_value_t = 50_052)]
    grpc_port: u16,
    /// The number of tasks at the same time.
    #[arg(long, default_value_t = 2)]
    tasks: usize,
    /// The folder of the maps, called REVISION.json or REVISION.json.gz.
    #[arg(long, value_name = "DIR")]
    maps: PathBuf,
    /// The seconds between two reports to the scheduler.
    #[arg(long, default_value_t = 10)]
    heartbeat: u64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // RUST_LOG=info shows what a scheduler and its executors do.
    let level = if cli.other.is_some() { "warn" } else { "error" };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level)).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("reprice: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.other {
            None => tokio::select! {
                // The first of them is polled first: from then on, Ctrl-C ends nothing by itself.
                biased;
                // What is unfinished is removed as the run is dropped.
                _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
                done = run(&cli.run) => done,
            },
            Some(Other::Generate(options)) => {
                let map = options.map.map_or_else(|| Ok(CostMap::bundled()), CostMap::from_file)?;
                generate(&map, &options.folder, options.rows, options.files.max(1), options.seed)?;
                say(&format!("{} calls are in {}", options.rows, options.folder.display()));
                Ok(ExitCode::SUCCESS)
            }
            Some(Other::Scheduler(SchedulerOptions { address, external_host, executor_timeout })) => {
                schedule(&Scheduler { address, external_host, executor_timeout })
                    .await
                    .map(|()| ExitCode::SUCCESS)
            }
            Some(Other::Executor(options)) => {
                let ExecutorOptions { scheduler, address, external_host, grpc_port, tasks, maps, heartbeat } =
                    options;
                let settings =
                    Executor { scheduler, address, external_host, grpc_port, tasks, maps, heartbeat };
                execute(&settings).await.map(|()| ExitCode::SUCCESS)
            }
        }
    });
    done.unwrap_or_else(|error| {
        eprintln!("reprice: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints a text. What was done stays done if nobody reads of it.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

async fn run(options: &Run) -> Result<ExitCode> {
    let start = Instant::now();
    let columns = match Columns::from_pairs(options.column.iter().map(String::as_str)) {
        Ok(columns) => columns,
        Err(error) => Cli::command().error(clap::error::ErrorKind::InvalidValue, error).exit(),
    };
    let maps = Arc::new(Maps::default());
    let map = match &options.map {
        Some(file) => maps.add_file(file)?,
        None => maps.add(&CostMap::bundled())?,
    };
    let against = options.against.as_deref().map(|file| maps.add_file(file)).transpose()?;
    let job = Job {
        logs: options.logs.clone(),
        columns,
        maps,
        map,
        against,
        out: options.out.clone(),
        rows: !options.no_rows,
        engine: match &options.cluster {
            Some(url) => {
                Engine::Cluster { url: url.clone(), patience: Duration::from_secs(options.patience) }
            }
            None => Engine::Local { threads: options.threads },
        },
        price: if options.constant { Price::Constant } else { Price::Maps },
    };
    let outcome = job.run().await?;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(
        "{}\n{} calls in {seconds:.1} s ({:.0} a second); see {}",
        table(&outcome)?,
        outcome.rows,
        outcome.rows as f64 / seconds,
        options.out.join("report.html").display()
    ));
    let unpriced: u64 = outcome.spend.iter().map(|spend| spend.unpriced).sum();
    if unpriced > 0 {
        eprintln!(
            "reprice: {unpriced} calls have no price, and the cost leaves them out: the report has the reasons"
        );
    }
    Ok(ExitCode::from(if unpriced > 0 && options.strict { 3 } else { 0 }))
}
