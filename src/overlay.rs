//! The operator's own models, composed with the catalogue.

use std::borrow::Cow;

use hashbrown::HashMap;
use serde::Serialize;

use crate::catalog::field::{self, Field, Kind};
use crate::catalog::{Catalog, Text, Warning};
use crate::error::Error;
use crate::json;
use crate::resolve::{Layers, Lookup, describe, resolve};

/// What operators registered, in the order of first registration. It outlives every catalogue.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overrides {
    models: Vec<Override>,
}

#[derive(Debug, Clone)]
struct Override {
    name: String,
    /// The JSON object that was registered.
    json: String,
    /// Whether it takes nothing from the catalogue.
    replaces: bool,
}

/// The operator's models, composed with a catalogue and compiled.
#[derive(Debug)]
pub(crate) struct Overlay {
    catalog: Catalog,
    /// What the operator said of each entry, by the entry's name.
    said: HashMap<Box<str>, Said>,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct Said {
    json: Box<str>,
    has_price: bool,
}

impl Overlay {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn is_priced(&self, key: &str) -> bool {
        self.said.get(key).is_some_and(|said| said.has_price)
    }

    /// The fields that the operator set.
    pub(crate) fn said(&self, key: &str) -> Option<&str> {
        self.said.get(key).map(|said| &*said.json)
    }

    /// What is odd about what the operator registered.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Warning> {
        self.catalog.notes().warnings.iter().chain(&self.warnings)
    }
}

/// What is done with what an operator knows of a model already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    /// The fields are laid over it.
    Over,
    /// It counts no longer, the catalogue's included.
    Instead,
}

impl Overrides {
    /// Adds a model, or fields to one that was registered before.
    pub(crate) fn register(
        &mut self,
        name: &str,
        info: &impl Serialize,
        how: Registration,
    ) -> Result<(), Error> {
        let invalid = |reason: String| Error::InvalidModel { model: name.to_owned(), field: None, reason };
        let json = json::text_of(info).map_err(|e| invalid(e.to_string()))?;
        let fields = Fields::read(&json).map_err(|e| invalid(format!("not an object of fields: {e}")))?;
        let replaces = how == Registration::Instead;
        match self.models.iter_mut().find(|known| known.name == name) {
            Some(known) if replaces => {
                known.json = fields.to_json();
                known.replaces = true;
            }
            Some(known) => {
                let before = Fields::read(&known.json).map_err(|e| invalid(e.to_string()))?;
                known.json = before.merged(&fields, Depth::Nested).to_json();
            }
            None => self.models.push(Override { name: name.to_owned(), json: fields.to_json(), replaces }),
        }
        Ok(())
    }

    /// Adds all models of an object of models.
    pub(crate) fn register_all(&mut self, models: &impl Serialize) -> Result<(), Error> {
        let invalid =
            |reason: String| Error::InvalidModel { model: "the models".to_owned(), field: None, reason };
        let json = json::text_of(models).map_err(|e| invalid(e.to_string()))?;
        let models = json::fields(&json).map_err(|e| invalid(format!("not an object of models: {e}")))?;
        for (name, info) in models {
            self.register(&name, &info, Registration::Over)?;
        }
        Ok(())
    }

    /// Takes a model back. Whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.models.len();
        self.models.retain(|model| model.name != name);
        self.models.len() < before
    }

    /// Lays the operator's models over a catalogue. `None` where there are none.
    pub(crate) fn compose(&self, base: &Catalog) -> Result<Option<Overlay>, Error> {
        if self.models.is_empty() {
            return Ok(None);
        }
        let mut composed = Vec::with_capacity(self.models.len());
        let mut warnings = Vec::new();
        let mut said = HashMap::with_capacity(self.models.len());
        for model in &self.models {
            let invalid =
                |reason: String| Error::InvalidModel { model: model.name.clone(), field: None, reason };
            let own = Fields::read(&model.json).map_err(|e| invalid(e.to_string()))?;
            let upstream = if model.replaces { None } else { upstream(base, &model.name) };
            let upstream = upstream.as_deref().map(Fields::read).transpose();
            let upstream = upstream.map_err(|e| invalid(e.to_string()))?.unwrap_or_default();
            if let Some(message) = half_overridden(&upstream, &own) {
                warnings.push(Warning { model: model.name.clone(), message });
            }
            composed.push((&model.name, upstream.merged(&own, Depth::Nested).to_json()));
            let has_price = own.has_price();
            said.insert(model.name.as_str().into(), Said { json: model.json.as_str().into(), has_price });
        }
        let text = json::object(composed);
        let catalog = Catalog::parse(Text::Owned(text.into())).map_err(|e| Error::InvalidModel {
            model: "the operator's models".to_owned(),
            field: None,
            reason: e.to_string(),
        })?;
        if let Some(bad) = catalog.notes().set_aside.first() {
            return Err(Error::InvalidModel {
                model: bad.model.clone(),
                field: bad.field.clone(),
                reason: bad.reason.clone(),
            });
        }
        // A key that the map reserves is no model.
        match self.models.iter().find(|model| !catalog.has_key(&model.name)) {
            None => Ok(Some(Overlay { catalog, said, warnings })),
            Some(model) => Err(Error::InvalidModel {
                model: model.name.clone(),
                field: None,
                reason: "the map uses this name for something that is no model".to_owned(),
            }),
        }
    }
}

/// What the catalogue knows of a name that the operator registers.
fn upstream(base: &Catalog, name: &str) -> Option<String> {
    let (layers, lookup) = (Layers { own: None, base }, Lookup::new(name));
    match resolve(layers, lookup) {
        Some(found) => Some(found.entry.json().to_owned()),
        None => describe(layers, lookup).and_then(|described| Some(described.entry()?.json().to_owned())),
    }
}

/// Rates of the map that apply above a threshold or in a service tier, where the operator set the rate that they
/// go with, and not them.
fn half_overridden(upstream: &Fields<'_>, own: &Fields<'_>) -> Option<String> {
    let rate = |name: &str| match field::parse(name) {
        Kind::Rate(rate) => Some(rate),
        _ => None,
    };
    let set: Vec<Field> =
        own.0.iter().filter(|(_, json)| json != "null").filter_map(|(name, _)| rate(name)).collect();
    let is_base = |rate: Field| rate == Field::new(rate.base);
    let stay: Vec<&str> = upstream
        .0
        .iter()
        .filter(|(name, json)| json != "null" && own.0.iter().all(|(known, _)| known != name))
        .filter(|(name, _)| match rate(name) {
            Some(rate) => !is_base(rate) && set.contains(&Field::new(rate.base)),
            None => {
                matches!(&**name, "tiered_pricing" | "off_peak_pricing") && set.iter().copied().any(is_base)
            }
        })
        .map(|(name, _)| &**name)
        .collect();
    (!stay.is_empty()).then(|| {
        format!(
            "its base price is the operator's, while the map's {} stay: set them too, or replace the model",
            stay.join(", ")
        )
    })
}

/// The fields of a JSON object, in their order.
#[derive(Default)]
struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// How far objects are merged into each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Objects in a field are merged too.
    Nested,
    /// A field is taken as a whole.
    Flat,
}

impl<'a> Fields<'a> {
    fn read(json: &'a str) -> Result<Self, serde_json::Error> {
        let fields = json::fields(json)?;
        Ok(Self(fields.into_iter().map(|(name, json)| (name, Cow::Borrowed(json))).collect()))
    }

    /// These fields with others over them: null leaves a field alone.
    fn merged(&self, over: &Fields<'_>, depth: Depth) -> Fields<'static> {
        let owned = |(name, json): &(Cow<'_, str>, Cow<'_, str>)| {
            (Cow::Owned(name.clone().into_owned()), Cow::Owned(json.clone().into_owned()))
        };
        let mut merged: Vec<(Cow<'static, str>, Cow<'static, str>)> = self.0.iter().map(owned).collect();
        for (name, json) in &over.0 {
            if json == "null" {
                continue;
            }
            match merged.iter_mut().find(|(known, _)| known == name) {
                Some((_, slot)) => {
                    let nested = match (depth, Fields::read(slot), Fields::read(json)) {
                        (Depth::Nested, Ok(before), Ok(after)) => {
                            Some(before.merged(&after, Depth::Flat).to_json())
                        }
                        _ => None,
                    };
                    *slot = Cow::Owned(nested.unwrap_or_else(|| json.clone().into_owned()));
                }
                None => merged
                    .push((Cow::Owned(name.clone().into_owned()), Cow::Owned(json.clone().into_owned()))),
            }
        }
        Fields(merged)
    }

    fn to_json(&self) -> String {
        json::object(self.0.iter().map(|(name, json)| (name, json)))
    }

    fn has_price(&self) -> bool {
        self.0.iter().any(|(name, json)| json != "null" && field::is_price(name))
    }
}
