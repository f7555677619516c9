//! Measures how long it takes to replace a list of deployments by another, of 100 and of 10,000,
//! and the price of a call through a deployment beside the same call by the model's key.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod measure;

use std::cell::Cell;
use std::hint::black_box;

use llm_costmap::{CostMap, Deployment, Usage};
use measure::Goal::None as NoGoal;
use measure::{Suite, each, once};

const ROUNDS: usize = 15;
const CALLS: usize = 10_000;

/// Returns deployments that differ in their `api_base` and have a price of their own, read from a
/// list as a config has it.
fn list(count: usize, round: u32) -> Vec<Deployment> {
    let one = |n: usize| {
        format!(
            r#"{{"model_name": "m-{n}", "litellm_params": {{"model": "azure/gpt-4o", "input_cost_per_token": 1e-6,
                "api_base": "https://{round}/{n}"}}}}"#
        )
    };
    let list: Vec<String> = (0..count).map(one).collect();
    Deployment::list_from_json(&format!("[{}]", list.join(","))).unwrap()
}

fn main() {
    let (few, many) = (CostMap::bundled(), CostMap::bundled());
    let round = Cell::new(0);
    let replace = |map: &CostMap, count| {
        round.set(round.get() + 1);
        let list = list(count, round.get());
        once(|| map.set_deployments(list).unwrap())
    };
    replace(&few, 100);
    replace(&many, 10_000);
    let mut suite = Suite::default();
    suite
        .add("replace 100 by 100", || replace(&few, 100))
        .add("replace 10,000 by 10,000", || replace(&many, 10_000))
        .beside("replace 100 by 100", NoGoal);
    suite.run("lists of deployments", ROUNDS);

    // One change, beside thousands of registered models and deployments that stay as they are.
    let crowded = CostMap::bundled();
    crowded.set_deployments(list(4_000, 0)).unwrap();
    for n in 0..4_000 {
        crowded.register_model_json(&format!("mine-{n}"), r#"{"input_cost_per_token": 1e-6}"#).unwrap();
    }
    let number = Cell::new(0_u32);
    let next = || {
        number.set(number.get() + 1);
        number.get()
    };
    let alone = CostMap::bundled();
    let register = |map: &CostMap| {
        let info = format!(r#"{{"input_cost_per_token": {}}}"#, next());
        once(|| map.register_model_json("mine-7", &info).unwrap())
    };
    let add = |map: &CostMap| {
        let mut one = list(1, next());
        once(|| drop(map.add_deployment(one.remove(0)).unwrap()))
    };
    let mut suite = Suite::default();
    suite
        .add("register a model alone", || register(&alone))
        .add("register a model beside 4,000, and 4,000 deployments", || register(&crowded))
        .beside("register a model alone", NoGoal)
        .add("add a deployment alone", || add(&alone))
        .add("add a deployment beside 4,000, and 4,000 models", || add(&crowded))
        .beside("add a deployment alone", NoGoal);
    suite.run("one change", ROUNDS);

    let snapshot = many.snapshot();
    let usage = Usage::new(1_000, 100).cached_tokens(300);
    let (by_key, by_name) = (vec!["azure/gpt-4o"; CALLS], vec!["m-77"; CALLS]);
    let mut suite = Suite::default();
    suite
        .add("price by key", each(&by_key, |key| drop(black_box(snapshot.cost(black_box(*key), &usage)))))
        .add("price by deployment", {
            each(&by_name, |name| drop(black_box(snapshot.deployment_cost(black_box(name), &usage))))
        })
        .beside("price by key", NoGoal);
    suite.run("a call", ROUNDS);
}
