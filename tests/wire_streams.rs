//! Reads streams of the shapes that providers document: whole, cut anywhere, and damaged.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llm_costmap::cost::Note;
use llm_costmap::usage::{Counter, Provenance};
use llm_costmap::wire::{Format, Response, Status, Stream};
use llm_costmap::{CostMap, Error, ServiceTier, Usage};

/// A stream: its events, and the separator behind each.
struct Sample {
    name: &'static str,
    format: Format,
    events: Vec<Vec<u8>>,
    usage: Usage,
}

fn sse(events: &[&str]) -> Vec<Vec<u8>> {
    events.iter().map(|event| format!("{event}\n\n").into_bytes()).collect()
}

/// Returns a frame of AWS.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap());
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(12 + head.len() + payload.len() + 4).unwrap();
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend_from_slice(&u32::try_from(head.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&head);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

fn converse(kind: &str, payload: &str) -> Vec<u8> {
    frame(
        &[(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")],
        payload.as_bytes(),
    )
}

fn chunk(payload: &str) -> Vec<u8> {
    let bytes = format!(r#"{{"bytes":"{}","p":"abc"}}"#, STANDARD.encode(payload));
    frame(
        &[(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")],
        bytes.as_bytes(),
    )
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn samples() -> Vec<Sample> {
    let sample = |name, format, events, usage| Sample { name, format, events, usage };
    vec![
        sample(
            "a late chunk with the usage",
            Format::OpenAiChat,
            sse(&[
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"Grüße 🦀"},"finish_reason":null}],"usage":null}"#,
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}}],"usage":null}"#,
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}],"usage":null}"#,
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}}"#,
                "data: [DONE]",
            ]),
            Usage::new(19, 10),
        ),
        sample(
            "cumulative usage, and cached tokens behind it",
            Format::OpenAiChat,
            sse(&[
                r#"data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":100,"completion_tokens":1,"total_tokens":101}}"#,
                r#"data: {"choices":[{"delta":{"content":"b"},"finish_reason":"length"}],"usage":{"prompt_tokens":100,"completion_tokens":2,"total_tokens":102}}"#,
                r#"data: {"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":2,"total_tokens":102,"prompt_tokens_details":{"cached_tokens":64}}}"#,
                "data: [DONE]",
            ]),
            Usage::new(100, 2).cached_tokens(64),
        ),
        sample(
            "usage in a choice, and in Groq's own object",
            Format::OpenAiChat,
            sse(&[
                r#"data: {"choices":[{"delta":{"content":"a"}}],"x_groq":{"id":"req_1"}}"#,
                r#"data: {"choices":[{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}],"x_groq":{"usage":{"queue_time":0.1,"prompt_tokens":7,"completion_tokens":3}}}"#,
                "data: [DONE]",
            ]),
            Usage::new(7, 3),
        ),
        sample(
            "responses",
            Format::OpenAiResponses,
            sse(&[
                "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"model\":\"gpt-4o\",\"output\":[],\"usage\":null}}",
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}",
                "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"item\":{\"type\":\"function_call\",\"name\":\"f\"}}",
                "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"model\":\"gpt-4o\",\"output\":[{\"type\":\"function_call\",\"name\":\"f\"}],\"usage\":{\"input_tokens\":37,\"input_tokens_details\":{\"cached_tokens\":5},\"output_tokens\":11,\"output_tokens_details\":{\"reasoning_tokens\":4},\"total_tokens\":48}}}",
            ]),
            Usage::new(37, 11).cached_tokens(5).reasoning_tokens(4),
        ),
        sample(
            // The count of output in the first event is a placeholder, and the last values win, also
            // where they are lower.
            "anthropic",
            Format::Anthropic,
            sse(&[
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"claude-sonnet-4-5\",\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":70,\"cache_creation_input_tokens\":9,\"output_tokens\":100}}}",
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}",
                "event: ping\ndata: {\"type\": \"ping\"}",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}",
                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":20,\"cache_read_input_tokens\":null,\"output_tokens\":15}}",
                "event: message_stop\ndata: {\"type\":\"message_stop\"}",
            ]),
            Usage::new(99, 15).cached_tokens(70).cache_creation_tokens(9),
        ),
        sample(
            "gemini",
            Format::Gemini,
            sse(&[
                r#"data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":8,"totalTokenCount":8,"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash"}"#,
                r#"data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}"#,
                r#"data: {"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":12,"thoughtsTokenCount":5,"totalTokenCount":25}}"#,
            ]),
            {
                let mut usage = Usage::new(8, 17).reasoning_tokens(5);
                usage.service_tier = Some(ServiceTier::Standard);
                usage
            },
        ),
        sample(
            "gemini in an array",
            Format::Gemini,
            vec![
                b"[{\n  \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a ] } \\\" b\"}]}}],\n  \"usageMetadata\": {\"promptTokenCount\": 8, \"candidatesTokenCount\": 1, \"totalTokenCount\": 9}\n}\n".to_vec(),
                b",\r\n{\n  \"candidates\": [{\"finishReason\": \"MAX_TOKENS\"}],\n  \"usageMetadata\": {\"promptTokenCount\": 8, \"candidatesTokenCount\": 12, \"totalTokenCount\": 20}\n}\n]".to_vec(),
            ],
            Usage::new(8, 12),
        ),
        sample(
            "bedrock converse",
            Format::BedrockConverse,
            vec![
                converse("messageStart", r#"{"role":"assistant","p":"ab"}"#),
                converse("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#),
                converse("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#),
                converse("messageStop", r#"{"stopReason":"end_turn"}"#),
                converse("metadata", r#"{"usage":{"inputTokens":21,"outputTokens":5,"totalTokens":36,"cacheReadInputTokens":10},"metrics":{"latencyMs":771}}"#),
            ],
            Usage::new(31, 5).cached_tokens(10),
        ),
        sample(
            // The usage of the body takes precedence over the metrics.
            "bedrock invoke of anthropic",
            Format::Anthropic,
            vec![
                chunk(r#"{"type":"message_start","message":{"type":"message","model":"claude-3","usage":{"input_tokens":11,"cache_read_input_tokens":4,"output_tokens":1}}}"#),
                chunk(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#),
                chunk(r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":99,"outputTokenCount":99,"invocationLatency":1,"firstByteLatency":1}}"#),
            ],
            Usage::new(15, 9).cached_tokens(4),
        ),
        sample(
            "bedrock invoke of llama",
            Format::BedrockInvoke,
            vec![
                chunk(r#"{"generation":"Hi","prompt_token_count":null,"generation_token_count":1,"stop_reason":null}"#),
                chunk(r#"{"generation":"","prompt_token_count":15,"generation_token_count":7,"stop_reason":"stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":15,"outputTokenCount":7}}"#),
            ],
            Usage::new(15, 7),
        ),
        sample(
            // The metrics leave out the cache.
            "bedrock invoke of nova",
            Format::BedrockConverse,
            vec![
                chunk(r#"{"messageStart":{"role":"assistant"}}"#),
                chunk(r#"{"messageStop":{"stopReason":"end_turn"}}"#),
                chunk(
                    r#"{"metadata":{"usage":{"inputTokens":100,"outputTokens":7,"cacheReadInputTokenCount":5000}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":100,"outputTokenCount":7}}"#,
                ),
            ],
            Usage::new(5_100, 7).cached_tokens(5_000),
        ),
        sample(
            "bedrock invoke of anthropic, with the cache in the metrics",
            Format::Anthropic,
            vec![
                chunk(r#"{"type":"message_start","message":{"type":"message","usage":{"input_tokens":11,"output_tokens":1}}}"#),
                chunk(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#),
                chunk(
                    r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":9,"cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":50}}"#,
                ),
            ],
            Usage::new(161, 9).cached_tokens(100).cache_creation_tokens(50),
        ),
        sample(
            "cohere",
            Format::Cohere,
            sse(&[
                "event: message-start\ndata: {\"id\":\"x\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_calls\":[]}}}",
                "event: tool-call-start\ndata: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"f0\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}}}}",
                "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}",
                "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":77},\"tokens\":{\"input_tokens\":76,\"output_tokens\":79}}}}",
            ]),
            Usage::new(76, 79),
        ),
        sample(
            "ollama",
            Format::Ollama,
            [
                r#"{"model":"llama3.2","message":{"role":"assistant","content":"Hi {"},"done":false}"#,
                r#"{"model":"llama3.2","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":false}"#,
                r#"{"model":"llama3.2","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"prompt_eval_count":26,"eval_count":298}"#,
            ]
            .iter()
            .map(|line| format!("{line}\n").into_bytes())
            .collect(),
            Usage::new(26, 298),
        ),
        sample(
            "watsonx",
            Format::Watsonx,
            sse(&[
                "id: 1\nevent: message\ndata: {\"model_id\":\"ibm/granite\",\"results\":[{\"generated_text\":\"a\",\"generated_token_count\":1,\"input_token_count\":12,\"stop_reason\":\"not_finished\"}]}",
                "id: 2\nevent: message\ndata: {\"results\":[{\"generated_text\":\"b\",\"generated_token_count\":2,\"input_token_count\":0,\"stop_reason\":\"eos_token\"}]}",
            ]),
            Usage::new(12, 2),
        ),
        sample(
            "transcription",
            Format::OpenAiTranscription,
            sse(&[
                r#"data: {"type":"transcript.text.delta","delta":"I"}"#,
                r#"data: {"type":"transcript.text.done","text":"I see","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":0},"output_tokens":45,"total_tokens":59}}"#,
            ]),
            {
                let mut usage = Usage::new(14, 45);
                usage.set(Counter::PromptText, 0);
                usage.set(Counter::PromptAudio, 0);
                usage
            },
        ),
    ]
}

fn read(pieces: &[&[u8]]) -> (Stream, Vec<Error>) {
    let mut stream = Stream::new();
    let mut errors: Vec<Error> = pieces.iter().filter_map(|piece| stream.push(piece).err()).collect();
    errors.extend(stream.finish().err());
    (stream, errors)
}

/// Returns the response of a stream that is read without errors.
fn response(pieces: &[&[u8]]) -> (Response, bool) {
    let (stream, errors) = read(pieces);
    assert!(errors.is_empty(), "{errors:?}");
    (stream.response().unwrap(), stream.is_final())
}

#[test]
fn streams_are_read_however_they_are_cut() {
    let mut cuts = 0;
    for Sample { name, format, events, usage } in samples() {
        let whole = events.concat();
        let (expected, is_final) = response(&[&whole]);
        assert_eq!((expected.format(), is_final), (format, true), "{name}");
        assert_eq!(*expected.usage(), usage, "{name}");
        assert!(expected.status().is_some() || format == Format::OpenAiTranscription, "{name}");
        for at in 0..=whole.len() {
            let (start, end) = whole.split_at(at);
            assert_eq!(response(&[start, end]), (expected.clone(), true), "{name} cut at {at}");
            cuts += 1;
        }
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(response(&bytes), (expected.clone(), true), "{name} by the byte");
        let mut told = Stream::of(format);
        told.push(&whole).unwrap();
        assert_eq!((told.response().unwrap(), told.is_final()), (expected, true), "{name}");
    }
    assert_eq!(cuts, 9_254);
}

#[test]
fn a_stream_that_is_cut_off_is_not_final() {
    let (mut truncated, mut known) = (0, 0);
    for Sample { name, events, .. } in samples() {
        for count in 0..events.len() {
            let (stream, _) = read(&[&events[..count].concat()]);
            assert!(!stream.is_final(), "{name} after {count} events");
            truncated += 1;
            known += usize::from(stream.response().is_ok());
        }
    }
    assert_eq!((truncated, known), (55, 19));
}

/// Lines may end in CR, LF or both, a byte order mark may precede them, and data may be on several
/// lines.
#[test]
fn server_sent_events_are_read_as_the_standard_says() {
    let text = "\u{feff}: a comment\n\nretry: 10\ndata: {\"choices\": [],\ndata: \"usage\": {\"prompt_tokens\": 1,\ndata:\"completion_tokens\": 2}}\nid: 7\n\ndata:[DONE]\n\n";
    for ending in ["\n", "\r\n", "\r"] {
        let text = text.replace('\n', ending);
        let expected = response(&[text.as_bytes()]);
        assert_eq!((expected.0.usage(), expected.1), (&Usage::new(1, 2), true), "{ending:?}");
        for at in 0..=text.len() {
            let (start, end) = text.as_bytes().split_at(at);
            assert_eq!(response(&[start, end]), expected, "{ending:?} {at}");
        }
    }
    // The empty line behind the last event may be missing.
    assert!(response(&[b"data: {\"usage\": {\"prompt_tokens\": 1}}\n\ndata: [DONE]"]).1);
}

/// What a body says of a call, its stream says, too.
#[test]
fn a_stream_says_what_the_body_says() {
    let names = [
        "a late chunk with the usage",
        "responses",
        "anthropic",
        "gemini in an array",
        "bedrock converse",
        "cohere",
        "ollama",
    ];
    let bodies = [
        r#"{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o","choices":[{"message":{"content":"Grüße","tool_calls":[{"type":"function","function":{"name":"f"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29}}"#,
        r#"{"id":"resp_1","object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"gpt-4o","output":[{"type":"function_call","name":"f"}],"usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":5},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":48}}"#,
        r#"{"id":"msg_1","type":"message","model":"claude-sonnet-4-5","content":[{"type":"tool_use","name":"f"}],"stop_reason":"tool_use","usage":{"input_tokens":20,"cache_read_input_tokens":70,"cache_creation_input_tokens":9,"output_tokens":15}}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":12,"totalTokenCount":20}}"#,
        r#"{"output":{"message":{"content":[{"toolUse":{"name":"f"}}]}},"stopReason":"end_turn","usage":{"inputTokens":21,"outputTokens":5,"totalTokens":36,"cacheReadInputTokens":10},"metrics":{"latencyMs":771}}"#,
        r#"{"id":"x","message":{"tool_calls":[{"function":{"name":"f"}}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":9,"output_tokens":77},"tokens":{"input_tokens":76,"output_tokens":79}}}"#,
        r#"{"model":"llama3.2","message":{"content":"Hi {","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done_reason":"stop","done":true,"prompt_eval_count":26,"eval_count":298}"#,
    ];
    let samples = samples();
    for (name, body) in names.into_iter().zip(bodies) {
        let sample = samples.iter().find(|sample| sample.name == name).expect(name);
        let (streamed, _) = response(&[&sample.events.concat()]);
        assert_eq!(streamed, Response::read(body.as_bytes()).unwrap(), "{name}");
    }
}

const USAGE: &[u8] =
    b"data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 5, \"completion_tokens\": 1}}\n\n";

/// Whatever is wrong is an error, and what was known before it stays known, and what follows it is
/// read.
#[test]
fn a_damaged_event_loses_nothing_else() {
    let deep = format!("data: {}\n\n", "[".repeat(100_000));
    let endless = format!("data: {}\n\n", "x".repeat(3_000));
    for (damaged, said) in [
        (
            b"data: {\"usage\": \xFF}\n\n".to_vec(),
            "cannot read the response: it is not UTF-8 from byte 10 on",
        ),
        (
            b"data: {\"usage\": \n\n".to_vec(),
            "cannot read the response: EOF while parsing a value at line 1 column 9",
        ),
        (
            b"data: upstream failure\n\n".to_vec(),
            "cannot read the response: expected value at line 1 column 1",
        ),
        (
            deep.into_bytes(),
            "cannot read the response: an event is longer than 2000 bytes: see Stream::max_event_bytes",
        ),
        (
            endless.into_bytes(),
            "cannot read the response: an event is longer than 2000 bytes: see Stream::max_event_bytes",
        ),
        (
            b"data: {\"usage\": {\"prompt_tokens\": -1}}\n\n".to_vec(),
            "cannot read the response: prompt_tokens: -1 is not a count: a whole number from 0 to 2^64 - 1 at line 1 column 30",
        ),
    ] {
        for size in [1, 7, 100_000] {
            let mut stream = Stream::new().max_event_bytes(2_000);
            stream.push(USAGE).unwrap();
            let errors: Vec<String> = damaged
                .chunks(size)
                .filter_map(|piece| stream.push(piece).err())
                .map(|e| e.to_string())
                .collect();
            assert_eq!(errors, [said], "{size}");
            assert_eq!(*stream.response().unwrap().usage(), Usage::new(5, 1));
            assert!(!stream.is_final());
            stream.push(b"data: {\"usage\": {\"completion_tokens\": 9}}\n\ndata: [DONE]\n\n").unwrap();
            assert_eq!(*stream.response().unwrap().usage(), Usage::new(5, 9));
            assert!(stream.is_final());
        }
    }
}

/// Nesting that is not content is limited, and nesting in content costs no more than its bytes.
#[test]
fn hostile_nesting_is_an_error_or_is_skipped() {
    let mut stream = Stream::new();
    stream.push(USAGE).unwrap();
    let nested = format!("data: {}{}\n\n", "{\"response\":".repeat(10_000), "}".repeat(10_000));
    let error = stream.push(nested.as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the response: "), "{error}");
    let unclosed = format!("data: {{\"x\": {}\n\n", "[".repeat(1_000_000));
    let error = stream.push(unclosed.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read the response: EOF while parsing a list at line 1 column"),
        "{error}"
    );
    let content = format!("data: {{\"x\": {}{}}}\n\n", "[".repeat(1_000_000), "]".repeat(1_000_000));
    stream.push(content.as_bytes()).unwrap();
    assert_eq!(*stream.response().unwrap().usage(), Usage::new(5, 1));
}

#[test]
fn a_corrupt_checksum_is_an_error() {
    let sample = samples().into_iter().find(|sample| sample.name == "bedrock converse").unwrap();
    let (first, last) = (&sample.events[..4].concat(), &sample.events[4]);
    // The payload of a frame is damaged: its event is skipped, and the next one is read.
    let mut damaged = sample.events[2].clone();
    let at = damaged.len() - 10;
    damaged[at] ^= 1;
    for size in [1, 50, 1_000] {
        let mut stream = Stream::new();
        stream.push(first).unwrap();
        let errors: Vec<Error> = damaged.chunks(size).filter_map(|piece| stream.push(piece).err()).collect();
        assert_eq!(errors.len(), 1);
        assert_eq!(
            errors[0].to_string(),
            "cannot read the response: the checksum of a frame is wrong: its event is skipped"
        );
        stream.push(last).unwrap();
        assert_eq!(*stream.response().unwrap().usage(), sample.usage);
        assert!(stream.is_final());
    }
    // The length of a frame is damaged: where the next one begins cannot be known.
    let mut lost = last.clone();
    lost[2] ^= 1;
    let mut stream = Stream::new();
    stream.push(&sample.events.concat()).unwrap();
    let error = stream.push(&lost).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read the response: the checksum of a frame's length is wrong: the stream cannot be read further"
    );
    stream.push(last).unwrap();
    assert_eq!(*stream.response().unwrap().usage(), sample.usage);
    // A frame that is too long, and one that ends early.
    let mut stream = Stream::new().max_event_bytes(100);
    assert_eq!(
        stream.push(last).unwrap_err().to_string(),
        "cannot read the response: an event is longer than 100 bytes: see Stream::max_event_bytes"
    );
    let mut stream = Stream::new();
    stream.push(&last[..last.len() - 1]).unwrap();
    assert_eq!(
        stream.finish().unwrap_err().to_string(),
        "cannot read the response: the stream ends within an event"
    );
}

#[test]
fn an_exception_of_aws_is_the_providers_error() {
    let exception = frame(
        &[(":exception-type", "throttlingException"), (":message-type", "exception")],
        br#"{"message": "Too many requests"}"#,
    );
    let mut stream = Stream::new();
    stream.push(&exception).unwrap();
    let error = stream.response().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the provider responded with an error (throttlingException): it reports no usage"
    );
    stream.push(&converse("metadata", r#"{"usage":{"inputTokens":1,"outputTokens":2}}"#)).unwrap();
    assert_eq!(stream.response().unwrap().status(), Some(Status::Failed));
}

#[test]
fn json_that_is_too_long_or_cut_off_is_an_error() {
    let long = format!(
        "{{\"x\": \"{}\"}}\n{{\"prompt_eval_count\": 3, \"eval_count\": 1, \"done\": true}}\n",
        "y".repeat(5_000)
    );
    for size in [1, 600, 100_000] {
        let mut stream = Stream::new().max_event_bytes(1_000);
        let errors = long.as_bytes().chunks(size).filter_map(|piece| stream.push(piece).err()).count();
        assert_eq!(errors, 1, "{size}");
        assert_eq!(*stream.response().unwrap().usage(), Usage::new(3, 1));
        assert!(stream.is_final());
    }
    let (stream, errors) = read(&[b"{\"eval_count\": 3}\n{\"eval_count\": "]);
    assert_eq!(errors[0].to_string(), "cannot read the response: the stream ends within an event");
    assert_eq!(stream.response().unwrap().usage().completion_tokens, 3);
    let (_, errors) = read(&[b"[{\"eval_count\": 3}] trailing"]);
    assert_eq!(
        errors[0].to_string(),
        "cannot read the response: the stream has text between its JSON objects"
    );
}

/// The usages of a realtime session's responses are added up, and its transcriptions are billed at
/// their own model.
#[test]
fn a_realtime_session_is_added_up() {
    let map = CostMap::from_json(
        r#"{"gpt-realtime": {"input_cost_per_token": 4e-6, "input_cost_per_audio_token": 3.2e-5, "output_cost_per_token": 1.6e-5},
            "gpt-4o-transcribe": {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}}"#,
    )
    .unwrap();
    let done = |input: u64, audio: u64, output: u64| {
        format!(
            r#"{{"type": "response.done", "response": {{"object": "realtime.response", "id": "resp_1", "status": "completed", "output": [],
            "usage": {{"total_tokens": {}, "input_tokens": {input}, "output_tokens": {output}, "input_token_details": {{"text_tokens": {}, "audio_tokens": {audio}, "cached_tokens": 0}},
            "output_token_details": {{"text_tokens": {output}, "audio_tokens": 0}}}}}}}}"#,
            input + output,
            input - audio
        )
    };
    let transcribed = r#"{"type": "conversation.item.input_audio_transcription.completed", "item_id": "i", "transcript": "Hi",
        "usage": {"type": "tokens", "total_tokens": 22, "input_tokens": 13, "input_token_details": {"text_tokens": 0, "audio_tokens": 13}, "output_tokens": 9}}"#;
    let mut stream = Stream::new();
    stream.push_event(br#"{"type": "session.created", "session": {"model": "gpt-realtime", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}}"#).unwrap();
    assert!(stream.response().is_err());
    for event in [done(100, 60, 10), transcribed.to_owned(), done(200, 0, 20), transcribed.to_owned()] {
        stream.push_event(br#"{"type": "response.created", "response": {"object": "realtime.response", "usage": null}}"#).unwrap();
        assert!(!stream.is_final());
        stream.push_event(event.as_bytes()).unwrap();
    }
    let response = stream.response().unwrap();
    assert_eq!(
        (response.format(), response.usage().prompt_tokens, response.usage().completion_tokens),
        (Format::OpenAiRealtime, 300, 30)
    );
    assert_eq!(
        response.parts().map(|part| (part.model, part.usage.prompt_tokens)).collect::<Vec<_>>(),
        [("gpt-4o-transcribe", 26)]
    );
    let cost = map.cost(response.lookup_or("gpt-realtime"), &response).unwrap();
    // 240 x 4e-6 + 60 x 3.2e-5 + 30 x 1.6e-5, and 26 x 2.5e-6 + 18 x 1e-5
    assert_eq!(cost.total().to_string(), "0.003605");
}

#[test]
fn an_interrupted_stream_is_completed_by_estimates() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5}}"#)
        .unwrap();
    let mut stream = Stream::new();
    stream.push(b"data: {\"model\": \"m\", \"choices\": [{\"delta\": {\"content\": \"Hel\"}}]}\n\n").unwrap();
    assert!(matches!(stream.response(), Err(Error::MissingUsage { .. })));
    let response = stream.response_or_estimate(1_000, 3);
    let cost = map.cost(response.lookup_or("m"), &response).unwrap();
    assert_eq!(cost.to_string().lines().last().unwrap(), "  note: counts of the usage are estimates");
    assert_eq!(cost.total().to_string(), "0.00103");
    let written = serde_json::to_string(response.usage()).unwrap();
    assert_eq!(
        written,
        r#"{"prompt_tokens":1000,"completion_tokens":3,"total_tokens":1003,"estimated":["prompt_tokens","completion_tokens"]}"#
    );
    let read: Usage = serde_json::from_str(&written).unwrap();
    assert_eq!((&read, read.provenance(Counter::PromptTokens)), (response.usage(), Provenance::Estimated));
    // What was reported is not replaced.
    stream.push(USAGE).unwrap();
    assert_eq!(*stream.response_or_estimate(1_000, 3).usage(), Usage::new(5, 1));
}

/// Servers deviate from the standard: no empty lines between events, and `[DONE]` behind JSON lines.
#[test]
fn streams_beside_the_standard_are_read() {
    let lines = "data: {\"choices\": []}\ndata: {\"usage\": {\"prompt_tokens\": 5}}\ndata: [DONE]\n";
    let json = "{\"choices\": []}\n{\"usage\": {\"prompt_tokens\": 5}}\n[DONE]\n";
    for text in [lines, json] {
        for at in 0..=text.len() {
            let (start, end) = text.as_bytes().split_at(at);
            let (response, is_final) = response(&[start, end]);
            assert_eq!((response.usage().prompt_tokens, is_final), (5, true), "{text} {at}");
        }
    }
}

/// The last event of Azure's streams has empty names.
#[test]
fn empty_names_are_no_names() {
    let stream = br#"data: {"id": "x", "model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 5}}

data: {"id": "", "object": "", "model": "", "choices": [{"content_filter_results": {}}], "usage": null}

data: [DONE]

"#;
    let (response, _) = response(&[stream]);
    assert_eq!((response.id(), response.model()), (Some("x"), Some("gpt-4o")));
}

/// A list is read as the stream that it is, and two responses are not one.
#[test]
fn lists_are_streams() {
    let done = |n: u64| {
        format!(
            r#"{{"type": "response.done", "response": {{"object": "realtime.response", "usage": {{"input_tokens": {n}, "output_tokens": 5}}}}}}"#
        )
    };
    let list = format!("[{}, {}]", done(10), done(20));
    let read = Response::read(list.as_bytes()).unwrap();
    assert_eq!(*read.usage(), Usage::new(30, 10));
    assert_eq!(read, response(&[list.as_bytes()]).0);
    let whole = |id: &str| {
        format!(
            r#"{{"id": "{id}", "object": "chat.completion", "choices": [{{"finish_reason": "stop"}}], "usage": {{"prompt_tokens": 5}}}}"#
        )
    };
    let error = Response::read(format!("[{}, {}]", whole("a"), whole("b")).as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the response: the stream goes on with another response: begin a new Stream for each"
    );
    // A realtime response that was cancelled has no usage, which is not a usage of zero.
    let cancelled = br#"{"type": "response.done", "response": {"object": "realtime.response", "status": "cancelled", "usage": null}}"#;
    assert!(matches!(Response::read(cancelled), Err(Error::MissingUsage { .. })));
    let mut stream = Stream::new();
    stream.push_event(done(10).as_bytes()).unwrap();
    stream.push_event(cancelled).unwrap();
    assert_eq!(*stream.response().unwrap().usage(), Usage::new(10, 5));
}

/// A stream that was cut before the number of completion tokens says so on the bill.
#[test]
fn the_bill_of_a_cut_stream_says_so() {
    let map = CostMap::from_json(r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-5}, "w": {"mode": "audio_transcription", "input_cost_per_second": 0.001}}"#).unwrap();
    let mut stream = Stream::new();
    stream.push(b"data: {\"type\": \"message_start\", \"message\": {\"usage\": {\"input_tokens\": 25, \"output_tokens\": 1}}}\n\n").unwrap();
    let cost = map.cost("m", &stream.response().unwrap()).unwrap();
    assert_eq!(cost.notes().collect::<Vec<_>>(), [Note::MissingCompletionTokens]);
    // A transcription by duration within a realtime session is billed by the second.
    let mut stream = Stream::new();
    stream.push_event(br#"{"type": "session.updated", "session": {"model": "m", "input_audio_transcription": {"model": "w"}}}"#).unwrap();
    for _ in 0..2 {
        stream.push_event(br#"{"type": "conversation.item.input_audio_transcription.completed", "usage": {"type": "duration", "seconds": 30}}"#).unwrap();
    }
    assert_eq!(map.cost("m", &stream.response().unwrap()).unwrap().total().to_string(), "0.06");
}

/// Details belong to their counts: those of an earlier chunk are not those of the last one.
#[test]
fn details_are_forgotten_with_their_counts() {
    let chunk = |count: u64, details: &str| {
        format!(
            "data: {{\"candidates\": [{{\"finishReason\": \"STOP\"}}], \"usageMetadata\": {{\"promptTokenCount\": 8, \"candidatesTokenCount\": {count}{details}, \"totalTokenCount\": {}}}}}\n\n",
            count + 8
        )
    };
    let details = r#", "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}], "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 5}]"#;
    let stream = [chunk(5, details), chunk(100, "")].concat();
    let (response, _) = response(&[stream.as_bytes()]);
    let usage = response.usage();
    assert_eq!((usage.completion_tokens, usage.get(Counter::CompletionText)), (100, None));
    assert_eq!(usage.get(Counter::PromptText), Some(8));
}

/// The turns in the first event are placeholders as well, and a final stream is not estimated.
#[test]
fn turns_of_a_stream_are_the_last_ones() {
    let start = r#"{"type": "message_start", "message": {"model": "claude-sonnet-4-5", "usage": {"input_tokens": 1000, "output_tokens": 1,
        "iterations": [{"type": "message", "input_tokens": 1000, "output_tokens": 1}]}}}"#;
    let delta =
        r#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 500}}"#;
    let turns = delta.replace("500}", r#"500, "iterations": [{"model": "claude-sonnet-4-5-20250929", "input_tokens": 1000, "output_tokens": 500}]}"#);
    for delta in [delta, &turns] {
        let mut stream = Stream::new();
        for event in [start, delta, r#"{"type": "message_stop"}"#] {
            stream.push_event(event.as_bytes()).unwrap();
        }
        assert_eq!(*stream.response().unwrap().usage(), Usage::new(1_000, 500), "{delta}");
        assert_eq!(stream.response_or_estimate(7, 7), stream.response().unwrap());
    }
}

/// Items that a stream showed stay counted if its last event leaves them out, and if the stream is cut off
/// before it.
#[test]
fn tools_of_a_stream_stay_counted() {
    let item = "event: response.output_item.done\ndata: {\"type\": \"response.output_item.done\", \"item\": {\"type\": \"web_search_call\"}}\n\n";
    let completed = |output: &str| {
        format!(
            "data: {{\"type\": \"response.completed\", \"response\": {{\"object\": \"response\", {output}\"usage\": {{\"input_tokens\": 1, \"output_tokens\": 1}}}}}}\n\n"
        )
    };
    for (output, searches) in [
        ("", 2),
        ("\"output\": [], ", 2),
        ("\"output\": [{\"type\": \"web_search_call\"}], ", 1),
        ("\"output\": [{\"type\": \"message\"}], ", 0),
    ] {
        let mut stream = Stream::new();
        stream.push(format!("{item}{item}{}", completed(output)).as_bytes()).unwrap();
        let response = stream.response().unwrap();
        assert_eq!(response.tool_calls().web_searches, searches, "{output}");
        assert_eq!(response.units().and_then(|units| units.web_searches).unwrap_or(0), searches, "{output}");
    }
    let mut stream = Stream::new();
    stream.push(format!("{item}{item}").as_bytes()).unwrap();
    let estimated = stream.response_or_estimate(100, 100);
    assert_eq!((estimated.format(), estimated.tool_calls().web_searches), (Format::OpenAiResponses, 2));
    assert_eq!(estimated.units().and_then(|units| units.web_searches), Some(2));
}
