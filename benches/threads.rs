//! Measures pricing by two threads beside one, and pricing with a reload every 100 ms beside none.
//!
//! The cost of sharing a map shows in comparison with the same work through a plain shared
//! reference: a pinned snapshot, which no thread writes to.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench")]

mod measure;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use llm_costmap::{CostMap, Usage};
use measure::{Seeded, median};

/// The duration of each measurement.
const SPAN: Duration = Duration::from_millis(400);
const ROUNDS: usize = 9;
const CALLS: usize = 256;

fn main() {
    let map = CostMap::bundled();
    let usage = Usage::new(12_000, 900).cached_tokens(8_000).reasoning_tokens(300);
    let priced: Vec<String> = map.models().into_iter().filter(|key| map.total(key, &usage).is_ok()).collect();
    let hot = Seeded::new(3).sample(&priced, 64);
    let keys: Vec<String> = Seeded::new(5).picks(&hot, CALLS).into_iter().cloned().collect();

    let snapshot = map.snapshot();
    let shared = |key: &str| _ = black_box(snapshot.total(key, &usage).unwrap());
    let by_map = |key: &str| _ = black_box(map.total(key, &usage).unwrap());
    let mut scaling = [Vec::new(), Vec::new()];
    let mut rates = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let [one, two] = [1, 2].map(|threads| calls_per_second(threads, &keys, &shared));
        let [one_map, two_map] = [1, 2].map(|threads| calls_per_second(threads, &keys, &by_map));
        scaling[0].push(two / one);
        scaling[1].push(two_map / one_map);
        for (list, rate) in rates.iter_mut().zip([one, two, one_map, two_map]) {
            list.push(rate);
        }
    }
    println!("\n64 hot names, medians of {ROUNDS} rounds of {SPAN:?}");
    for (name, list) in
        ["a shared reference, 1 thread", "the same, 2 threads", "map.total, 1 thread", "the same, 2 threads"]
            .into_iter()
            .zip(&mut rates)
    {
        println!("  {name:<32}{:>8.1} M calls a second", median(list) / 1e6);
    }
    let [plain, through] = scaling.map(|mut list| median(&mut list));
    println!(
        "  scaling: {through:.2} by the map, {plain:.2} by a shared reference: x {:.2} (goal >= 0.9)",
        through / plain
    );

    disturbed(&map, &keys, &by_map);
}

/// Returns the calls per second of `threads` threads together.
fn calls_per_second(threads: usize, keys: &[String], call: &(impl Fn(&str) + Sync)) -> f64 {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let work = || {
            barrier.wait();
            let (start, mut calls) = (Instant::now(), 0_u32);
            while start.elapsed() < SPAN {
                for key in keys {
                    call(key);
                }
                calls += u32::try_from(keys.len()).unwrap();
            }
            f64::from(calls) / start.elapsed().as_secs_f64()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// Measures a reader while another thread reloads the map every 100 ms, beside the same reader
/// undisturbed. A reload is a whole one: it parses the text, too.
fn disturbed(map: &CostMap, keys: &[String], call: &(impl Fn(&str) + Sync)) {
    let text = include_str!("../src/catalog/bundled.json");
    let other = text.replacen("e-06", "e-07", 1);
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    let (mut quiet_rates, mut busy_rates, mut reloads) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        quiet_rates.push(latencies(keys, call, &mut quiet));
        let stop = Arc::new(AtomicBool::new(false));
        let (map, texts, stopped) = (map.clone(), [other.clone(), text.to_owned()], stop.clone());
        let writer = std::thread::spawn(move || {
            let mut turn = 0;
            while !stopped.load(Ordering::Relaxed) {
                map.reload_from_bytes(texts[turn % 2].clone()).unwrap();
                turn += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            turn
        });
        busy_rates.push(latencies(keys, call, &mut busy));
        stop.store(true, Ordering::Relaxed);
        reloads += writer.join().unwrap();
    }
    let rate = median(&mut busy_rates) / median(&mut quiet_rates);
    println!("\na reader beside {reloads} reloads, one every 100 ms");
    println!("  throughput: x {rate:.3} of undisturbed (goal >= 0.95)");
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.99", 0.9999), ("p99.999", 0.99999)] {
        let [alone, beside] = [percentile(&mut quiet, share), percentile(&mut busy, share)];
        println!(
            "  {name:<8} {alone:>6} ns alone, {beside:>6} ns beside reloads: x {:.2}",
            f64::from(beside) / f64::from(alone)
        );
    }
}

/// Times every single call and returns the number of calls per second.
fn latencies(keys: &[String], call: &impl Fn(&str), into: &mut Vec<u32>) -> f64 {
    let (start, before) = (Instant::now(), into.len());
    while start.elapsed() < SPAN {
        for key in keys {
            let begun = Instant::now();
            call(key);
            into.push(u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
    }
    (into.len() - before) as f64 / start.elapsed().as_secs_f64()
}

fn percentile(list: &mut [u32], share: f64) -> u32 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let at = ((list.len() as f64 * share) as usize).min(list.len() - 1);
    *list.select_nth_unstable(at).1
}
