//! The forms in which others read a bill, sums of bills, and comparisons.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::usd;
use llm_costmap::accounting::{AttributeValue, ComparedLine, CostSum, PricingSnapshot, UnpricedEvent};
use llm_costmap::cost::{
    Adjustment, Adjustments, Charge, Component, Number, PriceSet, PriceTerms, PricingSource,
};
use llm_costmap::wire::Response;
use llm_costmap::{Call, CostMap, Error, Lookup, ServiceTier, Units, Usage, Usd};
use serde_json::{Value, json};

const MAP: &str = r#"{
    "m": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
        "cache_read_input_token_cost": 1e-7, "cache_creation_input_token_cost": 1.25e-6,
        "cache_creation_input_token_cost_above_1hr": 2e-6, "output_cost_per_reasoning_token": 3e-6,
        "regional_processing_uplift_multiplier_eu": 1.1, "input_cost_per_token_above_200k_tokens": 4e-6,
        "search_context_cost_per_query": {"search_context_size_medium": 0.01}},
    "ocr": {"mode": "ocr", "ocr_cost_per_credit": 0.015},
    "whisper": {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
    "azure_ai/model_router": {"litellm_provider": "azure_ai", "input_cost_per_token": 1.4e-7},
    "azure_ai/x": {"litellm_provider": "azure_ai", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
    "openrouter/o": {"litellm_provider": "openrouter", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}
}"#;

fn map() -> CostMap {
    CostMap::from_json(MAP).unwrap()
}

fn usage() -> Usage {
    Usage::new(10_000, 1_000)
        .cached_tokens(4_000)
        .cache_creation_tokens(2_000)
        .cache_creation_1h_tokens(500)
        .reasoning_tokens(400)
}

fn snapshot(map: &CostMap, lookup: Lookup<'_>, call: Call<'_>) -> Value {
    let cost = map.cost(lookup, call).unwrap();
    let snapshot = PricingSnapshot::new(&cost, lookup, call);
    let json = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<PricingSnapshot>(&json).unwrap(), snapshot);
    serde_json::from_str(&json).unwrap()
}

/// The sum of rate x quantity x multipliers is what the lines of tokens come to.
#[test]
fn a_snapshot_holds_all_that_a_bill_is_made_of() {
    let usage = usage();
    let call = Call::new(&usage).data_residency("EU");
    let snapshot = snapshot(&map(), Lookup::new("m").provider("openai"), call);
    let version = concat!("llm-costmap ", env!("CARGO_PKG_VERSION"));
    let quantity = |measure: &str, value: &str| json!({"measure": measure, "unit": "token", "value": value});
    let rate = |measure: &str, rate: &str| json!({"measure": measure, "unit": "token", "usd_per_unit": rate});
    assert_eq!(
        snapshot,
        json!({
            "schema_version": 1, "calculator_version": version, "model": "m", "provider": "openai",
            "pricing_source": "cost_map", "priced_model_key": "m",
            "multipliers": [{"name": "data_residency", "value": "EU", "factor": "1.1"}],
            "rates": [rate("input", "0.000001"), rate("cache_read", "0.0000001"), rate("cache_write", "0.00000125"),
                rate("cache_write_1h", "0.000002"), rate("output", "0.000002"), rate("reasoning", "0.000003")],
            "usage": [quantity("input", "4000"), quantity("cache_read", "4000"), quantity("cache_write", "1500"),
                quantity("cache_write_1h", "500"), quantity("output", "600"), quantity("reasoning", "400"),
                quantity("prompt_tokens", "10000"), quantity("completion_tokens", "1000"),
                quantity("reasoning_tokens", "400"), quantity("cache_read_input_tokens", "4000"),
                quantity("cache_creation_input_tokens", "2000"),
                quantity("cache_creation_input_tokens_above_1hr", "500")],
            "input_cost": "0.0080025", "output_cost": "0.00264", "cache_read_cost": "0.00044",
            "cache_creation_cost": "0.0031625", "reasoning_cost": "0.00132", "tool_usage_cost": "0",
            "guardrail_cost": null, "additional_costs": [], "original_cost": "0.0106425",
            "discount_percent": "0", "discount_amount": "0", "margin_percent": "0", "margin_fixed_amount": "0",
            "margin_total_amount": "0", "upstream_reported_cost": null, "total_cost": "0.0106425"
        })
    );
}

#[test]
fn a_snapshot_tells_terms_and_charges() {
    let map = map();
    let discount = Adjustment::percentage("0.25".parse().unwrap()).unwrap();
    let margin =
        Adjustment::percentage("0.1".parse().unwrap()).unwrap().and_fixed_amount(usd("0.5")).unwrap();
    let adjustments =
        Adjustments::new().discount("openai", discount).unwrap().margin("global", margin).unwrap();
    let set = PriceSet::new("acme", json!({"m": {"input_cost_per_token": 2e-6}})).unwrap();
    let terms =
        PriceTerms::new().price_set(set).adjustments(adjustments).multiplier(Number::from(2)).unwrap();
    let usage = Usage::new(100_000, 0);
    let call = Call::new(&usage).terms(&terms);
    let mut cost = map.cost("m", call).unwrap();
    for charge in [
        Charge::guardrail("pii", usd("0.01")),
        Charge::guardrail("toxicity", usd("0.02")),
        Charge::tool("mcp/x", usd("0.1")),
        Charge::fee("seat", usd("1")),
        Charge::fee("seat", usd("2")),
    ] {
        cost.add_charge(charge.unwrap()).unwrap();
    }
    let snapshot = serde_json::to_value(PricingSnapshot::new(&cost, "M", call)).unwrap();
    let expected = json!({"pricing_source": "per_request", "model": "M", "priced_model_key": "m", "provider": null,
        "multipliers": [{"name": "terms", "value": "terms", "factor": "2"}],
        "original_cost": "0.4", "discount_percent": "0.25", "discount_amount": "0.1", "margin_percent": "0.1",
        "margin_fixed_amount": "0.5", "margin_total_amount": "0.53", "guardrail_cost": "0.03", "tool_usage_cost": "0.1",
        "additional_costs": [{"name": "seat", "amount": "3"}], "total_cost": "3.96"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&snapshot[name], value, "{name}");
    }
}

#[test]
fn a_snapshot_counts_in_litellms_units() {
    let map = map();
    let mut units = Units::new();
    units.credits = Some("1.5".parse().unwrap());
    let of = |name, units: &Units| snapshot(&map, Lookup::new(name), Call::from(units));
    let credits = of("ocr", &units);
    assert_eq!(
        credits["usage"],
        json!([{"measure": "credit_nano", "unit": "request", "value": "1500000000"}])
    );
    assert_eq!(
        credits["rates"],
        json!([{"measure": "credit_nano", "unit": "request", "usd_per_unit": "0.000000000015"}])
    );
    assert_eq!(credits["total_cost"], "0.0225");
    units.credits = Some(Number::from(2));
    assert_eq!(of("ocr", &units)["usage"], json!([{"measure": "credit", "unit": "request", "value": "2"}]));
    let audio = Units::new().input_audio(Duration::from_millis(1_500));
    assert_eq!(
        of("whisper", &audio)["usage"],
        json!([{"measure": "sent_audio", "unit": "second", "value": "1.5"}])
    );

    let usage = Usage::new(1_000, 0);
    let searches = Units::new().web_searches(2);
    let tools = snapshot(&map, Lookup::new("m"), Call::new(&usage).units(&searches));
    assert_eq!((&tools["tool_usage_cost"], &tools["input_cost"]), (&json!("0.02"), &json!("0.001")));

    let routed =
        snapshot(&map, Lookup::new("azure_ai/x"), Call::new(&usage).requested_model("azure_ai/model_router"));
    assert_eq!(
        routed["additional_costs"],
        json!([{"name": "azure_model_router_flat_cost", "amount": "0.00014"}])
    );
    assert_eq!((&routed["input_cost"], &routed["total_cost"]), (&json!("0.001"), &json!("0.00114")));
    assert_eq!(routed["usage"][2], json!({"measure": "prompt_tokens", "unit": "token", "value": "1000"}));

    let mut usage = Usage::new(1_000, 500);
    usage.cost = Some(usd("0.25"));
    let stated = snapshot(&map, Lookup::new("openrouter/o"), Call::new(&usage).data_residency("eu"));
    assert_eq!(
        (&stated["pricing_source"], &stated["upstream_reported_cost"]),
        (&json!("upstream_header"), &json!("0.25"))
    );
    assert_eq!((&stated["rates"], &stated["multipliers"]), (&json!([]), &json!([])));
    assert_eq!(stated["usage"][0], json!({"measure": "input", "unit": "token", "value": "1000"}));

    let terms = PriceTerms::new().multiplier(Number::from(0)).unwrap();
    let free = snapshot(&map, Lookup::new("m"), Call::new(&Usage::new(5, 0)).terms(&terms));
    assert_eq!(free["rates"], json!([{"measure": "input", "unit": "token", "usd_per_unit": "0"}]));
    assert_eq!((&free["multipliers"], &free["total_cost"]), (&json!([]), &json!("0")));
    let home = snapshot(&map, Lookup::new("ollama/x"), Call::new(&Usage::new(5, 5)));
    assert_eq!((&home["usage"], &home["priced_model_key"]), (&json!([]), &json!("ollama/x")));
}

/// Lines of several models have measures of their own, also where two parts are of one model.
#[test]
fn a_snapshot_tells_the_parts_of_a_response_apart() {
    let iteration = |model: &str| json!({"type": "advisor_message", "model": model, "input_tokens": 10, "output_tokens": 1});
    let body = json!({"type": "message", "role": "assistant", "model": "m", "content": [],
        "usage": {"input_tokens": 10, "output_tokens": 1, "iterations": [
            {"type": "message", "model": "m", "input_tokens": 10, "output_tokens": 1},
            iteration("azure_ai/x"), iteration("azure_ai/x")]}});
    let response = Response::read(body.to_string().as_bytes()).unwrap();
    let map = map();
    let cost = map.cost("m", &response).unwrap();
    let snapshot = PricingSnapshot::new(&cost, "m", &response);
    let keys: Vec<(&str, &str)> = snapshot
        .rates
        .iter()
        .map(|rate| (&*rate.measure, rate.measure.split(':').next().unwrap_or_default()))
        .collect();
    let mut measures: Vec<&str> = keys.iter().map(|(measure, _)| *measure).collect();
    assert!(measures.contains(&"input") && measures.contains(&"azure_ai/x:input"), "{measures:?}");
    let count = measures.len();
    measures.sort_unstable();
    measures.dedup();
    assert_eq!((measures.len(), snapshot.total_cost), (count, cost.total()));
}

#[test]
fn an_unpriced_call_has_its_reason() {
    let map = map();
    let reason = |model: &str| {
        let error = map.cost(model, &Usage::new(1, 1)).unwrap_err();
        serde_json::to_value(UnpricedEvent::new("event", &error)).unwrap()
    };
    let register = "register one with register_model";
    assert_eq!(
        reason("azure_ai/model_router"),
        json!({"usage_event_id": "event", "reason": format!("no price of azure_ai/model_router is known for output: {register}")})
    );
    assert_eq!(reason("zzz")["reason"], "unknown model \"zzz\": register it, or check the name");
}

#[test]
fn headers_are_those_of_litellm() {
    let map = CostMap::builder()
        .json(MAP)
        .adjustments(Adjustments::from_json(r#"{"cost_margin_config": {"global": 0.1}}"#).unwrap())
        .build()
        .unwrap();
    let headers = |usage: &Usage| -> Vec<(String, String)> {
        let cost = map.cost("m", usage).unwrap();
        cost.headers().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let named = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let name = |name: &str| format!("x-litellm-response-cost{name}");
        pairs.iter().map(|(part, value)| (name(part), (*value).to_owned())).collect()
    };
    assert_eq!(
        headers(&usage()),
        named(&[
            ("", "0.0106425"),
            ("-original", "0.009675"),
            ("-discount-amount", "0"),
            ("-margin-amount", "0.0009675"),
            ("-margin-percent", "0.1"),
            ("-input", "0.004"),
            ("-output", "0.0024"),
            ("-cache-read", "0.0004"),
            ("-cache-creation", "0.002875"),
            ("-reasoning", "0.0012"),
            ("-tool-usage", "0"),
        ])
    );
    let names: Vec<String> = headers(&Usage::new(1, 1)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 8);
    assert!(!names.iter().any(|name| name.contains("cache") || name.contains("reasoning")));
}

#[test]
fn a_span_tells_who_priced_it() {
    let map = map();
    let attributes: BTreeMap<_, _> =
        map.cost("m", &Usage::new(1_500, 0)).unwrap().otel_attributes().into_iter().collect();
    assert_eq!(
        attributes,
        BTreeMap::from([
            ("gen_ai.usage.cost.amount", AttributeValue::Double(0.0015)),
            ("gen_ai.usage.cost.currency", AttributeValue::String("USD")),
            ("gen_ai.usage.cost.source", AttributeValue::String("local")),
        ])
    );
    let mut usage = Usage::new(1, 1);
    usage.cost = Some(usd("0.25"));
    let stated = map.cost("openrouter/o", &usage).unwrap().otel_attributes();
    assert_eq!(stated[2].1.to_string(), "provider");
}

#[test]
fn rows_of_focus_add_up() {
    let map = CostMap::builder()
        .json(MAP)
        .adjustments(
            Adjustments::from_json(
                r#"{"cost_discount_config": {"openai": 0.5}, "cost_margin_config": {"global": 0.1}}"#,
            )
            .unwrap(),
        )
        .build()
        .unwrap();
    let usage = usage();
    for call in [Call::new(&usage), Call::new(&usage).prepaid(), Call::new(&usage).data_residency("eu")] {
        let mut cost = map.cost("m", call).unwrap();
        cost.add_charge(Charge::guardrail("pii", usd("0.25")).unwrap()).unwrap();
        let billed: Option<Usd> = cost.focus_rows().map(|row| row.billed_cost).sum();
        let effective: Option<Usd> = cost.focus_rows().map(|row| row.effective_cost).sum();
        assert_eq!((billed, effective), (Some(cost.billed()), Some(cost.total())));
        for (row, line) in cost.focus_rows().zip(cost.lines()) {
            let product = row.list_unit_price.zip(row.pricing_quantity).map(|(price, quantity)| {
                price.to_string().parse::<Usd>().unwrap().checked_mul(quantity.as_u64().unwrap()).unwrap()
            });
            assert!(product.is_none() || product == row.list_cost, "{line}");
            assert_eq!(row.charge_description, line.to_string());
        }
    }
    let cost = map.cost("m", &usage).unwrap();
    let rows: Vec<Value> = cost.focus_rows().map(|row| serde_json::to_value(row).unwrap()).collect();
    assert_eq!(
        rows[1],
        json!({"BilledCost": 0.0004, "EffectiveCost": 0.0004, "ListCost": 0.0004, "ContractedCost": 0.0004,
            "BillingCurrency": "USD", "ChargeCategory": "Usage",
            "ChargeDescription": "4000 tokens of cache_read x 0.0000001 = 0.0004 (cache_read_input_token_cost)",
            "ChargeFrequency": "Usage-Based", "CommitmentDiscountStatus": null, "ConsumedQuantity": 4000,
            "ConsumedUnit": "tokens", "PricingCategory": "Standard", "PricingQuantity": 4000, "PricingUnit": "tokens",
            "ListUnitPrice": 1e-7, "ContractedUnitPrice": 1e-7, "ServiceCategory": "AI and Machine Learning",
            "ServiceSubcategory": "Generative AI", "SkuId": "m", "SkuMeter": "cache_read",
            "SkuPriceId": "m/cache_read/cache_read_input_token_cost"})
    );
    let discount = &rows[rows.len() - 2];
    assert_eq!(
        (&discount["ChargeCategory"], &discount["BilledCost"], &discount["ConsumedQuantity"]),
        (&json!("Credit"), &json!(-0.004_837_5), &Value::Null)
    );
    let prepaid = map.cost("m", Call::new(&usage).prepaid()).unwrap();
    let row = prepaid.focus_rows().next().unwrap();
    assert_eq!((row.pricing_category, row.commitment_discount_status), (Some("Committed"), Some("Used")));
}

/// List prices are those of the map: prices and multipliers that were agreed on are not.
#[test]
fn a_list_price_is_the_maps() {
    let map = map();
    let usage = Usage::new(1_000, 0);
    let row = |call: Call<'_>| map.cost("m", call).unwrap().focus_rows().next().unwrap();
    let plain = row(Call::new(&usage));
    assert_eq!((plain.list_unit_price, plain.list_cost), (Some("1e-6".parse().unwrap()), Some(usd("0.001"))));
    let half = PriceTerms::new().multiplier("0.5".parse().unwrap()).unwrap();
    let half = row(Call::new(&usage).terms(&half));
    assert_eq!((half.list_unit_price, half.list_cost), (None, None));
    assert_eq!(
        (half.contracted_unit_price, half.contracted_cost),
        (Some("5e-7".parse().unwrap()), usd("0.0005"))
    );
    let set = PriceSet::new("acme", json!({"m": {"input_cost_per_token": 2e-6}})).unwrap();
    let set = PriceTerms::new().price_set(set);
    let row = row(Call::new(&usage).terms(&set));
    assert_eq!((row.list_unit_price, row.list_cost, row.contracted_cost), (None, None, usd("0.002")));
    assert_eq!(row.sku_price_id.as_deref(), Some("acme/m/input/input_cost_per_token"));
}

/// A set that prices the other model of a response is on the bill, at the lines that it prices.
#[test]
fn a_set_that_prices_another_model_is_named() {
    let body = json!({"type": "message", "role": "assistant", "model": "m", "content": [],
        "usage": {"input_tokens": 10, "output_tokens": 1, "iterations": [
            {"type": "message", "model": "m", "input_tokens": 10, "output_tokens": 1},
            {"type": "advisor_message", "model": "azure_ai/x", "input_tokens": 10, "output_tokens": 1}]}});
    let response = Response::read(body.to_string().as_bytes()).unwrap();
    let map = map();
    for (priced, other) in [("m", "azure_ai/x"), ("azure_ai/x", "m")] {
        let set = PriceSet::new("acme", json!({(priced): {"input_cost_per_token": 7e-6}})).unwrap();
        let terms = PriceTerms::new().price_set(set);
        let cost = map.cost("m", response.call().terms(&terms)).unwrap();
        assert_eq!((cost.price_set(), cost.pricing_source()), (Some("acme"), PricingSource::PerRequest));
        let sources: BTreeMap<&str, PricingSource> =
            cost.lines().map(|line| (line.key, line.pricing_source)).collect();
        assert_eq!((sources[priced], sources[other]), (PricingSource::PerRequest, PricingSource::CostMap));
        for row in cost.focus_rows() {
            assert_eq!(row.list_unit_price.is_none(), row.sku_id == priced, "{row:?}");
        }
    }
}

/// Thousands of fees are no more work than their number.
#[test]
fn long_bills_are_read_in_linear_time() {
    let map = map();
    let mut cost = map.cost("m", &Usage::new(1, 0)).unwrap();
    for number in 0..20_000 {
        cost.add_charge(Charge::fee(format!("fee-{}", number % 10_000), usd("0.1")).unwrap()).unwrap();
    }
    assert_eq!(cost.lines().len(), 20_001);
    assert_eq!(cost.lines().map(|line| line.amount).sum::<Option<Usd>>(), Some(cost.total()));
    let snapshot = PricingSnapshot::new(&cost, "m", &Usage::new(1, 0));
    assert_eq!(snapshot.additional_costs.len(), 10_000);
    assert!(snapshot.additional_costs.iter().all(|fee| fee.amount == usd("0.2")));
}

#[test]
fn sums_keep_components_generations_and_what_is_missing() {
    let map = map();
    let mut sum = CostSum::new();
    sum.add(&map.cost("m", &usage()).unwrap()).unwrap();
    map.register_model("new", json!({"input_cost_per_token": 1e-6})).unwrap();
    sum.add(&map.cost("m", &usage()).unwrap()).unwrap();
    sum.add(&map.cost("whisper", &Units::new().input_audio(Duration::from_millis(2_500))).unwrap()).unwrap();
    assert!(sum.is_complete());
    assert_eq!(sum.total(), Some(usd("0.0196")));
    assert_eq!(
        (sum.known_input(), sum.known_output(), sum.known_tools()),
        (usd("0.0148"), usd("0.0048"), Usd::ZERO)
    );
    let Err(Error::Unpriced(bill)) = map.cost("new", &Usage::new(1_000, 5)) else { panic!() };
    sum.add_unpriced(&bill).unwrap();
    assert_eq!((sum.total(), sum.known_total()), (None, usd("0.0206")));
    assert_eq!((sum.calls(), sum.unpriced_calls(), sum.is_complete()), (4, 1, false));
    assert_eq!(sum.generations().collect::<Vec<_>>(), [1, 2]);
    let component =
        |wanted: Component| sum.components().find(|(component, _)| *component == wanted).unwrap().1;
    let input = component(Component::Input);
    assert_eq!((input.lines, input.quantity, input.amount), (3, Number::from(9_000), usd("0.009")));
    let audio = component(Component::SentAudio);
    assert_eq!((audio.quantity.to_string(), audio.amount), ("2.5".to_owned(), usd("0.00025")));
    let json = serde_json::to_value(&sum).unwrap();
    assert_eq!(
        (&json["lines"]["input"]["quantity"], &json["lines"]["sent_audio"]["quantity"]),
        (&json!(9_000), &json!(2.5))
    );
    let read: CostSum = serde_json::from_str(&serde_json::to_string(&sum).unwrap()).unwrap();
    assert_eq!(read, sum);
    // A sum that was tampered with does not swallow a sign.
    let negative = json.to_string().replace(":9000", ":-9000");
    let mut negative: CostSum = serde_json::from_str(&negative).unwrap();
    assert!(negative.add(&map.cost("m", &usage()).unwrap()).is_err());

    let huge = CostMap::from_json(r#"{"h": {"input_cost_per_token": 9000000000}}"#).unwrap();
    let huge = huge.cost("h", &Usage::new(1, 0)).unwrap();
    let mut sum = CostSum::new();
    sum.add(&huge).unwrap();
    let error = sum.add(&huge).unwrap_err();
    assert_eq!(error.to_string(), "the cost of a sum of bills overflows: check the counts of the usage");
    assert_eq!(sum.total(), Some(usd("9000000000")));
}

/// The same call by another model, another generation, and without the cache.
#[test]
fn what_if() {
    let map = map();
    let usage = usage();
    let call = Call::new(&usage).service_tier(ServiceTier::Flex);
    let paid = map.cost("m", call).unwrap();
    let without = map.cost("m", call.without_cache()).unwrap();
    let comparison = without.compare(&paid);
    assert_eq!((comparison.saving(), comparison.lines.len()), (usd("0.002725"), 6));
    let saved: Option<Usd> = comparison.lines.iter().map(ComparedLine::saving).sum();
    assert_eq!(saved, Some(comparison.saving()));
    assert_eq!(without.lines().map(|line| line.quantity.as_u64().unwrap()).sum::<u64>(), 11_000);
    assert_eq!(without.input(), usd("0.01"));

    let pinned = map.snapshot();
    map.reload_from_bytes(MAP.replace("\"output_cost_per_token\": 2e-6", "\"output_cost_per_token\": 1e-6"))
        .unwrap();
    let newer = map.cost("m", call).unwrap();
    assert_eq!(pinned.cost("m", call).unwrap().compare(&newer).saving(), usd("0.0006"));

    // The cache of audio and of images is that of its modality without a cache.
    let map = CostMap::from_json(
        r#"{"a": {"input_cost_per_token": 1e-6, "input_cost_per_audio_token": 1e-5, "cache_read_input_token_cost": 1e-7,
            "cache_read_input_audio_token_cost": 1e-6, "output_cost_per_token": 1e-6}}"#,
    )
    .unwrap();
    let mut usage = Usage::new(1_000, 0).cached_tokens(300);
    usage.prompt_tokens_details.audio_tokens = 200;
    usage.prompt_tokens_details.cached_tokens_details.audio_tokens = 100;
    let without = map.cost("a", Call::new(&usage).without_cache()).unwrap();
    let counts: Vec<(Component, Option<u64>)> =
        without.lines().map(|line| (line.component, line.quantity.as_u64())).collect();
    assert_eq!(counts.iter().filter_map(|(_, count)| *count).sum::<u64>(), 1_000, "{counts:?}");
    assert!(
        counts.iter().all(|(component, _)| matches!(component, Component::Input | Component::InputAudio))
    );
    let cached = map.cost("a", &usage).unwrap();
    let audio = |cost: &llm_costmap::Cost| {
        let audio = cost.lines().filter(|line| line.component.as_str().contains("audio"));
        audio.filter_map(|line| line.quantity.as_u64()).sum::<u64>()
    };
    assert_eq!(audio(&cached), audio(&without));
}
