//! Rates of batches, computed apart from all others: without service tiers, `tiered_pricing` and
//! off-peak hours.

use super::compile::{Compiler, Draft, Moving};
use super::field::{Base, Field, Tier};
use super::inputs::BadField;
use super::{Cell, Cells, Component, Price, RatePlace};

impl Compiler<'_> {
    /// Adds the rows of batches. Tokens of a component without a price in these rows are billed as
    /// text.
    pub(super) fn add_batch_rows(&mut self) -> Result<(), BadField> {
        let flat = |base: Base| self.find(Field::new(base).tier(Tier::Batches));
        let mut moving = Moving {
            input: flat(Base::Input),
            output: flat(Base::Output),
            read: flat(Base::CacheRead),
            write: flat(Base::CacheWrite),
            write_1h: flat(Base::CacheWrite1h),
            write_12h: flat(Base::CacheWrite12h),
        };
        self.add_batch_row(moving, 0)?;
        for above in self.thresholds(|tier| tier == Tier::Batches) {
            let step = |base: Base, before: Cell| {
                self.find(Field::new(base).above(above).tier(Tier::Batches)).or(before)
            };
            moving = Moving {
                input: step(Base::Input, moving.input),
                output: step(Base::Output, moving.output),
                read: step(Base::CacheRead, moving.read),
                write: step(Base::CacheWrite, moving.write),
                write_1h: step(Base::CacheWrite1h, moving.write_1h),
                write_12h: step(Base::CacheWrite12h, moving.write_12h),
            };
            self.add_batch_row(moving, above)?;
        }
        Ok(())
    }

    fn add_batch_row(&mut self, batch: Moving, above: u32) -> Result<(), BadField> {
        let mut row = Cells::EMPTY;
        let input = self.own(Base::Input);
        let batches = |this: &Self, base: Base| this.find(Field::new(base).tier(Tier::Batches));
        if batch.input.is_none() {
            let write = self.own(Base::CacheWrite).or(input);
            let read = self.own(Base::CacheRead).or(input);
            row.set(Component::Input, input.half());
            row.set(Component::CacheRead, read.half());
            row.set(Component::CacheReadAudio, read.half());
            row.set(Component::CacheReadImage, read.half());
            row.set(Component::CacheWrite, write.half());
            row.set(Component::CacheWrite1h, self.own(Base::CacheWrite1h).or(write).half());
            row.set(Component::CacheWrite12h, self.own(Base::CacheWrite12h).or(write).half());
        } else {
            row.set(Component::Input, batch.input);
            if !batch.read.is_none() {
                row.set(Component::CacheRead, batch.read);
                row.set(Component::CacheReadAudio, batches(self, Base::CacheReadAudio).or(batch.read));
                row.set(Component::CacheReadImage, batches(self, Base::CacheReadImage).or(batch.read));
            }
            if ![batch.write, batch.write_1h, batch.write_12h].iter().all(|cell| cell.is_none()) {
                let write = batch.write.or(batch.input);
                row.set(Component::CacheWrite, write);
                let write_1h = self.discounted(batch.write_1h, Base::CacheWrite1h, write)?;
                row.set(Component::CacheWrite1h, write_1h);
                let write_12h = self.discounted(batch.write_12h, Base::CacheWrite12h, write)?;
                row.set(Component::CacheWrite12h, write_12h);
            }
            for (component, base) in [
                (Component::InputAudio, Base::InputAudio),
                (Component::InputImage, Base::InputImage),
                (Component::InputVideo, Base::InputVideo),
            ] {
                row.set(component, batches(self, base).or(batch.input));
            }
        }
        row.explicit_read = row.cell(Component::CacheRead);

        let image = batches(self, Base::OutputImage).or(self.own(Base::OutputImage).half());
        let output = batch.output.or(self.own(Base::Output).half());
        let output = if self.is_zero(output) { image.or(output) } else { output };
        row.set(Component::Output, output);
        row.set(Component::OutputImage, image.or(output));
        for (component, base) in [
            (Component::Reasoning, Base::Reasoning),
            (Component::OutputAudio, Base::OutputAudio),
            (Component::OutputVideo, Base::OutputVideo),
        ] {
            row.set(component, batches(self, base).or(self.own(base).half()).or(output));
        }
        self.add_row(Draft { above, ..Draft::new(row) }).map(drop)
    }

    /// Returns the price of a long-lived cache write in a batch: its own batch rate, or else its
    /// standard rate, scaled by the batch discount of a plain write.
    fn discounted(&mut self, own_batch: Cell, base: Base, batch_write: Cell) -> Result<Cell, BadField> {
        if !own_batch.is_none() {
            return Ok(own_batch);
        }
        let rate = |cell: Cell| self.prices.get(cell.index()).map(Price::rate);
        let standard = self.own(base);
        let plain = self.own(Base::CacheWrite).or(self.own(Base::Input));
        let discounted = match (rate(standard), rate(batch_write), rate(plain)) {
            (Some(standard), Some(part), Some(whole)) => standard.proportional(part, whole),
            _ => None,
        };
        match discounted {
            Some(rate) => self.add_price(rate, Field::new(base), RatePlace::BatchDiscount),
            None => Ok(batch_write),
        }
    }
}
