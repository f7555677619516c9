//! [`Cost`]: what a call costs, line by line.

mod key;
mod line;
mod lines;
mod price;
mod request;
mod tokens;

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::rates::Factors;
use crate::usd::Usd;
use key::Key;
pub use line::{Line, Quantity, RateSource};
use lines::Lines;
pub(crate) use price::{Subject, plain_total, price};
pub use request::CostRequest;

/// What a call costs, and why.
///
/// The total is the sum of the lines, exactly. It is made without an allocation, and it is a value of its
/// own: it outlives the map it was calculated with, and a reload changes nothing in it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, CostRequest, Usage};
///
/// let usage = Usage::new(10_000, 500).cached_tokens(8_000);
/// let cost = CostMap::bundled().cost(&CostRequest::new("gpt-4o", &usage))?;
///
/// assert_eq!(cost.total().to_string(), "0.02");
/// assert_eq!(
///     cost.to_string(),
///     "gpt-4o: 0.02 USD\n\
///      \x20 2000 tokens of input x 0.0000025 = 0.005 (input_cost_per_token)\n\
///      \x20 8000 tokens of cache_read x 0.00000125 = 0.01 (cache_read_input_token_cost)\n\
///      \x20 500 tokens of output x 0.00001 = 0.005 (output_cost_per_token)"
/// );
/// # }
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Clone)]
pub struct Cost {
    input: Usd,
    output: Usd,
    total: Usd,
    factors: Factors,
    generation: u64,
    notes: Notes,
    complete: bool,
    key: Key,
    lines: Lines,
}

/// Something about how a call was priced that its reader should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The service tier asked for is no known word: the call is priced as standard.
    UnknownServiceTier,
    /// The data residency asked for is no known region: the call is priced without an uplift.
    UnknownDataResidency,
    /// Above a threshold the entry has a standard rate only, which took the place of the tier's own
    /// rate, as it does in LiteLLM.
    StandardRateAboveThreshold,
    /// The total is what the provider states that it charged.
    StatedByProvider,
    /// The map has no entry for the model, and it runs on the caller's own machines: it is free.
    RunsAtHome,
}

impl Note {
    const ALL: [Self; 5] = [
        Self::UnknownServiceTier,
        Self::UnknownDataResidency,
        Self::StandardRateAboveThreshold,
        Self::StatedByProvider,
        Self::RunsAtHome,
    ];

    /// The name, as it is serialised.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownServiceTier => "unknown_service_tier",
            Self::UnknownDataResidency => "unknown_data_residency",
            Self::StandardRateAboveThreshold => "standard_rate_above_threshold",
            Self::StatedByProvider => "stated_by_provider",
            Self::RunsAtHome => "runs_at_home",
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownServiceTier => "the service tier is unknown; priced as standard",
            Self::UnknownDataResidency => "the data residency is unknown; priced without an uplift",
            Self::StandardRateAboveThreshold => {
                "above the threshold only a standard rate is known; it replaces the tier's"
            }
            Self::StatedByProvider => "the total is what the provider states that it charged",
            Self::RunsAtHome => "no entry; free, since it runs on machines of your own",
        })
    }
}

/// A set of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Notes(u8);

impl Notes {
    const NONE: Self = Self(0);

    fn add(&mut self, note: Note) {
        self.0 |= 1 << note as u8;
    }

    fn has(self, note: Note) -> bool {
        self.0 & (1 << note as u8) != 0
    }
}

impl Cost {
    /// The key of the entry that priced the call; the name as given where none was needed
    /// ([`Note::RunsAtHome`]).
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_str()
    }

    /// What went in: prompt, cache reads and writes. US dollars.
    #[inline]
    #[must_use]
    pub fn input(&self) -> Usd {
        self.input
    }

    /// What came out: completion, reasoning. US dollars.
    #[inline]
    #[must_use]
    pub fn output(&self) -> Usd {
        self.output
    }

    /// The sum of all lines, in US dollars.
    #[inline]
    #[must_use]
    pub fn total(&self) -> Usd {
        self.total
    }

    /// The lines, input first. Only what was used has one.
    #[inline]
    #[must_use]
    pub fn lines(&self) -> impl ExactSizeIterator<Item = Line> + '_ {
        self.lines.iter().map(|packed| {
            let amount = if packed.is_stated() {
                if packed.what.component.is_input() { self.input } else { self.output }
            } else {
                // It was within the range when the total was made of it.
                packed.amount(&self.factors).unwrap_or(Usd::ZERO)
            };
            Line::new(&packed, &self.factors, amount)
        })
    }

    /// Whether everything that was used has a price. Where not, the total is too low: see
    /// [`Line::is_unpriced`].
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The cost, if it is complete.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] where something that was used has no price.
    pub fn require_complete(self) -> Result<Self, Error> {
        if self.complete {
            return Ok(self);
        }
        let unpriced: Vec<&str> =
            self.lines().filter(Line::is_unpriced).map(|line| line.component.as_str()).collect();
        Err(Error::Incomplete { key: self.key().to_owned(), components: unpriced.join(", ") })
    }

    /// Which generation of the map priced the call: every swap of a [`CostMap`](crate::CostMap)'s snapshot
    /// counts it up.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What a reader of the bill should know about how it was made.
    pub fn notes(&self) -> impl Iterator<Item = Note> + '_ {
        Note::ALL.into_iter().filter(|note| self.notes.has(*note))
    }
}

/// A receipt that can be checked by hand.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} USD", self.key(), self.total)?;
        if !self.complete {
            f.write_str(" (incomplete)")?;
        }
        for line in self.lines() {
            write!(f, "\n  {line}")?;
        }
        for note in self.notes() {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cost")
            .field("key", &self.key())
            .field("input", &self.input)
            .field("output", &self.output)
            .field("total", &self.total)
            .field("complete", &self.complete)
            .field("generation", &self.generation)
            .field("lines", &self.lines().collect::<Vec<_>>())
            .field("notes", &self.notes().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cost = serializer.serialize_struct("Cost", 8)?;
        cost.serialize_field("key", self.key())?;
        cost.serialize_field("input", &self.input)?;
        cost.serialize_field("output", &self.output)?;
        cost.serialize_field("total", &self.total)?;
        cost.serialize_field("complete", &self.complete)?;
        cost.serialize_field("generation", &self.generation)?;
        cost.serialize_field("lines", &self.lines().collect::<Vec<_>>())?;
        cost.serialize_field("notes", &self.notes().map(Note::as_str).collect::<Vec<_>>())?;
        cost.end()
    }
}
