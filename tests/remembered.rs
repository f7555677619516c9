//! Tests that a name that was looked up before, and a resolved model, are priced like a new name.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use common::lookup;
use llm_costmap::cost::CostRecord;
use llm_costmap::{Call, Cost, CostMap, Error, Lookup, Usage, Usd};
use serde_json::json;

fn real() -> CostMap {
    CostMap::from_json(common::catalog("1.109.1")).expect("a map")
}

/// Returns the bill, complete or not, without its generation; or the message of the error. The
/// message of an unknown name takes a search for similar names, so that its name is returned
/// instead.
fn bill(cost: Result<Cost, Error>) -> Result<CostRecord, String> {
    let mut record = match cost {
        Ok(cost) => cost.record(),
        Err(Error::Unpriced(partial)) => partial.record(),
        Err(error) => return Err(said(error)),
    };
    record.generation = 0;
    Ok(record)
}

fn total(cost: Result<Cost, Error>) -> Result<Usd, String> {
    cost.map(|cost| cost.total()).map_err(said)
}

fn said(error: Error) -> String {
    match error {
        Error::UnknownModel(_) => "unknown".to_owned(),
        error => error.to_string(),
    }
}

/// A name that was looked up before costs the same as on its first lookup. The test asks for more
/// names than are remembered, in an order that brings each of them back.
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
        let of = lookup(&name.0, name.1.as_deref());
        (bill(map.cost(of, &usage)), map.total(of, &usage).map_err(said))
    };
    let wanted: Vec<_> = names
        .chunks(500)
        .flat_map(|some| {
            // Each swap starts with no names remembered.
            map.register_model("another", json!({"mode": "chat"})).unwrap();
            some.iter().map(fresh).collect::<Vec<_>>()
        })
        .collect();
    let snapshot = map.snapshot();
    for round in 0..3 {
        for (place, (name, wanted)) in names.iter().zip(&wanted).enumerate() {
            let of = lookup(&name.0, name.1.as_deref());
            assert_eq!(bill(snapshot.cost(of, &usage)), wanted.0, "{round} {place} {name:?}");
            // The name is certainly remembered now.
            assert_eq!(snapshot.total(of, &usage).map_err(said), wanted.1, "{round} {place} {name:?}");
            assert_eq!(bill(snapshot.cost(of, &usage)), wanted.0, "{round} {place} {name:?}");
        }
    }
}

/// A registration counts at once, whatever was remembered.
#[test]
fn a_name_is_not_remembered_beyond_a_change() {
    let map =
        CostMap::from_json(r#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#)
            .unwrap();
    let usage = Usage::new(1_000_000, 0);
    let of = || map.total("GPT-x-pro", &usage).map_err(said);
    let with =
        || map.total(Lookup::new("gpt-x").provider("openai"), &usage).map(|total| total.to_string()).ok();
    assert_eq!((of(), of()), (Err("unknown".to_owned()), Err("unknown".to_owned())));
    assert_eq!((with().as_deref(), with().as_deref()), (Some("1"), Some("1")));
    map.register_models_json(
        r#"{"gpt-x-pro": {"input_cost_per_token": 2e-6}, "openai/gpt-x": {"input_cost_per_token": 3e-6}}"#,
    )
    .unwrap();
    assert_eq!(of().map(|total| total.to_string()), Ok("2".to_owned()));
    assert_eq!((with().as_deref(), with().as_deref()), (Some("3"), Some("3")));
    // The entry does not answer for the same name with another provider.
    let other = Lookup::new("gpt-x").provider("azure");
    assert_eq!((map.total(other, &usage).is_err(), map.total(other, &usage).is_err()), (true, true));
}

/// A strict lookup accepts keys and aliases alone, whatever is remembered of the name.
#[test]
fn what_is_remembered_of_a_name_says_nothing_of_strict_lookups() {
    let map = real();
    let usage = Usage::new(1, 1);
    for _ in 0..2 {
        assert!(map.cost("GPT-4o", &usage).is_ok());
        assert!(map.cost(Lookup::new("GPT-4o").strict(), &usage).is_err());
        assert!(map.cost(Lookup::new("gpt-4o").provider("azure").strict(), &usage).is_err());
        assert!(map.cost(Lookup::new("gpt-4o").provider("azure"), &usage).is_ok());
    }
}

/// A resolved model costs the same as its name, borrowed and with its snapshot.
#[test]
fn a_resolved_model_costs_what_its_name_does() {
    let map = real();
    let snapshot = map.snapshot();
    let usage = Usage::new(250_000, 500).cached_tokens(300).reasoning_tokens(100);
    let mut audio = usage.clone();
    audio.prompt_tokens_details.audio_tokens = 10;
    let (mut compared, mut priced) = (0, 0);
    for model in snapshot.models() {
        let key = model.key();
        let bare = key.split_once('/').map_or(key, |(_, bare)| bare);
        for (name, provider) in [(key, None), (bare, model.litellm_provider())] {
            let lookup = lookup(name, provider.as_deref());
            let Ok(resolved) = snapshot.resolve(lookup) else { continue };
            let kept = map.resolve(lookup).unwrap();
            assert_eq!((kept.key(), kept.found_by()), (resolved.key(), resolved.found_by()), "{lookup:?}");
            for usage in [&usage, &audio] {
                let wanted = bill(snapshot.cost(lookup, usage));
                assert_eq!(bill(resolved.cost(usage)), wanted, "{lookup:?}");
                assert_eq!(bill(kept.cost(usage)), wanted, "{lookup:?}");
                assert_eq!(resolved.total(usage).map_err(said), total(resolved.cost(usage)), "{lookup:?}");
                compared += 1;
                priced += usize::from(wanted.is_ok_and(|record| record.complete));
            }
        }
    }
    assert_eq!((compared, priced), (17_968, 14_666));
    // A model that only fallback rules describe has no price.
    let described = snapshot.resolve("claude-opus-9-9").unwrap();
    let error = described.cost(&usage).unwrap_err().to_string();
    assert_eq!(
        error,
        "no price of claude-opus-9-9 is known for input, cache_read, output, reasoning: register one with register_model"
    );
    assert_eq!(described.total(&usage).map_err(said), Err(error));
}

/// The router's fee depends on the provider of the lookup.
#[test]
fn a_resolved_model_bears_its_routers_fee() {
    let snapshot = real().snapshot();
    let usage = Usage::new(1_000_000, 0);
    for (provider, name) in
        [(Some("azure_ai"), "gpt-4o"), (Some("openai"), "gpt-4o"), (None, "azure_ai/gpt-4o")]
    {
        let Ok(model) = snapshot.resolve(lookup(name, provider)) else { continue };
        for requested in ["model-router", "azure_ai/model-router", "gpt-4o"] {
            let call = Call::new(&usage).requested_model(requested);
            let wanted = snapshot.total(lookup(name, provider), call);
            assert_eq!(model.total(call).ok(), wanted.ok(), "{name} {provider:?} {requested}");
        }
    }
    let model = snapshot.resolve(lookup("gpt-4o", Some("azure_ai"))).unwrap();
    let call = Call::new(&usage).requested_model("model-router");
    assert_eq!(model.total(call).unwrap().to_string(), "2.64");
}
