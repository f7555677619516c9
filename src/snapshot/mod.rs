//! [`Snapshot`]: one immutable generation of the map.

mod adjusted;
mod model_info_list;
mod parts;
mod past;
mod price;
mod resolved;
mod retired;
mod terms;
mod trust;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;

use crate::catalog::{Catalog, EntryRef, Layer, Notes, SetAside, UnpricedField, View, Warning};
use crate::deployment::{Deployment, DeploymentMatch, Deployments, FoundDeployment, PricedDeployments};
use crate::diff::Diff;
use crate::error::{Error, Suggest, UnknownModel};
use crate::model_info::ModelInfo;
use crate::overlay::{ExpiredCorrection, Overlay};
use crate::resolve::{Explanation, Layers, Lookup, Memo, Spellings, look_up, row_set_aside};
use crate::retired::Retirement;
use crate::version::{Generation, Version};

pub(crate) use adjusted::Adjusted;
pub use model_info_list::{DeploymentInfo, ModelInfoList};
pub use resolved::{Resolved, ResolvedModel};
pub(crate) use trust::TrustedProviders;

/// One generation of a [`CostMap`](crate::CostMap): a catalogue with the operator's models over it.
///
/// A snapshot never changes. Pin one for the life of a request, and everything in the request is
/// priced by the same generation, whatever is reloaded meanwhile.
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
    own: Option<Arc<Overlay>>,
    deployments: Arc<Deployments>,
    priced: Arc<PricedDeployments>,
    version: Arc<Version>,
    /// The providers that are trusted with the charges that they state.
    trusted: Arc<TrustedProviders>,
    /// The operator's discounts and margins. `None` if there are none.
    adjusted: Option<Arc<Adjusted>>,
    /// The models that left the map. `None` if there are none, or if they are forgotten.
    retired: Option<Arc<Layer>>,
    generation: u64,
    loaded_at: SystemTime,
    /// The names that are no keys and were looked up before.
    memo: Memo,
    /// Prepared when near names are first asked for.
    spellings: OnceLock<Spellings>,
    /// For errors, which search for near names when they are displayed.
    this: Weak<Self>,
}

/// The parts of a snapshot.
#[derive(Default)]
pub(crate) struct SnapshotParts {
    pub(crate) base: Arc<Catalog>,
    pub(crate) version: Arc<Version>,
    pub(crate) own: Option<Arc<Overlay>>,
    pub(crate) deployments: Arc<Deployments>,
    pub(crate) priced: Arc<PricedDeployments>,
    pub(crate) trusted: Arc<TrustedProviders>,
    pub(crate) adjusted: Option<Arc<Adjusted>>,
    pub(crate) retired: Option<Arc<Layer>>,
    pub(crate) generation: u64,
}

impl Snapshot {
    pub(crate) fn new(parts: SnapshotParts, loaded_at: SystemTime) -> Arc<Self> {
        let SnapshotParts { base, version, own, deployments, priced, trusted, adjusted, retired, generation } =
            parts;
        Arc::new_cyclic(|this| Self {
            base,
            version,
            own,
            deployments,
            priced,
            trusted,
            adjusted,
            retired,
            generation,
            loaded_at,
            memo: Memo::default(),
            spellings: OnceLock::new(),
            this: this.clone(),
        })
    }

    fn layers(&self) -> Layers<'_> {
        let own = self.own.as_deref().map(Overlay::layer);
        Layers::new(own, &self.base, self.retired.as_deref())
    }

    /// The models that left the map.
    pub(crate) fn retired(&self) -> Option<&Arc<Layer>> {
        self.retired.as_ref()
    }

    /// Returns whether an entry is one of a model that left the map.
    fn is_retired(&self, entry: EntryRef<'_>) -> bool {
        let retired = self.retired.as_deref().and_then(Layer::under);
        retired.is_some_and(|retired| retired.position(entry).is_some())
    }

    /// Returns the last map that had the model of an entry. Returns `None` if the model is not retired.
    fn retirement_of(&self, entry: EntryRef<'_>) -> Option<Retirement> {
        let retired = self.retired.as_deref()?.under()?;
        retired.position(entry)?;
        retired.last_map_with(entry.key()).map(Into::into)
    }

    /// The operator's models.
    pub(crate) fn overlay(&self) -> Option<&Arc<Overlay>> {
        self.own.as_ref()
    }

    pub(crate) fn trusted(&self) -> &Arc<TrustedProviders> {
        &self.trusted
    }

    pub(crate) fn adjusted(&self) -> Option<&Arc<Adjusted>> {
        self.adjusted.as_ref()
    }

    pub(crate) fn deployments_shared(&self) -> &Arc<Deployments> {
        &self.deployments
    }

    /// Returns the entries of deployments with prices of their own.
    pub(crate) fn priced(&self) -> &PricedDeployments {
        &self.priced
    }

    /// Returns the deployments, in their order.
    pub fn deployments(&self) -> impl ExactSizeIterator<Item = &Deployment> {
        self.deployments.list().iter()
    }

    /// Returns all deployments as LiteLLM's `GET /model/info` shows them: the operator's fields of
    /// each merged with those of its model, without secrets. The list serialises to `{"data":
    /// [{"model_name", "litellm_params", "model_info"}]}`.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment};
    ///
    /// let map = CostMap::from_json(r#"{"gpt-x": {"litellm_provider": "openai", "max_input_tokens": 8192}}"#)?;
    /// map.add_deployment(Deployment::from_json(
    ///     r#"{"model_name": "mine", "litellm_params": {"model": "gpt-x", "api_key": "sk-1"}, "model_info": {"team": "a"}}"#,
    /// )?)?;
    /// let shown = serde_json::to_value(map.snapshot().model_info())?;
    /// assert_eq!(shown["data"][0]["litellm_params"], serde_json::json!({"model": "gpt-x"}));
    /// assert_eq!(shown["data"][0]["model_info"]["team"], "a");
    /// assert_eq!(shown["data"][0]["model_info"]["max_input_tokens"], 8192);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn model_info(&self) -> ModelInfoList<'_> {
        ModelInfoList { snapshot: self }
    }

    /// Returns the deployment of an id.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.by_id(id)
    }

    /// Returns the deployment of an id as LiteLLM's `GET /model/info?litellm_model_id=` shows it, merged
    /// with what the map says of its model, without secrets.
    #[must_use]
    pub fn deployment_info(&self, id: &str) -> Option<DeploymentInfo<'_>> {
        let deployment = self.deployments.by_id(id)?;
        Some(DeploymentInfo { deployment, snapshot: self })
    }

    /// Returns the deployments that can serve a name, in their order: those of the `model_name`, or else
    /// of the longest name with a `*` that matches. Each has the model that it leads to.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, Deployment};
    ///
    /// let map = CostMap::empty();
    /// map.set_deployments(Deployment::list_from_json(
    ///     r#"[{"model_name": "openai/*", "litellm_params": {"model": "azure/*"}},
    ///         {"model_name": "fast", "litellm_params": {"model": "groq/llama"}}]"#,
    /// )?)?;
    /// let snapshot = map.snapshot();
    /// let models: Vec<_> = snapshot.deployments_of("openai/gpt-x").map(|found| found.model).collect();
    /// assert_eq!(models, ["azure/gpt-x"]);
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn deployments_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = DeploymentMatch<'a>> {
        self.deployments.matches(name)
    }

    /// Returns what the map says of a deployment's model.
    pub(crate) fn info_of(&self, deployment: &Deployment) -> Option<ModelInfo<'_>> {
        let found = FoundDeployment::of(deployment);
        let info = found.with_lookup(self.layers(), |lookup| self.find(lookup));
        info.map(|found| found.model_info())
    }

    /// Returns what the map says of a model, under any name that it knows.
    #[must_use]
    pub fn get<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Option<ModelInfo<'_>> {
        self.find(lookup.into()).map(|found| found.model_info())
    }

    /// Returns the model that a name leads to, and the way it was found: a handle that prices calls
    /// without another lookup.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] if no entry answers to the name and no fallback rule describes it, and
    /// [`Error::NoPriceAt`] as for [`cost`](Self::cost).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "bundled")] {
    /// use llm_costmap::{CostMap, Lookup};
    ///
    /// let snapshot = CostMap::bundled().snapshot();
    /// let found = snapshot.resolve(Lookup::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0[1m]").provider("bedrock"))?;
    /// assert_eq!(found.key(), "anthropic.claude-sonnet-4-5-20250929-v1:0");
    /// assert_eq!(found.found_by().to_string(), "the stripped name, a key");
    /// # }
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn resolve<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Result<Resolved<'_>, Error> {
        let lookup = lookup.into();
        self.find(lookup).ok_or_else(|| self.unknown(lookup))
    }

    fn find(&self, lookup: Lookup<'_>) -> Option<Resolved<'_>> {
        Some(Resolved::new(self, lookup, look_up(self.layers(), lookup)?))
    }

    /// Returns the model that a name leads to, with this snapshot.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn resolve_owned<'n>(
        self: &Arc<Self>,
        lookup: impl Into<Lookup<'n>>,
    ) -> Result<ResolvedModel, Error> {
        let lookup = lookup.into();
        let found = self.find(lookup).and_then(|model| ResolvedModel::new(self, model));
        found.ok_or_else(|| self.unknown(lookup))
    }

    /// Returns the catalogue of an entry of this snapshot.
    fn catalog_of(&self, entry: EntryRef<'_>) -> Option<Arc<Catalog>> {
        if entry.is_of(&self.base) {
            return Some(self.base.clone());
        }
        let layers = self.layers();
        let of_view = |view: Option<&View>| view?.catalog_of(entry).cloned();
        if let Some(catalog) = of_view(layers.past()).or_else(|| of_view(self.retired.as_deref()?.under())) {
            return Some(catalog);
        }
        let own = layers.own?;
        own.row(own.position(entry.key())?).cloned()
    }

    /// Returns every candidate that is tried for a name, in order, and the reason that it is passed
    /// over. Intended for diagnostics: allocates and is much slower than
    /// [`resolve`](Self::resolve).
    #[must_use]
    pub fn explain<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Explanation {
        Explanation::of(self.layers(), lookup.into())
    }

    /// Returns at most three keys that are spelled almost like a name, nearest first.
    ///
    /// Intended for diagnostics. The first call on a snapshot prepares its keys, which takes a few
    /// milliseconds; a further call takes some tens of microseconds.
    #[must_use]
    pub fn near_names<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Vec<&str> {
        let lookup = lookup.into();
        let spellings = self.spellings.get_or_init(|| Spellings::of(self.layers()));
        spellings.near(lookup.name, lookup.provider)
    }

    fn unknown(&self, lookup: Lookup<'_>) -> Error {
        if let Some(error) = self.no_price_at(lookup) {
            return error;
        }
        Error::UnknownModel(Box::new(UnknownModel::new(lookup.name, lookup.provider, self.this.clone())))
    }

    /// Returns all models, in the order of the map, then those that only the operator knows.
    pub fn models(&self) -> impl Iterator<Item = ModelInfo<'_>> {
        self.layers().entries().map(|entry| self.info(entry))
    }

    fn info<'a>(&'a self, entry: EntryRef<'a>) -> ModelInfo<'a> {
        let set = self.own.as_deref().map_or(&[][..], |own| own.fields_set(entry.key()));
        let info = ModelInfo::of(entry, self.base.rules(), set);
        if self.layers().past().is_some_and(|past| past.position(entry).is_some()) {
            return info.without_filled_prices();
        }
        info
    }

    /// Returns the models that left the map and whose last prices are
    /// [kept](crate::CostMapBuilder::retired), in the order in which they left.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::{CostMap, RetiredModels, Usage};
    ///
    /// let map = CostMap::builder()
    ///     .json(r#"{"a": {"input_cost_per_token": 1e-6}, "b": {"input_cost_per_token": 2e-6}}"#)
    ///     .retired(RetiredModels::Keep)
    ///     .build()?;
    /// map.reload_from_bytes(r#"{"b": {"input_cost_per_token": 3e-6}}"#)?;
    /// let snapshot = map.snapshot();
    /// let retired: Vec<String> = snapshot.retired_models().map(|model| model.key().to_owned()).collect();
    /// assert!(retired.contains(&"a".to_owned()) && !retired.contains(&"b".to_owned()));
    /// assert_eq!(snapshot.total("a", &Usage::new(1_000_000, 0))?.to_string(), "1");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn retired_models(&self) -> impl Iterator<Item = ModelInfo<'_>> {
        let retired = self.retired.as_deref().and_then(Layer::under);
        let entries = retired.into_iter().flat_map(View::entries);
        entries.filter(|entry| self.layers().shows_retired(*entry)).map(|entry| self.info_of_retired(entry))
    }

    fn info_of_retired<'a>(&'a self, entry: EntryRef<'a>) -> ModelInfo<'a> {
        let info = ModelInfo::of(entry, self.base.rules(), &[]).without_filled_prices();
        info.with_retirement(self.retirement_of(entry))
    }

    /// Returns the number of models. Aliases are not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layers().len()
    }

    /// Returns whether the map has no models.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of this generation. The first is 1; every swap counts up.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the time at which the snapshot was made.
    #[must_use]
    pub fn loaded_at(&self) -> SystemTime {
        self.loaded_at
    }

    /// Returns the version of the text that the catalogue was read from.
    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// Returns the provenance of the prices: the same as
    /// [`CostMap::generation`](crate::CostMap::generation) later returns.
    #[must_use]
    pub fn provenance(&self) -> Generation {
        Generation {
            generation: self.generation,
            source: self.version.source.clone(),
            source_revision: self.version.revision.clone(),
            loaded_at: self.loaded_at,
        }
    }

    /// Returns the differences between this snapshot and a newer one: models that were added and
    /// removed, and prices that changed, the operator's included.
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::CostMap;
    ///
    /// let map = CostMap::from_json(r#"{"a": {"input_cost_per_token": 1e-6}, "b": {}}"#)?;
    /// let before = map.snapshot();
    /// map.reload_from_bytes(r#"{"a": {"input_cost_per_token": 2e-6}, "c": {}}"#)?;
    /// let diff = before.diff(&map.snapshot());
    /// assert_eq!((diff.added, diff.removed), (vec!["c".to_owned()], vec!["b".to_owned()]));
    /// assert_eq!(diff.repriced[0].to_string(), "a: input_cost_per_token: 0.000001 -> 0.000002 (x2)");
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    #[must_use]
    pub fn diff(&self, newer: &Self) -> Diff {
        let mut diff = Diff::between(self.layers(), newer.layers());
        diff.expired = newer.expired_since(self);
        diff
    }

    /// Returns the corrections that do not apply, and did in an older snapshot.
    pub(crate) fn expired_since(&self, older: &Self) -> Vec<ExpiredCorrection> {
        self.own.as_ref().map(|own| own.expired_since(older.own.as_deref())).unwrap_or_default()
    }

    /// Returns the corrections of [`CostMap::register_model_while`](crate::CostMap::register_model_while) that
    /// do not apply, since the map says something else.
    pub fn expired_corrections(&self) -> impl Iterator<Item = &ExpiredCorrection> {
        self.own.iter().flat_map(|own| own.expired())
    }

    /// Returns the rows of the map that were not loaded, since their prices cannot be trusted, and
    /// the fallback rules that are invalid.
    pub fn set_aside(&self) -> impl Iterator<Item = &SetAside> {
        let past = self.layers().past();
        let of_base = if past.is_none() { Some(self.base.set_aside()) } else { None };
        let of_rules = past.map_or(&[][..], |_| self.base.rules().set_aside());
        past.into_iter().flat_map(View::set_aside).chain(of_rules).chain(of_base.into_iter().flatten())
    }

    /// Returns warnings about rows that were loaded, the operator's included. For a snapshot of
    /// [an earlier time](crate::history), these are the operator's alone.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> {
        let own = self.own.iter().flat_map(|own| own.warnings());
        own.chain(&self.notes().warnings).chain(self.priced.warnings())
    }

    /// Returns the fields of the map that name a cost and price no call, by name. A snapshot of
    /// [an earlier time](crate::history) lists none.
    #[must_use]
    pub fn unpriced_fields(&self) -> &[UnpricedField] {
        &self.notes().unpriced_fields
    }

    /// Returns what was noted when the map was read. For a snapshot of an earlier time, this is nothing.
    fn notes(&self) -> &Notes {
        static NONE: Notes = Notes::NONE;
        if self.layers().past().is_some() { &NONE } else { self.base.notes() }
    }
}

impl Suggest for Snapshot {
    fn suggest(&self, name: &str, provider: Option<&str>) -> Vec<String> {
        self.near_names(Lookup { provider, ..Lookup::new(name) }).into_iter().map(str::to_owned).collect()
    }

    fn set_aside(&self, name: &str, provider: Option<&str>) -> Option<String> {
        row_set_aside(self.layers(), Lookup { provider, ..Lookup::new(name) }).map(SetAside::said)
    }
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
