//! Measures a price by key, by a pinned snapshot, on a resolved model, and by other names, beside a
//! bare lookup of the same names in a hash table and beside a peer.
//!
//! The call is a full one: a prompt above most thresholds, three quarters of it read from a cache,
//! a tenth of it written to one, reasoning, and a service tier. Names come in random order, from 64
//! hot names and from all names that the map has a price for.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod measure;

use std::collections::HashMap;
use std::hint::black_box;

use genai_prices::{Calculator, PriceRequest, Usage as PeerUsage, UsageKey};
use llm_costmap::cost::{Adjustments, PriceSet, PriceTerms};
use llm_costmap::{Call, CostMap, Deployment, Lookup, Resolved, ServiceTier, Snapshot, Usage};
use measure::Goal::{self, AtLeast, AtMost};
use measure::{Seeded, Suite, each};
use serde_json::json;

const ROUNDS: usize = 41;
const SEED: u64 = 7;

/// A model that both libraries know, and its names.
#[derive(Clone)]
struct Model {
    key: String,
    provider: &'static str,
    /// The key without the provider.
    bare: String,
    peer_provider: &'static str,
    upper_case: String,
    dated: String,
}

fn main() {
    let map = CostMap::bundled();
    let snapshot = map.snapshot();
    let peer = Calculator::bundled();
    let peer_usage = PeerUsage::from([
        (UsageKey::INPUT_TOKENS, 280_000.0),
        (UsageKey::CACHE_READ_TOKENS, 210_000.0),
        (UsageKey::CACHE_WRITE_TOKENS, 28_000.0),
        (UsageKey::OUTPUT_TOKENS, 9_000.0),
    ]);
    let usage = Usage::new(280_000, 9_000)
        .cached_tokens(210_000)
        .cache_creation_tokens(28_000)
        .reasoning_tokens(3_000);
    let full = || Call::new(&usage).service_tier(ServiceTier::Priority);

    let mut seeded = Seeded::new(SEED);
    let hot = seeded.sample(&models(&snapshot, peer, &peer_usage), 64);
    assert_eq!(hot.len(), 64, "models that both libraries price");
    let order = seeded.picks(&hot, 8_192);
    let few = seeded.picks(&hot, 128);

    // The floor is a lookup of the same names, in a table with as many names as the map has.
    let keys: Vec<String> = snapshot.models().map(|model| model.key().to_owned()).collect();
    let table: HashMap<&str, u64, foldhash::fast::RandomState> =
        keys.iter().map(String::as_str).zip(0..).collect();
    let resolved: Vec<(Resolved<'_>, &Model)> =
        order.iter().map(|model| (snapshot.resolve(&model.key).unwrap(), *model)).collect();
    let unknown: Vec<String> = (0..64).map(|n| format!("acme-model-{n}-large")).collect();
    let unknown = seeded.picks(&unknown, 8_192);

    let mut suite = Suite::default();
    suite.add(FLOOR, each(&order, |m| _ = black_box(table.get(m.key.as_str()))));
    suite
        .add(TOTAL, each(&order, |m| _ = black_box(map.total(&m.key, full()).unwrap())))
        .beside(FLOOR, AtMost(3.0))
        .add(COST, each(&order, |m| _ = black_box(map.cost(&m.key, full()).unwrap().total())))
        .beside(FLOOR, AtMost(5.0))
        .add(LINES, each(&order, |m| lines(&map, &m.key, full())))
        .beside(FLOOR, Goal::None)
        .add("snapshot.total", each(&order, |m| _ = black_box(snapshot.total(&m.key, full()).unwrap())))
        .beside(TOTAL, AtMost(0.9))
        .add("snapshot.cost", each(&order, |m| _ = black_box(snapshot.cost(&m.key, full()).unwrap().total())))
        .beside(COST, Goal::None)
        .add("resolved.total", each(&resolved, |(r, _)| _ = black_box(r.total(full()).unwrap())))
        .beside(TOTAL, AtMost(0.5))
        .add("resolved.cost", each(&resolved, |(r, _)| _ = black_box(r.cost(full()).unwrap().total())))
        .beside(COST, Goal::None)
        .add("map.total, provider and bare name", {
            each(&order, |m| {
                _ = black_box(map.total(Lookup::new(&m.bare).provider(m.provider), full()).unwrap());
            })
        })
        .beside(TOTAL, AtMost(1.5))
        .add(
            "map.total, in upper case",
            each(&order, |m| _ = black_box(map.total(&m.upper_case, full()).unwrap())),
        )
        .beside(TOTAL, AtMost(4.0))
        .add("map.total, with a date", {
            each(&order, |m| {
                _ = black_box(map.total(Lookup::new(&m.dated).provider(m.provider), full()).unwrap());
            })
        })
        .beside(TOTAL, AtMost(4.0))
        .add("map.total, unknown", each(&unknown, |name| _ = black_box(map.total(name, full()).unwrap_err())))
        .beside(TOTAL, AtMost(4.0))
        .add(PEER, {
            each(&few, |m| {
                let request = PriceRequest::new(&m.bare, &peer_usage).with_provider_id(m.peer_provider);
                _ = black_box(peer.calculate(&request).unwrap());
            })
        })
        .beside(TOTAL, AtLeast(70.0));
    suite.run("64 hot names, in random order", ROUNDS);

    let priced: Vec<&String> = keys.iter().filter(|key| map.total(key, full()).is_ok()).collect();
    let order = seeded.sample(&priced, priced.len());
    let mut suite = Suite::default();
    suite
        .add("foldhash get, all names", each(&order, |key| _ = black_box(table.get(key.as_str()))))
        .add("map.total, all names", each(&order, |key| _ = black_box(map.total(key, full()).unwrap())))
        .beside("foldhash get, all names", AtMost(3.0))
        .add("map.cost, all names", each(&order, |key| _ = black_box(map.cost(key, full()).unwrap().total())))
        .beside("foldhash get, all names", AtMost(5.0));
    suite.run(&format!("all {} names with a price, in random order", priced.len()), ROUNDS);
    features();
    terms();
}

/// Measures plain calls of a map whose options do not concern them, and calls with terms, beside plain
/// calls of a map without options.
fn terms() {
    let bundled = CostMap::bundled();
    let with = |json: &str| {
        let map = CostMap::builder().build().unwrap();
        map.set_adjustments(Adjustments::from_json(json).unwrap()).unwrap();
        map
    };
    let of_others = with(
        r#"{"cost_discount_config": {"acme": 0.1, "acme/*": 0.2, "openai/gpt-3*": 0.3}, "cost_margin_config": {"acme": 0.1}}"#,
    );
    of_others
        .add_deployment(
            Deployment::new("d", json!({"model": "gpt-4o"}), json!({"billing": "prepaid"})).unwrap(),
        )
        .unwrap();
    let global = with(r#"{"cost_margin_config": {"global": {"percentage": 0.1, "fixed_amount": 0.0001}}}"#);
    let set = PriceSet::new("acme", json!({"gpt-4o": {"input_cost_per_token": 2e-6}})).unwrap();
    let own = PriceTerms::new().price_set(set);
    let more = PriceTerms::new().multiplier("1.1".parse().unwrap()).unwrap();
    let usage = Usage::new(12_000, 900).cached_tokens(8_000).reasoning_tokens(300);
    let plain = Call::new(&usage);
    let openai = Lookup::new("gpt-4o").provider("openai");
    let (key, few) = (|| Lookup::new("gpt-4o"), [(); 4_096]);
    // Each case has its name among the totals and among the costs, and the case that it stands beside.
    let cases = [
        (["total, plain", "cost, plain"], None, &bundled, key(), plain),
        (["total, options for others", "cost, options for others"], Some(0), &of_others, key(), plain),
        (["total, provider", "cost, provider"], None, &bundled, openai, plain),
        (
            ["total, provider, options for others", "cost, provider, options for others"],
            Some(2),
            &of_others,
            openai,
            plain,
        ),
        (["total, a margin", "cost, a margin"], Some(0), &global, key(), plain),
        (["total, a price set", "cost, a price set"], Some(0), &bundled, key(), plain.terms(&own)),
        (["total, a multiplier", "cost, a multiplier"], Some(0), &bundled, key(), plain.terms(&more)),
    ];
    for is_total in [true, false] {
        let name = |[total, cost]: [&'static str; 2]| if is_total { total } else { cost };
        let mut suite = Suite::default();
        for &(names, beside, map, model, call) in &cases {
            let suite = if is_total {
                suite.add(name(names), each(&few, move |()| _ = black_box(map.total(model, call).unwrap())))
            } else {
                suite.add(name(names), {
                    each(&few, move |()| _ = black_box(map.cost(model, call).unwrap().total()))
                })
            };
            if let Some((other, ..)) = beside.and_then(|other: usize| cases.get(other)) {
                let goal = if name(names).ends_with("others") { AtMost(1.02) } else { Goal::None };
                suite.beside(name(*other), goal);
            }
        }
        suite.run("calls with options and terms", ROUNDS);
    }
}

/// Measures calls with a feature that few calls use, beside a plain call. The rows of the map
/// differ in nothing but that feature.
fn features() {
    let entry = |more: &str| {
        format!(
            r#"{{"litellm_provider": "openai", "input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5,
                "cache_read_input_token_cost": 1.25e-6, "input_cost_per_audio_token": 4e-5, "output_cost_per_audio_token": 8e-5{more}}}"#
        )
    };
    let map = CostMap::from_json(format!(
        r#"{{"plain": {}, "eu": {}, "night": {}, "batch": {}, "ranges": {}}}"#,
        entry(""),
        entry(r#", "regional_processing_uplift_multiplier_eu": 1.1"#),
        entry(r#", "off_peak_pricing": {"hours_utc": "00:00-23:59", "input_cost_per_token": 1e-6}"#),
        entry(r#", "input_cost_per_token_batches": 1.25e-6, "output_cost_per_token_batches": 5e-6"#),
        entry(r#", "tiered_pricing": [{"range": [0, 1000000], "input_cost_per_token": 2e-6, "output_cost_per_token": 9e-6}]"#),
    ))
    .unwrap();
    let usage = Usage::new(12_000, 900).cached_tokens(8_000).reasoning_tokens(300);
    let mut audio = usage.clone();
    audio.prompt_tokens_details.audio_tokens = 1_000;
    audio.completion_tokens_details.audio_tokens = 100;
    let noon = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(12 * 3_600);
    let plain = Call::new(&usage);
    let calls = [
        ("plain", "plain", plain),
        ("a factor", "eu", plain.data_residency("eu")),
        ("off-peak hours", "night", plain.at(noon)),
        ("audio", "plain", Call::new(&audio)),
        ("a batch", "batch", plain.batch()),
        ("a range table", "ranges", plain),
    ];
    let calls = calls.map(|(name, model, call)| (name, vec![(model, call); 8_192]));
    let mut suite = Suite::default();
    for (name, calls) in &calls {
        let suite = suite
            .add(name, each(calls, |(model, call)| _ = black_box(map.cost(*model, call).unwrap().total())));
        if *name != "plain" {
            suite.beside("plain", AtMost(2.0));
        }
    }
    suite.run("map.cost with what few calls have", ROUNDS);
}

const FLOOR: &str = "foldhash get";
const TOTAL: &str = "map.total";
const COST: &str = "map.cost";
const LINES: &str = "map.cost, every line's amount";
const PEER: &str = "genai-prices 0.2.1";

fn lines(map: &CostMap, model: &str, call: Call<'_>) {
    for line in map.cost(model, call).unwrap().lines() {
        black_box(line.amount);
    }
}

/// Returns the models that both libraries price, and that their other names lead to.
fn models(snapshot: &Snapshot, peer: &Calculator, usage: &PeerUsage) -> Vec<Model> {
    const PROVIDERS: [(&str, &str); 6] = [
        ("openai", "openai"),
        ("anthropic", "anthropic"),
        ("gemini", "google"),
        ("mistral", "mistral"),
        ("groq", "groq"),
        ("xai", "x-ai"),
    ];
    let known = snapshot.models().filter_map(|model| {
        let provider = model.litellm_provider()?;
        let (provider, peer_provider) = PROVIDERS.iter().find(|(ours, _)| *ours == provider)?;
        let bare = model.key().strip_prefix(&format!("{provider}/")).unwrap_or(model.key()).to_owned();
        let request = PriceRequest::new(&bare, usage).with_provider_id(peer_provider);
        peer.calculate(&request).ok()?;
        let known = Model {
            key: model.key().to_owned(),
            provider,
            peer_provider,
            upper_case: model.key().to_uppercase(),
            dated: format!("{bare}{}", if *provider == "gemini" { "-001" } else { "-2031-01-31" }),
            bare,
        };
        let leads =
            |lookup: Lookup<'_>| snapshot.resolve(lookup).is_ok_and(|found| found.key() == model.key());
        let priced = snapshot.total(model.key(), &Usage::new(1, 1)).is_ok();
        let all = priced
            && leads(Lookup::new(&known.bare).provider(provider))
            && leads(Lookup::new(&known.upper_case))
            && leads(Lookup::new(&known.dated).provider(provider));
        all.then_some(known)
    });
    known.collect()
}
