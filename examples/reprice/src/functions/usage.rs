//! `llm_usage`: the counts of a provider's response.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Builder, StringBuilder, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::cast::{as_binary_view_array, as_string_view_array};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use llm_costmap::Error;
use llm_costmap::usage::{Counter, Format};
use llm_costmap::wire::{Response, Stream};

/// The counts, under the names of the arguments of `llm_cost`.
const COUNTERS: [(&str, Counter); 8] = [
    ("prompt_tokens", Counter::PromptTokens),
    ("completion_tokens", Counter::CompletionTokens),
    ("cached_tokens", Counter::CachedTokens),
    ("cache_creation_tokens", Counter::CacheCreationTokens),
    ("cache_creation_1h_tokens", Counter::Ephemeral1h),
    ("reasoning_tokens", Counter::ReasoningTokens),
    ("prompt_audio_tokens", Counter::PromptAudio),
    ("completion_audio_tokens", Counter::CompletionAudio),
];

/// The texts, in their order.
const TEXTS: [&str; 4] = ["format", "model", "service_tier", "error"];

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let counts = COUNTERS.iter().map(|(name, _)| Field::new(*name, DataType::Int64, true));
    let texts = TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8, true));
    counts.chain(texts).collect()
});

/// The function `llm_usage(format, body)`. The format is one of llm-costmap's, such as `openai_chat` or `anthropic`; `auto`
/// or `NULL` tells it by the body. The body is text or bytes: a JSON response, or the events of a stream.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct LlmUsage {
    signature: Signature,
}

impl Default for LlmUsage {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for LlmUsage {
    fn name(&self) -> &'static str {
        "llm_usage"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(FIELDS.clone()))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.len() != 2 {
            return plan_err!("llm_usage takes 2 arguments (format, body), and not {}", given.len());
        }
        Ok(vec![DataType::Utf8View, DataType::BinaryView])
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&given.args)?;
        let [formats, bodies] = arrays.as_slice() else {
            return exec_err!("llm_usage takes a format and a body");
        };
        let mut rows = Rows::default();
        for (format, body) in as_string_view_array(formats)?.iter().zip(as_binary_view_array(bodies)?) {
            match body.ok_or_else(|| "there is no body".to_owned()).and_then(|body| read(format, body)) {
                Ok(response) => rows.add(&response),
                Err(reason) => rows.add_error(&reason),
            }
        }
        Ok(ColumnarValue::Array(rows.finish()?))
    }
}

/// Reads a body: the events of a stream if it begins as one, or else a response.
fn read(format: Option<&str>, body: &[u8]) -> Result<Response, String> {
    let format = match format {
        None | Some("" | "auto") => None,
        Some(format) => Some(format.parse::<Format>().map_err(|error| error.to_string())?),
    };
    let told = |error: Error| error.to_string();
    let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let is_stream = [b"data:".as_slice(), b"event:", b"id:", b"retry:", b":"]
        .iter()
        .any(|field| start.starts_with(field));
    if is_stream {
        let mut stream = format.map_or_else(Stream::new, Stream::of);
        stream.push(body).and_then(|()| stream.finish()).map_err(told)?;
        return stream.response().map_err(told);
    }
    match format {
        Some(format) => Response::read_as(format, body).map_err(told),
        None => Response::read(body).map_err(told),
    }
}

/// The columns of the result.
#[derive(Default)]
struct Rows {
    counts: [Int64Builder; COUNTERS.len()],
    texts: [StringBuilder; TEXTS.len()],
}

impl Rows {
    fn add(&mut self, response: &Response) {
        let count = |(_, counter)| response.usage().get(counter).map(i64::try_from).transpose();
        let counts: std::result::Result<Vec<Option<i64>>, _> = COUNTERS.into_iter().map(count).collect();
        let Ok(counts) = counts else {
            return self.add_error("a count is beyond the range of 64 bits, signed");
        };
        self.counts.iter_mut().zip(counts).for_each(|(column, count)| column.append_option(count));
        let tier = response.service_tier().map(|tier| tier.to_string());
        let [formats, models, tiers, errors] = &mut self.texts;
        formats.append_value(response.format().as_str());
        models.append_option(response.model());
        tiers.append_option(tier);
        errors.append_null();
    }

    fn add_error(&mut self, reason: &str) {
        self.counts.iter_mut().for_each(Int64Builder::append_null);
        let [formats, models, tiers, errors] = &mut self.texts;
        [formats, models, tiers].into_iter().for_each(StringBuilder::append_null);
        errors.append_value(reason);
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let counts = self.counts.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let texts = self.texts.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        Ok(Arc::new(StructArray::try_new(FIELDS.clone(), counts.chain(texts).collect(), None)?))
    }
}
