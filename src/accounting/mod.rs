//! What a gateway does with a bill: sums, comparisons, and the forms in which others read it.
//!
//! - A [`CostSum`] adds bills, and a [`Comparison`] puts two of them side by side.
//! - A [`PricingSnapshot`] is the bill in the form that LiteLLM keeps, and an [`UnpricedEvent`] what is
//!   kept of a call without a price.
//! - [`Cost::headers`](crate::Cost::headers) are LiteLLM's headers of a response,
//!   [`Cost::otel_attributes`](crate::Cost::otel_attributes) attributes of an OpenTelemetry span, and
//!   [`Cost::focus_rows`](crate::Cost::focus_rows) rows of FOCUS.
//!
//! All amounts are US dollars. To show another currency, convert at the edge, with a rate and a time of
//! your own, and store the dollars.

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
