//! Tests of models that left the map: known by their last prices if they are kept, and unknown otherwise.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, SystemTime};

use common::catalog;
use llm_costmap::cost::{Note, PriceSet, PriceTerms};
use llm_costmap::lookup::Outcome;
use llm_costmap::{
    Call, CostMap, Deployment, Error, Lookup, RetiredModels, ServiceTier, Snapshot, Units, Usage,
};
use serde_json::{Value, json};

/// The releases of LiteLLM whose maps are at hand, oldest first.
const VERSIONS: [&str; 5] = ["1.60.0", "1.80.0", "1.95.0", "1.108.0", "1.109.1"];

fn keeping(map: &Value) -> CostMap {
    CostMap::builder().json(map.to_string()).retired(RetiredModels::Keep).build().expect("a map")
}

/// Returns the total of a call, or the error's code, and the notes.
fn priced(snapshot: &Snapshot, name: &str, call: Call<'_>) -> (String, Vec<Note>) {
    match snapshot.cost(name, call) {
        Ok(cost) => (cost.total().to_string(), cost.notes().collect()),
        Err(Error::Unpriced(bill)) => (format!("{bill}"), bill.notes().collect()),
        Err(error) => (error.code().to_owned(), Vec::new()),
    }
}

/// The retired model that tests use costs this for a million prompt tokens.
fn a_million() -> Usage {
    Usage::new(1_000_000, 0)
}

#[test]
fn a_model_that_left_is_unknown_unless_it_is_kept() {
    let (before, after) = (json!({"old": {"input_cost_per_token": 1e-6}, "new": {}}), json!({"new": {}}));
    let map = CostMap::from_json(before.to_string()).unwrap();
    map.reload_from_bytes(after.to_string()).unwrap();
    let snapshot = map.snapshot();
    assert_eq!(priced(&snapshot, "old", Call::new(&a_million())), ("unknown_model".to_owned(), vec![]));
    assert_eq!(snapshot.retired_models().count(), 0);

    let map = keeping(&before);
    let report = map.reload_from_bytes(after.to_string()).unwrap();
    assert_eq!(report.diff.removed, ["old"]);
    let snapshot = map.snapshot();
    assert_eq!(priced(&snapshot, "old", Call::new(&a_million())), ("1".to_owned(), vec![Note::Retired]));
    // The second time, the name is remembered.
    assert_eq!(priced(&snapshot, "old", Call::new(&a_million())), ("1".to_owned(), vec![Note::Retired]));
    assert_eq!(snapshot.total("old", &a_million()).unwrap().to_string(), "1");
    assert_eq!(snapshot.total("old", &a_million()).unwrap().to_string(), "1");
    let missing = Usage::new(1, 1);
    assert_eq!(priced(&snapshot, "old", Call::new(&missing)).1, [Note::Retired]);
    // It is a model of the map no longer.
    assert_eq!((snapshot.len(), snapshot.models().count()), (1, 1));
    let words = Note::Retired.to_string();
    assert_eq!(words, "the model left the map; priced by its last prices");
}

#[test]
fn what_is_known_of_the_last_map_is_shown() {
    let map =
        keeping(&json!({"old": {"input_cost_per_token": 1e-6, "litellm_provider": "openai"}, "new": {}}));
    let first = map.generations().pop().unwrap();
    map.reload_from_bytes(r#"{"new": {"mode": "chat"}}"#).unwrap();
    map.reload_from_bytes(r#"{"new": {"mode": "embedding"}}"#).unwrap();
    map.add_deployment(
        Deployment::from_json(
            r#"{"model_name": "mine", "litellm_params": {"model": "openai/old"}, "model_info": {"id": "1"}}"#,
        )
        .unwrap(),
    )
    .unwrap();
    let snapshot = map.snapshot();
    let found = snapshot.resolve(Lookup::new("OLD").provider("openai")).unwrap();
    assert!(found.found_by().retired);
    assert_eq!(
        found.found_by().to_string(),
        "the name as given, a key, ignoring case, of a model that left the map"
    );
    assert_eq!(
        serde_json::to_value(found.found_by()).unwrap(),
        json!({"candidate": "as_given", "matched": "ignoring_case", "rewritten": false, "retired": true})
    );
    let retirement = found.retirement().unwrap();
    assert_eq!(retirement.source, "the text that was handed in");
    assert_eq!(retirement.source_revision, first.source_revision);
    let apart = first.loaded_at.duration_since(retirement.date).unwrap();
    assert!(apart < Duration::from_micros(1), "{apart:?}");
    let date = serde_json::to_value(&retirement).unwrap()["date"].as_str().unwrap().to_owned();
    assert_eq!(
        retirement.to_string(),
        format!(
            "last in the text that was handed in, revision {}, of {date}",
            first.source_revision.unwrap()
        )
    );

    let shown = serde_json::to_value(snapshot.model_info()).unwrap();
    assert_eq!(shown["data"][0]["model_info"]["retired"], serde_json::to_value(&retirement).unwrap());
    assert_eq!(shown["data"][0]["model_info"]["input_cost_per_token"], 1e-6);
    let cost = snapshot.deployment_cost("mine", &a_million()).unwrap();
    assert_eq!(
        (cost.total().to_string(), cost.notes().collect::<Vec<_>>()),
        ("1".into(), vec![Note::Retired])
    );
    assert_eq!(snapshot.get("new").unwrap().retirement(), None);
    assert_eq!(snapshot.get("old").unwrap().into_owned().retirement(), Some(&retirement));

    let explained = snapshot.explain("openai/old");
    assert!(matches!(&explained.steps.last().unwrap().outcome, Outcome::Retired { key, .. } if key == "old"));
    assert_eq!(
        explained.to_string(),
        "openai/old, of any provider\n  \
         openai/old (the name as given): no entry\n  \
         openai/old (the name without its provider): old left the map, and its last prices are kept\n\
         old"
    );
    // Strict lookups accept keys only, of models that left, too.
    assert!(snapshot.resolve(Lookup::new("old").provider("openai").strict()).unwrap().found_by().retired);
    assert!(snapshot.explain(Lookup::new("old").provider("openai").strict()).found.is_some());
    assert!(snapshot.resolve(Lookup::new("OLD").provider("openai").strict()).is_err());

    let model = map.resolve("old").unwrap();
    map.reload_from_bytes(r#"{"old": {"input_cost_per_token": 5e-6}}"#).unwrap();
    assert_eq!(model.retirement(), Some(retirement));
    assert_eq!(model.cost(&a_million()).unwrap().notes().collect::<Vec<_>>(), [Note::Retired]);
    assert_eq!(model.total(&a_million()).unwrap().to_string(), "1");
}

#[test]
fn live_models_take_precedence_whatever_they_are() {
    let map = keeping(&json!({
        "gpt-old": {"input_cost_per_token": 1e-6, "litellm_provider": "openai"},
        "together_ai/x-70b": {"input_cost_per_token": 1e-6, "litellm_provider": "together_ai"},
        "gone": {"input_cost_per_token": 1e-6, "litellm_provider": "openai", "aliases": ["also-gone"]},
        "odd": {"input_cost_per_token": 1e-6},
        "ollama/x": {"input_cost_per_token": 1e-6, "litellm_provider": "ollama"},
    }));
    let next = json!({
        "gpt-old": {"input_cost_per_token": 2e-6, "litellm_provider": "azure"},
        "together-ai-41.1b-80b": {"input_cost_per_token": 9e-7, "litellm_provider": "together_ai"},
        "odd": {"input_cost_per_token": -1},
        "b": {"aliases": ["also-gone"], "input_cost_per_token": 3e-6},
    });
    map.reload_from_bytes(next.to_string()).unwrap();
    let snapshot = map.snapshot();
    let of = |name| priced(&snapshot, name, Call::new(&a_million()));
    let total = |lookup: Lookup<'_>| snapshot.cost(lookup, &a_million()).map(|cost| cost.total().to_string());
    // The key is one of the map, though of another provider now.
    assert_eq!(total(Lookup::new("gpt-old").provider("openai")).unwrap_err().code(), "unknown_model");
    assert_eq!(of("together_ai/x-70b"), ("0.9".to_owned(), vec![]));
    assert_eq!(of("gone"), ("1".to_owned(), vec![Note::Retired]));
    assert_eq!(of("also-gone"), ("3".to_owned(), vec![]));
    // A row that was set aside has not left the map, and no other price stands in for it.
    assert_eq!(of("odd"), ("unknown_model".to_owned(), vec![]));
    // The last price goes before a guess.
    assert_eq!(of("ollama/x"), ("1".to_owned(), vec![Note::Retired]));

    // A model that returns is live, and its last prices are those of its last map when it leaves again.
    map.reload_from_bytes(r#"{"gone": {"input_cost_per_token": 7e-6}, "b": {}}"#).unwrap();
    assert_eq!(priced(&map.snapshot(), "gone", Call::new(&a_million())), ("7".to_owned(), vec![]));
    map.reload_from_bytes(r#"{"b": {}, "c": {}}"#).unwrap();
    assert_eq!(
        priced(&map.snapshot(), "gone", Call::new(&a_million())),
        ("7".to_owned(), vec![Note::Retired])
    );
    // What the operator registers goes before both.
    map.register_model("gone", json!({"input_cost_per_token": 8e-6})).unwrap();
    assert_eq!(priced(&map.snapshot(), "gone", Call::new(&a_million())), ("8".to_owned(), vec![]));
}

#[test]
fn prices_of_units_and_terms_apply_to_retired_models() {
    let map = keeping(&json!({
        "dall-e-x": {"litellm_provider": "openai", "mode": "image_generation"},
        "hd/512-x-512/dall-e-x": {"litellm_provider": "openai", "output_cost_per_image": 0.08, "mode": "image_generation"},
        "a": {"input_cost_per_token": 1e-6, "input_cost_per_token_priority": 2e-6},
    }));
    map.reload_from_bytes(r#"{"b": {}, "c": {}}"#).unwrap();
    let snapshot = map.snapshot();
    let image = Units::new().images(1).image_quality("hd").image_size("512x512".parse().unwrap());
    let of_image = |name| priced(&snapshot, name, Call::from(&image));
    assert_eq!(of_image("dall-e-x"), ("0.08".to_owned(), vec![Note::Retired]));
    assert_eq!(of_image("openai/dall-e-x"), ("0.08".to_owned(), vec![Note::Retired]));
    let usage = a_million();
    let urgent = Call::new(&usage).service_tier(ServiceTier::Priority);
    assert_eq!(priced(&snapshot, "a", urgent), ("2".to_owned(), vec![Note::Retired]));
    let set = PriceSet::from_json("mine", r#"{"a": {"input_cost_per_token": 3e-6}}"#).unwrap();
    let terms = PriceTerms::new().price_set(set);
    // All prices are those of the set.
    assert_eq!(priced(&snapshot, "a", Call::new(&usage).terms(&terms)), ("3".to_owned(), vec![]));
}

/// Prices of a size or a mode that left do not take the place of live prices of the model.
#[test]
fn live_prices_go_before_retired_ones_of_a_size() {
    let image = |price: f64| json!({"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": price});
    let map = keeping(&json!({"img": image(0.04), "1024-x-1024/img": image(0.08), "x": {}}));
    map.reload_from_bytes(json!({"img": image(0.02), "x": {}}).to_string()).unwrap();
    let unit = Units::new().images(1).image_size("1024x1024".parse().unwrap());
    assert_eq!(priced(&map.snapshot(), "img", Call::from(&unit)), ("0.02".to_owned(), vec![]));
    map.register_model("img", json!({"output_cost_per_image": 0.01})).unwrap();
    assert_eq!(priced(&map.snapshot(), "img", Call::from(&unit)), ("0.01".to_owned(), vec![]));
}

/// A row that is set aside has not left the map. When it leaves, its last good price is known.
#[test]
fn a_row_that_was_set_aside_before_it_left_keeps_its_last_good_price() {
    let row = |price: &str| format!(r#"{{"a": {{"input_cost_per_token": {price}}}, "b": {{}}, "c": {{}}}}"#);
    let map = CostMap::builder().json(row("1e-6")).retired(RetiredModels::Keep).build().unwrap();
    let of = |map: &CostMap| priced(&map.snapshot(), "a", Call::new(&a_million()));
    map.reload_from_bytes(row("-1")).unwrap();
    assert_eq!(of(&map), ("unknown_model".to_owned(), vec![]));
    let strict = |map: &CostMap| map.resolve(Lookup::new("a").provider("x").strict()).is_ok();
    assert!(!strict(&map));
    assert!(map.snapshot().retired_models().all(|model| model.key() != "a"));
    map.reload_from_bytes(r#"{"b": {}, "c": {}}"#).unwrap();
    assert_eq!(of(&map), ("1".to_owned(), vec![Note::Retired]));
    assert!(strict(&map));
    map.reload_from_bytes(row("-2")).unwrap();
    assert_eq!(of(&map), ("unknown_model".to_owned(), vec![]));
    map.reload_from_bytes(r#"{"b": {}, "c": {"mode": "chat"}}"#).unwrap();
    assert_eq!(of(&map), ("1".to_owned(), vec![Note::Retired]));
}

/// Names are understood by the providers of the live map as well.
#[test]
fn a_provider_of_live_models_is_one_of_retired_ones() {
    let map = keeping(&json!({
        "old-x": {"input_cost_per_token": 1e-6}, "new": {"litellm_provider": "acme"}, "b": {}
    }));
    let of = |name: &str| priced(&map.snapshot(), name, Call::new(&a_million()));
    assert_eq!(of("acme/old-x"), ("1".to_owned(), vec![]));
    map.reload_from_bytes(r#"{"new": {"litellm_provider": "acme"}, "b": {"mode": "chat"}}"#).unwrap();
    assert_eq!(of("acme/old-x"), ("1".to_owned(), vec![Note::Retired]));
}

#[test]
fn prices_of_others_than_the_model_have_no_note() {
    let map = keeping(&json!({"a": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}, "b": {}}));
    map.reload_from_bytes(r#"{"b": {}, "c": {}}"#).unwrap();
    let deployment =
        r#"{"model_name": "mine", "litellm_params": {"model": "a", "input_cost_per_token": 5e-6}}"#;
    map.add_deployment(Deployment::from_json(deployment).unwrap()).unwrap();
    let notes = |usage: &Usage| {
        let cost = map.deployment_cost("mine", usage).unwrap();
        (cost.total().to_string(), cost.notes().collect::<Vec<_>>())
    };
    assert_eq!(notes(&a_million()), ("5".to_owned(), vec![]));
    assert_eq!(notes(&Usage::new(1_000_000, 1_000_000)), ("7".to_owned(), vec![Note::Retired]));
}

/// The same models are known in the end, be they retired by reloads or bundled as retired.
#[test]
fn a_history_of_reloads_forgets_no_model() {
    let mut maps = VERSIONS.map(catalog).into_iter();
    let first = maps.next().unwrap();
    let map = CostMap::builder().json(first).retired(RetiredModels::Keep).build().unwrap();
    let mut counts = Vec::new();
    for text in maps {
        let report = map.reload_from_bytes(text).unwrap();
        counts.push(report.diff.removed.len());
    }
    assert_eq!(counts, [48, 195, 370, 0]);
    let snapshot = map.snapshot();
    // One model left with 1.80.0 and was back with 1.95.0.
    assert_eq!(snapshot.retired_models().count(), 612);
    let mut checked = 0;
    for version in VERSIONS {
        let own = CostMap::from_json(catalog(version)).unwrap().snapshot();
        for model in own.models() {
            assert!(snapshot.resolve(model.key()).is_ok(), "{version}: {}", model.key());
            checked += 1;
        }
    }
    assert_eq!(checked, 770 + 1_758 + 2_977 + 4_240 + 4_551);
}

#[cfg(all(feature = "retired", feature = "bundled"))]
mod bundled {
    use std::collections::HashMap;

    use super::*;

    fn day(text: &str) -> SystemTime {
        format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().into()
    }

    /// Every key of every map is priced or named unpriced. A retired model costs what it did by its last map.
    #[test]
    fn no_key_of_any_release_is_unknown() {
        let map = CostMap::builder().retired(RetiredModels::Keep).build().unwrap();
        let snapshot = map.snapshot();
        let mut last: HashMap<String, &str> = HashMap::new();
        let maps =
            VERSIONS.map(|version| (version, CostMap::from_json(catalog(version)).unwrap().snapshot()));
        for (version, own) in &maps {
            last.extend(own.models().map(|model| (model.key().to_owned(), *version)));
        }
        assert_eq!(last.len(), 4_551 + 612);
        let usages = [
            Usage::new(1_000, 500),
            Usage::new(300_000, 70_000).cached_tokens(100_000),
            Usage::new(130_000, 10),
        ];
        let (mut retired, mut alike) = (0, 0);
        for (key, version) in last {
            let found = snapshot.resolve(&key).unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(found.found_by().retired, version != "1.109.1" && found.key() == key, "{key}");
            if !found.found_by().retired {
                continue;
            }
            retired += 1;
            let own = &maps.iter().find(|(of, _)| *of == version).unwrap().1;
            for usage in &usages {
                match (snapshot.cost(&key, usage), own.cost(&key, usage)) {
                    (Ok(cost), Ok(then)) => {
                        assert_eq!((cost.total(), cost.key()), (then.total(), then.key()), "{key}");
                        assert!(cost.notes().any(|note| note == Note::Retired), "{key}");
                    }
                    (Err(Error::Unpriced(cost)), Err(Error::Unpriced(then))) => {
                        assert_eq!(
                            (cost.known_total(), cost.to_string()),
                            (then.known_total(), then.to_string())
                        );
                        assert!(cost.notes().any(|note| note == Note::Retired), "{key}");
                    }
                    (ours, theirs) => panic!("{key}: {ours:?} is not {theirs:?}"),
                }
                alike += 1;
            }
        }
        // The others have names that lead to live entries.
        assert_eq!((retired, alike), (596, 3 * 596));
    }

    #[test]
    fn the_last_release_with_a_model_is_told() {
        let map = CostMap::builder().retired(RetiredModels::Keep).build().unwrap();
        let snapshot = map.snapshot();
        assert_eq!(snapshot.retired_models().count(), 612);
        let retirement = snapshot.resolve("gemini-2.0-flash").unwrap().retirement().unwrap();
        assert_eq!((&*retirement.source, retirement.date), ("LiteLLM 1.95.0", day("2026-08-02")));
        assert_eq!(retirement.source_revision.as_deref(), Some("2cef600ea32f362a08ca70f16cb8475ad457ba46"));
        // The bundled map alone forgets, as the reference does.
        assert!(CostMap::bundled().snapshot().resolve("gemini-2.0-flash").is_err());
    }
}

/// With a history in a file, models that left are known after a restart as well.
#[test]
fn a_history_keeps_retired_models_across_restarts() {
    use llm_costmap::history::{History, Recording};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.history");
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    let history = History::open(&path).unwrap();
    for (seconds, map) in [
        (
            0,
            r#"{"old": {"input_cost_per_token": 1e-6}, "mine": {}, "gemini-2.0-flash": {"input_cost_per_token": 7e-6}}"#,
        ),
        (10, r#"{"old": {"input_cost_per_token": 2e-6}, "newer": {"input_cost_per_token": 4e-6}}"#),
        (20, r#"{"newer": {"input_cost_per_token": 5e-6}}"#),
    ] {
        history.record_map(map, Recording::new("them").effective_from(at(seconds))).unwrap();
    }
    history.record("contract", json!({"input_cost_per_token": 6e-6}), Recording::new("us")).unwrap();
    drop(history);
    let map = CostMap::builder()
        .json(r#"{"a": {}, "b": {}}"#)
        .history(History::open(&path).unwrap())
        .retired(RetiredModels::Keep)
        .build()
        .unwrap();
    let snapshot = map.snapshot();
    let of = |name| priced(&snapshot, name, Call::new(&a_million()));
    assert_eq!(of("old"), ("2".to_owned(), vec![Note::Retired]));
    assert_eq!(snapshot.resolve("old").unwrap().retirement().unwrap().date, at(10));
    // The map that the program starts with is older than the last one.
    assert_eq!(of("newer"), ("5".to_owned(), vec![Note::Retired]));
    // What was recorded by itself was in no map.
    assert_eq!(of("contract"), ("unknown_model".to_owned(), vec![]));
    // Of two rows of a model, the one of the later map counts.
    let bundled = cfg!(feature = "retired");
    assert_eq!(of("gemini-2.0-flash").0, if bundled { "0.1" } else { "7" });
    // A map of then is asked for what had left by then.
    let then = map.at(at(15)).unwrap();
    assert_eq!(
        priced(&then, "gemini-2.0-flash", Call::new(&a_million())),
        ("7".to_owned(), vec![Note::Retired])
    );
    assert_eq!(priced(&then, "old", Call::new(&a_million())), ("2".to_owned(), vec![]));
    assert_eq!(then.resolve("gemini-2.0-flash").unwrap().retirement().unwrap().date, at(0));
    assert_eq!(then.retired_models().count(), 2);
}
