//! Tests of maps that are held, and of maps that go back to an earlier one.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::{edition, price, wait_for};
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, Deployment, Error, Source, Usage};
use serde_json::json;

/// A source that reports each fetch, and answers with the price it is sent.
struct Told {
    asked: Mutex<Sender<()>>,
    answers: Mutex<Receiver<&'static str>>,
}

impl Source for Told {
    fn name(&self) -> String {
        "told".to_owned()
    }

    fn fetch(&self, _: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
        self.asked.lock().unwrap().send(()).ok();
        let price = self.answers.lock().unwrap().recv()?;
        Ok(Fetched::new(edition(60, price)))
    }
}

fn told() -> (Told, Receiver<()>, Sender<&'static str>) {
    let (asked, is_asked) = channel();
    let (answer, answers) = channel();
    (Told { asked: Mutex::new(asked), answers: Mutex::new(answers) }, is_asked, answer)
}

/// Returns a map with a cache, and the sender of its source's answers.
fn with_cache(folder: &Path) -> (CostMap, Sender<&'static str>) {
    let (source, _, answer) = told();
    let map = CostMap::builder().source(source).json(edition(60, "0")).cache_dir(folder).build().unwrap();
    (map, answer)
}

#[test]
fn nothing_replaces_a_map_that_is_held() {
    let (source, asked, answer) = told();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let record = heard.clone();
    let map = CostMap::builder()
        .source(source)
        .json(edition(60, "1"))
        .on_reload(move |result| {
            record.lock().unwrap().push(result.as_ref().map(|report| report.generation).ok());
        })
        .build()
        .unwrap();
    // A reload is in flight.
    thread::scope(|scope| {
        let reload = scope.spawn(|| map.reload());
        asked.recv().unwrap();
        map.hold();
        map.hold();
        answer.send("2").unwrap();
        assert!(matches!(reload.join().unwrap(), Err(Error::Held)));
    });
    let error = map.reload().unwrap_err();
    assert_eq!(error.to_string(), "the map is held: release it first, and the next reload replaces it");
    assert!(matches!(map.reload_forced(), Err(Error::Held)));
    assert!(matches!(map.reload_from_bytes(edition(60, "3")), Err(Error::Held)));
    assert!(matches!(map.reload_from_bytes_forced(edition(60, "3")), Err(Error::Held)));
    assert!(asked.try_recv().is_err(), "nothing is fetched in vain");
    let status = map.status();
    assert!(status.held_since.is_some());
    assert_eq!((status.failures, status.last_error), (0, None), "nothing is wrong with the source");
    assert_eq!(price(&map, "m-0"), "1");
    // The operator's own models change as before.
    map.register_model("mine", json!({"input_cost_per_token": 7})).unwrap();
    assert_eq!(price(&map, "mine"), "7");

    assert!(map.release() && !map.release());
    answer.send("4").unwrap();
    map.reload().unwrap();
    assert_eq!((price(&map, "m-0"), price(&map, "mine")), ("4".to_owned(), "7".to_owned()));
    assert_eq!(map.status().held_since, None);
    assert_eq!(*heard.lock().unwrap(), [Some(3)], "of what was refused, nobody hears");
}

#[test]
fn schedules_pass_while_a_map_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.json");
    fs::write(&file, edition(60, "1")).unwrap();
    let map = CostMap::from_file(&file).unwrap();
    map.hold();
    map.schedule_reload(Duration::from_secs(1)).unwrap();
    fs::write(&file, edition(60, "2")).unwrap();
    assert!(matches!(map.reload_if_changed(), Err(Error::Held)));
    // The schedule goes on: each of its reloads plans the next.
    let first = map.status().next_run;
    wait_for(|| (map.status().next_run > first).then_some(()));
    let status = map.status();
    assert_eq!((status.failures, status.scheduled, price(&map, "m-0")), (0, true, "1".to_owned()));
    map.release();
    wait_for(|| (price(&map, "m-0") == "2").then_some(()));
}

#[test]
fn a_map_goes_back_with_the_operators_models_over_it() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let record = heard.clone();
    let map = CostMap::builder()
        .json(edition(60, "1"))
        .on_reload(move |result| record.lock().unwrap().push(result.as_ref().map(ToString::to_string).ok()))
        .build()
        .unwrap();
    map.register_model("m-1", json!({"input_cost_per_token": 7})).unwrap();
    let good = map.snapshot().generation();
    map.reload_from_bytes(edition(60, "5")).unwrap();
    map.add_deployment(Deployment::new("d", json!({"model": "m-0"}), json!({})).unwrap()).unwrap();
    assert_eq!((price(&map, "m-0"), price(&map, "m-1")), ("5".to_owned(), "7".to_owned()));

    let report = map.rollback(good).unwrap();
    assert_eq!((report.is_unchanged(), report.generation, report.models_count), (false, 5, 60));
    assert_eq!(report.diff.repriced.len(), 60);
    assert_eq!((price(&map, "m-0"), price(&map, "m-1")), ("1".to_owned(), "7".to_owned()));
    assert_eq!(map.deployment_total("d", &Usage::new(1, 0)).unwrap().to_string(), "1");
    assert_eq!(map.source_info().source_revision, map.generation(1).unwrap().source_revision);
    assert!(matches!(map.reload_from_bytes(edition(60, "6")), Err(Error::Held)));
    assert_eq!(heard.lock().unwrap().len(), 2);
    // Forward again, by the generation that was rolled back: 3 or 4.
    let report = map.rollback(3).unwrap();
    assert_eq!((price(&map, "m-0"), report.generation), ("5".to_owned(), 6));
    // The live map itself is held, and nothing else happens: by any of its generations, any number of times.
    for generation in [6, 3, 4] {
        let report = map.rollback(generation).unwrap();
        assert!(report.is_unchanged() && map.status().held_since.is_some());
        assert_eq!(map.snapshot().generation(), 6);
    }

    assert!(map.release());
    map.reload_from_bytes(edition(60, "8")).unwrap();
    for (generation, said) in [
        (1, "the map of generation 1 is not kept: beside the live one, those of 3 to 4, 6 are"),
        (99, "the map of generation 99 is not kept: beside the live one, those of 3 to 4, 6 are"),
    ] {
        assert_eq!(map.rollback(generation).unwrap_err().to_string(), said);
    }
    assert!(map.status().held_since.is_none(), "a rollback that fails holds nothing");
    assert_eq!(price(&map, "m-0"), "8");
}

#[test]
fn as_many_maps_are_kept_as_the_builder_says() {
    for kept in [0_usize, 1, 3] {
        let map = CostMap::builder().json(edition(60, "1")).kept_maps(kept).build().unwrap();
        for price in 2..7 {
            map.reload_from_bytes(edition(60, &price.to_string())).unwrap();
            map.register_model("mine", json!({"input_cost_per_token": price})).unwrap();
        }
        let said = map.rollback(1).unwrap_err().to_string();
        let expected = match kept {
            0 => "none is, beside the live one; CostMapBuilder::kept_maps keeps some",
            1 => "beside the live one, those of 8 to 9 are",
            _ => "beside the live one, those of 4 to 5, 6 to 7, 8 to 9 are",
        };
        assert_eq!(said, format!("the map of generation 1 is not kept: {expected}"));
        if kept == 3 {
            map.rollback(4).unwrap();
            assert_eq!((price(&map, "m-0"), price(&map, "mine")), ("3".to_owned(), "6".to_owned()));
        }
    }
}

#[test]
fn a_restart_starts_with_the_map_that_was_gone_back_to_and_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let build = || with_cache(folder.path());
    let (map, answer) = build();
    for price in ["1", "5"] {
        answer.send(price).unwrap();
        map.reload().unwrap();
    }
    assert_eq!(map.rollback(2).unwrap().cache_error, None);
    map.schedule_reload(Duration::from_secs(3600)).unwrap();
    let state = folder.path().join("state.json");
    map.write_state(&state).unwrap();

    let (map, answer) = build();
    assert!(map.read_state(&state).unwrap());
    assert_eq!(price(&map, "m-0"), "1");
    answer.send("5").unwrap();
    assert!(matches!(map.reload(), Err(Error::Held)));
    assert!(map.status().scheduled && map.release());
    map.reload().unwrap();
    assert_eq!(price(&map, "m-0"), "5");
}

#[test]
fn a_listener_cannot_go_back() {
    let map = CostMap::from_json(edition(60, "1")).unwrap();
    let (tried, result) = channel();
    let own = map.clone();
    map.on_reload(move |_| {
        tried.send(own.rollback(1).unwrap_err()).ok();
    });
    map.reload_from_bytes(edition(60, "2")).unwrap();
    assert!(matches!(result.recv().unwrap(), Error::NestedReload));
}

#[test]
fn a_restart_with_another_map_does_not_hold_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, state) = (folder.path().join("map.json"), folder.path().join("state.json"));
    fs::write(&file, edition(60, "1")).unwrap();
    let map = CostMap::from_file(&file).unwrap();
    fs::write(&file, edition(60, "5")).unwrap();
    map.reload().unwrap();
    map.rollback(1).unwrap();
    map.write_state(&state).unwrap();
    // The file has the map that was rolled back, and a start reads it.
    let map = CostMap::from_file(&file).unwrap();
    map.read_state(&state).unwrap();
    assert_eq!((price(&map, "m-0").as_str(), map.status().held_since), ("5", None));
}

#[test]
fn a_restart_after_going_back_to_the_first_map_starts_with_that() {
    let folder = tempfile::tempdir().unwrap();
    let build = || with_cache(folder.path());
    let (map, answer) = build();
    answer.send("5").unwrap();
    map.reload().unwrap();
    let state = folder.path().join("state.json");
    assert_eq!(map.rollback(1).unwrap().cache_error, None);
    map.write_state(&state).unwrap();
    let (map, _) = build();
    map.read_state(&state).unwrap();
    assert_eq!(price(&map, "m-0"), "0");
    assert!(map.status().held_since.is_some());
}

#[test]
fn what_was_forced_past_a_guard_does_not_come_into_the_cache_by_a_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let build = || {
        let (source, _, answer) = told();
        let builder = CostMap::builder().source(source).json(edition(60, "0")).cache_dir(folder.path());
        (builder.max_price_jump_ratio(0.0).build().unwrap(), answer)
    };
    let (map, answer) = build();
    answer.send("1").unwrap();
    map.reload_forced().unwrap();
    answer.send("1").unwrap();
    map.reload().unwrap();
    answer.send("1000").unwrap();
    map.reload().unwrap_err();
    answer.send("1000").unwrap();
    map.reload_forced().unwrap();
    let forced = map.snapshot().generation();
    map.rollback(forced).unwrap();
    assert_ne!(price(&build().0, "m-0"), "1000");
    map.rollback(forced - 1).unwrap();
    map.rollback(forced).unwrap();
    assert_eq!(price(&map, "m-0"), "1000");
    assert_ne!(price(&build().0, "m-0"), "1000");
}

#[test]
fn a_hold_is_restored_before_its_schedule() {
    for _ in 0..100 {
        let (source, _, answer) = told();
        let map = CostMap::builder().source(source).json(edition(60, "1")).build().unwrap();
        answer.send("2").unwrap();
        let revision = map.source_info().source_revision.unwrap();
        let stored = format!(
            r#"{{"scheduled": true, "interval_hours": 1, "next_run": "2026-01-01T00:00:00Z", "held_since": "2026-01-01T00:00:00Z", "source_revision": "{revision}"}}"#
        );
        map.restore_schedule(&serde_json::from_str(&stored).unwrap()).unwrap();
        assert!(map.status().held_since.is_some());
        assert_eq!(price(&map, "m-0"), "1");
    }
    // A hold outlives a schedule that cannot be restored.
    let map = CostMap::from_json(edition(60, "1")).unwrap();
    let revision = map.source_info().source_revision.unwrap();
    let stored = format!(
        r#"{{"scheduled": true, "interval_hours": 1, "held_since": "2026-01-01T00:00:00Z", "source_revision": "{revision}"}}"#
    );
    assert!(matches!(map.restore_schedule(&serde_json::from_str(&stored).unwrap()), Err(Error::NoSource)));
    assert!(map.status().held_since.is_some());
}
