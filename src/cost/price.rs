//! The calculation: rates and counts in, a cost out. No map, no clock but the request's.

use super::key::Key;
use super::line::{How, line_units};
use super::lines::Lines;
use super::text::TextCall;
use super::tokens;
use super::{Cost, CostRequest, Note, Notes};
use crate::catalog::EntryRef;
use crate::decimal::multiply_divide;
use crate::error::Error;
use crate::rates::field::Tier;
use crate::rates::{self, Cell, Component, Factor, Factors, Price, RateSet, Row, RuleProvider, Selection};
use crate::usd::Usd;

/// The entry to price by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) entry: EntryRef<'a>,
    /// What the cost calls it.
    pub(crate) key: &'a str,
    /// The provider asked for or inferred, where that is known already.
    pub(crate) provider: Option<RuleProvider>,
    /// The entry of a router that adds a fee.
    pub(crate) router: Option<EntryRef<'a>>,
    /// Whether the operator set prices of the entry: they win over what a provider states.
    pub(crate) operator_priced: bool,
    pub(crate) generation: u64,
}

impl Subject<'_> {
    fn is_of(&self, provider: RuleProvider, request: &CostRequest<'_>) -> bool {
        is_asked(provider, self.provider, request)
    }
}

/// Whether a provider is the one asked for, or else the one that the name begins with. Few rules depend on it.
#[inline]
pub(super) fn is_asked(
    provider: RuleProvider,
    known: Option<RuleProvider>,
    request: &CostRequest<'_>,
) -> bool {
    known.unwrap_or_else(|| RuleProvider::of(None, request.lookup.name)) == provider
}

/// Prices a call, line by line. What few calls depend on is asked for where it is needed.
#[inline]
pub(crate) fn price<'a>(
    entry: EntryRef<'a>,
    key: &str,
    provider: Option<RuleProvider>,
    generation: u64,
    request: &CostRequest<'_>,
    subject: impl FnOnce() -> Subject<'a>,
) -> Result<Cost, Error> {
    if let Some(bill) = TextCall::of(entry, provider, request).and_then(|call| call.bill()) {
        // Made where it will lie: a cost is large, and every move of it would show.
        return Ok(Cost {
            input: bill.input,
            output: bill.output,
            total: bill.total,
            factors: Factors::ONE,
            generation,
            notes: bill.notes,
            complete: true,
            key: Key::new(key),
            lines: bill.lines,
        });
    }
    price_any(subject(), request)
}

#[inline(never)]
fn price_any(subject: Subject<'_>, request: &CostRequest<'_>) -> Result<Cost, Error> {
    let mut cost = Cost::nothing(subject.key, subject.generation);
    match cost.fill(subject, request) {
        Some(()) => Ok(cost),
        None => Err(overflow(subject)),
    }
}

#[cold]
fn overflow(subject: Subject<'_>) -> Error {
    Error::Overflow { key: subject.key.to_owned() }
}

impl Cost {
    /// A cost without a line.
    fn nothing(key: &str, generation: u64) -> Self {
        Self {
            input: Usd::ZERO,
            output: Usd::ZERO,
            total: Usd::ZERO,
            factors: Factors::ONE,
            generation,
            notes: Notes::NONE,
            complete: true,
            key: Key::new(key),
            lines: Lines::none(),
        }
    }

    /// What a call costs to a model that runs on the caller's own machines.
    pub(crate) fn free(name: &str, generation: u64) -> Self {
        let mut cost = Self::nothing(name, generation);
        cost.notes.add(Note::RunsAtHome);
        cost
    }

    /// Makes the bill. `None` where an amount or a count overflows.
    fn fill(&mut self, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let rates = subject.entry.rates()?;
        self.factors = self.factors(rates, request)?;
        let mut bill = Bill { cost: self, rates, input: 0, output: 0 };
        bill.add_all(subject, request)?;
        let (input, output) = (bill.input, bill.output);
        self.input = Usd::from_unsigned(input)?;
        self.output = Usd::from_unsigned(output)?;
        self.total = self.input.checked_add(self.output)?;
        match request.usage.cost {
            Some(stated) if !subject.operator_priced => self.replace_by_stated(stated, request),
            _ => Some(()),
        }
    }

    /// What multiplies all token costs of a call.
    fn factors(&mut self, rates: &RateSet, request: &CostRequest<'_>) -> Option<Factors> {
        let usage = request.usage;
        let mut factors = Factors::ONE;
        let mut apply = |found: Option<Factor>| found.map_or(Some(()), |found| factors.push(found));
        if let Some(region) = request.data_residency {
            let found = rates.residency_factor(region);
            if found.is_none() && !["eu", "us"].iter().any(|known| known.eq_ignore_ascii_case(region)) {
                self.notes.add(Note::UnknownDataResidency);
            }
            apply(found)?;
        }
        if let Some(location) = request.vertex_location {
            apply(rates.vertex_factor(location))?;
        }
        if let Some(geo) = &usage.inference_geo {
            apply(rates.geo_factor(geo))?;
        }
        if let Some(speed) = &usage.speed {
            apply(rates.speed_factor(speed))?;
        }
        Some(factors)
    }

    /// Puts what the provider states in the place of what was calculated, split in the same ratio.
    fn replace_by_stated(&mut self, stated: Usd, request: &CostRequest<'_>) -> Option<()> {
        let [whole, part, sum] = [stated, self.input, self.total].map(|usd| usd.units().unsigned_abs());
        let share = multiply_divide(whole, part, sum);
        // Nothing of our own to split by: all of it is output.
        self.input = share.and_then(Usd::from_unsigned).unwrap_or(Usd::ZERO);
        self.output = stated.checked_sub(self.input)?;
        self.total = stated;
        self.complete = true;
        self.notes.add(Note::StatedByProvider);
        self.lines = Lines::none();
        let usage = request.usage;
        for (component, count) in
            [(Component::Input, usage.prompt_tokens), (Component::Output, usage.completion_tokens)]
        {
            let amount = if component.is_input() { self.input } else { self.output };
            if count == 0 && amount.is_zero() {
                continue;
            }
            self.lines.push(None, count, component, How::Stated)?;
        }
        Some(())
    }
}

/// A bill in the making.
struct Bill<'a> {
    cost: &'a mut Cost,
    rates: &'a RateSet,
    /// The sums so far, in 10^-28 dollars; that they are in the range is checked at the end.
    input: u128,
    output: u128,
}

impl Bill<'_> {
    /// Adds every line of a call. `None` where an amount or a count overflows.
    fn add_all(&mut self, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let (rates, usage) = (self.rates, request.usage);
        let (tier, knows_tier) = request.billed_tier();
        if !knows_tier {
            self.cost.notes.add(Note::UnknownServiceTier);
        }
        self.add_router_fee(subject, request)?;
        if !rates.second().is_none() {
            return self.add_duration(request);
        }
        if rates.has_extras() {
            let legacy = rates.legacy_vertex(usage.prompt_tokens, usage.completion_tokens);
            if let Some((input, output)) = legacy {
                if !request.batch && subject.is_of(RuleProvider::VertexAi, request) {
                    self.add(input, Component::Input, usage.prompt_tokens)?;
                    return self.add(output, Component::Output, usage.completion_tokens);
                }
            }
        }
        let selection = Selection {
            tier: if request.batch { Tier::Batches } else { tier },
            prompt_tokens: usage.prompt_tokens,
            xai: rates.is_inclusive() && subject.is_of(RuleProvider::Xai, request),
            unix_seconds: if rates.has_off_peak() { request.unix_seconds() } else { 0 },
        };
        let picked = rates.row(selection)?;
        if picked.displaces_tier {
            self.cost.notes.add(Note::StandardRateAboveThreshold);
        }
        self.add_tokens(picked.row, subject, request)?;
        if usage.citation_tokens > 0 && !rates.citation().is_none() {
            self.add(rates.citation(), Component::Citation, usage.citation_tokens)?;
        }
        let searches = usage.prompt_tokens_details.web_search_requests;
        if searches > 0 && !rates.search().is_none() {
            self.push(rates.price(rates.search()), Component::Search, searches, How::Plain)?;
        }
        Some(())
    }

    /// Adds a line for every component that was used.
    fn add_tokens(&mut self, row: &Row, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let add = |component: Component, count: u64| {
            let cell = if component.is_cache_read() {
                read_cell(row, component, subject, request)
            } else {
                row.cell(component)
            };
            self.add(cell, component, count)
        };
        if request.batch {
            tokens::split_batch(request.usage, row, add)
        } else {
            tokens::split(request.usage, add)
        }
    }

    /// What a router adds for every prompt token: its own entry's input rate.
    fn add_router_fee(&mut self, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let Some(router) = subject.router.and_then(EntryRef::rates) else { return Some(()) };
        let tokens = request.usage.prompt_tokens;
        let selection =
            Selection { tier: Tier::Standard, prompt_tokens: tokens, xai: false, unix_seconds: 0 };
        let fee = router.row(selection)?.row.cell(Component::Input);
        if tokens == 0 || fee.is_none() {
            return Some(());
        }
        self.push(router.price(fee), Component::RouterFee, tokens, How::Plain)
    }

    /// Seconds of wall-clock time. Where nobody measured them, the bill is incomplete.
    fn add_duration(&mut self, request: &CostRequest<'_>) -> Option<()> {
        let Some(duration) = request.duration else {
            return self.push(None, Component::Duration, 0, How::Plain);
        };
        let nanoseconds = u64::try_from(duration.as_nanos()).ok()?;
        self.push(self.rates.price(self.rates.second()), Component::Duration, nanoseconds, How::Plain)
    }

    #[inline]
    fn add(&mut self, cell: Cell, component: Component, count: u64) -> Option<()> {
        if count == 0 {
            return Some(());
        }
        let how = if cell.is_half() { How::Halved } else { How::Multiplied };
        self.push(self.rates.price(cell), component, count, how)
    }

    /// Adds a line and its amount.
    #[inline]
    fn push(&mut self, price: Option<&Price>, component: Component, digits: u64, how: How) -> Option<()> {
        self.cost.complete &= price.is_some();
        let units = line_units(price, rates::Quantity::of(component, digits), how, &self.cost.factors)?;
        let side = if component.is_input() { &mut self.input } else { &mut self.output };
        *side = side.checked_add(units)?;
        self.cost.lines.push(price, digits, component, how)
    }
}

/// The price of a cache read.
fn read_cell(row: &Row, component: Component, subject: Subject<'_>, request: &CostRequest<'_>) -> Cell {
    let mut cell = row.cell(component);
    // Hits of an explicit cache, and shares of them that have no rate of their own.
    let explicit = request.usage.prompt_tokens_details.cache_type.as_deref() == Some("ephemeral");
    if explicit && cell == row.cell(Component::CacheRead) {
        cell = row.explicit_read();
    }
    // Half the input rate is Fireworks' own price: to whoever else is asked, a hit is input.
    if cell.is_half() && !request.batch && !subject.is_of(RuleProvider::FireworksAi, request) {
        cell = row.cell(Component::Input);
    }
    cell
}
