//! Tests of faulty sources, against a server that misbehaves on purpose. After each fault the live
//! map answers as before, the status says what was wrong, and the next good map is taken over.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::server::{Connection, Request, Server, answer};
use common::{edition, price};
use flate2::Compression;
use flate2::write::GzEncoder;
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, CostMapBuilder, HttpSource, Source};

/// The number of models in the live map.
const MODELS: usize = 60;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns a source with short timeouts and two attempts.
fn source(url: String) -> HttpSource {
    HttpSource::new(url)
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_millis(300))
        .overall_timeout(Duration::from_millis(900))
        .attempts(2)
        .retry_delay(Duration::from_millis(1))
        .max_bytes(100_000)
}

/// The effect of a fault on the map.
enum After {
    /// The map stays, and the reload fails with this error.
    Kept(String),
    /// The map is replaced, since the fault is harmless.
    New,
    /// The map stays, since nothing changed.
    Unchanged,
}
use After::{Kept, New, Unchanged};

fn kept(error: &str) -> After {
    Kept(error.to_owned())
}

type Handler = Box<dyn Fn(&Request, &mut dyn Connection) + Send + Sync>;

fn body(
    status: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: impl Into<Vec<u8>>,
) -> Handler {
    let body = body.into();
    Box::new(move |_, connection| answer(connection, status, headers, &body))
}

fn ok(text: impl Into<Vec<u8>>) -> Handler {
    body("200 OK", &[], text)
}

fn raw(text: &'static str) -> Handler {
    Box::new(move |_, connection| {
        connection.write_all(text.as_bytes()).ok();
    })
}

/// Waits until the client disconnects, and sends nothing.
fn wait(connection: &mut dyn Connection) {
    while connection.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
}

/// Returns the faults: the name of each, the answer of the server, and the effect on the map.
#[allow(clippy::too_many_lines, reason = "a table")]
fn http_faults() -> Vec<(&'static str, Handler, After)> {
    let good = edition(MODELS, "2");
    let half = good.get(..good.len() / 2).unwrap().to_owned();
    let mut faults: Vec<(&'static str, Handler, After)> = vec![
        (
            "closed without an answer",
            Box::new(|_, _| {}),
            kept("cannot fetch {url}: the connection failed: Peer disconnected (tried 2 times)"),
        ),
        (
            "no HTTP",
            raw("SSH-2.0-OpenSSH_9.2\r\n"),
            kept(
                "cannot fetch {url}: the server does not speak HTTP: http parse fail: invalid HTTP version (tried 2 times)",
            ),
        ),
        (
            "headers that break off",
            raw("HTTP/1.1 200 OK\r\ncontent-le"),
            kept("cannot fetch {url}: the connection failed: Peer disconnected (tried 2 times)"),
        ),
        (
            "the response headers are too large",
            Box::new(|_, connection| {
                answer(connection, "200 OK", &[("x", &"y".repeat(100_000))], b"{}");
            }),
            kept("cannot fetch {url}: the response headers are too large"),
        ),
        (
            "silence",
            Box::new(|_, connection| wait(connection)),
            kept("cannot fetch {url}: no bytes within 300ms (tried 2 times)"),
        ),
        (
            "silence in the midst of a body",
            Box::new(|_, connection| {
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"m\"").ok();
                wait(connection);
            }),
            kept("cannot fetch {url}: no bytes within 300ms (tried 2 times)"),
        ),
        (
            "a slow drip past the deadline",
            Box::new(|_, connection| {
                connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").ok();
                // The fault is the slow pace. The loop ends when the client disconnects.
                while connection.write_all(b" ").and_then(|()| connection.flush()).is_ok() {
                    thread::sleep(Duration::from_millis(30));
                }
            }),
            kept("cannot fetch {url}: no whole answer within 900ms (tried 2 times)"),
        ),
        (
            "a length that is too long",
            raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"m\": {}}"),
            kept("cannot fetch {url}: the answer broke off: Peer disconnected (tried 2 times)"),
        ),
        (
            "a length that is too short",
            raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{\"m\": {}}"),
            kept("{url} is not a model map: EOF while parsing a value (line 1, column 5)"),
        ),
        (
            "a length that is none",
            raw("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{\"m\": {}}"),
            kept(
                "cannot fetch {url}: the server does not speak HTTP: content-length header not a number (tried 2 times)",
            ),
        ),
        (
            "chunks without an end",
            raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{\"m\": {}\r\n"),
            kept("cannot fetch {url}: the answer broke off: Peer disconnected (tried 2 times)"),
        ),
        (
            "chunks that are none",
            raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
            kept(
                "cannot fetch {url}: the server does not speak HTTP: chunk length cannot be read as a number (tried 2 times)",
            ),
        ),
        (
            "a body without a length that breaks off",
            raw("HTTP/1.1 200 OK\r\n\r\n{\"m\": {\"input_cost_per_token\": 1"),
            kept("{url} is not a model map: EOF while parsing an object (line 1, column 32)"),
        ),
        (
            "304, though nothing was fetched",
            body("304 Not Modified", &[], ""),
            kept("cannot fetch {url}: 304 Not Modified, though nothing was fetched before"),
        ),
        (
            "a redirect loop",
            body("302 Found", &[("location", "/again")], ""),
            kept("cannot fetch {url}: more than 5 redirects"),
        ),
        (
            "a redirect to nowhere",
            body("302 Found", &[], ""),
            kept("cannot fetch {url}: a redirect that says not where to"),
        ),
        (
            "a redirect to another protocol",
            body("301 Moved", &[("location", "ftp://127.0.0.1/map.json")], ""),
            kept("cannot fetch {url}: a redirect to ftp://127.0.0.1/map.json, which is not a web address"),
        ),
        (
            "a login page",
            body(
                "200 OK",
                &[("content-type", "text/html; charset=utf-8")],
                "<!doctype html><title>Log in</title>",
            ),
            kept("cannot fetch {url}: an HTML page, not a map: does it ask for a login?"),
        ),
        (
            "a page that says it is JSON",
            body("200 OK", &[("content-type", "application/json")], "<html></html>"),
            kept("{url} is not a model map: a page, not JSON: expected value (line 1, column 1)"),
        ),
        (
            "an empty body",
            ok(""),
            kept("{url} is not a model map: empty: EOF while parsing a value (line 1, column 0)"),
        ),
        (
            "truncated JSON",
            ok(half),
            kept("{url} is not a model map: EOF while parsing a string (line 1, column 1825)"),
        ),
        (
            "two maps in one",
            ok(format!("{good}{good}")),
            kept("{url} is not a model map: trailing characters (line 1, column 3652)"),
        ),
        (
            "a list",
            ok("[1, 2]"),
            kept(
                "{url} is not a model map: invalid type: sequence, expected an object of models (line 1, column 0)",
            ),
        ),
        (
            "null",
            ok("null"),
            kept(
                "{url} is not a model map: invalid type: null, expected an object of models (line 1, column 4)",
            ),
        ),
        (
            "UTF-16",
            ok(good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
            kept(
                "{url} is not a model map: UTF-16 text, save it as UTF-8: key must be a string (line 1, column 2)",
            ),
        ),
        (
            "UTF-16 with its mark",
            ok("\u{feff}{}".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()),
            kept("{url} is not a model map: UTF-16 text, save it as UTF-8 (line 1, column 1)"),
        ),
        (
            "not UTF-8",
            ok(&b"{\"m\xff\": {}}"[..]),
            kept("{url} is not a model map: not UTF-8 text (line 1, column 4)"),
        ),
        ("gzip that nobody declared", ok(gzip(good.as_bytes())), New),
        (
            "gzip that nobody declared, and that breaks off",
            ok(&gzip(good.as_bytes())[..200]),
            kept("{url} is not a model map: gzip data that cannot be unpacked: incomplete deflate stream"),
        ),
        (
            "gzip that is none",
            body("200 OK", &[("content-encoding", "gzip")], "{}"),
            kept("cannot fetch {url}: invalid gzip data: unexpected end of file (tried 2 times)"),
        ),
        (
            "gzip that breaks off",
            body("200 OK", &[("content-encoding", "gzip")], &gzip(good.as_bytes())[..200]),
            kept("cannot fetch {url}: invalid gzip data: incomplete deflate stream (tried 2 times)"),
        ),
        (
            "a gzip bomb",
            body("200 OK", &[("content-encoding", "gzip")], gzip(&vec![b' '; 50_000_000])),
            kept("cannot fetch {url}: more than 100000 bytes, decoded"),
        ),
        ("a huge body", ok(vec![b' '; 200_000]), kept("cannot fetch {url}: more than 100000 bytes, decoded")),
        (
            "a body without an end",
            Box::new(|_, connection| {
                connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
                while connection.write_all(&[b' '; 10_000]).is_ok() {}
            }),
            kept("cannot fetch {url}: more than 100000 bytes, decoded"),
        ),
        ("no models", ok("{}"), kept("{url} has no models: the map in use is kept")),
        (
            "nothing but a specimen",
            ok(r#"{"sample_spec": {"input_cost_per_token": 0}}"#),
            kept("{url} has no models: the map in use is kept"),
        ),
        (
            "few models",
            ok(edition(29, "2")),
            kept("{url} has 29 models, fewer than 30: the map in use is kept"),
        ),
        (
            "no required model",
            ok(edition(MODELS, "2").replace("\"m-7\"", "\"m7\"")),
            kept("{url} has no m-7, which is required: the map in use is kept"),
        ),
        (
            "no price of a required model",
            ok(edition(MODELS, "2").replace(
                "\"m-7\": {\"litellm_provider\": \"x\", \"input_cost_per_token\": 2}",
                "\"m-7\": {}",
            )),
            kept("{url} has no price of m-7, which is required: the map in use is kept"),
        ),
        (
            "a slip of units",
            ok(edition(MODELS, "1000000")),
            kept(
                "{url} changes prices of 60 of 60 models more than tenfold, such as m-0: input_cost_per_token: 1 -> 1000000 (x1000000): the map in use is kept",
            ),
        ),
        (
            "rules beyond number",
            ok(edition(MODELS, "2").replacen(
                '{',
                &format!("{{\"fallback_generalizations\": {{\"rules\": [{}{{}}]}},", "{},".repeat(1_000)),
                1,
            )),
            kept("{url} is not a model map: fallback_generalizations has 1001 rules, more than 1,000"),
        ),
        // Harmless faults.
        ("a byte order mark", ok(format!("\u{feff}{good}")), New),
        ("gzip", body("200 OK", &[("content-encoding", "gzip")], gzip(good.as_bytes())), New),
        (
            "no length",
            Box::new({
                let good = good.clone();
                move |_, connection| {
                    connection.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{good}").as_bytes()).ok();
                }
            }),
            New,
        ),
        (
            "HTML by name, JSON by nature",
            body("200 OK", &[("content-type", "text/html")], good.as_str()),
            New,
        ),
        (
            "five redirects",
            Box::new({
                let good = good.clone();
                move |request, connection| match request.path.strip_prefix("/hop") {
                    Some("5") => answer(connection, "200 OK", &[], good.as_bytes()),
                    hop => {
                        let next = hop.and_then(|hop| hop.parse::<u32>().ok()).unwrap_or(0) + 1;
                        answer(
                            connection,
                            "307 Temporary Redirect",
                            &[("location", &format!("/hop{next}"))],
                            b"",
                        );
                    }
                }
            }),
            New,
        ),
        ("the same bytes", ok(edition(MODELS, "1")), Unchanged),
    ];
    for status in [
        "204 No Content",
        "206 Partial Content",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "407 Proxy Authentication Required",
        "408 Request Timeout",
        "410 Gone",
        "418 I'm a teapot",
        "429 Too Many Requests",
        "451 Unavailable For Legal Reasons",
        "500 Internal Server Error",
        "501 Not Implemented",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
        "505 HTTP Version Not Supported",
    ] {
        let tried = [408, 429, 500, 502, 503, 504].iter().any(|again| status.starts_with(&again.to_string()));
        let tried = if tried { " (tried 2 times)" } else { "" };
        let error = format!("cannot fetch {{url}}: the server answered {status}{tried}");
        faults.push((status, body(status, &[], "{}"), Kept(error)));
    }
    faults
}

fn builder() -> CostMapBuilder {
    CostMap::builder().json(edition(MODELS, "1")).required_models(["m-7"])
}

/// Reloads from a faulty source and checks the effect on the map.
fn check(name: &str, map: &CostMap, url: &str, after: &After) {
    let before = map.snapshot().generation();
    let result = map.reload();
    let status = map.status();
    match after {
        Kept(expected) => {
            let error = result.err().unwrap_or_else(|| panic!("{name}: no error")).to_string();
            assert_eq!(error, expected.replace("{url}", url), "{name}");
            assert_eq!(status.last_error.as_ref(), Some(&error), "{name}");
            assert!(status.failing_since.is_some() && status.failures == 1, "{name}");
            assert_eq!(map.source_info().fallback_reason, status.last_error, "{name}");
            assert_eq!((map.snapshot().generation(), price(map, "m-0").as_str()), (before, "1"), "{name}");
        }
        New => {
            let report = result.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((report.generation, report.models_count), (before + 1, MODELS), "{name}");
            assert_eq!(price(map, "m-0"), "2", "{name}");
            assert_eq!((status.last_error, status.failing_since), (None, None), "{name}");
        }
        Unchanged => {
            let report = result.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(report.is_unchanged(), "{name}");
            assert_eq!((map.snapshot().generation(), price(map, "m-0").as_str()), (before, "1"), "{name}");
        }
    }
}

#[test]
fn whatever_a_server_does_the_map_answers_as_before() {
    let faults = http_faults();
    assert!(faults.len() >= 40);
    thread::scope(|scope| {
        for (name, fault, after) in faults {
            scope.spawn(move || {
                let healed = Arc::new(AtomicBool::new(false));
                let is_well = healed.clone();
                let server = Server::new(move |request, connection| {
                    if is_well.load(Ordering::SeqCst) {
                        answer(connection, "200 OK", &[], edition(MODELS, "3").as_bytes());
                    } else {
                        fault(request, connection);
                    }
                });
                let map = builder().http(source(server.url())).build().unwrap();
                check(name, &map, &server.url(), &after);
                // The next good map is taken over.
                healed.store(true, Ordering::SeqCst);
                map.reload().unwrap_or_else(|error| panic!("{name}, healed: {error}"));
                assert_eq!(price(&map, "m-0"), "3", "{name}");
                assert_eq!(map.status().last_error, None, "{name}");
            });
        }
    });
}

#[test]
fn a_server_that_is_not_there() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/map.json");
    let map = builder().http(source(url.clone())).build().unwrap();
    let error =
        "cannot fetch {url}: the connection failed: Connection refused (os error 111) (tried 2 times)";
    check("refused", &map, &url, &kept(error));
}

#[test]
fn a_connection_that_is_reset_in_the_midst_of_a_body() {
    let server = Server::raw(|mut stream| {
        // Unread bytes make the system reset the connection when it is closed.
        stream.read_exact(&mut [0]).ok();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"m\"").ok();
    });
    let map = builder().http(source(server.url())).build().unwrap();
    let error = map.reload().unwrap_err().to_string();
    // The reset may arrive before or after the headers are read, and the error may or may not name
    // it.
    let said: Vec<String> = ["the connection failed", "the answer broke off"]
        .iter()
        .flat_map(|what| {
            ["Connection reset by peer (os error 104)", "Peer disconnected"]
                .map(|why| format!("cannot fetch {}: {what}: {why} (tried 2 times)", server.url()))
        })
        .collect();
    assert!(said.contains(&error), "{error}");
    assert_eq!((map.status().last_error, price(&map, "m-0").as_str()), (Some(error), "1"));
}

#[test]
fn a_server_that_is_not_who_it_says() {
    let good = || {
        |_: &Request, connection: &mut dyn Connection| {
            answer(connection, "200 OK", &[], edition(MODELS, "2").as_bytes());
        }
    };
    let (server, pem) = Server::tls(good());
    let (_, other_pem) = Server::tls(good());
    let untrusted = "cannot fetch {url}: TLS failed: invalid peer certificate: UnknownIssuer";
    for (name, source, after) in [
        ("by the platform", source(server.url()), kept(untrusted)),
        (
            "by another root",
            source(server.url()).root_certificates(other_pem),
            kept(&untrusted.replace("UnknownIssuer", "BadSignature")),
        ),
        ("by its own root", source(server.url()).root_certificates(pem), New),
    ] {
        let map = builder().http(source).build().unwrap();
        check(name, &map, &server.url(), &after);
    }
    // TLS to a server that does not speak it, and HTTP to a server that speaks TLS.
    let plain = Server::raw(|mut stream| {
        stream.read_exact(&mut [0; 100]).ok();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").ok();
        wait(&mut stream);
    });
    let url = plain.url().replace("http://", "https://");
    let map = builder().http(source(url.clone())).build().unwrap();
    check(
        "no TLS",
        &map,
        &url,
        &kept("cannot fetch {url}: TLS failed: received corrupt message of type InvalidContentType"),
    );
    let url = server.url().replace("https://", "http://");
    let map = builder().http(source(url.clone())).build().unwrap();
    check(
        "TLS",
        &map,
        &url,
        &kept(
            "cannot fetch {url}: the server does not speak HTTP: http parse fail: invalid HTTP version (tried 2 times)",
        ),
    );
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let plain =
        Server::new(|_, connection| answer(connection, "200 OK", &[], edition(MODELS, "2").as_bytes()));
    let target = plain.url();
    let (server, pem) =
        Server::tls(move |_, connection| answer(connection, "302 Found", &[("location", &target)], b""));
    let map = builder().http(source(server.url()).root_certificates(pem)).build().unwrap();
    let error = format!("cannot fetch {{url}}: a redirect from https to {}, which is not safe", plain.url());
    check("downgrade", &map, &server.url(), &kept(&error));
    assert!(plain.asked().is_empty());
}

#[test]
fn rows_that_cannot_be_trusted_are_absent_and_reported() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let rows = [
        (
            "negative",
            r#"{"input_cost_per_token": -1}"#.to_owned(),
            Some(("input_cost_per_token", "-1 is negative")),
        ),
        (
            "wordy",
            r#"{"input_cost_per_token": "free"}"#.to_owned(),
            Some(("input_cost_per_token", "\"free\" is not a number")),
        ),
        ("no row", "7".to_owned(), Some(("", "not an object of fields"))),
        (
            "deep",
            format!(r#"{{"input_cost_per_token": 1, "supports_depth": {deep}}}"#),
            Some(("supports_depth", "nested more than 32 deep")),
        ),
        (
            "deep table",
            format!(r#"{{"tiered_pricing": {deep}}}"#),
            Some(("tiered_pricing", "nested more than 32 deep")),
        ),
        ("not so deep", format!(r#"{{"x": {}"]]]]"{}}}"#, "[".repeat(32), "]".repeat(32)), None),
    ];
    let mut text = edition(MODELS, "2");
    text.pop();
    for (model, row, _) in &rows {
        write!(text, r#","{model}": {row}"#).unwrap();
    }
    // The last of two rows with one name counts.
    text += r#","m-0": {"input_cost_per_token": 3}}"#;
    // The model was in the map before. Its old row is not carried over.
    let map = CostMap::from_json(edition(MODELS, "1").replace("\"m-1\"", "\"negative\"")).unwrap();
    let report = map.reload_from_bytes(text).unwrap();
    let set_aside: Vec<_> = report
        .set_aside
        .iter()
        .map(|row| (row.model.as_str(), row.field.as_deref().unwrap_or(""), row.reason.as_str()))
        .collect();
    let expected: Vec<_> = rows
        .iter()
        .filter_map(|(model, _, bad)| bad.map(|(field, reason)| (*model, field, reason)))
        .collect();
    assert_eq!(set_aside, expected);
    let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["m-0: named more than once; the last row counts"]);
    assert_eq!(price(&map, "m-0"), "3");
    assert!(map.get("negative").is_none() && map.get("not so deep").is_some());
}

/// A fault of a file: its name, the change to the file, and the expected error.
type FileFault<'a> = (&'a str, Box<dyn Fn(&Path)>, &'a str);

#[test]
fn whatever_becomes_of_a_file_the_map_answers_as_before() {
    let good = edition(MODELS, "1");
    let half = good.get(..good.len() / 2).unwrap();
    let write = |text: &str| {
        let text = text.to_owned();
        Box::new(move |path: &Path| fs::write(path, &text).unwrap()) as Box<dyn Fn(&Path)>
    };
    let folder = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    let loop_of_links = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(path, path).unwrap();
    };
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let endless = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    };
    let faults: Vec<FileFault<'_>> = vec![
        (
            "gone",
            Box::new(|path: &Path| fs::remove_file(path).unwrap()),
            "cannot read {path}: No such file or directory (os error 2)",
        ),
        ("a folder", Box::new(folder), "cannot read {path}: not a file"),
        (
            "a link to itself",
            Box::new(loop_of_links),
            "cannot read {path}: Too many levels of symbolic links (os error 40)",
        ),
        ("a pipe that nobody writes to", Box::new(pipe), "cannot read {path}: not a file"),
        ("a device without an end", Box::new(endless), "cannot read {path}: not a file"),
        (
            "half written",
            write(half),
            "{path} is not a model map: EOF while parsing a string (line 1, column 1825)",
        ),
        (
            "emptied",
            write(""),
            "{path} is not a model map: empty: EOF while parsing a value (line 1, column 0)",
        ),
        (
            "overwritten by nonsense",
            write("{nonsense}"),
            "{path} is not a model map: key must be a string (line 1, column 2)",
        ),
        (
            "overwritten by a small map",
            write(r#"{"m-7": {"input_cost_per_token": 1}}"#),
            "{path} has 1 models, fewer than 30: the map in use is kept",
        ),
    ];
    for (name, fault, error) in faults {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("map.json");
        fs::write(&path, &good).unwrap();
        let map = CostMap::builder().file(&path).required_models(["m-7"]).build().unwrap();
        assert!(map.reload_if_changed().unwrap().is_none(), "{name}");
        fault(&path);
        let shown = path.display().to_string();
        let said = format!("{:#}", map.reload_if_changed().unwrap_err());
        assert_eq!(said, error.replace("{path}", &shown), "{name}");
        assert_eq!(map.status().last_error.as_ref(), Some(&said), "{name}");
        assert_eq!((map.snapshot().generation(), price(&map, "m-0").as_str()), (1, "1"), "{name}");
        // The file is not read again before it changes.
        assert!(map.reload_if_changed().unwrap().is_none(), "{name}");
        assert_eq!(map.status().failures, 1, "{name}");
        if path.is_dir() {
            fs::remove_dir(&path).unwrap();
        } else {
            fs::remove_file(&path).ok();
        }
        fs::write(&path, edition(MODELS, "2")).unwrap();
        assert!(map.reload_if_changed().unwrap().is_some(), "{name}");
        assert_eq!((price(&map, "m-0").as_str(), map.status().last_error), ("2", None), "{name}");
    }
}

/// A source that calls a function of the test.
struct Told<F>(F);

impl<F: Fn(&Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static>
    Source for Told<F>
{
    fn name(&self) -> String {
        "store://user:secret@host/key".to_owned()
    }

    fn fetch(&self, previous: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
        (self.0)(previous)
    }
}

#[test]
fn whatever_a_source_of_one_s_own_does_the_map_answers_as_before() {
    let name = "store://****@host/key";
    let error = "cannot fetch {url}: ";
    let map =
        builder().source(Told(|_: &Validators| Err("https://u:secret@h/ is down".into()))).build().unwrap();
    check("an error", &map, name, &kept(&format!("{error}https://****@h/ is down")));
    let map = builder().source(Told(|_: &Validators| panic!("no such {}", "bucket"))).build().unwrap();
    check("a panic", &map, name, &kept(&format!("{error}the source panicked: no such bucket")));
    let map = builder().source(Told(|_: &Validators| std::panic::panic_any(7))).build().unwrap();
    check(
        "a panic without words",
        &map,
        name,
        &kept(&format!("{error}the source panicked: it says not why")),
    );
    let map = builder().source(Told(|_: &Validators| Ok(Fetched::unchanged()))).build().unwrap();
    let said = "it says that nothing changed, though nothing was fetched before";
    check("unchanged from the start", &map, name, &kept(&format!("{error}{said}")));
    let map = builder().source(Told(|_: &Validators| Ok(Fetched::new("<html>")))).build().unwrap();
    check(
        "a page",
        &map,
        name,
        &kept("{url} is not a model map: a page, not JSON: expected value (line 1, column 1)"),
    );
    let map =
        builder().source(Told(|_: &Validators| Ok(Fetched::new(edition(MODELS, "2"))))).build().unwrap();
    check("a map", &map, name, &New);
    assert_eq!(map.source_info().url.as_deref(), Some(name));
    assert!(!format!("{map:?} {:?} {:?}", map.status(), map.source_info()).contains("secret"));
}

#[test]
fn a_map_that_was_refused_is_not_taken_for_granted() {
    // The etag of the refused map is never sent, since the server would answer that it is
    // unchanged.
    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = sent.clone();
    let source = Told(move |previous: &Validators| {
        log.lock().unwrap().push(previous.etag().map(str::to_owned));
        Ok(Fetched::new("{}").validators(Validators::default().with_etag("empty")))
    });
    let map = builder().source(source).build().unwrap();
    for _ in 0..2 {
        assert!(matches!(map.reload().unwrap_err(), llm_costmap::Error::EmptyMap { .. }));
    }
    assert_eq!(*sent.lock().unwrap(), [None, None]);
    assert_eq!(map.status().failures, 2);
    // A forced reload accepts even an empty map.
    let report = map.reload_forced().unwrap();
    assert_eq!(
        report.forced_past.as_deref(),
        Some("store://****@host/key has no models: the map in use is kept")
    );
    assert_eq!((report.models_count, map.len()), (0, 0));
}

#[test]
fn a_source_whose_name_panics_is_no_source() {
    struct Nameless;
    impl Source for Nameless {
        fn name(&self) -> String {
            panic!("https://user:secret@host/ has none")
        }
        fn fetch(&self, _: &Validators) -> Result<Fetched, Box<dyn std::error::Error + Send + Sync>> {
            Ok(Fetched::unchanged())
        }
    }
    let error = builder().source(Nameless).build().unwrap_err();
    assert_eq!(error.to_string(), "invalid source: its name panicked: https://****@host/ has none");
}

#[test]
fn guards_are_as_they_are_set() {
    let reload = |builder: CostMapBuilder, text: String| {
        let map = builder.json(edition(MODELS, "1")).build().unwrap();
        map.reload_from_bytes(text).map(|report| report.models_count).map_err(|error| error.to_string())
    };
    let text = "the text that was handed in";
    let of = CostMap::builder;
    let refused = |what: &str| Err(format!("{text} {what}: the map in use is kept"));
    assert_eq!(reload(of().min_models(61), edition(60, "2")), refused("has 60 models, fewer than 61"));
    assert_eq!(reload(of().min_models(60), edition(60, "2")), Ok(60));
    assert_eq!(reload(of().min_models(1), edition(29, "2")), refused("has 29 models, where 60 are in use"));
    assert_eq!(reload(of(), edition(30, "2")), Ok(30));
    assert_eq!(
        reload(of().max_shrink_ratio(0.9), edition(53, "2")),
        refused("has 53 models, where 60 are in use")
    );
    assert_eq!(reload(of().max_shrink_ratio(0.9), edition(54, "2")), Ok(54));
    assert_eq!(reload(of().min_models(1).max_shrink_ratio(0.0), edition(1, "2")), Ok(1));
    assert_eq!(reload(of().max_shrink_ratio(0.0), "{}".to_owned()), refused("has no models"));
    assert_eq!(reload(of().min_models(0).max_shrink_ratio(0.0), "{}".to_owned()), Ok(0));
    // The prices of up to 3 of 60 models may jump, and those of two models always may.
    let jumped = |count: usize| {
        let old = edition(MODELS, "1");
        (0..count).fold(old, |text, n| {
            let model = |price: &str| {
                format!(r#""m-{n}": {{"litellm_provider": "x", "input_cost_per_token": {price}}}"#)
            };
            text.replace(&model("1"), &model("11"))
        })
    };
    let said = |count: usize| {
        refused(&format!(
            "changes prices of {count} of 60 models more than tenfold, such as m-0: input_cost_per_token: 1 -> 11 (x11)"
        ))
    };
    assert_eq!(reload(of(), jumped(3)), Ok(60));
    assert_eq!(reload(of(), jumped(4)), said(4));
    assert_eq!(reload(of().max_price_jump_ratio(0.0), jumped(2)), Ok(60));
    assert_eq!(reload(of().max_price_jump_ratio(0.0), jumped(3)), said(3));
    assert_eq!(reload(of().max_price_jump_ratio(1.0), edition(MODELS, "1000")), Ok(60));
    for (builder, setting, ratio) in [
        (of().max_shrink_ratio(1.5), "max_shrink_ratio", "1.5"),
        (of().max_price_jump_ratio(f64::NAN), "max_price_jump_ratio", "NaN"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert_eq!(error, format!("invalid {setting}: {ratio} is not between 0 and 1"));
    }
}

#[test]
fn a_map_without_measure_takes_no_longer_than_its_length() {
    let numbered =
        |of: &dyn Fn(usize) -> String, count: usize| (0..count).map(of).collect::<Vec<_>>().join(",");
    // Unknown costs, thresholds and providers, each of them distinct.
    let unknown = numbered(&|n| format!(r#""cost_of_{n}": 1"#), 50_000);
    let thresholds = numbered(&|n| format!(r#""input_cost_per_token_above_{}_tokens": 1"#, n + 1), 50_000);
    let providers = numbered(&|n| format!(r#""p-{n}": {{"litellm_provider": "p-{n}"}}"#), 70_000);
    let bands = numbered(&|n| format!(r#""input_cost_per_token_above_{}k_tokens": 1"#, n + 1), 17);
    let text = format!(r#"{{"a": {{{unknown}}}, "b": {{{thresholds}}}, "c": {{{bands}}}, {providers}}}"#);
    let map = CostMap::from_json(text).unwrap();
    let snapshot = map.snapshot();
    assert_eq!((map.len(), snapshot.unpriced_fields().len()), (70_001, 50_000));
    let set_aside: Vec<String> = snapshot.set_aside().map(ToString::to_string).collect();
    assert_eq!(
        set_aside,
        [
            "b: input_cost_per_token_above_257_tokens: one of more than 256 prices",
            "c: more than 16 thresholds"
        ]
    );
}

#[test]
fn a_source_that_reloads_its_own_map_is_told_off() {
    let handle: Arc<std::sync::OnceLock<CostMap>> = Arc::default();
    let own = handle.clone();
    let source = Told(move |_: &Validators| {
        own.get().ok_or("not yet")?.reload().map_err(|error| error.to_string())?;
        Ok(Fetched::new("{}"))
    });
    let map = builder().source(source).build().unwrap();
    handle.set(map.clone()).unwrap();
    let said = "cannot fetch {url}: this thread is in a reload of the map already: a source or a listener cannot reload it";
    let error = map.reload().unwrap_err();
    assert_eq!(error.to_string(), said.replace("{url}", "store://****@host/key"));
}
