//! From bytes to a swapped snapshot, beside `serde_json` skipping the same bytes, in one run.
//!
//! The rounds of all cases are interleaved, and the median counts. What belongs to a reload and not to the map is shown apart: the
//! revision (SHA-1 of the bytes), the diff to the map before, and the cache on disk.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use llm_costmap::{CostMap, Fetched, Source, Validators};
use serde::de::IgnoredAny;
use sha1::{Digest, Sha1};

const ROUNDS: usize = 41;

/// The map as upstream ships it.
fn upstream() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/catalogs/1.109.1.json.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// The same map with another price, and then with that of before, and so on.
struct Editions {
    texts: [String; 2],
    turn: std::sync::atomic::AtomicUsize,
}

impl Editions {
    fn next(&self) -> Vec<u8> {
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.texts[turn % 2].clone().into_bytes()
    }
}

impl Source for Editions {
    fn name(&self) -> String {
        "editions".to_owned()
    }

    fn fetch(&self, _: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Fetched::new(self.next()))
    }
}

fn editions(text: &str) -> Editions {
    let other = text.replacen("e-06", "e-07", 1);
    assert_ne!(text, other);
    Editions { texts: [other, text.to_owned()], turn: std::sync::atomic::AtomicUsize::new(0) }
}

/// One thing to measure: what it times is up to it.
struct Case<'a> {
    name: &'static str,
    round: Box<dyn FnMut() -> Duration + 'a>,
    times: Vec<Duration>,
}

impl<'a> Case<'a> {
    fn new(name: &'static str, round: impl FnMut() -> Duration + 'a) -> Self {
        Self { name, round: Box::new(round), times: Vec::new() }
    }

    fn median(&mut self) -> Duration {
        self.times.sort();
        self.times[self.times.len() / 2]
    }
}

fn timed<T>(f: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let result = f();
    let took = start.elapsed();
    // Letting go of it is not part of it.
    drop(black_box(result));
    took
}

fn measure(title: &str, text: &str) {
    let fresh = editions(text);
    let live = editions(text);
    let map = CostMap::from_json(live.next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept = CostMap::builder().source(editions(text)).cache_dir(folder.path()).json("{}").build().unwrap();
    let mut cases = [
        Case::new("serde_json, IgnoredAny", || {
            timed(|| serde_json::from_str::<IgnoredAny>(black_box(text)).unwrap())
        }),
        Case::new("SHA-1", || timed(|| Sha1::digest(black_box(text)))),
        Case::new("from_json (with SHA-1)", || {
            let bytes = fresh.next();
            timed(|| CostMap::from_json(bytes).unwrap())
        }),
        Case::new("reload (SHA-1, diff)", || {
            let bytes = live.next();
            timed(|| map.reload_from_bytes(bytes).unwrap())
        }),
        Case::new("reload (SHA-1, diff, cache)", || timed(|| kept.reload().unwrap())),
    ];
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let took = (case.round)();
            case.times.push(took);
        }
    }
    let floor = cases[0].median();
    println!("{title}, {} bytes", text.len());
    for case in &mut cases {
        let time = case.median();
        println!(
            "  {:<42}{:>8.2} ms   x {:.2}",
            case.name,
            time.as_secs_f64() * 1e3,
            time.as_secs_f64() / floor.as_secs_f64()
        );
    }
    let own = cases[2].median().saturating_sub(cases[1].median());
    let ratio = own.as_secs_f64() / floor.as_secs_f64();
    println!(
        "  {:<42}{:>8.2} ms   x {ratio:.2}",
        "bytes to snapshot (parse, compile, swap)",
        own.as_secs_f64() * 1e3
    );
}

fn main() {
    measure("upstream's file", &upstream());
    measure("the bundled map", include_str!("../src/catalog/bundled.json"));
}
