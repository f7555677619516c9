//! The calculation: rates and counts in, a cost out. No map, no clock but the request's.

use arrayvec::ArrayVec;

use super::key::Key;
use super::line::{Packed, Quantity};
use super::tokens::{self, Tokens};
use super::{Cost, CostRequest, Note, Notes};
use crate::catalog::EntryRef;
use crate::catalog::field::Tier;
use crate::error::Error;
use crate::rates::{self, Cell, Component, Factor, RateSet, Selection};
use crate::usd::Usd;

/// The entry to price by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) entry: EntryRef<'a>,
    /// The provider asked for or inferred, where that is known already.
    pub(crate) provider: Option<&'a str>,
    /// The entry of a router that adds a fee.
    pub(crate) router: Option<EntryRef<'a>>,
    /// Whether the operator set prices of the entry: they win over what a provider states.
    pub(crate) operator_priced: bool,
    pub(crate) generation: u64,
}

/// Prices a call.
pub(crate) fn price(subject: Subject<'_>, request: &CostRequest<'_>) -> Result<Cost, Error> {
    let overflow = || Error::Overflow { key: subject.entry.key().to_owned() };
    let mut cost = Cost::nothing(subject.entry.key(), subject.generation);
    let Some(rates) = subject.entry.rates() else { return Err(overflow()) };
    cost.add_all(rates, subject, request).ok_or_else(overflow)?;
    if let Some(stated) = request.usage.cost {
        if !subject.operator_priced {
            cost.replace_by_stated(stated, request).ok_or_else(overflow)?;
        }
    }
    Ok(cost)
}

impl Cost {
    /// A cost without a line.
    fn nothing(key: &str, generation: u64) -> Self {
        Self {
            input: Usd::ZERO,
            output: Usd::ZERO,
            total: Usd::ZERO,
            factor: Factor::ONE,
            generation,
            notes: Notes::default(),
            complete: true,
            key: Key::new(key),
            lines: ArrayVec::new(),
        }
    }

    /// What a call costs to a model that runs on the caller's own machines.
    pub(crate) fn free(name: &str, generation: u64) -> Self {
        let mut cost = Self::nothing(name, generation);
        cost.notes.add(Note::RunsAtHome);
        cost
    }

    /// Adds every line of a call. `None` where an amount or a count overflows.
    fn add_all(&mut self, rates: &RateSet, subject: Subject<'_>, request: &CostRequest<'_>) -> Option<()> {
        let usage = request.usage;
        let (tier, unknown) = request.billed_tier();
        if unknown.is_some() {
            self.notes.add(Note::UnknownServiceTier);
        }
        self.factor = self.factor(rates, request)?;

        self.add_router_fee(subject, request)?;
        // Few rules depend on the provider, and only some entries have them.
        let provider = || subject.provider.or_else(|| request.model.split_once('/').map(|(first, _)| first));
        if !request.batch && provider() == Some("vertex_ai") {
            let legacy = rates.legacy_vertex(usage.prompt_tokens, usage.completion_tokens);
            if let Some((input, output)) = legacy {
                self.add(rates, input, Component::Input, usage.prompt_tokens)?;
                self.add(rates, output, Component::Output, usage.completion_tokens)?;
                return self.sum();
            }
        }
        if !rates.second().is_none() {
            self.add_duration(rates, request)?;
            return self.sum();
        }
        let selection = Selection {
            tier: if request.batch { Tier::Batches } else { tier },
            prompt_tokens: usage.prompt_tokens,
            xai: rates.is_inclusive() && provider() == Some("xai"),
            unix_seconds: if rates.has_off_peak() { request.unix_seconds() } else { 0 },
        };
        let picked = rates.row(selection)?;
        if picked.displaces_tier {
            self.notes.add(Note::StandardRateAboveThreshold);
        }
        let row = picked.row;
        let counts: Tokens =
            if request.batch { tokens::split_batch(usage, row)? } else { tokens::split(usage)? };
        let explicit = usage.prompt_tokens_details.cache_type.as_deref() == Some("ephemeral");
        for (component, count) in counts.iter() {
            if count == 0 {
                continue;
            }
            let mut cell = row.cell(component);
            // Hits of an explicit cache, and shares of them that have no rate of their own.
            if explicit && component.is_cache_read() && cell == row.cell(Component::CacheRead) {
                cell = row.explicit_read();
            }
            self.add(rates, cell, component, count)?;
        }
        if usage.citation_tokens > 0 && !rates.citation().is_none() {
            self.add(rates, rates.citation(), Component::Citation, usage.citation_tokens)?;
        }
        let searches = usage.prompt_tokens_details.web_search_requests;
        if searches > 0 && !rates.search().is_none() {
            let quantity = rates::Quantity::whole(searches);
            self.push(rates, rates.search(), Component::Search, quantity, false)?;
        }
        self.sum()
    }

    /// What multiplies all token costs of a call.
    fn factor(&mut self, rates: &RateSet, request: &CostRequest<'_>) -> Option<Factor> {
        let usage = request.usage;
        let mut factor = Factor::ONE;
        let mut apply = |found: Option<Factor>| {
            if let Some(found) = found {
                factor = factor.times(found)?;
            }
            Some(())
        };
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
        Some(factor)
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
        self.push(router, fee, Component::RouterFee, rates::Quantity::whole(tokens), false)
    }

    /// Seconds of wall-clock time. Where nobody measured them, the bill is incomplete.
    fn add_duration(&mut self, rates: &RateSet, request: &CostRequest<'_>) -> Option<()> {
        let Some(duration) = request.duration else {
            return self.push(rates, Cell::NONE, Component::Duration, rates::Quantity::whole(0), false);
        };
        let nanoseconds = u64::try_from(duration.as_nanos()).ok()?;
        let quantity = rates::Quantity { digits: nanoseconds, scale: 9 };
        self.push(rates, rates.second(), Component::Duration, quantity, false)
    }

    #[inline]
    fn add(&mut self, rates: &RateSet, cell: Cell, component: Component, count: u64) -> Option<()> {
        if count == 0 {
            return Some(());
        }
        self.push(rates, cell, component, rates::Quantity::whole(count), true)
    }

    /// Adds a line and its amount.
    #[inline]
    fn push(
        &mut self,
        rates: &RateSet,
        cell: Cell,
        component: Component,
        quantity: rates::Quantity,
        multiplied: bool,
    ) -> Option<()> {
        let price = rates.price(cell);
        let line = Packed {
            price,
            quantity: Quantity(quantity),
            component,
            halved: cell.is_half(),
            multiplied,
            stated: false,
        };
        self.complete &= price.is_some();
        let amount = line.amount(self.factor)?;
        let side = if component.is_input() { &mut self.input } else { &mut self.output };
        *side = side.checked_add(amount)?;
        self.lines.try_push(line).ok()
    }

    fn sum(&mut self) -> Option<()> {
        self.total = self.input.checked_add(self.output)?;
        Some(())
    }

    /// Puts what the provider states in the place of what was calculated, split in the same ratio.
    fn replace_by_stated(&mut self, stated: Usd, request: &CostRequest<'_>) -> Option<()> {
        self.input = share(stated, self.input, self.total);
        self.output = stated.checked_sub(self.input)?;
        self.total = stated;
        self.complete = true;
        self.notes.add(Note::StatedByProvider);
        self.lines.clear();
        let usage = request.usage;
        for (component, count) in
            [(Component::Input, usage.prompt_tokens), (Component::Output, usage.completion_tokens)]
        {
            let amount = if component.is_input() { self.input } else { self.output };
            if count == 0 && amount.is_zero() {
                continue;
            }
            let quantity = Quantity(rates::Quantity::whole(count));
            let line =
                Packed { price: None, quantity, component, halved: false, multiplied: false, stated: true };
            self.lines.try_push(line).ok()?;
        }
        Some(())
    }
}

/// The greatest common divisor; `b` is not zero.
fn common_divisor(a: u128, b: u128) -> u128 {
    if a == 0 { b } else { common_divisor(b % a, a) }
}

/// `whole x part / sum`, rounded down; zero where the sum is.
fn share(whole: Usd, part: Usd, sum: Usd) -> Usd {
    let [whole, part, sum] = [whole, part, sum].map(|amount| amount.units().unsigned_abs());
    if sum == 0 {
        return Usd::ZERO;
    }
    // In lowest terms a ratio of prices is of small numbers; where not, 64 bits of it are enough.
    let divisor = common_divisor(part, sum);
    let (part, sum) = (part / divisor, sum / divisor);
    let shift = (u128::BITS - sum.leading_zeros()).saturating_sub(64);
    let (part, sum) = (part >> shift, sum >> shift);
    // part <= sum < 2^64, so neither product can overflow.
    let units = (whole / sum) * part + (whole % sum) * part / sum;
    i128::try_from(units).ok().and_then(Usd::from_units).unwrap_or(Usd::ZERO)
}
