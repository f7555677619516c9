//! Deployments with the catalogue entries of their models: lookup by id or name, and prices.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};

use super::{Deployment, DeploymentLookup, DeploymentMatch, Params, Part, invalid};
use crate::catalog::{Catalog, EntryId, EntryRef, SetAside, Warning, check_prices, priced_over};
use crate::currency;
use crate::error::Error;
use crate::json::{JsonField, Union, object, quoted};
use crate::num::Usd;
use crate::resolve::{Answer, Layers, Lookup, look_up, resolve};
use crate::text::clip;

/// The deployments of a snapshot, in list order.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    list: Vec<Deployment>,
    /// Indices by id and by name. They hold positions in the list, so that no text is stored twice.
    by_id: HashTable<usize>,
    by_name: HashTable<Group>,
    /// Names with a `*`, the longest first: the most specific pattern wins.
    patterns: Vec<Group>,
}

/// The deployments of one name.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: usize,
    /// True if all deployments of the name cost the same.
    alike: bool,
}

/// A deployment that was found, with the part of the name that its `*` matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundDeployment<'a> {
    deployment: &'a Deployment,
    /// The position of the deployment in the list.
    pub(crate) position: usize,
    wildcard: Option<&'a str>,
}

impl Deployments {
    /// Indexes a list of deployments.
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateDeployment`] if two deployments have the same id.
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
                    let id = clip(deployment.id()).to_owned();
                    return Err(Error::DuplicateDeployment {
                        model_name: deployment.model_name().into(),
                        id,
                    });
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
                    let pricing_key = at(known.get().first).map(|known| known.part(Part::PricingKey));
                    known.get_mut().alike &= pricing_key == Some(deployment.part(Part::PricingKey));
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

    /// Returns the deployment of an id, of a name, or of a pattern that matches the name, in this
    /// order of preference.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`] if there is none, or [`Error::AmbiguousDeployment`] if the
    /// deployments of a name differ in what they cost.
    pub(crate) fn find<'a>(&'a self, lookup: DeploymentLookup<'a>) -> Result<FoundDeployment<'a>, Error> {
        let DeploymentLookup { name, model } = lookup;
        let unknown = |name| Error::UnknownDeployment { name: clip(name).into() };
        let hash = hash(name);
        if let Some((position, deployment)) = self.find_by_id(name, hash) {
            let wildcard = match model.filter(|_| deployment.is_pattern) {
                Some(model) => {
                    Some(stands_for(deployment.model_name(), model).ok_or_else(|| unknown(model))?)
                }
                None => None,
            };
            return Ok(FoundDeployment { deployment, position, wildcard });
        }
        let (group, wildcard) = self.group_of(name, hash).ok_or_else(|| unknown(name))?;
        let deployment = self.at(group.first).ok_or_else(|| unknown(name))?;
        if !group.alike {
            let ids = self.of_group(deployment).map(|(_, deployment)| deployment.id().to_owned()).collect();
            return Err(Error::AmbiguousDeployment { model_name: clip(name).into(), ids });
        }
        Ok(FoundDeployment { deployment, position: group.first, wildcard })
    }

    /// Returns the deployment of an id.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Deployment> {
        self.find_by_id(id, hash(id)).map(|(_, deployment)| deployment)
    }

    fn find_by_id(&self, id: &str, hash: u64) -> Option<(usize, &Deployment)> {
        let is_it = |known: &usize| self.at(*known).is_some_and(|known| known.id() == id);
        let position = *self.by_id.find(hash, is_it)?;
        Some((position, self.at(position)?))
    }

    /// Returns the deployments of a name, or of the pattern that fits it best, in list order, with the
    /// models that they lead to.
    pub(crate) fn matches<'a>(&'a self, name: &'a str) -> impl Iterator<Item = DeploymentMatch<'a>> {
        let found = self.group_of(name, hash(name));
        let found = found.and_then(|(group, wildcard)| Some((self.at(group.first)?, wildcard)));
        found.into_iter().flat_map(move |(first, wildcard)| {
            self.of_group(first).map(move |(position, deployment)| {
                let model = FoundDeployment { deployment, position, wildcard }.model();
                DeploymentMatch { deployment, model }
            })
        })
    }

    /// Returns the deployments of a name, or of the longest pattern that matches the name, and the part
    /// of the name that its `*` matches.
    fn group_of<'a>(&'a self, name: &'a str, hash: u64) -> Option<(&'a Group, Option<&'a str>)> {
        let named = |known: &Group| self.at(known.first).is_some_and(|known| known.model_name() == name);
        let exact = self.by_name.find(hash, named).map(|group| (group, None));
        exact.or_else(|| {
            self.patterns.iter().find_map(|group| {
                let pattern = self.at(group.first)?.model_name();
                Some((group, Some(stands_for(pattern, name)?)))
            })
        })
    }

    /// Returns the deployments that have the name of one of them, with their positions.
    fn of_group<'a>(&'a self, first: &'a Deployment) -> impl Iterator<Item = (usize, &'a Deployment)> {
        let same = |(_, known): &(usize, &Deployment)| known.model_name() == first.model_name();
        self.list.iter().enumerate().filter(same)
    }

    fn at(&self, position: usize) -> Option<&Deployment> {
        self.list.get(position)
    }
}

/// Returns the part of a name that the `*` of a pattern matches. An empty part does not match.
fn stands_for<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    let (before, after) = pattern.split_once('*')?;
    name.strip_prefix(before)?.strip_suffix(after).filter(|part| !part.is_empty())
}

/// Hashes a text. The hash is the same for every list, so that a deployment can store its own.
pub(super) fn hash(text: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(text)
}

/// Returns the prices that a deployment sets. Those in `litellm_params` take precedence.
pub(super) fn prices<'a>(litellm_params: Params<'a>, model_info: Params<'a>) -> Vec<JsonField<'a>> {
    let mut prices = Union::default();
    for (name, json) in model_info.prices().into_iter().chain(litellm_params.prices()) {
        prices.set(name, json);
    }
    prices.fields
}

/// Returns the prices that a deployment sets, as [`prices`] does, if all of them are valid. Errors
/// do not repeat a price that is a text: it may be a misplaced secret.
pub(super) fn checked_prices<'a>(
    model_name: &str,
    litellm_params: Params<'a>,
    model_info: Params<'a>,
) -> Result<Vec<JsonField<'a>>, Error> {
    for (part, params) in [("litellm_params", litellm_params), ("model_info", model_info)] {
        for (name, json) in params.fields() {
            if let Some(reason) = currency::refusal(&name, json) {
                return Err(invalid(model_name, &format!("{part}.{name}"), &reason));
            }
        }
        for (name, json) in params.prices() {
            if let Err(reason) = check_prices(&[(name.clone(), json)]) {
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

/// Returns everything that decides what a deployment costs, as JSON: its models and its prices,
/// independent of their order and notation. Deployments whose results are equal are priced alike.
pub(super) fn pricing_key(models: &[&str], prices: &[JsonField<'_>]) -> String {
    let plain = |json: &str| {
        let amount: Option<Usd> = serde_json::from_str(json).ok();
        amount.map_or_else(|| json.to_owned(), |amount| amount.to_string())
    };
    let prices: BTreeMap<&str, String> = prices.iter().map(|(name, json)| (&**name, plain(json))).collect();
    let models: Vec<String> = models.iter().map(|model| quoted(model)).collect();
    format!("[{},{}]", models.join(","), object(prices))
}

/// The entries of the deployments with prices of their own, by the positions of the deployments.
#[derive(Debug, Default)]
pub(crate) struct PricedDeployments {
    entries: Vec<Option<Arc<PricedEntry>>>,
    warnings: Vec<Warning>,
}

/// The entry of a model with the prices of its deployment laid over it.
#[derive(Debug)]
struct PricedEntry {
    /// A catalogue with this entry alone.
    row: Arc<Catalog>,
    over: Over,
}

/// The entry that a deployment's prices are laid over.
#[derive(Debug)]
enum Over {
    Nothing,
    Base(EntryId),
    Own(Arc<Catalog>),
    /// The entry of an older map, kept because the prices cannot be laid over the entry of this
    /// map. Holds the reason.
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

    /// Returns whether the given entry is this one, unchanged.
    fn is(&self, entry: Option<EntryRef<'_>>, layers: Layers<'_>, is_same_base: bool) -> bool {
        match (self, entry) {
            (Self::Nothing, None) => true,
            (Self::Base(id), Some(entry)) => is_same_base && entry.is_of(layers.base) && entry.id() == *id,
            (Self::Own(row), Some(entry)) => entry.is_of(row),
            _ => false,
        }
    }
}

impl PricedDeployments {
    /// Returns the entry of the deployment at `position`, if it has prices of its own.
    pub(crate) fn entry(&self, position: usize) -> Option<EntryRef<'_>> {
        self.entries.get(position)?.as_ref()?.row.entry(0)
    }

    /// Returns the warnings about deployments that kept their entries of an older map.
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
    /// Composes the entries of all deployments with prices of their own, over the models of a map.
    ///
    /// Deployments that are in `before` keep their entries if nothing beneath them changed. They
    /// also keep them, with a warning, if they cannot be laid over a newer catalogue. A new
    /// deployment that cannot be composed is an error.
    pub(crate) fn compose(
        &self,
        layers: Layers<'_>,
        before: &Self,
        priced_before: &PricedDeployments,
        is_same_base: bool,
    ) -> Result<PricedDeployments, Error> {
        let mut all =
            PricedDeployments { entries: Vec::with_capacity(self.list.len()), warnings: Vec::new() };
        // Many deployments cost the same and share an entry.
        let mut composed: HashMap<&str, Arc<PricedEntry>> = HashMap::new();
        let entry_before = |position: usize| priced_before.entries.get(position).and_then(Option::as_ref);
        let mut at = 0;
        for deployment in &self.list {
            // Both lists are mostly in the same order, apart from one deployment that was removed
            // or replaced.
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
            let pricing_key = deployment.part(Part::PricingKey);
            if let Some(alike) = composed.get(pricing_key) {
                all.push(deployment, alike.clone());
                continue;
            }
            // If the order differs, the entry of any deployment that is priced alike serves.
            let alike = || before.list.iter().position(|known| known.part(Part::PricingKey) == pricing_key);
            let priced = match priced(deployment, entry, layers) {
                Ok(row) => PricedEntry { row: Arc::new(row), over: Over::of(layers, entry) },
                Err(bad) => match known.or_else(|| entry_before(alike()?)) {
                    Some(known) => PricedEntry { row: known.row.clone(), over: Over::Older(bad.said()) },
                    None => return Err(refused(deployment, &bad)),
                },
            };
            let priced = Arc::new(priced);
            composed.insert(pricing_key, priced.clone());
            all.push(deployment, priced);
        }
        Ok(all)
    }
}

/// Returns the error of a deployment whose prices cannot be laid over its model.
pub(crate) fn refused(deployment: &Deployment, bad: &SetAside) -> Error {
    invalid(deployment.model_name(), bad.field.as_deref().unwrap_or_default(), &bad.reason)
}

impl<'a> FoundDeployment<'a> {
    pub(crate) fn of(deployment: &'a Deployment) -> Self {
        Self { deployment, position: 0, wildcard: None }
    }

    /// Calls `f` with the lookup of the deployment's model. A base model is looked up with a
    /// provider first, and without one if that finds nothing.
    pub(crate) fn with_lookup<T>(&self, layers: Layers<'_>, f: impl FnOnce(Lookup<'_>) -> T) -> T {
        let deployment = self.deployment;
        let (base, provider) = (deployment.part(Part::BaseModel), deployment.part(Part::Provider));
        let provider = Some(provider).filter(|provider| !provider.is_empty());
        if base.is_empty() {
            return f(lookup_of(&self.model(), provider));
        }
        // The provider is the one that is called: the explicit one, or the first segment of the
        // model.
        let of_model = || deployment.model().split_once('/').map(|(first, _)| first);
        let lookup = lookup_of(base, provider.or_else(of_model));
        if resolve(layers, lookup).is_some() { f(lookup) } else { f(Lookup::new(base)) }
    }

    /// Returns the model that is called, with what the `*` of the deployment's name matched.
    fn model(&self) -> Cow<'a, str> {
        let model = self.deployment.model();
        match self.wildcard {
            Some(part) if model.contains('*') => model.replacen('*', part, 1).into(),
            _ => model.into(),
        }
    }

    /// Returns whether the deployment was paid for in advance.
    pub(crate) fn is_prepaid(&self) -> bool {
        self.deployment.is_prepaid()
    }

    /// Returns whether the deployment itself sets a field.
    pub(crate) fn sets(&self, name: &str) -> bool {
        let parts = [Part::LitellmParams, Part::ModelInfo];
        parts.into_iter().any(|part| Params(self.deployment.part(part)).get(name).is_some())
    }

    /// Returns the entry of the deployment's model.
    fn entry<'m>(&self, layers: Layers<'m>) -> Option<EntryRef<'m>> {
        self.with_lookup(layers, |lookup| match look_up(layers, lookup)?.answer {
            Answer::Entry(entry) => Some(entry),
            Answer::SelfHosted | Answer::Described(_) => None,
        })
    }

    /// Returns the entry of the deployment's model with the deployment's prices over it, as a
    /// catalogue, if the model depends on what the `*` of the deployment's name matched. Returns
    /// `None` if it does not, or if the deployment has no prices of its own.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDeployment`] if the prices cannot be laid over that model.
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

/// Lays the prices of a deployment over its model's entry. Leaves out fields that cannot affect
/// prices.
fn priced(
    deployment: &Deployment,
    base: Option<EntryRef<'_>>,
    layers: Layers<'_>,
) -> Result<Catalog, SetAside> {
    let provider = deployment.provider().map(quoted);
    let mut fields = base.map(|base| layers.fields_of(base)).unwrap_or_default();
    if let (None, Some(provider)) = (base, &provider) {
        fields.push(("litellm_provider".into(), provider));
    }
    priced_over(deployment.id(), fields, &deployment.prices())
}

fn lookup_of<'a>(name: &'a str, provider: Option<&'a str>) -> Lookup<'a> {
    let lookup = Lookup::new(name);
    provider.map_or(lookup, |provider| lookup.provider(provider))
}
