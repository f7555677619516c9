//! Compiles the price fields of an entry into its [`RateSet`]. All fallbacks are resolved here,
//! once.

use super::field::{Base, Field, Tier};
use super::inputs::{BadField, Inputs, Mode};
use super::{
    COMMON, Cell, Cells, Component, Extras, Price, PriceOrigin, RatePlace, RateRow, RateSet, RowDetails,
    Simple, Tail,
};
use crate::num::Fixed;

/// The rates that change with tiers and thresholds, including those of the two long-lived cache
/// writes.
#[derive(Clone, Copy)]
pub(super) struct Moving {
    pub(super) input: Cell,
    pub(super) output: Cell,
    pub(super) read: Cell,
    pub(super) write: Cell,
    pub(super) write_1h: Cell,
    pub(super) write_12h: Cell,
}

/// The rates of an off-peak block or of a tier of `tiered_pricing`, which replace those of the
/// entry.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) input: Cell,
    pub(super) output: Cell,
    pub(super) read: Cell,
    pub(super) write: Cell,
    pub(super) write_1h: Cell,
    pub(super) write_12h: Cell,
    pub(super) reasoning: Cell,
    pub(super) explicit_read: Cell,
}

const MOVING: [Base; 6] =
    [Base::Input, Base::Output, Base::CacheRead, Base::CacheWrite, Base::CacheWrite1h, Base::CacheWrite12h];

const SERVICE_TIERS: [Tier; 5] =
    [Tier::Standard, Tier::Flex, Tier::Balanced, Tier::Priority, Tier::Ultrafast];

/// The limit of thresholds per entry. Real entries have one or two, and each adds a row to every
/// tier.
const MAX_THRESHOLDS: usize = 16;

pub(super) struct Compiler<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    /// All prices. The entry's own fields come first, in their order.
    pub(super) prices: &'a mut Vec<Price>,
    /// The entry's own prices without a threshold or a size, by base and tier. Looked up dozens of
    /// times per entry.
    flat: [[Cell; Tier::ALL.len()]; Base::ALL.len()],
    /// The fields with a threshold or a size, in their order.
    qualified: Vec<(Field, Cell)>,
    /// The tiers that fields name, one bit each.
    tiers: u8,
    pub(super) rows: &'a mut Vec<Draft>,
    /// The rates that the off-peak twin of each row is built from. Empty if the entry has no
    /// `off_peak_pricing`; rows of batches have no twins.
    pub(super) resolved: Vec<(Moving, Tier, Option<Block>)>,
    pub(super) warnings: &'a mut Vec<String>,
}

/// The memory that one entry after the other is compiled in.
#[derive(Default)]
pub(crate) struct Buffers {
    prices: Vec<Price>,
    rows: Vec<Draft>,
}

/// A row under construction.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) cells: Cells,
    /// See [`RateRow::above`].
    pub(super) above: u32,
    /// See [`RateRow::displaces_tier`].
    pub(super) displaces_tier: bool,
}

impl Draft {
    /// Creates a row without a threshold.
    pub(super) fn new(cells: Cells) -> Self {
        Self { cells, above: 0, displaces_tier: false }
    }

    fn row(&self, prices: &[Price]) -> RateRow {
        RateRow::new(&self.cells, prices, self.above, self.displaces_tier)
    }

    fn details(&self, prices: &[Price]) -> RowDetails {
        let origin = |component| prices.get(self.cells.cell(component).index()).map(Price::origin);
        RowDetails {
            from: COMMON.map(|component| origin(component).unwrap_or(PriceOrigin::NONE)),
            cells: self.cells,
        }
    }
}

/// Compiles the prices of an entry. Parts that are left out without making a bill wrong are
/// reported in `warnings`.
pub(crate) fn compile(
    inputs: &Inputs<'_>,
    buffers: &mut Buffers,
    warnings: &mut Vec<String>,
) -> Result<RateSet, BadField> {
    let Buffers { prices, rows } = buffers;
    prices.clear();
    rows.clear();
    prices.extend(inputs.fields.iter().map(|(field, rate)| Price::new(*rate, *field, RatePlace::Entry)));
    let mut thresholds: Vec<u32> =
        inputs.fields.iter().map(|(field, _)| field.threshold()).filter(|above| *above > 0).collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    if thresholds.len() > MAX_THRESHOLDS {
        return Err(BadField::new("", format!("more than {MAX_THRESHOLDS} thresholds")));
    }
    let mut flat = [[Cell::NONE; Tier::ALL.len()]; Base::ALL.len()];
    let (mut qualified, mut tiers) = (Vec::new(), 0);
    for (position, (field, _)) in inputs.fields.iter().enumerate() {
        tiers |= field.tier.bit();
        let Some(cell) = Cell::new(position) else { continue };
        if field.qualifier > 0 {
            qualified.push((*field, cell));
        } else if let Some(slot) =
            flat.get_mut(field.base as usize).and_then(|row| row.get_mut(field.tier as usize))
        {
            *slot = cell;
        }
    }
    Compiler { inputs, prices, flat, qualified, tiers, rows, resolved: Vec::new(), warnings }.compile()
}

impl Compiler<'_> {
    fn compile(mut self) -> Result<RateSet, BadField> {
        let mut columns = [(0, 0); 6];
        // Tiers that the entry does not mention share one column: the standard one, unless
        // long-lived writes move with its thresholds.
        let mut unmentioned = None;
        for (tier, column) in SERVICE_TIERS.into_iter().zip(&mut columns) {
            let is_mentioned = tier == Tier::Standard || self.tiers & tier.bit() != 0;
            if let (false, Some(shared)) = (is_mentioned, unmentioned) {
                *column = shared;
                continue;
            }
            let start = self.next_row()?;
            self.add_rows_of(tier)?;
            *column = (start, self.next_row()?);
            if !is_mentioned || (tier == Tier::Standard && !self.moves_long_writes()) {
                unmentioned = Some(*column);
            }
        }
        let ranges = self.add_ranges()?;
        let off_peak = self.add_off_peak_twins()?;
        let elsewhere = self.add_twins_elsewhere()?;
        let batches = self.next_row()?;
        self.add_batch_rows()?;
        if let Some(last) = columns.last_mut() {
            *last = (batches, self.next_row()?);
        }
        let extras = Extras {
            ranges,
            off_peak,
            residency: self.residency_factors(),
            vertex: self.inputs.tables().vertex,
            specific: self.specific_factors()?,
            searches: self.searches()?,
            legacy_vertex: self.add_legacy_vertex()?,
        };
        let (second, citation) = (self.second(), self.own(Base::Citation));
        let need = if second.is_none() { self.need(&extras.searches) } else { None };
        // A request may have a fee, and a call that does not count what it is billed by has no price.
        let has_others = !second.is_none() || !self.own(Base::Request).is_none();
        let is_by_tokens = need.is_none() && !has_others;
        // Tokens may stand for what the entry is billed by, if there are some.
        let may_be_by_tokens = need.is_none_or(|need| !need.is_beside_tokens) && !has_others;
        let prices: Box<[Price]> = self.prices.as_slice().into();
        let mut rows = self.rows.iter().map(|draft| draft.row(&prices));
        let Some(first) = rows.next() else { return Err(too_many()) };
        let others = rows.collect();
        Ok(RateSet {
            first,
            is_flat: columns.iter().take(SERVICE_TIERS.len()).all(|column| *column == (0, 1)),
            is_by_tokens,
            simple: match extras.is_plain() && may_be_by_tokens {
                true if is_by_tokens => Simple::Always,
                true => Simple::WithTokens,
                false => Simple::Never,
            },
            inclusive: self.inputs.rules.inclusive_thresholds,
            is_per_query: self.inputs.rules.is_per_query,
            elsewhere,
            columns,
            others,
            tail: Box::new(Tail {
                rows: self.rows.iter().map(|draft| draft.details(&prices)).collect(),
                prices,
                second,
                citation,
                need,
                mode: self.inputs.rules.mode,
                extras: if extras.is_empty() { None } else { Some(Box::new(extras)) },
            }),
        })
    }

    /// Returns the position of the next row.
    pub(super) fn next_row(&self) -> Result<u16, BadField> {
        u16::try_from(self.rows.len()).map_err(|_| too_many())
    }

    /// Returns the price of a field, if the entry has it. The last of a repeated field counts, as
    /// in JSON.
    pub(super) fn find(&self, field: Field) -> Cell {
        if field.qualifier == 0 {
            let row = self.flat.get(field.base as usize);
            return row.and_then(|row| row.get(field.tier as usize)).copied().unwrap_or(Cell::NONE);
        }
        let last = self.qualified.iter().rfind(|(known, _)| *known == field);
        last.map_or(Cell::NONE, |(_, cell)| *cell)
    }

    pub(super) fn own(&self, base: Base) -> Cell {
        self.find(Field::new(base))
    }

    fn tiered(&self, base: Base, tier: Tier) -> Cell {
        self.find(Field::new(base).tier(tier)).or(self.own(base))
    }

    pub(super) fn is_zero(&self, cell: Cell) -> bool {
        self.prices.get(cell.index()).is_none_or(|price| price.rate().is_zero())
    }

    pub(super) fn add_price(
        &mut self,
        rate: Fixed,
        field: Field,
        place: RatePlace,
    ) -> Result<Cell, BadField> {
        let cell = Cell::new(self.prices.len()).ok_or_else(too_many)?;
        self.prices.push(Price::new(rate, field, place));
        Ok(cell)
    }

    pub(super) fn add_row(&mut self, row: Draft) -> Result<u16, BadField> {
        let position = self.next_row()?;
        self.rows.push(row);
        Ok(position)
    }

    /// Returns the thresholds of the moving rates in all tiers that `applies` accepts, ascending
    /// and without duplicates.
    pub(super) fn thresholds(&self, applies: impl Fn(Tier) -> bool) -> Vec<u32> {
        let mut thresholds: Vec<u32> = self
            .qualified
            .iter()
            .filter(|(field, _)| applies(field.tier) && MOVING.contains(&field.base))
            .map(|(field, _)| field.qualifier)
            .collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        thresholds
    }

    /// Returns whether long-lived writes change at the standard tier's thresholds. Those rates
    /// apply to the standard tier alone.
    fn moves_long_writes(&self) -> bool {
        self.qualified.iter().any(|(field, _)| {
            field.tier == Tier::Standard && matches!(field.base, Base::CacheWrite1h | Base::CacheWrite12h)
        })
    }

    fn add_rows_of(&mut self, tier: Tier) -> Result<(), BadField> {
        let mut moving = Moving {
            input: self.tiered(Base::Input, tier),
            output: self.base_output(tier),
            read: self.tiered(Base::CacheRead, tier),
            write: self.tiered(Base::CacheWrite, tier),
            write_1h: self.tiered(Base::CacheWrite1h, tier),
            write_12h: self.tiered(Base::CacheWrite12h, tier),
        };
        if self.inputs.rules.half_price_reads {
            moving.read = moving.read.or(self.own(Base::Input).half());
        }
        self.add_resolved(moving, tier, None, (0, false))?;
        for above in self.thresholds(|t| t == Tier::Standard || t == tier) {
            // A standard rate above a threshold displaces a tier's base rate, as in LiteLLM.
            let step = |base: Base, before: Cell| {
                let field = Field::new(base).above(above);
                self.find(field.tier(tier)).or(self.find(field)).or(before)
            };
            // A long-lived write changes only with a rate of its own tier.
            let long =
                |base: Base, before: Cell| self.find(Field::new(base).above(above).tier(tier)).or(before);
            moving = Moving {
                input: step(Base::Input, moving.input),
                output: step(Base::Output, moving.output),
                read: step(Base::CacheRead, moving.read),
                write: step(Base::CacheWrite, moving.write),
                write_1h: long(Base::CacheWrite1h, moving.write_1h),
                write_12h: long(Base::CacheWrite12h, moving.write_12h),
            };
            let displaces_tier = tier != Tier::Standard
                && [moving.input, moving.output, moving.read, moving.write]
                    .into_iter()
                    .any(|cell| self.displaces(cell, tier));
            self.add_resolved(moving, tier, None, (above, displaces_tier))?;
        }
        Ok(())
    }

    /// Returns whether a price is a standard rate above a threshold that replaces the tier's own
    /// base rate.
    fn displaces(&self, cell: Cell, tier: Tier) -> bool {
        let field = self.prices.get(cell.index()).map(Price::field);
        field.is_some_and(|field| {
            field.tier == Tier::Standard
                && field.qualifier > 0
                && !self.find(Field::new(field.base).tier(tier)).is_none()
        })
    }

    /// Returns the output rate, or the image token rate if the output rate is zero or absent and
    /// the entry has one.
    fn base_output(&self, tier: Tier) -> Cell {
        let output = self.tiered(Base::Output, tier);
        if self.is_zero(output) { self.own(Base::OutputImage).or(output) } else { output }
    }

    pub(super) fn add_resolved(
        &mut self,
        moving: Moving,
        tier: Tier,
        range: Option<Block>,
        (above, displaces_tier): (u32, bool),
    ) -> Result<u16, BadField> {
        if self.inputs.tables().off_peak_pricing.is_some() {
            self.resolved.push((moving, tier, range));
        }
        let cells = self.finish(moving, tier, range, None);
        self.add_row(Draft { above, displaces_tier, ..Draft::new(cells) })
    }

    /// Resolves the fallbacks of every component.
    pub(super) fn finish(
        &self,
        mut moving: Moving,
        tier: Tier,
        range: Option<Block>,
        off_peak: Option<Block>,
    ) -> Cells {
        if let Some(block) = off_peak {
            moving.input = block.input.or(moving.input);
            moving.output = block.output.or(moving.output);
            moving.read = block.read.or(moving.read);
            moving.write = block.write.or(moving.write);
        }
        let Moving { input, output, read, write, write_1h, write_12h } = moving;
        let (read, write) = (read.or(input), write.or(input));
        let own = |base: Base, fallback: Cell| self.tiered(base, tier).or(fallback);

        let mut row = Cells::EMPTY;
        row.set(Component::Input, input);
        row.set(Component::CacheRead, read);
        row.set(Component::CacheReadAudio, own(Base::CacheReadAudio, read));
        row.set(Component::CacheReadImage, own(Base::CacheReadImage, read));
        row.set(Component::CacheWrite, write);
        row.set(Component::CacheWrite1h, write_1h.or(write));
        row.set(Component::CacheWrite12h, write_12h.or(write));
        row.set(Component::InputAudio, own(Base::InputAudio, input));
        row.set(Component::InputImage, own(Base::InputImage, input));
        row.set(Component::InputVideo, own(Base::InputVideo, input));
        row.set(Component::Output, output);
        row.set(Component::OutputAudio, own(Base::OutputAudio, output));
        row.set(Component::OutputImage, own(Base::OutputImage, output));
        row.set(Component::OutputVideo, own(Base::OutputVideo, output));

        let in_block = |block: Option<Block>, pick: fn(Block) -> Cell| block.map_or(Cell::NONE, pick);
        let reasoning = in_block(off_peak, |block| block.reasoning)
            .or(in_block(range, |block| block.reasoning.or(block.output)))
            .or(self.reasoning(tier, output));
        row.set(Component::Reasoning, reasoning);

        // Hits of an explicit cache have a rate of their own only if the entry, the range or the
        // off-peak block gives one.
        let explicit = self.tiered(Base::ExplicitCacheRead, tier);
        let explicit = match range {
            Some(range) if !explicit.is_none() || !range.explicit_read.is_none() => {
                range.explicit_read.or(range.read).or(range.input)
            }
            _ => explicit,
        };
        let overriding = match off_peak {
            Some(off) if !off.explicit_read.is_none() => off.explicit_read,
            Some(off) if !explicit.is_none() => off.read,
            _ => Cell::NONE,
        };
        row.explicit_read = overriding.or(explicit).or(read);
        row
    }

    /// Returns the price of reasoning: the tier's own rate, else the output rate if that has one of
    /// the tier, else the standard rate, else the output rate.
    fn reasoning(&self, tier: Tier, output: Cell) -> Cell {
        let own = self.find(Field::new(Base::Reasoning).tier(tier));
        let output_has_tier =
            tier != Tier::Standard && !self.find(Field::new(Base::Output).tier(tier)).is_none();
        if output_has_tier { own.or(output) } else { own.or(self.own(Base::Reasoning)).or(output) }
    }

    /// Returns the price of a second, if the entry is billed by the second: it prices no tokens,
    /// and its mode allows it. Of a transcription, a positive price of output goes first.
    fn second(&self) -> Cell {
        let prices_tokens = !self.is_zero(self.own(Base::Input)) || !self.is_zero(self.own(Base::Output));
        let mode = self.inputs.rules.mode;
        if prices_tokens || self.inputs.tables().tiered_pricing.is_some() || !mode.is_by_the_second() {
            return Cell::NONE;
        }
        let output = self.own(Base::OutputSecond);
        let first = if mode == Mode::Transcription && !self.is_zero(output) { output } else { Cell::NONE };
        first.or(self.own(Base::Second)).or(self.own(Base::InputSecond)).or(output)
    }

    /// Adds the four rows of a model with a step at 128k tokens: prompt and completion each below
    /// or above it.
    fn add_legacy_vertex(&mut self) -> Result<Option<u16>, BadField> {
        let step = |base: Base| self.find(Field::new(base).above(128_000));
        let (input, output) = (step(Base::Input), step(Base::Output));
        if !self.inputs.rules.step_at_128k || (input.is_none() && output.is_none()) {
            return Ok(None);
        }
        let first = self.next_row()?;
        let pair = |base: Base, above: Cell| [self.own(base), above.or(self.own(base))];
        let (inputs, outputs) = (pair(Base::Input, input), pair(Base::Output, output));
        for input in inputs {
            for output in outputs {
                let mut cells = Cells::EMPTY;
                cells.set(Component::Input, input);
                cells.set(Component::Output, output);
                self.add_row(Draft::new(cells))?;
            }
        }
        Ok(Some(first))
    }
}

pub(super) fn too_many() -> BadField {
    BadField::new("prices", "more price fields than an entry may have")
}
