//! Tests of pointers: documents that name the map in force.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{edition, price, wait_for};
use llm_costmap::reload::ReloadReport;
use llm_costmap::source::{Fetched, Pointer, PointerSource, PublishedMap, Validators};
use llm_costmap::{CostMap, Error, ErrorKind, Source};
use tempfile::TempDir;

/// A folder with maps and the pointer to one.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn document(&self) -> PathBuf {
        self.path("current.json")
    }

    /// Writes a map in which a token costs `price`, and returns a pointer to it.
    fn map(&self, price: &str) -> Pointer {
        let (name, text) = (format!("{price}.json"), edition(60, price));
        fs::write(self.path(&name), &text).unwrap();
        Pointer::to(text, name).unwrap()
    }

    fn point(&self, to: &Pointer) {
        self.write(&to.to_string());
    }

    /// Replaces the document as publishers do, so that nobody reads half of it.
    fn write(&self, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.document()).unwrap();
    }

    fn built(&self) -> CostMap {
        let source = PointerSource::file(self.document());
        let map = CostMap::builder().pointer(source).json(edition(60, "0"));
        map.build_and_fetch(Duration::from_secs(60)).unwrap()
    }
}

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_millis(400)
}

/// Returns a time that no test waits for.
fn far() -> SystemTime {
    SystemTime::now() + Duration::from_secs(100_000)
}

fn refusal(result: Result<ReloadReport, Error>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Pointer { .. }), "{error:?}");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "pointer"));
    error.to_string()
}

#[test]
fn a_pointer_is_followed_and_going_back_is_writing_the_old_one() {
    let folder = Folder::new();
    let (one, two) = (folder.map("1"), folder.map("2"));
    folder.point(&one);
    let map = folder.built();
    let revision = || map.status().source_revision;
    assert_eq!((price(&map, "m-0").as_str(), revision()), ("1", Some(one.map.revision.clone())));
    let info = map.source_info();
    assert_eq!((info.fallback_reason, info.origin), (None, folder.document().display().to_string()));
    // The same document, whose map is gone by now, changes nothing.
    fs::remove_file(folder.path("1.json")).unwrap();
    assert!(map.reload().unwrap().is_unchanged());
    // A new document with the map that is live does not fetch it either.
    folder.point(&one.clone().with_not_before(SystemTime::UNIX_EPOCH).unwrap());
    assert!(map.reload().unwrap().is_unchanged());
    assert_eq!(map.snapshot().generation(), 2);
    folder.point(&two);
    let report = map.reload().unwrap();
    assert_eq!((report.source_revision, report.pending), (Some(two.map.revision), None));
    assert_eq!(price(&map, "m-0"), "2");
    folder.map("1");
    folder.point(&one);
    assert_eq!((map.reload().unwrap().generation, price(&map, "m-0").as_str()), (4, "1"));
}

#[test]
fn a_change_of_the_document_is_seen_as_that_of_a_file() {
    let folder = Folder::new();
    folder.point(&folder.map("1"));
    let map = folder.built();
    assert_eq!(map.reload_if_changed().unwrap(), None);
    folder.point(&folder.map("2"));
    map.schedule_reload(Duration::from_secs(3_600)).unwrap();
    wait_for(|| (price(&map, "m-0") == "2").then_some(()));
    folder.point(&folder.map("3"));
    wait_for(|| (price(&map, "m-0") == "3").then_some(()));
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&one);
    let map = folder.built();
    let two = folder.map("2");
    let hash = "0".repeat(64);
    let text = edition(60, "2");
    let wrong_hash = two.to_string().replace(&two.map.sha256, &hash);
    let wrong_revision = two.to_string().replace(&two.map.revision, &"0".repeat(40));
    let at = folder.document().display().to_string();
    let (sha256, length) = (&two.map.sha256, text.len());
    let (cut, not_packed) = (text.trim_end_matches('}').to_owned(), [0x1f, 0x8b, 8, 0].to_vec());
    fs::write(folder.path("cut.json"), &cut).unwrap();
    let other = Pointer::to(cut, "x").unwrap().map;
    let cut = two.to_string().replace("2.json", "cut.json");
    fs::write(folder.path("damaged.json"), &not_packed).unwrap();
    let damaged = two.to_string().replace("2.json", "damaged.json");
    let cases = [
        (
            wrong_hash,
            format!("the bytes of 2.json: their SHA-256 is {sha256} ({length} bytes), and not {hash}"),
        ),
        (
            wrong_revision,
            format!(
                "the bytes of 2.json: their revision is {}, and not {}",
                two.map.revision,
                "0".repeat(40)
            ),
        ),
        (
            cut,
            format!(
                "the bytes of cut.json: their SHA-256 is {} ({} bytes), and not {sha256}",
                other.sha256,
                length - 2
            ),
        ),
        (
            two.to_string().replace("2.json", "file://other/2.json"),
            "its url is a file of another host, or no path".to_owned(),
        ),
        (
            two.to_string().replace("2.json", "s3://bucket/2.json"),
            if cfg!(feature = "http") {
                "its url cannot be fetched: s3://bucket/2.json: cannot fetch over s3; implement Source for it"
            } else {
                "its url takes the feature http, which this program was built without"
            }
            .to_owned(),
        ),
        (two.to_string().replace("2.json", "2 .json"), "url \"2 .json\" is not one".to_owned()),
        (two.to_string().replace(sha256, "abc"), "sha256 \"abc\" is not 64 hexadecimal digits".to_owned()),
        ("{}".to_owned(), "missing field `revision` at line 1 column 2".to_owned()),
        (String::new(), "EOF while parsing a value at line 1 column 0".to_owned()),
        (
            edition(5_000, "2"),
            format!(
                "{} bytes are no pointer: if this is a map, name it by url, file or source",
                edition(5_000, "2").len()
            ),
        ),
    ];
    for (count, (document, reason)) in (1..).zip(&cases) {
        folder.write(document);
        let said = refusal(map.reload());
        assert_eq!(said, format!("cannot use the pointer {at}: {reason}: the map in use is kept"));
        assert_eq!((map.status().failures, map.snapshot().generation()), (count, 2));
        assert_eq!(price(&map, "m-0"), "1");
    }
    folder.write(&damaged);
    let said = refusal(map.reload());
    let found = said.split("their SHA-256 is ").nth(1).unwrap().get(..64).unwrap();
    folder.write(&damaged.replace(sha256, found));
    let said = refusal(map.reload());
    let reason = if cfg!(feature = "gzip") { "gzip data that cannot be unpacked: " } else { "gzip data" };
    assert!(said.contains(&format!("the bytes of damaged.json: {reason}")), "{said}");
    folder.write(&two.to_string().replace("2.json", "3.json"));
    assert!(matches!(map.reload(), Err(Error::Io { .. })));
    // What is right is taken after all that.
    folder.point(&two);
    map.reload().unwrap();
    assert_eq!((price(&map, "m-0").as_str(), map.status().failures), ("2", 0));
}

#[test]
fn a_map_goes_live_at_its_time() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&one);
    let map = folder.built();
    let (sender, heard) = channel();
    map.on_reload(move |result| {
        sender.send(result.as_ref().map(ToString::to_string).map_err(ToString::to_string)).ok();
    });
    let at = soon();
    let two = folder.map("2").with_not_before(at).unwrap().with_previous(one.map.clone());
    let at = two.not_before.unwrap();
    folder.point(&two);
    let report = map.reload().unwrap();
    assert!(report.is_unchanged());
    let pending = report.pending.clone().unwrap();
    assert_eq!((pending.source_revision.as_str(), pending.models_count), (two.map.revision.as_str(), 60));
    assert_eq!(pending.not_before, at);
    let said = report.to_string();
    let expected = format!("2 has 60 models: unchanged; revision {} goes live at ", two.map.revision);
    assert!(said.contains(&expected) && said.ends_with("+00:00"), "{said}");
    let status = map.status();
    assert_eq!((status.pending.as_ref(), status.source_revision), (Some(&pending), Some(one.map.revision)));
    let json = serde_json::to_value(map.status()).unwrap();
    assert_eq!(json["pending"]["source_revision"], two.map.revision.as_str());
    assert_eq!(
        serde_json::from_value::<llm_costmap::reload::ScheduleStatus>(json).unwrap().pending,
        status.pending
    );
    // Nothing is fetched twice while it waits: the map's file may go.
    fs::remove_file(folder.path("2.json")).unwrap();
    assert_eq!(map.reload().unwrap().pending, Some(pending));
    let said = heard.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    assert!(
        said.ends_with("generation 3 has 60 models: 0 added, 0 removed, 60 prices changed, 0 rows set aside")
    );
    assert_eq!(price(&map, "m-0"), "2");
    assert!(map.snapshot().loaded_at() >= at, "not before its time");
    assert_eq!((map.status().pending, map.status().source_revision), (None, Some(two.map.revision)));
    assert!(map.reload().unwrap().is_unchanged());
    assert_eq!(map.source_info().fallback_reason, None);
}

#[test]
fn instances_that_start_before_the_time_use_the_map_before() {
    let folder = Folder::new();
    let (one, at) = (folder.map("1"), far());
    let two = folder.map("2").with_not_before(at).unwrap();
    folder.point(&two.clone().with_previous(one.map));
    let map = folder.built();
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("1", None));
    assert!(map.status().pending.is_some());
    // Without such a map, they start with what they have, and say why.
    folder.point(&two);
    let map = folder.built();
    assert_eq!(price(&map, "m-0"), "0");
    let reason = format!("{}, and the pointer names no map before it", map.status().pending.unwrap());
    let said =
        format!("cannot use the pointer {}: {reason}: the map in use is kept", folder.document().display());
    assert_eq!(map.source_info().fallback_reason, Some(said));
    // An instance that has a map of the source keeps that.
    folder.point(&folder.map("1"));
    let map = folder.built();
    folder.point(&two);
    let report = map.reload().unwrap();
    assert_eq!((report.is_unchanged(), report.pending.is_some()), (true, true));
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("1", None));
}

#[test]
fn a_map_that_waits_can_be_replaced_and_taken_back() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&one);
    let map = folder.built();
    let waits = || map.status().pending.map(|pending| pending.source_revision);
    let later = |price: &str, at: SystemTime| {
        folder.map(price).with_not_before(at).unwrap().with_previous(one.map.clone())
    };
    let two = later("2", far());
    folder.point(&two);
    map.reload().unwrap();
    assert_eq!(waits(), Some(two.map.revision.clone()));
    // A document that is wrong leaves it.
    folder.write("?");
    refusal(map.reload());
    assert_eq!(waits(), Some(two.map.revision));
    let three = later("3", far());
    folder.point(&three);
    map.reload().unwrap();
    assert_eq!(waits(), Some(three.map.revision.clone()));
    // A document that names another map takes its place, even if that map is missing.
    folder.write(&one.to_string().replace("1.json", "gone.json").replace(&one.map.revision, &"0".repeat(40)));
    assert!(matches!(map.reload(), Err(Error::Io { .. })));
    assert_eq!((waits(), price(&map, "m-0").as_str()), (None, "1"));
    folder.point(&three);
    map.reload().unwrap();
    assert_eq!(waits(), Some(three.map.revision));
    folder.point(&one);
    assert_eq!((map.reload().unwrap().pending, waits()), (None, None));
    // The same map at another time.
    folder.point(&later("4", far()));
    map.reload().unwrap();
    folder.point(&later("4", soon()));
    map.reload().unwrap();
    wait_for(|| (price(&map, "m-0") == "4").then_some(()));
    assert_eq!(map.snapshot().generation(), 3, "neither 2 nor 3 was live");
}

#[test]
fn guards_look_at_a_map_when_it_is_fetched_and_when_it_goes_live() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&one);
    let source = PointerSource::file(folder.document());
    let builder = CostMap::builder().pointer(source).json(edition(60, "0")).max_price_jump_ratio(0.5);
    let map = builder.build_and_fetch(Duration::from_secs(60)).unwrap();
    assert_eq!(price(&map, "m-0"), "1");
    let (sender, heard) = channel();
    map.on_reload(move |result| {
        sender.send(result.as_ref().map(|report| report.generation).map_err(Error::code)).ok();
    });
    folder.point(&folder.map("20").with_not_before(far()).unwrap().with_previous(one.map.clone()));
    for _ in 0..2 {
        assert!(matches!(map.reload(), Err(Error::PricesJumped { .. })), "it is refused each time");
        assert_eq!((map.status().pending, heard.recv().unwrap()), (None, Err("prices_jumped")));
    }
    // This one is fine when it is fetched, and no longer when its time comes.
    folder.point(&folder.map("2").with_not_before(soon()).unwrap().with_previous(one.map));
    map.reload().unwrap();
    map.reload_from_bytes_forced(edition(60, "100")).unwrap();
    assert_eq!(heard.recv().unwrap(), Ok(3));
    assert_eq!(heard.recv_timeout(Duration::from_secs(60)).unwrap(), Err("prices_jumped"));
    assert_eq!((price(&map, "m-0").as_str(), map.status().pending), ("100", None));
    assert!(matches!(map.reload(), Err(Error::PricesJumped { .. })), "the source still has that map");
}

#[test]
fn a_map_that_is_held_stays_when_the_time_of_another_comes() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&one);
    let map = folder.built();
    folder.point(&folder.map("2").with_not_before(soon()).unwrap().with_previous(one.map));
    map.reload().unwrap();
    map.hold();
    wait_for(|| map.status().pending.is_none().then_some(()));
    assert_eq!((price(&map, "m-0").as_str(), map.status().failures), ("1", 0));
    assert!(matches!(map.reload(), Err(Error::Held)));
    map.release();
    map.reload().unwrap();
    assert_eq!(price(&map, "m-0"), "2");
}

#[test]
fn the_last_handle_ends_the_wait() {
    let one = Pointer::to(edition(60, "1"), "1").unwrap();
    let two =
        Pointer::to(edition(60, "2"), "2").unwrap().with_not_before(far()).unwrap().with_previous(one.map);
    let alive = Arc::new(());
    let held = alive.clone();
    let source = PointerSource::source(Store(Arc::new(Mutex::new(two.to_string()))));
    let source = source.fetch_maps_with(move |url| {
        let _ = &held;
        Ok(edition(60, url).into_bytes())
    });
    let map = CostMap::builder().pointer(source).json(edition(60, "0")).build().unwrap();
    assert!(map.reload().unwrap().pending.is_some());
    drop(map);
    // The thread that waits keeps the source.
    wait_for(|| (Arc::strong_count(&alive) == 1).then_some(()));
}

/// A source of a document, without validators.
struct Store(Arc<Mutex<String>>);

impl Source for Store {
    fn name(&self) -> String {
        "store://prices".to_owned()
    }

    fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
        assert!(previous.is_empty(), "the store gave none");
        Ok(Fetched::new(self.0.lock().unwrap().clone()))
    }
}

#[test]
fn a_store_has_the_document_and_the_maps() {
    let fetched = Arc::new(Mutex::new(Vec::new()));
    let pointer = Pointer::to(edition(60, "1"), "prices/1").unwrap();
    let document = Arc::new(Mutex::new(pointer.to_string()));
    let log = fetched.clone();
    let source = PointerSource::source(Store(document.clone())).fetch_maps_with(move |url| {
        log.lock().unwrap().push(url.to_owned());
        match url {
            "prices/1" => Ok(edition(60, "1").into_bytes()),
            "prices/2" => panic!("https://user:SECRET@store/ is gone"),
            other => Err(format!("no key {other} at https://user:SECRET@store/").into()),
        }
    });
    let map = CostMap::builder().pointer(source).json(edition(60, "0")).build().unwrap();
    for _ in 0..3 {
        map.reload().unwrap();
    }
    assert_eq!(
        (price(&map, "m-0").as_str(), fetched.lock().unwrap().clone()),
        ("1", vec!["prices/1".to_owned()])
    );
    assert_eq!(map.source_info().url.as_deref(), Some("store://prices"));
    for (key, said) in [
        ("prices/2", "cannot fetch prices/2: it panicked: https://****@store/ is gone"),
        ("prices/3", "cannot fetch prices/3: no key prices/3 at https://****@store/"),
    ] {
        *document.lock().unwrap() = Pointer::to(edition(60, "2"), key).unwrap().to_string();
        assert_eq!(map.reload().unwrap_err().to_string(), said);
    }
    // Without that function, only web addresses can be fetched.
    let map = CostMap::builder().pointer(PointerSource::source(Store(document))).json(edition(60, "0"));
    let said = refusal(map.build().unwrap().reload());
    if cfg!(feature = "http") {
        assert_eq!(
            said,
            "cannot use the pointer store://prices: its url cannot be fetched: it is not one; write https://host/path: the map in use is kept"
        );
    }
}

#[test]
fn a_fetch_in_flight_does_not_put_off_a_map_whose_time_has_come() {
    let one = Pointer::to(edition(60, "1"), "1").unwrap();
    let document = Arc::new(Mutex::new(one.to_string()));
    let (ask, asked) = channel();
    let (go, goes) = channel::<()>();
    let (ask, goes) = (Mutex::new(ask), Mutex::new(goes));
    let source = PointerSource::source(Store(document.clone())).fetch_maps_with(move |url| {
        if url == "3" {
            ask.lock().unwrap().send(()).ok();
            goes.lock().unwrap().recv().ok();
        }
        Ok(edition(60, url).into_bytes())
    });
    let map = CostMap::builder().pointer(source).json(edition(60, "0")).build().unwrap();
    map.reload().unwrap();
    let later = |price: &str| Pointer::to(edition(60, price), price).unwrap().with_previous(one.map.clone());
    *document.lock().unwrap() = later("2").with_not_before(soon()).unwrap().to_string();
    map.reload().unwrap();
    *document.lock().unwrap() = later("3").to_string();
    thread::scope(|scope| {
        let reload = scope.spawn(|| map.reload());
        asked.recv().unwrap();
        wait_for(|| (price(&map, "m-0") == "2").then_some(()));
        go.send(()).unwrap();
        assert!(!reload.join().unwrap().unwrap().is_unchanged());
    });
    assert_eq!(price(&map, "m-0"), "3");
}

#[test]
fn documents_are_read_as_they_are_written() {
    let old = Pointer::to("{}", "old.json").unwrap();
    let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_795_246_886_500_000_999);
    let pointer =
        Pointer::to("{}", "https://h/a").unwrap().with_not_before(at).unwrap().with_previous(old.map);
    let pointer = pointer.with_signature(&[7; 64]);
    let text = pointer.to_string();
    assert!(text.contains(r#""not_before": "2026-11-21T07:41:26.500000+00:00""#), "{text}");
    assert_eq!(text.parse::<Pointer>().unwrap(), pointer);
    assert_eq!(
        pointer.signed_text().lines().skip(3).collect::<Vec<_>>(),
        [
            "https://h/a",
            "2026-11-21T07:41:26.500000+00:00",
            "9e26dfeeb6e641a33dae4961196235bdb965b21b",
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "old.json"
        ]
    );
    // Upper case, a `Z` and nanoseconds are read as well.
    let other = text.replace("44136fa3", "44136FA3").replace("500000+00:00", "5000009Z");
    let other: Pointer = other.parse().unwrap();
    assert_eq!((other.signed_text(), other == pointer), (pointer.signed_text(), true));
    // What changes what is signed removes the signature.
    assert_eq!(pointer.with_not_before(at).unwrap().signature, None);
    let error = "[]".parse::<Pointer>().unwrap_err().to_string();
    assert!(error.starts_with("cannot use the pointer the text that was handed in: "), "{error}");
    let error = Pointer::to([0x1f, 0x8b].as_slice(), "a").unwrap_err();
    assert!(matches!(error, Error::Pointer { .. }));
    assert_eq!(
        Pointer::to("{}", "").unwrap_err().to_string(),
        "cannot use the pointer the text that was handed in: url \"\" is not one: the map in use is kept"
    );
    let PublishedMap { revision, .. } = Pointer::to("{}", "a").unwrap().map;
    assert_eq!(revision, "9e26dfeeb6e641a33dae4961196235bdb965b21b");
}

#[test]
fn a_document_is_what_it_says_or_nothing() {
    let pointer = Pointer::to("{}", "a").unwrap();
    let error = |text: String| text.parse::<Pointer>().unwrap_err().to_string();
    let mistyped = pointer.to_string().replacen('{', "{\"not-before\": \"2999-01-01T00:00:00Z\",", 1);
    assert!(error(mistyped).contains("unknown field `not-before`, expected one of `revision`, "));
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert_eq!(
        pointer.with_not_before(later).unwrap_err().to_string(),
        "cannot use the pointer the text that was handed in: not_before is beyond the year 9999: the map in use is kept"
    );
    let error = Pointer::to("{}", "https://user:SECRET@host/a b").unwrap_err().to_string();
    assert!(error.contains("url \"https://****@host/a b\" is not one"), "{error}");
}

#[test]
fn a_time_that_comes_during_the_fetch_has_come() {
    let (one, two) =
        (Pointer::to(edition(60, "1"), "1").unwrap(), Pointer::to(edition(60, "2"), "2").unwrap());
    let at = soon();
    let document = two.with_not_before(at).unwrap().with_previous(one.map);
    let source = PointerSource::source(Store(Arc::new(Mutex::new(document.to_string()))));
    let source = source.fetch_maps_with(move |url| {
        if url == "1" {
            wait_for(|| (SystemTime::now() > at).then_some(()));
        }
        Ok(edition(60, url).into_bytes())
    });
    let map = CostMap::builder().pointer(source).json(edition(60, "0")).build().unwrap();
    let report = map.reload().unwrap();
    assert_eq!(
        (price(&map, "m-0").as_str(), report.generation, report.pending),
        ("2", 2, None),
        "1 was never live"
    );
}

#[test]
fn a_map_of_later_that_is_wrong_does_not_hide_the_one_of_now() {
    let folder = Folder::new();
    let (one, two) = (folder.map("1"), folder.map("2"));
    let later =
        |pointer: &Pointer| pointer.clone().with_not_before(far()).unwrap().with_previous(one.map.clone());
    fs::remove_file(folder.path("2.json")).unwrap();
    folder.point(&later(&two));
    // An instance starts with the map of now.
    let map = folder.built();
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("1", None));
    assert!(matches!(map.reload(), Err(Error::Io { .. })), "it is looked for at each reload");
    folder.map("2");
    assert_eq!(map.reload().unwrap().pending.unwrap().source_revision, two.map.revision);
    // One that cannot be used takes the place of one that waits: no document names that any more.
    let wrong = later(&folder.map("3")).to_string().replace("3.json", "2.json");
    folder.write(&wrong);
    refusal(map.reload());
    assert_eq!((map.status().pending, price(&map, "m-0").as_str()), (None, "1"));
    // And one of now that cannot be fetched does not keep the one of later from its time.
    let gone = folder.map("4").with_not_before(soon()).unwrap();
    folder.point(&gone.with_previous(Pointer::to(edition(60, "9"), "9.json").unwrap().map));
    assert!(matches!(map.reload(), Err(Error::Io { .. })));
    wait_for(|| (price(&map, "m-0") == "4").then_some(()));
}

#[test]
fn listeners_hear_of_the_map_of_now_beside_the_one_that_is_refused() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&folder.map("20").with_not_before(far()).unwrap().with_previous(one.map));
    let source = PointerSource::file(folder.document());
    let builder = CostMap::builder().pointer(source).json(edition(60, "1.5")).max_price_jump_ratio(0.5);
    let (sender, heard) = channel();
    let builder = builder.on_reload(move |result| {
        sender.send(result.as_ref().map(|report| report.generation).map_err(Error::code)).ok();
    });
    let map = builder.build().unwrap();
    assert!(matches!(map.reload(), Err(Error::PricesJumped { .. })));
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Ok(2), Err("prices_jumped")]);
    assert_eq!((price(&map, "m-0").as_str(), map.status().failures), ("1", 1));
}

#[test]
fn a_restart_fetches_the_map_that_waited() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&folder.map("2").with_not_before(far()).unwrap().with_previous(one.map));
    let map = folder.built();
    map.schedule_reload(Duration::from_secs(3_600)).unwrap();
    wait_for(|| {
        map.status()
            .next_run
            .is_some_and(|next| next > SystemTime::now() + Duration::from_secs(60))
            .then_some(())
    });
    let status = map.status();
    drop(map);
    let source = PointerSource::file(folder.document());
    let map = CostMap::builder().pointer(source).json(edition(60, "0")).build().unwrap();
    map.restore_schedule(&status).unwrap();
    wait_for(|| (map.status().pending == status.pending).then_some(()));
    assert_eq!(price(&map, "m-0"), "1");
}

#[test]
fn a_release_catches_up_with_what_was_taken_back() {
    let folder = Folder::new();
    let one = folder.map("1");
    folder.point(&folder.map("2").with_not_before(far()).unwrap().with_previous(one.map.clone()));
    let map = folder.built();
    map.schedule_reload(Duration::from_secs(3_600)).unwrap();
    wait_for(|| map.status().pending.is_some().then_some(()));
    map.hold();
    folder.point(&one);
    assert!(matches!(map.reload(), Err(Error::Held)));
    map.release();
    wait_for(|| map.status().pending.is_none().then_some(()));
    assert_eq!(price(&map, "m-0"), "1");
}

#[cfg(feature = "gzip")]
#[test]
fn the_hash_is_that_of_the_packed_bytes_and_the_revision_that_of_the_text() {
    use std::io::Write;

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(edition(60, "2").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let folder = Folder::new();
    fs::write(folder.path("2.json.gz"), &packed).unwrap();
    let (pointer, plain) = (Pointer::to(packed, "2.json.gz").unwrap(), folder.map("2"));
    assert_eq!(pointer.map.revision, plain.map.revision);
    assert_ne!(pointer.map.sha256, plain.map.sha256);
    folder.point(&pointer);
    assert_eq!(price(&folder.built(), "m-0"), "2");
}

#[cfg(feature = "http")]
mod over_http {
    use super::*;
    use std::io::Write;

    use common::server::{Server, answer};
    use llm_costmap::HttpSource;

    /// A server of a document at `/p/current.json`, which a bearer token opens, and of a map below `/maps`.
    fn server(document: &Arc<Mutex<String>>) -> Server {
        let document = document.clone();
        Server::new(move |request, connection| {
            let text = document.lock().unwrap().clone();
            let etag = format!("\"{}\"", text.len());
            match request.path.as_str() {
                "/p/current.json" if request.header("authorization") != Some("Bearer x") => {
                    answer(connection, "401 Unauthorized", &[], b"");
                }
                "/p/current.json" if request.header("if-none-match") == Some(&etag) => {
                    answer(connection, "304 Not Modified", &[], b"");
                }
                "/p/current.json" => answer(connection, "200 OK", &[("etag", &etag)], text.as_bytes()),
                "/maps/encoded.json.gz" => {
                    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                    packed.write_all(edition(60, "5").as_bytes()).unwrap();
                    answer(connection, "200 OK", &[("content-encoding", "gzip")], &packed.finish().unwrap());
                }
                "/maps/cut.json" => {
                    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{\"m-0\"";
                    connection.write_all(head).ok();
                }
                path => {
                    let price = path.trim_start_matches("/maps/").trim_end_matches(".json");
                    answer(connection, "200 OK", &[], edition(60, price).as_bytes());
                }
            }
        })
    }

    fn pointer(server: &Server) -> PointerSource {
        let url = server.url().replace("map.json", "p/current.json");
        let source = HttpSource::new(url).header("authorization", "Bearer x").attempts(1);
        PointerSource::http(source)
    }

    #[test]
    fn the_document_and_the_map_come_from_a_server() {
        let to = |price: &str, url: String| Pointer::to(edition(60, price), url).unwrap().to_string();
        let document = Arc::new(Mutex::new(to("1", "../maps/1.json".to_owned())));
        let here = server(&document);
        let map = CostMap::builder().pointer(pointer(&here)).json(edition(60, "0")).build().unwrap();
        let report = map.reload().unwrap();
        assert_eq!((price(&map, "m-0").as_str(), report.etag.is_some()), ("1", true));
        assert!(map.reload().unwrap().is_unchanged());
        let asked = |server: &Server| -> Vec<(String, bool)> {
            let asked = server.asked().into_iter();
            asked.map(|request| (request.path.clone(), request.header("authorization").is_some())).collect()
        };
        let current = ("/p/current.json".to_owned(), true);
        assert_eq!(asked(&here), [current.clone(), ("/maps/1.json".to_owned(), true), current]);
        // Another server is not told the headers.
        let other = server(&document);
        *document.lock().unwrap() = to("2", other.url().replace("map.json", "maps/2.json"));
        map.reload().unwrap();
        assert_eq!(price(&map, "m-0"), "2");
        assert_eq!(asked(&other), [("/maps/2.json".to_owned(), false)]);
        // Bodies that break off, and URLs that lead elsewhere.
        *document.lock().unwrap() = to("3", "../maps/cut.json".to_owned());
        let error = map.reload().unwrap_err();
        assert!(matches!(error, Error::Fetch { .. }), "{error}");
        let name = here.url().replace("map.json", "p/current.json");
        for (url, reason) in [
            ("file:///etc/passwd", "a pointer to file:///etc/passwd, which is not a web address"),
            ("ftp://u:SECRET@h/", "a pointer to ftp://****@h/, which is not a web address"),
            ("https://h:99999/", "a pointer to https://h:99999/, which is not a web address"),
        ] {
            *document.lock().unwrap() = to("3", url.to_owned());
            let expected = format!("cannot use the pointer {name}: {reason}: the map in use is kept");
            assert_eq!(refusal(map.reload()), expected);
        }
        // What the server unpacks on the way is not what was hashed.
        *document.lock().unwrap() = to("6", "../maps/encoded.json.gz".to_owned());
        let said = refusal(map.reload());
        assert!(
            said.ends_with(
                "; they were unpacked on the way: send no Content-Encoding: the map in use is kept"
            ),
            "{said}"
        );
        assert_eq!((price(&map, "m-0").as_str(), map.status().failures), ("2", 5));
        // Credentials of the map's own URL are those that are sent.
        let own = here.url().replace("http://", "http://name:word@").replace("map.json", "maps/7.json");
        *document.lock().unwrap() = to("7", own);
        map.reload().unwrap();
        let sent = here.asked().into_iter().find(|request| request.path == "/maps/7.json").unwrap();
        assert_eq!(sent.header("authorization"), Some("Basic bmFtZTp3b3Jk"));
        let error = map.schedule_reload(Duration::from_secs(2)).unwrap_err().to_string();
        assert_eq!(error, "invalid schedule_reload: 2s is less than 60s, the shortest interval for a URL");
    }

    #[test]
    fn the_last_handle_cuts_the_fetch_of_a_map() {
        let (ask, asked) = channel();
        let (go, goes) = channel::<()>();
        let (ask, goes) = (Mutex::new(ask), Mutex::new(goes));
        let document = Pointer::to(edition(60, "1"), "/hangs").unwrap().to_string();
        let server = Server::new(move |request, connection| {
            if request.path == "/hangs" {
                ask.lock().unwrap().send(()).ok();
                goes.lock().unwrap().recv().ok();
            }
            answer(connection, "200 OK", &[], document.as_bytes());
        });
        let alive = Arc::new(());
        let held = alive.clone();
        let source = PointerSource::url(server.url());
        let map = CostMap::builder()
            .pointer(source)
            .on_reload(move |_| drop(held.clone()))
            .json(edition(60, "0"))
            .build()
            .unwrap();
        map.schedule_reload(Duration::from_secs(3_600)).unwrap();
        asked.recv().unwrap();
        drop(map);
        // The reload thread keeps the listeners.
        wait_for(|| (Arc::strong_count(&alive) == 1).then_some(()));
        drop(go);
    }
}

#[cfg(feature = "signatures")]
mod signed {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn sign(pointer: Pointer, key: &Ed25519KeyPair) -> Pointer {
        let signature = key.sign(pointer.signed_text().as_bytes());
        pointer.with_signature(signature.as_ref().try_into().unwrap())
    }

    fn public(key: &Ed25519KeyPair) -> String {
        STANDARD.encode(key.public_key().as_ref())
    }

    #[test]
    fn only_pointers_of_trusted_keys_are_followed() {
        let [ours, old, theirs] =
            [1, 2, 3].map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
        let folder = Folder::new();
        let one = folder.map("1");
        folder.point(&sign(one.clone(), &ours));
        let source = PointerSource::file(folder.document()).trust_key(public(&old)).trust_key(public(&ours));
        let map = CostMap::builder().pointer(source).json(edition(60, "0"));
        let map = map.build_and_fetch(Duration::from_secs(60)).unwrap();
        assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("1", None));
        let two = folder.map("2");
        let good = sign(two.clone().with_not_before(far()).unwrap().with_previous(one.map), &ours);
        let signature = good.signature.clone().unwrap();
        let later = good.to_string().replace(&signature, &sign(two.clone(), &ours).signature.unwrap());
        let moved = good.to_string().replace("2.json", "3.json");
        let none = "it has no signature, and must have one";
        let wrong = "its signature is of none of the trusted keys";
        let cases = [
            (two.to_string(), none),
            (sign(two.clone(), &theirs).to_string(), wrong),
            (later, wrong),
            (moved, wrong),
            (good.to_string().replace("1.json", "0.json"), wrong),
            (good.to_string().replace(&signature, signature.split_at(4).1), wrong),
            (good.to_string().replace(&signature, "?"), "its signature is not Base64"),
            (good.to_string().replace(&signature, ""), wrong),
        ];
        for (document, reason) in cases {
            folder.write(&document);
            let at = folder.document().display().to_string();
            assert_eq!(
                refusal(map.reload()),
                format!("cannot use the pointer {at}: {reason}: the map in use is kept")
            );
            assert_eq!((price(&map, "m-0").as_str(), map.status().pending), ("1", None));
        }
        folder.point(&good);
        assert!(map.reload().unwrap().pending.is_some());
        folder.point(&sign(two, &old));
        map.reload().unwrap();
        assert_eq!(price(&map, "m-0"), "2");
    }

    #[test]
    fn a_key_is_checked_when_the_map_is_built() {
        let source = PointerSource::file("p.json").trust_key(STANDARD.encode([1; 32])).trust_key("SECRET");
        let error = CostMap::builder().pointer(source).json("{}").build().unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid trust_key: key 2 is no Ed25519 public key: give its PEM, as `openssl pkey -pubout` prints it, or its 32 bytes in Base64"
        );
    }
}
