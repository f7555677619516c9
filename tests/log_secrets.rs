//! Tests that no secret reaches a program's log, not even through the underlying libraries, which
//! log whole requests at their finest level. A program's logger is global, so this test has a
//! process of its own.
#![cfg(feature = "http")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Mutex;

use common::edition;
use common::server::{Server, answer};
use llm_costmap::{CostMap, HttpSource};
use log::{LevelFilter, Log, Metadata, Record};

struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(format!("{} {} {}", record.level(), record.target(), record.args()));
    }

    fn flush(&self) {}
}

/// Returns a secret so long that a dump of it contains `SECRET` unbroken, wherever the dump breaks
/// its lines.
fn secret(letter: char) -> String {
    format!("SECRET{letter}").repeat(20)
}

#[test]
fn no_secret_of_a_request_or_its_answer_is_logged() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    for tls in [false, true] {
        let redirect = format!("/signed/{}?sig={}", secret('d'), secret('e'));
        let location = redirect.clone();
        let handler = move |request: &common::server::Request,
                            connection: &mut dyn common::server::Connection| {
            let cookie = ("set-cookie", &*secret('f'));
            if request.path.starts_with("/signed") {
                answer(connection, "200 OK", &[cookie, ("etag", "\"1\"")], edition(60, "2").as_bytes());
            } else {
                answer(connection, "302 Found", &[cookie, ("location", &location)], b"");
            }
        };
        let (server, roots) = if tls {
            let (server, pem) = Server::tls(handler);
            (server, Some(pem))
        } else {
            (Server::new(handler), None)
        };
        let url = server.url().replace("://", &format!("://user:{}@", secret('a')));
        let mut source =
            HttpSource::new(format!("{url}?token={}", secret('b'))).header("x-my-auth", secret('c'));
        if let Some(roots) = roots {
            source = source.root_certificates(roots);
        }
        let map = CostMap::builder().http(source).json("{}").build().unwrap();
        LINES.0.lock().unwrap().clear();
        assert_eq!(map.reload().unwrap().etag.as_deref(), Some("\"1\""));
        map.on_reload(|_| {});

        // The server received every secret.
        let asked = server.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].path, format!("/map.json?token={}", secret('b')));
        assert_eq!(
            (asked[0].header("x-my-auth"), asked[1].header("x-my-auth")),
            (Some(&*secret('c')), Some(&*secret('c')))
        );
        assert!(asked[0].header("authorization").is_some_and(|basic| basic.starts_with("Basic ")));
        assert_eq!(asked[1].path, redirect);

        let lines = std::mem::take(&mut *LINES.0.lock().unwrap());
        let basic = asked[0].header("authorization").and_then(|basic| basic.get(20..40)).unwrap().to_owned();
        let of_ureq = lines.iter().filter(|line| line.contains("ureq")).count();
        assert!(of_ureq >= 10, "it logs nothing: {of_ureq}");
        for line in lines {
            // A dump shows sixteen bytes per line, after their digits.
            assert!(!line.contains("SECRET") && !line.contains(&basic), "{line}");
        }
    }
}
