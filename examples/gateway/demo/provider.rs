//! A mock provider, which answers with the bodies and streams in the folder `demo`, and calls to it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use llm_costmap::{Deployment, Error};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Starts the provider on a free port, and returns its address.
pub async fn upstream() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, Router::new().route("/v1/{*path}", post(answer))).await });
    Ok(address)
}

/// Returns models that lead to the provider.
pub fn deployments(upstream: SocketAddr) -> Result<Vec<Deployment>, Error> {
    let lead = |(name, provider, path)| {
        let base = format!("http://{upstream}{path}");
        Deployment::new(name, json!({"model": format!("{provider}/{name}"), "api_base": base}), json!({}))
    };
    let openai = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"].map(|name| (name, "openai", "/v1"));
    openai.into_iter().chain([("claude-sonnet-4-5", "anthropic", "")]).map(lead).collect()
}

/// Answers a call. The length of the request decides what the call used.
async fn answer(Path(path): Path<String>, Json(request): Json<Value>) -> Response {
    let (is_stream, length) = (request.get("stream") == Some(&json!(true)), request.to_string().len());
    let body = match (path.as_str(), is_stream) {
        ("chat/completions", false) => include_str!("chat.json"),
        ("chat/completions", true) => include_str!("chat.sse"),
        ("embeddings", _) => include_str!("embeddings.json"),
        ("messages", false) => include_str!("messages.json"),
        ("messages", true) => include_str!("messages.sse"),
        ("responses", false) => include_str!("responses.json"),
        ("responses", true) => include_str!("responses.sse"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let (input, output) = (length * 40, length % 90 + 10);
    let body = [("INPUT", input), ("OUTPUT", output), ("TOTAL", input + output), ("CACHED", input / 2)]
        .iter()
        .fold(body.to_owned(), |body, (word, count)| body.replace(word, &count.to_string()))
        .replace("MODEL", request.get("model").and_then(Value::as_str).unwrap_or_default());
    let kind = if is_stream && path != "embeddings" { "text/event-stream" } else { "application/json" };
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Calls a model of the gateway every second.
pub async fn traffic(gateway: SocketAddr) {
    let (client, key) = (reqwest::Client::new(), std::env::var("LITELLM_MASTER_KEY").unwrap_or_default());
    let calls = [
        ("chat/completions", "gpt-4o"),
        ("messages", "claude-sonnet-4-5"),
        ("responses", "gpt-4o-mini"),
        ("embeddings", "text-embedding-3-small"),
    ];
    for (turn, (path, model)) in calls.into_iter().cycle().enumerate() {
        let prompt = "Why is the sky blue? ".repeat(turn * 7 % 11 + 1);
        let messages = json!([{"role": "user", "content": prompt}]);
        let call = json!({"model": model, "stream": turn % 8 < 3, "max_tokens": 100, "messages": messages, "input": prompt});
        let call = client.post(format!("http://{gateway}/v1/{path}")).bearer_auth(&key).json(&call);
        if let Ok(answer) = call.send().await {
            let _ = answer.bytes().await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
