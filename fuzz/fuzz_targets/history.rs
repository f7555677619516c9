//! Reads arbitrary bytes as a history, and prices a call by each model at each of its times.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_costmap::Usage;
use llm_costmap::history::{AsOf, History};

fuzz_target!(|bytes: &[u8]| {
    let Ok(history) = History::from_bytes(bytes) else { return };
    let usage = Usage::new(300_000, 1_000);
    for batch in history.batches().into_iter().take(10) {
        let view = history.at(AsOf::new(batch.effective_from).recorded_by(batch.recorded_at));
        for model in history.models() {
            let total = view.total(&*model, &usage).ok();
            assert_eq!(view.cost(&*model, &usage).ok().map(|cost| cost.total()), total, "{model}");
        }
        assert_eq!(view.models().count(), view.len());
    }
});
