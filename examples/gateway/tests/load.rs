//! Many calls at once while the map is replaced under them: each is billed by one map, and to the last digit.
//!
//! `GATEWAY_LOAD_CALLS=20000 cargo test --release --test load -- --nocapture` also tells what pricing takes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Gateway, demo, write};
use llm_costmap::CostMap;
use llm_costmap::wire::{Response, Stream};
use serde_json::{Value, json};

/// Returns a number that the environment may set.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// A map in which everything costs a multiple.
fn map(times: u32) -> String {
    let model = |provider: &str| {
        json!({"litellm_provider": provider, "input_cost_per_token": format!("{}e-7", 13 * times),
            "output_cost_per_token": format!("{}e-7", 71 * times), "cache_read_input_token_cost": format!("{}e-8", 31 * times)})
    };
    json!({"gpt-4o": model("openai"), "claude-sonnet-4-5": model("anthropic")}).to_string()
}

/// The paths of a call and its model.
const CALLS: [(&str, &str); 2] = [("/v1/chat/completions", "gpt-4o"), ("/v1/messages", "claude-sonnet-4-5")];

/// Makes one call, and returns how long it took, its cost, the revision that it was billed by, and what the
/// library bills by each revision.
async fn call(
    client: &reqwest::Client,
    gateway: &Gateway,
    maps: &HashMap<String, CostMap>,
    number: usize,
) -> Result<(Duration, String, String), String> {
    let (path, model) = CALLS[number / 2 % 2];
    let is_stream = number.is_multiple_of(2);
    let padding = "x".repeat(number % 97);
    let request =
        json!({"model": model, "stream": is_stream, "messages": [{"role": "user", "content": padding}]});
    let start = Instant::now();
    let answer =
        client.post(gateway.url(path)).json(&request).send().await.map_err(|error| error.to_string())?;
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, header_cost, revision) =
        (answer.status(), header("x-litellm-response-cost"), header("x-llm-costmap-revision"));
    let text = answer.text().await.map_err(|error| error.to_string())?;
    let took = start.elapsed();
    if status != 200 {
        return Err(format!("{status}: {text}"));
    }
    let (served, cost) = if is_stream {
        let event =
            text.lines().rev().find(|line| line.contains(r#""response_cost":{"#)).ok_or("no event")?;
        let event: Value =
            serde_json::from_str(event.trim_start_matches("data: ")).map_err(|error| error.to_string())?;
        let mut stream = Stream::new();
        stream.push(text.as_bytes()).map_err(|error| error.to_string())?;
        (stream.response(), event["response_cost"]["total"].as_str().map(str::to_owned))
    } else {
        (Response::read(text.as_bytes()), header_cost)
    };
    let served = served.map_err(|error| error.to_string())?;
    let revision = revision.ok_or("no revision")?;
    let own = maps[&revision].cost(model, &served).map_err(|error| error.to_string())?.total().to_string();
    let cost = cost.ok_or("no cost")?;
    if cost == own { Ok((took, cost, revision)) } else { Err(format!("{cost} is not {own}: {text}")) }
}

/// Makes all calls, 64 at a time unless the environment says otherwise, and returns their results.
async fn all<T: Send + 'static, F: Future<Output = T> + Send>(
    calls: usize,
    one: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Vec<T> {
    let (next, one) = (Arc::new(AtomicUsize::new(0)), Arc::new(one));
    let workers = (0..setting("GATEWAY_LOAD_AT_ONCE", 64)).map(|_| {
        let (next, one) = (next.clone(), one.clone());
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return done;
                }
                done.push(one(number).await);
            }
        })
    });
    let mut results = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        results.extend(worker.await.unwrap());
    }
    results
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {:?}, p99 {:?}", at(0.5), at(0.99))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_billed_by_one_map_while_it_is_replaced() {
    let calls = setting("GATEWAY_LOAD_CALLS", 2_000);
    let folder = tempfile::tempdir().unwrap();
    let upstream = demo::upstream().await.unwrap();
    let config = format!(
        "model_list:
  - {{model_name: gpt-4o, litellm_params: {{model: openai/gpt-4o, api_base: 'http://{upstream}/v1'}}}}
  - {{model_name: claude-sonnet-4-5, litellm_params: {{model: anthropic/claude-sonnet-4-5, api_base: 'http://{upstream}'}}}}
"
    );
    let config = write(folder.path(), "config.yaml", &config);
    let texts: Vec<String> = (1..=5).map(map).collect();
    let maps: HashMap<String, CostMap> = texts
        .iter()
        .map(|text| {
            let map = CostMap::from_json(text.as_str()).unwrap();
            (map.source_info().source_revision.unwrap(), map)
        })
        .collect();
    let file = write(folder.path(), "map.json", &texts[0]);
    let gateway = Arc::new(Gateway::start(&["--map", &file, "--config", &config], &[]));
    let client = reqwest::Client::new();

    // Another map every 50 ms.
    let done = Arc::new(AtomicBool::new(false));
    let (stop, reloaded, asks, folder_of) =
        (done.clone(), gateway.clone(), client.clone(), folder.path().to_owned());
    let reloads = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        let mut replaced = 0;
        while !stop.load(Ordering::Relaxed) {
            every.tick().await;
            write(&folder_of, "next.json", &texts[(replaced + 1) % texts.len()]);
            std::fs::rename(folder_of.join("next.json"), folder_of.join("map.json")).unwrap();
            let answer = asks.post(reloaded.url("/reload/model_cost_map")).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.json::<Value>().await.unwrap()["outcome"], "replaced");
            replaced += 1;
        }
        replaced
    });
    let start = Instant::now();
    let (billed, asks) = (gateway.clone(), client.clone());
    let maps = Arc::new(maps);
    let results = all(calls, move |number| {
        let (billed, asks, maps) = (billed.clone(), asks.clone(), maps.clone());
        async move { call(&asks, &billed, &maps, number).await }
    });
    let results = results.await;
    let took = start.elapsed();
    done.store(true, Ordering::Relaxed);
    let replaced = reloads.await.unwrap();

    let failed: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {calls}, such as {}", failed.len(), failed[0]);
    assert_eq!(results.len(), calls);
    let revisions: std::collections::HashSet<&String> =
        results.iter().flatten().map(|(.., revision)| revision).collect();
    assert!(replaced > 3 && revisions.len() > 2, "{replaced} reloads, {} revisions", revisions.len());
    // The books have the sum of all bills.
    let sum = results.iter().flatten().fold(llm_costmap::Usd::default(), |sum, (_, cost, _)| {
        sum.checked_add(cost.parse().unwrap()).unwrap()
    });
    let metrics = client.get(gateway.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let spent =
        metrics.lines().filter_map(|line| line.strip_prefix("gateway_spend_usd_total{")?.split_once("} "));
    let spent = spent.fold(llm_costmap::Usd::default(), |sum, (_, spent)| {
        sum.checked_add(spent.parse().unwrap()).unwrap()
    });
    assert_eq!(spent, sum);
    let times = results.into_iter().flatten().map(|(took, ..)| took).collect();
    println!("{calls} calls in {took:?} under {replaced} reloads: {}", percentiles(times));

    // What pricing takes: calls in turn with and without it, without reloads.
    let plain = Arc::new(Gateway::start(&["--map", &file, "--config", &config, "--no-pricing"], &[]));
    let pair = all(calls, move |number| {
        let (client, gateways) = (client.clone(), [gateway.clone(), plain.clone()]);
        async move {
            let (path, model) = CALLS[number / 4 % 2];
            let request = json!({"model": model, "stream": (number / 2).is_multiple_of(2), "messages": []});
            let start = Instant::now();
            let call = client.post(gateways[number % 2].url(path)).json(&request).send().await.unwrap();
            assert_eq!(call.status(), 200);
            call.bytes().await.unwrap();
            (number % 2, start.elapsed())
        }
    });
    let (priced, plain): (Vec<_>, Vec<_>) = pair.await.into_iter().partition(|(which, _)| *which == 0);
    for (name, times) in [("with pricing", priced), ("without", plain)] {
        println!("{name}: {}", percentiles(times.into_iter().map(|(_, took)| took).collect()));
    }
}
