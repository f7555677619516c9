//! Tests with a real `redis-server`, on a socket in a folder of their own.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use llm_costmap::source::Pointer;
use llm_costmap::{CostMap, Error, Usage};
use redis::{Commands, Connection};
use redis_source::RedisSource;

/// A server, without persistence, and its folder.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::run(&folder);
        let server = Self { process, folder };
        server.connection();
        server
    }

    fn run(folder: &tempfile::TempDir) -> Child {
        let socket = folder.path().join("redis.sock").display().to_string();
        let arguments = ["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", &socket];
        let mut command = Command::new("redis-server");
        command.args(arguments).current_dir(folder.path()).stdout(Stdio::null());
        command.spawn().expect("redis-server, of Debian's package of that name")
    }

    fn url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.folder.path().display())
    }

    /// Connects, as soon as the server listens.
    fn connection(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        wait_for("the server", || client.get_connection().ok())
    }

    fn put(&self, key: &str, value: Vec<u8>) {
        self.connection().set::<_, _, ()>(key, value).unwrap();
    }

    /// Announces a change. Returns the number of those who heard.
    fn announce(&self, key: &str) -> u32 {
        self.connection().publish(key, "changed").unwrap()
    }

    fn stop(&mut self) {
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{what} never comes");
        std::thread::yield_now();
    }
}

fn edition(price: &str) -> Vec<u8> {
    format!(r#"{{"m": {{"input_cost_per_token": {price}}}}}"#).into_bytes()
}

fn packed(price: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&edition(price)).unwrap();
    packed.finish().unwrap()
}

fn price(map: &CostMap) -> String {
    map.total("m", &Usage::new(1, 0)).unwrap().to_string()
}

#[test]
fn a_value_is_a_map_and_an_announcement_reloads_it() {
    let mut server = Server::start();
    let source = RedisSource::new(&server.url(), "prices").unwrap();
    let map = CostMap::builder().source(source.clone()).json("{}").build().unwrap();
    let error = map.reload().unwrap_err().to_string();
    let name = format!("redis://{}/redis.sock/0/prices", server.folder.path().display());
    assert_eq!(error, format!("cannot fetch {name}: there is no key prices"));
    server.put("prices", packed("1"));
    assert!(!map.reload().unwrap().is_unchanged());
    assert!(map.reload().unwrap().is_unchanged());
    assert_eq!((price(&map).as_str(), map.snapshot().generation()), ("1", 2));

    let watch = source.watch(map.clone());
    wait_for("the subscription", || (server.announce("prices") == 1).then_some(()));
    server.put("prices", packed("2"));
    assert_eq!(server.announce("prices"), 1);
    wait_for("the map that was announced", || (price(&map) == "2").then_some(()));
    // A value that is wrong, and then a server that is gone.
    server.put("prices", b"?".to_vec());
    let failures = map.status().failures;
    server.announce("prices");
    wait_for("the failure", || (map.status().failures > failures).then_some(()));
    server.stop();
    let error = map.reload().unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }), "{error}");
    assert_eq!(price(&map), "2");
    // It comes back with another map, which nobody announces.
    server.process = Server::run(&server.folder);
    server.put("prices", packed("3"));
    wait_for("the map after the loss", || (price(&map) == "3").then_some(()));
    drop(watch);
    assert_eq!(server.announce("prices"), 0, "the watch has ended");
}

#[test]
fn a_value_is_a_pointer() {
    let server = Server::start();
    server.put("map:1", packed("1"));
    server.put("map:2", packed("2"));
    let one = Pointer::to(packed("1"), "map:1").unwrap();
    server.put("prices", one.to_string().into_bytes());
    let source = RedisSource::new(&server.url(), "prices").unwrap();
    let map = CostMap::builder().pointer(source.clone().into_pointer()).json("{}");
    let map = map.build_and_fetch(Duration::from_secs(60)).unwrap();
    assert_eq!(price(&map), "1");
    let watch = source.watch(map.clone());
    wait_for("the subscription", || (server.announce("prices") == 1).then_some(()));
    let at = SystemTime::now() + Duration::from_millis(300);
    let two = Pointer::to(packed("2"), "map:2").unwrap().with_not_before(at).unwrap().with_previous(one.map);
    server.put("prices", two.to_string().into_bytes());
    server.announce("prices");
    wait_for("the map at its time", || (price(&map) == "2").then_some(()));
    assert!(map.snapshot().loaded_at() >= at);
    let gone = Pointer::to(packed("3"), "map:3").unwrap();
    server.put("prices", gone.to_string().into_bytes());
    assert_eq!(map.reload().unwrap_err().to_string(), "cannot fetch map:3: there is no key map:3");
    drop(watch);
}

#[test]
fn a_server_that_does_not_answer_holds_up_no_watch() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mute.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Kept open, and never answered.
            tell.send(stream).ok();
        }
    });
    let source = RedisSource::new(&format!("redis+unix://{}", socket.display()), "prices").unwrap();
    let map = CostMap::builder().source(source.clone()).json("{}").build().unwrap();
    let watch = source.watch(map.clone());
    let stream = told.recv().unwrap();
    drop(watch);
    drop(stream);
}

#[test]
fn a_password_is_not_shown() {
    let source = RedisSource::new("redis://user:SECRET@127.0.0.1:1/0", "prices").unwrap();
    let map = CostMap::builder().source(source).json("{}").build().unwrap();
    let error = map.reload().unwrap_err().to_string();
    assert!(
        error.starts_with("cannot fetch redis://127.0.0.1:1/0/prices: ") && !error.contains("SECRET"),
        "{error}"
    );
    let error = RedisSource::new("nonsense:SECRET", "prices").err().unwrap().to_string();
    assert!(!error.contains("SECRET"), "{error}");
}

#[test]
fn the_program_fetches_once() {
    let server = Server::start();
    server.put("prices", edition("1"));
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_redis-source")).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, said) = run(&[&server.url(), "prices", "--once"]);
    assert!(
        code == Some(0)
            && said.ends_with(
                "generation 2 has 1 models: 1 added, 0 removed, 0 prices changed, 0 rows set aside\n"
            ),
        "{said}"
    );
    let (code, said) = run(&[&server.url(), "other", "--once"]);
    assert!(code == Some(1) && said.ends_with("there is no key other\n"), "{said}");
    let (code, said) = run(&[&server.url()]);
    assert_eq!(
        (code, said.as_str()),
        (Some(2), "redis-source: give a URL and a KEY; see redis-source --help\n")
    );
    assert_eq!(run(&["--help"]).0, Some(0));
}
