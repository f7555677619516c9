//! The lines of a cost, inline: making them allocates nothing.

use arrayvec::ArrayVec;

use super::line::{Counted, How, Packed, What};
use crate::rates::{COMMON, CommonCounts, Component, Price, PriceOrigin, RateRow};

/// One for each component but those that a row prices.
const MOST: usize = Component::Search as usize + 1;

/// Lines in the order of their components.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// The rates and counts of the common components, as they stand in the map and in the usage.
    pub(super) row: RateRow,
    pub(super) from: [PriceOrigin; COMMON.len()],
    pub(super) counts: CommonCounts,
    /// Which of them are lines, a bit each.
    pub(super) used: u8,
    /// All other lines. Where there is none, nothing of their room is touched, and a cost is constructed in place.
    pub(super) others: Others,
}

/// Lines in two lists, since one would be a third gaps.
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

    /// Puts the common components in place.
    pub(super) fn set_common(
        &mut self,
        row: &RateRow,
        from: &[PriceOrigin; COMMON.len()],
        counts: CommonCounts,
        used: u8,
    ) {
        (self.row, self.from, self.counts, self.used) = (*row, *from, counts, used);
    }

    /// Adds a line behind all others that were added. `None` where there is no room, which there is for one line of each component.
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

/// Lines as they are asked for.
pub(super) struct Iter<'a> {
    lines: &'a Lines,
    /// The lines of common components that are left, a bit each.
    left: u8,
    /// The next of the others.
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
        let (rate, halved) = (lines.row.rate(place)?, lines.row.is_halved(place));
        let price = Price::of_units(if halved { rate * 2 } else { rate }, *lines.from.get(place)?);
        let how = if halved { How::Halved } else { How::Multiplied };
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
