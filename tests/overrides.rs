//! Tests of the operator's own models, laid over the map's.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use llm_costmap::{CostMap, FieldOrigin, Usage};
use serde_json::json;

const MAP: &str = r#"{
    "gpt-x": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 8192, "aliases": ["gpt-x-latest"],
              "input_cost_per_token": 1e-6, "input_cost_per_token_priority": 2e-6,
              "input_cost_per_token_above_200k_tokens": 3e-6, "output_cost_per_token": 4e-6,
              "output_cost_per_token_batches": 2e-6,
              "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.03}},
    "other": {"litellm_provider": "openai", "input_cost_per_token": 5e-6}
}"#;

fn map() -> CostMap {
    CostMap::from_json(MAP).unwrap()
}

fn input(map: &CostMap, model: &str) -> String {
    map.cost(model, &Usage::new(1, 0)).unwrap().total().to_string()
}

#[test]
fn fields_are_laid_over_one_by_one() {
    let map = map();
    map.register_model(
        "gpt-x",
        json!({"max_input_tokens": "12345", "max_output_tokens": 678, "mode": null, "my_custom_key": "mine",
               "search_context_cost_per_query": {"search_context_size_low": 0.02}}),
    )
    .unwrap();
    let model = map.get("gpt-x").unwrap();
    assert_eq!((model.max_input_tokens(), model.max_output_tokens()), (Some(12_345), Some(678)));
    assert_eq!(model.mode().as_deref(), Some("chat"));
    assert_eq!(model.field::<String>("my_custom_key").as_deref(), Some("mine"));
    assert_eq!(
        model.field::<serde_json::Value>("search_context_cost_per_query"),
        Some(json!({"search_context_size_low": 0.02, "search_context_size_high": 0.03}))
    );
    for (field, origin) in [
        ("max_input_tokens", Some(FieldOrigin::Operator)),
        ("my_custom_key", Some(FieldOrigin::Operator)),
        ("search_context_cost_per_query", Some(FieldOrigin::Operator)),
        ("mode", Some(FieldOrigin::Map)),
        ("input_cost_per_token", Some(FieldOrigin::Map)),
        ("nothing", None),
    ] {
        assert_eq!(model.field_origin(field), origin, "{field}");
    }
    // The alias leads to the same model.
    assert_eq!(map.get("gpt-x-latest").unwrap().max_output_tokens(), Some(678));
    assert_eq!(map.get("other").unwrap().field_origin("litellm_provider"), Some(FieldOrigin::Map));
}

#[test]
fn a_key_is_taken_literally_and_based_on_what_it_resolves_to() {
    let map = map();
    map.register_model("openai/gpt-x", json!({"input_cost_per_token": "7e-6"})).unwrap();
    assert_eq!((input(&map, "openai/gpt-x"), input(&map, "gpt-x")), ("0.000007".into(), "0.000001".into()));
    let model = map.get("openai/gpt-x").unwrap();
    assert_eq!((model.key(), model.max_input_tokens()), ("openai/gpt-x", Some(8_192)));
}

#[test]
fn what_is_taken_back_brings_the_map_back() {
    let map = map();
    map.register_model("gpt-x", json!({"input_cost_per_token": 9})).unwrap();
    map.register_model("mine", json!({"input_cost_per_token": 9})).unwrap();
    assert_eq!((input(&map, "gpt-x").as_str(), map.len()), ("9", 3));
    for _ in 0..2 {
        map.reload_from_bytes(MAP).unwrap();
        assert_eq!((input(&map, "gpt-x").as_str(), input(&map, "mine").as_str()), ("9", "9"));
    }
    assert!(map.unregister_model("gpt-x").unwrap());
    assert!(!map.unregister_model("gpt-x").unwrap());
    assert!(map.unregister_model("mine").unwrap());
    assert_eq!((input(&map, "gpt-x").as_str(), map.len()), ("0.000001", 2));
    assert!(map.get("mine").is_none());
}

#[test]
fn a_replaced_model_takes_nothing_from_the_map() {
    let map = map();
    map.register_model("gpt-x", json!({"max_output_tokens": 678})).unwrap();
    map.replace_model("gpt-x", json!({"input_cost_per_token": 8})).unwrap();
    let model = map.get("gpt-x").unwrap();
    assert_eq!(model.json(), r#"{"input_cost_per_token":8}"#);
    map.reload_from_bytes(MAP).unwrap();
    // A later registration is laid over the replacement.
    map.register_model("gpt-x", json!({"mode": "chat"})).unwrap();
    assert_eq!(map.get("gpt-x").unwrap().json(), r#"{"input_cost_per_token":8,"mode":"chat"}"#);
    assert_eq!(map.snapshot().warnings().count(), 0);
}

#[test]
fn a_base_price_without_its_thresholds_and_tiers_is_flagged() {
    let map = map();
    let flagged = |map: &CostMap| map.snapshot().warnings().map(ToString::to_string).collect::<Vec<_>>();
    map.register_model("gpt-x", json!({"input_cost_per_token": 1})).unwrap();
    assert_eq!(
        flagged(&map),
        ["gpt-x: its base price is the operator's, while the map's input_cost_per_token_priority, \
          input_cost_per_token_above_200k_tokens stay: set them too, or replace the model"]
    );
    map.register_model(
        "gpt-x",
        json!({"input_cost_per_token_priority": 2, "input_cost_per_token_above_200k_tokens": 3}),
    )
    .unwrap();
    assert_eq!(flagged(&map), [""; 0]);
}

#[test]
fn many_models_are_registered_together_or_not_at_all() {
    let map = map();
    map.register_models(json!({"gpt-x": {"max_input_tokens": 12345}, "mine": {"max_output_tokens": 678}}))
        .unwrap();
    assert_eq!(map.get("gpt-x").unwrap().max_input_tokens(), Some(12_345));
    assert_eq!(map.get("mine").unwrap().max_output_tokens(), Some(678));
    let generation = map.snapshot().generation();
    let error = map
        .register_models_json(r#"{"other": {"max_input_tokens": 1}, "bad": {"input_cost_per_token": -1}}"#);
    assert_eq!(error.unwrap_err().to_string(), "cannot register bad: input_cost_per_token: -1 is negative");
    let error = map.register_models_json("[]").unwrap_err().to_string();
    assert!(error.starts_with("cannot register the models: not an object of models: "), "{error}");
    assert_eq!(map.get("other").unwrap().max_input_tokens(), None);
    assert_eq!(map.snapshot().generation(), generation);
}
