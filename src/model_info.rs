//! [`ModelInfo`]: the fields of a model, under LiteLLM's names.

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
use crate::num::{Number, Usd};
use crate::printable;
use crate::rates::field;
use crate::retired::Retirement;

/// The fields that `max_tokens` is read from. The first one present counts.
const MAX_TOKENS: [&str; 3] = ["max_tokens", "max_output_tokens", "max_input_tokens"];

/// The fields that LiteLLM's model info shows for every model, in its order. Fields that the map
/// lacks are null.
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

/// The map's information about a model: prices, limits and abilities, under LiteLLM's names.
///
/// Reads from the entry's own text, so that every field is available, known to this crate or not.
/// Fields that the entry leaves out and a fallback rule of the map fills in are included.
///
/// Serialises as LiteLLM's model info shows a model: first `key`, limits, prices, provider and
/// mode, which are always present and null if the map lacks them, then the entry's other fields as
/// the map has them, except `aliases`; for a retired model then `retired`, the
/// [last map](crate::lookup::Retirement) that had it. Secrets among the fields that the operator registered are
/// masked, here and in the `Debug` output.
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
    /// The rules that fill in the fields that the entry leaves out.
    rules: Option<&'a Rules>,
    /// The names of the fields that the operator set.
    operator_set: Cow<'a, [Box<str>]>,
    /// True if the prices that rules fill in are part of the text, as in rows of another time.
    has_filled_prices: bool,
    /// The last map that had the model, if that is retired.
    retirement: Option<Retirement>,
}

/// The origin of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldOrigin {
    /// The map's entry or the map's fallback rules.
    Map,
    /// The operator, who registered the model. If the value is an object, the operator set all or
    /// some of its fields.
    Operator,
}

impl<'a> ModelInfo<'a> {
    pub(crate) fn of(entry: EntryRef<'a>, rules: &'a Rules, operator_set: &'a [Box<str>]) -> Self {
        let (key, json) = (Cow::Borrowed(entry.key()), Cow::Borrowed(entry.json()));
        let operator_set = Cow::Borrowed(operator_set);
        Self { key, json, rules: Some(rules), operator_set, has_filled_prices: false, retirement: None }
    }

    /// Has rules fill in no prices.
    pub(crate) fn without_filled_prices(self) -> Self {
        Self { has_filled_prices: true, ..self }
    }

    /// Sets the last map that had the model.
    pub(crate) fn with_retirement(self, retirement: Option<Retirement>) -> Self {
        Self { retirement, ..self }
    }

    /// Creates the info of a model without an entry. No rules fill in further fields.
    pub(crate) fn of_text(key: String, json: String) -> Self {
        let operator_set = Cow::Borrowed(&[][..]);
        let (key, json) = (Cow::Owned(key), Cow::Owned(json));
        Self { key, json, rules: None, operator_set, has_filled_prices: true, retirement: None }
    }

    /// Converts into a model info that owns its text.
    #[must_use]
    pub fn into_owned(self) -> ModelInfo<'static> {
        let filled = self.filled(|_| true);
        let json = match json::fields(&self.json) {
            Ok(own) if !filled.is_empty() => object(own.into_iter().chain(filled)),
            _ => self.json.into_owned(),
        };
        let operator_set = Cow::Owned(self.operator_set.into_owned());
        ModelInfo {
            key: Cow::Owned(self.key.into_owned()),
            json: Cow::Owned(json),
            rules: None,
            operator_set,
            has_filled_prices: true,
            retirement: self.retirement,
        }
    }

    /// Returns the entry's key in the map. For a model that only fallback rules describe, this is
    /// the name that they matched.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the entry's JSON object, as it stands in the map. Secrets that the operator registered
    /// with a model are not masked.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns any field of the entry, or `None` if it is absent, null, or of another type.
    #[must_use]
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let json = match self.own(name) {
            Some(json) => Some(json),
            None => self.filled(|field| field == name).pop().map(|(_, json)| json),
        };
        serde_json::from_str(json?).ok().flatten()
    }

    /// Returns the origin of a field's value, or `None` if the field is absent.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, FieldOrigin};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"max_input_tokens": 8192, "mode": "chat"}}"#)?;
    /// map.register_model_json("gpt-x", r#"{"max_input_tokens": 12345}"#)?;
    /// let snapshot = map.snapshot();
    /// let model = snapshot.get("gpt-x").ok_or("unknown")?;
    /// assert_eq!(model.field_origin("max_input_tokens"), Some(FieldOrigin::Operator));
    /// assert_eq!(model.field_origin("mode"), Some(FieldOrigin::Map));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn field_origin(&self, name: &str) -> Option<FieldOrigin> {
        if self.operator_set.iter().any(|set| **set == *name) {
            return Some(FieldOrigin::Operator);
        }
        let known = self.own(name).is_some() || !self.filled(|field| field == name).is_empty();
        known.then_some(FieldOrigin::Map)
    }

    /// Returns the JSON of a field of the entry itself, which may be null.
    fn own(&self, name: &str) -> Option<&str> {
        find(&self.json, name)
    }

    /// Returns the wanted fields that the rules fill in.
    fn filled(&self, wanted: impl Fn(&str) -> bool) -> Vec<(Cow<'_, str>, &str)> {
        let wanted = |name: &str| wanted(name) && !(self.has_filled_prices && field::is_price(name));
        let Some(rules) = self.rules.filter(|rules| rules.may_fill(wanted)) else { return Vec::new() };
        let fields = json::fields(&self.json).unwrap_or_default();
        let text = |name: &str| json::get(&fields, name).and_then(json::text);
        let (provider, mode) = (text("litellm_provider"), text("mode"));
        let own: HashSet<&str> = fields.iter().map(|(name, _)| &**name).collect();
        let entry = Filled { key: &self.key, provider: provider.as_deref(), mode: mode.as_deref() };
        rules.fill(entry, |name| wanted(name) && !own.contains(name))
    }

    /// Returns the provider, such as `openai` or `bedrock`.
    #[must_use]
    pub fn litellm_provider(&self) -> Option<String> {
        self.field("litellm_provider")
    }

    /// Returns the mode, that is, the kind of call: `chat`, `embedding`, `image_generation`, …
    #[must_use]
    pub fn mode(&self) -> Option<String> {
        self.field("mode")
    }

    /// Returns LiteLLM's `max_tokens`: the field of that name if the entry has it, as in older
    /// maps, else the maximum of completion tokens, else that of prompt tokens.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u64> {
        MAX_TOKENS.iter().find_map(|name| self.count(name))
    }

    /// Returns the maximum number of prompt tokens.
    #[must_use]
    pub fn max_input_tokens(&self) -> Option<u64> {
        self.count("max_input_tokens")
    }

    /// Returns the maximum number of completion tokens.
    #[must_use]
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.count("max_output_tokens")
    }

    /// Returns the standard price of a prompt token, in US dollars.
    #[must_use]
    pub fn input_cost_per_token(&self) -> Option<Usd> {
        self.field("input_cost_per_token")
    }

    /// Returns the standard price of a completion token, in US dollars.
    #[must_use]
    pub fn output_cost_per_token(&self) -> Option<Usd> {
        self.field("output_cost_per_token")
    }

    /// Returns the price of a prompt token that was read from a cache, in US dollars.
    #[must_use]
    pub fn cache_read_input_token_cost(&self) -> Option<Usd> {
        self.field("cache_read_input_token_cost")
    }

    /// Returns the price of a prompt token that was written to a cache, in US dollars.
    #[must_use]
    pub fn cache_creation_input_token_cost(&self) -> Option<Usd> {
        self.field("cache_creation_input_token_cost")
    }

    /// Returns the last map that had the model, if that left the map: see
    /// [`CostMapBuilder::retired`](crate::CostMapBuilder::retired).
    #[must_use]
    pub fn retirement(&self) -> Option<&Retirement> {
        self.retirement.as_ref()
    }

    /// Returns the number of dimensions of an embedding.
    #[must_use]
    pub fn output_vector_size(&self) -> Option<u64> {
        self.count("output_vector_size")
    }

    /// Returns the day on which the provider retires the model, such as `2026-10-31`.
    #[must_use]
    pub fn deprecation_date(&self) -> Option<String> {
        self.field("deprecation_date")
    }

    /// Returns whether the entry says that the model has an ability: `supports("vision")` reads
    /// `supports_vision`.
    #[must_use]
    pub fn supports(&self, ability: &str) -> bool {
        self.field(&format!("supports_{ability}")).unwrap_or(false)
    }

    /// Returns a count, which the map may write as a float or a string.
    fn count(&self, name: &str) -> Option<u64> {
        self.field::<Number>(name)?.as_u64()
    }
}

/// Writes what the model info serialises to.
impl fmt::Debug for ModelInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).unwrap_or_default();
        write!(f, "ModelInfo({}: {json})", self.key)
    }
}

/// Returns the JSON of one field of an object.
fn find<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let found = serde_json::Deserializer::from_str(json).deserialize_map(FieldVisitor { name });
    Some(found.ok()??.get())
}

/// A visitor that returns one field and skips the others.
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
    /// Returns the fields in the form and order in which they are serialised.
    pub(crate) fn shown(&self) -> Result<Vec<(Cow<'_, str>, Shown<'_>)>, serde_json::Error> {
        let mut fields = json::fields(&self.json)?;
        fields.extend(self.filled(|_| true));
        // A field that the operator set may hold a secret.
        let operator_set: HashSet<&str> = self.operator_set.iter().map(|name| &**name).collect();
        let shown_field = |name: &str, json| {
            if operator_set.contains(name) { printable::shown(name, json) } else { Shown::of(json) }
        };
        let mut shown = vec![(Cow::Borrowed("key"), Shown::Value(Value::from(self.key())))];
        for always in ALWAYS_SHOWN {
            let json = |name: &str| json::get(&fields, name);
            let found =
                if always == "max_tokens" { MAX_TOKENS.into_iter().find_map(json) } else { json(always) };
            shown.push((Cow::Borrowed(always), shown_field(always, found.unwrap_or("null"))));
        }
        for (name, json) in fields {
            let is_shown_last = self.retirement.is_some() && name == "retired";
            if !matches!(&*name, "key" | "aliases") && !ALWAYS_SHOWN.contains(&&*name) && !is_shown_last {
                let value = shown_field(&name, json);
                shown.push((name, value));
            }
        }
        if let Some(retirement) = &self.retirement {
            shown.push((Cow::Borrowed("retired"), Shown::of_text(serde_json::to_string(retirement)?)));
        }
        Ok(shown)
    }
}
