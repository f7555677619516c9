//! Measures the heap of a map, and the peak of a reload.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a bench")]

use std::io::Read;
use std::path::Path;

use allocation_counter::AllocationInfo;
use flate2::read::GzDecoder;
use llm_costmap::CostMap;

fn main() {
    show_memory(&upstream());
}

/// Prints the live heap of a map and the peak of a reload, retired generations included.
fn show_memory(text: &str) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let current = |info: &AllocationInfo| u64::try_from(info.bytes_current).unwrap_or(0);
    let mut kept = None;
    #[cfg(feature = "bundled")]
    {
        let mut map = None;
        let bundled = allocation_counter::measure(|| map = Some(CostMap::bundled()));
        println!("\nlive heap of the bundled map: {:.2} MiB (goal <= 1.5)", mib(current(&bundled)));
    }
    let bytes = text.to_owned().into_bytes();
    let fetched = allocation_counter::measure(|| kept = CostMap::from_json(bytes).ok());
    // The bytes were allocated before the measurement, and the map keeps them as its text.
    let live = current(&fetched) + text.len() as u64;
    println!(
        "live heap of upstream's file: {:.2} MiB, of which its text {:.2}",
        mib(live),
        mib(text.len() as u64)
    );
    let map = kept.unwrap();
    // Every edition has other bytes, so that each reload swaps.
    let edition = |price: &str| text.replacen("e-06", price, 1).into_bytes();
    drop(map.reload_from_bytes(edition("e-07")).unwrap());
    let bytes = edition("e-08");
    let reload = allocation_counter::measure(|| drop(map.reload_from_bytes(bytes).unwrap()));
    // The previous map, which goes with the swap, and the text handed in were allocated before the
    // measurement; both count.
    let peak = live + reload.bytes_max + text.len() as u64;
    let most = 2 * live + text.len() as u64;
    println!(
        "peak of a reload: {:.2} MiB (goal <= {:.2}: twice the live heap, and the text)",
        mib(peak),
        mib(most)
    );
}

/// Returns the map as upstream ships it.
fn upstream() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/catalogs/1.109.1.json.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}
