//! [`PriceTerms`]: what the price of a call depends on beside the map.

use super::adjustments::share;
use super::{Adjustments, InvalidTerms, ModelName, PriceSet, SetPrices};
use crate::num::{Fixed, Number};

/// Terms that a call is priced by beside the map, such as a tenant's contract: price sets, a
/// multiplier, and discounts and margins.
///
/// Terms are made once and used by many calls, with [`Call::terms`](super::Call::terms). They do not
/// change the map that others price by. A price set is compiled for a model when the model is first
/// priced by it in a generation of the map; after that, a call allocates nothing for its terms.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::{PriceSet, PriceTerms};
/// use llm_costmap::{Call, CostMap, Usage};
/// use serde_json::json;
///
/// let map = CostMap::from_json(
///     r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}"#,
/// )?;
/// let contract = PriceSet::new("acme-2026", json!({"m": {"output_cost_per_token": 1.5e-6}}))?;
/// let terms = PriceTerms::new().price_set(contract).multiplier("1.1".parse()?)?;
///
/// let usage = Usage::new(1_000_000, 1_000_000);
/// let cost = map.cost("m", Call::new(&usage).terms(&terms))?;
/// assert_eq!(cost.total().to_string(), "2.75");
/// assert_eq!(cost.price_set(), Some("acme-2026"));
/// assert_eq!(map.total("m", &usage)?.to_string(), "3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct PriceTerms {
    price_sets: Vec<PriceSet>,
    pub(super) multiplier: Option<Fixed>,
    pub(crate) adjustments: Option<Adjustments>,
}

impl PriceTerms {
    /// Returns terms that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a price set. Of several, the first one that names the model of a call prices it; the others
    /// do not apply.
    pub fn price_set(mut self, set: PriceSet) -> Self {
        self.price_sets.push(set);
        self
    }

    /// Sets a multiplier of all amounts of a call, the provider's own tools and a stated charge
    /// included. Default: 1.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the number is negative, or has more than 19 significant digits or 28
    /// decimals.
    pub fn multiplier(mut self, factor: Number) -> Result<Self, InvalidTerms> {
        let fixed = share(factor).map_err(|reason| InvalidTerms::new("multiplier", reason))?;
        self.multiplier = Some(fixed).filter(|factor| *factor != Fixed::ONE);
        Ok(self)
    }

    /// Sets discounts and margins, in the place of those of the map. Default: those of the map.
    pub fn adjustments(mut self, adjustments: Adjustments) -> Self {
        self.adjustments = Some(adjustments);
        self
    }

    /// Returns whether the terms have price sets.
    pub(crate) fn has_price_sets(&self) -> bool {
        !self.price_sets.is_empty()
    }

    /// Returns the prices of the first set that has a model that goes by these names.
    pub(crate) fn prices_of(&self, names: &[ModelName<'_>]) -> Option<SetPrices<'_>> {
        self.price_sets.iter().find_map(|set| set.prices_of(names))
    }

    /// Returns whether the terms change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.price_sets.is_empty() && self.multiplier.is_none() && self.adjustments.is_none()
    }

    /// Returns whether more than a multiplier is needed to price a call.
    pub(super) fn is_apart(&self) -> bool {
        !self.price_sets.is_empty() || self.adjustments.is_some()
    }
}
