//! Tests of the filter `examples/price.rs`, run as a process.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "bundled")]

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Returns the path of the program, which is built along with the tests.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().expect("a path");
    path.pop();
    path.pop();
    path.join("examples").join(format!("price{}", std::env::consts::EXE_SUFFIX))
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example is built");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("an end");
    writer.join().expect("a thread").expect("a reader");
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn a_line_in_is_a_line_out() {
    let output = run(
        &[],
        br#"{"id": 7, "model": "gpt-4o", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}
{"id": "b", "model": "gpt-4o", "provider": "openai", "batch": true, "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}
{"id": [1], "model": "claude-sonnet-4-5", "usage": {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}}}

{"id": null, "model": "no-such-model", "usage": {"prompt_tokens": 0}}
{"id": 5, "model": "sora-2", "usage": {"prompt_tokens": 1}}
{"id": 6, "model": "gpt-4o", "at": "yesterday", "usage": {"prompt_tokens": 0}}
{"id": 8, "model": "gpt-4o", "usage": {"prompt_tokens": -1}}
"#,
    );
    assert_eq!(
        text(&output.stdout),
        r#"{"id":7,"key":"gpt-4o","input":"0.0025","output":"0.005","tools":"0","total":"0.0075","complete":true}
{"id":"b","key":"gpt-4o","input":"0.00125","output":"0.0025","tools":"0","total":"0.00375","complete":true}
{"id":[1],"key":"claude-sonnet-4-5","input":"0.0000192","output":"0","tools":"0","total":"0.0000192","complete":true}
{"id":null,"error":"unknown_model","message":"unknown model \"no-such-model\": --suggest shows similar names"}
{"id":5,"key":"sora-2","input":"0","output":"0","tools":"0","total":"0","complete":false}
{"id":6,"error":"invalid_call","message":"at: \"yesterday\" is not a time in RFC 3339 form"}
{"id":8,"error":"invalid_call","message":"prompt_tokens: -1 is not a count: a whole number from 0 to 2^64 - 1 at line 1 column 58"}
"#
    );
    assert_eq!(
        text(&output.stderr),
        "7 lines: 4 priced, 1 unknown, 1 incomplete, 2 failed, 0 invalid; total 0.0112692 USD\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn amounts_in_other_units_are_priced() {
    let output = run(
        &[],
        br#"{"id": 0, "model": "gpt-image-1.5", "provider": "openai", "unit": "image", "amounts": {"images": 2, "quality": "high", "size": "1024x1536"}}
{"id": 1, "model": "tts-1", "unit": "speech", "amounts": {"characters": 1000}}
{"id": 2, "model": "whisper-1", "unit": "transcription", "amounts": {"seconds": 59.9}}
{"id": 3, "model": "rerank-v3.5", "unit": "rerank", "amounts": {"search_units": 2, "total_tokens": 900}}
{"id": 4, "model": "voyage/rerank-2", "unit": "rerank", "amounts": {"search_units": 2, "total_tokens": 1000}}
{"id": 5, "model": "mistral/mistral-ocr-4-0", "unit": "ocr", "amounts": {"pages": 2, "annotation_pages": 1}}
{"id": 6, "model": "gemini/veo-3.1-generate-preview", "unit": "video", "amounts": {"seconds": 12.5, "resolution": "4k"}}
{"id": 7, "model": "exa_ai/search", "unit": "search", "amounts": {"queries": 2, "max_results": 30}}
{"id": 8, "model": "gpt-5", "unit": "web_search", "amounts": {"web_search_requests": 4, "search_context_size": "low"}}
{"id": 9, "model": "gpt-live-1", "unit": "session", "amounts": {"seconds": 3}}
{"id": 10, "model": "gpt-4o", "usage": {"prompt_tokens": 1000, "completion_tokens": 0}, "amounts": {"file_searches": 2}}
{"id": 11, "model": "tts-1", "unit": "speech", "amounts": {}}
{"id": 12, "model": "tts-1", "unit": "speech", "amounts": {"syllables": 3}}
{"id": 13, "model": "tts-1", "unit": "image", "amounts": {"images": 1, "size": "large"}}
{"id": 14, "model": "tts-1", "unit": "speech"}
{"id": 15, "model": "whisper-1", "amounts": {"seconds": -1}}
{"id": 16, "model": "whisper-1", "unit": "audio", "amounts": {"seconds": 1}}
"#,
    );
    assert_eq!(
        text(&output.stdout),
        r#"{"id":0,"key":"high/1024-x-1536/gpt-image-1.5","input":"0","output":"0.4","tools":"0","total":"0.4","complete":true}
{"id":1,"key":"tts-1","input":"0.015","output":"0","tools":"0","total":"0.015","complete":true}
{"id":2,"key":"whisper-1","input":"0.00599","output":"0","tools":"0","total":"0.00599","complete":true}
{"id":3,"key":"rerank-v3.5","input":"0.004","output":"0","tools":"0","total":"0.004","complete":true}
{"id":4,"key":"voyage/rerank-2","input":"0.00005","output":"0","tools":"0","total":"0.00005","complete":true}
{"id":5,"key":"mistral/mistral-ocr-4-0","input":"0.013","output":"0","tools":"0","total":"0.013","complete":true}
{"id":6,"key":"gemini/veo-3.1-generate-preview","input":"0","output":"7.5","tools":"0","total":"7.5","complete":true}
{"id":7,"key":"exa_ai/search","input":"0.05","output":"0","tools":"0","total":"0.05","complete":true}
{"id":8,"key":"gpt-5","input":"0","output":"0","tools":"0.01","total":"0.01","complete":true}
{"id":9,"key":"gpt-live-1","input":"0.002499999999999","output":"0","tools":"0","total":"0.002499999999999","complete":true}
{"id":10,"key":"gpt-4o","input":"0.0025","output":"0","tools":"0.005","total":"0.0075","complete":true}
{"id":11,"key":"tts-1","input":"0","output":"0","tools":"0","total":"0","complete":false}
{"id":12,"error":"invalid_call","message":"amounts: unknown field `syllables`, expected one of `images`, `size`, `quality`, `resolution`, `input_images`, `seconds`, `input_seconds`, `characters`, `output_characters`, `search_units`, `total_tokens`, `pages`, `annotation_pages`, `credits`, `queries`, `max_results`, `search_mode`, `text_messages`, `web_search_requests`, `search_context_size`, `page_visits`, `maps_requests`, `file_searches`, `file_storage_gb_days`, `vector_store_gb_days`, `code_interpreter_sessions`, `computer_use_input_tokens`, `computer_use_output_tokens` at line 1 column 12"}
{"id":13,"error":"invalid_call","message":"amounts: size: \"large\" is not the size of an image: write it as 1024x1536"}
{"id":14,"error":"invalid_call","message":"missing field `amounts`"}
{"id":15,"error":"invalid_call","message":"amounts: seconds: -1 is no duration"}
{"id":16,"error":"invalid_call","message":"unit: \"audio\" is none of image, video, speech, transcription, session, rerank, ocr, search, web_search"}
"#
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_name_alone_asks_what_is_known_of_the_model() {
    let output =
        run(&[], b"text-embedding-3-small\n\"text-embedding-3-small\"\n{\"id\": 1, \"model\": \"nobody\"}\n");
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0]["key"], "text-embedding-3-small");
    assert_eq!(lines[0]["how"], "the name as given, a key");
    assert_eq!(
        lines[0]["found_by"],
        serde_json::json!({"candidate": "as_given", "matched": "key", "rewritten": false})
    );
    assert_eq!(lines[0]["model_info"]["litellm_provider"], "openai");
    assert!(lines[0]["model_info"]["input_cost_per_character"].is_null());
    assert_eq!(lines[2]["error"], "unknown_model");
}

#[test]
fn a_line_that_is_not_json_is_said_and_remembered() {
    let output = run(&[], b"{\"model\": \n[1, 2]\n{\"id\": 3, \"model\": \"gpt-4o\", \"usage\": {}}\n");
    assert_eq!(
        text(&output.stdout),
        "{\"line\":1,\"error\":\"invalid_json\",\"message\":\"EOF while parsing a value at line 1 column 9\"}\n\
         {\"id\":null,\"error\":\"invalid_call\",\"message\":\"a call is an object\"}\n\
         {\"id\":3,\"error\":\"invalid_call\",\"message\":\"missing field `prompt_tokens` or `input_tokens`, or a count of any other format: there are no fields at line 1 column 41\"}\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn another_map_may_be_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("map.json");
    std::fs::write(&path, r#"{"mine": {"input_cost_per_token": 2}}"#).expect("a file");
    let line = br#"{"id": 1, "model": "mine", "usage": {"prompt_tokens": 3}}"#;
    let output = run(&["--map", path.to_str().expect("a path")], line);
    assert_eq!(
        text(&output.stdout),
        "{\"id\":1,\"key\":\"mine\",\"input\":\"6\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"6\",\"complete\":true}\n"
    );
    let output = run(&["--map", "no/such/file"], b"");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("price: cannot read no/such/file: "));
}

#[test]
fn responses_and_streams_are_priced() {
    let stream = r#"data: {\"model\": \"gpt-4o\", \"choices\": []}\n\ndata: {\"choices\": [], \"usage\": {\"prompt_tokens\": 1000, \"completion_tokens\": 2}}\n\n"#;
    let lines = [
        r#"{"id": 1, "body": {"type": "message", "model": "claude-sonnet-4-5-20250929", "usage": {"input_tokens": 100, "cache_read_input_tokens": 10000, "output_tokens": 50}}}"#.to_owned(),
        r#"{"id": 2, "format": "gemini", "model": "gemini/gemini-2.5-pro", "body": {"usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 10, "totalTokenCount": 1010}}}"#.to_owned(),
        format!(r#"{{"id": 3, "stream": "{stream}"}}"#),
        format!(r#"{{"id": 4, "stream": "{stream}data: [DONE]\n\n"}}"#),
        r#"{"id": 5, "stream_base64": "ZGF0YTogeyJ1c2FnZSI6IHsicHJvbXB0X3Rva2VucyI6IDF9fQoK", "model": "gpt-4o"}"#.to_owned(),
        r#"{"id": 6, "model": "gpt-4o", "body": {"error": {"type": "rate_limit_error", "code": 429, "message": "slow down"}}}"#.to_owned(),
        r#"{"id": 7, "model": "gpt-4o", "body": {"choices": []}}"#.to_owned(),
        r#"{"id": 8, "model": "gpt-4o", "format": "telegram", "body": {}}"#.to_owned(),
        r#"{"id": 9, "body": {"usage": {"prompt_tokens": 5}}}"#.to_owned(),
        r#"{"id": 10, "model": "nobody", "body": {"usage": {"prompt_tokens": 5}}}"#.to_owned(),
    ];
    let output = run(&[], lines.join("\n").as_bytes());
    let expected = [
        r#"{"id":1,"key":"claude-sonnet-4-5-20250929","input":"0.0033","output":"0.00075","tools":"0","total":"0.00405","complete":true,"format":"anthropic","usage":{"prompt_tokens":10100,"completion_tokens":50,"total_tokens":10150,"prompt_tokens_details":{"cached_tokens":10000}}}"#,
        r#"{"id":2,"key":"gemini/gemini-2.5-pro","input":"0.00125","output":"0.0001","tools":"0","total":"0.00135","complete":true,"format":"gemini","usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}"#,
        r#"{"id":3,"key":"gpt-4o","input":"0.0025","output":"0.00002","tools":"0","total":"0.00252","complete":true,"format":"openai_chat","final":false,"usage":{"prompt_tokens":1000,"completion_tokens":2,"total_tokens":1002}}"#,
        r#"{"id":4,"key":"gpt-4o","input":"0.0025","output":"0.00002","tools":"0","total":"0.00252","complete":true,"format":"openai_chat","final":true,"usage":{"prompt_tokens":1000,"completion_tokens":2,"total_tokens":1002}}"#,
        r#"{"id":5,"key":"gpt-4o","input":"0.0000025","output":"0","tools":"0","total":"0.0000025","complete":true,"format":"openai_chat","final":false,"usage":{"prompt_tokens":1,"total_tokens":1}}"#,
        r#"{"id":6,"error":"error_response","message":"the provider responded with an error (rate_limit_error, 429): it reports no usage"}"#,
        r#"{"id":7,"error":"missing_usage","message":"the response has no usage: there is neither a usage object nor another field with counts"}"#,
        r#"{"id":8,"error":"invalid_call","message":"format: \"telegram\" is not a wire format"}"#,
        r#"{"id":9,"error":"unknown_model","message":"neither the line nor the response names a model","format":"openai_chat","usage":{"prompt_tokens":5,"total_tokens":5}}"#,
        r#"{"id":10,"error":"unknown_model","message":"unknown model \"nobody\": --suggest shows similar names","format":"openai_chat","usage":{"prompt_tokens":5,"total_tokens":5}}"#,
    ];
    assert_eq!(text(&output.stdout).lines().collect::<Vec<_>>(), expected);
    assert_eq!(
        text(&output.stderr),
        "10 lines: 5 priced, 1 unknown, 0 incomplete, 4 failed, 0 invalid; total 0.0104425 USD\n"
    );
}

#[test]
fn prefixes_are_understood_and_other_lines_are_invalid() {
    let output = run(
        &[],
        b"\xEF\xBB\xBFdata: {\"id\": 1, \"model\": \"gpt-4o\", \"usage\": {\"input_tokens\": 2, \"output_tokens\": 0}}\n\
          \n\
          data: [DONE]\n\
          : a comment\n\
          Dear sir, what does gpt-4o cost?\n",
    );
    assert_eq!(
        text(&output.stdout),
        "{\"id\":1,\"key\":\"gpt-4o\",\"input\":\"0.000005\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"0.000005\",\"complete\":true}\n\
         {\"line\":4,\"error\":\"invalid_line\",\"message\":\"neither JSON nor the name of a model\"}\n\
         {\"line\":5,\"error\":\"invalid_line\",\"message\":\"neither JSON nor the name of a model\"}\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

const CALLS: &[u8] = br#"{"id": "a,b", "model": "gpt-4o", "usage": {"prompt_tokens": 1000}, "at": "2026-11-18T23:59:59Z"}
{"id": 2, "model": "gpt-4o", "provider": "azure", "usage": {"prompt_tokens": 1000}, "at": "2026-11-18T20:00:00-05:00"}
{"id": 3, "model": "gpt-4o", "usage": {"completion_tokens": 1, "prompt_tokens": 0}, "at": "2026-11-18T00:00:00Z"}
"#;

#[test]
fn totals_are_made_by_model_provider_and_day() {
    for (by, expected) in [
        (
            "model",
            "{\"model\":\"azure/gpt-4o\",\"calls\":1,\"incomplete\":0,\"input\":\"0.0025\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"0.0025\"}\n\
             {\"model\":\"gpt-4o\",\"calls\":2,\"incomplete\":0,\"input\":\"0.0025\",\"output\":\"0.00001\",\"tools\":\"0\",\"total\":\"0.00251\"}\n",
        ),
        (
            "provider",
            "{\"provider\":\"azure\",\"calls\":1,\"incomplete\":0,\"input\":\"0.0025\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"0.0025\"}\n\
             {\"provider\":\"openai\",\"calls\":2,\"incomplete\":0,\"input\":\"0.0025\",\"output\":\"0.00001\",\"tools\":\"0\",\"total\":\"0.00251\"}\n",
        ),
        (
            "day",
            "{\"day\":\"2026-11-18\",\"calls\":2,\"incomplete\":0,\"input\":\"0.0025\",\"output\":\"0.00001\",\"tools\":\"0\",\"total\":\"0.00251\"}\n\
             {\"day\":\"2026-11-19\",\"calls\":1,\"incomplete\":0,\"input\":\"0.0025\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"0.0025\"}\n",
        ),
    ] {
        let output = run(&["--by", by], CALLS);
        assert_eq!(text(&output.stdout), expected, "{by}");
        assert!(output.status.success());
    }
    let output = run(&["--by", "model", "--csv"], CALLS);
    assert_eq!(
        text(&output.stdout),
        "model,calls,incomplete,input,output,tools,total\n\
         azure/gpt-4o,1,0,0.0025,0,0,0.0025\n\
         gpt-4o,2,0,0.0025,0.00001,0,0.00251\n"
    );
}

#[test]
fn options_are_read() {
    let output = run(&["--csv"], CALLS);
    assert_eq!(
        text(&output.stdout),
        "id,key,input,output,tools,total,complete,error,message\n\
         \"a,b\",gpt-4o,0.0025,0,0,0.0025,true,,\n\
         2,azure/gpt-4o,0.0025,0,0,0.0025,true,,\n\
         3,gpt-4o,0,0.00001,0,0.00001,true,,\n"
    );
    let output = run(&["--help"], b"");
    assert!(text(&output.stdout).starts_with("Prices calls to language models: one JSON object per line in"));
    assert!(output.status.success());
    let line = br#"{"id": 1, "model": "GPT-4o", "usage": {"prompt_tokens": 1}}"#;
    let output = run(&["--strict", "--suggest"], line);
    assert_eq!(
        text(&output.stdout),
        "{\"id\":1,\"error\":\"unknown_model\",\"message\":\"unknown model \\\"GPT-4o\\\": did you mean gpt-4o, azure/gpt-4o, azure/eu/gpt-4o? If not, register it\"}\n"
    );
    let output = run(&["--provider", "azure"], line);
    assert!(text(&output.stdout).starts_with("{\"id\":1,\"key\":\"azure/gpt-4o\","));
    for (arguments, said) in [
        (&["--by", "week"][..], "price: --by week: write model, provider or day\nTry --help.\n"),
        (&["--nonsense"], "price: invalid option '--nonsense'\nTry --help.\n"),
        (&["no/such/file"], "price: cannot read no/such/file: No such file or directory (os error 2)\n"),
    ] {
        let output = run(arguments, b"");
        assert_eq!((text(&output.stderr), output.status.code()), (said, Some(2)));
    }
}

/// With `--snapshot`, each answer to a call has what LiteLLM's accounting keeps of it.
#[test]
fn snapshots_are_put_on_the_answers() {
    let output = run(
        &["--snapshot"],
        br#"{"id": 7, "model": "gpt-4o", "provider": "openai", "usage": {"prompt_tokens": 1000}}
{"id": "b", "model": "sora-2", "usage": {"prompt_tokens": 1}}
{"id": null, "model": "no-such-model", "usage": {"prompt_tokens": 0}}
nonsense and more
gpt-4o
"#,
    );
    let answers: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let snapshot = &answers[0]["snapshot"];
    assert_eq!((&snapshot["total_cost"], &snapshot["provider"]), (&answers[0]["total"], &"openai".into()));
    assert_eq!(snapshot["rates"][0]["usd_per_unit"], "0.0000025");
    let events: Vec<(&serde_json::Value, &serde_json::Value)> = answers[1..]
        .iter()
        .map(|answer| (&answer["snapshot"]["usage_event_id"], &answer["snapshot"]["reason"]))
        .collect();
    let text_of = |text: &str| serde_json::Value::from(text);
    let expected = [
        ("b", "sora-2 is billed for made_video, which the call does not count: set Units::video"),
        ("line 3", "unknown model \"no-such-model\": --suggest shows similar names"),
        ("line 4", "neither JSON nor the name of a model"),
    ]
    .map(|(id, reason)| (text_of(id), text_of(reason)));
    assert!(
        events.iter().take(3).copied().eq(expected.iter().map(|(id, reason)| (id, reason))),
        "{events:?}"
    );
    // A name alone is no call.
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[4].get("snapshot"), None);
    let output = run(&["--snapshot", "--csv"], b"");
    assert_eq!(
        (text(&output.stderr), output.status.code()),
        (
            "price: --snapshot: snapshots are JSON lines, and go with neither --csv nor --by\nTry --help.\n",
            Some(2)
        )
    );
}

#[test]
fn files_are_read_one_after_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    for path in &paths {
        std::fs::write(path, CALLS).expect("a file");
    }
    let output = run(&[paths[0].to_str().expect("a path"), paths[1].to_str().expect("a path")], b"");
    assert_eq!(text(&output.stdout).lines().count(), 6);
    assert_eq!(
        text(&output.stderr),
        "6 lines: 6 priced, 0 unknown, 0 incomplete, 0 failed, 0 invalid; total 0.01002 USD\n"
    );
}

/// Ctrl-C ends the filter with the answers so far, and with the summary.
#[cfg(unix)]
#[test]
fn an_interrupted_filter_says_what_it_did() {
    let mut command = Command::new(program());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("the example is built");
    let mut stdin = child.stdin.take().expect("a pipe");
    // The answers are more than a pipe and the buffers hold, so that one that can be read shows that
    // the filter is at work.
    let lines = CALLS.repeat(400);
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&lines);
        stdin
    });
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut first = [0];
    stdout.read_exact(&mut first).expect("an answer");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(kill.success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the answers");
    let output = child.wait_with_output().expect("an end");
    drop(writer.join());
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let summary = text(&output.stderr);
    let lines = rest.lines().count();
    assert!(summary.starts_with(&format!("{lines} lines: {lines} priced, 0 unknown")), "{summary}");
}

/// A history of two maps: the price of a model rises, and another model leaves.
fn history(folder: &std::path::Path) -> String {
    use llm_costmap::history::{History, Recording};

    let path = folder.join("history");
    let history = History::open(&path).unwrap();
    let time = |text: &str| std::time::SystemTime::from(text.parse::<jiff::Timestamp>().unwrap());
    for (at, map) in [
        (
            "2026-02-01T16:00:00Z",
            r#"{"m": {"input_cost_per_token": 1e-6}, "old": {"input_cost_per_token": 3e-6}}"#,
        ),
        ("2026-03-01T16:00:00Z", r#"{"m": {"input_cost_per_token": 2e-6}}"#),
    ] {
        history
            .record_map(map, Recording::new("test").effective_from(time(at)).recorded_at(time(at)))
            .unwrap();
    }
    path.display().to_string()
}

#[test]
fn each_line_is_priced_by_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = history(folder.path());
    let lines = [
        r#"{"id": 1, "model": "m", "at": "2026-03-01T15:59:59.999999Z", "usage": {"prompt_tokens": 1000000}}"#,
        r#"{"id": 2, "model": "m", "at": "2026-03-01T16:00:00Z", "usage": {"prompt_tokens": 1000000}}"#,
        r#"{"id": 3, "model": "m", "at": "2026-01-01T00:00:00Z", "usage": {"prompt_tokens": 1000000}}"#,
        r#"{"id": 4, "model": "m", "usage": {"prompt_tokens": 1000000}}"#,
        r#"{"id": 5, "model": "old", "at": "2026-04-01T00:00:00Z", "usage": {"prompt_tokens": 1000000}}"#,
    ]
    .join("\n");
    let output = run(&["--history", &path], lines.as_bytes());
    let amounts = |id: u64, key: &str, total: &str, rest: &str| {
        format!(
            r#"{{"id":{id},"key":"{key}","input":"{total}","output":"0","tools":"0","total":"{total}","complete":true{rest}}}"#
        )
    };
    let early = r#"{"id":3,"error":"no_price_at","message":"\"m\" has no price at 2026-01-01T00:00:00.000000+00:00: its prices begin at 2026-02-01T16:00:00.000000+00:00"}"#;
    let undated = r#"{"id":4,"error":"invalid_call","message":"missing field `at`: a history has prices of each time"}"#;
    let gone = r#"{"id":5,"error":"no_price_at","message":"\"old\" has no price at 2026-04-01T00:00:00.000000+00:00: it left the map at 2026-03-01T16:00:00.000000+00:00; AsOf::retired keeps its last price"}"#;
    let first = [amounts(1, "m", "1", ""), amounts(2, "m", "2", ""), early.to_owned(), undated.to_owned()];
    let lines_out = |output: &Output| text(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines_out(&output), [&first[..], &[gone.to_owned()]].concat());
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["--history", &path, "--retired"], lines.as_bytes());
    assert_eq!(lines_out(&output), [&first[..], &[amounts(5, "old", "3", r#","retired":true"#)]].concat());
    let output = run(&["--history", &path, "--recorded-by", "2026-02-15T00:00:00Z"], lines.as_bytes());
    assert_eq!(lines_out(&output)[1], amounts(2, "m", "1", ""));
    for (arguments, error) in [
        (
            &["--history", &path, "--map", "x"][..],
            "--history: a history has maps of its own, and does not go with --map",
        ),
        (&["--recorded-by", "2026-02-15T00:00:00Z"], "--recorded-by: it goes with --history FILE"),
        (
            &["--history", &path, "--recorded-by", "soon"],
            "--recorded-by soon: write a time in RFC 3339, such as 2026-11-12T16:00:00Z",
        ),
        (
            &["--history", "/none"],
            "the history /none: cannot read it: No such file or directory (os error 2)",
        ),
    ] {
        let output = run(arguments, b"");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().next()), (Some(2), Some(&*format!("price: {error}"))));
    }
}

#[cfg(feature = "retired")]
#[test]
fn retired_models_have_prices_if_asked_for() {
    let line = br#"{"id": 1, "model": "gemini-2.0-flash", "usage": {"prompt_tokens": 1000000}}"#;
    let output = run(&["--retired"], line);
    assert_eq!(
        text(&output.stdout),
        "{\"id\":1,\"key\":\"gemini-2.0-flash\",\"input\":\"0.1\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"0.1\",\"complete\":true,\"retired\":true}\n"
    );
    assert!(text(&run(&[], line).stdout).contains("unknown_model"));
    let found = run(&["--retired"], b"gemini-2.0-flash");
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["how"], "the name as given, a key, of a model that left the map");
    assert_eq!(found["model_info"]["retired"]["source"], "LiteLLM 1.95.0");
}
