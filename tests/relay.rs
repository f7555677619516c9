//! Tests of streams that are passed on with their cost.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::cell::RefCell;

use llm_costmap::cost::Note;
use llm_costmap::wire::{Relay, Response, Stream};
use llm_costmap::{Cost, CostMap, Error};
use serde_json::{Value, json};

const MAP: &str = r#"{"m": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}}"#;

/// Relays a stream in pieces, and returns what the client gets and the bills.
fn relay(pieces: &[&[u8]], finishes: bool) -> (String, Vec<Result<Cost, Error>>) {
    let map = CostMap::from_json(MAP).unwrap();
    let bills = RefCell::new(Vec::new());
    let mut client = Vec::new();
    let mut relay = Relay::new(Stream::new(), 30, |served: Result<Response, Error>| {
        let cost = served.and_then(|served| map.cost(served.lookup_or("m"), &served));
        bills.borrow_mut().push(cost.clone());
        cost
    });
    for piece in pieces {
        client.extend_from_slice(&relay.push(piece));
    }
    if finishes {
        client.extend(relay.finish());
        assert!(relay.cost().is_some());
    }
    drop(relay);
    (String::from_utf8(client).unwrap(), bills.into_inner())
}

const CHAT: &str = "data: {\"id\": \"c-1\", \"model\": \"m\", \"choices\": [{\"delta\": {\"content\": \"data: [DONE]\"}}]}\n\n\
    : data: [DONE] in a comment\n\n\
    data: {\"id\": \"c-1\", \"model\": \"m\", \"choices\": [], \"usage\": {\"prompt_tokens\": 1000, \"completion_tokens\": 2}}\r\n\r\n";
const USAGE: &str = "data: {\"model\": \"m\", \"choices\": [], \"usage\": {\"prompt_tokens\": 1000, \"completion_tokens\": 2}}";
const DONE: &str = "data: [DONE]\n\n";

/// Returns the event that was added between two texts.
fn added(client: &str, before: &str, after: &str) -> String {
    let rest = client.strip_prefix(before).unwrap_or_else(|| panic!("{client}"));
    rest.strip_suffix(after).unwrap_or_else(|| panic!("{client}")).to_owned()
}

#[test]
fn the_cost_of_a_chat_goes_before_its_last_line_however_it_is_cut() {
    let whole = format!("{CHAT}{DONE}");
    let mut compared = 0;
    let mut check = |pieces: &[&[u8]]| {
        let (client, bills) = relay(pieces, true);
        let event = added(&client, CHAT, DONE);
        let mut event: Value =
            serde_json::from_str(event.strip_prefix("data: ").unwrap().trim_end()).unwrap();
        assert!(event["created"].take().as_u64() > Some(1_700_000_000));
        assert_eq!(
            event,
            json!({"id": "c-1", "object": "chat.completion.chunk", "created": null, "model": "m", "choices": [],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 2, "total_tokens": 1002}, "response_cost": {"total": "0.001004", "original": "0.001004", "discount_amount": "0",
                    "margin_amount": "0", "margin_percent": "0", "input": "0.001", "output": "0.000004", "tool_usage": "0"}})
        );
        assert_eq!(bills.len(), 1);
        assert_eq!(bills[0].as_ref().unwrap().total().to_string(), "0.001004");
        compared += 1;
    };
    for first in 0..=whole.len() {
        check(&[&whole.as_bytes()[..first], &whole.as_bytes()[first..]]);
    }
    check(&whole.as_bytes().chunks(1).collect::<Vec<_>>());
    check(&whole.as_bytes().chunks(7).collect::<Vec<_>>());
    assert_eq!(compared, whole.len() + 3);
}

#[test]
fn nothing_but_the_last_line_waits() {
    let map = CostMap::from_json(MAP).unwrap();
    let mut relay = Relay::new(Stream::new(), 30, |served| map.cost("m", &served?));
    for (piece, passed) in [
        ("data: {\"a\": 1}\n\n", "data: {\"a\": 1}\n\n"),
        ("data: ", ""),
        ("{\"choices\": []", "data: {\"choices\": []"),
        ("data: [DONE]", "data: [DONE]"),
        ("}\n\nd", "}\n\n"),
        ("ata: [DONE", ""),
    ] {
        assert_eq!(String::from_utf8_lossy(&relay.push(piece.as_bytes())), passed, "{piece}");
    }
    // What was held back is not lost where the stream ends within it.
    assert!(String::from_utf8(relay.finish()).unwrap().starts_with("data: [DONE"));
}

#[test]
fn other_streams_end_with_an_event_of_its_own_name() {
    let stream = "event: message_start\ndata: {\"type\": \"message_start\", \"message\": {\"model\": \"m\", \"usage\": {\"input_tokens\": 1000, \"output_tokens\": 1}}}\n\n\
        event: message_delta\ndata: {\"type\": \"message_delta\", \"usage\": {\"output_tokens\": 2}}\n\n\
        event: message_stop\ndata: {\"type\": \"message_stop\"}\n\n";
    let (client, bills) = relay(&[stream.as_bytes()], true);
    let event = added(&client, stream, "\n\n");
    let event: Value =
        serde_json::from_str(event.strip_prefix("event: response_cost\ndata: ").unwrap()).unwrap();
    assert_eq!(
        (&event["type"], &event["response_cost"]["total"]),
        (&json!("response_cost"), &json!("0.001004"))
    );
    assert_eq!(bills.len(), 1);
    // A list of JSON has no place for an event.
    let gemini = r#"[{"modelVersion": "m", "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 2, "totalTokenCount": 1002}}]"#;
    let (client, bills) = relay(&[gemini.as_bytes()], true);
    assert_eq!(
        (client.as_str(), bills[0].as_ref().unwrap().total().to_string().as_str()),
        (gemini, "0.001004")
    );
}

#[test]
fn a_client_that_hangs_up_is_billed_by_estimates() {
    let events = "data: {\"model\": \"m\", \"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n".repeat(5);
    let (client, bills) = relay(&[events.as_bytes()], false);
    assert_eq!(client, events);
    let [Ok(bill)] = &bills[..] else { panic!("{bills:?}") };
    // 30 tokens of the prompt, and a token for each event.
    assert_eq!(bill.total().to_string(), "0.00004");
    assert!(bill.notes().any(|note| note == Note::EstimatedCounts));
    // So is a provider that counts nothing.
    let (client, bills) = relay(&[events.as_bytes(), DONE.as_bytes()], true);
    assert!(added(&client, &events, DONE).contains(r#""total":"0.00004""#), "{client}");
    assert!(bills[0].as_ref().unwrap().notes().any(|note| note == Note::EstimatedCounts));
    // Counts that were reported before the end are kept.
    let start = "data: {\"type\": \"message_start\", \"message\": {\"model\": \"m\", \"usage\": {\"input_tokens\": 1000, \"output_tokens\": 1}}}\n\n";
    let (_, bills) = relay(&[start.as_bytes()], false);
    assert_eq!(bills[0].as_ref().unwrap().total().to_string(), "0.001002");
}

#[test]
fn an_error_of_the_provider_is_not_billed() {
    let error = "data: {\"error\": {\"message\": \"overloaded\", \"type\": \"overloaded_error\"}}\n\n";
    for finishes in [true, false] {
        let (client, bills) = relay(&[error.as_bytes()], finishes);
        let [Err(Error::ErrorResponse { .. })] = &bills[..] else { panic!("{bills:?}") };
        let told = "event: response_cost\ndata: {\"type\":\"response_cost\",\"response_cost\":{\"error\":\"the provider responded with an error (overloaded_error): it reports no usage\"}}\n\n";
        assert_eq!(client, format!("{error}{}", if finishes { told } else { "" }));
    }
    // An unknown model is told as well.
    let unknown = "data: {\"model\": \"x\", \"choices\": [], \"usage\": {\"prompt_tokens\": 1, \"completion_tokens\": 2}}\n\n";
    let (client, bills) = relay(&[unknown.as_bytes(), DONE.as_bytes()], true);
    let event = added(&client, unknown, DONE);
    let told = r#""response_cost":{"error":"unknown model \"x\": register it, or check the name"}"#;
    assert!(event.contains(told), "{event}");
    assert!(matches!(bills[..], [Err(Error::UnknownModel(_))]));
}

#[test]
fn the_event_stands_behind_a_whole_one_however_that_ends() {
    let usage = USAGE.replace("data: ", "");
    for (stream, before, after) in [
        // The end of the last event, its line or its blank line is missing.
        (USAGE.to_owned(), format!("{USAGE}\n\n"), String::new()),
        (format!("{USAGE}\n"), format!("{USAGE}\n\n"), String::new()),
        (format!("{USAGE}\r\n"), format!("{USAGE}\r\n\n"), String::new()),
        (format!("{USAGE}\n\n"), format!("{USAGE}\n\n"), String::new()),
        (format!("{USAGE}\n\n\n"), format!("{USAGE}\n\n\n"), String::new()),
        // The last line follows without a blank one, has a name, no blank, or other ends of lines.
        (format!("{USAGE}\n{DONE}"), format!("{USAGE}\n\n"), DONE.to_owned()),
        (format!("{USAGE}\n\nevent: done\n{DONE}"), format!("{USAGE}\n\nevent: done\n\n"), DONE.to_owned()),
        (format!("{USAGE}\n\ndata:[DONE]\n\n"), format!("{USAGE}\n\n"), "data:[DONE]\n\n".to_owned()),
        (format!("{USAGE}\r\rdata: [DONE]\r\r"), format!("{USAGE}\r\r"), "data: [DONE]\r\r".to_owned()),
        (
            format!(": hello\n\ndata:{usage}\n\n{DONE}{DONE}"),
            format!(": hello\n\ndata:{usage}\n\n"),
            format!("{DONE}{DONE}"),
        ),
    ] {
        for size in [1, 5, 1000] {
            let (client, bills) = relay(&stream.as_bytes().chunks(size).collect::<Vec<_>>(), true);
            let event = added(&client, &before, &after);
            assert!(event.starts_with("data: {\"id\":") && event.ends_with("}}\n\n"), "{event}");
            assert_eq!(event.matches('\n').count(), 2, "{event}");
            assert_eq!(bills.len(), 1);
            assert_eq!(bills[0].as_ref().unwrap().total().to_string(), "0.001004", "{stream:?} {size}");
        }
    }
}

#[test]
fn nothing_is_added_to_half_an_event() {
    let begun = "data: {\"model\": \"m\", \"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n".repeat(3);
    for half in ["data: {\"model\": \"m\", \"choi", "data: [DO", "event: x\ndata: {\"a\"", "data: {\"a\":\n"]
    {
        for size in [1, 1000] {
            let stream = format!("{begun}{half}");
            let (client, bills) = relay(&stream.as_bytes().chunks(size).collect::<Vec<_>>(), true);
            assert_eq!(client, stream);
            // It is billed: 30 tokens of the prompt, and a token for each event of the three.
            assert_eq!(bills.len(), 1);
            let total = bills[0].as_ref().unwrap().total().to_string();
            assert!(["0.000036", "0.000038"].contains(&&*total), "{half}: {total}");
        }
    }
}

#[test]
fn an_error_that_interrupts_a_response_is_estimated() {
    let begun = "data: {\"model\": \"m\", \"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n";
    let error = "data: {\"error\": {\"message\": \"overloaded\", \"type\": \"overloaded_error\"}}\n\n";
    for (events, expected) in [(2, None), (3, Some("0.000038")), (9, Some("0.00005"))] {
        let stream = format!("{}{error}", begun.repeat(events));
        for finishes in [true, false] {
            let (client, bills) = relay(&[stream.as_bytes()], finishes);
            let total = bills[0].as_ref().map(|bill| bill.total().to_string()).ok();
            assert_eq!((bills.len(), total.as_deref()), (1, expected));
            assert_eq!(client.contains(r#""estimated":true"#), finishes && expected.is_some(), "{client}");
        }
    }
}

#[test]
fn a_panic_of_the_caller_is_one_panic() {
    let calls = std::cell::Cell::new(0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut relay = Relay::new(Stream::new(), 30, |_| {
            calls.set(calls.get() + 1);
            panic!("the ledger is full")
        });
        let _ = relay.push(CHAT.as_bytes());
        let _ = relay.finish();
    }));
    assert!(panicked.is_err());
    assert_eq!(calls.get(), 1);
}
