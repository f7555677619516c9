//! Tests of the cache, the last good map on disk: what is kept, what is passed over, and that no
//! crash leaves it half written.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::error::Error;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use common::{edition, price};
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, CostMapBuilder, Source};

/// A store of one map with a version.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Option<(String, String)>>>);

impl Store {
    fn put(&self, version: &str, text: String) {
        *self.0.lock().unwrap() = Some((version.to_owned(), text));
    }
}

impl Source for Store {
    fn name(&self) -> String {
        "store://prices".to_owned()
    }

    fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn Error + Send + Sync>> {
        let (version, text) = self.0.lock().unwrap().clone().ok_or("the store is down")?;
        if previous.etag() == Some(&version) {
            return Ok(Fetched::unchanged());
        }
        Ok(Fetched::new(text)
            .validators(Validators::default().with_etag(version).with_last_modified("today")))
    }
}

fn builder(store: &Store, folder: &Path) -> CostMapBuilder {
    CostMap::builder().source(store.clone()).cache_dir(folder).json(edition(60, "1"))
}

/// Returns the files in a folder, sorted by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_map_starts_with_the_last_good_one() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("not/there/yet");
    let store = Store::default();
    let map = builder(&store, &folder).build().unwrap();
    assert_eq!(
        (map.source_info().origin.as_str(), map.status().cache_error),
        ("the text that was handed in", None)
    );
    store.put("v2", format!("\u{feff}{}", edition(60, "2")));
    let fetched = map.reload().unwrap();
    assert_eq!(fetched.cache_error, None);
    // Maps that a guard refuses, that are forced past a guard, or that are handed in are not
    // cached.
    store.put("v3", "{}".to_owned());
    map.reload().unwrap_err();
    map.reload_forced().unwrap();
    assert!(map.reload_forced().unwrap().is_unchanged());
    map.reload_from_bytes(edition(60, "4")).unwrap();
    assert_eq!(files(&folder).len(), 1);
    drop(map);

    let down = Store::default();
    let map = builder(&down, &folder).build().unwrap();
    let info = map.source_info();
    assert_eq!((info.source, info.origin.as_str(), info.fallback_reason), ("remote", "cache", None));
    assert_eq!((info.etag.as_deref(), info.source_revision), (Some("v2"), fetched.source_revision.clone()));
    assert_eq!(price(&map, "m-0"), "2");
    assert_eq!(map.generation(1).unwrap().source, "store://prices");
    // The fallback reason is the failure of the source.
    map.reload().unwrap_err();
    let said = "cannot fetch store://prices: the store is down";
    assert_eq!(map.source_info().fallback_reason.as_deref(), Some(said));
    // The validators in a cache are not trusted: the first reload fetches the whole map, the next
    // one need not.
    down.put("v2", format!("\u{feff}{}", edition(60, "2")));
    assert!(map.reload().unwrap().bytes > 0);
    assert_eq!(map.source_info().fallback_reason, None);
    down.put("v2", "never read".to_owned());
    assert!(map.reload().unwrap().is_unchanged());
    down.put("v5", format!("\u{feff}{}", edition(60, "2")));
    let same = map.reload().unwrap();
    assert_eq!(
        (same.is_unchanged(), same.etag.as_deref(), same.source_revision),
        (true, Some("v5"), fetched.source_revision)
    );
}

#[test]
fn a_file_that_cannot_be_read_starts_with_the_last_good_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("map.json");
    let build = || CostMap::builder().file(&path).cache_dir(home.path().join("cache")).build();
    fs::write(&path, edition(60, "2")).unwrap();
    let map = build().unwrap();
    // The map did not change, but it was not cached before.
    assert!(map.reload().unwrap().is_unchanged());
    fs::write(&path, "{half").unwrap();
    let map = build().unwrap();
    let said = format!("{} is not a model map: key must be a string (line 1, column 2)", path.display());
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("2", Some(said)));
    fs::write(&path, edition(60, "3")).unwrap();
    assert!(map.reload_if_changed().unwrap().is_some());
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("3", None));
    // Without a cache there is no fallback that the caller asked for.
    fs::remove_file(&path).unwrap();
    assert!(matches!(CostMap::from_file(&path).unwrap_err(), llm_costmap::Error::Io { .. }));
}

#[test]
fn an_empty_map_is_nothing_to_start_with() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::default();
    store.put("v2", "{}".to_owned());
    let map = builder(&store, home.path()).min_models(0).max_shrink_ratio(0.0).build().unwrap();
    assert_eq!(map.reload().unwrap().models_count, 0);
    assert!(map.is_empty());
    let map = builder(&store, home.path()).build().unwrap();
    assert_eq!((map.len(), map.status().cache_error), (60, None));
}

#[test]
fn a_bad_cache_is_passed_over_and_said_so() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::default();
    store.put("v2", edition(60, "2"));
    builder(&store, home.path()).build().unwrap().reload().unwrap();
    let path = files(home.path()).remove(0);
    let good = fs::read(&path).unwrap();
    let changed =
        |from: &str, to: &str| String::from_utf8(good.clone()).unwrap().replacen(from, to, 1).into_bytes();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let no_models = "{\"llm_costmap_cache\":1,\"source_id\":\"ID\",\"source\":\"\",\"source_revision\":\"9e26dfeeb6e641a33dae4961196235bdb965b21b\",\"etag\":null,\"last_modified\":null,\"bytes\":2}\n{}";
    let id = String::from_utf8_lossy(&good)
        .split("\"source_id\":\"")
        .nth(1)
        .unwrap()
        .get(..64)
        .unwrap()
        .to_owned();
    let cases = [
        ("cut short", good[..good.len() - 1].to_vec(), "damaged"),
        ("one bit", flipped, "damaged"),
        ("longer", [good.as_slice(), b" "].concat(), "damaged"),
        ("cut in the header", good[..50].to_vec(), "not a cache of this crate"),
        ("empty", Vec::new(), "not a cache of this crate"),
        ("a map", edition(60, "3").into_bytes(), "not a cache of this crate"),
        ("lines of something", b"a\nb\nc".to_vec(), "not a cache of this crate"),
        ("no text", vec![0xff; 100_000], "not a cache of this crate"),
        (
            "tomorrow's",
            changed("\"llm_costmap_cache\":1", "\"llm_costmap_cache\":2"),
            "of another version of this crate",
        ),
        ("another source's", changed(&id, &"0".repeat(64)), "of another source"),
        ("of no models", no_models.replace("ID", &id).into_bytes(), "it has no models"),
    ];
    for (name, bytes, reason) in cases {
        fs::write(&path, bytes).unwrap();
        let map = builder(&Store::default(), home.path()).build().unwrap();
        let said = if name == "of no models" {
            format!("the cache is ignored: {reason}")
        } else {
            format!("the cache {} is ignored: {reason}", path.display())
        };
        let info = map.source_info();
        assert_eq!(
            (price(&map, "m-0").as_str(), info.fallback_reason.as_ref()),
            ("1", Some(&said)),
            "{name}"
        );
        assert_eq!((map.status().cache_error.as_ref(), info.etag), (Some(&said), None), "{name}");
        // The next good map replaces the bad cache.
        let map = builder(&store, home.path()).build().unwrap();
        assert_eq!(map.reload().unwrap().cache_error, None, "{name}");
        assert_eq!((map.status().cache_error, fs::read(&path).unwrap() == good), (None, true), "{name}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let map = builder(&Store::default(), home.path()).build().unwrap();
    let said = format!("the cache {} is ignored: not a file", path.display());
    assert_eq!(map.source_info().fallback_reason, Some(said));
}

#[test]
fn sources_do_not_share_a_cache_and_its_name_tells_no_secret() {
    struct Other;
    impl Source for Other {
        fn name(&self) -> String {
            "https://user:secret@host/".to_owned()
        }
        fn fetch(&self, _: &Validators) -> Result<Fetched, Box<dyn Error + Send + Sync>> {
            Ok(Fetched::new(edition(60, "9")))
        }
    }
    let home = tempfile::tempdir().unwrap();
    let store = Store::default();
    store.put("v2", edition(60, "2"));
    builder(&store, home.path()).build().unwrap().reload().unwrap();
    let other = || CostMap::builder().source(Other).cache_dir(home.path()).json("{}").build().unwrap();
    assert!(other().is_empty());
    other().reload().unwrap();
    assert_eq!(price(&other(), "m-0"), "9");
    assert_eq!(price(&builder(&Store::default(), home.path()).build().unwrap(), "m-0"), "2");
    let files = files(home.path());
    assert_eq!(files.len(), 2);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("secret") && !file.display().to_string().contains("secret"));
    }
}

#[test]
fn a_map_goes_live_even_where_the_cache_cannot_be_written() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::default();
    store.put("v2", edition(60, "2"));
    let folder = home.path().join("cache");
    fs::write(&folder, "a file").unwrap();
    let map = builder(&store, &folder).build().unwrap();
    let report = map.reload().unwrap();
    let error = report.cache_error.unwrap();
    assert!(
        error.starts_with(&format!("cannot write the cache {}/llm-costmap-", folder.display())),
        "{error}"
    );
    assert!(error.ends_with(".cache: File exists (os error 17)"), "{error}");
    assert_eq!((price(&map, "m-0").as_str(), map.status().cache_error.as_ref()), ("2", Some(&error)));
    // The next reload tries to write the cache again, even if the map did not change.
    assert_eq!(map.reload().unwrap().cache_error, Some(error));
    fs::remove_file(&folder).unwrap();
    let report = map.reload().unwrap();
    assert_eq!((report.is_unchanged(), report.cache_error, map.status().cache_error), (true, None, None));
    assert_eq!(price(&builder(&Store::default(), &folder).build().unwrap(), "m-0"), "2");
    // The same bytes under another etag are written again, with the new etag.
    store.put("v3", edition(60, "2"));
    assert!(map.reload().unwrap().is_unchanged());
    assert!(fs::read_to_string(files(&folder).remove(0)).unwrap().contains(r#""etag":"v3""#));
    // A cache that is up to date is not written again.
    let written = fs::metadata(files(&folder).remove(0)).unwrap().modified().unwrap();
    map.reload().unwrap();
    assert_eq!(fs::metadata(files(&folder).remove(0)).unwrap().modified().unwrap(), written);
}

/// The body of the processes that the next tests start. It reloads in a loop, and each reload
/// writes the cache.
#[test]
#[ignore = "the process that others start"]
fn child_writing_the_cache() {
    struct Turns(AtomicUsize);
    impl Source for Turns {
        fn name(&self) -> String {
            "store://prices".to_owned()
        }
        fn fetch(&self, _: &Validators) -> Result<Fetched, Box<dyn Error + Send + Sync>> {
            let turn = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Fetched::new(large(if turn % 2 == 0 { "2" } else { "3" })))
        }
    }
    let Some(folder) = std::env::var_os("CACHE") else { return };
    let turns: usize = std::env::var("TURNS").ok().and_then(|turns| turns.parse().ok()).unwrap_or(usize::MAX);
    let map =
        CostMap::builder().source(Turns(AtomicUsize::new(0))).cache_dir(folder).json("{}").build().unwrap();
    println!("ready");
    for _ in 0..turns {
        let report = map.reload().unwrap();
        if let Some(error) = report.cache_error {
            println!("error {error}");
        }
    }
}

/// Returns a map that takes a while to write.
fn large(price: &str) -> String {
    format!(
        r#"{{"long": {{"comment": "{}"}}, {}"#,
        "x".repeat(1_000_000),
        edition(60, price).get(1..).unwrap()
    )
}

fn child(folder: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child_writing_the_cache", "--exact", "--ignored", "--nocapture"]).env("CACHE", folder);
    child
}

/// Returns a map that starts from the cache alone.
fn started(folder: &Path) -> CostMap {
    let map = CostMap::builder().source(Store::default()).cache_dir(folder).json("{}").build().unwrap();
    assert_eq!((map.status().cache_error, map.source_info().fallback_reason), (None, None));
    map
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_a_good_map() {
    let home = tempfile::tempdir().unwrap();
    assert!(child(home.path()).env("TURNS", "1").output().unwrap().status.success());
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..100 {
        // Two processes at a time share the folder.
        let mut children: Vec<_> =
            (0..2).map(|_| child(home.path()).stdout(Stdio::piped()).spawn().unwrap()).collect();
        for child in &mut children {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        }
        for child in &mut children {
            // The process is killed at a random instant.
            std::thread::sleep(Duration::from_micros(RandomState::new().hash_one(0) % 10_000));
            child.kill().unwrap();
            child.wait().unwrap();
            let map = started(home.path());
            assert_eq!((map.len(), map.source_info().origin.as_str()), (61, "cache"));
            *seen.entry(price(&map, "m-0")).or_insert(0) += 1;
        }
    }
    // The processes were killed between writes of either map.
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["2", "3"]);
    assert!(
        files(home.path()).iter().any(|file| file.extension().is_some_and(|end| end == "tmp")),
        "some were killed while they wrote"
    );
}

#[test]
fn no_room_on_the_disk_leaves_the_old_map() {
    let home = tempfile::tempdir().unwrap();
    assert!(child(home.path()).env("TURNS", "1").output().unwrap().status.success());
    let before = fs::read(files(home.path()).remove(0)).unwrap();
    // No file of that process may be longer than 100 KB, which simulates a full disk.
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "bash"]);
    let own = child(home.path());
    limited.arg(own.get_program()).args(own.get_args()).env("CACHE", home.path()).env("TURNS", "3");
    let output = String::from_utf8(limited.output().unwrap().stdout).unwrap();
    let path = files(home.path()).remove(0);
    let error = format!("error cannot write the cache {}: File too large (os error 27)", path.display());
    // The first of the three reloads fetches the map that is cached already, so it need not be
    // written.
    assert_eq!(output.lines().filter(|line| *line == error).count(), 2, "{output}");
    assert_eq!(files(home.path()).len(), 1, "what was begun is gone");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(price(&started(home.path()), "m-0"), "2");
}

#[test]
fn what_crashes_left_behind_is_swept_later() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::default();
    store.put("v2", edition(60, "2"));
    let map = builder(&store, home.path()).build().unwrap();
    map.reload().unwrap();
    let cache = files(home.path()).remove(0);
    let left = |name: &str, age: u64| {
        let path = PathBuf::from(format!("{}.{name}.tmp", cache.display()));
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        path
    };
    let (old, fresh) = (left("1-1", 3_600), left("1-2", 0));
    // A modification time in the future, from a clock that was set back since: the file may be in
    // the course of being written.
    let future = left("1-3", 0);
    fs::File::options()
        .write(true)
        .open(&future)
        .unwrap()
        .set_modified(SystemTime::now() + Duration::from_secs(3_600))
        .unwrap();
    let foreign = home.path().join("mine.tmp");
    fs::write(&foreign, "").unwrap();
    fs::File::options().write(true).open(&foreign).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    store.put("v3", edition(60, "3"));
    map.reload().unwrap();
    assert!(!old.exists() && fresh.exists() && future.exists() && foreign.exists());
}
