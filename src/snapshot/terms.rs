//! The terms of a call: price sets over the prices of the map, and what follows after the prices:
//! discounts, margins, and calls that were prepaid.

use arrayvec::ArrayVec;

use super::Snapshot;
use super::adjusted::rules_of;
use crate::catalog::{EntryRef, SetAside};
use crate::cost::{Call, CallRules, Cost, ModelName, SetPrices};
use crate::error::Error;
use crate::json::JsonField;
use crate::num::Usd;
use crate::rates::{RuleProvider, provider_of_kind};
use crate::resolve::Lookup;

/// The way that a lookup led to an entry, as far as prices depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// The provider that rules of prices ask for. `None` if the name is a key or an alias, and no
    /// provider was asked for.
    pub(super) provider: Option<RuleProvider>,
    /// The discount and the margin of the map, if they are known.
    pub(super) rules: Option<CallRules>,
    /// True if the model left the map.
    pub(super) is_retired: bool,
}

impl Route {
    /// The route of a name that is a key or an alias.
    pub(super) const KEY: Self = Self { provider: None, rules: None, is_retired: false };

    pub(super) fn by(provider: RuleProvider) -> Self {
        Self { provider: Some(provider), ..Self::KEY }
    }
}

/// The entries whose keys a price set may name: that of a size, and that of the model.
pub(super) type Keys<'a> = ArrayVec<EntryRef<'a>, 2>;

/// The most names of a model: as it was asked for, and each key with and without its provider.
const NAMES: usize = 5;

/// Returns the prices that the terms of a call have for a model, by the names that it goes by: as it was
/// asked for, and by its keys.
pub(super) fn prices_of<'c>(
    call: &Call<'c>,
    lookup: Lookup<'_>,
    entries: &[EntryRef<'_>],
) -> Option<SetPrices<'c>> {
    let terms = call.terms.filter(|terms| terms.has_price_sets())?;
    let asked = ModelName { provider: lookup.provider, name: lookup.name };
    let keys = entries.iter().map(|entry| ModelName { provider: None, name: entry.key() });
    let keys_of_providers = entries.iter().map(|entry| ModelName {
        provider: entry.provider().map(|kind| provider_of_kind(kind).unwrap_or(kind)),
        name: entry.key(),
    });
    let names = [asked].into_iter().chain(keys).chain(keys_of_providers).take(NAMES);
    terms.prices_of(&names.collect::<ArrayVec<_, NAMES>>())
}

/// An entry, and the prices of a set that lie over it, if there are some.
pub(super) struct OverEntry<'a> {
    pub(super) set: Option<SetPrices<'a>>,
    pub(super) key: &'a str,
    /// `None` if the prices of the set stand alone.
    pub(super) entry: Option<EntryRef<'a>>,
    /// True if the entry lasts as long as a map, and was not made for this call.
    pub(super) is_lasting: bool,
}

impl Snapshot {
    /// Calls `price` with an entry that has the prices of a set over it. `fields` returns the fields of
    /// the entry.
    pub(super) fn price_over<'e>(
        &self,
        OverEntry { set, key, entry, is_lasting }: OverEntry<'e>,
        lookup: Lookup<'_>,
        fields: impl FnOnce() -> Vec<JsonField<'e>>,
        price: impl FnOnce(EntryRef<'_>) -> Result<Cost, Error>,
    ) -> Result<Cost, Error> {
        let price = |entry: Option<EntryRef<'_>>| match entry {
            Some(entry) => price(entry),
            None => Err(self.unknown(lookup)),
        };
        let Some(prices) = set else { return price(entry) };
        let set = prices.set;
        let priced = prices.with_entry(key, entry, fields, is_lasting, price);
        let priced = priced.map_err(|SetAside { model, field, reason }| {
            let reason = format!("its price set {} cannot be laid over it: {reason}", set.name());
            Error::InvalidModel { model, field, reason }
        })?;
        let mut priced = priced;
        match &mut priced {
            Ok(cost) => cost.mark_set(set),
            Err(Error::Unpriced(bill)) => bill.partial_mut().mark_set(set),
            Err(_) => {}
        }
        priced
    }

    /// Returns whether the map may have a discount or a margin for the entry.
    #[inline]
    pub(super) fn may_adjust(&self, entry: EntryRef<'_>, route: Route) -> bool {
        let Some(adjusted) = &self.adjusted else { return false };
        match route.provider {
            None => !adjusted.is_without(entry, &self.base),
            Some(_) => route.rules != Some(CallRules::NONE),
        }
    }

    /// Returns the discount and the margin of the map, if they are known without a search.
    #[inline]
    fn known_rules(&self, entry: EntryRef<'_>, route: Route) -> Option<CallRules> {
        match route.provider {
            None => self.adjusted.as_ref()?.of_key(entry, &self.base),
            Some(_) => route.rules,
        }
    }

    /// Adds to a bill what follows after its prices. The part of a call that another model served has
    /// none of that: the whole call does.
    pub(super) fn settle(
        &self,
        priced: Result<Cost, Error>,
        lookup: Lookup<'_>,
        found: Option<(EntryRef<'_>, Route)>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let of_call = call.terms.and_then(|terms| terms.adjustments.as_ref());
        let adjustments = of_call.or(self.adjusted.as_deref().map(|adjusted| &*adjusted.adjustments));
        let mut priced = priced;
        if !self.has_more(call) {
            return priced;
        }
        let settle = |bill: &mut Cost| -> Result<(), Error> {
            if let Some(adjustments) = adjustments {
                let known = found.filter(|_| of_call.is_none());
                let known = known.and_then(|(entry, route)| self.known_rules(entry, route));
                let rules = known.unwrap_or_else(|| {
                    rules_of(adjustments, self.layers(), lookup, found.map(|(entry, _)| entry))
                });
                let adjusted = bill.adjust(adjustments.get(rules));
                adjusted.ok_or_else(|| Error::Overflow { key: bill.key().to_owned() })?;
            }
            if call.is_prepaid {
                bill.set_prepaid();
            }
            Ok(())
        };
        match &mut priced {
            Ok(cost) => settle(cost)?,
            Err(Error::Unpriced(bill)) => settle(bill.partial_mut())?,
            Err(_) => {}
        }
        priced
    }

    /// Returns whether something follows on the bill of a call after its prices.
    #[inline]
    pub(super) fn has_more(&self, call: &Call<'_>) -> bool {
        let has_own = call.terms.is_some_and(|terms| terms.adjustments.is_some());
        !call.is_part && (has_own || self.adjusted.is_some() || call.is_prepaid)
    }

    /// Returns the total that the map's discount and margin of a plain call make of another one.
    #[inline(never)]
    pub(super) fn adjusted_total(
        &self,
        original: Usd,
        entry: EntryRef<'_>,
        route: Route,
        lookup: Lookup<'_>,
    ) -> Result<Usd, Error> {
        let Some(adjusted) = &self.adjusted else { return Ok(original) };
        let rules = self.known_rules(entry, route);
        let rules =
            rules.unwrap_or_else(|| rules_of(&adjusted.adjustments, self.layers(), lookup, Some(entry)));
        let total = adjusted.adjustments.get(rules).total(original);
        total.ok_or_else(|| Error::Overflow { key: entry.key().to_owned() })
    }

    /// Returns the discount and the margin of the map for a name, to be remembered with it.
    pub(super) fn rules_to_remember(&self, lookup: Lookup<'_>, entry: EntryRef<'_>) -> CallRules {
        self.adjusted.as_deref().map_or(CallRules::NONE, |adjusted| {
            rules_of(&adjusted.adjustments, self.layers(), lookup, Some(entry))
        })
    }
}
