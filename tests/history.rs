//! Reloads the public map version by version, as it changed over the years. The expected counts
//! come from another program, run on the same files: Python's `json` with decimals, comparing every
//! number in a field that names a cost, a tier or a factor.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use common::catalog;
use llm_costmap::CostMap;
use llm_costmap::reload::Repriced;

/// A version, the number of its models, and the changes since the version before: models added,
/// models removed, prices changed; among the changed prices those that were added, those that were
/// removed, and the models with a price that changed more than tenfold.
const VERSIONS: [(&str, usize, [usize; 6]); 5] = [
    ("1.60.0", 770, [0; 6]),
    ("1.80.0", 1_758, [1_036, 48, 77, 37, 0, 0]),
    ("1.95.0", 2_977, [1_414, 195, 366, 231, 23, 6]),
    ("1.108.0", 4_240, [1_633, 370, 3_188, 2_331, 168, 10]),
    ("1.109.1", 4_551, [311, 0, 1_013, 762, 2, 0]),
];

const REVISIONS: [&str; 6] = [
    "d23fbed81fa583588a156934fb2622f6b9fc4b82",
    "d23fbed81fa583588a156934fb2622f6b9fc4b82",
    "367f788dd34221ec15ea109f8ba7dd9a8f6b3bb5",
    "2cef600ea32f362a08ca70f16cb8475ad457ba46",
    "98fee42de3c2c3202a350362d04a891029c13135",
    "d68eb3ce77503b757f30e611eea758937f2ac2ed",
];

fn counts(added: &[String], removed: &[String], repriced: &[Repriced]) -> [usize; 6] {
    let mut jumped: Vec<&str> = repriced
        .iter()
        .filter(|price| price.factor.is_some_and(|factor| factor > 10.0 || (factor > 0.0 && factor < 0.1)))
        .map(|price| price.model.as_str())
        .collect();
    jumped.dedup();
    [
        added.len(),
        removed.len(),
        repriced.len(),
        repriced.iter().filter(|price| price.from.is_none()).count(),
        repriced.iter().filter(|price| price.to.is_none()).count(),
        jumped.len(),
    ]
}

#[test]
fn every_version_takes_the_place_of_the_one_before() {
    let (first, models, _) = VERSIONS[0];
    let map = CostMap::from_json(catalog(first)).unwrap();
    map.register_model_json("mine", r#"{"input_cost_per_token": 1}"#).unwrap();
    assert_eq!(map.len(), models + 1);
    let mut snapshots = vec![map.snapshot()];
    for (version, models, expected) in &VERSIONS[1..] {
        let report =
            map.reload_from_bytes(catalog(version)).unwrap_or_else(|error| panic!("{version}: {error}"));
        assert_eq!(report.models_count, *models, "{version}");
        assert_eq!(
            counts(&report.diff.added, &report.diff.removed, &report.diff.repriced),
            *expected,
            "{version}"
        );
        assert_eq!((report.set_aside.len(), report.warnings.len()), (0, 0), "{version}");
        assert_eq!(map.len(), models + 1, "{version}");

        // Two snapshots have the same diff as the report, and the reverse diff in the other
        // direction.
        let (before, now) = (snapshots.last().unwrap(), map.snapshot());
        assert_eq!(before.diff(&now), report.diff, "{version}");
        let back = now.diff(before);
        let [added, removed, repriced, came, went, jumped] = *expected;
        assert_eq!(
            counts(&back.added, &back.removed, &back.repriced),
            [removed, added, repriced, went, came, jumped]
        );
        assert!(now.diff(&now).is_empty());
        snapshots.push(now);
    }
    let generations = map.generations();
    let revisions: Vec<_> =
        generations.iter().map(|known| known.source_revision.as_deref().unwrap()).collect();
    // The revisions are those of `git hash-object` for each file. The second generation is the
    // first one with a registered model over it.
    assert_eq!(revisions, REVISIONS);
    assert_eq!(generations.iter().map(|known| known.generation).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    #[cfg(feature = "bundled")]
    assert_eq!(revisions[5], llm_costmap::BUNDLED.source_revision);
}

#[test]
fn an_older_version_is_refused_where_it_is_half_as_long() {
    let map = CostMap::from_json(catalog("1.109.1")).unwrap();
    let error = map.reload_from_bytes(catalog("1.80.0")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text that was handed in has 1758 models, where 4551 are in use: the map in use is kept"
    );
    let report = map.reload_from_bytes_forced(catalog("1.80.0")).unwrap();
    assert_eq!(report.forced_past, Some(error.to_string()));
    assert_eq!(map.len(), 1_758);
}
