//! Tests that a map reloaded again and again under readers is never torn and leaks nothing. Threads
//! and resident memory are those of the whole process, so this test has a process of its own.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Over, Threads, edition, price, wait_for};
use llm_costmap::{CostMap, Usage};

#[test]
fn a_thousand_reloads_under_readers_leave_nothing_behind() {
    let threads = Threads::now();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("map.json");
    let editions = [edition(60, "1"), edition(60, "2")];
    fs::write(&path, &editions[0]).unwrap();
    let map = CostMap::from_file(&path).unwrap();
    map.register_model_json("m-1", r#"{"max_input_tokens": 12345}"#).unwrap();
    map.register_model_json("mine", r#"{"input_cost_per_token": 7}"#).unwrap();
    let reload = |n: usize| {
        fs::write(home.path().join("next.json"), &editions[n % 2]).unwrap();
        fs::rename(home.path().join("next.json"), &path).unwrap();
        assert!(!map.reload().unwrap().is_unchanged());
    };
    // The history of generations is full after this, and grows no more.
    (1..=100).for_each(reload);
    let (done, priced) = (AtomicBool::new(false), AtomicU64::new(0));
    let gone = AtomicUsize::new(0);
    let left = thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let usage = Usage::new(1, 0);
                while !done.load(Ordering::Acquire) {
                    let snapshot = map.snapshot();
                    let of = |name| snapshot.cost(name, &usage).unwrap().total().to_string();
                    // All prices are of one generation, with the operator's models over it.
                    assert!(["1", "2"].contains(&of("m-0").as_str()));
                    assert_eq!(of("m-0"), of("m-59"));
                    assert_eq!(of("m-0"), of("m-1"));
                    assert_eq!(of("mine"), "7");
                    assert_eq!(snapshot.get("m-1").unwrap().max_input_tokens(), Some(12_345));
                    priced.fetch_add(1, Ordering::Relaxed);
                }
                gone.fetch_add(1, Ordering::Release);
            });
        }
        let over = Over(&done);
        wait_for(|| (priced.load(Ordering::Relaxed) > 10).then_some(()));
        let info = allocation_counter::measure(|| {
            (101..=1_100).for_each(reload);
            done.store(true, Ordering::Release);
            wait_for(|| (gone.load(Ordering::Acquire) == 3).then_some(()));
            // The next two swaps free the snapshots that readers held.
            (1_101..=1_102).for_each(reload);
        });
        drop(over);
        info
    });
    assert!(priced.load(Ordering::Relaxed) > 1_000, "{priced:?}");
    assert_eq!(map.snapshot().generation(), 1_105);
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
    threads.wait_until_all_are_gone();

    // The same with a scheduled thread, which watches the file meanwhile.
    map.schedule_reload(Duration::from_secs(3_600)).unwrap();
    wait_for(|| map.status().last_run);
    let resident = resident_kilobytes();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = Over(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                assert_eq!(price(&map, "mine"), "7");
            }
        });
        for n in 0..300 {
            // The text is as long as that of a real map.
            let padded =
                editions[n % 2].replacen('{', &format!(r#"{{"p": {{"x": "{}"}},"#, "x".repeat(1_000_000)), 1);
            map.reload_from_bytes(padded).unwrap();
        }
        drop(over);
    });
    let grown = resident_kilobytes().saturating_sub(resident);
    assert!(grown < 50_000, "{grown} KB more, of 300 MB that came and went");
    drop(map);
    threads.wait_until_all_are_gone();
}

/// Returns the resident memory of this process.
fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
