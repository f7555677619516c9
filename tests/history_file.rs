//! Tests of the file of a history: cut anywhere, damaged, written by processes that are killed, and without
//! room on the disk.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use llm_costmap::history::{AsOf, History, Recording};
use llm_costmap::{RetiredModels, Usage};
use serde_json::json;

/// A time, in seconds from 2001.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
}

fn recording(seconds: u64) -> Recording {
    Recording::new("test \"é\"").effective_from(at(seconds)).recorded_at(at(seconds))
}

/// Returns the map of a turn. From each turn to the next, a row is added, one changes, and one is removed.
fn map(turn: u64) -> String {
    let rows = (turn..turn + 4).map(|model| {
        let info = json!({"input_cost_per_token": turn, "aliases": [format!("ü-{model}")], "note": "é\n\"}"});
        (format!("m-{model}"), info)
    });
    let mut rows: serde_json::Map<String, serde_json::Value> = rows.collect();
    rows[&format!("m-{}", turn + 1)]["max_tokens"] = json!(turn % 2);
    serde_json::to_string(&rows).unwrap()
}

fn total(history: &History, turn: u64) -> Option<String> {
    let snapshot = history.at(at(turn));
    (turn..turn + 4)
        .map(|model| Some(snapshot.total(&format!("ü-{model}"), &Usage::new(1, 0)).ok()?.to_string()))
        .collect::<Option<Vec<_>>>()
        .map(|totals| totals.join(" "))
}

fn whole(path: &Path, turns: u64) -> Vec<u8> {
    let history = History::open(path).unwrap();
    for turn in 0..turns {
        history.record_map(map(turn), recording(turn)).unwrap();
    }
    history.record("mine", json!({"input_cost_per_token": 1e-6}), recording(turns)).unwrap();
    history.record_removal("mine", recording(turns + 1)).unwrap();
    drop(history);
    fs::read(path).unwrap()
}

#[test]
fn a_file_is_written_as_it_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let history = History::open(&path).unwrap();
    history.record_map(r#"{"gpt-x": {"mode": "chat", "input_cost_per_token": 1e-06, "source": "https://x"}, "gpt-z": {}}"#, recording(0)).unwrap();
    history.record_map(r#"{"gpt-x": {"input_cost_per_token": 2e-06, "output_cost_per_token": 3, "supports_vision": true, "supports_audio_input": true}, "sample_spec": {"x": 1}}"#, recording(1)).unwrap();
    history.record_map(r#"{"gpt-x": {"input_cost_per_token": 2e-06, "output_cost_per_token": 4, "supports_vision": true}}"#, recording(2)).unwrap();
    history.record("gpt-z", json!({"input_cost_per_token": 1}), recording(3)).unwrap();
    let times = |seconds: u64| {
        let time = format!("2001-09-09T01:46:4{seconds}.000000+00:00");
        format!(
            r#"{{"batch":{{"effective_from":"{time}","recorded_at":"{time}","source":"test \"é\"","source_revision":"#
        )
    };
    let revisions: Vec<String> =
        history.batches().into_iter().filter_map(|batch| batch.source_revision).collect();
    let head = |seconds: u64, revision: &str, map: bool, body: &str| {
        let (rows, bytes, crc) = (body.lines().count(), body.len(), crc32fast::hash(body.as_bytes()));
        format!(
            "{}{revision},\"map\":{map},\"rows\":{rows},\"bytes\":{bytes},\"crc32\":{crc}}}}}\n{body}",
            times(seconds)
        )
    };
    let quoted = |position: usize| format!("\"{}\"", revisions[position]);
    let expected = [
        "{\"llm_costmap_history\":1}\n".to_owned(),
        head(
            0,
            &quoted(0),
            true,
            "[\"gpt-x\",{\"input_cost_per_token\":1e-06,\"mode\":\"chat\"}]\n[\"gpt-z\",{}]\n",
        ),
        head(
            1,
            &quoted(1),
            true,
            "[\"gpt-x\",{\"input_cost_per_token\":2e-06,\"output_cost_per_token\":3,\"supports_audio_input\":true,\"supports_vision\":true}]\n[\"gpt-z\"]\n",
        ),
        head(2, &quoted(2), true, "[\"gpt-x\",{\"output_cost_per_token\":4},[\"supports_audio_input\"]]\n"),
        head(3, "null", false, "[\"gpt-z\",{\"input_cost_per_token\":1}]\n"),
    ];
    assert_eq!(fs::read_to_string(&path).unwrap(), expected.concat());
}

/// Cut at any byte, the file has the batches that are whole, and more can be appended.
#[test]
fn a_file_that_is_cut_anywhere_opens() {
    let folder = tempfile::tempdir().unwrap();
    let text = whole(&folder.path().join("whole"), 4);
    let path = folder.path().join("cut");
    let mut counts = std::collections::BTreeMap::new();
    for end in 0..=text.len() {
        fs::write(&path, &text[..end]).unwrap();
        let read = History::read(&path).unwrap_or_else(|error| panic!("{end}: {error}"));
        let count = read.batches().len();
        *counts.entry(count).or_insert(0) += 1;
        let maps = u64::try_from(count.min(4)).unwrap();
        for turn in 0..maps {
            assert_eq!(total(&read, turn), Some([turn; 4].map(|price| price.to_string()).join(" ")), "{end}");
        }
        if end % 7 == 0 {
            let history = History::open(&path).unwrap();
            history.record_map(map(9), recording(9)).unwrap();
            drop(history);
            let read = History::read(&path).unwrap();
            assert_eq!(
                (read.batches().len(), total(&read, 9)),
                (count + 1, Some("9 9 9 9".to_owned())),
                "{end}"
            );
        }
    }
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(counts.values().sum::<usize>(), text.len() + 1);
}

/// A crash of the system may leave the length of the file behind, and not its last bytes.
#[test]
fn an_end_that_was_not_written_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    whole(&path, 4);
    History::open(&path).unwrap().record_map(map(7), recording(7)).unwrap();
    let text = fs::read(&path).unwrap();
    let heads: Vec<usize> = (0..text.len()).filter(|at| text[*at..].starts_with(b"{\"batch\"")).collect();
    let (before, last) = (heads[heads.len() - 2], heads[heads.len() - 1]);
    for (start, end) in
        [(last, text.len()), (last, last + 100), (last + 300, text.len()), (text.len() - 1, text.len())]
    {
        let mut damaged = text.clone();
        damaged[start..end].fill(0);
        for length in [text.len(), text.len() + 4_096] {
            damaged.resize(length, 0);
            fs::write(&path, &damaged).unwrap();
            assert_eq!(History::read(&path).unwrap().batches().len(), heads.len() - 1, "{start}");
        }
    }
    // Whole batches follow, so that this is no crash.
    let mut damaged = text.clone();
    damaged[before..before + 100].fill(0);
    fs::write(&path, &damaged).unwrap();
    let error = History::read(&path).unwrap_err().to_string();
    assert!(error.ends_with("damaged: neither a batch nor the end of the file"), "{error}");
}

#[test]
fn a_damaged_file_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let text = String::from_utf8(whole(&path, 3)).unwrap();
    let said = |text: &str| {
        fs::write(&path, text).unwrap();
        let error = History::open(&path).unwrap_err();
        assert_eq!(History::read(&path).unwrap_err().to_string(), error.to_string());
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a file that is refused stays as it is");
        error.to_string().strip_prefix(&format!("the history {}: ", path.display())).unwrap().to_owned()
    };
    assert_eq!(
        said(&text.replacen("[\"m-1\",", "[\"M-1\",", 1)),
        "line 2: damaged: neither a batch nor the end of the file"
    );
    assert_eq!(said("{\"llm_costmap_history\":2}\n"), "line 1: of another version of this crate");
    assert_eq!(said("{\"gpt-4o\": {}}\n"), "line 1: not a history of this crate");
    assert_eq!(said("hello"), "line 1: not a history of this crate");
    let with = |body: &str| {
        let (rows, bytes, crc) = (body.lines().count(), body.len(), crc32fast::hash(body.as_bytes()));
        let time = "2026-01-01T00:00:00Z";
        format!(
            "{{\"llm_costmap_history\":1}}\n{{\"batch\":{{\"effective_from\":\"{time}\",\"recorded_at\":\"{time}\",\
             \"source\":\"s\",\"source_revision\":null,\"map\":true,\"rows\":{rows},\"bytes\":{bytes},\"crc32\":{crc}}}}}\n{body}"
        )
    };
    assert_eq!(said(&with("[\"a\",{}]\n7\n")), "line 4: not a list");
    assert_eq!(said(&with("[]\n")), "line 3: not a key and its row");
    assert_eq!(said(&with("[1,{}]\n")), "line 3: its key is no text");
    assert_eq!(said(&with("[\"a\",{},[]]\n")), "line 3: it changes a row that there is none of");
    assert_eq!(
        said(&with("[\"a\",{}]\n").replace("\"rows\":1", "\"rows\":2")),
        "line 2: it has 1 rows, and not 2"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        fs::write(&path, &text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(
            History::open(&path)
                .unwrap_err()
                .to_string()
                .ends_with("it is not used: others than its owner may write to it")
        );
        assert!(History::open(folder.path()).is_err());
        assert!(History::open("/dev/null").unwrap_err().to_string().ends_with("/dev/null: not a file"));
        assert!(
            History::read(folder.path().join("none")).unwrap_err().to_string().contains("cannot read it: ")
        );
    }
}

/// A last batch that is there in full, and not as it was written, is no crash.
#[test]
fn a_changed_digit_is_damage_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let history = History::open(&path).unwrap();
    history.record_map(r#"{"a": {"input_cost_per_token": 1e-6}}"#, recording(1)).unwrap();
    drop(history);
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replace("1e-6}]", "2e-6}]");
    fs::write(&path, &changed).unwrap();
    let error = History::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("line 2: damaged: neither a batch nor the end of the file"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), changed);
}

#[test]
fn a_file_that_is_moved_or_cut_meanwhile_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let history = History::open(&path).unwrap();
    history.record_map(map(1), recording(1)).unwrap();
    fs::write(&path, "").unwrap();
    let refused = |turn| history.record_map(map(turn), recording(turn)).unwrap_err().to_string();
    assert!(refused(2).ends_with("it was cut while it was open: start the program again with a copy of it"));
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    assert!(refused(3).contains("cannot write it: No such file"), "{}", refused(3));
    fs::write(&path, "{}").unwrap();
    assert!(refused(4).ends_with("it was replaced while it was open: start the program again"));
    // What could not be written applies in this process.
    assert_eq!(total(&history, 4).as_deref(), Some("4 4 4 4"));
}

/// Rows that are no objects, and models that are gone, are told apart when a file is read back.
#[test]
fn what_is_read_back_is_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let history = History::open(&path).unwrap();
    let maps = [
        r#"{"a": {"mode": "chat", "input_cost_per_token": 1e-6}, "b": {"input_cost_per_token": 1e-6}}"#,
        r#"{"a": null, "b": [1]}"#,
        r#"{"a": {"input_cost_per_token": 1e-6, "mode": "chat"}}"#,
        r#"{"b": 7, "a": {"supports_vision": true, "mode": "chat", "input_cost_per_token": 1e-6}}"#,
    ];
    for (turn, map) in (0..).zip(maps) {
        history.record_map(map, recording(turn)).unwrap();
    }
    let seen = |history: &History| {
        let views = (0..4).map(|turn| history.at(AsOf::new(at(turn)).retired(RetiredModels::Keep)));
        let seen = views.map(|view| {
            let of = |model| {
                view.total(model, &Usage::new(1_000_000, 0)).map_or_else(|e| e.to_string(), |t| t.to_string())
            };
            (of("a"), of("b"), view.set_aside().count())
        });
        seen.collect::<Vec<_>>()
    };
    let expected = seen(&history);
    assert_eq!(expected.iter().map(|(.., set_aside)| *set_aside).collect::<Vec<_>>(), [0, 2, 0, 1]);
    assert_eq!((&*expected[2].0, &*expected[2].1), ("1", "1"));
    assert!(expected[3].1.contains("set aside (not an object of fields)"), "{}", expected[3].1);
    drop(history);
    assert_eq!(seen(&History::read(&path).unwrap()), expected);
}

/// A hostile file takes no longer than its length: ten times the rows do not take a hundred times as long.
#[test]
fn many_rows_of_a_kind_are_read_in_linear_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let count = 30_000;
    let alias: Vec<String> = (0..count).map(|n| format!("[\"k{n}\",{{\"aliases\":[\"x\"]}}]\n")).collect();
    let cased: Vec<String> = (0..count).map(|n| format!("[\"{}\",{{}}]\n", cased(n))).collect();
    let batch = |seconds: u32, body: &str| {
        let time = format!("2001-{:02}-01T00:00:00Z", seconds % 12 + 1);
        let (rows, bytes, crc) = (body.lines().count(), body.len(), crc32fast::hash(body.as_bytes()));
        format!(
            "{{\"batch\":{{\"effective_from\":\"{time}\",\"recorded_at\":\"{time}\",\"source\":\"s\",\
             \"source_revision\":null,\"map\":true,\"rows\":{rows},\"bytes\":{bytes},\"crc32\":{crc}}}}}\n{body}"
        )
    };
    let turns =
        (0..count).map(|turn| batch(count - turn, &format!("[\"k1\",{{\"max_tokens\":{turn}}},[]]\n")));
    let first = "{\"llm_costmap_history\":1}\n".to_owned();
    let text = [first, batch(0, &alias.concat()), batch(1, &cased.concat())].into_iter().chain(turns);
    let text = text.collect::<Vec<_>>().concat();
    fs::write(&path, &text).unwrap();
    let history = History::read(&path).unwrap();
    assert_eq!((history.models().len(), history.points("k1").len()), (60_000, 30_001));
    assert!(history.at(SystemTime::now()).resolve("x").is_ok());
}

/// Returns a name of fifteen letters, of which no other number has one.
fn cased(number: u32) -> String {
    (0..15).map(|bit| if number >> bit & 1 == 1 { 'A' } else { 'a' }).collect()
}

/// Appends until it is killed, or as often as `TURNS` says.
#[test]
#[ignore = "a process of other tests"]
fn child_appending() {
    let Ok(path) = std::env::var("HISTORY") else { return };
    let turns = std::env::var("TURNS").map_or(u64::MAX, |turns| turns.parse().unwrap());
    let history = History::open(path).unwrap();
    println!("ready");
    let start = u64::try_from(history.batches().len()).unwrap();
    for turn in start..start.saturating_add(turns) {
        // A batch that takes a while to write.
        let long = if turns == u64::MAX { 20_000 } else { 1 };
        let map =
            map(turn).replacen('{', &format!(r#"{{"long": {{"mode": "{turn}{}"}}, "#, "x".repeat(long)), 1);
        if let Err(error) = history.record_map(map, recording(turn)) {
            println!("error {error}");
        }
    }
}

fn child(path: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child_appending", "--exact", "--ignored", "--nocapture"]).env("HISTORY", path);
    child
}

#[test]
fn a_process_that_is_killed_while_it_appends_leaves_a_history_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let (mut count, mut torn) = (0, 0);
    for _ in 0..40 {
        let mut child = child(&path).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        // The process is killed at a random instant.
        std::thread::sleep(Duration::from_micros(RandomState::new().hash_one(0) % 25_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let history = History::read(&path).unwrap();
        let now = u64::try_from(history.batches().len()).unwrap();
        assert!(now >= count, "{now} of {count}");
        for turn in [0, now / 2, now.saturating_sub(1)].into_iter().filter(|turn| *turn < now) {
            assert_eq!(total(&history, turn), Some([turn; 4].map(|price| price.to_string()).join(" ")));
        }
        count = now;
        let text = fs::read(&path).unwrap();
        torn += usize::from(!text.ends_with(b"]\n"));
    }
    assert!(count > 10, "{count}");
    println!("{count} batches, {torn} of 40 kills left a part of one");
}

#[test]
fn what_does_not_fit_on_the_disk_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    // No file of that process may be longer than 1 KB, which simulates a full disk.
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "bash"]);
    let own = child(&path);
    limited.arg(own.get_program()).args(own.get_args()).env("HISTORY", &path).env("TURNS", "5");
    let output = String::from_utf8(limited.output().unwrap().stdout).unwrap();
    let error =
        format!("error the history {}: cannot write it: File too large (os error 27)", path.display());
    let errors = output.lines().filter(|line| *line == error).count();
    let history = History::read(&path).unwrap();
    assert_eq!((history.batches().len(), errors), (1, 4), "{output}");
    assert_eq!(total(&history, 0).as_deref(), Some("0 0 0 0"));
    drop(history);
    assert!(child(&path).env("TURNS", "5").output().unwrap().status.success());
    assert_eq!(total(&History::read(&path).unwrap(), 5).as_deref(), Some("5 5 5 5"));
}
