//! Deployments with what a catalogue knows of their models: found by id or name, priced, shown.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};

use super::{Deployment, Params, Part, invalid};
use crate::catalog::{Catalog, EntryId, EntryRef, SetAside, Warning, check_prices};
use crate::error::Error;
use crate::json::{Field, Union, object, quoted};
use crate::resolve::{Answer, Layers, Lookup, look_up, resolve};
use crate::text::clip;
use crate::usd::Usd;

/// The deployments of a snapshot, in their order.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    list: Vec<Deployment>,
    /// By id, and by name: places in the list, so that an index has no texts of its own.
    by_id: HashTable<usize>,
    by_name: HashTable<Group>,
    /// Names with a `*`, the longest first: the one that says most counts.
    patterns: Vec<Group>,
}

/// The deployments of one name.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    /// Whether what they cost is the same, whichever serves a call.
    alike: bool,
}

/// A deployment that was found, and what the `*` of its name stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundDeployment<'a> {
    deployment: &'a Deployment,
    /// Its position in the list.
    pub(crate) position: usize,
    wildcard: Option<&'a str>,
}

impl Deployments {
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] where two have one id.
    pub(crate) fn new(list: Vec<Deployment>) -> Result<Self, Error> {
        let at = |position: usize| list.get(position);
        let [id_hash, name_hash] = [0, 1].map(|which: usize| {
            move |position: usize| {
                at(position).and_then(|known| known.hashes.get(which)).copied().unwrap_or(0)
            }
        });
        let mut by_id = HashTable::with_capacity(list.len());
        let mut by_name: HashTable<Group> = HashTable::with_capacity(list.len());
        for (position, deployment) in list.iter().enumerate() {
            let hash = id_hash(position);
            let same = |known: &usize| {
                id_hash(*known) == hash && at(*known).is_some_and(|known| known.id() == deployment.id())
            };
            match by_id.entry(hash, same, |known| id_hash(*known)) {
                Entry::Vacant(vacant) => vacant.insert(position),
                Entry::Occupied(_) => {
                    let reason = format!("another deployment has the id {:?} too", deployment.id());
                    return Err(invalid(deployment.model_name(), "model_info.id", &reason));
                }
            };
            let hash = name_hash(position);
            let same = |known: &Group| {
                name_hash(known.first) == hash
                    && at(known.first).is_some_and(|known| known.model_name() == deployment.model_name())
            };
            match by_name.entry(hash, same, |known| name_hash(known.first)) {
                Entry::Vacant(vacant) => {
                    vacant.insert(Group { first: position, alike: true });
                }
                Entry::Occupied(mut known) => {
                    let way = at(known.get().first).map(|known| known.part(Part::Way));
                    known.get_mut().alike &= way == Some(deployment.part(Part::Way));
                }
            }
        }
        let length = |group: &Group| at(group.first).map_or(0, |deployment| deployment.model_name().len());
        let is_pattern = |group: &&Group| at(group.first).is_some_and(|deployment| deployment.is_pattern);
        let mut patterns: Vec<Group> = by_name.iter().filter(is_pattern).copied().collect();
        patterns.sort_by_key(|group| (Reverse(length(group)), group.first));
        Ok(Self { list, by_id, by_name, patterns })
    }

    pub(crate) fn list(&self) -> &[Deployment] {
        &self.list
    }

    /// The deployment of an id or a name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`], or [`Error::AmbiguousDeployment`] where those of a name differ in what they cost.
    pub(crate) fn find<'a>(&'a self, name: &'a str) -> Result<FoundDeployment<'a>, Error> {
        let hash = hash(name);
        let by_id = self.by_id.find(hash, |known| self.at(*known).is_some_and(|known| known.id() == name));
        if let Some((position, deployment)) = by_id.and_then(|known| Some((*known, self.at(*known)?))) {
            return Ok(FoundDeployment { deployment, position, wildcard: None });
        }
        let named = |known: &Group| self.at(known.first).is_some_and(|known| known.model_name() == name);
        let exact = self.by_name.find(hash, named).map(|group| (group, None));
        let matching = || {
            self.patterns.iter().find_map(|group| {
                let pattern = self.at(group.first)?.model_name();
                Some((group, Some(stands_for(pattern, name)?)))
            })
        };
        let found = exact.or_else(matching);
        let found = found.and_then(|(group, wildcard)| Some((group, wildcard, self.at(group.first)?)));
        let Some((group, wildcard, deployment)) = found else {
            return Err(Error::UnknownDeployment { name: clip(name).into() });
        };
        if !group.alike {
            let same = self.list.iter().filter(|known| known.model_name() == deployment.model_name());
            let ids = same.map(|deployment| deployment.id().to_owned()).collect();
            return Err(Error::AmbiguousDeployment { model_name: clip(name).into(), ids });
        }
        Ok(FoundDeployment { deployment, position: group.first, wildcard })
    }

    fn at(&self, position: usize) -> Option<&Deployment> {
        self.list.get(position)
    }
}

/// What the `*` of a pattern stands for in a name.
fn stands_for<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    let (before, after) = pattern.split_once('*')?;
    name.strip_prefix(before)?.strip_suffix(after).filter(|part| !part.is_empty())
}

/// The same for every list, so that a deployment knows its own.
pub(super) fn hash(text: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(text)
}

/// The prices that a deployment sets; those among the parameters count.
pub(super) fn prices<'a>(litellm_params: Params<'a>, model_info: Params<'a>) -> Vec<Field<'a>> {
    let mut prices = Union::default();
    for (name, json) in model_info.prices().into_iter().chain(litellm_params.prices()) {
        prices.set(name, json);
    }
    prices.fields
}

/// The same, if they are some. A text that is none is not repeated: it may be a secret that slipped.
pub(super) fn checked_prices<'a>(
    model_name: &str,
    litellm_params: Params<'a>,
    model_info: Params<'a>,
) -> Result<Vec<Field<'a>>, Error> {
    for (part, params) in [("litellm_params", litellm_params), ("model_info", model_info)] {
        for (name, json) in params.prices() {
            if let Err(reason) = check_prices(&object([(&name, json)])) {
                let field = format!("{part}.{name}");
                let reason =
                    reason.strip_prefix(&*name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&reason);
                let reason = if json.contains('"') { "not a price in US dollars" } else { reason };
                return Err(invalid(model_name, &field, reason));
            }
        }
    }
    Ok(prices(litellm_params, model_info))
}

/// Returns all that decides what a deployment costs, as JSON: its models, and its prices in whatever order and digits they are said.
/// Deployments are priced alike where these are equal.
pub(super) fn way_of_pricing(models: &[&str], prices: &[Field<'_>]) -> String {
    let plain = |json: &str| {
        let amount: Option<Usd> = serde_json::from_str(json).ok();
        amount.map_or_else(|| json.to_owned(), |amount| amount.to_string())
    };
    let prices: BTreeMap<&str, String> = prices.iter().map(|(name, json)| (&**name, plain(json))).collect();
    let models: Vec<String> = models.iter().map(|model| quoted(model)).collect();
    format!("[{},{}]", models.join(","), object(prices))
}

/// The entries that deployments with prices of their own make of their models', by the positions of the deployments.
#[derive(Debug, Default)]
pub(crate) struct Priced {
    entries: Vec<Option<Arc<PricedEntry>>>,
    warnings: Vec<Warning>,
}

/// A model's entry with the prices of its deployment over it.
#[derive(Debug)]
struct PricedEntry {
    /// It has one entry.
    row: Arc<Catalog>,
    over: Over,
}

/// The entry that lies under a deployment's prices.
#[derive(Debug)]
enum Over {
    Nothing,
    Base(EntryId),
    Own(Arc<Catalog>),
    /// One of an older map, since it cannot be laid over the one of this map. This says why.
    Older(String),
}

impl Over {
    fn of(layers: Layers<'_>, entry: Option<EntryRef<'_>>) -> Self {
        let own = |entry: EntryRef<'_>| layers.own?.row(layers.own?.position(entry.key())?).cloned();
        match entry {
            None => Self::Nothing,
            Some(entry) if entry.is_of(layers.base) => Self::Base(entry.id()),
            Some(entry) => own(entry).map_or(Self::Nothing, Self::Own),
        }
    }

    /// Returns whether this is an entry of the same rows.
    fn is(&self, entry: Option<EntryRef<'_>>, layers: Layers<'_>, is_same_base: bool) -> bool {
        match (self, entry) {
            (Self::Nothing, None) => true,
            (Self::Base(id), Some(entry)) => is_same_base && entry.is_of(layers.base) && entry.id() == *id,
            (Self::Own(row), Some(entry)) => entry.is_of(row),
            _ => false,
        }
    }
}

impl Priced {
    /// The entry of a deployment, by its position, where it has prices of its own.
    pub(crate) fn entry(&self, position: usize) -> Option<EntryRef<'_>> {
        self.entries.get(position)?.as_ref()?.row.entry(0)
    }

    /// Returns what is odd about the entries.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter()
    }

    fn push(&mut self, deployment: &Deployment, entry: Arc<PricedEntry>) {
        if let Over::Older(reason) = &entry.over {
            let message =
                format!("its deployment stays as it was, since it cannot be laid over the new map: {reason}");
            self.warnings.push(Warning { model: deployment.model_name().to_owned(), message });
        }
        self.entries.push(Some(entry));
    }
}

impl Deployments {
    /// Composes the entries of those with prices of their own, over the models of a map.
    ///
    /// Deployments that were there before keep their entries where nothing under them changed, and where they cannot be laid over a
    /// newer catalogue, which is a warning. A new one that cannot be composed is an error.
    pub(crate) fn compose(
        &self,
        layers: Layers<'_>,
        before: &Self,
        priced_before: &Priced,
        is_same_base: bool,
    ) -> Result<Priced, Error> {
        let mut all = Priced { entries: Vec::with_capacity(self.list.len()), warnings: Vec::new() };
        // Many deployments cost the same.
        let mut composed: HashMap<&str, Arc<PricedEntry>> = HashMap::new();
        let entry_before = |position: usize| priced_before.entries.get(position).and_then(Option::as_ref);
        let mut at = 0;
        for deployment in &self.list {
            // Both lists are mostly in one order: one may have been taken away, and one replaced.
            let is_at = |position: usize| before.at(position).is_some_and(|known| known.is_same(deployment));
            at = if is_at(at) || !is_at(at + 1) { at } else { at + 1 };
            let known = if is_at(at) { entry_before(at) } else { None };
            at += 1;
            if !deployment.has_prices {
                all.entries.push(None);
                continue;
            }
            let entry = FoundDeployment::of(deployment).entry(layers);
            if let Some(known) = known.filter(|known| known.over.is(entry, layers, is_same_base)) {
                all.push(deployment, known.clone());
                continue;
            }
            let way = deployment.part(Part::Way);
            if let Some(alike) = composed.get(way) {
                all.push(deployment, alike.clone());
                continue;
            }
            // In a list of another order, one that is priced alike will do.
            let alike = || before.list.iter().position(|known| known.part(Part::Way) == way);
            let priced = match priced(deployment, entry, layers) {
                Ok(row) => PricedEntry { row: Arc::new(row), over: Over::of(layers, entry) },
                Err(bad) => match known.or_else(|| entry_before(alike()?)) {
                    Some(known) => PricedEntry { row: known.row.clone(), over: Over::Older(bad.said()) },
                    None => return Err(refused(deployment, &bad)),
                },
            };
            let priced = Arc::new(priced);
            composed.insert(way, priced.clone());
            all.push(deployment, priced);
        }
        Ok(all)
    }
}

/// The error of a deployment whose prices cannot be laid over its model.
pub(crate) fn refused(deployment: &Deployment, bad: &SetAside) -> Error {
    invalid(deployment.model_name(), bad.field.as_deref().unwrap_or_default(), &bad.reason)
}

impl<'a> FoundDeployment<'a> {
    pub(crate) fn of(deployment: &'a Deployment) -> Self {
        Self { deployment, position: 0, wildcard: None }
    }

    /// Calls `f` with the lookup that finds the deployment's model, or with the last of those that do not.
    pub(crate) fn with_lookup<T>(&self, layers: Layers<'_>, f: impl FnOnce(Lookup<'_>) -> T) -> T {
        let deployment = self.deployment;
        let (base, provider) = (deployment.part(Part::BaseModel), deployment.part(Part::Provider));
        let provider = Some(provider).filter(|provider| !provider.is_empty());
        if base.is_empty() {
            return match self.wildcard {
                Some(part) => f(lookup_of(&deployment.model().replacen('*', part, 1), provider)),
                None => f(lookup_of(deployment.model(), provider)),
            };
        }
        // The base model, of the provider that is called or else of any.
        let of_model = || deployment.model().split_once('/').map(|(first, _)| first);
        let lookup = lookup_of(base, provider.or_else(of_model));
        if resolve(layers, lookup).is_some() { f(lookup) } else { f(Lookup::new(base)) }
    }

    /// The entry of the deployment's model.
    fn entry<'m>(&self, layers: Layers<'m>) -> Option<EntryRef<'m>> {
        self.with_lookup(layers, |lookup| match look_up(layers, lookup)?.answer {
            Answer::Entry(entry) => Some(entry),
            Answer::SelfHosted | Answer::Described(_) => None,
        })
    }

    /// The entry of the deployment's model with its own prices over it, as a catalogue of its own, where the model depends on what the
    /// deployment's name stands for. `None` where it does not, or where the deployment has no prices of its own.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] where the prices cannot be laid over that model.
    pub(crate) fn priced_now(&self, layers: Layers<'_>) -> Result<Option<Catalog>, Error> {
        let deployment = self.deployment;
        let depends = self.wildcard.is_some()
            && deployment.part(Part::BaseModel).is_empty()
            && deployment.model().contains('*');
        if !(deployment.has_prices && depends) {
            return Ok(None);
        }
        priced(deployment, self.entry(layers), layers).map(Some).map_err(|bad| refused(deployment, &bad))
    }
}

/// Lays the prices of a deployment over its model's entry: what of that may have to do with prices.
fn priced(
    deployment: &Deployment,
    base: Option<EntryRef<'_>>,
    layers: Layers<'_>,
) -> Result<Catalog, SetAside> {
    let own = Some(deployment.part(Part::Provider)).filter(|own| !own.is_empty());
    let provider = own.or_else(|| deployment.model().split_once('/').map(|(first, _)| first)).map(quoted);
    let mut info = Union::default();
    for (name, json) in base.map(|base| layers.fields_of(base)).unwrap_or_default() {
        if !name.starts_with("supports_") && !name.starts_with("max_") && name != "aliases" {
            info.set(name, json);
        }
    }
    if let (None, Some(provider)) = (base, &provider) {
        info.set("litellm_provider".into(), provider);
    }
    for (name, json) in deployment.prices() {
        info.set(name, json);
    }
    Catalog::of_row(deployment.id(), &object(info.fields))
}

fn lookup_of<'a>(name: &'a str, provider: Option<&'a str>) -> Lookup<'a> {
    let lookup = Lookup::new(name);
    provider.map_or(lookup, |provider| lookup.provider(provider))
}
