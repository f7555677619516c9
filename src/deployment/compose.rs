//! Deployments with what a catalogue knows of their models: found by id or name, priced, shown.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable, hash_map as map};
use sha2::{Digest, Sha256};

use super::{Deployment, Field, Params, Part, invalid};
use crate::catalog::{Catalog, EntryId, EntryRef, Text, check_prices};
use crate::error::{Error, clip};
use crate::json::{Union, fields, object, quoted};
use crate::resolve::{Layers, Lookup, resolve};

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
pub(crate) struct Found<'a> {
    pub(crate) deployment: &'a Deployment,
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
                    let way = at(known.get().first).map(|known| known.way);
                    known.get_mut().alike &= way == Some(deployment.way);
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
    pub(crate) fn find<'a>(&'a self, name: &'a str) -> Result<Found<'a>, Error> {
        let hash = hash(name);
        let by_id = self.by_id.find(hash, |known| self.at(*known).is_some_and(|known| known.id() == name));
        if let Some(deployment) = by_id.and_then(|position| self.at(*position)) {
            return Ok(Found { deployment, wildcard: None });
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
        Ok(Found { deployment, wildcard })
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

/// All that decides what a deployment costs, in a word: its models, and its prices in whatever order they are said.
pub(super) fn way_of_pricing(models: &[&str], prices: &[Field<'_>]) -> u128 {
    let mut way = models.join("\n");
    for (name, json) in prices.iter().map(|(name, json)| (name, json)).collect::<BTreeMap<_, _>>() {
        way.extend(["\n", name, ":", json]);
    }
    let hash = Sha256::digest(way);
    hash.iter().take(16).fold(0, |half, byte| half << 8 | u128::from(*byte))
}

/// The entries that deployments with prices of their own make of their models', by their ways of pricing.
#[derive(Default)]
pub(crate) struct Priced {
    catalog: Catalog,
    by_way: HashMap<u128, EntryId>,
}

impl Priced {
    /// The entry of a deployment, where it has prices of its own.
    pub(crate) fn entry(&self, deployment: &Deployment) -> Option<EntryRef<'_>> {
        self.catalog.entry(*self.by_way.get(&deployment.way)?)
    }
}

impl Deployments {
    /// The entries of those with prices of their own, over the models of a map.
    pub(crate) fn compose(&self, layers: Layers<'_>) -> Result<Priced, Error> {
        // Many deployments cost the same.
        let mut by_way = HashMap::new();
        let mut first = Vec::new();
        for deployment in
            self.list.iter().filter(|deployment| deployment.has_prices && !deployment.is_pattern)
        {
            if let map::Entry::Vacant(vacant) = by_way.entry(deployment.way) {
                vacant.insert(EntryId::try_from(first.len()).unwrap_or(EntryId::MAX));
                first.push(deployment);
            }
        }
        if first.is_empty() {
            return Ok(Priced::default());
        }
        let entries = first.iter().map(|deployment| {
            let base = Found::of(deployment).with_lookup(layers, |lookup| entry_of(layers, lookup));
            (deployment.id(), priced(deployment, base))
        });
        let catalog = read(object(entries)).map_err(|reason| invalid("model_list", "", &reason))?;
        let bad = catalog.notes().set_aside.first();
        // A model by the name of what is none in a map.
        let none = first.iter().find(|deployment| !catalog.has_key(deployment.id()));
        match (bad, none) {
            (Some(bad), _) => {
                let named = first.iter().find(|deployment| deployment.id() == bad.model);
                let name = named.map_or("model_list", |deployment| deployment.model_name());
                Err(invalid(name, bad.field.as_deref().unwrap_or_default(), &bad.reason))
            }
            (None, Some(deployment)) => {
                Err(invalid(deployment.model_name(), "model_info.id", "a map uses it for what is no model"))
            }
            (None, None) => Ok(Priced { catalog, by_way }),
        }
    }
}

fn read(json: String) -> Result<Catalog, String> {
    Catalog::parse(Text::Owned(json.into())).map_err(|error| error.to_string())
}

impl<'a> Found<'a> {
    pub(crate) fn of(deployment: &'a Deployment) -> Self {
        Self { deployment, wildcard: None }
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

    /// The entry of the deployment's model with its own prices over it, as a catalogue of its own: where the model
    /// depends on what the deployment's name stands for.
    pub(crate) fn priced_now(&self, layers: Layers<'_>) -> Option<Catalog> {
        if !self.deployment.has_prices {
            return None;
        }
        let base = self.with_lookup(layers, |lookup| entry_of(layers, lookup));
        read(object([(self.deployment.id(), priced(self.deployment, base))]))
            .ok()
            .filter(|catalog| catalog.len() == 1)
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.wildcard.is_some()
    }
}

/// A model's entry with the prices of one of its deployments over it: what of it may have to do with prices.
fn priced(deployment: &Deployment, base: Option<EntryRef<'_>>) -> String {
    let own = Some(deployment.part(Part::Provider)).filter(|own| !own.is_empty());
    let provider = own.or_else(|| deployment.model().split_once('/').map(|(first, _)| first)).map(quoted);
    let mut info = Union::default();
    for (name, json) in base.map(|base| fields(base.json())).and_then(Result::ok).unwrap_or_default() {
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
    object(info.fields)
}

fn lookup_of<'a>(name: &'a str, provider: Option<&'a str>) -> Lookup<'a> {
    let lookup = Lookup::new(name);
    provider.map_or(lookup, |provider| lookup.provider(provider))
}

fn entry_of<'m>(layers: Layers<'m>, lookup: Lookup<'_>) -> Option<EntryRef<'m>> {
    resolve(layers, lookup).map(|found| found.entry)
}
