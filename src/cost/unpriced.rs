//! [`Unpriced`]: a bill that lacks prices, and what else can keep a call from being priced.

use std::fmt;

use super::{Basis, Cost, Line, Note};
use crate::num::Usd;
use crate::rates::Component;

/// A bill that is not complete: the call used something that has no known price.
///
/// The sums leave out what has no price, so the call costs more than they say.
///
/// # Examples
///
/// ```
/// use llm_costmap::{CostMap, Error, Usage};
///
/// let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#)?;
/// let Err(Error::Unpriced(bill)) = map.cost("m", &Usage::new(1_000, 500)) else { panic!() };
/// assert_eq!(bill.to_string(), "no price of m is known for output: register one with register_model");
/// assert_eq!(bill.known_total().to_string(), "0.001");
/// assert_eq!(bill.lines().filter(|line| line.is_unpriced()).count(), 1);
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Unpriced {
    pub(super) partial: Cost,
}

impl Unpriced {
    pub(crate) fn into_partial(self) -> Cost {
        self.partial
    }

    pub(crate) fn partial(&self) -> &Cost {
        &self.partial
    }

    pub(crate) fn partial_mut(&mut self) -> &mut Cost {
        &mut self.partial
    }

    /// Returns the key of the entry that priced the rest.
    #[must_use]
    pub fn key(&self) -> &str {
        self.partial.key()
    }

    /// Returns all lines, in the order of [`Component`], those without a price included.
    #[must_use]
    pub fn lines(&self) -> impl ExactSizeIterator<Item = Line<'_>> {
        self.partial.lines()
    }

    /// Returns the sum of the input lines that have a price.
    #[must_use]
    pub fn known_input(&self) -> Usd {
        self.partial.input()
    }

    /// Returns the sum of the output lines that have a price.
    #[must_use]
    pub fn known_output(&self) -> Usd {
        self.partial.output()
    }

    /// Returns the sum of the lines of tools that have a price.
    #[must_use]
    pub fn known_tools(&self) -> Usd {
        self.partial.tools()
    }

    /// Returns the sum of the lines that have a price.
    #[must_use]
    pub fn known_total(&self) -> Usd {
        self.partial.total()
    }

    /// Returns remarks on how the bill was made.
    pub fn notes(&self) -> impl Iterator<Item = Note> + '_ {
        self.partial.notes()
    }

    /// Returns the generation of the map that priced the rest.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.partial.generation()
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.lines().find(|line| line.basis == Basis::Uncounted) {
            let (key, component, setter) = (line.key, line.component, line.component.setter());
            if component == Component::Duration {
                return write!(
                    f,
                    "{key} is billed by the second, and the call has no duration: set {setter}"
                );
            }
            return write!(f, "{key} is billed for {component}, which the call does not count: set {setter}");
        }
        // Of a response that used several models, the first one is named that lacks a price.
        let key = self.lines().find(Line::is_unpriced).map_or(self.key(), |line| line.key);
        write!(f, "no price of {key} is known for ")?;
        let unpriced = self.lines().filter(|line| line.is_unpriced() && line.key == key);
        for (position, line) in unpriced.enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{}", line.component)?;
        }
        f.write_str(": register one with register_model")
    }
}

impl std::error::Error for Unpriced {}

impl fmt::Debug for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpriced").field("partial", &self.partial).finish()
    }
}

/// The reason that an entry does not price a call.
#[derive(Debug)]
pub(crate) enum NotPriced {
    Unpriced(Box<Unpriced>),
    /// An amount or a count is beyond its range.
    Overflow {
        key: String,
    },
}
