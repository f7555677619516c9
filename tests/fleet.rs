//! A test of a fleet: twenty processes behind one pointer, which swap at one time, and are killed and started
//! anew meanwhile.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![cfg(all(feature = "http", feature = "signatures"))]

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::edition;
use common::server::{Server, answer};
use llm_costmap::source::{Pointer, PointerSource};
use llm_costmap::{CostMap, HttpSource, Usage};
use ring::signature::{Ed25519KeyPair, KeyPair};

const PROCESSES: usize = 20;
const SWAPS: usize = 5;

/// The time from a publication to its swap. An instance asks for the pointer every 100 ms.
const AHEAD: Duration = Duration::from_millis(2_500);

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).expect("a time after 1970")
}

/// An instance: follows the pointer, prices a call every millisecond, and prints a line for each change of the
/// price.
#[test]
fn instance_of_the_fleet() {
    let Ok(url) = std::env::var("FLEET_URL") else { return };
    let source = HttpSource::new(url).attempts(1);
    let source = PointerSource::http(source).trust_key(std::env::var("FLEET_KEY").unwrap());
    let mut builder = CostMap::builder().pointer(source).json("{}");
    if let Ok(folder) = std::env::var("FLEET_CACHE") {
        builder = builder.cache_dir(folder);
    }
    // An instance is ready when it has the map of the source. The one in its cache may be an older one.
    let map = builder.build_and_fetch(Duration::from_secs(60)).unwrap();
    let ready = || map.source_info().fallback_reason.is_none();
    let reloading = map.clone();
    thread::spawn(move || {
        loop {
            reloading.reload().ok();
            thread::sleep(Duration::from_millis(100));
        }
    });
    let mut last = None;
    loop {
        if ready() {
            let snapshot = map.snapshot();
            let costs = ["m-0", "m-59"].map(|model| snapshot.cost(model, &Usage::new(1, 0)).unwrap());
            let seen = SystemTime::now();
            assert_eq!(costs[0].total(), costs[1].total(), "a mixture");
            let price = costs[0].total().to_string();
            if last.as_ref() != Some(&price) {
                let generation = map.generation(costs[0].generation()).expect("a generation that is kept");
                let revision = generation.source_revision.expect("the revision of a map");
                println!("\nfleet {} {price} {revision}", since_epoch(seen).as_nanos());
                last = Some(price);
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A line of an instance: when it first saw a price.
struct Seen {
    instance: usize,
    at: Duration,
    price: usize,
    revision: String,
}

struct Fleet {
    url: String,
    key: String,
    caches: tempfile::TempDir,
    lines: Sender<Seen>,
    running: Vec<Option<Child>>,
}

impl Fleet {
    /// Starts an instance, half of which have a cache.
    fn start(&mut self, instance: usize) {
        let mut command = Command::new(std::env::current_exe().expect("a path"));
        command.args(["--exact", "instance_of_the_fleet", "--nocapture"]);
        command.env("FLEET_URL", &self.url).env("FLEET_KEY", &self.key);
        if instance % 2 == 0 {
            command.env("FLEET_CACHE", self.caches.path().join(instance.to_string()));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("a process");
        let (stdout, lines) = (child.stdout.take().expect("a pipe"), self.lines.clone());
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Some(said) = line.strip_prefix("fleet ") else { continue };
                let parts: Vec<&str> = said.split(' ').collect();
                let at = Duration::from_nanos(parts[0].parse().expect("nanoseconds"));
                let (price, revision) = (parts[1].parse().expect("a price"), parts[2].to_owned());
                lines.send(Seen { instance, at, price, revision }).ok();
            }
        });
        self.running[instance] = Some(child);
    }

    fn kill(&mut self, instance: usize) {
        if let Some(mut child) = self.running[instance].take() {
            child.kill().expect("a process that runs");
            child.wait().expect("an end");
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        (0..self.running.len()).for_each(|instance| self.kill(instance));
    }
}

/// Serves the document, and the maps as `/1`, `/2` and so on; `/cut` breaks off.
fn server(document: &Arc<Mutex<String>>) -> Server {
    let document = document.clone();
    Server::new(move |request, connection| match request.path.as_str() {
        "/map.json" => {
            let text = document.lock().unwrap().clone();
            let etag = format!("\"{}\"", Pointer::to(text.clone(), "x").unwrap().map.revision);
            if request.header("if-none-match") == Some(&etag) {
                answer(connection, "304 Not Modified", &[], b"");
            } else {
                answer(connection, "200 OK", &[("etag", &etag)], text.as_bytes());
            }
        }
        "/cut" => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{\"m-0\": {").ok();
        }
        path => answer(connection, "200 OK", &[], edition(60, path.trim_start_matches('/')).as_bytes()),
    })
}

/// Waits until all instances have seen a price, and returns the lines until then.
fn wait_for_all(heard: &Receiver<Seen>, price: usize, started: &[Duration], all: &mut Vec<Seen>) {
    let mut has = [false; PROCESSES];
    // Lines of an instance that was killed since do not count.
    let is_new = |seen: &Seen| seen.price == price && seen.at >= started[seen.instance];
    all.iter().filter(|seen| is_new(seen)).for_each(|seen| has[seen.instance] = true);
    while has.contains(&false) {
        let seen = heard.recv_timeout(Duration::from_secs(60)).expect("an instance that goes on");
        has[seen.instance] |= is_new(&seen);
        all.push(seen);
    }
}

#[test]
fn all_instances_price_by_one_map() {
    let ours = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let theirs = Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap();
    let sign = |pointer: &Pointer, key: &Ed25519KeyPair| {
        let signature = key.sign(pointer.signed_text().as_bytes());
        pointer.clone().with_signature(signature.as_ref().try_into().unwrap()).to_string()
    };
    let maps: Vec<Pointer> = (0..=SWAPS + 1)
        .map(|price| Pointer::to(edition(60, &price.to_string()), format!("/{price}")).unwrap())
        .collect();
    let document = Arc::new(Mutex::new(sign(&maps[1], &ours)));
    let server = server(&document);
    let (lines, heard) = channel();
    let mut fleet = Fleet {
        url: server.url(),
        key: STANDARD.encode(ours.public_key().as_ref()),
        caches: tempfile::tempdir().unwrap(),
        lines,
        running: (0..PROCESSES).map(|_| None).collect(),
    };
    let mut started = vec![since_epoch(SystemTime::now()); PROCESSES];
    (0..PROCESSES).for_each(|instance| fleet.start(instance));
    let mut all = Vec::new();
    wait_for_all(&heard, 1, &started, &mut all);

    // The times at which the maps go live.
    let mut live = HashMap::from([(1, Duration::ZERO)]);
    let (mut latest, mut counted) = (Duration::ZERO, 0);
    for price in 2..=SWAPS + 1 {
        let (old, new) = (&maps[price - 1], &maps[price]);
        let publish = |text: String| *document.lock().unwrap() = text;
        // What is wrong changes nothing: a hash, a body that breaks off, a signature.
        let hash = sign(new, &ours).replace(&new.map.sha256, &"0".repeat(64));
        let mut cut = new.clone();
        "/cut".clone_into(&mut cut.map.url);
        let mut other_hash = new.clone();
        other_hash.map.sha256.clone_from(&old.map.sha256);
        for wrong in [hash, sign(&cut, &ours), sign(&other_hash, &ours), sign(new, &theirs), new.to_string()]
        {
            publish(wrong);
            let asked = server.asked().len();
            // Each instance may have seen it.
            common::wait_for(|| (server.asked().len() > asked + 2 * PROCESSES).then_some(()));
        }
        let at = SystemTime::now() + AHEAD;
        let pointer = new.clone().with_not_before(at).unwrap().with_previous(old.map.clone());
        let at = since_epoch(pointer.not_before.unwrap());
        live.insert(price, at);
        publish(sign(&pointer, &ours));
        // Instances are killed before, at and after the swap, and start at once.
        for (instance, after) in [(7, 300), (8, 1_500), (3, 2_490), (12, 2_510), (5, 2_600)] {
            let instance = (instance + price * 3) % PROCESSES;
            let wait =
                (at + Duration::from_millis(after)).saturating_sub(AHEAD + since_epoch(SystemTime::now()));
            thread::sleep(wait);
            fleet.kill(instance);
            started[instance] = since_epoch(SystemTime::now());
            fleet.start(instance);
        }
        wait_for_all(&heard, price, &started, &mut all);
        for (instance, started) in started.iter().enumerate().filter(|(_, started)| **started < at) {
            let mut of_instance = all.iter().filter(|seen| seen.instance == instance && seen.at >= *started);
            let seen = of_instance.find(|seen| seen.price == price).expect("it was waited for");
            latest = latest.max(seen.at.checked_sub(at).expect("not before its time"));
            counted += 1;
        }
    }
    drop(fleet);
    all.extend(heard.iter());
    for seen in &all {
        assert_eq!(seen.revision, maps[seen.price].map.revision, "one map is one revision");
        assert!(seen.at >= live[&seen.price], "{} was live too early", seen.price);
        // An instance that has the next one does not go back.
        let later = all.iter().filter(|later| later.instance == seen.instance && later.at > seen.at);
        for later in later {
            let restarted_before = later.price == seen.price;
            assert!(later.price > seen.price || restarted_before, "{} after {}", later.price, seen.price);
        }
    }
    assert!(counted >= SWAPS * (PROCESSES - 5), "{counted}");
    println!(
        "{PROCESSES} processes, {SWAPS} swaps, {} kills: the last of them swapped {latest:?} late",
        SWAPS * 5
    );
}
