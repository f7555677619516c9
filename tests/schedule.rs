//! Tests of reloads in the background: when they run, which listeners are called, and how they end.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{Threads, edition, price, wait_for};
use llm_costmap::reload::ScheduleStatus;
use llm_costmap::source::{Fetched, Validators};
use llm_costmap::{CostMap, CostMapBuilder, Source, Usage};

const HOUR: Duration = Duration::from_secs(3_600);

type Answer = Result<Fetched, Box<dyn Error + Send + Sync>>;

/// A source that reports each fetch and answers as a test tells it to.
struct Told {
    /// Receives the entity tag that each fetch is asked about.
    asked: Mutex<Sender<Option<String>>>,
    answers: Mutex<Receiver<Answer>>,
}

/// The test's end of a `Told` source.
struct Teller {
    asked: Receiver<Option<String>>,
    answers: Sender<Answer>,
}

impl Teller {
    fn new() -> (Told, Self) {
        let (asked, is_asked) = channel();
        let (answers, answer) = channel();
        (Told { asked: Mutex::new(asked), answers: Mutex::new(answer) }, Self { asked: is_asked, answers })
    }

    fn wait_until_asked(&self) -> Option<String> {
        self.asked.recv_timeout(Duration::from_secs(60)).expect("a fetch")
    }

    fn answer(&self, answer: Result<&str, &str>) {
        let answer = answer.map(|price| Fetched::new(edition(60, price))).map_err(Into::into);
        self.answers.send(answer).unwrap();
    }
}

impl Source for Told {
    fn name(&self) -> String {
        "told".to_owned()
    }

    fn fetch(&self, previous: &Validators) -> Answer {
        self.asked.lock().unwrap().send(previous.etag().map(str::to_owned)).ok();
        // The fetch fails if the teller is gone.
        self.answers.lock().unwrap().recv().unwrap_or_else(|_| Err("nobody tells".into()))
    }
}

/// Adds a listener to the builder, and returns the receiver of the generation or error that the
/// listener is called with.
fn listener(builder: CostMapBuilder) -> (CostMapBuilder, Receiver<Result<u64, String>>) {
    let (told, heard) = channel();
    let told = Mutex::new(told);
    let builder = builder.on_reload(move |result| {
        let said = result.as_ref().map(|report| report.generation).map_err(ToString::to_string);
        told.lock().unwrap().send(said).ok();
    });
    (builder, heard)
}

fn hear(heard: &Receiver<Result<u64, String>>) -> Result<u64, String> {
    heard.recv_timeout(Duration::from_secs(60)).expect("a listener hears of it")
}

#[test]
fn runs_at_once_is_replaced_and_cancelled() {
    let (source, teller) = Teller::new();
    let (builder, heard) = listener(CostMap::builder().source(source).json(edition(60, "1")));
    let map = builder.build().unwrap();
    let idle = map.status();
    assert!(
        !idle.scheduled
            && idle.interval_hours.is_none()
            && idle.last_run.is_none()
            && idle.next_run.is_none()
    );

    let before = SystemTime::now();
    map.schedule_reload(6 * HOUR).unwrap();
    assert_eq!((map.status().scheduled, map.status().interval_hours), (true, Some(6.0)));
    teller.wait_until_asked();
    teller.answer(Ok("2"));
    assert_eq!(hear(&heard), Ok(2));
    assert_eq!(price(&map, "m-0"), "2");
    // The next run is planned after the listeners have been called.
    let status = wait_for(|| Some(map.status()).filter(|status| status.next_run > Some(before + HOUR)));
    let (last, next) = (status.last_run.unwrap(), status.next_run.unwrap());
    let until = next.duration_since(last).unwrap();
    assert!(last >= before && until <= 6 * HOUR + Duration::from_secs(60) && until >= 5 * HOUR, "{until:?}");

    // A second call replaces the first schedule, and also runs at once.
    map.schedule_reload(HOUR).unwrap();
    assert_eq!(map.status().interval_hours, Some(1.0));
    teller.wait_until_asked();
    teller.answer(Ok("3"));
    assert_eq!(hear(&heard), Ok(3));

    assert!(map.cancel_schedule());
    assert!(!map.cancel_schedule());
    let status = map.status();
    assert!(!status.scheduled && status.interval_hours.is_none() && status.next_run.is_none());
    // A reload by hand still works.
    teller.answer(Ok("4"));
    assert_eq!(map.reload().unwrap().generation, 4);
    assert_eq!(hear(&heard), Ok(4));
    // Another schedule works as well.
    map.schedule_reload(10 * 365 * 24 * HOUR).unwrap();
    teller.answer(Ok("5"));
    assert_eq!(hear(&heard), Ok(5));
}

#[test]
fn a_schedule_needs_a_source_and_a_time() {
    let map = CostMap::empty();
    assert!(matches!(map.schedule_reload(HOUR).unwrap_err(), llm_costmap::Error::NoSource));
    let map = CostMap::builder().source(Teller::new().0).json("{}").build().unwrap();
    let error = map.schedule_reload(Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "invalid schedule_reload: 0ns is less than a second");
    let error = map.schedule_reload(Duration::from_nanos(1)).unwrap_err();
    assert_eq!(error.to_string(), "invalid schedule_reload: 1ns is less than a second");
    let error = map.schedule_reload(10 * 365 * 24 * HOUR + Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.to_string(), "invalid schedule_reload: 315360001s is more than ten years");
    assert!(!map.status().scheduled);
}

#[test]
#[cfg(all(feature = "http", feature = "bundled"))]
fn a_server_is_asked_once_a_minute_at_most() {
    let map = CostMap::builder().url("http://127.0.0.1:1/map.json").build().unwrap();
    let error = map.schedule_reload(Duration::from_secs(59)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid schedule_reload: 59s is less than 60s, the shortest interval for a URL"
    );
    assert!(!map.status().scheduled);
    map.schedule_reload(Duration::from_secs(60)).unwrap();
    assert!(map.status().scheduled);
}

#[test]
fn a_schedule_outlives_its_process() {
    let build = || {
        let (source, teller) = Teller::new();
        let (builder, heard) = listener(CostMap::builder().source(source).json(edition(60, "1")));
        (builder.build().unwrap(), teller, heard)
    };
    let (map, teller, heard) = build();
    map.schedule_reload(6 * HOUR).unwrap();
    teller.answer(Ok("2"));
    assert_eq!(hear(&heard), Ok(2));
    let status = wait_for(|| Some(map.status()).filter(|status| status.next_run > status.last_run));
    let stored = serde_json::to_string(&status).unwrap();
    let interval =
        |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["interval_hours"].clone();
    assert_eq!(interval(&stored).to_string(), "6");

    // The next reload stays where it was, to the microsecond of the stored time.
    let (map, ..) = build();
    let read: ScheduleStatus = serde_json::from_str(&stored).unwrap();
    map.restore_schedule(&read).unwrap();
    let restored = map.status();
    assert_eq!(
        (restored.scheduled, restored.interval_hours, restored.last_run),
        (true, Some(6.0), read.last_run)
    );
    let apart = restored.next_run.unwrap().duration_since(read.next_run.unwrap()).unwrap_or_default();
    assert!(apart < Duration::from_secs(60), "{apart:?}");

    // A reload that was due meanwhile runs at once, and one that is later than the interval is not
    // waited for longer than that.
    let (map, teller, heard) = build();
    let due =
        r#"{"scheduled": true, "interval_hours": 0.016666666666666666, "next_run": "2026-01-01T00:00:00Z"}"#;
    map.restore_schedule(&serde_json::from_str(due).unwrap()).unwrap();
    teller.answer(Ok("2"));
    assert_eq!(hear(&heard), Ok(2));
    let (map, ..) = build();
    let late = r#"{"scheduled": true, "interval_hours": 1, "next_run": "2999-01-01T00:00:00Z"}"#;
    map.restore_schedule(&serde_json::from_str(late).unwrap()).unwrap();
    assert!(map.status().next_run.unwrap() <= SystemTime::now() + HOUR);

    // The limits of the source may be others now.
    let (map, ..) = build();
    let short = r#"{"scheduled": true, "interval_hours": 1e-9, "next_run": "2999-01-01T00:00:00Z"}"#;
    map.restore_schedule(&serde_json::from_str(short).unwrap()).unwrap();
    assert_eq!(map.status().interval_hours, Some(1.0 / 3600.0));

    // Nothing was scheduled, or nothing that can be.
    let (map, ..) = build();
    map.restore_schedule(&serde_json::from_str(r#"{"interval_hours": 6}"#).unwrap()).unwrap();
    assert!(!map.status().scheduled);
    for hours in ["-1", "1e300"] {
        let stored = format!(r#"{{"scheduled": true, "interval_hours": {hours}}}"#);
        let error = map.restore_schedule(&serde_json::from_str(&stored).unwrap()).unwrap_err();
        assert!(error.to_string().ends_with(" is no number of hours"), "{error}");
    }
    let error = serde_json::from_str::<ScheduleStatus>(r#"{"next_run": "soon"}"#).unwrap_err().to_string();
    assert!(error.starts_with("not a time in RFC 3339, such as 2026-11-21T07:21:26.500000+00:00"), "{error}");
}

#[test]
fn runs_again_and_again() {
    let (source, teller) = Teller::new();
    let (builder, heard) = listener(CostMap::builder().source(source).json(edition(60, "1")));
    let map = builder.build().unwrap();
    map.schedule_reload(Duration::from_secs(1)).unwrap();
    for generation in 2..5 {
        teller.answer(Ok(&generation.to_string()));
        assert_eq!(hear(&heard), Ok(generation));
    }
}

#[test]
fn a_failure_is_tried_again_sooner_and_remembered_until_it_is_over() {
    let (source, teller) = Teller::new();
    let (builder, heard) = listener(CostMap::builder().source(source).json(edition(60, "1")));
    let map = builder.build().unwrap();
    map.schedule_reload(6 * HOUR).unwrap();
    teller.answer(Err("it is down"));
    assert_eq!(hear(&heard), Err("cannot fetch told: it is down".to_owned()));
    let status = wait_for(|| Some(map.status()).filter(|status| status.next_run > status.last_run));
    let until = status.next_run.unwrap().duration_since(status.last_run.unwrap()).unwrap();
    assert!(until <= Duration::from_secs(60), "{until:?}");
    assert_eq!((status.last_error.as_deref(), status.failures), (Some("cannot fetch told: it is down"), 1));
    let since = status.failing_since.unwrap();
    // A further failure leaves the time of the first one.
    teller.answer(Err("it is still down"));
    map.reload().unwrap_err();
    let status = map.status();
    assert_eq!((status.failures, status.failing_since), (2, Some(since)));
    assert_eq!(status.last_error.as_deref(), Some("cannot fetch told: it is still down"));
    teller.answer(Ok("2"));
    map.reload().unwrap();
    let status = map.status();
    assert_eq!((status.failures, status.failing_since, status.last_error), (0, None, None));
}

#[test]
fn concurrent_reloads_share_one_fetch() {
    let (source, teller) = Teller::new();
    let map = CostMap::builder().source(source).json(edition(60, "1")).build().unwrap();
    let reports: Vec<_> = thread::scope(|scope| {
        let reload = |name: &str| {
            thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || map.reload()).unwrap()
        };
        let mut threads = vec![reload("leads")];
        teller.wait_until_asked();
        threads.extend((0..8).map(|_| reload("joins")));
        // Waits until all of them wait for the first reload.
        wait_for(|| (asleep("joins") == 8).then_some(()));
        teller.answer(Ok("2"));
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    assert!(reports.iter().all(|report| *report == reports[0]));
    assert_eq!((reports.len(), reports[0].generation, map.snapshot().generation()), (9, 2, 2));
    assert!(teller.asked.try_recv().is_err(), "asked once");
}

#[test]
fn who_goes_past_the_guards_does_not_take_the_answer_of_who_does_not() {
    let (source, teller) = Teller::new();
    let map = CostMap::builder().source(source).json(edition(60, "1")).build().unwrap();
    thread::scope(|scope| {
        let guarded = scope.spawn(|| map.reload());
        teller.wait_until_asked();
        let forced = thread::Builder::new()
            .name("forces".to_owned())
            .spawn_scoped(scope, || map.reload_forced())
            .unwrap();
        wait_for(|| (asleep("forces") == 1).then_some(()));
        teller.answers.send(Ok(Fetched::new("{}"))).unwrap();
        assert!(matches!(guarded.join().unwrap().unwrap_err(), llm_costmap::Error::EmptyMap { .. }));
        teller.wait_until_asked();
        teller.answers.send(Ok(Fetched::new("{}"))).unwrap();
        assert_eq!(forced.join().unwrap().unwrap().models_count, 0);
    });
}

#[test]
fn what_is_handed_in_during_a_fetch_is_not_what_has_not_changed() {
    let (source, teller) = Teller::new();
    let map = CostMap::builder().source(source).json(edition(60, "1")).build().unwrap();
    let tagged =
        |price: &str| Ok(Fetched::new(edition(60, price)).validators(Validators::default().with_etag("A")));
    teller.answers.send(tagged("2")).unwrap();
    map.reload().unwrap();
    assert_eq!(teller.wait_until_asked(), None);
    thread::scope(|scope| {
        let reload = scope.spawn(|| map.reload());
        assert_eq!(teller.wait_until_asked().as_deref(), Some("A"));
        map.reload_from_bytes(edition(60, "3")).unwrap();
        teller.answers.send(Ok(Fetched::unchanged())).unwrap();
        // The reload fetches again, without an entity tag.
        assert_eq!(teller.wait_until_asked(), None);
        teller.answers.send(tagged("2")).unwrap();
        assert!(!reload.join().unwrap().unwrap().is_unchanged());
    });
    assert_eq!((price(&map, "m-0").as_str(), map.status().etag.as_deref()), ("2", Some("A")));
    // Handing in the very bytes that the source has leaves its entity tag as it is.
    assert!(map.reload_from_bytes(edition(60, "2")).unwrap().is_unchanged());
    assert_eq!(map.status().etag.as_deref(), Some("A"));
}

#[test]
fn what_the_source_confirms_is_no_fallback() {
    let (source, teller) = Teller::new();
    let map = CostMap::builder().source(source).json(edition(60, "1")).build().unwrap();
    teller.answer(Err("it is down"));
    map.reload().unwrap_err();
    assert!(map.source_info().fallback_reason.is_some());
    teller.answer(Ok("1"));
    assert!(map.reload().unwrap().is_unchanged());
    teller.answer(Err("it is down again"));
    map.reload().unwrap_err();
    assert_eq!(map.source_info().fallback_reason, None);
    map.reload_from_bytes(edition(60, "2")).unwrap();
    assert!(map.source_info().fallback_reason.is_some());
}

/// Returns the number of sleeping threads with a name.
fn asleep(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.filter(|stat| stat.contains(&format!("({name}) S"))).count()
}

#[test]
fn listeners_hear_outside_every_lock_and_may_panic() {
    let (told, heard) = channel();
    let told = Mutex::new(told);
    let map =
        CostMap::builder().json(edition(60, "1")).on_reload(|_| panic!("at {}", "noon")).build().unwrap();
    let own: Arc<Mutex<Option<CostMap>>> = Arc::default();
    let handle = own.clone();
    let nested = AtomicBool::new(false);
    map.on_reload(move |result| {
        let map = handle.lock().unwrap().clone();
        if let (Some(map), false) = (map, nested.swap(true, Ordering::SeqCst)) {
            // Each of these calls takes a lock.
            map.register_model_json("mine", r#"{"input_cost_per_token": 1}"#).unwrap();
            map.on_reload(|_| {});
            // A reload from a listener would call the listener again, without end.
            let error = map.reload_from_bytes(edition(60, "3")).unwrap_err();
            assert!(matches!(error, llm_costmap::Error::NestedReload));
            assert!(matches!(map.reload().unwrap_err(), llm_costmap::Error::NoSource));
            assert!(map.status().listener_error.is_some() && map.source_info().model_count == 61);
        }
        told.lock().unwrap().send(result.is_ok()).ok();
    });
    *own.lock().unwrap() = Some(map.clone());
    map.reload_from_bytes(edition(60, "2")).unwrap();
    assert_eq!((price(&map, "m-0"), price(&map, "mine")), ("2".to_owned(), "1".to_owned()));
    map.reload_from_bytes("nonsense").unwrap_err();
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [true, false]);
    // A map that did not change is not reported.
    assert!(map.reload_from_bytes(edition(60, "2")).unwrap().is_unchanged());
    assert!(heard.try_recv().is_err());
    assert_eq!(map.status().listener_error.as_deref(), Some("a listener panicked: at noon"));
    // A listener that keeps a handle keeps the map alive.
    *own.lock().unwrap() = None;
}

#[test]
fn a_file_is_read_again_whatever_way_it_changes() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("map.json");
    let map = CostMap::builder().file(&path).json(edition(60, "1")).build().unwrap();
    let said = format!("cannot read {}: No such file or directory (os error 2)", path.display());
    assert_eq!(map.source_info().fallback_reason, Some(said));
    assert!(map.reload_if_changed().unwrap().is_none(), "it is still not there");
    let look = |expected: &str, what: &str| {
        assert!(
            map.reload_if_changed().unwrap_or_else(|error| panic!("{what}: {error}")).is_some(),
            "{what}"
        );
        assert_eq!(price(&map, "m-0"), expected, "{what}");
        assert!(map.reload_if_changed().unwrap().is_none(), "{what}: it did not change since");
    };
    fs::write(&path, edition(60, "2")).unwrap();
    look("2", "created after the start");
    assert_eq!(map.source_info().fallback_reason, None);
    fs::write(&path, edition(60, "3")).unwrap();
    look("3", "overwritten in place, with as many bytes");
    let next = home.path().join("next.json");
    fs::write(&next, edition(60, "4")).unwrap();
    fs::rename(&next, &path).unwrap();
    look("4", "renamed over");
    fs::remove_file(&path).unwrap();
    map.reload_if_changed().unwrap_err();
    assert_eq!(price(&map, "m-0"), "4");
    fs::write(&path, edition(60, "5")).unwrap();
    look("5", "deleted and created again");
    // The file is older than the one before and as long, as after a clock was set back.
    fs::write(&next, edition(60, "6")).unwrap();
    fs::File::options().write(true).open(&next).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    fs::rename(&next, &path).unwrap();
    look("6", "older than before");
    // The file is written in two halves.
    let text = edition(60, "7");
    fs::write(&path, text.get(..1_000).unwrap()).unwrap();
    assert!(matches!(map.reload_if_changed().unwrap_err(), llm_costmap::Error::InvalidMap { .. }));
    assert!(map.reload_if_changed().unwrap().is_none());
    fs::write(&path, &text).unwrap();
    look("7", "written to its end");
    // The same bytes with another modification time are the same map.
    fs::write(&path, &text).unwrap();
    assert!(map.reload_if_changed().unwrap().is_none_or(|report| report.is_unchanged()));

    // Kubernetes mounts a ConfigMap like this: map.json -> ..data/map.json, and ..data -> a folder
    // that is replaced at each change.
    fs::remove_file(&path).unwrap();
    for folder in ["one", "two"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    fs::write(home.path().join("one/map.json"), edition(60, "8")).unwrap();
    fs::write(home.path().join("two/map.json"), edition(60, "9")).unwrap();
    symlink("one", home.path().join("..data")).unwrap();
    symlink("..data/map.json", &path).unwrap();
    look("8", "a link to a link");
    symlink("two", home.path().join("..data_tmp")).unwrap();
    fs::rename(home.path().join("..data_tmp"), home.path().join("..data")).unwrap();
    look("9", "the link swapped");
}

#[test]
fn a_scheduled_file_is_looked_at_all_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("map.json");
    // A rename replaces the file as a whole, so that no reload sees it half written.
    let write = |text: &str| {
        fs::write(home.path().join("next.json"), text).unwrap();
        fs::rename(home.path().join("next.json"), &path).unwrap();
    };
    write(&edition(60, "1"));
    let (builder, heard) = listener(CostMap::builder().url(format!("file://{}", path.display())));
    let map = builder.build().unwrap();
    map.schedule_reload(1_000 * HOUR).unwrap();
    write(&edition(60, "2"));
    assert_eq!(hear(&heard), Ok(2));
    write("{half");
    let said = format!("{} is not a model map: key must be a string (line 1, column 2)", path.display());
    assert_eq!(hear(&heard), Err(said));
    write(&edition(60, "3"));
    assert_eq!(hear(&heard), Ok(3));
    assert_eq!(price(&map, "m-0"), "3");
}

#[test]
fn the_thread_ends_with_the_schedule_and_with_the_last_handle() {
    // Only threads with the name of the scheduled thread are counted, since the test harness starts
    // and ends other ones.
    let threads = Threads::now();
    let (source, teller) = Teller::new();
    let (builder, heard) = listener(CostMap::builder().source(source).json(edition(60, "1")));
    let map = builder.build().unwrap();
    map.schedule_reload(HOUR).unwrap();
    teller.wait_until_asked();
    // A custom source is left to finish its fetch, and no listener is called.
    drop(map);
    teller.answer(Ok("2"));
    drop(teller);
    assert!(heard.recv().is_err(), "the listeners are gone, and heard nothing");
    threads.wait_until_none_is_left("llm-costmap");
}

#[test]
#[ignore = "the process that others start"]
fn child_that_ends_in_the_midst_of_a_fetch() {
    let (source, teller) = Teller::new();
    let map = CostMap::builder().source(source).json("{}").build().unwrap();
    map.schedule_reload(HOUR).unwrap();
    teller.wait_until_asked();
    println!("fetching");
    std::mem::forget((map, teller));
}

#[test]
fn no_fetch_holds_up_a_process_that_exits() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child_that_ends_in_the_midst_of_a_fetch", "--exact", "--ignored", "--nocapture"]);
    let output = child.output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("fetching"));
}

#[test]
fn the_last_generations_say_where_their_prices_are_from() {
    let map = CostMap::from_json(edition(60, "1")).unwrap();
    let usage = Usage::new(1, 0);
    let first = map.cost("m-0", &usage).unwrap();
    let known = map.generation(first.generation()).unwrap();
    assert_eq!((known.generation, known.source.as_str()), (1, "the text that was handed in"));
    for n in 2..=64 {
        map.reload_from_bytes(edition(60, &n.to_string())).unwrap();
    }
    assert_eq!(map.generation(first.generation()), Some(known));
    map.register_model_json("mine", r#"{"input_cost_per_token": 1}"#).unwrap();
    assert_eq!(map.generation(first.generation()), None);
    let generations = map.generations();
    assert_eq!((generations.len(), generations[0].generation, generations[63].generation), (64, 2, 65));
    // The registered model lies over the same text.
    assert_eq!(generations[63].source_revision, generations[62].source_revision);
    assert_eq!(Some(&map.snapshot().provenance()), generations.last());
}
