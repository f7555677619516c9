//! The cost of a call as attributes of an OpenTelemetry span.

use std::fmt;

use crate::cost::{Cost, PricingSource};

/// The value of a span's attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A double.
    Double(f64),
    /// A string.
    String(&'static str),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Double(double) => double.fmt(f),
            Self::String(string) => f.pad(string),
        }
    }
}

impl Cost {
    /// Returns the attributes of a span about the call, as OpenTelemetry's draft for generative AI has
    /// them: `gen_ai.usage.cost.amount`, the nearest double of the total; `gen_ai.usage.cost.currency`,
    /// which is `USD`; and `gen_ai.usage.cost.source`, which is `provider` if the provider stated the
    /// amount, and else `local`.
    ///
    /// The convention is [proposed](https://github.com/open-telemetry/semantic-conventions-genai/pull/443)
    /// and not adopted: names may change with a minor version of this crate.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::accounting::AttributeValue;
    /// use llm_costmap::{CostMap, Usage};
    ///
    /// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
    /// let cost = map.cost("m", &Usage::new(1_500, 0))?;
    /// for (name, value) in cost.otel_attributes() {
    ///     println!("{name}={value}");
    /// }
    /// assert_eq!(cost.otel_attributes()[0], ("gen_ai.usage.cost.amount", AttributeValue::Double(0.0015)));
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn otel_attributes(&self) -> [(&'static str, AttributeValue); 3] {
        let source = match self.pricing_source() {
            PricingSource::UpstreamHeader => "provider",
            PricingSource::CostMap | PricingSource::Deployment | PricingSource::PerRequest => "local",
        };
        [
            ("gen_ai.usage.cost.amount", AttributeValue::Double(self.total().as_f64())),
            ("gen_ai.usage.cost.currency", AttributeValue::String("USD")),
            ("gen_ai.usage.cost.source", AttributeValue::String(source)),
        ]
    }
}
