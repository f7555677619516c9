//! Measures the way from bytes to a swapped snapshot: for upstream's file and for the bundled map,
//! beside `serde_json` skipping the same bytes, and for ten times the models, beside upstream's
//! file.
//!
//! The parts of a reload that do not belong to the map are shown apart: the revision (SHA-1 of the
//! bytes), the diff to the previous map, and the cache on disk.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a bench")]

mod measure;

use std::cell::Cell;
use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::read::GzDecoder;
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, Source, Usage};
use measure::Goal::{AtMost, None as NoGoal};
use measure::{Seeded, Suite, each, once};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sha1::{Digest, Sha1};

const ROUNDS: usize = 31;

fn main() {
    let upstream = upstream();
    measure_reload("upstream's file", &upstream, ROUNDS);
    measure_reload("the bundled map", include_str!("../src/catalog/bundled.json"), ROUNDS);
    let tenfold = tenfold(&upstream);
    measure_tenfold(&upstream, &tenfold);
}

const FLOOR: &str = "serde_json, IgnoredAny";

fn measure_reload(title: &str, text: &str, rounds: usize) {
    let (fresh, live) = (Editions::of(text), Editions::of(text));
    let map = CostMap::from_json(live.next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept =
        CostMap::builder().source(Editions::of(text)).cache_dir(folder.path()).json("{}").build().unwrap();
    // Each load computes the revision, so the time of the SHA-1 is subtracted.
    let revision = Cell::new(0.0);
    let mut suite = Suite::default();
    suite
        .add(FLOOR, || once(|| serde_json::from_str::<IgnoredAny>(black_box(text)).unwrap()))
        .add("SHA-1", || {
            revision.set(once(|| Sha1::digest(black_box(text))));
            revision.get()
        })
        .add("bytes to snapshot, without the SHA-1", || {
            let bytes = fresh.next();
            once(|| CostMap::from_json(bytes).unwrap()) - revision.get()
        })
        .beside(FLOOR, AtMost(4.0))
        .add("reload: the same, SHA-1, diff, swap", || {
            let bytes = live.next();
            once(|| map.reload_from_bytes(bytes).unwrap())
        })
        .beside(FLOOR, NoGoal)
        .add("reload, with a cache on disk", || once(|| kept.reload().unwrap()))
        .beside(FLOOR, NoGoal);
    suite.run(&format!("{title}, {} bytes", text.len()), rounds);
}

/// Measures a hot hit and a reload, of a map and of one with ten times the models.
fn measure_tenfold(text: &str, tenfold: &str) {
    let (few, many) = (CostMap::from_json(text).unwrap(), CostMap::from_json(tenfold).unwrap());
    let usage = Usage::new(12_000, 900).cached_tokens(8_000);
    let mut seeded = Seeded::new(11);
    let priced: Vec<String> = few.models();
    let priced: Vec<String> = priced.into_iter().filter(|key| few.total(key, &usage).is_ok()).collect();
    let hot = seeded.sample(&priced, 64);
    let order = seeded.picks(&hot, 8_192);
    let (small, large) = (Editions::of(text), Editions::of(tenfold));
    let mut suite = Suite::default();
    suite
        .add("map.total, hot", each(&order, |key| _ = black_box(few.total(key, &usage).unwrap())))
        .add("map.total, hot, of ten times the models", {
            each(&order, |key| _ = black_box(many.total(key, &usage).unwrap()))
        })
        .beside("map.total, hot", AtMost(2.0))
        .add("reload", || {
            let bytes = small.next();
            once(|| few.reload_from_bytes(bytes).unwrap())
        })
        .add("reload of ten times the models", || {
            let bytes = large.next();
            once(|| many.reload_from_bytes(bytes).unwrap())
        })
        .beside("reload", AtMost(12.0));
    suite.run(&format!("{} models and {}", few.len(), many.len()), 9);
}

/// Returns the map as upstream ships it.
fn upstream() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/catalogs/1.109.1.json.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Returns a map with the same rows ten times, each time under other names.
fn tenfold(text: &str) -> String {
    let rows: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
    let raw: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap();
    let mut all = Vec::with_capacity(10 * rows.len());
    for copy in 0..10 {
        for (name, json) in raw.iter().filter(|(name, _)| copy == 0 || *name != "fallback_generalizations") {
            let name = if copy == 0 { name.clone() } else { format!("copy-{copy}/{name}") };
            all.push(format!("{}: {json}", serde_json::to_string(&name).unwrap()));
        }
    }
    format!("{{{}}}", all.join(",\n"))
}

/// A source that alternates between the map with another price and the map as it was.
struct Editions {
    texts: [String; 2],
    turn: AtomicUsize,
}

impl Editions {
    fn of(text: &str) -> Self {
        let other = text.replacen("e-06", "e-07", 1);
        assert_ne!(text, other);
        Self { texts: [other, text.to_owned()], turn: AtomicUsize::new(0) }
    }

    fn next(&self) -> Vec<u8> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
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
