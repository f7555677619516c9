//! Lists in usage objects and beside them, of which sums are kept.

use super::fields::Iteration;
use super::slot::{List, object, slots_by};
use super::{Count, Word};

slots_by!(read_list: Modalities, CacheDetails, Results, Predictions, Turns);

object! {
    /// The tokens of a modality in a response of Gemini.
    struct ModalityCount {
        modality: Word = "modality",
        tokens: Count = "tokenCount" | "token_count",
    }
}

/// Tokens by modality in a response of Gemini. Documents are text.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Modalities {
    pub(crate) text: Count,
    pub(crate) audio: Count,
    pub(crate) image: Count,
    pub(crate) video: Count,
    /// True if a list was found, which may be empty.
    pub(crate) is_known: bool,
    /// True if a sum is beyond the range of a count.
    pub(crate) overflows: bool,
}

impl List for Modalities {
    type Element = ModalityCount;

    fn begin(&mut self) {
        *self = Self { is_known: true, ..Self::default() };
    }

    fn add(&mut self, element: ModalityCount) {
        let Some(modality) = element.modality.get() else { return };
        let sum = match modality {
            _ if modality.eq_ignore_ascii_case("TEXT") => &mut self.text,
            _ if modality.eq_ignore_ascii_case("DOCUMENT") => &mut self.text,
            _ if modality.eq_ignore_ascii_case("AUDIO") => &mut self.audio,
            _ if modality.eq_ignore_ascii_case("IMAGE") => &mut self.image,
            _ if modality.eq_ignore_ascii_case("VIDEO") => &mut self.video,
            _ => return,
        };
        let total = sum.unwrap_or(0).checked_add(element.tokens.unwrap_or(0));
        self.overflows |= total.is_none();
        *sum = total;
    }
}

object! {
    /// Tokens that Bedrock wrote to a cache, by lifetime.
    struct CacheDetail {
        ttl: Word = "ttl",
        tokens: Count = "inputTokens",
    }
}

/// Tokens that Bedrock wrote to a cache, by lifetime.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct CacheDetails {
    pub(crate) five_minutes: u64,
    pub(crate) hour: u64,
    pub(crate) is_known: bool,
}

impl List for CacheDetails {
    type Element = CacheDetail;

    fn begin(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, element: CacheDetail) {
        self.is_known = true;
        let tokens = element.tokens.unwrap_or(0);
        // A sum beyond the range is not that of the writes, and then the lifetimes are not used.
        match element.ttl.get() {
            Some("5m") => self.five_minutes = self.five_minutes.saturating_add(tokens),
            Some("1h") => self.hour = self.hour.saturating_add(tokens),
            _ => {}
        }
    }
}

object! {
    /// A result of watsonx or of Titan.
    struct ModelResult {
        input: Count = "input_token_count",
        output: Count = "generated_token_count",
        titan_output: Count = "tokenCount",
        stop_reason: Word = "stop_reason" | "completionReason",
    }
}

/// The results of watsonx or of Titan.
#[derive(Debug, Default, Clone)]
pub(crate) struct Results {
    pub(crate) input: Count,
    pub(crate) output: Count,
    pub(crate) titan_output: Count,
    pub(crate) stop_reason: Word,
    pub(crate) overflows: bool,
    is_first: bool,
}

impl List for Results {
    type Element = ModelResult;

    fn begin(&mut self) {
        // In a stream, the first event has the input, and later ones say 0 or leave it out.
        self.is_first = true;
    }

    fn add(&mut self, element: ModelResult) {
        if let Some(reason) = element.stop_reason.get() {
            self.stop_reason.set(reason);
        }
        if std::mem::take(&mut self.is_first) {
            let is_news = |input: &u64| *input > 0 || self.input.is_none();
            self.input = element.input.filter(is_news).or(self.input);
            self.output = element.output.or(self.output);
            self.titan_output = element.titan_output.or(self.titan_output);
            return;
        }
        for (sum, more) in [
            (&mut self.input, element.input),
            (&mut self.output, element.output),
            (&mut self.titan_output, element.titan_output),
        ] {
            if let Some(more) = more {
                *sum = sum.unwrap_or(0).checked_add(more);
                self.overflows |= sum.is_none();
            }
        }
    }
}

object! {
    struct Statistics {
        tokens: Count = "token_count",
    }
}

object! {
    struct Embeddings {
        statistics: Statistics = "statistics",
    }
}

object! {
    struct Prediction {
        embeddings: Embeddings = "embeddings",
    }
}

/// The tokens of Vertex AI's embeddings.
#[derive(Debug, Default, Clone)]
pub(crate) struct Predictions {
    pub(crate) tokens: Count,
    pub(crate) overflows: bool,
}

impl List for Predictions {
    type Element = Prediction;

    fn begin(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, element: Prediction) {
        if let Some(tokens) = element.embeddings.statistics.tokens {
            self.tokens = self.tokens.unwrap_or(0).checked_add(tokens);
            self.overflows |= self.tokens.is_none();
        }
    }
}

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
        let thinking = element.output.thinking_tokens;
        let turn = Turn {
            model: element.model.get().map(str::to_owned),
            input: element.input_tokens,
            output: element.output_tokens,
            read: element.cache_read_input_tokens,
            write: element.cache_creation_input_tokens,
            written_5m: element.cache_creation.ephemeral_5m,
            written_1h: element.cache_creation.ephemeral_1h,
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
