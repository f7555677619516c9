//! What follows after the prices of the map: price sets and multipliers of a call, discounts, margins,
//! charges, and calls that were prepaid.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::usd;
use llm_costmap::cost::{
    Adjustment, Adjustments, Basis, Charge, Component, Cost, CostRecord, Number, PriceSet, PriceTerms,
    PricingSource,
};
use llm_costmap::wire::Response;
use llm_costmap::{Call, CostMap, Deployment, Error, ErrorKind, Lookup, Units, Usage, Usd};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const MAP: &str = r#"{
    "m": {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
        "cache_read_input_token_cost": 1e-7, "input_cost_per_token_above_2000k_tokens": 3e-6,
        "input_cost_per_token_priority": 5e-6},
    "vertex_ai/v": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-6},
    "us-east-1/b": {"litellm_provider": "bedrock_converse", "input_cost_per_token": 1e-6},
    "img": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.04},
    "half": {"input_cost_per_token": 1e-6},
    "openrouter/o": {"litellm_provider": "openrouter", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}
}"#;

fn map() -> CostMap {
    CostMap::from_json(MAP).unwrap()
}

fn share(text: &str) -> Adjustment {
    Adjustment::percentage(text.parse().unwrap()).unwrap()
}

fn set(name: &str, models: Value) -> PriceSet {
    PriceSet::new(name, models).unwrap()
}

/// Checks that the total is the sum of the lines.
fn adds_up(cost: &Cost) {
    let sum: Option<Usd> = cost.lines().map(|line| line.amount).sum();
    assert_eq!(sum, Some(cost.total()), "{cost}");
    let parts = [cost.input(), cost.output(), cost.tools()].iter().sum::<Option<Usd>>();
    assert_eq!(parts, Some(cost.original()), "{cost}");
    assert_eq!(cost.lines().len(), cost.lines().count());
    let read: CostRecord = serde_json::from_str(&serde_json::to_string(cost).unwrap()).unwrap();
    assert_eq!(read, cost.record());
}

/// A million tokens of input cost a dollar.
fn million() -> Usage {
    Usage::new(1_000_000, 0)
}

#[derive(Deserialize)]
struct Adjusted {
    model: String,
    usage: Usage,
    /// Of two patterns that fit alike, the first applies: the order is kept.
    discounts: Box<RawValue>,
    margins: Box<RawValue>,
    original: String,
    total: String,
}

/// The reference's totals under random discounts and margins, by provider, model, pattern and globally.
#[test]
fn the_reference_adjusts_alike() {
    let base = CostMap::from_json(common::catalog("1.109.1")).unwrap();
    let (mut compared, mut adjusted, mut by_pattern) = (0, 0, 0);
    for line in common::vectors::<Adjusted>("adjustments") {
        let settings = format!(
            r#"{{"cost_discount_config": {}, "cost_margin_config": {}}}"#,
            line.discounts, line.margins
        );
        let adjustments = Adjustments::from_json(&settings).unwrap();
        base.set_adjustments(adjustments.clone()).unwrap();
        let cost = base.cost(&line.model, &line.usage).unwrap();
        adds_up(&cost);
        let close = |ours: Usd, theirs: &str| {
            let theirs: f64 = theirs.parse().unwrap();
            let (ours, apart) = (ours.as_f64(), 1e-15_f64);
            assert!((ours - theirs).abs() <= apart.max(theirs.abs() * 1e-9), "{settings} {cost}\n{theirs}");
        };
        close(cost.original(), &line.original);
        close(cost.total(), &line.total);
        // Every way to the price leads to the same amount.
        assert_eq!(base.total(&line.model, &line.usage).unwrap(), cost.total());
        let resolved = base.resolve(&line.model).unwrap();
        assert_eq!(resolved.cost(&line.usage).unwrap(), cost);
        assert_eq!(resolved.total(&line.usage).unwrap(), cost.total());
        let terms = PriceTerms::new().adjustments(adjustments);
        base.set_adjustments(Adjustments::new()).unwrap();
        let of_call = base.cost(&line.model, Call::new(&line.usage).terms(&terms)).unwrap();
        assert!(of_call.lines().eq(cost.lines()));
        compared += 1;
        adjusted += usize::from(cost.total() != cost.original());
        by_pattern += usize::from(cost.lines().any(|line| line.name.is_some_and(|name| name.contains('*'))));
    }
    assert_eq!((compared, adjusted, by_pattern), (600, 386, 154));
}

/// Of the scopes that fit a call, the closest applies.
#[test]
fn the_closest_scope_applies() {
    let scopes = ["openai/m", "openai/m*", "openai/[mn]", "*/m", "*/[mn]", "openai", "global"];
    for (position, closest) in scopes.iter().enumerate() {
        // They are added the other way round: the order is that of their kinds.
        let rest = scopes.iter().skip(position).rev();
        let adjustments = rest.fold(Adjustments::new(), |all, scope| {
            let margin = share(if scope == closest { "0.5" } else { "0.25" });
            all.margin(scope, margin).unwrap().margin("azure", share("1")).unwrap()
        });
        let map = CostMap::builder().json(MAP).adjustments(adjustments).build().unwrap();
        let cost = map.cost("m", &million()).unwrap();
        assert_eq!(cost.margin(), usd("0.5"), "{closest}: {cost}");
        let line = cost.lines().last().unwrap();
        assert_eq!((line.component, line.name), (Component::Margin, Some(*closest)));
        assert_eq!((line.basis, line.multiplier), (Basis::Adjustment, "0.5".parse().unwrap()));
        let azure = map.cost(Lookup::new("m").provider("azure"), &million());
        if let Ok(cost) = azure {
            assert!(cost.lines().any(|line| line.name == Some("azure")), "{cost}");
        }
    }
}

/// Kinds of models are those of their provider, and a region before a name is not part of it.
#[test]
fn providers_are_named_as_litellm_names_them() {
    for (model, scope) in [
        ("vertex_ai/v", "vertex_ai"),
        ("vertex_ai/v", "vertex_ai/v"),
        ("us-east-1/b", "bedrock"),
        ("us-east-1/b", "bedrock/b"),
    ] {
        let adjustments = Adjustments::new().discount(scope, share("0.5")).unwrap();
        let map = CostMap::builder().json(MAP).adjustments(adjustments).build().unwrap();
        assert_eq!(map.total(model, &million()).unwrap(), usd("0.5"), "{model} {scope}");
    }
}

#[test]
fn a_discount_goes_before_a_margin_and_takes_no_more_than_there_is() {
    let discount = share("0.2").and_fixed_amount(usd("0.1")).unwrap();
    let margin = share("0.1").and_fixed_amount(usd("0.001")).unwrap();
    let adjustments =
        Adjustments::new().discount("openai", discount).unwrap().margin("global", margin).unwrap();
    let map = CostMap::builder().json(MAP).adjustments(adjustments).build().unwrap();
    let cost = map.cost("m", &million()).unwrap();
    adds_up(&cost);
    let amounts = [cost.original(), cost.discount(), cost.margin(), cost.total(), cost.billed()];
    assert_eq!(amounts, ["1", "0.3", "0.071", "0.771", "0.771"].map(usd));
    assert_eq!(
        cost.to_string(),
        "m: 0.771 USD\n  1000000 tokens of input x 0.000001 = 1 (input_cost_per_token)\n  \
         discount = -0.3 (20% + 0.1 by openai)\n  margin = 0.071 (10% + 0.001 by global)"
    );
    // A fixed discount beyond the amount leaves nothing, and never less.
    let small = map.cost("m", &Usage::new(1, 0)).unwrap();
    assert_eq!([small.original(), small.discount(), small.total()], ["1e-6", "1e-6", "0.001"].map(usd));
    // A share of 28 decimals is rounded once, half to even.
    let tiny = Adjustments::new().margin("global", share("0.5")).unwrap();
    let map = CostMap::builder()
        .json(r#"{"m": {"input_cost_per_token": 1e-28}}"#)
        .adjustments(tiny)
        .build()
        .unwrap();
    let margins = [1, 3, 5].map(|tokens| map.cost("m", &Usage::new(tokens, 0)).unwrap().margin().to_string());
    assert_eq!(margins, ["0", "0.0000000000000000000000000002", "0.0000000000000000000000000002"]);
}

#[test]
fn adjustments_survive_reloads_and_reach_every_way_to_a_price() {
    let adjustments = Adjustments::new().margin("global", share("1")).unwrap();
    let map = CostMap::builder().json(MAP).adjustments(adjustments).build().unwrap();
    map.reload_from_bytes(MAP.replace("1e-6", "2e-6")).unwrap();
    assert_eq!(map.total("m", &million()).unwrap(), usd("4"));
    map.register_model("own", json!({"input_cost_per_token": 1e-6})).unwrap();
    map.add_deployment(
        Deployment::new("d", json!({"model": "m", "input_cost_per_token": 3e-6}), json!({})).unwrap(),
    )
    .unwrap();
    map.add_deployment(Deployment::new("plain", json!({"model": "own"}), json!({})).unwrap()).unwrap();
    assert_eq!(map.total("own", &million()).unwrap(), usd("2"));
    assert_eq!(map.deployment_total("d", &million()).unwrap(), usd("6"));
    assert_eq!(map.deployment_total("plain", &million()).unwrap(), usd("2"));
    assert_eq!(map.resolve("own").unwrap().total(&million()).unwrap(), usd("2"));
    // A model that runs at home is free; a fixed margin is not.
    let fixed = Adjustment::fixed_amount(usd("0.01")).unwrap();
    map.set_adjustments(Adjustments::new().margin("ollama", fixed).unwrap()).unwrap();
    assert_eq!(map.total("ollama/x", &million()).unwrap(), usd("0.01"));
    assert_eq!(map.resolve("ollama/x").unwrap().total(&million()).unwrap(), usd("0.01"));
    map.set_adjustments(Adjustments::new()).unwrap();
    assert_eq!(map.total("ollama/x", &million()).unwrap(), Usd::ZERO);
    assert_eq!(map.cost("own", &million()).unwrap().lines().len(), 1);
}

/// A bill that lacks a price is adjusted, too, and stays incomplete.
#[test]
fn a_partial_bill_is_adjusted() {
    let terms = PriceTerms::new().adjustments(Adjustments::new().margin("global", share("0.1")).unwrap());
    let usage = Usage::new(1_000_000, 5);
    let Err(Error::Unpriced(mut bill)) = map().cost("half", Call::new(&usage).terms(&terms)) else {
        panic!()
    };
    assert_eq!(bill.known_total(), usd("1.1"));
    bill.add_charge(Charge::fee("f", usd("1")).unwrap()).unwrap();
    assert_eq!((bill.known_total(), bill.lines().len()), (usd("2.1"), 4));
    assert!(matches!(map().total("half", Call::new(&usage).terms(&terms)), Err(Error::Unpriced(_))));
}

/// What several models of one response cost is adjusted once.
#[test]
fn the_parts_of_a_response_are_adjusted_once() {
    let body = json!({"type": "message", "role": "assistant", "model": "claude-a", "content": [],
        "usage": {"input_tokens": 10, "output_tokens": 1, "iterations": [
            {"type": "message", "model": "claude-a", "input_tokens": 1_000_000, "output_tokens": 0},
            {"type": "advisor_message", "model": "claude-b", "input_tokens": 1_000_000, "output_tokens": 0}]}});
    let map = CostMap::from_json(
        r#"{"claude-a": {"litellm_provider": "anthropic", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
            "claude-b": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-6, "output_cost_per_token": 1e-6}}"#,
    )
    .unwrap();
    let response = Response::read(body.to_string().as_bytes()).unwrap();
    let plain = map.cost("claude-a", &response).unwrap();
    let fixed = share("0.5").and_fixed_amount(usd("1")).unwrap();
    map.set_adjustments(Adjustments::new().margin("anthropic", fixed).unwrap()).unwrap();
    let cost = map.cost("claude-a", &response).unwrap();
    adds_up(&cost);
    assert_eq!(cost.original(), plain.total());
    assert_eq!(
        cost.margin(),
        plain
            .total()
            .checked_mul(5)
            .unwrap()
            .checked_add(usd("10"))
            .map(|tenfold| { Usd::from_nanos(tenfold.to_nanos().unwrap() / 10) })
            .unwrap()
    );
    assert_eq!(cost.lines().filter(|line| line.component == Component::Margin).count(), 1);
    // Price sets and multipliers do reach the parts.
    map.set_adjustments(Adjustments::new()).unwrap();
    let terms = PriceTerms::new()
        .price_set(set("s", json!({"claude-b": {"input_cost_per_token": 1e-6}})))
        .multiplier(Number::from(2))
        .unwrap();
    let cost = map.cost("claude-a", response.call().terms(&terms)).unwrap();
    adds_up(&cost);
    let key_of =
        |amount: &str| cost.lines().find(|line| line.amount == usd(amount)).map(|line| line.key.to_owned());
    assert_eq!(
        cost.lines().filter(|line| line.key == "claude-b").map(|line| line.amount).next(),
        Some(usd("2")),
        "{cost}"
    );
    assert!(key_of("2").is_some());
}

#[test]
fn a_price_set_lies_over_the_map() {
    let map = map();
    let contract = set("acme", json!({"m": {"input_cost_per_token": "5e-7"}}));
    let other =
        set("b-side", json!({"m": {"input_cost_per_token": 9}, "vertex_ai/v": {"input_cost_per_token": 0}}));
    let terms = PriceTerms::new().price_set(contract).price_set(other);
    let usage = Usage::new(1_000, 1_000).cached_tokens(500);
    let cost = map.cost("m", Call::new(&usage).terms(&terms)).unwrap();
    adds_up(&cost);
    assert_eq!(
        cost.to_string(),
        "m: 0.0023 USD\n  500 tokens of input x 0.0000005 = 0.00025 (input_cost_per_token)\n  \
         500 tokens of cache_read x 0.0000001 = 0.00005 (cache_read_input_token_cost)\n  \
         1000 tokens of output x 0.000002 = 0.002 (output_cost_per_token)\n  prices: acme"
    );
    assert_eq!((cost.price_set(), cost.pricing_source()), (Some("acme"), PricingSource::PerRequest));
    // What the set leaves out stays: tiers and thresholds.
    let priority = map.total("m", Call::new(&usage).service_tier("priority").terms(&terms)).unwrap();
    assert_eq!(priority, usd("0.00455"));
    let many = Usage::new(3_000_000, 0);
    assert_eq!(map.total("m", Call::new(&many).terms(&terms)).unwrap(), usd("9"));
    // The second set names a model that the first does not, and a price of 0 is free.
    let free = map.cost("vertex_ai/v", Call::new(&million()).terms(&terms)).unwrap();
    assert_eq!((free.price_set(), free.total()), (Some("b-side"), Usd::ZERO));
    // Neither names this one.
    let plain = map.cost("openrouter/o", Call::new(&million()).terms(&terms)).unwrap();
    assert_eq!((plain.price_set(), plain.pricing_source()), (None, PricingSource::CostMap));
    // The map that others price by is what it was.
    assert_eq!(map.cost("m", &usage).unwrap().price_set(), None);
    assert_eq!(map.total("m", &usage).unwrap(), usd("0.00255"));
}

/// A set follows the map: what it leaves out is the price of the generation that prices the call.
#[test]
fn a_price_set_follows_reloads() {
    let map = map();
    let terms = PriceTerms::new().price_set(set("acme", json!({"m": {"output_cost_per_token": 1e-6}})));
    let usage = Usage::new(1_000, 1_000);
    let total = |map: &CostMap| map.total("m", Call::new(&usage).terms(&terms)).unwrap();
    assert_eq!(total(&map), usd("0.002"));
    let pinned = map.snapshot();
    for generation in 1..=8 {
        map.reload_from_bytes(MAP.replace(
            "\"input_cost_per_token\": 1e-6",
            &format!("\"input_cost_per_token\": {generation}e-5"),
        ))
        .unwrap();
        assert_eq!(total(&map), usd(&format!("0.0{generation}1")), "{generation}");
        assert_eq!(pinned.total("m", Call::new(&usage).terms(&terms)).unwrap(), usd("0.002"));
    }
    map.register_model("m", json!({"input_cost_per_token": 0})).unwrap();
    assert_eq!(total(&map), usd("0.001"));
}

/// Sets name models by key or by the name that is asked for, and price models that the map does not have.
#[test]
fn a_price_set_finds_its_models() {
    let map = map();
    let terms = PriceTerms::new().price_set(set(
        "s",
        json!({"M": {"input_cost_per_token": 7e-6}, "brand-new": {"input_cost_per_token": 1}, "img": {"input_cost_per_image": 0.01}}),
    ));
    let usage = million();
    let call = Call::new(&usage).terms(&terms);
    assert_eq!(map.total("M", call).unwrap(), usd("7"));
    assert_eq!(map.total("m", call).unwrap(), usd("1"));
    let one = Usage::new(2, 0);
    let cost = map.cost("brand-new", Call::new(&one).terms(&terms)).unwrap();
    assert_eq!((cost.total(), cost.key(), cost.price_set()), (usd("2"), "brand-new", Some("s")));
    assert!(matches!(map.cost("brand-new", &one), Err(Error::UnknownModel(_))));
    assert!(matches!(map.cost("newer", call), Err(Error::UnknownModel(_))));
    let images = Units::new().images(3);
    assert_eq!(map.total("img", Call::from(&images).terms(&terms)).unwrap(), usd("0.03"));
    let handle = map.resolve("M").unwrap();
    assert_eq!(handle.total(call).unwrap(), usd("7"));
}

/// A contract goes before the deployment's own prices, which go before the map's.
#[test]
fn a_price_set_lies_over_a_deployment() {
    let map = map();
    let own = json!({"model": "m", "input_cost_per_token": 4e-6, "output_cost_per_token": 4e-6});
    map.add_deployment(Deployment::new("d", own, json!({})).unwrap()).unwrap();
    let usage = Usage::new(1_000, 1_000);
    let terms = PriceTerms::new().price_set(set("acme", json!({"m": {"output_cost_per_token": 1e-6}})));
    let cost = map.deployment_cost("d", &usage).unwrap();
    assert_eq!((cost.total(), cost.pricing_source()), (usd("0.008"), PricingSource::Deployment));
    let cost = map.deployment_cost("d", Call::new(&usage).terms(&terms)).unwrap();
    assert_eq!((cost.total(), cost.pricing_source()), (usd("0.005"), PricingSource::PerRequest));
    assert_eq!(cost.key(), "m");
}

/// Contracts win over what a provider states, and a multiplier is of everything.
#[test]
fn terms_and_stated_charges() {
    let map = map();
    let mut usage = Usage::new(1_000, 1_000);
    usage.cost = Some(usd("0.5"));
    let call = Call::new(&usage);
    let stated = map.cost("openrouter/o", call).unwrap();
    assert_eq!((stated.total(), stated.pricing_source()), (usd("0.5"), PricingSource::UpstreamHeader));
    let by_rates = map.cost("openrouter/o", call.by_rates()).unwrap();
    assert_eq!((by_rates.total(), by_rates.stated()), (usd("0.002"), None));
    let terms = PriceTerms::new().price_set(set("s", json!({"openrouter/o": {"input_cost_per_token": 0}})));
    let own = map.cost("openrouter/o", call.terms(&terms)).unwrap();
    assert_eq!((own.total(), own.stated()), (usd("0.001"), Some(usd("0.5"))));
    let terms = PriceTerms::new().multiplier("1.5".parse().unwrap()).unwrap();
    let more = map.cost("openrouter/o", call.terms(&terms)).unwrap();
    adds_up(&more);
    assert_eq!(
        (more.total(), more.stated(), more.computed()),
        (usd("0.75"), Some(usd("0.5")), Some(usd("0.003")))
    );
    assert!(more.lines().all(|line| line.multiplier == "1.5".parse().unwrap()));
    let unknown = map.cost(Lookup::new("unheard-of").provider("openrouter"), call.terms(&terms)).unwrap();
    assert_eq!(unknown.total(), usd("0.75"));
    // Units that multipliers of regions do not touch are multiplied as well.
    let images = Units::new().images(2);
    assert_eq!(map.total("img", Call::from(&images).terms(&terms)).unwrap(), usd("0.12"));
    let searches = Units::new().web_searches(1);
    let call = Call::new(&usage).units(&searches).by_rates();
    let (plain, more) = (map.cost("m", call), map.cost("m", call.terms(&terms)));
    assert!(plain.is_err() && more.is_err(), "{plain:?}");
    let terms = PriceTerms::new().multiplier(Number::from(1)).unwrap();
    assert!(terms.is_empty());
}

#[test]
fn charges_join_the_sum_behind_the_margin() {
    let map = CostMap::builder()
        .json(MAP)
        .adjustments(Adjustments::new().margin("global", share("0.5")).unwrap())
        .build()
        .unwrap();
    let mut cost = map.cost("m", &Usage::new(1_000, 0)).unwrap();
    cost.add_charge(Charge::guardrail("pii", usd("0.1")).unwrap()).unwrap();
    cost.add_charge(Charge::tool("mcp/x", usd("0.2")).unwrap()).unwrap();
    cost.add_charge(Charge::fee("f", usd("0.3")).unwrap()).unwrap();
    adds_up(&cost);
    assert_eq!(
        [cost.original(), cost.margin(), cost.charges(), cost.total()],
        ["0.001", "0.0005", "0.6", "0.6015"].map(usd)
    );
    let components: Vec<&str> = cost.lines().map(|line| line.component.as_str()).collect();
    assert_eq!(components, ["input", "margin", "guardrail", "tool_call", "fee"]);
    let before = cost.clone();
    let error = cost.add_charge(Charge::fee("f", Usd::MAX).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the cost of m overflows: check the counts of the usage");
    assert_eq!(cost, before);
}

#[test]
fn a_prepaid_call_keeps_what_it_would_have_cost() {
    let map = CostMap::builder()
        .json(MAP)
        .adjustments(Adjustments::new().discount("openai", share("0.1")).unwrap())
        .build()
        .unwrap();
    let usage = Usage::new(1_000, 1_000);
    let mut cost = map.cost("m", Call::new(&usage).prepaid()).unwrap();
    assert_eq!([cost.original(), cost.total(), cost.billed()], ["0.003", "0.0027", "0"].map(usd));
    cost.add_charge(Charge::guardrail("g", usd("0.25")).unwrap()).unwrap();
    assert_eq!([cost.total(), cost.billed()], ["0.2527", "0.25"].map(usd));
    assert!(cost.to_string().ends_with("\n  billed: 0.25 USD, since the call was prepaid"));
    adds_up(&cost);
    assert_eq!(map.total("m", Call::new(&usage).prepaid()).unwrap(), usd("0.0027"));
    assert_eq!(cost.record().billed, Some(usd("0.25")));

    let deployment =
        |billing: Value| Deployment::new("r", json!({"model": "m"}), json!({"billing": billing}));
    map.set_deployments([deployment(json!("prepaid")).unwrap()]).unwrap();
    let cost = map.deployment_cost("r", &usage).unwrap();
    assert_eq!([cost.total(), cost.billed()], ["0.0027", "0"].map(usd));
    assert!(cost.is_prepaid());
    map.set_deployments([deployment(json!("metered")).unwrap()]).unwrap();
    assert_eq!(map.deployment_cost("r", &usage).unwrap().billed(), usd("0.0027"));
    let error = deployment(json!("flat")).unwrap_err();
    assert_eq!(error.to_string(), "cannot use r: model_info.billing: write metered or prepaid");
    // Two deployments of one name that are billed in two ways differ.
    map.set_deployments([
        deployment(json!("prepaid")).unwrap(),
        Deployment::new("r", json!({"model": "m", "x": 1}), json!({})).unwrap(),
    ])
    .unwrap();
    assert!(matches!(map.deployment_cost("r", &usage), Err(Error::AmbiguousDeployment { .. })));
}

#[test]
fn invalid_terms_say_where_and_why() {
    let of_json = |text: &str| Adjustments::from_json(text).map_err(|error| error.to_string());
    for (text, message) in [
        (
            r#"{"cost_discount_config": {"openai": 5}}"#,
            "discounts and margins: cost_discount_config.openai: a discount of 500% is more than all: write 0.05 for 5% at line 1 column 39",
        ),
        (
            r#"{"cost_discount_config": {"openai": -0.1}}"#,
            "discounts and margins: cost_discount_config.openai.percentage: -0.1 is negative at line 1 column 42",
        ),
        (
            r#"{"cost_margin_config": {"openai": {"fixed_amount": -1}}}"#,
            "discounts and margins: cost_margin_config.openai.fixed_amount: -1 is negative at line 1 column 56",
        ),
        (
            r#"{"cost_margin_config": {"": 0.1}}"#,
            "discounts and margins: cost_margin_config.: write global, a provider, provider/model or provider/pattern at line 1 column 33",
        ),
        (
            r#"{"cost_margin_config": {"*": 0.1}}"#,
            "discounts and margins: cost_margin_config.*: write global for all providers at line 1 column 34",
        ),
        (
            r#"{"cost_margin_config": {"a": {}}}"#,
            "discounts and margins: neither percentage nor fixed_amount at line 1 column 31",
        ),
        (
            r#"{"cost_margin_config": {"a": {"percent": 1}}}"#,
            "discounts and margins: unknown field `percent`, expected `percentage` or `fixed_amount` at line 1 column 39",
        ),
        (
            r#"{"cost_margin_config": {"a": "much"}}"#,
            "discounts and margins: not a number of at most 38 significant digits: write decimal digits, such as 1.1 or 2.5e-3 at line 1 column 35",
        ),
        (
            r#"{"cost_margin_config": 0.1}"#,
            "discounts and margins: invalid type: a number, expected an object of scopes, such as {\"openai\": 0.05} at line 1 column 26",
        ),
        (
            "[]",
            "discounts and margins: invalid type: sequence, expected an object with cost_discount_config or cost_margin_config at line 1 column 0",
        ),
    ] {
        assert_eq!(of_json(text), Err(message.to_owned()), "{text}");
    }
    // All of `litellm_settings` may be handed over, and a null setting is none.
    assert_eq!(of_json(r#"{"drop_params": true, "cost_margin_config": null}"#), Ok(Adjustments::new()));
    let strings =
        of_json(r#"{"cost_margin_config": {"a": "0.10", "b": {"percentage": "0.1", "fixed_amount": "1"}}}"#)
            .unwrap();
    let typed = Adjustments::new().margin("a", share("0.1")).unwrap();
    assert_eq!(strings, typed.margin("b", share("0.1").and_fixed_amount(usd("1")).unwrap()).unwrap());

    let of_set = |models: Value| PriceSet::new("s", models).map_err(|error| error.to_string());
    for (models, message) in [
        (
            json!([]),
            "price set s: not an object of models: invalid type: sequence, expected an object of fields at line 1 column 0",
        ),
        (
            json!({"m": 1}),
            "price set s: m: not an object of prices: invalid type: integer `1`, expected an object of fields at line 1 column 1",
        ),
        (json!({"m": {"max_tokens": 5}}), "price set s: m: max_tokens: not a price: a set has prices alone"),
        (
            json!({"m": {"input_cost_per_token": "cheap"}}),
            "price set s: m: input_cost_per_token: not a price in US dollars",
        ),
        (
            json!({"m": {"currency": "EUR"}}),
            "price set s: m: currency: EUR is not USD: all prices are US dollars, so convert them and leave the field out",
        ),
    ] {
        assert_eq!(of_set(models).map(drop), Err(message.to_owned()));
    }
    for name in ["", &"n".repeat(65)] {
        let error = PriceSet::new(name, json!({})).unwrap_err();
        assert_eq!(error.to_string(), format!("price set {name}: a name has 1 to 64 bytes"));
    }
    let digits = "has more than 19 significant digits or 28 decimals";
    for (number, reason) in [
        ("-1", "-1 is negative".to_owned()),
        ("1e-29", format!("0.00000000000000000000000000001 {digits}")),
        ("12345678901234567890", format!("12345678901234567890 {digits}")),
    ] {
        let error = PriceTerms::new().multiplier(number.parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("multiplier: {reason}"));
    }
    for (charge, message) in [
        (Charge::fee(" ", Usd::ZERO), "fee: a charge needs a name"),
        (Charge::tool("x", usd("-1")), "tool_call x: -1 is negative: a charge adds to a bill"),
    ] {
        assert_eq!(charge.map_err(|error| error.to_string()), Err(message.to_owned()));
    }
    let error = Error::from(PriceSet::new("", json!({})).unwrap_err());
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "invalid_terms"));
    assert_eq!(error.to_string(), "invalid terms: price set : a name has 1 to 64 bytes");
}

/// Words and names that differ lead to records that differ.
#[test]
fn records_tell_terms() {
    let map = map();
    let usage = Usage::new(1_000, 0);
    let terms = PriceTerms::new()
        .price_set(set("s", json!({"m": {"input_cost_per_token": 1e-6}})))
        .adjustments(Adjustments::new().discount("openai", share("0.5")).unwrap());
    let call = Call::new(&usage);
    let records: BTreeMap<String, String> =
        [("plain", call), ("terms", call.terms(&terms)), ("prepaid", call.prepaid())]
            .map(|(name, call)| {
                (name.to_owned(), serde_json::to_string(&map.cost("m", call).unwrap()).unwrap())
            })
            .into();
    let read = |name: &str| serde_json::from_str::<Value>(&records[name]).unwrap();
    assert_eq!((&read("plain")["pricing_source"], read("plain").get("billed")), (&json!("cost_map"), None));
    assert_eq!((&read("terms")["price_set"], &read("terms")["total"]), (&json!("s"), &json!("0.0005")));
    assert_eq!(
        read("terms")["lines"][1],
        json!({"component": "discount", "name": "openai", "quantity": 1, "unit": "calls",
        "rate": null, "multiplier": "0.5", "amount": "-0.0005", "basis": "adjustment", "source": null})
    );
    assert_eq!((&read("prepaid")["billed"], &read("prepaid")["total"]), (&json!("0"), &json!("0.001")));
}

/// A contract reaches models that have no entry: self-hosted ones, which are free without it.
#[test]
fn a_price_set_prices_a_self_hosted_model() {
    let map = map();
    let terms = PriceTerms::new().price_set(set("s", json!({"ollama/x": {"input_cost_per_token": 1e-3}})));
    let usage = Usage::new(1_000, 0);
    let call = Call::new(&usage).terms(&terms);
    assert_eq!(map.total("ollama/x", &usage).unwrap(), Usd::ZERO);
    let cost = map.cost("ollama/x", call).unwrap();
    assert_eq!((cost.total(), cost.price_set()), (usd("1"), Some("s")));
    assert_eq!(map.total("ollama/x", call).unwrap(), usd("1"));
    assert_eq!(map.resolve("ollama/x").unwrap().total(call).unwrap(), usd("1"));
    map.add_deployment(Deployment::new("d", json!({"model": "ollama/x"}), json!({})).unwrap()).unwrap();
    assert_eq!(map.deployment_total("d", call).unwrap(), usd("1"));
}

/// A self-hosted model is free, and another model of the same response is not.
#[test]
fn the_other_models_of_a_free_one_are_billed() {
    let body = json!({"type": "message", "role": "assistant", "model": "x", "content": [],
        "usage": {"input_tokens": 10, "output_tokens": 1, "iterations": [
            {"type": "message", "model": "x", "input_tokens": 10, "output_tokens": 1},
            {"type": "advisor_message", "model": "openrouter/o", "input_tokens": 1_000_000, "output_tokens": 0}]}});
    let response = Response::read(body.to_string().as_bytes()).unwrap();
    let map = map();
    assert_eq!(map.cost("ollama/x", &response).unwrap().total(), usd("1"));
    assert_eq!(map.resolve("ollama/x").unwrap().cost(&response).unwrap().total(), usd("1"));
}

/// Images by size are billed by the model's contract on every way to the price, with its fee.
#[test]
fn a_price_set_prices_images_by_size() {
    let map = CostMap::from_json(
        r#"{"dall2": {"mode": "image_generation", "litellm_provider": "openai"},
            "hd/1024-x-1024/dall2": {"mode": "image_generation", "litellm_provider": "openai", "output_cost_per_image": 0.04}}"#,
    )
    .unwrap();
    let own =
        Deployment::new("own", json!({"model": "openai/dall2", "output_cost_per_token": 1e-6}), json!({}))
            .unwrap();
    let plain = Deployment::new("plain", json!({"model": "openai/dall2"}), json!({})).unwrap();
    map.set_deployments([own, plain]).unwrap();
    let units = Units::new().images(1).image_quality("hd");
    let totals = |terms: &PriceTerms| {
        let call = Call::from(&units).terms(terms);
        let names = ["dall2", "openai/dall2"].map(|name| map.total(name, call).unwrap().to_string());
        let deployments = ["own", "plain"].map(|name| map.deployment_total(name, call).unwrap().to_string());
        [names, deployments].concat()
    };
    assert_eq!(totals(&PriceTerms::new()), ["0.04"; 4]);
    let terms = PriceTerms::new().price_set(set("s", json!({"dall2": {"input_cost_per_image": 0.01}})));
    assert_eq!(totals(&terms), ["0.01"; 4]);
    let terms = PriceTerms::new().price_set(set("s", json!({"dall2": {"input_cost_per_request": 0.5}})));
    assert_eq!(totals(&terms), ["0.54"; 4]);
    let call = Call::from(&units);
    assert_eq!(map.deployment_cost("own", call).unwrap().pricing_source(), PricingSource::CostMap);
}

/// Rules of a map fill in a model's entry, and never a deployment's by the deployment's id.
#[test]
fn rules_do_not_fill_in_deployments_by_id() {
    let map = CostMap::from_json(
        r#"{"base": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
            "fallback_generalizations": {"rules": [{"name": "x", "pattern": "^(?:openai/)?x-", "fill_missing_for_providers": ["openai"],
                "model_info": {"litellm_provider": "openai", "mode": "chat", "cache_read_input_token_cost": 0.5}}]}}"#,
    )
    .unwrap();
    map.add_deployment(
        Deployment::new(
            "d",
            json!({"model": "openai/base", "output_cost_per_token": 2e-6}),
            json!({"id": "x-1"}),
        )
        .unwrap(),
    )
    .unwrap();
    let usage = Usage::new(10, 0).cached_tokens(10);
    let terms =
        PriceTerms::new().price_set(set("s", json!({"openai/base": {"output_cost_per_token": 3e-6}})));
    assert_eq!(map.deployment_total("d", &usage).unwrap(), usd("0.00001"));
    assert_eq!(map.deployment_total("d", Call::new(&usage).terms(&terms)).unwrap(), usd("0.00001"));
}

/// A contract is with one provider: a bare name does not reach the same model of another one.
#[test]
fn a_price_set_tells_providers_apart() {
    let map = CostMap::from_json(
        r#"{"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-6},
            "azure/m": {"litellm_provider": "azure", "input_cost_per_token": 3e-6}}"#,
    )
    .unwrap();
    let usage = million();
    let total = |models: Value, lookup: Lookup<'_>| {
        let terms = PriceTerms::new().price_set(set("s", models));
        map.total(lookup, Call::new(&usage).terms(&terms)).unwrap().to_string()
    };
    let (bare, azure, openai) =
        (Lookup::new("m"), Lookup::new("m").provider("azure"), Lookup::new("m").provider("openai"));
    let of = |name: &str| json!({(name): {"input_cost_per_token": 7e-6}});
    for (models, lookup, expected) in [
        (of("m"), bare, "7"),
        (of("m"), azure, "3"),
        (of("m"), openai, "7"),
        (of("m"), Lookup::new("openai/m"), "7"),
        (of("openai/m"), bare, "7"),
        (of("openai/m"), openai, "7"),
        (of("openai/m"), azure, "3"),
        (of("azure/m"), azure, "7"),
        (of("azure/m"), Lookup::new("azure/m"), "7"),
        (of("azure/m"), bare, "1"),
        // The name that was asked for goes before the key.
        (
            json!({"m": {"input_cost_per_token": 7e-6}, "M": {"input_cost_per_token": 8e-6}}),
            Lookup::new("M"),
            "8",
        ),
    ] {
        assert_eq!(total(models.clone(), lookup), expected, "{models} {lookup:?}");
    }
    // Null takes a field of the map back, and a table goes before a flat rate unless it does.
    let map = CostMap::from_json(
        r#"{"m": {"output_cost_per_token": 1e-6, "tiered_pricing": [{"range": [0, 1000000], "input_cost_per_token": 1e-6}]}}"#,
    )
    .unwrap();
    let total = |models: Value| {
        let terms = PriceTerms::new().price_set(set("s", models));
        map.total("m", Call::new(&usage).terms(&terms)).unwrap().to_string()
    };
    assert_eq!(total(json!({"m": {"input_cost_per_token": 7e-6}})), "1");
    assert_eq!(total(json!({"m": {"input_cost_per_token": 7e-6, "tiered_pricing": null}})), "7");
}

/// A total of a name that is remembered as unknown is the stated charge, too.
#[test]
fn a_total_remembers_what_a_cost_does() {
    let map = map();
    let mut usage = Usage::new(10, 10);
    usage.cost = Some(usd("0.5"));
    let lookup = Lookup::new("nope").provider("openrouter");
    for _ in 0..3 {
        assert_eq!(map.cost(lookup, &usage).unwrap().total(), usd("0.5"));
        assert_eq!(map.total(lookup, &usage).unwrap(), usd("0.5"));
    }
}

#[test]
fn later_terms_replace_earlier_ones() {
    let map = map();
    let terms = PriceTerms::new().price_set(set("acme", json!({"m": {"input_cost_per_token": 1}})));
    let usage = Usage::new(1_000, 0);
    let call = Call::new(&usage).terms(&terms).terms(&EMPTY);
    assert_eq!(map.total("m", call).unwrap(), usd("0.001"));
}

static EMPTY: std::sync::LazyLock<PriceTerms> = std::sync::LazyLock::new(PriceTerms::new);

/// No text of a wrong price is repeated: it may be a secret in the wrong place.
#[test]
fn errors_of_terms_repeat_no_text() {
    let error = PriceSet::new("s", json!({"m": {"input_cost_per_token": "sk-proj-abcdef"}})).unwrap_err();
    assert_eq!(error.to_string(), "price set s: m: input_cost_per_token: not a price in US dollars");
    for text in [
        r#"{"cost_margin_config": "sk-proj-abcdef"}"#,
        r#"{"cost_margin_config": {"global": "sk-proj-abcdef"}}"#,
        r#"{"cost_margin_config": {"global": {"percentage": "sk-proj-abcdef"}}}"#,
    ] {
        let error = Adjustments::from_json(text).unwrap_err().to_string();
        assert!(!error.contains("sk-"), "{error}");
    }
}

#[test]
fn scopes_that_never_apply_are_refused() {
    for (scope, reason) in [
        ("bedrock_converse", "write bedrock, which is the provider of bedrock_converse"),
        ("vertex_ai_beta/gemini-*", "write vertex_ai, which is the provider of vertex_ai_beta"),
        ("vertex_ai-language-models", "write vertex_ai, which is the provider of vertex_ai-language-models"),
        ("Global", "write global for all providers"),
    ] {
        let error = Adjustments::new().margin(scope, share("0.1")).unwrap_err();
        assert_eq!(error.to_string(), format!("cost_margin_config.{scope}: {reason}"));
    }
    // A discount beyond the range of money takes what there is.
    let huge = share("0.5").and_fixed_amount(Usd::MAX).unwrap();
    let adjustments = Adjustments::new().discount("global", huge).unwrap();
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1000000000}}"#).unwrap();
    map.set_adjustments(adjustments).unwrap();
    assert_eq!(map.total("m", &Usage::new(17, 0)).unwrap(), Usd::ZERO);
    assert_eq!(map.cost("m", &Usage::new(17, 0)).unwrap().original(), usd("17000000000"));
}
