//! What a price takes, beside its floor and a peer, in one run.
//!
//! The cases are interleaved: each round runs every case once over the same names in the same order, and the
//! median of the rounds counts. Ratios mean more than nanoseconds, since machines are noisy.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use genai_prices::{Calculator, PriceRequest, Usage as PeerUsage, UsageKey};
use llm_costmap::{CostMap, CostRequest, Usage};

const NAMES: usize = 64;
const ROUNDS: usize = 31;
/// How often a round goes over all names.
const PASSES: usize = 200;

/// A model that both libraries know.
struct Model {
    key: String,
    /// Its name without the provider, and the provider's name at the peer.
    peer_name: String,
    peer_provider: &'static str,
}

fn main() {
    let map = CostMap::bundled();
    let peer = Calculator::bundled();
    let peer_usage = PeerUsage::from([
        (UsageKey::INPUT_TOKENS, 12_000.0),
        (UsageKey::OUTPUT_TOKENS, 900.0),
        (UsageKey::CACHE_READ_TOKENS, 8_000.0),
    ]);
    let models = models(&map, peer, &peer_usage);
    assert_eq!(models.len(), NAMES, "models that both libraries price");
    let usage = Usage::new(12_000, 900).cached_tokens(8_000).reasoning_tokens(300);
    let snapshot = map.snapshot();
    // The floor is a lookup of the same names, among as many.
    let keys: Vec<String> = snapshot.models().map(|model| model.key().to_owned()).collect();
    let table: HashMap<&str, u64, foldhash::fast::RandomState> = map_of(keys.iter().map(String::as_str));

    let mut cases: Vec<Case<'_>> = vec![
        Case::new("foldhash get (floor)", 100, |m| {
            black_box(table.get(m.key.as_str()));
        }),
        Case::new("map.total", 100, |m| {
            black_box(map.total(&CostRequest::new(&m.key, &usage)).ok());
        }),
        Case::new("snapshot.total", 100, |m| {
            black_box(snapshot.total(&CostRequest::new(&m.key, &usage)).ok());
        }),
        Case::new("map.cost", 100, |m| {
            black_box(map.cost(&CostRequest::new(&m.key, &usage)).map(|cost| cost.total()).ok());
        }),
        Case::new("map.cost, itemised", 100, |m| {
            if let Ok(cost) = map.cost(&CostRequest::new(&m.key, &usage)) {
                cost.lines().for_each(|line| {
                    black_box(line.amount);
                });
            }
        }),
        Case::new("snapshot.cost", 100, |m| {
            black_box(snapshot.cost(&CostRequest::new(&m.key, &usage)).map(|cost| cost.total()).ok());
        }),
        Case::new("with a service tier", 100, |m| {
            let request = CostRequest::new(&m.key, &usage).service_tier("priority");
            black_box(map.cost(&request).map(|cost| cost.total()).ok());
        }),
        Case::new("genai-prices 0.2.1", 1, |m| {
            let request = PriceRequest::new(&m.peer_name, &peer_usage).with_provider_id(m.peer_provider);
            black_box(peer.calculate(&request).ok());
        }),
    ];
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.round(&models);
        }
    }
    report(&mut cases);
}

/// One thing to measure.
struct Case<'a> {
    name: &'static str,
    /// In per cent of the passes, for what is slow.
    share: usize,
    run: Box<dyn FnMut(&Model) + 'a>,
    nanoseconds: Vec<f64>,
}

impl<'a> Case<'a> {
    fn new(name: &'static str, share: usize, run: impl FnMut(&Model) + 'a) -> Self {
        Self { name, share, run: Box::new(run), nanoseconds: Vec::new() }
    }

    fn round(&mut self, models: &[Model]) {
        let passes = PASSES * self.share / 100;
        let start = Instant::now();
        for _ in 0..passes {
            for model in models {
                (self.run)(black_box(model));
            }
        }
        self.nanoseconds.push(start.elapsed().as_nanos() as f64 / (passes * models.len()) as f64);
    }

    fn median(&mut self) -> f64 {
        self.nanoseconds.sort_by(f64::total_cmp);
        self.nanoseconds.get(self.nanoseconds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

fn report(cases: &mut [Case<'_>]) {
    let medians: Vec<(&str, f64)> = cases.iter_mut().map(|case| (case.name, case.median())).collect();
    let of = |name: &str| medians.iter().find(|(n, _)| n.starts_with(name)).map_or(f64::NAN, |(_, m)| *m);
    println!("{NAMES} hot names, medians of {ROUNDS} interleaved rounds:");
    for (name, median) in &medians {
        println!("  {name:<24} {median:>9.1} ns   {:>7.2} x floor", median / of("foldhash"));
    }
    println!("genai-prices / map.total: {:.1}", of("genai-prices") / of("map.total"));
    println!("genai-prices / map.cost: {:.1}", of("genai-prices") / of("map.cost"));
}

/// The first models that both libraries price, in the map's order.
fn models(map: &CostMap, peer: &Calculator, usage: &PeerUsage) -> Vec<Model> {
    const PROVIDERS: [(&str, &str); 4] =
        [("openai", "openai"), ("anthropic", "anthropic"), ("mistral", "mistral"), ("groq", "groq")];
    let snapshot = map.snapshot();
    let known = snapshot.models().filter_map(|model| {
        let provider = model.litellm_provider()?;
        let (_, peer_provider) = PROVIDERS.iter().find(|(ours, _)| *ours == provider)?;
        let prefix = format!("{provider}/");
        let peer_name = model.key().strip_prefix(&prefix).unwrap_or(model.key()).to_owned();
        let request = PriceRequest::new(&peer_name, usage).with_provider_id(peer_provider);
        peer.calculate(&request).ok()?;
        Some(Model { key: model.key().to_owned(), peer_name, peer_provider })
    });
    known.take(NAMES).collect()
}

fn map_of<'a, S: std::hash::BuildHasher + Default>(
    names: impl Iterator<Item = &'a str>,
) -> HashMap<&'a str, u64, S> {
    names.zip(0..).collect()
}
