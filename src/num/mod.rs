//! Exact numbers: money, and the decimals that rates, factors and quantities are read from.

pub(crate) mod decimal;
mod number;
mod usd;

pub use number::{Number, ParseNumberError};
pub use usd::{ParseUsdError, Usd};
