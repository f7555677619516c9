//! Prices responses that used several models: each part by the entry of its own model.

use super::Snapshot;
use crate::cost::{Call, Cost, NotPriced, Note};
use crate::error::Error;
use crate::resolve::Lookup;

impl Snapshot {
    /// Adds the bills of the other models that a response used. If one of them has no price, the
    /// whole bill is not complete.
    pub(super) fn add_parts(
        &self,
        own: Result<Cost, Error>,
        lookup: Lookup<'_>,
        call: &Call<'_>,
    ) -> Result<Cost, Error> {
        let (mut whole, mut is_complete) = match own {
            Ok(cost) => (cost, true),
            Err(Error::Unpriced(bill)) => ((*bill).into_partial(), false),
            Err(error) => return Err(error),
        };
        // What the provider states is the charge for the whole response.
        if whole.notes().any(|note| note == Note::StatedByProvider) {
            return Ok(whole);
        }
        for part in call.parts() {
            let call = call.of_part(part);
            let asked = Lookup { provider: lookup.provider, ..Lookup::served(&part.model) };
            let priced = match self.cost_of(asked, &call) {
                Err(Error::UnknownModel(_) | Error::NoPriceAt { .. }) if asked.provider.is_some() => {
                    self.cost_of(Lookup::served(&part.model), &call)
                }
                priced => priced,
            };
            let bill = match priced {
                Ok(cost) => cost,
                Err(Error::Unpriced(bill)) => {
                    is_complete = false;
                    (*bill).into_partial()
                }
                Err(Error::UnknownModel(_) | Error::NoPriceAt { .. }) => {
                    is_complete = false;
                    Cost::unknown(part, self.generation)
                }
                Err(error) => return Err(error),
            };
            let key = whole.key().to_owned();
            whole.add_part(bill).ok_or(Error::Overflow { key })?;
        }
        if is_complete { Ok(whole) } else { Err(NotPriced::Unpriced(Box::new(whole.into())).into()) }
    }
}
