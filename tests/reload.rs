//! Tests of a live map under readers: reloads, registrations, and failures that must leave it as it
//! was.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use llm_costmap::{CostMap, Usage};
use serde_json::json;

/// Returns a map in which every price is the number of its edition.
fn edition(n: u64) -> String {
    format!(
        r#"{{"a": {{"input_cost_per_token": {n}, "output_cost_per_token": {n}}},
             "b": {{"input_cost_per_token": {n}, "output_cost_per_token": {n}, "max_tokens": 7}}}}"#
    )
}

#[test]
fn readers_see_the_old_map_or_the_new_one_and_never_a_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    fs::write(&path, edition(1)).unwrap();
    let map = CostMap::from_file(&path).unwrap();
    map.register_model("mine", json!({"input_cost_per_token": 1_000, "output_cost_per_token": 0})).unwrap();
    map.register_model("b", json!({"max_tokens": 99})).unwrap();
    let editions = 200;
    let done = AtomicBool::new(false);

    let seen: BTreeSet<u64> = thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let usage = Usage::new(1, 1);
                    let (mut seen, mut last) = (BTreeSet::new(), 0);
                    loop {
                        let finished = done.load(Ordering::Acquire);
                        // A cost is of one generation, so both of its sides have the price of the
                        // same edition.
                        let cost = map.cost("a", &usage).unwrap();
                        assert_eq!(cost.input(), cost.output());
                        // A pinned snapshot is of one generation, so both models have the price of
                        // the same edition.
                        let pinned = map.snapshot();
                        let price = |name| pinned.cost(name, &usage).unwrap().input();
                        assert_eq!(price("a"), price("b"));
                        assert_eq!(price("mine").to_string(), "1000");
                        assert_eq!(pinned.get("b").unwrap().max_tokens(), Some(99));
                        let edition: u64 = cost.input().to_string().parse().unwrap();
                        assert!(edition >= last, "time goes forward");
                        last = edition;
                        seen.insert(edition);
                        if finished {
                            return seen;
                        }
                    }
                })
            })
            .collect();
        let over = common::Over(&done);
        for n in 2..=editions {
            let next = folder.path().join("next.json");
            fs::write(&next, edition(n)).unwrap();
            fs::rename(&next, &path).unwrap();
            let report = map.reload().unwrap();
            assert_eq!((report.generation, report.models_count), (n + 2, 2));
        }
        drop(over);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    assert_eq!(seen.last(), Some(&editions));
}

#[test]
fn whatever_is_wrong_with_a_reload_the_map_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    fs::write(&path, edition(5)).unwrap();
    let map = CostMap::from_file(&path).unwrap();
    let whole = edition(6);
    let truncated = whole.get(..whole.len() / 2).unwrap();
    let shown = path.display().to_string();
    for (text, message) in [
        (truncated, format!("{shown} is not a model map: EOF while parsing a string (line 2, column 14)")),
        (
            "[]",
            format!(
                "{shown} is not a model map: invalid type: sequence, expected an object of models (line 1, column 0)"
            ),
        ),
        ("{}", format!("{shown} has no models: the map in use is kept")),
        (r#"{"sample_spec": {}}"#, format!("{shown} has no models: the map in use is kept")),
        (r#"{"a": {"input_cost_per_token": -1}}"#, format!("{shown} has no models: the map in use is kept")),
        (
            "<html>",
            format!("{shown} is not a model map: a page, not JSON: expected value (line 1, column 1)"),
        ),
        ("", format!("{shown} is not a model map: empty: EOF while parsing a value (line 1, column 0)")),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(map.reload().map(|r| r.generation).map_err(|e| e.to_string()), Err(message), "{text}");
    }
    fs::remove_file(&path).unwrap();
    let missing = map.reload().unwrap_err();
    assert!(matches!(missing, llm_costmap::Error::Io { .. }));
    assert!(format!("{missing:#}").starts_with(&format!("cannot read {shown}: ")), "{missing:#}");

    let usage = Usage::new(1, 0);
    let cost = map.cost("a", &usage).unwrap();
    assert_eq!((cost.input().to_string().as_str(), cost.generation()), ("5", 1));
    fs::write(&path, whole).unwrap();
    assert_eq!(map.reload().map(|report| report.generation).ok(), Some(2));
    assert_eq!(map.cost("a", &usage).unwrap().input().to_string(), "6");
}

#[test]
fn a_map_without_a_source_says_so_and_takes_bytes() {
    let map = CostMap::empty();
    let error = map.reload().unwrap_err();
    assert_eq!(
        error.to_string(),
        "this map has no source to reload from: set file, url or source on the builder, or use reload_from_bytes"
    );
    let report = map.reload_from_bytes(edition(3)).unwrap();
    assert_eq!((report.generation, report.models_count, report.set_aside.len()), (2, 2, 0));
    let error = map.reload_from_bytes(*b"nonsense").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text that was handed in is not a model map: expected ident (line 1, column 2)"
    );
    assert_eq!(map.snapshot().generation(), 2);
}

#[test]
fn registered_fields_lie_over_the_entry_and_survive_reloads() {
    let map = CostMap::from_json(
        r#"{"m": {"input_cost_per_token": 1, "output_cost_per_token": 2, "max_tokens": 10, "mode": "chat",
             "search_context_cost_per_query": {"search_context_size_low": 1, "search_context_size_high": 3}},
            "provider/x": {"litellm_provider": "provider", "input_cost_per_token": 7, "output_cost_per_token": 0}}"#,
    )
    .unwrap();
    map.register_model(
        "m",
        json!({"output_cost_per_token": "4e-07", "max_tokens": null, "my_custom_key": "mine",
            "search_context_cost_per_query": {"search_context_size_low": 9}}),
    )
    .unwrap();
    // A text is taken as JSON. A second registration adds to the first.
    map.register_model_json("m", r#"{"max_input_tokens": 12345}"#).unwrap();
    map.register_model("own", json!({"input_cost_per_token": 5, "output_cost_per_token": 0})).unwrap();
    // The name is literal: the entry that it resolves to is its base, and stays as it is.
    map.register_model("provider/X", json!({"max_tokens": 678})).unwrap();
    let check = |map: &CostMap, input: &str| {
        let usage = Usage::new(1, 1);
        let price = |name: &str| {
            let cost = map.cost(name, &usage).unwrap();
            (cost.input().to_string(), cost.output().to_string())
        };
        assert_eq!(price("m"), (input.to_owned(), "0.0000004".to_owned()));
        assert_eq!(price("own").0, "5");
        let info = map.get("m").unwrap();
        let shown: serde_json::Value = serde_json::to_value(&info).unwrap();
        assert_eq!(shown["max_tokens"], json!(10));
        assert_eq!(shown["max_input_tokens"], json!(12345));
        assert_eq!(shown["my_custom_key"], json!("mine"));
        assert_eq!(
            shown["search_context_cost_per_query"],
            json!({"search_context_size_low": 9, "search_context_size_high": 3})
        );
        assert_eq!(map.get("provider/X").unwrap().max_tokens(), Some(678));
        assert_eq!(map.get("provider/x").unwrap().max_tokens(), None);
        assert_eq!(price("provider/X").0, "7");
        assert_eq!(map.models(), ["m", "provider/x", "own", "provider/X"]);
        assert_eq!(map.len(), 4);
    };
    check(&map, "1");
    for n in 2..5 {
        let next = format!(
            r#"{{"m": {{"input_cost_per_token": {n}, "max_tokens": 10,
                 "search_context_cost_per_query": {{"search_context_size_high": 3}}}},
                "provider/x": {{"litellm_provider": "provider", "input_cost_per_token": 7, "output_cost_per_token": 0}}}}"#
        );
        map.reload_from_bytes(next).unwrap();
        check(&map, &n.to_string());
    }
}

#[test]
fn a_model_that_cannot_be_priced_is_not_registered() {
    let map = CostMap::from_json(edition(1)).unwrap();
    let error = |info: serde_json::Value| map.register_model("m", info).map_err(|e| e.to_string());
    let said = |message: &str| Err(format!("cannot register m: {message}"));
    assert_eq!(error(json!({"input_cost_per_token": -1})), said("input_cost_per_token: -1 is negative"));
    assert_eq!(
        error(json!({"input_cost_per_token": "NaN"})),
        said("input_cost_per_token: \"NaN\" is not a number")
    );
    assert_eq!(
        error(json!([1])),
        said(
            "not an object of fields: invalid type: sequence, expected an object of fields at line 1 column 0"
        )
    );
    assert_eq!(
        map.register_model_json("m", "{").map_err(|e| e.to_string()),
        said("not an object of fields: EOF while parsing an object at line 1 column 1")
    );
    assert_eq!(
        error(json!("{}")),
        said("not an object but a string: hand JSON text to the method whose name ends in _json")
    );
    let reserved = map.register_model("sample_spec", json!({})).map_err(|e| e.to_string());
    assert_eq!(
        reserved,
        Err("cannot register sample_spec: the map uses this name for something other than a model".to_owned())
    );
    assert_eq!(map.snapshot().generation(), 1);
    assert_eq!(map.len(), 2);
}

#[test]
fn what_is_odd_about_a_registered_model_is_said() {
    let map = CostMap::empty();
    map.register_model("m", json!({"input_cost_per_token": 1, "off_peak_pricing": {"hours_utc": "noon"}}))
        .unwrap();
    let warnings: Vec<String> = map.snapshot().warnings().map(ToString::to_string).collect();
    assert_eq!(warnings, ["m: off_peak_pricing.hours_utc: not HH:MM-HH:MM: \"noon\""]);
}

#[test]
fn an_alias_follows_what_was_registered_over_its_entry() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1, "aliases": ["also"]}}"#).unwrap();
    map.register_model("m", json!({"input_cost_per_token": 2})).unwrap();
    let usage = Usage::new(1, 0);
    for name in ["m", "also", "ALSO", "M"] {
        let cost = map.cost(name, &usage).unwrap();
        assert_eq!((cost.key(), cost.input().to_string().as_str()), ("m", "2"), "{name}");
    }
}

#[test]
fn a_cost_outlives_its_map() {
    let usage = Usage::new(10, 0);
    let map = CostMap::from_json(edition(2)).unwrap();
    let pinned = map.snapshot();
    let cost = map.cost("a", &usage).unwrap();
    map.reload_from_bytes(edition(3)).unwrap();
    drop(map);
    assert_eq!((cost.key(), cost.total().to_string().as_str()), ("a", "20"));
    assert_eq!(pinned.cost("a", &usage).unwrap().total(), cost.total());
}

#[test]
fn handles_are_clones_of_one_map_and_go_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let map = CostMap::empty();
    shared(&map);
    map.clone().register_model("m", json!({"input_cost_per_token": 1})).unwrap();
    assert_eq!(map.len(), 1);
}

#[test]
#[cfg(not(feature = "bundled"))]
fn a_source_that_was_never_fetched_is_nothing_to_start_with() {
    struct Never;
    impl llm_costmap::Source for Never {
        fn name(&self) -> String {
            "store://prices".to_owned()
        }
        fn fetch(
            &self,
            _: &llm_costmap::source::Validators,
        ) -> Result<llm_costmap::source::Fetched, Box<dyn std::error::Error + Send + Sync>> {
            Ok(llm_costmap::source::Fetched::new(edition(2)))
        }
    }
    let error = CostMap::builder().source(Never).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "store://prices was never fetched, and there is no other map to start with: enable the feature bundled, set json or a cache_dir that has a map, or use build_and_fetch"
    );
    // A fetch during the build gives the map to start with, and so does an explicit empty map.
    let map = CostMap::builder().source(Never).build_and_fetch(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(map.len(), 2);
    let map = CostMap::builder().source(Never).json("{}").build().unwrap();
    assert!(map.is_empty() && map.reload().is_ok() && map.len() == 2);
}

#[test]
#[cfg(not(feature = "http"))]
fn a_url_takes_the_feature_http_and_is_not_shown() {
    for url in ["https://host/map.json", "user:SECRET@host/x"] {
        let error = CostMap::builder().url(url).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid url: it takes the feature http, which this program was built without"
        );
    }
}
