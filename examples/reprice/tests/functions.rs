//! Tests of the functions of SQL: equal to pricing row by row, to the last digit.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Decimal128Type, Int64Type};
use datafusion::prelude::SessionContext;
use llm_costmap::usage::Counter;
use llm_costmap::{Call, CostMap, Lookup, ServiceTier, Snapshot, Usage};
use reprice::{Maps, functions};

/// Returns a context with the bundled map, its snapshot, and its revision.
fn context() -> (SessionContext, Arc<Snapshot>, String) {
    let maps = Arc::new(Maps::default());
    let map = CostMap::bundled();
    let snapshot = map.snapshot();
    let revision = maps.add(&map).unwrap();
    let mut context = SessionContext::new();
    functions::register(&mut context, &maps).unwrap();
    (context, snapshot, revision)
}

/// A generator of numbers that are the same for a seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A call of a log.
struct Row {
    model: Option<String>,
    provider: Option<String>,
    counts: [Option<i64>; 8],
    tier: Option<&'static str>,
    batch: Option<bool>,
    at: Option<i64>,
}

const COUNTERS: [Counter; 8] = [
    Counter::PromptTokens,
    Counter::CompletionTokens,
    Counter::CachedTokens,
    Counter::CacheCreationTokens,
    Counter::Ephemeral1h,
    Counter::ReasoningTokens,
    Counter::PromptAudio,
    Counter::CompletionAudio,
];

fn rows(snapshot: &Snapshot, seed: u64, count: usize) -> Vec<Row> {
    let mut seeded = Seeded(seed);
    let known: Vec<(String, Option<String>)> =
        snapshot.models().map(|model| (model.key().to_owned(), model.litellm_provider())).collect();
    let row = |_| {
        let place = usize::try_from(seeded.below(known.len() as u64)).unwrap();
        let (model, provider) = &known[place];
        let model = match seeded.below(50) {
            0 => None,
            1 => Some(String::new()),
            2 => Some(format!("{model}-unknown")),
            _ => Some(model.clone()),
        };
        let provider = provider.clone().filter(|_| seeded.below(2) == 0);
        let mut counts = [None; 8];
        let ends = [50_000, 5_000, 50_000, 2_000, 2_000, 1_000, 100, 100];
        for (place, (count, end)) in counts.iter_mut().zip(ends).enumerate() {
            let is_rare = place > 1 && seeded.below(3) > 0;
            *count = match seeded.below(100) {
                0 => None,
                1 if place < 3 => Some(-1),
                _ if is_rare => Some(0),
                _ => Some(i64::try_from(seeded.below(end)).unwrap()),
            };
        }
        let tiers =
            [None, None, None, Some(""), Some("priority"), Some("flex"), Some("default"), Some("warp")];
        let tier = tiers[usize::try_from(seeded.below(8)).unwrap()];
        let batch = [None, Some(false), Some(false), Some(true)][usize::try_from(seeded.below(4)).unwrap()];
        let at = (seeded.below(100) > 0)
            .then(|| 1_790_000_000_000_000 + i64::try_from(seeded.below(86_400)).unwrap() * 1_000_000);
        Row { model, provider, counts, tier, batch, at }
    };
    (0..count).map(row).collect()
}

fn batch(rows: &[Row]) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("model".into(), Arc::new(rows.iter().map(|row| row.model.as_deref()).collect::<StringArray>())),
        (
            "provider".into(),
            Arc::new(rows.iter().map(|row| row.provider.as_deref()).collect::<StringArray>()),
        ),
        ("tier".into(), Arc::new(rows.iter().map(|row| row.tier).collect::<StringArray>())),
        ("batch".into(), Arc::new(rows.iter().map(|row| row.batch).collect::<BooleanArray>())),
        (
            "at".into(),
            Arc::new(
                rows.iter().map(|row| row.at).collect::<TimestampMicrosecondArray>().with_timezone("UTC"),
            ),
        ),
        ("row".into(), Arc::new((0..rows.len() as i64).map(Some).collect::<Int64Array>())),
    ];
    for place in 0..COUNTERS.len() {
        let counts: Int64Array = rows.iter().map(|row| row.counts[place]).collect();
        columns.push((format!("n{place}"), Arc::new(counts)));
    }
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

/// What a row costs, priced by itself: the key, the total in 10^-28 dollars, or the reason that there is none.
fn by_itself(snapshot: &Snapshot, row: &Row) -> Result<(String, i128), String> {
    let Some(model) = row.model.as_deref().filter(|model| !model.is_empty()) else {
        return Err("the call names no model".to_owned());
    };
    if row.counts.iter().flatten().any(|count| *count < 0) {
        return Err("a count is negative".to_owned());
    }
    if row.counts[0].is_none() && row.counts[1].is_none() {
        return Err("neither prompt_tokens nor completion_tokens is counted".to_owned());
    }
    let Some(at) = row.at else { return Err("the call has no time, though others have one".to_owned()) };
    let mut lookup = Lookup::new(model);
    if let Some(provider) = row.provider.as_deref() {
        lookup = lookup.provider(provider);
    }
    let mut usage = Usage::new(0, 0);
    for (counter, count) in COUNTERS.into_iter().zip(row.counts) {
        usage.set(counter, u64::try_from(count.unwrap_or(0)).unwrap());
    }
    let at = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at).unwrap());
    let mut call = Call::new(&usage).at(at);
    if let Some(tier) = row.tier.filter(|tier| !tier.is_empty()) {
        call = call.service_tier(ServiceTier::from(tier));
    }
    if row.batch == Some(true) {
        call = call.batch();
    }
    let total = snapshot.total(lookup, call).map_err(|error| error.to_string())?;
    let found = snapshot.cost(lookup, call).map_err(|error| error.to_string())?;
    assert_eq!(found.total(), total);
    Ok((found.key().to_owned(), total.units()))
}

/// Compares a number of rows, and returns how many have a price.
async fn compare(seed: u64, count: usize) -> usize {
    let (context, snapshot, revision) = context();
    let rows = rows(&snapshot, seed, count);
    context.register_batch("logs", batch(&rows)).unwrap();
    let arguments = format!("model, provider, n0, n1, n2, '{revision}', n3, n4, n5, n6, n7, tier, batch, at");
    let sql = format!(
        "SELECT row, llm_cost({arguments}) AS cost, llm_cost_lines({arguments}) AS lines FROM logs ORDER BY row"
    );
    let (mut seen, mut priced) = (0, 0);
    for batch in context.sql(&sql).await.unwrap().collect().await.unwrap() {
        let costs = batch.column(1).as_primitive::<Decimal128Type>();
        let lines = batch.column(2).as_struct();
        let amounts =
            |name: &str| lines.column_by_name(name).unwrap().as_primitive::<Decimal128Type>().clone();
        let parts = ["input", "cache_read", "cache_write", "output", "reasoning", "other"].map(amounts);
        let totals = amounts("total");
        let texts = |name: &str| lines.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (keys, errors) = (texts("key"), texts("error"));
        for at in 0..batch.num_rows() {
            let row = usize::try_from(batch.column(0).as_primitive::<Int64Type>().value(at)).unwrap();
            match by_itself(&snapshot, &rows[row]) {
                Ok((key, total)) => {
                    assert!(costs.is_valid(at), "row {row}: {}", errors.value(at));
                    assert_eq!(
                        (costs.value(at), totals.value(at), keys.value(at)),
                        (total, total, key.as_str())
                    );
                    assert_eq!(parts.iter().map(|part| part.value(at)).sum::<i128>(), total);
                    assert!(errors.is_null(at));
                    priced += 1;
                }
                Err(reason) => {
                    assert!(
                        costs.is_null(at) && totals.is_null(at) && keys.is_null(at),
                        "row {row}: {reason}"
                    );
                    assert_eq!(errors.value(at), reason, "row {row}");
                }
            }
            assert_eq!(row, seen);
            seen += 1;
        }
    }
    assert_eq!(seen, count);
    priced
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_cost_what_their_rows_cost() {
    let count = std::env::var("REPRICE_ROWS").map_or(20_000, |count| count.parse().expect("a number"));
    let priced = compare(11, count).await;
    println!("{count} rows, {priced} of them with a price, are equal to the last digit");
    assert!(priced > count / 5 && priced < count, "{priced}");
}

/// Returns the message of a query that fails.
async fn refused(context: &SessionContext, sql: &str) -> String {
    match context.sql(sql).await {
        Err(error) => error.to_string(),
        Ok(query) => query.collect().await.unwrap_err().to_string(),
    }
}

#[tokio::test]
async fn a_revision_is_a_literal_that_the_process_has() {
    let (context, _, revision) = context();
    let row =
        format!("SELECT 'gpt-4o' AS model, 10000 AS prompt, 500 AS completion, '{revision}' AS revision");
    let sql = |revision: &str| {
        format!("SELECT llm_cost(model, NULL, prompt, completion, 8000, {revision}) FROM ({row})")
    };
    let found = context.sql(&sql(&format!("'{revision}'"))).await.unwrap().collect().await.unwrap();
    assert_eq!(found[0].column(0).as_primitive::<Decimal128Type>().value(0), 2 * 10_i128.pow(26));
    let other = "0".repeat(40);
    assert!(
        refused(&context, &sql(&format!("'{other}'")))
            .await
            .ends_with(&format!("this process has no map of revision {other}"))
    );
    assert!(
        refused(&context, &sql("'latest'"))
            .await
            .contains("\"latest\" is no revision of a map: write its 40 hexadecimal digits")
    );
    assert!(refused(&context, &sql("NULL")).await.contains("the revision of llm_cost is a literal"));
    let values = format!("(VALUES ('{revision}'), ('{other}'))");
    let of_column = format!("SELECT llm_cost('gpt-4o', NULL, 1, 1, 0, column1) FROM {values}");
    assert!(refused(&context, &of_column).await.contains("the revision of llm_cost is a literal"));
    let error = refused(&context, "SELECT llm_cost('gpt-4o', 1)").await;
    assert!(error.contains("llm_cost takes 6 to 14 arguments (model, provider, prompt_tokens, "), "{error}");
}

#[tokio::test]
async fn maps_of_a_folder_are_read_by_their_revision() {
    let folder = tempfile::tempdir().unwrap();
    let maps = Arc::new(Maps::in_folder(folder.path()));
    let text = r#"{"m": {"input_cost_per_token": 1e-6}}"#;
    let revision = "48eb463b14b5f9e0fa71add798fb8802953a61ff";
    let error = maps.get(revision).unwrap_err();
    assert!(error.ends_with(&format!(", as {revision}.json.gz")), "{error}");
    std::fs::write(folder.path().join(format!("{revision}.json")), text).unwrap();
    assert_eq!(maps.get(revision).unwrap().len(), 1);
    // A file under another's name is not taken for it.
    let other = "1".repeat(40);
    std::fs::write(folder.path().join(format!("{other}.json")), text).unwrap();
    let error = maps.get(&other).unwrap_err();
    assert!(error.ends_with(&format!("{other}.json has the map of revision {revision}")), "{error}");
}

#[tokio::test]
async fn bodies_are_read_and_priced_in_one_query() {
    let (context, _, revision) = context();
    let bodies: StringArray = [
        Some(r#"{"model": "gpt-4o-2024-08-06", "choices": [], "usage": {"prompt_tokens": 10000, "completion_tokens": 500, "prompt_tokens_details": {"cached_tokens": 8000}}}"#),
        Some(r#"{"type": "message", "model": "claude-sonnet-4-5-20250929", "content": [], "usage": {"input_tokens": 100, "cache_read_input_tokens": 10000, "output_tokens": 50}}"#),
        Some("data: {\"model\": \"gpt-4o\", \"choices\": [], \"usage\": {\"prompt_tokens\": 1000, \"completion_tokens\": 2}}\n\ndata: [DONE]\n\n"),
        Some(r#"{"error": {"message": "busy", "type": "overloaded"}}"#),
        Some(r#"{"model": "gpt-4o", "choices": []}"#),
        None,
    ]
    .into_iter()
    .collect();
    let batch =
        RecordBatch::try_from_iter_with_nullable([("body", Arc::new(bodies) as ArrayRef, true)]).unwrap();
    context.register_batch("logs", batch).unwrap();
    let sql = format!(
        "SELECT u['format'], u['model'], u['cached_tokens'], u['error'], \
                llm_cost(u['model'], NULL, u['prompt_tokens'], u['completion_tokens'], u['cached_tokens'], '{revision}') \
         FROM (SELECT llm_usage('auto', body) AS u FROM logs)"
    );
    let found = context.sql(&sql).await.unwrap().collect().await.unwrap();
    let batch = arrow::compute::concat_batches(&found[0].schema(), &found).unwrap();
    let text = |column: usize, row: usize| {
        let column = batch.column(column).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let costs = batch.column(4).as_primitive::<Decimal128Type>();
    let micros = |row: usize| costs.is_valid(row).then(|| costs.value(row) / 10_i128.pow(22));
    let cached = batch.column(2).as_primitive::<Int64Type>();
    assert_eq!(
        (text(0, 0).as_deref(), text(1, 0).as_deref()),
        (Some("openai_chat"), Some("gpt-4o-2024-08-06"))
    );
    assert_eq!((text(0, 1).as_deref(), cached.value(0), cached.value(1)), (Some("anthropic"), 8_000, 10_000));
    assert_eq!(
        (0..6).map(micros).collect::<Vec<_>>(),
        [Some(20_000), Some(4_050), Some(2_520), None, None, None]
    );
    let errors: Vec<Option<String>> = (0..6).map(|row| text(3, row)).collect();
    assert_eq!(errors[..3], [None, None, None]);
    assert_eq!(
        errors[3].as_deref(),
        Some("the provider responded with an error (overloaded): it reports no usage")
    );
    assert!(errors[4].as_deref().unwrap().starts_with("the response has no usage: "), "{:?}", errors[4]);
    assert_eq!(errors[5].as_deref(), Some("there is no body"));
    let sql = "SELECT llm_usage('nonsense', body)['error'] FROM logs LIMIT 1";
    let found = context.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(found[0].column(0).as_string::<i32>().value(0), "\"nonsense\" is not a wire format");
}
