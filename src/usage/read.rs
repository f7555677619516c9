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
        if normal.other == super::OtherUnits::default() && normal.duration.is_none() {
            return Ok(normal.usage);
        }
        Err(de::Error::custom(
            "the usage is more than the tokens of one model: read the whole response with wire::Response",
        ))
    }
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
