//! [`Charge`]: a line that the caller adds to a bill.

use std::sync::Arc;

use super::InvalidTerms;
use crate::num::Usd;
use crate::rates::Component;

/// A charge that the caller adds to a bill: for a guardrail, a tool that the caller ran, or a fee.
///
/// It becomes a [line](super::Line) with its name and is part of the total, behind discounts and
/// margins: those do not apply to it.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::Charge;
/// use llm_costmap::{CostMap, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
/// let mut cost = map.cost("m", &Usage::new(1_000, 0))?;
/// cost.add_charge(Charge::guardrail("pii-filter", "0.00015".parse()?)?)?;
/// cost.add_charge(Charge::tool("mcp/weather", "0.002".parse()?)?)?;
/// assert_eq!(
///     cost.to_string(),
///     "m: 0.00315 USD\n\
///      \x20 1000 tokens of input x 0.000001 = 0.001 (input_cost_per_token)\n\
///      \x20 guardrail pii-filter = 0.00015\n\
///      \x20 tool_call mcp/weather = 0.002"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Charge {
    pub(super) component: Component,
    pub(super) name: Arc<str>,
    pub(super) amount: Usd,
}

impl Charge {
    /// Returns the charge of a guardrail.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the name is empty or the amount, in US dollars, is negative.
    pub fn guardrail(name: impl Into<Arc<str>>, amount: Usd) -> Result<Self, InvalidTerms> {
        Self::new(Component::Guardrail, name.into(), amount)
    }

    /// Returns the charge of a tool that the caller ran, such as a call to an MCP server.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the name is empty or the amount, in US dollars, is negative.
    pub fn tool(name: impl Into<Arc<str>>, amount: Usd) -> Result<Self, InvalidTerms> {
        Self::new(Component::ToolCall, name.into(), amount)
    }

    /// Returns any other charge.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if the name is empty or the amount, in US dollars, is negative.
    pub fn fee(name: impl Into<Arc<str>>, amount: Usd) -> Result<Self, InvalidTerms> {
        Self::new(Component::Fee, name.into(), amount)
    }

    fn new(component: Component, name: Arc<str>, amount: Usd) -> Result<Self, InvalidTerms> {
        if name.trim().is_empty() {
            return Err(InvalidTerms::new(component.as_str(), "a charge needs a name"));
        }
        if amount < Usd::ZERO {
            let place = format!("{component} {name}");
            return Err(InvalidTerms::new(place, format!("{amount} is negative: a charge adds to a bill")));
        }
        Ok(Self { component, name, amount })
    }

    /// Returns the component of the charge's line.
    #[must_use]
    pub fn component(&self) -> Component {
        self.component
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the amount, in US dollars.
    #[must_use]
    pub fn amount(&self) -> Usd {
        self.amount
    }
}
