//! Compares prices with the reference's answers (LiteLLM 1.109.1), on every entry of the map.
//!
//! A line that differs on purpose falls into a class of its own. The tests assert the number of
//! lines in each class, and `tests/differences.rs` has the answers of this crate.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Expected, Vector, close};
use llm_costmap::wire::{Format, Response, Stream};
use llm_costmap::{Call, Cost, CostMap, Error, Snapshot, Units, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Returns the reason for which a line may differ from the reference, judged by its question alone.
/// Returns `None` if it may not differ.
fn on_purpose(snapshot: &Snapshot, vector: &Vector) -> Option<&'static str> {
    const TIERLESS: [&str; 8] = [
        "fireworks_ai",
        "xai",
        "deepseek",
        "tencent",
        "perplexity",
        "dashscope",
        "qwencloud",
        "qwen_ai_platform",
    ];
    let provider = snapshot
        .resolve(common::lookup(&vector.model, vector.provider.as_deref()))
        .ok()
        .and_then(|found| found.model_info().litellm_provider())
        .unwrap_or_default();
    if vector.service_tier.is_some() && TIERLESS.contains(&provider.as_str()) {
        return Some("tiers wherever the entry has them");
    }
    if provider == "perplexity" {
        return Some("cache and threshold rates on perplexity");
    }
    if vector.batch == Some(true) {
        return Some("batches: geo, speed, long writes");
    }
    let is_key = snapshot.get(&vector.model).is_some_and(|model| model.key() == vector.model);
    (vector.provider.is_none() && is_key).then_some("a key is itself")
}

/// Compares every line of a suite. Returns the number of agreements, and the number of differences
/// by class.
fn compare(suite: &str) -> (usize, BTreeMap<&'static str, usize>) {
    let snapshot = CostMap::from_json(common::catalog("1.109.1")).expect("a map").snapshot();
    let (mut agree, mut differ) = (0, BTreeMap::new());
    for vector in common::vectors::<Vector>(suite) {
        let bill = snapshot.cost(vector.lookup(), vector.call());
        // `Snapshot::total` equals the total of the bill.
        let total = snapshot.total(vector.lookup(), vector.call().accept_unknown());
        assert_eq!(total.ok(), bill.as_ref().ok().map(Cost::total), "{}", vector.id);
        // The reference prices at zero what has no price.
        let ours = match bill {
            Ok(cost) => Ok(cost.record()),
            Err(Error::Unpriced(partial)) => Ok(partial.record()),
            Err(error) => Err(error),
        };
        let expected = match &vector.expect {
            Expected { input: Some(input), output: Some(output), error: None } => Some((*input, *output)),
            Expected { error, .. } => {
                assert!(error.is_some(), "{suite} {}: no answer", vector.id);
                None
            }
        };
        let class = match (&ours, expected) {
            (Ok(cost), Some((input, output))) if close(cost.input, input) && close(cost.output, output) => {
                let sum: Option<_> = cost.lines.iter().map(|line| line.amount).sum();
                assert_eq!(sum, Some(cost.total), "{suite} {}: lines sum to the total", vector.id);
                agree += 1;
                continue;
            }
            (Ok(_), None) => "the reference errs, we answer",
            (Ok(cost), Some((input, output))) => on_purpose(&snapshot, &vector)
                .unwrap_or_else(|| panic!("{suite} {}: not {input} + {output}:\n{cost:?}", vector.id)),
            (Err(error), _) => panic!("{suite} {}: {error}", vector.id),
        };
        *differ.entry(class).or_insert(0) += 1;
    }
    (agree, differ)
}

#[test]
fn token_prices_agree_on_every_entry() {
    let (agree, differ) = compare("token");
    assert_eq!(agree, 4_532);
    assert_eq!(
        differ,
        BTreeMap::from([
            ("cache and threshold rates on perplexity", 12),
            ("the reference errs, we answer", 7),
        ])
    );
}

#[test]
fn tiers_thresholds_batches_and_multipliers_agree() {
    let (agree, differ) = compare("context");
    assert_eq!(agree, 1_904);
    assert_eq!(
        differ,
        BTreeMap::from([
            ("a key is itself", 1),
            ("batches: geo, speed, long writes", 16),
            ("cache and threshold rates on perplexity", 19),
            ("tiers wherever the entry has them", 64),
        ])
    );
}

/// Prices agree on every entry for any combination of tiers, batches, regions and lifetimes, also
/// of those that the entry does not mention.
#[test]
fn any_combination_agrees_on_every_entry() {
    let (agree, differ) = compare("mixed");
    assert_eq!(agree, 8_791);
    assert_eq!(
        differ,
        BTreeMap::from([
            ("a key is itself", 1),
            ("batches: geo, speed, long writes", 167),
            ("cache and threshold rates on perplexity", 24),
            ("the reference errs, we answer", 92),
            ("tiers wherever the entry has them", 27),
        ])
    );
}

/// A provider's response, and what the reference reads of it.
#[derive(Deserialize)]
struct Received {
    id: u64,
    format: Format,
    model: String,
    provider: Option<String>,
    body: Box<RawValue>,
    expect: Read,
}

#[derive(Deserialize)]
struct Read {
    input: f64,
    output: f64,
    prompt_tokens: u64,
    completion_tokens: u64,
}

/// Reads and prices every response of a suite. Returns their number, and the number of those whose
/// model has no price.
fn read(suite: &str) -> [usize; 2] {
    let snapshot = CostMap::from_json(common::catalog("1.109.1")).expect("a map").snapshot();
    let received = common::vectors::<Received>(suite);
    let mut unpriced = 0;
    for Received { id, format, model, provider, body, expect } in &received {
        let bytes = body.get().as_bytes();
        let response = Response::read_as(*format, bytes).unwrap_or_else(|e| panic!("{suite} {id}: {e}"));
        let recognised = Response::read(bytes).expect("a format");
        assert_eq!(recognised, response, "{suite} {id}");
        let mut stream = Stream::new();
        stream.push(bytes).expect("an event");
        assert_eq!(stream.response().expect("a usage"), response, "{suite} {id}");

        let usage = response.usage();
        assert_eq!(usage.prompt_tokens, expect.prompt_tokens, "{suite} {id}");
        assert_eq!(usage.completion_tokens, expect.completion_tokens, "{suite} {id}");
        // The reference prices at zero what has no price: a model that left the map.
        let cost = match snapshot.cost(common::lookup(model, provider.as_deref()), &response) {
            Ok(cost) => cost.record(),
            Err(Error::Unpriced(bill)) => bill.record(),
            Err(error) => panic!("{suite} {id}: {error}"),
        };
        unpriced += usize::from(!cost.complete);
        let agrees = close(cost.input, expect.input) && close(cost.output, expect.output);
        assert!(agrees, "{suite} {id}: not {} + {}:\n{cost:?}", expect.input, expect.output);

        let written = serde_json::to_string(usage).expect("a usage");
        assert_eq!(serde_json::from_str::<Usage>(&written).expect("a usage"), *usage, "{written}");
    }
    [received.len(), unpriced]
}

/// Every response of five formats is read and priced as by the reference, told its format or not.
#[test]
fn responses_agree() {
    assert_eq!([read("response"), read("body")], [[320, 20], [960, 60]]);
}

/// What the reference was asked about a call that is not billed by the token, and its answer.
#[derive(Deserialize)]
struct Measured {
    id: u64,
    model: String,
    provider: Option<String>,
    unit: String,
    amounts: Amounts,
    expect: Total,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Amounts {
    images: Option<u64>,
    characters: Option<u64>,
    seconds: Option<f64>,
    resolution: Option<String>,
    search_units: Option<u64>,
    total_tokens: Option<u64>,
    pages: Option<u64>,
    annotation_pages: Option<u64>,
    queries: Option<u64>,
    web_search_requests: Option<u64>,
    search_context_size: Option<String>,
}

#[derive(Deserialize)]
struct Total {
    total: Option<f64>,
    error: Option<String>,
}

impl Amounts {
    fn units(&self, unit: &str) -> Units {
        let mut units = Units::new();
        let seconds = self.seconds.map(Duration::from_secs_f64);
        (units.video, units.input_audio) = if unit == "video" { (seconds, None) } else { (None, seconds) };
        units.video_resolution.clone_from(&self.resolution);
        (units.images, units.input_characters) = (self.images, self.characters);
        (units.search_units, units.queries) = (self.search_units, self.queries);
        (units.pages, units.annotated_pages) = (self.pages, self.annotation_pages);
        units.search_context_size =
            self.search_context_size.as_deref().map(|size| size.parse().expect("a size"));
        units
    }
}

/// Images, seconds, characters, pages, search units, queries and searches agree on every entry that has
/// a price of them.
#[test]
fn units_and_searches_agree_on_every_entry() {
    let snapshot = CostMap::from_json(common::catalog("1.109.1")).expect("a map").snapshot();
    let (mut agree, mut differ) = (BTreeMap::new(), BTreeMap::new());
    for Measured { id, model, provider, unit, amounts, expect } in common::vectors::<Measured>("unit") {
        let units = amounts.units(&unit);
        // Tools are priced beside an answer without tokens.
        let tokens = amounts.total_tokens.or(amounts.web_search_requests.map(|_| 0));
        let mut usage = Usage::new(tokens.unwrap_or(0), 0);
        usage.prompt_tokens_details.web_search_requests = amounts.web_search_requests.unwrap_or(0);
        let call = if tokens.is_some() { Call::new(&usage).units(&units) } else { Call::from(&units) };
        let cost = snapshot
            .cost(common::lookup(&model, provider.as_deref()), call)
            .unwrap_or_else(|error| panic!("unit {id}: {error}"));
        let class = match expect.total {
            Some(total) if close(cost.total(), total) => {
                *agree.entry(unit).or_insert(0) += 1;
                continue;
            }
            Some(0.0) => "the reference has no amount",
            None => {
                assert!(expect.error.is_some(), "unit {id}: no answer");
                "the reference errs, we answer"
            }
            // A key that names a size is priced by it.
            Some(_) if model.starts_with("azure/") && model.contains("1792") => "the key names a size",
            Some(total) => panic!("unit {id}: not {total}: {cost}"),
        };
        assert!(!cost.total().is_zero(), "unit {id}: {cost}");
        *differ.entry(class).or_insert(0) += 1;
    }
    let agree: Vec<(&str, i32)> = agree.iter().map(|(unit, count)| (unit.as_str(), *count)).collect();
    assert_eq!(
        agree,
        [
            ("image", 297),
            ("ocr", 18),
            ("rerank", 33),
            ("search", 2),
            ("speech", 37),
            ("transcription", 96),
            ("video", 77),
            ("web_search", 285)
        ]
    );
    assert_eq!(
        differ,
        BTreeMap::from([
            ("the key names a size", 4),
            ("the reference errs, we answer", 14),
            ("the reference has no amount", 74),
        ])
    );
}
