//! Exact numbers: money, and the decimals that rates, factors and quantities are read from.

pub(crate) mod decimal;
mod fixed;
mod integers;
mod number;
mod usd;
pub mod usd_serde;

pub(crate) use fixed::{Fixed, pow10_u64, product, product_of_two, times};
pub(crate) use number::is_same_value;
pub use number::{Number, ParseNumberError};
pub use usd::{ParseUsdError, Usd};
