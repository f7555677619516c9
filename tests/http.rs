//! Tests of fetching a map from a URL: requests, further attempts, redirects, and fetches that are
//! cut off.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::server::{Server, answer};
use common::{edition, price};
use llm_costmap::{CostMap, HttpSource};

fn source(url: impl Into<String>) -> HttpSource {
    HttpSource::new(url).retry_delay(Duration::from_millis(1))
}

fn map(source: HttpSource) -> CostMap {
    CostMap::builder().http(source).json(edition(60, "1")).build().unwrap()
}

#[test]
fn an_unchanged_map_is_not_sent_again() {
    let etag = Arc::new(Mutex::new(("\"one\"", "2")));
    let current = etag.clone();
    let server = Server::new(move |request, connection| {
        let (etag, price) = *current.lock().unwrap();
        if request.header("if-none-match") == Some(etag) {
            // A 304 need not repeat the etag.
            return answer(connection, "304 Not Modified", &[], b"");
        }
        let headers = [("etag", etag), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")];
        answer(connection, "200 OK", &headers, edition(60, price).as_bytes());
    });
    let map = map(source(server.url()));
    let first = map.reload().unwrap();
    assert_eq!(
        (first.is_unchanged(), first.etag.as_deref(), first.bytes),
        (false, Some("\"one\""), edition(60, "2").len())
    );
    let second = map.reload().unwrap();
    assert_eq!((second.is_unchanged(), second.etag.as_deref(), second.bytes), (true, Some("\"one\""), 0));
    assert_eq!((second.generation, second.source_revision), (first.generation, first.source_revision));
    // A forced reload fetches the whole map.
    assert!(map.reload_forced().unwrap().is_unchanged());
    *etag.lock().unwrap() = ("\"two\"", "3");
    let last = map.reload().unwrap();
    assert_eq!(
        (last.is_unchanged(), last.etag.as_deref(), price(&map, "m-0").as_str()),
        (false, Some("\"two\""), "3")
    );
    // Bytes that are handed in have no validators.
    map.reload_from_bytes(edition(60, "4")).unwrap();
    assert_eq!(map.status().etag, None);
    assert!(!map.reload().unwrap().is_unchanged());

    let sent: Vec<_> = server
        .asked()
        .iter()
        .map(|request| {
            (
                request.header("if-none-match").map(str::to_owned),
                request.header("if-modified-since").is_some(),
            )
        })
        .collect();
    let tag = |tag: &str| (Some(tag.to_owned()), true);
    let none = (None, false);
    assert_eq!(sent, [none.clone(), tag("\"one\""), none.clone(), tag("\"one\""), none]);
}

#[test]
fn a_304_that_says_some_of_the_tags_leaves_the_others() {
    let server = Server::new(|request, connection| match request.header("if-none-match") {
        Some(_) => {
            let headers = [("last-modified", "Mon, 07 Nov 1994 08:49:37 GMT")];
            answer(connection, "304 Not Modified", &headers, b"");
        }
        None => answer(connection, "200 OK", &[("etag", "\"1\"")], edition(60, "2").as_bytes()),
    });
    let map = map(source(server.url()));
    map.reload().unwrap();
    for _ in 0..2 {
        assert_eq!(map.reload().unwrap().etag.as_deref(), Some("\"1\""));
    }
    assert_eq!(server.asked()[2].header("if-modified-since"), Some("Mon, 07 Nov 1994 08:49:37 GMT"));
}

#[test]
fn the_longest_of_timeouts_is_one() {
    let server = Server::new(|_, connection| answer(connection, "200 OK", &[], edition(60, "2").as_bytes()));
    let long = source(server.url())
        .connect_timeout(Duration::MAX)
        .read_timeout(Duration::MAX)
        .overall_timeout(Duration::MAX)
        .retry_delay(Duration::MAX);
    let map = map(long);
    assert!(server.asked().is_empty(), "building asks nobody");
    assert!(map.reload().is_ok());
}

#[test]
fn a_server_without_tags_is_asked_for_the_whole_map_and_the_bytes_decide() {
    let server = Server::new(|_, connection| answer(connection, "200 OK", &[], edition(60, "2").as_bytes()));
    let map = map(source(server.url()));
    assert!(!map.reload().unwrap().is_unchanged());
    let report = map.reload().unwrap();
    assert!(report.is_unchanged());
    assert_eq!((report.generation, report.bytes), (2, edition(60, "2").len()));
    let request = &server.asked()[1];
    assert_eq!(request.header("accept-encoding"), Some("gzip"));
    assert!(request.header("user-agent").unwrap().starts_with("llm-costmap/"));
}

/// Starts a server that answers the first `times` requests with a status and these headers.
fn busy(times: usize, status: &'static str, headers: Vec<(&'static str, String)>) -> Server {
    let asked = AtomicUsize::new(0);
    Server::new(move |_, connection| {
        if asked.fetch_add(1, Ordering::SeqCst) < times {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            answer(connection, status, &headers, b"");
        } else {
            answer(connection, "200 OK", &[], edition(60, "2").as_bytes());
        }
    })
}

#[test]
fn a_busy_server_is_asked_again_and_others_are_not() {
    for status in ["408 x", "429 x", "500 x", "502 x", "503 x", "504 x"] {
        let server = busy(2, status, Vec::new());
        let map = map(source(server.url()));
        assert!(map.reload().is_ok(), "{status}");
        assert_eq!((server.asked().len(), price(&map, "m-0").as_str()), (3, "2"), "{status}");
        // The default is three attempts.
        let server = busy(3, status, Vec::new());
        assert!(self::map(source(server.url())).reload().is_err(), "{status}");
        assert_eq!(server.asked().len(), 3, "{status}");
    }
    for status in ["400 x", "401 x", "403 x", "404 x", "501 x"] {
        let server = busy(1, status, Vec::new());
        assert!(map(source(server.url())).reload().is_err(), "{status}");
        assert_eq!(server.asked().len(), 1, "{status}");
    }
    let server = busy(4, "503 x", Vec::new());
    assert!(map(source(server.url()).attempts(5)).reload().is_ok());
    assert_eq!(server.asked().len(), 5);
}

#[test]
fn a_server_says_how_long_to_wait() {
    // The source's own delay would be an hour, which is limited to 30 s.
    let impatient =
        |server: &Server| map(HttpSource::new(server.url()).retry_delay(Duration::from_secs(3_600)));
    let past = "Sun, 06 Nov 1994 08:49:37 GMT".to_owned();
    for asked in ["0".to_owned(), past] {
        let server = busy(1, "503 x", vec![("retry-after", asked.clone())]);
        assert!(impatient(&server).reload().is_ok(), "{asked}");
    }
    let start = Instant::now();
    let server = busy(1, "429 x", vec![("retry-after", "1".to_owned())]);
    assert!(map(source(server.url())).reload().is_ok());
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn headers_of_one_s_own_never_follow_to_another_origin() {
    let good = |_: &common::server::Request, connection: &mut dyn common::server::Connection| {
        answer(connection, "200 OK", &[], edition(60, "2").as_bytes());
    };
    let other = Server::new(good);
    let target = other.url();
    let own = Server::new(move |request, connection| {
        let next = if request.path == "/map.json" { "/next" } else { target.as_str() };
        answer(connection, "302 Found", &[("location", next)], b"");
    });
    let url = own.url().replace("http://", "http://user:p%40ss@");
    let map = map(source(url).header("x-token", "secret"));
    map.reload().unwrap();
    let tokens = |server: &Server| -> Vec<_> {
        server
            .asked()
            .iter()
            .map(|request| {
                [request.header("x-token"), request.header("authorization")]
                    .map(|value| value.map(str::to_owned))
            })
            .collect()
    };
    // The credentials `user:p@ss`, encoded.
    let all = [Some("secret".to_owned()), Some("Basic dXNlcjpwQHNz".to_owned())];
    assert_eq!(tokens(&own), [all.clone(), all]);
    assert_eq!(tokens(&other), [[None, None]]);
    assert_eq!(map.source_info().url, Some(own.url().replace("http://", "http://****@")));
    assert_eq!(map.source_info().origin, own.url().replace("http://", "http://****@"));
}

#[test]
fn a_bearer_token_takes_the_place_of_a_password() {
    let server = Server::new(|_, connection| answer(connection, "200 OK", &[], edition(60, "2").as_bytes()));
    let url = server.url().replace("http://", "http://user:pass@");
    map(source(url).header("Authorization", "Bearer token")).reload().unwrap();
    assert_eq!(server.asked()[0].header("authorization"), Some("Bearer token"));
}

#[test]
fn the_last_handle_cuts_a_fetch() {
    // The server is silent from the start, or in the midst of a body.
    for greeting in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        let (arrived, has_arrived) = mpsc::channel();
        let (left, has_left) = mpsc::channel();
        let server = Server::raw(move |mut stream| {
            stream.read_exact(&mut [0; 10]).ok();
            stream.write_all(greeting.as_bytes()).ok();
            arrived.send(()).ok();
            // Waits until the client disconnects.
            while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            left.send(Instant::now()).ok();
        });
        let heard = Arc::new(AtomicUsize::new(0));
        let ear = heard.clone();
        let map = map(source(server.url())
            .read_timeout(Duration::from_secs(600))
            .overall_timeout(Duration::from_secs(600)));
        map.on_reload(move |_| {
            ear.fetch_add(1, Ordering::SeqCst);
        });
        map.schedule_reload(Duration::from_secs(3_600)).unwrap();
        has_arrived.recv().unwrap();
        let second = map.clone();
        drop(map);
        assert!(has_left.try_recv().is_err(), "another handle is left");
        drop(second);
        has_left.recv_timeout(Duration::from_secs(60)).expect("the connection is cut");
        assert_eq!(heard.load(Ordering::SeqCst), 0, "nobody hears of it");
    }
}

#[test]
fn the_last_handle_ends_a_wait_for_another_attempt() {
    let server = busy(usize::MAX, "503 x", vec![("retry-after", "30".to_owned())]);
    let threads = common::Threads::now();
    let map = map(source(server.url()));
    map.schedule_reload(Duration::from_secs(3_600)).unwrap();
    while server.asked().is_empty() {
        thread::yield_now();
    }
    drop(map);
    threads.wait_until_none_is_left("llm-costmap");
}

#[test]
fn the_map_starts_with_what_it_fetched_or_with_what_it_has() {
    let server = Server::new(|_, connection| answer(connection, "200 OK", &[], edition(60, "2").as_bytes()));
    let builder = |url: String| CostMap::builder().http(source(url));
    let map = builder(server.url()).json(edition(60, "1")).build_and_fetch(Duration::from_secs(60)).unwrap();
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().source), ("2", "remote"));
    assert_eq!(map.source_info().fallback_reason, None);

    // The map cannot be fetched, so the map starts with its fallback and says why.
    let down = busy(usize::MAX, "404 Not Found", Vec::new());
    let said = format!("cannot fetch {}: the server answered 404 Not Found", down.url());
    let map = builder(down.url()).json(edition(60, "1")).build_and_fetch(Duration::from_secs(60)).unwrap();
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().source), ("1", "local"));
    assert_eq!(map.source_info().fallback_reason.as_deref(), Some(said.as_str()));

    // The map arrives late, and is swapped in when it arrives.
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let late = Server::new(move |_, connection| {
        wait.lock().unwrap().recv().ok();
        answer(connection, "200 OK", &[], edition(60, "3").as_bytes());
    });
    let (told, heard) = mpsc::channel();
    let told = Mutex::new(told);
    let map = builder(late.url())
        .json(edition(60, "1"))
        .on_reload(move |result| {
            told.lock().unwrap().send(result.is_ok()).ok();
        })
        .build_and_fetch(Duration::from_millis(1))
        .unwrap();
    let said = format!("cannot fetch {}: not done within 1ms", late.url());
    assert_eq!(map.source_info().fallback_reason, Some(said));
    go.send(()).unwrap();
    assert_eq!(heard.recv(), Ok(true));
    assert_eq!((price(&map, "m-0").as_str(), map.source_info().fallback_reason), ("3", None));
}

/// The body of the processes that the next tests start. It builds a map from the environment,
/// reloads it, and prints the result.
#[test]
#[ignore = "the process that others start"]
fn child_built_from_the_environment() {
    let map = match CostMap::from_env() {
        Ok(map) => map,
        Err(error) => return println!("<{error}>"),
    };
    let before = map.source_info();
    let reloaded = map.reload().map(|report| report.models_count).map_err(|error| error.to_string());
    let info = map.source_info();
    println!(
        "<{} {:?} {} {} {reloaded:?} {}>",
        before.origin, info.url, info.is_env_forced, info.source, info.model_count
    );
}

#[cfg(feature = "bundled")]
fn from_env(vars: &[(&str, &str)]) -> String {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["child_built_from_the_environment", "--exact", "--ignored", "--nocapture"]);
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        child.env_remove(name).env_remove(name.to_uppercase());
    }
    child.env_remove("LITELLM_LOCAL_MODEL_COST_MAP").env_remove("LITELLM_MODEL_COST_MAP_URL");
    let output = child.envs(vars.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.split_once('<').and_then(|(_, said)| said.rsplit_once('>'));
    said.unwrap_or_else(|| panic!("{text}")).0.to_owned()
}

#[test]
#[cfg(feature = "bundled")]
fn the_environment_names_the_source() {
    let count = CostMap::bundled().len();
    let text = edition(count, "2");
    let server = Server::new(move |_, connection| answer(connection, "200 OK", &[], text.as_bytes()));
    let url = server.url();
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", &url)]),
        format!("bundled Some({url:?}) false remote Ok({count}) {count}")
    );
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", &url), ("LITELLM_LOCAL_MODEL_COST_MAP", "True")]),
        format!("bundled None true local Ok({count}) {count}")
    );
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", "s3://bucket/key")]),
        "invalid LITELLM_MODEL_COST_MAP_URL: s3://bucket/key: cannot fetch over s3; implement Source for it"
    );
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", "user:SECRET@host/map.json")]),
        "invalid LITELLM_MODEL_COST_MAP_URL: user:…: cannot fetch over user; implement Source for it"
    );
    for mistyped in ["https//host/?sig=SECRET", "host?token=SECRET"] {
        assert_eq!(
            from_env(&[("LITELLM_MODEL_COST_MAP_URL", mistyped)]),
            "invalid LITELLM_MODEL_COST_MAP_URL: it is not one; write https://host/path"
        );
    }
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", "no/such/map.json")]),
        "invalid LITELLM_MODEL_COST_MAP_URL: cannot read no/such/map.json: No such file or directory (os error 2)"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), edition(2, "2")).unwrap();
    let shown = file.path().display();
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", &format!("file://{shown}"))]),
        format!("{shown} None false local Ok(2) 2")
    );
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", &shown.to_string())]),
        format!("{shown} None false local Ok(2) 2")
    );
    // The public map is asked for through a proxy that records the address and refuses the
    // connection.
    let proxy = Server::new(|_, connection| answer(connection, "403 Forbidden", &[], b""));
    let public =
        "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json";
    let said = from_env(&[("https_proxy", &format!("http://{}", proxy.address()))]);
    assert!(
        said.starts_with(&format!(
            "bundled Some({public:?}) false local Err(\"cannot fetch {public}: the proxy failed: "
        )),
        "{said}"
    );
    assert_eq!(proxy.asked()[0].path, "raw.githubusercontent.com:443");
}

#[test]
#[cfg(feature = "bundled")]
fn proxies_are_used_as_the_environment_says() {
    let count = CostMap::bundled().len();
    let text = edition(count, "2");
    let text = Arc::new(text);
    let copy = text.clone();
    let server = Server::new(move |_, connection| answer(connection, "200 OK", &[], text.as_bytes()));
    let proxy = Server::new(move |_, connection| answer(connection, "200 OK", &[], copy.as_bytes()));
    let proxy_url = format!("http://{}", proxy.address());
    let url = server.url();
    let good = format!("bundled Some({url:?}) false remote Ok({count}) {count}");
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", &url), ("https_proxy", "http://127.0.0.1:1")]),
        good
    );
    assert_eq!((server.asked().len(), proxy.asked().len()), (1, 0), "a proxy for https alone");
    let vars = [
        ("LITELLM_MODEL_COST_MAP_URL", url.as_str()),
        ("all_proxy", "http://127.0.0.1:1"),
        ("no_proxy", "example.com, 127.0.0.1"),
    ];
    assert_eq!(from_env(&vars), good);
    assert_eq!((server.asked().len(), proxy.asked().len()), (2, 0), "an exempt host");
    let said = from_env(&[("LITELLM_MODEL_COST_MAP_URL", &url), ("http_proxy", &proxy_url)]);
    assert!(server.asked().len() == 2 && !proxy.asked().is_empty(), "through the proxy: {said}");
    assert_eq!(
        from_env(&[("LITELLM_MODEL_COST_MAP_URL", &url), ("http_proxy", "ftp://u:secret@host")]),
        "invalid proxy: the value of http_proxy in the environment is not the address of a proxy"
    );
}

#[test]
fn times_are_those_of_endpoints() {
    let server = Server::new(|_, connection| {
        answer(connection, "200 OK", &[("etag", "\"1\"")], edition(60, "2").as_bytes());
    });
    let map = map(source(server.url()));
    let before = SystemTime::now();
    let report = map.reload().unwrap();
    assert!(report.timestamp >= before && report.took > Duration::ZERO);
    let shown = serde_json::to_value(&report).unwrap();
    let names: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "outcome",
        "pending",
        "generation",
        "models_count",
        "source_revision",
        "etag",
        "source",
        "bytes",
        "added",
        "removed",
        "repriced",
        "set_aside",
        "warnings",
        "forced_past",
        "cache_error",
        "history_error",
        "seconds",
        "timestamp",
    ];
    expected.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(shown["outcome"], "replaced");
    assert_eq!(
        shown["repriced"][0],
        serde_json::json!({"model": "m-0", "field": "input_cost_per_token", "from": "1", "to": "2", "factor": 2.0})
    );
    let info = serde_json::to_value(map.source_info()).unwrap();
    assert_eq!(
        (&info["url"], &info["source"], &info["etag"]),
        (&server.url().into(), &"remote".into(), &"\"1\"".into())
    );
    let loaded: jiff::Timestamp = info["loaded_at"].as_str().unwrap().parse().unwrap();
    assert!(SystemTime::from(loaded) >= before);
    let status = serde_json::to_value(map.status()).unwrap();
    assert_eq!(
        (&status["scheduled"], &status["interval_hours"], &status["next_run"]),
        (&false.into(), &serde_json::Value::Null, &serde_json::Value::Null)
    );
}
