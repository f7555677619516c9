//! From the text of a map to a catalogue.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as MapEntry;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::builder::{Builder, CatalogParts, NotAMap};
use super::row::Row;
use super::rules::Rules;
use super::{Catalog, Notes, RULES, SAMPLE, Text, Warning, stream};
use crate::json::Name;

/// Keys of the map that are no models.
const NO_MODELS: [&str; 2] = [SAMPLE, RULES];

pub(super) fn parse(text: Text) -> Result<Catalog, NotAMap> {
    let parts = read(&text)?;
    Ok(parts.into_catalog(text))
}

/// A map as upstream writes it is read in one pass. Whatever is odd about another is told apart in two: its rows first, then each row.
fn read(text: &str) -> Result<CatalogParts, NotAMap> {
    // A byte order mark is no part of the map.
    let map = text.strip_prefix('\u{feff}').unwrap_or(text);
    stream::read(text, map).map_or_else(|| read_in_two(text, map), Ok)
}

/// Reads a map that is part of a text.
fn read_in_two(text: &str, map: &str) -> Result<CatalogParts, NotAMap> {
    let mut deserializer = serde_json::Deserializer::from_str(map);
    let rows = deserializer.deserialize_map(MapVisitor)?;
    deserializer.end()?;

    let mut notes = Notes::default();
    let rows = last_of_each(rows, &mut notes);
    let rules = match rows.iter().find(|(name, _)| name == RULES) {
        Some((_, json)) => Rules::parse(json.get(), &mut notes.set_aside)?,
        None => Rules::default(),
    };
    let mut builder = Builder::new(text, rows.len()).with_rules(rules, notes);
    let mut row = Row::default();
    for (name, json) in &rows {
        if !NO_MODELS.contains(&&**name) {
            row.read(json.get());
            builder.add_row(name, json.get(), &mut row)?;
        }
    }
    Ok(builder.finish())
}

type Rows<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

struct MapVisitor;

impl<'de> Visitor<'de> for MapVisitor {
    type Value = Rows<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of models")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            rows.push((name, map.next_value::<&RawValue>()?));
        }
        Ok(rows)
    }
}

/// Of rows with one name the last counts, in the place of the first, as every JSON reader has it.
fn last_of_each<'a>(rows: Rows<'a>, notes: &mut Notes) -> Rows<'a> {
    let repeats = repeats(&rows);
    if repeats.is_empty() {
        return rows;
    }
    let mut rows: Vec<Option<(Cow<'a, str>, &'a RawValue)>> = rows.into_iter().map(Some).collect();
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

/// Each repeated row: where its name came first, and where it came again.
fn repeats(rows: &Rows<'_>) -> Vec<(usize, usize)> {
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

    fn both(map: &str) -> (Option<String>, String) {
        // The providers' names are there in their order as well.
        let shown = |mut parts: CatalogParts| {
            parts.provider_ids.clear();
            format!("{parts:#?}")
        };
        let slow = read_in_two(map, map).map_or_else(|error| error.to_string(), shown);
        (stream::read(map, map).map(shown), slow)
    }

    #[test]
    fn what_is_read_in_one_pass_is_what_is_read_in_two() {
        for map in [
            "{}",
            r#"{"a": {"input_cost_per_token": 1e-6}}"#,
            " { \"a\" :\n{ \"mode\" : \"chat\" }\t, \"b\":{\"aliases\":[\"c\"],\"litellm_provider\":\"x\"} } ",
            r#"{"sample_spec": {"x": 1}, "a": {"max_tokens": {"deep": [1, {"}": 2}]}}}"#,
            r#"{"a": {"input_cost_per_token": -1}, "b": {"input_cost_per_token": "x", "odd_cost": 1}}"#,
            r#"{"a": {"é": "ü"}, "ü": {"supports_vision": true, "aliases": ["ß", "a"]}}"#,
            r#"{"fallback_generalizations": {"rules": [{"pattern": "^x", "model_info": {"litellm_provider": "y"}}, 3]},
                "a": {"input_cost_per_token": 1e-6, "input_cost_per_token": null}}"#,
        ] {
            let (fast, slow) = both(map);
            assert_eq!(fast.as_ref(), Some(&slow), "{map}");
        }
        #[cfg(feature = "bundled")]
        {
            let (fast, slow) = both(crate::catalog::bundled::TEXT);
            assert!(fast.is_some_and(|fast| fast == slow));
        }
    }

    #[test]
    fn what_is_odd_is_left_to_the_other_way() {
        for odd in [
            r#"{"\u0061": {"mode": "chat"}}"#,
            r#"{"a": {"mode": "chat"}, "a": {"mode": "chat"}}"#,
            r#"{"a": {"input_cost_per_token": -1}, "a": {"mode": "chat"}}"#,
            r#"{"a": {"mode": "chat"}, "a": {"input_cost_per_token": -1}}"#,
            r#"{"a": {"input_cost_per_token": -1}, "a": {"input_cost_per_token": -1}}"#,
            r#"{"sample_spec": {}, "sample_spec": {}}"#,
            r#"{"fallback_generalizations": {"rules": []}, "fallback_generalizations": {"rules": []}}"#,
            r#"{"a": {}}"#,
            r#"{"a": 1}"#,
            r#"{"a": 1e999}"#,
            r#"{"a": {"\u006dode": "chat"}}"#,
            r#"{"a": {"\ud800": 1, "mode": "chat"}}"#,
            r#"{"fallback_generalizations": {"rules": [{"pattern": "^x", "model_info": {"input_cost_per_token": 1},
                "fill_missing_for_providers": ["y"]}]}}"#,
            r#"{"a": {"mode": "chat"}} x"#,
            r#"{"a": {"mode": "chat"}"#,
            "[]",
            "",
        ] {
            assert!(stream::read(odd, odd).is_none(), "{odd}");
        }
    }
}
