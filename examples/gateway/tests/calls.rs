//! Calls through the gateway: what passes, and what they cost.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::{Gateway, provider, wait_for, write};
use futures_util::StreamExt;
use llm_costmap::wire::{self, Stream};
use llm_costmap::{CostMap, Lookup};
use serde_json::{Value, json};

const COST: &str = "x-litellm-response-cost";

/// A real body of a provider, and what LiteLLM says that it costs.
struct Recorded {
    path: &'static str,
    model: String,
    provider: String,
    body: Value,
    expected: f64,
}

fn recorded() -> Vec<Recorded> {
    let file =
        std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/body.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let lines = text.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let path = match line["format"].as_str()? {
            "openai_chat" => "chat/completions",
            "openai_responses" => "responses",
            "anthropic" => "messages",
            _ => return None,
        };
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let expected = line["expect"]["input"].as_f64()? + line["expect"]["output"].as_f64()?;
        Some(Recorded {
            path,
            model: text("model")?,
            provider: text("provider")?,
            body: line["body"].clone(),
            expected,
        })
    });
    lines.collect()
}

/// Returns the stream that a provider sends for a body.
fn as_stream(path: &str, body: &Value) -> String {
    let event = |kind: &str, data: Value| format!("event: {kind}\ndata: {data}\n\n");
    match path {
        "chat/completions" => format!("data: {body}\n\ndata: [DONE]\n\n"),
        "responses" => event("response.completed", json!({"type": "response.completed", "response": body})),
        _ => {
            event("message_start", json!({"type": "message_start", "message": body}))
                + &event(
                    "message_delta",
                    json!({"type": "message_delta", "delta": {}, "usage": body["usage"]}),
                )
                + &event("message_stop", json!({"type": "message_stop"}))
        }
    }
}

fn event_stream(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body.into()).into_response()
}

/// Returns the cost that the event of a stream tells, or its error.
fn told(text: &str) -> Result<String, String> {
    let event =
        text.lines().find(|line| line.contains(r#""response_cost":{"#)).unwrap_or_else(|| panic!("{text}"));
    let event: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    let field = |name: &str| event["response_cost"][name].as_str().map(str::to_owned);
    field("total").ok_or_else(|| field("error").unwrap_or_default())
}

#[tokio::test]
async fn real_bodies_cost_what_the_library_and_the_reference_say() {
    let bodies = Arc::new(recorded());
    let known = bodies.clone();
    let upstream = provider(move |path, _, request| {
        let recorded = &known[request["metadata"]["case"].as_u64().unwrap() as usize];
        assert!(
            path.ends_with(recorded.path) && !request["model"].as_str().unwrap().contains('/'),
            "{path} {request}"
        );
        match request["stream"] == true {
            true => event_stream(as_stream(recorded.path, &recorded.body)),
            false => axum::Json(recorded.body.clone()).into_response(),
        }
    });
    let upstream = upstream.await;
    let folder = tempfile::tempdir().unwrap();
    let lead = |provider: &str| {
        format!(
            "  - {{model_name: '{provider}/*', litellm_params: {{model: '{provider}/*', api_base: 'http://{upstream}'}}}}\n"
        )
    };
    let config = format!("model_list:\n{}", ["openai", "anthropic", "azure"].map(lead).concat());
    // No fetch over a network: the bundled map.
    let gateway = Gateway::start(
        &["--config", &write(folder.path(), "config.yaml", &config)],
        &[("LITELLM_LOCAL_MODEL_COST_MAP", "True")],
    );
    let (map, client) = (CostMap::bundled(), reqwest::Client::new());
    let (mut compared, mut unpriced): (BTreeMap<(&str, bool), usize>, _) = (BTreeMap::new(), 0);
    for (case, Recorded { path, model, provider, body, expected }) in bodies.iter().enumerate() {
        let served = wire::Response::read(body.to_string().as_bytes()).unwrap();
        let own = map.cost(Lookup::new(model).provider(provider), &served);
        // Where the reference bills nothing, the library says that there is no price.
        let amount = own.as_ref().map_or(0.0, |cost| cost.total().as_f64());
        assert!((amount - expected).abs() <= 1e-15 + 1e-9 * expected, "{own:?} {expected}");
        let own = own.map(|cost| cost.total().to_string()).map_err(|error| error.to_string());
        unpriced += usize::from(own.is_err());
        for stream in [false, true] {
            let asked = model.strip_prefix(&format!("{provider}/")).unwrap_or(model);
            let request =
                json!({"model": format!("{provider}/{asked}"), "stream": stream, "metadata": {"case": case}});
            let answer =
                client.post(gateway.url(&format!("/v1/{path}"))).json(&request).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let header = |name| Some(answer.headers().get(name)?.to_str().unwrap().to_owned());
            let headers = (header(COST), header("x-llm-costmap-error"));
            let text = answer.text().await.unwrap();
            let cost = if stream {
                assert!(headers == (None, None) && text.starts_with(&as_stream(path, body)[..20]));
                told(&text)
            } else {
                assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), *body);
                headers.0.ok_or_else(|| headers.1.unwrap_or_default())
            };
            assert_eq!(cost, own, "{provider}/{model} {body}");
            *compared.entry((path, stream)).or_default() += 1;
        }
    }
    let counts = [("chat/completions", 300), ("messages", 180), ("responses", 180)];
    let counts = counts.into_iter().flat_map(|(path, count)| [((path, false), count), ((path, true), count)]);
    assert_eq!((compared, unpriced), (counts.collect(), 60));
}

/// A request that a provider got: its path, its headers and its body.
type Seen = (String, BTreeMap<String, String>, Value);

#[tokio::test]
async fn every_endpoint_passes_requests_and_answers_as_they_are() {
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let record = seen.clone();
    let upstream = provider(move |path, headers, request| {
        let text = |value: &header::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        record.lock().unwrap().push((path, headers, request));
        let answer = json!({"object": "list", "model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 1000, "total_tokens": 1000}});
        let own = [
            ("x-request-id", "r-1"),
            ("set-cookie", "a=b"),
            (COST, "0.0"),
            ("location", "http://h/?key=SECRET"),
        ];
        (own, axum::Json(answer)).into_response()
    });
    let upstream = upstream.await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "model_list:
  - {{model_name: embed, litellm_params: {{model: openai/text-embedding-3-small, api_base: 'http://{upstream}/v1/', api_key: os.environ/SOME_KEY}}}}
  - {{model_name: claude, litellm_params: {{model: anthropic/claude-sonnet-4-5, api_base: 'http://{upstream}', api_key: sk-ant}}}}
  - {{model_name: turbo, litellm_params: {{model: azure/my-deployment, api_base: 'http://{upstream}/', api_key: sk-az}}}}
  - {{model_name: bare, litellm_params: {{model: gpt-4o, api_base: 'http://{upstream}'}}}}
  - {{model_name: lost, litellm_params: {{model: watsonx/x}}}}
  - {{model_name: down, litellm_params: {{model: openai/x, api_base: 'http://u:SECRET@127.0.0.1:1/'}}}}
  - {{model_name: unset, litellm_params: {{model: openai/x, api_key: os.environ/NO_SUCH_VARIABLE}}}}
"
    );
    let gateway = Gateway::start(
        &["--config", &write(folder.path(), "config.yaml", &config)],
        &[
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
            ("SOME_KEY", "sk-embed"),
            ("LITELLM_MASTER_KEY", "sk-admin"),
            ("GATEWAY_KEYS", "sk-caller"),
        ],
    );
    let client = reqwest::Client::new();
    let send = async |path: &str, request: Value| {
        let call = client
            .post(gateway.url(path))
            .bearer_auth("sk-caller")
            .header("openai-beta", "b")
            .header("x-own", "y");
        let answer = call.json(&request).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.text().await.unwrap())
    };

    let (status, headers, _) = send("/embeddings", json!({"model": "embed", "input": "x", "n": 1})).await;
    assert_eq!((status, headers[COST].to_str().unwrap()), (200, "0.00002"));
    assert_eq!(headers["x-request-id"], "r-1");
    assert!(headers.contains_key("x-litellm-model-id") && !headers.contains_key("set-cookie"));
    assert!(!headers.contains_key("location") && headers.get_all(COST).iter().count() == 1);
    send("/v1/messages", json!({"model": "claude", "messages": []})).await;
    send("/v1/chat/completions", json!({"model": "turbo", "stream": true, "stream_options": {"x": 1}})).await;
    send("/v1/chat/completions", json!({"model": "bare", "stream": true, "stream_options": null})).await;
    send("/v1/responses", json!({"model": "bare", "stream": true})).await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let paths: Vec<&str> = seen.iter().map(|(path, ..)| path.as_str()).collect();
    let expected =
        ["v1/embeddings", "v1/messages", "openai/v1/chat/completions", "chat/completions", "responses"];
    assert_eq!(paths, expected);
    let header = |at: usize, name: &str| seen[at].1.get(name).map(String::as_str);
    assert_eq!(
        (header(0, "authorization"), header(0, "openai-beta"), header(0, "x-own")),
        (Some("Bearer sk-embed"), Some("b"), None)
    );
    assert_eq!(
        (header(1, "x-api-key"), header(1, "authorization"), header(1, "anthropic-version")),
        (Some("sk-ant"), None, Some("2023-06-01"))
    );
    assert_eq!((header(2, "api-key"), header(2, "authorization")), (Some("sk-az"), None));
    assert_eq!(header(3, "authorization"), None);
    assert_eq!(seen[0].2, json!({"model": "text-embedding-3-small", "input": "x", "n": 1}));
    assert_eq!(
        seen[2].2,
        json!({"model": "my-deployment", "stream": true, "stream_options": {"x": 1, "include_usage": true}})
    );
    assert_eq!(seen[3].2["stream_options"], json!({"include_usage": true}));
    assert_eq!(seen[4].2, json!({"model": "gpt-4o", "stream": true}));

    let invalid = "/chat/completions: Invalid model name passed in model=none. Call `/v1/models` to view available models for your key.";
    for (model, status, said) in [
        ("none", 400, invalid.replace("/chat/completions", "/embeddings")),
        ("lost", 500, "set litellm_params.api_base of lost".to_owned()),
        ("unset", 500, "cannot use unset: litellm_params.api_key: the environment variable NO_SUCH_VARIABLE is not set, or no text".to_owned()),
    ] {
        let (code, _, text) = send("/v1/embeddings", json!({"model": model})).await;
        assert_eq!((code, &serde_json::from_str::<Value>(&text).unwrap()["error"]["message"]), (status, &json!(said)));
    }
    let (code, _, text) = send("/v1/embeddings", json!({"model": "down"})).await;
    assert!(code == 502 && text.contains("no answer of the provider") && !text.contains("SECRET"), "{text}");
    let answer =
        client.post(gateway.url("/v1/embeddings")).bearer_auth("sk-caller").body("{").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let answer = client.post(gateway.url("/v1/embeddings")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
}

/// A stream of chat completions without its end.
const BEGUN: &str =
    "data: {\"id\": \"c\", \"model\": \"gpt-4o\", \"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n";

#[tokio::test]
async fn streams_are_passed_as_they_come_and_billed_when_either_side_hangs_up() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let read = Arc::new(tokio::sync::Notify::new());
    let (count, has_read) = (dropped.clone(), read.clone());
    let upstream = provider(move |_, _, request| {
        let event = || Ok::<_, std::io::Error>(axum::body::Bytes::from_static(BEGUN.as_bytes()));
        match request["metadata"].as_str().unwrap() {
            // One event, and nothing more until the gateway hangs up.
            "waits" => {
                let gone = Gone(count.clone());
                let begun = futures_util::stream::iter([event()]);
                let rest = futures_util::stream::pending().map(move |never| {
                    let _ = &gone;
                    never
                });
                event_stream(Body::from_stream(begun.chain(rest)))
            }
            // One event, and the end of the connection once the client has read that.
            "breaks" => {
                let is_read = has_read.clone();
                let broken = async move {
                    is_read.notified().await;
                    Err(std::io::Error::other("gone"))
                };
                let begun = futures_util::stream::iter([event()]);
                event_stream(Body::from_stream(begun.chain(futures_util::stream::once(broken))))
            }
            "fails" => {
                (StatusCode::TOO_MANY_REQUESTS, axum::Json(json!({"error": {"message": "slow down"}})))
                    .into_response()
            }
            "unread" => axum::Json(json!({"choices": []})).into_response(),
            other => panic!("{other}"),
        }
    });
    let upstream = upstream.await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "model_list: [{{model_name: gpt, litellm_params: {{model: openai/gpt-4o, api_base: 'http://{upstream}/v1'}}}}]"
    );
    let gateway = Gateway::start(
        &["--config", &write(folder.path(), "config.yaml", &config)],
        &[("LITELLM_LOCAL_MODEL_COST_MAP", "True")],
    );
    let client = reqwest::Client::new();
    let call = |case: &str| {
        client
            .post(gateway.url("/v1/chat/completions"))
            .json(&json!({"model": "gpt", "stream": true, "metadata": case}))
            .send()
    };
    let metric = async |line: &str| {
        let text = client.get(gateway.url("/metrics")).send().await.unwrap().text().await.unwrap();
        text.lines().find_map(|known| Some(known.strip_prefix(line)?.trim().to_owned()))
    };
    let spent = r#"gateway_calls_total{model="gpt-4o",provider="openai"}"#;

    // The client gets the first event while the provider still works, and hangs up.
    let mut stream = call("waits").await.unwrap().bytes_stream();
    assert_eq!(stream.next().await.unwrap().unwrap(), BEGUN.as_bytes());
    assert_eq!(metric(spent).await, None);
    drop(stream);
    assert_eq!(wait_for(|| metric(spent)).await, "1");
    wait_for(|| async { (dropped.load(Ordering::SeqCst) == 1).then_some(()) }).await;
    // An event is a token of output, and the request has some twenty of input.
    let output = metric(r#"gateway_tokens_total{model="gpt-4o",provider="openai",component="output"}"#).await;
    assert_eq!(output.as_deref(), Some("1"));

    // The provider breaks off: the client is told, and the call is billed.
    let mut stream = call("breaks").await.unwrap().bytes_stream();
    assert_eq!(stream.next().await.unwrap().unwrap(), BEGUN.as_bytes());
    read.notify_one();
    assert!(stream.next().await.unwrap().is_err());
    wait_for(|| async { metric(spent).await.filter(|calls| calls == "2") }).await;

    // An error passes, and costs nothing; what cannot be priced is counted.
    let answer = call("fails").await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get(COST)), (429, None));
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["message"], "slow down");
    let answer = call("unread").await.unwrap();
    let said = answer.headers()["x-llm-costmap-error"].to_str().unwrap().to_owned();
    assert!(answer.status() == 200 && said.starts_with("the response has no usage"), "{said}");
    let unknown = r#"gateway_unpriced_calls_total{model="unknown",provider="openai"}"#;
    assert_eq!(metric(unknown).await.as_deref(), Some("1"));
    assert_eq!(metric(spent).await.as_deref(), Some("2"));
}

#[tokio::test]
async fn answers_of_any_kind_are_passed_as_they_come_and_booked() {
    let upstream = provider(|path, headers, request| {
        assert_eq!(headers["content-type"], "application/json");
        if path.starts_with("other/") {
            return axum::Json(json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}}))
                .into_response();
        }
        let stream = as_stream(
            "chat/completions",
            &json!({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 2}}),
        );
        match request["metadata"].as_str().unwrap() {
            "untyped" => Body::from(stream).into_response(),
            "upper" => (
                [
                    (header::CONTENT_TYPE, "Text/Event-Stream; charset=utf-8"),
                    (header::HeaderName::from_static(COST), "0.0"),
                ],
                stream,
            )
                .into_response(),
            // A body that is shorter than it says.
            "cut" => (
                [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_LENGTH, "100")],
                Body::from_stream(futures_util::stream::iter([
                    Ok("{\"choices\""),
                    Err(std::io::Error::other("gone")),
                ])),
            )
                .into_response(),
            other => panic!("{other}"),
        }
    });
    let upstream = upstream.await;
    let folder = tempfile::tempdir().unwrap();
    let model = |base: &str, id: &str| {
        format!(
            "{{model_name: gpt{base}, litellm_params: {{model: openai/gpt-4o, api_base: 'http://{upstream}/{base}'}}, model_info: {{id: {id}, db_model: true}}}}"
        )
    };
    let config =
        format!("model_list: [{}, {}, {}]", model("", "a"), model("other", "b"), model("other", "c"));
    let state = folder.path().join("state.json").display().to_string();
    let gateway = Gateway::start(
        &["--config", &write(folder.path(), "config.yaml", &config), "--state", &state],
        &[("LITELLM_LOCAL_MODEL_COST_MAP", "True")],
    );
    let client = reqwest::Client::new();
    let call = async |model: &str, case: &str| {
        let request = json!({"model": model, "stream": case != "cut", "metadata": case});
        client.post(gateway.url("/v1/chat/completions")).json(&request).send().await.unwrap()
    };
    for case in ["untyped", "upper"] {
        let answer = call("gpt", case).await;
        assert_eq!(
            (answer.headers().get(COST), answer.headers()["trailer"].to_str().unwrap()),
            (None, COST),
            "{case}"
        );
        assert_eq!(told(&answer.text().await.unwrap()).unwrap(), "0.00252", "{case}");
    }
    let answer = call("gpt", "cut").await;
    assert_eq!(answer.status(), 502);
    let metrics = client.get(gateway.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let booked = r#"gateway_unpriced_calls_total{model="unknown",provider="openai"} 1"#;
    assert!(
        metrics.contains(booked)
            && metrics.contains(r#"gateway_spend_usd_total{model="gpt-4o",provider="openai"} 0.00504"#),
        "{metrics}"
    );

    // Deployments of a name take turns, by chance.
    let mut served = std::collections::BTreeSet::new();
    for _ in 0..60 {
        served
            .insert(call("gptother", "").await.headers()["x-litellm-model-id"].to_str().unwrap().to_owned());
    }
    assert_eq!(served.into_iter().collect::<Vec<_>>(), ["b", "c"]);
    // Models of the configuration are not in the file of those that were added.
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&state).unwrap()).unwrap();
    assert_eq!(kept["deployments"], json!([]));
}

#[tokio::test]
async fn pages_of_other_sites_have_no_say() {
    let folder = tempfile::tempdir().unwrap();
    let map = write(folder.path(), "map.json", r#"{"gpt-4o": {"input_cost_per_token": 1e-6}}"#);
    let client = reqwest::Client::new();
    for keys in [&[][..], &[("LITELLM_MASTER_KEY", "sk-admin")][..]] {
        let gateway = Gateway::start(&["--map", &map], keys);
        let port = gateway.address.rsplit(':').next().unwrap();
        let send = async |headers: &[(&str, String)]| {
            let call =
                client.post(gateway.url("/reload/model_cost_map")).basic_auth("admin", Some("sk-admin"));
            let call = headers.iter().fold(call, |call, (name, value)| call.header(*name, value));
            call.send().await.unwrap().status().as_u16()
        };
        let is_keyless = keys.is_empty();
        for (headers, expected) in [
            (vec![], 200),
            (vec![("origin", gateway.url(""))], 200),
            (vec![("origin", "https://evil.example".to_owned())], 403),
            (vec![("origin", "null".to_owned())], 403),
            (vec![("origin", gateway.url(".evil.example"))], 403),
            (vec![("host", format!("localhost:{port}"))], 200),
            (vec![("host", format!("[::1]:{port}"))], 200),
            (vec![("host", format!("rebound.example:{port}"))], if is_keyless { 403 } else { 200 }),
        ] {
            assert_eq!(send(&headers).await, expected, "{headers:?} {is_keyless}");
        }
    }
    let output = common::command(&[], &[("GATEWAY_KEYS", "sk-c")])
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("Error: GATEWAY_KEYS takes LITELLM_MASTER_KEY\n")
    );
}

/// Counts when it is dropped.
struct Gone(Arc<AtomicUsize>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_demo_shows_everything() {
    let gateway = Gateway::start(&["--demo"], &[("LITELLM_LOCAL_MODEL_COST_MAP", "True")]);
    let client = reqwest::Client::new();
    let get = async |path: &str| client.get(gateway.url(path)).send().await.unwrap().text().await.unwrap();
    // Its own calls reach all four models.
    let all = wait_for(|| async {
        Some(get("/metrics").await).filter(|text| text.matches("gateway_calls_total{").count() == 4)
    })
    .await;
    assert!(
        all.contains("gateway_map_models 45") && all.contains("gateway_reload_failures_total 0"),
        "{all}"
    );
    assert!(!all.contains("unpriced_calls_total{model=\"unknown\""), "{all}");

    // A trailer has the cost as well, for those who ask for trailers.
    let curl = std::process::Command::new("curl")
        .args(["-sN", "--raw", "-H", "TE: trailers", "-d", r#"{"model": "gpt-4o", "stream": true}"#])
        .arg(gateway.url("/v1/chat/completions"))
        .output()
        .expect("curl");
    let text = String::from_utf8(curl.stdout).unwrap();
    let cost = told(&text).unwrap();
    assert!(text.ends_with(&format!("0\r\n{COST}: {cost}\r\n\r\n")), "{text}");
    let mut read = Stream::new();
    let body: String =
        text.lines().filter(|line| line.starts_with("data:")).map(|line| format!("{line}\n\n")).collect();
    read.push(body.as_bytes()).unwrap();
    let served = read.response().unwrap();
    let own = CostMap::bundled().cost("gpt-4o", &served).unwrap();
    assert_eq!(own.total().to_string(), cost);

    // The page, and its form.
    let page = get("/").await;
    for part in ["<svg", "claude-sonnet-4-5", "id=\"revision\"", "No reload is scheduled", "<form"] {
        assert!(page.contains(part), "{part}");
    }
    let price = async |model: &str, body: &str| {
        let form = [("model", model), ("body", body)];
        let text = client.post(gateway.url("/")).form(&form).send().await.unwrap().text().await.unwrap();
        let receipt = text
            .split("id=\"receipt\"")
            .nth(1)
            .unwrap()
            .split("</p")
            .next()
            .unwrap()
            .split("</pre")
            .next()
            .unwrap();
        receipt.split_once('>').unwrap().1.to_owned()
    };
    let pasted = r#"{"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}"#;
    let receipt = price("gpt-4o", pasted).await;
    assert!(
        receipt.starts_with("gpt-4o: 0.0075 USD\n  1000 tokens of input x 0.0000025 = 0.0025"),
        "{receipt}"
    );
    let refused = price("<script>", pasted).await;
    assert!(refused.contains("unknown model") && !refused.contains("<script>"), "{refused}");
    assert!(price("gpt-4o", "{}").await.starts_with("the response has no usage"));
}
