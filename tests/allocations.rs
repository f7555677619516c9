//! Tests that pricing allocates nothing if the name is a key or was looked up before.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "bundled")]

use llm_costmap::cost::{PriceSet, PriceTerms};
use llm_costmap::{Call, CostMap, Lookup, Usage, Usd};

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
    map.register_model(
        "my-llama",
        serde_json::json!({"input_cost_per_token": 2e-7, "output_cost_per_token": 6e-7}),
    )
    .unwrap();
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
    let call = Call::new(&usage).service_tier("priority").data_residency("eu");
    let calls = [
        ("gpt-4o".into(), call),
        ("claude-sonnet-4-5".into(), call),
        ("gemini-2.5-pro".into(), call.vertex_location("us-east5")),
        (Lookup::new("gpt-4o").provider("openai"), call),
        ("openai/gpt-4o".into(), call),
        ("GPT-4O".into(), call),
        ("gemini/gemini-2.5-pro".into(), call.batch()),
        ("dashscope/qwen-flash".into(), call),
        ("deepseek/deepseek-v4-pro".into(), call),
        ("tencent/deepseek-v4-pro-0813".into(), call),
        ("fireworks_ai/accounts/fireworks/models/dobby-mini-unhinged-plus-llama-3-1-8b".into(), call),
        (Lookup::new("gpt-4o").provider("azure"), call),
        (Lookup::new("gpt-4o-2099-01-01").provider("openai"), call),
        (Lookup::new("us.anthropic.claude-v2:1[1m]").provider("bedrock"), call),
        (Lookup::new("gemini-2.5-pro-001").provider("gemini"), call),
        ("my-llama".into(), call),
        ("ollama/whatever".into(), call),
    ];
    for (model, call) in &calls {
        // A name that is not a key is looked up once, and then remembered.
        map.cost(*model, call).unwrap_or_else(|error| panic!("{model:?}: {error}"));
        let count = allocations(|| {
            let cost = map.cost(*model, call).unwrap();
            assert!(cost.lines().map(|line| line.amount).max() <= Some(cost.total()));
            std::hint::black_box(cost);
        });
        assert_eq!(count, 0, "{model:?}");
    }
}

/// A tenant's prices are compiled when a model is first priced by them; then, as without them, nothing is
/// allocated.
#[test]
fn a_tenants_terms_allocate_nothing() {
    let map = CostMap::bundled();
    let prices = serde_json::json!({"gpt-4o": {"input_cost_per_token": 2e-6}, "gpt-4o-mini": {"output_cost_per_token": 0}});
    let other = serde_json::json!({"gpt-4o": {"input_cost_per_token": 1}});
    let terms = PriceTerms::new()
        .price_set(PriceSet::new("acme-2026", prices).unwrap())
        .price_set(PriceSet::new("b-side", other).unwrap())
        .multiplier("1.1".parse().unwrap())
        .unwrap();
    let usage = Usage::new(300_000, 5_000).cached_tokens(100_000).reasoning_tokens(1_000);
    let call = Call::new(&usage).terms(&terms);
    for model in ["gpt-4o".into(), Lookup::new("gpt-4o-mini").provider("openai"), "claude-sonnet-4-5".into()]
    {
        let cost = map.cost(model, call).unwrap();
        assert_eq!(
            cost.price_set(),
            Some("acme-2026").filter(|_| cost.key().starts_with("gpt")),
            "{model:?}"
        );
        let mut total = Usd::ZERO;
        let count = allocations(|| {
            total = map.total(model, call).unwrap();
            std::hint::black_box(map.cost(model, call).unwrap());
        });
        assert_eq!((count, total), (0, cost.total()), "{model:?}");
    }
}

#[test]
fn a_total_allocates_nothing_under_any_name() {
    let map = CostMap::bundled();
    let usage = Usage::new(280_000, 9_000).cached_tokens(210_000).reasoning_tokens(3_000);
    let call = Call::new(&usage).service_tier("Priority");
    let names = [
        "gpt-4o".into(),
        Lookup::new("gpt-4o").provider("openai"),
        "GPT-4o".into(),
        Lookup::new("gpt-4o-2031-01-31").provider("openai"),
        "xai/grok-4.5".into(),
        "fireworks_ai/accounts/fireworks/models/dobby-mini-unhinged-plus-llama-3-1-8b".into(),
        "deepseek/deepseek-v4-pro".into(),
    ];
    let snapshot = map.snapshot();
    for name in names {
        // A name that is not a key is looked up once, and then remembered.
        assert!(map.total(name, call).is_ok());
        let count = allocations(|| _ = std::hint::black_box(map.total(name, call)).unwrap());
        assert_eq!(count, 0, "{name:?}");
    }
    let model = snapshot.resolve("gpt-4o").unwrap();
    assert_eq!(allocations(|| _ = std::hint::black_box(model.total(call)).unwrap()), 0);
    assert_eq!(allocations(|| drop(std::hint::black_box(model.cost(call)).unwrap())), 0);
    let kept = map.resolve("gpt-4o").unwrap();
    assert_eq!(allocations(|| _ = std::hint::black_box(kept.total(call)).unwrap()), 0);
    assert_eq!(allocations(|| drop(std::hint::black_box(kept.cost(call)).unwrap())), 0);
}

/// A cost has room for every key of the bundled map, the longest one included.
#[test]
fn every_key_of_the_map_is_carried_without_an_allocation() {
    let map = CostMap::bundled();
    let usage = Usage::new(1, 1);
    let keys = map.models();
    let mut priced = 0;
    for key in &keys {
        let mut is_priced = false;
        let count = allocations(|| is_priced = std::hint::black_box(map.cost(key, &usage)).is_ok());
        // A bill without a price is a box: the bill itself.
        assert_eq!(count, u64::from(!is_priced), "{key}");
        priced += usize::from(is_priced);
    }
    assert_eq!((keys.len(), priced), (4_551, 3_714));
}

/// A key allocates nothing, even on its first lookup. Another name allocates only what is
/// remembered of it: an entry with the name and the provider, and once per snapshot the table of
/// such entries.
#[test]
fn a_name_that_is_new_allocates_what_is_remembered_of_it() {
    let map = CostMap::bundled();
    let usage = Usage::new(1, 1);
    let of = |name: Lookup<'_>, usage| allocations(|| drop(std::hint::black_box(map.total(name, usage))));
    // The first read of a snapshot on a thread allocates the thread's own slot.
    drop(map.snapshot());
    assert!(of("gpt-4o-mini".into(), &usage) <= 1);
    assert_eq!(of("gpt-4o".into(), &usage), 0);
    assert_eq!(of(Lookup::new("gpt-4o").provider("openai"), &usage), 4);
    assert_eq!(of(Lookup::new("gpt-4o-mini").provider("openai"), &usage), 3);
}

/// The error of an unknown name is a box that holds the name and the provider.
#[test]
fn an_unknown_name_allocates_its_error() {
    let map = CostMap::bundled();
    let usage = Usage::new(1, 1);
    let request = (Lookup::new("no-such-model").provider("openai"), &usage);
    // The fallback rules are compiled when a name first needs them.
    assert!(map.cost(request.0, request.1).is_err());
    assert_eq!(allocations(|| drop(std::hint::black_box(map.cost(request.0, request.1)))), 3);
}

/// The allocations of reading a response do not depend on its length.
#[test]
fn reading_a_response_allocates_its_names() {
    use llm_costmap::wire::{Response, Stream};

    let body = |text: &str| {
        format!(
            r#"{{"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o", "choices": [{{"message": {{"content": "{text}",
            "tool_calls": [{{"function": {{"name": "f", "arguments": "{text}"}}}}]}}, "finish_reason": "stop"}}],
            "usage": {{"prompt_tokens": 19, "completion_tokens": 10, "prompt_tokens_details": {{"cached_tokens": 5}}}}, "service_tier": "default"}}"#
        )
    };
    let counts = [1, 100, 100_000].map(|words| {
        let body = body(&"a \\\"word\\\" ü\\n".repeat(words));
        allocations(|| drop(std::hint::black_box(Response::read(body.as_bytes())).unwrap()))
    });
    // The id and the model; and each number, if another crate lets serde_json keep all digits.
    assert!(counts == [2; 3] || counts == [5; 3], "{counts:?}");
    // Of a stream, only an event that is cut is kept, in a buffer that is used again.
    let event = format!("data: {}\n\n", body("word").replace('\n', " "));
    let mut stream = Stream::new();
    stream.push(event.as_bytes()).unwrap();
    let (start, end) = event.as_bytes().split_at(100);
    stream.push(start).unwrap();
    stream.push(end).unwrap();
    let kept = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            stream.push(event.as_bytes()).unwrap();
            stream.push(start).unwrap();
            stream.push(end).unwrap();
        }
    });
    assert!(kept.bytes_max <= 32 && kept.bytes_current == 0, "{kept:?}");
}
