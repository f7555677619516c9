//! Reads arbitrary bytes as a map, and prices a call by each model of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_costmap::{CostMap, Usage};

fuzz_target!(|bytes: &[u8]| {
    let Ok(map) = CostMap::from_json(bytes) else { return };
    let usage = Usage::new(300_000, 1_000).cached_tokens(100_000).reasoning_tokens(500);
    for model in map.models() {
        let total = map.total(&*model, &usage).ok();
        assert_eq!(map.cost(&*model, &usage).ok().map(|cost| cost.total()), total, "{model}");
    }
});
