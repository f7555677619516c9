//! Tests of the deliberate differences from LiteLLM, which the README lists.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use llm_costmap::cost::Note;
use llm_costmap::{Call, CostMap, Error, Lookup, Usage};

fn map(json: &str) -> CostMap {
    CostMap::from_json(json).unwrap_or_else(|e| panic!("{e}"))
}

fn lookup<'a>(name: &'a str, provider: Option<&'a str>) -> Lookup<'a> {
    let lookup = Lookup::new(name);
    provider.map_or(lookup, |provider| lookup.provider(provider))
}

fn amounts<'a>(map: &CostMap, model: impl Into<Lookup<'a>>, call: impl Into<Call<'a>>) -> (String, String) {
    let cost = map.cost(model, call).unwrap_or_else(|e| panic!("{e}"));
    (cost.input().to_string(), cost.output().to_string())
}

fn pair(input: &str, output: &str) -> (String, String) {
    (input.to_owned(), output.to_owned())
}

/// A used quantity without a price is an error that holds the rest of the bill. LiteLLM prices it
/// at zero.
#[test]
fn a_used_quantity_without_a_price_is_an_error() {
    let map = map(r#"{"m": {"input_cost_per_token": 1}}"#);
    let usage = Usage::new(2, 3);
    let Err(Error::Unpriced(bill)) = map.cost("m", &usage) else { panic!("a bill without a price") };
    assert_eq!(bill.to_string(), "no price of m is known for output: register one with register_model");
    let lines: Vec<String> = bill.lines().map(|line| line.to_string()).collect();
    assert_eq!(lines, ["2 tokens of input x 1 = 2 (input_cost_per_token)", "3 tokens of output: no price"]);
    assert!(bill.lines().any(|line| line.is_unpriced() && line.quantity.as_u64() == Some(3)));
    assert_eq!((bill.known_total().to_string().as_str(), bill.known_output().is_zero()), ("2", true));
}

/// Searches of a model without a price for them are an error. LiteLLM leaves them out of the tokens'
/// cost.
#[test]
fn searches_without_a_price_are_an_error() {
    let map = map(r#"{"m": {"input_cost_per_token": 1, "output_cost_per_token": 2}}"#);
    let mut usage = Usage::new(2, 3);
    usage.prompt_tokens_details.web_search_requests = 4;
    let Err(Error::Unpriced(bill)) = map.cost("m", &usage) else { panic!("a bill without a price") };
    assert_eq!(bill.to_string(), "no price of m is known for web_search: register one with register_model");
    assert_eq!(bill.known_total().to_string(), "8");
    usage.prompt_tokens_details.web_search_requests = 0;
    assert_eq!(amounts(&map, "m", &usage), pair("2", "6"));
}

/// A name that is a key is priced by its own entry. LiteLLM fails on `jamba-*` without a provider,
/// and prices a twin for some other keys.
#[cfg(feature = "bundled")]
#[test]
fn a_name_that_is_a_key_is_priced_as_itself() {
    let map = CostMap::bundled();
    let usage = Usage::new(1_000_000, 1_000_000);
    let request = ("jamba-1.5-mini", &usage);
    assert_eq!(amounts(&map, request.0, request.1), pair("0.2", "0.4"));
    assert_eq!(map.cost(request.0, request.1).unwrap().key(), "jamba-1.5-mini");
    let request = ("deepseek-chat", &usage);
    assert_eq!(map.cost(request.0, request.1).unwrap().key(), "deepseek-chat");
}

/// Service tiers apply if the entry has them. LiteLLM's calculators for these providers ignore
/// them.
#[test]
fn tiers_count_wherever_the_entry_has_them() {
    for provider in ["fireworks_ai", "xai", "deepseek", "tencent", "perplexity", "dashscope"] {
        let map = map(&format!(
            r#"{{"{provider}/m": {{"litellm_provider": "{provider}", "input_cost_per_token": 1, "input_cost_per_token_priority": 2}}}}"#
        ));
        let (usage, name) = (Usage::new(1, 0), format!("{provider}/m"));
        let request = (&name, Call::new(&usage).service_tier("priority"));
        assert_eq!(amounts(&map, request.0, request.1), pair("2", "0"), "{provider}");
    }
}

/// Cache and threshold rates apply on Perplexity. LiteLLM bills every prompt token of Perplexity at
/// the plain input rate.
#[test]
fn cache_and_threshold_rates_count_on_perplexity() {
    let map = map(
        r#"{"perplexity/m": {"litellm_provider": "perplexity", "input_cost_per_token": 1, "cache_read_input_token_cost": 0.1,
             "input_cost_per_token_above_100_tokens": 2, "citation_cost_per_token": 3,
             "search_context_cost_per_query": {"search_context_size_low": 5, "search_context_size_high": 9}}}"#,
    );
    let mut usage = Usage::new(100, 0).cached_tokens(10);
    let request = ("perplexity/m", &usage);
    assert_eq!(amounts(&map, request.0, request.1), pair("91", "0"));
    usage.prompt_tokens = 101;
    usage.citation_tokens = 2;
    usage.prompt_tokens_details.web_search_requests = 3;
    // Citations are billed by the token, searches at the low price and as output.
    assert_eq!(amounts(&map, "perplexity/m", &usage), pair("189", "15"));
}

/// Geo and speed apply on any provider. LiteLLM applies them on Anthropic and Bedrock only.
#[test]
fn geo_and_speed_count_on_any_provider_and_in_batches() {
    let map = map(
        r#"{"openai/m": {"litellm_provider": "openai", "input_cost_per_token": 2, "provider_specific_entry": {"us": 1.5, "fast": 3}}}"#,
    );
    let mut usage = Usage::new(1, 0);
    usage.inference_geo = Some("us".to_owned());
    usage.speed = Some("fast".to_owned());
    assert_eq!(amounts(&map, "openai/m", &usage), pair("9", "0"));
    assert_eq!(amounts(&map, "openai/m", Call::new(&usage).batch()), pair("4.5", "0"));
}

/// Cached image tokens have a rate of their own. LiteLLM prices them at the plain cache rate.
#[test]
fn cached_images_have_a_rate_of_their_own() {
    let map = map(
        r#"{"m": {"input_cost_per_token": 10, "cache_read_input_token_cost": 1, "cache_read_input_image_token_cost": 2,
             "cache_read_input_audio_token_cost": 3}}"#,
    );
    let mut usage = Usage::new(10, 0).cached_tokens(10);
    usage.prompt_tokens_details.cached_tokens_details.image_tokens = 4;
    usage.prompt_tokens_details.cached_tokens_details.audio_tokens = 3;
    assert_eq!(amounts(&map, "m", &usage), pair("20", "0"));
}

/// An entry without text rates bills the other tokens that it prices. LiteLLM bills nothing for it.
#[test]
fn an_entry_without_text_rates_bills_what_it_carries() {
    let map = map(r#"{"m": {"input_cost_per_audio_token": 2, "output_cost_per_image_token": 5}}"#);
    let mut usage = Usage::new(3, 4);
    usage.prompt_tokens_details.audio_tokens = 3;
    assert_eq!(amounts(&map, "m", &usage), pair("6", "20"));
}

/// Batches apply every rate. LiteLLM's batches drop the price of cache hits without a batch rate,
/// count long writes as short ones, and have no rates for audio and reasoning.
#[test]
fn batches_forget_nothing() {
    let map = map(
        r#"{"rated": {"input_cost_per_token": 4, "output_cost_per_token": 8, "input_cost_per_token_batches": 2,
             "cache_creation_input_token_cost": 5, "cache_creation_input_token_cost_batches": 2.5,
             "cache_creation_input_token_cost_above_1hr": 8, "output_cost_per_reasoning_token": 12,
             "output_cost_per_audio_token": 20},
            "halved": {"input_cost_per_token": 4, "output_cost_per_token": 0, "output_cost_per_image_token": 6,
             "cache_creation_input_token_cost_above_1hr": 8}}"#,
    );
    let mut usage = Usage::new(10, 10)
        .cached_tokens(3)
        .cache_creation_tokens(2)
        .cache_creation_1h_tokens(1)
        .reasoning_tokens(4);
    usage.completion_tokens_details.audio_tokens = 1;
    // Input: 8 tokens as text at 2, a short write at 2.5, a long write at 8, halved as the plain
    // write is. Output: 5 tokens of text at 4, 4 of reasoning at 6, one of audio at 10.
    assert_eq!(amounts(&map, "rated", Call::new(&usage).batch()), pair("22.5", "54"));
    // Input: half of 5 fresh and 3 read tokens at 4, a short write at 4 and a long write at 8.
    // Output: half the rate of image tokens for text.
    assert_eq!(amounts(&map, "halved", Call::new(&usage).batch()), pair("22", "30"));
    // More cached tokens than prompt tokens make no amount negative.
    let odd = Usage::new(1, 0).cached_tokens(5);
    assert_eq!(amounts(&map, "halved", Call::new(&odd).batch()), pair("10", "0"));
}

/// All prompt tokens are billed. LiteLLM bills only the text that the details report.
#[test]
fn all_of_the_prompt_is_billed() {
    let map = map(r#"{"m": {"input_cost_per_token": 1}}"#);
    let mut usage = Usage::new(100, 0);
    usage.prompt_tokens_details.text_tokens = 30;
    assert_eq!(amounts(&map, "m", &usage), pair("100", "0"));
}

/// Amounts are exact. In floating point this one would be 0.30000000000000004.
#[test]
fn money_is_exact() {
    let map = map(r#"{"m": {"input_cost_per_token": 0.1}}"#);
    assert_eq!(amounts(&map, "m", &Usage::new(3, 0)), pair("0.3", "0"));
}

#[test]
fn older_families_are_priced_without_an_entry() {
    let map = map(
        r#"{"together-ai-41.1b-80b": {"litellm_provider": "together_ai", "input_cost_per_token": 9},
            "fireworks-ai-above-16b": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 8},
            "fireworks-ai-56b-to-176b": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 12},
            "databricks/databricks-dbrx-instruct": {"litellm_provider": "databricks", "input_cost_per_token": 7},
            "azure_ai/model_router": {"litellm_provider": "azure_ai", "input_cost_per_token": 0.5, "output_cost_per_token": 0},
            "gpt-x": {"litellm_provider": "openai", "input_cost_per_token": 3}}"#,
    );
    let usage = Usage::new(2, 0);
    for (name, provider, key, input) in [
        ("together_ai/org/some-70b-chat", None, "together-ai-41.1b-80b", "18"),
        ("org/Some-70B-chat", Some("together_ai"), "together-ai-41.1b-80b", "18"),
        ("accounts/fireworks/models/new-32b", Some("fireworks_ai"), "fireworks-ai-above-16b", "16"),
        ("fireworks_ai/new-8x22b", None, "fireworks-ai-56b-to-176b", "24"),
        ("databricks/dbrx-instruct-071224", None, "databricks/databricks-dbrx-instruct", "14"),
        ("azure_ai/model-router/gpt-9", None, "azure_ai/model_router", "1"),
    ] {
        let request = (lookup(name, provider), &usage);
        let cost = map.cost(request.0, request.1).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((cost.key(), cost.input().to_string().as_str()), (key, input), "{name}");
    }
    for unknown in ["together_ai/org/chat", "together_ai/some-500b", "fireworks_ai/nameless", "some-70b"] {
        assert_eq!(map.cost(unknown, &usage).unwrap_err().code(), "unknown_model", "{unknown}");
    }
    // A router adds its fee once to the model that it chose.
    let routed =
        (Lookup::new("gpt-x").provider("azure_ai"), Call::new(&usage).requested_model("model-router"));
    assert_eq!(amounts(&map, routed.0, routed.1), pair("7", "0"));
    let itself = ("azure_ai/model_router", Call::new(&usage).requested_model("azure_ai/model-router"));
    assert_eq!(amounts(&map, itself.0, itself.1), pair("1", "0"));
    // Self-hosted models are free, and the cost notes it.
    let home = map.cost("ollama/anything", &usage).unwrap();
    assert!(home.total().is_zero());
    assert_eq!(home.notes().collect::<Vec<_>>(), [Note::SelfHosted]);
    assert_eq!(home.key(), "ollama/anything");
}

#[test]
fn a_cache_read_at_fireworks_is_half_price_unless_the_entry_says() {
    let map = map(
        r#"{"fireworks_ai/m": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 4, "input_cost_per_token_priority": 8,
             "off_peak_pricing": {"hours_utc": "00:00-12:00", "input_cost_per_token": 3}},
            "fireworks_ai/said": {"litellm_provider": "fireworks_ai", "input_cost_per_token": 4, "cache_read_input_token_cost": 1},
            "m": {"input_cost_per_token": 4}}"#,
    );
    let usage = Usage::new(1, 0).cached_tokens(1);
    let input = |model: Lookup<'_>, call: Call<'_>| {
        let at: jiff::Timestamp = "2026-11-18T18:00:00Z".parse().unwrap();
        amounts(&map, model, call.at(at.into())).0
    };
    assert_eq!(input("fireworks_ai/m".into(), Call::new(&usage)), "2");
    assert_eq!(input("fireworks_ai/m".into(), Call::new(&usage).service_tier("priority")), "2");
    assert_eq!(input("fireworks_ai/said".into(), Call::new(&usage)), "1");
    assert_eq!(input("m".into(), Call::new(&usage)), "4");
    // The rule belongs to Fireworks. A proxy in front of it has no such price.
    assert_eq!(input(lookup("fireworks_ai/m", Some("litellm_proxy")), Call::new(&usage)), "4");
    let morning: jiff::Timestamp = "2026-11-18T06:00:00Z".parse().unwrap();
    let request = ("fireworks_ai/m", Call::new(&usage).at(morning.into()));
    assert_eq!(amounts(&map, request.0, request.1).0, "1.5");
    let line = map.cost(request.0, request.1).unwrap().lines().next().map(|line| line.to_string());
    assert_eq!(
        line.as_deref(),
        Some(
            "1 tokens of cache_read x 1.5 = 1.5 (half of off_peak_pricing.input_cost_per_token, \
             since there is no cache_read_input_token_cost)"
        )
    );
}

#[test]
fn vertex_models_with_a_step_at_128k_bill_each_side_flat() {
    let map = map(
        r#"{"gemini-old": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1, "output_cost_per_token": 3,
             "input_cost_per_token_above_128k_tokens": 2, "output_cost_per_token_above_128k_tokens": 6,
             "cache_read_input_token_cost": 0}}"#,
    );
    let of = |prompt, completion, provider: Option<&str>| {
        let usage = Usage::new(prompt, completion).cached_tokens(prompt);
        let request = (lookup("gemini-old", provider), &usage);
        amounts(&map, request.0, request.1)
    };
    assert_eq!(of(128_000, 128_001, Some("vertex_ai")), pair("128000", "768006"));
    assert_eq!(of(128_001, 128_000, Some("vertex_ai")), pair("256002", "384000"));
    assert_eq!(of(128_001, 1, None), pair("0", "6"));
}

#[test]
fn hits_of_an_explicit_cache_have_a_rate_of_their_own() {
    let map = map(
        r#"{"m": {"input_cost_per_token": 10, "cache_read_input_token_cost": 2, "explicit_cache_read_input_token_cost": 1},
            "tiered": {"input_cost_per_token": 10, "tiered_pricing": [
                {"range": [0, 100], "input_cost_per_token": 8, "explicit_cache_read_input_token_cost": 3},
                {"range": [100, 200], "input_cost_per_token": 9, "cache_read_input_token_cost": 4}]}}"#,
    );
    let mut usage = Usage::new(10, 0).cached_tokens(10);
    assert_eq!(amounts(&map, "m", &usage).0, "20");
    assert_eq!(amounts(&map, "tiered", &usage).0, "80");
    usage.prompt_tokens_details.cache_type = Some("ephemeral".to_owned());
    assert_eq!(amounts(&map, "m", &usage).0, "10");
    assert_eq!(amounts(&map, "tiered", &usage).0, "30");
    usage.prompt_tokens = 110;
    usage.prompt_tokens_details.cached_tokens = 110;
    assert_eq!(amounts(&map, "tiered", &usage).0, "440");
}
