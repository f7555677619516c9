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
    assert!(added(&client, &events, DONE).contains(r#""total":"0.000042""#), "{client}");
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
