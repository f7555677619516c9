//! Tests of histories: prices as of an instant, as known now and as recorded then, and the file.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::catalog;
use llm_costmap::history::{AsOf, History, Recording};
use llm_costmap::{Call, CostMap, Error, Lookup, RetiredModels, ServiceTier, Snapshot, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The releases of LiteLLM whose maps are at hand, and the times at which they were published.
const RELEASES: [(&str, &str); 5] = [
    ("1.60.0", "2025-02-01T16:34:59.469504Z"),
    ("1.80.0", "2025-11-16T00:03:49.182797Z"),
    ("1.95.0", "2026-08-02T02:51:53.675138Z"),
    ("1.108.0", "2026-11-04T03:31:18Z"),
    ("1.109.1", "2026-11-12T01:59:54Z"),
];

fn time(text: &str) -> SystemTime {
    text.parse::<jiff::Timestamp>().expect("a time").into()
}

/// A time, in microseconds from 2001.
fn at(micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + Duration::from_micros(micros)
}

fn recording(effective: u64, recorded: u64) -> Recording {
    Recording::new("test").effective_from(at(effective)).recorded_at(at(recorded))
}

fn of_releases(history: &History) {
    for (version, published) in RELEASES {
        let recording = Recording::new(format!("LiteLLM {version}"))
            .effective_from(time(published))
            .recorded_at(time(published));
        history.record_map(catalog(version), recording).expect("a map");
    }
}

/// Returns the result of a call, with everything that a bill says but the generation.
fn billed(snapshot: &Snapshot, lookup: Lookup<'_>, call: Call<'_>) -> String {
    let said = |bill: Value| {
        let mut bill = bill;
        bill["generation"] = Value::Null;
        bill.to_string()
    };
    match snapshot.cost(lookup, call) {
        Ok(cost) => said(serde_json::to_value(&cost).unwrap()),
        Err(Error::Unpriced(bill)) => said(serde_json::to_value(&*bill).unwrap()),
        Err(Error::UnknownModel(_) | Error::NoPriceAt { .. }) => "unknown".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A small generator of calls, the same in every run.
struct Calls(u64);

impl Calls {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn usage(&mut self) -> Usage {
        let largest = [100, 10_000, 300_000, 2_000_000][usize::try_from(self.below(4)).unwrap()];
        let prompt = self.below(largest);
        let mut usage = Usage::new(prompt, self.below(70_000));
        if self.below(3) == 0 {
            usage = usage.cached_tokens(self.below(prompt + 1));
        }
        usage
    }

    fn call<'c>(&mut self, usage: &'c Usage) -> Call<'c> {
        let call = Call::new(usage).at(time("2026-06-15T12:00:00Z"));
        match self.below(6) {
            0 => call.service_tier(ServiceTier::Priority),
            1 => call.service_tier(ServiceTier::Flex),
            2 => call.batch(),
            _ => call,
        }
    }
}

/// All keys of all releases, at each release, and a name of each key that is none: priced as by the release's
/// own map.
#[test]
fn every_model_is_priced_as_by_the_map_of_its_time() {
    let history = History::new();
    of_releases(&history);
    let keys = history.models();
    assert_eq!(keys.len(), 4_551 + 612);
    let mut calls = Calls(20_261_122);
    let (mut known, mut unknown) = (0, 0);
    for (position, (version, published)) in RELEASES.into_iter().enumerate() {
        let own = CostMap::from_json(catalog(version)).unwrap().snapshot();
        let next = RELEASES.get(position + 1).map_or(SystemTime::now(), |(_, published)| time(published));
        for instant in [time(published), next - Duration::from_micros(1)] {
            let then = history.at(instant);
            assert_eq!(then.len(), own.len(), "{version}");
            assert_eq!((then.set_aside().count(), then.warnings().count()), (0, 0), "{version}");
            assert_eq!(then.provenance().source_revision, own.provenance().source_revision, "{version}");
            for (position, key) in keys.iter().enumerate() {
                let (usage, dated) = (calls.usage(), format!("{key}-2026-01-31"));
                let call = calls.call(&usage);
                let names = [
                    Lookup::new(key),
                    Lookup::new(key.split_once('/').map_or(&**key, |(_, rest)| rest)).provider("azure"),
                    Lookup::new(&dated),
                    Lookup::served(&dated),
                ];
                // Other names than keys take a while in a build for debugging.
                let count = if position % 16 == 0 { names.len() } else { 1 };
                for lookup in names.into_iter().take(count) {
                    let bill = billed(&then, lookup, call);
                    assert_eq!(bill, billed(&own, lookup, call), "{version}: {lookup:?}");
                    if bill == "unknown" { unknown += 1 } else { known += 1 }
                }
                let found = |snapshot: &Snapshot| {
                    let found = snapshot.resolve(Lookup::new(key)).ok()?;
                    Some((found.key().to_owned(), found.found_by()))
                };
                assert_eq!(found(&then), found(&own), "{version}: {key}");
            }
        }
    }
    assert_eq!((known, unknown), (34_206, 27_114));
}

/// The ledger of five maps, read back from its file, in any order of recording.
#[test]
fn a_file_is_read_back_whatever_the_order_of_its_maps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.history");
    of_releases(&History::open(&path).unwrap());
    let size = fs::metadata(&path).unwrap().len();
    println!("five maps: {size} bytes");
    assert!(size < 3_500_000, "{size}");
    let read = History::read(&path).unwrap();
    let shuffled = History::new();
    for position in [3, 0, 4, 2, 1] {
        let (version, published) = RELEASES[position];
        let recording = Recording::new(version).effective_from(time(published)).recorded_at(time(published));
        shuffled.record_map(catalog(version), recording).unwrap();
    }
    let mut compared = 0;
    for (version, published) in RELEASES {
        let own = CostMap::from_json(catalog(version)).unwrap().snapshot();
        for history in [&read, &shuffled] {
            for as_of in
                [AsOf::new(time(published)), AsOf::new(SystemTime::now()).recorded_by(time(published))]
            {
                let then = history.at(as_of);
                assert!(then.diff(&own).is_empty() && own.diff(&then).is_empty(), "{version}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 20);
}

#[test]
fn a_price_has_a_first_and_a_last_instant() {
    let history = History::new();
    history.record_map(r#"{"a": {"input_cost_per_token": 1e-6}, "b": {}}"#, recording(10, 10)).unwrap();
    history.record_map(r#"{"a": {"input_cost_per_token": 2e-6}, "c": {}}"#, recording(20, 20)).unwrap();
    history.record_map(r#"{"c": {"input_cost_per_token": 3e-6}}"#, recording(30, 30)).unwrap();
    let total = |model: &str, as_of: AsOf| {
        let total = history.at(as_of).total(model, &Usage::new(1_000_000, 0));
        total.map_or_else(|error| error.to_string(), |total| total.to_string())
    };
    assert_eq!(
        [9, 10, 19, 20, 29, 30].map(|micros| total("a", at(micros).into())),
        [
            "\"a\" has no price at 2001-09-09T01:46:40.000009+00:00: its prices begin at 2001-09-09T01:46:40.000010+00:00",
            "1",
            "1",
            "2",
            "2",
            "\"a\" has no price at 2001-09-09T01:46:40.000030+00:00: it left the map at \
         2001-09-09T01:46:40.000030+00:00; AsOf::retired keeps its last price",
        ]
    );
    assert_eq!(total("a", AsOf::new(at(40)).retired(RetiredModels::Keep)), "2");
    let kept = history.at(AsOf::new(at(40)).retired(RetiredModels::Keep));
    let found = kept.resolve("a").unwrap();
    assert_eq!(found.retirement().unwrap().date, at(20));
    // What was recorded later is not seen, and neither is what applies later.
    assert_eq!(total("a", AsOf::new(at(25)).recorded_by(at(19))), "1");
    assert_eq!(
        total("c", AsOf::new(at(30)).recorded_by(at(29))),
        "no price of c is known for input: register one with register_model"
    );
    assert_eq!(history.at(at(5)).len(), 0);
    // An unknown name is not one that has no price yet.
    let error = history.at(at(5)).resolve("d").unwrap_err();
    assert_eq!(error.code(), "unknown_model");
    // A model that is there under other names has no price under this one, and no other time is told.
    let of_aliases = History::new();
    of_aliases.record_map(r#"{"a": {"aliases": ["x"]}}"#, recording(10, 10)).unwrap();
    of_aliases.record_map(r#"{"a": {"mode": "chat"}}"#, recording(20, 20)).unwrap();
    assert!(of_aliases.at(at(10)).resolve("x").is_ok());
    assert_eq!(of_aliases.at(at(20)).resolve("x").unwrap_err().code(), "unknown_model");
    assert_eq!(of_aliases.at(at(9)).resolve("x").unwrap_err().code(), "no_price_at");
    let error = history.at(at(5)).resolve(Lookup::new("openai/a-2026-01-31").provider("openai")).unwrap_err();
    assert!(matches!(&error, Error::NoPriceAt { until: None, .. }), "{error}");
    assert_eq!((error.kind().as_str(), error.code()), ("not_found", "no_price_at"));
}

/// A correction holds until the prices of the map change, and can itself be corrected.
#[test]
fn a_correction_holds_until_the_prices_of_the_map_change() {
    let history = History::new();
    let map = |price: f64, other: &str| json!({"a": {"input_cost_per_token": price}, other: {}}).to_string();
    history.record_map(map(1e-6, "x"), recording(10, 10)).unwrap();
    history.record("a", json!({"input_cost_per_token": 5e-6}), recording(15, 25)).unwrap();
    history.record_map(map(1e-6, "y"), recording(20, 20)).unwrap();
    history.record_map(map(2e-6, "y"), recording(30, 30)).unwrap();
    let total = |micros, recorded| {
        let snapshot = history.at(AsOf::new(at(micros)).recorded_by(at(recorded)));
        snapshot.total("a", &Usage::new(1_000_000, 0)).unwrap().to_string()
    };
    assert_eq!([12, 15, 20, 29, 30].map(|micros| total(micros, 99)), ["1", "5", "5", "5", "2"]);
    assert_eq!([12, 15, 20, 29].map(|micros| total(micros, 24)), ["1", "1", "1", "1"]);
    // Fields of a correction lie over the row of the time from which it applies.
    history.record_map(map(3e-6, "z"), recording(40, 40)).unwrap();
    history.correct("a", json!({"output_cost_per_token": 7e-6}), recording(35, 50)).unwrap();
    assert_eq!(total(35, 99), "2");
    let both = Usage::new(1_000_000, 1_000_000);
    assert_eq!(history.at(at(35)).total("a", &both).unwrap().to_string(), "9");
    assert!(history.at(at(40)).total("a", &both).is_err());
    // A map from the same time does not undo a correction.
    history.record("a", json!({"input_cost_per_token": 8e-6}), recording(40, 60)).unwrap();
    history.record_map(map(4e-6, "z"), recording(40, 70)).unwrap();
    assert_eq!((total(40, 59), total(40, 60), total(40, 70)), ("3".into(), "8".into(), "8".into()));
    let sources: Vec<(bool, Option<f64>)> = history
        .points("a")
        .iter()
        .map(|point| (point.is_of_map, point.model_info.as_ref().unwrap().field("input_cost_per_token")))
        .collect();
    let of_map = |price| (true, Some(price));
    assert_eq!(sources[..3], [of_map(1e-6), (false, Some(5e-6)), of_map(2e-6)]);
    history.record_removal("a", recording(45, 80)).unwrap();
    assert_eq!(history.at(at(45)).resolve("a").unwrap_err().code(), "no_price_at");
    assert!(history.points("a").last().unwrap().model_info.is_none());
}

#[test]
fn what_cannot_be_recorded_is_refused() {
    let history = History::new();
    let refused =
        |model: &str, info: Value| history.record(model, info, recording(1, 1)).unwrap_err().to_string();
    assert_eq!(
        refused("a", json!({"input_cost_per_token": -1})),
        "cannot record a: input_cost_per_token: -1 is negative"
    );
    assert!(refused("a", json!([1])).starts_with("cannot record a: not an object of fields: "));
    assert_eq!(
        refused("sample_spec", json!({})),
        "cannot record sample_spec: maps use this name for something other than a model"
    );
    let late = Recording::new("test").effective_from(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40));
    assert_eq!(
        history.record("a", json!({}), late).unwrap_err().to_string(),
        "cannot record test: the time from which it applies is not in the years 0 to 9999"
    );
    let early = Recording::new("test")
        .effective_from(SystemTime::UNIX_EPOCH - Duration::from_secs(3_000 * 31_557_600));
    assert_eq!(
        history.record("a", json!({}), early).unwrap_err().to_string(),
        "cannot record test: the time from which it applies is not in the years 0 to 9999"
    );
    let future = Recording::new("test").recorded_at(SystemTime::now() + Duration::from_secs(2 * 86_400));
    assert_eq!(
        history.record("a", json!({}), future).unwrap_err().to_string(),
        "cannot record test: the time of its recording is in the future"
    );
    let error = history.record_map("[]", recording(1, 1)).unwrap_err();
    assert_eq!(error.code(), "invalid_map");
    history.record_map(r#"{"a": {}}"#, recording(1, 1)).unwrap();
    assert_eq!(history.record_map(r#"{"a": {}}"#, recording(1, 1)).unwrap(), 0);
    assert_eq!(
        history.record_map(r#"{"b": {}}"#, recording(1, 1)).unwrap_err().to_string(),
        "cannot record test: another map has the same times: give it a later time of recording"
    );
    assert_eq!(history.batches().len(), 1);
}

/// A row that a map of the time set aside is unknown then, and says why.
#[test]
fn a_row_that_was_set_aside_has_no_price_at_its_time() {
    let history = History::new();
    for (micros, price) in [(10, "1e-6"), (20, "-1"), (30, "3e-6")] {
        let map = format!(r#"{{"a": {{"input_cost_per_token": {price}}}}}"#);
        history.record_map(map, recording(micros, micros)).unwrap();
    }
    let total = |micros, retired| {
        let then = history.at(AsOf::new(at(micros)).retired(retired));
        let total = then.total("a", &Usage::new(1_000_000, 0));
        total.map_or_else(|error| error.to_string(), |total| total.to_string())
    };
    let reason = "unknown model \"a\": the map has a row for it that was set aside \
                  (input_cost_per_token: -1 is negative): register it";
    assert_eq!([10, 20, 30].map(|micros| total(micros, RetiredModels::Keep)), ["1", reason, "3"]);
    assert_eq!(total(20, RetiredModels::Forget), reason);
    assert_eq!(history.at(at(20)).set_aside().count(), 1);
}

/// Aliases and names in another case lead to the row of their time, and rules are those of the time.
#[test]
fn other_names_and_rules_are_those_of_the_time() {
    let maps = [
        json!({"Model-A": {"aliases": ["first"], "input_cost_per_token": 1e-6}}),
        json!({"Model-A": {"aliases": ["second"], "input_cost_per_token": 2e-6},
               "b": {"aliases": ["first"], "input_cost_per_token": 3e-6, "litellm_provider": "x"},
               "fallback_generalizations": {"rules": [{"name": "r", "pattern": "^new-",
                   "model_info": {"input_cost_per_token": 9e-6}}]}}),
        json!({"first": {"input_cost_per_token": 4e-6}, "MODEL-a": {"input_cost_per_token": 5e-6},
               "b": {"aliases": ["first"], "input_cost_per_token": 3e-6, "litellm_provider": "x"}}),
    ];
    let history = History::new();
    for (micros, map) in (1..).zip(&maps) {
        history.record_map(map.to_string(), recording(micros, micros)).unwrap();
    }
    let (usage, mut known) = (Usage::new(1_000_000, 0), 0);
    for (micros, map) in (1..).zip(&maps) {
        let own = CostMap::from_json(map.to_string()).unwrap().snapshot();
        let then = history.at(at(micros));
        for name in
            ["first", "FIRST", "second", "model-a", "MODEL-A", "MODEL-a", "b", "new-x", "x/b", "X/b", "old-x"]
        {
            let (ours, theirs) = (then.resolve(name).ok(), own.resolve(name).ok());
            let found = |found: &llm_costmap::Resolved<'_>| {
                (
                    found.key().to_owned(),
                    found.found_by(),
                    found.total(&usage).unwrap(),
                    found.model_info().litellm_provider(),
                )
            };
            assert_eq!(ours.as_ref().map(found), theirs.as_ref().map(found), "{micros}: {name}");
            // The second time, names that are no keys are remembered.
            let total = |snapshot: &Snapshot| snapshot.total(name, &usage).ok();
            assert_eq!([total(&then), total(&then)], [total(&own), total(&own)], "{micros}: {name}");
            known += usize::from(ours.is_some());
        }
    }
    assert_eq!(known, 21);
}

/// A point of time and the row of a model.
#[derive(Debug, Clone)]
struct Told {
    model: &'static str,
    effective: u64,
    recorded: u64,
    source: &'static str,
    price: Option<u8>,
}

fn told() -> impl Strategy<Value = Told> {
    let model = prop_oneof![Just("a"), Just("b")];
    let source = prop_oneof![Just("s"), Just("t")];
    (model, 0..5_u64, 0..5_u64, source, proptest::option::of(1..4_u8)).prop_map(
        |(model, effective, recorded, source, price)| Told { model, effective, recorded, source, price },
    )
}

/// A whole map: the prices of three models.
type Whole = (u64, u64, [Option<u8>; 3]);

fn whole() -> impl Strategy<Value = Whole> {
    (0..5_u64, 0..5_u64, proptest::array::uniform3(proptest::option::of(1..3_u8)))
}

fn text_of(prices: [Option<u8>; 3]) -> String {
    let models = ["a", "b", "c"].into_iter().zip(prices);
    let rows =
        models.filter_map(|(model, price)| Some((model, json!({"input_cost_per_token": f64::from(price?)}))));
    serde_json::to_string(&rows.collect::<HashMap<_, _>>()).unwrap()
}

fn record(history: &History, told: &Told) {
    let recording =
        Recording::new(told.source).effective_from(at(told.effective)).recorded_at(at(told.recorded));
    match told.price {
        Some(price) => {
            history.record(told.model, json!({"input_cost_per_token": f64::from(price)}), recording)
        }
        None => history.record_removal(told.model, recording),
    }
    .unwrap();
}

/// Returns the prices of the models at each instant, as they were known at each other.
fn seen(history: &History) -> Vec<Option<String>> {
    let times = (0..6_u64).flat_map(|effective| (0..6_u64).map(move |recorded| (effective, recorded)));
    let views =
        times.map(|(effective, recorded)| history.at(AsOf::new(at(effective)).recorded_by(at(recorded))));
    let prices = views.flat_map(|view: Arc<Snapshot>| {
        ["a", "b", "c"].map(|model| Some(view.total(model, &Usage::new(1, 0)).ok()?.to_string()))
    });
    prices.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any order of recording maps and rows gives the same prices for the same pair of times.
    #[test]
    fn the_order_of_recording_does_not_matter(
        (told, maps, order) in (proptest::collection::vec(told(), 0..7), proptest::collection::vec(whole(), 0..5))
            .prop_flat_map(|(told, maps)| {
                let count = told.len() + maps.len();
                (Just(told), Just(maps), Just((0..count).collect::<Vec<_>>()).prop_shuffle())
            })
    ) {
        let mut times = std::collections::HashSet::new();
        let maps: Vec<Whole> = maps.into_iter().filter(|(at, recorded, _)| times.insert((*at, *recorded))).collect();
        let build = |order: &[usize]| {
            let history = History::new();
            for step in order {
                if let Some(told) = told.get(*step) {
                    record(&history, told);
                } else if let Some((effective, recorded, prices)) = maps.get(step - told.len()) {
                    history.record_map(text_of(*prices), recording(*effective, *recorded)).unwrap();
                }
            }
            history
        };
        let mut sorted: Vec<usize> = (0..told.len() + maps.len()).collect();
        sorted.sort_by_key(|step| maps.get(step.wrapping_sub(told.len())).map(|(at, recorded, _)| (*at, *recorded)));
        prop_assert_eq!(seen(&build(&sorted)), seen(&build(&order)));
    }

    /// At each instant, the prices are those of the last map of that time, of those that were known.
    #[test]
    fn maps_in_any_order_are_those_of_their_times(maps in proptest::collection::vec(whole(), 0..7)) {
        let mut times = std::collections::HashSet::new();
        let maps: Vec<Whole> = maps.into_iter().filter(|(at, recorded, _)| times.insert((*at, *recorded))).collect();
        let history = History::new();
        for (effective, recorded, prices) in &maps {
            history.record_map(text_of(*prices), recording(*effective, *recorded)).unwrap();
        }
        for effective in 0..6_u64 {
            for known in 0..6_u64 {
                let in_force = maps.iter().filter(|(at, recorded, _)| *at <= effective && *recorded <= known);
                let prices = in_force.max_by_key(|(at, recorded, _)| (*at, *recorded)).map_or([None; 3], |map| map.2);
                let view = history.at(AsOf::new(at(effective)).recorded_by(at(known)));
                for (model, price) in ["a", "b", "c"].into_iter().zip(prices) {
                    let ours = view.total(model, &Usage::new(1, 0)).ok().map(|total| total.to_string());
                    prop_assert_eq!(ours, price.map(|price| price.to_string()), "{} at {}, {}", model, effective, known);
                }
            }
        }
    }
}

/// Returns the revisions of the maps that were recorded, in their order.
#[cfg(feature = "bundled")]
fn revisions(history: &History) -> Vec<String> {
    history.batches().into_iter().filter_map(|batch| batch.source_revision).collect()
}

#[test]
fn a_live_map_records_what_goes_live() {
    let folder = tempfile::tempdir().unwrap();
    let (source, path) = (folder.path().join("map.json"), folder.path().join("prices.history"));
    let write = |price: f64| {
        fs::write(&source, json!({"a": {"input_cost_per_token": price}, "b": {}}).to_string()).unwrap();
    };
    let build = || {
        let history = History::open(&path).unwrap();
        CostMap::builder().file(&source).history(history).kept_maps(3).build().unwrap()
    };
    write(1e-6);
    let map = build();
    let usage = Usage::new(1_000_000, 0);
    let total = |at: SystemTime| map.at(at).unwrap().total("a", &usage).unwrap().to_string();
    let started = map.snapshot().loaded_at();
    // The file is written with the first reload, and the map is known before.
    assert_eq!((total(SystemTime::now()), fs::metadata(&path).unwrap().len()), ("1".to_owned(), 0));
    assert_eq!(
        map.at(started - Duration::from_secs(1)).unwrap().total("a", &usage).unwrap_err().code(),
        "no_price_at"
    );
    let mut live_since = vec![started];
    for price in [2e-6, 3e-6] {
        write(price);
        let report = map.reload().unwrap();
        assert_eq!(report.history_error, None);
        live_since.push(map.snapshot().loaded_at());
    }
    map.reload().unwrap();
    map.rollback(1).unwrap();
    live_since.push(map.snapshot().loaded_at());
    map.release();
    map.reload_from_bytes(r#"{"a": {"input_cost_per_token": 7e-6}}"#).unwrap();
    live_since.push(map.snapshot().loaded_at());
    // A time is kept to the microsecond, rounded down.
    assert_eq!(live_since.iter().map(|at| total(*at)).collect::<Vec<_>>(), ["1", "2", "3", "1", "7"]);
    assert_eq!(total(live_since[2] - Duration::from_micros(1)), "2");
    assert_eq!(map.history().unwrap().batches().len(), 5);
    let sources: Vec<String> =
        History::read(&path).unwrap().batches().into_iter().map(|batch| batch.source).collect();
    let file = source.display().to_string();
    assert_eq!(sources, [&file, &file, &file, &file, "the text that was handed in"]);

    // The operator's models lie over the prices of then, and have no date.
    map.register_model("a", json!({"output_cost_per_token": 9e-6})).unwrap();
    let both = Usage::new(1_000_000, 1_000_000);
    assert_eq!(map.at(live_since[1]).unwrap().total("a", &both).unwrap().to_string(), "11");
    map.set_deployments(
        llm_costmap::Deployment::list_from_json(
            r#"[{"model_name": "mine", "litellm_params": {"model": "a", "input_cost_per_token": 5e-6}}]"#,
        )
        .unwrap(),
    )
    .unwrap();
    let then = map.at(live_since[0]).unwrap();
    assert_eq!(then.deployment_total("mine", &both).unwrap().to_string(), "14");
    assert_eq!(then.resolve("a").unwrap().model_info().field::<f64>("input_cost_per_token"), Some(1e-6));

    // Another process, or another handle of this one, does not append meanwhile.
    assert_eq!(
        History::open(&path).unwrap_err().to_string(),
        format!(
            "the history {}: it is open already: give each program a file of its own, or read this one",
            path.display()
        )
    );
    drop(map);
    // The map is the source's, which the history does not have yet.
    let map = build();
    assert_eq!(map.history().unwrap().batches().len(), 6);
    assert_eq!(map.at(SystemTime::now()).unwrap().total("a", &usage).unwrap().to_string(), "3");
    map.reload().unwrap();
    drop(map);
    assert_eq!(build().history().unwrap().batches().len(), 6);
    assert_eq!(
        CostMap::from_json("{}").unwrap().at(started).unwrap_err().to_string(),
        "this map has no history: set one with CostMapBuilder::history"
    );
}

/// The bundled map is older than what a history has, and is live for a moment only.
#[cfg(feature = "bundled")]
#[test]
fn a_program_that_starts_with_the_bundled_map_records_it_once() {
    let history = History::new();
    let build = || CostMap::builder().url("http://127.0.0.1:9/").history(history.clone()).build().unwrap();
    let map = build();
    assert_eq!(revisions(&history), [llm_costmap::BUNDLED.source_revision]);
    assert_eq!(map.at(SystemTime::now()).unwrap().len(), map.len());
    let newer = r#"{"a": {}, "b": {}}"#;
    let map = CostMap::builder().json(newer).history(history.clone()).build().unwrap();
    map.reload_from_bytes(r#"{"a": {}, "c": {}}"#).unwrap();
    // A program without a source to fetch from prices by the map that it starts with.
    assert_eq!(revisions(&history).len(), 3);
    build();
    assert_eq!(revisions(&history).len(), 3);
}

/// A model that was corrected before it left keeps the corrected price, in whatever order that was recorded.
#[test]
fn the_last_price_is_the_one_that_was_in_force() {
    let map = |rows: &str| format!(r#"{{"b": {{}}, {rows}}}"#);
    let a = r#""a": {"mode": "chat", "input_cost_per_token": 1e-6}"#;
    let same = r#""a": {"max_tokens": 5, "input_cost_per_token": 0.000001, "mode": "chat"}"#;
    let steps: [(u64, Option<String>); 5] = [
        (10, Some(map(a))),
        (15, None),
        (20, Some(map(same))),
        (25, Some(map(r#""a": {"input_cost_per_token": -1}"#))),
        (30, Some(map(r#""c": {}"#))),
    ];
    let mut seen = Vec::new();
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 2, 1, 4, 3], [2, 0, 4, 1, 3]] {
        let history = History::new();
        for step in order {
            match &steps[step] {
                (at, Some(map)) => drop(history.record_map(map.clone(), recording(*at, *at)).unwrap()),
                (at, None) => {
                    history.record("a", json!({"input_cost_per_token": 5e-6}), recording(*at, *at)).unwrap();
                }
            }
        }
        let total = |micros| {
            let then = history.at(AsOf::new(at(micros)).retired(RetiredModels::Keep));
            then.total("a", &Usage::new(1_000_000, 0)).ok().map(|total| total.to_string())
        };
        seen.push([10, 15, 20, 25, 30].map(total));
    }
    let expected = [Some("1"), Some("5"), Some("5"), None, Some("5")].map(|total| total.map(str::to_owned));
    assert_eq!(seen, vec![expected; 4]);
}

/// Of two maps from one time, the one that was recorded last counts, and the other is the last with a model.
#[test]
fn the_last_map_with_a_model_is_one_that_had_it() {
    let history = History::new();
    for (effective, recorded, source, map) in [
        (5, 5, "first", r#"{"b": {}}"#),
        (10, 10, "second", r#"{"a": {"input_cost_per_token": 1e-6}, "b": {}}"#),
        (10, 12, "third", r#"{"b": {}}"#),
    ] {
        let recording = Recording::new(source).effective_from(at(effective)).recorded_at(at(recorded));
        history.record_map(map, recording).unwrap();
    }
    let then = history.at(AsOf::new(at(20)).retired(RetiredModels::Keep));
    // It was gone from the time on from which it had been there, so that it never had a price.
    assert!(then.resolve("a").is_err());
    let known = history.at(AsOf::new(at(20)).recorded_by(at(11)));
    assert_eq!(known.provenance().source_revision, history.batches()[1].source_revision);
}

/// If the clock was set back, the map that is live counts, and not the one that the clock says comes later.
#[test]
fn a_clock_that_was_set_back_does_not_bring_a_replaced_map_back() {
    let history = History::new();
    let later = SystemTime::now() + Duration::from_secs(3_600);
    let ahead = Recording::new("before").effective_from(later).recorded_at(later);
    history.record_map(r#"{"a": {"input_cost_per_token": 1e-6}}"#, ahead).unwrap();
    // What is planned is known, and stays.
    let planned = Recording::new("plan").effective_from(later + Duration::from_secs(3_600));
    history.record_map(r#"{"a": {"input_cost_per_token": 9e-6}}"#, planned).unwrap();
    let map =
        CostMap::builder().json(r#"{"a": {"input_cost_per_token": 2e-6}}"#).history(history).build().unwrap();
    map.reload_from_bytes(r#"{"a": {"input_cost_per_token": 3e-6}}"#).unwrap();
    let total =
        |at: SystemTime| map.at(at).unwrap().total("a", &Usage::new(1_000_000, 0)).unwrap().to_string();
    assert_eq!(total(SystemTime::now()), "3");
    assert_eq!(total(later + Duration::from_secs(60)), "3");
    assert_eq!(total(later + Duration::from_secs(7_200)), "9");
}

/// Prices that rules fill in belong to the row of their time, and to no row that was recorded in full.
#[test]
fn prices_that_rules_fill_in_are_those_of_the_time() {
    let map = |price: &str| {
        format!(
            r#"{{"a": {{"litellm_provider": "y", "mode": "chat"}}, "b": {{"litellm_provider": "y", "mode": "chat"}},
                "fallback_generalizations": {{"rules": [{{"name": "r", "pattern": "^[ab]",
                    "model_info": {{"input_cost_per_token": {price}}}, "fill_missing_for_providers": ["y"]}}]}}}}"#
        )
    };
    let history = History::new();
    history.record_map(map("1e-6"), recording(10, 10)).unwrap();
    history.record_map(map("2e-6"), recording(20, 20)).unwrap();
    let own = json!({"litellm_provider": "y", "mode": "chat", "output_cost_per_token": 3e-6});
    history.record("b", own, recording(15, 15)).unwrap();
    let shown = |micros, model: &str| {
        let then = history.at(at(micros));
        let total = then.total(model, &Usage::new(1_000_000, 0)).map(|total| total.to_string());
        (total.ok(), then.get(model).unwrap().input_cost_per_token().map(|price| price.to_string()))
    };
    assert_eq!(shown(10, "a"), (Some("1".into()), Some("0.000001".into())));
    assert_eq!(shown(20, "a"), (Some("2".into()), Some("0.000002".into())));
    assert_eq!(shown(15, "b"), (None, None));
    assert_eq!(shown(20, "b"), (Some("2".into()), Some("0.000002".into())));
}
