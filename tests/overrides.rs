//! Tests of the operator's own models, laid over the map's.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use llm_costmap::{CostMap, FieldOrigin, Usage};
use serde_json::{Value, json};

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

/// A correction applies for as long as the map says what it corrects, and the report tells when it expires.
#[test]
fn a_correction_expires_when_the_map_says_something_else() {
    let map_of = |fields: &str| format!(r#"{{"m": {{{fields}}}, "n": {{}}}}"#);
    let map = CostMap::from_json(map_of(r#""input_cost_per_token": 1e-5, "mode": "chat""#)).unwrap();
    let usage = Usage::new(1_000_000, 0);
    let total = || map.total("m", &usage).unwrap().to_string();
    let says = json!({"input_cost_per_token": "0.00001", "mode": "chat", "output_cost_per_token": null});
    assert!(map.register_model_while("m", json!({"input_cost_per_token": 1e-6}), &says).unwrap());
    let origin =
        |map: &CostMap| map.snapshot().get("m").unwrap().field_origin("input_cost_per_token").unwrap();
    assert_eq!((total().as_str(), origin(&map)), ("1", FieldOrigin::Operator));
    // Other fields of the map may change.
    let text = map_of(r#""input_cost_per_token": 10e-6, "mode": "chat", "max_tokens": 5"#);
    let report = map.reload_from_bytes(text).unwrap();
    assert_eq!((report.diff.expired.len(), total().as_str()), (0, "1"));
    let before = map.snapshot();
    for (fields, found) in [
        (
            r#""input_cost_per_token": 2e-5, "mode": "chat""#,
            "m: the correction no longer applies: input_cost_per_token is 2e-5, and not \"0.00001\"",
        ),
        (
            r#""input_cost_per_token": 1e-5"#,
            "m: the correction no longer applies: mode is null, and not \"chat\"",
        ),
        (
            r#""input_cost_per_token": 1e-5, "mode": "chat", "output_cost_per_token": 1"#,
            "m: the correction no longer applies: output_cost_per_token is 1, and not null",
        ),
    ] {
        let report = map.reload_from_bytes(map_of(fields)).unwrap();
        assert!(report.to_string().ends_with("; 1 correction no longer applies"), "{report}");
        let said: Vec<String> = report.diff.expired.iter().map(ToString::to_string).collect();
        assert_eq!(said, [found]);
        assert_eq!(origin(&map), FieldOrigin::Map);
        assert_eq!(map.snapshot().expired_corrections().count(), 1);
        assert_eq!(before.diff(&map.snapshot()).expired.len(), 1);
        // It is told once.
        let report = map.reload_from_bytes(map_of(&format!("{fields}, \"max_tokens\": 7"))).unwrap();
        assert_eq!(report.diff.expired, []);
        // A map that says so again has it apply again.
        let report =
            map.reload_from_bytes(map_of(r#""input_cost_per_token": 1e-5, "mode": "chat""#)).unwrap();
        assert_eq!((report.diff.expired.len(), total().as_str()), (0, "1"));
    }
    // What is registered lies over it, in any case.
    map.register_model("m", json!({"output_cost_per_token": 3e-6})).unwrap();
    let both = Usage::new(1_000_000, 1_000_000);
    assert_eq!(map.total("m", &both).unwrap().to_string(), "4");
    let report = map.reload_from_bytes(map_of(r#""input_cost_per_token": 7e-6, "mode": "chat""#)).unwrap();
    assert_eq!((report.diff.expired.len(), map.total("m", &both).unwrap().to_string()), (1, "10".to_owned()));
    let shown = serde_json::to_value(&report).unwrap();
    assert_eq!(
        shown["expired"],
        json!([{"model": "m", "field": "input_cost_per_token", "expected": "\"0.00001\"", "found": "7e-6"}])
    );
    assert!(map.unregister_model("m").unwrap());
    assert_eq!(map.snapshot().expired_corrections().count(), 0);
    assert_eq!(before.diff(&map.snapshot()).expired, [], "what was unregistered did not expire");
}

#[test]
fn a_correction_may_wait_for_the_map_that_it_corrects() {
    let map = CostMap::from_json(r#"{"n": {}}"#).unwrap();
    let correct = |info: Value, says: Value| map.register_model_while("m", info, says);
    assert!(!correct(json!({"input_cost_per_token": 1e-6}), json!({"input_cost_per_token": 5e-6})).unwrap());
    assert_eq!(map.total("m", &Usage::new(1, 0)).unwrap_err().code(), "unknown_model");
    assert_eq!(map.len(), 1);
    map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 5e-6}, "n": {}}"#).unwrap();
    assert_eq!(map.total("m", &Usage::new(1_000_000, 0)).unwrap().to_string(), "1");
    let refused = |info: Value, says: Value| correct(info, says).unwrap_err().to_string();
    assert_eq!(
        refused(json!({"input_cost_per_token": 1}), json!({})),
        "cannot register m: what the map says has no fields: use register_model to correct it in any case"
    );
    assert_eq!(
        refused(json!({"input_cost_per_token": -1}), json!({"mode": "chat"})),
        "cannot register m: input_cost_per_token: -1 is negative"
    );
    assert!(
        refused(json!({}), json!(5)).starts_with("cannot register m: what the map says is not an object")
    );
    assert_eq!(map.total("m", &Usage::new(1_000_000, 0)).unwrap().to_string(), "1");
}

/// A correction that cannot be laid over a newer map is left out, with a warning, and keeps no map from going live.
#[test]
fn a_correction_blocks_no_reload() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}, "n": {}}"#).unwrap();
    let says = json!({"input_cost_per_token": 1e-6});
    let corrected = json!({"input_cost_per_token": 5e-6, "input_cost_per_token_above_999k_tokens": 6e-6});
    map.register_model_while("m", corrected, &says).unwrap();
    map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}, "n": {}}"#).unwrap();
    // As many thresholds as a row may have, and one more with the correction.
    let steps: Vec<String> =
        (1..=16).map(|step| format!(r#""input_cost_per_token_above_{step}k_tokens": 1e-6"#)).collect();
    let text = format!(r#"{{"m": {{"input_cost_per_token": 1e-6, {}}}, "n": {{}}}}"#, steps.join(","));
    let report = map.reload_from_bytes(text).unwrap();
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["m: its correction is left out, since it cannot be laid over the new map: more than 16 thresholds"]
    );
    assert_eq!(map.total("m", &Usage::new(1_000, 0)).unwrap().to_string(), "0.001");
    // The map is live again, and so is the correction.
    map.reload_from_bytes(r#"{"m": {"input_cost_per_token": 1e-6}, "n": {"mode": "chat"}}"#).unwrap();
    assert_eq!(map.total("m", &Usage::new(100_000, 0)).unwrap().to_string(), "0.5");
}

#[test]
fn a_model_that_is_replaced_takes_no_correction() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#).unwrap();
    let says = json!({"output_cost_per_token": null});
    map.register_model_while("m", json!({"output_cost_per_token": 2e-6}), &says).unwrap();
    map.replace_model("m", json!({"input_cost_per_token": 3e-6})).unwrap();
    assert_eq!(map.total("m", &Usage::new(1, 1)).unwrap_err().code(), "unpriced");
    let error = map.register_model_while("m", json!({"output_cost_per_token": 2e-6}), &says).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot register m: the model was replaced, and takes nothing of the map: change it with register_model"
    );
}
