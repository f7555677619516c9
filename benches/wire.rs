//! Measures reading responses of 1 KB, 64 KB and 1 MB, beside `serde_json` skipping the same bytes and
//! a peer extracting the usage; and reading a stream of 2,000 events, beside splitting its lines and
//! skipping the JSON of each.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod measure;

use std::hint::black_box;

use genai_prices::{Calculator, ExtractRequest};
use llm_costmap::wire::{Format, Response, Stream};
use measure::Goal::{AtMost, None as NoGoal};
use measure::{Seeded, Suite, each};
use serde::de::IgnoredAny;

const ROUNDS: usize = 41;
const SIZES: [(&str, usize); 3] = [("1 KB", 1_000), ("64 KB", 64_000), ("1 MB", 1_000_000)];
const EVENTS: usize = 2_000;

/// Returns about so many bytes of prose, as JSON has it.
fn prose(bytes: usize) -> String {
    let words = ["the", "price", "of\\n\\n", "a", "\\\"token\\\"", "is", "naïve", "1,000", "🦀", "`code`"];
    let mut seeded = Seeded::new(7);
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(words.get(seeded.below(words.len())).unwrap());
        text.push(' ');
    }
    text
}

/// Returns a response of about so many bytes.
fn body(format: Format, bytes: usize) -> String {
    let text = prose(bytes.saturating_sub(620));
    match format {
        Format::OpenAiChat => format!(
            r#"{{"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952, "model": "gpt-4o-2024-08-06",
            "choices": [{{"index": 0, "message": {{"role": "assistant", "content": "{text}", "refusal": null, "annotations": []}}, "logprobs": null, "finish_reason": "stop"}}],
            "usage": {{"prompt_tokens": 1900, "completion_tokens": 100, "total_tokens": 2000, "prompt_tokens_details": {{"cached_tokens": 1000, "audio_tokens": 0}},
            "completion_tokens_details": {{"reasoning_tokens": 64, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}}},
            "service_tier": "default", "system_fingerprint": "fp_f3927aa00d"}}"#
        ),
        Format::Anthropic => format!(
            r#"{{"id": "msg_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
            "content": [{{"type": "text", "text": "{text}"}}, {{"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "get_weather", "input": {{"location": "San Francisco, CA"}}}}],
            "stop_reason": "tool_use", "stop_sequence": null, "usage": {{"input_tokens": 2095, "cache_creation_input_tokens": 2051, "cache_read_input_tokens": 10000,
            "cache_creation": {{"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 51}}, "output_tokens": 503, "service_tier": "standard"}}}}"#
        ),
        _ => format!(
            r#"{{"candidates": [{{"content": {{"parts": [{{"text": "{text}"}}], "role": "model"}}, "finishReason": "STOP", "avgLogprobs": -0.25}}],
            "usageMetadata": {{"promptTokenCount": 1000, "candidatesTokenCount": 100, "thoughtsTokenCount": 400, "totalTokenCount": 1500, "cachedContentTokenCount": 300,
            "promptTokensDetails": [{{"modality": "TEXT", "tokenCount": 1000}}], "candidatesTokensDetails": [{{"modality": "TEXT", "tokenCount": 100}}], "trafficType": "ON_DEMAND"}},
            "modelVersion": "gemini-2.5-flash", "createTime": "2026-11-18T12:00:00.000000Z", "responseId": "xyz"}}"#
        ),
    }
}

fn stream() -> String {
    let delta = |n: usize| {
        format!(
            "data: {{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,\"model\":\"gpt-4o-2024-08-06\",\
             \"service_tier\":\"default\",\"system_fingerprint\":\"fp_f3927aa00d\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{n}\"}},\"logprobs\":null,\"finish_reason\":null}}],\
             \"usage\":null}}\n\n"
        )
    };
    let mut text: String = (0..EVENTS - 2).map(delta).collect();
    text.push_str("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":1998,\"total_tokens\":2017}}\n\ndata: [DONE]\n\n");
    text
}

fn main() {
    let peer = Calculator::bundled();
    for (format, provider, flavor) in [
        (Format::OpenAiChat, "openai", "chat"),
        (Format::Anthropic, "anthropic", "default"),
        (Format::Gemini, "google", "default"),
    ] {
        for (size, bytes) in SIZES {
            let body = body(format, bytes);
            assert!(body.len().abs_diff(bytes) < 200, "{}", body.len());
            let calls = vec![body.as_bytes(); (2_000_000 / bytes).max(2)];
            let request = |body| {
                let mut request = ExtractRequest::new(body);
                (request.provider_id, request.api_flavor) = (Some(provider), Some(flavor));
                request
            };
            let mut suite = Suite::default();
            suite
                .add(
                    "serde_json, skipping",
                    each(&calls, |body| _ = black_box(serde_json::from_slice::<IgnoredAny>(body).unwrap())),
                )
                .add("Response::read", each(&calls, |body| _ = black_box(Response::read(body).unwrap())))
                .beside("serde_json, skipping", AtMost(1.5))
                .add(
                    "genai-prices, extracting",
                    each(&calls, |body| {
                        _ = black_box(peer.extract_provider_usage(&request(*body)).unwrap());
                    }),
                )
                .beside("Response::read", NoGoal);
            suite.run(&format!("a body of {size}, {format}"), ROUNDS);
        }
    }

    let text = stream();
    let whole = [text.as_bytes()];
    let mut suite = Suite::default();
    suite
        .add(
            "splitting lines, skipping each",
            each(&whole, |bytes| {
                for line in bytes.split(|byte| *byte == b'\n') {
                    let json = line.strip_prefix(b"data: ").unwrap_or_default();
                    if json.starts_with(b"{") {
                        black_box(serde_json::from_slice::<IgnoredAny>(json).unwrap());
                    }
                }
            }),
        )
        .add("Stream::push, whole", each(&whole, |bytes| read(bytes, bytes.len())))
        .beside("splitting lines, skipping each", AtMost(1.5))
        .add("Stream::push, 1,400 bytes at a time", each(&whole, |bytes| read(bytes, 1_400)))
        .beside("splitting lines, skipping each", AtMost(1.5));
    suite.run(&format!("a stream of {EVENTS} events"), ROUNDS);
}

fn read(bytes: &[u8], piece: usize) {
    let mut stream = Stream::new();
    for piece in bytes.chunks(piece) {
        stream.push(piece).unwrap();
    }
    assert!(stream.is_final());
    assert_eq!(stream.response().unwrap().usage().completion_tokens, 1_998);
}
