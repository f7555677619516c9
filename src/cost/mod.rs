//! Calls and what they cost: the lines of a bill, their rates, and records to store.
//!
//! A [`Call`] goes in and a [`Cost`] comes out. A cost is a complete bill: its total is the sum of
//! its [lines](Line), exactly. A call that used something without a price is an
//! [`Error::Unpriced`](crate::Error::Unpriced), which holds the [partial bill](Unpriced).

mod adjustment_settings;
mod adjustments;
mod bill;
mod call;
mod charge;
mod glob;
mod invalid_terms;
mod key;
mod line;
mod lines;
mod note;
mod price;
mod price_set;
mod pricing_source;
mod record;
mod settlement;
mod subject;
mod terms;
mod tokens;
mod units;
mod unpriced;

use std::fmt;
use std::sync::Arc;

use crate::num::Usd;
pub use crate::num::{Number, ParseNumberError, ParseUsdError, usd_serde as usd};
pub use crate::rates::{Component, RatePlace, Unit};
use crate::rates::{FactorKind, Factors};
pub use crate::words::ParseWordError;
pub(crate) use adjustments::CallRules;
pub use adjustments::{Adjustment, Adjustments};
pub use call::Call;
pub use charge::Charge;
pub use invalid_terms::InvalidTerms;
use key::Key;
use line::Packed;
pub use line::{Basis, Line, RateSource};
use lines::Lines;
pub use note::Note;
use note::NoteSet;
pub(crate) use price::{plain_total, price};
pub use price_set::PriceSet;
use price_set::PriceSetName;
pub(crate) use price_set::{ModelName, SetPrices};
pub use pricing_source::PricingSource;
pub(crate) use record::serialize_quantity;
pub use record::{CostRecord, LineRecord, SourceRecord};
use settlement::Settlement;
pub(crate) use subject::{AskedProvider, Subject};
pub use terms::PriceTerms;
pub(crate) use unpriced::NotPriced;
pub use unpriced::Unpriced;

/// The complete bill of a call: its total, and the lines that it is the sum of.
///
/// A cost borrows nothing: it outlives the map that priced it, and a reload does not change it.
/// Making one of tokens allocates nothing, unless the provider states an amount or the response used
/// several models.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "bundled")] {
/// use llm_costmap::{CostMap, Usage};
///
/// let usage = Usage::new(10_000, 500).cached_tokens(8_000);
/// let cost = CostMap::bundled().cost("gpt-4o", &usage)?;
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
    notes: NoteSet,
    key: Key,
    lines: Lines,
    /// The parts that few bills have.
    extra: Option<Box<Extra>>,
    /// The name of the price set that applied; empty if none did. It is inline, since a second field that
    /// has to be dropped is measurable in all bills.
    price_set: PriceSetName,
}

/// The parts of a bill that few bills have.
#[derive(Debug, Clone, Default)]
struct Extra {
    /// The lines for which there was no room inline.
    more: Vec<Packed>,
    /// The amount that the provider states.
    stated: Option<Usd>,
    /// The amount by the rates of the map, if the provider's stands in its place and all was priced.
    computed: Option<Usd>,
    /// The parts behind the bill's own lines. Without the `Arc`, a cost is dropped out of line and therefore
    /// moved to be unwrapped, which is measurable.
    rest: Arc<Rest>,
}

/// The parts of a bill that follow after the prices of its own model.
#[derive(Debug, Clone, Default)]
struct Rest {
    /// The lines of other models that the same response used.
    parts: Vec<Part>,
    settlement: Option<Settlement>,
}

/// The lines of another model. It has no [`Extra`] of its own: a type that holds itself is measurably
/// slower to drop.
#[derive(Debug, Clone)]
struct Part {
    source: PricingSource,
    factors: Factors,
    key: Key,
    lines: Lines,
    more: Vec<Packed>,
}

impl Cost {
    /// Returns the key of the entry that priced the call; the name of the model as it was given if
    /// the model is self-hosted ([`Note::SelfHosted`]).
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_str()
    }

    /// Returns the sum of the input lines, in US dollars: the prompt, cache reads and cache writes,
    /// citations, a router's fee, the duration, and what the model was sent or reads. See
    /// [`Component::is_input`].
    #[inline]
    #[must_use]
    pub fn input(&self) -> Usd {
        self.input
    }

    /// Returns the sum of the output lines, in US dollars: the completion, its reasoning, what the model
    /// made, and searches that are part of an answer.
    #[inline]
    #[must_use]
    pub fn output(&self) -> Usd {
        self.output
    }

    /// Returns the sum of the other lines, in US dollars: tools that the provider ran. See
    /// [`Component::is_tool`]. It is zero if the provider states an amount for all.
    #[must_use]
    pub fn tools(&self) -> Usd {
        let tools = self.original().checked_sub(self.input).and_then(|rest| rest.checked_sub(self.output));
        tools.unwrap_or(Usd::ZERO)
    }

    /// Returns the sum of all lines, in US dollars.
    #[inline]
    #[must_use]
    pub fn total(&self) -> Usd {
        self.total
    }

    /// Returns the lines, in the order of [`Component`], then those of each other model that the same
    /// response used, then a discount, a margin and the caller's charges. A component that was not used
    /// has no line.
    #[inline]
    #[must_use]
    pub fn lines(&self) -> impl ExactSizeIterator<Item = Line<'_>> {
        AllLines {
            source: self.source_of_lines(),
            key: &self.key,
            factors: &self.factors,
            lines: self.lines.iter(self.more()),
            stated: [self.input, self.output],
            parts: self.parts().iter(),
            of: self,
            settled: 0,
        }
    }

    fn more(&self) -> &[Packed] {
        self.extra.as_ref().map_or(&[], |extra| &extra.more)
    }

    fn parts(&self) -> &[Part] {
        self.extra.as_ref().map_or(&[], |extra| &extra.rest.parts)
    }

    /// Returns the amount that the provider states, in US dollars, whether or not it is
    /// [trusted](crate::CostMapBuilder::trust_stated_costs).
    #[must_use]
    pub fn stated(&self) -> Option<Usd> {
        self.extra.as_ref()?.stated
    }

    /// Returns the amount by the rates of the map, in US dollars: the total, unless that is the
    /// amount that the provider states. Returns `None` if the latter stands in for a price that is
    /// not known.
    #[must_use]
    pub fn computed(&self) -> Option<Usd> {
        let is_stated = self.notes.has(Note::StatedByProvider);
        if is_stated { self.extra.as_ref()?.computed } else { Some(self.original()) }
    }

    /// Returns the name of the [price set](PriceSet) that priced the call. Returns `None` if none did:
    /// the call has none, or none that names its model.
    #[must_use]
    pub fn price_set(&self) -> Option<&str> {
        Some(&*self.price_set).filter(|name| !name.is_empty())
    }

    /// Returns the multipliers of the bill's own lines, with their kinds.
    pub(crate) fn factors(&self) -> impl Iterator<Item = (FactorKind, Number)> + '_ {
        self.factors.kinds()
    }

    /// Returns the share and the fixed amount of the discount or the margin.
    pub(crate) fn adjustment(&self, component: Component) -> (Number, Usd) {
        let line = self.lines().find(|line| line.component == component);
        line.map_or((Number::from(0), Usd::ZERO), |line| (line.multiplier, line.rate.unwrap_or_default()))
    }

    /// Adds a note that the model is retired, unless the amount is the provider's, or all prices are others
    /// than those of the model: `is_other` says so of the field of a price.
    pub(crate) fn note_retired(&mut self, is_other: impl Fn(&str) -> bool) {
        let sources = self.lines().filter_map(|line| line.source);
        let fields: Vec<String> = sources.map(|source| source.field()).collect();
        let is_other = !fields.is_empty() && fields.iter().all(|field| is_other(field));
        if !is_other && !self.notes.has(Note::StatedByProvider) {
            self.notes.add(Note::Retired);
        }
    }

    /// Notes that a price set priced the bill.
    pub(crate) fn mark_set(&mut self, set: &PriceSet) {
        self.price_set = *set.inline_name();
        self.notes.mark(NoteSet::OF_PRICE_SET);
    }

    /// Notes that a deployment's own prices priced the bill.
    pub(crate) fn mark_deployment(&mut self) {
        self.notes.mark(NoteSet::OF_DEPLOYMENT);
    }

    /// Returns the source of the prices, in the words of LiteLLM's accounting. The bill of a response that
    /// used several models is `per_request` if a price set priced one of them.
    #[must_use]
    pub fn pricing_source(&self) -> PricingSource {
        let own = self.source_of_lines();
        let is_stated = own == PricingSource::UpstreamHeader;
        if !is_stated && self.price_set().is_some() { PricingSource::PerRequest } else { own }
    }

    /// Returns the source of the prices of the bill's own lines, apart from those of other models.
    fn source_of_lines(&self) -> PricingSource {
        if self.notes.has(Note::StatedByProvider) {
            PricingSource::UpstreamHeader
        } else if self.notes.is(NoteSet::OF_PRICE_SET) {
            PricingSource::PerRequest
        } else if self.notes.is(NoteSet::OF_DEPLOYMENT) {
            PricingSource::Deployment
        } else {
            PricingSource::CostMap
        }
    }

    /// Adds the bill of another model that the same response used. Returns `None` if a sum is beyond
    /// the range of [`Usd`].
    pub(crate) fn add_part(&mut self, part: Self) -> Option<()> {
        let sums = [(self.input, part.input), (self.output, part.output), (self.total, part.total)];
        let [input, output, total] = sums.map(|(sum, more)| sum.checked_add(more));
        (self.input, self.output, self.total) = (input?, output?, total?);
        let source = part.source_of_lines();
        self.notes.add_all(part.notes.only_notes());
        if self.price_set.is_empty() {
            self.price_set = part.price_set;
        }
        let Self { factors, key, lines, extra, .. } = part;
        let more = extra.map(|extra| extra.more).unwrap_or_default();
        let rest = &mut self.extra.get_or_insert_default().rest;
        Arc::make_mut(rest).parts.push(Part { source, factors, key, lines, more });
        Some(())
    }

    /// Returns the generation of the map that priced the call: see
    /// [`CostMap::generation`](crate::CostMap::generation).
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns remarks on how the bill was made.
    pub fn notes(&self) -> impl Iterator<Item = Note> + '_ {
        Note::ALL.iter().copied().filter(|note| self.notes.has(*note))
    }
}

/// Two costs are equal if their keys, lines, sums, notes and generations are.
impl PartialEq for Cost {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
            && (self.input, self.output, self.total) == (other.input, other.output, other.total)
            && (self.generation, self.notes) == (other.generation, other.notes)
            && (self.stated(), self.computed()) == (other.stated(), other.computed())
            && (self.billed(), self.pricing_source()) == (other.billed(), other.pricing_source())
            && self.price_set() == other.price_set()
            && self.lines().eq(other.lines())
    }
}

impl Eq for Cost {}

/// The lines of a bill, and of the other models in it.
struct AllLines<'a> {
    source: PricingSource,
    key: &'a Key,
    factors: &'a Factors,
    lines: lines::Iter<'a>,
    /// The shares of input and output in an amount that the provider states.
    stated: [Usd; 2],
    parts: std::slice::Iter<'a, Part>,
    of: &'a Cost,
    /// The number of lines of the settlement that were returned.
    settled: usize,
}

impl<'a> AllLines<'a> {
    /// Returns the next line of the settlement.
    fn settled_line(&mut self) -> Option<Line<'a>> {
        let line = self.of.settlement()?.line(self.of.key(), self.settled)?;
        self.settled += 1;
        Some(line)
    }

    #[inline]
    fn line(&self, packed: &Packed) -> Line<'a> {
        let amount = if packed.is_stated() {
            let [input, output] = self.stated;
            if packed.what.component.is_input() { input } else { output }
        } else {
            // The amount was within the range when the total was made of it.
            packed.amount(self.factors).unwrap_or(Usd::ZERO)
        };
        Line::new(self.key.as_str(), packed, self.factors, amount, self.source)
    }
}

impl<'a> Iterator for AllLines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            if let Some(packed) = self.lines.next() {
                return Some(self.line(&packed));
            }
            let Some(Part { source, key, factors, lines, more }) = self.parts.next() else {
                return self.settled_line();
            };
            self.source = *source;
            (self.key, self.factors, self.lines) = (key, factors, lines.iter(more));
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.lines.len()
            + self.parts.clone().map(|part| part.lines.iter(&part.more).len()).sum::<usize>()
            + self.of.settlement().map_or(0, |settlement| settlement.len() - self.settled);
        (left, Some(left))
    }
}

impl ExactSizeIterator for AllLines<'_> {}

/// Writes a receipt that can be checked by hand.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} USD", self.key(), self.total)?;
        for line in self.lines() {
            write!(f, "\n  {line}")?;
            if line.key != self.key() {
                write!(f, " of {}", line.key)?;
            }
        }
        if let Some(set) = self.price_set() {
            write!(f, "\n  prices: {set}")?;
        }
        if self.is_prepaid() {
            write!(f, "\n  billed: {} USD, since the call was prepaid", self.billed())?;
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
            .field("generation", &self.generation)
            .field("lines", &self.lines().collect::<Vec<_>>())
            .field("notes", &self.notes().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
