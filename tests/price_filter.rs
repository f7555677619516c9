//! Tests of the filter `examples/price.rs`, run as a process.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "bundled")]

use std::io::Write;
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

{"id": null, "model": "no-such-model", "usage": {}}
{"id": 5, "model": "sora-2", "usage": {"prompt_tokens": 1}}
{"id": 6, "model": "gpt-4o", "at": "yesterday", "usage": {}}
{"id": 8, "model": "gpt-4o", "usage": {"prompt_tokens": -1}}
"#,
    );
    assert_eq!(
        text(&output.stdout),
        r#"{"id":7,"key":"gpt-4o","input":"0.0025","output":"0.005","tools":"0","total":"0.0075","complete":true}
{"id":"b","key":"gpt-4o","input":"0.00125","output":"0.0025","tools":"0","total":"0.00375","complete":true}
{"id":[1],"key":"claude-sonnet-4-5","input":"0.0000192","output":"0","tools":"0","total":"0.0000192","complete":true}
{"id":null,"error":"unknown_model","message":"unknown model \"no-such-model\": register it, or check the name"}
{"id":5,"key":"sora-2","input":"0","output":"0","tools":"0","total":"0","complete":false}
{"id":6,"error":"invalid_call","message":"at: \"yesterday\" is not a time in RFC 3339 form"}
{"id":8,"error":"invalid_call","message":"-1 is not a count: a whole number from 0 to 2^64 - 1 at line 1 column 59"}
"#
    );
    assert_eq!(
        text(&output.stderr),
        "7 lines: 4 priced, 1 unknown, 1 incomplete, 2 failed, 0 invalid; total 0.0112692 USD\n"
    );
    assert!(output.status.success());
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
         {\"id\":3,\"key\":\"gpt-4o\",\"input\":\"0\",\"output\":\"0\",\"tools\":\"0\",\"total\":\"0\",\"complete\":true}\n"
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
