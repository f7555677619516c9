//! Calls in columns, for engines that price many rows at once: a year of logs, or a table of a query.
//!
//! [`CallColumns`] has a slice for each part of the calls, and a row for each call. A name is looked up once
//! for all rows that have it, and an error concerns its row alone. Nothing runs in parallel here: hand the
//! [rows](CallColumns::rows) to threads of your own, which share a [`Snapshot`].

use std::ops::Range;
use std::time::SystemTime;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::cost::Call;
use crate::error::Error;
use crate::num::Usd;
use crate::resolve::Lookup;
use crate::snapshot::{Resolved, Snapshot};
use crate::usage::{Counter, ServiceTier, Usage};

/// The most unknown names that are kept, so that they are looked up once.
const MOST_UNKNOWN: usize = 256;

/// Calls in columns: a slice for each part of the calls, a row for each call.
///
/// A row costs what [`Snapshot::total`] returns for a [`Call`] with a [`Usage`] of its counts, to the last
/// digit.
///
/// # Examples
///
/// ```
/// use llm_costmap::CostMap;
/// use llm_costmap::columns::CallColumns;
/// use llm_costmap::usage::Counter;
///
/// let map = CostMap::from_json(
///     r#"{"a": {"input_cost_per_token": 1e-6}, "b": {"input_cost_per_token": 2e-6, "output_cost_per_token": 3e-6}}"#,
/// )?;
/// let calls = CallColumns::new(&["a", "b", "c"])
///     .counter(Counter::PromptTokens, &[1_000, 1_000, 1_000])
///     .counter(Counter::CompletionTokens, &[0, 500, 0]);
/// let totals = calls.totals(&map.snapshot())?;
/// let amounts: Vec<String> = totals.amounts.iter().flatten().map(ToString::to_string).collect();
/// assert_eq!(amounts, ["0.001", "0.0035"]);
/// assert_eq!(totals.amounts[2], None);
/// assert_eq!(totals.errors[0].row, 2);
/// # Ok::<(), llm_costmap::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CallColumns<'a, S> {
    models: &'a [S],
    providers: Option<&'a [S]>,
    counters: Vec<(Counter, &'a [u64])>,
    service_tiers: Option<&'a [ServiceTier]>,
    batches: Option<&'a [bool]>,
    times: Option<&'a [SystemTime]>,
    /// A column of another length than the models had, before rows were taken out: its name and its length,
    /// and that of the models.
    wrong: Option<(String, usize, usize)>,
}

/// The totals of the rows of [`CallColumns`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Totals {
    /// The total of each row, in US dollars. `None` if the row has an error.
    pub amounts: Vec<Option<Usd>>,
    /// The errors, in the order of their rows.
    pub errors: Vec<RowError>,
}

/// The error of a row.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RowError {
    /// The row, from 0.
    pub row: usize,
    /// The error, as [`Snapshot::total`] returns it.
    pub error: Error,
}

impl<'a, S: AsRef<str>> CallColumns<'a, S> {
    /// Creates columns of calls to models. What no column counts was not used.
    #[must_use]
    pub fn new(models: &'a [S]) -> Self {
        Self {
            models,
            providers: None,
            counters: Vec::new(),
            service_tiers: None,
            batches: None,
            times: None,
            wrong: None,
        }
    }

    /// Sets the providers, as [`Lookup::provider`] does. An empty text is none. Default: none.
    #[must_use]
    pub fn providers(self, providers: &'a [S]) -> Self {
        Self { providers: Some(providers), ..self }
    }

    /// Adds counts, as [`Usage::set`] does.
    #[must_use]
    pub fn counter(mut self, counter: Counter, counts: &'a [u64]) -> Self {
        self.counters.push((counter, counts));
        self
    }

    /// Sets the service tiers, as [`Call::service_tier`] does. Default: standard.
    #[must_use]
    pub fn service_tiers(self, tiers: &'a [ServiceTier]) -> Self {
        Self { service_tiers: Some(tiers), ..self }
    }

    /// Sets which calls are parts of batches, as [`Call::batch`] does. Default: none.
    #[must_use]
    pub fn batches(self, batches: &'a [bool]) -> Self {
        Self { batches: Some(batches), ..self }
    }

    /// Sets the times at which the calls are billed, as [`Call::at`] does. Default: the time of the call.
    #[must_use]
    pub fn times(self, times: &'a [SystemTime]) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Returns whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Returns some of the rows, such as for a thread. Rows beyond the last are left out.
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Self {
        Self {
            models: part(self.models, &rows),
            providers: self.providers.map(|column| part(column, &rows)),
            counters: self.counters.iter().map(|(counter, column)| (*counter, part(column, &rows))).collect(),
            service_tiers: self.service_tiers.map(|column| part(column, &rows)),
            batches: self.batches.map(|column| part(column, &rows)),
            times: self.times.map(|column| part(column, &rows)),
            wrong: self.wrong(),
        }
    }

    /// Prices all rows by a snapshot.
    ///
    /// # Errors
    ///
    /// [`Error::ColumnLength`] if a column has more or fewer rows than the models. What is wrong with a row is
    /// among [`Totals::errors`].
    pub fn totals(&self, snapshot: &Snapshot) -> Result<Totals, Error> {
        if let Some((column, rows, expected)) = self.wrong() {
            return Err(Error::ColumnLength { column, rows, expected });
        }
        let mut models: HashMap<(&str, Option<&str>), Resolved<'_>> = HashMap::new();
        let mut unknown: HashMap<(&str, Option<&str>), Error> = HashMap::new();
        let mut usage = Usage::new(0, 0);
        let mut totals = Totals { amounts: Vec::with_capacity(self.models.len()), errors: Vec::new() };
        for (row, model) in self.models.iter().enumerate() {
            for (counter, counts) in &self.counters {
                usage.set(*counter, counts.get(row).copied().unwrap_or_default());
            }
            let mut call = Call::new(&usage);
            if let Some(tier) = self.service_tiers.and_then(|column| column.get(row)) {
                call = call.service_tier(*tier);
            }
            if self.batches.and_then(|column| column.get(row)) == Some(&true) {
                call = call.batch();
            }
            if let Some(time) = self.times.and_then(|column| column.get(row)) {
                call = call.at(*time);
            }
            let provider = self.providers.and_then(|column| column.get(row)).map(AsRef::as_ref);
            let provider = provider.filter(|provider| !provider.is_empty());
            let found = match models.entry((model.as_ref(), provider)) {
                Entry::Occupied(known) => Ok(&*known.into_mut()),
                Entry::Vacant(vacant) => match unknown.get(vacant.key()) {
                    Some(error) => Err(error.clone()),
                    None => match snapshot.resolve(Lookup { provider, ..Lookup::new(model.as_ref()) }) {
                        Ok(found) => Ok(&*vacant.insert(found)),
                        Err(error) => {
                            // There may be as many of them as rows.
                            if unknown.len() < MOST_UNKNOWN {
                                unknown.insert(vacant.into_key(), error.clone());
                            }
                            Err(error)
                        }
                    },
                },
            };
            match found.and_then(|found| found.total(call)) {
                Ok(total) => totals.amounts.push(Some(total)),
                Err(error) => {
                    totals.amounts.push(None);
                    totals.errors.push(RowError { row, error });
                }
            }
        }
        Ok(totals)
    }

    /// Returns the name and the length of a column that has another length than the models, and theirs.
    fn wrong(&self) -> Option<(String, usize, usize)> {
        let counters = self.counters.iter().map(|(counter, column)| (format!("{counter:?}"), column.len()));
        let others = [
            ("providers", self.providers.map(<[S]>::len)),
            ("service_tiers", self.service_tiers.map(<[ServiceTier]>::len)),
            ("batches", self.batches.map(<[bool]>::len)),
            ("times", self.times.map(<[SystemTime]>::len)),
        ];
        let others = others.into_iter().filter_map(|(name, rows)| Some((name.to_owned(), rows?)));
        let expected = self.models.len();
        let wrong = counters.chain(others).find(|(_, rows)| *rows != expected);
        self.wrong.clone().or_else(|| wrong.map(|(column, rows)| (column, rows, expected)))
    }
}

/// Returns some rows of a column.
fn part<'a, T>(column: &'a [T], rows: &Range<usize>) -> &'a [T] {
    let end = rows.end.min(column.len());
    column.get(rows.start.min(end)..end).unwrap_or_default()
}
