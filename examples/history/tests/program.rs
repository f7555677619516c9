//! Tests of the program, run as a process.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

use llm_costmap::history::{AsOf, History};
use llm_costmap::{CostMap, Usage};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_history")).args(arguments).output().expect("a program")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn catalog(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/data/catalogs/{version}.json.gz"))
}

fn time(text: &str) -> SystemTime {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// Writes two small maps, and returns the arguments that name them.
fn maps(folder: &Path) -> [String; 2] {
    let maps = [
        (
            "2026-02-01T16:00:00Z",
            r#"{"a": {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6}, "b": {}}"#,
        ),
        ("2026-03-01", r#"{"a": {"input_cost_per_token": 2e-6, "output_cost_per_token": 4e-6}, "c": {}}"#),
    ];
    maps.map(|(at, map)| {
        let file = folder.join(format!("{}.json", at.len()));
        fs::write(&file, map).unwrap();
        format!("{at}={}", file.display())
    })
}

#[test]
fn the_maps_of_releases_make_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("prices.history");
    let releases = [("2025-11-16T00:03:49.182797Z", "1.80.0"), ("2026-11-12T01:59:54Z", "1.109.1")];
    let named = releases.map(|(at, version)| format!("{at}={}", catalog(version).display()));
    let ledger_name = ledger.display().to_string();
    // The newer one goes first here, and is recorded last.
    let output = run(&[&ledger_name, &named[1], &named[0]]);
    assert_eq!(text(&output.stderr), "");
    let size = fs::metadata(&ledger).unwrap().len();
    let [old, new] = releases.map(|(_, version)| catalog(version).display().to_string());
    assert_eq!(
        text(&output.stdout),
        format!(
            "2025-11-16T00:03:49.182797Z {old}: 1758 models, 1758 added, 0 removed, 0 prices of 0 models changed, 0 rows set aside\n\
             2026-11-12T01:59:54Z {new}: 4551 models, 3259 added, 466 removed, 1276 prices of 393 models changed, 0 rows set aside\n\
             {ledger_name}: 5017 models, 2 batches, {size} bytes\n"
        )
    );
    let history = History::read(&ledger).unwrap();
    for (at, version) in releases {
        let own = CostMap::from_file(catalog(version)).unwrap().snapshot();
        let then = history.at(time(at));
        assert!(then.diff(&own).is_empty(), "{version}");
        assert!(
            history.at(AsOf::new(SystemTime::now()).recorded_by(time(at))).diff(&own).is_empty(),
            "{version}"
        );
    }
    // What the ledger has changes nothing.
    let output = run(&[&ledger_name, &named[1]]);
    assert!(
        text(&output.stdout).ends_with(&format!("{ledger_name}: 5017 models, 2 batches, {size} bytes\n"))
    );
}

#[test]
fn changes_and_points_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = maps(folder.path());
    let ledger = folder.path().join("l").display().to_string();
    let output = run(&[&ledger, &first, &second, "--changes", "--show", "a", "--recorded-now"]);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert_eq!(
        lines[4..8],
        [
            "  + c",
            "  - b",
            "  a: input_cost_per_token: 0.000001 -> 0.000002 (x2)",
            &format!("{ledger}: 3 models, 2 batches, {} bytes", fs::metadata(&ledger).unwrap().len()),
        ]
    );
    assert!(lines[8].starts_with("2026-02-01T16:00:00Z (recorded 20"), "{}", lines[8]);
    assert!(
        lines[9].ends_with(r#".json): {"input_cost_per_token":2e-6,"output_cost_per_token":4e-6}"#),
        "{}",
        lines[9]
    );
    // Recorded now, they were not known then.
    let history = History::read(&ledger).unwrap();
    let then = time("2026-03-02T00:00:00Z");
    assert_eq!(history.at(then).total("a", &Usage::new(1_000_000, 0)).unwrap().to_string(), "2");
    assert!(history.at(AsOf::new(then).recorded_by(then)).resolve("a").is_err());
}

#[test]
fn the_data_of_genai_prices_is_joined() {
    let folder = tempfile::tempdir().unwrap();
    let map = r#"{"openai/gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6,
        "input_cost_per_token_above_200k_tokens": 2e-6, "output_cost_per_token": 4e-6, "max_tokens": 5}}"#;
    let data = r#"[{"id": "openai", "name": "OpenAI", "models": [
            {"id": "gpt-x", "match": {"equals": "gpt-x"}, "prices": [
                {"prices": {"input_mtok": 9, "output_mtok": 9}},
                {"constraint": {"start_date": "2026-02-10"}, "prices": {"input_mtok": 0.805, "output_mtok":
                    {"base": 3, "tiers": [{"start": 272000, "price": 6}]}, "web_searches_kcount": 10}}]},
            {"id": "plain", "prices": {"input_mtok": 1}},
            {"id": "night", "prices": [{"constraint": {"start_time": "16:30:00Z", "end_time": "00:30:00Z"},
                "prices": {"input_mtok": 1}}]}]},
        {"id": "x-ai", "models": [{"id": "grok", "prices": [{"prices": {"input_mtok": 2}},
            {"constraint": {"start_date": "2026-02-20"}, "prices": {"input_mtok": 1e-1}}]}]}]"#;
    let (map_file, data_file) = (folder.path().join("map.json"), folder.path().join("data.json"));
    fs::write(&map_file, map).unwrap();
    fs::write(&data_file, data).unwrap();
    let ledger = folder.path().join("l").display().to_string();
    let dated = format!("2026-02-01={}", map_file.display());
    let join = ["--genai-prices", &data_file.display().to_string()].map(str::to_owned);
    let output = run(&[&ledger, &dated, &join[0], &join[1]]);
    assert!(
        text(&output.stdout).contains(
            "genai-prices: 3 changes of 2 models recorded, 1 of them new; 1 models with prices by the hour are left out\n"
        ),
        "{}",
        text(&output.stdout)
    );
    let output = run(&[&ledger, &join[0], &join[1]]);
    assert!(text(&output.stdout).contains("genai-prices: 0 changes of 0 models recorded"));
    let history = History::read(&ledger).unwrap();
    let total = |model: &str, at: &str, input, completion| {
        history.at(time(at)).total(model, &Usage::new(input, completion)).unwrap().to_string()
    };
    assert_eq!(total("openai/gpt-x", "2026-02-09T23:59:59.999999Z", 100_000, 0), "0.1");
    assert_eq!(total("openai/gpt-x", "2026-02-10T00:00:00Z", 100_000, 100_000), "0.3805");
    // Steps of the map that the new prices do not have are gone, and theirs are there.
    assert_eq!(total("openai/gpt-x", "2026-02-10T00:00:00Z", 250_000, 0), "0.20125");
    assert_eq!(total("openai/gpt-x", "2026-02-10T00:00:00Z", 300_000, 100_000), "0.8415");
    let row = history.at(time("2026-02-10T00:00:00Z")).get("openai/gpt-x").unwrap().max_tokens();
    assert_eq!(row, Some(5));
    assert_eq!(total("xai/grok", "2026-02-19T00:00:00Z", 1_000_000, 0), "2");
    assert_eq!(total("xai/grok", "2026-02-20T00:00:00Z", 1_000_000, 0), "0.1");
}

#[test]
fn prices_are_drawn_as_steps() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = maps(folder.path());
    let ledger = folder.path().join("l").display().to_string();
    let svg = folder.path().join("a.svg").display().to_string();
    let days = ["--from", "2026-02-01", "--to", "2026-03-31"];
    let output = run(&[&[&*ledger, &first, &second, "--plot", "a", "--out", &svg], &days[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let drawn = fs::read_to_string(&svg).unwrap();
    // A line of four points for the input, whose price changes once, and one for the output.
    let lines: Vec<usize> = drawn
        .lines()
        .filter(|line| line.starts_with("<polyline") && line.contains("stroke-width=\"2\""))
        .map(|line| {
            line.split("points=\"").nth(1).unwrap().split('"').next().unwrap().split_whitespace().count()
        })
        .collect();
    assert_eq!(lines, [4, 4]);
    for label in ["a, USD per million tokens", "input", "output", "2026-03-"] {
        assert!(drawn.contains(label), "{label}");
    }
    assert!(!drawn.contains("cache read"));
    // On standard output, with what is told on the other.
    let output = run(&[&[&*ledger, "--plot", "a"], &days[..]].concat());
    assert_eq!(text(&output.stdout), drawn);
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let [first, _] = maps(folder.path());
    let ledger = folder.path().join("l").display().to_string();
    run(&[&ledger, &first]);
    let bad = folder.path().join("bad.json").display().to_string();
    fs::write(&bad, "[]").unwrap();
    for (arguments, error) in [
        (vec![], "missing LEDGER, the file of the history\nTry --help.".to_owned()),
        (vec![&*ledger, "x.json"], "x.json: write the time from which the map applies before it, as in 2026-11-12=x.json\nTry --help.".to_owned()),
        (vec![&*ledger, "soon=x.json"], "soon: write a day, such as 2026-11-12, or a time, such as 2026-11-12T16:00:00Z\nTry --help.".to_owned()),
        (vec![&*ledger, "2026-01-01=/none"], "cannot read /none: No such file or directory (os error 2)".to_owned()),
        (vec![&*ledger, "--plot", "aa"], "aa is no key of the ledger: did you mean a?".to_owned()),
        (vec![&*ledger, "--plot", "b"], "b has no price of a token at any time of the ledger".to_owned()),
        (vec![&*ledger, "--plot", "a", "--to", "2026-01-01"], "the chart would end before it begins: write --from DAY and --to DAY in their order".to_owned()),
    ] {
        let output = run(&arguments);
        assert_eq!((text(&output.stderr), output.status.code()), (&*format!("history: {error}\n"), Some(2)));
    }
    let named = format!("2026-04-01={bad}");
    let output = run(&[&ledger, &named]);
    assert!(
        text(&output.stderr).contains(&format!("history: {bad} is not a model map: ")),
        "{}",
        text(&output.stderr)
    );
    assert!(text(&run(&["--help"]).stdout).contains("Usage: history LEDGER"));
}
