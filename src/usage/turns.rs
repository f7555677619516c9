//! The turns of a call to Anthropic (`iterations`), added up by model.

use super::slot::{List, object, slots_by};
use super::{Count, Text};

object! {
    struct TurnLifetimes {
        five_minutes: Count = "ephemeral_5m_input_tokens",
        hour: Count = "ephemeral_1h_input_tokens",
    }
}

object! {
    struct TurnDetails {
        thinking_tokens: Count = "thinking_tokens",
    }
}

object! {
    /// A turn as it is written.
    struct Iteration {
        model: Text = "model",
        input_tokens: Count = "input_tokens",
        output_tokens: Count = "output_tokens",
        cache_read_input_tokens: Count = "cache_read_input_tokens",
        cache_creation_input_tokens: Count = "cache_creation_input_tokens",
        lifetimes: TurnLifetimes = "cache_creation",
        details: TurnDetails = "output_tokens_details",
    }
}

slots_by!(read_list: Turns);

/// The most models of turns, since what is kept of a response is limited.
const MOST_MODELS: usize = 64;

/// The turns of a call to Anthropic, added up by model.
#[derive(Debug, Default, Clone)]
pub(crate) struct Turns {
    models: Vec<Turn>,
    pub(crate) overflows: bool,
    pub(crate) has_too_many_models: bool,
}

/// The sums of the turns of a model.
#[derive(Debug, Default, Clone)]
pub(crate) struct Turn {
    /// The model, if the turns name it.
    pub(crate) model: Option<String>,
    pub(crate) input: Count,
    pub(crate) output: Count,
    pub(crate) read: Count,
    pub(crate) write: Count,
    pub(crate) written_5m: Count,
    pub(crate) written_1h: Count,
    pub(crate) thinking: Count,
    /// True if each turn reports its thinking.
    pub(crate) all_think: bool,
}

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Returns whether anything was counted.
    pub(crate) fn are_counted(&self) -> bool {
        self.models
            .iter()
            .any(|turn| [turn.input, turn.output, turn.read, turn.write].iter().any(|n| *n > Some(0)))
    }

    pub(crate) fn models(&self) -> &[Turn] {
        &self.models
    }
}

impl Turn {
    /// Adds another turn. Returns `None` if a sum overflows.
    pub(crate) fn add(&mut self, more: &Self) -> Option<()> {
        for (sum, more) in [
            (&mut self.input, more.input),
            (&mut self.output, more.output),
            (&mut self.read, more.read),
            (&mut self.write, more.write),
            (&mut self.written_5m, more.written_5m),
            (&mut self.written_1h, more.written_1h),
            (&mut self.thinking, more.thinking),
        ] {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).checked_add(more)?);
            }
        }
        self.all_think &= more.all_think;
        Some(())
    }
}

impl List for Turns {
    type Element = Iteration;

    fn begin(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, element: Iteration) {
        let thinking = element.details.thinking_tokens;
        let turn = Turn {
            model: element.model.get().map(str::to_owned),
            input: element.input_tokens,
            output: element.output_tokens,
            read: element.cache_read_input_tokens,
            write: element.cache_creation_input_tokens,
            written_5m: element.lifetimes.five_minutes,
            written_1h: element.lifetimes.hour,
            thinking,
            all_think: thinking.is_some(),
        };
        let has_room = self.models.len() < MOST_MODELS;
        match self.models.iter_mut().find(|known| known.model == turn.model) {
            Some(known) => self.overflows |= known.add(&turn).is_none(),
            None if has_room => self.models.push(turn),
            None => self.has_too_many_models = true,
        }
    }
}
