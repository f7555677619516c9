//! Tests that real catalogues load whole, and that bad rows of made-up ones are set aside with a
//! reason.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use llm_costmap::{Call, CostMap, Error, Lookup, Snapshot, Usage};

fn map(json: &str) -> std::sync::Arc<Snapshot> {
    CostMap::from_json(json).unwrap_or_else(|e| panic!("{e}")).snapshot()
}

fn total(snapshot: &Snapshot, model: &str, usage: &Usage) -> String {
    snapshot.cost(model, usage).map_or_else(|e| e.to_string(), |c| c.total().to_string())
}

#[test]
fn every_catalogue_of_the_reference_loads_whole() {
    for (version, models) in
        [("1.60.0", 770), ("1.80.0", 1_758), ("1.95.0", 2_977), ("1.108.0", 4_240), ("1.109.1", 4_551)]
    {
        let snapshot = map(&common::catalog(version));
        assert_eq!(snapshot.len(), models, "{version}");
        assert_eq!(snapshot.set_aside().next(), None, "{version}");
        assert_eq!(snapshot.warnings().count(), 0, "{version}");
        assert_eq!(total(&snapshot, "gpt-4o", &Usage::new(1_000_000, 0)), "2.5", "{version}");
    }
}

#[test]
fn fields_that_name_an_unknown_cost_are_listed() {
    let snapshot = map(&common::catalog("1.109.1"));
    let fields: Vec<(&str, usize)> =
        snapshot.unpriced_fields().iter().map(|field| (field.name.as_str(), field.models)).collect();
    assert_eq!(
        fields,
        [
            ("cache_creation_input_audio_token_cost", 24),
            ("cache_creation_input_token_cost_above_272k_tokens_decisions", 1),
            ("cache_creation_input_token_cost_decisions", 1),
            ("cache_read_input_token_cost_above_272k_tokens_decisions", 1),
            ("cache_read_input_token_cost_decisions", 1),
            ("guardrail_cost_per_unit", 1),
            ("input_cost_per_request", 4),
            ("input_cost_per_token_above_272k_tokens_decisions", 1),
            ("input_cost_per_token_cache_hit", 41),
            ("input_cost_per_token_decisions", 1),
            ("input_cost_per_video_per_second_above_15s_interval", 2),
            ("input_cost_per_video_per_second_above_8s_interval", 2),
            ("input_dbu_cost_per_token", 79),
            ("output_cost_per_token_above_272k_tokens_decisions", 1),
            ("output_cost_per_token_decisions", 1),
            ("output_dbu_cost_per_token", 76),
        ]
    );
}

#[test]
fn a_bad_rate_sets_its_row_aside_and_no_other() {
    let snapshot = map(r#"{"good": {"input_cost_per_token": "4e-07"},
            "negative": {"input_cost_per_token": -1e-6},
            "nan": {"output_cost_per_token": "NaN"},
            "infinite": {"cache_read_input_token_cost": 1e999},
            "word": {"input_cost_per_token_above_200k_tokens": "free"},
            "flag": {"output_cost_per_image": true},
            "fine": {"input_cost_per_token": 1.2345678901234567890123456e-6},
            "tier": {"tiered_pricing": [{"range": [0, 10], "input_cost_per_token": -1}]},
            "night": {"off_peak_pricing": {"output_cost_per_token": "cheap"}},
            "geo": {"provider_specific_entry": {"us": -1.1}},
            "region": {"regional_processing_uplift_multiplier_eu": "much"},
            "row": 7}"#);
    assert_eq!(snapshot.len(), 1);
    assert_eq!(total(&snapshot, "good", &Usage::new(10, 0)), "0.000004");
    let set_aside: Vec<String> = snapshot.set_aside().map(ToString::to_string).collect();
    assert_eq!(
        set_aside,
        [
            "negative: input_cost_per_token: -1e-6 is negative",
            "nan: output_cost_per_token: \"NaN\" is not a number",
            "infinite: cache_read_input_token_cost: 1e999 is too large to be a rate",
            "word: input_cost_per_token_above_200k_tokens: \"free\" is not a number",
            "flag: output_cost_per_image: true is not a number",
            "fine: input_cost_per_token: 1.2345678901234567890123456e-6 is of more than 28 decimals, which cannot be kept exactly",
            "tier: tiered_pricing.input_cost_per_token: negative",
            "night: off_peak_pricing.output_cost_per_token: not a number",
            "geo: provider_specific_entry.us: negative",
            "region: regional_processing_uplift_multiplier_eu: \"much\" is not a number",
            "row: not an object of fields",
        ]
    );
}

#[test]
fn absent_is_not_zero() {
    let snapshot = map(r#"{"free": {"input_cost_per_token": 0, "output_cost_per_token": "0.0"},
            "unpriced": {"mode": "chat", "input_cost_per_token": null}}"#);
    let usage = Usage::new(10, 5);
    let free = snapshot.cost("free", &usage).unwrap();
    assert!(free.total().is_zero());
    let error = snapshot.cost("unpriced", &usage).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no price of unpriced is known for input, output: register one with register_model"
    );
    assert!(matches!(error, Error::Unpriced(_)));
    assert_eq!(snapshot.total("unpriced", &usage).unwrap_err().to_string(), error.to_string());
    let error = snapshot.cost(Lookup::new("unknown").provider("openai"), &usage).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown model \"unknown\" of provider \"openai\": register it, or check the name"
    );
    // A usage of zero needs no price.
    let nothing = snapshot.cost("unpriced", &Usage::new(0, 0)).unwrap();
    assert_eq!(nothing.lines().len(), 0);
}

#[test]
fn aliases_answer_and_displace_nothing() {
    let snapshot =
        map(r#"{"first": {"input_cost_per_token": 1e-6, "aliases": ["other", "second", "First-Alias"]},
            "second": {"input_cost_per_token": 2e-6, "aliases": ["other"]}}"#);
    let usage = Usage::new(1, 0);
    assert_eq!(snapshot.len(), 2);
    for (name, expected) in [("other", "0.000001"), ("second", "0.000002"), ("first-alias", "0.000001")] {
        assert_eq!(total(&snapshot, name, &usage), expected, "{name}");
    }
    let info = serde_json::to_value(snapshot.get("other").unwrap()).unwrap();
    assert_eq!((&info["key"], &info["input_cost_per_token"]), (&"first".into(), &1e-6.into()));
    assert_eq!(info.get("aliases"), None);
}

#[test]
fn names_are_found_exactly_then_in_any_case_then_by_provider() {
    let snapshot = map(
        r#"{"gpt-4o": {"litellm_provider": "openai"}, "azure/gpt-4o": {"litellm_provider": "azure"},
            "GPT-4O": {"litellm_provider": "openai"}, "vertex_ai/Gemini": {"litellm_provider": "vertex_ai-language-models"},
            "nested/openai/x": {"litellm_provider": "openai"}}"#,
    );
    let key = |name: &str, provider: Option<&str>| {
        let lookup = provider.map_or(Lookup::new(name), |provider| Lookup::new(name).provider(provider));
        snapshot.resolve(lookup).map_or_else(|e| e.code().to_owned(), |found| found.key().to_owned())
    };
    assert_eq!(key("gpt-4o", None), "gpt-4o");
    assert_eq!(key("GPT-4O", None), "GPT-4O");
    assert_eq!(key("Gpt-4o", None), "GPT-4O");
    assert_eq!(key("gpt-4o", Some("azure")), "azure/gpt-4o");
    assert_eq!(key("azure/gpt-4o", Some("azure")), "azure/gpt-4o");
    assert_eq!(key("openai/gpt-4o", None), "gpt-4o");
    assert_eq!(key("openai/openai/gpt-4o", Some("openai")), "gpt-4o");
    assert_eq!(key("gpt-4o", Some("anthropic")), "unknown_model");
    assert_eq!(key("gemini", Some("vertex_ai_beta")), "vertex_ai/Gemini");
    for absent in ["gpt-4", "gpt", "gpt-4o-mini", "", "/", "openai/", "gpt-日本語", "\0", "../.."] {
        assert_eq!(key(absent, None), "unknown_model", "{absent:?}");
        assert_eq!(key(absent, Some("openai")), "unknown_model", "{absent:?}");
    }
    assert_eq!(key(&"x/".repeat(500_000), None), "unknown_model");
}

#[test]
fn of_a_repeated_name_the_last_row_counts_and_it_is_said() {
    let snapshot = map(
        r#"{"twice": {"input_cost_per_token": 1}, "once": {"input_cost_per_token": 5}, "twice": {"input_cost_per_token": 2}}"#,
    );
    assert_eq!(total(&snapshot, "twice", &Usage::new(1, 0)), "2");
    assert_eq!(snapshot.models().map(|m| m.key().to_owned()).collect::<Vec<_>>(), ["twice", "once"]);
    let warnings: Vec<String> = snapshot.warnings().map(ToString::to_string).collect();
    assert_eq!(warnings, ["twice: named more than once; the last row counts"]);
}

#[test]
fn names_and_fields_may_be_written_with_escapes() {
    let snapshot =
        map(r#"{"gpt\u002d4o": {"input_cost\u005fper_token": "\u0031e-6", "litellm_provider": "open\u0061i",
            "regional_processing_uplift_multiplier_e\u0075": 2}}"#);
    let usage = Usage::new(1, 0);
    let cost =
        snapshot.cost(Lookup::new("gpt-4o").provider("openai"), Call::new(&usage).data_residency("EU"));
    assert_eq!(cost.unwrap().total().to_string(), "0.000002");
}

#[test]
fn model_info_shows_every_field_as_the_map_has_it() {
    let entry = r#"{"zeta":[1,{"deep":null}],"max_tokens":4096.0,"max_input_tokens":"8192",
        "input_cost_per_token":3e-05,"supports_vision":true,"supports_audio_input":false,
        "mode":null,"my_custom_key":"my_custom_value"}"#;
    let snapshot = map(&format!(r#"{{"m": {entry}}}"#));
    let info = snapshot.get("m").unwrap();
    assert_eq!(
        (info.max_tokens(), info.max_input_tokens(), info.max_output_tokens()),
        (Some(4096), Some(8192), None)
    );
    assert_eq!(info.input_cost_per_token(), "0.00003".parse().ok());
    assert!(info.supports("vision") && !info.supports("audio_input") && !info.supports("magic"));
    assert_eq!(info.mode(), None);
    assert_eq!(info.field::<String>("my_custom_key").as_deref(), Some("my_custom_value"));
    assert_eq!(info.json(), entry);
    let shown = serde_json::to_string(&info).unwrap();
    // The fields that are always shown come first. The others follow in the map's order, which a
    // tree of JSON need not keep.
    assert!(shown.starts_with(r#"{"key":"m","max_tokens":4096.0,"max_input_tokens":"8192","#), "{shown}");
    let rest = r#","zeta":[1,{"deep":null}],"supports_vision":true,"supports_audio_input":false,"my_custom_key":"my_custom_value"}"#;
    assert!(shown.ends_with(rest), "{shown}");
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    for (name, expected) in value(entry).as_object().unwrap() {
        assert_eq!(&value(&shown)[name], expected, "{name}");
    }
}

#[test]
fn what_is_no_map_is_refused_with_its_place() {
    let error = |text: &[u8]| CostMap::from_json(text).map(|m| m.len()).map_err(|e| e.to_string());
    let said = |message: &str| Err(format!("the text that was handed in is not a model map: {message}"));
    assert_eq!(error(b"{\"a\": {},\n  \"b\": }"), said("expected value (line 2, column 8)"));
    assert_eq!(error(b"{\"a\": {}"), said("EOF while parsing an object (line 1, column 8)"));
    assert_eq!(error(b"[]"), said("invalid type: sequence, expected an object of models (line 1, column 0)"));
    assert_eq!(error(b"{} {}"), said("trailing characters (line 1, column 4)"));
    assert_eq!(error(b"{\n \"a\xff\": 1}"), said("not UTF-8 text (line 2, column 4)"));
    assert_eq!(error(b"{}"), Ok(0));
    assert_eq!(error(b"\xef\xbb\xbf{\"a\": {}}"), Ok(1));
    let missing = CostMap::from_file("no/such/map.json").unwrap_err();
    assert!(matches!(missing, Error::Io { .. }));
    // The cause is the source of the error, and part of its alternate form.
    assert_eq!(missing.to_string(), "cannot read no/such/map.json");
    let cause = std::error::Error::source(&missing).unwrap().to_string();
    assert_eq!(cause, "No such file or directory (os error 2)");
    assert_eq!(format!("{missing:#}"), format!("{missing}: {cause}"));
}
