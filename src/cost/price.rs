//! The calculation: rates and counts in, a cost out. No map, no clock but the request's.

use super::key::Key;
use super::line::{How, line_units};
use super::lines::{Lines, Others};
use super::note::NoteSet;
use super::tokens::{self, Counts, RARE};
use super::{Call, Cost, NotPriced, Note, Unpriced};
use crate::num::decimal::multiply_divide;
use crate::num::{Fixed, Usd};
use crate::rates::field::Tier;
use crate::rates::{
    COMMON, Cell, Cells, CommonCounts, Component, Factors, Price, RateRow, RateSet, RowPosition,
    RuleProvider, Selection,
};

/// The rates that price a call, and what else of a map decides its price.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) rates: &'a RateSet,
    /// The key that the cost shows.
    pub(crate) key: &'a str,
    pub(crate) provider: AskedProvider<'a>,
    /// The rates of a router that adds a fee.
    pub(crate) router: Option<&'a RateSet>,
    /// Whether the operator set prices of the entry, which win over an amount that a provider states.
    pub(crate) operator_priced: bool,
    pub(crate) generation: u64,
}

/// The provider of a call, as far as rules depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AskedProvider<'a> {
    Known(RuleProvider),
    /// The first segment of this name, read when a rule needs it: few rules do.
    InName(&'a str),
}

impl AskedProvider<'_> {
    #[inline]
    fn get(self) -> RuleProvider {
        match self {
            Self::Known(provider) => provider,
            Self::InName(name) => RuleProvider::of(None, name),
        }
    }
}

/// A call that is billed for common components alone, by a row that is picked by its tier and the length of the prompt.
struct Plain<'a> {
    rates: &'a RateSet,
    row: &'a RateRow,
    position: RowPosition,
    counts: CommonCounts,
    knows_tier: bool,
}

impl<'a> Plain<'a> {
    /// Returns `None` if the price depends on anything else.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a call that is returned through memory delays the sum")]
    fn of(rates: &'a RateSet, provider: AskedProvider<'_>, call: &Call<'_>) -> Option<Self> {
        if !(rates.is_simple() && call.is_plain() && tokens::is_plain(call.usage)) {
            return None;
        }
        let (tier, knows_tier) = call.billed_tier();
        let (row, position) = rates.pick_simply(tier, call.usage.prompt_tokens, || provider.get())?;
        let counts = tokens::common(call.usage);
        (row.is_whole() || row.apart(used(counts)) == 0).then_some(Self {
            rates,
            row,
            position,
            counts,
            knows_tier,
        })
    }

    #[inline]
    fn notes(&self) -> NoteSet {
        let mut notes = NoteSet::NONE;
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

/// Returns the total of a call that is billed for common components alone. Returns `None` if the call
/// is billed for others, its service tier is unknown, or the sum is beyond the range of money.
#[inline(always)]
#[allow(clippy::inline_always, reason = "an amount that is returned through memory delays its reader")]
pub(crate) fn plain_total(rates: &RateSet, provider: AskedProvider<'_>, call: &Call<'_>) -> Option<Usd> {
    let plain = Plain::of(rates, provider, call).filter(|plain| plain.knows_tier)?;
    Usd::from_unsigned(plain.row.total(plain.counts)?)
}

/// Prices a call. The parts of the subject that few calls depend on are asked for when they are needed.
#[inline]
pub(crate) fn price<'a, E: From<NotPriced>>(
    rates: &'a RateSet,
    key: &str,
    provider: AskedProvider<'_>,
    generation: u64,
    call: &Call<'_>,
    subject: impl FnOnce() -> Subject<'a>,
) -> Result<Cost, E> {
    if let Some(plain) = Plain::of(rates, provider, call) {
        let sums = plain.row.sums(plain.counts).zip(plain.rates.from(plain.position));
        let amounts = sums.and_then(|([input, output], from)| {
            let (input, output) = (Usd::from_unsigned(input)?, Usd::from_unsigned(output)?);
            Some((input, output, input.checked_add(output)?, from))
        });
        if let Some((input, output, total, from)) = amounts {
            // Written out down to the lines, so that the cost is constructed in place: moving one is
            // measurable.
            return Ok(Cost {
                input,
                output,
                total,
                factors: Factors::ONE,
                generation,
                notes: plain.notes(),
                key: Key::new(key),
                lines: Lines {
                    row: *plain.row,
                    from: *from,
                    counts: plain.counts,
                    used: used(plain.counts),
                    others: Others::default(),
                },
            });
        }
    }
    price_any(subject(), call)
}

#[inline(never)]
fn price_any<E: From<NotPriced>>(subject: Subject<'_>, call: &Call<'_>) -> Result<Cost, E> {
    // Constructed in place: moving a cost is measurable.
    let mut cost = Ok(Cost::nothing(subject.key, subject.generation));
    let is_complete = cost.as_mut().ok().and_then(|cost: &mut Cost| cost.fill(subject, call));
    match is_complete {
        Some(true) => cost,
        Some(false) => cost.and_then(unpriced),
        None => Err(NotPriced::Overflow { key: subject.key.to_owned() }.into()),
    }
}

#[cold]
fn unpriced<E: From<NotPriced>>(partial: Cost) -> Result<Cost, E> {
    Err(NotPriced::Unpriced(Box::new(Unpriced { partial })).into())
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
            notes: NoteSet::NONE,
            key: Key::new(key),
            lines: Lines::none(),
        }
    }

    /// What a call costs to a model that runs on the caller's own machines.
    pub(crate) fn free(name: &str, generation: u64) -> Self {
        let mut cost = Self::nothing(name, generation);
        cost.notes.add(Note::SelfHosted);
        cost
    }

    /// Adds the lines and the sums, and returns whether all lines have a price. Returns `None` if an
    /// amount or a count overflows.
    fn fill(&mut self, subject: Subject<'_>, call: &Call<'_>) -> Option<bool> {
        let rates = subject.rates;
        self.factors = self.factors(rates, call)?;
        let mut bill = Bill { cost: self, rates, input: 0, output: 0, is_complete: true };
        bill.add_all(subject, call)?;
        let (input, output, is_complete) = (bill.input, bill.output, bill.is_complete);
        self.input = Usd::from_unsigned(input)?;
        self.output = Usd::from_unsigned(output)?;
        self.total = self.input.checked_add(self.output)?;
        match call.usage.cost {
            Some(stated) if !subject.operator_priced => {
                self.replace_by_stated(stated, call)?;
                Some(true)
            }
            _ => Some(is_complete),
        }
    }

    /// What multiplies all token costs of a call.
    fn factors(&mut self, rates: &RateSet, call: &Call<'_>) -> Option<Factors> {
        let usage = call.usage;
        let mut factors = Factors::ONE;
        let mut apply = |found: Option<Fixed>| found.map_or(Some(()), |found| factors.push(found));
        if let Some(region) = call.data_residency {
            let found = rates.residency_factor(region);
            if found.is_none() && !["eu", "us"].iter().any(|known| known.eq_ignore_ascii_case(region)) {
                self.notes.add(Note::UnknownDataResidency);
            }
            apply(found)?;
        }
        if let Some(location) = call.vertex_location {
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
    fn replace_by_stated(&mut self, stated: Usd, call: &Call<'_>) -> Option<()> {
        let [whole, part, sum] = [stated, self.input, self.total].map(|usd| usd.units().unsigned_abs());
        let share = multiply_divide(whole, part, sum);
        // Nothing of our own to split by: all of it is output.
        self.input = share.and_then(Usd::from_unsigned).unwrap_or(Usd::ZERO);
        self.output = stated.checked_sub(self.input)?;
        self.total = stated;
        self.notes.add(Note::StatedByProvider);
        self.lines = Lines::none();
        let usage = call.usage;
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
    is_complete: bool,
}

impl Bill<'_> {
    /// Adds every line of a call, in the order of components. `None` where an amount or a count overflows.
    fn add_all(&mut self, subject: Subject<'_>, call: &Call<'_>) -> Option<()> {
        let (rates, usage) = (self.rates, call.usage);
        let (tier, knows_tier) = call.billed_tier();
        if !knows_tier {
            self.cost.notes.add(Note::UnknownServiceTier);
        }
        if !rates.second().is_none() {
            self.add_router_fee(subject, call)?;
            return self.add_duration(call);
        }
        let legacy = rates.legacy_vertex(usage.prompt_tokens, usage.completion_tokens);
        let applies = |_: &_| !call.batch && subject.provider.get() == RuleProvider::VertexAi;
        if let Some((row, position)) = legacy.filter(applies) {
            let common = [usage.prompt_tokens, 0, 0, usage.completion_tokens, 0];
            let counts = Counts { common, rare: [0; RARE.len()] };
            self.add_tokens(row, position, &counts, call)?;
            return self.add_router_fee(subject, call);
        }
        let selection = Selection {
            tier: if call.batch { Tier::Batches } else { tier },
            prompt_tokens: usage.prompt_tokens,
            unix_seconds: if rates.has_off_peak() { call.unix_seconds() } else { 0 },
        };
        let (row, position) = rates.pick(selection, || subject.provider.get())?;
        if row.displaces_tier {
            self.cost.notes.add(Note::StandardRateAboveThreshold);
        }
        let batch = if call.batch { Some(rates.cells(position)?) } else { None };
        let counts = tokens::split(usage, batch)?;
        self.add_tokens(row, position, &counts, call)?;
        if usage.citation_tokens > 0 && !rates.citation().is_none() {
            self.add(rates.citation(), Component::Citation, usage.citation_tokens)?;
        }
        self.add_router_fee(subject, call)?;
        let searches = usage.prompt_tokens_details.web_search_requests;
        if searches > 0 && !rates.search().is_none() {
            self.push(rates.price(rates.search()), Component::Search, searches, How::Plain)?;
        }
        Some(())
    }

    /// Adds what a row prices: the common components in one sum, where no amount of them is rounded, and all others line by line.
    fn add_tokens(
        &mut self,
        row: &RateRow,
        position: RowPosition,
        counts: &Counts,
        call: &Call<'_>,
    ) -> Option<()> {
        let cells = self.rates.cells(position)?;
        let used = used(counts.common);
        let mut apart = row.apart(used);
        let is_explicit = call.usage.prompt_tokens_details.cache_type.as_deref() == Some("ephemeral");
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
    fn add_router_fee(&mut self, subject: Subject<'_>, call: &Call<'_>) -> Option<()> {
        let Some(router) = subject.router else { return Some(()) };
        let tokens = call.usage.prompt_tokens;
        let (_, position) = router.pick_simply(Tier::Standard, tokens, || RuleProvider::Other)?;
        let fee = router.cells(position)?.cell(Component::Input);
        if tokens == 0 || fee.is_none() {
            return Some(());
        }
        self.push(router.price(fee), Component::RouterFee, tokens, How::Plain)
    }

    /// Seconds of wall-clock time. Where nobody measured them, the bill is incomplete.
    fn add_duration(&mut self, call: &Call<'_>) -> Option<()> {
        let Some(duration) = call.duration else {
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
        self.is_complete &= price.is_some();
        let units = line_units(price, Fixed::new(digits, component.decimals()), how, &self.cost.factors)?;
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
