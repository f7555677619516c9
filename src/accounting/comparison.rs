//! [`Comparison`]: two bills of the same call, side by side.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::cost::{Component, Cost};
use crate::num::Usd;

/// Two bills of the same call, side by side: by another model, by another generation of the map, or
/// without the cache.
///
/// # Examples
///
/// ```
/// use llm_costmap::{Call, CostMap, Usage};
///
/// let map = CostMap::from_json(
///     r#"{"m": {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7},
///         "mini": {"input_cost_per_token": 2e-7}}"#,
/// )?;
/// let usage = Usage::new(10_000, 0).cached_tokens(8_000);
/// let call = Call::new(&usage);
/// let paid = map.cost("m", call)?;
///
/// // The amount that the cache saved.
/// let without = map.cost("m", call.without_cache())?;
/// assert_eq!(without.compare(&paid).saving().to_string(), "0.0072");
///
/// // The amount that another model would save. An amount that the provider states is left out.
/// let comparison = paid.compare(&map.cost("mini", call.by_rates())?);
/// assert_eq!(
///     comparison.to_string(),
///     "m: 0.0028 USD, mini: 0.002 USD, saving 0.0008\n\
///      \x20 input: 0.002, 0.0004, saving 0.0016\n\
///      \x20 cache_read: 0.0008, 0.0016, saving -0.0008"
/// );
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The key of the entry that made the first bill.
    pub key: String,
    /// The key of the entry that made the other bill.
    pub other_key: String,
    /// The total of the first bill, in US dollars.
    pub total: Usd,
    /// The total of the other bill, in US dollars.
    pub other_total: Usd,
    /// The components of both bills, in their order.
    pub lines: Vec<ComparedLine>,
}

/// The amounts of a component in two bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ComparedLine {
    /// The component.
    pub component: Component,
    /// The amount in the first bill, in US dollars; zero if it has no such line.
    pub amount: Usd,
    /// The amount in the other bill, in US dollars; zero if it has no such line.
    pub other_amount: Usd,
}

impl Cost {
    /// Compares the bill with another one of the same call.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Comparison {
        let components: BTreeSet<Component> =
            self.lines().chain(other.lines()).map(|line| line.component).collect();
        let amount = |cost: &Self, component| {
            let amounts = cost.lines().filter(|line| line.component == component).map(|line| line.amount);
            // The sum of some lines of a bill is within the range.
            amounts.sum::<Option<Usd>>().unwrap_or(Usd::MAX)
        };
        let compared = components.into_iter().map(|component| ComparedLine {
            component,
            amount: amount(self, component),
            other_amount: amount(other, component),
        });
        Comparison {
            key: self.key().to_owned(),
            other_key: other.key().to_owned(),
            total: self.total(),
            other_total: other.total(),
            lines: compared.collect(),
        }
    }
}

impl Comparison {
    /// Returns the amount by which the other bill is lower, in US dollars; negative if it is higher.
    #[must_use]
    pub fn saving(&self) -> Usd {
        difference(self.total, self.other_total)
    }
}

impl ComparedLine {
    /// Returns the amount by which the other bill is lower, in US dollars; negative if it is higher.
    #[must_use]
    pub fn saving(&self) -> Usd {
        difference(self.amount, self.other_amount)
    }
}

/// Returns the difference of two amounts. Totals are not negative, so that it is within the range.
fn difference(one: Usd, other: Usd) -> Usd {
    one.checked_sub(other).unwrap_or(if one > other { Usd::MAX } else { Usd::ZERO })
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, other_key, total, other_total, lines } = self;
        write!(f, "{key}: {total} USD, {other_key}: {other_total} USD, saving {}", self.saving())?;
        for line in lines {
            let ComparedLine { component, amount, other_amount } = line;
            write!(f, "\n  {component}: {amount}, {other_amount}, saving {}", line.saving())?;
        }
        Ok(())
    }
}
