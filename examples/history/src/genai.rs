//! The data of genai-prices, joined to a history.

use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use llm_costmap::Lookup;
use llm_costmap::history::{History, Recording};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::options;

/// LiteLLM's names of providers that are called otherwise.
const PROVIDERS: [(&str, &str); 7] = [
    ("aws", "bedrock"),
    ("fireworks", "fireworks_ai"),
    ("google", "gemini"),
    ("moonshotai", "moonshot"),
    ("together", "together_ai"),
    ("voyageai", "voyage"),
    ("x-ai", "xai"),
];

/// Prices for a million tokens, and LiteLLM's fields for one.
const FIELDS: [(&str, &str); 11] = [
    ("input_mtok", "input_cost_per_token"),
    ("output_mtok", "output_cost_per_token"),
    ("cache_read_mtok", "cache_read_input_token_cost"),
    ("cache_write_mtok", "cache_creation_input_token_cost"),
    ("cache_write_1h_mtok", "cache_creation_input_token_cost_above_1hr"),
    ("input_audio_mtok", "input_cost_per_audio_token"),
    ("output_audio_mtok", "output_cost_per_audio_token"),
    ("cache_audio_read_mtok", "cache_read_input_audio_token_cost"),
    ("input_image_mtok", "input_cost_per_image_token"),
    ("output_image_mtok", "output_cost_per_image_token"),
    ("output_reasoning_mtok", "output_cost_per_reasoning_token"),
];

#[derive(Deserialize)]
struct Provider {
    id: String,
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    /// Prices without a date, or a list of [`Conditional`] ones.
    prices: Value,
}

/// Prices that apply under a condition. Of those that hold, the last ones count.
#[derive(Deserialize)]
struct Conditional {
    #[serde(default)]
    constraint: Option<Constraint>,
    prices: Map<String, Value>,
}

#[derive(Deserialize)]
struct Constraint {
    start_date: Option<String>,
    /// The prices apply at some hours of a day only.
    start_time: Option<String>,
}

/// The numbers of what was joined.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    changes: usize,
    models: usize,
    new_models: usize,
    by_hour: usize,
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} changes of {} models recorded, {} of them new; {} models with prices by the hour are left out",
            self.changes, self.models, self.new_models, self.by_hour
        )
    }
}

/// Records the prices of models from each of their start dates on, over the rows that apply then. A model that
/// the history does not have at all is added, from 1970 on, with the prices before the first date.
pub(crate) fn join(history: &History, text: &str) -> Result<Joined> {
    let providers: Vec<Provider> = serde_json::from_str(text).context("not the data of genai-prices")?;
    let mut joined = Joined::default();
    for Provider { id: provider, models } in providers {
        let name =
            PROVIDERS.iter().find(|(theirs, _)| *theirs == provider).map_or(&*provider, |(_, ours)| ours);
        for Model { id, prices } in models {
            if !prices.is_array() {
                continue;
            }
            let prices: Vec<Conditional> =
                serde_json::from_value(prices).with_context(|| format!("{provider}: {id}"))?;
            let is_hourly = |price: &Conditional| {
                price.constraint.as_ref().is_some_and(|constraint| constraint.start_time.is_some())
            };
            if prices.iter().any(is_hourly) {
                joined.by_hour += 1;
                continue;
            }
            add(history, name, &id, &prices, &mut joined).with_context(|| format!("{provider}: {id}"))?;
        }
    }
    Ok(joined)
}

fn add(
    history: &History,
    provider: &str,
    id: &str,
    prices: &[Conditional],
    joined: &mut Joined,
) -> Result<()> {
    let whole = format!("{provider}/{id}");
    let keys = [&*whole, id];
    let known = keys.into_iter().find(|key| is_of(history, key, provider));
    let key = known.unwrap_or(&whole);
    let mut changes = 0;
    for Conditional { constraint, prices } in prices {
        let start = constraint.as_ref().and_then(|constraint| constraint.start_date.as_deref());
        let at = match start {
            Some(start) => options::time(start).map_err(|error| anyhow::anyhow!("{error}"))?,
            // The maps have the prices before the first date.
            None if known.is_some() => continue,
            None => SystemTime::UNIX_EPOCH,
        };
        let row = row(history, key, provider, at, prices)?;
        // What is recorded already changes nothing.
        if row_at(history, key, at).as_ref() != Some(&row) {
            history.record(key, row, Recording::new("genai-prices").effective_from(at))?;
            changes += 1;
        }
    }
    joined.changes += changes;
    joined.models += usize::from(changes > 0);
    joined.new_models += usize::from(changes > 0 && known.is_none());
    Ok(())
}

/// Returns whether a key is one of the history, and of a provider.
fn is_of(history: &History, key: &str, provider: &str) -> bool {
    let rows = history.points(key).into_iter().filter_map(|point| point.model_info);
    rows.into_iter().any(|row| row.litellm_provider().is_none_or(|of| of.starts_with(provider)))
}

/// Returns the row of a key at an instant.
fn row_at(history: &History, key: &str, at: SystemTime) -> Option<Map<String, Value>> {
    let snapshot = history.at(at);
    let found = snapshot.resolve(Lookup::new(key)).ok().filter(|found| found.key() == key)?;
    serde_json::from_str(found.model_info().json()).ok()
}

/// Returns the row of a model with prices in the place of those that it has, among them those of tiers and
/// batches, which genai-prices does not have.
fn row(
    history: &History,
    key: &str,
    provider: &str,
    at: SystemTime,
    prices: &Map<String, Value>,
) -> Result<Map<String, Value>> {
    let before = row_at(history, key, at).or_else(|| row_at(history, key, at - Duration::from_micros(1)));
    let mut row =
        before.unwrap_or_else(|| Map::from_iter([("litellm_provider".to_owned(), Value::from(provider))]));
    let is_replaced =
        |name: &str| FIELDS.iter().any(|(_, field)| name.starts_with(field)) || name == "tiered_pricing";
    row.retain(|name, _| !is_replaced(name));
    for (theirs, field) in FIELDS {
        match prices.get(theirs) {
            None => {}
            Some(Value::Object(steps)) => {
                if let Some(base) = steps.get("base") {
                    row.insert(field.to_owned(), per_token(base)?);
                }
                for step in steps.get("tiers").and_then(Value::as_array).into_iter().flatten() {
                    let start =
                        step.get("start").and_then(Value::as_u64).context("a tier without a start")?;
                    let price = step.get("price").context("a tier without a price")?;
                    ensure!(start % 1_000 == 0, "a tier from {start} tokens, which LiteLLM has no field for");
                    row.insert(format!("{field}_above_{}k_tokens", start / 1_000), per_token(price)?);
                }
            }
            Some(price) => {
                row.insert(field.to_owned(), per_token(price)?);
            }
        }
    }
    Ok(row)
}

/// Returns a price of a token, given that of a million, with the digits as they are written. A number as text is
/// one of LiteLLM's forms.
fn per_token(price: &Value) -> Result<Value> {
    let text = price.as_number().context("a price that is no number")?.to_string();
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().context("a price that is no number")?;
    Ok(Value::from(format!("{digits}e{}", exponent - 6)))
}
