//! [`ModelInfo`]: what is known of a model, as LiteLLM names it.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashSet;
use serde::de::{DeserializeOwned, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::catalog::{EntryRef, Filled, Rules};
use crate::json::{self, InOrder, Name, Shown, object};
use crate::usd::Usd;

/// What `max_tokens` is read from; the first that is there counts.
const MAX_TOKENS: [&str; 3] = ["max_tokens", "max_output_tokens", "max_input_tokens"];

/// What LiteLLM's model info shows of every model, in its order; null where the map does not say.
const ALWAYS_SHOWN: [&str; 13] = [
    "max_tokens",
    "max_input_tokens",
    "max_output_tokens",
    "input_cost_per_token",
    "input_cost_per_character",
    "input_cost_per_token_above_128k_tokens",
    "output_cost_per_token",
    "output_cost_per_character",
    "output_cost_per_token_above_128k_tokens",
    "output_cost_per_character_above_128k_tokens",
    "output_vector_size",
    "litellm_provider",
    "mode",
];

/// What the map says of a model: prices, limits and abilities, under LiteLLM's names.
///
/// It reads from the entry's own text, so that every field can be had, known to this crate or not. What the entry leaves
/// out and a fallback rule of the map fills in is there too.
///
/// It serialises as LiteLLM's model info shows a model: first `key`, limits, prices, provider and mode, which are always there and
/// null where the map does not say; then the entry's other fields as the map has them, but for `aliases`.
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
/// assert_eq!(model.deprecation_date(), None);
/// assert_eq!(model.field::<f64>("input_cost_per_token_batches"), Some(1.25e-6));
///
/// let json = serde_json::to_value(&model)?;
/// assert_eq!(json["key"], "gpt-4o");
/// assert_eq!(json["output_cost_per_token"], 1e-5);
/// assert!(json["input_cost_per_character"].is_null());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ModelInfo<'a> {
    key: Cow<'a, str>,
    json: Cow<'a, str>,
    /// What fills in the fields that the entry leaves out.
    rules: Option<&'a Rules>,
    /// What the operator set.
    said: Option<Cow<'a, str>>,
}

/// Who says what a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldOrigin {
    /// The map's entry, or the map's fallback rules.
    Map,
    /// The operator, by registering the model. Of an object, all of it or some of its fields.
    Operator,
}

impl<'a> ModelInfo<'a> {
    pub(crate) fn of(entry: EntryRef<'a>, rules: &'a Rules, said: Option<&'a str>) -> Self {
        let (key, json) = (Cow::Borrowed(entry.key()), Cow::Borrowed(entry.json()));
        Self { key, json, rules: Some(rules), said: said.map(Cow::Borrowed) }
    }

    /// Of a model that has no entry: nothing is left to fill in.
    pub(crate) fn of_text(key: String, json: String) -> Self {
        Self { key: Cow::Owned(key), json: Cow::Owned(json), rules: None, said: None }
    }

    /// The same, with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> ModelInfo<'static> {
        let filled = self.filled(|_| true);
        let json = match json::fields(&self.json) {
            Ok(own) if !filled.is_empty() => object(own.into_iter().chain(filled)),
            _ => self.json.into_owned(),
        };
        let said = self.said.map(|said| Cow::Owned(said.into_owned()));
        ModelInfo { key: Cow::Owned(self.key.into_owned()), json: Cow::Owned(json), rules: None, said }
    }

    /// The entry's key in the map; of a model that fallback rules describe, the name that they matched.
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
        let json = match self.own(name) {
            Some(json) => Some(json),
            None => self.filled(|field| field == name).pop().map(|(_, json)| json),
        };
        serde_json::from_str(json?).ok().flatten()
    }

    /// Who says what a field says. `None` where it is absent.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, FieldOrigin};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"max_input_tokens": 8192, "mode": "chat"}}"#)?;
    /// map.register_model("gpt-x", r#"{"max_input_tokens": 12345}"#)?;
    /// let snapshot = map.snapshot();
    /// let model = snapshot.get("gpt-x").ok_or("unknown")?;
    /// assert_eq!(model.field_origin("max_input_tokens"), Some(FieldOrigin::Operator));
    /// assert_eq!(model.field_origin("mode"), Some(FieldOrigin::Map));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn field_origin(&self, name: &str) -> Option<FieldOrigin> {
        // A null of the operator's leaves the map's alone.
        let said = self.said.as_deref().and_then(|said| find(said, name));
        if said.is_some_and(|json| json != "null") {
            return Some(FieldOrigin::Operator);
        }
        let known = self.own(name).is_some() || !self.filled(|field| field == name).is_empty();
        known.then_some(FieldOrigin::Map)
    }

    /// A field of the entry's own; null is one.
    fn own(&self, name: &str) -> Option<&str> {
        find(&self.json, name)
    }

    /// The fields that rules fill in, of those that are wanted.
    fn filled(&self, wanted: impl Fn(&str) -> bool) -> Vec<(Cow<'_, str>, &str)> {
        let Some(rules) = self.rules.filter(|rules| rules.may_fill(&wanted)) else { return Vec::new() };
        let fields = json::fields(&self.json).unwrap_or_default();
        let text = |name: &str| json::get(&fields, name).and_then(json::text);
        let (provider, mode) = (text("litellm_provider"), text("mode"));
        let own: HashSet<&str> = fields.iter().map(|(name, _)| &**name).collect();
        let entry = Filled { key: &self.key, provider: provider.as_deref(), mode: mode.as_deref() };
        rules.fill(entry, |name| wanted(name) && !own.contains(name))
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

    /// LiteLLM's `max_tokens`: the field of that name where the entry has it, as older maps do; else the most tokens of a
    /// completion, or else of a prompt.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u64> {
        MAX_TOKENS.iter().find_map(|name| self.count(name))
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

    /// The price of a prompt token that a cache had, in US dollars.
    #[must_use]
    pub fn cache_read_input_token_cost(&self) -> Option<Usd> {
        self.field("cache_read_input_token_cost")
    }

    /// The price of a prompt token that was written to a cache, in US dollars.
    #[must_use]
    pub fn cache_creation_input_token_cost(&self) -> Option<Usd> {
        self.field("cache_creation_input_token_cost")
    }

    /// How many numbers an embedding has.
    #[must_use]
    pub fn output_vector_size(&self) -> Option<u64> {
        self.count("output_vector_size")
    }

    /// The day on which the provider retires the model, such as `2026-10-31`.
    #[must_use]
    pub fn deprecation_date(&self) -> Option<String> {
        self.field("deprecation_date")
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

/// The JSON of one field of an object.
fn find<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let found = serde_json::Deserializer::from_str(json).deserialize_map(FieldVisitor { name });
    Some(found.ok()??.get())
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

impl Serialize for ModelInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        InOrder(&self.shown().map_err(S::Error::custom)?).serialize(serializer)
    }
}

impl ModelInfo<'_> {
    /// Returns the fields as they are shown, in order.
    pub(crate) fn shown(&self) -> Result<Vec<(Cow<'_, str>, Shown<'_>)>, serde_json::Error> {
        let mut fields = json::fields(&self.json)?;
        fields.extend(self.filled(|_| true));
        let mut shown = vec![(Cow::Borrowed("key"), Shown::Value(Value::from(self.key())))];
        for always in ALWAYS_SHOWN {
            let json = |name: &str| json::get(&fields, name);
            let found =
                if always == "max_tokens" { MAX_TOKENS.into_iter().find_map(json) } else { json(always) };
            shown.push((Cow::Borrowed(always), Shown::of(found.unwrap_or("null"))));
        }
        for (name, json) in fields {
            if !matches!(&*name, "key" | "aliases") && !ALWAYS_SHOWN.contains(&&*name) {
                shown.push((name, Shown::of(json)));
            }
        }
        Ok(shown)
    }
}
