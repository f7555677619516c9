//! Tests of the program, run as a process.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use common::{Home, done, program, rows, run, said};
use llm_costmap::{CostMap, Lookup, Usage, Usd};
use parquet::arrow::ArrowWriter;

#[test]
fn rows_and_sums_are_those_of_calls_priced_by_themselves() {
    let home = Home::new(20_000, 3);
    let text = home.reprice("out", &[]);
    assert!(text.contains("20000 calls in "), "{text}");
    let (new, old) = (
        CostMap::from_file(home.path("new.json")).unwrap(),
        CostMap::from_file(home.path("old.json")).unwrap(),
    );
    // at, model, provider, prompt_tokens, completion_tokens, cached_tokens, llm_cost, llm_cost_before
    let calls = rows(&home.path("out/calls"));
    assert_eq!(calls.len(), 20_000);
    let mut sums: HashMap<(String, String, String), (u64, Usd, Usd)> = HashMap::new();
    let (mut changed, mut unpriced) = (0, 0);
    for call in &calls {
        let parts: Vec<&str> = call.split('|').collect();
        let counts: Vec<u64> = parts[3..6].iter().map(|count| count.parse().unwrap()).collect();
        let usage = Usage::new(counts[0], counts[1]).cached_tokens(counts[2]);
        let lookup = Lookup::new(parts[1]).provider(parts[2]);
        let (after, before) = (new.total(lookup, &usage).unwrap(), old.total(lookup, &usage).ok());
        assert_eq!(parts[6].parse::<Usd>().unwrap(), after, "{call}");
        assert_eq!(
            Some(parts[7]).filter(|cost| *cost != "NULL").map(|cost| cost.parse().unwrap()),
            before,
            "{call}"
        );
        changed += usize::from(before.is_some_and(|before| before != after));
        unpriced += usize::from(before.is_none());
        let key = (parts[1].to_owned(), parts[2].to_owned(), parts[0].split('T').next().unwrap().to_owned());
        let sum = sums.entry(key).or_default();
        sum.0 += 1;
        sum.1 = sum.1.checked_add(after).unwrap();
        sum.2 = sum.2.checked_add(before.unwrap_or_default()).unwrap();
    }
    assert!(changed > 1_000 && unpriced > 50, "{changed} {unpriced}");
    let summary = rows(&home.path("out/summary.parquet"));
    assert_eq!(summary.len(), sums.len());
    for row in &summary {
        let parts: Vec<&str> = row.split('|').collect();
        let (calls, cost, before) = sums[&(parts[0].to_owned(), parts[1].to_owned(), parts[2].to_owned())];
        assert_eq!((parts[3], parts[7].parse::<Usd>().unwrap()), (calls.to_string().as_str(), cost), "{row}");
        assert_eq!(parts[10].parse::<Usd>().unwrap(), before, "{row}");
    }
    // The sums are the same if no rows are written, and on one thread.
    home.reprice("sums", &["--no-rows", "--threads", "1"]);
    assert_eq!(rows(&home.path("sums/summary.parquet")), summary);
    assert!(!home.path("sums/calls").exists());
    // Rows are never written over.
    let (code, text) = said(&run(home.arguments("out", &[])));
    assert_eq!(code, Some(1));
    assert!(text.ends_with("calls exists: name another folder with --out, or remove it\n"), "{text}");
    assert_eq!(rows(&home.path("out/calls")), calls);
    // A constant is a price of its own.
    let text = home.reprice("constant", &["--constant", "--no-rows"]);
    let all = text.lines().find(|line| line.starts_with("| all ")).unwrap();
    let cells: Vec<&str> = all.split('|').map(str::trim).collect();
    assert_eq!(cells, ["", "all", "", "20000", "0", "20", "0", "20", "0", ""], "20,000 calls at 0.001");
}

#[test]
fn the_page_says_what_changed_and_why() {
    let home = Home::new(5_000, 1);
    home.reprice("out", &["--no-rows"]);
    let page = fs::read_to_string(home.path("out/report.html")).unwrap();
    let changes = page.split("<table id=\"changes\">").nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<&str> = changes.split("<tr><td><code>m-").skip(1).collect();
    for row in &rows {
        let n: u32 = row.split('<').next().unwrap().parse().unwrap();
        let reason = if n == 33 {
            "it is priced as m-33, and was not known: unknown model &#34;m-33&#34;".to_owned()
        } else {
            assert_eq!(n % 8, 0, "{row}");
            let price = |n: u32| format!("{n}.25e-7").parse::<Usd>().unwrap();
            format!("<li>m-{n}: input_cost_per_token: {} -&#62; {} (x", price(n + 2), price(n + 1))
        };
        assert!(row.contains(&reason), "{reason}: {row}");
    }
    assert!(rows.len() > 5, "{changes}");
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains(&home.revision("new.json")) && page.contains(&home.revision("old.json")));
}

/// Writes a log with columns of other names, and calls that have no price.
fn odd_log(path: &std::path::Path) {
    let text = |values: [Option<&str>; 5]| Arc::new(values.into_iter().collect::<StringArray>()) as ArrayRef;
    let number = |values: [Option<i64>; 5]| Arc::new(values.into_iter().collect::<Int64Array>()) as ArrayRef;
    let columns = [
        ("name", text([Some("m-1"), Some("<script>alert(1)</script>"), Some("m-2"), Some("m-3"), None])),
        ("input_tokens", number([Some(1_000), Some(1), Some(-1), None, Some(1)])),
        ("output_tokens", number([Some(0), Some(1), Some(1), None, Some(1)])),
        (
            "when",
            text([
                Some("2026-03-01T23:59:59Z"),
                Some("2026-03-02T00:00:00Z"),
                Some("2026-03-02T00:00:00+05:00"),
                Some("2026-03-02"),
                Some("2026-03-02"),
            ]),
        ),
    ];
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn calls_without_a_price_are_listed_and_summed_nowhere() {
    let home = Home::new(1, 1);
    let log = home.path("odd.parquet");
    odd_log(&log);
    let arguments = |out: &str, more: &[&str]| {
        let mut arguments = vec![
            log.display().to_string(),
            "--map".into(),
            home.text("new.json"),
            "--out".into(),
            home.text(out),
        ];
        arguments.extend(["--column".into(), "model=name".into(), "--column".into(), "at=when".into()]);
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        arguments
    };
    let text = done(arguments("out", &[]));
    assert!(
        text.contains(
            "reprice: 4 calls have no price, and the cost leaves them out: the report has the reasons\n"
        ),
        "{text}"
    );
    let (code, _) = said(&run(arguments("strict", &["--strict", "--no-rows"])));
    assert_eq!(code, Some(3));
    let summary = rows(&home.path("strict/summary.parquet"));
    assert_eq!(summary, rows(&home.path("out/summary.parquet")));
    assert!(
        summary.contains(&"m-1|NULL|2026-03-01|1|0|1000|0|0.0002250000000000000000000000".to_owned()),
        "{summary:?}"
    );
    let page = fs::read_to_string(home.path("out/report.html")).unwrap();
    let unpriced = page.split("<table id=\"unpriced\">").nth(1).unwrap();
    for reason in [
        "a count is negative",
        "neither prompt_tokens nor completion_tokens is counted",
        "the call names no model",
        "unknown model",
    ] {
        assert!(unpriced.contains(reason), "{reason}: {unpriced}");
    }
    assert!(!page.contains("<script>"), "what logs say is text");
    // What is missing is told, with what there is.
    let log = log.display().to_string();
    let refused = |arguments: &[&str]| {
        let (code, text) = said(&run(arguments));
        assert_eq!(code, Some(1), "{text}");
        text
    };
    let text = refused(&[&log, "--out", &home.text("x")]);
    assert_eq!(
        text,
        "reprice: the logs have no column for model: name it with --column model=NAME; they have name, input_tokens, output_tokens, when\n"
    );
    let text = refused(&[&log, "--column", "model=nome", "--out", &home.text("x")]);
    assert!(text.contains("the logs have no column \"nome\", which --column names as model"), "{text}");
    assert!(refused(&[&home.text("nowhere.parquet")]).contains("nowhere.parquet: No such file"));
    assert!(
        refused(&[&home.text("new.json"), "--out", &home.text("x")])
            .contains("new.json is no file of Parquet")
    );
    let at_a_count = ["--column", "model=name", "--column", "at=input_tokens", "--out", &home.text("x")];
    assert!(
        refused(&[[log.as_str()].as_slice(), &at_a_count].concat())
            .contains("the column \"input_tokens\" is of type Int64, and cannot be at: times are timestamps")
    );
    assert!(refused(&[&log, "--map", &log]).contains("is not a model map"));
    for (wrong, reason) in [
        (vec!["--frobnicate"], "--frobnicate"),
        (vec!["--out", "x"], "<LOGS>"),
        (
            vec![log.as_str(), "--column", "modell=name"],
            "\"modell\" is no role of a column: write one of model, provider",
        ),
        (vec![log.as_str(), "--column", "name"], "\"name\" is no ROLE=COLUMN"),
        (vec![log.as_str(), "--column", "at=a", "--column", "at=b"], "two columns are named as at"),
    ] {
        let (code, text) = said(&run(wrong));
        assert!(code == Some(2) && text.contains(reason), "{text}");
    }
    assert!(done(["--help"]).contains("Prices logs of calls to language models"));
}

/// A log of calls to `m-1` with a column each for what is given.
fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    );
    let batch = batch.unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The columns of calls that each have a thousand tokens of the prompt, and cost 0.000225 dollars.
fn calls<'a>(count: usize) -> Vec<(&'a str, ArrayRef)> {
    let numbers = |number: i64| Arc::new(Int64Array::from(vec![number; count])) as ArrayRef;
    let models = Arc::new(StringArray::from(vec!["m-1"; count]));
    vec![("model", models), ("prompt_tokens", numbers(1_000)), ("completion_tokens", numbers(0))]
}

/// Prices logs by `new.json`, and returns the number of calls, the number of those without a price, and the cost.
fn sum<S: AsRef<str>>(home: &Home, logs: &[S]) -> (String, String, String) {
    let out = tempfile::tempdir_in(home.0.path()).unwrap();
    let more = [
        "--map".to_owned(),
        home.text("new.json"),
        "--out".to_owned(),
        out.path().join("o").display().to_string(),
    ];
    let text = done(logs.iter().map(AsRef::as_ref).chain(more.iter().map(String::as_str)));
    let all = text.lines().find(|line| line.starts_with("| all ")).unwrap();
    let cells: Vec<&str> = all.split('|').map(str::trim).collect();
    (cells[3].to_owned(), cells[4].to_owned(), cells[5].to_owned())
}

fn is((calls, unpriced, cost): (String, String, String), expected: (&str, &str, &str)) {
    assert_eq!((calls.as_str(), unpriced.as_str(), cost.as_str()), expected);
}

#[test]
fn every_file_that_is_named_is_read_with_all_columns_of_all() {
    let home = Home::new(1, 1);
    let (plain, cached) = (home.path("plain.pq"), home.path("cached[1].parquet"));
    write(&plain, calls(2));
    let mut columns = calls(2);
    columns.push(("cached_tokens", Arc::new(Int64Array::from(vec![1_000, 1_000]))));
    write(&cached, columns);
    // Another file that the name of the second would stand for, if it were a pattern.
    write(&home.path("cached1.parquet"), calls(1));
    let [plain, cached] = [plain, cached].map(|path| path.display().to_string());
    // 2 x 1000 x 2.25e-7, and 2 x 1000 x 1.125e-8, in either order.
    is(sum(&home, &[&plain, &cached]), ("4", "0", "0.000472"));
    is(sum(&home, &[&cached, &plain]), ("4", "0", "0.000472"));
    is(sum(&home, &[&cached, &cached]), ("2", "0", "0.000022"));
    // A folder, with a folder in it; what is no log is told.
    let folder = home.path("folder");
    fs::create_dir_all(folder.join("2026/01")).unwrap();
    write(&folder.join("a.parquet"), calls(1));
    write(&folder.join("2026/01/b.PARQUET"), calls(1));
    write(&folder.join("_hidden.parquet"), calls(1));
    fs::write(folder.join("notes.txt"), "x").unwrap();
    let folder = folder.display().to_string();
    is(sum(&home, &[&folder]), ("2", "0", "0.00045"));
    let (_, text) = said(&run([&folder, "--out", &home.text("x")]));
    assert!(
        text.contains(&format!("reprice: 1 files of {folder} are not called *.parquet, and are left out\n")),
        "{text}"
    );
    let refused = |logs: &[&str]| {
        let (code, text) = said(&run(logs.iter().copied().chain(["--out", &home.text("y")])));
        assert_eq!(code, Some(1), "{text}");
        text
    };
    fs::create_dir(home.path("none")).unwrap();
    assert!(
        refused(&[&plain, &home.text("none")]).ends_with("none has no files that are called *.parquet\n")
    );
    fs::write(home.path("empty.parquet"), "").unwrap();
    assert!(
        refused(&[&plain, &home.text("empty.parquet")])
            .ends_with("empty.parquet is empty: it was cut off, or never written\n")
    );
    let (code, text) = said(&run([home.text("logs"), "--out".to_owned(), home.text("logs/priced")]));
    assert_eq!(code, Some(1));
    assert!(text.ends_with("logs, and would be a log of the next run\n"), "{text}");
    assert!(
        refused(&["s3://bucket/logs"])
            .contains("s3://bucket/logs: logs are files and folders of this machine")
    );
    // Results in a folder whose name has signs of patterns, of a log without rows.
    write(&home.path("zero.parquet"), calls(0));
    let odd = home.text("o[1]*?");
    let text = done([&home.text("zero.parquet"), "--map", &home.text("new.json"), "--out", &odd]);
    assert!(text.contains("0 calls in "), "{text}");
    assert!(Path::new(&odd).join("report.html").exists());
}

#[test]
fn columns_are_what_their_types_say() {
    let home = Home::new(1, 1);
    let log = |name: &str, column: (&'static str, ArrayRef)| {
        let mut columns = calls(2);
        columns.retain(|(known, _)| *known != column.0);
        columns.push(column);
        write(&home.path(name), columns);
        home.text(name)
    };
    // Numbers of batches are no flags.
    let batches = log("batches.parquet", ("batch", Arc::new(Int64Array::from(vec![17, 18]))));
    is(sum(&home, &[&batches]), ("2", "0", "0.00045"));
    let (code, text) = said(&run([&batches, "--column", "batch=batch", "--out", &home.text("x")]));
    assert_eq!(code, Some(1));
    assert!(text.contains("the column \"batch\" is of type Int64, and cannot be batch: batch is true or false; name another with --column batch=NAME, or none with --column batch="), "{text}");
    // A time that is none is missing, and costs that row alone its price.
    let times: StringArray = [Some("yesterday"), Some("9999-12-31T00:00:00Z")].into_iter().collect();
    let times = log("times.parquet", ("at", Arc::new(times)));
    is(sum(&home, &[&times]), ("2", "1", "0.000225"));
    is(sum(&home, &[times, "--column".to_owned(), "at=".to_owned()]), ("2", "0", "0.00045"));
    // Integers of any size and sign are counts, and nothing else is. The second of these costs more than there is.
    let large =
        log("large.parquet", ("prompt_tokens", Arc::new(UInt64Array::from(vec![1_000, u64::MAX - 2_000]))));
    is(sum(&home, &[large]), ("2", "1", "0.000225"));
    let floats =
        log("floats.parquet", ("prompt_tokens", Arc::new(Float64Array::from(vec![1_000.9, f64::NAN]))));
    let (code, text) = said(&run([&floats, "--out", &home.text("x")]));
    assert!(
        code == Some(1)
            && text.contains("is of type Float64, and cannot be prompt_tokens: counts are integers"),
        "{text}"
    );
    // Bytes that are text.
    let bytes = log("bytes.parquet", ("model", Arc::new(BinaryArray::from(vec![b"m-1".as_slice(), b"m-1"]))));
    is(sum(&home, &[bytes]), ("2", "0", "0.00045"));
}

#[test]
fn sums_that_128_bits_might_not_hold_are_exact() {
    let home = Home::new(1, 1);
    let mut columns = calls(3_000);
    let mut counts = vec![1_000; 3_000];
    // 2.25 million dollars: 3,000 of such calls would be too many.
    counts[7] = 100_000_000_000_000;
    columns[1].1 = Arc::new(Int64Array::from(counts));
    write(&home.path("huge.parquet"), columns);
    is(sum(&home, &[home.text("huge.parquet")]), ("3000", "0", "22500000.674775"));
    // What does not fit is told, and nothing is written.
    let mut columns = calls(2);
    columns[1].1 = Arc::new(UInt64Array::from(vec![u64::MAX / 500; 2]));
    write(&home.path("more.parquet"), columns);
    let (code, text) =
        said(&run([&home.text("more.parquet"), "--map", &home.text("new.json"), "--out", &home.text("x")]));
    assert_eq!(code, Some(1));
    assert!(
        text.ends_with("the spend of a model on a day is ten billion dollars or more: split the logs\n"),
        "{text}"
    );
    assert_eq!(fs::read_dir(home.path("x")).unwrap().count(), 0);
}

#[test]
fn changes_that_cancel_out_are_changes() {
    let home = Home::new(1, 1);
    let map = |first: &str, second: &str| {
        format!(r#"{{"m-1": {{"input_cost_per_token": {first}, "output_cost_per_token": {second}}}}}"#)
    };
    fs::write(home.path("old.json"), map("1e-6", "2e-6")).unwrap();
    fs::write(home.path("new.json"), map("2e-6", "1e-6")).unwrap();
    let mut columns = calls(2);
    columns[1].1 = Arc::new(Int64Array::from(vec![1_000, 0]));
    columns[2].1 = Arc::new(Int64Array::from(vec![0, 1_000]));
    write(&home.path("logs/0000.parquet"), columns);
    home.reprice("out", &[]);
    let page = fs::read_to_string(home.path("out/report.html")).unwrap();
    let changes = page.split("<table id=\"changes\">").nth(1).expect("changes");
    assert!(changes.contains("<td class=\"n\">2</td><td class=\"n\">0</td><td><ul><li>m-1: input_cost_per_token: 0.000001 -&#62; 0.000002 (x2)</li>"), "{changes}");
}

#[test]
fn results_are_whole_or_not_there() {
    let home = Home::new(50_000, 2);
    home.reprice("out", &[]);
    // Priced rows are a log: their prices are replaced.
    let again =
        done([&home.text("out/calls"), "--map", &home.text("old.json"), "--out", &home.text("again")]);
    assert!(again.contains("50000 calls in "), "{again}");
    let (_, text) = said(&run(home.arguments("out", &["--no-rows"])));
    assert!(text.ends_with("exists: name another folder with --out, or remove it\n"), "{text}");
    // A reader that goes away.
    let mut job = program();
    let mut job =
        job.args(home.arguments("pipe", &[])).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(job.stdout.take());
    assert_eq!(job.wait().unwrap().code(), Some(0));
    assert!(home.path("pipe/report.html").exists());
    // Ctrl-C, as soon as it is at work.
    let home = Home::new(400_000, 2);
    let mut job = program();
    let mut job =
        job.args(home.arguments("cut", &[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let entries = || fs::read_dir(home.path("cut")).map_or(0, Iterator::count);
    while entries() == 0 {
        assert_eq!(job.try_wait().unwrap(), None, "it is not over yet");
        std::thread::yield_now();
    }
    let interrupt = Command::new("kill").args(["-INT", &job.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    assert_eq!(job.wait().unwrap().code(), Some(130));
    assert_eq!(entries(), 0);
}
