//! Measures a history of five releases of the public map: a snapshot of an instant, a call by it, opening the
//! file, recording a map, and the heap of ten snapshots beside ten maps.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

mod measure;

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use llm_costmap::history::{History, Recording};
use llm_costmap::{CostMap, Usage};
use measure::{Goal, Seeded, Suite, once};

const ROUNDS: usize = 41;

/// Instants that are asked for in a round.
const ASKED: usize = 4_096;

/// The releases, and the days on which they were published.
const RELEASES: [(&str, u64); 5] =
    [("1.60.0", 20_120), ("1.80.0", 20_408), ("1.95.0", 20_667), ("1.108.0", 20_761), ("1.109.1", 20_769)];

fn day(days: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400)
}

fn text(version: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/catalogs/{version}.json.gz"));
    let mut text = String::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn record(history: &History) {
    for (version, days) in RELEASES {
        let recording = Recording::new(version).effective_from(day(days)).recorded_at(day(days));
        history.record_map(text(version), recording).unwrap();
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.history");
    record(&History::open(&path).unwrap());
    let bytes = fs::metadata(&path).unwrap().len();
    let maps: usize = RELEASES.iter().map(|(version, _)| text(version).len()).sum();
    println!("the file: {bytes} bytes; the five maps: {maps}");
    show_memory(&path);

    let history = History::read(&path).unwrap();
    let then = history.at(day(20_667));
    // Models that have a price in each of the last three releases.
    let usage = Usage::new(1_000, 500);
    let has_price = |key: &String| {
        [20_667, 20_761, 20_769].iter().all(|days| history.at(day(*days)).total(key, &usage).is_ok())
    };
    let keys: Vec<String> = then.models().map(|model| model.key().to_owned()).filter(has_price).collect();
    let mut seeded = Seeded::new(7);
    let instants: Vec<SystemTime> =
        (0..ASKED).map(|_| day(20_667) + Duration::from_secs(seeded.below(110 * 86_400) as u64)).collect();
    let asked = seeded.picks(&keys, ASKED);
    let newest = CostMap::from_json(text("1.109.1")).unwrap();
    let pinned = newest.snapshot();
    let per_call = |took: f64| took / ASKED as f64;
    let mut suite = Suite::default();
    suite
        .add("a total by the live map", || {
            per_call(once(|| asked.iter().for_each(|key| drop(black_box(pinned.total(*key, &usage))))))
        })
        .add("a total by a snapshot of an instant", || {
            per_call(once(|| asked.iter().for_each(|key| drop(black_box(then.total(*key, &usage))))))
        })
        .add("history.at", || {
            per_call(once(|| instants.iter().for_each(|at| drop(black_box(history.at(*at))))))
        })
        .add("history.at and a total by it", || {
            per_call(once(|| {
                let calls = asked.iter().zip(&instants);
                calls.for_each(|(key, at)| drop(black_box(history.at(*at).total(*key, &usage))));
            }))
        })
        .beside("a total by the live map", Goal::None);
    suite.run("prices of an instant, over 5 maps", ROUNDS);
    let mut suite = Suite::default();
    suite
        .add("reading the newest map", || {
            let text = text("1.109.1");
            once(|| drop(black_box(CostMap::from_json(text).unwrap())))
        })
        .add("opening the file of five maps", || once(|| drop(black_box(History::read(&path).unwrap()))))
        .add("recording the newest map once more", || {
            let history = history.clone();
            let recording = Recording::new("again").effective_from(SystemTime::now());
            let text = text("1.109.1");
            once(|| {
                black_box(history.record_map(text, recording).unwrap());
            })
        })
        .beside("reading the newest map", Goal::None);
    suite.run("a whole history", 11);
}

/// Prints the heap of a history, of ten snapshots of it, and of ten maps.
fn show_memory(path: &Path) {
    let mib = |bytes: i64| bytes as f64 / f64::from(1 << 20);
    let (mut history, mut snapshots, mut maps) = (None, Vec::new(), Vec::new());
    let of_history = allocation_counter::measure(|| history = History::read(path).ok());
    let history = history.unwrap();
    let of_snapshots = allocation_counter::measure(|| {
        snapshots = (0..10).map(|month| history.at(day(20_140 + month * 70))).collect();
    });
    assert!(snapshots.iter().all(|snapshot| !snapshot.is_empty()));
    let of_maps = allocation_counter::measure(|| {
        let release =
            |month: u64| RELEASES.iter().rev().find(|(_, days)| *days <= 20_140 + month * 70).unwrap().0;
        maps = (0..10).map(|month| CostMap::from_json(text(release(month))).unwrap()).collect();
    });
    println!(
        "heap: the history {:.2} MiB, ten snapshots of it {:.4} MiB; ten maps {:.2} MiB",
        mib(of_history.bytes_current),
        mib(of_snapshots.bytes_current),
        mib(of_maps.bytes_current)
    );
}
