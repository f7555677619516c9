//! `llm_cost_lines`: the parts of each total, and the reason where there is none.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Decimal128Builder, StringBuilder, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use llm_costmap::cost::Component;
use llm_costmap::{Cost, Lookup, Usd};

use super::arguments::{Arguments, coerce};
use super::cost::{AMOUNT, decimal};
use crate::Maps;

/// The parts of a total, in their order. They add up to it.
const PARTS: [&str; 6] = ["input", "cache_read", "cache_write", "output", "reasoning", "other"];

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let amount = |name: &str| Field::new(name, AMOUNT, true);
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let parts = PARTS.into_iter().map(amount);
    [text("key"), amount("total")].into_iter().chain(parts).chain([text("error")]).collect()
});

/// The function `llm_cost_lines`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LlmCostLines {
    maps: Arc<Maps>,
    signature: Signature,
}

impl LlmCostLines {
    /// Creates the function, which prices by these maps.
    pub fn new(maps: Arc<Maps>) -> Self {
        Self { maps, signature: Signature::user_defined(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for LlmCostLines {
    fn name(&self) -> &'static str {
        "llm_cost_lines"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.name(), given)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::read(self.name(), &self.maps, &given)?;
        let (models, providers) = (arguments.models(), arguments.providers());
        let mut unusable = arguments.unusable.iter().peekable();
        let mut rows = Rows::default();
        for (row, model) in models.iter().enumerate() {
            if let Some((_, reason)) = unusable.next_if(|(marked, _)| *marked == row) {
                rows.add_error(reason.reason());
                continue;
            }
            let mut lookup = Lookup::new(model);
            let provider = providers.as_ref().and_then(|providers| providers.get(row));
            if let Some(provider) = provider.filter(|provider| !provider.is_empty()) {
                lookup = lookup.provider(provider);
            }
            let usage = arguments.usage(row);
            let call = arguments.call(row, &usage);
            // A total is refused where a cost has a note, such as for an unknown tier: the two functions agree.
            match arguments.snapshot.total(lookup, call).and_then(|_| arguments.snapshot.cost(lookup, call)) {
                Ok(cost) => rows.add(&cost),
                Err(error) => rows.add_error(&error.to_string()),
            }
        }
        Ok(ColumnarValue::Array(rows.finish()?))
    }
}

/// The columns of the result.
struct Rows {
    keys: StringBuilder,
    totals: Decimal128Builder,
    parts: [Decimal128Builder; PARTS.len()],
    errors: StringBuilder,
}

impl Default for Rows {
    fn default() -> Self {
        let amounts = || Decimal128Builder::new().with_data_type(AMOUNT);
        Self {
            keys: StringBuilder::new(),
            totals: amounts(),
            parts: std::array::from_fn(|_| amounts()),
            errors: StringBuilder::new(),
        }
    }
}

impl Rows {
    fn add(&mut self, cost: &Cost) {
        let mut sums = [Some(Usd::ZERO); PARTS.len()];
        for line in cost.lines() {
            let [input, cache_read, cache_write, output, reasoning, other] = &mut sums;
            let part = match line.component {
                Component::Input => input,
                Component::CacheRead | Component::CacheReadAudio | Component::CacheReadImage => cache_read,
                Component::CacheWrite | Component::CacheWrite1h | Component::CacheWrite12h => cache_write,
                Component::Output => output,
                Component::Reasoning => reasoning,
                _ => other,
            };
            *part = part.and_then(|sum| sum.checked_add(line.amount));
        }
        let sums: Option<Vec<i128>> = sums.into_iter().map(|sum| decimal(sum?)).collect();
        let (Some(sums), Some(total)) = (sums, decimal(cost.total())) else {
            return self.add_error("the amount is ten billion dollars or more");
        };
        self.keys.append_value(cost.key());
        self.totals.append_value(total);
        self.parts.iter_mut().zip(sums).for_each(|(part, sum)| part.append_value(sum));
        self.errors.append_null();
    }

    fn add_error(&mut self, reason: &str) {
        self.keys.append_null();
        self.totals.append_null();
        self.parts.iter_mut().for_each(Decimal128Builder::append_null);
        self.errors.append_value(reason);
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.keys.finish()), Arc::new(self.totals.finish())];
        columns.extend(self.parts.iter_mut().map(|part| Arc::new(part.finish()) as ArrayRef));
        columns.push(Arc::new(self.errors.finish()));
        Ok(Arc::new(StructArray::try_new(FIELDS.clone(), columns, None)?))
    }
}
