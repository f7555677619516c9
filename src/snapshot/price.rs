//! Prices calls by a snapshot: by key, by a remembered or a new name, through a deployment.

use super::Snapshot;
use super::retired::{by_set, retired};
use super::terms::{Keys, OverEntry, Route, prices_of};
use crate::catalog::{EntryRef, NameHash};
use crate::cost::{self, AskedProvider, Call, Cost, Note, SetPrices, Subject};
use crate::deployment::DeploymentLookup;
use crate::error::Error;
use crate::json;
use crate::num::Usd;
use crate::rates::{RateSet, RuleProvider};
use crate::resolve::{
    Answer, Lookup, Remembered, is_router_entry, look_up, router_fee, row_set_aside, unit_entry,
};
use crate::text::clip;
use crate::usage::UnknownTier;

impl Snapshot {
    /// Prices a call to a model.
    ///
    /// The model is a name or a [`Lookup`]; the call is a [`Usage`](crate::Usage) or a [`Call`].
    ///
    /// # Errors
    ///
    /// - [`Error::UnknownModel`] if no entry answers to the name; for a snapshot of [an earlier
    ///   time](crate::history), [`Error::NoPriceAt`] if one does at another time.
    /// - [`Error::Unpriced`] if the call used something that the map has no price for.
    /// - [`Error::Overflow`] if an amount is beyond the range of [`Usd`].
    #[inline]
    pub fn cost<'n, 'c>(
        &self,
        model: impl Into<Lookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Cost, Error> {
        self.cost_of(model.into(), &call.into())
    }

    /// Returns the total of a call to a model: the amount of [`cost`](Self::cost), in less time.
    ///
    /// # Errors
    ///
    /// The errors of [`cost`](Self::cost); and, since a total cannot carry a
    /// [note](crate::cost::Note), [`Error::UnknownServiceTier`] and [`Error::UnknownDataResidency`]
    /// unless the call [accepts them](Call::accept_unknown).
    #[inline]
    pub fn total<'n, 'c>(
        &self,
        model: impl Into<Lookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Usd, Error> {
        self.total_of(model.into(), &call.into())
    }

    /// Prices a call that a deployment served. The deployment is named by its id, by a `model_name`
    /// whose deployments do not differ in price, or by its id with the model that was asked for: see
    /// [`DeploymentLookup`].
    ///
    /// A `*` in a `model_name` stands for any text: exact names go first, then the longest. The
    /// deployment's own prices lie over those of its model, which is its `base_model` or else its
    /// `litellm_params.model`. The key of the cost is that of the model.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDeployment`]; [`Error::AmbiguousDeployment`], with the ids, if the
    /// deployments of a name differ in price; and the errors of [`cost`](Self::cost).
    #[inline]
    pub fn deployment_cost<'n, 'c>(
        &self,
        deployment: impl Into<DeploymentLookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Cost, Error> {
        self.deployment_cost_of(deployment.into(), &call.into())
    }

    /// Returns the total of a call that a deployment served: the amount of
    /// [`deployment_cost`](Self::deployment_cost).
    ///
    /// # Errors
    ///
    /// The errors of [`deployment_cost`](Self::deployment_cost), and those of words that a total cannot
    /// note: see [`total`](Self::total).
    #[inline]
    pub fn deployment_total<'n, 'c>(
        &self,
        deployment: impl Into<DeploymentLookup<'n>>,
        call: impl Into<Call<'c>>,
    ) -> Result<Usd, Error> {
        self.deployment_total_of(deployment.into(), &call.into())
    }

    pub(crate) fn deployment_total_of(
        &self,
        deployment: DeploymentLookup<'_>,
        call: &Call<'_>,
    ) -> Result<Usd, Error> {
        checked_total(self.deployment_cost_of(deployment, call), call)
    }

    pub(crate) fn cost_of(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Result<Cost, Error> {
        let hash = NameHash::of(lookup.name);
        match self.named(lookup, hash) {
            Some(entry) => self.price(entry, Route::KEY, lookup, None, call),
            None => self.cost_of_name(lookup, hash, call),
        }
    }

    /// Returns the entry of a name that is a key or an alias: the common case.
    #[inline]
    fn named(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<EntryRef<'_>> {
        if lookup.provider.is_some() {
            return None;
        }
        match &self.own {
            None => self.base.find_hashed(lookup.name, hash),
            Some(_) => self.named_over(lookup.name, hash),
        }
    }

    #[inline(never)]
    fn named_over(&self, name: &str, hash: NameHash) -> Option<EntryRef<'_>> {
        self.layers().exact_hashed(name, hash)
    }

    #[inline(never)]
    fn cost_of_name(&self, lookup: Lookup<'_>, hash: NameHash, call: &Call<'_>) -> Result<Cost, Error> {
        match self.remembered(lookup, hash) {
            Some((entry, route)) if route.is_retired => {
                retired(self.price(entry, route, lookup, None, call), by_set(call, lookup, entry))
            }
            Some((entry, route)) => self.price(entry, route, lookup, None, call),
            None if self.memo.is_unknown(lookup, hash) => self.cost_of_unknown(lookup, call),
            None => self.cost_of_new_name(lookup, hash, call),
        }
    }

    /// Returns the entry that a name led to before, and the way that it did.
    #[inline]
    fn remembered(&self, lookup: Lookup<'_>, hash: NameHash) -> Option<(EntryRef<'_>, Route)> {
        let found = self.memo.get(lookup, hash)?;
        let is_retired = found.is_retired();
        let route = Route { provider: Some(found.provider), rules: Some(found.rules), is_retired };
        Some((found.entry(&self.base, || self.layers())?, route))
    }

    /// Returns whether names are remembered. A snapshot of an earlier time is used for few calls, mostly for
    /// one, and the memory takes longer to make than a lookup.
    fn remembers(&self) -> bool {
        self.layers().past().is_none()
    }

    /// Looks up a name that is no key and is not remembered, and prices the call.
    #[cold]
    fn cost_of_new_name(&self, lookup: Lookup<'_>, hash: NameHash, call: &Call<'_>) -> Result<Cost, Error> {
        let layers = self.layers();
        let Some(found) = look_up(layers, lookup) else {
            if self.remembers() {
                self.memo.put_unknown(lookup, hash);
            }
            return self.cost_of_unknown(lookup, call);
        };
        let provider = RuleProvider::of(found.provider, lookup.name);
        match &found.answer {
            Answer::Entry(entry) => {
                let rules = self.rules_to_remember(lookup, *entry);
                let remembered = Remembered::new(layers, *entry, provider, rules);
                if let Some(remembered) = remembered.filter(|_| self.remembers()) {
                    self.memo.put(lookup, hash, remembered);
                }
                let is_retired = found.found_by.retired;
                let route = Route { provider: Some(provider), rules: Some(rules), is_retired };
                let priced = self.price(*entry, route, lookup, None, call);
                if is_retired { retired(priced, by_set(call, lookup, *entry)) } else { priced }
            }
            Answer::SelfHosted => self.free(lookup, call),
            Answer::Described(catalog) => {
                let entry = catalog.entry(0).ok_or_else(|| self.unknown(lookup))?;
                self.price(entry, Route::by(provider), lookup, None, call)
            }
        }
    }

    /// Returns the cost of a call to a model that the map does not know: that of its images by quality
    /// and size, or what its provider states, if it is trusted with that.
    #[cold]
    fn cost_of_unknown(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Result<Cost, Error> {
        let units = call.units_that_choose().filter(|_| !lookup.strict);
        let entry = units.and_then(|units| unit_entry(self.layers(), lookup.name, lookup.provider, units));
        if let Some(entry) = entry {
            let provider = RuleProvider::of(lookup.provider, lookup.name);
            let priced = self.price(entry, Route::by(provider), lookup, None, call);
            let is_retired = self.is_retired(entry);
            return if is_retired { retired(priced, by_set(call, lookup, entry)) } else { priced };
        }
        if let Some(priced) = self.price_by_set_alone(lookup, call) {
            return priced;
        }
        let stated = call.states_cost() && self.trusted.trust(lookup, None);
        let is_set_aside = || row_set_aside(self.layers(), lookup).is_some();
        let cost = if stated && !lookup.strict && !is_set_aside() {
            Cost::stated_alone(lookup.name, self.generation, call)
        } else {
            None
        };
        self.finish(cost.ok_or_else(|| self.unknown(lookup)), lookup, None, call)
    }

    /// Returns the cost of a call to a model that runs on the caller's own machines.
    pub(super) fn free(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Result<Cost, Error> {
        let free = || self.finish(Ok(Cost::free(lookup.name, self.generation)), lookup, None, call);
        self.price_by_set_alone(lookup, call).unwrap_or_else(free)
    }

    /// Prices a call to a model without an entry, if a price set of the call has the model.
    fn price_by_set_alone(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Option<Result<Cost, Error>> {
        let set = prices_of(call, lookup, &[])?;
        let (provider, only) = (RuleProvider::of(lookup.provider, lookup.name), call.settled());
        let layer = OverEntry { set: Some(set), key: lookup.name, entry: None, is_lasting: true };
        let own = self.price_over(layer, lookup, Vec::new, |own| {
            self.price_by(own, Some(provider), lookup, None, Some(set), &only)
        });
        Some(self.finish(own, lookup, None, call))
    }

    /// Adds to the bill of a model's own what other models of the response cost, and what follows after
    /// the prices.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "moving a bill is measurable")]
    fn finish(
        &self,
        own: Result<Cost, Error>,
        lookup: Lookup<'_>,
        found: Option<(EntryRef<'_>, Route)>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        // Moving a bill is measurable.
        if call.parts().is_empty() && !self.has_more(call) {
            return own;
        }
        let whole = if call.parts().is_empty() { own } else { self.add_parts(own, lookup, call) };
        self.settle(whole, lookup, found, call)
    }

    #[inline]
    pub(crate) fn total_of(&self, lookup: Lookup<'_>, call: &Call<'_>) -> Result<Usd, Error> {
        let hash = NameHash::of(lookup.name);
        match self.named(lookup, hash) {
            Some(entry) => self.total_by(entry, Route::KEY, || lookup, None, call),
            None => self.total_of_name(lookup, hash, call),
        }
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a result that is returned through memory is measurably slower")]
    pub(super) fn total_by<'n>(
        &self,
        entry: EntryRef<'_>,
        route: Route,
        lookup: impl Fn() -> Lookup<'n>,
        trusts: Option<bool>,
        call: &Call<'_>,
    ) -> Result<Usd, Error> {
        let asked = route.provider.map_or_else(|| AskedProvider::InName(lookup().name), AskedProvider::Known);
        match entry.rates().and_then(|rates| cost::plain_total(rates, asked, call)) {
            Some(total) if !self.may_adjust(entry, route) => Ok(total),
            Some(total) => self.adjusted_total(total, entry, route, lookup()),
            None => checked_total(self.price(entry, route, lookup(), trusts, call), call),
        }
    }

    #[inline(never)]
    fn total_of_name(&self, lookup: Lookup<'_>, hash: NameHash, call: &Call<'_>) -> Result<Usd, Error> {
        match self.remembered(lookup, hash) {
            Some((entry, route)) => self.total_by(entry, route, || lookup, None, call),
            None if call.is_plain() && !call.states_cost() && self.memo.is_unknown(lookup, hash) => {
                Err(self.unknown(lookup))
            }
            None => checked_total(self.cost_of_new_name(lookup, hash, call), call),
        }
    }

    /// Prices a call by an entry. `trusts` says whether the provider is trusted with the amounts
    /// that it states, if the lookup does not.
    pub(super) fn price(
        &self,
        entry: EntryRef<'_>,
        route: Route,
        lookup: Lookup<'_>,
        trusts: Option<bool>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        if call.is_apart || self.may_adjust(entry, route) {
            return self.price_apart(entry, route, lookup, trusts, call);
        }
        self.price_by(entry, route.provider, lookup, trusts, None, call)
    }

    /// Prices a call by an entry alone. `set` is the price set that lies over the entry.
    fn price_by(
        &self,
        entry: EntryRef<'_>,
        provider: Option<RuleProvider>,
        lookup: Lookup<'_>,
        trusts: Option<bool>,
        set: Option<SetPrices<'_>>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let Some(rates) = entry.rates() else { return Err(self.unknown(lookup)) };
        let (key, asked) = (entry.key(), asked(provider, lookup));
        cost::price(rates, key, asked, self.generation, call, || {
            let router = call
                .requested_model
                .and_then(|requested| router_fee(self.layers(), Lookup { name: requested, ..lookup }));
            Subject {
                rates,
                key,
                provider: asked,
                tool_provider: if call.may_use_tools() { tool_provider(entry, lookup) } else { None },
                // The router's own entry is the fee already.
                router: router.filter(|_| !is_router_entry(key)).and_then(EntryRef::rates),
                container: self.container(lookup, entry, call),
                request_fee: {
                    let is_set =
                        set.is_some_and(|set| set.mentions(REQUEST_FEE)) || self.sets(key, REQUEST_FEE);
                    if is_set { rates.request_fee() } else { None }
                },
                operator_priced: set.is_some() || self.own.as_deref().is_some_and(|own| own.is_priced(key)),
                trusts_stated: call.states_cost()
                    && trusts.unwrap_or_else(|| self.trusted.trust(lookup, Some(entry))),
                generation: self.generation,
            }
        })
    }

    /// Prices a call to an entry that may have others for its units, or a call that used several
    /// models.
    #[cold]
    fn price_apart(
        &self,
        entry: EntryRef<'_>,
        route: Route,
        lookup: Lookup<'_>,
        trusts: Option<bool>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let chosen = |units| unit_entry(self.layers(), entry.key(), entry.provider(), units);
        // The tokens of images go first.
        let by_size = call.units_that_choose().filter(|_| !is_by_tokens(entry, call)).and_then(chosen);
        let (priced_by, only) = (by_size.unwrap_or(entry), call.settled());
        let set = prices_of(call, lookup, &[priced_by, entry]);
        let is_lasting = self.catalog_of(priced_by).is_some();
        let layer = OverEntry { set, key: priced_by.key(), entry: Some(priced_by), is_lasting };
        let fields = || self.layers().fields_of(priced_by);
        let own = self.price_over(layer, lookup, fields, |own| {
            self.price_by(own, route.provider, lookup, trusts, set, &only)
        });
        let is_retired = by_size.is_some_and(|entry| self.is_retired(entry));
        let own = if is_retired { retired(own, by_set(call, lookup, priced_by)) } else { own };
        self.finish(own, lookup, Some((entry, route)), call)
    }

    /// Returns the rates of the container that runs the provider's code interpreter.
    fn container(&self, lookup: Lookup<'_>, entry: EntryRef<'_>, call: &Call<'_>) -> Option<&RateSet> {
        call.units_used()?.code_interpreter_sessions?;
        let provider = tool_provider(entry, lookup)?;
        self.layers().exact(&format!("{provider}/container"))?.rates()
    }

    /// Returns whether the operator set a field of a model.
    fn sets(&self, key: &str, field: &str) -> bool {
        let set = self.own.as_deref().map_or(&[][..], |own| own.fields_set(key));
        set.iter().any(|known| **known == *field)
    }

    pub(crate) fn deployment_cost_of(
        &self,
        deployment: DeploymentLookup<'_>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let found = self.deployments.find(deployment)?;
        let now = found.priced_now(self.layers())?;
        let own = match &now {
            Some(catalog) => catalog.entry(0),
            None => self.priced.entry(found.position),
        };
        let prepaid = if found.is_prepaid() { call.prepaid() } else { *call };
        let call = &prepaid;
        found.with_lookup(self.layers(), |lookup| {
            let Some(own) = own else { return self.cost_of(lookup, call) };
            let model = look_up(self.layers(), lookup);
            let entry = model.as_ref().and_then(|model| match &model.answer {
                Answer::Entry(entry) => Some(*entry),
                Answer::SelfHosted | Answer::Described(_) => None,
            });
            let key = entry.map_or(lookup.name, EntryRef::key);
            let provider = model.as_ref().map_or(lookup.provider, |model| model.provider);
            let provider = RuleProvider::of(provider, lookup.name);
            let (route, provider) = (Route::by(provider), AskedProvider::Known(provider));
            // Whether the deployment sets the fee is read from its text, which takes longer.
            let fee = own.rates().and_then(RateSet::request_fee);
            let fee = fee.filter(|_| found.sets(REQUEST_FEE) || self.sets(key, REQUEST_FEE));
            // Images are billed by the entry of their size, unless the deployment has a price of them.
            let has_prices = || own.rates().is_some_and(RateSet::prices_images);
            let units = call.units_that_choose().filter(|_| !is_by_tokens(own, call) && !has_prices());
            let by_size = units.and_then(|units| unit_entry(self.layers(), key, lookup.provider, units));
            let (own, key) = by_size.map_or((own, key), |entry| (entry, entry.key()));
            let set = prices_of(call, lookup, &[by_size, entry].into_iter().flatten().collect::<Keys<'_>>());
            let only = call.settled();
            let layer = OverEntry { set, key: own.key(), entry: Some(own), is_lasting: now.is_none() };
            // The fields of a deployment were filled in by the rules of the map under the model's key.
            let fields = || match by_size {
                Some(sized) => self.layers().fields_of(sized),
                None => json::fields(own.json()).unwrap_or_default(),
            };
            let priced = self.price_over(layer, lookup, fields, |own| {
                let Some(rates) = own.rates() else { return Err(self.unknown(lookup)) };
                let of_set = set.filter(|set| set.mentions(REQUEST_FEE)).map(|_| rates.request_fee());
                let mut priced = cost::price(rates, key, provider, self.generation, &only, || Subject {
                    rates,
                    key,
                    provider,
                    tool_provider: tool_provider(own, lookup),
                    router: None,
                    container: self.container(lookup, own, call),
                    request_fee: of_set.unwrap_or(fee),
                    // Own prices win over an amount that a provider states.
                    operator_priced: true,
                    trusts_stated: false,
                    generation: self.generation,
                });
                if let (Ok(cost), None) = (&mut priced, by_size) {
                    cost.mark_deployment();
                }
                priced
            });
            let is_retired = match by_size {
                Some(entry) => self.is_retired(entry),
                None => model.is_some_and(|model| model.found_by.retired),
            };
            let is_other = |field: &str| {
                set.is_some_and(|set| set.mentions(field)) || (by_size.is_none() && found.sets(field))
            };
            let priced = if is_retired { retired(priced, is_other) } else { priced };
            self.finish(priced, lookup, Some((entry.unwrap_or(own), route)), call)
        })
    }
}

/// Returns whether the tokens of a completion stand for the images that a call made.
fn is_by_tokens(entry: EntryRef<'_>, call: &Call<'_>) -> bool {
    call.usage.completion_tokens > 0 && entry.rates().is_some_and(RateSet::prices_tokens)
}

/// Returns the provider whose rules the prices of tools follow.
fn tool_provider<'a>(entry: EntryRef<'a>, lookup: Lookup<'a>) -> Option<&'a str> {
    let of_key = || entry.key().split_once('/').map(|(first, _)| first);
    entry.provider().or(lookup.provider).or_else(of_key)
}

/// The fee of a request. In the public map it is not billed, as in LiteLLM.
const REQUEST_FEE: &str = "input_cost_per_request";

/// Returns the provider that rules of prices ask for; if none is known, the one that the name
/// begins with.
#[inline]
fn asked(known: Option<RuleProvider>, lookup: Lookup<'_>) -> AskedProvider<'_> {
    known.map_or(AskedProvider::InName(lookup.name), AskedProvider::Known)
}

/// Returns the total of a cost, unless a note that the total would lose says that a word is
/// unknown.
#[inline(never)]
fn checked_total(cost: Result<Cost, Error>, call: &Call<'_>) -> Result<Usd, Error> {
    let cost = cost?;
    // The words do not matter to an amount that the provider states.
    let is_stated = || cost.notes().any(|note| note == Note::StatedByProvider);
    if !call.accepts_unknown && !is_stated() {
        for note in cost.notes() {
            match note {
                Note::UnknownServiceTier => {
                    let tier = call.unknown_tier.as_ref().map_or("", UnknownTier::as_str).to_owned();
                    return Err(Error::UnknownServiceTier { tier });
                }
                Note::UnknownDataResidency => {
                    let region = clip(call.data_residency.unwrap_or_default()).to_owned();
                    return Err(Error::UnknownDataResidency { region });
                }
                _ => {}
            }
        }
    }
    Ok(cost.total())
}
