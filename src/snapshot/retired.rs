//! The note on bills that are made by the last prices of a model that left the map.

use super::terms::prices_of;
use crate::catalog::EntryRef;
use crate::cost::{Call, Cost};
use crate::error::Error;
use crate::resolve::Lookup;

/// Notes on a bill, be it complete or not, that the model is retired. `is_other` says of a field whether its
/// price is another than that of the model.
#[cold]
pub(super) fn retired(priced: Result<Cost, Error>, is_other: impl Fn(&str) -> bool) -> Result<Cost, Error> {
    let mut priced = priced;
    match &mut priced {
        Ok(cost) => cost.note_retired(is_other),
        Err(Error::Unpriced(bill)) => bill.partial_mut().note_retired(|_| false),
        Err(_) => {}
    }
    priced
}

/// Returns whether a price set of a call has a field of a model.
pub(super) fn by_set<'c>(
    call: &'c Call<'_>,
    lookup: Lookup<'_>,
    entry: EntryRef<'_>,
) -> impl Fn(&str) -> bool + use<'c> {
    let set = prices_of(call, lookup, &[entry]);
    move |field| set.is_some_and(|set| set.mentions(field))
}
