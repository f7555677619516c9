//! Differences between two maps.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json;
use crate::num::Number;
use crate::overlay::ExpiredCorrection;
use crate::rates::field;
use crate::resolve::Layers;

/// The differences between a map and a newer one.
///
/// Serialises as `{"added": [model], "removed": [model], "repriced": [change]}`, where a change is
/// `{"model", "field", "from", "to", "factor"}`; and, if there are some, `"expired": [correction]`, where a
/// correction is `{"model", "field", "expected", "found"}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// The keys of added models, in the order of the newer map.
    pub added: Vec<String>,
    /// The keys of removed models, in the order of the older map.
    pub removed: Vec<String>,
    /// The changed prices of models in both maps, in the order of the newer map. At most 100,000
    /// changes are listed. Changes of models or fields with keys or paths of more than 512 bytes,
    /// and of the tables of an entry with 1,000 or more numbers in them, are left out.
    pub repriced: Vec<Repriced>,
    /// The corrections that applied before and no longer do, since the newer map says something else: see
    /// [`CostMap::register_model_while`](crate::CostMap::register_model_while).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<ExpiredCorrection>,
    /// The number of models with a price that is more than ten times, or less than a tenth of, its
    /// former value, listed or not.
    #[serde(skip)]
    jumped: usize,
}

/// A changed price: any number in a field that calls are priced by.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Repriced {
    /// The model's key.
    pub model: String,
    /// The field, as the map has it. For a number in a table, this is the path:
    /// `tiered_pricing[0].input_cost_per_token`.
    pub field: String,
    /// The former value, in US dollars per unit (or the number of a bound or a factor, if the field
    /// holds one). `None` if there was none.
    pub from: Option<Number>,
    /// The new value. `None` if there is none.
    pub to: Option<Number>,
    /// The ratio of the new value to the former one. `None` if either is absent, or if the former
    /// value was zero.
    pub factor: Option<f64>,
}

impl Repriced {
    /// Returns whether the price is more than ten times, or less than a tenth of, its former value.
    pub(crate) fn is_jump(&self) -> bool {
        is_jump(self.from, self.to)
    }
}

impl fmt::Display for Repriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |price: Option<Number>| price.map_or_else(|| "none".to_owned(), |price| price.to_string());
        write!(f, "{}: {}: {} -> {}", self.model, self.field, shown(self.from), shown(self.to))?;
        self.factor.map_or(Ok(()), |factor| write!(f, " (x{factor})"))
    }
}

impl Diff {
    pub(crate) fn between(before: Layers<'_>, after: Layers<'_>) -> Self {
        let mut diff = Self::default();
        let mut kept = 0;
        for entry in after.entries() {
            let key = entry.key();
            let Some(old) = before.key(key) else {
                diff.added.push(key.to_owned());
                continue;
            };
            kept += 1;
            if old.json() != entry.json() {
                diff.reprice(key, old.json(), entry.json());
            }
        }
        // Each key that both maps have was counted once. Most maps remove none.
        if kept < before.len() {
            let gone = before.entries().filter(|entry| after.key(entry.key()).is_none());
            diff.removed = gone.map(|entry| entry.key().to_owned()).collect();
        }
        diff
    }

    /// Returns whether there are no differences.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.repriced.is_empty()
            && self.expired.is_empty()
    }

    /// Returns the number of models with a price that is more than ten times, or less than a tenth
    /// of, its former value.
    pub(crate) fn models_that_jumped(&self) -> usize {
        self.jumped
    }

    fn reprice(&mut self, model: &str, before: &str, after: &str) {
        let (before, after) = (Figures::of(before), Figures::of(after));
        // Oversized tables are not compared, since numbers that were cut off would seem to be
        // removed.
        let whole = before.is_whole() && after.is_whole();
        let (before, after) = (before.list(whole), after.list(whole));
        let is_listed = model.len() <= MAX_PATH;
        let mut has_jumped = false;
        let mut change = |field: &str, from: Option<Number>, to: Option<Number>| {
            if from == to {
                return;
            }
            has_jumped |= is_jump(from, to);
            if is_listed && self.repriced.len() < MAX_REPRICED {
                let (model, field) = (model.to_owned(), field.to_owned());
                self.repriced.push(Repriced { model, field, from, to, factor: factor(from, to) });
            }
        };
        let index =
            |figures: &[(String, Number)]| -> HashMap<String, Number> { figures.iter().cloned().collect() };
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

/// Limits of a diff, beyond any real map: changes, numbers of an entry, and bytes of a key or path.
const MAX_REPRICED: usize = 100_000;
const MAX_FIGURES: usize = 1_000;
const MAX_PATH: usize = 512;

/// Returns whether a price is more than ten times, or less than a tenth of, its former value.
/// Prices that are absent or zero on either side do not count.
fn is_jump(from: Option<Number>, to: Option<Number>) -> bool {
    let (Some(from), Some(to)) = (from, to) else { return false };
    to.is_over_tenfold(from) || from.is_over_tenfold(to)
}

fn factor(from: Option<Number>, to: Option<Number>) -> Option<f64> {
    let ratio = to?.as_f64() / from.filter(|from| !from.is_zero())?.as_f64();
    // Rounded to twelve digits, so that 3 is not 3.0000000000000004.
    ratio.is_finite().then(|| format!("{ratio:.11e}").parse().unwrap_or(ratio))
}

/// All numbers of an entry that prices depend on, by path.
struct Figures {
    /// Numbers of the rate fields that calls are priced by: a few hundred at most.
    rates: Vec<(String, Number)>,
    /// Numbers of tables, of other prices, and of unknown cost fields.
    others: Vec<(String, Number)>,
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

    /// Returns whether `others` is complete, that is, below its limit.
    fn is_whole(&self) -> bool {
        self.others.len() < MAX_FIGURES
    }

    fn list(self, whole: bool) -> Vec<(String, Number)> {
        let others = if whole { self.others } else { Vec::new() };
        self.rates.into_iter().chain(others).collect()
    }
}

/// Returns whether prices depend on a field that does not have the name of a cost itself.
fn is_priced_by(name: &str) -> bool {
    field::is_price(name) || name == "provider_specific_entry" || name.contains("uplift_multiplier")
}

fn flatten(path: Cow<'_, str>, json: &str, figures: &mut Vec<(String, Number)>) {
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
        // Other values, such as the hours of an off-peak block, are not numbers.
        _ => figures.extend(json.trim_matches('"').parse().ok().map(|figure| (path.into_owned(), figure))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Text};

    fn diff(before: &str, after: &str) -> Diff {
        let [before, after] = [before, after].map(|json| Catalog::parse(Text::Owned(json.into())).unwrap());
        let layers = |base| Layers::only(base);
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
        // Digits beyond the precision of a float count.
        assert_eq!(
            repriced(
                r#"{"input_cost_per_token": 0.000005000020000000000001}"#,
                r#"{"input_cost_per_token": 0.000005000020000000000002}"#
            ),
            ["m: input_cost_per_token: 0.000005000020000000000001 -> 0.000005000020000000000002 (x1)"]
        );
        // Null counts as absent. Changes of multipliers are listed.
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
        // Changes that are not listed are counted, so that a mistake in units cannot hide among
        // them.
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
