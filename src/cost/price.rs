//! The calculation: rates and counts in, a cost out. No map, no clock but the request's.

use super::key::Key;
use super::line::{How, line_units};
use super::lines::{Lines, Others};
use super::tokens::{self, Counts, RARE};
use super::{Cost, CostRequest, Note, Notes};
use crate::catalog::EntryRef;
use crate::decimal::multiply_divide;
use crate::error::Error;
use crate::rates::field::Tier;
use crate::rates::{
    self, COMMON, Cell, Cells, CommonCounts, Component, Factor, Factors, Position, Price, RateSet, Row,
    RuleProvider, Selection,
};
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
    fn asked(&self, request: &CostRequest<'_>) -> RuleProvider {
        asked(self.provider, request)
    }
}

/// The provider asked for, or else the one that the name begins with. Few rules depend on it.
#[inline]
fn asked(known: Option<RuleProvider>, request: &CostRequest<'_>) -> RuleProvider {
    known.unwrap_or_else(|| RuleProvider::of(None, request.lookup.name))
}

/// A call that is billed for common components alone, by a row that is picked by its tier and the length of the prompt.
struct Plain<'a> {
    rates: &'a RateSet,
    row: &'a Row,
    position: Position,
    counts: CommonCounts,
    knows_tier: bool,
}

impl<'a> Plain<'a> {
    /// `None` where anything else is to be looked at.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "handed back through memory, a call is waited for")]
    fn of(entry: EntryRef<'a>, provider: Option<RuleProvider>, request: &CostRequest<'_>) -> Option<Self> {
        let rates = entry.rates()?;
        if !(rates.is_simple() && request.is_plain() && tokens::is_plain(request.usage)) {
            return None;
        }
        let (tier, knows_tier) = request.billed_tier();
        let (row, position) =
            rates.pick_simply(tier, request.usage.prompt_tokens, || asked(provider, request))?;
        let counts = tokens::common(request.usage);
        (row.is_whole() || row.apart(used(counts)) == 0).then_some(Self {
            rates,
            row,
            position,
            counts,
            knows_tier,
        })
    }

    #[inline]
    fn notes(&self) -> Notes {
        let mut notes = Notes::NONE;
        if !self.knows_tier {
            notes.add(Note::UnknownServiceTier);
        }
        if self.row.displaces_tier {
            notes.add(Note::StandardRateAboveThreshold);
        }
        notes
    }
}

/// Which of the common components are used, a bit each.
#[inline]
fn used(counts: CommonCounts) -> u8 {
    (0..).zip(counts).fold(0, |used, (place, count)| used | u8::from(count > 0) << place)
}

/// What a call costs in all, where it is billed for common components alone. `None` where it is not, or where the sum is beyond the range of
/// money.
#[inline(always)]
#[allow(clippy::inline_always, reason = "handed back through memory, an amount is waited for")]
pub(crate) fn plain_total(
    entry: EntryRef<'_>,
    provider: Option<RuleProvider>,
    request: &CostRequest<'_>,
) -> Option<Usd> {
    let call = Plain::of(entry, provider, request)?;
    Usd::from_unsigned(call.row.total(call.counts)?)
}

/// Prices a call. What few calls depend on is asked for where it is needed.
#[inline]
pub(crate) fn price<'a>(
    entry: EntryRef<'a>,
    key: &str,
    provider: Option<RuleProvider>,
    generation: u64,
    request: &CostRequest<'_>,
    subject: impl FnOnce() -> Subject<'a>,
) -> Result<Cost, Error> {
    if let Some(call) = Plain::of(entry, provider, request) {
        let sums = call.row.sums(call.counts).zip(call.rates.from(call.position));
        let amounts = sums.and_then(|([input, output], from)| {
            let (input, output) = (Usd::from_unsigned(input)?, Usd::from_unsigned(output)?);
            Some((input, output, input.checked_add(output)?, from))
        });
        if let Some((input, output, total, from)) = amounts {
            // Written out down to the lines, so that it is constructed in place: moving a cost is measurable.
            return Ok(Cost {
                input,
                output,
                total,
                factors: Factors::ONE,
                generation,
                notes: call.notes(),
                complete: true,
                key: Key::new(key),
                lines: Lines {
                    row: *call.row,
                    from: *from,
                    counts: call.counts,
                    used: used(call.counts),
                    others: Others::default(),
                },
            });
        }
    }
    price_any(subject(), request)
}

#[inline(never)]
fn price_any(subject: Subject<'_>, request: &CostRequest<'_>) -> Result<Cost, Error> {
    // Constructed in place: moving a cost is measurable.
    let mut cost = Ok(Cost::nothing(subject.key, subject.generation));
    let is_filled = cost.as_mut().is_ok_and(|cost: &mut Cost| cost.fill(subject, request).is_some());
    if is_filled { cost } else { Err(overflow(subject)) }
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
    /// Adds every line of a call, in the order of components. `None` where an amount or a count overflows.
    fn add_all(&mut self, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let (rates, usage) = (self.rates, request.usage);
        let (tier, knows_tier) = request.billed_tier();
        if !knows_tier {
            self.cost.notes.add(Note::UnknownServiceTier);
        }
        if !rates.second().is_none() {
            self.add_router_fee(subject, request)?;
            return self.add_duration(request);
        }
        let legacy = rates.legacy_vertex(usage.prompt_tokens, usage.completion_tokens);
        let applies = |_: &_| !request.batch && subject.asked(request) == RuleProvider::VertexAi;
        if let Some((row, position)) = legacy.filter(applies) {
            let common = [usage.prompt_tokens, 0, 0, usage.completion_tokens, 0];
            let counts = Counts { common, rare: [0; RARE.len()] };
            self.add_tokens(row, position, &counts, request)?;
            return self.add_router_fee(subject, request);
        }
        let selection = Selection {
            tier: if request.batch { Tier::Batches } else { tier },
            prompt_tokens: usage.prompt_tokens,
            unix_seconds: if rates.has_off_peak() { request.unix_seconds() } else { 0 },
        };
        let (row, position) = rates.pick(selection, || subject.asked(request))?;
        if row.displaces_tier {
            self.cost.notes.add(Note::StandardRateAboveThreshold);
        }
        let batch = if request.batch { Some(rates.cells(position)?) } else { None };
        let counts = tokens::split(usage, batch)?;
        self.add_tokens(row, position, &counts, request)?;
        if usage.citation_tokens > 0 && !rates.citation().is_none() {
            self.add(rates.citation(), Component::Citation, usage.citation_tokens)?;
        }
        self.add_router_fee(subject, request)?;
        let searches = usage.prompt_tokens_details.web_search_requests;
        if searches > 0 && !rates.search().is_none() {
            self.push(rates.price(rates.search()), Component::Search, searches, How::Plain)?;
        }
        Some(())
    }

    /// Adds what a row prices: the common components in one sum, where no amount of them is rounded, and all others line by line.
    fn add_tokens(
        &mut self,
        row: &Row,
        position: Position,
        counts: &Counts,
        request: &CostRequest<'_>,
    ) -> Option<()> {
        let cells = self.rates.cells(position)?;
        let used = used(counts.common);
        let mut apart = row.apart(used);
        let is_explicit = request.usage.prompt_tokens_details.cache_type.as_deref() == Some("ephemeral");
        if is_explicit && cells.explicit_read() != cells.cell(Component::CacheRead) {
            apart |= used & READ;
        }
        let summed: CommonCounts = std::array::from_fn(|place| {
            if apart >> place & 1 == 0 { counts.common.get(place).copied().unwrap_or(0) } else { 0 }
        });
        let sums = row.multiplied_sums(summed, &self.cost.factors);
        let (in_row, apart) = if sums.is_some() { (used & !apart, apart) } else { (0, used) };
        let [input, output] = sums.unwrap_or([0, 0]);
        self.input = self.input.checked_add(input)?;
        self.output = self.output.checked_add(output)?;
        self.cost.lines.set_common(row, self.rates.from(position)?, summed, in_row);
        let mut left = apart;
        for (component, count) in RARE.into_iter().zip(counts.rare) {
            if count > 0 {
                self.add_apart(&mut left, component, cells, counts, is_explicit)?;
                self.add(cell_of(cells, component, is_explicit), component, count)?;
            }
        }
        self.add_apart(&mut left, Component::Citation, cells, counts, is_explicit)
    }

    /// Adds those of the common components that are left and come before another one, and takes their bits.
    #[inline]
    fn add_apart(
        &mut self,
        left: &mut u8,
        before: Component,
        cells: &Cells,
        counts: &Counts,
        is_explicit: bool,
    ) -> Option<()> {
        while *left != 0 {
            let place = left.trailing_zeros() as usize;
            let component = *COMMON.get(place)?;
            if component > before {
                break;
            }
            self.add(cell_of(cells, component, is_explicit), component, *counts.common.get(place)?)?;
            *left &= *left - 1;
        }
        Some(())
    }

    /// What a router adds for every prompt token: its own entry's input rate.
    fn add_router_fee(&mut self, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let Some(router) = subject.router.and_then(EntryRef::rates) else { return Some(()) };
        let tokens = request.usage.prompt_tokens;
        let (_, position) = router.pick_simply(Tier::Standard, tokens, || RuleProvider::Other)?;
        let fee = router.cells(position)?.cell(Component::Input);
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

/// The bit of cache reads among the common components.
const READ: u8 = 1 << 1;

/// The price of a component. Hits of an explicit cache, and shares of them that have no rate of their own, may have another.
fn cell_of(cells: &Cells, component: Component, is_explicit: bool) -> Cell {
    let cell = cells.cell(component);
    let is_read = component.is_cache_read() && cell == cells.cell(Component::CacheRead);
    if is_explicit && is_read { cells.explicit_read() } else { cell }
}
