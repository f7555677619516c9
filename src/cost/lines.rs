//! The lines of a cost. They are kept inline, so that making them allocates nothing.

use arrayvec::ArrayVec;

use super::line::{Counted, How, Packed, What};
use crate::rates::{COMMON, CommonCounts, Component, Price, PriceOrigin, RateRow};

/// The most lines beside those that a row prices: one for each component.
const MOST: usize = Component::Search as usize + 1;

/// The lines of a cost, in the order of their components.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// The rates of the common components, and their counts in the usage.
    pub(super) row: RateRow,
    pub(super) from: [PriceOrigin; COMMON.len()],
    pub(super) counts: CommonCounts,
    /// The common components that are lines, one bit each.
    pub(super) used: u8,
    /// All other lines. If there are none, their room is not written to.
    pub(super) others: Others,
}

/// Lines in two lists: in one, a third of the room would be padding.
#[derive(Debug, Clone, Default)]
pub(super) struct Others {
    counts: ArrayVec<Counted, MOST>,
    what: ArrayVec<What, MOST>,
}

impl Lines {
    pub(super) fn none() -> Self {
        let (from, counts) = ([PriceOrigin::NONE; COMMON.len()], [0; COMMON.len()]);
        Self { row: RateRow::EMPTY, from, counts, used: 0, others: Others::default() }
    }

    /// Sets the lines of the common components.
    pub(super) fn set_common(
        &mut self,
        row: &RateRow,
        from: &[PriceOrigin; COMMON.len()],
        counts: CommonCounts,
        used: u8,
    ) {
        (self.row, self.from, self.counts, self.used) = (*row, *from, counts, used);
    }

    /// Adds a line behind those that were added. Returns `None` if there is no room; there is room for one
    /// line of each component.
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
        let Others { counts, what } = &mut self.others;
        counts.try_push(Counted { price, digits }).ok()?;
        what.try_push(What { component, how, is_priced }).ok()
    }

    #[inline]
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter { lines: self, left: self.used, next: 0 }
    }
}

/// An iterator over lines, which merges the common components with the others.
pub(super) struct Iter<'a> {
    lines: &'a Lines,
    /// The lines of common components that are left, one bit each.
    left: u8,
    /// The position of the next of the others.
    next: usize,
}

impl Iterator for Iter<'_> {
    type Item = Packed;

    #[inline]
    fn next(&mut self) -> Option<Packed> {
        let lines = self.lines;
        let place = self.left.trailing_zeros() as usize;
        let common = COMMON.get(place);
        if let Some(what) = lines.others.what.get(self.next) {
            if common.is_none_or(|common| what.component < *common) {
                let count = *lines.others.counts.get(self.next)?;
                self.next += 1;
                return Some(Packed { count, what: *what });
            }
        }
        let component = *common?;
        self.left &= self.left - 1;
        let price = Price::at(lines.row.rate(place)?, *lines.from.get(place)?);
        let how = if lines.row.is_halved(place) { How::Halved } else { How::Multiplied };
        let what = What { component, how, is_priced: true };
        Some(Packed { count: Counted { price, digits: *lines.counts.get(place)? }, what })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let others = self.lines.others.what.len();
        let left = self.left.count_ones() as usize + others - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
