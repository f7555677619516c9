//! Pricing a model by a name that is a key allocates nothing.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "bundled")]

use llm_costmap::{CostMap, CostRequest, Usage};

fn allocations(f: impl FnOnce()) -> u64 {
    allocation_counter::measure(f).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn pricing_allocates_nothing() {
    let map = CostMap::bundled();
    map.register_model("my-llama", serde_json::json!({"input_cost_per_token": 2e-7})).unwrap();
    let mut usage = Usage::new(300_000, 5_000)
        .cached_tokens(100_000)
        .cache_creation_tokens(50_000)
        .cache_creation_1h_tokens(20_000)
        .reasoning_tokens(1_000);
    usage.prompt_tokens_details.audio_tokens = 10;
    usage.prompt_tokens_details.image_tokens = 20;
    usage.prompt_tokens_details.video_tokens = 30;
    usage.prompt_tokens_details.cached_tokens_details.audio_tokens = 40;
    usage.prompt_tokens_details.cached_tokens_details.image_tokens = 50;
    usage.completion_tokens_details.audio_tokens = 60;
    usage.completion_tokens_details.image_tokens = 70;
    usage.completion_tokens_details.video_tokens = 80;
    usage.inference_geo = Some("us".to_owned());
    let request = |model| CostRequest::new(model, &usage).service_tier("priority").data_residency("eu");
    let names = [
        request("gpt-4o"),
        request("claude-sonnet-4-5"),
        request("gemini-2.5-pro").vertex_location("us-east5"),
        request("gpt-4o").provider("openai"),
        request("openai/gpt-4o"),
        request("GPT-4O"),
        request("gemini/gemini-2.5-pro").batch(true),
        request("dashscope/qwen-flash"),
        request("deepseek/deepseek-v4-pro"),
        request("tencent/deepseek-v4-pro-0813"),
        request("fireworks_ai/accounts/fireworks/models/dobby-mini-unhinged-plus-llama-3-1-8b"),
        request("gpt-4o").provider("azure"),
        request("gpt-4o-2099-01-01").provider("openai"),
        request("us.anthropic.claude-v2:1[1m]").provider("bedrock"),
        request("gemini-2.5-pro-001").provider("gemini"),
        request("my-llama"),
        request("ollama/whatever"),
    ];
    for request in &names {
        // A name that is no key is looked up once, and then remembered.
        assert!(map.cost(request).is_ok());
        let count = allocations(|| {
            let cost = map.cost(request).unwrap();
            assert!(cost.lines().map(|line| line.amount).max() <= Some(cost.total()));
            std::hint::black_box(cost);
        });
        assert_eq!(count, 0, "{request:?}");
    }
}

#[test]
fn a_total_allocates_nothing_under_any_name() {
    let map = CostMap::bundled();
    let usage = Usage::new(280_000, 9_000).cached_tokens(210_000).reasoning_tokens(3_000);
    let request = |model| CostRequest::new(model, &usage).service_tier("Priority");
    let names = [
        request("gpt-4o"),
        request("gpt-4o").provider("openai"),
        request("GPT-4o"),
        request("gpt-4o-2031-01-31").provider("openai"),
        request("xai/grok-4.5"),
        request("fireworks_ai/accounts/fireworks/models/dobby-mini-unhinged-plus-llama-3-1-8b"),
        request("deepseek/deepseek-v4-pro"),
    ];
    let snapshot = map.snapshot();
    for request in &names {
        // A name that is no key is looked up once, and then remembered.
        assert!(map.total(request).is_ok());
        let count = allocations(|| _ = std::hint::black_box(map.total(request)).unwrap());
        assert_eq!(count, 0, "{request:?}");
    }
    let model = snapshot.resolve("gpt-4o").unwrap();
    assert_eq!(allocations(|| _ = std::hint::black_box(model.total(&names[0])).unwrap()), 0);
    assert_eq!(allocations(|| drop(std::hint::black_box(model.cost(&names[0])).unwrap())), 0);
}

/// The longest key of the bundled map has room in a cost.
#[test]
fn every_key_of_the_map_is_carried_without_an_allocation() {
    let map = CostMap::bundled();
    let usage = Usage::new(1, 1);
    let keys = map.models();
    for key in &keys {
        let request = CostRequest::new(key, &usage);
        assert_eq!(allocations(|| drop(std::hint::black_box(map.cost(&request)))), 0, "{key}");
    }
}

/// A key allocates nothing, even when it is asked for the first time; a name that leads to one, only what is remembered of it: the names of
/// the snapshot, and of the model and the provider, once each.
#[test]
fn a_name_that_is_new_allocates_what_is_remembered_of_it() {
    let map = CostMap::bundled();
    let usage = Usage::new(1, 1);
    let of = |request: &CostRequest<'_>| allocations(|| drop(std::hint::black_box(map.total(request))));
    // A thread that reads its first snapshot has a place of its own made for it.
    drop(map.snapshot());
    assert!(of(&CostRequest::new("gpt-4o-mini", &usage)) <= 1);
    assert_eq!(of(&CostRequest::new("gpt-4o", &usage)), 0);
    assert_eq!(of(&CostRequest::new("gpt-4o", &usage).provider("openai")), 4);
    assert_eq!(of(&CostRequest::new("gpt-4o-mini", &usage).provider("openai")), 3);
}

/// The error of an unknown name is a box with the name and the provider in it.
#[test]
fn an_unknown_name_allocates_its_error() {
    let map = CostMap::bundled();
    let usage = Usage::new(1, 1);
    let request = CostRequest::new("no-such-model", &usage).provider("openai");
    // The fallback rules are compiled when a name first needs them.
    assert!(map.cost(&request).is_err());
    assert_eq!(allocations(|| drop(std::hint::black_box(map.cost(&request)))), 3);
}
