//! The lines of a cost, inline: making one allocates nothing.

use super::line::{How, Packed};
use crate::rates::{Component, Price, Quantity};

/// One for each component.
const MOST: usize = Component::Search as usize + 1;

/// Lines in their order.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    lines: [Packed; MOST],
    /// How many of them are lines.
    count: usize,
}

impl Lines {
    pub(super) const NONE: Self = Self { lines: [Packed::NOTHING; MOST], count: 0 };

    /// `None` where there is no room, which there is for one line of each component.
    #[inline]
    pub(super) fn push(
        &mut self,
        price: Option<&Price>,
        quantity: Quantity,
        component: Component,
        how: How,
    ) -> Option<()> {
        self.lines.get_mut(self.count)?.set(price, quantity, component, how);
        self.count += 1;
        Some(())
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Packed> {
        self.lines.get(..self.count).unwrap_or_default().iter()
    }
}
