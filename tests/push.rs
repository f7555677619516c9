//! Tests of maps that are pushed to the program.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::{Arc, Mutex};
use std::thread;

use common::{edition, price};
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, Error, Source};

/// A source that remembers the entity tags it is asked about, and never has anything new.
struct Watched(Arc<Mutex<Vec<Option<String>>>>);

impl Source for Watched {
    fn name(&self) -> String {
        "watched".to_owned()
    }

    fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
        self.0.lock().unwrap().push(previous.etag().map(str::to_owned));
        Ok(Fetched::unchanged())
    }
}

fn pushed(price: &str, etag: &str) -> Fetched {
    Fetched::new(edition(60, price)).validators(Validators::default().with_etag(etag))
}

#[test]
fn what_is_pushed_is_the_map_of_the_source() {
    let (asked, folder) = (Arc::new(Mutex::new(Vec::new())), tempfile::tempdir().unwrap());
    let build = || {
        let source = Watched(asked.clone());
        CostMap::builder().source(source).json(edition(60, "0")).cache_dir(folder.path()).build().unwrap()
    };
    let map = build();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let record = heard.clone();
    map.on_reload(move |result| {
        record.lock().unwrap().push(result.as_ref().map(|report| report.generation).ok());
    });
    let report = map.apply(pushed("1", "A")).unwrap();
    assert_eq!(
        (report.is_unchanged(), report.source.as_str(), report.etag.as_deref()),
        (false, "watched", Some("A"))
    );
    assert_eq!((report.cache_error, price(&map, "m-0").as_str()), (None, "1"));
    let info = map.source_info();
    assert_eq!((info.source, info.fallback_reason, info.etag.as_deref()), ("remote", None, Some("A")));
    assert!(map.status().last_run.is_some());
    // The same map once more: nothing is swapped, and nobody hears of it.
    for _ in 0..3 {
        assert!(map.apply(pushed("1", "A")).unwrap().is_unchanged());
    }
    assert!(map.apply(Fetched::unchanged()).unwrap().is_unchanged());
    assert_eq!((map.snapshot().generation(), heard.lock().unwrap().clone()), (2, vec![Some(2)]));
    // The next fetch asks about the validators that were pushed.
    assert!(map.reload().unwrap().is_unchanged());
    assert_eq!(*asked.lock().unwrap(), [Some("A".to_owned())]);
    // The next process starts with the map.
    assert_eq!(price(&build(), "m-0"), "1");

    // What is refused changes nothing, and the status says why.
    let error = map.apply(Fetched::new(edition(3, "2"))).unwrap_err();
    assert_eq!(error.to_string(), "watched has 3 models, fewer than 30: the map in use is kept");
    assert_eq!((map.status().failures, map.status().last_error), (1, Some(error.to_string())));
    map.hold();
    let last_run = map.status().last_run;
    assert!(matches!(map.apply(pushed("2", "B")), Err(Error::Held)));
    assert_eq!(map.status().last_run, last_run, "a map that is held was not reloaded");
    // The live one is pushed again: that is no change, and without validators nothing is forgotten.
    assert!(map.apply(Fetched::new(edition(60, "1"))).unwrap().is_unchanged());
    assert_eq!(map.status().etag.as_deref(), Some("A"));
    map.release();
    map.apply(pushed("2", "B")).unwrap();
    assert_eq!((price(&map, "m-0").as_str(), map.status().failures), ("2", 0));
}

#[test]
fn many_pushes_of_one_map_are_one_swap() {
    let map = CostMap::from_json(edition(60, "0")).unwrap();
    let swapped: usize = thread::scope(|scope| {
        let pushes: Vec<_> =
            (0..8).map(|_| scope.spawn(|| map.apply(pushed("1", "A")).unwrap().is_unchanged())).collect();
        pushes.into_iter().map(|push| usize::from(!push.join().unwrap())).sum()
    });
    assert_eq!((swapped, map.snapshot().generation(), price(&map, "m-0").as_str()), (1, 2, "1"));
    assert_eq!(map.source_info().origin, "the text that was handed in");
}
