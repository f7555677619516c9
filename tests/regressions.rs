//! Regression tests of wrong bills, texts that hung or crashed, and secrets that were shown. An
//! attack on the crate found them.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{edition, lookup};
use llm_costmap::{Call, CostMap, Deployment, Error, Lookup, Usage};
use serde_json::json;

fn map(json: &str) -> CostMap {
    CostMap::from_json(json).unwrap()
}

fn real() -> CostMap {
    CostMap::from_json(common::catalog("1.109.1")).unwrap()
}

/// Returns the total, or the code of the error.
fn total<'a>(map: &CostMap, model: impl Into<Lookup<'a>>, call: impl Into<Call<'a>>) -> String {
    map.total(model, call).map_or_else(|error| error.code().to_owned(), |total| total.to_string())
}

fn total_of(map: &CostMap, name: &str, usage: &Usage) -> String {
    total(map, name, usage)
}

/// Runs a call on another thread and returns its result. Panics if the call takes more than a
/// minute.
fn ends<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(call()));
    result.recv_timeout(Duration::from_secs(60)).expect("it ends")
}

// Bills.

/// The rate of a write for an hour changes only with the thresholds of its own tier. Without this
/// rule, 28 models of the map billed a third too much.
#[test]
fn a_long_write_above_a_threshold_costs_what_its_tier_says() {
    let map = real();
    let usage = Usage::new(300_000, 0).cache_creation_tokens(100_000).cache_creation_1h_tokens(100_000);
    for (tier, expected) in [("standard", "2.4"), ("priority", "1.8"), ("flex", "1.8"), ("ultrafast", "1.8")]
    {
        let request = ("vertex_ai/claude-sonnet-4-5", Call::new(&usage).service_tier(tier));
        assert_eq!(total(&map, request.0, request.1), expected, "{tier}");
    }
}

#[test]
fn a_field_of_one_rate_changes_no_other_rate() {
    let usage = Usage::new(300_000, 0).cache_creation_tokens(100_000).cache_creation_1h_tokens(100_000);
    for (extra, tier, expected) in [
        ("", "priority", "1.8"),
        (r#", "output_cost_per_token_priority": 1e-5"#, "priority", "1.8"),
        (r#", "output_cost_per_token_priority": 1e-5"#, "flex", "1.8"),
        (r#", "cache_creation_input_token_cost_above_1hr_above_200k_tokens_flex": 7e-6"#, "flex", "1.9"),
        (r#", "cache_creation_input_token_cost_above_1hr_above_200k_tokens_flex": 7e-6"#, "priority", "1.8"),
    ] {
        let map = map(&format!(
            r#"{{"m": {{"input_cost_per_token": 3e-6, "cache_creation_input_token_cost_above_1hr": 6e-6,
                "input_cost_per_token_above_200k_tokens": 6e-6,
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-5{extra}}}}}"#
        ));
        assert_eq!(total(&map, "m", Call::new(&usage).service_tier(tier)), expected, "{extra} {tier}");
    }
}

#[test]
fn what_is_registered_over_a_model_answers_to_no_other_name() {
    let usage = Usage::new(1_000_000, 0);
    let map = map(
        r#"{"a": {"aliases": ["b", "a-latest"], "input_cost_per_token": 1e-6}, "b": {"input_cost_per_token": 2e-6}}"#,
    );
    map.register_model_json("a", r#"{"max_input_tokens": 4096}"#).unwrap();
    assert_eq!(total_of(&map, "b", &usage), "2");
    // The model's own aliases still lead to it, with the operator's fields.
    map.register_model_json("a", r#"{"input_cost_per_token": 3e-6}"#).unwrap();
    assert_eq!([total_of(&map, "a-latest", &usage), total_of(&map, "A-Latest", &usage)], ["3", "3"]);
    // An alias that is registered by itself becomes a model of its own. Its sibling aliases stay as
    // they were.
    for name in ["a-latest", "a-2026-01-01", "A"] {
        let map = self::map(r#"{"a": {"input_cost_per_token": 1e-6, "aliases": ["a-latest", "a-eu"]}}"#);
        map.register_model_json(name, r#"{"input_cost_per_token": 5e-6}"#).unwrap();
        assert_eq!(total_of(&map, name, &usage), "5", "{name}");
        assert_eq!([total_of(&map, "a-eu", &usage), total_of(&map, "a", &usage)], ["1", "1"], "{name}");
    }
}

/// An operator's alias displaces aliases of the map, and no key.
#[test]
fn an_alias_of_the_operators_displaces_no_key() {
    let usage = Usage::new(1_000_000, 0);
    let map = map(
        r#"{"a": {"aliases": ["c"], "input_cost_per_token": 1e-6}, "b": {"input_cost_per_token": 2e-6}}"#,
    );
    map.register_model_json("mine", r#"{"aliases": ["b", "c", "d"], "input_cost_per_token": 7e-6}"#).unwrap();
    assert_eq!(
        ["a", "b", "c", "d", "mine"].map(|name| total_of(&map, name, &usage)),
        ["1", "2", "7", "7", "7"]
    );
}

/// A map whose model `x1` of provider `y` has no rate of cache reads. A rule fills one in.
const FILLED: &str = r#"{"fallback_generalizations": {"rules": [{"name": "r", "pattern": "^x", "fill_missing_for_providers": ["y"],
    "model_info": {"cache_read_input_token_cost": 1e-7, "supports_vision": true}}]},
    "x1": {"litellm_provider": "y", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}"#;

#[test]
fn a_price_that_a_rule_fills_in_outlives_what_is_laid_over_it() {
    let usage = Usage::new(1_000_000, 0).cached_tokens(1_000_000);
    let map = map(FILLED);
    assert_eq!(total_of(&map, "x1", &usage), "0.1");
    map.register_model_json("x1", r#"{"max_input_tokens": 5}"#).unwrap();
    map.register_model_json("x2", r#"{"litellm_provider": "y", "input_cost_per_token": 1e-6}"#).unwrap();
    map.register_model_json("x1-2026-01-01", r#"{"max_input_tokens": 5}"#).unwrap();
    map.replace_model_json("x3", r#"{"litellm_provider": "y", "input_cost_per_token": 1e-6}"#).unwrap();
    for name in ["x1", "x2", "x1-2026-01-01", "x3"] {
        assert_eq!(total_of(&map, name, &usage), "0.1", "{name}");
        // The model info has the rate that is charged.
        let told = map.get(name).unwrap();
        assert_eq!(told.cache_read_input_token_cost().unwrap().to_string(), "0.0000001", "{name}");
        assert!(told.supports("vision"), "{name}");
    }
    map.set_deployments(
        Deployment::list_from_json(
            r#"[{"model_name": "d", "litellm_params": {"model": "x1", "output_cost_per_token": 3e-6}}]"#,
        )
        .unwrap(),
    )
    .unwrap();
    let deployed = map.deployment_cost("d", &usage).unwrap();
    assert_eq!(deployed.total().to_string(), "0.1");
    // The operator's own price takes precedence.
    map.register_model_json("x1", r#"{"cache_read_input_token_cost": 5e-7}"#).unwrap();
    assert_eq!(total_of(&map, "x1", &usage), "0.5");
}

/// A name is never taken for another one whose hash collides with its own. The test prices many
/// names, with and without a provider, three times.
#[test]
fn a_name_is_never_taken_for_another() {
    let map = real();
    let usage = Usage::new(1_000_000, 0);
    let names: Vec<String> = (0..3_000)
        .flat_map(|n| [format!("o1-{n:04}-65-57"), format!("o1-20{:02}-0{}-1{}", n % 90, n % 9 + 1, n % 10)])
        .chain((0..500).map(|n| format!("o1-pro-2{n:03}-08-10")))
        .collect();
    let expected = |name: &str| if name.starts_with("o1-pro-") { "150" } else { "15" };
    let mut compared = 0;
    for _ in 0..3 {
        for name in &names {
            for provider in [None, Some("openai")] {
                let request = (lookup(name, provider), &usage);
                assert_eq!(total(&map, request.0, request.1), expected(name), "{name} {provider:?}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 3 * 2 * 6_500);
}

#[test]
fn digits_are_read_from_the_text_wherever_they_stand() {
    let exact = "0.00000000691175564267812";
    for (entry, usage) in [
        (
            r#"{"tiered_pricing": [{"range": [0, 100], "input_cost_per_token": 6.91175564267812e-9}]}"#,
            Usage::new(1, 0),
        ),
        (
            r#"{"input_cost_per_token": 1, "off_peak_pricing": {"hours_utc": "00:00-00:00", "input_cost_per_token": 6.91175564267812e-9}}"#,
            Usage::new(1, 0),
        ),
        (r#"{"input_cost_per_token": 6.91175564267812e-9}"#, Usage::new(1, 0)),
        (
            r#"{"litellm_provider": "openrouter", "input_cost_per_token": 1}"#,
            serde_json::from_str(r#"{"prompt_tokens": 1, "cost": 6.91175564267812e-9}"#).unwrap(),
        ),
    ] {
        assert_eq!(total_of(&map(&format!(r#"{{"m": {entry}}}"#)), "m", &usage), exact, "{entry}");
    }
    let map = map(r#"{"m": {"input_cost_per_token": 6.91175564267812e-9}}"#);
    let told = map.get("m").unwrap();
    assert_eq!(told.input_cost_per_token().unwrap().to_string(), exact);
    assert_eq!(told.field::<llm_costmap::Usd>("input_cost_per_token").unwrap().to_string(), exact);
    assert!(serde_json::to_string(&told).unwrap().contains("\"input_cost_per_token\":6.91175564267812e-9"));
}

/// An amount that is too small to be kept is not zero: as a rate it is refused, and as a stated
/// cost it is ignored.
#[test]
fn an_amount_that_is_too_small_is_not_free() {
    let odd = CostMap::from_json(
        r#"{"t": {"tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 1e-400}]}}"#,
    )
    .unwrap();
    let set_aside: Vec<String> = odd.snapshot().set_aside().map(ToString::to_string).collect();
    assert_eq!(
        set_aside,
        ["t: tiered_pricing.input_cost_per_token: more than 28 decimals, which cannot be kept exactly"]
    );
    let usage: Usage = serde_json::from_str(r#"{"prompt_tokens": 1000000, "cost": 1e-400}"#).unwrap();
    assert_eq!(total_of(&map(r#"{"m": {"input_cost_per_token": 1e-6}}"#), "m", &usage), "1");
}

/// The model info of the real map has the rates that are charged: one token of each kind costs what
/// the accessor returns.
#[test]
fn every_price_is_told_as_it_is_charged() {
    let map = real();
    let snapshot = map.snapshot();
    let input = Usage::new(1, 0);
    let output = Usage::new(0, 1);
    let read = Usage::new(1, 0).cached_tokens(1);
    let (mut compared, mut by_units) = (0, 0);
    for model in snapshot.models() {
        if model.field::<serde_json::Value>("tiered_pricing").is_some()
            || model.field::<serde_json::Value>("off_peak_pricing").is_some()
        {
            continue;
        }
        for (told, usage) in [
            (model.input_cost_per_token(), &input),
            (model.output_cost_per_token(), &output),
            (model.cache_read_input_token_cost(), &read),
        ] {
            // A rate of zero is skipped: an output rate of zero gives way to the rate of image
            // tokens, and models may be billed by the second.
            let Some(told) = told.filter(|told| !told.is_zero()) else { continue };
            let total = match map.total(model.key(), usage) {
                // Of models that are billed by the video, text of the completion has a price.
                Err(Error::Unpriced(bill)) => {
                    by_units += 1;
                    Ok(bill.known_total())
                }
                total => total,
            };
            assert_eq!(total.ok(), Some(told), "{}", model.key());
            compared += 1;
        }
    }
    assert_eq!((compared, by_units), (8_586, 9));
}

/// Every model that is priced is found under the same key, and every model that is found is priced
/// like its name.
#[test]
fn what_is_found_is_what_is_priced() {
    let map = real();
    let snapshot = map.snapshot();
    let usage = Usage::new(1_000_000, 1_000_000);
    for (name, provider, key, expected) in [
        ("gpt-6-70b", Some("together_ai"), "together-ai-41.1b-80b", "1.8"),
        ("together_ai/org/new-70b", None, "together-ai-41.1b-80b", "1.8"),
        ("gpt-5-mini-custom", Some("ollama"), "gpt-5-mini-custom", "0"),
        ("ollama/anything", None, "ollama/anything", "0"),
        ("fireworks_ai/new-8x7b", None, "fireworks-ai-moe-up-to-56b", "1"),
    ] {
        let call = (lookup(name, provider), &usage);
        let resolved = snapshot.resolve(lookup(name, provider)).unwrap();
        let cost = snapshot.cost(call.0, call.1).unwrap();
        assert_eq!((cost.key(), cost.total().to_string().as_str()), (key, expected), "{name}");
        assert_eq!((resolved.key(), resolved.total(call.1).unwrap()), (key, cost.total()), "{name}");
        assert_eq!(resolved.cost(call.1).unwrap().to_string(), cost.to_string(), "{name}");
        let explained = snapshot.explain(lookup(name, provider));
        assert_eq!(explained.found, Some((key.to_owned(), resolved.found_by())), "{name}");
        assert!(explained.to_string().lines().count() > 2, "{explained}");
        assert!(snapshot.get(lookup(name, provider)).is_some(), "{name}");
    }
}

#[derive(serde::Deserialize)]
struct Spelling {
    model: String,
    provider: Option<String>,
}

#[test]
fn under_every_spelling_what_is_priced_is_found_and_the_reverse() {
    let snapshot = real().snapshot();
    let usage = Usage::new(1_000, 500);
    let mut compared = [0; 2];
    for Spelling { model, provider } in common::vectors("resolve") {
        let request = (lookup(&model, provider.as_deref()), &usage);
        let cost = snapshot.cost(request.0, request.1);
        let found = snapshot.resolve(lookup(&model, provider.as_deref()));
        let explained = snapshot.explain(lookup(&model, provider.as_deref())).found;
        // A call that lacks a price has found its entry all the same.
        let key = match cost {
            Ok(cost) => Ok(cost.key().to_owned()),
            Err(Error::Unpriced(bill)) => Ok(bill.key().to_owned()),
            Err(error) => Err(error),
        };
        match (key, found) {
            (Ok(key), Ok(found)) => {
                assert_eq!(key, found.key(), "{model} {provider:?}");
                assert_eq!(explained, Some((key, found.found_by())), "{model} {provider:?}");
                compared[0] += 1;
            }
            (Err(Error::UnknownModel(_)), Err(Error::UnknownModel(_))) => {
                assert_eq!(explained, None, "{model} {provider:?}");
                compared[1] += 1;
            }
            (cost, found) => panic!("{model} {provider:?}: {cost:?} {found:?}"),
        }
    }
    assert_eq!(compared, [7_372, 5_489]);
}

#[test]
fn a_long_call_by_the_second_does_not_overflow() {
    let map = map(r#"{"m": {"mode": "chat", "input_cost_per_second": 0.01}}"#);
    let usage = Usage::new(0, 0);
    for (seconds, expected) in
        [(3_600, "36"), (3_403, "34.03"), (3_404, "34.04"), (100 * 365 * 86_400, "31536000")]
    {
        let request = ("m", Call::new(&usage).duration(Duration::from_secs(seconds)));
        assert_eq!(total(&map, request.0, request.1), expected, "{seconds}");
    }
}

#[test]
fn long_multipliers_do_not_overflow() {
    let map =
        map(r#"{"m": {"input_cost_per_token": 1e-6, "regional_processing_uplift_multiplier_eu": 1.100000001,
            "regional_endpoint_uplift_multiplier": 1.100000001,
            "provider_specific_entry": {"us": 1.100000001, "fast": 1.100000001}}}"#);
    let mut usage = Usage::new(1_000_000, 0);
    usage.inference_geo = Some("us".to_owned());
    usage.speed = Some("fast".to_owned());
    let request = ("m", Call::new(&usage).data_residency("eu").vertex_location("us-east5"));
    // The rate times 1.100000001 to the power of four, to 28 decimals.
    assert_eq!(total(&map, request.0, request.1), "1.4641000053240000072600000044");
}

#[test]
fn the_batch_discount_of_a_long_write_is_exact() {
    let map = map(r#"{"m": {"input_cost_per_token": 3e-6, "input_cost_per_token_batches": 1.5e-6,
            "cache_creation_input_token_cost": 3.7512345678901234e-6, "cache_creation_input_token_cost_batches": 1.8751234567890123e-6,
            "cache_creation_input_token_cost_above_1hr": 6.0000000000000007e-6}}"#);
    let usage = Usage::new(1, 0).cache_creation_tokens(1).cache_creation_1h_tokens(1);
    assert_eq!(total(&map, "m", Call::new(&usage).batch()), "0.000002999210136587656367");
}

#[test]
fn an_entry_keeps_its_provider_however_many_there_are() {
    let row = |n| format!(r#""m{n}": {{"input_cost_per_token": 1e-9, "litellm_provider": "p{n}"}}"#);
    let map = map(&format!("{{{}}}", (0..70_000).map(row).collect::<Vec<_>>().join(",")));
    let usage = Usage::new(1, 0);
    assert_eq!(total(&map, Lookup::new("m69999").provider("p5"), &usage), "unknown_model");
    assert_eq!(total(&map, Lookup::new("m69999").provider("p69999"), &usage), "0.000000001");
}

/// Deployments are priced alike only if the fields that decide their price are equal. These fields
/// were once joined with line breaks, so that one deployment could be written as if it were
/// another.
#[test]
fn deployments_are_priced_alike_only_where_they_are() {
    let map = map(r#"{"gpt-x": {"input_cost_per_token": 1e-6}, "gpt-y": {"input_cost_per_token": 9e-6}}"#);
    let set = |first: serde_json::Value, second: serde_json::Value| {
        let list = json!([{"model_name": "d", "litellm_params": first}, {"model_name": "d", "litellm_params": second}]);
        map.set_deployments(Deployment::list_from_json(&list.to_string()).unwrap()).unwrap();
        let usage = Usage::new(1_000_000, 0);
        map.deployment_cost("d", &usage)
            .map_or_else(|error| error.code().to_owned(), |cost| cost.total().to_string())
    };
    assert_eq!(
        set(
            json!({"model": "gpt-x", "custom_llm_provider": "openai\ninput_cost_per_token:2e-6"}),
            json!({"model": "gpt-x", "custom_llm_provider": "openai", "input_cost_per_token": 2e-6})
        ),
        "ambiguous_deployment"
    );
    assert_eq!(
        set(json!({"model": "gpt-x\n\ngpt-y"}), json!({"model": "gpt-x", "base_model": "gpt-y"})),
        "ambiguous_deployment"
    );
    // The prices are the same, in another order and written with other digits.
    assert_eq!(
        set(
            json!({"model": "gpt-x", "input_cost_per_token": 2e-6, "output_cost_per_token": "0.000001"}),
            json!({"output_cost_per_token": 1e-6, "input_cost_per_token": "2e-06", "model": "gpt-x"})
        ),
        "2"
    );
}

// Hangs and crashes.

const HANGS: &str = "((((a*+){999}){999}){999}){999}";

#[test]
fn no_pattern_hangs_a_lookup_or_a_reload() {
    let evil = |rule: &str| {
        format!(
            r#"{{"fallback_generalizations": {{"rules": [{{"name": "evil", "pattern": "{HANGS}", {rule}}}]}},
                "m": {{"litellm_provider": "q", "input_cost_per_token": 1e-6}}}}"#
        )
    };
    let describes = map(&evil(r#""model_info": {"mode": "chat"}"#));
    let asked = describes.clone();
    assert_eq!(ends(move || total_of(&asked, "no-such-model", &Usage::new(1, 1))), "unknown_model");
    let set_aside: Vec<String> = describes.snapshot().set_aside().map(ToString::to_string).collect();
    assert_eq!(
        set_aside,
        [
            "fallback_generalizations: evil: its pattern has a construct that is not matched here, such as a possessive or \
          atomic group, a reference back, or a condition"
        ]
    );
    let fills =
        evil(r#""model_info": {"input_cost_per_audio_token": 1}, "fill_missing_for_providers": ["q"]"#);
    let reloaded = map(r#"{"m": {"input_cost_per_token": 1e-6}}"#);
    let handle = reloaded.clone();
    assert!(ends(move || handle.reload_from_bytes(fills).is_ok()));
    // The next reload works as well.
    assert!(reloaded.reload_from_bytes(r#"{"m": {"input_cost_per_token": 2e-6}}"#).is_ok());
}

#[test]
fn a_deep_deployment_is_an_error() {
    for deep in [
        format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)),
        format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33)),
    ] {
        for (part, json) in [
            (
                "litellm_params",
                format!(r#"{{"model_name": "a", "litellm_params": {{"model": "m", "x": {deep}}}}}"#),
            ),
            (
                "model_info",
                format!(
                    r#"{{"model_name": "a", "litellm_params": {{"model": "m"}}, "model_info": {{"x": {deep}}}}}"#
                ),
            ),
        ] {
            let error = Deployment::from_json(&json).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot use a: {part}: nested more than 32 deep"));
        }
    }
    let wide = format!("{}1{}", r#"{"a":"#.repeat(30), "}".repeat(30));
    Deployment::from_json(&format!(
        r#"{{"model_name": "a", "litellm_params": {{"model": "m", "x": {wide}}}}}"#
    ))
    .unwrap();
}

#[test]
fn a_listener_that_reloads_is_told_off() {
    let map = map(&edition(60, "1"));
    let (told, heard) = mpsc::channel();
    let handle = map.clone();
    map.on_reload(move |_| {
        let error = handle.reload_from_bytes(edition(60, "9")).unwrap_err();
        told.send(error.to_string()).unwrap();
    });
    // A listener of another map may reload this one.
    let other = CostMap::from_json(edition(60, "1")).unwrap();
    let handle = map.clone();
    other.on_reload(move |_| assert!(handle.reload_from_bytes(edition(60, "2")).is_ok()));
    other.reload_from_bytes(edition(60, "2")).unwrap();
    assert_eq!(other.status().listener_error, None);
    assert_eq!(
        heard.try_iter().collect::<Vec<_>>(),
        ["this thread is in a reload of the map already: a source or a listener cannot reload it"]
    );
    assert_eq!(common::price(&map, "m-0"), "2");
}

#[test]
fn a_serialisation_may_ask_the_map_that_it_is_registered_with() {
    struct Info(CostMap);
    impl serde::Serialize for Info {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            // Each of these calls takes the writers' lock.
            self.0.register_model_json("other", "{}").unwrap();
            let models = self.0.status().failures + u32::try_from(self.0.generations().len()).unwrap();
            json!({"max_input_tokens": models}).serialize(serializer)
        }
    }
    let map = CostMap::empty();
    let handle = map.clone();
    ends(move || {
        handle.register_model("x", Info(handle.clone())).unwrap();
        handle.register_models(json!({"y": Info(handle.clone())})).unwrap_or_default();
        handle.replace_model("z", Info(handle.clone())).unwrap();
    });
    assert_eq!(map.get("x").unwrap().max_input_tokens(), Some(2));
}

#[cfg(unix)]
mod files {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use llm_costmap::source::{Fetched, Validators};
    use llm_costmap::{CostMapBuilder, Source};

    use super::*;

    /// A store with one map, whose version never changes.
    struct Store(String);

    impl Source for Store {
        fn name(&self) -> String {
            "store://prices".to_owned()
        }

        fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
            if previous.etag() == Some("1") {
                return Ok(Fetched::unchanged());
            }
            Ok(Fetched::new(self.0.clone()).validators(Validators::default().with_etag("1")))
        }
    }

    fn builder(folder: &Path) -> CostMapBuilder {
        CostMap::builder().source(Store(edition(60, "2"))).json(edition(60, "1")).cache_dir(folder)
    }

    /// Fills the cache of the store and returns the path of its file.
    fn cache(folder: &Path) -> PathBuf {
        builder(folder).build().unwrap().reload().unwrap();
        let mut files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.next().unwrap()
    }

    fn mkfifo(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// A cache path that is not a regular file is neither waited for nor read without end.
    #[test]
    fn a_cache_that_is_no_file_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let path = cache(home.path());
        fs::remove_file(&path).unwrap();
        for odd in ["fifo", "/dev/zero", "/dev/tty"] {
            match odd {
                "fifo" => mkfifo(&path),
                device => std::os::unix::fs::symlink(device, &path).unwrap(),
            }
            let building = builder(home.path());
            let map = ends(move || building.build().unwrap());
            let error = map.status().cache_error.unwrap();
            assert!(
                error.starts_with(&format!("the cache {} is ignored: ", path.display())),
                "{odd}: {error}"
            );
            assert_eq!(common::price(&map, "m-0"), "1");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_watched_file_that_is_no_file_is_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("map.json");
        fs::write(&path, edition(60, "1")).unwrap();
        let map = CostMap::from_file(&path).unwrap();
        fs::remove_file(&path).unwrap();
        mkfifo(&path);
        let handle = map.clone();
        let error = ends(move || format!("{:#}", handle.reload_if_changed().unwrap_err()));
        assert_eq!(error, format!("cannot read {}: not a file", path.display()));
        let asked = path.clone();
        assert!(ends(move || matches!(CostMap::from_file(asked), Err(Error::Io { .. }))));
    }

    /// A cache that another user may have written is not trusted.
    #[test]
    fn a_cache_that_others_may_write_is_passed_over() {
        let home = tempfile::tempdir().unwrap();
        let path = cache(home.path());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(common::price(&builder(home.path()).build().unwrap(), "m-0"), "2");
        for (mode, is_believed) in [(0o644, true), (0o664, false), (0o646, false), (0o400, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let map = builder(home.path()).build().unwrap();
            let said = (!is_believed).then(|| {
                format!("the cache {} is ignored: others than its owner may write to it", path.display())
            });
            assert_eq!(map.status().cache_error, said, "{mode:o}");
            assert_eq!(common::price(&map, "m-0"), if is_believed { "2" } else { "1" }, "{mode:o}");
        }
        // Only root may give a file to another user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if Command::new("chown").arg("12345").arg(&path).status().is_ok_and(|status| status.success()) {
            let error = builder(home.path()).build().unwrap().status().cache_error.unwrap();
            assert!(error.ends_with("is ignored: it belongs to another user"), "{error}");
        }
    }

    /// A planted cache with the version of the live map and other prices does not outlive the first
    /// reload, which fetches the whole map. The guards check a cache before it is used.
    #[test]
    fn a_planted_cache_does_not_outlive_a_reload() {
        let home = tempfile::tempdir().unwrap();
        let path = cache(home.path());
        let planted = fs::read_to_string(&path)
            .unwrap()
            .replace("\"input_cost_per_token\": 2", "\"input_cost_per_token\": 7");
        // The revision in the header is replaced by that of the planted map.
        let body = planted.split_once('\n').unwrap().1;
        let revision = CostMap::from_json(body).unwrap().generation(1).unwrap().source_revision.unwrap();
        let before = planted
            .split("\"source_revision\":\"")
            .nth(1)
            .and_then(|rest| rest.get(..40))
            .unwrap()
            .to_owned();
        fs::write(&path, planted.replace(&before, &revision)).unwrap();

        let map = builder(home.path()).build().unwrap();
        assert_eq!(
            (common::price(&map, "m-0").as_str(), map.source_info().etag.as_deref()),
            ("7", Some("1"))
        );
        assert!(!map.reload().unwrap().is_unchanged());
        assert_eq!(common::price(&map, "m-0"), "2");
        // From then on the version is trusted.
        assert_eq!(map.reload().unwrap().bytes, 0);

        let map = builder(home.path()).min_models(61).build().unwrap();
        assert_eq!(
            map.status().cache_error.as_deref(),
            Some("the cache is ignored: store://prices has 60 models, fewer than 61")
        );
        assert_eq!(common::price(&map, "m-0"), "1");
    }
}

/// A panic whose payload panics again when it is dropped becomes an error.
#[test]
fn a_panic_within_a_panic_ends_as_an_error() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "thrown away");
        }
    }
    struct Exploding;
    impl llm_costmap::Source for Exploding {
        fn name(&self) -> String {
            "exploding".to_owned()
        }
        fn fetch(
            &self,
            _: &llm_costmap::source::Validators,
        ) -> Result<llm_costmap::source::Fetched, Box<dyn std::error::Error + Send + Sync>> {
            std::panic::panic_any(Grenade)
        }
    }
    let map = CostMap::builder().source(Exploding).json(edition(60, "1")).build().unwrap();
    map.on_reload(|_| std::panic::panic_any(Grenade));
    let error = map.reload().unwrap_err();
    assert_eq!(error.to_string(), "cannot fetch exploding: the source panicked: it says not why");
    assert_eq!(map.status().listener_error.as_deref(), Some("a listener panicked: it says not why"));
}

#[test]
fn any_number_of_zeros_is_counted() {
    let digits = format!("0.{}1e1500001", "0".repeat(1_500_000));
    let map = map(&format!(r#"{{"m": {{"input_cost_per_token": {digits}}}}}"#));
    assert_eq!(total_of(&map, "m", &Usage::new(1, 0)), "1");
    let digits = format!("0.{}1e1000000", "0".repeat(1_500_000));
    let map = CostMap::from_json(format!(r#"{{"m": {{"input_cost_per_token": {digits}}}}}"#)).unwrap();
    assert_eq!((map.len(), map.snapshot().set_aside().count()), (0, 1));
}

/// If the operator's fields cannot be laid over a newer map, that model and that deployment stay as
/// they were, and the rest of the map is new.
#[test]
fn what_cannot_be_laid_over_a_newer_map_does_not_keep_it_out() {
    let thresholds = |from: u32, count: u32| {
        let field = |n: u32| format!(r#""input_cost_per_token_above_{n}k_tokens": 1e-6"#);
        (from..from + count).map(field).collect::<Vec<_>>().join(",")
    };
    let map = map(r#"{"m": {"input_cost_per_token": 1e-6}, "n": {"input_cost_per_token": 1e-6}}"#);
    map.register_model_json("m", &format!("{{{}}}", thresholds(1, 10))).unwrap();
    let deployment =
        format!(r#"{{"model_name": "d", "litellm_params": {{"model": "n", {}}}}}"#, thresholds(1, 10));
    map.add_deployment(Deployment::from_json(&deployment).unwrap()).unwrap();
    let newer = format!(
        r#"{{"m": {{"input_cost_per_token": 2e-6, {0}}}, "n": {{"input_cost_per_token": 2e-6, {0}}}, "b": {{"input_cost_per_token": 3e-6}}}}"#,
        thresholds(100, 7)
    );
    let report = map.reload_from_bytes(newer).unwrap();
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "m: it stays as it was, since it cannot be laid over the new map: more than 16 thresholds",
            "d: its deployment stays as it was, since it cannot be laid over the new map: more than 16 thresholds",
        ]
    );
    let usage = Usage::new(1_000, 0);
    assert_eq!(["m", "n", "b"].map(|name| total_of(&map, name, &usage)), ["0.001", "0.002", "0.003"]);
    let deployed = || map.deployment_cost("d", &usage).unwrap().total().to_string();
    assert_eq!(deployed(), "0.001");
    // Other changes leave both as they are. The next map that they can be laid over updates them.
    map.register_model_json("other", "{}").unwrap();
    assert_eq!((total_of(&map, "m", &usage), deployed()), ("0.001".to_owned(), "0.001".to_owned()));
    let report = map
        .reload_from_bytes(r#"{"m": {"input_cost_per_token": 4e-6}, "n": {"input_cost_per_token": 4e-6}}"#)
        .unwrap();
    assert_eq!(report.warnings, []);
    assert_eq!((total_of(&map, "m", &usage), deployed()), ("0.004".to_owned(), "0.004".to_owned()));
    // A new registration that cannot be laid over the map is an error.
    let error = map.register_model_json("m", &format!("{{{}}}", thresholds(200, 7))).unwrap_err();
    assert_eq!(error.to_string(), "cannot register m: more than 16 thresholds");
}

#[test]
fn one_odd_field_hides_nothing_else() {
    for (odd, shown) in [
        ("1e999", "\"1e999\""),
        (r#""\ud800""#, r#""\"\\ud800\"""#),
        (r#"[1, "\ud800"]"#, r#""[1, \"\\ud800\"]""#),
    ] {
        let map =
            map(&format!(r#"{{"gpt-x": {{"input_cost_per_token": 1e-6, "odd": {odd}}}, "gpt-y": {{}}}}"#));
        map.set_deployments(
            Deployment::list_from_json(
                r#"[{"model_name": "a", "litellm_params": {"model": "gpt-x"}}, {"model_name": "b", "litellm_params": {"model": "gpt-y"}}]"#,
            )
            .unwrap(),
        )
        .unwrap();
        let text = serde_json::to_string(&map.snapshot().model_info()).unwrap();
        assert!(text.contains(&format!("\"odd\":{shown}")), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["data"].as_array().map(Vec::len), Some(2));
    }
}

// Secrets.

const MARK: &str = "aaaaSECRETSECRETbbbb";

fn shown(params: &serde_json::Value, info: &serde_json::Value) -> String {
    let json = json!({"model_name": "a", "litellm_params": params, "model_info": info}).to_string();
    format!("{:?}", Deployment::from_json(&json).unwrap())
}

#[test]
fn secrets_are_known_however_their_names_are_written() {
    for name in [
        "apikey",
        "apiKey",
        "API-Key",
        "accessToken",
        "clientSecret",
        "privateKey",
        "passwd",
        "bearer",
        "jwt",
        "passphrase",
        "connection_string",
        "connectionString",
        "openai_api_key",
        "private_key",
        "secret_access_key",
        "cookie",
        "Set-Cookie",
    ] {
        for (params, info) in [
            (json!({"model": "m", name: MARK}), json!({})),
            (json!({"model": "m", "extra_headers": {name: MARK}}), json!({})),
            (json!({"model": "m"}), json!({name: MARK})),
            (json!({"model": "m"}), json!({"more": [{name: [MARK]}]})),
            (json!({"model": "m", "api_base": format!("http://h/?{name}={MARK}&v=1")}), json!({})),
        ] {
            let shown = shown(&params, &info);
            assert!(!shown.contains("SECRET"), "{name}: {shown}");
        }
    }
    let shown = shown(
        &json!({"model": "m", "api_base": format!("http://h/a,http://u:{MARK}@h")}),
        &json!({"headers": {"x-api-key": MARK}, "my_custom_key": "mine", "url": format!("http://u:12345/{MARK}@h/")}),
    );
    assert!(!shown.contains("SECRET") && shown.contains("\"my_custom_key\":\"mine\""), "{shown}");
}

/// A cache on disk depends on no password and contains none, not even as a hash.
#[test]
#[cfg(feature = "http")]
fn a_cache_does_not_hang_on_a_password() {
    use common::server::{Server, answer};
    let server = Server::new(|_, connection| answer(connection, "200 OK", &[], edition(60, "2").as_bytes()));
    let home = tempfile::tempdir().unwrap();
    for password in ["one", "two"] {
        let url = server.url().replace("://", &format!("://user:{password}@"));
        let map = CostMap::builder()
            .url(format!("{url}?token={password}"))
            .json("{}")
            .cache_dir(home.path())
            .build()
            .unwrap();
        map.reload().unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let header = text.lines().next().unwrap();
    assert!(header.contains("****@") && !header.contains("one") && !header.contains("two"), "{header}");
}

// Slowness.

/// Each change composes only what changed, and each of four hundred changes counts.
#[test]
fn many_changes_one_by_one_all_count() {
    let map = real();
    for n in 0..400 {
        map.register_model(&format!("mine-{n}"), json!({"input_cost_per_token": n})).unwrap();
        let deployment = json!({"model_name": format!("d-{n}"), "litellm_params": {"model": "gpt-4o", "input_cost_per_token": n}});
        map.add_deployment(Deployment::from_json(&deployment.to_string()).unwrap()).unwrap();
    }
    assert!(map.unregister_model("mine-7").unwrap());
    let deployed = |n: usize| map.deployment_cost(&format!("d-{n}"), &Usage::new(1, 0)).unwrap().total();
    let id = map.snapshot().deployments().nth(9).unwrap().id().to_owned();
    assert!(map.remove_deployment(&id).unwrap());
    for n in (0..400).filter(|n| ![7, 9].contains(n)) {
        assert_eq!(total_of(&map, &format!("mine-{n}"), &Usage::new(1, 0)), n.to_string());
        assert_eq!(deployed(n).to_string(), n.to_string());
    }
    assert_eq!(total_of(&map, "mine-7", &Usage::new(1, 0)), "unknown_model");
    // Later registrations go over earlier ones, and a deployment follows the model beneath it.
    map.register_model("mine-399", json!({"output_cost_per_token": 5})).unwrap();
    assert_eq!(total_of(&map, "mine-399", &Usage::new(1, 1)), "404");
    map.register_model("gpt-4o", json!({"output_cost_per_token": 11})).unwrap();
    let both = Usage::new(1, 1);
    let cost = map.deployment_cost("d-399", &both).unwrap();
    assert_eq!(cost.total().to_string(), "410");
    assert!(map.get(Lookup::new("mine-8")).is_some());
}

// Findings of a second look.

/// A price is filled in for every row of a map, however many rows there are. An estimate of the
/// worst case leaves out no row.
#[test]
fn a_price_is_filled_in_for_all_rows_or_the_map_is_refused() {
    let row = |n| {
        format!(
            r#""claude-x-5-{:02}-{n}": {{"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 1e-6}}"#,
            n % 90
        )
    };
    let real: serde_json::Value = serde_json::from_str(&common::catalog("1.109.1")).unwrap();
    let rules = real["fallback_generalizations"]["rules"].as_array().unwrap();
    let heaviest = rules
        .iter()
        .map(|rule| rule["pattern"].as_str().unwrap())
        .max_by_key(|pattern| pattern.len())
        .unwrap();
    let rule = json!({"pattern": format!("claude|{heaviest}"), "model_info": {"cache_read_input_token_cost": 1e-7}, "fill_missing_for_providers": ["anthropic"]});
    let rows: Vec<String> = (0..3_000).map(row).collect();
    let map = map(&format!(r#"{{"fallback_generalizations": {{"rules": [{rule}]}}, {}}}"#, rows.join(",")));
    assert_eq!(map.snapshot().set_aside().count(), 0);
    for n in 0..1_000 {
        map.replace_model(
            &format!("claude-mine-{n}"),
            json!({"litellm_provider": "anthropic", "input_cost_per_token": 1e-6}),
        )
        .unwrap();
    }
    let usage = Usage::new(1_000_000, 0).cached_tokens(1_000_000);
    let keys = map.models();
    assert_eq!(keys.len(), 4_000);
    for key in keys {
        assert_eq!(total_of(&map, &key, &usage), "0.1", "{key}");
    }
}

/// A rule with very many fields is set aside, in time proportional to its length.
#[test]
fn a_rule_without_measure_is_set_aside() {
    let fields: serde_json::Map<String, serde_json::Value> =
        (0..20_000).map(|n| (format!("f{n}"), json!(n))).collect();
    let rule =
        json!({"name": "wide", "pattern": "^m", "model_info": fields, "fill_missing_for_providers": ["y"]});
    let map =
        map(&json!({"fallback_generalizations": {"rules": [rule]}, "m": {"litellm_provider": "y"}})
            .to_string());
    let set_aside: Vec<String> = map.snapshot().set_aside().map(ToString::to_string).collect();
    assert_eq!(set_aside, ["fallback_generalizations: wide: its model_info has more than 1,000 fields"]);
}

/// A wildcard deployment has its own price under every name that it answers to.
#[test]
fn a_wildcard_keeps_its_own_price() {
    let map = map(r#"{"gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1e-6}}"#);
    let usage = Usage::new(1_000, 0);
    let cost = |name: &str| {
        map.deployment_cost(name, &usage)
            .map_or_else(|error| error.to_string(), |cost| cost.total().to_string())
    };
    let deployment = |json: serde_json::Value| Deployment::from_json(&json.to_string()).unwrap();
    map.add_deployment(deployment(json!({"model_name": "w/*", "model_info": {"id": "i"},
        "litellm_params": {"model": "openai/gpt-x", "input_cost_per_token": 9e-6}})))
        .unwrap();
    assert_eq!(["w/anything", "i", "w/*"].map(cost), ["0.009", "0.009", "0.009"]);
    // Prices that cannot be laid over the model are an error. The model's own prices do not replace
    // them.
    let thresholds = |from: u32, count: u32| {
        (from..from + count)
            .map(|n| (format!("input_cost_per_token_above_{n}k_tokens"), json!(1e-6)))
            .collect::<serde_json::Map<_, _>>()
    };
    let mut info = thresholds(1, 10);
    info.insert("input_cost_per_token".to_owned(), json!(1e-6));
    map.register_model("gpt-many", info).unwrap();
    let mut params = thresholds(100, 7);
    params.insert("model".to_owned(), json!("openai/gpt-many"));
    let error = map
        .add_deployment(deployment(json!({"model_name": "v/*", "litellm_params": params.clone()})))
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot use v/*: more than 16 thresholds");
    params.insert("model".to_owned(), json!("openai/*"));
    map.add_deployment(deployment(json!({"model_name": "v/*", "litellm_params": params}))).unwrap();
    assert_eq!(cost("v/gpt-many"), "cannot use v/*: more than 16 thresholds");
}

/// A deployment that cannot be laid over a newer map is kept only as long as needed. Every such
/// deployment is reported, whatever the order of the list, and none is kept beyond the map that it
/// does not fit.
#[test]
fn a_kept_deployment_is_let_go() {
    let thresholds = |from: u32, count: u32| {
        (from..from + count)
            .map(|n| format!(r#""input_cost_per_token_above_{n}k_tokens": 1e-6"#))
            .collect::<Vec<_>>()
            .join(",")
    };
    let map = map(r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}}"#);
    let one = |name: &str| {
        format!(r#"{{"model_name": "{name}", "litellm_params": {{"model": "m", {}}}}}"#, thresholds(1, 10))
    };
    let list = format!("[{},{},{}]", one("d0"), one("d1"), one("d2"));
    let mut list = Deployment::list_from_json(&list).unwrap();
    map.set_deployments(list.clone()).unwrap();
    let newer = format!(r#"{{"m": {{"input_cost_per_token": 2e-6, {}}}, "n": {{}}}}"#, thresholds(100, 7));
    let warnings = |report: &llm_costmap::reload::ReloadReport| {
        report.warnings.iter().map(|warning| warning.model.clone()).collect::<Vec<_>>()
    };
    assert_eq!(warnings(&map.reload_from_bytes(newer).unwrap()), ["d0", "d1", "d2"]);
    list.reverse();
    map.set_deployments(list.clone()).unwrap();
    map.set_deployments(list.split_off(2)).unwrap();
    let usage = Usage::new(1_000, 0);
    assert_eq!(map.deployment_cost("d0", &usage).unwrap().total().to_string(), "0.001");
    // On a map without its model, the deployment has its own prices alone.
    let report = map.reload_from_bytes(r#"{"n": {"input_cost_per_token": 1e-6}}"#).unwrap();
    assert_eq!(warnings(&report), Vec::<String>::new());
    assert!(matches!(map.deployment_cost("d0", &usage), Err(Error::Unpriced(_))));
}

/// An operator's alias resolves as it would in a single catalogue with the same rows, in any case.
#[test]
fn an_alias_of_the_operators_displaces_no_key_in_any_case() {
    let usage = Usage::new(1_000_000, 0);
    for (key, alias) in [("B-Latest", "b-latest"), ("b-latest", "B-Latest")] {
        let over = map(&format!(r#"{{"{key}": {{"input_cost_per_token": 2e-6}}}}"#));
        over.register_model("mine", json!({"aliases": [alias], "input_cost_per_token": 7e-6})).unwrap();
        let one = map(&format!(
            r#"{{"{key}": {{"input_cost_per_token": 2e-6}}, "mine": {{"aliases": ["{alias}"], "input_cost_per_token": 7e-6}}}}"#
        ));
        for name in ["B-LATEST", "b-latest", "B-Latest", "b-LATEST"] {
            assert_eq!(total_of(&over, name, &usage), total_of(&one, name, &usage), "{key} {alias} {name}");
        }
        assert_eq!(total_of(&over, "B-LATEST", &usage), "2");
    }
}

/// A row that was set aside is unknown: neither its provider's rule, nor a shorter name, nor an
/// alias, nor another spelling gives it a price.
#[test]
fn nothing_stands_in_for_a_row_that_was_set_aside() {
    let map = map(
        r#"{"ollama/m": {"litellm_provider": "ollama", "input_cost_per_token": 1.2345678901234567891e-6},
            "gpt-z-2024-08-06": {"litellm_provider": "openai", "input_cost_per_token": -1},
            "gpt-z": {"litellm_provider": "openai", "input_cost_per_token": 1e-6},
            "GPT-Y": {"input_cost_per_token": "x"},
            "gpt-y": {"input_cost_per_token": 2e-6},
            "other": {"input_cost_per_token": 3e-6, "aliases": ["gpt-z-2024-08-06", "another"]}}"#,
    );
    let usage = Usage::new(1_000_000, 0);
    let reasons = [
        (
            "ollama/m",
            "input_cost_per_token: 1.2345678901234567891e-6 is of more than 19 significant digits, which cannot be kept exactly",
        ),
        ("gpt-z-2024-08-06", "input_cost_per_token: -1 is negative"),
        ("openai/gpt-z-2024-08-06", "input_cost_per_token: -1 is negative"),
        ("GPT-Z-2024-08-06", "input_cost_per_token: -1 is negative"),
        ("GPT-Y", "input_cost_per_token: \"x\" is not a number"),
        ("Gpt-y", "input_cost_per_token: \"x\" is not a number"),
    ];
    for (name, reason) in reasons {
        let said = format!(
            "unknown model {name:?}: the map has a row for it that was set aside ({reason}): register it"
        );
        let snapshot = map.snapshot();
        assert_eq!(map.cost(name, &usage).unwrap_err().to_string(), said);
        assert_eq!(map.total(name, &usage).unwrap_err().to_string(), said);
        assert_eq!(map.resolve(name).unwrap_err().to_string(), said);
        let explanation = snapshot.explain(name);
        assert_eq!(explanation.found, None);
        assert!(
            explanation.to_string().ends_with(&format!("was set aside: {reason}\nunknown")),
            "{explanation}"
        );
    }
    for (name, total) in
        [("gpt-z", "1"), ("gpt-z-2024-08-07", "1"), ("gpt-y", "2"), ("another", "3"), ("ollama/n", "0")]
    {
        assert_eq!(total_of(&map, name, &usage), total, "{name}");
    }
    map.register_model("ollama/m", json!({"input_cost_per_token": 4e-6})).unwrap();
    assert_eq!(total_of(&map, "ollama/m", &usage), "4");
}

/// Of a repeated field the last value counts: a null takes back a multiplier, and a good value
/// takes back a bad one.
#[test]
fn the_last_value_of_a_repeated_field_counts() {
    let map = map(r#"{"a": {"input_cost_per_token": 1e-6, "regional_processing_uplift_multiplier_eu": 2,
                  "regional_processing_uplift_multiplier_eu": null},
            "b": {"input_cost_per_token": 1e-6, "regional_endpoint_uplift_multiplier": 2,
                  "regional_endpoint_uplift_multiplier": null},
            "c": {"input_cost_per_token": -1, "input_cost_per_token": 1e-6},
            "d": {"input_cost_per_token": 1e-6, "input_cost_per_token": -1},
            "e": {"input_cost_per_token": 1e-6, "regional_processing_uplift_multiplier_eu": null,
                  "regional_processing_uplift_multiplier_eu": 2}}"#);
    let usage = Usage::new(1_000_000, 0);
    let call = || Call::new(&usage).data_residency("eu").vertex_location("europe-west1");
    for (name, is) in [("a", "1"), ("b", "1"), ("c", "1"), ("e", "2")] {
        assert_eq!(total(&map, name, call()), is, "{name}");
    }
    let set_aside: Vec<String> = map.snapshot().set_aside().map(ToString::to_string).collect();
    assert_eq!(set_aside, ["d: input_cost_per_token: -1 is negative"]);
}

/// A value that not every reader can read is shown as text, even where a later value hides it.
#[test]
fn a_hidden_number_beyond_floats_does_not_break_the_model_info() {
    let map = map(r#"{"m": {"input_cost_per_token": 1e-6, "metadata": {"a": 1e400, "a": 1}}}"#);
    let snapshot = map.snapshot();
    let info = serde_json::to_value(snapshot.get("m").unwrap()).unwrap();
    assert_eq!(info["metadata"], json!(r#"{"a": 1e400, "a": 1}"#), "{info}");
}

/// The product of multipliers is shown exactly, also if it is beyond 19 digits or the range of an
/// amount.
#[test]
fn a_large_product_of_multipliers_is_shown_as_it_is() {
    let map = map(
        r#"{"m": {"input_cost_per_token": 1e-20, "regional_processing_uplift_multiplier_eu": 10000000000,
                  "provider_specific_entry": {"fast": 10000000000.5}}}"#,
    );
    let mut usage = Usage::new(1, 0);
    usage.speed = Some("fast".into());
    let cost = map.cost("m", Call::new(&usage).data_residency("eu")).unwrap();
    let line = cost.lines().next().unwrap();
    assert_eq!(line.multiplier.to_string(), "100000000005000000000");
    assert_eq!(cost.total().to_string(), "1.00000000005");
}

/// An amount that the provider states does not depend on words or counts that a price would.
#[test]
fn a_stated_amount_survives_unknown_words_and_an_overflow() {
    let map = map(
        r#"{"m": {"litellm_provider": "xai", "input_cost_per_token": 1000000, "output_cost_per_token": 1000000}}"#,
    );
    let mut usage = Usage::new(10, 10);
    usage.cost = Some("0.5".parse().unwrap());
    let call = || Call::new(&usage).data_residency("mars").service_tier("unheard-of");
    assert_eq!(map.total("m", call()).unwrap().to_string(), "0.5");
    assert_eq!(total(&map, "m", call()), "0.5");
    let mut usage = Usage::new(u64::MAX, u64::MAX);
    usage.cost = Some("0.5".parse().unwrap());
    let cost = map.cost("m", &usage).unwrap();
    assert_eq!((cost.input().to_string(), cost.output().to_string()), ("0".to_owned(), "0.5".to_owned()));
}

/// A secret that was registered with a model is masked wherever the model is shown, and the fields
/// of the map beside it are not.
#[test]
fn a_registered_secret_is_not_shown() {
    let map = map(r#"{"m": {"input_cost_per_token": 1e-6, "my_token": "of the map"}}"#);
    let info = json!({"output_cost_per_token": 2e-6, "api_key": "sk-SECRET", "note": {"password": "SECRET"}});
    map.register_model("m", info).unwrap();
    let snapshot = map.snapshot();
    let model = snapshot.get("m").unwrap();
    let owned = snapshot.get("m").unwrap().into_owned();
    for model in [&model, &owned] {
        let shown = serde_json::to_value(model).unwrap();
        assert_eq!(shown["api_key"], "*********");
        assert_eq!(shown["note"], json!({"password": "******"}));
        assert_eq!(
            (&shown["my_token"], &shown["output_cost_per_token"]),
            (&json!("of the map"), &json!(2e-6))
        );
        assert!(!format!("{model:?}").contains("SECRET"), "{model:?}");
    }
    map.add_deployment(
        Deployment::from_json(r#"{"model_name": "d", "litellm_params": {"model": "m"}}"#).unwrap(),
    )
    .unwrap();
    let shown = serde_json::to_string(&map.snapshot().model_info()).unwrap();
    assert!(shown.contains("of the map") && !shown.contains("SECRET"), "{shown}");
}
