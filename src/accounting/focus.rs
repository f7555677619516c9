//! The lines of a bill as rows of FOCUS, the `FinOps` Open Cost and Usage Specification.

use serde::Serialize;

use crate::cost::{Basis, Component, Cost, Line, Number, PricingSource};
use crate::num::{Usd, usd_serde};

/// A line of a bill as a row of [FOCUS](https://focus.finops.org/) 1.2: a charge, its quantity and its
/// price.
///
/// It serialises under FOCUS's names of columns, with numbers for amounts and quantities. Columns that a
/// price map does not know are left to the caller: the billing account and its period, the period of the
/// charge, the provider, the publisher, the issuer of the invoice, the region and tags.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
/// let cost = map.cost("m", &Usage::new(1_500, 0))?;
/// let rows: Vec<_> = cost.focus_rows().collect();
/// assert_eq!(rows[0].sku_id, "m");
/// let row = serde_json::to_value(&rows[0])?;
/// assert_eq!((&row["ConsumedQuantity"], &row["ConsumedUnit"]), (&1500.into(), &"tokens".into()));
/// assert_eq!((&row["ListUnitPrice"], &row["BilledCost"]), (&1e-6.into(), &0.0015.into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct FocusRow {
    /// The amount that is billed: nothing for what was prepaid.
    #[serde(with = "usd_serde::number")]
    pub billed_cost: Usd,
    /// The amount, whether or not it was prepaid.
    #[serde(with = "usd_serde::number")]
    pub effective_cost: Usd,
    /// The amount at the price of the map. `None` if that is not on the bill: the provider stated the
    /// amount, or prices or a multiplier that were agreed on stand in its place. Zero for discounts,
    /// margins and the caller's charges.
    #[serde(with = "usd_serde::number")]
    pub list_cost: Option<Usd>,
    /// The amount before discounts and margins, which are rows of their own.
    #[serde(with = "usd_serde::number")]
    pub contracted_cost: Usd,
    /// `USD`.
    pub billing_currency: &'static str,
    /// `Usage`; `Credit` for a discount, and `Adjustment` for a margin.
    pub charge_category: &'static str,
    /// A description for people: the line as a receipt has it.
    pub charge_description: String,
    /// `Usage-Based`.
    pub charge_frequency: &'static str,
    /// `Used` if the call was prepaid.
    pub commitment_discount_status: Option<&'static str>,
    /// The quantity that was used. `None` for discounts, margins and the caller's charges.
    #[serde(serialize_with = "number")]
    pub consumed_quantity: Option<Number>,
    /// The unit of the quantity, such as `tokens`.
    pub consumed_unit: Option<&'static str>,
    /// `Standard`; `Committed` if the call was prepaid. `None` without a quantity.
    pub pricing_category: Option<&'static str>,
    /// The quantity that the unit price is multiplied by.
    #[serde(serialize_with = "number")]
    pub pricing_quantity: Option<Number>,
    /// The unit of that quantity.
    pub pricing_unit: Option<&'static str>,
    /// The price of the map for a unit, with its multipliers. `None` if that is not on the bill: see
    /// [`list_cost`](Self::list_cost).
    #[serde(serialize_with = "number")]
    pub list_unit_price: Option<Number>,
    /// The price that the unit was billed at, with its multipliers.
    #[serde(serialize_with = "number")]
    pub contracted_unit_price: Option<Number>,
    /// `AI and Machine Learning`.
    pub service_category: &'static str,
    /// `Generative AI`.
    pub service_subcategory: &'static str,
    /// The key of the entry that prices the line.
    pub sku_id: String,
    /// The word of the component, such as `cache_read`.
    pub sku_meter: &'static str,
    /// The key, the component and the field that the price is from, such as
    /// `gpt-4o/input/input_cost_per_token`, behind the name of the price set if that has the price.
    /// `None` without a price.
    pub sku_price_id: Option<String>,
}

/// Writes a number as such: the nearest 64-bit float, unless it is whole.
#[allow(clippy::ref_option, reason = "serde's signature")]
fn number<S: serde::Serializer>(number: &Option<Number>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        None => serializer.serialize_none(),
        Some(number) => match number.as_u64() {
            Some(whole) => serializer.serialize_u64(whole),
            None => serializer.serialize_f64(number.as_f64()),
        },
    }
}

impl Cost {
    /// Returns a row of FOCUS 1.2 for each line: see [`FocusRow`]. Their
    /// billed costs add up to [`billed`](Self::billed).
    #[must_use]
    pub fn focus_rows(&self) -> impl ExactSizeIterator<Item = FocusRow> + '_ {
        self.lines().map(|line| row(self, &line))
    }
}

fn row(cost: &Cost, line: &Line<'_>) -> FocusRow {
    let is_charge = line.basis == Basis::Charge;
    let is_usage = !is_charge && line.basis != Basis::Adjustment;
    let is_prepaid = cost.is_prepaid() && !is_charge;
    let unit = is_usage.then(|| line.unit().as_str());
    let quantity = Some(line.quantity).filter(|_| is_usage);
    let price = line.rate.filter(|_| is_usage).map(Usd::number);
    let price = price.and_then(|price| price.checked_mul(line.multiplier));
    let is_list = line.pricing_source == PricingSource::CostMap && line.terms_multiplier == Number::ONE;
    let before_adjustments = if line.basis == Basis::Adjustment { Usd::ZERO } else { line.amount };
    let list_cost = if is_usage { line.amount } else { Usd::ZERO };
    let of_set = cost.price_set().filter(|_| line.pricing_source == PricingSource::PerRequest);
    FocusRow {
        billed_cost: if is_prepaid { Usd::ZERO } else { line.amount },
        effective_cost: line.amount,
        list_cost: Some(list_cost).filter(|_| is_list || !is_usage),
        contracted_cost: before_adjustments,
        billing_currency: "USD",
        charge_category: match line.component {
            Component::Discount => "Credit",
            Component::Margin => "Adjustment",
            _ => "Usage",
        },
        charge_description: line.to_string(),
        charge_frequency: "Usage-Based",
        commitment_discount_status: is_prepaid.then_some("Used"),
        consumed_quantity: quantity,
        consumed_unit: unit,
        pricing_category: is_usage.then_some(if is_prepaid { "Committed" } else { "Standard" }),
        pricing_quantity: quantity,
        pricing_unit: unit,
        list_unit_price: price.filter(|_| is_list),
        contracted_unit_price: price,
        service_category: "AI and Machine Learning",
        service_subcategory: "Generative AI",
        sku_id: line.key.to_owned(),
        sku_meter: line.component.as_str(),
        sku_price_id: line.source.map(|source| {
            let set = of_set.map_or_else(String::new, |set| format!("{set}/"));
            format!("{set}{}/{}/{}", line.key, line.component, source.field())
        }),
    }
}
