//! [`Adjusted`]: the operator's discounts and margins, and the calls that they apply to.

use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::catalog::{Catalog, EntryRef};
use crate::cost::{Adjustments, CallRules};
use crate::resolve::{Layers, Lookup, billed_provider, without_region_path};

/// The most names of a model that scopes of discounts and margins are compared with.
const NAMES: usize = 8;

/// Discounts and margins, with those of each key of a catalogue, so that a call to which none applies
/// takes no longer than without them.
#[derive(Debug)]
pub(crate) struct Adjusted {
    pub(super) adjustments: Arc<Adjustments>,
    /// The rules of a lookup by key, by the ids of entries. `None` for entries with aliases: the name
    /// that was asked for matters, too.
    keys: Vec<Option<CallRules>>,
    /// True for the ids of entries whose keys have neither a discount nor a margin.
    without: Vec<bool>,
}

impl Adjusted {
    pub(crate) fn new(adjustments: Arc<Adjustments>, base: &Catalog) -> Self {
        let layers = Layers::only(base);
        let mut keys: Vec<Option<CallRules>> = base
            .entries()
            .map(|entry| Some(rules_of(&adjustments, layers, Lookup::new(entry.key()), Some(entry))))
            .collect();
        for (_, entry) in base.aliases() {
            if let Some(of_key) = keys.get_mut(entry.id() as usize) {
                *of_key = None;
            }
        }
        let without = keys.iter().map(|rules| *rules == Some(CallRules::NONE)).collect();
        Self { adjustments, keys, without }
    }

    /// Returns discounts and margins that are searched for with each call.
    pub(super) fn unprepared(adjustments: Arc<Adjustments>) -> Self {
        Self { adjustments, keys: Vec::new(), without: Vec::new() }
    }

    /// Returns whether these are the same discounts and margins, and not merely equal ones.
    pub(crate) fn is_of(&self, adjustments: &Arc<Adjustments>) -> bool {
        Arc::ptr_eq(&self.adjustments, adjustments)
    }

    /// Returns whether a lookup that named a key or an alias is known to have neither a discount nor a
    /// margin.
    #[inline]
    pub(super) fn is_without(&self, entry: EntryRef<'_>, base: &Catalog) -> bool {
        entry.is_of(base) && self.without.get(entry.id() as usize) == Some(&true)
    }

    /// Returns the rules of a lookup that named a key or an alias, if they are known.
    #[inline]
    pub(super) fn of_key(&self, entry: EntryRef<'_>, base: &Catalog) -> Option<CallRules> {
        if entry.is_of(base) { *self.keys.get(entry.id() as usize)? } else { None }
    }
}

/// Chooses the discount and the margin of a model.
pub(super) fn rules_of(
    adjustments: &Adjustments,
    layers: Layers<'_>,
    lookup: Lookup<'_>,
    entry: Option<EntryRef<'_>>,
) -> CallRules {
    let provider = billed_provider(layers, lookup, entry);
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
        add(without_region_path(rest));
        // A provider may stand before a name more than once, and each form counts.
        while let Some(shorter) = behind(rest) {
            rest = shorter;
            add(rest);
        }
    }
    adjustments.of_call(provider, &names)
}

/// Removes a provider from the beginning of a name.
fn without_provider<'n>(name: &'n str, provider: &str) -> Option<&'n str> {
    name.strip_prefix(provider)?.strip_prefix('/')
}
