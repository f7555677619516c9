//! The operator's registered models, composed with the catalogue.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::Serialize;

use crate::catalog::{Catalog, EntryRef, Layer, SetAside, View, Warning, check_prices};
use crate::error::Error;
use crate::json::{self, JsonField, Union};
use crate::num::is_same_value;
use crate::rates::field::{self, Field, Kind};
use crate::resolve::{Layers, Lookup, described, resolve};

/// The registered models, in the order of their first registration. They outlive every catalogue.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overrides {
    models: Vec<Arc<Override>>,
}

#[derive(Debug)]
struct Override {
    name: String,
    /// The fields that were registered.
    fields: Fields<'static>,
    /// True if the model takes nothing from the catalogue.
    replaces: bool,
    /// Fields that lie under the others as long as the catalogue says something.
    correction: Option<Arc<Correction>>,
}

/// Fields that apply as long as the catalogue has others.
#[derive(Debug)]
struct Correction {
    fields: Fields<'static>,
    while_map_says: Fields<'static>,
}

/// A correction that does not apply, since the map says something else: of
/// [`CostMap::register_model_while`](crate::CostMap::register_model_while).
///
/// Serialises as `{"model", "field", "expected", "found"}`, with values as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct ExpiredCorrection {
    /// The name that the correction was registered for.
    pub model: String,
    /// The first field in which the map differs from what the correction expects.
    pub field: String,
    /// The JSON of the value that the correction expects. `null` if it expects none.
    pub expected: String,
    /// The JSON of the map's value. `None` if it has none.
    pub found: Option<String>,
}

impl fmt::Display for ExpiredCorrection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, field, expected, found } = self;
        let found = found.as_deref().unwrap_or("null");
        write!(f, "{model}: the correction no longer applies: {field} is {found}, and not {expected}")
    }
}

/// The operator's models, composed with a catalogue and compiled.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// The models in the order of their registration.
    models: Vec<Arc<Composed>>,
    layer: Layer,
    /// The positions in `models` of the rows of the layer.
    rows: Vec<usize>,
}

/// One of the operator's models, composed with the catalogue's fields for the same name.
#[derive(Debug)]
struct Composed {
    of: Arc<Override>,
    /// `None` if the model is a correction alone, which does not apply.
    row: Option<Arc<Catalog>>,
    /// Set if the correction of the model does not apply.
    expired: Option<ExpiredCorrection>,
    /// The names of the fields that the operator set.
    set: Vec<Box<str>>,
    has_price: bool,
    warnings: Vec<Warning>,
}

impl Overlay {
    /// `under` takes the place of the catalogue's entries.
    fn new(models: Vec<Arc<Composed>>, under: Option<View>) -> Self {
        let rows = models.iter().enumerate().filter_map(|(at, model)| Some((at, model.row.clone()?)));
        let (rows, layer) = rows.unzip();
        Self { models, layer: Layer::new(layer, under), rows }
    }

    /// Returns the rows that take the place of a catalogue's, without any models of the operator's.
    pub(crate) fn of_past(view: View) -> Self {
        Self::new(Vec::new(), Some(view))
    }

    /// Returns the registrations that were composed.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides { models: self.models.iter().map(|model| model.of.clone()).collect() }
    }

    /// Returns the corrections that do not apply, in the order of their registration.
    pub(crate) fn expired(&self) -> impl Iterator<Item = &ExpiredCorrection> {
        self.models.iter().filter_map(|model| model.expired.as_ref())
    }

    /// Returns the corrections that do not apply, and did before.
    pub(crate) fn expired_since(&self, before: Option<&Self>) -> Vec<ExpiredCorrection> {
        let before = before.map_or(&[][..], |before| &before.models);
        let correction = |model: &Composed| model.of.correction.as_ref().map(Arc::as_ptr);
        let applied = |model: &Composed| {
            let mut known = before.iter().filter(|known| known.expired.is_none());
            known.any(|known| correction(known) == correction(model))
        };
        let expired = self.models.iter().filter(|model| model.expired.is_some() && applied(model));
        expired.filter_map(|model| model.expired.clone()).collect()
    }

    pub(crate) fn layer(&self) -> &Layer {
        &self.layer
    }

    fn model(&self, key: &str) -> Option<&Composed> {
        let position = *self.rows.get(self.layer.position(key)? as usize)?;
        self.models.get(position).map(|model| &**model)
    }

    /// Returns whether the operator set a price of the entry.
    pub(crate) fn is_priced(&self, key: &str) -> bool {
        self.model(key).is_some_and(|model| model.has_price)
    }

    /// Returns the names of the fields that the operator set.
    pub(crate) fn fields_set(&self, key: &str) -> &[Box<str>] {
        self.model(key).map_or(&[], |model| &model.set)
    }

    /// Returns the warnings about the models that the operator registered.
    pub(crate) fn warnings<'a>(&'a self) -> impl Iterator<Item = &'a Warning> {
        let of_row = |model: &'a Composed| model.row.iter().flat_map(|row| &row.notes().warnings);
        self.models.iter().flat_map(move |model| of_row(model).chain(&model.warnings))
    }
}

/// The treatment of the fields that a model already has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registration {
    /// The new fields are laid over them.
    Over,
    /// The new fields replace them, including those of the catalogue.
    Instead,
}

impl Overrides {
    /// Adds a model, or adds fields to a model that was registered before.
    ///
    /// # Errors
    ///
    /// Returns [`Error::InvalidModel`] if `json` is not an object.
    pub(crate) fn register(&mut self, name: &str, json: &str, how: Registration) -> Result<(), Error> {
        let position = self.models.iter().position(|known| known.name == name);
        self.register_at(position, name, json, how)
    }

    fn register_at(
        &mut self,
        position: Option<usize>,
        name: &str,
        json: &str,
        how: Registration,
    ) -> Result<(), Error> {
        let invalid = |reason: String| Error::InvalidModel { model: name.to_owned(), field: None, reason };
        let fields = Fields::read(json).map_err(|e| invalid(format!("not an object of fields: {e}")))?;
        let known = position.and_then(|position| self.models.get_mut(position));
        let correction = known.as_ref().filter(|_| how == Registration::Over);
        let correction = correction.and_then(|known| known.correction.clone());
        let (fields, replaces) = match &known {
            Some(known) if how == Registration::Over => {
                (known.fields.merged(&fields, Depth::Nested).into_owned(), known.replaces)
            }
            _ => (fields.into_owned(), how == Registration::Instead),
        };
        let registered = Arc::new(Override { name: name.to_owned(), fields, replaces, correction });
        match known {
            Some(known) => *known = registered,
            None => self.models.push(registered),
        }
        Ok(())
    }

    /// Adds fields to a model that apply as long as the catalogue has others. They replace those of an earlier
    /// correction of the model, and lie under those that are registered.
    ///
    /// # Errors
    ///
    /// Returns [`Error::InvalidModel`] if either text is not an object, if nothing is expected of the
    /// catalogue, or if the model was replaced.
    pub(crate) fn correct(&mut self, name: &str, json: &str, while_map_says: &str) -> Result<(), Error> {
        let invalid = |reason: String| Error::InvalidModel { model: name.to_owned(), field: None, reason };
        let [fields, says] = [json, while_map_says].map(Fields::read);
        let fields = fields.map_err(|e| invalid(format!("not an object of fields: {e}")))?;
        let says = says.map_err(|e| invalid(format!("what the map says is not an object of fields: {e}")))?;
        if says.0.is_empty() {
            let reason = "what the map says has no fields: use register_model to correct it in any case";
            return Err(invalid(reason.to_owned()));
        }
        // A correction that does not apply yet must be right as well.
        let prices: Vec<JsonField<'_>> =
            fields.0.iter().map(|(name, json)| (Cow::Borrowed(&**name), &**json)).collect();
        check_prices(&prices).map_err(invalid)?;
        let correction = Correction { fields: fields.into_owned(), while_map_says: says.into_owned() };
        let correction = Some(Arc::new(correction));
        let known = self.models.iter_mut().find(|known| known.name == name);
        if known.as_ref().is_some_and(|known| known.replaces) {
            let reason =
                "the model was replaced, and takes nothing of the map: change it with register_model";
            return Err(invalid(reason.to_owned()));
        }
        let (fields, replaces) = known.as_ref().map_or_else(Default::default, |known| {
            let known: &Override = known;
            (known.fields.clone(), known.replaces)
        });
        let corrected = Arc::new(Override { name: name.to_owned(), fields, replaces, correction });
        match known {
            Some(known) => *known = corrected,
            None => self.models.push(corrected),
        }
        Ok(())
    }

    /// Adds all models of an object of models.
    ///
    /// # Errors
    ///
    /// Returns [`Error::InvalidModel`] if `json` or a model in it is not an object. The models
    /// before it have been added by then.
    pub(crate) fn register_all(&mut self, json: &str) -> Result<(), Error> {
        let invalid =
            |reason: String| Error::InvalidModel { model: "the models".to_owned(), field: None, reason };
        let models = json::fields(json).map_err(|e| invalid(format!("not an object of models: {e}")))?;
        let known: HashMap<String, usize> =
            self.models.iter().enumerate().map(|(position, model)| (model.name.clone(), position)).collect();
        for (name, info) in models {
            self.register_at(known.get(&*name).copied(), &name, info, Registration::Over)?;
        }
        Ok(())
    }

    /// Returns whether both hold the same registrations, by identity.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.models.len() == other.models.len()
            && self.models.iter().zip(&other.models).all(|(model, other)| Arc::ptr_eq(model, other))
    }

    /// Removes a model. Returns whether the model was registered.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.models.len();
        self.models.retain(|model| model.name != name);
        self.models.len() < before
    }

    /// Lays the operator's models over a catalogue, or over the rows that take the place of its own. Returns
    /// `None` if there are neither models nor such rows.
    ///
    /// Models that have not changed since `before` are taken from it: unconditionally if `before`
    /// lies over the same catalogue, and otherwise, with a warning, if they cannot be laid over the
    /// new one.
    ///
    /// # Errors
    ///
    /// Returns [`Error::InvalidModel`] if a new or changed model cannot be composed.
    pub(crate) fn compose(
        &self,
        upstream: Layers<'_>,
        before: Option<&Overlay>,
        is_same_base: bool,
    ) -> Result<Option<Overlay>, Error> {
        if self.models.is_empty() && upstream.past().is_none() {
            return Ok(None);
        }
        let mut known = before.map_or(&[][..], |before| &before.models).iter().peekable();
        let mut models = Vec::with_capacity(self.models.len());
        for model in &self.models {
            // Both lists are in the same order, and models may have been removed.
            while known.peek().is_some_and(|known| known.of.name != model.name) {
                known.next();
            }
            let unchanged = known.next().filter(|known| Arc::ptr_eq(&known.of, model));
            let composed = match unchanged {
                Some(unchanged) if is_same_base => unchanged.clone(),
                _ => match (compose(upstream, model), unchanged) {
                    (Ok(composed), _) => Arc::new(composed),
                    (Err(bad), Some(unchanged)) => Arc::new(unchanged.kept(&bad)),
                    (Err(SetAside { model, field, reason }), None) => {
                        return Err(Error::InvalidModel { model, field, reason });
                    }
                },
            };
            models.push(composed);
        }
        Ok(Some(Overlay::new(models, upstream.past().cloned())))
    }
}

impl Composed {
    /// Returns the model as it is, with a warning that it could not be laid over a newer catalogue.
    fn kept(&self, bad: &SetAside) -> Self {
        let message = match self.row {
            Some(_) => "it stays as it was",
            None => "its correction is left out",
        };
        let message = format!("{message}, since it cannot be laid over the new map: {}", bad.said());
        let warning = Warning { model: self.of.name.clone(), message };
        Self {
            of: self.of.clone(),
            row: self.row.clone(),
            // A row that stays is with or without its correction, as it was. One that is left out would apply.
            expired: self.expired.clone().filter(|_| self.row.is_some()),
            set: self.set.clone(),
            has_price: self.has_price,
            warnings: vec![warning],
        }
    }
}

/// Lays one of the operator's models over those of a map.
fn compose(layers: Layers<'_>, model: &Arc<Override>) -> Result<Composed, SetAside> {
    let lookup = Lookup::new(&model.name);
    let found = if model.replaces { None } else { resolve(layers, lookup) };
    let described = if model.replaces || found.is_some() { None } else { described(layers, lookup) };
    let upstream = upstream(layers, found.map(|found| found.entry), described.as_ref());
    let mismatch = model.correction.as_ref().and_then(|correction| correction.mismatch(&upstream));
    let expired = mismatch.map(|(field, expected, found)| {
        let model = model.name.clone();
        ExpiredCorrection { model, field, expected, found }
    });
    if expired.is_some() && model.fields.0.is_empty() {
        let (of, set, warnings) = (model.clone(), Vec::new(), Vec::new());
        return Ok(Composed { of, row: None, expired, set, has_price: false, warnings });
    }
    let own = match &model.correction {
        Some(correction) if expired.is_none() => &correction.fields.merged(&model.fields, Depth::Nested),
        _ => &model.fields,
    };
    let half_overridden = half_overridden(&upstream, own);
    let merged = upstream.merged(own, Depth::Nested);
    let mut fields: Vec<JsonField<'_>> =
        merged.0.iter().map(|(name, json)| (Cow::Borrowed(&**name), &**json)).collect();
    // Rules fill in the operator's models as they fill in other entries.
    layers.rules().fill_in(&model.name, &mut fields);
    let row = Catalog::of_row(&model.name, &fields)?;
    let message = half_overridden.into_iter();
    let warnings = message.map(|message| Warning { model: model.name.clone(), message }).collect();
    let set = own.0.iter().filter(|(_, json)| json != "null").map(|(name, _)| (&**name).into());
    let (of, set, has_price) = (model.clone(), set.collect(), own.has_price());
    Ok(Composed { of, row: Some(Arc::new(row)), expired, set, has_price, warnings })
}

impl Correction {
    /// Returns the first field that is not as expected, what is expected, and what was found.
    fn mismatch(&self, upstream: &Fields<'_>) -> Option<(String, String, Option<String>)> {
        self.while_map_says.0.iter().find_map(|(name, expected)| {
            let found = upstream.0.iter().find(|(known, _)| known == name).map(|(_, json)| &**json);
            let is_as_expected = is_same_value(expected, found.unwrap_or("null"));
            (!is_as_expected).then(|| (name.to_string(), expected.to_string(), found.map(str::to_owned)))
        })
    }
}

/// Returns the catalogue's fields for a name that the operator registers: those of its entry, or
/// else those that fallback rules describe. The aliases of the entry are left out, since they stay
/// with it.
fn upstream<'a>(
    layers: Layers<'a>,
    entry: Option<EntryRef<'a>>,
    described: Option<&'a Catalog>,
) -> Fields<'a> {
    let fields = if let Some(entry) = entry {
        layers.fields_of(entry)
    } else {
        let described = described.and_then(|catalog| catalog.entry(0));
        json::fields(described.map_or("{}", EntryRef::json)).unwrap_or_default()
    };
    let kept = fields.into_iter().filter(|(name, _)| entry.is_none() || name != "aliases");
    Fields(kept.map(|(name, json)| (name, Cow::Borrowed(json))).collect())
}

/// Returns a warning if the operator set a base rate, but not the catalogue's rates that depend on
/// it: those above a threshold, in a service tier, in `tiered_pricing` or in `off_peak_pricing`.
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

/// Returns the JSON of a row with fields laid over it, as those of a registered model are. A row that is no
/// object counts as an empty one.
pub(crate) fn laid_over(row: &str, fields: &str) -> String {
    let [row, over] = [row, fields].map(|json| Fields::read(json).unwrap_or_default());
    row.merged(&over, Depth::Nested).to_json()
}

/// The fields of a JSON object, in order.
#[derive(Debug, Default, Clone)]
struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The depth to which objects are merged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Objects in fields are merged, field by field. Objects within those are not.
    Nested,
    /// The value of each field is replaced as a whole.
    Flat,
}

impl<'a> Fields<'a> {
    fn read(json: &'a str) -> Result<Self, serde_json::Error> {
        let fields = json::fields(json)?;
        Ok(Self(fields.into_iter().map(|(name, json)| (name, Cow::Borrowed(json))).collect()))
    }

    /// Returns these fields with `over` laid over them. A field that is null in `over` is left
    /// alone.
    fn merged<'b>(&'b self, over: &'b Fields<'_>, depth: Depth) -> Fields<'b> {
        let mut merged = Union::default();
        for (name, json) in &self.0 {
            merged.set(Cow::Borrowed(&**name), Cow::Borrowed(&**json));
        }
        for (name, json) in over.0.iter().filter(|(_, json)| json != "null") {
            let before = merged.get(name).and_then(|before| Fields::read(before).ok());
            let nested = match (depth, before, Fields::read(json)) {
                (Depth::Nested, Some(before), Ok(after)) => {
                    Some(before.merged(&after, Depth::Flat).to_json())
                }
                _ => None,
            };
            merged.set(Cow::Borrowed(&**name), nested.map_or(Cow::Borrowed(&**json), Cow::Owned));
        }
        Fields(merged.fields)
    }

    fn into_owned(self) -> Fields<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Fields(self.0.into_iter().map(|(name, json)| (owned(name), owned(json))).collect())
    }

    fn to_json(&self) -> String {
        json::object(self.0.iter().map(|(name, json)| (name, json)))
    }

    fn has_price(&self) -> bool {
        self.0.iter().any(|(name, json)| json != "null" && field::is_price(name))
    }
}
