//! Calls: passed to the provider of a deployment, and priced on the way back.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use futures_util::stream::{self, Stream, StreamExt};
use http_body::Frame;
use llm_costmap::wire::{self, Relay};
use llm_costmap::{Cost, DeploymentLookup, Error, Snapshot};
use reqwest::RequestBuilder;
use serde_json::{Map, Value, json};

use crate::{Answer, App, Failure, Shared};

/// Passes a call on, and its answer back.
pub async fn pass(path: &str, State(app): Shared, headers: HeaderMap, body: Bytes) -> Answer {
    let refused = |said| Failure(StatusCode::BAD_REQUEST, said);
    let mut request: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|error| refused(format!("the body is no JSON object: {error}")))?;
    let asked = request.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let snapshot = app.map.snapshot();
    let found = fastrand::choice(snapshot.deployments_of(&asked).collect::<Vec<_>>()).ok_or_else(|| {
        let said = "Call `/v1/models` to view available models for your key.";
        refused(format!("/{path}: Invalid model name passed in model={asked}. {said}"))
    })?;
    let deployment = found.deployment;
    let known = snapshot.get(&*found.model).and_then(|info| info.litellm_provider());
    let provider = deployment.provider().or(known.as_deref()).unwrap_or("openai");
    let (base, between) = match provider {
        "anthropic" => (Some("https://api.anthropic.com"), "/v1"),
        "azure" => (None, "/openai/v1"),
        "openai" => (Some("https://api.openai.com/v1"), ""),
        _ => (None, ""),
    };
    let base = deployment.api_base()?.or(base.map(str::to_owned)).ok_or_else(|| {
        let said = format!("set litellm_params.api_base of {}", deployment.model_name());
        Failure(StatusCode::INTERNAL_SERVER_ERROR, said)
    })?;
    let model = found.model.strip_prefix(provider).and_then(|model| model.strip_prefix('/'));
    request.insert("model".to_owned(), json!(model.unwrap_or(&found.model)));
    if path == "chat/completions" && request.get("stream") == Some(&json!(true)) {
        // Providers count the tokens of such a stream on request alone.
        match request.get_mut("stream_options").and_then(Value::as_object_mut) {
            Some(options) => options.insert("include_usage".to_owned(), json!(true)),
            None => request.insert("stream_options".to_owned(), json!({"include_usage": true})),
        };
    }
    let mut headers = passing(&headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.entry("anthropic-version").or_insert(HeaderValue::from_static("2023-06-01"));
    let url = format!("{}{between}/{path}", base.trim_end_matches('/'));
    let call = app.client.post(url).headers(headers).json(&request);
    let call = match (deployment.api_key()?, provider) {
        (None, _) => call,
        (Some(key), "anthropic") => call.header("x-api-key", key.expose()),
        (Some(key), "azure") => call.header("api-key", key.expose()),
        (Some(key), _) => call.bearer_auth(key.expose()),
    };
    let (provider, deployment, asked) = (provider.to_owned(), deployment.id().to_owned(), asked.clone());
    let meter = Meter { app, snapshot: snapshot.clone(), deployment, asked, provider };
    // On a task of its own, so that a call is priced whose client hangs up while the provider works on it.
    tokio::spawn(meter.pass(call, body.len() as u64 / 4)).await?
}

/// Returns the headers that pass from the client to the provider, and back: those of their protocols.
fn passing(headers: &HeaderMap) -> HeaderMap {
    let is_known = |name: &str| {
        matches!(name, "content-type" | "content-encoding" | "request-id" | "retry-after" | "x-request-id")
    };
    let protocols = ["anthropic-", "openai-", "x-ratelimit-"];
    let passes = |name: &str| is_known(name) || protocols.iter().any(|protocol| name.starts_with(protocol));
    headers
        .iter()
        .filter(|(name, _)| passes(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Prices a call by the deployment that served it and by one generation of the map, whatever is reloaded
/// meanwhile.
struct Meter {
    app: Arc<App>,
    snapshot: Arc<Snapshot>,
    deployment: String,
    asked: String,
    provider: String,
}

impl Meter {
    /// Calls the provider, passes its answer on, and prices it if it is a success. `prompt_tokens` is an
    /// estimate, for streams that end before the provider counts.
    async fn pass(self, call: RequestBuilder, prompt_tokens: u64) -> Answer {
        let id = HeaderValue::try_from(&self.deployment)?;
        let revision = HeaderValue::try_from(self.snapshot.provenance().source_revision.unwrap_or_default())?;
        let broken = |error: reqwest::Error| {
            if !error.is_connect() && self.app.prices {
                // The provider may have served the call: it is in the books, without a price.
                let _ = self.settle(wire::Response::read(b""));
            }
            // The URL may hold a key.
            Failure(StatusCode::BAD_GATEWAY, format!("no answer of the provider: {}", error.without_url()))
        };
        let answer = call.send().await.map_err(&broken)?;
        let (status, mut head) = (answer.status(), passing(answer.headers()));
        head.insert("x-litellm-model-id", id);
        head.insert("x-llm-costmap-revision", revision);
        if !self.app.prices || !status.is_success() {
            return Ok((status, head, Body::from_stream(answer.bytes_stream())).into_response());
        }
        let kind = head.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if !kind.to_ascii_lowercase().starts_with(b"application/json") {
            head.insert(header::TRAILER, HeaderValue::from(COST));
            let relay = Relay::new(wire::Stream::new(), prompt_tokens, move |served| self.settle(served));
            let frames = relayed(answer.bytes_stream(), relay);
            return Ok((status, head, Body::new(http_body_util::StreamBody::new(frames))).into_response());
        }
        let bytes = answer.bytes().await.map_err(broken)?;
        match self.settle(wire::Response::read(&bytes)) {
            Ok(cost) => {
                for (name, value) in cost.headers() {
                    head.insert(name, HeaderValue::try_from(value)?);
                }
            }
            Err(error) => {
                let said = error.to_string().replace(char::is_control, " ");
                head.insert("x-llm-costmap-error", HeaderValue::try_from(said)?);
            }
        }
        Ok((status, head, bytes).into_response())
    }

    /// Prices what the provider served, and writes it into the books.
    fn settle(&self, served: Result<wire::Response, Error>) -> Result<Cost, Error> {
        let lookup = DeploymentLookup::new(&self.deployment).model(&self.asked);
        let cost = served.and_then(|served| self.snapshot.deployment_cost(lookup, &served));
        self.app.ledger.lock().add(&self.provider, &cost);
        cost
    }
}

/// The header, or trailer, that has the cost.
const COST: HeaderName = HeaderName::from_static("x-litellm-response-cost");

/// Passes a stream on as it comes, then an event and a trailer with its cost. If the client hangs up, the
/// relay is dropped, and prices what was served by then.
fn relayed(
    upstream: impl Stream<Item = reqwest::Result<Bytes>> + Send,
    relay: Relay<impl FnOnce(Result<wire::Response, Error>) -> Result<Cost, Error> + Send>,
) -> impl Stream<Item = reqwest::Result<Frame<Bytes>>> + Send {
    let frames = stream::unfold((Box::pin(upstream), Some(relay)), async |(mut upstream, relay)| {
        let mut relay = relay?;
        Some(match upstream.next().await {
            Some(Ok(bytes)) => {
                let bytes = relay.push(&bytes).into_owned();
                (vec![Ok(Frame::data(bytes.into()))], (upstream, Some(relay)))
            }
            Some(Err(error)) => (vec![Err(error)], (upstream, None)),
            None => {
                let mut frames = vec![Ok(Frame::data(relay.finish().into()))];
                if let Some(Ok(cost)) = relay.cost() {
                    let cost = HeaderValue::try_from(cost.total().to_string()).into_iter();
                    frames.push(Ok(Frame::trailers(cost.map(|cost| (COST, cost)).collect())));
                }
                (frames, (upstream, None))
            }
        })
    });
    frames.flat_map(stream::iter)
}
