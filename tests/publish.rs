//! Tests of the publisher `examples/publish.rs`, run as a process, and of instances that follow it.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "gzip", feature = "signatures"))]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use common::{edition, price};
use llm_costmap::CostMap;
use llm_costmap::source::{Pointer, PointerSource};

/// Runs the program, which is built along with the tests.
fn run(arguments: &[&str]) -> Output {
    let mut path = std::env::current_exe().expect("a path");
    path.pop();
    path.pop();
    let program = path.join("examples").join(format!("publish{}", std::env::consts::EXE_SUFFIX));
    Command::new(program).args(arguments).output().expect("the example is built")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

fn published(arguments: &[&str]) -> String {
    let (code, said) = said(&run(arguments));
    assert_eq!(code, Some(0), "{said}");
    said
}

fn refused(arguments: &[&str]) -> String {
    let (code, said) = said(&run(arguments));
    assert_eq!(code, Some(1), "{said}");
    said
}

fn pointer(folder: &Path) -> Pointer {
    fs::read_to_string(folder.join("current.json")).unwrap().parse().unwrap()
}

struct Shop {
    home: tempfile::TempDir,
    to: String,
}

impl Shop {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let to = home.path().join("out");
        fs::create_dir(&to).unwrap();
        Self { to: to.display().to_string(), home }
    }

    fn folder(&self) -> PathBuf {
        self.to.clone().into()
    }

    /// Writes a map in which a token costs `price`, and returns its path.
    fn map(&self, price: &str) -> String {
        let path = self.home.path().join(format!("{price}.json"));
        fs::write(&path, edition(60, price)).unwrap();
        path.display().to_string()
    }

    fn instance(&self, source: impl FnOnce(PointerSource) -> PointerSource) -> CostMap {
        let source = source(PointerSource::file(self.folder().join("current.json")));
        let map = CostMap::builder().pointer(source).json(edition(60, "0"));
        map.build_and_fetch(Duration::from_secs(60)).unwrap()
    }
}

#[test]
fn a_map_is_published_and_taken_back() {
    let shop = Shop::new();
    let to = &shop.to;
    let one = shop.map("1");
    let text = published(&[&one, "--to", to, "--dry-run"]);
    assert!(text.ends_with("nothing is written\n") && !shop.folder().join("current.json").exists(), "{text}");
    let text = published(&[&one, "--to", to]);
    assert!(text.contains("packed; no map is in force that it could be compared with\n"), "{text}");
    let map = shop.instance(|source| source);
    assert_eq!(price(&map, "m-0"), "1");
    let first = pointer(&shop.folder());
    assert_eq!(first.map.url, format!("maps/{}.json.gz", first.map.revision));
    assert_eq!((first.not_before, first.previous.clone(), first.signature.clone()), (None, None, None));
    let text = published(&[&one, "--to", to]);
    assert_eq!(text, format!("revision {} is in force already\n", first.map.revision));
    // A later time: the map before it is named.
    let text = published(&["--to", to, &shop.map("2"), "--at", "+1h"]);
    assert!(text.contains("0 added, 0 removed, 60 prices changed, 0 rows set aside"), "{text}");
    let second = pointer(&shop.folder());
    assert_eq!(second.previous, Some(first.map.clone()));
    let wait = second.not_before.unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(wait <= Duration::from_secs(3_600) && wait > Duration::from_secs(3_000), "{wait:?}");
    assert!(map.reload().unwrap().pending.is_some());
    // What waits is not in force: the map before it still is.
    let text = published(&["--to", to, &shop.map("3"), "--at", "2999-01-01T00:00:00Z"]);
    let gone = format!("\nrevision {}, which waits for its time, will not go live\n", second.map.revision);
    assert!(text.contains(&gone), "{text}");
    assert_eq!(pointer(&shop.folder()).previous, Some(first.map.clone()));
    published(&["--to", to, &shop.map("3")]);
    assert!(!map.reload().unwrap().is_unchanged());
    assert_eq!((price(&map, "m-0").as_str(), map.status().pending), ("3", None));
    published(&["--to", to, "--revision", &first.map.revision.split_at(8).0.to_uppercase()]);
    assert_eq!(pointer(&shop.folder()), first);
    map.reload().unwrap();
    assert_eq!(price(&map, "m-0"), "1");
    let text = refused(&["--to", to, "--revision", "xyz"]);
    assert_eq!(text, format!("publish: no map of {to}/maps has the revision \"xyz\"\n"));
    assert!(refused(&["--to", to, "--revision", ""]).contains("has the revision \"\""));
}

#[test]
fn a_map_that_must_be_wrong_is_not_published() {
    let shop = Shop::new();
    let to = &shop.to;
    published(&[&shop.map("1"), "--to", to]);
    let first = pointer(&shop.folder());
    let jump = shop.map("100");
    let text = refused(&[&jump, "--to", to, "--max-price-jump", "0.5"]);
    assert!(text.contains("changes prices of 60 of 60 models more than tenfold"), "{text}");
    assert!(text.ends_with("; --force publishes it nevertheless\n"), "{text}");
    let broken = shop.home.path().join("broken.json");
    fs::write(&broken, "{\"m\": {").unwrap();
    let broken = broken.display().to_string();
    let text = refused(&[&broken, "--to", to, "--force"]);
    assert!(text.contains("is not a model map"), "{text}");
    assert!(refused(&["/nowhere.json", "--to", to]).contains("/nowhere.json: "));
    fs::write(&broken, "{}").unwrap();
    assert!(refused(&[&broken, "--to", to]).contains("has no models"));
    assert_eq!(pointer(&shop.folder()), first);
    published(&[&jump, "--to", to, "--max-price-jump", "0.5", "--force"]);
    assert_eq!(price(&shop.instance(|source| source), "m-0"), "100");
}

#[test]
fn pointers_are_signed() {
    let shop = Shop::new();
    let to = &shop.to;
    let key = shop.home.path().join("key.pem").display().to_string();
    let text = published(&["--new-key", &key]);
    // The public key alone is on the standard output: the rest is for people.
    let public = text.lines().next().unwrap().to_owned();
    assert!(text.lines().nth(1).unwrap().ends_with("key.pem is the private key of:"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(refused(&["--new-key", &key]).contains("exists"), "a key is never replaced");
    published(&[&shop.map("1"), "--to", to, "--key", &key]);
    let trust = |source: PointerSource| source.trust_key(&public);
    assert_eq!(price(&shop.instance(trust), "m-0"), "1");
    published(&[&shop.map("2"), "--to", to]);
    let map = shop.instance(trust);
    assert_eq!(price(&map, "m-0"), "0");
    assert!(map.source_info().fallback_reason.unwrap().contains("it has no signature, and must have one"));
    // The same map is published once more if only the signature is new.
    published(&["--revision", &pointer(&shop.folder()).map.revision, "--to", to, "--key", &key]);
    assert_eq!(price(&shop.instance(trust), "m-0"), "2");
    let text = refused(&[&shop.map("3"), "--to", to, "--key", &shop.map("3")]);
    assert!(text.contains("3.json: no private key in PEM"), "{text}");
}

#[test]
fn what_others_wrote_is_not_signed() {
    let shop = Shop::new();
    let to = &shop.to;
    let key = shop.home.path().join("key.pem").display().to_string();
    published(&["--new-key", &key]);
    published(&[&shop.map("1"), "--to", to, "--key", &key]);
    let one = pointer(&shop.folder());
    // A document with a map of somebody else, which is not signed.
    let evil = Pointer::to(edition(60, "9"), "maps/evil.json").unwrap();
    fs::write(shop.folder().join("maps/evil.json"), edition(60, "9")).unwrap();
    fs::write(shop.folder().join("current.json"), evil.to_string()).unwrap();
    let later = [&shop.map("2"), "--to", to, "--key", &key, "--at", "+1h"];
    let text = refused(&later);
    assert_eq!(
        text,
        format!(
            "publish: {to}/current.json is not signed with this key, and names the map in force: --no-previous leaves that out\n"
        )
    );
    published(&[later.as_slice(), &["--no-previous"]].concat());
    assert_eq!(pointer(&shop.folder()).previous, None);
    // A map whose bytes were replaced.
    fs::write(shop.folder().join(&one.map.url), edition(60, "9")).unwrap();
    let text = refused(&["--revision", &one.map.revision, "--to", to, "--key", &key]);
    assert!(
        text.ends_with(&format!(" is not the map of revision {}: restore or remove it\n", one.map.revision)),
        "{text}"
    );
    assert!(refused(&[&shop.map("1"), "--to", to]).contains(" is not the map of revision "));
}

#[test]
fn bytes_that_a_pointer_names_are_never_replaced() {
    let shop = Shop::new();
    let to = &shop.to;
    published(&[&shop.map("1"), "--to", to]);
    let one = pointer(&shop.folder());
    let bytes = fs::read(shop.folder().join(&one.map.url)).unwrap();
    // The same text, packed in another way.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, edition(60, "1").as_bytes()).unwrap();
    let file = shop.home.path().join("other.json.gz");
    let packed = packed.finish().unwrap();
    assert_ne!(packed, bytes);
    fs::write(&file, packed).unwrap();
    let text = published(&[&file.display().to_string(), "--to", to]);
    assert_eq!(text, format!("revision {} is in force already\n", one.map.revision));
    published(&[&file.display().to_string(), "--to", to, "--at", "+1h"]);
    assert_eq!(fs::read(shop.folder().join(&one.map.url)).unwrap(), bytes);
    assert_eq!(price(&shop.instance(|source| source), "m-0"), "1");
}

#[test]
fn a_document_that_cannot_be_read_is_replaced_by_force() {
    let shop = Shop::new();
    let (to, document) = (&shop.to, shop.folder().join("current.json"));
    fs::write(&document, "{").unwrap();
    let text = refused(&[&shop.map("1"), "--to", to]);
    assert!(
        text.starts_with(&format!("publish: {}: ", document.display()))
            && text.ends_with("; --force replaces it\n"),
        "{text}"
    );
    published(&[&shop.map("1"), "--to", to, "--force"]);
    assert_eq!(price(&shop.instance(|source| source), "m-0"), "1");
    // What is refused for what it changes, at a time to come.
    let jump = [&shop.map("100"), "--to", to, "--max-price-jump", "0.5", "--at", "+1h"];
    refused(&jump);
    published(&[jump.as_slice(), &["--force"]].concat());
    assert!(pointer(&shop.folder()).not_before.is_some());
}

#[test]
fn wrong_arguments_are_told() {
    for (arguments, reason) in [
        (vec!["--at", "soon"], "\"soon\" is no time: write 2026-12-01T00:00:00Z or +10m"),
        (vec!["--at", "+99999999999999999999s"], "is no time"),
        (vec!["--at", "+10"], "is no time"),
        (vec!["--at", "2020-01-01T00:00:00Z"], "2020-01-01T00:00:00Z is over: leave out --at"),
        (vec!["--max-price-jump", "nan"], "\"nan\" is no share: write a number from 0 to 1"),
        (vec!["map.json"], "--to FOLDER is missing"),
        (vec!["--to", "x"], "give a MAP or a --revision"),
        (vec!["map.json", "--to", "x", "--revision", "a"], "give a MAP or a --revision"),
        (vec!["--new-key", "k", "--to", "x"], "--new-key goes alone"),
        (vec!["--frobnicate"], "--frobnicate"),
    ] {
        let (code, said) = said(&run(&arguments));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(reason) && said.ends_with("; see publish --help\n"), "{said}");
    }
    let help = published(&["--help"]);
    assert!(help.starts_with("Publishes a map to a fleet.\n"));
}
