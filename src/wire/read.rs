//! Reads responses, and lists of the chunks of streams that were received as a whole.

use super::body::Body;
use super::json::{invalid, read_json};
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
        Self::read_body(None, body)
    }

    /// Reads a response of a known format.
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read), and [`Error::MissingUsage`] if the counts are in another
    /// format.
    pub fn read_as(format: Format, body: &[u8]) -> Result<Self, Error> {
        Self::read_body(Some(format), body)
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
        let mut read = Body::default();
        read_json(&mut read, body)?;
        let known = &mut read.fields.known;
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
            *count = count.or(Some(value));
        }
        let names = std::mem::take(&mut read.names);
        Self::of(&read, names, None)
    }

    fn read_body(format: Option<Format>, json: &[u8]) -> Result<Self, Error> {
        if json.trim_ascii_start().first() == Some(&b'[') {
            // A list is a stream that was received as a whole.
            let mut stream = format.map_or_else(Stream::new, Stream::of).max_event_bytes(usize::MAX);
            stream.push(json)?;
            stream.finish()?;
            return stream.response();
        }
        let mut body = Body::default();
        read_json(&mut body, json)?;
        let names = std::mem::take(&mut body.names);
        Self::of(&body, names, format)
    }
}
