//! Compiles the tables of an entry: `tiered_pricing`, `off_peak_pricing`, multipliers, queries.

use super::compile::{Block, Compiler, Draft, Moving, too_many};
use super::field::{Base, Field, Tier};
use super::inputs::BadField;
use super::off_peak::OffPeakHours;
use super::{Cell, Component, NamedFactors, OffPeak, RangeTier, RatePlace, ResultRange, from_json};
use crate::json;
use crate::num::decimal::{Decimal, pow10};

impl Compiler<'_> {
    /// Adds a row for each tier of `tiered_pricing`, and returns the tiers by their start.
    pub(super) fn add_ranges(&mut self) -> Result<Box<[RangeTier]>, BadField> {
        let Some(json) = self.inputs.tables().tiered_pricing else { return Ok(Box::default()) };
        let Ok(tiers) = json::list(json) else {
            return Err(BadField::new("tiered_pricing", "not a list of tiers"));
        };
        let mut ranges = Vec::new();
        for tier in tiers {
            let Ok(tier) = json::fields(tier) else {
                return Err(BadField::new("tiered_pricing", "a tier is not an object"));
            };
            // Prices of queries by the number of results are another kind of table.
            if tier.iter().any(|(name, _)| name == RESULTS) {
                continue;
            }
            let Some((start, end)) = json::get(&tier, "range").and_then(range_bounds) else {
                self.warnings.push("tiered_pricing: a tier without a range of two numbers is ignored".into());
                continue;
            };
            let block = self.block(&tier, RatePlace::TieredPricing, "tiered_pricing")?;
            let row = if block.input.is_none() {
                None
            } else {
                let moving = Moving {
                    input: block.input,
                    output: block.output.or(self.own(Base::Output)),
                    read: block.read.or(block.input),
                    write: block.write.or(block.input),
                    write_1h: block.write_1h,
                    write_12h: block.write_12h,
                };
                Some(self.add_resolved(moving, Tier::Standard, Some(block), (0, false))?)
            };
            ranges.push(RangeTier { start, end, row });
        }
        ranges.sort_by_key(|range| range.start);
        Ok(ranges.into())
    }

    /// Reads the rates of a block of prices.
    fn block(
        &mut self,
        block: &[json::JsonField<'_>],
        place: RatePlace,
        name: &str,
    ) -> Result<Block, BadField> {
        let mut cell = |base: Base| match json::get(block, base.name()).map(from_json) {
            None | Some(Ok(None)) => Ok(Cell::NONE),
            Some(Ok(Some(rate))) => self.add_price(rate, Field::new(base), place),
            Some(Err(bad)) => Err(BadField::new(format!("{name}.{}", base.name()), bad)),
        };
        Ok(Block {
            input: cell(Base::Input)?,
            output: cell(Base::Output)?,
            read: cell(Base::CacheRead)?,
            write: cell(Base::CacheWrite)?,
            write_1h: cell(Base::CacheWrite1h)?,
            write_12h: cell(Base::CacheWrite12h)?,
            reasoning: cell(Base::Reasoning)?,
            explicit_read: cell(Base::ExplicitCacheRead)?,
        })
    }

    /// Adds an off-peak twin for each row so far.
    pub(super) fn add_off_peak_twins(&mut self) -> Result<Option<OffPeak>, BadField> {
        let Some(json) = self.inputs.tables().off_peak_pricing else { return Ok(None) };
        let Ok(fields) = json::fields(json) else {
            return Err(BadField::new("off_peak_pricing", "not an object"));
        };
        let mut block = self.block(&fields, RatePlace::OffPeakPricing, "off_peak_pricing")?;
        if self.inputs.rules.half_price_reads && self.own(Base::CacheRead).is_none() {
            block.read = block.read.or(block.input.half());
        }
        let hours = OffPeakHours::parse(&fields, self.warnings);
        let offset = u16::try_from(self.rows.len()).map_err(|_| too_many())?;
        for (moving, tier, range) in std::mem::take(&mut self.resolved) {
            let twin = self.finish(moving, tier, range, Some(block));
            self.add_row(Draft::new(twin))?;
        }
        Ok(Some(OffPeak { hours, offset }))
    }

    /// Adds a twin for each row so far, for calls to providers other than Fireworks. Half the input
    /// rate is Fireworks' own price of cache reads; with any other provider, a hit costs as much as
    /// input.
    pub(super) fn add_twins_elsewhere(&mut self) -> Result<u16, BadField> {
        let reads = [Component::CacheRead, Component::CacheReadAudio, Component::CacheReadImage];
        if !self.rows.iter().any(|row| reads.iter().any(|read| row.cells.cell(*read).is_half())) {
            return Ok(0);
        }
        let offset = self.next_row()?;
        for position in 0..self.rows.len() {
            let Some(Draft { mut cells, above, displaces_tier }) = self.rows.get(position).copied() else {
                continue;
            };
            let input = cells.cell(Component::Input);
            let whole = |cell: Cell| if cell.is_half() { input } else { cell };
            for read in reads {
                cells.set(read, whole(cells.cell(read)));
            }
            cells.explicit_read = whole(cells.explicit_read);
            self.add_row(Draft { cells, above, displaces_tier })?;
        }
        Ok(offset)
    }

    pub(super) fn residency_factors(&self) -> NamedFactors {
        // Lookups take the first match, so reversing makes the last of a repeated region count.
        self.inputs.tables().residency.iter().rev().cloned().collect()
    }

    pub(super) fn specific_factors(&self) -> Result<NamedFactors, BadField> {
        let Some(json) = self.inputs.tables().provider_specific_entry else { return Ok(Box::default()) };
        let Ok(fields) = json::fields(json) else {
            return Err(BadField::new("provider_specific_entry", "not an object"));
        };
        let mut factors = Vec::new();
        // Values other than numbers are no multipliers.
        for (name, value) in fields.iter().filter(|(_, value)| json::is_number(value)) {
            let field = format!("provider_specific_entry.{name}");
            match from_json(value) {
                Ok(Some(factor)) => factors.push((name.to_lowercase().into(), factor)),
                Ok(None) => {}
                Err(bad) => return Err(BadField::new(field, bad)),
            }
        }
        Ok(factors.into())
    }

    /// Returns the prices of queries by the number of results, in the order of the table.
    pub(super) fn searches(&mut self) -> Result<Box<[ResultRange]>, BadField> {
        let tiers = self.inputs.tables().tiered_pricing.and_then(|json| json::list(json).ok());
        let mut ranges = Vec::new();
        for tier in tiers.unwrap_or_default() {
            let Ok(tier) = json::fields(tier) else { continue };
            let Some(range) = json::get(&tier, RESULTS) else { continue };
            let Some((least, most)) = range_bounds(range) else {
                self.warnings
                    .push(format!("tiered_pricing: a {RESULTS} of other than two numbers is ignored"));
                continue;
            };
            let name = Base::Query.name();
            match json::get(&tier, name).map(from_json) {
                None | Some(Ok(None)) => {}
                Some(Ok(Some(rate))) => {
                    let price = self.add_price(rate, Field::new(Base::Query), RatePlace::TieredPricing)?;
                    ranges.push(ResultRange { least, most, price });
                }
                Some(Err(bad)) => return Err(BadField::new(format!("tiered_pricing.{name}"), bad)),
            }
        }
        Ok(ranges.into())
    }
}

/// The range of a tier of `tiered_pricing` by the number of results.
const RESULTS: &str = "max_results_range";

/// Reads `[start, end]` as whole numbers. Fractions are cut off: comparisons with whole numbers come
/// out the same. Negative bounds are 0.
fn range_bounds(range: &str) -> Option<(u64, u64)> {
    let bound = |json: &str| {
        let text = json::text(json).unwrap_or(json.into());
        let decimal = Decimal::parse(text.trim()).ok()?;
        if decimal.negative {
            return Some(0);
        }
        match decimal.scaled(0) {
            Some(whole) => Some(u64::try_from(whole).unwrap_or(u64::MAX)),
            None if decimal.exponent > 0 => Some(u64::MAX),
            None => {
                let power = pow10(decimal.decimals()).map_or(u128::MAX, i128::unsigned_abs);
                u64::try_from(decimal.digits / power).ok()
            }
        }
    };
    let bounds = json::list(range).ok()?;
    let [start, end] = bounds.as_slice() else { return None };
    Some((bound(start)?, bound(end)?))
}
