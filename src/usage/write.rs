//! Serialisation of a [`Usage`] under LiteLLM's names.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::counter::CounterSet;
use super::{Counter, Usage};
use crate::num::Usd;

/// The counts of the prompt's details. LiteLLM has two names for tokens written to a cache.
const PROMPT: [(&str, Counter); 8] = [
    ("cached_tokens", Counter::CachedTokens),
    ("cache_write_tokens", Counter::CacheCreationTokens),
    ("cache_creation_tokens", Counter::CacheCreationTokens),
    ("text_tokens", Counter::PromptText),
    ("audio_tokens", Counter::PromptAudio),
    ("image_tokens", Counter::PromptImage),
    ("video_tokens", Counter::PromptVideo),
    ("web_search_requests", Counter::WebSearchRequests),
];

const CACHED: [(&str, Counter); 3] = [
    ("text_tokens", Counter::CachedText),
    ("audio_tokens", Counter::CachedAudio),
    ("image_tokens", Counter::CachedImage),
];

const LIFETIMES: [(&str, Counter); 4] = [
    ("ephemeral_5m_input_tokens", Counter::Ephemeral5m),
    ("ephemeral_30m_input_tokens", Counter::Ephemeral30m),
    ("ephemeral_1h_input_tokens", Counter::Ephemeral1h),
    ("ephemeral_12h_input_tokens", Counter::Ephemeral12h),
];

const COMPLETION: [(&str, Counter); 5] = [
    ("reasoning_tokens", Counter::ReasoningTokens),
    ("text_tokens", Counter::CompletionText),
    ("audio_tokens", Counter::CompletionAudio),
    ("image_tokens", Counter::CompletionImage),
    ("video_tokens", Counter::CompletionVideo),
];

/// Counts that are written as an object. Missing ones are left out.
struct Counts<'a>(&'a Usage, &'static [(&'static str, Counter)]);

impl Counts<'_> {
    fn is_empty(&self) -> bool {
        self.1.iter().all(|(_, counter)| self.0.get(*counter).is_none())
    }

    fn write_to<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (name, counter) in self.1 {
            if let Some(count) = self.0.get(*counter) {
                map.serialize_entry(name, &count)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_to(&mut map)?;
        map.end()
    }
}

/// The composition of the prompt's tokens.
struct Prompt<'a>(&'a Usage);

impl<'a> Prompt<'a> {
    fn parts(&self) -> [Counts<'a>; 3] {
        [Counts(self.0, &PROMPT), Counts(self.0, &CACHED), Counts(self.0, &LIFETIMES)]
    }

    fn is_empty(&self) -> bool {
        self.0.prompt_tokens_details.cache_type.is_none() && self.parts().iter().all(Counts::is_empty)
    }
}

impl Serialize for Prompt<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [own, cached, lifetimes] = self.parts();
        let mut map = serializer.serialize_map(None)?;
        own.write_to(&mut map)?;
        if let Some(cache_type) = &self.0.prompt_tokens_details.cache_type {
            map.serialize_entry("cache_type", cache_type)?;
        }
        if !cached.is_empty() {
            map.serialize_entry("cached_tokens_details", &cached)?;
        }
        if !lifetimes.is_empty() {
            map.serialize_entry("cache_creation_token_details", &lifetimes)?;
        }
        map.end()
    }
}

/// The names of counts.
struct Names(CounterSet);

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

/// An amount in US dollars: a number, as LiteLLM writes it, or a string of digits if a float would
/// not keep them all.
struct Amount(Usd);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = self.0.to_string();
        let float = digits.parse().unwrap_or(f64::NAN);
        if format!("{float:e}").parse() == Ok(self.0) {
            serializer.serialize_f64(float)
        } else {
            serializer.serialize_str(&digits)
        }
    }
}

/// Writes LiteLLM's names. Missing counts are left out. The total is written unless neither the
/// prompt nor the completion is known: read back, it would be the prompt. `estimated` lists the
/// counts that the program estimated.
impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let totals =
            [("prompt_tokens", Counter::PromptTokens), ("completion_tokens", Counter::CompletionTokens)];
        for (name, counter) in totals {
            if let Some(count) = self.get(counter) {
                map.serialize_entry(name, &count)?;
            }
        }
        let sum = self.prompt_tokens.checked_add(self.completion_tokens).filter(|_| !self.is_unknown());
        if let Some(total) = self.odd_total().or(sum) {
            map.serialize_entry("total_tokens", &total)?;
        }
        let prompt = Prompt(self);
        if !prompt.is_empty() {
            map.serialize_entry("prompt_tokens_details", &prompt)?;
        }
        let completion = Counts(self, &COMPLETION);
        if !completion.is_empty() {
            map.serialize_entry("completion_tokens_details", &completion)?;
        }
        if let Some(citations) = self.get(Counter::CitationTokens) {
            map.serialize_entry("citation_tokens", &citations)?;
        }
        if let Some(tier) = &self.service_tier {
            map.serialize_entry("service_tier", tier)?;
        }
        if let Some(speed) = &self.speed {
            map.serialize_entry("speed", speed)?;
        }
        if let Some(geo) = &self.inference_geo {
            map.serialize_entry("inference_geo", geo)?;
        }
        if let Some(cost) = &self.cost {
            map.serialize_entry("cost", &Amount(*cost))?;
        }
        if !self.estimated.is_empty() {
            map.serialize_entry("estimated", &Names(self.estimated))?;
        }
        map.end()
    }
}
