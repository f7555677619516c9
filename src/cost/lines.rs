//! The lines of a cost, inline: making one allocates nothing.

use arrayvec::ArrayVec;

use super::line::{How, Packed, Priced, What};
use crate::rates::{Component, Price};

/// One for each component.
const MOST: usize = Component::Search as usize + 1;

/// Lines in their order, in two lists, since one would be a third gaps.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    priced: ArrayVec<Priced, MOST>,
    what: ArrayVec<What, MOST>,
}

impl Lines {
    #[inline]
    pub(super) fn none() -> Self {
        Self { priced: ArrayVec::new(), what: ArrayVec::new() }
    }

    /// `None` where there is no room, which there is for one line of each component.
    #[inline]
    pub(super) fn push(
        &mut self,
        price: Option<&Price>,
        digits: u64,
        component: Component,
        how: How,
    ) -> Option<()> {
        let is_priced = price.is_some();
        let price = *price.unwrap_or(&Price::NONE);
        self.priced.try_push(Priced { price, digits }).ok()?;
        self.what.try_push(What { component, how, is_priced }).ok()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Packed> + '_ {
        self.priced.iter().zip(&self.what).map(|(priced, what)| Packed { priced: *priced, what: *what })
    }
}
