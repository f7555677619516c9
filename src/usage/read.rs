//! Deserialisation of a [`Usage`] from the formats of providers and logs.

use serde::{Deserialize, Deserializer, de};

use super::{
    CacheCreationTokenDetails, CachedTokensDetails, CompletionTokensDetails, PromptTokensDetails,
    ServiceTier, Usage,
};
use crate::json::{self, Raw};
use crate::num::Usd;
use crate::num::decimal::Decimal;
use crate::text::clip;

/// A usage as written. Every field may be absent or null.
#[derive(Deserialize)]
struct Written {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    prompt_tokens_details: Option<WrittenPrompt>,
    completion_tokens_details: Option<WrittenCompletion>,
    cache_read_input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    prompt_cache_hit_tokens: Option<Count>,
    reasoning_tokens: Option<Count>,
    citation_tokens: Option<Count>,
    num_search_queries: Option<Count>,
    service_tier: Option<ServiceTier>,
    speed: Option<String>,
    inference_geo: Option<String>,
    cost: Option<Stated>,
}

#[derive(Default, Deserialize)]
struct WrittenPrompt {
    cached_tokens: Option<Count>,
    cache_type: Option<String>,
    cached_tokens_details: Option<WrittenCached>,
    cache_write_tokens: Option<Count>,
    cache_creation_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_creation_token_details: Option<WrittenCreation>,
    text_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
    video_tokens: Option<Count>,
    web_search_requests: Option<Count>,
}

#[derive(Deserialize)]
struct WrittenCached {
    text_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct WrittenCreation {
    ephemeral_5m_input_tokens: Option<Count>,
    ephemeral_30m_input_tokens: Option<Count>,
    ephemeral_1h_input_tokens: Option<Count>,
    ephemeral_12h_input_tokens: Option<Count>,
}

#[derive(Default, Deserialize)]
struct WrittenCompletion {
    reasoning_tokens: Option<Count>,
    text_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    image_tokens: Option<Count>,
    video_tokens: Option<Count>,
}

/// A count: a whole number, which may be written as `12.0`.
#[derive(Clone, Copy)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(written) = Raw::deserialize(deserializer)?;
        let whole = Decimal::parse(&written)
            .ok()
            .filter(|decimal| !decimal.negative || decimal.digits == 0)
            .and_then(|decimal| decimal.scaled(0))
            .and_then(|whole| u64::try_from(whole).ok());
        whole.map(Self).ok_or_else(|| {
            let written = clip(&written);
            de::Error::custom(format_args!("{written} is not a count: a whole number from 0 to 2^64 - 1"))
        })
    }
}

/// The charge that the provider reports, if it is valid.
struct Stated(Option<Usd>);

impl<'de> Deserialize<'de> for Stated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw(json) = Raw::deserialize(deserializer)?;
        Ok(Self(stated_cost(&json)))
    }
}

fn count(written: Option<Count>) -> u64 {
    written.map_or(0, |count| count.0)
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let prompt = written.prompt_tokens_details.unwrap_or_default();
        let completion = written.completion_tokens_details.unwrap_or_default();
        let hits =
            written.cache_read_input_tokens.or(written.prompt_cache_hit_tokens).or(prompt.cached_tokens);
        let writes = written
            .cache_creation_input_tokens
            .or(prompt.cache_write_tokens)
            .or(prompt.cache_creation_tokens)
            .or(prompt.cache_creation_input_tokens);
        Ok(Self {
            prompt_tokens: count(written.prompt_tokens),
            completion_tokens: count(written.completion_tokens),
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: count(hits),
                cache_type: prompt.cache_type,
                cached_tokens_details: prompt.cached_tokens_details.map_or_else(
                    CachedTokensDetails::default,
                    |cached| CachedTokensDetails {
                        text_tokens: count(cached.text_tokens),
                        audio_tokens: count(cached.audio_tokens),
                        image_tokens: count(cached.image_tokens),
                    },
                ),
                cache_creation_tokens: count(writes),
                cache_creation_token_details: prompt.cache_creation_token_details.map_or_else(
                    CacheCreationTokenDetails::default,
                    |ttl| CacheCreationTokenDetails {
                        ephemeral_5m_input_tokens: count(ttl.ephemeral_5m_input_tokens),
                        ephemeral_30m_input_tokens: count(ttl.ephemeral_30m_input_tokens),
                        ephemeral_1h_input_tokens: count(ttl.ephemeral_1h_input_tokens),
                        ephemeral_12h_input_tokens: count(ttl.ephemeral_12h_input_tokens),
                    },
                ),
                text_tokens: count(prompt.text_tokens),
                audio_tokens: count(prompt.audio_tokens),
                image_tokens: count(prompt.image_tokens),
                video_tokens: count(prompt.video_tokens),
                web_search_requests: count(prompt.web_search_requests.or(written.num_search_queries)),
            },
            completion_tokens_details: CompletionTokensDetails {
                reasoning_tokens: count(completion.reasoning_tokens.or(written.reasoning_tokens)),
                text_tokens: count(completion.text_tokens),
                audio_tokens: count(completion.audio_tokens),
                image_tokens: count(completion.image_tokens),
                video_tokens: count(completion.video_tokens),
            },
            citation_tokens: count(written.citation_tokens),
            service_tier: written.service_tier,
            speed: written.speed,
            inference_geo: written.inference_geo,
            cost: written.cost.and_then(|Stated(cost)| cost),
        })
    }
}

/// Reads `0.5` or `{"total_cost": 0.5}`. Returns `None` if the amount is negative or not a valid
/// [`Usd`].
fn stated_cost(json: &str) -> Option<Usd> {
    let parts = json::fields(json);
    let amount = match &parts {
        Ok(parts) => json::get(parts, "total_cost")?,
        Err(_) => json,
    };
    let amount: Option<Usd> = match json::text(amount) {
        Some(text) => text.trim().parse().ok(),
        None => amount.parse().ok(),
    };
    amount.filter(|cost| *cost >= Usd::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
    }

    #[test]
    fn null_and_absent_are_zero_and_unknown_fields_are_passed_over() {
        assert_eq!(read("{}"), Usage::default());
        let usage = read(
            r#"{"prompt_tokens": 12.0, "completion_tokens": null, "total_tokens": 12, "novel": [1],
                "prompt_tokens_details": null, "completion_tokens_details": {"reasoning_tokens": null}}"#,
        );
        assert_eq!(usage, Usage::new(12, 0));
    }

    #[test]
    fn the_places_of_cached_and_written_tokens() {
        let usage = read(
            r#"{"prompt_tokens": 100, "completion_tokens": 1, "cache_read_input_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 50, "cache_write_tokens": 0, "cache_creation_tokens": 9}}"#,
        );
        assert_eq!(usage.prompt_tokens_details.cached_tokens, 7);
        assert_eq!(usage.prompt_tokens_details.cache_creation_tokens, 0);
        let usage =
            read(r#"{"prompt_tokens_details": {"cache_creation_tokens": 9}, "prompt_cache_hit_tokens": 3}"#);
        assert_eq!(usage.prompt_tokens_details.cached_tokens, 3);
        assert_eq!(usage.prompt_tokens_details.cache_creation_tokens, 9);
        let usage = read(
            r#"{"cache_creation_input_tokens": 4, "prompt_tokens_details": {"cache_creation_tokens": 9}}"#,
        );
        assert_eq!(usage.prompt_tokens_details.cache_creation_tokens, 4);
    }

    #[test]
    fn a_stated_cost_is_exact_or_none() {
        assert_eq!(read(r#"{"cost": 0.1}"#).cost, Some("0.1".parse().unwrap()));
        assert_eq!(read(r#"{"cost": {"total_cost": "0.25"}}"#).cost, Some("0.25".parse().unwrap()));
        for none in ["null", "-1", "true", "{}", "[]", "1e999", "\"NaN\"", "1e-400", "{\"total_cost\": null}"]
        {
            assert_eq!(read(&format!(r#"{{"cost": {none}}}"#)).cost, None, "{none}");
        }
    }

    /// Digits are read from the text. Through a float of `serde_json`, the amount would be another
    /// number, or zero.
    #[test]
    fn a_stated_cost_keeps_its_digits() {
        for digits in ["0.00000000691175564267812", "0.1234567890123456789012345678"] {
            for json in
                [format!(r#"{{"cost": {digits}}}"#), format!(r#"{{"cost": {{"total_cost": {digits}}}}}"#)]
            {
                let cost = read(&json).cost.map(|cost| cost.to_string());
                assert_eq!(cost.as_deref(), Some(digits), "{json}");
            }
        }
    }

    /// A usage is often part of a value that is buffered before its type is known, or of a format
    /// other than JSON.
    #[test]
    fn is_read_from_any_format() {
        #[derive(Deserialize)]
        #[serde(tag = "type")]
        enum Event {
            Done { usage: Usage },
        }
        let json = r#"{"type": "Done", "usage": {"prompt_tokens": 12, "cost": {"total_cost": 0.25}}}"#;
        let Event::Done { usage } = serde_json::from_str(json).unwrap();
        assert_eq!((usage.prompt_tokens, usage.cost), (12, Some("0.25".parse().unwrap())));
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::from_value::<Usage>(value["usage"].clone()).unwrap(), usage);
    }

    #[test]
    fn says_which_count_is_none() {
        for count in ["-1", "1.5", "1e30", "1e400", "true", "\"7\"", "[1]"] {
            let error = serde_json::from_str::<Usage>(&format!(r#"{{"prompt_tokens": {count}}}"#));
            let message = error.map_err(|e| e.to_string()).err().unwrap_or_default();
            let expected =
                format!("{count} is not a count: a whole number from 0 to 2^64 - 1 at line 1 column");
            assert!(message.starts_with(&expected), "{message}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut usage = Usage::new(1_000, 500).cached_tokens(800).reasoning_tokens(300);
        usage.prompt_tokens_details.cache_type = Some("ephemeral".to_owned());
        usage.speed = Some("fast".to_owned());
        usage.cost = Some("0.125".parse().unwrap());
        let json = serde_json::to_string(&usage).unwrap_or_default();
        assert_eq!(read(&json), usage);
    }
}
