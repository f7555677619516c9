//! What several tests read: the reference's answers, and real catalogues.
#![allow(clippy::expect_used, clippy::panic, dead_code, unreachable_pub, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use flate2::read::GzDecoder;
use llm_costmap::{CostRequest, Lookup, Usage, Usd};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One question to the reference, and its answer.
#[derive(Deserialize)]
pub struct Vector {
    pub id: u64,
    pub model: String,
    pub provider: Option<String>,
    pub usage: Usage,
    pub at: String,
    pub service_tier: Option<String>,
    pub batch: Option<bool>,
    pub data_residency: Option<String>,
    pub vertex_location: Option<String>,
    pub expect: Expected,
}

/// The reference's input and output cost, or its error.
#[derive(Deserialize)]
pub struct Expected {
    pub input: Option<f64>,
    pub output: Option<f64>,
    pub error: Option<String>,
}

impl Vector {
    pub fn request(&self) -> CostRequest<'_> {
        let at: jiff::Timestamp = self.at.parse().expect("a time");
        let mut request = CostRequest::new(&self.model, &self.usage)
            .batch(self.batch.unwrap_or(false))
            .at(SystemTime::from(at));
        if let Some(provider) = &self.provider {
            request = request.provider(provider);
        }
        if let Some(tier) = &self.service_tier {
            request = request.service_tier(tier);
        }
        if let Some(region) = &self.data_residency {
            request = request.data_residency(region);
        }
        if let Some(location) = &self.vertex_location {
            request = request.vertex_location(location);
        }
        request
    }
}

/// Says that it is over, even where a test ends in a panic: readers in a loop would never end otherwise.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn open(name: &str) -> GzDecoder<std::fs::File> {
    GzDecoder::new(std::fs::File::open(data(name)).unwrap_or_else(|e| panic!("{name}: {e}")))
}

pub fn vectors<V: DeserializeOwned>(suite: &str) -> Vec<V> {
    let lines = BufReader::new(open(&format!("{suite}.jsonl.gz"))).lines();
    lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("a vector")).collect()
}

pub fn lookup<'a>(name: &'a str, provider: Option<&'a str>) -> Lookup<'a> {
    let lookup = Lookup::new(name);
    provider.map_or(lookup, |provider| lookup.provider(provider))
}

/// The map as a version of the reference shipped it.
pub fn catalog(version: &str) -> String {
    let mut text = String::new();
    open(&format!("catalogs/{version}.json.gz")).read_to_string(&mut text).expect("a catalogue");
    text
}

/// Whether an exact amount is what the reference calculated in floating point.
pub fn close(ours: Usd, reference: f64) -> bool {
    let ours = ours.as_f64();
    (ours - reference).abs() <= 1e-15 + 1e-9 * ours.abs().max(reference.abs())
}
