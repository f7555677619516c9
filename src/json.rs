//! JSON as slices of its text: borrowed where possible, with digits as written.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use memchr::memchr2;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A seed that reads a string, borrowed from the text unless it has escapes. (`Cow` alone is always
/// owned.)
pub(crate) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Returns the fields of an object in order, each with its JSON. Of repeated fields the last value
/// counts, at the position of the first, as in other JSON readers.
pub(crate) fn fields(json: &str) -> Result<Vec<JsonField<'_>>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let fields = deserializer.deserialize_map(FieldsVisitor)?;
    deserializer.end()?;
    Ok(fields)
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<JsonField<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Union::default();
        while let Some(name) = map.next_key_seed(Name)? {
            fields.set(name, map.next_value::<&RawValue>()?.get());
        }
        Ok(fields.fields)
    }
}

/// Fields laid over each other. Each field keeps the position of its first value and holds the
/// last.
pub(crate) struct Union<'a, V = &'a str> {
    pub(crate) fields: Vec<(Cow<'a, str>, V)>,
    positions: HashMap<Cow<'a, str>, usize>,
}

impl<V> Default for Union<'_, V> {
    fn default() -> Self {
        Self { fields: Vec::new(), positions: HashMap::new() }
    }
}

impl<'a, V> Union<'a, V> {
    /// Sets a field, and replaces its value if it has one.
    pub(crate) fn set(&mut self, name: Cow<'a, str>, value: V) {
        self.set_if(name, value, |_| true);
    }

    /// Returns the value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.fields.get(*self.positions.get(name)?).map(|(_, value)| value)
    }

    /// Sets a field if it is new, or if `is_replaced` returns true for its value.
    pub(crate) fn set_if(&mut self, name: Cow<'a, str>, value: V, is_replaced: impl FnOnce(&V) -> bool) {
        match self.positions.entry(name.clone()) {
            Entry::Occupied(known) => match self.fields.get_mut(*known.get()) {
                Some((_, slot)) if is_replaced(slot) => *slot = value,
                _ => {}
            },
            Entry::Vacant(vacant) => {
                vacant.insert(self.fields.len());
                self.fields.push((name, value));
            }
        }
    }
}

/// A printable value: the JSON that was read, or a replacement.
pub(crate) enum Shown<'a> {
    /// Original JSON that every reader can read.
    Json(&'a RawValue),
    /// JSON derived from the original.
    Made(Box<RawValue>),
    /// A value in place of the original.
    Value(Value),
}

impl<'a> Shown<'a> {
    /// Wraps JSON as it was read. JSON that is not [readable](is_readable) becomes a string of its
    /// text.
    pub(crate) fn of(json: &'a str) -> Self {
        match serde_json::from_str(json) {
            Ok(raw) if is_readable(json) => Self::Json(raw),
            _ => Self::Value(Value::from(json)),
        }
    }

    /// Wraps JSON derived from the original.
    pub(crate) fn of_text(json: String) -> Self {
        RawValue::from_string(json).map_or(Self::Value(Value::Null), Self::Made)
    }

    pub(crate) fn is_null(&self) -> bool {
        match self {
            Self::Json(json) => json.get() == "null",
            Self::Made(json) => json.get() == "null",
            Self::Value(value) => value.is_null(),
        }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(json) => json.serialize(serializer),
            Self::Made(json) => json.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}

/// Fields that serialise as an object, in order.
pub(crate) struct InOrder<'a, N>(pub(crate) &'a [(N, Shown<'a>)]);

impl<N: AsRef<str>> Serialize for InOrder<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            fields.serialize_entry(name.as_ref(), value)?;
        }
        fields.end()
    }
}

/// Returns an object of fields, given with their JSON.
pub(crate) fn object<N: AsRef<str>, J: AsRef<str>>(fields: impl IntoIterator<Item = (N, J)>) -> String {
    let mut text = String::from("{");
    for (position, (name, json)) in fields.into_iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(&quoted(name.as_ref()));
        text.push(':');
        text.push_str(json.as_ref());
    }
    text.push('}');
    text
}

/// Returns JSON without the white space between its tokens. Digits and strings stay as they are written.
pub(crate) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        compact.push(character);
    }
    compact
}

/// The JSON text of a value, with digits as written.
///
/// Deserialised by `serde_json` from JSON, this is the text itself, whatever features of
/// `serde_json` other crates enable. From other formats, and from values that were buffered on the
/// way, it is built from the deserialised value.
pub(crate) struct Raw<'de>(pub(crate) Cow<'de, str>);

/// The name of the newtype that makes `serde_json` return a value as raw text.
const RAW: &str = "$serde_json::private::RawValue";

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, RawVisitor)
    }
}

/// Reads a number from a string of its digits, or from a number: exactly if that is JSON that
/// `serde_json` reads.
pub(crate) fn deserialize_digits<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    if !deserializer.is_human_readable() {
        return String::deserialize(deserializer)?.parse().map_err(de::Error::custom);
    }
    let Raw(json) = Raw::deserialize(deserializer)?;
    let text = text(&json).unwrap_or(Cow::Borrowed(&json));
    text.parse().map_err(de::Error::custom)
}

struct RawVisitor;

/// The JSON of a value that was not read as raw text.
impl From<Value> for Raw<'_> {
    fn from(value: Value) -> Self {
        Self(Cow::Owned(value.to_string()))
    }
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw<'de>, D::Error> {
        Value::deserialize(deserializer).map(Raw::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw<'de>, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(name) = map.next_key_seed(Name)? {
            if name == RAW {
                return Ok(Raw(map.next_value_seed(Name)?));
            }
            object.insert(name.into_owned(), map.next_value()?);
        }
        Ok(Value::Object(object).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Raw<'de>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(Raw::from)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw<'de>, E> {
        Ok(Value::from(text).into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Raw<'de>, E> {
        Ok(Value::from(number).into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Raw<'de>, E> {
        Ok(Value::from(number).into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Raw<'de>, E> {
        Ok(Value::from(number).into())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw<'de>, E> {
        Ok(Value::from(value).into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw<'de>, E> {
        Ok(Value::Null.into())
    }
}

/// A field of an object, with its JSON.
pub(crate) type JsonField<'a> = (Cow<'a, str>, &'a str);

/// Returns the JSON of a field. Null counts as absent.
pub(crate) fn get<'a>(fields: &[JsonField<'a>], wanted: &str) -> Option<&'a str> {
    fields.iter().find(|(name, json)| name == wanted && *json != "null").map(|(_, json)| *json)
}

/// Returns the JSON of each element of a list, in order.
pub(crate) fn list(json: &str) -> Result<Vec<&str>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(json)?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// Reads a string. Returns `None` if the JSON is anything else.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if memchr2(b'"', b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    Name.deserialize(&mut serde_json::Deserializer::from_str(json)).ok()
}

/// Returns whether the JSON is a number.
pub(crate) fn is_number(json: &str) -> bool {
    json.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// Returns whether every reader can read the JSON, all values of repeated fields included. Numbers beyond the range of a float, such as
/// `1e999`, and halves of surrogate pairs are not readable. The JSON must not be [deep](is_deep).
pub(crate) fn is_readable(json: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'{') => {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            deserializer.deserialize_map(AllReadable).unwrap_or(false)
        }
        Some(b'[') => list(json).is_ok_and(|list| list.into_iter().all(is_readable)),
        Some(b'"') => text(json).is_some(),
        _ => !is_number(json) || json.parse().is_ok_and(f64::is_finite),
    }
}

/// Returns whether every value of an object is [readable](is_readable).
struct AllReadable;

impl<'de> Visitor<'de> for AllReadable {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut is_each = true;
        while map.next_key_seed(Name)?.is_some() {
            is_each &= is_readable(map.next_value::<&RawValue>()?.get());
        }
        Ok(is_each)
    }
}

/// The limit of nesting in values that are kept. Tables of the map are three deep; readers of an
/// entry may have limits of their own.
pub(crate) const MAX_DEPTH: usize = 32;

/// Returns whether objects and lists are nested more than [`MAX_DEPTH`] deep.
pub(crate) fn is_deep(json: &str) -> bool {
    // Most values have fewer brackets in all.
    let brackets = || json.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if !matches!(json.as_bytes().first(), Some(b'{' | b'[')) || brackets() <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest > MAX_DEPTH
}

/// Returns a text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    // Serialising a string cannot fail.
    serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\""))
}
