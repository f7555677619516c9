//! [`Snapshot`]: one immutable generation of the map.

mod model_info_list;
mod resolved;

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;

use crate::catalog::{Catalog, EntryRef, NameHash, SetAside, UnpricedField, Warning};
use crate::cost::{self, Cost, CostRequest, Subject};
use crate::deployment::{Deployment, Deployments, FoundDeployment, Priced};
use crate::diff::Diff;
use crate::error::{Error, Suggest, UnknownModel};
use crate::model_info::ModelInfo;
use crate::overlay::Overlay;
use crate::rates::RuleProvider;
use crate::resolve::{
    Answer, Explanation, Layers, Lookup, Memo, Remembered, Spellings, is_router_entry, look_up, router_fee,
    self_hosted_info,
};
use crate::usd::Usd;
use crate::version::{Generation, Version};

pub use model_info_list::ModelInfoList;
use resolved::Rates;
pub use resolved::Resolved;

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
    own: Option<Arc<Overlay>>,
    deployments: Arc<Deployments>,
    priced: Arc<Priced>,
    version: Arc<Version>,
    generation: u64,
    loaded_at: SystemTime,
    /// Names that are no keys, and were priced by before.
    memo: Memo,
    /// Prepared when somebody asks for near names.
    spellings: OnceLock<Spellings>,
    /// For errors, which look for near names when they are read.
    this: Weak<Self>,
}

/// What a snapshot is made of.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) base: Arc<Catalog>,
    pub(crate) version: Arc<Version>,
    pub(crate) own: Option<Arc<Overlay>>,
    pub(crate) deployments: Arc<Deployments>,
    pub(crate) priced: Arc<Priced>,
    pub(crate) generation: u64,
}

impl Snapshot {
    pub(crate) fn new(parts: Parts, loaded_at: SystemTime) -> Arc<Self> {
        let Parts { base, version, own, deployments, priced, generation } = parts;
        Arc::new_cyclic(|this| Self {
            base,
            version,
            own,
            deployments,
            priced,
            generation,
            loaded_at,
            memo: Memo::default(),
            spellings: OnceLock::new(),
            this: this.clone(),
        })
    }

    fn layers(&self) -> Layers<'_> {
        Layers { own: self.own.as_deref().map(Overlay::layer), base: &self.base }
    }

    /// The operator's models.
    pub(crate) fn overlay(&self) -> Option<&Arc<Overlay>> {
        self.own.as_ref()
    }

    pub(crate) fn deployments_shared(&self) -> &Arc<Deployments> {
        &self.deployments
    }

    /// The entries of deployments with prices of their own.
    pub(crate) fn priced(&self) -> &Priced {
        &self.priced
    }

    /// What a call costs.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] where no entry answers to the name, [`Error::Overflow`] where the bill
    /// would leave the range of [`Usd`](crate::Usd). Something that was used and has no price is no error: see
    /// [`Cost::is_complete`].
    pub fn cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        let hash = NameHash::of(request.lookup.name);
        match self.named(request.lookup, hash) {
            Some(entry) => self.price(entry, None, request),
            None => self.cost_of_name(request, hash),
        }
    }

    /// A name that is a key is that entry: the common case, and the fast one.
    #[inline]
    fn named(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<EntryRef<'_>> {
        if lookup.provider.is_none() { self.layers().exact_hashed(lookup.name, hash) } else { None }
    }

    #[inline(never)]
    fn cost_of_name(&self, request: &CostRequest<'_>, hash: NameHash) -> Result<Cost, Error> {
        match self.remembered(request.lookup, hash) {
            Some((entry, provider)) => self.price(entry, Some(provider), request),
            None if self.memo.is_unknown(request.lookup, hash) => Err(self.unknown(request.lookup)),
            None => self.cost_of_new_name(request, hash),
        }
    }

    /// The entry that a name led to before, and the provider asked for.
    #[inline]
    fn remembered(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<(EntryRef<'_>, RuleProvider)> {
        let found = self.memo.get(lookup, hash)?;
        Some((found.entry(self.layers())?, found.provider))
    }

    /// What a call costs whose name is no key, or that a provider is asked for, and that is not remembered.
    #[cold]
    fn cost_of_new_name(&self, request: &CostRequest<'_>, hash: NameHash) -> Result<Cost, Error> {
        let (layers, lookup) = (self.layers(), request.lookup);
        let Some(found) = look_up(layers, lookup) else {
            self.memo.put_unknown(lookup, hash);
            return Err(self.unknown(lookup));
        };
        let provider = RuleProvider::of(found.provider, lookup.name);
        match &found.answer {
            Answer::Entry(entry) => {
                if let Some(found) = Remembered::new(layers, *entry, provider) {
                    self.memo.put(lookup, hash, found);
                }
                self.price(*entry, Some(provider), request)
            }
            Answer::SelfHosted => Ok(self.free(lookup.name)),
            Answer::Described(catalog) => {
                let entry = catalog.entry(0).ok_or_else(|| self.unknown(lookup))?;
                self.price(entry, Some(provider), request)
            }
        }
    }

    /// What a call costs to a model that runs on the caller's own machines.
    fn free(&self, name: &str) -> Cost {
        Cost::free(name, self.generation)
    }

    /// What a call costs in all, for those who need no lines: the same amount as that of [`cost`](Self::cost), in less time.
    ///
    /// # Errors
    ///
    /// As [`cost`](Self::cost); and [`Error::Incomplete`] where something that was used has no price, since a sum alone would not show
    /// that it is too low.
    #[inline]
    pub fn total(&self, request: &CostRequest<'_>) -> Result<Usd, Error> {
        let hash = NameHash::of(request.lookup.name);
        match self.named(request.lookup, hash) {
            Some(entry) => self.total_by(entry, None, request),
            None => self.total_of_name(request, hash),
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "handed back through memory, an amount is waited for")]
    fn total_by(
        &self,
        entry: EntryRef<'_>,
        provider: Option<RuleProvider>,
        request: &CostRequest<'_>,
    ) -> Result<Usd, Error> {
        match cost::plain_total(entry, provider, request) {
            Some(total) => Ok(total),
            None => total_of(self.price(entry, provider, request)),
        }
    }

    #[inline(never)]
    fn total_of_name(&self, request: &CostRequest<'_>, hash: NameHash) -> Result<Usd, Error> {
        match self.remembered(request.lookup, hash) {
            Some((entry, provider)) => self.total_by(entry, Some(provider), request),
            None if self.memo.is_unknown(request.lookup, hash) => Err(self.unknown(request.lookup)),
            None => total_of(self.cost_of_new_name(request, hash)),
        }
    }

    fn price(
        &self,
        entry: EntryRef<'_>,
        provider: Option<RuleProvider>,
        request: &CostRequest<'_>,
    ) -> Result<Cost, Error> {
        cost::price(entry, entry.key(), provider, self.generation, request, || {
            self.subject(entry, provider, request)
        })
    }

    fn subject<'a>(
        &'a self,
        entry: EntryRef<'a>,
        provider: Option<RuleProvider>,
        request: &CostRequest<'_>,
    ) -> Subject<'a> {
        let router = request
            .requested_model
            .and_then(|requested| router_fee(self.layers(), Lookup { name: requested, ..request.lookup }));
        Subject {
            entry,
            key: entry.key(),
            provider,
            // A router's own entry is the fee already.
            router: router.filter(|_| !is_router_entry(entry.key())),
            operator_priced: self.own.as_deref().is_some_and(|own| own.is_priced(entry.key())),
            generation: self.generation,
        }
    }

    /// What a call costs that a deployment served: the request's model is the id of one, or a `model_name` whose deployments cost
    /// alike. A name with a `*` stands for all that it matches; exact names go first, then the longest.
    ///
    /// The deployment's own prices lie over those of its model, which is its `base_model`, or else its `litellm_params.model`.
    /// The key of the cost is that of the model.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`], [`Error::AmbiguousDeployment`] with the ids where the deployments of a name differ in
    /// what they cost, and as [`cost`](Self::cost).
    pub fn deployment_cost(&self, request: &CostRequest<'_>) -> Result<Cost, Error> {
        let found = self.deployments.find(request.lookup.name)?;
        let now = found.priced_now(self.layers())?;
        let own = match &now {
            Some(catalog) => catalog.entry(0),
            None => self.priced.entry(found.position),
        };
        found.with_lookup(self.layers(), |lookup| {
            let request = CostRequest { lookup: Lookup { strict: false, ..lookup }, ..*request };
            let Some(entry) = own else { return self.cost(&request) };
            let model = look_up(self.layers(), lookup);
            let key = model.as_ref().map_or(lookup.name, |model| match &model.answer {
                Answer::Entry(entry) => entry.key(),
                Answer::SelfHosted | Answer::Described(_) => lookup.name,
            });
            let provider = model.as_ref().map_or(lookup.provider, |model| model.provider);
            let provider = Some(RuleProvider::of(provider, lookup.name));
            cost::price(entry, key, provider, self.generation, &request, || Subject {
                entry,
                key,
                provider,
                router: None,
                // Own prices win over what a provider states.
                operator_priced: true,
                generation: self.generation,
            })
        })
    }

    /// The deployments, in their order.
    pub fn deployments(&self) -> impl ExactSizeIterator<Item = &Deployment> {
        self.deployments.list().iter()
    }

    /// All deployments as LiteLLM's `GET /model/info` shows them: what the operator says of each merged with what the map knows
    /// of its model, and no secret. It serialises to `{"data": [{"model_name", "litellm_params", "model_info"}]}`.
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

    /// What the map knows of a deployment's model.
    pub(crate) fn info_of(&self, deployment: &Deployment) -> Option<ModelInfo<'_>> {
        let found = FoundDeployment::of(deployment);
        let info = found.with_lookup(self.layers(), |lookup| self.find(lookup));
        info.map(|found| found.model_info)
    }

    /// What the map says of a model, under any name that it knows.
    #[must_use]
    pub fn get<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Option<ModelInfo<'_>> {
        self.find(lookup.into()).map(|found| found.model_info)
    }

    /// The model that a name leads to, and how: the entry that prices its calls.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownModel`] where no entry answers to the name, and no fallback rule describes it.
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
    /// assert_eq!(found.found_by.to_string(), "the stripped name, a key");
    /// # }
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn resolve<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Result<Resolved<'_>, Error> {
        let lookup = lookup.into();
        self.find(lookup).ok_or_else(|| self.unknown(lookup))
    }

    fn find(&self, lookup: Lookup<'_>) -> Option<Resolved<'_>> {
        let found = look_up(self.layers(), lookup)?;
        let provider = RuleProvider::of(found.provider, lookup.name);
        let (model_info, rates) = match found.answer {
            Answer::Entry(entry) => (self.info(entry), Rates::Entry(entry)),
            Answer::SelfHosted => {
                let info = self_hosted_info(self.layers(), lookup);
                (ModelInfo::of_text(lookup.name.to_owned(), info), Rates::SelfHosted)
            }
            Answer::Described(catalog) => {
                let entry = catalog.entry(0)?;
                let info = ModelInfo::of_text(entry.key().to_owned(), entry.json().to_owned());
                (info, Rates::Described(Arc::from(catalog)))
            }
        };
        let router = lookup.provider.map(|asked| if asked == "azure_ai" { "azure_ai" } else { "" });
        Some(Resolved { model_info, found_by: found.found_by, snapshot: self, rates, router, provider })
    }

    /// Every candidate that is tried for a name, in order, and why it is passed over. For people: it takes its time.
    #[must_use]
    pub fn explain<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Explanation {
        Explanation::of(self.layers(), lookup.into())
    }

    /// Returns the keys that are written almost like a name, nearest first; at most three.
    ///
    /// Intended for diagnostics. The first call on a snapshot prepares its keys, which takes a few milliseconds; a further one takes some
    /// tens of microseconds.
    #[must_use]
    pub fn near_names<'n>(&self, lookup: impl Into<Lookup<'n>>) -> Vec<&str> {
        let lookup = lookup.into();
        let spellings = self.spellings.get_or_init(|| Spellings::of(self.layers()));
        spellings.near(lookup.name, lookup.provider)
    }

    fn unknown(&self, lookup: Lookup<'_>) -> Error {
        Error::UnknownModel(Box::new(UnknownModel::new(lookup.name, lookup.provider, self.this.clone())))
    }

    /// All models, in the order of the map, then those that only the operator knows.
    pub fn models(&self) -> impl Iterator<Item = ModelInfo<'_>> {
        self.layers().entries().map(|entry| self.info(entry))
    }

    fn info<'a>(&'a self, entry: EntryRef<'a>) -> ModelInfo<'a> {
        let said = self.own.as_deref().and_then(|own| own.said(entry.key()));
        ModelInfo::of(entry, self.base.rules(), said)
    }

    /// How many models there are. Aliases are other names of a model, and not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.base.len() + self.layers().only_own().count()
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

    /// Which text its catalogue was read from.
    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// Which prices it has: what [`CostMap::generation`](crate::CostMap::generation) tells of it later.
    #[must_use]
    pub fn provenance(&self) -> Generation {
        Generation {
            generation: self.generation,
            source: self.version.source.clone(),
            source_revision: self.version.revision.clone(),
            loaded_at: self.loaded_at,
        }
    }

    /// What changed from this snapshot to a newer one: models that came and went, and their prices, the operator's included.
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
        Diff::between(self.layers(), newer.layers())
    }

    /// The rows of the map that were not loaded, since their prices cannot be trusted, and the fallback rules
    /// that are none.
    pub fn set_aside(&self) -> impl Iterator<Item = &SetAside> {
        self.base.set_aside()
    }

    /// What is odd about rows that were loaded all the same, the operator's included.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> {
        let own = self.own.iter().flat_map(|own| own.warnings());
        own.chain(&self.base.notes().warnings).chain(self.priced.warnings())
    }

    /// Fields that name a cost which this version does not know, by name. They price nothing.
    #[must_use]
    pub fn unpriced_fields(&self) -> &[UnpricedField] {
        &self.base.notes().unpriced_fields
    }
}

impl Suggest for Snapshot {
    fn suggest(&self, name: &str, provider: Option<&str>) -> Vec<String> {
        self.near_names(Lookup { name, provider, strict: false }).into_iter().map(str::to_owned).collect()
    }
}

#[inline(never)]
fn total_of(cost: Result<Cost, Error>) -> Result<Usd, Error> {
    cost?.require_complete().map(|cost| cost.total())
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
