//! [`CostRecord`]: a bill to store and to read back.

use serde::{Deserialize, Serialize, Serializer};

use super::{Basis, Cost, Line, Note, PricingSource, RateSource, Unpriced};
use crate::num::{Number, Usd};
use crate::rates::{Component, RatePlace, Unit};

/// A bill as plain data, to store and to read back.
///
/// [`Cost`] serialises as its record, and so does each of its parts. Amounts, rates and multipliers
/// are strings of decimal digits, in US dollars; a quantity is a number.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::CostRecord;
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 2e-6}}"#)?;
/// let cost = map.cost("m", &Usage::new(1_000, 0))?;
///
/// let stored = serde_json::to_string(&cost)?;
/// let read: CostRecord = serde_json::from_str(&stored)?;
/// assert_eq!(read, cost.record());
/// assert_eq!(read.total.to_string(), "0.002");
/// assert_eq!(read.lines[0].source.as_ref().map(|source| &*source.field), Some("input_cost_per_token"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CostRecord {
    /// The key of the entry that priced the call: see [`Cost::key`].
    pub key: String,
    /// The sum of the input lines.
    pub input: Usd,
    /// The sum of the output lines.
    pub output: Usd,
    /// The sum of the lines of tools.
    #[serde(default)]
    pub tools: Usd,
    /// The sum of all lines.
    pub total: Usd,
    /// True for the record of a [`Cost`]. False for that of an [`Unpriced`] bill, whose sums are
    /// too low.
    pub complete: bool,
    /// The generation of the map that priced the call.
    pub generation: u64,
    /// The lines, in the order of [`Component`].
    pub lines: Vec<LineRecord>,
    /// Remarks on how the bill was made.
    pub notes: Vec<Note>,
    /// The amount that the provider states: see [`Cost::stated`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated: Option<Usd>,
    /// The amount by the rates of the map, if the provider's stands in its place: see
    /// [`Cost::computed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Usd>,
    /// The amount that is billed, if the call was prepaid: see [`Cost::billed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<Usd>,
    /// The name of the price set that priced the call: see [`Cost::price_set`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_set: Option<String>,
    /// The source of the prices: see [`Cost::pricing_source`].
    #[serde(default)]
    pub pricing_source: PricingSource,
}

/// A [`Line`] as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineRecord {
    /// The key of the entry that prices the line, if that is another than the bill's: see
    /// [`Line::key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The component that was used.
    pub component: Component,
    /// The name of a caller's charge, or the scope of a discount or a margin: see [`Line::name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The quantity, in units.
    #[serde(serialize_with = "serialize_quantity")]
    pub quantity: Number,
    /// The unit of the quantity.
    pub unit: Unit,
    /// The rate, in US dollars per unit.
    pub rate: Option<Usd>,
    /// The product of the multipliers.
    pub multiplier: Number,
    /// The amount, in US dollars.
    pub amount: Usd,
    /// The basis of the amount.
    pub basis: Basis,
    /// The place in the map that the rate is from.
    pub source: Option<SourceRecord>,
}

/// A [`RateSource`] as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SourceRecord {
    /// The name of the field that holds the rate.
    pub field: String,
    /// The part of the entry that holds the field.
    pub place: RatePlace,
    /// The service tier of the rate, or `batches`; `None` for a standard rate.
    pub tier: Option<String>,
    /// The number of prompt tokens above which the rate applies.
    pub threshold: Option<u64>,
    /// The component's own field, if another field's rate stands in for it.
    pub fallback_for: Option<String>,
    /// True if the rate is half of the field's value.
    pub halved: bool,
}

/// Writes a number; or a string of digits, if a float would not keep them all or the format is
/// binary.
pub(crate) fn serialize_quantity<S: Serializer>(quantity: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    // Binary formats do not say what comes next, and a `Number` is a string in all of them.
    if !serializer.is_human_readable() {
        return quantity.serialize(serializer);
    }
    if let Some(whole) = quantity.as_u64() {
        return serializer.serialize_u64(whole);
    }
    let float = quantity.as_f64();
    if format!("{float:e}").parse() == Ok(*quantity) {
        serializer.serialize_f64(float)
    } else {
        quantity.serialize(serializer)
    }
}

impl From<RateSource> for SourceRecord {
    fn from(source: RateSource) -> Self {
        Self {
            field: source.field(),
            place: source.place(),
            tier: source.tier().map(str::to_owned),
            threshold: source.threshold(),
            fallback_for: source.fallback_for().map(str::to_owned),
            halved: source.is_halved(),
        }
    }
}

impl LineRecord {
    /// Returns the record of a line of a bill with the key.
    fn of(line: Line<'_>, key: &str) -> Self {
        Self { key: Some(line.key).filter(|own| *own != key).map(str::to_owned), ..Self::from(line) }
    }
}

impl From<Line<'_>> for LineRecord {
    fn from(line: Line<'_>) -> Self {
        Self {
            key: Some(line.key.to_owned()),
            component: line.component,
            name: line.name.map(str::to_owned),
            quantity: line.quantity,
            unit: line.unit(),
            rate: line.rate,
            multiplier: line.multiplier,
            amount: line.amount,
            basis: line.basis,
            source: line.source.map(SourceRecord::from),
        }
    }
}

impl Cost {
    /// Returns the bill as plain data, to store and to read back.
    #[must_use]
    pub fn record(&self) -> CostRecord {
        self.record_as(true)
    }

    fn record_as(&self, complete: bool) -> CostRecord {
        CostRecord {
            key: self.key().to_owned(),
            input: self.input(),
            output: self.output(),
            tools: self.tools(),
            total: self.total(),
            complete,
            generation: self.generation(),
            lines: self.lines().map(|line| LineRecord::of(line, self.key())).collect(),
            notes: self.notes().collect(),
            stated: self.stated(),
            computed: self.computed().filter(|computed| *computed != self.original()),
            billed: Some(self.billed()).filter(|_| self.is_prepaid()),
            price_set: self.price_set().map(str::to_owned),
            pricing_source: self.pricing_source(),
        }
    }
}

impl Unpriced {
    /// Returns the partial bill as plain data, with `complete` set to false.
    #[must_use]
    pub fn record(&self) -> CostRecord {
        self.partial.record_as(false)
    }
}

/// Writes the [`record`](Cost::record).
impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.record().serialize(serializer)
    }
}

/// Writes the [`record`](Unpriced::record).
impl Serialize for Unpriced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.record().serialize(serializer)
    }
}

/// Writes a [`LineRecord`].
impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LineRecord::from(*self).serialize(serializer)
    }
}

/// Writes a [`SourceRecord`].
impl Serialize for RateSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SourceRecord::from(*self).serialize(serializer)
    }
}
