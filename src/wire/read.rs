//! Reads responses, and lists of the chunks of streams that were received as a whole.

use super::json::invalid;
use super::response::Response;
use super::stream::Stream;
use crate::error::Error;
use crate::usage::Format;

/// The headers with counts in responses of Bedrock: input, output, and those of the cache.
const BEDROCK_HEADERS: [&str; 4] = [
    "x-amzn-bedrock-input-token-count",
    "x-amzn-bedrock-output-token-count",
    "x-amzn-bedrock-cache-read-input-token-count",
    "x-amzn-bedrock-cache-write-input-token-count",
];

impl Response {
    /// Reads a response, and recognises its format.
    ///
    /// One pass over the text skips all content. The number of allocations does not depend on the
    /// length of the text.
    ///
    /// # Errors
    ///
    /// - [`Error::MissingUsage`] if there is no count of a known format.
    /// - [`Error::ErrorResponse`] if the provider responded with an error instead.
    /// - [`Error::InvalidResponse`] if the text is not JSON, or a count is not a whole number.
    pub fn read(body: &[u8]) -> Result<Self, Error> {
        whole(Stream::new()).read_whole(body)
    }

    /// Reads a response of a known format.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read), and [`Error::MissingUsage`] if the counts are in another
    /// format.
    pub fn read_as(format: Format, body: &[u8]) -> Result<Self, Error> {
        whole(Stream::of(format)).read_whole(body)
    }

    /// Reads a response of Bedrock's `InvokeModel`, with the headers of the response.
    ///
    /// The body's own usage takes precedence. Models whose body has none are billed by the counts in
    /// the headers `x-amzn-bedrock-input-token-count`, `x-amzn-bedrock-output-token-count`, and those
    /// of the cache. Other headers are ignored.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// use llm_costmap::wire::Response;
    ///
    /// let headers =
    ///     [("X-Amzn-Bedrock-Input-Token-Count", "12"), ("X-Amzn-Bedrock-Output-Token-Count", "34")];
    /// let response = Response::read_with_headers(br#"{"outputs": [{"text": "Hi"}]}"#, headers)?;
    /// assert_eq!(response.usage().prompt_tokens, 12);
    /// # Ok::<(), llm_costmap::Error>(())
    /// ```
    pub fn read_with_headers<'h>(
        body: &[u8],
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    ) -> Result<Self, Error> {
        let mut stream = whole(Stream::new());
        let known = &mut stream.fields().known;
        for (name, value) in headers {
            let count = match BEDROCK_HEADERS.iter().position(|header| header.eq_ignore_ascii_case(name)) {
                Some(0) => &mut known.metrics_input,
                Some(1) => &mut known.metrics_output,
                Some(2) => &mut known.bedrock_read,
                Some(3) => &mut known.bedrock_write,
                _ => continue,
            };
            let value: u64 = value.trim().parse().map_err(|_| {
                let name = name.to_ascii_lowercase();
                invalid(format_args!("the header {name} is not a count: a whole number from 0 to 2^64 - 1"))
            })?;
            *count = Some(value);
        }
        stream.read_whole(body)
    }
}

/// Lifts the limit on the length of an event: the whole text is in memory already.
#[inline]
fn whole(stream: Stream) -> Stream {
    stream.max_event_bytes(usize::MAX)
}
