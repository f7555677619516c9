//! Charges that a caller adds to a bill.

use crate::cost::{Charge, Cost, Unpriced};
use crate::error::Error;

impl Cost {
    /// Adds a line of the caller's: for a guardrail, a tool that the caller ran, or a fee. The total
    /// grows by its amount. See [`Charge`].
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] if the total would be beyond the range of [`Usd`](crate::Usd). The bill is
    /// then unchanged.
    pub fn add_charge(&mut self, charge: Charge) -> Result<(), Error> {
        self.push_charge(charge).ok_or_else(|| Error::Overflow { key: self.key().to_owned() })
    }
}

impl Unpriced {
    /// Adds a line of the caller's, as [`Cost::add_charge`] does.
    ///
    /// # Errors
    ///
    /// As [`Cost::add_charge`].
    pub fn add_charge(&mut self, charge: Charge) -> Result<(), Error> {
        self.partial_mut().add_charge(charge)
    }
}
