//! Tests of a Ballista cluster: a scheduler and two executors, as processes.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Home, program, rows, run, said};

/// A process that is killed when this is dropped, and the lines of its log.
struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    fn start(arguments: &[String], folder: &Path) -> Self {
        let mut command = program();
        // What executors leave behind goes with the folder.
        command
            .args(arguments)
            .env("RUST_LOG", "info")
            .env("TMPDIR", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let (stderr, lines) = (child.stderr.take().expect("a pipe"), Arc::new(Mutex::new(Vec::new())));
        let log = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }

    /// Returns how many lines have a text.
    fn count(&self, text: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    fn wait_for(&self, text: &str) {
        self.wait_until(text, || self.count(text) > 0);
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            let log = || self.lines.lock().unwrap().join("\n");
            assert!(start.elapsed() < Duration::from_secs(120), "no {what}:\n{}", log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("an end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns ports that nobody listens on.
fn ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

/// A scheduler and two executors, each of which does one task at a time.
struct Cluster {
    url: String,
    executors: Vec<Process>,
    _scheduler: Process,
}

impl Cluster {
    /// Starts the processes. Both executors have the maps of the folder, except those that are left out.
    fn start(home: &Home, without: &[&str]) -> Self {
        let maps = home.path("maps");
        fs::create_dir_all(&maps).unwrap();
        for map in ["new.json", "old.json"].into_iter().filter(|map| !without.contains(map)) {
            fs::copy(home.path(map), maps.join(format!("{}.json", home.revision(map)))).unwrap();
        }
        let [port] = ports();
        let address = format!("127.0.0.1:{port}");
        let arguments = ["scheduler", "--address", &address, "--executor-timeout", "6"];
        let scheduler = Process::start(&arguments.map(str::to_owned), home.0.path());
        scheduler.wait_for("listening on");
        let executor = |_| {
            let [port, grpc] = ports().map(|port: u16| port.to_string());
            let (own, maps) = (format!("127.0.0.1:{port}"), maps.display().to_string());
            let arguments = [
                "executor",
                "--scheduler",
                &address,
                "--address",
                &own,
                "--grpc-port",
                &grpc,
                "--maps",
                &maps,
            ];
            let more = ["--heartbeat", "1", "--tasks", "1"];
            let executor = Process::start(
                &[arguments.as_slice(), &more].concat().iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(),
                home.0.path(),
            );
            executor.wait_for("Executor registration succeed");
            executor
        };
        Self {
            url: format!("df://{address}"),
            executors: (0..2).map(executor).collect(),
            _scheduler: scheduler,
        }
    }
}

#[test]
fn a_cluster_returns_the_rows_of_one_machine() {
    let home = Home::new(60_000, 6);
    home.reprice("local", &[]);
    let cluster = Cluster::start(&home, &[]);
    home.reprice("cluster", &["--cluster", &cluster.url]);
    let expected = rows(&home.path("local/calls"));
    assert_eq!(expected.len(), 60_000);
    assert_eq!(rows(&home.path("cluster/calls")), expected);
    assert_eq!(rows(&home.path("cluster/summary.parquet")), rows(&home.path("local/summary.parquet")));
    home.reprice("sums", &["--no-rows", "--cluster", &cluster.url]);
    assert_eq!(rows(&home.path("sums/summary.parquet")), rows(&home.path("local/summary.parquet")));
    for executor in &cluster.executors {
        assert!(executor.count("Finished task") > 0, "both executors took part");
    }
}

#[test]
fn an_executor_that_is_killed_changes_nothing() {
    let home = Home::new(400_000, 12);
    home.reprice("local", &[]);
    let mut cluster = Cluster::start(&home, &[]);
    for (out, more) in [("rows", vec![]), ("sums", vec!["--no-rows"])] {
        let more = [more.as_slice(), &["--cluster", &cluster.url]].concat();
        let mut job = program();
        job.args(home.arguments(out, &more)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let job = job.spawn().expect("the program");
        // In the middle: it has finished a task, whose result is lost with it, and is busy with another.
        let victim = &cluster.executors[1];
        let (received, finished) = (victim.count("Execute task"), victim.count("Finished task"));
        victim.wait_until("task in the middle of the job", || {
            let (received, finished) =
                (victim.count("Execute task") - received, victim.count("Finished task") - finished);
            finished > 0 && received > finished
        });
        cluster.executors[1].kill();
        let output = job.wait_with_output().expect("an end");
        let (code, text) = said(&output);
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(rows(&home.path(out).join("summary.parquet")), rows(&home.path("local/summary.parquet")));
        // Another takes its place.
        cluster = {
            drop(cluster);
            Cluster::start(&home, &[])
        };
    }
    let expected = rows(&home.path("local/calls"));
    assert_eq!(expected.len(), 400_000);
    assert_eq!(rows(&home.path("rows/calls")), expected);
}

#[test]
fn an_executor_without_the_map_fails_the_query() {
    let home = Home::new(1_000, 2);
    let cluster = Cluster::start(&home, &["old.json"]);
    let (code, text) = said(&run(home.arguments("out", &["--cluster", &cluster.url])));
    assert_eq!(code, Some(1), "{text}");
    let missing = home.revision("old.json");
    assert!(text.contains(&format!("this process has no map of revision {missing}: put it into ")), "{text}");
    assert!(!home.path("out/calls").exists() && !home.path("out/summary.parquet").exists());
}

#[test]
fn a_cluster_without_executors_is_told_of() {
    let home = Home::new(10, 1);
    let [port] = ports();
    let address = format!("127.0.0.1:{port}");
    let maps = home.text("maps");
    let (code, text) = said(&run(["executor", "--scheduler", &address, "--maps", &maps]));
    assert_eq!((code, text.as_str()), (Some(1), format!("reprice: {maps} is no folder of maps\n").as_str()));
    let scheduler = Process::start(&["scheduler", "--address", &address].map(str::to_owned), home.0.path());
    scheduler.wait_for("listening on");
    let url = format!("df://{address}");
    let (code, text) = said(&run(home.arguments("out", &["--cluster", &url, "--patience", "2"])));
    assert_eq!(code, Some(1));
    let expected =
        format!("the cluster of {url} has not answered within 2s: is it busy, or without executors?");
    assert!(text.contains(&expected), "{text}");
}
