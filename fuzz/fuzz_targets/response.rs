//! Reads arbitrary bytes as a response, and its usage back from what is written of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_costmap::Usage;
use llm_costmap::wire::{Response, Stream};

fuzz_target!(|bytes: &[u8]| {
    let response = Response::read(bytes);
    let mut stream = Stream::new();
    let pushed = stream.push_event(bytes);
    let Ok(response) = response else { return };
    if !bytes.trim_ascii_start().starts_with(b"[") {
        assert!(pushed.is_ok());
        assert_eq!(stream.response().as_ref().ok(), Some(&response));
    }
    let written = serde_json::to_string(response.usage()).expect("a usage is written");
    if let Ok(read) = serde_json::from_str::<Usage>(&written) {
        assert_eq!(read, *response.usage(), "{written}");
    }
});
