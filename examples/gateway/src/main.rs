//! A gateway to copy from: passes calls to language models on to their providers, says what each cost, and
//! answers LiteLLM's endpoints for prices and models.
//!
//! `cargo run --manifest-path examples/gateway/Cargo.toml -- --demo` starts it beside a mock provider. Its
//! page, <http://127.0.0.1:4000/>, shows what is spent.

mod access;
mod calls;
#[path = "../demo/provider.rs"]
mod demo;
mod page;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use clap::Parser;
use futures_util::FutureExt;
use llm_costmap::endpoints::{Endpoints, Request};
use llm_costmap::{CostMap, Deployment};
use parking_lot::Mutex;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// A gateway to language models that prices every call.
///
/// Keys come from the environment: LITELLM_MASTER_KEY is the admin's, and GATEWAY_KEYS has those of
/// callers, with commas between them. Without an admin's key, everything is open.
#[derive(Parser)]
struct Options {
    /// Address to listen on. Beyond this machine, LITELLM_MASTER_KEY has to be set
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// LiteLLM's config.yaml: the deployments in its model_list
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File or URL of the model map [default: LITELLM_MODEL_COST_MAP_URL, or else LiteLLM's public map]
    #[arg(long, value_name = "FILE|URL")]
    map: Option<String>,
    /// Folder that keeps the last good map for the next start
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// File that keeps the models added at run time, with their keys, and the schedule (mode 0600)
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Start a mock provider, with models that lead to it, and call one every second
    #[arg(long)]
    demo: bool,
    /// Pass calls on without pricing them, to measure what pricing takes
    #[arg(long)]
    no_pricing: bool,
}

/// Everything that requests share.
struct App {
    map: CostMap,
    endpoints: Endpoints,
    keys: access::Keys,
    ledger: Arc<Mutex<page::Ledger>>,
    client: reqwest::Client,
    prices: bool,
}

type Shared = State<Arc<App>>;
type Answer = Result<Response, Failure>;

/// A refused request: a status, and the reason, in the form of OpenAI's errors.
struct Failure(StatusCode, String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let kind = match self.0 {
            StatusCode::UNAUTHORIZED => "auth_error",
            status if status.is_client_error() => "invalid_request_error",
            _ => "internal_server_error",
        };
        let error = json!({"message": self.1, "type": kind, "param": null, "code": self.0.as_str()});
        (self.0, Json(json!({"error": error}))).into_response()
    }
}

async fn prepare(options: &Options) -> Result<Arc<App>> {
    let keys = access::Keys::from_env();
    let is_safe = keys.admin.is_some() || options.listen.ip().is_loopback();
    ensure!(is_safe, "set LITELLM_MASTER_KEY to listen on {}, which others reach", options.listen);
    ensure!(keys.admin.is_some() || keys.callers.is_empty(), "GATEWAY_KEYS takes LITELLM_MASTER_KEY");
    let ledger: Arc<Mutex<page::Ledger>> = Arc::default();
    let books = ledger.clone();
    let mut builder = CostMap::builder().env().on_reload(move |result| books.lock().reloaded(result));
    if let Some(map) = &options.map {
        builder = if map.contains("://") { builder.url(map) } else { builder.file(map) };
    }
    if let Some(folder) = &options.cache_dir {
        builder = builder.cache_dir(folder);
    }
    let map = builder.build()?;
    let mut deployments = Vec::new();
    if let Some(path) = &options.config {
        let text = std::fs::read_to_string(path);
        deployments =
            Deployment::list_from_yaml(&text.with_context(|| format!("cannot read {}", path.display()))?)?;
    }
    if options.demo {
        deployments.extend(demo::deployments(demo::upstream().await?)?);
    }
    map.set_deployments(deployments)?;
    let mut endpoints = Endpoints::new(map.clone());
    if let Some(file) = &options.state {
        map.read_state(file)?;
        map.write_state(file)?;
        endpoints = endpoints.state_file(file);
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client =
        client.connect_timeout(Duration::from_secs(10)).read_timeout(Duration::from_secs(600)).build()?;
    Ok(Arc::new(App { map, endpoints, keys, ledger, client, prices: !options.no_pricing }))
}

fn routes(app: Arc<App>) -> Router {
    let mut callers = Router::new();
    for prefix in ["", "/v1"] {
        callers = callers
            .route(&format!("{prefix}/models"), get(answer))
            .route(&format!("{prefix}/model/info"), get(answer));
        for path in ["chat/completions", "embeddings", "messages", "responses"] {
            let pass = post(move |app, headers, body| calls::pass(path, app, headers, body));
            callers = callers.route(&format!("{prefix}/{path}"), pass);
        }
    }
    let admins =
        Router::new().route("/", get(page::show).post(page::price)).route("/metrics", get(page::metrics));
    let check = |is_open| middleware::from_fn_with_state((app.clone(), is_open), access::check);
    let routes = admins.fallback(answer).layer(check(false)).merge(callers.layer(check(true)));
    routes.layer(DefaultBodyLimit::max(64 << 20)).with_state(app)
}

/// Answers LiteLLM's endpoints, on a thread that may wait for a fetch or a file: never on one of the server's.
async fn answer(
    State(app): Shared,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    path: Uri,
    body: String,
) -> Answer {
    let answer = tokio::task::spawn_blocking(move || {
        let request = Request::new(method.as_str(), path.path()).body(&body);
        app.endpoints.answer(&query.iter().fold(request, |request, (name, value)| request.param(name, value)))
    });
    let answer = answer.await?.ok_or(Failure(StatusCode::NOT_FOUND, "there is nothing here".to_owned()))?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((StatusCode::from_u16(answer.status)?, kind, answer.json).into_response())
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let app = prepare(&options).await?;
    let listener = tokio::net::TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}/, with the prices of {} models", app.map.len());
    if options.demo {
        tokio::spawn(demo::traffic(address));
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminate.recv() => {} }
        // Calls may end within half a minute.
        tokio::spawn(tokio::time::sleep(Duration::from_secs(30)).map(|()| std::process::exit(0)));
    };
    Ok(axum::serve(listener, routes(app)).with_graceful_shutdown(stop).await?)
}
