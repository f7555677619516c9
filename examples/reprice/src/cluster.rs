//! The processes of a Ballista cluster: the scheduler, its executors, and the client.
//!
//! All of them know the functions. Only executors price, by maps of a folder of their own: the query names a revision,
//! and an executor that does not have it fails the query.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Maps, functions};

/// How long an executor waits for its scheduler.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to the scheduler at a URL, such as `df://127.0.0.1:50050`.
///
/// # Errors
///
/// Returns an error if the URL is none.
pub async fn connect(url: &str, maps: &Arc<Maps>) -> Result<SessionContext> {
    let config = SessionConfig::new_with_ballista();
    let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    let mut context = SessionContext::remote_with_state(url, state).await?;
    functions::register(&mut context, maps)?;
    Ok(context)
}

/// The settings of a scheduler.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// The address that it listens on.
    pub address: SocketAddr,
    /// The name that executors reach it by, if that is not the address.
    pub external_host: Option<String>,
    /// The seconds after which an executor that does not report is taken for lost.
    pub executor_timeout: u64,
}

/// Runs a scheduler until the process ends.
///
/// # Errors
///
/// Returns an error if the address is taken.
pub async fn schedule(settings: &Scheduler) -> Result<()> {
    let Scheduler { address, ref external_host, executor_timeout } = *settings;
    // Plans are made here, so that the functions must be known. Nothing is priced here.
    let session = |config: SessionConfig| {
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        functions::register(&mut state, &Arc::new(Maps::default()))?;
        Ok(state)
    };
    let config = SchedulerConfig {
        bind_host: address.ip().to_string(),
        bind_port: address.port(),
        external_host: external_host.clone().unwrap_or_else(|| address.ip().to_string()),
        executor_timeout_seconds: executor_timeout,
        no_executors_grace_period_seconds: executor_timeout,
        expire_dead_executor_interval_seconds: 1,
        override_session_builder: Some(Arc::new(session)),
        ..SchedulerConfig::default()
    };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    start_server(cluster, address, Arc::new(config)).await.context("the scheduler")
}

/// The settings of an executor.
#[derive(Debug, Clone)]
pub struct Executor {
    /// The host and the port of the scheduler.
    pub scheduler: String,
    /// The address that it listens on, which results are fetched from.
    pub address: SocketAddr,
    /// The name that others reach it by, if that is not the address.
    pub external_host: Option<String>,
    /// The port for the scheduler's calls.
    pub grpc_port: u16,
    /// The number of tasks at the same time.
    pub tasks: usize,
    /// The folder of its maps, which are called `REVISION.json` or `REVISION.json.gz`.
    pub maps: PathBuf,
    /// The seconds between two reports to the scheduler.
    pub heartbeat: u64,
}

/// Runs an executor until the process ends.
///
/// # Errors
///
/// Returns an error if there is no such folder of maps, if the scheduler does not answer within half a minute, or if an
/// address is taken.
pub async fn execute(settings: &Executor) -> Result<()> {
    let folder = settings.maps.display();
    ensure!(settings.maps.is_dir(), "{folder} is no folder of maps");
    let (host, port) = settings.scheduler.rsplit_once(':').context("the scheduler is a host and a port")?;
    let port: u16 = port.parse().context("the scheduler is a host and a port")?;
    wait_for(&settings.scheduler).await?;
    let maps = Arc::new(Maps::in_folder(&settings.maps));
    let mut registry = BallistaFunctionRegistry::default();
    for function in functions::all(&maps) {
        registry.scalar_functions.insert(function.name().to_owned(), function);
    }
    let config = ExecutorProcessConfig {
        bind_host: settings.address.ip().to_string(),
        external_host: Some(
            settings.external_host.clone().unwrap_or_else(|| settings.address.ip().to_string()),
        ),
        port: settings.address.port(),
        grpc_port: settings.grpc_port,
        scheduler_host: host.to_owned(),
        scheduler_port: port,
        // One attempt: it listens.
        scheduler_connect_timeout_seconds: 0,
        vcores: settings.tasks,
        executor_heartbeat_interval_seconds: settings.heartbeat,
        override_function_registry: Some(Arc::new(registry)),
        ..ExecutorProcessConfig::default()
    };
    start_executor_process(Arc::new(config)).await.context("the executor")
}

/// Waits until something listens on an address.
async fn wait_for(address: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        match tokio::net::TcpStream::connect(address).await {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(error).with_context(|| format!("the scheduler at {address} does not answer"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
