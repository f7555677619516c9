//! Tests that the bundled map is what `examples/refresh_bundled.rs` makes of the upstream file.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "bundled")]

mod common;
#[path = "../examples/refresh_bundled.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program, here for one of its functions")]
mod refresh_bundled;

use llm_costmap::{BUNDLED, CostMap};

const MAP: &str = include_str!("../src/catalog/bundled.json");

#[test]
fn refreshing_the_bundled_map_from_itself_changes_no_byte() {
    assert_eq!(refresh_bundled::prune(MAP).unwrap(), MAP);
}

#[test]
fn the_bundled_map_is_made_from_the_upstream_that_it_names() {
    let upstream = common::catalog(BUNDLED.package_version);
    assert_eq!(refresh_bundled::blob_id(upstream.as_bytes()), BUNDLED.source_revision);
    assert_eq!(refresh_bundled::prune(&upstream).unwrap(), MAP);
}

/// The models that left the map have the rows of the last releases that had them.
#[test]
fn the_retired_models_are_made_from_the_releases_that_they_name() {
    let retired = include_str!("../src/catalog/retired.json");
    let releases = [
        ("1.60.0", "2025-02-01"),
        ("1.80.0", "2025-11-16"),
        ("1.95.0", "2026-08-02"),
        ("1.108.0", "2026-11-04"),
    ];
    let last_rows = releases.map(|(version, date)| {
        let text = common::catalog(version);
        let revision = refresh_bundled::blob_id(text.as_bytes());
        let map = CostMap::from_json(text).unwrap();
        refresh_bundled::LastRows::of(version, revision, date.to_owned(), &map).unwrap()
    });
    assert!(refresh_bundled::retired(last_rows.into(), MAP).unwrap() == retired, "retired.json is stale");
    // It is made from itself as well, when the bundled map is refreshed.
    let known: Vec<refresh_bundled::LastRows> = serde_json::from_str(retired).unwrap();
    assert!(refresh_bundled::retired(known, MAP).unwrap() == retired);
}

/// Pruning removes prose and nothing else: every other field is kept, with its digits.
#[test]
fn every_price_limit_and_ability_is_kept_in_upstreams_order() {
    let upstream = CostMap::from_json(common::catalog(BUNDLED.package_version)).unwrap().snapshot();
    let bundled = CostMap::bundled().snapshot();
    assert_eq!(upstream.len(), bundled.len());
    let mut compared = 0;
    for (before, after) in upstream.models().zip(bundled.models()) {
        assert_eq!(before.key(), after.key());
        let mut before = serde_json::to_value(&before).unwrap();
        let fields = before.as_object_mut().unwrap();
        for prose in ["source", "comment", "metadata"] {
            fields.remove(prose);
        }
        compared += fields.len();
        let after = serde_json::to_value(&after).unwrap();
        assert_eq!(&after, &before);
    }
    assert!(compared > 50_000, "{compared} fields");
}

#[test]
fn prose_is_out_and_digits_are_as_they_are_written() {
    let upstream = r#"{"m": {"source": "x", "input_cost_per_token": 1.50e-06, "note": "a \" b , c", "metadata": {}},
        "fallback_generalizations": {"rules": [{"name": "n", "description": "d", "pattern": "^a b\\s"}]}, "z": 1}"#;
    assert_eq!(
        refresh_bundled::prune(upstream).unwrap(),
        "{\n\"m\":{\"input_cost_per_token\":1.50e-06,\"note\":\"a \\\" b , c\"},\n\
         \"fallback_generalizations\":{\"rules\":[{\"name\":\"n\",\"pattern\":\"^a b\\\\s\"}]},\n\"z\":1\n}\n"
    );
}
