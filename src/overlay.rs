//! The operator's own models, composed with the catalogue.

use std::borrow::Cow;

use serde::Serialize;

use crate::catalog::{Catalog, EntryId, Text, field};
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
}

/// The operator's models, composed with a catalogue and compiled.
#[derive(Debug)]
pub(crate) struct Overlay {
    catalog: Catalog,
    /// By entry: whether the operator set prices.
    priced: Vec<bool>,
}

impl Overlay {
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn is_priced(&self, name: &str) -> bool {
        let id = self.catalog.index().find(name);
        id.and_then(|id| self.priced.get(id as usize)).copied().unwrap_or(false)
    }
}

impl Overrides {
    /// Adds a model, or fields to one that was registered before.
    pub(crate) fn register(&mut self, name: &str, info: &impl Serialize) -> Result<(), Error> {
        let invalid = |reason: String| Error::InvalidModel { model: name.to_owned(), field: None, reason };
        let mut json = serde_json::to_string(info).map_err(|e| invalid(e.to_string()))?;
        // A text is JSON already.
        if json.starts_with('"') {
            json = serde_json::from_str(&json).map_err(|e| invalid(e.to_string()))?;
        }
        let fields = Fields::read(&json).map_err(|e| invalid(format!("not an object of fields: {e}")))?;
        if let Some(known) = self.models.iter_mut().find(|known| known.name == name) {
            let before = Fields::read(&known.json).map_err(|e| invalid(e.to_string()))?;
            known.json = before.merged(&fields, Depth::Nested).to_json();
        } else {
            self.models.push(Override { name: name.to_owned(), json: fields.to_json() });
        }
        Ok(())
    }

    /// Lays the operator's models over a catalogue. `None` where there are none.
    pub(crate) fn compose(&self, base: &Catalog) -> Result<Option<Overlay>, Error> {
        if self.models.is_empty() {
            return Ok(None);
        }
        let mut composed = Vec::with_capacity(self.models.len());
        for model in &self.models {
            let invalid =
                |reason: String| Error::InvalidModel { model: model.name.clone(), field: None, reason };
            let own = Fields::read(&model.json).map_err(|e| invalid(e.to_string()))?;
            let layers = Layers { own: None, base };
            let lookup = Lookup::new(&model.name);
            let found = resolve(layers, lookup).map(|found| found.entry);
            let described = if found.is_none() { describe(layers, lookup) } else { None };
            let upstream = found.or_else(|| described.as_ref()?.entry());
            let upstream = upstream.map(|entry| Fields::read(entry.json()));
            let upstream = upstream.transpose().map_err(|e| invalid(e.to_string()))?;
            let json = upstream.unwrap_or_default().merged(&own, Depth::Nested).to_json();
            composed.push((&model.name, json));
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
        let mut priced = vec![false; catalog.len()];
        for model in &self.models {
            // A key that the map reserves is no model.
            let id: EntryId = catalog.index().find(&model.name).ok_or_else(|| Error::InvalidModel {
                model: model.name.clone(),
                field: None,
                reason: "the map uses this name for something that is no model".to_owned(),
            })?;
            if let Some(slot) = priced.get_mut(id as usize) {
                *slot = Fields::read(&model.json).is_ok_and(|fields| fields.has_price());
            }
        }
        Ok(Some(Overlay { catalog, priced }))
    }
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
