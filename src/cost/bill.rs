//! A bill line by line: select a row, split the usage, sum the lines.

use super::line::{How, Packed, What, line_units};
use super::lines::Lines;
use super::note::NoteSet;
use super::subject::{AskedProvider, Subject};
use super::tokens::{self, Counts, RARE};
use super::units::{UnitLine, UnitLines};
use super::{Call, Extra, Note};
use crate::num::decimal::multiply_divide;
use crate::num::{Fixed, Usd};
use crate::rates::field::Tier;
use crate::rates::{
    COMMON, Cell, Cells, CommonCounts, Component, FactorKind, Factors, Price, RateRow, RateSet, RowPosition,
    RuleProvider, Selection, Terms,
};

/// A bill under construction.
pub(super) struct Bill<'a> {
    rates: &'a RateSet,
    pub(super) factors: Factors,
    pub(super) notes: NoteSet,
    /// The sums so far, in 10^-28 dollars. Their range is checked at the end.
    input: u128,
    output: u128,
    tools: u128,
    pub(super) is_complete: bool,
    pub(super) lines: Lines,
    pub(super) extra: Option<Box<Extra>>,
}

impl<'a> Bill<'a> {
    pub(super) fn new(rates: &'a RateSet) -> Self {
        Self {
            rates,
            factors: Factors::ONE,
            notes: NoteSet::NONE,
            input: 0,
            output: 0,
            tools: 0,
            is_complete: true,
            lines: Lines::none(),
            extra: None,
        }
    }

    /// Adds all lines, and returns input, output and total. Returns `None` if an amount or a count
    /// overflows.
    pub(super) fn make(&mut self, subject: &Subject<'a>, call: &Call<'_>) -> Option<[Usd; 3]> {
        self.find_factors(call)?;
        self.add_all(subject, call)?;
        let input = Usd::from_unsigned(self.input)?;
        let output = Usd::from_unsigned(self.output)?;
        let total = input.checked_add(output)?.checked_add(Usd::from_unsigned(self.tools)?)?;
        let Some(stated) = call.stated_cost() else { return Some([input, output, total]) };
        let computed = Some(total).filter(|_| self.is_complete);
        let charged = self.factors.of_all_lines().times(stated)?;
        if computed.is_some_and(|computed| differ_much(computed, charged)) {
            self.notes.add(Note::StatedDiffers);
        }
        self.extra.get_or_insert_default().stated = Some(stated);
        if subject.operator_priced {
            return Some([input, output, total]);
        }
        if !subject.trusts_stated {
            self.notes.add(Note::StatedNotTrusted);
            return Some([input, output, total]);
        }
        self.extra.get_or_insert_default().computed = computed;
        self.replace_by_stated(charged, [input, total], call)
    }

    /// Returns whether a call is one of tokens alone: its lines are tokens of the model, and its price
    /// depends on the rates, the provider that was asked for and the call, but on nothing else that a
    /// [`Subject`] has.
    #[inline]
    pub(super) fn is_of_tokens(rates: &RateSet, call: &Call<'_>) -> bool {
        rates.is_by_tokens() && call.is_usual() && tokens::is_usual(call.usage)
    }

    /// Does what [`make`](Self::make) does, for a call [of tokens alone](Self::is_of_tokens).
    #[inline]
    pub(super) fn make_of_tokens(
        &mut self,
        provider: AskedProvider<'_>,
        call: &Call<'_>,
    ) -> Option<[Usd; 3]> {
        debug_assert!(Self::is_of_tokens(self.rates, call));
        if call.may_be_multiplied() {
            self.find_factors(call)?;
        }
        let terms = self.terms(call);
        if tokens::is_inconsistent(call.usage) {
            self.notes.add(Note::InconsistentCounts);
        }
        self.add_all_tokens(provider, call, terms, None)?;
        let (input, output) = (Usd::from_unsigned(self.input)?, Usd::from_unsigned(self.output)?);
        Some([input, output, input.checked_add(output)?])
    }

    /// Makes the bill of a call whose calculated amounts overflow: the amount that the provider
    /// states, if it does.
    #[cold]
    pub(super) fn make_stated_alone(&mut self, subject: &Subject<'a>, call: &Call<'_>) -> Option<[Usd; 3]> {
        let is_used = subject.trusts_stated && !subject.operator_priced;
        let stated = call.stated_cost().filter(|_| is_used)?;
        self.extra.get_or_insert_default().stated = Some(stated);
        self.factors = call.factor_of_all();
        let charged = self.factors.of_all_lines().times(stated)?;
        self.replace_by_stated(charged, [Usd::ZERO; 2], call)
    }

    /// Sets the multipliers of all token costs of the call.
    fn find_factors(&mut self, call: &Call<'_>) -> Option<()> {
        let (rates, usage) = (self.rates, call.usage);
        self.factors = call.factor_of_all();
        let factors = &mut self.factors;
        let mut apply =
            |kind, found: Option<Fixed>| found.map_or(Some(()), |found| factors.push(kind, found));
        if let Some(region) = call.data_residency {
            let found = rates.residency_factor(region);
            if found.is_none() && !["eu", "us"].iter().any(|known| known.eq_ignore_ascii_case(region)) {
                self.notes.add(Note::UnknownDataResidency);
            }
            apply(FactorKind::DataResidency, found)?;
        }
        if let Some(location) = call.vertex_location {
            apply(FactorKind::VertexLocation, rates.vertex_factor(location))?;
        }
        if let Some(geo) = &usage.inference_geo {
            apply(FactorKind::InferenceGeo, rates.geo_factor(geo))?;
        }
        if let Some(speed) = &usage.speed {
            apply(FactorKind::Speed, rates.speed_factor(speed))?;
        }
        Some(())
    }

    /// Replaces all lines by the amount that the provider states, times the multiplier of the terms, split in the ratio of the
    /// calculated input and total. Without a calculated amount, all of it is output.
    fn replace_by_stated(
        &mut self,
        stated: Usd,
        [input, total]: [Usd; 2],
        call: &Call<'_>,
    ) -> Option<[Usd; 3]> {
        let [whole, part, sum] = [stated, input, total].map(|usd| usd.units().unsigned_abs());
        let input = multiply_divide(whole, part, sum).and_then(Usd::from_unsigned).unwrap_or(Usd::ZERO);
        let output = stated.checked_sub(input)?;
        self.notes.add(Note::StatedByProvider);
        self.is_complete = true;
        self.lines.used = 0;
        self.lines.others.clear();
        if let Some(extra) = &mut self.extra {
            extra.more.clear();
        }
        let usage = call.usage;
        for (component, count, amount) in [
            (Component::Input, usage.prompt_tokens, input),
            (Component::Output, usage.completion_tokens, output),
        ] {
            if count > 0 || !amount.is_zero() {
                self.push_line(None, component, count, How::Stated);
            }
        }
        Some([input, output, stated])
    }

    /// Adds every line of a call, in the order of components. Returns `None` if an amount or a
    /// count overflows.
    fn add_all(&mut self, subject: &Subject<'a>, call: &Call<'_>) -> Option<()> {
        let terms = self.terms(call);
        self.add_remarks(call);
        let has_fee = subject.request_fee.is_some();
        if call.may_use_tools() || has_fee || !self.rates.is_by_tokens() {
            return self.add_all_with_units(subject, call, terms);
        }
        self.add_all_tokens(subject.provider, call, terms, None)?;
        self.add_router_fee(subject, call)
    }

    /// Returns the terms of a call, and notes if the word for its service tier is not known.
    #[inline]
    fn terms(&mut self, call: &Call<'_>) -> Terms {
        let (tier, knows_tier) = call.billed_tier();
        if !knows_tier {
            self.notes.add(Note::UnknownServiceTier);
        }
        let tier = if call.batch { Tier::Batches } else { tier };
        Terms { tier, prompt_tokens: call.usage.prompt_tokens }
    }

    /// Adds every line of a call that may have lines of units.
    #[inline(never)]
    fn add_all_with_units(&mut self, subject: &Subject<'a>, call: &Call<'_>, terms: Terms) -> Option<()> {
        let units = UnitLines::of(subject, call, terms)?;
        if self.rates.second().is_none() {
            self.add_all_tokens(subject.provider, call, terms, Some(&units))?;
        }
        self.add_router_fee(subject, call)?;
        for UnitLine { component, digits, price, how } in units.lines {
            self.push(price.as_ref(), component, digits, how)?;
        }
        Some(())
    }

    /// Adds the lines of tokens, except for those whose place units take.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one call of many is measurable")]
    fn add_all_tokens(
        &mut self,
        provider: AskedProvider<'_>,
        call: &Call<'_>,
        terms: Terms,
        units: Option<&UnitLines>,
    ) -> Option<()> {
        let (rates, usage) = (self.rates, call.usage);
        if usage.is_unknown() {
            // Nothing was counted that has a price.
            if call.parts().is_empty() && !units.is_some_and(UnitLines::stand_for_tokens) {
                self.push(None, Component::Input, 0, How::Uncounted)?;
            }
            return Some(());
        }
        let without_replaced = |mut counts: Counts, position: RowPosition| {
            if let Some(units) = units {
                units.replace(&mut counts, rates.cells(position)?);
            }
            Some(counts)
        };
        let legacy = rates.legacy_vertex(usage.prompt_tokens, usage.completion_tokens);
        let applies = |_: &_| !call.batch && provider.get() == RuleProvider::VertexAi;
        if let Some((row, position)) = legacy.filter(applies) {
            let common = [usage.prompt_tokens, 0, 0, usage.completion_tokens, 0];
            let counts = without_replaced(Counts { common, rare: [0; RARE.len()] }, position)?;
            return self.add_tokens(row, position, &counts, call);
        }
        let selection = Selection {
            tier: terms.tier,
            prompt_tokens: usage.prompt_tokens,
            unix_seconds: if rates.has_off_peak() { call.unix_seconds() } else { 0 },
        };
        let (row, position) = rates.pick(selection, || provider.get())?;
        if row.displaces_tier {
            self.notes.add(Note::StandardRateAboveThreshold);
        }
        let batch = if call.batch { Some(rates.cells(position)?) } else { None };
        let counts = tokens::split(usage, batch)?;
        let counts = if call.ignores_cache { counts.without_cache()? } else { counts };
        let counts = without_replaced(counts, position)?;
        self.add_tokens(row, position, &counts, call)?;
        if usage.citation_tokens > 0 && !rates.citation().is_none() {
            self.push(
                rates.price(rates.citation()),
                Component::Citation,
                usage.citation_tokens,
                How::Multiplied,
            )?;
        }
        Some(())
    }

    /// Notes what the usage or the response calls for a remark on.
    #[inline]
    fn add_remarks(&mut self, call: &Call<'_>) {
        let is_inconsistent = tokens::is_inconsistent(call.usage);
        if is_inconsistent
            || call.usage.is_remarkable()
            || call.lacks_completion
            || call.serves_unknown_tier()
        {
            self.add_all_remarks(call, is_inconsistent);
        }
    }

    /// Notes each remark that applies.
    #[cold]
    fn add_all_remarks(&mut self, call: &Call<'_>, is_inconsistent: bool) {
        let usage = call.usage;
        for (applies, note) in [
            (usage.has_estimates(), Note::EstimatedCounts),
            (usage.odd_total().is_some(), Note::TotalDoesNotAddUp),
            (usage.lacks_prompt() && !usage.is_unknown(), Note::MissingPromptTokens),
            (is_inconsistent, Note::InconsistentCounts),
            (call.lacks_completion, Note::MissingCompletionTokens),
            (call.serves_unknown_tier(), Note::UnknownServedTier),
        ] {
            if applies {
                self.notes.add(note);
            }
        }
    }

    /// Adds what a row prices: the common components in one sum if none of their amounts is
    /// rounded, and all others line by line.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one call of many is measurable")]
    fn add_tokens(
        &mut self,
        row: &'a RateRow,
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
        let summed: CommonCounts = if apart == 0 {
            counts.common
        } else {
            std::array::from_fn(|place| {
                if apart >> place & 1 == 0 { counts.common.get(place).copied().unwrap_or(0) } else { 0 }
            })
        };
        let sums = row.multiplied_sums(summed, &self.factors);
        let (in_row, apart) = if sums.is_some() { (used & !apart, apart) } else { (0, used) };
        let [input, output] = sums.unwrap_or([0, 0]);
        self.input = self.input.checked_add(input)?;
        self.output = self.output.checked_add(output)?;
        (self.lines.row, self.lines.from) = (*row, *self.rates.from(position)?);
        (self.lines.counts, self.lines.used) = (summed, in_row);
        let (mut left, mut rare) = (apart, used_rare(counts.rare));
        while rare != 0 {
            let place = rare.trailing_zeros() as usize;
            let component = *RARE.get(place)?;
            if left != 0 {
                self.add_apart(&mut left, component, cells, counts, is_explicit)?;
            }
            self.add(cell_of(cells, component, is_explicit), component, *counts.rare.get(place)?)?;
            rare &= rare - 1;
        }
        if left != 0 {
            self.add_apart(&mut left, Component::Citation, cells, counts, is_explicit)?;
        }
        Some(())
    }

    /// Adds those of the common components that are left and come before another one, and clears
    /// their bits.
    #[inline(never)]
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

    /// Adds the fee of a router: the input rate of its own entry for every prompt token.
    fn add_router_fee(&mut self, subject: &Subject<'a>, call: &Call<'_>) -> Option<()> {
        let Some(router) = subject.router else { return Some(()) };
        let tokens = call.usage.prompt_tokens;
        let (_, position) = router.pick_simply(Tier::Standard, tokens, || RuleProvider::Other)?;
        let fee = router.cells(position)?.cell(Component::Input);
        if tokens == 0 || fee.is_none() {
            return Some(());
        }
        self.push(router.price(fee), Component::RouterFee, tokens, How::Plain)
    }

    /// Adds the line of a component that rows price, and its amount.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one call of many is measurable")]
    fn add(&mut self, cell: Cell, component: Component, count: u64) -> Option<()> {
        let how = if cell.is_half() { How::Halved } else { How::Multiplied };
        let price = self.rates.price(cell);
        self.is_complete &= price.is_some();
        let units = line_units(price, Fixed::new(count, 0), how, &self.factors)?;
        let side = if component < Component::Output { &mut self.input } else { &mut self.output };
        *side = side.checked_add(units)?;
        self.push_line(price, component, count, how);
        Some(())
    }

    /// Adds a line and its amount.
    #[inline]
    fn push(&mut self, price: Option<&Price>, component: Component, digits: u64, how: How) -> Option<()> {
        self.is_complete &= price.is_some();
        let units = line_units(price, Fixed::new(digits, component.decimals()), how, &self.factors)?;
        let side = match component {
            _ if component.is_input() => &mut self.input,
            _ if component.is_tool() => &mut self.tools,
            _ => &mut self.output,
        };
        *side = side.checked_add(units)?;
        self.push_line(price, component, digits, how);
        Some(())
    }

    /// Adds a line behind those that were added.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one call of many is measurable")]
    fn push_line(&mut self, price: Option<&Price>, component: Component, digits: u64, how: How) {
        let what = What { component, how, is_priced: price.is_some() };
        let packed = Packed { price: *price.unwrap_or(&Price::NONE), digits, what };
        if let Err(full) = self.lines.others.try_push(packed) {
            self.extra.get_or_insert_default().more.push(full.element());
        }
    }
}

/// Returns whether two amounts differ by more than a tenth of the greater one.
fn differ_much(one: Usd, other: Usd) -> bool {
    let (one, other) = (one.units(), other.units());
    one.abs_diff(other) > one.max(other).unsigned_abs() / 10
}

/// The bit of cache reads among the common components.
const READ: u8 = 1 << 1;

/// Returns the price of a component. Hits of an explicit cache may have another price than those of
/// the usual one, and so do their shares that have no rate of their own.
fn cell_of(cells: &Cells, component: Component, is_explicit: bool) -> Cell {
    let cell = cells.cell(component);
    let is_read = component.is_cache_read() && cell == cells.cell(Component::CacheRead);
    if is_explicit && is_read { cells.explicit_read() } else { cell }
}

/// Returns the common components that are used, one bit each.
#[inline]
pub(super) fn used(counts: CommonCounts) -> u8 {
    (0..).zip(counts).fold(0, |used, (place, count)| used | u8::from(count > 0) << place)
}

/// Returns the rare components that are used, one bit each.
#[inline]
fn used_rare(counts: [u64; RARE.len()]) -> u16 {
    // Most calls use none, which is told faster.
    if counts.iter().fold(0, |all, count| all | count) == 0 {
        return 0;
    }
    counts.iter().rev().fold(0, |used, count| used << 1 | u16::from(*count > 0))
}
