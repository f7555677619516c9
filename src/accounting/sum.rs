//! [`CostSum`]: bills added up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cost::{Component, Cost, Line, Number, Unpriced, serialize_quantity};
use crate::error::Error;
use crate::num::Usd;

/// Bills added up: the attempts of a request, the lines of a batch, the calls of a day.
///
/// A sum keeps the amounts and quantities by component, the generations of the map that priced the
/// calls, and whether each call had a price. Adding is exact, and the order does not matter.
///
/// Price each call, and add the bills. Never add usages and price the result: thresholds, service tiers
/// and rounding are per call, so that one call of 300,000 tokens costs more than three of 100,000.
///
/// It serialises, and is read back, so that a sum can be kept and added to.
///
/// # Examples
///
/// ```
/// use llm_costmap::accounting::CostSum;
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::from_json(
///     r#"{"m": {"input_cost_per_token": 1e-6, "input_cost_per_token_above_200k_tokens": 2e-6}}"#,
/// )?;
/// let mut sum = CostSum::new();
/// for attempt in [Usage::new(100_000, 0), Usage::new(150_000, 0)] {
///     sum.add(&map.cost("m", &attempt)?)?;
/// }
/// assert_eq!(sum.total().map(|total| total.to_string()).as_deref(), Some("0.25"));
/// assert_eq!((sum.calls(), sum.generations().collect::<Vec<_>>()), (2, vec![1]));
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct CostSum {
    calls: u64,
    unpriced_calls: u64,
    total: Usd,
    billed: Usd,
    input: Usd,
    output: Usd,
    tools: Usd,
    generations: BTreeSet<u64>,
    lines: BTreeMap<Component, ComponentSum>,
}

/// The sum of the lines of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ComponentSum {
    /// The number of lines.
    pub lines: u64,
    /// The quantity, in [`Component::unit`]s.
    #[serde(serialize_with = "serialize_quantity")]
    pub quantity: Number,
    /// The amount, in US dollars.
    pub amount: Usd,
}

impl CostSum {
    /// Returns the sum of no bills.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a bill.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] if the sum would be beyond the range of [`Usd`]. The sum is then unchanged.
    pub fn add(&mut self, cost: &Cost) -> Result<(), Error> {
        self.merge(&Self::of(cost, 0)?)
    }

    /// Adds a bill that lacks a price. The sum is then not complete.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_unpriced(&mut self, bill: &Unpriced) -> Result<(), Error> {
        self.merge(&Self::of(bill.partial(), 1)?)
    }

    /// Adds the outcome of pricing a call: a bill, a bill that lacks a price, or another error, which counts
    /// as a call without a price.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add). The error of the outcome is not returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::accounting::CostSum;
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let mut sum = CostSum::new();
    /// for model in ["m", "unknown"] {
    ///     sum.add_outcome(&map.cost(model, &Usage::new(1_000, 0)))?;
    /// }
    /// assert_eq!((sum.calls(), sum.unpriced_calls()), (2, 1));
    /// assert_eq!(sum.known_total().to_string(), "0.001");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn add_outcome(&mut self, outcome: &Result<Cost, Error>) -> Result<(), Error> {
        match outcome {
            Ok(cost) => self.add(cost),
            Err(Error::Unpriced(bill)) => self.add_unpriced(bill),
            Err(_) => self.merge(&Self { calls: 1, unpriced_calls: 1, ..Self::default() }),
        }
    }

    /// Adds another sum.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        let overflow = || Error::Overflow { key: "a sum of bills".to_owned() };
        self.checked_add(other).ok_or_else(overflow)
    }

    fn of(cost: &Cost, unpriced_calls: u64) -> Result<Self, Error> {
        let mut lines = BTreeMap::new();
        let overflow = || Error::Overflow { key: cost.key().to_owned() };
        for Line { component, quantity, amount, .. } in cost.lines() {
            let line = ComponentSum { lines: 1, quantity, amount };
            let sum = lines.get(&component).map_or(Some(line), |sum: &ComponentSum| sum.checked_add(&line));
            lines.insert(component, sum.ok_or_else(overflow)?);
        }
        Ok(Self {
            calls: 1,
            unpriced_calls,
            total: cost.total(),
            billed: cost.billed(),
            input: cost.input(),
            output: cost.output(),
            tools: cost.tools(),
            generations: BTreeSet::from([cost.generation()]),
            lines,
        })
    }

    /// Adds another sum. Returns `None`, and changes nothing, if a sum is beyond its range.
    fn checked_add(&mut self, other: &Self) -> Option<()> {
        let lines = other.lines.iter().map(|(component, more)| {
            let sum = self.lines.get(component).map_or(Some(*more), |sum| sum.checked_add(more))?;
            Some((*component, sum))
        });
        let lines = lines.collect::<Option<Vec<_>>>()?;
        let calls = self.calls.checked_add(other.calls)?;
        let unpriced_calls = self.unpriced_calls.checked_add(other.unpriced_calls)?;
        let amounts = [
            (self.total, other.total),
            (self.billed, other.billed),
            (self.input, other.input),
            (self.output, other.output),
            (self.tools, other.tools),
        ];
        let [total, billed, input, output, tools] = amounts.map(|(sum, more)| sum.checked_add(more));
        (self.total, self.billed, self.input, self.output, self.tools) =
            (total?, billed?, input?, output?, tools?);
        (self.calls, self.unpriced_calls) = (calls, unpriced_calls);
        self.lines.extend(lines);
        self.generations.extend(&other.generations);
        Some(())
    }

    /// Returns the number of bills.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the number of bills that lack a price.
    #[must_use]
    pub fn unpriced_calls(&self) -> u64 {
        self.unpriced_calls
    }

    /// Returns whether every bill has all of its prices.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unpriced_calls == 0
    }

    /// Returns the sum of all totals, in US dollars; `None` if a bill lacks a price.
    #[must_use]
    pub fn total(&self) -> Option<Usd> {
        Some(self.total).filter(|_| self.is_complete())
    }

    /// Returns the sum of all totals, in US dollars, which leaves out what has no price.
    #[must_use]
    pub fn known_total(&self) -> Usd {
        self.total
    }

    /// Returns the sum of what is billed, in US dollars, which leaves out what has no price: see
    /// [`Cost::billed`].
    #[must_use]
    pub fn known_billed(&self) -> Usd {
        self.billed
    }

    /// Returns the sum of input, in US dollars, which leaves out what has no price.
    #[must_use]
    pub fn known_input(&self) -> Usd {
        self.input
    }

    /// Returns the sum of output, in US dollars, which leaves out what has no price.
    #[must_use]
    pub fn known_output(&self) -> Usd {
        self.output
    }

    /// Returns the sum of tools, in US dollars, which leaves out what has no price.
    #[must_use]
    pub fn known_tools(&self) -> Usd {
        self.tools
    }

    /// Returns the components, in their order, and their sums.
    #[must_use]
    pub fn components(&self) -> impl ExactSizeIterator<Item = (Component, ComponentSum)> + '_ {
        self.lines.iter().map(|(component, sum)| (*component, *sum))
    }

    /// Returns the generations of the map that priced the calls, in ascending order: see
    /// [`CostMap::generation`](crate::CostMap::generation).
    #[must_use]
    pub fn generations(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.generations.iter().copied()
    }
}

impl ComponentSum {
    fn checked_add(&self, other: &Self) -> Option<Self> {
        Some(Self {
            lines: self.lines.checked_add(other.lines)?,
            quantity: self.quantity.checked_add(other.quantity)?,
            amount: self.amount.checked_add(other.amount)?,
        })
    }
}
