//! The columns of logs: which column has what.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Result, bail};
use arrow::datatypes::{DataType, Schema};

/// What a column of a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The name of the model, as the gateway knows it.
    Model,
    /// The provider.
    Provider,
    /// The time of the call.
    At,
    /// The tokens of the prompt.
    PromptTokens,
    /// The tokens of the completion.
    CompletionTokens,
    /// The tokens of the prompt that were read from a cache.
    CachedTokens,
    /// The tokens of the prompt that were written to a cache.
    CacheCreationTokens,
    /// The tokens of the prompt that were written to a cache for an hour.
    CacheCreation1hTokens,
    /// The tokens of the completion that were spent on reasoning.
    ReasoningTokens,
    /// The audio tokens of the prompt.
    PromptAudioTokens,
    /// The audio tokens of the completion.
    CompletionAudioTokens,
    /// The service tier.
    ServiceTier,
    /// Whether the call was part of a batch.
    Batch,
}

impl Role {
    /// All roles, with the names that columns have by default. The first is that of the role.
    const NAMES: [(Self, &'static [&'static str]); 13] = [
        (Self::Model, &["model", "model_name"]),
        (Self::Provider, &["provider", "custom_llm_provider", "litellm_provider"]),
        (Self::At, &["at", "timestamp", "startTime", "start_time", "created_at", "time"]),
        (Self::PromptTokens, &["prompt_tokens", "input_tokens"]),
        (Self::CompletionTokens, &["completion_tokens", "output_tokens"]),
        (Self::CachedTokens, &["cached_tokens", "cache_read_input_tokens", "cache_read_tokens"]),
        (Self::CacheCreationTokens, &["cache_creation_tokens", "cache_creation_input_tokens"]),
        (Self::CacheCreation1hTokens, &["cache_creation_1h_tokens"]),
        (Self::ReasoningTokens, &["reasoning_tokens"]),
        (Self::PromptAudioTokens, &["prompt_audio_tokens"]),
        (Self::CompletionAudioTokens, &["completion_audio_tokens"]),
        (Self::ServiceTier, &["service_tier"]),
        (Self::Batch, &["batch"]),
    ];

    fn names(self) -> &'static [&'static str] {
        Self::NAMES.iter().find(|(role, _)| *role == self).map_or(&[], |(_, names)| names)
    }

    /// Returns the role with a name.
    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(role, _)| role.to_string() == name).map(|(role, _)| *role)
    }

    /// The type that a column without values has.
    fn null(self) -> &'static str {
        match self {
            Self::Model | Self::Provider | Self::ServiceTier => "CAST(NULL AS VARCHAR)",
            Self::At => "CAST(NULL AS TIMESTAMP)",
            Self::Batch => "CAST(NULL AS BOOLEAN)",
            _ => "CAST(NULL AS BIGINT)",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().first().copied().unwrap_or_default())
    }
}

/// The columns of a log by their roles.
#[derive(Debug, Clone, Default)]
pub struct Columns(HashMap<Role, String>);

impl Columns {
    /// Reads pairs such as `model=my_model`, which take precedence over the default names.
    ///
    /// # Errors
    ///
    /// Returns an error if a pair has no such form, or names no role.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut columns = Self::default();
        for pair in pairs {
            let Some((role, column)) = pair.split_once('=') else { bail!("{pair:?} is no ROLE=COLUMN") };
            let Some(role) = Role::named(role) else {
                let known: Vec<String> = Role::NAMES.iter().map(|(role, _)| role.to_string()).collect();
                bail!("{role:?} is no role of a column: write one of {}", known.join(", "));
            };
            columns.0.insert(role, column.to_owned());
        }
        Ok(columns)
    }

    /// Finds the columns of a log.
    ///
    /// # Errors
    ///
    /// Returns an error if a column that was named is missing, if there is none for the model or the tokens, or if the
    /// times are of a type that is no time.
    pub fn of(&self, schema: &Schema) -> Result<Self> {
        let mut found = HashMap::new();
        for (role, names) in Role::NAMES {
            let column = match self.0.get(&role) {
                Some(named) if schema.field_with_name(named).is_err() => {
                    bail!(
                        "the logs have no column {named:?}, which --column names as {role}: they have {}",
                        list(schema)
                    )
                }
                Some(named) => Some(named.as_str()),
                None => names.iter().copied().find(|name| schema.field_with_name(name).is_ok()),
            };
            if let Some(column) = column {
                found.insert(role, column.to_owned());
            }
        }
        for role in [Role::Model, Role::PromptTokens, Role::CompletionTokens] {
            if !found.contains_key(&role) {
                bail!(
                    "the logs have no column for {role}: name it with --column {role}=NAME; they have {}",
                    list(schema)
                );
            }
        }
        if let Some(at) = found.get(&Role::At) {
            let kind = schema.field_with_name(at)?.data_type();
            let is_text = matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            if !(matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) || is_text) {
                bail!(
                    "the column {at:?} is of type {kind}: times are timestamps, dates, or texts in RFC 3339"
                );
            }
        }
        Ok(Self(found))
    }

    /// Returns the expression of a role in SQL.
    pub(crate) fn sql(&self, role: Role) -> String {
        match (self.0.get(&role), role) {
            (Some(column), Role::At) => format!("CAST({} AS TIMESTAMP)", quoted(column)),
            (Some(column), _) => quoted(column),
            (None, _) => role.null().to_owned(),
        }
    }

    /// Returns whether there is a column of a role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.contains_key(&role)
    }

    /// Returns the call of `llm_cost` or `llm_cost_lines` on these columns.
    pub(crate) fn call(&self, function: &str, revision: &str) -> String {
        use Role as R;
        let first = [R::Model, R::Provider, R::PromptTokens, R::CompletionTokens, R::CachedTokens];
        let rest = [
            R::CacheCreationTokens,
            R::CacheCreation1hTokens,
            R::ReasoningTokens,
            R::PromptAudioTokens,
            R::CompletionAudioTokens,
            R::ServiceTier,
            R::Batch,
            R::At,
        ];
        let used = rest.iter().rposition(|role| self.has(*role)).map_or(0, |last| last + 1);
        let mut arguments: Vec<String> = first.iter().map(|role| self.sql(*role)).collect();
        arguments.push(format!("'{}'", revision.replace('\'', "''")));
        arguments.extend(rest.iter().take(used).map(|role| self.sql(*role)));
        format!("{function}({})", arguments.join(", "))
    }
}

/// Returns a name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(schema: &Schema) -> String {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    names.join(", ")
}
