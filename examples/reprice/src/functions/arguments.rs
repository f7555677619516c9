//! The arguments of `llm_cost` and `llm_cost_lines`: their types, and their values by row.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{Array, StringViewArray};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::cast::{
    as_boolean_array, as_int64_array, as_string_view_array, as_timestamp_microsecond_array, as_uint64_array,
};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use llm_costmap::columns::CallColumns;
use llm_costmap::usage::Counter;
use llm_costmap::{Call, ServiceTier, Snapshot, Usage};

use crate::Maps;

/// The arguments, in their order.
const NAMES: [&str; 14] = [
    "model",
    "provider",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "revision",
    "cache_creation_tokens",
    "cache_creation_1h_tokens",
    "reasoning_tokens",
    "prompt_audio_tokens",
    "completion_audio_tokens",
    "service_tier",
    "batch",
    "at",
];

/// The place of the revision.
const REVISION: usize = 5;
/// The places of counts.
const COUNTERS: [(usize, Counter); 8] = [
    (2, Counter::PromptTokens),
    (3, Counter::CompletionTokens),
    (4, Counter::CachedTokens),
    (6, Counter::CacheCreationTokens),
    (7, Counter::Ephemeral1h),
    (8, Counter::ReasoningTokens),
    (9, Counter::PromptAudio),
    (10, Counter::CompletionAudio),
];
const SERVICE_TIER: usize = 11;
const BATCH: usize = 12;
const AT: usize = 13;

/// The reason that a row has no price, before it is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    NoCounts,
    NegativeCount,
    NoTime,
    NoModel,
}

impl Unusable {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NoCounts => "neither prompt_tokens nor completion_tokens is counted",
            Self::NegativeCount => "a count is negative",
            Self::NoTime => "the call has no time, though others have one",
            Self::NoModel => "the call names no model",
        }
    }
}

/// Returns the types that arguments are cast to.
pub(super) fn coerce(function: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    let least = REVISION + 1;
    if given.len() < least || given.len() > NAMES.len() {
        return plan_err!(
            "{function} takes {least} to {} arguments ({}), and not {}",
            NAMES.len(),
            NAMES.join(", "),
            given.len()
        );
    }
    (0..)
        .zip(given.iter().zip(NAMES))
        .map(|(place, (kind, name))| match place {
            0 | 1 | REVISION | SERVICE_TIER => Ok(DataType::Utf8View),
            BATCH if matches!(kind, DataType::Boolean | DataType::Null) => Ok(DataType::Boolean),
            BATCH => plan_err!("{name} of {function} is of type {kind}: it is true or false"),
            AT => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
            _ if *kind == DataType::UInt64 => Ok(DataType::UInt64),
            _ if kind.is_integer() || kind.is_null() => Ok(DataType::Int64),
            // A cast would cut off what is behind the point.
            _ => plan_err!("{name} of {function} is of type {kind}: counts are integers"),
        })
        .collect()
}

/// The arguments of a batch of rows.
pub(super) struct Arguments {
    pub(super) snapshot: Arc<Snapshot>,
    models: StringViewArray,
    providers: Option<StringViewArray>,
    counts: Vec<(Counter, Vec<u64>)>,
    tiers: Option<Vec<ServiceTier>>,
    batches: Option<Vec<bool>>,
    times: Option<Vec<SystemTime>>,
    /// The rows without a price, in their order.
    pub(super) unusable: Vec<(usize, Unusable)>,
}

impl Arguments {
    /// Reads the arguments of a batch.
    pub(super) fn read(function: &str, maps: &Maps, given: &ScalarFunctionArgs) -> Result<Self> {
        let revision = match given.args.get(REVISION) {
            Some(ColumnarValue::Scalar(value)) => value.try_as_str().flatten(),
            _ => None,
        };
        let Some(revision) = revision else {
            return exec_err!("the revision of {function} is a literal: that of the map to price by");
        };
        let snapshot = maps.get(revision).map_err(DataFusionError::Execution)?;
        let rows = given.number_rows;
        // A NULL in the place of a column is one that is left out.
        let column = |place: usize| match given.args.get(place) {
            None => Ok(None),
            Some(ColumnarValue::Scalar(value)) if value.is_null() => Ok(None),
            Some(value) => value.to_array(rows).map(Some),
        };
        let texts = |place: usize| -> Result<Option<StringViewArray>> {
            column(place)?.map(|array| as_string_view_array(&array).cloned()).transpose()
        };
        let models = texts(0)?.unwrap_or_else(|| StringViewArray::new_null(rows));
        let mut marks = Marks::default();
        for (row, model) in models.iter().enumerate() {
            marks.add_if(model.is_none_or(str::is_empty), row, Unusable::NoModel);
        }
        let mut counts = Vec::with_capacity(COUNTERS.len());
        let mut uncounted: Vec<usize> = (0..rows).collect();
        for (place, counter) in COUNTERS {
            let Some(array) = column(place)? else { continue };
            if matches!(counter, Counter::PromptTokens | Counter::CompletionTokens) {
                if array.null_count() == 0 {
                    uncounted.clear();
                }
                uncounted.retain(|row| array.is_null(*row));
            }
            if *array.data_type() == DataType::UInt64 {
                let values = as_uint64_array(&array)?;
                counts.push((counter, values.iter().map(Option::unwrap_or_default).collect()));
                continue;
            }
            let array = as_int64_array(&array)?;
            let values = array.values();
            if array.null_count() == 0 && values.iter().all(|count| *count >= 0) {
                counts.push((counter, values.iter().map(|count| count.unsigned_abs()).collect()));
                continue;
            }
            let count = |(row, count): (usize, Option<i64>)| {
                let count = count.unwrap_or(0);
                marks.add_if(count < 0, row, Unusable::NegativeCount);
                u64::try_from(count).unwrap_or(0)
            };
            counts.push((counter, array.iter().enumerate().map(count).collect()));
        }
        uncounted.into_iter().for_each(|row| marks.add_if(true, row, Unusable::NoCounts));
        let providers = texts(1)?;
        let tier = |word: Option<&str>| match word {
            None | Some("") => ServiceTier::Standard,
            Some(word) => ServiceTier::from(word),
        };
        let tiers = texts(SERVICE_TIER)?.map(|array| array.iter().map(tier).collect());
        let batches = match column(BATCH)? {
            Some(array) => Some(as_boolean_array(&array)?.iter().map(|batch| batch == Some(true)).collect()),
            None => None,
        };
        let times = match column(AT)? {
            Some(array) => {
                let time = |(row, micros): (usize, Option<i64>)| {
                    let time = micros.and_then(time);
                    marks.add_if(time.is_none(), row, Unusable::NoTime);
                    time.unwrap_or(SystemTime::UNIX_EPOCH)
                };
                Some(as_timestamp_microsecond_array(&array)?.iter().enumerate().map(time).collect())
            }
            None => None,
        };
        Ok(Self { snapshot, models, providers, counts, tiers, batches, times, unusable: marks.sorted() })
    }

    /// Returns the models of the rows. An empty text is none.
    pub(super) fn models(&self) -> Vec<&str> {
        texts(&self.models)
    }

    /// Returns the providers of the rows, if there is a column of them. An empty text is none.
    pub(super) fn providers(&self) -> Option<Vec<&str>> {
        self.providers.as_ref().map(texts)
    }

    /// Returns the rows as columns, with their [models](Self::models) and [providers](Self::providers).
    pub(super) fn columns<'a>(
        &'a self,
        models: &'a [&'a str],
        providers: Option<&'a [&'a str]>,
    ) -> CallColumns<'a, &'a str> {
        let mut columns = CallColumns::new(models);
        if let Some(providers) = providers {
            columns = columns.providers(providers);
        }
        for (counter, counts) in &self.counts {
            columns = columns.counter(*counter, counts);
        }
        if let Some(tiers) = &self.tiers {
            columns = columns.service_tiers(tiers);
        }
        if let Some(batches) = &self.batches {
            columns = columns.batches(batches);
        }
        if let Some(times) = &self.times {
            columns = columns.times(times);
        }
        columns
    }

    /// Returns the usage of a row.
    pub(super) fn usage(&self, row: usize) -> Usage {
        let mut usage = Usage::new(0, 0);
        for (counter, counts) in &self.counts {
            usage.set(*counter, counts.get(row).copied().unwrap_or_default());
        }
        usage
    }

    /// Returns the call of a row.
    pub(super) fn call<'a>(&self, row: usize, usage: &'a Usage) -> Call<'a> {
        let mut call = Call::new(usage);
        if let Some(tier) = self.tiers.as_ref().and_then(|tiers| tiers.get(row)) {
            call = call.service_tier(*tier);
        }
        if self.batches.as_ref().and_then(|batches| batches.get(row)) == Some(&true) {
            call = call.batch();
        }
        if let Some(time) = self.times.as_ref().and_then(|times| times.get(row)) {
            call = call.at(*time);
        }
        call
    }
}

fn texts(array: &StringViewArray) -> Vec<&str> {
    array.iter().map(Option::unwrap_or_default).collect()
}

/// Returns the time of a number of microseconds since 1970.
fn time(micros: i64) -> Option<SystemTime> {
    let since = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(since)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

/// The rows without a price. The first reason of a row is the one that counts.
#[derive(Default)]
struct Marks(Vec<(usize, Unusable)>);

impl Marks {
    fn add_if(&mut self, is_unusable: bool, row: usize, reason: Unusable) {
        if is_unusable {
            self.0.push((row, reason));
        }
    }

    fn sorted(mut self) -> Vec<(usize, Unusable)> {
        // The sort keeps the order of equal rows.
        self.0.sort_by_key(|(row, _)| *row);
        self.0.dedup_by_key(|(row, _)| *row);
        self.0
    }
}
