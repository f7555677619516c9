//! Tests of the lines that reloads write to the log. A program's logger is global, so this test has
//! a process of its own.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Mutex;

use common::edition;
use llm_costmap::CostMap;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Lines of the underlying libraries are not tested here.
        if record.target().starts_with("llm_costmap") && record.level() <= Level::Info {
            self.0.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[test]
fn swaps_failures_and_what_is_forced_are_logged() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    std::fs::write(&path, edition(60, "1")).unwrap();
    let cache = folder.path().join("no folder");
    std::fs::write(&cache, "").unwrap();
    let threads = common::Threads::now();
    let map = CostMap::builder().file(&path).cache_dir(&cache).build().unwrap();
    // Building a map starts no thread. This process has no other map.
    assert_eq!(threads.more("llm-costmap"), 0);
    map.on_reload(|result| assert!(result.is_ok(), "not good"));
    // The map did not change, which is not logged. It is not in the cache yet, so the reload
    // writes it there.
    let cache_error = map.reload().unwrap().cache_error.unwrap();
    std::fs::write(&path, edition(61, "2").replace("\"m-3\"", "\"new\"")).unwrap();
    assert_eq!(map.reload().unwrap().cache_error.as_ref(), Some(&cache_error));
    std::fs::write(&path, "{}").unwrap();
    map.reload().unwrap_err();
    map.reload_forced().unwrap();
    let path = path.display();
    assert_eq!(
        *LINES.0.lock().unwrap(),
        [
            format!("WARN {cache_error}"),
            format!("WARN {cache_error}"),
            format!(
                "INFO {path}: generation 2 has 61 models: 2 added, 1 removed, 59 prices changed, 0 rows set aside"
            ),
            format!("WARN not reloaded: {path} has no models: the map in use is kept"),
            "ERROR a listener panicked: not good".to_owned(),
            format!(
                "INFO {path}: generation 3 has 0 models: 0 added, 61 removed, 0 prices changed, 0 rows set aside"
            ),
            format!("WARN forced past a guard: {path} has no models: the map in use is kept"),
        ]
    );
}
