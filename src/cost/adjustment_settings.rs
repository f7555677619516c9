//! Reads [`Adjustments`] from LiteLLM's settings.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::adjustments::{DISCOUNTS, MARGINS};
use super::{Adjustment, Adjustments, InvalidTerms};
use crate::num::{Number, Usd};

/// Reads LiteLLM's settings, as [`from_json`](Adjustments::from_json) does.
impl<'de> Deserialize<'de> for Adjustments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SettingsVisitor)
    }
}

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = Adjustments;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {DISCOUNTS} or {MARGINS}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Adjustments, A::Error> {
        let mut all = Adjustments::new();
        while let Some(name) = map.next_key::<String>()? {
            let is_discount = match &*name {
                DISCOUNTS => true,
                MARGINS => false,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            for (scope, value) in map.next_value::<Option<Scopes>>()?.unwrap_or_default().0 {
                let adjustment = value
                    .adjustment()
                    .map_err(|bad| A::Error::custom(format_args!("{name}.{scope}.{bad}")))?;
                let added = if is_discount {
                    all.discount(&scope, adjustment)
                } else {
                    all.margin(&scope, adjustment)
                };
                all = added.map_err(A::Error::custom)?;
            }
        }
        Ok(all)
    }
}

/// The name of the field in which `serde_json` with its feature `arbitrary_precision` hands a number over.
const NUMBER: &str = "$serde_json::private::Number";

/// The scopes of a setting and their values, in order.
#[derive(Default)]
struct Scopes(Vec<(String, Written)>);

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScopesVisitor;

        impl<'de> Visitor<'de> for ScopesVisitor {
            type Value = Scopes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of scopes, such as {\"openai\": 0.05}")
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Scopes, E> {
                Err(E::invalid_type(Unexpected::Other("a number"), &self))
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Scopes, E> {
                // The text is not repeated: it may be a misplaced secret.
                Err(E::invalid_type(Unexpected::Other("a text"), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scopes, A::Error> {
                let mut scopes = Vec::new();
                while let Some(scope) = map.next_key::<String>()? {
                    if scope == NUMBER {
                        return Err(A::Error::invalid_type(Unexpected::Other("a number"), &self));
                    }
                    scopes.push((scope, map.next_value()?));
                }
                Ok(Scopes(scopes))
            }
        }

        deserializer.deserialize_any(ScopesVisitor)
    }
}

/// An adjustment as it is written.
#[derive(Default)]
struct Written {
    percentage: Option<Number>,
    fixed_amount: Option<Usd>,
}

impl Written {
    fn adjustment(&self) -> Result<Adjustment, InvalidTerms> {
        let share = Adjustment::percentage(self.percentage.unwrap_or(Number::from(0)))?;
        share.and_fixed_amount(self.fixed_amount.unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl WrittenVisitor {
    /// Reads a share from its digits.
    fn share<E: serde::de::Error>(digits: &str) -> Result<Written, E> {
        Ok(Written { percentage: Some(digits.parse().map_err(E::custom)?), ..Written::default() })
    }
}

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share such as 0.05, or an object with percentage or fixed_amount")
    }

    fn visit_f64<E: serde::de::Error>(self, share: f64) -> Result<Written, E> {
        Self::share(&format!("{share:e}"))
    }

    fn visit_u64<E: serde::de::Error>(self, share: u64) -> Result<Written, E> {
        Self::share(&share.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, share: i64) -> Result<Written, E> {
        Self::share(&share.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, share: &str) -> Result<Written, E> {
        Self::share(share)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut written = Written::default();
        while let Some(name) = map.next_key::<String>()? {
            match &*name {
                "percentage" => written.percentage = map.next_value()?,
                "fixed_amount" => written.fixed_amount = map.next_value()?,
                NUMBER => return Self::share(&map.next_value::<String>()?),
                other => return Err(A::Error::unknown_field(other, &["percentage", "fixed_amount"])),
            }
        }
        if written.percentage.is_none() && written.fixed_amount.is_none() {
            return Err(A::Error::custom("neither percentage nor fixed_amount"));
        }
        Ok(written)
    }
}
