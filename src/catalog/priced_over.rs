//! Prices of the operator's own, laid over an entry.

use super::{Catalog, SetAside};
use crate::json::{self, JsonField, Union};
use crate::rates::field::Alternatives;

/// Lays prices over the fields of an entry, and returns a catalogue of the result under `key`. A price
/// takes the place of all prices of the same. Fields that cannot affect prices are left out.
///
/// # Errors
///
/// If the prices cannot be laid over the entry, returns the row as it would be set aside.
pub(crate) fn priced_over<'a>(
    key: &str,
    fields: Vec<JsonField<'a>>,
    prices: &[JsonField<'a>],
) -> Result<Catalog, SetAside> {
    let mode = json::get(&fields, "mode").and_then(json::text);
    let makes_images = mode.is_some_and(|mode| mode.starts_with("image_"));
    let alternatives = |name: &str| Alternatives::of(name, makes_images);
    let replaced: Vec<Alternatives> = prices.iter().filter_map(|(name, _)| alternatives(name)).collect();
    let is_replaced =
        |name: &str| !replaced.is_empty() && alternatives(name).is_some_and(|of| replaced.contains(&of));
    let mut row = Union::default();
    for (name, json) in fields {
        let is_ability = name.starts_with("supports_") || name.starts_with("max_");
        if !is_ability && name != "aliases" && !is_replaced(&name) {
            row.set(name, json);
        }
    }
    for (name, json) in prices {
        row.set(name.clone(), *json);
    }
    Catalog::of_row(key, &row.fields)
}
