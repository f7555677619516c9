//! What follows after the prices of a call: discounts, margins, and calls that were prepaid.

use arrayvec::ArrayVec;

use super::Snapshot;
use crate::catalog::EntryRef;
use crate::cost::{Adjustments, Call, CallAdjustments, Cost};
use crate::error::Error;
use crate::num::Usd;
use crate::resolve::{Lookup, billed_provider, without_region};

/// The most names of a model that scopes of discounts and margins are compared with.
const NAMES: usize = 8;

impl Snapshot {
    /// Adds to a bill what follows after its prices. The part of a call that another model served has
    /// none of that: the whole call does.
    pub(super) fn settle(
        &self,
        priced: Result<Cost, Error>,
        lookup: Lookup<'_>,
        entry: Option<EntryRef<'_>>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let adjustments = self.adjustments_of(call);
        if call.is_part || (adjustments.is_none() && !call.is_prepaid) {
            return priced;
        }
        let settle = |bill: &mut Cost| {
            if let Some(adjustments) = adjustments {
                let adjusted = bill.adjust(self.chosen(adjustments, lookup, entry));
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

    /// Returns the total that the discount and the margin of a plain call make of another one.
    #[cold]
    pub(super) fn adjusted_total(
        &self,
        original: Usd,
        adjustments: &Adjustments,
        lookup: Lookup<'_>,
        entry: EntryRef<'_>,
    ) -> Result<Usd, Error> {
        let total = self.chosen(adjustments, lookup, Some(entry)).total(original);
        total.ok_or_else(|| Error::Overflow { key: entry.key().to_owned() })
    }

    /// Returns the discounts and margins that apply: those of the call, else those of the map.
    fn adjustments_of<'a>(&'a self, call: &Call<'a>) -> Option<&'a Adjustments> {
        let own = call.terms.and_then(|terms| terms.adjustments.as_ref());
        own.or(self.adjustments.as_deref()).filter(|adjustments| !adjustments.is_empty())
    }

    /// Chooses the discount and the margin of a model.
    fn chosen<'a>(
        &self,
        adjustments: &'a Adjustments,
        lookup: Lookup<'_>,
        entry: Option<EntryRef<'_>>,
    ) -> CallAdjustments<'a> {
        let provider = billed_provider(self.layers(), lookup, entry);
        let mut names = ArrayVec::<&str, NAMES>::new();
        let mut add = |name| {
            if !names.contains(&name) {
                // Names of models that have more forms than there is room for are none of the map's.
                let _ = names.try_push(name);
            }
        };
        for name in [Some(lookup.name), entry.map(EntryRef::key)].into_iter().flatten() {
            let behind = |name| provider.and_then(|own| without_provider(name, own));
            let mut rest = behind(name).unwrap_or(name);
            add(rest);
            add(without_region(rest));
            // A provider may stand before a name more than once, and each form counts.
            while let Some(shorter) = behind(rest) {
                rest = shorter;
                add(rest);
            }
        }
        adjustments.of_call(provider, &names)
    }
}

/// Removes a provider from the beginning of a name.
fn without_provider<'n>(name: &'n str, provider: &str) -> Option<&'n str> {
    name.strip_prefix(provider)?.strip_prefix('/')
}
