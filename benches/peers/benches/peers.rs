//! Measures a price here and in other crates that price calls: the same 64 models, in the same
//! random order.
//!
//! The other crates price less: input, output and cached input at most, at one rate each, in
//! floating point. The call is therefore one that all of them can price, and not the full call of
//! `benches/price.rs`.
#![allow(clippy::unwrap_used, reason = "a bench")]

#[path = "../../measure/mod.rs"]
mod measure;

use std::hint::black_box;

use iron_cost::pricing::PricingManager;
use liter_llm::cost::completion_cost_with_cache;
use litellm_rs::core::cost::calculator::generic_cost_per_token;
use litellm_rs::core::cost::types::UsageTokens;
use llm_costmap::{CostMap, Usage};
use measure::Goal::{AtLeast, None as NoGoal};
use measure::{Seeded, Suite, each};

const ROUNDS: usize = 31;
const TOTAL: &str = "llm-costmap, map.total";

fn main() {
    let map = CostMap::bundled();
    let iron = PricingManager::new().unwrap();
    let usage = Usage::new(12_000, 900).cached_tokens(8_000);
    let tokens = UsageTokens { cached_tokens: Some(8_000), ..UsageTokens::new(12_000, 900) };

    let all: Vec<(String, String)> = map
        .snapshot()
        .models()
        .filter_map(|model| Some((model.key().to_owned(), model.litellm_provider()?)))
        .filter(|(key, _)| map.total(key, &usage).is_ok())
        .filter(|(key, _)| completion_cost_with_cache(key, 12_000, 8_000, 900).is_some())
        .filter(|(key, _)| iron.get(key).is_some())
        .collect();
    println!("{} models that the first three price", all.len());
    let mut seeded = Seeded::new(13);
    let hot = seeded.sample(&all, 64);
    let order = seeded.picks(&hot, 8_192);
    let few = seeded.picks(&hot, 256);
    let slow: Vec<_> = few
        .into_iter()
        .filter(|(key, provider)| generic_cost_per_token(key, &tokens, provider).is_ok())
        .collect();

    let mut suite = Suite::default();
    suite
        .add(TOTAL, each(&order, |m| _ = black_box(map.total(&m.0, &usage).unwrap())))
        .add("llm-costmap, map.cost", {
            each(&order, |m| _ = black_box(map.cost(&m.0, &usage).unwrap().total()))
        })
        .beside(TOTAL, NoGoal)
        .add("liter-llm 2.4.4, with cache", {
            each(&order, |m| _ = black_box(completion_cost_with_cache(&m.0, 12_000, 8_000, 900).unwrap()))
        })
        .beside(TOTAL, AtLeast(1.0))
        .add("iron_cost 0.3.0, input and output", {
            each(&order, |m| _ = black_box(iron.get(&m.0).unwrap().calculate_cost(12_000, 900)))
        })
        .beside(TOTAL, AtLeast(1.0));
    if !slow.is_empty() {
        suite
            .add("litellm-rs 0.9.0, with cache", {
                each(&slow, |m| _ = black_box(generic_cost_per_token(&m.0, &tokens, &m.1).unwrap()))
            })
            .beside(TOTAL, AtLeast(1.0));
    }
    suite.run(&format!("{} hot names that all know, in random order", hot.len()), ROUNDS);
}
