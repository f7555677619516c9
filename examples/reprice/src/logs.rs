//! Logs: their files, and which column has what.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arrow::datatypes::{DataType, Field, Schema};

/// Returns the files of logs. A file that is named is one, whatever it is called. Of a folder, all files below it are that
/// are called `*.parquet`, and do not begin with a dot or an underscore.
///
/// # Errors
///
/// Returns an error if a path does not exist, or has no file, or if a file is empty.
pub fn files<S: AsRef<str>>(logs: &[S]) -> Result<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    for log in logs {
        let log = log.as_ref();
        ensure!(!log.contains("://"), "{log}: logs are files and folders of this machine");
        let path = fs::canonicalize(log).with_context(|| log.to_owned())?;
        if path.is_dir() {
            let before = found.len();
            let left_out = walk(&path, &mut found).with_context(|| log.to_owned())?;
            ensure!(found.len() > before, "{log} has no files that are called *.parquet");
            if left_out > 0 {
                eprintln!("reprice: {left_out} files of {log} are not called *.parquet, and are left out");
            }
        } else {
            found.insert(path);
        }
    }
    for file in &found {
        let length = fs::metadata(file).with_context(|| file.display().to_string())?.len();
        ensure!(length > 0, "{} is empty: it was cut off, or never written", file.display());
    }
    ensure!(!found.is_empty(), "there are no logs: name files of Parquet");
    Ok(found.into_iter().collect())
}

/// Adds the files below a folder. Returns how many others there are.
fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<u64> {
    let mut left_out = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.starts_with(['.', '_']) {
            continue;
        }
        if path.is_dir() {
            left_out += walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
            found.insert(fs::canonicalize(&path)?);
        } else {
            left_out += 1;
        }
    }
    Ok(left_out)
}

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

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Count,
    Flag,
    Time,
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

    fn kind(self) -> Kind {
        match self {
            Self::Model | Self::Provider | Self::ServiceTier => Kind::Text,
            Self::At => Kind::Time,
            Self::Batch => Kind::Flag,
            _ => Kind::Count,
        }
    }

    /// Returns a column of this role as an expression in SQL, or `None` if it is of another type.
    fn sql(self, field: &Field) -> Option<String> {
        let (name, kind) = (quoted(field.name()), field.data_type());
        let is_text = is_text(kind);
        match self.kind() {
            Kind::Text if is_text => Some(name),
            // Writers that do not say that their bytes are text.
            Kind::Text if is_bytes(kind) => Some(format!("CAST({name} AS VARCHAR)")),
            Kind::Count if kind.is_integer() || kind.is_null() => Some(name),
            Kind::Flag if matches!(kind, DataType::Boolean | DataType::Null) => Some(name),
            // A text that is no time is none.
            Kind::Time
                if is_text
                    || matches!(kind, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) =>
            {
                Some(format!("TRY_CAST({name} AS TIMESTAMP(6))"))
            }
            _ => None,
        }
    }

    /// Returns the expression of a column that there is not.
    fn none(self) -> &'static str {
        match self.kind() {
            Kind::Text => "CAST(NULL AS VARCHAR)",
            Kind::Count => "CAST(NULL AS BIGINT)",
            Kind::Flag => "CAST(NULL AS BOOLEAN)",
            Kind::Time => "CAST(NULL AS TIMESTAMP(6))",
        }
    }
}

impl Kind {
    /// Returns what values of this kind are.
    fn expected(self) -> &'static str {
        match self {
            Self::Text => "names are texts",
            Self::Count => "counts are integers",
            Self::Flag => "batch is true or false",
            Self::Time => "times are timestamps, dates, or texts in RFC 3339",
        }
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn is_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().first().copied().unwrap_or_default())
    }
}

/// The columns that a user named, by their roles. An empty name stands for none.
#[derive(Debug, Clone, Default)]
pub struct Columns(HashMap<Role, String>);

impl Columns {
    /// Reads pairs such as `model=my_model`, which take precedence over the default names. `batch=` has no column be the
    /// one of batches.
    ///
    /// # Errors
    ///
    /// Returns an error if a pair has no such form, or names no role, or one that was named before.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut columns = Self::default();
        for pair in pairs {
            let Some((role, column)) = pair.split_once('=') else { bail!("{pair:?} is no ROLE=COLUMN") };
            let Some(role) = Role::named(role) else {
                let known: Vec<String> = Role::NAMES.iter().map(|(role, _)| role.to_string()).collect();
                bail!("{role:?} is no role of a column: write one of {}", known.join(", "));
            };
            ensure!(columns.0.insert(role, column.to_owned()).is_none(), "two columns are named as {role}");
        }
        Ok(columns)
    }

    /// Finds the columns of a log.
    ///
    /// # Errors
    ///
    /// Returns an error if a column that was named is missing, if there is none for the model or the tokens, or if one is
    /// of another type than it must be. A column for a time or a batch that only has the name of one is left out.
    pub(crate) fn of(&self, schema: &Schema) -> Result<Found> {
        let mut found = Found::default();
        for (role, names) in Role::NAMES {
            let named = self.0.get(&role);
            let field = match named {
                Some(none) if none.is_empty() => None,
                Some(named) => Some(schema.field_with_name(named).ok().with_context(|| {
                    format!(
                        "the logs have no column {named:?}, which --column names as {role}: they have {}",
                        list(schema)
                    )
                })?),
                None => names.iter().find_map(|name| schema.field_with_name(name).ok()),
            };
            let Some(field) = field else { continue };
            match role.sql(field) {
                Some(sql) => found.0.push((role, field.name().clone(), sql)),
                None if named.is_none() && matches!(role.kind(), Kind::Time | Kind::Flag) => eprintln!(
                    "reprice: the column {:?} is of type {}, and is not taken for {role}: {}",
                    field.name(),
                    field.data_type(),
                    role.kind().expected()
                ),
                None => bail!(
                    "the column {:?} is of type {}, and cannot be {role}: {}; name another with --column {role}=NAME, or none with --column {role}=",
                    field.name(),
                    field.data_type(),
                    role.kind().expected()
                ),
            }
        }
        for role in [Role::Model, Role::PromptTokens, Role::CompletionTokens] {
            ensure!(
                found.has(role),
                "the logs have no column for {role}: name it with --column {role}=NAME; they have {}",
                list(schema)
            );
        }
        Ok(found)
    }
}

/// The columns of a log by their roles: their names, and their expressions in SQL.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found(Vec<(Role, String, String)>);

impl Found {
    /// Returns the expression of a role in SQL.
    pub(crate) fn sql(&self, role: Role) -> &str {
        self.0.iter().find(|(found, ..)| *found == role).map_or(role.none(), |(.., sql)| sql)
    }

    /// Returns whether there is a column of a role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.iter().any(|(found, ..)| *found == role)
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
        let mut arguments: Vec<String> = first.iter().map(|role| self.sql(*role).to_owned()).collect();
        arguments.push(format!("'{}'", revision.replace('\'', "''")));
        arguments.extend(rest.iter().take(used).map(|role| self.sql(*role).to_owned()));
        format!("{function}({})", arguments.join(", "))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(role, name, _)| format!("{role}={name}")).collect();
        f.write_str(&pairs.join(" "))
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
