//! [`PricingSnapshot`] and [`UnpricedEvent`]: LiteLLM's contract of accounting.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::breakdown::Breakdown;
use crate::cost::{Basis, Call, Component, Cost, Line, Number, PricingSource, Unit};
use crate::error::Error;
use crate::num::Usd;
use crate::rates::FactorKind;
use crate::resolve::Lookup;

/// A bill in the form that LiteLLM keeps: `litellm.accounting.types.PricingSnapshot`, schema version 1.
///
/// It serialises to JSON that LiteLLM's own model accepts, and is read back from it. Amounts are US
/// dollars, as strings of decimal digits.
///
/// - Each line with a rate is one of `rates`, in US dollars per unit and before multipliers, and one of
///   `usage`, under the word of its [`Component`]. Lines of another model that the same response used
///   are under `key:component`, and their rates include their multipliers.
/// - `usage` also has the totals of tokens under LiteLLM's names, without a rate: `prompt_tokens`,
///   `completion_tokens`, `reasoning_tokens`, `cache_read_input_tokens`,
///   `cache_creation_input_tokens` and `cache_creation_input_tokens_above_1hr`.
/// - LiteLLM's units are `token`, `second`, `character`, `image` and `request`; pages, queries and
///   others count as `request`. Only seconds may be fractional, so that a part of a credit or of a
///   gigabyte's day is counted in billionths, under the component's word with `_nano` behind it.
/// - `input_cost` includes caches and `output_cost` reasoning, as in LiteLLM's `CostBreakdown`. The fee
///   of Azure's model router is one of `additional_costs`, as `azure_model_router_flat_cost`.
/// - `total_cost` is [`Cost::total`]: of a prepaid call, what it would have cost.
///
/// # Examples
///
/// ```
/// use llm_costmap::accounting::PricingSnapshot;
/// use llm_costmap::{Call, CostMap, Lookup, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
/// let (lookup, usage) = (Lookup::new("m").provider("openai"), Usage::new(1_500, 0));
/// let call = Call::new(&usage);
/// let cost = map.cost(lookup, call)?;
///
/// let snapshot = PricingSnapshot::new(&cost, lookup, call);
/// let json = serde_json::to_string(&snapshot)?;
/// assert!(json.starts_with(r#"{"schema_version":1,"calculator_version":"llm-costmap "#));
/// assert!(json.ends_with(r#""upstream_reported_cost":null,"total_cost":"0.0015"}"#));
/// assert_eq!(serde_json::from_str::<PricingSnapshot>(&json)?, snapshot);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PricingSnapshot {
    /// The version of the contract: 1.
    pub schema_version: u32,
    /// The program that made the bill: `llm-costmap` and its version.
    pub calculator_version: String,
    /// The model as it was asked for.
    pub model: String,
    /// The provider that was asked for.
    pub provider: Option<String>,
    /// The source of the prices: see [`Cost::pricing_source`].
    pub pricing_source: PricingSource,
    /// The key of the entry that priced the call.
    pub priced_model_key: String,
    /// The multipliers of the call's own lines.
    #[serde(default)]
    pub multipliers: Vec<Multiplier>,
    /// The rates, each with a quantity of the same measure and unit in `usage`.
    #[serde(default)]
    pub rates: Vec<Rate>,
    /// The quantities that were used.
    #[serde(default)]
    pub usage: Vec<PricedQuantity>,
    /// The sum of the input lines, caches included.
    #[serde(default)]
    pub input_cost: Option<Usd>,
    /// The sum of the output lines, reasoning included.
    #[serde(default)]
    pub output_cost: Option<Usd>,
    /// The sum of what was read from caches.
    #[serde(default)]
    pub cache_read_cost: Option<Usd>,
    /// The sum of what was written to caches.
    #[serde(default)]
    pub cache_creation_cost: Option<Usd>,
    /// The sum of reasoning.
    #[serde(default)]
    pub reasoning_cost: Option<Usd>,
    /// The sum of tools, the caller's own included.
    #[serde(default)]
    pub tool_usage_cost: Option<Usd>,
    /// The sum of the caller's guardrails.
    #[serde(default)]
    pub guardrail_cost: Option<Usd>,
    /// Fees by name.
    #[serde(default)]
    pub additional_costs: Vec<NamedCost>,
    /// The sum before discount, margin and the caller's charges.
    #[serde(default)]
    pub original_cost: Option<Usd>,
    /// The share of the discount: 0.05 is 5%.
    #[serde(default)]
    pub discount_percent: Option<Number>,
    /// The amount of the discount.
    #[serde(default)]
    pub discount_amount: Option<Usd>,
    /// The share of the margin.
    #[serde(default)]
    pub margin_percent: Option<Number>,
    /// The fixed amount of the margin.
    #[serde(default)]
    pub margin_fixed_amount: Option<Usd>,
    /// The amount of the margin.
    #[serde(default)]
    pub margin_total_amount: Option<Usd>,
    /// The amount that the provider states.
    #[serde(default)]
    pub upstream_reported_cost: Option<Usd>,
    /// The total.
    pub total_cost: Usd,
}

/// A multiplier of a call, such as `data_residency` = `eu`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Multiplier {
    /// `data_residency`, `vertex_location`, `inference_geo` or `speed`; `terms` for that of
    /// [`PriceTerms`](crate::cost::PriceTerms).
    pub name: String,
    /// The value that the multiplier belongs to, such as `eu`.
    pub value: String,
    /// The factor.
    pub factor: Number,
}

/// A rate of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rate {
    /// The word for the usage that is priced, such as `cache_read`.
    pub measure: String,
    /// The unit.
    pub unit: PricingUnit,
    /// The rate, in US dollars per unit.
    pub usd_per_unit: Number,
}

/// A quantity that a call used.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PricedQuantity {
    /// The word for the usage, such as `cache_read`.
    pub measure: String,
    /// The unit.
    pub unit: PricingUnit,
    /// The quantity, in units.
    pub value: Number,
}

/// A fee with its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NamedCost {
    /// The name.
    pub name: String,
    /// The amount.
    pub amount: Usd,
}

/// A unit of LiteLLM's accounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PricingUnit {
    /// A token.
    Token,
    /// A second.
    Second,
    /// A character.
    Character,
    /// An image.
    Image,
    /// Anything else.
    Request,
}

/// A call that has no price, in the form that LiteLLM keeps: `litellm.accounting.types.Unpriced`.
///
/// # Examples
///
/// ```
/// use llm_costmap::accounting::UnpricedEvent;
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
/// let error = map.cost("m", &Usage::new(1, 1)).unwrap_err();
/// assert_eq!(
///     serde_json::to_string(&UnpricedEvent::new("event-7", &error))?,
///     r#"{"usage_event_id":"event-7","reason":"no price of m is known for output: register one with register_model"}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UnpricedEvent {
    /// The caller's id of the usage that has no price.
    pub usage_event_id: String,
    /// The reason.
    pub reason: String,
}

impl UnpricedEvent {
    /// Returns the event of a call that ended with an error instead of a cost.
    #[must_use]
    pub fn new(usage_event_id: impl Into<String>, error: &Error) -> Self {
        Self::because(usage_event_id, error.to_string())
    }

    /// Returns the event of a call that has no price for a reason of the caller's.
    #[must_use]
    pub fn because(usage_event_id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { usage_event_id: usage_event_id.into(), reason: reason.into() }
    }
}

impl PricingSnapshot {
    /// Returns the snapshot of a bill. `model` and `call` are those that were priced.
    #[must_use]
    pub fn new<'n, 'c>(cost: &Cost, model: impl Into<Lookup<'n>>, call: impl Into<Call<'c>>) -> Self {
        let (model, call) = (model.into(), call.into());
        let breakdown = Breakdown::of(cost);
        let (multipliers, rates, usage) = measured(cost, &call);
        let named = |(name, amount)| NamedCost { name, amount };
        let is_stated = cost.pricing_source() == PricingSource::UpstreamHeader;
        Self {
            schema_version: 1,
            calculator_version: concat!("llm-costmap ", env!("CARGO_PKG_VERSION")).to_owned(),
            model: identifier(model.name, cost.key()),
            provider: model.provider.filter(|provider| !provider.trim().is_empty()).map(str::to_owned),
            pricing_source: cost.pricing_source(),
            priced_model_key: identifier(cost.key(), "unknown"),
            multipliers: if is_stated { Vec::new() } else { multipliers },
            rates,
            usage,
            input_cost: Some(breakdown.input),
            output_cost: Some(breakdown.output),
            cache_read_cost: breakdown.cache_read,
            cache_creation_cost: breakdown.cache_creation,
            reasoning_cost: breakdown.reasoning,
            tool_usage_cost: Some(breakdown.tool_usage),
            guardrail_cost: breakdown.guardrail,
            additional_costs: breakdown.additional.into_iter().map(named).collect(),
            original_cost: Some(breakdown.original),
            discount_percent: Some(breakdown.discount_percent),
            discount_amount: Some(breakdown.discount_amount),
            margin_percent: Some(breakdown.margin_percent),
            margin_fixed_amount: Some(breakdown.margin_fixed_amount),
            margin_total_amount: Some(breakdown.margin_total_amount),
            upstream_reported_cost: cost.stated(),
            total_cost: cost.total(),
        }
    }
}

/// Returns a text, or another one if it is blank: the contract has no blank identifiers.
fn identifier(text: &str, otherwise: &str) -> String {
    if text.trim().is_empty() { otherwise } else { text }.to_owned()
}

/// Returns the multipliers, the rates and the quantities of a bill.
fn measured(cost: &Cost, call: &Call<'_>) -> (Vec<Multiplier>, Vec<Rate>, Vec<PricedQuantity>) {
    let multipliers: Vec<Multiplier> =
        cost.factors().map(|(kind, factor)| multiplier(kind, factor, call)).collect();
    // The contract has no factor of zero, which then is part of the rates.
    let is_folded = multipliers.iter().any(|multiplier| multiplier.factor.is_zero());
    let mut all = Measures::default();
    for line in cost.lines().filter(|line| line.component < Component::Discount) {
        all.add(&line, cost.key(), is_folded);
    }
    let mut usage = all.usage;
    usage.extend(totals(cost).into_iter().filter(|(_, tokens)| *tokens > 0).map(|(measure, tokens)| {
        PricedQuantity { measure: measure.to_owned(), unit: PricingUnit::Token, value: tokens.into() }
    }));
    (if is_folded { Vec::new() } else { multipliers }, all.rates, usage)
}

fn multiplier(kind: FactorKind, factor: Number, call: &Call<'_>) -> Multiplier {
    let usage = call.usage;
    let (name, value) = match kind {
        FactorKind::Terms => ("terms", None),
        FactorKind::DataResidency => ("data_residency", call.data_residency),
        FactorKind::VertexLocation => ("vertex_location", call.vertex_location),
        FactorKind::InferenceGeo => ("inference_geo", usage.inference_geo.as_deref()),
        FactorKind::Speed => ("speed", usage.speed.as_deref()),
    };
    Multiplier { name: name.to_owned(), value: identifier(value.unwrap_or_default(), name), factor }
}

/// Rates and quantities, whose measures and units are told apart.
#[derive(Default)]
struct Measures {
    rates: Vec<Rate>,
    usage: Vec<PricedQuantity>,
    /// The number of lines of each measure and unit.
    taken: HashMap<(String, PricingUnit), u64>,
}

impl Measures {
    fn add(&mut self, line: &Line<'_>, key: &str, is_folded: bool) {
        let billionth = Number::of_digits(1, 9);
        let is_of_part = line.key != key;
        let mut measure = line.component.as_str().to_owned();
        let mut value = line.quantity;
        let mut rate = line.rate.map(Usd::number);
        if is_folded || is_of_part {
            rate = rate.and_then(|rate| rate.checked_mul(line.multiplier));
        }
        let unit = match line.unit() {
            Unit::Tokens => PricingUnit::Token,
            Unit::Seconds => PricingUnit::Second,
            Unit::Characters => PricingUnit::Character,
            Unit::Images => PricingUnit::Image,
            _ => PricingUnit::Request,
        };
        if unit != PricingUnit::Second && value.as_u64().is_none() {
            let nanos = value.checked_mul(Number::from(1_000_000_000));
            rate = rate.and_then(|rate| rate.checked_mul(billionth));
            value = nanos.unwrap_or(value);
            measure.push_str("_nano");
        }
        if is_of_part {
            measure = format!("{}:{measure}", line.key);
        }
        // Several parts of one response may be of one model.
        let number = self.taken.entry((measure.clone(), unit)).or_insert(0);
        *number += 1;
        let own = if *number == 1 { measure } else { format!("{measure} #{number}") };
        if let Some(usd_per_unit) = rate.filter(|_| line.basis == Basis::Rate) {
            self.rates.push(Rate { measure: own.clone(), unit, usd_per_unit });
        }
        self.usage.push(PricedQuantity { measure: own, unit, value });
    }
}

/// Returns the totals of tokens under LiteLLM's names.
fn totals(cost: &Cost) -> [(&'static str, u64); 6] {
    let sum = |is: fn(Component) -> bool| {
        let counts = cost.lines().filter(|line| is(line.component)).filter_map(|line| line.quantity.as_u64());
        counts.fold(0_u64, u64::saturating_add)
    };
    [
        ("prompt_tokens", sum(|component| component < Component::Output)),
        (
            "completion_tokens",
            sum(|component| (Component::Output..=Component::OutputVideo).contains(&component)),
        ),
        ("reasoning_tokens", sum(|component| component == Component::Reasoning)),
        ("cache_read_input_tokens", sum(Component::is_cache_read)),
        ("cache_creation_input_tokens", sum(Component::is_cache_write)),
        (
            "cache_creation_input_tokens_above_1hr",
            sum(|component| matches!(component, Component::CacheWrite1h | Component::CacheWrite12h)),
        ),
    ]
}
