//! [`ModelInfo`]: what is known of a model, as LiteLLM names it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::catalog::EntryRef;
use crate::json::Name;
use crate::usd::Usd;

/// What the map says of a model: prices, limits and abilities, under LiteLLM's names.
///
/// It reads from the entry's own text, so that every field can be had, known to this crate or not.
/// It serialises as the map has it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::CostMap;
///
/// let snapshot = CostMap::bundled().snapshot();
/// let model = snapshot.get("gpt-4o").ok_or("unknown")?;
/// assert_eq!(model.max_input_tokens(), Some(128_000));
/// assert!(model.supports("vision"));
/// assert_eq!(model.field::<String>("litellm_provider").as_deref(), Some("openai"));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ModelInfo<'a> {
    key: Cow<'a, str>,
    json: Cow<'a, str>,
}

impl<'a> ModelInfo<'a> {
    pub(crate) fn of(entry: EntryRef<'a>) -> Self {
        Self { key: Cow::Borrowed(entry.key()), json: Cow::Borrowed(entry.json()) }
    }

    /// The same, with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> ModelInfo<'static> {
        ModelInfo { key: Cow::Owned(self.key.into_owned()), json: Cow::Owned(self.json.into_owned()) }
    }

    /// The entry's key in the map.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The entry's JSON object, as it stands in the map.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Any field of the entry. `None` where it is absent, null, or of another type.
    #[must_use]
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let found = serde_json::Deserializer::from_str(&self.json).deserialize_map(FieldVisitor { name });
        serde_json::from_str(found.ok()??.get()).ok().flatten()
    }

    /// Whose model it is, such as `openai` or `bedrock`.
    #[must_use]
    pub fn litellm_provider(&self) -> Option<String> {
        self.field("litellm_provider")
    }

    /// What it is for: `chat`, `embedding`, `image_generation`, …
    #[must_use]
    pub fn mode(&self) -> Option<String> {
        self.field("mode")
    }

    /// The most tokens of a completion, by the map's older name.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u64> {
        self.count("max_tokens")
    }

    /// The most tokens of a prompt.
    #[must_use]
    pub fn max_input_tokens(&self) -> Option<u64> {
        self.count("max_input_tokens")
    }

    /// The most tokens of a completion.
    #[must_use]
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.count("max_output_tokens")
    }

    /// The standard price of a prompt token, in US dollars.
    #[must_use]
    pub fn input_cost_per_token(&self) -> Option<Usd> {
        self.field("input_cost_per_token")
    }

    /// The standard price of a completion token, in US dollars.
    #[must_use]
    pub fn output_cost_per_token(&self) -> Option<Usd> {
        self.field("output_cost_per_token")
    }

    /// Whether the entry says that the model has an ability: `supports("vision")` reads `supports_vision`.
    #[must_use]
    pub fn supports(&self, ability: &str) -> bool {
        self.field(&format!("supports_{ability}")).unwrap_or(false)
    }

    /// A count, which the map may write as a float or a string.
    fn count(&self, name: &str) -> Option<u64> {
        let written: Usd = self.field(name)?;
        written.to_string().parse().ok()
    }
}

impl fmt::Debug for ModelInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelInfo({}: {})", self.key, self.json)
    }
}

/// Finds one field and passes over the others.
struct FieldVisitor<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for FieldVisitor<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key_seed(Name)? {
            if name == self.name {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Every field of the entry, in its order; `aliases` says where else it answers and is left out.
impl Serialize for ModelInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let visitor = TranscodeVisitor { serializer };
        let written = serde_json::Deserializer::from_str(&self.json).deserialize_map(visitor);
        written.map_err(serde::ser::Error::custom)?
    }
}

/// Hands each field from a reader to a writer.
struct TranscodeVisitor<S> {
    serializer: S,
}

impl<'de, S: Serializer> Visitor<'de> for TranscodeVisitor<S> {
    type Value = Result<S::Ok, S::Error>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = match self.serializer.serialize_map(None) {
            Ok(fields) => fields,
            Err(error) => return Ok(Err(error)),
        };
        while let Some(name) = map.next_key_seed(Name)? {
            let value: serde_json::Value = map.next_value()?;
            if name == "aliases" {
                continue;
            }
            if let Err(error) = fields.serialize_entry(&name, &value) {
                return Ok(Err(error));
            }
        }
        Ok(fields.end())
    }
}
