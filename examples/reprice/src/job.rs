//! A run of the program: from logs to priced rows and their sums.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::util::display::array_value_to_string;
use datafusion::common::cast::{as_decimal128_array, as_decimal256_array, as_int64_array};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use indicatif::ProgressBar;
use llm_costmap::{Lookup, Snapshot, Usd};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use url::Url;

use crate::logs::{Columns, Found, Role, files, quoted};
use crate::report::{page, progress};
use crate::{Maps, cluster, functions};

/// The rows of a row group: what a writer keeps in memory.
const ROW_GROUP: usize = 262_144;

/// The most reasons for calls without a price that are listed.
pub(crate) const MOST_REASONS: usize = 100;

/// The prices that are listed as the reason of a change.
const REASONS: usize = 8;

/// Where a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// In this process, on so many threads, or on one for each core.
    Local {
        /// The number of threads.
        threads: Option<usize>,
    },
    /// On a Ballista cluster.
    Cluster {
        /// The URL of its scheduler, such as `df://127.0.0.1:50050`.
        url: String,
        /// How long the cluster may take to answer a first, small query.
        patience: Duration,
    },
}

/// What calls are priced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Price {
    /// The maps.
    Maps,
    /// A constant, which measures the engine alone.
    Constant,
}

/// A run of the program.
#[derive(Debug)]
pub struct Job {
    /// The files of the logs, or folders of such files: Parquet.
    pub logs: Vec<String>,
    /// The columns of the logs that were named.
    pub columns: Columns,
    /// The maps of this process.
    pub maps: Arc<Maps>,
    /// The revision of the map to price by.
    pub map: String,
    /// The revision of the map to compare with.
    pub against: Option<String>,
    /// The folder that results are written to.
    pub out: PathBuf,
    /// Whether the rows are written, and not their sums alone.
    pub rows: bool,
    /// Where the job runs.
    pub engine: Engine,
    /// What calls are priced by.
    pub price: Price,
}

/// The calls to a model of a provider on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// The model, as the logs have it.
    pub model: String,
    /// The provider, if the logs have one.
    pub provider: Option<String>,
    /// The day in UTC, as in `2026-12-01`, if the logs have times.
    pub day: Option<String>,
    /// The number of calls.
    pub calls: u64,
    /// The number of calls without a price, which the sums leave out.
    pub unpriced: u64,
    /// The number of calls that the other map had no price for.
    pub unpriced_before: u64,
    /// The number of calls whose price differs between the maps, those that only one has a price for included.
    pub changed: u64,
    /// The tokens of the prompts.
    pub prompt_tokens: u64,
    /// The tokens of the completions.
    pub completion_tokens: u64,
    /// The sum in US dollars.
    pub cost: Usd,
    /// The sum by the other map.
    pub before: Usd,
    /// How much more the calls cost that both maps price.
    pub change: Usd,
}

/// Calls without a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpriced {
    /// The model, as the logs have it.
    pub model: String,
    /// The provider, if the logs have one.
    pub provider: Option<String>,
    /// The number of calls.
    pub calls: u64,
    /// The reason.
    pub reason: String,
}

/// A model whose calls cost something else, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The model, as the logs have it.
    pub model: String,
    /// The provider, if the logs have one.
    pub provider: Option<String>,
    /// The number of calls whose price differs.
    pub calls: u64,
    /// How much more the calls cost that both maps price.
    pub change: Usd,
    /// What differs between the maps.
    pub reasons: Vec<String>,
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The revision of the map.
    pub map: String,
    /// The revision of the other map.
    pub against: Option<String>,
    /// The sums, by model, provider and day.
    pub spend: Vec<Spend>,
    /// The calls without a price: the models with most of them.
    pub unpriced: Vec<Unpriced>,
    /// The models whose calls cost something else, the largest changes first.
    pub changes: Vec<Change>,
    /// The number of calls.
    pub rows: u64,
    /// The duration of the run.
    pub took: Duration,
}

/// The results of a run below its folder.
const RESULTS: [&str; 3] = ["calls", "summary.parquet", "report.html"];

impl Job {
    /// Prices the logs, and writes the results.
    ///
    /// # Errors
    ///
    /// Returns an error if the logs cannot be read or lack a column, if the folder has results already, if a process of
    /// the cluster does not have the map, or if the results cannot be written. The folder has no results then.
    pub async fn run(&self) -> Result<Outcome> {
        let start = Instant::now();
        fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        let out = fs::canonicalize(&self.out)?;
        for result in RESULTS {
            let path = out.join(result);
            ensure!(
                !path.exists(),
                "{} exists: name another folder with --out, or remove it",
                path.display()
            );
        }
        for log in self.logs.iter().filter_map(|log| fs::canonicalize(log).ok()) {
            ensure!(
                !out.starts_with(&log),
                "{} lies in {}, and would be a log of the next run",
                out.display(),
                log.display()
            );
        }
        // Results are moved when all of them are whole. What is unfinished is removed with this value.
        let unfinished = tempfile::Builder::new().prefix(".reprice-").tempdir_in(&out)?;
        let context = self.context().await?;
        let logs = self.register_logs(&context).await?;
        let rows = self.count(&context).await?;
        let bar = progress(self.is_local_pricing().then_some(rows), "rows");
        let ticker = Ticker::start(&bar, if self.against.is_some() { 2 } else { 1 });
        let spent = async {
            let priced = self.priced(context, &logs, &unfinished.path().join("calls")).await?;
            let spend = sums(&priced, &logs.found).await?;
            anyhow::Ok((priced, spend))
        };
        let (priced, spend) = spent.await.inspect_err(|_| bar.abandon())?;
        drop(ticker);
        bar.set_position(rows);
        bar.finish();
        let summed: u64 = spend.iter().map(|spend| spend.calls).sum();
        ensure!(
            summed == rows,
            "{rows} rows were read, and {summed} summed: were the logs written to meanwhile?"
        );
        let unpriced = if spend.iter().any(|spend| spend.unpriced > 0) && self.price == Price::Maps {
            self.unpriced(&priced, &logs.found).await?
        } else {
            Vec::new()
        };
        write_summary(&unfinished.path().join("summary.parquet"), &spend, self.against.is_some())?;
        let outcome = Outcome {
            map: self.map.clone(),
            against: self.against.clone(),
            changes: self.changes(&spend)?,
            spend,
            unpriced,
            rows,
            took: start.elapsed(),
        };
        fs::write(unfinished.path().join("report.html"), page(&outcome)?)?;
        for result in RESULTS {
            let path = unfinished.path().join(result);
            if path.exists() {
                fs::rename(path, out.join(result))?;
            }
        }
        Ok(outcome)
    }

    /// Returns whether rows are priced in this process, so that their number tells the progress.
    fn is_local_pricing(&self) -> bool {
        self.price == Price::Maps && matches!(self.engine, Engine::Local { .. })
    }

    async fn context(&self) -> Result<SessionContext> {
        match &self.engine {
            Engine::Local { .. } => self.local(),
            Engine::Cluster { url, .. } => cluster::connect(url, &self.maps).await,
        }
    }

    /// Returns a context of this process.
    fn local(&self) -> Result<SessionContext> {
        let mut config = SessionConfig::new();
        if let Engine::Local { threads: Some(threads) } = self.engine {
            config = config.with_target_partitions(threads);
        }
        let mut context = SessionContext::new_with_config(config);
        functions::register(&mut context, &self.maps)?;
        Ok(context)
    }

    /// Registers the logs as a table.
    async fn register_logs(&self, context: &SessionContext) -> Result<Logs> {
        let files = files(&self.logs)?;
        let schema = register(context, "logs", &files).await?;
        let found = self.columns.of(&schema)?;
        eprintln!("reprice: {} files; {found}", files.len());
        // The columns of an earlier run are replaced.
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let kept = names.filter(|name| !["llm_cost", "llm_cost_before"].contains(name)).map(quoted).collect();
        Ok(Logs { found, kept })
    }

    /// Counts the rows. On a cluster, this is what shows whether it answers.
    async fn count(&self, context: &SessionContext) -> Result<u64> {
        let count = async {
            let found = context.sql("SELECT count(*) AS n FROM logs").await?.collect().await?;
            let batch = found.first().context("no count of the rows")?;
            anyhow::Ok(u64::try_from(as_int64_array(&column(batch, "n")?)?.value(0))?)
        };
        match &self.engine {
            Engine::Local { .. } => count.await,
            Engine::Cluster { url, patience } => tokio::time::timeout(*patience, count).await.with_context(|| {
                format!("the cluster of {url} has not answered within {patience:?}: is it busy, or without executors?")
            })?,
        }
    }

    /// Returns the price of a row by a map, in SQL.
    fn cost(&self, columns: &Found, revision: &str) -> String {
        match self.price {
            Price::Maps => columns.call("llm_cost", revision),
            Price::Constant => "CAST('0.001' AS DECIMAL(38, 28))".to_owned(),
        }
    }

    /// Returns the priced rows: those of the logs, which are priced as they are read, or if they are to be written,
    /// those that were written.
    async fn priced(&self, context: SessionContext, logs: &Logs, calls: &Path) -> Result<Priced> {
        let cost = self.cost(&logs.found, &self.map);
        let before = self.against.as_ref().map(|against| self.cost(&logs.found, against));
        if !self.rows {
            return Ok(Priced { context, table: "logs", cost, before });
        }
        let second =
            before.as_ref().map_or_else(String::new, |before| format!(", {before} AS llm_cost_before"));
        let kept = logs.kept.join(", ");
        let rows = context.sql(&format!("SELECT {kept}, {cost} AS llm_cost{second} FROM logs")).await?;
        fs::create_dir(calls)?;
        write_rows(rows, calls).await?;
        let context = self.local()?;
        let files = fs::read_dir(calls)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
        register(&context, "calls", &files).await?;
        let before = before.map(|_| "llm_cost_before".to_owned());
        Ok(Priced { context, table: "calls", cost: "llm_cost".to_owned(), before })
    }

    /// Returns the models with the most calls without a price.
    async fn unpriced(&self, priced: &Priced, columns: &Found) -> Result<Vec<Unpriced>> {
        let Priced { context, table, cost, .. } = priced;
        let sql = format!(
            "SELECT model, provider, reason, count(*) AS calls \
             FROM (SELECT {} AS model, {} AS provider, {}['error'] AS reason FROM {table} WHERE {cost} IS NULL) AS failed \
             GROUP BY model, provider, reason ORDER BY calls DESC, model, provider, reason LIMIT {MOST_REASONS}",
            columns.sql(Role::Model),
            columns.sql(Role::Provider),
            columns.call("llm_cost_lines", &self.map),
        );
        let mut found = Vec::new();
        for batch in context.sql(&sql).await?.collect().await? {
            let of = |name: &str| column(&batch, name);
            let counts = of("calls")?;
            for row in 0..batch.num_rows() {
                found.push(Unpriced {
                    model: text(&of("model")?, row)?.unwrap_or_default(),
                    provider: text(&of("provider")?, row)?,
                    calls: u64::try_from(as_int64_array(&counts)?.value(row))?,
                    reason: text(&of("reason")?, row)?.unwrap_or_default(),
                });
            }
        }
        Ok(found)
    }

    /// Returns the models whose calls cost something else, and why.
    fn changes(&self, spend: &[Spend]) -> Result<Vec<Change>> {
        let Some(against) = self.against.as_ref().filter(|_| self.price == Price::Maps) else {
            return Ok(Vec::new());
        };
        let get = |revision: &str| self.maps.get(revision).map_err(anyhow::Error::msg);
        let (old, new) = (get(against)?, get(&self.map)?);
        let mut repriced: HashMap<String, Vec<String>> = HashMap::new();
        for price in old.diff(&new).repriced {
            repriced.entry(price.model.clone()).or_default().push(price.to_string());
        }
        let mut by_model: HashMap<(&str, Option<&str>), (Usd, u64)> = HashMap::new();
        for row in spend {
            let (sum, calls) = by_model.entry((&row.model, row.provider.as_deref())).or_default();
            *sum =
                sum.checked_add(row.change).context("the changes add up to more than 17 billion dollars")?;
            *calls += row.changed;
        }
        let changed = by_model.into_iter().filter(|(_, (_, calls))| *calls > 0);
        let mut changes: Vec<Change> = changed
            .map(|((model, provider), (change, calls))| Change {
                model: model.to_owned(),
                provider: provider.map(str::to_owned),
                calls,
                change,
                reasons: reasons(&old, &new, &repriced, model, provider),
            })
            .collect();
        changes.sort_by(|a, b| {
            let size = |change: &Change| change.change.units().unsigned_abs();
            (size(b), b.calls)
                .cmp(&(size(a), a.calls))
                .then_with(|| (&a.model, &a.provider).cmp(&(&b.model, &b.provider)))
        });
        Ok(changes)
    }
}

/// Returns what differs between two maps for a model.
fn reasons(
    old: &Snapshot,
    new: &Snapshot,
    repriced: &HashMap<String, Vec<String>>,
    model: &str,
    provider: Option<&str>,
) -> Vec<String> {
    let mut lookup = Lookup::new(model);
    if let Some(provider) = provider.filter(|provider| !provider.is_empty()) {
        lookup = lookup.provider(provider);
    }
    match (old.resolve(lookup), new.resolve(lookup)) {
        (Ok(before), Ok(after)) => {
            if before.key() != after.key() {
                return vec![format!("it is priced as {}, and was as {}", after.key(), before.key())];
            }
            let mut reasons = Vec::new();
            let prices = repriced.get(after.key()).map_or(&[][..], Vec::as_slice);
            reasons.extend(prices.iter().take(REASONS).cloned());
            if prices.len() > REASONS {
                reasons.push(format!("and {} more of its prices", prices.len() - REASONS));
            }
            if reasons.is_empty() {
                reasons.push("its own prices are the same: what it has beside them differs".to_owned());
            }
            reasons
        }
        (Err(error), Ok(after)) => {
            vec![format!("it is priced as {}, and was not known: {error}", after.key())]
        }
        (Ok(before), Err(error)) => {
            vec![format!("it was priced as {}, and is no longer known: {error}", before.key())]
        }
        (Err(error), Err(_)) => vec![error.to_string()],
    }
}

/// Writes rows to files in a folder: a file for each partition, all at the same time.
async fn write_rows(rows: DataFrame, folder: &Path) -> Result<()> {
    let streams = rows.execute_stream_partitioned().await?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut tasks = tokio::task::JoinSet::new();
    for (partition, mut stream) in streams.into_iter().enumerate() {
        let (path, properties) = (folder.join(format!("{partition:04}.parquet")), properties.clone());
        tasks.spawn(async move {
            let file = File::create(&path).with_context(|| path.display().to_string())?;
            let mut writer = ArrowWriter::try_new(file, stream.schema(), Some(properties))?;
            while let Some(batch) = stream.next().await {
                writer.write(&batch?)?;
            }
            writer.close()?;
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Returns the sums of rows by model, provider and day.
async fn sums(priced: &Priced, columns: &Found) -> Result<Vec<Spend>> {
    let narrow = sums_of(priced, columns, 38).await?;
    // Sums of 128 bits wrap around. Where no sum can get there, none did; elsewhere they are computed with 256.
    if narrow.iter().all(|(spend, largest)| largest.checked_mul(spend.calls).is_some()) {
        return Ok(narrow.into_iter().map(|(spend, _)| spend).collect());
    }
    let wide = sums_of(priced, columns, 76).await?;
    Ok(wide.into_iter().map(|(spend, _)| spend).collect())
}

/// Returns the sums, computed with so many digits, and the largest amount of each.
async fn sums_of(priced: &Priced, columns: &Found, digits: u32) -> Result<Vec<(Spend, Usd)>> {
    let Priced { context, table, cost, before } = priced;
    let day = if columns.has(Role::At) {
        format!("CAST({} AS DATE)", columns.sql(Role::At))
    } else {
        "NULL".to_owned()
    };
    // Counts that are negative have no price. A decimal holds the sum of any number of others.
    let tokens = |role: Role| {
        let count = columns.sql(role);
        format!("CAST(CASE WHEN {count} > 0 THEN {count} ELSE 0 END AS DECIMAL(20, 0))")
    };
    let total = |amount: &str| {
        if digits == 38 {
            format!("sum({amount})")
        } else {
            format!("sum(CAST({amount} AS DECIMAL({digits}, 28)))")
        }
    };
    let sql = format!(
        "SELECT model, provider, CAST(day AS VARCHAR) AS day, calls, calls - priced AS unpriced, \
                calls - priced_before AS unpriced_before, changed, prompt_tokens, completion_tokens, cost, before, change, \
                largest \
         FROM (SELECT model, provider, day, count(*) AS calls, count(cost) AS priced, count(before) AS priced_before, \
                      count(*) FILTER (WHERE cost IS DISTINCT FROM before) AS changed, \
                      sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, \
                      {} AS cost, {} AS before, {} AS change, greatest(max(cost), max(before)) AS largest \
               FROM (SELECT {} AS model, {} AS provider, {day} AS day, {} AS prompt_tokens, {} AS completion_tokens, \
                            {cost} AS cost, {} AS before FROM {table}) AS priced \
               GROUP BY model, provider, day) AS summed \
         ORDER BY model, provider, day",
        total("cost"),
        total("before"),
        total("cost - before"),
        columns.sql(Role::Model),
        columns.sql(Role::Provider),
        tokens(Role::PromptTokens),
        tokens(Role::CompletionTokens),
        before.as_deref().unwrap_or("CAST(NULL AS DECIMAL(38, 28))"),
    );
    let mut found = Vec::new();
    for batch in context.sql(&sql).await?.collect().await? {
        let of = |name: &str| column(&batch, name);
        let number = |name: &str, row: usize| -> Result<u64> {
            Ok(u64::try_from(as_int64_array(&of(name)?)?.value(row))?)
        };
        let tokens = |name: &str, row: usize| -> Result<u64> {
            let sum = as_decimal128_array(&of(name)?)?.value(row);
            u64::try_from(sum).with_context(|| format!("the sum of {name} is beyond 64 bits"))
        };
        for row in 0..batch.num_rows() {
            let spend = Spend {
                model: text(&of("model")?, row)?.unwrap_or_default(),
                provider: text(&of("provider")?, row)?,
                day: text(&of("day")?, row)?,
                calls: number("calls", row)?,
                unpriced: number("unpriced", row)?,
                unpriced_before: number("unpriced_before", row)?,
                changed: number("changed", row)?,
                prompt_tokens: tokens("prompt_tokens", row)?,
                completion_tokens: tokens("completion_tokens", row)?,
                cost: amount(&of("cost")?, row)?,
                before: amount(&of("before")?, row)?,
                change: amount(&of("change")?, row)?,
            };
            found.push((spend, amount(&of("largest")?, row)?));
        }
    }
    Ok(found)
}

/// Returns an amount of a column. A sum of no amounts is zero.
fn amount(array: &ArrayRef, row: usize) -> Result<Usd> {
    if array.is_null(row) {
        return Ok(Usd::ZERO);
    }
    let units = match array.data_type() {
        DataType::Decimal256(..) => as_decimal256_array(array)?.value(row).to_i128(),
        _ => Some(as_decimal128_array(array)?.value(row)),
    };
    let amount = units.and_then(Usd::from_units).filter(|amount| functions::decimal(*amount).is_some());
    amount.context("the spend of a model on a day is ten billion dollars or more: split the logs")
}

/// Writes the sums as Parquet.
fn write_summary(path: &Path, spend: &[Spend], has_before: bool) -> Result<()> {
    use arrow::array::{Decimal128Array, StringArray, UInt64Array};

    let texts =
        |of: fn(&Spend) -> Option<&str>| Arc::new(spend.iter().map(of).collect::<StringArray>()) as ArrayRef;
    let counts = |of: fn(&Spend) -> u64| {
        Arc::new(spend.iter().map(|row| Some(of(row))).collect::<UInt64Array>()) as ArrayRef
    };
    let amounts = |of: fn(&Spend) -> Usd| {
        let amounts: Decimal128Array = spend.iter().map(|row| Some(of(row).units())).collect();
        Arc::new(amounts.with_data_type(functions::AMOUNT)) as ArrayRef
    };
    let mut columns = vec![
        ("model", texts(|row| Some(&row.model))),
        ("provider", texts(|row| row.provider.as_deref())),
        ("day", texts(|row| row.day.as_deref())),
        ("calls", counts(|row| row.calls)),
        ("unpriced", counts(|row| row.unpriced)),
        ("prompt_tokens", counts(|row| row.prompt_tokens)),
        ("completion_tokens", counts(|row| row.completion_tokens)),
        ("cost", amounts(|row| row.cost)),
    ];
    if has_before {
        columns.push(("unpriced_before", counts(|row| row.unpriced_before)));
        columns.push(("changed", counts(|row| row.changed)));
        columns.push(("cost_before", amounts(|row| row.before)));
        columns.push(("change", amounts(|row| row.change)));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )?;
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}

/// A table of priced rows.
struct Priced {
    context: SessionContext,
    table: &'static str,
    /// The price of a row, in SQL.
    cost: String,
    /// Its price by the other map, in SQL.
    before: Option<String>,
}

/// The logs as they were found.
struct Logs {
    found: Found,
    /// The columns that the rows keep, in SQL.
    kept: Vec<String>,
}

/// Registers files as a table. Returns all columns that any of them has.
async fn register(context: &SessionContext, table: &str, files: &[PathBuf]) -> Result<Schema> {
    let options = ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension("");
    let (mut urls, mut schemas) = (Vec::new(), Vec::new());
    for file in files {
        // Nothing in the name of a file is a pattern.
        let url = Url::from_file_path(file).map_err(|()| anyhow::anyhow!("{}: no path", file.display()))?;
        let url = ListingTableUrl::try_new(url, None)?;
        let schema = options.infer_schema(&context.state(), &url).await;
        schemas.push(schema.with_context(|| format!("{} is no file of Parquet", file.display()))?);
        urls.push(url);
    }
    let schema = Schema::try_merge(schemas.iter().map(|schema| schema.as_ref().clone()))
        .context("the files have columns of one name and different types: price them apart")?;
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
    let config = config.with_schema(Arc::new(schema.clone()));
    context.register_table(table, Arc::new(ListingTable::try_new(config)?))?;
    Ok(schema)
}

/// Shows how many rows are priced, until it is dropped.
struct Ticker(tokio::task::JoinHandle<()>);

impl Ticker {
    fn start(bar: &ProgressBar, passes: u64) -> Self {
        let (bar, before) = (bar.clone(), functions::priced());
        Self(tokio::spawn(async move {
            loop {
                bar.set_position((functions::priced() - before) / passes);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    match batch.column_by_name(name) {
        Some(column) => Ok(column.clone()),
        None => bail!("the result has no column {}", quoted(name)),
    }
}

fn text(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    if array.is_null(row) { Ok(None) } else { Ok(Some(array_value_to_string(array, row)?)) }
}
