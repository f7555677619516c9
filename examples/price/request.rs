//! A line of input.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use llm_costmap::wire::{Format, Response, Stream};
use llm_costmap::{Call, Error, Lookup, Usage};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::amounts::{Amounts, Measured};

#[derive(Default, Deserialize)]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) provider: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) usage: Option<Usage>,
    /// What `amounts` count, such as `image`.
    #[serde(borrow)]
    unit: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    amounts: Option<&'a RawValue>,
    #[serde(borrow)]
    format: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<&'a RawValue>,
    headers: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "present")]
    stream: Option<String>,
    #[serde(default, deserialize_with = "present")]
    stream_base64: Option<String>,
    service_tier: Option<String>,
    batch: Option<bool>,
    data_residency: Option<String>,
    vertex_location: Option<String>,
    at: Option<String>,
}

/// Reads a field that is present. Null is not the same as absent: a call without a usage is an
/// error, and not a question.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a line holds of a provider's.
pub(crate) struct Received {
    pub(crate) response: Result<Response, Error>,
    /// Whether the usage of a stream is final.
    pub(crate) is_final: Option<bool>,
    /// The first error of a stream, whose usage may be known nevertheless.
    pub(crate) stream_error: Option<Error>,
}

impl Received {
    fn stream(format: Option<Format>, bytes: &[u8]) -> Self {
        let mut stream = format.map_or_else(Stream::new, Stream::of);
        let pushed = stream.push(bytes);
        let stream_error = pushed.and(stream.finish()).err();
        Self { response: stream.response(), is_final: Some(stream.is_final()), stream_error }
    }
}

impl Request<'_> {
    pub(crate) fn named(model: String) -> Self {
        Self { model: Some(model.into()), ..Self::default() }
    }

    /// Reads the provider's response or stream of the line, if it has one.
    pub(crate) fn received(&self) -> Result<Option<Received>, String> {
        let format = self.format.as_deref().map(str::parse::<Format>).transpose();
        let format = format.map_err(|error| format!("format: {error}"))?;
        if let Some(body) = self.body {
            let body = body.get().as_bytes();
            let response = match (format, &self.headers) {
                (Some(format), _) => Response::read_as(format, body),
                (None, Some(headers)) => {
                    let headers = headers.iter().map(|(name, value)| (&**name, &**value));
                    Response::read_with_headers(body, headers)
                }
                (None, None) => Response::read(body),
            };
            return Ok(Some(Received { response, is_final: None, stream_error: None }));
        }
        if let Some(text) = &self.stream {
            return Ok(Some(Received::stream(format, text.as_bytes())));
        }
        let Some(text) = &self.stream_base64 else { return Ok(None) };
        let bytes = STANDARD.decode(text.trim()).map_err(|error| format!("stream_base64: {error}"))?;
        Ok(Some(Received::stream(format, &bytes)))
    }

    /// Reads the amounts of the line, if it has some.
    pub(crate) fn measured(&self) -> Result<Option<Measured>, String> {
        let Some(amounts) = self.amounts else {
            let stray = self.unit.is_some();
            return if stray { Err("missing field `amounts`".to_owned()) } else { Ok(None) };
        };
        let amounts: Amounts =
            serde_json::from_str(amounts.get()).map_err(|error| format!("amounts: {error}"))?;
        amounts.measured(self.unit.as_deref()).map(Some)
    }

    /// Returns the model to look up: the line's own, or the one that a response names.
    pub(crate) fn lookup<'n>(
        &'n self,
        response: Option<&'n Response>,
        provider: Option<&'n str>,
        is_strict: bool,
    ) -> Option<Lookup<'n>> {
        let served = || response.and_then(Response::model).map(Lookup::served);
        let lookup = self.model.as_deref().map(Lookup::new).or_else(served)?;
        let lookup = match self.provider.as_deref().or(provider) {
            Some(provider) => lookup.provider(provider),
            None => lookup,
        };
        Some(if is_strict { lookup.strict() } else { lookup })
    }

    /// Adds what the line says of a call.
    pub(crate) fn describe<'c>(&'c self, mut call: Call<'c>) -> Result<Call<'c>, String> {
        if self.batch.unwrap_or(false) {
            call = call.batch();
        }
        if let Some(tier) = &self.service_tier {
            call = call.service_tier(&**tier);
        }
        if let Some(region) = &self.data_residency {
            call = call.data_residency(region);
        }
        if let Some(location) = &self.vertex_location {
            call = call.vertex_location(location);
        }
        if let Some(at) = self.time()? {
            call = call.at(SystemTime::from(at));
        }
        Ok(call)
    }

    /// Returns the time of the call.
    pub(crate) fn time(&self) -> Result<Option<Timestamp>, String> {
        let Some(at) = &self.at else { return Ok(None) };
        at.parse().map(Some).map_err(|_| format!("at: {at:?} is not a time in RFC 3339 form"))
    }

    /// Returns the day of the call, in UTC.
    pub(crate) fn day(&self) -> Option<String> {
        self.time().ok().flatten().map(|at| at.strftime("%Y-%m-%d").to_string())
    }
}
