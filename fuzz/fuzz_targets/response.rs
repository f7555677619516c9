//! Reads arbitrary bytes as a response, and its usage back from what is written of it. Prices the response
//! by models that are billed by tokens, units and tools.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use llm_costmap::wire::{Response, Stream};
use llm_costmap::{CostMap, Error, Usage};

static MAP: LazyLock<CostMap> = LazyLock::new(CostMap::bundled);

const MODELS: [&str; 7] = [
    "gpt-5",
    "azure/gpt-4o",
    "gemini/gemini-2.5-pro",
    "gpt-image-1.5",
    "whisper-1",
    "rerank-v3.5",
    "mistral/mistral-ocr-4-0",
];

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
    for model in MODELS {
        match MAP.cost(model, &response) {
            Ok(cost) => {
                let sum: Option<_> = cost.lines().map(|line| line.amount).sum();
                assert_eq!(sum, Some(cost.total()), "{cost}");
                assert!(!cost.lines().any(|line| line.is_unpriced()), "{cost}");
            }
            Err(Error::Unpriced(bill)) => assert!(bill.lines().any(|line| line.is_unpriced()), "{bill}"),
            Err(error) => assert!(matches!(error, Error::Overflow { .. }), "{error}"),
        }
    }
});
