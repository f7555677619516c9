//! The lines of a cost. Up to a number that few bills reach, they are kept inline, so that making them
//! allocates nothing.

use arrayvec::ArrayVec;

use super::line::{How, Packed, What};
use crate::rates::{COMMON, CommonCounts, Price, PriceOrigin, RateRow};

/// The number of lines beside those that a row prices that are kept inline. Moving a cost is measurable,
/// and hardly a bill has more.
const INLINE: usize = 8;

/// The lines of a cost, in the order of their components.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// The rates of the common components, and their counts in the usage.
    pub(super) row: RateRow,
    pub(super) from: [PriceOrigin; COMMON.len()],
    pub(super) counts: CommonCounts,
    /// The common components that are lines, one bit each.
    pub(super) used: u8,
    pub(super) others: Others,
}

/// The first lines that the row does not price. If there are none, their room is not written to.
pub(super) type Others = ArrayVec<Packed, INLINE>;

impl Lines {
    /// Returns no lines.
    #[inline]
    pub(super) fn none() -> Self {
        Self {
            row: RateRow::EMPTY,
            from: [PriceOrigin::NONE; COMMON.len()],
            counts: [0; COMMON.len()],
            used: 0,
            others: Others::new(),
        }
    }

    /// Returns the lines. `more` are those that the row does not price and that are not inline.
    #[inline]
    pub(super) fn iter<'a>(&'a self, more: &'a [Packed]) -> Iter<'a> {
        Iter { lines: self, more, left: self.used, next: 0 }
    }
}

/// An iterator over lines, which merges the common components with the others.
pub(super) struct Iter<'a> {
    lines: &'a Lines,
    more: &'a [Packed],
    /// The lines of common components that are left, one bit each.
    left: u8,
    /// The position of the next of the others.
    next: usize,
}

impl Iter<'_> {
    /// Returns the next line that the row does not price.
    #[inline]
    fn other(&self) -> Option<&Packed> {
        let inline = &self.lines.others;
        inline.get(self.next).or_else(|| self.more.get(self.next.checked_sub(inline.len())?))
    }
}

impl Iterator for Iter<'_> {
    type Item = Packed;

    #[inline]
    fn next(&mut self) -> Option<Packed> {
        let lines = self.lines;
        let place = self.left.trailing_zeros() as usize;
        let common = COMMON.get(place);
        if let Some(other) = self.other().copied() {
            if common.is_none_or(|common| other.what.component < *common) {
                self.next += 1;
                return Some(other);
            }
        }
        let component = *common?;
        self.left &= self.left - 1;
        let price = Price::at(lines.row.rate(place)?, *lines.from.get(place)?);
        let how = if lines.row.is_halved(place) { How::Halved } else { How::Multiplied };
        let what = What { component, how, is_priced: true };
        Some(Packed { price, digits: *lines.counts.get(place)?, what })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let others = self.lines.others.len() + self.more.len();
        let left = self.left.count_ones() as usize + others - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
