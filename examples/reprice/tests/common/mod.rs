//! Helpers of several tests: the program as a process, and its results.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "each test uses its part"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arrow::array::{Array, ArrayRef};
use arrow::util::display::array_value_to_string;
use llm_costmap::CostMap;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_reprice"))
}

/// Runs the program to its end.
pub fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    program().args(arguments).output().expect("the program")
}

/// Returns the exit code of a run, and what it said.
pub fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

/// Runs the program, and returns what it said. It must succeed.
pub fn done<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let (code, said) = said(&run(arguments));
    assert_eq!(code, Some(0), "{said}");
    said
}

/// A folder with two maps, synthetic logs, and what follows.
pub struct Home(pub tempfile::TempDir);

impl Home {
    /// Creates the folder: `new.json` and `old.json`, which differ in some prices, and `logs`.
    pub fn new(rows: usize, files: usize) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        let (new, old) = maps();
        std::fs::write(home.path("new.json"), new).expect("a file");
        std::fs::write(home.path("old.json"), old).expect("a file");
        let (rows, files, map) = (rows.to_string(), files.to_string(), home.text("new.json"));
        done(["generate", &home.text("logs"), "--rows", &rows, "--files", &files, "--map", &map]);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs the program on the logs with both maps, and returns what it said.
    pub fn reprice(&self, out: &str, more: &[&str]) -> String {
        done(self.arguments(out, more))
    }

    pub fn arguments(&self, out: &str, more: &[&str]) -> Vec<String> {
        let mut arguments = vec![self.text("logs"), "--map".into(), self.text("new.json")];
        arguments.extend(["--against".into(), self.text("old.json"), "--out".into(), self.text(out)]);
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        arguments
    }

    pub fn revision(&self, map: &str) -> String {
        CostMap::from_file(self.path(map)).expect("a map").status().source_revision.expect("a revision")
    }
}

/// Returns two maps of 80 models: in the second, every eighth has another price of the prompt, and one is missing.
pub fn maps() -> (String, String) {
    let map = |is_old: bool| {
        let models = (0..80).filter(|n| !(is_old && *n == 33)).map(|n| {
            let input = if is_old && n % 8 == 0 { n + 2 } else { n + 1 };
            format!(
                r#""m-{n}": {{"litellm_provider": "p{}", "mode": "chat", "input_cost_per_token": {input}.25e-7, "output_cost_per_token": {n}.5e-6, "cache_read_input_token_cost": {n}.125e-8}}"#,
                n % 5
            )
        });
        format!("{{{}}}", models.collect::<Vec<_>>().join(",\n"))
    };
    (map(false), map(true))
}

/// Returns the rows of a file of Parquet, or of all files in a folder, as texts in an order of their own.
pub fn rows(path: &Path) -> Vec<String> {
    let files = if path.is_dir() {
        std::fs::read_dir(path).expect("a folder").map(|file| file.expect("a file").path()).collect()
    } else {
        vec![path.to_owned()]
    };
    let mut rows = Vec::new();
    for file in files {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(&file).expect("a file")).expect("Parquet");
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("a batch");
            let value = |column: &ArrayRef, row: usize| {
                if column.is_null(row) {
                    "NULL".to_owned()
                } else {
                    array_value_to_string(column, row).expect("a value")
                }
            };
            let row =
                |row| batch.columns().iter().map(|column| value(column, row)).collect::<Vec<_>>().join("|");
            rows.extend((0..batch.num_rows()).map(row));
        }
    }
    rows.sort();
    rows
}
