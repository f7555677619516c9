//! [`Format`]: the formats in which providers report a usage.

use std::fmt;

use crate::words::words;

/// A format in which providers respond, as far as usage is concerned.
///
/// The overlap of counts belongs to the format: OpenAI's counts nest (cached tokens are part of the
/// prompt, reasoning is part of the completion), and Anthropic's and Bedrock's stand beside each
/// other.
///
/// `Display` writes the [name](Self::as_str), and `FromStr` reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// OpenAI's chat completions, completions and embeddings, and all that resembles them: Azure,
    /// Mistral, Groq, Together, Fireworks, OpenRouter, DeepSeek, xAI, Perplexity, Moonshot, Voyage,
    /// Jina, Databricks, Cloudflare, vLLM, and LiteLLM itself.
    OpenAiChat,
    /// OpenAI's Responses API.
    OpenAiResponses,
    /// OpenAI's images.
    OpenAiImages,
    /// OpenAI's transcriptions, by tokens or by duration.
    OpenAiTranscription,
    /// OpenAI's realtime sessions.
    OpenAiRealtime,
    /// Anthropic's messages, also on Bedrock and Vertex AI.
    Anthropic,
    /// Gemini's `generateContent` and Live API, also on Vertex AI and behind Cloud Code.
    Gemini,
    /// Embeddings of Vertex AI: `predictions`.
    VertexPredictions,
    /// Bedrock's Converse API, and Nova in `InvokeModel`.
    BedrockConverse,
    /// Bedrock's `InvokeModel`, for models with a format of their own: Titan, Llama, and the metrics
    /// that Bedrock adds to streams.
    BedrockInvoke,
    /// Cohere's chat, embeddings and rerank, versions 1 and 2.
    Cohere,
    /// Ollama's own API.
    Ollama,
    /// IBM's watsonx.ai.
    Watsonx,
    /// Mistral's OCR: pages instead of tokens.
    MistralOcr,
}

words! {
    Format is a "wire format":
    OpenAiChat = "openai_chat",
    OpenAiResponses = "openai_responses",
    OpenAiImages = "openai_images",
    OpenAiTranscription = "openai_transcription",
    OpenAiRealtime = "openai_realtime",
    Anthropic = "anthropic",
    Gemini = "gemini",
    VertexPredictions = "vertex_predictions",
    BedrockConverse = "bedrock_converse",
    BedrockInvoke = "bedrock_invoke",
    Cohere = "cohere",
    Ollama = "ollama",
    Watsonx = "watsonx",
    MistralOcr = "mistral_ocr",
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
