//! `llm_cost`: the total of each call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::Decimal128Array;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use llm_costmap::Usd;

use super::PRICED;
use super::arguments::{Arguments, coerce};
use crate::Maps;

/// The type of amounts: the decimals of [`Usd`], so that nothing is rounded. Amounts from ten billion dollars on do not
/// fit, and have no total.
pub const AMOUNT: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 28);

/// The largest amount that fits.
const LARGEST: i128 = 10_i128.pow(38) - 1;

/// Returns an amount as the column holds it.
pub(crate) fn decimal(amount: Usd) -> Option<i128> {
    Some(amount.units()).filter(|units| units.abs() <= LARGEST)
}

/// The function `llm_cost`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LlmCost {
    maps: Arc<Maps>,
    signature: Signature,
}

impl LlmCost {
    /// Creates the function, which prices by these maps.
    pub fn new(maps: Arc<Maps>) -> Self {
        Self { maps, signature: Signature::user_defined(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for LlmCost {
    fn name(&self) -> &'static str {
        "llm_cost"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(AMOUNT)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.name(), given)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::read(self.name(), &self.maps, &given)?;
        let (models, providers) = (arguments.models(), arguments.providers());
        let columns = arguments.columns(&models, providers.as_deref());
        let totals =
            columns.totals(&arguments.snapshot).map_err(|error| DataFusionError::External(error.into()))?;
        let mut amounts = totals.amounts;
        for (row, _) in &arguments.unusable {
            if let Some(amount) = amounts.get_mut(*row) {
                *amount = None;
            }
        }
        PRICED.fetch_add(given.number_rows as u64, Ordering::Relaxed);
        let amounts: Decimal128Array = amounts.into_iter().map(|amount| decimal(amount?)).collect();
        Ok(ColumnarValue::Array(Arc::new(amounts.with_data_type(AMOUNT))))
    }
}
