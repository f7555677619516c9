//! Tests of resolving names to models: against the reference's answers, and with odd, hostile and
//! unknown names.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use common::lookup;
use llm_costmap::lookup::{Candidate, Match, Outcome};
use llm_costmap::{CostMap, Error, Lookup, ModelInfo, Snapshot, Usage, Usd};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A name, and the reference's answer.
#[derive(Deserialize)]
struct Spelling {
    model: String,
    provider: Option<String>,
    expect: Option<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    key: String,
    max_input_tokens: Option<f64>,
    max_output_tokens: Option<f64>,
    mode: Option<String>,
    litellm_provider: Option<String>,
    input_cost_per_token: Option<f64>,
    output_cost_per_token: Option<f64>,
}

fn snapshot(map: &Value) -> Arc<Snapshot> {
    CostMap::from_json(map.to_string()).expect("a map").snapshot()
}

fn real() -> Arc<Snapshot> {
    CostMap::from_json(common::catalog("1.109.1")).expect("a map").snapshot()
}

/// Returns the key that a name leads to and the way in which it was found, or the error's code.
fn found(snapshot: &Snapshot, name: &str, provider: Option<&str>) -> String {
    match snapshot.resolve(lookup(name, provider)) {
        Ok(found) => format!("{}: {}", found.key(), found.found_by()),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn agrees_with_the_reference_on_every_spelling() {
    let snapshot = real();
    let vectors: Vec<Spelling> = common::vectors("resolve");
    assert_eq!(vectors.len(), 12_861);
    let (mut left_over, mut without_entry) = (Vec::new(), 0);
    for Spelling { model, provider, expect } in &vectors {
        // The reference's model info comes from a model's own entry alone. Its prices also cover
        // names without an entry.
        let ours = snapshot.resolve(lookup(model, provider.as_deref())).ok();
        let (known, priced): (Vec<_>, Vec<_>) = ours
            .into_iter()
            .partition(|found| !matches!(found.found_by().matched, Match::StandIn | Match::SelfHosted));
        without_entry += priced.len();
        let ours = known.into_iter().next().map(|found| found.model_info());
        let agrees = match (&ours, expect) {
            (None, None) => true,
            (Some(ours), Some(expect)) => {
                // The reference returns 0 for an unknown price.
                let same = |ours: Option<f64>, theirs: Option<f64>| {
                    let (ours, theirs) = (ours.unwrap_or(0.0), theirs.unwrap_or(0.0));
                    (ours - theirs).abs() <= 1e-9 * theirs.abs()
                };
                let count = |tokens: Option<u64>| tokens.map(|tokens| tokens as f64);
                ours.key() == expect.key
                    && same(count(ours.max_input_tokens()), expect.max_input_tokens)
                    && same(count(ours.max_output_tokens()), expect.max_output_tokens)
                    && ours.mode() == expect.mode
                    && ours.litellm_provider() == expect.litellm_provider
                    && same(ours.input_cost_per_token().map(Usd::as_f64), expect.input_cost_per_token)
                    && same(ours.output_cost_per_token().map(Usd::as_f64), expect.output_cost_per_token)
            }
            _ => false,
        };
        if !agrees {
            left_over.push((model.as_str(), ours.map(|ours| ours.key().to_owned())));
        }
    }
    assert_eq!(without_entry, 244);
    // The reference infers another provider for these names, and so finds no entry that fits.
    let found = |key: &str| Some(key.to_owned());
    assert_eq!(
        left_over,
        [
            ("ai21/jamba-1.5-large@001", found("jamba-1.5-large@001")),
            ("ai21/jamba-mini-1.7", found("jamba-mini-1.7")),
            ("ai21/jamba-mini-1.6", found("jamba-mini-1.6")),
            ("azure/mistral-large-latest", found("azure/mistral-large-latest")),
        ]
    );
}

#[test]
fn says_how_each_form_of_a_name_was_found() {
    let snapshot = real();
    let cases = [
        ("gpt-4o", None, "gpt-4o: the name as given, a key"),
        ("GPT-4o", None, "gpt-4o: the name as given, a key, ignoring case"),
        ("gpt-4o", Some("azure"), "azure/gpt-4o: the name behind its provider, a key"),
        ("openai/gpt-4o", None, "gpt-4o: the name without its provider, a key"),
        ("openai/openai/gpt-4o", None, "gpt-4o: the name without its provider, a key"),
        ("gpt-4o-2099-01-01", Some("openai"), "gpt-4o: the stripped name, a key"),
        ("gpt-4o-2099-01-01", Some("azure"), "azure/gpt-4o: the stripped name behind its provider, a key"),
        ("ft:gpt-4o-2024-08-06:org::id", None, "ft:gpt-4o-2024-08-06: the stripped name, a key"),
        (
            "perplexity/perplexity/sonar",
            Some("perplexity"),
            "perplexity/perplexity/sonar: the name as given, a key",
        ),
        (
            "perplexity/glm-5.2",
            Some("perplexity"),
            "perplexity/perplexity/glm-5.2: the name behind its provider once more, a key",
        ),
        ("gpt-35-turbo", None, "azure/gpt-35-turbo: the name as given, a key, after rewriting an older name"),
        ("azure/gpt-41-mini", None, "gpt-4.1-mini: the name as given, a key, after rewriting an older name"),
        ("us.amazon.nova-lite-v1:0", Some("bedrock"), "us.amazon.nova-lite-v1:0: the name as given, a key"),
        (
            "bedrock/converse/eu.anthropic.claude-opus-4-7",
            None,
            "eu.anthropic.claude-opus-4-7: the name without its provider, a key",
        ),
        ("global.anthropic.claude-v2:1", Some("bedrock"), "anthropic.claude-v2:1: the stripped name, a key"),
        (
            "bedrock/us-west-2/arn:aws:bedrock:us-west-2:1:inference-profile/anthropic.claude-v2:1",
            None,
            "anthropic.claude-v2:1: the name without its provider, a key",
        ),
        (
            "bedrock_mantle/us-east-1/openai.gpt-5.5",
            None,
            "bedrock_mantle/openai.gpt-5.5: the name without its region, a key",
        ),
        (
            "llama-3.1-70b-instruct-maas",
            Some("vertex_ai"),
            "vertex_ai/meta/llama-3.1-70b-instruct-maas: the name behind its provider, a key, after rewriting an older name",
        ),
        (
            "codestral",
            Some("vertex_ai_beta"),
            "vertex_ai/codestral@latest: the name behind its provider, a key, after rewriting an older name",
        ),
        (
            "gemini-2.5-pro-001",
            Some("gemini"),
            "gemini/gemini-2.5-pro: the stripped name behind its provider, a key",
        ),
        ("kimi-k2p5", Some("fireworks_ai"), "fireworks_ai/kimi-k2p5: the name behind its provider, a key"),
        (
            "models/kimi-k2p5",
            Some("fireworks_ai"),
            "fireworks_ai/accounts/fireworks/models/kimi-k2p5: the resource on Fireworks, a key",
        ),
        (
            "claude-newfamily-5-1",
            None,
            "claude-newfamily-5-1: the name as given, described by fallback rules",
        ),
        ("github/gpt-4o", None, "gpt-4o: the name without its provider, a key"),
    ];
    let answers = cases.map(|(name, provider, _)| (name, provider, found(&snapshot, name, provider)));
    assert_eq!(answers, cases.map(|(name, provider, expected)| (name, provider, expected.to_owned())));
}

#[test]
fn a_name_is_never_found_by_a_part_of_it() {
    let snapshot = snapshot(&json!({
        "gpt-5": {"litellm_provider": "openai"}, "gpt-4.1": {"litellm_provider": "openai"},
        "mistral-large": {"litellm_provider": "mistral"}, "mistral/mistral-large": {"litellm_provider": "mistral"},
        "gpt-4o-mini": {"litellm_provider": "openai"}, "claude-sonnet-4-5": {"litellm_provider": "anthropic"},
    }));
    for (name, provider) in [
        ("gpt-5.4-mini", "openai"),
        ("gpt-5.4", "openai"),
        ("gpt-5-mini", "openai"),
        ("gpt-4", "openai"),
        ("gpt-4o", "openai"),
        ("mistral-large-2407", "mistral"),
        ("mistral-large-24-07", "mistral"),
        ("xgpt-5", "openai"),
        ("gpt-5 ", "openai"),
        ("claude-sonnet-4", "anthropic"),
        ("claude-sonnet-4-5-20250929", "anthropic"),
    ] {
        for provider in [None, Some(provider)] {
            assert_eq!(found(&snapshot, name, provider), "unknown_model", "{name} of {provider:?}");
        }
    }
}

#[test]
fn names_of_any_bytes_are_answered() {
    let snapshot = real();
    let long = |part: &str| part.repeat(1_000_000 / part.len());
    let names = [
        "gpt-日本語".to_owned(),
        "e\u{301}\u{301}\u{301}-gpt".to_owned(),
        "gpt\0-4o".to_owned(),
        "../..".to_owned(),
        "/".repeat(10_000),
        "a/".repeat(10_000),
        long("x"),
        long("openai/"),
        long("bedrock/"),
        long("us-east-1/"),
        long("claude-a-"),
        long("gemini-"),
        long("gpt-5-"),
        long("ft:a:"),
        long("-2024-01-01"),
        long("-001"),
        long("K"),
        long("arn:"),
        long("[1m]"),
        long(":0:51k"),
        String::new(),
        ":".to_owned(),
        "ft:".to_owned(),
        "-".to_owned(),
        "arn:".to_owned(),
    ];
    let usage = Usage::new(1, 1);
    for name in &names {
        let shown: String = name.chars().take(20).collect();
        let providers = ["openai", "bedrock", "fireworks_ai", &**name];
        for provider in [None].into_iter().chain(providers.map(Some)) {
            let found = snapshot.resolve(lookup(name, provider)).map(|found| found.key().to_owned());
            assert!(found.is_err() || provider == Some("bedrock"), "{shown} of {provider:?}: {found:?}");
            let cost = snapshot.cost(lookup(name, provider), &usage);
            assert!(cost.is_err() || provider == Some("bedrock"), "{shown}");
            let explained = snapshot.explain(lookup(name, provider)).to_string();
            assert!(explained.len() < 5_000, "{shown}: {}", explained.len());
        }
        let error = snapshot.resolve(name).unwrap_err();
        assert!(error.to_string().len() < 2_000, "{shown}");
    }
    // U+212A, the Kelvin sign, takes three bytes. Its lower case, `k`, takes one.
    assert_eq!(
        found(&snapshot, "gpt-4o-mini-search-preview".replace('k', "\u{212a}").as_str(), None).as_str(),
        "gpt-4o-mini-search-preview: the name as given, a key"
    );
}

#[test]
fn strict_lookups_accept_keys_and_aliases_alone() {
    let snapshot = snapshot(&json!({
        "gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 1, "aliases": ["x"]},
        "azure/gpt-x": {"litellm_provider": "azure"},
        "fallback_generalizations": {"rules": [{"pattern": "gpt", "model_info": {"mode": "chat"}}]},
    }));
    let strict = |name, provider| {
        snapshot.resolve(lookup(name, provider).strict()).map(|found| found.found_by().matched)
    };
    assert_eq!(strict("gpt-x", None).ok(), Some(Match::Key));
    assert_eq!(strict("gpt-x", Some("openai")).ok(), Some(Match::Key));
    assert_eq!(strict("x", None).ok(), Some(Match::Alias));
    assert_eq!(strict("azure/gpt-x", Some("azure")).ok(), Some(Match::Key));
    for (name, provider) in [
        ("GPT-X", None),
        ("openai/gpt-x", None),
        ("gpt-x-2026-01-01", None),
        ("gpt-x", Some("azure")),
        ("gpt-y", None),
    ] {
        assert!(strict(name, provider).is_err(), "{name}");
        assert!(snapshot.resolve(lookup(name, provider)).is_ok(), "{name}");
    }
    let usage = Usage::new(1, 0);
    assert!(snapshot.cost("openai/gpt-x", &usage).is_ok());
    let error = snapshot.cost(Lookup::new("openai/gpt-x").strict(), &usage).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown model \"openai/gpt-x\": did you mean gpt-x, azure/gpt-x? If not, register it"
    );
    assert_eq!(
        snapshot.explain(Lookup::new("gpt-x").provider("azure").strict()).to_string(),
        "gpt-x, of azure, which was asked for\n  gpt-x (the name as given): gpt-x is of openai\nunknown"
    );
}

#[test]
fn an_explanation_lists_what_was_tried_and_why_it_was_passed_over() {
    let snapshot = real();
    assert_eq!(
        snapshot.explain(Lookup::new("gpt-4o-2099-01-01").provider("anthropic")).to_string(),
        "gpt-4o-2099-01-01, of anthropic, which was asked for\n\
         \x20 anthropic/gpt-4o-2099-01-01 (the name behind its provider): no entry\n\
         \x20 gpt-4o-2099-01-01 (the name as given): no entry\n\
         \x20 anthropic/gpt-4o (the stripped name behind its provider): no entry\n\
         \x20 gpt-4o (the stripped name): gpt-4o is of openai\n\
         unknown"
    );
    assert_eq!(
        snapshot.explain("us.anthropic.claude-newfamily-9").to_string(),
        "us.anthropic.claude-newfamily-9, of bedrock, by the rule bedrock-claude-ids\n\
         \x20 us.anthropic.claude-newfamily-9 (the name as given): no entry\n\
         \x20 anthropic.claude-newfamily-9 (the stripped name): no entry\n\
         \x20 us.anthropic.claude-newfamily-9 (the name as given): described by claude-family-baseline, \
         claude-adaptive-thinking, claude-mid-conversation-system, claude-tool-search\n\
         us.anthropic.claude-newfamily-9"
    );
    assert_eq!(
        snapshot.explain("openai/GPT-4O").to_string(),
        "openai/GPT-4O, of openai, with which the name begins\n\
         \x20 openai/GPT-4O (the name as given): no entry\n\
         \x20 GPT-4O (the name without its provider): a key, ignoring case\n\
         gpt-4o"
    );
    // An explanation agrees with the lookup on every spelling.
    for Spelling { model, provider, .. } in common::vectors("resolve") {
        let asked = lookup(&model, provider.as_deref());
        let resolved = snapshot.resolve(asked).ok().map(|found| (found.key().to_owned(), found.found_by()));
        let explained = snapshot.explain(asked);
        assert_eq!(explained.found, resolved, "{model}");
        let is_answer =
            |outcome: &Outcome| !matches!(outcome, Outcome::NoEntry | Outcome::OtherProvider { .. });
        let answers = explained.steps.iter().filter(|step| is_answer(&step.outcome)).count();
        assert_eq!(answers, usize::from(resolved.is_some()), "{model}");
    }
}

#[test]
fn unknown_names_suggest_near_ones() {
    let snapshot = real();
    let near = |name: &str| snapshot.near_names(name).join(" ");
    assert_eq!(near("gpt4o"), "gpt-4o azure/gpt-4o azure/eu/gpt-4o");
    assert_eq!(
        near("claude-sonet-4-5"),
        "claude-sonnet-4-5 azure_ai/claude-sonnet-4-5 snowflake/claude-sonnet-4-5"
    );
    assert_eq!(near("azure/gpt-4o-mni"), "azure/gpt-4o-mini azure/eu/gpt-4o-mini azure/us/gpt-4o-mini");
    assert_eq!(near("nothing-of-the-kind-at-all"), "");
    assert_eq!(near(""), "");
    assert_eq!(near("日本語"), "");
    assert_eq!(near(&"gpt-4o".repeat(1_000)), "");

    let error = snapshot.resolve(Lookup::new("gpt-4o-mni").provider("openai")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown model \"gpt-4o-mni\" of provider \"openai\": did you mean gpt-4o-mini, azure/gpt-4o-mini, \
         azure/eu/gpt-4o-mini? If not, register it"
    );
    let Error::UnknownModel(unknown) = error else { panic!("{error}") };
    assert_eq!(unknown.near_names()[0], "gpt-4o-mini");
    assert_eq!(
        format!("{unknown:?}"),
        r#"UnknownModel { model: "gpt-4o-mni", provider: Some("openai"), .. }"#
    );

    // The suggestions come from the generation that did not know the name, as long as something
    // else keeps it alive. The error does not.
    let map = CostMap::from_json(r#"{"gpt-x": {}}"#).unwrap();
    let asked = map.snapshot();
    let error = asked.resolve("gpt-y").unwrap_err();
    map.reload_from_bytes(r#"{"gpt-yy": {}}"#).unwrap();
    assert_eq!(error.to_string(), "unknown model \"gpt-y\": did you mean gpt-x? If not, register it");
    let weak = Arc::downgrade(&asked);
    drop((map, asked));
    assert!(weak.upgrade().is_none());
    assert_eq!(error.to_string(), "unknown model \"gpt-y\": register it, or check the name");
}

#[test]
fn a_rule_routes_a_bare_name_to_its_provider() {
    let snapshot = snapshot(&json!({
        "p/new-1": {"litellm_provider": "p", "input_cost_per_token": 1e-6},
        "new-2": {"litellm_provider": "q"},
        "fallback_generalizations": {"rules": [
            {"name": "first", "pattern": "^new-", "model_info": {"litellm_provider": "p"}},
            {"name": "second", "pattern": "^new-1", "model_info": {"litellm_provider": "q"}},
        ]},
    }));
    // An inferred provider is not put in front of the name, but the entry has to be of it.
    assert_eq!(found(&snapshot, "new-1", None), "unknown_model");
    assert_eq!(found(&snapshot, "NEW-2", None), "new-2: the name as given, a key, ignoring case");
    assert_eq!(found(&snapshot, "new-2-2026-01-01", None), "unknown_model");
    assert_eq!(snapshot.explain("new-1").provider_from.as_deref(), Some("by the rule first"));
    assert_eq!(snapshot.explain("q/new-1").provider.as_deref(), Some("q"));
}

#[test]
fn describing_rules_are_laid_one_over_the_other() {
    let map = CostMap::from_json(
        r#"{
            "taken": {"litellm_provider": "other", "mode": "chat"},
            "fallback_generalizations": {"rules": [
                {"name": "all", "pattern": "^(?:p/)?new-", "model_info":
                    {"mode": "chat", "max_input_tokens": 10, "supports_vision": true, "input_cost_per_token": "2e-6"}},
                {"name": "big", "pattern": "NEW-(?!small)", "model_info": {"max_input_tokens": 20, "supports_vision": null}},
                {"name": "taken", "pattern": "taken", "model_info": {"mode": "chat"}}
            ]}
        }"#,
    )
    .unwrap();
    let snapshot = map.snapshot();
    let big = snapshot.resolve(Lookup::new("new-x").provider("p")).unwrap();
    assert_eq!(big.key(), "p/new-x");
    assert_eq!(big.found_by().candidate, Candidate::WithProvider);
    assert_eq!(big.found_by().matched, Match::Described);
    assert_eq!(
        big.model_info().json(),
        r#"{"mode":"chat","max_input_tokens":20,"supports_vision":null,"input_cost_per_token":"2e-6","litellm_provider":"p"}"#
    );
    assert!(!big.model_info().supports("vision"));
    let small = snapshot.get("new-small").unwrap();
    assert_eq!(
        (small.max_input_tokens(), small.supports("vision"), small.litellm_provider()),
        (Some(10), true, None)
    );

    // A rate from a rule counts as a price. A quantity that the rule does not price is an error.
    let cost = snapshot.cost(Lookup::new("new-x").provider("p"), &Usage::new(1_000, 0)).unwrap();
    assert_eq!((cost.key(), cost.total().to_string().as_str()), ("p/new-x", "0.002"));
    assert!(matches!(snapshot.cost("new-x", &Usage::new(0, 1)), Err(Error::Unpriced(_))));

    // A name that is a key of another provider is known, so no rule describes it.
    assert_eq!(found(&snapshot, "taken", Some("p")), "unknown_model");

    // A registered model has the fields that the rules give to its name.
    map.register_model("new-mine", json!({"supports_audio_input": true})).unwrap();
    let mine = map.get("new-mine").unwrap();
    assert_eq!((mine.max_input_tokens(), mine.supports("audio_input")), (Some(20), true));
}

#[test]
fn rules_fill_in_what_entries_leave_out() {
    let snapshot = snapshot(&json!({
        "m-1": {"litellm_provider": "p"},
        "m-2": {"litellm_provider": "p", "mode": "responses", "supports_x": false, "supports_y": null, "input_cost_per_token": 1},
        "m-3": {"litellm_provider": "p", "mode": "embedding"},
        "m-4": {"litellm_provider": "q"},
        "n-5": {"litellm_provider": "p"},
        "fallback_generalizations": {"rules": [
            {"pattern": "^M-", "fill_missing_for_providers": ["p"],
             "model_info": {"supports_x": true, "supports_y": true, "input_cost_per_token": 3, "max_tokens": 1}},
            {"pattern": "^m-", "fill_missing_for_providers": ["o", "p"], "model_info": {"max_tokens": 2}},
            {"pattern": "^m-", "model_info": {"supports_z": true}},
        ]},
    }));
    let info = |key: &str| snapshot.get(key).unwrap();
    assert!(info("m-1").supports("x") && info("m-1").supports("y") && !info("m-1").supports("z"));
    assert!(!info("m-2").supports("x") && !info("m-2").supports("y"));
    assert_eq!((info("m-1").max_tokens(), info("m-2").max_tokens()), (Some(2), Some(2)));
    for without in ["m-3", "m-4", "n-5"] {
        assert_eq!((info(without).max_tokens(), info(without).supports("x")), (None, false), "{without}");
    }
    assert_eq!(info("m-1").json(), r#"{"litellm_provider":"p"}"#);
    for info in [info("m-1"), info("m-1").into_owned()] {
        let shown = serde_json::to_value(info).unwrap();
        assert_eq!(
            (&shown["max_tokens"], &shown["supports_x"], &shown["key"]),
            (&2.into(), &true.into(), &"m-1".into())
        );
    }
    // A rate that is filled in counts as a price.
    let usage = Usage::new(1, 0);
    let total = |model: &str| snapshot.cost(model, &usage).map(|cost| cost.total().to_string());
    assert_eq!(total("m-1").unwrap(), "3");
    assert_eq!(total("m-2").unwrap(), "1");
    assert!(matches!(total("m-3"), Err(Error::Unpriced(_))));
}

#[test]
fn rules_of_the_real_map_fill_its_entries() {
    let snapshot = real();
    // None of these entries states the ability itself.
    for (name, ability) in [("claude-sonnet-4-5", "tool_search"), ("azure/eu/gpt-5-mini", "reasoning")] {
        let model = snapshot.get(name).unwrap_or_else(|| panic!("{name}"));
        assert!(!model.json().contains(ability), "{name}");
        assert!(model.supports(ability), "{name}");
    }
    for (name, ability) in [("claude-sonnet-4-5", "adaptive_thinking"), ("gpt-5-search-api", "reasoning")] {
        assert!(!snapshot.get(name).unwrap().supports(ability), "{name}");
    }
}

#[test]
fn what_is_no_rule_is_set_aside_and_said() {
    let map = json!({
        "m": {},
        "fallback_generalizations": {"rules": [
            {"name": "good", "pattern": "^good", "model_info": {"mode": "chat"}},
            {"name": "open", "pattern": "(", "model_info": {"mode": "chat"}},
            {"name": "huge", "pattern": r"\w{1000}{10}", "model_info": {"mode": "chat"}},
            {"name": "mixed", "pattern": "x", "model_info": {"mode": "chat", "litellm_provider": "p"}},
            {"name": "old", "pattern": "x", "extends": "good", "model_info": {"mode": "chat"}},
            {"name": "patternless", "model_info": {"mode": "chat"}},
            {"pattern": "infoless", "model_info": []},
            {"name": "routeless", "pattern": "x", "model_info": {"litellm_provider": 7}},
            {"name": "fills", "pattern": "x", "fill_missing_for_providers": "p", "model_info": {}},
            {"name": "negative", "pattern": "x", "model_info": {"input_cost_per_token": -1}},
            "no rule",
            {"name": "long", "pattern": "a?".repeat(257), "model_info": {"mode": "chat"}},
        ]},
    });
    let map = CostMap::from_json(map.to_string()).unwrap();
    let said: Vec<String> = map.snapshot().set_aside().map(ToString::to_string).collect();
    let rule = |rest: &str| format!("fallback_generalizations: {rest}");
    assert_eq!(
        said,
        [
            rule("mixed: litellm_provider beside other fields: neither a route nor a description"),
            rule("old: rules that extend others are of an older format"),
            rule("patternless: pattern: missing, or not a string"),
            rule("infoless: it has no model_info, which is an object"),
            rule("routeless: litellm_provider: not a string"),
            rule("fills: fill_missing_for_providers: not a list of providers"),
            rule("negative: input_cost_per_token: -1 is negative"),
            rule("rule 11: pattern: missing, or not a string"),
            rule(
                "open: its pattern does not compile: Parsing error at position 1: Opening parenthesis without closing \
                 parenthesis"
            ),
            rule("huge: its pattern may take too long: fewer or smaller repetitions would do"),
            rule("long: its pattern is longer than 512 bytes"),
        ]
    );
    assert!(map.get("good-1").is_some() && map.get("x").is_none());

    for (rules, reason) in [
        (json!([]), "fallback_generalizations: not an object with a list of rules"),
        (json!({}), "fallback_generalizations: it has no list of rules"),
        (json!({"rules": 1}), "fallback_generalizations: rules: not a list"),
    ] {
        let snapshot = snapshot(&json!({"m": {}, "fallback_generalizations": rules}));
        assert_eq!(snapshot.set_aside().map(ToString::to_string).collect::<Vec<_>>(), [reason]);
        assert!(snapshot.get("m").is_some());
    }
    let report = map.reload_from_bytes(
        json!({"m": {}, "fallback_generalizations": {"rules": [{"name": "open", "pattern": "[", "model_info": {}}]}}).to_string(),
    );
    assert_eq!(report.unwrap().set_aside.len(), 1);
}

#[test]
fn hostile_rules_stall_nothing() {
    let rules = |patterns: &[&str], count: usize| {
        let patterns = patterns.iter().cycle().take(count).enumerate();
        let rules: Vec<Value> = patterns
            .map(|(number, pattern)| json!({"name": number.to_string(), "pattern": pattern, "model_info": {"mode": "chat"}}))
            .collect();
        json!({"m": {}, "fallback_generalizations": {"rules": rules}}).to_string()
    };
    // Each of these patterns would backtrack practically forever.
    let catastrophic = [
        r"^(?!x)((a+)+)+\2z$",
        r"(?=a)((?:a|a)*(?:a|a)*)*z\1$",
        r"(a*)*\1z",
        r"^((?=a)a|aa)+\1z",
        r"(.*)(.*)(.*)(.*)(.*)\1\2\3\4\5z",
    ];
    let map = CostMap::from_json(rules(&catastrophic, 1_000)).unwrap();
    for name in ["a".repeat(200), "ab".repeat(100), format!("{}b", "a".repeat(200)), "a".repeat(100_000)] {
        assert!(map.get(&name).is_none(), "{}", name.len());
    }
    // Patterns too large to keep are refused one by one.
    let map =
        CostMap::from_json(rules(&[r"\w{1000}{10}", "(?:a{100}){100}", r"(?=a)(?:a{1,100}){1,100}"], 1_000))
            .unwrap();
    assert_eq!(map.snapshot().set_aside().count(), 1_000);

    // Patterns of the largest size that is accepted.
    let (choices, maybe) = ("a|".repeat(250) + "(?!b)", "a?".repeat(253) + "(?!b)");
    let map = CostMap::from_json(rules(&[&choices, &maybe, "(?:(?:a?){8}){8}(?!b)"], 1_000)).unwrap();
    assert!(map.get("nothing-of-the-kind").is_some());

    let error = CostMap::from_json(rules(&["x"], 1_001)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text that was handed in is not a model map: fallback_generalizations has 1001 rules, more than 1,000"
    );
    assert!(matches!(error, Error::InvalidMap { .. }));
}

#[test]
fn model_info_shows_what_the_endpoint_always_shows() {
    let map = CostMap::from_json(
        r#"{"m": {"supports_vision": true, "key": "not this", "aliases": ["n"], "mode": "chat", "max_tokens": "4096",
              "input_cost_per_token": 0.25, "tiered_pricing": [{"range": [0, 1]}], "deprecation_date": "2026-12-31",
              "output_vector_size": 3.0, "my_custom_key": null}}"#,
    )
    .unwrap();
    let snapshot = map.snapshot();
    let info = snapshot.get("n").unwrap();
    assert_eq!(
        serde_json::to_string(&info).unwrap(),
        "{\"key\":\"m\",\"max_tokens\":\"4096\",\"max_input_tokens\":null,\"max_output_tokens\":null,\
         \"input_cost_per_token\":0.25,\"input_cost_per_character\":null,\"input_cost_per_token_above_128k_tokens\":null,\
         \"output_cost_per_token\":null,\"output_cost_per_character\":null,\"output_cost_per_token_above_128k_tokens\":null,\
         \"output_cost_per_character_above_128k_tokens\":null,\"output_vector_size\":3.0,\"litellm_provider\":null,\
         \"mode\":\"chat\",\"supports_vision\":true,\"tiered_pricing\":[{\"range\": [0, 1]}],\
         \"deprecation_date\":\"2026-12-31\",\"my_custom_key\":null}"
    );
    assert_eq!((info.max_tokens(), info.output_vector_size()), (Some(4_096), Some(3)));
    assert_eq!(info.deprecation_date().as_deref(), Some("2026-12-31"));
    assert_eq!(info.cache_read_input_token_cost(), None);
}

#[test]
fn models_are_filtered_in_a_line() {
    let snapshot = real();
    let key = |model: &ModelInfo<'_>| model.key().to_owned();
    let anthropic =
        snapshot.models().filter(|model| model.litellm_provider().as_deref() == Some("anthropic"));
    assert!(anthropic.map(|model| key(&model)).any(|key| key == "claude-sonnet-4-5"));
    let roomy = snapshot
        .models()
        .filter(|model| model.max_input_tokens() >= Some(1_000_000) && model.supports("vision"));
    assert!(roomy.count() > 50);
    let cheapest = snapshot
        .models()
        .filter(|model| model.mode().as_deref() == Some("embedding"))
        .filter(|model| model.input_cost_per_token().is_some_and(|rate| !rate.is_zero()))
        .min_by_key(ModelInfo::input_cost_per_token);
    assert!(cheapest.is_some());
    assert_eq!(snapshot.models().count(), snapshot.len());
}
