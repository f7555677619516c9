//! Tests of properties that hold for any counts, any rates and any amounts.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use bigdecimal::{BigDecimal, RoundingMode};
use llm_costmap::cost::{Component, Line};
use llm_costmap::usage::Counter;
use llm_costmap::wire::{Response, Stream};
use llm_costmap::{Call, CostMap, Error, ImageSize, Lookup, ServiceTier, Units, Usage, Usd};
use proptest::prelude::*;

/// Entries of every shape: thresholds, tiers, ranges, batches, off-peak hours, multipliers.
const SHAPES: &str = r#"{
    "plain": {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5, "cache_read_input_token_cost": 1.25e-6,
        "cache_creation_input_token_cost": 3.75e-6, "cache_creation_input_token_cost_above_1hr": 6e-6},
    "banded": {"input_cost_per_token": 1.25e-6, "output_cost_per_token": 1e-5, "cache_read_input_token_cost": 3.1e-7,
        "input_cost_per_token_above_200k_tokens": 2.5e-6, "output_cost_per_token_above_200k_tokens": 1.5e-5,
        "input_cost_per_token_flex": 6.25e-7, "input_cost_per_token_batches": 6.25e-7,
        "provider_specific_entry": {"us": 1.1, "fast": 6}, "regional_processing_uplift_multiplier_eu": 1.21},
    "ranged": {"output_cost_per_token": 3e-6, "tiered_pricing": [
        {"range": [0, 32000], "input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7},
        {"range": [32000, 128000], "input_cost_per_token": 2e-6, "output_cost_per_token": 9e-6}]},
    "modal": {"input_cost_per_token": 3e-7, "output_cost_per_token": 2.5e-6, "input_cost_per_audio_token": 1e-6,
        "input_cost_per_image_token": 4e-7, "output_cost_per_image_token": 3e-5, "output_cost_per_reasoning_token": 3.5e-6,
        "cache_read_input_audio_token_cost": 1e-7},
    "night": {"input_cost_per_token": 2.8e-7, "output_cost_per_token": 4.2e-7, "off_peak_pricing":
        {"hours_utc": "00:00-00:00", "input_cost_per_token": 1.4e-7, "cache_read_input_token_cost": 3e-9}},
    "images": {"output_cost_per_image_token": 3e-5, "input_cost_per_image_token": 1e-5},
    "unpriced": {"mode": "chat"}
}"#;
const MODELS: [&str; 7] = ["plain", "banded", "ranged", "modal", "night", "images", "unpriced"];

/// Entries that are billed by units, in the ways in which the map bills by them.
const UNIT_SHAPES: &str = r#"{
    "images": {"litellm_provider": "fal_ai", "mode": "image_generation", "output_cost_per_image": 0.04, "output_cost_per_image_2K": 0.1,
        "output_cost_per_pixel": 2.5e-8},
    "pixels": {"mode": "image_generation", "input_cost_per_pixel": 4e-8, "output_cost_per_token": 0.0},
    "painter": {"mode": "image_generation", "input_cost_per_token": 1e-6, "output_cost_per_image_token": 3e-5, "output_cost_per_image": 0.04,
        "regional_endpoint_uplift_multiplier": 1.1},
    "video": {"mode": "video_generation", "output_cost_per_second": 0.4, "output_cost_per_second_4k": 0.6, "input_cost_per_image": 0.01},
    "speech": {"mode": "audio_speech", "input_cost_per_character": 1.5e-5, "output_cost_per_second": 0.00025},
    "whisper": {"mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0},
    "session": {"litellm_provider": "xai", "mode": "realtime", "input_cost_per_second": 0.001333333333333, "input_cost_per_text_message": 0.004},
    "rerank": {"mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "ocr": {"mode": "ocr", "ocr_cost_per_page": 0.004, "ocr_cost_per_page_batches": 0.002, "annotation_cost_per_page": 0.005},
    "search": {"mode": "search", "tiered_pricing": [{"max_results_range": [0, 25], "input_cost_per_query": 0.005},
        {"max_results_range": [26, 100], "input_cost_per_query": 0.025}]},
    "embed": {"mode": "embedding", "input_cost_per_token": 1e-6, "input_cost_per_image": 1e-4, "input_cost_per_audio_per_second": 1e-4,
        "input_cost_per_video_per_second": 7e-4, "input_cost_per_character": 2e-7, "output_cost_per_token": 0},
    "gemini": {"litellm_provider": "gemini", "input_cost_per_token": 3e-7, "output_cost_per_token": 2.5e-6,
        "search_context_cost_per_query": {"search_context_size_medium": 0.014}, "web_search_billing_unit": "per_query"},
    "chat": {"litellm_provider": "openai", "input_cost_per_token": 3e-7, "output_cost_per_token": 2.5e-6,
        "search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_medium": 0.02}},
    "azure": {"litellm_provider": "azure", "input_cost_per_token": 3e-7, "output_cost_per_token": 2.5e-6, "code_interpreter_cost_per_session": 0.03}
}"#;

static UNIT_MAP: LazyLock<CostMap> = LazyLock::new(|| CostMap::from_json(UNIT_SHAPES).expect("a map"));

/// The counts of units that can grow.
const COUNTS: usize = 22;

/// Sets counts by position. Seconds are counted in nanoseconds.
fn units(counts: &[Option<u64>], size: Option<(u32, u32)>, resolution: Option<&str>) -> Units {
    let mut units = Units::new();
    let mut counts = counts.iter().copied();
    let mut next = || counts.next().flatten();
    for count in [
        &mut units.images,
        &mut units.input_images,
        &mut units.input_characters,
        &mut units.output_characters,
        &mut units.search_units,
        &mut units.pages,
        &mut units.annotated_pages,
        &mut units.queries,
        &mut units.text_messages,
        &mut units.web_searches,
        &mut units.page_visits,
        &mut units.maps_requests,
        &mut units.file_searches,
        &mut units.code_interpreter_sessions,
    ] {
        *count = next();
    }
    for seconds in [&mut units.video, &mut units.input_video, &mut units.audio, &mut units.input_audio] {
        *seconds = next().map(Duration::from_nanos);
    }
    for number in [&mut units.credits, &mut units.file_storage, &mut units.vector_store] {
        *number = next().map(Into::into);
    }
    units.computer_use = next().map(|count| [count, count]);
    units.image_size = size.map(|(width, height)| ImageSize::new(width, height));
    units.image_resolution = resolution.map(str::to_owned);
    units.video_resolution = resolution.map(str::to_owned);
    units
}

static MAP: LazyLock<CostMap> = LazyLock::new(|| CostMap::from_json(SHAPES).expect("a map"));

/// Generates counts as they occur, and counts that should never occur.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..500_000u64, 0..=u64::MAX, Just(u64::MAX), Just(200_000), Just(200_001)]
}

fn usage(count: impl Strategy<Value = u64>) -> impl Strategy<Value = Usage> {
    (prop::collection::vec(count, 19), prop::option::of(Just("ephemeral")), any::<bool>()).prop_map(
        |(counts, cache_type, fast)| {
            let mut next = counts.into_iter();
            let mut count = || next.next().unwrap_or(0);
            let mut usage = Usage::new(count(), count());
            let prompt = &mut usage.prompt_tokens_details;
            prompt.cached_tokens = count();
            prompt.cache_type = cache_type.map(str::to_owned);
            prompt.cached_tokens_details.text_tokens = count();
            prompt.cached_tokens_details.audio_tokens = count();
            prompt.cached_tokens_details.image_tokens = count();
            prompt.cache_creation_tokens = count();
            prompt.cache_creation_token_details.ephemeral_5m_input_tokens = count();
            prompt.cache_creation_token_details.ephemeral_30m_input_tokens = count();
            prompt.cache_creation_token_details.ephemeral_1h_input_tokens = count();
            prompt.cache_creation_token_details.ephemeral_12h_input_tokens = count();
            prompt.text_tokens = count();
            prompt.audio_tokens = count();
            prompt.image_tokens = count();
            prompt.video_tokens = count();
            let completion = &mut usage.completion_tokens_details;
            completion.reasoning_tokens = count();
            completion.text_tokens = count();
            completion.audio_tokens = count();
            completion.image_tokens = count();
            usage.speed = fast.then(|| "fast".to_owned());
            usage
        },
    )
}

/// Generates JSON of the names that responses have, in places where they belong and where they do
/// not.
fn body() -> impl Strategy<Value = String> {
    const NAMES: [&str; 40] = [
        "usage",
        "usageMetadata",
        "usage_info",
        "meta",
        "model",
        "id",
        "type",
        "object",
        "error",
        "choices",
        "message",
        "delta",
        "content",
        "output",
        "response",
        "result",
        "results",
        "candidates",
        "groundingMetadata",
        "webSearchQueries",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "input_tokens",
        "output_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "completion_tokens_details",
        "reasoning_tokens",
        "iterations",
        "cache_read_input_tokens",
        "cache_creation",
        "inputTokens",
        "outputTokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "prompt_eval_count",
        "tool_calls",
        "cost",
        "service_tier",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        (0..100_000u64).prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        (-9.0..9.0f64).prop_map(|value| value.to_string()),
        "[a-z_. é\"\\\\]{0,12}".prop_map(|text| serde_json::to_string(&text).expect("JSON")),
    ];
    let value = leaf.prop_recursive(5, 40, 6, |inner| {
        let field = (prop::sample::select(&NAMES[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(field, 0..6).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
            prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(","))),
        ]
    });
    prop::collection::vec((prop::sample::select(&NAMES[..]), value), 0..6).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}

/// Asserts that lines add up to the input, the output and the total of their bill, and that an
/// independent library calculates the same total: the sum of quantity x rate x multiplier.
fn adds_up<'a>(lines: impl Iterator<Item = Line<'a>>, sums: [Usd; 4]) -> Result<(), TestCaseError> {
    let lines: Vec<Line<'_>> = lines.collect();
    let [input, output, tools, total] = sums;
    let of = |is_wanted: fn(Component) -> bool| {
        let side = lines.iter().filter(|line| is_wanted(line.component));
        side.map(|line| line.amount).sum::<Option<Usd>>()
    };
    prop_assert_eq!(of(Component::is_input), Some(input));
    prop_assert_eq!(of(Component::is_tool), Some(tools));
    prop_assert_eq!(of(|component| !component.is_input() && !component.is_tool()), Some(output));
    prop_assert_eq!(input.checked_add(output).and_then(|sum| sum.checked_add(tools)), Some(total));
    let decimal = |text: String| BigDecimal::from_str(&text).expect("digits");
    let products = lines.iter().filter_map(|line| {
        let rate = decimal(line.rate?.to_string());
        let product = decimal(line.quantity.to_string()) * rate * decimal(line.multiplier.to_string());
        Some(product.with_scale_round(28, RoundingMode::HalfEven))
    });
    prop_assert_eq!(big(total), products.sum::<BigDecimal>());
    Ok(())
}

fn big(amount: Usd) -> BigDecimal {
    BigDecimal::from_str(&amount.to_string()).expect("digits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_counts_give_a_bill_that_adds_up_or_an_error(
        usage in usage(count()), model in 0..MODELS.len(), batch: bool, eu: bool, flex: bool,
    ) {
        let mut call = Call::new(&usage);
        if batch {
            call = call.batch();
        }
        if eu {
            call = call.data_residency("eu");
        }
        if flex {
            call = call.service_tier(ServiceTier::Flex);
        }
        match MAP.cost(MODELS[model], call) {
            Ok(cost) => {
                adds_up(cost.lines(), [cost.input(), cost.output(), cost.tools(), cost.total()])?;
                prop_assert!(!cost.lines().any(|line| line.is_unpriced()));
            }
            Err(Error::Unpriced(bill)) => {
                adds_up(bill.lines(), [bill.known_input(), bill.known_output(), bill.known_tools(), bill.known_total()])?;
                prop_assert!(bill.lines().any(|line| line.is_unpriced()));
            }
            Err(error) => prop_assert!(matches!(error, Error::Overflow { .. }), "{}", error),
        }
    }

    /// The lines of a bill in any units sum to its total, and more of a unit never costs less.
    #[test]
    fn more_units_never_cost_less(
        counts in prop::collection::vec(prop::option::of(prop_oneof![99 => 0..500_000u64, 1 => count()]), COUNTS), grown in 0..COUNTS, by in 0..1_000_000_000u64,
        tokens in prop::option::of((0..3_000u64, 0..3_000u64, 0..9u64)), size in prop::option::of((1..9_000u32, 1..9_000u32)),
        resolution in prop::option::of(prop_oneof![Just("2K"), Just("4k"), Just("any")]), is_batch: bool,
        duration in prop::option::of(0..u64::MAX),
    ) {
        let usage = tokens.map(|(prompt, completion, searches)| {
            let mut usage = Usage::new(prompt, completion);
            usage.prompt_tokens_details.web_search_requests = searches;
            usage
        });
        let known = |model: &str, counts: &[Option<u64>]| -> Result<Option<Usd>, TestCaseError> {
            let units = units(counts, size, resolution);
            let mut call = usage.as_ref().map_or(Call::from(&units), |usage| Call::new(usage).units(&units));
            if is_batch {
                call = call.batch();
            }
            if let Some(duration) = duration {
                call = call.duration(Duration::from_nanos(duration));
            }
            match UNIT_MAP.cost(model, call) {
                Ok(cost) => {
                    adds_up(cost.lines(), [cost.input(), cost.output(), cost.tools(), cost.total()])?;
                    prop_assert_eq!(UNIT_MAP.total(model, call).ok(), Some(cost.total()));
                    Ok(Some(cost.total()))
                }
                Err(Error::Unpriced(bill)) => {
                    adds_up(bill.lines(), [bill.known_input(), bill.known_output(), bill.known_tools(), bill.known_total()])?;
                    prop_assert!(bill.lines().any(|line| line.is_unpriced()));
                    Ok(Some(bill.known_total()))
                }
                Err(error) => {
                    prop_assert!(matches!(error, Error::Overflow { .. }), "{}", error);
                    Ok(None)
                }
            }
        };
        let mut more = counts.clone();
        more[grown] = counts[grown].map(|count| count.saturating_add(by));
        for model in UNIT_MAP.models() {
            // What is too large for money is more than what is not.
            match (known(&model, &counts)?, known(&model, &more)?) {
                (Some(less), Some(more)) => prop_assert!(less <= more, "{}: {} {}", model, less, more),
                (None, more) => prop_assert!(more.is_none(), "{}", model),
                (Some(_), None) => {}
            }
        }
    }

    /// What is written under LiteLLM's names is read back as it was, estimates and gaps included.
    #[test]
    fn a_usage_is_read_back_as_it_was(
        usage in usage(count()),
        changes in prop::collection::vec((0..Counter::ALL.len(), any::<bool>(), 0..3u64), 0..9),
        cost in prop::option::of(any::<i64>()),
        geo in prop::option::of(".{0,12}"),
        tier in prop::option::of(".{0,12}"),
    ) {
        let mut usage = usage;
        for (counter, is_estimate, value) in changes {
            let counter = Counter::ALL[counter];
            if is_estimate { usage.set_estimate(counter, value) } else { usage.set(counter, value) }
        }
        usage.cost = cost.map(|cost| Usd::from_str(&format!("{}e-12", cost.unsigned_abs())).expect("an amount"));
        usage.inference_geo = geo;
        usage.service_tier = tier.map(|tier| ServiceTier::from(&tier));
        let json = serde_json::to_string(&usage).expect("JSON");
        let read: Usage = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{json}: {e}"));
        prop_assert_eq!(&read, &usage, "{}", json);
// A buffered value holds amounts as floats, which have fewer digits.
        usage.cost = None;
        let value: serde_json::Value = serde_json::to_value(&usage).expect("JSON");
        prop_assert_eq!(&serde_json::from_value::<Usage>(value).expect("a usage"), &usage, "{}", json);
    }

    /// Arbitrary bytes, and bytes that resemble a response, are read or refused.
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in body(), cut in 0..400usize) {
        for bytes in [&bytes[..], text.as_bytes(), &text.as_bytes()[..cut.min(text.len())]] {
            let _ = Response::read(bytes);
            let mut stream = Stream::new().max_event_bytes(100);
            for piece in bytes.chunks(7) {
                let _ = stream.push(piece);
            }
            let _ = stream.finish();
            let _ = stream.response().map(|response| MAP.cost("plain", &response));
            let _ = MAP.cost("plain", &stream.response_or_estimate(1, 2));
        }
    }

    /// A stream of one event says what a response of the same text does, however the text is cut.
    #[test]
    fn a_response_and_a_stream_agree(text in body(), cut in 0..400usize) {
        let response = Response::read(text.as_bytes());
        let mut event = Stream::new();
        let pushed = event.push_event(text.as_bytes());
        let framed = format!("data: {text}\n\n");
        let mut stream = Stream::new();
        let (start, end) = framed.as_bytes().split_at(cut.min(framed.len()));
        let errors = [stream.push(start), stream.push(end)];
        match response {
            Ok(response) => {
                prop_assert!(pushed.is_ok() && errors.iter().all(Result::is_ok));
                prop_assert_eq!(event.response().ok(), Some(response.clone()));
                prop_assert_eq!(stream.response().ok(), Some(response));
            }
            Err(Error::InvalidResponse { .. }) => {
                prop_assert!(pushed.is_err() || event.response().is_err());
            }
            Err(error) => {
                prop_assert_eq!(event.response().map_err(|error| error.to_string()), Err(error.to_string()));
                prop_assert_eq!(stream.response().map_err(|error| error.to_string()), Err(error.to_string()));
            }
        }
    }

    #[test]
    fn counts_that_happen_never_overflow(usage in usage(0..1_000_000_000_000u64), model in 0..MODELS.len()) {
        let cost = MAP.cost(MODELS[model], &usage);
        prop_assert!(matches!(cost, Ok(_) | Err(Error::Unpriced(_))), "{:?}", cost);
    }

    #[test]
    fn more_tokens_never_cost_less_within_a_band(
        prompt in 0..200_000u64, completion in 0..200_000u64, more in 0..100_000u64, model in 0..5usize,
    ) {
        // The counts stay at or below the first threshold of each shape.
        let (prompt, more) = if MODELS[model] == "ranged" { (prompt % 16_000, more % 16_000) } else { (prompt, more) };
        prop_assume!(prompt + more <= 200_000);
        let total = |prompt, completion| {
            let usage = Usage::new(prompt, completion);
            MAP.cost(MODELS[model], &usage).expect("a price").total()
        };
        prop_assert!(total(prompt + more, completion) >= total(prompt, completion));
        prop_assert!(total(prompt, completion + more) >= total(prompt, completion));
    }

    #[test]
    fn caching_never_costs_more_where_reads_are_cheaper(
        prompt in 1..400_000u64, share in 0..=100u64, model in 0..2usize,
    ) {
        let fresh = Usage::new(prompt, 10);
        let cached = Usage::new(prompt, 10).cached_tokens(prompt * share / 100);
        let total = |usage: &Usage| MAP.cost(MODELS[model], usage).expect("a price").total();
        prop_assert!(total(&cached) <= total(&fresh));
    }

    #[test]
    fn names_of_any_shape_answer(name in ".{0,40}", provider in prop::option::of(".{0,10}")) {
        let usage = Usage::new(1, 1);
        let lookup = Lookup::new(&name);
        let lookup = provider.as_deref().map_or(lookup, |provider| lookup.provider(provider));
        if let Err(error) = MAP.cost(lookup, &usage) {
            prop_assert!(matches!(error, Error::UnknownModel(_)));
        }
    }

    #[test]
    fn money_reads_and_shows_as_an_independent_library_does(
        units in -170_000_000_000_000_000_000_000_000_000_000_000_000i128..=170_000_000_000_000_000_000_000_000_000_000_000_000,
    ) {
        let decimal = BigDecimal::new(units.into(), 28);
        let text = decimal.to_plain_string();
        let usd: Usd = text.parse().expect("within the range");
        prop_assert_eq!(big(usd), decimal.clone());
        prop_assert_eq!(usd.to_string().parse::<Usd>(), Ok(usd));
        prop_assert_eq!(decimal.to_scientific_notation().parse::<Usd>(), Ok(usd));
        for places in [0, 1, 2, 6, 12, 27, 28, 40] {
            let rounded = decimal.with_scale_round(places.min(28).into(), RoundingMode::HalfEven);
            prop_assert_eq!(big(usd.round_dp(places)), rounded);
        }
        let json = serde_json::to_string(&usd).expect("a string");
        prop_assert_eq!(serde_json::from_str::<Usd>(&json).ok(), Some(usd));
    }

    #[test]
    fn money_adds_and_multiplies_as_an_independent_library_does(
        a in -8_500_000_000_000_000_000i64..8_500_000_000_000_000_000, b: i64, count: u64, scale in 0..=18u32,
    ) {
        let read = |units: i64| -> (Usd, BigDecimal) {
            let decimal = BigDecimal::new(units.into(), (10 + scale).into());
            (decimal.to_plain_string().parse().expect("within the range"), decimal)
        };
        let ((a, big_a), (b, big_b)) = (read(a), read(b));
        prop_assert_eq!(a.checked_add(b).map(big), Some(&big_a + &big_b));
        prop_assert_eq!(a.checked_sub(b).map(big), Some(&big_a - &big_b));
        prop_assert_eq!(a.cmp(&b), big_a.cmp(&big_b));
        let product = big_a * BigDecimal::from(count);
        let limit = big(Usd::MAX);
        let fits = product.abs() <= limit;
        prop_assert_eq!(a.checked_mul(count).map(big), fits.then_some(product));
    }

    #[test]
    fn floats_keep_their_shortest_digits(float in -1e9..1e9f64) {
        prop_assume!(float == 0.0 || float.abs() > 1e-9);
        let usd = Usd::from_f64(float).expect("within the range");
        prop_assert_eq!(big(usd), BigDecimal::from_str(&format!("{float:e}")).expect("digits"));
        prop_assert_eq!(usd.as_f64().to_bits(), (float + 0.0).to_bits());
    }
}
