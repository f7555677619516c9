//! Objects of JSON, as names and texts: borrowed where they can be, with their digits as they were written.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::value::RawValue;

/// A name, borrowed from the text unless it is written with escapes. (`Cow` alone is always owned.)
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

/// The fields of an object, in order, each with its JSON. Of fields with one name the last counts, in the place
/// of the first, as every JSON reader has it.
pub(crate) fn fields(json: &str) -> Result<Vec<(Cow<'_, str>, &str)>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let fields = deserializer.deserialize_map(FieldsVisitor)?;
    deserializer.end()?;
    Ok(fields)
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

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

/// Fields laid one over the other: each stands where it came first, and says what came last.
#[derive(Default)]
pub(crate) struct Union<'a> {
    pub(crate) fields: Vec<(Cow<'a, str>, &'a str)>,
    positions: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Union<'a> {
    pub(crate) fn set(&mut self, name: Cow<'a, str>, json: &'a str) {
        match self.positions.entry(name.clone()) {
            Entry::Occupied(known) => {
                if let Some((_, slot)) = self.fields.get_mut(*known.get()) {
                    *slot = json;
                }
            }
            Entry::Vacant(vacant) => {
                vacant.insert(self.fields.len());
                self.fields.push((name, json));
            }
        }
    }
}

/// An object of fields, each with its JSON.
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

/// Anything that serialises, as JSON; a text is JSON already.
pub(crate) fn text_of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    if json.starts_with('"') { serde_json::from_str(&json) } else { Ok(json) }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    // A string is always JSON.
    serde_json::to_string(text).unwrap_or_else(|_| String::from("\"\""))
}
