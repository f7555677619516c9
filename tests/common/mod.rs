//! Helpers of several tests: the answers of the reference (LiteLLM 1.109.1), and real catalogues.
#![allow(clippy::expect_used, clippy::panic, dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod server;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use flate2::read::GzDecoder;
use llm_costmap::{Call, CostMap, Lookup, Usage, Usd};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A question to the reference, and its answer.
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
    pub fn lookup(&self) -> Lookup<'_> {
        lookup(&self.model, self.provider.as_deref())
    }

    pub fn call(&self) -> Call<'_> {
        let at: jiff::Timestamp = self.at.parse().expect("a time");
        let mut call = Call::new(&self.usage).at(SystemTime::from(at));
        if self.batch.unwrap_or(false) {
            call = call.batch();
        }
        if let Some(tier) = &self.service_tier {
            call = call.service_tier(&**tier);
        }
        if let Some(region) = &self.data_residency {
            call = call.data_residency(region);
        }
        if let Some(location) = &self.vertex_location {
            call = call.vertex_location(location);
        }
        call
    }
}

/// Sets a flag when dropped, even if the test panics. Readers that loop until the flag is set would
/// never end otherwise.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Calls `look` until it returns a value, and returns that. Panics after a minute.
pub fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "it never comes");
        std::thread::yield_now();
    }
}

/// The threads of this process by name. Linux truncates names to 15 bytes.
pub struct Threads {
    before: Vec<String>,
}

impl Threads {
    pub fn now() -> Self {
        Self { before: Self::names() }
    }

    fn names() -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
        // A thread may end while its name is read.
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok()).collect()
    }

    fn count(names: &[String], of: &str) -> usize {
        names.iter().filter(|name| name.trim_end() == of).count()
    }

    /// Waits until this process has no more threads than before, of any name.
    pub fn wait_until_all_are_gone(&self) {
        wait_for(|| (Self::names().len() <= self.before.len()).then_some(()));
    }

    /// Returns how many more threads of a name there are than before.
    pub fn more(&self, of: &str) -> usize {
        Self::count(&Self::names(), of).saturating_sub(Self::count(&self.before, of))
    }

    pub fn wait_until_none_is_left(&self, of: &str) {
        let start = std::time::Instant::now();
        while self.more(of) > 0 {
            assert!(start.elapsed() < std::time::Duration::from_secs(10), "a thread is left");
            std::thread::yield_now();
        }
    }
}

/// Returns a map of `models` models in which an input token costs `price`.
pub fn edition(models: usize, price: &str) -> String {
    let model = |n| format!(r#""m-{n}": {{"litellm_provider": "x", "input_cost_per_token": {price}}}"#);
    format!("{{{}}}", (0..models).map(model).collect::<Vec<_>>().join(","))
}

/// Reads an amount of US dollars.
pub fn usd(text: &str) -> Usd {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Returns the price of one input token of a model.
pub fn price(map: &CostMap, model: &str) -> String {
    let cost = map.cost(model, &Usage::new(1, 0)).expect("a known model");
    cost.total().to_string()
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

/// Returns the map that a version of the reference shipped.
pub fn catalog(version: &str) -> String {
    let mut text = String::new();
    open(&format!("catalogs/{version}.json.gz")).read_to_string(&mut text).expect("a catalogue");
    text
}

/// Returns whether an exact amount equals the reference's amount, up to floating-point error.
pub fn close(ours: Usd, reference: f64) -> bool {
    let ours = ours.as_f64();
    (ours - reference).abs() <= 1e-15 + 1e-9 * ours.abs().max(reference.abs())
}
