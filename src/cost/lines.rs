//! The lines of a cost, inline: making them allocates nothing.

use arrayvec::ArrayVec;

use super::line::{How, Packed, Priced, What};
use crate::rates::text::Band;
use crate::rates::{Component, Origin, Price};

/// One for each component.
const MOST: usize = Component::Search as usize + 1;

/// Lines in their order.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "in a box, lines would be an allocation")]
pub(super) enum Lines {
    /// Those of text alone: rates and counts as they stand in the map and in the usage, and which of them are lines, a bit each.
    Text { band: Band, from: [Origin; 5], counts: [u64; 5], used: u8 },
    /// Any, in two lists, since one would be a third gaps.
    Any { priced: ArrayVec<Priced, MOST>, what: ArrayVec<What, MOST> },
}

impl Lines {
    #[inline]
    pub(super) fn none() -> Self {
        Self::Any { priced: ArrayVec::new(), what: ArrayVec::new() }
    }

    /// The lines of what was used of text.
    #[inline]
    pub(super) fn text(band: Band, from: [Origin; 5], counts: [u64; 5]) -> Self {
        let used = (0..).zip(counts).fold(0, |used, (bit, count)| used | u8::from(count > 0) << bit);
        Self::Text { band, from, counts, used }
    }

    /// Adds a line. `None` where there is no room, which there is for one line of each component.
    #[inline]
    pub(super) fn push(
        &mut self,
        price: Option<&Price>,
        digits: u64,
        component: Component,
        how: How,
    ) -> Option<()> {
        let Self::Any { priced, what } = self else { return None };
        let is_priced = price.is_some();
        let price = *price.unwrap_or(&Price::NONE);
        priced.try_push(Priced { price, digits }).ok()?;
        what.try_push(What { component, how, is_priced }).ok()
    }

    #[inline]
    pub(super) fn iter(&self) -> Iter<'_> {
        let left = match self {
            Self::Text { used, .. } => *used,
            Self::Any { .. } => 0,
        };
        Iter { lines: self, left, next: 0 }
    }
}

/// Lines as they are asked for.
pub(super) struct Iter<'a> {
    lines: &'a Lines,
    /// The lines of text that are left, a bit each.
    left: u8,
    /// The next of any lines.
    next: usize,
}

impl Iterator for Iter<'_> {
    type Item = Packed;

    #[inline]
    fn next(&mut self) -> Option<Packed> {
        match self.lines {
            Lines::Text { band, from, counts, .. } => {
                let place = self.left.trailing_zeros() as usize;
                let component = *Band::COMPONENTS.get(place)?;
                self.left &= self.left - 1;
                let (price, halved) = band.price(place, *from.get(place)?)?;
                let how = if halved { How::Halved } else { How::Multiplied };
                let what = What { component, how, is_priced: true };
                Some(Packed { priced: Priced { price, digits: *counts.get(place)? }, what })
            }
            Lines::Any { priced, what } => {
                let line = Packed { priced: *priced.get(self.next)?, what: *what.get(self.next)? };
                self.next += 1;
                Some(line)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self.lines {
            Lines::Text { .. } => self.left.count_ones() as usize,
            Lines::Any { priced, .. } => priced.len() - self.next,
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
