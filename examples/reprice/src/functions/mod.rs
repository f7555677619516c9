//! The functions of SQL.
//!
//! | function | returns |
//! |---|---|
//! | `llm_cost(model, provider, prompt_tokens, completion_tokens, cached_tokens, revision, ...)` | the total in US dollars, as a `DECIMAL(38, 28)`; `NULL` if the call has no complete price |
//! | `llm_cost_lines(...)`, of the same arguments | a struct: the key of the entry, the total and its parts, and the reason if there is no total |
//! | `llm_usage(format, body)` | a struct: the counts of a provider's response, and the reason if there are none |
//!
//! `revision` is a literal: that of the map, so that all processes of a cluster price by one. A process that does not
//! have it fails the query. The arguments behind it are optional: `cache_creation_tokens`,
//! `cache_creation_1h_tokens`, `reasoning_tokens`, `prompt_audio_tokens`, `completion_audio_tokens`, `service_tier`,
//! `batch` and `at`. Without `at`, a call is priced as one of now, which matters for off-peak prices alone.
//!
//! A count that is `NULL` is zero, but a call of which neither the prompt nor the completion is counted has no price,
//! nor has one with a negative count, or without a time where `at` is given. Counts are integers: others are refused.

mod arguments;
mod cost;
mod lines;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;

use crate::Maps;
pub(crate) use cost::decimal;
pub use cost::{AMOUNT, LlmCost};
pub use lines::LlmCostLines;
pub use usage::LlmUsage;

/// The number of rows that `llm_cost` has priced in this process.
static PRICED: AtomicU64 = AtomicU64::new(0);

/// Returns the number of rows that `llm_cost` has priced in this process.
pub fn priced() -> u64 {
    PRICED.load(Ordering::Relaxed)
}

/// Returns all functions, which price by these maps.
pub fn all(maps: &Arc<Maps>) -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(LlmCost::new(maps.clone()).into()),
        Arc::new(LlmCostLines::new(maps.clone()).into()),
        Arc::new(LlmUsage::default().into()),
    ]
}

/// Registers all functions, which price by these maps.
///
/// # Errors
///
/// Returns the error of the registry.
pub fn register(registry: &mut dyn FunctionRegistry, maps: &Arc<Maps>) -> datafusion::error::Result<()> {
    all(maps).into_iter().try_for_each(|function| registry.register_udf(function).map(drop))
}
