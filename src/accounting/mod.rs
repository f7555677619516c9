//! Sums and comparisons of bills, and the forms in which other programs read a bill.
//!
//! - A [`CostSum`] adds bills, and a [`Comparison`] puts two of them side by side.
//! - A [`PricingSnapshot`] is the bill in the form that LiteLLM keeps, and an [`UnpricedEvent`] what is
//!   kept of a call without a price.
//! - [`Cost::headers`](crate::Cost::headers) are LiteLLM's headers of a response,
//!   [`Cost::otel_attributes`](crate::Cost::otel_attributes) attributes of an OpenTelemetry span, and
//!   [`Cost::focus_rows`](crate::Cost::focus_rows) rows of FOCUS.
//!
//! All amounts are US dollars. To show another currency, convert at the edge, with a rate and a time of
//! your own, and store the dollars:
//!
//! ```
//! use llm_costmap::{CostMap, Usage};
//!
//! let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
//! let cost = map.cost("m", &Usage::new(1_500, 0))?;
//! let euros_per_dollar = 0.92;
//! assert_eq!(format!("{:.5} EUR", cost.total().as_f64() * euros_per_dollar), "0.00138 EUR");
//! # Ok::<(), llm_costmap::Error>(())
//! ```

mod breakdown;
mod charges;
mod comparison;
mod focus;
mod headers;
mod otel;
mod snapshot;
mod sum;

pub use comparison::{ComparedLine, Comparison};
pub use focus::FocusRow;
pub use otel::AttributeValue;
pub use snapshot::{
    Multiplier, NamedCost, PricedQuantity, PricingSnapshot, PricingUnit, Rate, UnpricedEvent,
};
pub use sum::{ComponentSum, CostSum};
