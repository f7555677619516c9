//! Tests of the program, run as a process.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::fs::{self, File};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use common::{Home, done, rows, run, said};
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
        let key = (parts[1].to_owned(), parts[2].to_owned(), parts[0][..10].to_owned());
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
        assert_eq!(parts[9].parse::<Usd>().unwrap(), before, "{row}");
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
    assert_eq!(cells, ["", "all", "", "20000", "0", "20", "20", "0", ""], "20,000 calls at 0.001");
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
        text.contains("reprice: 4 calls have no price, and no sum has them: the report has the reasons\n"),
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
    assert!(
        refused(&[&log, "--column", "modell=name"])
            .contains("\"modell\" is no role of a column: write one of model, provider")
    );
    assert!(refused(&["--out", &home.text("x")]).contains("there are no logs: name files of Parquet"));
    assert!(refused(&[&home.text("nowhere.parquet")]).contains("nowhere.parquet: No such file"));
    assert!(refused(&[&home.text("new.json"), "--out", &home.text("x")]).contains("Parquet"));
    let at_a_count = ["--column", "model=name", "--column", "at=input_tokens", "--out", &home.text("x")];
    assert!(
        refused(&[[log.as_str()].as_slice(), &at_a_count].concat())
            .contains("the column \"input_tokens\" is of type Int64")
    );
    assert!(refused(&[&log, "--map", &log]).contains("is not a model map"));
    assert_eq!(run(["--frobnicate"]).status.code(), Some(2));
    assert!(done(["--help"]).contains("Prices logs of calls to language models"));
}
