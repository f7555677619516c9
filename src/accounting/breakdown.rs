//! [`Breakdown`]: the sums of a bill by the classes of LiteLLM's accounting.

use std::collections::BTreeMap;

use crate::cost::{Component, Cost, Number};
use crate::num::Usd;

/// The sums of a bill by class, in US dollars, as LiteLLM's `CostBreakdown` has them.
pub(super) struct Breakdown {
    /// The input, caches included, without the fee of a router.
    pub(super) input: Usd,
    /// The output, reasoning included.
    pub(super) output: Usd,
    pub(super) cache_read: Option<Usd>,
    pub(super) cache_creation: Option<Usd>,
    pub(super) reasoning: Option<Usd>,
    /// Tools, the caller's own included.
    pub(super) tool_usage: Usd,
    pub(super) guardrail: Option<Usd>,
    /// Fees by name, each once.
    pub(super) additional: BTreeMap<String, Usd>,
    pub(super) original: Usd,
    pub(super) discount_percent: Number,
    pub(super) discount_amount: Usd,
    pub(super) margin_percent: Number,
    pub(super) margin_fixed_amount: Usd,
    pub(super) margin_total_amount: Usd,
}

/// LiteLLM's name of the fee of Azure's model router.
const ROUTER_FEE: &str = "azure_model_router_flat_cost";

impl Breakdown {
    pub(super) fn of(cost: &Cost) -> Self {
        let sum = |is: &dyn Fn(Component) -> bool| -> Option<Usd> {
            let mut amounts =
                cost.lines().filter(|line| is(line.component)).map(|line| line.amount).peekable();
            amounts.peek()?;
            // The sum of some lines of a bill is within the range of the sums of all.
            Some(amounts.sum::<Option<Usd>>().unwrap_or(Usd::MAX))
        };
        let one = |component: Component| sum(&|known| known == component);
        let less =
            |whole: Usd, part: Option<Usd>| whole.checked_sub(part.unwrap_or_default()).unwrap_or(whole);
        let router_fee = one(Component::RouterFee);
        let mut additional: BTreeMap<String, Usd> =
            router_fee.map(|fee| (ROUTER_FEE.to_owned(), fee)).into_iter().collect();
        for line in cost.lines().filter(|line| line.component == Component::Fee) {
            let amount = additional.entry(line.name.unwrap_or_default().to_owned()).or_default();
            *amount = amount.checked_add(line.amount).unwrap_or(Usd::MAX);
        }
        let tools = cost.tools();
        let (discount_percent, _) = cost.adjustment(Component::Discount);
        let (margin_percent, margin_fixed_amount) = cost.adjustment(Component::Margin);
        Self {
            input: less(cost.input(), router_fee),
            output: cost.output(),
            cache_read: sum(&Component::is_cache_read),
            cache_creation: sum(&Component::is_cache_write),
            reasoning: one(Component::Reasoning),
            tool_usage: tools.checked_add(one(Component::ToolCall).unwrap_or_default()).unwrap_or(tools),
            guardrail: one(Component::Guardrail),
            additional,
            original: cost.original(),
            discount_percent,
            discount_amount: cost.discount(),
            margin_percent,
            margin_fixed_amount,
            margin_total_amount: cost.margin(),
        }
    }

    /// Returns the input without what was read from caches and written to them.
    pub(super) fn uncached_input(&self) -> Usd {
        let caches = [self.cache_read, self.cache_creation].into_iter().flatten();
        let caches = caches.sum::<Option<Usd>>().unwrap_or_default();
        self.input.checked_sub(caches).unwrap_or(self.input)
    }
}
