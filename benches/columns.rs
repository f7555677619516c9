//! Measures calls in columns, of 64 hot models with plain text, beside a loop over `total` by name, and a
//! loop over models that were looked up before.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod measure;

use std::collections::HashMap;
use std::hint::black_box;

use llm_costmap::columns::CallColumns;
use llm_costmap::usage::Counter;
use llm_costmap::{CostMap, Resolved, Usage};
use measure::Goal::AtMost;
use measure::{Seeded, Suite, once};

const ROUNDS: usize = 41;
const ROWS: usize = 65_536;

fn main() {
    let map = CostMap::bundled();
    let snapshot = map.snapshot();
    let mut seeded = Seeded::new(7);
    let usage = Usage::new(1_000, 500);
    let chat: Vec<String> = snapshot
        .models()
        .filter(|model| model.mode().as_deref() == Some("chat"))
        .map(|model| model.key().to_owned())
        .filter(|key| snapshot.total(key, &usage).is_ok())
        .collect();
    let hot = seeded.sample(&chat, 64);
    assert_eq!(hot.len(), 64);
    let models: Vec<&str> = seeded.picks(&hot, ROWS).into_iter().map(String::as_str).collect();
    let mut counts = |end: usize| (0..ROWS).map(|_| seeded.below(end) as u64).collect::<Vec<u64>>();
    let (prompt, completion) = (counts(100_000), counts(8_000));
    let columns = CallColumns::new(&models)
        .counter(Counter::PromptTokens, &prompt)
        .counter(Counter::CompletionTokens, &completion);
    let rows = || models.iter().zip(&prompt).zip(&completion);
    let resolved: HashMap<&str, Resolved<'_>> =
        hot.iter().map(|name| (name.as_str(), snapshot.resolve(name).unwrap())).collect();
    let by_row: Vec<&Resolved<'_>> = models.iter().filter_map(|name| resolved.get(name)).collect();
    let per_row = |took: f64| took / ROWS as f64;

    let mut suite = Suite::default();
    suite
        .add("a loop over total, by name", || {
            per_row(once(|| {
                for ((model, prompt), completion) in rows() {
                    black_box(map.total(*model, &Usage::new(*prompt, *completion)).unwrap());
                }
            }))
        })
        .add("a loop over models that were looked up", || {
            per_row(once(|| {
                for (model, (prompt, completion)) in by_row.iter().zip(prompt.iter().zip(&completion)) {
                    black_box(model.total(&Usage::new(*prompt, *completion)).unwrap());
                }
            }))
        })
        .add("columns", || per_row(once(|| drop(black_box(columns.totals(&snapshot).unwrap())))))
        .beside("a loop over total, by name", AtMost(1.0));
    suite.run("a row of 65,536, by 64 hot models", ROUNDS);
}
