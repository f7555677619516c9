//! The cost of a call as HTTP headers.

use super::breakdown::Breakdown;
use crate::cost::Cost;
use crate::num::Usd;

impl Cost {
    /// Returns LiteLLM's `x-litellm-response-cost` headers as names and values: US dollars in decimal
    /// digits, and the margin's percentage as a share (0.1 is 10%).
    ///
    /// The total, the original amount, the discount, the margin, input, output and tools are always
    /// among them; cache reads, cache writes and reasoning only if there were any. Input is without the
    /// caches and without the fee of a router, as LiteLLM has it; reasoning is part of output.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::from_json(
    ///     r#"{"m": {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7}}"#,
    /// )?;
    /// let cost = map.cost("m", &Usage::new(1_000, 0).cached_tokens(600))?;
    /// let headers: Vec<(&str, String)> = cost.headers().collect();
    /// assert_eq!(headers[0], ("x-litellm-response-cost", "0.00046".to_owned()));
    /// assert!(headers.contains(&("x-litellm-response-cost-input", "0.0004".to_owned())));
    /// assert!(headers.contains(&("x-litellm-response-cost-cache-read", "0.00006".to_owned())));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let breakdown = Breakdown::of(self);
        let usd = |amount: Usd| Some(amount.to_string());
        let some = |amount: Option<Usd>| amount.map(|amount| amount.to_string());
        [
            ("x-litellm-response-cost", usd(self.total())),
            ("x-litellm-response-cost-original", usd(breakdown.original)),
            ("x-litellm-response-cost-discount-amount", usd(breakdown.discount_amount)),
            ("x-litellm-response-cost-margin-amount", usd(breakdown.margin_total_amount)),
            ("x-litellm-response-cost-margin-percent", Some(breakdown.margin_percent.to_string())),
            ("x-litellm-response-cost-input", usd(breakdown.uncached_input())),
            ("x-litellm-response-cost-output", usd(breakdown.output)),
            ("x-litellm-response-cost-cache-read", some(breakdown.cache_read)),
            ("x-litellm-response-cost-cache-creation", some(breakdown.cache_creation)),
            ("x-litellm-response-cost-reasoning", some(breakdown.reasoning)),
            ("x-litellm-response-cost-tool-usage", usd(breakdown.tool_usage)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}
