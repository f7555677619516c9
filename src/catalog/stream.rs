//! A map in one pass, as upstream writes it: rows are read where they stand.
//!
//! The other way, in [`parse`](super::parse), says what a map means. This one knows its way through most maps, and gives up on whatever is
//! odd: a name with escapes, a name that is there twice, a row that is no object or has no field, rules that fill in prices, an error of
//! any kind. A test holds the two against each other.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{Builder, CatalogParts};
use super::row::{Row, RowVisitor};
use super::rules::Rules;
use super::{Notes, RULES, SAMPLE};
use crate::json::Name;
use crate::rates::field;

/// About how many bytes of text a row of upstream's map has, at least.
const BYTES_OF_ROW: usize = 450;

/// Reads a map that is part of a text. `None` where something is odd about it.
pub(super) fn read(text: &str, map: &str) -> Option<CatalogParts> {
    let mut builder = Builder::new(text, map.len() / BYTES_OF_ROW);
    let mut deserializer = serde_json::Deserializer::from_str(map);
    let rules = deserializer.deserialize_map(MapVisitor { text, builder: &mut builder }).ok()?;
    deserializer.end().ok()?;
    let mut notes = Notes::default();
    let rules = match rules {
        Some(json) => Rules::parse(json.get(), &mut notes.set_aside).ok()?,
        None => Rules::default(),
    };
    if rules.may_fill(field::is_price) || builder.names_twice() {
        return None;
    }
    Some(builder.with_rules(rules, notes).finish())
}

struct MapVisitor<'a, 'b> {
    text: &'a str,
    builder: &'b mut Builder<'a>,
}

impl<'a> Visitor<'a> for MapVisitor<'a, '_> {
    /// The fallback rules.
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of models")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let odd = || A::Error::custom("odd");
        let (mut rules, mut sample, mut row) = (None, None, Row::default());
        while let Some(name) = map.next_key_seed(Name)? {
            let Cow::Borrowed(name) = name else { return Err(odd()) };
            let again = match name {
                RULES => rules.replace(map.next_value()?).is_some(),
                SAMPLE => sample.replace(map.next_value::<IgnoredAny>()?).is_some(),
                _ => {
                    row.clear();
                    map.next_value_seed(RowSeed(&mut row))?;
                    let json = row.ends.and_then(|ends| object_around(self.text, ends)).ok_or_else(odd)?;
                    self.builder.add_row(name, json, &mut row).is_err()
                }
            };
            if again {
                return Err(odd());
            }
        }
        Ok(rules)
    }
}

struct RowSeed<'b, 'a>(&'b mut Row<'a>);

impl<'a> DeserializeSeed<'a> for RowSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(RowVisitor(self.0))
    }
}

/// The object whose first name and last value these slices of a text are, with its brackets.
fn object_around<'a>(text: &'a str, (first, last): (&'a str, &'a str)) -> Option<&'a str> {
    let start = text.as_ptr().addr();
    let before = text.get(..first.as_ptr().addr().checked_sub(start)?)?;
    let behind = text.get((last.as_ptr().addr() + last.len()).checked_sub(start)?..)?;
    // Valid JSON has nothing but white space between them.
    let open = before.strip_suffix('"')?.trim_ascii_end().strip_suffix('{')?.len();
    let close = text.len() - behind.trim_ascii_start().strip_prefix('}')?.len();
    text.get(open..close)
}
