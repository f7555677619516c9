//! Lists in usage objects and beside them, of which sums are kept.

use super::slot::{List, object, slots_by};
use super::{Count, Present, Word};

slots_by!(read_list: Modalities, CacheDetails, Results, Predictions);

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
        /// An image that was made.
        image: Present = "bytesBase64Encoded",
    }
}

/// The tokens of Vertex AI's embeddings, and the images of its image models.
#[derive(Debug, Default, Clone)]
pub(crate) struct Predictions {
    pub(crate) tokens: Count,
    pub(crate) images: Count,
    pub(crate) overflows: bool,
}

impl List for Predictions {
    type Element = Prediction;

    fn begin(&mut self) {
        *self = Self::default();
    }

    fn add(&mut self, element: Prediction) {
        if element.image.0 {
            self.images = self.images.unwrap_or(0).checked_add(1);
        }
        if let Some(tokens) = element.embeddings.statistics.tokens {
            self.tokens = self.tokens.unwrap_or(0).checked_add(tokens);
            self.overflows |= self.tokens.is_none();
        }
    }
}
