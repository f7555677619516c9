//! [`NotRead`]: the reasons for which counts are not a usage.

use std::fmt;

use super::Format;

/// The reason for which counts are not a usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// No count of the format, or of any format, was found.
    Missing { format: Option<Format>, found: Box<str> },
    /// A sum of counts is beyond their range.
    Overflow,
    /// The turns of a call name too many models.
    TooManyModels,
    /// The tools of a response used more than is told apart.
    TooManyTools,
}

impl fmt::Display for NotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { format, found } => {
                match format.map_or(&["prompt_tokens", "input_tokens"][..], |format| format.counts()) {
                    [] => f.write_str("missing counts")?,
                    [first, others @ ..] => {
                        write!(f, "missing field `{first}`")?;
                        for other in others {
                            write!(f, " or `{other}`")?;
                        }
                    }
                }
                match (format, &**found) {
                    (None, "") => f.write_str(", or a count of any other format: there are no fields")?,
                    (None, found) => write!(f, ", or a count of any other format: found only {found}")?,
                    (Some(format), "") => write!(f, " of the format {format}: there are no fields")?,
                    (Some(format), found) => write!(f, " of the format {format}: found only {found}")?,
                }
                Ok(())
            }
            Self::TooManyTools => {
                f.write_str("its tools used too many containers, queries, or sizes of images")
            }
            Self::TooManyModels => f.write_str("the turns of the call name too many models"),
            Self::Overflow => f.write_str("the sum of the counts is beyond 2^64 - 1"),
        }
    }
}

impl Format {
    /// Returns the fields that hold the counts of prompt and completion.
    pub(super) fn counts(self) -> &'static [&'static str] {
        match self {
            Self::OpenAiChat => &["prompt_tokens", "completion_tokens", "total_tokens"],
            Self::OpenAiResponses | Self::OpenAiImages | Self::OpenAiRealtime | Self::Anthropic => {
                &["input_tokens", "output_tokens"]
            }
            Self::OpenAiTranscription => &["input_tokens", "seconds"],
            Self::Gemini => &["promptTokenCount", "candidatesTokenCount"],
            Self::VertexPredictions => &["token_count"],
            Self::BedrockConverse => &["inputTokens", "outputTokens"],
            Self::BedrockInvoke => &["inputTokenCount", "inputTextTokenCount", "prompt_token_count"],
            Self::Cohere => &["tokens", "billed_units"],
            Self::Ollama => &["prompt_eval_count", "eval_count"],
            Self::Watsonx => &["input_token_count", "generated_token_count"],
            Self::MistralOcr => &["pages_processed"],
        }
    }
}
