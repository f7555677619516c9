//! What has a short way of its own costs what it would without: text alone, names that were looked up before, models that are resolved.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use common::lookup;
use llm_costmap::{Cost, CostMap, CostRequest, Error, Usage, Usd};
use serde_json::json;

fn real() -> CostMap {
    CostMap::from_json(common::catalog("1.109.1")).expect("a map")
}

/// A cost as it can be compared, or the error.
fn told(cost: Result<Cost, Error>) -> Result<String, String> {
    cost.map(|cost| format!("{cost} {} {} {}", cost.input(), cost.output(), cost.is_complete())).map_err(said)
}

/// What went wrong. An unknown name is told by its code: its message looks for names that are near.
fn said(error: Error) -> String {
    match error {
        Error::UnknownModel(_) => error.code().to_owned(),
        error => error.to_string(),
    }
}

fn total(cost: Result<Cost, Error>) -> Result<Usd, String> {
    cost.and_then(Cost::require_complete).map(|cost| cost.total()).map_err(said)
}

fn request<'a>(
    model: &'a str,
    provider: Option<&'a str>,
    tier: Option<&'a str>,
    usage: &'a Usage,
) -> CostRequest<'a> {
    let mut request = CostRequest::new(model, usage);
    if let Some(provider) = provider {
        request = request.provider(provider);
    }
    if let Some(tier) = tier {
        request = request.service_tier(tier);
    }
    request
}

/// Every model of the map, at every tier, below, at and above its thresholds, whoever is asked: a geo that changes nothing takes the
/// call the general way.
#[test]
fn text_costs_what_it_would_in_general() {
    let map = real();
    let snapshot = map.snapshot();
    let full =
        |prompt| Usage::new(prompt, 901).cached_tokens(703).cache_creation_tokens(55).reasoning_tokens(77);
    let usages = [
        full(12_345),
        full(128_000),
        full(200_000),
        full(200_001),
        full(272_001),
        full(1_000_001),
        Usage::new(7, 3),
        Usage::new(0, 0).cached_tokens(1),
    ];
    let mut compared = 0;
    for model in snapshot.models() {
        let key = model.key();
        for usage in &usages {
            let mut general = usage.clone();
            general.inference_geo = Some("global".to_owned());
            for tier in [None, Some("priority"), Some("flex"), Some("nonsense")] {
                let wanted = told(snapshot.cost(&request(key, None, tier, &general)));
                let plain = request(key, None, tier, usage);
                assert_eq!(told(snapshot.cost(&plain)), wanted, "{key} {tier:?} {usage:?}");
                assert_eq!(
                    snapshot.total(&plain).map_err(said),
                    total(snapshot.cost(&request(key, None, tier, &general))),
                    "{key} {tier:?} {usage:?}"
                );
                compared += 1;
            }
        }
        // Some rules hang on who is asked.
        for provider in ["fireworks_ai", "xai", "vertex_ai", "openai"] {
            let mut general = usages[2].clone();
            general.inference_geo = Some("global".to_owned());
            let wanted = told(snapshot.cost(&request(key, Some(provider), None, &general)));
            assert_eq!(
                told(snapshot.cost(&request(key, Some(provider), None, &usages[2]))),
                wanted,
                "{key} {provider}"
            );
        }
    }
    assert_eq!(compared, 4_551 * 8 * 4);
}

/// Names that are no keys, asked for again and again: more of them than are remembered, in an order that brings each back.
#[test]
fn a_name_that_was_looked_up_before_costs_what_it_did() {
    let map = real();
    map.register_model("my/gpt-4o", json!({"input_cost_per_token": 1e-3})).unwrap();
    let usage = Usage::new(1_000, 500).cached_tokens(300);
    let mut names: Vec<(String, Option<String>)> = Vec::new();
    for model in map.snapshot().models().step_by(5) {
        let (key, provider) = (model.key(), model.litellm_provider());
        let bare = key.split_once('/').map_or(key, |(_, bare)| bare);
        names.push((bare.to_owned(), provider.clone()));
        names.push((key.to_uppercase(), None));
        names.push((format!("{bare}-2031-01-31"), provider.clone()));
        names.push((format!("{key}-none-such"), provider));
        names.push((bare.to_owned(), Some("nobody".to_owned())));
        names.push((bare.to_owned(), Some("fireworks_ai".to_owned())));
    }
    let fresh = |name: &(String, Option<String>)| {
        let of = request(&name.0, name.1.as_deref(), None, &usage);
        (told(map.cost(&of)), map.total(&of).map_err(said))
    };
    let wanted: Vec<_> = names
        .chunks(500)
        .flat_map(|some| {
            // Each swap forgets.
            map.register_model("another", json!({"mode": "chat"})).unwrap();
            some.iter().map(fresh).collect::<Vec<_>>()
        })
        .collect();
    let snapshot = map.snapshot();
    for round in 0..3 {
        for (place, (name, wanted)) in names.iter().zip(&wanted).enumerate() {
            let of = request(&name.0, name.1.as_deref(), None, &usage);
            assert_eq!(told(snapshot.cost(&of)), wanted.0, "{round} {place} {name:?}");
            // And once more, while it is remembered for sure.
            assert_eq!(snapshot.total(&of).map_err(said), wanted.1, "{round} {place} {name:?}");
            assert_eq!(told(snapshot.cost(&of)), wanted.0, "{round} {place} {name:?}");
        }
    }
}

/// What is registered counts at once, whatever was remembered.
#[test]
fn a_name_is_not_remembered_beyond_a_change() {
    let map =
        CostMap::from_json(r#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#)
            .unwrap();
    let usage = Usage::new(1_000_000, 0);
    let of = || map.total(&CostRequest::new("GPT-x-pro", &usage)).map_err(|e| e.code());
    let with = || {
        map.total(&CostRequest::new("gpt-x", &usage).provider("openai")).map(|total| total.to_string()).ok()
    };
    assert_eq!((of(), of()), (Err("unknown_model"), Err("unknown_model")));
    assert_eq!((with().as_deref(), with().as_deref()), (Some("1"), Some("1")));
    map.register_models(
        r#"{"gpt-x-pro": {"input_cost_per_token": 2e-6}, "openai/gpt-x": {"input_cost_per_token": 3e-6}}"#,
    )
    .unwrap();
    assert_eq!(of().map(|total| total.to_string()), Ok("2".to_owned()));
    assert_eq!((with().as_deref(), with().as_deref()), (Some("3"), Some("3")));
    // Another model's entry, under the same name and another provider.
    let other = CostRequest::new("gpt-x", &usage).provider("azure");
    assert_eq!((map.total(&other).is_err(), map.total(&other).is_err()), (true, true));
}

/// A strict lookup accepts no more than before, whatever else was asked under the name.
#[test]
fn what_is_remembered_of_a_name_says_nothing_of_strict_lookups() {
    let map = real();
    let usage = Usage::new(1, 1);
    for _ in 0..2 {
        assert!(map.cost(&CostRequest::new("GPT-4o", &usage)).is_ok());
        assert!(map.cost(&CostRequest::new("GPT-4o", &usage).strict()).is_err());
        assert!(map.cost(&CostRequest::new("gpt-4o", &usage).provider("azure").strict()).is_err());
        assert!(map.cost(&CostRequest::new("gpt-4o", &usage).provider("azure")).is_ok());
    }
}

/// A resolved model prices as its name does, and whatever the request is called.
#[test]
fn a_resolved_model_costs_what_its_name_does() {
    let map = real();
    let snapshot = map.snapshot();
    let usage = Usage::new(250_000, 500).cached_tokens(300).reasoning_tokens(100);
    let mut audio = usage.clone();
    audio.prompt_tokens_details.audio_tokens = 10;
    for model in snapshot.models() {
        let key = model.key();
        let bare = key.split_once('/').map_or(key, |(_, bare)| bare);
        for (name, provider) in [(key, None), (bare, model.litellm_provider())] {
            let Ok(resolved) = snapshot.resolve(lookup(name, provider.as_deref())) else { continue };
            for usage in [&usage, &audio] {
                let wanted = told(snapshot.cost(&request(name, provider.as_deref(), None, usage)));
                let anything = CostRequest::new("anything", usage);
                assert_eq!(told(resolved.cost(&anything)), wanted, "{name} {provider:?}");
                assert_eq!(
                    resolved.total(&anything).map_err(said),
                    total(resolved.cost(&anything)),
                    "{name} {provider:?}"
                );
            }
        }
    }
    // A model that fallback rules describe has no price.
    let described = snapshot.resolve("claude-opus-9-9").unwrap();
    let cost = described.cost(&CostRequest::new("x", &usage)).unwrap();
    assert_eq!((cost.key(), cost.is_complete()), ("claude-opus-9-9", false));
    assert_eq!(
        described.total(&CostRequest::new("x", &usage)).map_err(said),
        Err("the cost of claude-opus-9-9 is incomplete: no price for input, cache_read, output, reasoning"
            .to_owned())
    );
}

/// A router's fee hangs on the provider that was looked up, whatever the request says.
#[test]
fn a_resolved_model_bears_its_routers_fee() {
    let snapshot = real().snapshot();
    let usage = Usage::new(1_000_000, 0);
    for (provider, name) in
        [(Some("azure_ai"), "gpt-4o"), (Some("openai"), "gpt-4o"), (None, "azure_ai/gpt-4o")]
    {
        let Ok(model) = snapshot.resolve(lookup(name, provider)) else { continue };
        for requested in ["model-router", "azure_ai/model-router", "gpt-4o"] {
            let wanted = snapshot.total(&request(name, provider, None, &usage).requested_model(requested));
            for odd in [None, Some("azure_ai"), Some("openai")] {
                let ours = model.total(&request("x", odd, None, &usage).requested_model(requested));
                assert_eq!(
                    ours.as_ref().ok(),
                    wanted.as_ref().ok(),
                    "{name} {provider:?} {requested} {odd:?}"
                );
            }
        }
    }
    let model = snapshot.resolve(lookup("gpt-4o", Some("azure_ai"))).unwrap();
    let call = CostRequest::new("x", &usage).requested_model("model-router");
    assert_eq!(model.total(&call).unwrap().to_string(), "2.64");
}
