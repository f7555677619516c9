//! Tests with the stores that `object_store` has for a folder and for memory: conditional gets and all.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use llm_costmap::source::Pointer;
use llm_costmap::{CostMap, Error, Usage};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use object_store_source::ObjectStoreSource;

fn edition(price: &str) -> Vec<u8> {
    format!(r#"{{"m": {{"input_cost_per_token": {price}}}}}"#).into_bytes()
}

fn packed(price: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&edition(price)).unwrap();
    packed.finish().unwrap()
}

fn price(map: &CostMap) -> String {
    map.total("m", &Usage::new(1, 0)).unwrap().to_string()
}

async fn put(store: &InMemory, key: &str, bytes: Vec<u8>) {
    store.put(&Path::from(key), bytes.into()).await.unwrap();
}

fn source(store: &InMemory, key: &str) -> ObjectStoreSource {
    // A fork of this store shares its objects.
    let store: Box<dyn ObjectStore> = Box::new(Arc::new(store.clone()));
    ObjectStoreSource::new(store, Path::from(key), &format!("memory:///{key}")).unwrap()
}

#[tokio::test]
async fn a_map_in_memory_is_sent_when_it_changed() {
    let store = InMemory::new();
    let map = CostMap::builder().source(source(&store, "prices/map.json.gz")).json("{}").build().unwrap();
    let error = map.reload().unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot fetch memory:///prices/map.json.gz: "), "{error}");
    put(&store, "prices/map.json.gz", packed("1")).await;
    // This thread is one of a runtime.
    let report = map.reload().unwrap();
    assert_eq!((price(&map).as_str(), report.bytes, report.etag.is_some()), ("1", edition("1").len(), true));
    // Nothing is sent.
    let report = map.reload().unwrap();
    assert_eq!((report.is_unchanged(), report.bytes), (true, 0));
    put(&store, "prices/map.json.gz", packed("2")).await;
    let report = map.reload().unwrap();
    assert_eq!((price(&map).as_str(), report.diff.repriced.len()), ("2", 1));
    put(&store, "prices/map.json.gz", b"?".to_vec()).await;
    assert!(matches!(map.reload(), Err(Error::InvalidMap { .. })));
    assert_eq!(price(&map), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pointer_names_keys_of_its_store() {
    let store = InMemory::new();
    put(&store, "fleet/maps/1.json.gz", packed("1")).await;
    put(&store, "fleet/maps/2.json.gz", packed("2")).await;
    let one = Pointer::to(packed("1"), "maps/1.json.gz").unwrap();
    put(&store, "fleet/current.json", one.to_string().into_bytes()).await;
    let pointer = source(&store, "fleet/current.json").into_pointer();
    let map = CostMap::builder().pointer(pointer).json("{}");
    let map = map.build_and_fetch(Duration::from_secs(60)).unwrap();
    assert_eq!(price(&map), "1");
    let at = SystemTime::now() + Duration::from_millis(200);
    let two = Pointer::to(packed("2"), "/fleet/./x/../maps/2.json.gz").unwrap();
    let bad = two.to_string().replace("maps/2", "maps/1");
    put(&store, "fleet/current.json", bad.into_bytes()).await;
    assert!(matches!(map.reload(), Err(Error::Pointer { .. })));
    let two = Pointer::to(packed("2"), "./x/../maps/2.json.gz")
        .unwrap()
        .with_not_before(at)
        .unwrap()
        .with_previous(one.map);
    put(&store, "fleet/current.json", two.to_string().into_bytes()).await;
    assert!(map.reload().unwrap().pending.is_some());
    let start = SystemTime::now();
    while price(&map) != "2" {
        assert!(start.elapsed().unwrap() < Duration::from_secs(60), "it never goes live");
        tokio::task::yield_now().await;
    }
    assert!(map.snapshot().loaded_at() >= at);
    drop(map);
}

#[test]
fn a_folder_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.json");
    fs::write(&file, edition("1")).unwrap();
    let url = format!("file://{}", file.display());
    let map =
        CostMap::builder().source(ObjectStoreSource::from_url(&url).unwrap()).json("{}").build().unwrap();
    assert_eq!(map.reload().unwrap().source, url);
    assert_eq!((price(&map).as_str(), map.reload().unwrap().bytes), ("1", 0));
    fs::write(&file, edition("22")).unwrap();
    map.reload().unwrap();
    assert_eq!(price(&map), "22");
    let reason = |url: &str| ObjectStoreSource::from_url(url).err().unwrap().to_string();
    assert!(reason("nonsense").contains("relative URL"), "{}", reason("nonsense"));
    assert!(reason("ftp://host/key").contains("ftp"), "{}", reason("ftp://host/key"));
    let own = "credentials and settings are those of the environment, and not of the URL";
    assert_eq!(reason("az://container/key?sig=SECRET"), own);
    assert_eq!(reason("s3://name:SECRET@bucket/key"), own);
}

#[cfg(feature = "clouds")]
#[test]
fn clouds_are_known_by_their_urls() {
    for url in ["s3://bucket/key", "gs://bucket/key", "abfss://container@account.dfs.core.windows.net/key"] {
        let built = ObjectStoreSource::from_url(url).map(|source| llm_costmap::Source::name(&source));
        assert_eq!(built.map_err(|error| error.to_string()), Ok(url.to_owned()));
    }
}

#[test]
fn the_program_fetches_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("map.json");
    fs::write(&file, edition("1")).unwrap();
    let url = format!("file://{}", file.display());
    let run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_object-store-source")).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, said) = run(&[&url, "--once"]);
    assert_eq!(
        (code, said),
        (
            Some(0),
            format!(
                "{url}: generation 2 has 1 models: 1 added, 0 removed, 0 prices changed, 0 rows set aside\n"
            )
        )
    );
    let (code, said) = run(&[&format!("{url}x"), "--once"]);
    assert!(code == Some(1) && said.contains("cannot fetch file://"), "{said}");
    assert_eq!(run(&["--every", "x"]).0, Some(2));
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["--help"]).0, Some(0));
}
