//! Deserialisation of a [`Usage`] from a usage object of any format.

use serde::{Deserialize, Deserializer, de};

use super::slot::read_object;
use super::{Context, Shape, Usage, UsageFields};

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = UsageFields::default();
        read_object(&mut fields, deserializer)?;
        let format = fields.format(Shape::Unknown).ok_or_else(|| de::Error::custom(fields.missing()))?;
        let normal = fields.normalise(format, Context::default()).map_err(de::Error::custom)?;
        if normal.parts.is_empty() && normal.units.get().is_none() {
            return Ok(normal.usage);
        }
        Err(de::Error::custom(
            "the usage is more than the tokens of one model: read the whole response with wire::Response",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counter, Provenance};
    use super::*;

    fn read(json: &str) -> Usage {
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
    }

    fn error(json: &str) -> String {
        serde_json::from_str::<Usage>(json).map_or_else(|e| e.to_string(), |usage| format!("{usage:?}"))
    }

    #[test]
    fn null_is_missing_and_unknown_fields_are_passed_over() {
        let usage = read(
            r#"{"prompt_tokens": 12.0, "completion_tokens": null, "total_tokens": 12, "novel": [1],
                "prompt_tokens_details": null, "completion_tokens_details": {"reasoning_tokens": null}}"#,
        );
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (12, 0));
        assert_eq!(usage.provenance(Counter::PromptTokens), Provenance::Reported);
        for missing in [Counter::CompletionTokens, Counter::ReasoningTokens, Counter::CachedTokens] {
            assert_eq!(usage.provenance(missing), Provenance::Missing, "{missing:?}");
        }
        assert_eq!(read(r#"{"prompt_tokens": 0, "completion_tokens": 0}"#), Usage::new(0, 0));
    }

    /// An object without counts must not be priced at zero.
    #[test]
    fn an_object_without_counts_is_no_usage() {
        let missing = "missing field `prompt_tokens` or `input_tokens`, or a count of any other format";
        for (json, found) in [
            ("{}", "there are no fields"),
            ("null", "there are no fields"),
            ("[1, {}]", "there are no fields"),
            ("\"prompt_tokens\"", "there are no fields"),
            (r#"{"tokens_in": 5, "tokens_out": 6}"#, "found only tokens_in, tokens_out"),
            (r#"{"prompt_tokens": null, "cost": 0.5, "x": 1}"#, "found only cost, x"),
            (r#"{"completion_tokens_details": {"reasoning_tokens": 5}}"#, "there are no fields"),
        ] {
            assert!(error(json).starts_with(&format!("{missing}: {found}")), "{json}: {}", error(json));
        }
        let named = (0..1_000).map(|n| format!("\"count_{n}\": {n}")).collect::<Vec<_>>().join(",");
        let message = error(&format!("{{{named}}}"));
        assert!(message.contains(": found only count_0, count_1, ") && message.len() < 250, "{message}");
    }

    /// The overlap of counts belongs to the format.
    #[test]
    fn usages_of_other_formats_are_read_by_their_own_rules() {
        for (json, expected) in [
            (r#"{"input_tokens": 1000000, "output_tokens": 10}"#, Usage::new(1_000_000, 10)),
            (
                r#"{"input_tokens": 100, "cache_read_input_tokens": 5000, "output_tokens": 10}"#,
                Usage::new(5_100, 10).cached_tokens(5_000),
            ),
            (
                r#"{"input_tokens": 5100, "input_tokens_details": {"cached_tokens": 5000}, "output_tokens": 10}"#,
                Usage::new(5_100, 10).cached_tokens(5_000),
            ),
            (
                r#"{"inputTokens": 100, "outputTokens": 10, "cacheReadInputTokens": 7, "totalTokens": 117}"#,
                Usage::new(107, 10).cached_tokens(7),
            ),
            (
                r#"{"promptTokenCount": 100, "candidatesTokenCount": 10, "thoughtsTokenCount": 5, "totalTokenCount": 115}"#,
                Usage::new(100, 15).reasoning_tokens(5),
            ),
            (r#"{"prompt_eval_count": 3, "eval_count": 4}"#, Usage::new(3, 4)),
            (r#"{"tokens": {"input_tokens": 3, "output_tokens": 4}}"#, Usage::new(3, 4)),
        ] {
            assert_eq!(read(json), expected, "{json}");
        }
    }

    #[test]
    fn a_usage_in_other_units_is_no_usage_of_tokens() {
        for json in [r#"{"seconds": 12}"#, r#"{"pages_processed": 3}"#] {
            let reason = "the usage is more than the tokens of one model";
            assert!(error(json).starts_with(reason), "{json}: {}", error(json));
        }
    }

    #[test]
    fn the_places_of_cached_and_written_tokens() {
        let usage = read(
            r#"{"prompt_tokens": 100, "completion_tokens": 1, "cache_read_input_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 50, "cache_write_tokens": 0, "cache_creation_tokens": 9}}"#,
        );
        assert_eq!(usage.prompt_tokens_details.cached_tokens, 7);
        assert_eq!(usage.prompt_tokens_details.cache_creation_tokens, 0);
        let usage = read(
            r#"{"prompt_tokens": 12, "prompt_tokens_details": {"cache_creation_tokens": 9}, "prompt_cache_hit_tokens": 3}"#,
        );
        assert_eq!(usage.prompt_tokens_details.cached_tokens, 3);
        assert_eq!(usage.prompt_tokens_details.cache_creation_tokens, 9);
        let usage = read(
            r#"{"prompt_tokens": 12, "cache_creation_input_tokens": 4, "prompt_tokens_details": {"cache_creation_tokens": 9}}"#,
        );
        assert_eq!(usage.prompt_tokens_details.cache_creation_tokens, 4);
    }

    #[test]
    fn a_stated_cost_is_exact_or_none() {
        assert_eq!(read(r#"{"prompt_tokens": 1, "cost": 0.1}"#).cost, Some("0.1".parse().unwrap()));
        assert_eq!(
            read(r#"{"prompt_tokens": 1, "cost": {"total_cost": "0.25"}}"#).cost,
            Some("0.25".parse().unwrap())
        );
        for none in ["null", "-1", "true", "{}", "[]", "1e999", "\"NaN\"", "1e-400", "{\"total_cost\": null}"]
        {
            assert_eq!(read(&format!(r#"{{"prompt_tokens": 1, "cost": {none}}}"#)).cost, None, "{none}");
        }
    }

    /// Digits are read from the text. Through a float of `serde_json`, the amount would be another
    /// number, or zero.
    #[test]
    fn a_stated_cost_keeps_its_digits() {
        for digits in ["0.00000000691175564267812", "0.1234567890123456789012345678"] {
            for json in [
                format!(r#"{{"prompt_tokens": 1, "cost": {digits}}}"#),
                format!(r#"{{"prompt_tokens": 1, "cost": {{"total_cost": {digits}}}}}"#),
            ] {
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

    /// A total adds no count to those that make it up.
    #[test]
    fn a_missing_prompt_is_the_rest_of_the_total() {
        for (json, prompt) in [
            (r#"{"completion_tokens": 0, "total_tokens": 0}"#, None),
            (r#"{"completion_tokens": 5, "total_tokens": 5}"#, None),
            (r#"{"completion_tokens": 5, "total_tokens": 3}"#, None),
            (r#"{"completion_tokens": 5, "total_tokens": 12}"#, Some(7)),
            (r#"{"output_tokens": 5, "total_tokens": 12}"#, Some(7)),
            (r#"{"total_tokens": 0}"#, Some(0)),
            (r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 12}"#, Some(12)),
        ] {
            let usage = read(json);
            assert_eq!(usage.get(Counter::PromptTokens), prompt, "{json}");
            let written = serde_json::to_string(&usage).unwrap();
            assert_eq!(read(&written), usage, "{written}");
        }
    }

    #[test]
    fn says_which_count_is_none() {
        for count in ["-1", "1.5", "1e30", "18446744073709551616"] {
            let message = error(&format!(r#"{{"prompt_tokens": {count}}}"#));
            // Digits are those of a float, unless serde_json keeps them all.
            let said = " is not a count: a whole number from 0 to 2^64 - 1 at line 1 column";
            assert!(message.starts_with("prompt_tokens: ") && message.contains(said), "{message}");
        }
        for (count, found) in
            [("true", "true"), ("\"7\"", "a string"), ("[1]", "a list"), (r#"{"n": 1}"#, "an object")]
        {
            let message = error(&format!(r#"{{"prompt_tokens": {count}}}"#));
            let expected =
                format!("prompt_tokens: {found} is not a count: a whole number from 0 to 2^64 - 1");
            assert!(message.starts_with(&expected), "{message}");
        }
        assert!(error(r#"{"prompt_tokens": 1e400}"#).contains("at line 1 column"));
        assert_eq!(read(r#"{"prompt_tokens": 18446744073709551615}"#).prompt_tokens, u64::MAX);
    }

    #[test]
    fn a_sum_beyond_the_range_is_an_error() {
        let json = format!(r#"{{"input_tokens": {}, "cache_read_input_tokens": 1}}"#, u64::MAX);
        assert!(error(&json).starts_with("the sum of the counts is beyond 2^64 - 1"), "{}", error(&json));
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
