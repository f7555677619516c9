//! How long a list of deployments takes to replace another, of 100 and of 10,000, and what a price through one
//! costs beside the same by the model's key.
#![allow(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use llm_costmap::{CostMap, CostRequest, Deployment, Usage};

const ROUNDS: u32 = 15;

/// Deployments that differ in where they are, and have a price of their own, as a config lists them.
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

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The time in which a list takes the place of one as long.
fn replace(map: &CostMap, count: usize) -> Duration {
    let rounds = (0..ROUNDS).map(|round| {
        let list = list(count, round);
        let start = Instant::now();
        map.set_deployments(list).unwrap();
        start.elapsed()
    });
    median(rounds.collect())
}

fn nanoseconds(mut f: impl FnMut()) -> f64 {
    const CALLS: u32 = 100_000;
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        for _ in 0..CALLS {
            f();
        }
        start.elapsed()
    });
    median(rounds.collect()).as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn main() {
    let map = CostMap::bundled();
    let (few, many) = (replace(&map, 100), replace(&map, 10_000));
    println!("replace 100 by 100          {few:>12.1?}");
    println!("replace 10,000 by 10,000    {many:>12.1?}   x {:.0}", many.as_secs_f64() / few.as_secs_f64());

    let snapshot = map.snapshot();
    let usage = Usage::new(1_000, 100).cached_tokens(300);
    let model = CostRequest::new("azure/gpt-4o", &usage);
    let by_key = nanoseconds(|| drop(black_box(snapshot.cost(black_box(&model)))));
    let deployment = CostRequest::new("m-77", &usage);
    let by_name = nanoseconds(|| drop(black_box(snapshot.deployment_cost(black_box(&deployment)))));
    println!("price by key                {by_key:>9.0} ns");
    println!("price by deployment         {by_name:>9.0} ns   x {:.2}", by_name / by_key);
}
