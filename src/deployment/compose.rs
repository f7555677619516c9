//! Deployments with what a catalogue knows of their models: found by id or name, priced, shown.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::{Deployment, invalid};
use crate::catalog::{Catalog, EntryRef, Text, check_prices};
use crate::error::{Error, clip};
use crate::json::{Union, fields, object, quoted};
use crate::resolve::{Layers, Lookup, resolve};

/// The deployments of a snapshot, in their order.
#[derive(Debug, Default)]
pub(crate) struct Deployments {
    list: Vec<Deployment>,
    by_id: HashMap<Box<str>, usize>,
    by_name: HashMap<Box<str>, Group>,
    /// Names with a `*`, the longest first: the one that says most counts.
    patterns: Vec<(Box<str>, Group)>,
}

/// The deployments of one name.
#[derive(Debug, Default)]
struct Group {
    members: Vec<usize>,
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
        let mut by_id = HashMap::with_capacity(list.len());
        let mut groups: HashMap<Box<str>, Group> = HashMap::new();
        for (position, deployment) in list.iter().enumerate() {
            if by_id.insert(deployment.id.as_str().into(), position).is_some() {
                let reason = format!("another deployment has the id {:?} too", deployment.id);
                return Err(invalid(&deployment.model_name, "model_info.id", &reason));
            }
            groups.entry(deployment.model_name.as_str().into()).or_default().members.push(position);
        }
        for group in groups.values_mut() {
            let mut ways = group.members.iter().filter_map(|member| list.get(*member)).map(way_of_pricing);
            let first = ways.next();
            group.alike = ways.all(|way| Some(way) == first);
        }
        let (mut patterns, by_name): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|(name, _)| name.contains('*'));
        patterns.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(Self { list, by_id, by_name: by_name.into_iter().collect(), patterns })
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
        if let Some(deployment) = self.by_id.get(name).and_then(|position| self.list.get(*position)) {
            return Ok(Found { deployment, wildcard: None });
        }
        let named = self.by_name.get(name).map(|group| (group, None));
        let matching = || {
            self.patterns.iter().find_map(|(pattern, group)| Some((group, Some(stands_for(pattern, name)?))))
        };
        let (group, wildcard) =
            named.or_else(matching).ok_or_else(|| Error::UnknownDeployment { name: clip(name).into() })?;
        let mut members = group.members.iter().filter_map(|member| self.list.get(*member));
        if !group.alike {
            let ids = members.map(|deployment| deployment.id.clone()).collect();
            return Err(Error::AmbiguousDeployment { model_name: clip(name).into(), ids });
        }
        let deployment = members.next();
        let found = deployment.map(|deployment| Found { deployment, wildcard });
        found.ok_or_else(|| Error::UnknownDeployment { name: clip(name).into() })
    }
}

/// What the `*` of a pattern stands for in a name.
fn stands_for<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    let (before, after) = pattern.split_once('*')?;
    name.strip_prefix(before)?.strip_suffix(after).filter(|part| !part.is_empty())
}

/// All that decides what a deployment costs.
fn way_of_pricing(deployment: &Deployment) -> (Option<&Named>, BTreeMap<&str, &str>) {
    (deployment.lookups.first(), deployment.prices().collect())
}

/// A name to look a model up by.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Named {
    name: String,
    provider: Option<String>,
}

impl Named {
    fn lookup(&self) -> Lookup<'_> {
        let lookup = Lookup::new(&self.name);
        self.provider.as_deref().map_or(lookup, |provider| lookup.provider(provider))
    }
}

/// The names to look a deployment's model up by: its base model, of the provider that is called or else of any,
/// before the model that is called.
pub(super) fn lookups(model: &str, base: Option<String>, provider: Option<String>) -> Vec<Named> {
    let Some(base) = base else { return vec![Named { name: model.to_owned(), provider }] };
    let of_model = || model.split_once('/').map(|(first, _)| first.to_owned());
    let provider = provider.or_else(of_model);
    vec![Named { name: base.clone(), provider }, Named { name: base, provider: None }]
}

/// That the prices of a deployment are some. A text that is none is not repeated: it may be a secret that slipped.
pub(super) fn check(deployment: &Deployment) -> Result<(), Error> {
    let parts = [("litellm_params", &deployment.litellm_params), ("model_info", &deployment.model_info)];
    for (part, params) in parts {
        for (name, json) in params.prices() {
            if let Err(reason) = check_prices(&object([(name, json)])) {
                let field = format!("{part}.{name}");
                let reason =
                    reason.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&reason);
                let reason = if json.contains('"') { "not a price in US dollars" } else { reason };
                return Err(invalid(&deployment.model_name, &field, reason));
            }
        }
    }
    Ok(())
}

impl Deployments {
    /// The entries that deployments with prices of their own make of their models', by their ids.
    pub(crate) fn compose(&self, layers: Layers<'_>) -> Result<Catalog, Error> {
        let mut entries = Vec::new();
        for deployment in &self.list {
            if deployment.prices().next().is_some() && !deployment.model_name.contains('*') {
                let found = Found::of(deployment);
                let base = found.with_lookup(layers, |lookup| entry_of(layers, lookup));
                entries.push((&deployment.id, found.priced(base)));
            }
        }
        let catalog = if entries.is_empty() { Ok(Catalog::empty()) } else { read(object(entries)) };
        let catalog = catalog.map_err(|reason| invalid("model_list", "", &reason))?;
        match catalog.notes().set_aside.first() {
            None => Ok(catalog),
            Some(bad) => {
                let named = self.list.iter().find(|deployment| deployment.id == bad.model);
                let name = named.map_or("model_list", |deployment| &deployment.model_name);
                Err(invalid(name, bad.field.as_deref().unwrap_or_default(), &bad.reason))
            }
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
        let called;
        let lookups = match self.wildcard {
            // A base model has no part of the name in it.
            Some(part) if self.deployment.text("base_model").is_none() => {
                let model = self.deployment.model.replacen('*', part, 1);
                let provider = self.deployment.text("custom_llm_provider");
                called = [Named { name: model, provider }];
                &called[..]
            }
            _ => &self.deployment.lookups,
        };
        let mut lookups = lookups.iter().map(Named::lookup);
        let mut lookup = lookups.next().unwrap_or(Lookup::new(""));
        for other in lookups {
            if resolve(layers, lookup).is_some() {
                break;
            }
            lookup = other;
        }
        f(lookup)
    }

    /// The entry of the deployment's model with its own prices over it.
    fn priced(&self, base: Option<EntryRef<'_>>) -> String {
        let deployment = self.deployment;
        let own = deployment.text("custom_llm_provider");
        let provider = own.as_deref().or_else(|| deployment.model.split_once('/').map(|(first, _)| first));
        let provider = provider.map(quoted);
        let mut info = Union::default();
        match base {
            Some(base) => {
                for (name, json) in fields(base.json()).unwrap_or_default() {
                    if name != "aliases" {
                        info.set(name, json);
                    }
                }
            }
            None => {
                if let Some(provider) = &provider {
                    info.set("litellm_provider".into(), provider);
                }
            }
        }
        for (name, json) in deployment.prices() {
            info.set(name.into(), json);
        }
        object(info.fields)
    }

    /// The same as a catalogue of its own, for a deployment whose model depends on what its name stands for.
    pub(crate) fn priced_now(&self, layers: Layers<'_>) -> Option<Catalog> {
        self.deployment.prices().next()?;
        let json = self.with_lookup(layers, |lookup| self.priced(entry_of(layers, lookup)));
        read(object([(&self.deployment.id, json)])).ok().filter(|catalog| catalog.len() == 1)
    }

    pub(crate) fn is_wildcard(&self) -> bool {
        self.wildcard.is_some()
    }
}

fn entry_of<'m>(layers: Layers<'m>, lookup: Lookup<'_>) -> Option<EntryRef<'m>> {
    resolve(layers, lookup).map(|found| found.entry)
}
