//! [`PriceSet`]: prices of a caller's own, which lie over those of the map for some calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use arrayvec::ArrayString;
use hashbrown::HashMap;
use serde::Serialize;

use super::InvalidTerms;
use crate::catalog::{Catalog, EntryRef, SetAside, check_prices, priced_over};
use crate::json::{self, JsonField};
use crate::rates::field;

/// Named prices of models, which lie over those of the map for the calls that are priced by them: a
/// tenant's contract, or one side of an A/B test.
///
/// Fields have the names of the map, such as `input_cost_per_token`, and units of the map: US dollars
/// per token, and so on. A field lies over that of the model, and what a set leaves out stays as it is
/// in the map, after a reload too. A model is named by its key, or by the name that calls ask for. A
/// deployment's own prices are lain over as well. A clone is another handle on the same set.
///
/// A bill tells which set applied: see [`Cost::price_set`](super::Cost::price_set). Prices of a set win
/// over a charge that a provider states.
///
/// # Examples
///
/// ```
/// use llm_costmap::cost::PriceSet;
/// use serde_json::json;
///
/// let set = PriceSet::new("acme-2026", json!({"gpt-4o": {"input_cost_per_token": 2e-6}}))?;
/// assert_eq!(set.name(), "acme-2026");
/// let error = PriceSet::new("b", json!({"gpt-4o": {"input_cost_per_token": -1}})).unwrap_err();
/// assert_eq!(error.to_string(), "price set b: gpt-4o: input_cost_per_token: -1 is negative");
/// # Ok::<(), llm_costmap::cost::InvalidTerms>(())
/// ```
#[derive(Clone)]
pub struct PriceSet(Arc<Set>);

/// The name of a price set. It is short, so that a bill has room for it.
pub(super) type PriceSetName = ArrayString<64>;

struct Set {
    name: PriceSetName,
    models: HashMap<Box<str>, Model>,
}

/// The prices of a model.
struct Model {
    /// Fields and their JSON.
    prices: Vec<(Box<str>, Box<str>)>,
    /// Entries of maps with the prices over them, as they were needed.
    compiled: [ArcSwapOption<Compiled>; COMPILED],
    /// Counts what was compiled, to choose the one to replace.
    next: AtomicUsize,
}

/// The number of entries that the prices of a model are kept over: those of the live map and of a
/// pinned one, and of deployments.
const COMPILED: usize = 4;

/// An entry with the prices of a set over it.
struct Compiled {
    /// The entry beneath, as [`EntryRef::identity`] has it. `None` if the prices stand alone.
    over: Option<(u64, u32)>,
    /// A catalogue with this entry alone.
    row: Catalog,
}

impl PriceSet {
    /// Creates a set. `models` serialises to an object of models, each an object of prices.
    ///
    /// # Errors
    ///
    /// [`InvalidTerms`] if it does not, if a field is no price or has no valid one, or if the name is empty
    /// or has more than 64 bytes.
    pub fn new(name: impl Into<String>, models: impl Serialize) -> Result<Self, InvalidTerms> {
        let name = name.into();
        match serde_json::to_string(&models) {
            Ok(json) => Self::from_json(name, &json),
            Err(error) => Err(InvalidTerms::new(format!("price set {name}"), error.to_string())),
        }
    }

    /// Creates a set from JSON text: an object of models, each an object of prices.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_json(name: impl Into<String>, json: &str) -> Result<Self, InvalidTerms> {
        let name: String = name.into();
        let of_set = |reason: String| InvalidTerms::new(format!("price set {name}"), reason);
        let models =
            json::fields(json).map_err(|error| of_set(format!("not an object of models: {error}")))?;
        let models = models.into_iter().map(|(model, json)| {
            let bad = |reason: String| InvalidTerms::new(format!("price set {name}: {model}"), reason);
            let prices = prices_of(json).map_err(bad)?;
            Ok((model.into_owned().into_boxed_str(), prices))
        });
        let models = models.collect::<Result<_, InvalidTerms>>()?;
        let inline = PriceSetName::from(&name).ok().filter(|name| !name.is_empty());
        let name = inline.ok_or_else(|| of_set("a name has 1 to 64 bytes".to_owned()))?;
        Ok(Self(Arc::new(Set { name, models })))
    }

    /// Returns the name of the set.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn inline_name(&self) -> &PriceSetName {
        &self.0.name
    }

    pub(super) fn names_any(&self, names: &[&str]) -> bool {
        self.model(names).is_some()
    }

    fn model(&self, names: &[&str]) -> Option<&Model> {
        names.iter().find_map(|name| self.0.models.get(*name))
    }

    /// Returns whether the set has a field of a model that goes by these names.
    pub(crate) fn sets(&self, names: &[&str], field: &str) -> bool {
        self.model(names).is_some_and(|model| {
            model.prices.iter().any(|(name, json)| **name == *field && &**json != "null")
        })
    }

    /// Calls `f` with the entry of a model that goes by these names, with the prices of the set over
    /// it. `fields` returns the fields of the entry.
    ///
    /// # Errors
    ///
    /// The reason, if the prices cannot be laid over the entry.
    pub(crate) fn with_entry<'e, T>(
        &self,
        names: &[&str],
        over: Option<EntryRef<'e>>,
        fields: impl FnOnce() -> Vec<JsonField<'e>>,
        f: impl FnOnce(EntryRef<'_>) -> T,
    ) -> Result<Option<T>, SetAside> {
        let Some(model) = self.model(names) else { return Ok(None) };
        let identity = over.map(EntryRef::identity);
        for compiled in &model.compiled {
            let compiled = compiled.load();
            if let Some(compiled) = compiled.as_ref().filter(|compiled| compiled.over == identity) {
                return Ok(compiled.row.entry(0).map(f));
            }
        }
        let key = over.map(EntryRef::key).or_else(|| names.first().copied()).unwrap_or_default();
        let prices: Vec<JsonField<'_>> =
            model.prices.iter().map(|(name, json)| ((&**name).into(), &**json)).collect();
        let row = priced_over(key, fields(), &prices)?;
        let compiled = Arc::new(Compiled { over: identity, row });
        let place = model.next.fetch_add(1, Ordering::Relaxed) % COMPILED;
        if let Some(slot) = model.compiled.get(place) {
            slot.store(Some(compiled.clone()));
        }
        Ok(compiled.row.entry(0).map(f))
    }
}

/// Reads the prices of a model.
fn prices_of(json: &str) -> Result<Model, String> {
    let fields = json::fields(json).map_err(|error| format!("not an object of prices: {error}"))?;
    for (name, _) in &fields {
        if !field::is_price(name) && name != "currency" {
            return Err(format!("{name}: not a price: a set has prices alone"));
        }
    }
    check_prices(&fields)?;
    let prices = fields.iter().map(|(name, json)| ((&**name).into(), (*json).into())).collect();
    Ok(Model {
        prices,
        compiled: [const { ArcSwapOption::const_empty() }; COMPILED],
        next: AtomicUsize::new(0),
    })
}

/// Two sets are equal if their names and prices are.
impl PartialEq for PriceSet {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (&self.0, &other.0);
        own.name == other.name
            && own.models.len() == other.models.len()
            && own
                .models
                .iter()
                .all(|(name, model)| other.models.get(name).is_some_and(|known| known.prices == model.prices))
    }
}

impl Eq for PriceSet {}

impl fmt::Debug for PriceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Set { name, models } = &*self.0;
        f.debug_struct("PriceSet").field("name", name).field("models", &models.len()).finish()
    }
}
