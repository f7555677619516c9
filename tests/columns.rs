//! Tests of calls in columns: each row costs what the call by itself does.
#![cfg(feature = "bundled")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::ops::Range;
use std::thread;
use std::time::{Duration, SystemTime};

use llm_costmap::columns::{CallColumns, Totals};
use llm_costmap::cost::Adjustments;
use llm_costmap::usage::Counter;
use llm_costmap::{Call, CostMap, Lookup, ServiceTier, Usage};

/// A generator of pseudo-random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }

    fn column<T>(&mut self, rows: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..rows).map(|_| draw(self)).collect()
    }
}

const COUNTERS: [Counter; 7] = [
    Counter::PromptTokens,
    Counter::CompletionTokens,
    Counter::CachedTokens,
    Counter::CacheCreationTokens,
    Counter::ReasoningTokens,
    Counter::PromptAudio,
    Counter::WebSearchRequests,
];

/// Returns the rows: their amounts, or the kinds of their errors.
fn said(totals: &Totals) -> Vec<Result<String, &'static str>> {
    let mut errors = totals.errors.iter();
    let rows = totals.amounts.iter().enumerate().map(|(row, amount)| {
        amount.map(|amount| amount.to_string()).ok_or_else(|| {
            let error = errors.next().expect("an error for each row without an amount");
            assert_eq!(error.row, row);
            error.error.code()
        })
    });
    let rows = rows.collect();
    assert!(errors.next().is_none());
    rows
}

#[test]
fn each_row_costs_what_its_call_costs() {
    const ROWS: usize = 20_000;
    let margin = Adjustments::from_json(r#"{"cost_margin_config": {"openai": 0.1}}"#).unwrap();
    let map = CostMap::bundled();
    map.set_adjustments(margin).unwrap();
    let snapshot = map.snapshot();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let keys: Vec<String> = snapshot.models().map(|model| model.key().to_owned()).collect();
    let models: Vec<String> = random.column(ROWS, |random| {
        let key = random.pick(&keys);
        match random.below(8) {
            0 => format!("{key}-2099-01-01"),
            1 => key.to_uppercase(),
            2 => "no-such-model".to_owned(),
            3 => key.rsplit('/').next().unwrap().to_owned(),
            _ => key.clone(),
        }
    });
    let names = ["", "", "", "openai", "azure", "vertex_ai", "ollama"];
    let providers: Vec<String> = random.column(ROWS, |random| (*random.pick(&names)).to_owned());
    let counts: Vec<Vec<u64>> = COUNTERS
        .iter()
        .map(|counter| {
            let most = if *counter == Counter::WebSearchRequests { 3 } else { 300_000 };
            random.column(ROWS, |random| if random.below(3) == 0 { 0 } else { random.below(most) })
        })
        .collect();
    let tiers = [ServiceTier::Standard, ServiceTier::Flex, ServiceTier::Priority, ServiceTier::from("warp")];
    let tiers: Vec<ServiceTier> = random.column(ROWS, |random| *random.pick(&tiers));
    let batches: Vec<bool> = random.column(ROWS, |random| random.below(5) == 0);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let times: Vec<SystemTime> =
        random.column(ROWS, |random| start + Duration::from_secs(random.below(100_000)));

    let plain = CallColumns::new(&models);
    let plain = COUNTERS
        .iter()
        .zip(&counts)
        .fold(plain, |columns, (counter, counts)| columns.counter(*counter, counts));
    let full = plain.clone().providers(&providers).service_tiers(&tiers).batches(&batches).times(&times);
    let mut compared = [0; 2];
    for (columns, is_full) in [(&plain, false), (&full, true)] {
        let rows = said(&columns.totals(&snapshot).unwrap());
        assert_eq!(rows.len(), ROWS);
        for (row, got) in rows.iter().enumerate() {
            let mut usage = Usage::new(0, 0);
            for (counter, counts) in COUNTERS.iter().zip(&counts) {
                usage.set(*counter, counts[row]);
            }
            let (mut call, mut lookup) = (Call::new(&usage), Lookup::new(&models[row]));
            if is_full {
                call = call.service_tier(tiers[row]).at(times[row]);
                call = if batches[row] { call.batch() } else { call };
                lookup = if providers[row].is_empty() { lookup } else { lookup.provider(&providers[row]) };
            }
            let own =
                snapshot.total(lookup, call).map(|total| total.to_string()).map_err(|error| error.code());
            assert_eq!(*got, own, "row {row}: {lookup:?} {usage:?}");
            compared[usize::from(own.is_err())] += 1;
        }
    }
    assert_eq!(compared[0] + compared[1], 2 * ROWS);
    assert!(compared[0] > 7_000 && compared[1] > 7_000, "both kinds of rows: {compared:?}");

    // Parts of the rows, on threads of their own, are the same rows.
    let whole = said(&full.totals(&snapshot).unwrap());
    let parts = thread::scope(|scope| {
        let parts: Vec<_> = [0..7_000, 7_000..7_000, 7_000..ROWS + 5]
            .into_iter()
            .map(|rows| full.rows(rows))
            .map(|part| {
                scope.spawn({
                    let snapshot = &snapshot;
                    move || said(&part.totals(snapshot).unwrap())
                })
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(parts, whole);
    assert!(
        full.rows(ROWS..ROWS + 1).is_empty()
            && full.rows(Range { start: 5, end: 3 }).is_empty()
            && full.len() == ROWS
    );
}

#[test]
fn columns_of_other_lengths_are_refused_by_name() {
    let snapshot = CostMap::bundled().snapshot();
    let models = ["gpt-4o", "gpt-4o"];
    let said = |columns: CallColumns<'_, &str>| columns.totals(&snapshot).unwrap_err().to_string();
    assert_eq!(
        said(CallColumns::new(&models).counter(Counter::PromptTokens, &[1])),
        "the column PromptTokens has 1 rows, and the models have 2: give each call a row"
    );
    let three = [ServiceTier::Standard; 3];
    assert_eq!(
        said(CallColumns::new(&models).counter(Counter::PromptTokens, &[1, 2]).service_tiers(&three)),
        "the column service_tiers has 3 rows, and the models have 2: give each call a row"
    );
    assert!(said(CallColumns::new(&models).providers(&[])).starts_with("the column providers has 0 rows"));
    assert!(said(CallColumns::new(&models).batches(&[true])).starts_with("the column batches has 1 rows"));
    assert!(
        said(CallColumns::new(&models).times(&[SystemTime::UNIX_EPOCH]))
            .starts_with("the column times has 1 rows")
    );
    // Rows of columns that do not fit are none the better.
    let three = [1, 2, 3];
    let columns = CallColumns::new(&models).counter(Counter::PromptTokens, &three);
    for rows in [0..2, 0..1, 1..2] {
        assert!(
            said(columns.rows(rows)).starts_with("the column PromptTokens has 3 rows, and the models have 2")
        );
    }
    let none: [&str; 0] = [];
    let totals = CallColumns::new(&none).totals(&snapshot).unwrap();
    assert!(totals.amounts.is_empty() && totals.errors.is_empty());
}

#[test]
fn unknown_names_are_errors_of_their_rows_however_many_there_are() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6}}"#).unwrap();
    let snapshot = map.snapshot();
    // More names than are kept, each several times, and a known one between.
    let models: Vec<String> = (0..2_400)
        .map(|row| if row % 5 == 0 { "m".to_owned() } else { format!("unknown-{}", row % 601) })
        .collect();
    let prompt = vec![1_000; models.len()];
    let columns = CallColumns::new(&models).counter(Counter::PromptTokens, &prompt);
    let totals = columns.totals(&snapshot).unwrap();
    let usage = Usage::new(1_000, 0);
    let mut errors = totals.errors.iter();
    for (row, model) in models.iter().enumerate() {
        match snapshot.total(model.as_str(), &usage) {
            Ok(total) => assert_eq!(totals.amounts[row], Some(total)),
            Err(error) => {
                let found = errors.next().expect("an error for the row");
                assert_eq!((found.row, found.error.to_string()), (row, error.to_string()));
                assert_eq!(totals.amounts[row], None);
            }
        }
    }
    assert_eq!((totals.errors.len(), errors.next().is_none()), (1_920, true));
}
