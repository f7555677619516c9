//! [`PriceSet`]: prices of a caller's own, which lie over those of the map for some calls.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
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
/// in the map, after a reload too: rates above a threshold or of a service tier, and tables such as
/// `tiered_pricing`, go before a flat rate as they do in the map. Null takes a field back. A deployment's
/// own prices are lain over as well.
///
/// A model is named as calls ask for it, with the provider in front if one is asked for apart, or by its
/// key, with or without its provider in front; of several names, the first in this order counts. A clone
/// is another handle on the same set.
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
    compiled: ArcSwap<Vec<Arc<Compiled>>>,
}

/// The number of entries that the prices of a model are kept over: those of the live map and of pinned
/// ones, and of deployments.
const MOST_COMPILED: usize = 64;

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

    /// Returns the prices of a model that goes by these names. The first name that the set has counts.
    pub(super) fn prices_of(&self, names: &[ModelName<'_>]) -> Option<SetPrices<'_>> {
        let model = names.iter().find_map(|name| self.model(*name))?;
        Some(SetPrices { set: self, model })
    }

    fn model(&self, ModelName { provider, name }: ModelName<'_>) -> Option<&Model> {
        let is_behind =
            |provider: &str| name.strip_prefix(provider).is_some_and(|rest| rest.starts_with('/'));
        let Some(provider) = provider.filter(|provider| !is_behind(provider)) else {
            return self.0.models.get(name);
        };
        // A name that is too long for the place is none of a set's.
        let mut joined = ArrayString::<256>::new();
        for part in [provider, "/", name] {
            joined.try_push_str(part).ok()?;
        }
        self.0.models.get(&*joined)
    }
}

/// A name of a model, behind its provider unless it begins with that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelName<'a> {
    pub(crate) provider: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// The prices of a model in a set.
#[derive(Clone, Copy)]
pub(crate) struct SetPrices<'a> {
    pub(crate) set: &'a PriceSet,
    model: &'a Model,
}

impl SetPrices<'_> {
    /// Returns whether the set has a field of the model, be it null.
    pub(crate) fn mentions(self, field: &str) -> bool {
        self.model.prices.iter().any(|(name, _)| **name == *field)
    }

    /// Calls `f` with an entry that has the prices of the set over it. `over` is the entry, and `fields`
    /// returns its fields; without an entry, the prices stand alone under `key`. The result is kept for
    /// other calls if `is_lasting` says that the entry is that of a map, and not made for this call.
    ///
    /// # Errors
    ///
    /// The reason, if the prices cannot be laid over the entry.
    pub(crate) fn with_entry<'e, T>(
        self,
        key: &str,
        over: Option<EntryRef<'e>>,
        fields: impl FnOnce() -> Vec<JsonField<'e>>,
        is_lasting: bool,
        f: impl FnOnce(Option<EntryRef<'_>>) -> T,
    ) -> Result<T, SetAside> {
        let Model { prices, compiled } = self.model;
        let identity = over.map(EntryRef::identity);
        let known = compiled.load();
        if let Some(known) = known.iter().find(|known| known.over == identity) {
            return Ok(f(known.row.entry(0)));
        }
        let prices: Vec<JsonField<'_>> =
            prices.iter().map(|(name, json)| ((&**name).into(), &**json)).collect();
        let row = priced_over(key, fields(), &prices)?;
        let new = Arc::new(Compiled { over: identity, row });
        if is_lasting {
            // Of two threads that compile at once, one may compile again. The newest stand in front.
            let all = [&new].into_iter().chain(known.iter()).take(MOST_COMPILED).cloned().collect();
            compiled.store(Arc::new(all));
        }
        Ok(f(new.row.entry(0)))
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
    if fields.is_empty() {
        return Err("no prices".to_owned());
    }
    // A text is not repeated: it may be a misplaced secret.
    let has_text = fields.iter().any(|(name, json)| name != "currency" && json.contains('"'));
    check_prices(&fields).map_err(|reason| match reason.split_once(": ") {
        Some((field, _)) if has_text => format!("{field}: not a price in US dollars"),
        _ => reason,
    })?;
    let prices = fields.iter().map(|(name, json)| ((&**name).into(), (*json).into())).collect();
    Ok(Model { prices, compiled: ArcSwap::from_pointee(Vec::new()) })
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
