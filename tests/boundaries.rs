//! Tests of the boundaries at which one price ends and the next begins.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime};

use llm_costmap::cost::{CostRecord, Note};
use llm_costmap::{Call, Cost, CostMap, Error, Lookup, ServiceTier, Usage};

fn cost_with(entry: &str, usage: &Usage, set: impl Fn(Call<'_>) -> Call<'_>) -> Cost {
    let map = CostMap::from_json(format!(r#"{{"m": {entry}}}"#)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(map.snapshot().set_aside().next(), None);
    map.cost("m", set(Call::new(usage))).unwrap_or_else(|e| panic!("{e}"))
}

/// Returns the message of the error of a call that lacks prices.
fn unpriced(entry: &str, usage: &Usage) -> String {
    let map = CostMap::from_json(format!(r#"{{"m": {entry}}}"#)).unwrap();
    let error = map.cost("m", usage).unwrap_err();
    assert!(matches!(error, Error::Unpriced(_)), "{error:?}");
    error.to_string()
}

fn cost(entry: &str, usage: &Usage) -> Cost {
    cost_with(entry, usage, |request| request)
}

fn amounts(cost: &Cost) -> (String, String) {
    (cost.input().to_string(), cost.output().to_string())
}

fn pair(input: &str, output: &str) -> (String, String) {
    (input.to_owned(), output.to_owned())
}

fn time(text: &str) -> SystemTime {
    SystemTime::from(text.parse::<jiff::Timestamp>().unwrap_or_else(|e| panic!("{text}: {e}")))
}

#[test]
fn a_threshold_is_crossed_above_its_count_and_moves_every_token() {
    let entry = r#"{"input_cost_per_token": 1, "output_cost_per_token": 10,
        "input_cost_per_token_above_200k_tokens": 2, "output_cost_per_token_above_200k_tokens": 20,
        "input_cost_per_token_above_500_tokens": 1.5, "output_cost_per_token_above_1024k_tokens": 40}"#;
    for (prompt, input, output) in [
        (499, "499", "10"),
        (500, "500", "10"),
        (501, "751.5", "10"),
        (199_999, "299998.5", "10"),
        (200_000, "300000", "10"),
        (200_001, "400002", "20"),
        (1_024_000, "2048000", "20"),
        (1_024_001, "2048002", "40"),
    ] {
        assert_eq!(amounts(&cost(entry, &Usage::new(prompt, 1))), pair(input, output), "{prompt}");
    }
    // The number of completion tokens never selects a threshold.
    assert_eq!(amounts(&cost(entry, &Usage::new(1, 900_000))), pair("1", "9000000"));
}

#[test]
fn at_xai_a_threshold_is_reached_at_its_count() {
    let map = CostMap::from_json(
        r#"{"xai/g": {"litellm_provider": "xai", "input_cost_per_token": 1, "input_cost_per_token_above_200k_tokens": 2,
             "input_cost_per_token_batches": 3, "input_cost_per_token_above_100k_tokens_batches": 4}}"#,
    )
    .unwrap();
    let input = |prompt: u64, set: &dyn Fn(Call<'_>) -> Call<'_>| {
        let usage = Usage::new(prompt, 0);
        map.cost("xai/g", set(Call::new(&usage))).map(|cost| cost.input().to_string()).ok()
    };
    for (prompt, expected) in [(199_999, "199999"), (200_000, "400000"), (200_001, "400002")] {
        assert_eq!(input(prompt, &|request| request).as_deref(), Some(expected));
    }
    for (prompt, expected) in [(99_999, "299997"), (100_000, "400000"), (100_001, "400004")] {
        assert_eq!(input(prompt, &|request| request.batch()).as_deref(), Some(expected));
    }
    // The rule belongs to xAI, not to the entry. A proxy in front of it counts like any other
    // provider.
    let usage = Usage::new(200_000, 0);
    let proxied = map.cost(Lookup::new("xai/g").provider("litellm_proxy"), &usage).unwrap();
    assert_eq!(proxied.input().to_string(), "200000");
}

#[test]
fn cache_rates_follow_thresholds_and_lifetimes() {
    let entry = r#"{"input_cost_per_token": 1, "cache_read_input_token_cost": 0.1, "cache_creation_input_token_cost": 1.25,
        "cache_creation_input_token_cost_above_1hr": 2, "cache_creation_input_token_cost_above_1hr_above_300k_tokens": 4,
        "input_cost_per_token_above_300k_tokens": 2, "cache_read_input_token_cost_above_300k_tokens": 0.2,
        "cache_creation_input_token_cost_above_300k_tokens": 2.5}"#;
    let usage = |prompt| {
        Usage::new(prompt, 0).cached_tokens(1_000).cache_creation_tokens(300).cache_creation_1h_tokens(100)
    };
    // 298,700 fresh + 1,000 read + 200 short writes + 100 long ones.
    assert_eq!(cost(entry, &usage(300_000)).input().to_string(), "299250");
    assert_eq!(cost(entry, &usage(300_001)).input().to_string(), "598502");
}

#[test]
fn a_lifetime_above_a_threshold_counts_in_its_own_tier_only() {
    let entry = r#"{"input_cost_per_token": 1, "cache_creation_input_token_cost_above_1hr": 2,
        "cache_creation_input_token_cost_above_1hr_flex": 1.5,
        "cache_creation_input_token_cost_above_1hr_above_1k_tokens": 4,
        "input_cost_per_token_flex": 0.5}"#;
    let usage = Usage::new(2_000, 0).cache_creation_tokens(2_000).cache_creation_1h_tokens(2_000);
    assert_eq!(cost(entry, &usage).input().to_string(), "8000");
    let flex = cost_with(entry, &usage, |request| request.service_tier("flex"));
    assert_eq!(flex.input().to_string(), "3000");
}

#[test]
fn tiers_fall_back_field_by_field() {
    let entry = r#"{"input_cost_per_token": 1, "output_cost_per_token": 10, "input_cost_per_token_flex": 0.5,
        "output_cost_per_token_priority": 30, "input_cost_per_token_ultrafast": 7, "input_cost_per_token_balanced": 0.75,
        "input_cost_per_audio_token": 3, "input_cost_per_audio_token_flex": 2}"#;
    let usage = Usage::new(1, 1);
    for (tier, input, output) in [
        ("flex", "0.5", "10"),
        ("FLEX", "0.5", "10"),
        ("priority", "1", "30"),
        ("fast", "1", "30"),
        ("ultrafast", "7", "10"),
        ("balanced", "0.75", "10"),
        ("auto", "1", "10"),
        ("default", "1", "10"),
        ("standard", "1", "10"),
    ] {
        let cost = cost_with(entry, &usage, |request| request.service_tier(tier));
        assert_eq!(amounts(&cost), pair(input, output), "{tier}");
        assert_eq!(cost.notes().count(), 0, "{tier}");
    }
    let unknown = cost_with(entry, &usage, |request| request.service_tier("warp"));
    assert_eq!(amounts(&unknown), pair("1", "10"));
    assert_eq!(unknown.notes().map(Note::as_str).collect::<Vec<_>>(), ["unknown_service_tier"]);
    let mut audio = Usage::new(1, 0);
    audio.prompt_tokens_details.audio_tokens = 1;
    assert_eq!(cost_with(entry, &audio, |request| request.service_tier("flex")).input().to_string(), "2");
}

#[test]
fn what_was_served_beats_what_was_asked() {
    let entry = r#"{"input_cost_per_token": 1, "input_cost_per_token_flex": 0.5, "input_cost_per_token_priority": 2}"#;
    let mut usage = Usage::new(1, 0);
    let map = CostMap::from_json(format!(r#"{{"m": {entry}}}"#)).unwrap();
    let input = |usage: &Usage, asked: &str, served: Option<&str>| {
        let mut request = Call::new(usage).service_tier(asked);
        if let Some(served) = served {
            request = request.served_tier(served);
        }
        map.cost("m", request).unwrap().input().to_string()
    };
    assert_eq!(input(&usage, "priority", Some("default")), "1");
    assert_eq!(input(&usage, "flex", Some("priority")), "2");
    assert_eq!(input(&usage, "flex", Some("on_demand")), "0.5");
    usage.service_tier = Some(ServiceTier::Flex);
    assert_eq!(input(&usage, "priority", None), "0.5");
    assert_eq!(input(&usage, "priority", Some("default")), "1");
    assert_eq!(input(&usage, "priority", Some("on_demand")), "0.5");
}

#[test]
fn a_standard_rate_above_a_threshold_displaces_the_tier_and_is_flagged() {
    let entry = r#"{"input_cost_per_token": 1, "input_cost_per_token_flex": 0.5, "input_cost_per_token_above_1k_tokens": 3,
        "input_cost_per_token_above_2k_tokens": 5, "input_cost_per_token_above_2k_tokens_flex": 2.5}"#;
    for (prompt, input, flagged) in [(1_000, "500", false), (1_001, "3003", true), (2_001, "5002.5", false)] {
        let cost = cost_with(entry, &Usage::new(prompt, 0), |request| request.service_tier("flex"));
        assert_eq!(cost.input().to_string(), input);
        let notes: Vec<&str> = cost.notes().map(Note::as_str).collect();
        let expected: &[&str] = if flagged { &["standard_rate_above_threshold"] } else { &[] };
        assert_eq!(notes, expected, "{prompt}");
    }
}

#[test]
fn whole_request_tiers_are_picked_by_range() {
    let entry = r#"{"output_cost_per_token": 9, "input_cost_per_token": 8, "input_cost_per_audio_token": 5, "tiered_pricing": [
        {"range": [100, 1000.0], "input_cost_per_token": 2, "cache_read_input_token_cost": 0.2},
        {"range": [0, 100], "input_cost_per_token": "1", "output_cost_per_token": 3, "output_cost_per_reasoning_token": 4}]}"#;
    let usage = |prompt| Usage::new(prompt, 10).cached_tokens(1).cache_creation_tokens(1).reasoning_tokens(4);
    // Cache reads and writes fall back to the tier's input rate, output to the entry's own rate.
    assert_eq!(amounts(&cost(entry, &usage(100))), pair("100", "34"));
    assert_eq!(amounts(&cost(entry, &usage(101))), pair("200.2", "90"));
    assert_eq!(amounts(&cost(entry, &usage(1_000))), pair("1998.2", "90"));
    // Above the highest range the last tier applies.
    assert_eq!(amounts(&cost(entry, &usage(1_001))), pair("2000.2", "90"));
    let mut audio = Usage::new(50, 0);
    audio.prompt_tokens_details.audio_tokens = 10;
    assert_eq!(cost(entry, &audio).input().to_string(), "90");
    // A tier without an input rate disables the table for its range.
    let no_input =
        r#"{"input_cost_per_token": 8, "tiered_pricing": [{"range": [0, 10], "output_cost_per_token": 1}]}"#;
    assert_eq!(cost(no_input, &Usage::new(5, 0)).input().to_string(), "40");
}

const OFF_PEAK: &str = r#"{"input_cost_per_token": 4, "output_cost_per_token": 8, "cache_creation_input_token_cost": 5,
    "input_cost_per_token_above_100_tokens": 6, "output_cost_per_reasoning_token": 9,
    "off_peak_pricing": {"input_cost_per_token": 2, "output_cost_per_token": "4", "weekday_timezone": "Asia/Shanghai",
        "windows": [{"hours_utc": "16:30-00:30", "weekdays": ["mon"]}]}}"#;

#[test]
fn off_peak_rates_replace_all_others_while_the_window_is_open() {
    let usage = Usage::new(200, 10).cached_tokens(50).cache_creation_tokens(50).reasoning_tokens(2);
    // Sunday 23:30 in UTC is Monday in Shanghai.
    for (at, input, output) in [
        ("2026-11-22T16:29:59Z", "1150", "82"),
        ("2026-11-22T16:30:00Z", "550", "50"),
        ("2026-11-22T23:59:59Z", "550", "50"),
        ("2026-11-23T00:29:59Z", "550", "50"),
        ("2026-11-23T00:30:00Z", "1150", "82"),
        ("2026-11-23T16:30:00Z", "1150", "82"),
    ] {
        let cost = cost_with(OFF_PEAK, &usage, |request| request.at(time(at)));
        assert_eq!(amounts(&cost), pair(input, output), "{at}");
    }
    // Off-peak hours do not apply to batches.
    let batch = cost_with(OFF_PEAK, &Usage::new(10, 0), |r| r.at(time("2026-11-22T16:30:00Z")).batch());
    assert_eq!(batch.input().to_string(), "20");
}

#[test]
#[allow(clippy::redundant_closure_for_method_calls, reason = "a method is for one lifetime only")]
fn a_batch_under_at_and_over_its_tier() {
    let entry = r#"{"input_cost_per_token": 2, "output_cost_per_token": 8, "input_cost_per_token_batches": 1,
        "output_cost_per_token_batches": 4, "input_cost_per_token_above_200k_tokens_batches": 1.5,
        "output_cost_per_token_above_200k_tokens_batches": 6, "input_cost_per_token_above_200k_tokens": 100}"#;
    for (prompt, input, output) in
        [(199_999, "199999", "4"), (200_000, "200000", "4"), (200_001, "300001.5", "6")]
    {
        let cost = cost_with(entry, &Usage::new(prompt, 1), |call| call.batch());
        assert_eq!(amounts(&cost), pair(input, output), "{prompt}");
    }
}

#[test]
fn each_multiplier_applies_alone_and_together() {
    let entry = r#"{"input_cost_per_token": 1, "output_cost_per_token": 10, "regional_processing_uplift_multiplier_eu": 1.1,
        "regional_processing_uplift_multiplier_us": 1.2, "regional_endpoint_uplift_multiplier": 1.5,
        "provider_specific_entry": {"us": 1.1, "fast": 6, "note": "text"}}"#;
    let usage = Usage::new(1, 1);
    let mut served = Usage::new(1, 1);
    served.inference_geo = Some("US".to_owned());
    served.speed = Some("fast".to_owned());
    let mut elsewhere = Usage::new(1, 1);
    elsewhere.inference_geo = Some("not_available".to_owned());
    elsewhere.speed = Some("FAST".to_owned());
    let of =
        |usage: &Usage, set: &dyn Fn(Call<'_>) -> Call<'_>| cost_with(entry, usage, set).total().to_string();
    assert_eq!(of(&usage, &|r| r), "11");
    assert_eq!(of(&usage, &|r| r.data_residency("EU")), "12.1");
    assert_eq!(of(&usage, &|r| r.data_residency("us")), "13.2");
    assert_eq!(of(&usage, &|r| r.vertex_location("europe-west1")), "16.5");
    assert_eq!(of(&usage, &|r| r.vertex_location("Global")), "11");
    assert_eq!(of(&served, &|r| r), "72.6");
    assert_eq!(of(&elsewhere, &|r| r), "11");
    assert_eq!(of(&served, &|r| r.data_residency("eu").vertex_location("us-east5")), "119.79");
    assert_eq!(of(&served, &|r| r.data_residency("eu").batch()), "39.93");
    let unknown = cost_with(entry, &usage, |request| request.data_residency("moon"));
    assert_eq!(unknown.total().to_string(), "11");
    assert_eq!(unknown.notes().map(Note::as_str).collect::<Vec<_>>(), ["unknown_data_residency"]);
}

#[test]
fn seconds_price_what_tokens_do_not() {
    let entry = r#"{"mode": "chat", "cost_per_second": 0.0125, "input_cost_per_second": 7}"#;
    let timed = cost_with(entry, &Usage::new(10, 10), |r| r.duration(Duration::from_millis(1_500)));
    assert_eq!(
        timed.to_string(),
        "m: 0.01875 USD\n  1.5 seconds of duration x 0.0125 = 0.01875 (cost_per_second)"
    );
    assert_eq!(
        unpriced(entry, &Usage::new(10, 10)),
        "m is billed by the second, and the call has no duration: set Call::duration"
    );
    // A rate per second does not apply beside a token rate, or in a mode that is not billed so.
    let priced = r#"{"input_cost_per_token": 1, "cost_per_second": 5}"#;
    assert_eq!(cost(priced, &Usage::new(3, 0)).total().to_string(), "3");
    assert_eq!(
        unpriced(r#"{"mode": "image_generation", "cost_per_second": 5}"#, &Usage::new(3, 0)),
        "no price of m is known for input: register one with register_model"
    );
}

#[test]
fn details_that_overlap_are_billed_once() {
    let entry = r#"{"input_cost_per_token": 1, "cache_read_input_token_cost": 0.1, "input_cost_per_audio_token": 3,
        "input_cost_per_image_token": 2, "cache_read_input_audio_token_cost": 0.5, "output_cost_per_token": 1,
        "output_cost_per_reasoning_token": 4}"#;
    let mut usage = Usage::new(100, 0).cached_tokens(60);
    usage.prompt_tokens_details.audio_tokens = 30;
    usage.prompt_tokens_details.image_tokens = 30;
    // 40 tokens are not cached: 30 of audio, 10 of image.
    assert_eq!(cost(entry, &usage).input().to_string(), "116");
    usage.prompt_tokens_details.cached_tokens_details.audio_tokens = 20;
    // 20 audio tokens were cached, which leaves 10 fresh audio tokens, 30 image tokens and no text.
    assert_eq!(cost(entry, &usage).input().to_string(), "104");

    let mut usage = Usage::new(0, 100).reasoning_tokens(40);
    usage.completion_tokens_details.text_tokens = 100;
    // The text count includes reasoning: 60 tokens of text, 40 of reasoning.
    assert_eq!(cost(entry, &usage).output().to_string(), "220");
    usage.completion_tokens_details.text_tokens = 60;
    assert_eq!(cost(entry, &usage).output().to_string(), "220");
    usage.completion_tokens_details.text_tokens = 0;
    assert_eq!(cost(entry, &usage).output().to_string(), "220");
}

#[test]
fn a_stated_cost_is_the_cost_unless_the_operator_set_prices() {
    let entry =
        r#"{"litellm_provider": "openrouter", "input_cost_per_token": 1, "output_cost_per_token": 3}"#;
    let mut usage = Usage::new(10, 10);
    usage.cost = "0.4".parse().ok();
    let stated = cost(entry, &usage);
    assert_eq!(amounts(&stated), pair("0.1", "0.3"));
    assert_eq!(
        stated.to_string(),
        "m: 0.4 USD\n  10 tokens of input = 0.1 (stated by the provider)\n  \
         10 tokens of output = 0.3 (stated by the provider)\n  \
         note: the total is the amount that the provider states\n  \
         note: the amount that the provider states differs by more than a tenth from the map's rates"
    );
    assert_eq!((stated.stated(), stated.computed()), ("0.4".parse().ok(), "40".parse().ok()));
    // The entry has no rates to split the stated cost by, so all of it is output.
    assert_eq!(amounts(&cost(r#"{"litellm_provider": "openrouter"}"#, &usage)), pair("0", "0.4"));

    let map = CostMap::from_json(format!(r#"{{"m": {entry}}}"#)).unwrap();
    map.register_model("m", serde_json::json!({"max_tokens": 5})).unwrap();
    assert_eq!(map.cost("m", &usage).unwrap().total().to_string(), "0.4");
    map.register_model("m", serde_json::json!({"output_cost_per_token": 2})).unwrap();
    assert_eq!(map.cost("m", &usage).unwrap().total().to_string(), "30");
}

/// A total cannot carry a note, so that it refuses unknown words unless the call accepts them.
#[test]
fn a_total_refuses_words_that_a_cost_notes() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1}}"#).unwrap();
    let usage = Usage::new(3, 0);
    let tier = Call::new(&usage).service_tier("warp");
    let region = Call::new(&usage).data_residency("mars");
    for (call, message) in [
        (
            tier,
            "unknown service tier \"warp\": write auto, standard, flex, balanced, priority or ultrafast, \
             or use Call::accept_unknown to price it as standard",
        ),
        (
            region,
            "unknown data residency \"mars\": write eu or us, or use Call::accept_unknown to price it \
             without an uplift",
        ),
    ] {
        assert_eq!(map.cost("m", call).unwrap().total().to_string(), "3");
        assert_eq!(map.total("m", call).unwrap_err().to_string(), message);
        assert_eq!(map.resolve("m").unwrap().total(call).unwrap_err().to_string(), message);
        assert_eq!(map.total("m", call.accept_unknown()).unwrap().to_string(), "3");
    }
    // A tier that was served takes the place of an unknown one.
    assert_eq!(map.total("m", tier.served_tier(ServiceTier::Standard)).unwrap().to_string(), "3");
}

/// A stored bill reads back as it was: every kind of line, extreme quantities, sources and notes.
#[test]
fn a_bill_that_was_stored_reads_back() {
    let entry = r#"{"litellm_provider": "fireworks_ai", "input_cost_per_token": 3e-28, "output_cost_per_token": 1e-6,
        "input_cost_per_token_priority": 2e-6, "input_cost_per_token_above_200k_tokens": 4e-6,
        "regional_processing_uplift_multiplier_eu": 1.1, "provider_specific_entry": {"us": 1.0000000001},
        "tiered_pricing": [{"range": [0, 9], "input_cost_per_token": 5e-6}]}"#;
    let json =
        format!(r#"{{"fireworks_ai/m": {entry}, "s": {{"mode": "chat", "input_cost_per_second": 0.01}}}}"#);
    let map = CostMap::builder().json(json).trust_stated_costs(["fireworks_ai"]).build().unwrap();
    let mut rich = Usage::new(300_000, 9).cached_tokens(100_001).reasoning_tokens(4);
    rich.inference_geo = Some("us".to_owned());
    let mut stated = rich.clone();
    stated.cost = "0.123456789".parse().ok();
    let huge = Usage::new(3_000_000_000_000_001, 0);
    let calls = [
        ("fireworks_ai/m", Call::new(&rich).service_tier("priority").data_residency("eu")),
        ("fireworks_ai/m", Call::new(&rich).service_tier("warp").batch()),
        ("fireworks_ai/m", Call::new(&stated).data_residency("mars")),
        ("fireworks_ai/m", Call::new(&huge)),
        ("s", Call::new(&rich).duration(Duration::from_nanos(12_345_678_901_234_567_891))),
        ("ollama/any", Call::new(&rich)),
    ];
    let mut lines = 0;
    for (model, call) in calls {
        let (json, record) = match map.cost(model, call) {
            Ok(cost) => (serde_json::to_string(&cost).unwrap(), cost.record()),
            Err(Error::Unpriced(bill)) => (serde_json::to_string(&*bill).unwrap(), bill.record()),
            Err(error) => panic!("{model}: {error}"),
        };
        let read: CostRecord = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{json}: {e}"));
        assert_eq!(read, record, "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::from_value::<CostRecord>(value).unwrap(), record, "{json}");
        lines += record.lines.len();
    }
    assert_eq!(lines, 12);
}
