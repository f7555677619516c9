//! The gateway as a process of its own, and providers for it to call.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

#[path = "../../demo/provider.rs"]
pub mod demo;

/// A gateway that is killed at the end of the test.
pub struct Gateway {
    process: Child,
    pub address: String,
}

/// Returns the command that starts the gateway with nothing of the test's environment.
pub fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["--listen", "127.0.0.1:0"]).args(args);
    for name in
        ["LITELLM_MASTER_KEY", "GATEWAY_KEYS", "LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_MODEL_COST_MAP_URL"]
    {
        command.env_remove(name);
    }
    command.envs(env.iter().copied()).stdout(Stdio::piped());
    command
}

impl Gateway {
    pub fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut process = command(args, env).spawn().expect("the gateway starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let address =
            line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
        Self { address: address.to_owned(), process }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends the gateway as a container's runtime does, and waits for it.
    pub fn terminate(mut self) {
        let killed = Command::new("kill").arg(self.process.id().to_string()).status().expect("kill");
        assert!(killed.success() && self.process.wait().expect("an end").success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// Starts a provider that answers each call as the function says: by the path, the headers and the request.
pub async fn provider<F>(answer: F) -> SocketAddr
where
    F: Fn(String, axum::http::HeaderMap, Value) -> Response + Send + Sync + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    let route = post(move |path: axum::extract::Path<String>, headers, body: axum::Json<Value>| {
        let answer = answer.clone();
        async move { answer(path.0, headers, body.0) }
    });
    let router = Router::new().route("/{*path}", route);
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// Waits until the function returns something.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(mut check: impl FnMut() -> F) -> T {
    for _ in 0..600 {
        if let Some(found) = check().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing within 30 seconds");
}
