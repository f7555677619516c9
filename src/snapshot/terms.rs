//! What follows after the prices of a call: discounts, margins, and calls that were prepaid.

use super::Snapshot;
use super::adjusted::rules_of;
use crate::catalog::EntryRef;
use crate::cost::{Call, CallRules, Cost};
use crate::error::Error;
use crate::num::Usd;
use crate::rates::RuleProvider;
use crate::resolve::Lookup;

/// What is known of the way that a lookup led to an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    /// The provider that rules of prices ask for. `None` if the name is a key or an alias, and no
    /// provider was asked for.
    pub(super) provider: Option<RuleProvider>,
    /// The discount and the margin of the map, if they are known.
    pub(super) rules: Option<CallRules>,
}

impl Route {
    /// The route of a name that is a key or an alias.
    pub(super) const KEY: Self = Self { provider: None, rules: None };

    pub(super) fn by(provider: RuleProvider) -> Self {
        Self { provider: Some(provider), rules: None }
    }
}

impl Snapshot {
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
        entry: Option<EntryRef<'_>>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let of_call = call.terms.and_then(|terms| terms.adjustments.as_ref());
        let adjustments = of_call.or(self.adjusted.as_deref().map(|adjusted| &*adjusted.adjustments));
        if call.is_part || (adjustments.is_none() && !call.is_prepaid) {
            return priced;
        }
        let settle = |bill: &mut Cost| {
            if let Some(adjustments) = adjustments {
                let rules = rules_of(adjustments, self.layers(), lookup, entry);
                let adjusted = bill.adjust(adjustments.get(rules));
                adjusted.ok_or_else(|| Error::Overflow { key: bill.key().to_owned() })?;
            }
            if call.is_prepaid {
                bill.set_prepaid();
            }
            Ok(())
        };
        match priced {
            Ok(mut cost) => settle(&mut cost).map(|()| cost),
            Err(Error::Unpriced(mut bill)) => settle(bill.partial_mut()).and(Err(Error::Unpriced(bill))),
            error => error,
        }
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
