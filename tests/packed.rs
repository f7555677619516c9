//! Tests of maps that are packed with gzip or Zstandard.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;

use common::edition;
use flate2::Compression;
use flate2::write::GzEncoder;
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, Source, Usage};

/// The map that both files below hold, its git blob id, and what `zstd -19` makes of it.
const MAP: &str = r#"{"m": {"input_cost_per_token": 2e-6}, "n": {"input_cost_per_token": 2e-6}}"#;
const REVISION: &str = "2d0584989c1046a9cc011a9f1308b4a431b9c07c";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x24\x4a\x8d\x01\x00\x94\x02\x7b\x22\x6d\x22\x3a\x20\x7b\x22\x69\x6e\x70\x75\x74\x5f\x63\x6f\x73\x74\x5f\x70\
    \x65\x72\x5f\x74\x6f\x6b\x65\x6e\x22\x3a\x20\x32\x65\x2d\x36\x7d\x2c\x20\x22\x6e\x7d\x01\x00\x40\xa3\x2a\x03\x28\x25\x51\x52";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn is_the_map(map: &CostMap) {
    assert_eq!(map.len(), 2);
    assert_eq!(map.source_info().source_revision.as_deref(), Some(REVISION), "the revision of the text");
    assert_eq!(map.total("n", &Usage::new(1_000_000, 0)).unwrap().to_string(), "2");
}

struct Packed(Vec<u8>);

impl Source for Packed {
    fn name(&self) -> String {
        "packed".to_owned()
    }

    fn fetch(&self, _: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Fetched::new(self.0.clone()))
    }
}

/// Returns the packings that the program was built with.
fn packings() -> Vec<Vec<u8>> {
    let known: [(bool, Vec<u8>); 2] =
        [(cfg!(feature = "gzip"), gzip(MAP.as_bytes())), (cfg!(feature = "zstd"), ZSTD.to_vec())];
    known.into_iter().filter(|(is_built, _)| *is_built).map(|(_, packed)| packed).collect()
}

#[test]
fn a_map_may_be_packed_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    for packed in packings() {
        is_the_map(&CostMap::from_json(packed.clone()).unwrap());
        let map = CostMap::empty();
        map.reload_from_bytes_forced(packed.clone()).unwrap();
        is_the_map(&map);

        // A file: at the start, and when it changes. That it is packed otherwise is no change.
        let file = folder.path().join("map");
        fs::write(&file, &packed).unwrap();
        let map = CostMap::builder().file(&file).min_models(0).build().unwrap();
        is_the_map(&map);
        fs::write(&file, MAP).unwrap();
        assert!(map.reload().unwrap().is_unchanged());
        fs::write(&file, &packed).unwrap();
        assert!(map.reload_if_changed().unwrap().is_none_or(|report| report.is_unchanged()));

        // A source of the caller's, and the cache behind it.
        let cache = folder.path().join("cache");
        let build = || {
            CostMap::builder()
                .source(Packed(packed.clone()))
                .json("{}")
                .min_models(0)
                .cache_dir(&cache)
                .build()
        };
        let map = build().unwrap();
        let report = map.reload().unwrap();
        assert_eq!((report.models_count, report.bytes), (2, MAP.len()), "bytes are counted unpacked");
        is_the_map(&map);
        is_the_map(&build().unwrap());
    }
}

#[test]
fn what_cannot_be_unpacked_replaces_nothing() {
    let map = CostMap::from_json(edition(60, "1")).unwrap();
    let refused = |bytes: &[u8]| map.reload_from_bytes(bytes).unwrap_err().to_string();
    let said = |reason: &str| format!("the text that was handed in is not a model map: {reason}");
    let (gz, without) = (gzip(MAP.as_bytes()), |name: &str| {
        said(&format!(
            "{name} data that cannot be unpacked: this program was built without the feature {name}"
        ))
    });
    if cfg!(feature = "gzip") {
        assert_eq!(refused(&gz[..20]), said("gzip data that cannot be unpacked: incomplete deflate stream"));
        let mut flipped = gz.clone();
        let at = flipped.len() - 8;
        flipped[at] ^= 1;
        assert_eq!(
            refused(&flipped),
            said("gzip data that cannot be unpacked: corrupt gzip stream does not have a matching checksum")
        );
        assert_eq!(refused(&gzip(&gz)), said("packed more than once: unpack it once"));
        // 70 MB of blanks in 70 KB.
        let bomb = gzip(&vec![b' '; 70 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(refused(&bomb), said("gzip data that unpacks to more than 64 MiB, the limit for maps"));
        assert_eq!(refused(&gzip(b"no JSON")), said("expected ident (line 1, column 2)"));
    } else {
        assert_eq!(refused(&gz), without("gzip"));
    }
    if cfg!(feature = "zstd") {
        let mut flipped = ZSTD.to_vec();
        // A digit of the price: the frame is whole, and only its checksum tells.
        let at = ZSTD.windows(4).position(|four| four == b"2e-6").unwrap();
        flipped[at] = b'3';
        assert_eq!(refused(&flipped), said("zstd data that cannot be unpacked: its checksum is wrong"));
        let twice = [ZSTD, ZSTD].concat();
        assert!(refused(&twice).starts_with(&said("trailing characters")), "two frames are one text");
        // A window of a terabyte, a content of an exabyte, and a header that breaks off: nothing is kept for them.
        for header in
            [&b"\x28\xb5\x2f\xfd\x00\xf0"[..], b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\x0f"]
        {
            let block = [0x02, 0x00, 0x10, b'x'].repeat(1_000);
            assert_eq!(
                refused(&[header, &block[..]].concat()),
                said("zstd data that cannot be unpacked: a frame that takes more than 64 MiB of memory")
            );
        }
        assert_eq!(refused(&ZSTD[..5]), said("zstd data that cannot be unpacked: a frame that breaks off"));
        // The size that the header states: a byte behind the descriptor.
        let mut sized = ZSTD.to_vec();
        sized[5] ^= 1;
        assert_eq!(refused(&sized), said("zstd data that cannot be unpacked: its size is wrong"));
        // Frames without data are passed over.
        let skipped =
            [&b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"[..], ZSTD, b"\x5f\x2a\x4d\x18\x00\x00\x00\x00"].concat();
        is_the_map(&CostMap::from_json(skipped).unwrap());
        assert_eq!(
            refused(b"\x50\x2a\x4d\x18\x09\x00\x00\x00abc"),
            said("zstd data that cannot be unpacked: a skippable frame that breaks off")
        );
        for damaged in [&ZSTD[..20], &ZSTD[..4], &[&ZSTD[..30], &[0xff; 20]].concat()] {
            let refused = refused(damaged);
            assert!(refused.starts_with(&said("zstd data that cannot be unpacked: ")), "{refused}");
        }
    } else {
        assert_eq!(refused(ZSTD), without("zstd"));
    }
    assert_eq!(map.len(), 60);
}
