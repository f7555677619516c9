//! [`Snapshot`]: one immutable generation of the map.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::catalog::{Catalog, EntryRef, SetAside, UnpricedField, Warning};
use crate::cost::{self, Cost, CostRequest, Subject};
use crate::error::{Error, UnknownModel};
use crate::families;
use crate::model_info::ModelInfo;
use crate::overlay::Overlay;
use crate::resolve::{Layers, resolve};

/// One generation of a [`CostMap`](crate::CostMap): a catalogue with the operator's models over it.
///
/// A snapshot never changes. Pin one for the life of a request, and everything in the request is priced
/// by the same generation, whatever is reloaded meanwhile.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::CostMap;
///
/// let snapshot = CostMap::bundled().snapshot();
/// let cheap = snapshot
///     .models()
///     .filter(|model| model.mode().as_deref() == Some("chat") && model.supports("vision"))
///     .filter(|model| model.input_cost_per_token().is_some_and(|rate| !rate.is_zero()))
///     .min_by_key(|model| model.input_cost_per_token());
/// assert!(cheap.is_some());
/// # }
/// ```
pub struct Snapshot {
    base: Arc<Catalog>,
    own: Option<Overlay>,
    generation: u64,
    loaded_at: SystemTime,
}

impl Snapshot {
    pub(crate) fn new(
        base: Arc<Catalog>,
        own: Option<Overlay>,
        generation: u64,
        loaded_at: SystemTime,
    ) -> Self {
        Self { base, own, generation, loaded_at }
    }

    fn layers(&self) -> Layers<'_> {
        Layers { own: self.own.as_ref().map(Overlay::catalog), base: &self.base }
    }

    /// What a call costs.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] where no entry answers to the name, [`Error::Overflow`] where the bill
    /// would leave the range of [`Usd`](crate::Usd). Something that was used and has no price is no error: see
    /// [`Cost::is_complete`].
    pub fn cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        let layers = self.layers();
        let Some(found) = resolve(layers, request.model, request.provider) else {
            return self.cost_without_entry(request);
        };
        self.price(found.entry, found.provider, request)
    }

    /// What a call costs to a model that has no entry of its own.
    fn cost_without_entry(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        let (model, provider) = (request.model, request.provider);
        match families::stand_in(self.layers(), model, provider) {
            Some(entry) => self.price(entry, provider, request),
            None if families::runs_at_home(model, provider) => Ok(Cost::free(model, self.generation)),
            None => Err(unknown(model, provider)),
        }
    }

    fn price(
        &self,
        entry: EntryRef<'_>,
        provider: Option<&str>,
        request: &CostRequest<'_>,
    ) -> Result<Cost, Error> {
        let router = request
            .requested_model
            .and_then(|requested| families::router_fee(self.layers(), requested, request.provider));
        let subject = Subject {
            entry,
            provider,
            // A router's own entry is the fee already.
            router: router.filter(|_| !families::is_router_entry(entry.key())),
            operator_priced: self.own.as_ref().is_some_and(|own| own.is_priced(entry.key())),
            generation: self.generation,
        };
        cost::price(subject, request)
    }

    /// What the map says of a model, under any name that it knows.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ModelInfo<'_>> {
        resolve(self.layers(), name, None).map(|found| ModelInfo::of(found.entry))
    }

    /// The model that a name leads to, if a provider is asked for: the one that prices its calls.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] where no entry answers to the name.
    pub fn resolve(&self, name: &str, provider: Option<&str>) -> Result<ModelInfo<'_>, Error> {
        let found = resolve(self.layers(), name, provider).ok_or_else(|| unknown(name, provider))?;
        Ok(ModelInfo::of(found.entry))
    }

    /// All models, in the order of the map, then those that only the operator knows.
    pub fn models(&self) -> impl Iterator<Item = ModelInfo<'_>> {
        let layers = self.layers();
        let upstream =
            self.base.ids().filter_map(move |id| self.base.entry(id).map(|entry| layers.overridden(entry)));
        upstream.chain(self.only_own()).map(ModelInfo::of)
    }

    /// The operator's models that override none of the catalogue.
    fn only_own(&self) -> impl Iterator<Item = EntryRef<'_>> {
        let own = self.own.as_ref().map(Overlay::catalog);
        let entries = own.into_iter().flat_map(|own| own.ids().filter_map(|id| own.entry(id)));
        entries.filter(|entry| !self.base.has_key(entry.key()))
    }

    /// How many models there are. Aliases are other names of a model, and not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.base.len() + self.only_own().count()
    }

    /// Whether there are no models.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which generation of its map this is. The first is 1; every swap counts up.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When it was put together.
    #[must_use]
    pub fn loaded_at(&self) -> SystemTime {
        self.loaded_at
    }

    /// The rows of the map that were not loaded, since their prices cannot be trusted.
    #[must_use]
    pub fn set_aside(&self) -> &[SetAside] {
        &self.base.notes().set_aside
    }

    /// What is odd about rows that were loaded all the same, the operator's included.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> {
        let own = self.own.as_ref().map(Overlay::catalog);
        own.into_iter().chain([&*self.base]).flat_map(|catalog| &catalog.notes().warnings)
    }

    /// Fields that name a cost which this version does not know, by name. They price nothing.
    #[must_use]
    pub fn unpriced_fields(&self) -> &[UnpricedField] {
        &self.base.notes().unpriced_fields
    }
}

fn unknown(name: &str, provider: Option<&str>) -> Error {
    Error::UnknownModel(Box::new(UnknownModel::new(name, provider)))
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("models", &self.len())
            .field("loaded_at", &self.loaded_at)
            .finish_non_exhaustive()
    }
}
