//! The processes of a Ballista cluster: the scheduler, its executors, and the client.
//!
//! All of them know the functions. Only executors price, by maps of a folder of their own: the query names a revision,
//! and an executor that does not have it fails the query.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Maps, functions};

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
    /// The seconds after which an executor that does not report is taken for lost.
    pub executor_timeout: u64,
}

/// Runs a scheduler until the process ends.
///
/// # Errors
///
/// Returns an error if the address is taken.
pub async fn schedule(settings: &Scheduler) -> Result<()> {
    let Scheduler { address, executor_timeout } = *settings;
    // Plans are made here, so that the functions must be known. Nothing is priced here.
    let session = |config: SessionConfig| {
        let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        functions::register(&mut state, &Arc::new(Maps::default()))?;
        Ok(state)
    };
    let config = SchedulerConfig {
        bind_host: address.ip().to_string(),
        bind_port: address.port(),
        external_host: address.ip().to_string(),
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
    /// The address of the scheduler.
    pub scheduler: SocketAddr,
    /// The address that results are fetched from.
    pub address: SocketAddr,
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
/// Returns an error if the scheduler does not answer, or an address is taken.
pub async fn execute(settings: &Executor) -> Result<()> {
    let maps = Arc::new(Maps::in_folder(&settings.maps));
    let mut registry = BallistaFunctionRegistry::default();
    for function in functions::all(&maps) {
        registry.scalar_functions.insert(function.name().to_owned(), function);
    }
    let config = ExecutorProcessConfig {
        bind_host: settings.address.ip().to_string(),
        external_host: Some(settings.address.ip().to_string()),
        port: settings.address.port(),
        grpc_port: settings.grpc_port,
        scheduler_host: settings.scheduler.ip().to_string(),
        scheduler_port: settings.scheduler.port(),
        scheduler_connect_timeout_seconds: 30,
        vcores: settings.tasks,
        executor_heartbeat_interval_seconds: settings.heartbeat,
        override_function_registry: Some(Arc::new(registry)),
        ..ExecutorProcessConfig::default()
    };
    start_executor_process(Arc::new(config)).await.context("the executor")
}
