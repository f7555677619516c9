//! What changed from one map to another.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json;
use crate::rates::field;
use crate::resolve::Layers;
use crate::usd::Usd;

/// What changed from one map to a newer one.
///
/// It serialises as `{"added": [model], "removed": [model], "repriced": [{"model", "field", "from", "to", "factor"}]}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// The keys of models that came, in the order of the newer map.
    pub added: Vec<String>,
    /// The keys of models that went, in the order of the older map.
    pub removed: Vec<String>,
    /// The prices that changed of models that both have, in the order of the newer map. Of what is beyond all measure some are left out: more
    /// than 100,000 changes, keys of more than 512 bytes, tables of more than 1,000 numbers.
    pub repriced: Vec<Repriced>,
    /// How many models have a price that is more than ten times what it was, or less than a tenth: listed or not.
    #[serde(skip)]
    jumped: usize,
}

/// A price that changed: any number in a field of an entry that calls are priced by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Repriced {
    /// The model's key.
    pub model: String,
    /// The field, as the map has it; of a number in a table, the path to it: `tiered_pricing[0].input_cost_per_token`.
    pub field: String,
    /// What it was, in US dollars per unit (or the number of a bound or a factor, where the field is one). `None` where there was none.
    pub from: Option<Usd>,
    /// What it is. `None` where there is none.
    pub to: Option<Usd>,
    /// How many times what it was it is. `None` where either is absent, or where it was zero.
    pub factor: Option<f64>,
}

impl Repriced {
    /// Whether it is more than ten times what it was, or less than a tenth.
    pub(crate) fn is_jump(&self) -> bool {
        is_jump(self.from, self.to)
    }
}

impl fmt::Display for Repriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |price: Option<Usd>| price.map_or_else(|| "none".to_owned(), |price| price.to_string());
        write!(f, "{}: {}: {} -> {}", self.model, self.field, shown(self.from), shown(self.to))?;
        self.factor.map_or(Ok(()), |factor| write!(f, " (x{factor})"))
    }
}

impl Diff {
    pub(crate) fn between(before: Layers<'_>, after: Layers<'_>) -> Self {
        let mut diff = Self::default();
        for entry in after.entries() {
            let key = entry.key();
            match before.key(key) {
                None => diff.added.push(key.to_owned()),
                Some(old) if old.json() == entry.json() => {}
                Some(old) => diff.reprice(key, old.json(), entry.json()),
            }
        }
        let gone = before.entries().filter(|entry| after.key(entry.key()).is_none());
        diff.removed = gone.map(|entry| entry.key().to_owned()).collect();
        diff
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.repriced.is_empty()
    }

    /// How many models have a price that is more than ten times what it was, or less than a tenth.
    pub(crate) fn models_that_jumped(&self) -> usize {
        self.jumped
    }

    fn reprice(&mut self, model: &str, before: &str, after: &str) {
        let (before, after) = (Figures::of(before), Figures::of(after));
        // Tables without measure are not compared, since what is left out of them would seem to have gone.
        let whole = before.is_whole() && after.is_whole();
        let (before, after) = (before.list(whole), after.list(whole));
        let is_listed = model.len() <= MAX_PATH;
        let mut has_jumped = false;
        let mut change = |field: &str, from: Option<Usd>, to: Option<Usd>| {
            if from == to {
                return;
            }
            has_jumped |= is_jump(from, to);
            if is_listed && self.repriced.len() < MAX_REPRICED {
                let (model, field) = (model.to_owned(), field.to_owned());
                self.repriced.push(Repriced { model, field, from, to, factor: factor(from, to) });
            }
        };
        let index = |figures: &[(String, Usd)]| -> HashMap<String, Usd> { figures.iter().cloned().collect() };
        let (was, is) = (index(&before), index(&after));
        for (field, to) in &after {
            change(field, was.get(field).copied(), Some(*to));
        }
        for (field, from) in &before {
            if !is.contains_key(field) {
                change(field, Some(*from), None);
            }
        }
        self.jumped += usize::from(has_jumped);
    }
}

/// No map changes as many prices, and no row has as many, or paths to them as long: beyond that, they are not listed.
const MAX_REPRICED: usize = 100_000;
const MAX_FIGURES: usize = 1_000;
const MAX_PATH: usize = 512;

/// Whether a price is more than ten times what it was, or less than a tenth.
fn is_jump(from: Option<Usd>, to: Option<Usd>) -> bool {
    let (Some(from), Some(to)) = (from, to) else { return false };
    let [from, to] = [from, to].map(|usd| usd.units().unsigned_abs());
    from > 0 && to > 0 && (to > from.saturating_mul(10) || from > to.saturating_mul(10))
}

fn factor(from: Option<Usd>, to: Option<Usd>) -> Option<f64> {
    let [from, to] = [from?, to?].map(|usd| usd.units() as f64);
    // To twelve digits: 3 and not 3.0000000000000004.
    (from != 0.0).then(|| format!("{:.11e}", to / from).parse().unwrap_or(to / from))
}

/// Every number of an entry that a price hangs on, by its path.
struct Figures {
    /// Those of the fields that calls are priced by: an entry has a few hundred at the most.
    rates: Vec<(String, Usd)>,
    /// Those of tables, and of fields that nobody knows.
    others: Vec<(String, Usd)>,
}

impl Figures {
    fn of(json: &str) -> Self {
        let (mut rates, mut others) = (Vec::new(), Vec::new());
        for (name, json) in json::fields(json).unwrap_or_default() {
            match field::parse(&name) {
                field::Kind::Rate(_) => flatten(name, json, &mut rates),
                field::Kind::Other if !is_priced_by(&name) => {}
                _ => flatten(name, json, &mut others),
            }
        }
        Self { rates, others }
    }

    /// Whether all that there are are here.
    fn is_whole(&self) -> bool {
        self.others.len() < MAX_FIGURES
    }

    fn list(self, whole: bool) -> Vec<(String, Usd)> {
        let others = if whole { self.others } else { Vec::new() };
        self.rates.into_iter().chain(others).collect()
    }
}

/// Whether prices hang on a field that does not name a cost itself.
fn is_priced_by(name: &str) -> bool {
    field::is_price(name) || name == "provider_specific_entry" || name.contains("uplift_multiplier")
}

fn flatten(path: Cow<'_, str>, json: &str, figures: &mut Vec<(String, Usd)>) {
    if path.len() > MAX_PATH || figures.len() >= MAX_FIGURES {
        return;
    }
    match json.as_bytes().first() {
        Some(b'{') => {
            for (name, json) in json::fields(json).unwrap_or_default() {
                flatten(format!("{path}.{name}").into(), json, figures);
            }
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
            for (position, json) in list.into_iter().enumerate() {
                flatten(format!("{path}[{position}]").into(), json.get(), figures);
            }
        }
        // Words, such as the hours of an off-peak price, are no numbers.
        _ => figures.extend(json.trim_matches('"').parse().ok().map(|figure| (path.into_owned(), figure))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Text};

    fn diff(before: &str, after: &str) -> Diff {
        let [before, after] = [before, after].map(|json| Catalog::parse(Text::Owned(json.into())).unwrap());
        let layers = |base| Layers { own: None, base };
        Diff::between(layers(&before), layers(&after))
    }

    fn repriced(before: &str, after: &str) -> Vec<String> {
        let of = |fields: &str| format!(r#"{{"m": {fields}}}"#);
        diff(&of(before), &of(after)).repriced.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn models_come_and_go() {
        let diff = diff(
            r#"{"a": {}, "b": {"aliases": ["d"]}, "c": {"max_tokens": 1}, "sample_spec": {}}"#,
            r#"{"e": {}, "c": {"max_tokens": 2}, "d": {}, "a": {}}"#,
        );
        assert_eq!(diff.added, ["e", "d"]);
        assert_eq!(diff.removed, ["b"]);
        assert_eq!(diff.repriced, []);
        assert!(!diff.is_empty());
    }

    #[test]
    fn prices_change_wherever_they_stand() {
        assert_eq!(
            repriced(
                r#"{"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "cache_read_input_token_cost": 0,
                    "input_cost_per_image": 0.01, "mode": "chat", "max_tokens": 5, "input_cost_per_query": "0.1",
                    "tiered_pricing": [{"range": [0, 32000], "input_cost_per_token": 1e-6}],
                    "search_context_cost_per_query": {"search_context_size_low": 0.03}}"#,
                r#"{"input_cost_per_token": 0.000001, "output_cost_per_token": "3e-6", "cache_read_input_token_cost": 1e-7,
                    "input_cost_per_audio_token": 5e-6, "mode": "embedding", "max_tokens": 6, "input_cost_per_query": 0.1,
                    "tiered_pricing": [{"range": [0, 64000], "input_cost_per_token": 5e-7}],
                    "search_context_cost_per_query": {"search_context_size_low": 0.01}}"#,
            ),
            [
                "m: output_cost_per_token: 0.000002 -> 0.000003 (x1.5)",
                "m: cache_read_input_token_cost: 0 -> 0.0000001",
                "m: input_cost_per_audio_token: none -> 0.000005",
                "m: tiered_pricing[0].range[1]: 32000 -> 64000 (x2)",
                "m: tiered_pricing[0].input_cost_per_token: 0.000001 -> 0.0000005 (x0.5)",
                "m: search_context_cost_per_query.search_context_size_low: 0.03 -> 0.01 (x0.333333333333)",
                "m: input_cost_per_image: 0.01 -> none",
            ]
        );
        // Digits beyond those of a float count.
        assert_eq!(
            repriced(
                r#"{"input_cost_per_token": 0.000005000020000000000001}"#,
                r#"{"input_cost_per_token": 0.000005000020000000000002}"#
            ),
            ["m: input_cost_per_token: 0.000005000020000000000001 -> 0.000005000020000000000002 (x1)"]
        );
        // Null is absent; factors count.
        assert_eq!(
            repriced(
                r#"{"input_cost_per_token": null, "provider_specific_entry": {"us": 1.1}}"#,
                r#"{"provider_specific_entry": {"us": 1.2, "x": true}, "regional_processing_uplift_multiplier_eu": 1.1}"#
            ),
            [
                "m: provider_specific_entry.us: 1.1 -> 1.2 (x1.09090909091)",
                "m: regional_processing_uplift_multiplier_eu: none -> 1.1"
            ]
        );
    }

    #[test]
    fn a_row_without_measure_takes_no_longer_than_its_length() {
        let list = |price: &str| format!("[{}{price}]", "1,".repeat(20_000));
        let of = |price: &str| {
            format!(r#"{{"input_cost_per_token": {price}, "{}_cost": {}}}"#, "x".repeat(200_000), list(price))
        };
        assert_eq!(repriced(&of("1"), &of("2")).len(), 1);
        let many = |price: &str| {
            let field = |n: usize| format!(r#""cost_{n}": {price}"#);
            format!("{{{}}}", (0..100_000).map(field).collect::<Vec<_>>().join(","))
        };
        assert_eq!(repriced(&many("1"), &many("2")).len(), 0);
        // What is not listed is counted: nothing hides a slip of units.
        let padded = |price: &str| {
            let field = |n: usize| format!(r#""cost_{n}": 1"#);
            let padding = (0..2_000).map(field).collect::<Vec<_>>().join(",");
            format!(r#"{{"m": {{{padding}, "input_cost_per_token": {price}}}}}"#)
        };
        let padded = diff(&padded("1e-6"), &padded("1"));
        assert_eq!((padded.repriced.len(), padded.models_that_jumped()), (1, 1));
        let long = |price: &str| format!(r#"{{"{}": {{"input_cost_per_token": {price}}}}}"#, "m".repeat(600));
        let long = diff(&long("1e-6"), &long("1"));
        assert_eq!((long.repriced.len(), long.models_that_jumped()), (0, 1));
    }

    #[test]
    fn ten_times_is_no_jump_and_a_bit_more_is() {
        let jumps = |from: &str, to: &str| {
            let json = |price: &str| format!(r#"{{"m": {{"input_cost_per_token": {price}}}}}"#);
            diff(&json(from), &json(to)).models_that_jumped()
        };
        assert_eq!(jumps("1e-6", "1e-5"), 0);
        assert_eq!(jumps("1e-5", "1e-6"), 0);
        assert_eq!(jumps("1e-6", "1.0000001e-5"), 1);
        assert_eq!(jumps("1.0000001e-5", "1e-6"), 1);
        assert_eq!(jumps("1e-6", "1"), 1);
        assert_eq!(jumps("0", "1"), 0);
        assert_eq!(jumps("1", "0"), 0);
        let both = diff(
            r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}}"#,
            r#"{"m": {"input_cost_per_token": 1, "output_cost_per_token": 1}}"#,
        );
        assert_eq!((both.repriced.len(), both.models_that_jumped()), (2, 1));
    }
}
