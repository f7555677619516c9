//! Parses the text of a map into a catalogue.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as MapEntry;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{Builder, CatalogParts, NotAMap};
use super::row::{Row, RowVisitor};
use super::rules::Rules;
use super::{Catalog, KEYS_OF_NO_MODEL, Notes, RULES, Text, Warning, is_model};
use crate::json::Name;
use crate::rates::field;

/// The number of bytes of a row in upstream's map, at least.
const BYTES_OF_ROW: usize = 450;

pub(super) fn parse(text: Text) -> Result<Catalog, NotAMap> {
    let parts = read(&text)?;
    Ok(parts.into_catalog(text))
}

/// Reads a map in one pass: each row is added to the catalogue as it is read.
///
/// Maps of three kinds take another pass, none of which has been seen so far. If a row has a name
/// that cannot be decoded, such as half of a surrogate pair, that row is set aside by itself. If a
/// name is repeated, or if fallback rules fill in prices, the rows are added again: rules may come
/// last.
fn read(text: &str) -> Result<CatalogParts, NotAMap> {
    // A byte order mark is not part of the map.
    let map = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reader = match Reader::read(text, map, Rows::AsTheyCome) {
        Err(NotAMap::Json(_)) => Reader::read(text, map, Rows::EachByItself)?,
        reader => reader?,
    };
    let Reader { builder, rows, others, .. } = reader;

    let mut notes = Notes::default();
    let is_repeated = builder.has_repeated_names() || has_repeated(&others);
    let rows = if is_repeated { last_of_each(rows, &mut notes) } else { rows };
    let rules = match rows.iter().find(|(name, _)| name == RULES) {
        Some((_, json)) => Rules::parse(json, &mut notes.set_aside)?,
        None => Rules::default(),
    };
    if !is_repeated && !rules.may_fill(field::is_price) {
        return Ok(builder.with_rules(rules, notes).finish());
    }
    let mut builder = Builder::new(text, rows.len()).with_rules(rules, notes);
    let mut row = Row::default();
    for (name, json) in rows.iter().filter(|(name, _)| is_model(name)) {
        row.read(json);
        builder.add_row(name, json, &mut row)?;
    }
    Ok(builder.finish())
}

fn has_repeated(keys: &[&str]) -> bool {
    KEYS_OF_NO_MODEL.iter().any(|key| keys.iter().filter(|known| *known == key).count() > 1)
}

/// A name of a map, with its JSON.
type NamedRow<'a> = (Cow<'a, str>, &'a str);

/// The way in which rows are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// The fields of a row are read where they stand, so that an error in one is an error of the
    /// map.
    AsTheyCome,
    /// Each row is read after its end was found.
    EachByItself,
}

struct Reader<'a> {
    text: &'a str,
    builder: Builder<'a>,
    way: Rows,
    rows: Vec<NamedRow<'a>>,
    /// The keys so far that are no models.
    others: Vec<&'static str>,
    /// The reason to refuse the map, if that is not an error of its JSON.
    failure: Option<NotAMap>,
}

impl<'a> Reader<'a> {
    /// Reads a map that is part of a text.
    fn read(text: &'a str, map: &'a str, way: Rows) -> Result<Self, NotAMap> {
        let rows = map.len() / BYTES_OF_ROW;
        let mut reader = Self {
            text,
            builder: Builder::new(text, rows),
            way,
            rows: Vec::with_capacity(rows),
            others: Vec::new(),
            failure: None,
        };
        let mut deserializer = serde_json::Deserializer::from_str(map);
        let read = deserializer.deserialize_map(&mut reader).and_then(|()| deserializer.end());
        match reader.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(read.map(|()| reader)?),
        }
    }
}

impl<'a> Visitor<'a> for &mut Reader<'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of models")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut row = Row::default();
        while let Some(name) = map.next_key_seed(Name)? {
            let is_at_hand = self.way == Rows::AsTheyCome && is_model(&name);
            let start = match &name {
                Cow::Borrowed(name) if is_at_hand => object_start(self.text, name),
                _ => None,
            };
            let json = if let Some(start) = start {
                row.clear();
                let end = map.next_value_seed(RowSeed(&mut row))?;
                object_between(self.text, start, end)
            } else {
                let json = map.next_value::<&RawValue>()?.get();
                if is_model(&name) {
                    row.read(json);
                }
                Some(json)
            };
            let Some(json) = json else { return Err(A::Error::custom("a row without an end")) };
            if let Some(other) = KEYS_OF_NO_MODEL.iter().find(|other| **other == name) {
                self.others.push(other);
            } else if let Err(failure) = self.builder.add_row(&name, json, &mut row) {
                self.failure = Some(failure);
                return Err(A::Error::custom("the map is refused"));
            }
            self.rows.push((name, json));
        }
        Ok(())
    }
}

/// Reads the fields of an object, and returns its last value.
struct RowSeed<'b, 'a>(&'b mut Row<'a>);

impl<'a> DeserializeSeed<'a> for RowSeed<'_, 'a> {
    type Value = Option<&'a str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(RowVisitor(self.0))
    }
}

/// Returns the position of the object that follows a name, which is a slice of the text. Returns
/// `None` if another value follows.
fn object_start(text: &str, name: &str) -> Option<usize> {
    let end = (name.as_ptr().addr() + name.len()).checked_sub(text.as_ptr().addr())?;
    let behind = text.get(end..)?.strip_prefix('"')?.trim_ascii_start().strip_prefix(':')?;
    let value = behind.trim_ascii_start();
    value.starts_with('{').then(|| text.len() - value.len())
}

/// Returns the object that starts at a position, given its last value, which is a slice of the
/// text.
fn object_between<'a>(text: &'a str, start: usize, last: Option<&'a str>) -> Option<&'a str> {
    let end = match last {
        Some(last) => (last.as_ptr().addr() + last.len()).checked_sub(text.as_ptr().addr())?,
        None => start + 1,
    };
    // Valid JSON has only white space before the bracket.
    let close = text.len() - text.get(end..)?.trim_ascii_start().strip_prefix('}')?.len();
    text.get(start..close)
}

/// Keeps the last of the rows with one name, in the place of the first, as other JSON readers do.
fn last_of_each<'a>(rows: Vec<NamedRow<'a>>, notes: &mut Notes) -> Vec<NamedRow<'a>> {
    let repeats = repeats(&rows);
    let mut rows: Vec<Option<NamedRow<'a>>> = rows.into_iter().map(Some).collect();
    for (first, repeat) in repeats {
        let repeat = rows.get_mut(repeat).and_then(Option::take);
        if let (Some(repeat), Some(slot)) = (repeat, rows.get_mut(first)) {
            let message = "named more than once; the last row counts".to_owned();
            notes.warnings.push(Warning { model: repeat.0.clone().into_owned(), message });
            *slot = Some(repeat);
        }
    }
    rows.into_iter().flatten().collect()
}

/// Returns the position of each repeated row, after the position of the first row with its name.
fn repeats(rows: &[NamedRow<'_>]) -> Vec<(usize, usize)> {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(rows.len());
    let mut repeats = Vec::new();
    for (position, (name, _)) in rows.iter().enumerate() {
        match seen.entry(name) {
            MapEntry::Occupied(first) => repeats.push((*first.get(), position)),
            MapEntry::Vacant(vacant) => {
                vacant.insert(position);
            }
        }
    }
    repeats
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the keys of a map, each with its JSON.
    fn entries(map: &str) -> Vec<(String, String)> {
        let catalog = parse(Text::Owned(map.into())).unwrap_or_else(|error| panic!("{map}: {error}"));
        catalog.entries().map(|entry| (entry.key().to_owned(), entry.json().to_owned())).collect()
    }

    /// Returns the names that a map sets aside, each with the reason.
    fn set_aside(map: &str) -> Vec<String> {
        let catalog = parse(Text::Owned(map.into())).unwrap_or_else(|error| panic!("{map}: {error}"));
        catalog.set_aside().map(ToString::to_string).collect()
    }

    #[test]
    fn entries_keep_their_json_however_it_is_written() {
        for (map, expected) in [
            ("{}", vec![]),
            ("\u{feff}{\"a\": {}}", vec![("a", "{}")]),
            (
                " { \"a\" :\n{ \"x\" : 1 }\t, \"b\":{\"y\":[{}]\r\n} } ",
                vec![("a", "{ \"x\" : 1 }"), ("b", "{\"y\":[{}]\r\n}")],
            ),
            (r#"{"\u0061": {"x": 1}, "b": { }}"#, vec![("a", r#"{"x": 1}"#), ("b", "{ }")]),
            (r#"{"a": {"\u006dode": "chat", "}": "{"}}"#, vec![("a", r#"{"\u006dode": "chat", "}": "{"}"#)]),
            (r#"{"sample_spec": {"x": 1}, "ü": {"é": "ß"}}"#, vec![("ü", r#"{"é": "ß"}"#)]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(key, json)| (key.to_owned(), json.to_owned())).collect();
            assert_eq!(entries(map), expected, "{map}");
        }
    }

    /// Of a repeated name, the last row counts, whether it can be priced or not.
    #[test]
    fn a_repeated_name_counts_once() {
        let (good, bad) = (r#"{"mode": "chat"}"#, r#"{"input_cost_per_token": -1}"#);
        for (first, second) in [(good, good), (bad, good), (good, bad), (bad, bad)] {
            let map = format!(r#"{{"a": {first}, "b": {{}}, "a": {second}}}"#);
            let expected = if second == good {
                vec![("a".to_owned(), good.to_owned()), ("b".to_owned(), "{}".to_owned())]
            } else {
                vec![("b".to_owned(), "{}".to_owned())]
            };
            assert_eq!(entries(&map), expected, "{map}");
            assert_eq!(set_aside(&map).len(), usize::from(second == bad), "{map}");
        }
        for name in KEYS_OF_NO_MODEL {
            let map = format!(r#"{{"{name}": {{"rules": []}}, "a": {{}}, "{name}": {{"rules": []}}}}"#);
            let catalog = parse(Text::Owned(map.into())).unwrap();
            let warnings: Vec<String> = catalog.notes().warnings.iter().map(ToString::to_string).collect();
            assert_eq!(warnings, [format!("{name}: named more than once; the last row counts")]);
            assert_eq!(catalog.len(), 1);
        }
    }

    #[test]
    fn a_row_that_is_not_an_object_is_set_aside_by_itself() {
        for row in ["1", "1e999", "[{}]", "null", "\"{}\"", r#"{"\ud800": 1, "mode": "chat"}"#] {
            let map = format!(r#"{{"a": {row}, "b": {{}}}}"#);
            assert_eq!(set_aside(&map), ["a: not an object of fields"], "{map}");
            assert_eq!(entries(&map).len(), 1, "{map}");
        }
    }

    /// Rules may come after the rows whose prices they fill in.
    #[test]
    fn rules_fill_in_prices_wherever_they_stand() {
        let rules = r#""fallback_generalizations": {"rules": [{"name": "r", "pattern": "^a",
            "model_info": {"input_cost_per_token": 1}, "fill_missing_for_providers": ["y"]}]}"#;
        let row = r#""a": {"litellm_provider": "y", "mode": "chat"}"#;
        for map in [format!("{{{rules}, {row}}}"), format!("{{{row}, {rules}}}")] {
            let catalog = parse(Text::Owned(map.into())).unwrap();
            let rates = catalog.find("a").and_then(crate::catalog::EntryRef::rates).unwrap();
            let (row, _) =
                rates.pick_simply(field::Tier::Standard, 1, || crate::rates::RuleProvider::Other).unwrap();
            assert_eq!(row.total([2, 0, 0, 0, 0]), Some(2 * 10_u128.pow(28)));
        }
    }
}
