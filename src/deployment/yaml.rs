//! Converts a `config.yaml` into JSON, keeping the order of keys.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::{Error, ExternalMessageSource, Location, Options};

use crate::json::{MAX_DEPTH, quoted};

/// Converts YAML into JSON. The reason of an error names the line and the problem, but repeats
/// nothing of the text, which may contain secrets.
pub(super) fn to_json(yaml: &str) -> Result<String, String> {
    let read = serde_saphyr::from_str_with_options(yaml, options(yaml.len()));
    read.map(|Json(json)| json).map_err(|error| format!("not valid YAML: {}", said(&error)))
}

/// Limits the expanded size of a text, in proportion to its length. Many deployments may share an
/// anchor, but a text of a few lines must not fill the memory.
fn options(length: usize) -> Options {
    let events = length.saturating_mul(12).clamp(1_000_000, 20_000_000);
    let bytes = length.saturating_mul(32).clamp(64 << 20, 1 << 30);
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            // The list, its elements and their parts add to the depth of the values.
            max_depth: MAX_DEPTH + 8,
            max_events: events,
            max_nodes: events,
            max_aliases: events,
            max_anchors: events,
            max_merge_keys: (length / 4).max(10_000),
            max_recorded_anchor_events: events,
            max_recorded_anchor_bytes: bytes,
            max_total_scalar_bytes: bytes,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: events },
    }
}

struct Json(String);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = String::new();
        Value(&mut json).deserialize(deserializer)?;
        Ok(Self(json))
    }
}

/// Appends a value to the JSON.
struct Value<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Value<'_> {
    fn write<E: serde::de::Error>(self, value: impl serde::Serialize) -> Result<(), E> {
        self.0.push_str(&serde_json::to_string(&value).map_err(|_| E::custom("no JSON"))?);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<(), E> {
        self.write(value)
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<(), E> {
        self.write(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.write(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.write(value)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self(json) = self;
        json.push('[');
        let start = json.len();
        loop {
            // A comma before the end of the list is removed again.
            let end = json.len();
            json.push_str(if end == start { "" } else { "," });
            if list.next_element_seed(Value(json))?.is_none() {
                json.truncate(end);
                break;
            }
        }
        json.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(json) = self;
        json.push('{');
        let start = json.len();
        loop {
            let end = json.len();
            json.push_str(if end == start { "" } else { "," });
            if map.next_key_seed(YamlKey(json))?.is_none() {
                json.truncate(end);
                break;
            }
            json.push(':');
            map.next_value_seed(Value(json))?;
        }
        json.push('}');
        Ok(())
    }
}

/// Appends the name of a field: a string, or a number or word in its place.
struct YamlKey<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for YamlKey<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut key = String::new();
        deserializer.deserialize_any(Value(&mut key))?;
        if key.starts_with(['{', '[']) || key == "null" {
            return Err(D::Error::custom(NO_KEY));
        }
        self.0.push_str(&if key.starts_with('"') { key } else { quoted(&key) });
        Ok(())
    }
}

/// The message of the error that [`YamlKey`] raises.
const NO_KEY: &str = "a key that is neither text nor a number";

/// Returns the position and the description of an error.
fn said(error: &Error) -> String {
    match error.location().filter(|at| *at != Location::UNKNOWN && at.line() > 0) {
        Some(at) => format!("line {}, column {}: {}", at.line(), at.column(), what(error)),
        None => what(error).to_owned(),
    }
}

fn what(error: &Error) -> &'static str {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => what(error),
        Error::ExternalMessage { source, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(error) => syntax(error.kind()),
            _ => "not valid",
        },
        Error::Message { .. } => NO_KEY,
        Error::Eof { .. } => "it ends too early",
        Error::MultipleDocuments { .. } => "more than one document",
        Error::UnknownAnchor { .. } => "an alias of no anchor",
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an anchor that contains itself",
        Error::DuplicateMappingKey { .. } => "a key that is there already",
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "a merge of something that is not a mapping",
        Error::NonFiniteFloat { .. } => "a number that is not finite",
        Error::InvalidScalar { .. } | Error::UnsupportedTag { .. } => "a value that is not of its tag",
        Error::FoldedBlockScalarMustIndentContent { .. } | Error::IndentationError { .. } => {
            "wrong indentation"
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => "aliases that unfold to too much",
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => "nested too deeply",
            BudgetBreach::Documents { .. } => "more than one document",
            _ => "too much, or aliases that unfold to too much",
        },
        _ => "cannot be read",
    }
}

/// Describes a syntax error, where a description helps. The parser's own messages may quote the
/// text.
fn syntax(kind: &ErrorKind) -> &'static str {
    use ErrorKind as Kind;
    match kind {
        Kind::UnexpectedEofFlowSequence
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping
        | Kind::UnexpectedEofBlockSequence
        | Kind::UnexpectedEofBlockMapping
        | Kind::UnexpectedEof => "it ends too early",
        Kind::UnclosedFlowCollection { .. } => "a bracket that is not closed",
        Kind::MisplacedFlowCollectionEnd | Kind::MismatchedFlowCollectionEnd { .. } => {
            "a bracket that closes nothing"
        }
        Kind::UnclosedQuotedScalar => "a quote that is not closed",
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabInPlainScalar => "a tab where only spaces can be",
        Kind::InvalidIndentation | Kind::InvalidBlockScalarIndent | Kind::InvalidQuotedScalarIndent => {
            "wrong indentation"
        }
        Kind::MappingValueNotAllowed | Kind::InvalidColonPlacement | Kind::MappingKeyNotAllowed => {
            "a colon where none can be: is the value to be quoted?"
        }
        Kind::ExpectedBlockMappingKey | Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => {
            "a key was expected: is the indentation right?"
        }
        Kind::ExpectedBlockSequenceEntry | Kind::BlockSequenceEntryNotAllowed => {
            "a dash where none can be, or none where one is expected"
        }
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => {
            "a comma or a closing bracket was expected"
        }
        Kind::UnexpectedCharacter { .. } => "a character that cannot begin a value: is it to be quoted?",
        Kind::RecursionLimitExceeded => "nested too deeply",
        Kind::UnknownAnchor => "an alias of no anchor",
        _ => "wrong syntax",
    }
}
