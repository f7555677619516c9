//! Checks that a fetched map must pass before it replaces the live one.

use crate::catalog::Catalog;
use crate::diff::Diff;
use crate::error::Error;
use crate::json;
use crate::rates::field;
use crate::resolve::{Layers, Lookup, resolve};

/// The end of every refusal's message.
pub(crate) const KEPT: &str = ": the map in use is kept";

/// The limits on how a map may change.
#[derive(Debug, Clone)]
pub(crate) struct Guards {
    /// The smallest number of models. `None` for 50, or half the live models if that is less.
    pub(crate) min_models: Option<usize>,
    /// The smallest number of models, as a share of the live ones.
    pub(crate) max_shrink_ratio: f64,
    pub(crate) required: Vec<String>,
    /// The largest share of models whose prices may jump, among the models that both maps have.
    pub(crate) max_jump_ratio: f64,
}

/// The default for the smallest number of models.
const MIN_MODELS: usize = 50;

/// The smallest number of models with a price jump for which a map is refused.
const MANY: usize = 3;

impl Default for Guards {
    fn default() -> Self {
        Self { min_models: None, max_shrink_ratio: 0.5, required: Vec::new(), max_jump_ratio: 0.05 }
    }
}

impl Guards {
    /// Checks that the ratios are between 0 and 1.
    pub(crate) fn check_settings(&self) -> Result<(), Error> {
        for (setting, ratio) in
            [("max_shrink_ratio", self.max_shrink_ratio), ("max_price_jump_ratio", self.max_jump_ratio)]
        {
            if !(0.0..=1.0).contains(&ratio) {
                return Err(Error::InvalidSetting {
                    setting,
                    reason: format!("{ratio} is not between 0 and 1"),
                });
            }
        }
        Ok(())
    }

    /// Checks a map by itself, without a comparison to the live one. Returns the refusal as an
    /// error.
    pub(crate) fn check_alone(&self, origin: &str, catalog: &Catalog) -> Result<(), Error> {
        self.check(origin, catalog, catalog, &Diff::default())
    }

    /// Checks a map that is to replace the live one. Returns the refusal as an error.
    pub(crate) fn check(
        &self,
        origin: &str,
        live: &Catalog,
        new: &Catalog,
        diff: &Diff,
    ) -> Result<(), Error> {
        let origin = || origin.to_owned();
        if new.len() == 0 && self.min_models != Some(0) {
            return Err(Error::EmptyMap { origin: origin() });
        }
        let least = self.min_models.unwrap_or(MIN_MODELS.min(live.len() / 2));
        if new.len() < least {
            return Err(Error::TooFewModels { origin: origin(), models: new.len(), least });
        }
        if (new.len() as f64) < live.len() as f64 * self.max_shrink_ratio {
            return Err(Error::MapShrank { origin: origin(), models: new.len(), live: live.len() });
        }
        for model in &self.required {
            let layers = Layers::only(new);
            let Some(found) = resolve(layers, Lookup::new(model)) else {
                return Err(Error::MissingModel { origin: origin(), model: model.clone() });
            };
            if !has_price(found.entry.json()) {
                return Err(Error::UnpricedModel { origin: origin(), model: model.clone() });
            }
        }
        let shared = new.len() - diff.added.len().min(new.len());
        let jumped = diff.models_that_jumped();
        if jumped >= MANY && jumped as f64 > shared as f64 * self.max_jump_ratio {
            let example = diff.repriced.iter().find(|price| price.is_jump());
            let example = example.map(ToString::to_string).unwrap_or_default();
            return Err(Error::PricesJumped { origin: origin(), models: jumped, of: shared, example });
        }
        Ok(())
    }
}

fn has_price(json: &str) -> bool {
    let fields = json::fields(json).unwrap_or_default();
    fields.iter().any(|(name, json)| field::is_price(name) && *json != "null")
}
