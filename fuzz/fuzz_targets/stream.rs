//! Reads arbitrary bytes as a stream, whole and in pieces whose length the first byte chooses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_costmap::wire::Stream;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let read = |piece: usize| {
        let mut stream = Stream::new().max_event_bytes(256);
        for piece in bytes.chunks(piece) {
            let _ = stream.push(piece);
        }
        let _ = stream.finish();
        (stream.response().ok(), stream.is_final())
    };
    assert_eq!(read(bytes.len().max(1)), read(usize::from(*first).max(1)));
});
