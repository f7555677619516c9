//! Writes the bundled map of the crate from an upstream file, and the set of models that left it:
//!
//! ```text
//! cargo run --example refresh_bundled -- FILE --package-version 1.109.1 --date 2026-11-18
//! ```
//!
//! Prose is removed. Prices, limits and abilities are kept as they are written, in upstream's
//! order, one model per line. The same file always gives the same bytes.
//!
//! A model of the former bundled map that the file does not have joins the set, with its last row. The models
//! of other earlier maps join it with `--earlier 1.80.0 2025-11-16 FILE`, oldest first.

use std::borrow::Cow;
use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use llm_costmap::{BUNDLED, CostMap, ModelInfo};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Fields of an entry that say nothing about the model itself.
const PROSE: [&str; 3] = ["source", "comment", "metadata"];
/// The field that holds the fallback rules, each with a description.
const RULES: &str = "fallback_generalizations";

fn main() -> ExitCode {
    match run() {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("refresh_bundled: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    let usage = "usage: refresh_bundled FILE --package-version VERSION --date YYYY-MM-DD \
                 [--earlier VERSION YYYY-MM-DD FILE]...";
    let (mut file, mut version, mut date, mut earlier) = (None, None, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--package-version" => version = arguments.next(),
            "--date" => date = arguments.next(),
            "--earlier" => {
                let mut next = || arguments.next().ok_or(usage);
                earlier.push((next()?, next()?, next()?));
            }
            _ => file = Some(argument),
        }
    }
    let (file, version, date) = (file.ok_or(usage)?, version.ok_or(usage)?, date.ok_or(usage)?);
    let upstream = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
    let pruned = prune(std::str::from_utf8(&upstream)?)?;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog");
    let mut last_rows = Vec::new();
    for (version, date, file) in earlier {
        let map = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
        last_rows.push(LastRows::of(&version, blob_id(&map), date, &CostMap::from_json(map)?)?);
    }
    let known = std::fs::read_to_string(folder.join("retired.json"))?;
    last_rows.extend(serde_json::from_str::<Vec<LastRows>>(&known)?);
    let former = CostMap::bundled();
    let (revision, day) = (BUNDLED.source_revision.to_owned(), BUNDLED.date.to_owned());
    last_rows.push(LastRows::of(BUNDLED.package_version, revision, day, &former)?);
    last_rows.sort_by(|a, b| a.date.cmp(&b.date));
    let retired = retired(last_rows, &pruned)?;
    std::fs::write(folder.join("bundled.json"), &pruned)?;
    std::fs::write(folder.join("retired.json"), &retired)?;
    std::fs::write(folder.join("bundled_version.rs"), version_item(&blob_id(&upstream), &version, &date))?;
    let bundled = folder.join("bundled.json");
    let of_retired = retired.len();
    Ok(format!(
        "{}: {} bytes of {}; retired.json: {of_retired}",
        bundled.display(),
        pruned.len(),
        upstream.len()
    ))
}

/// The rows of one map.
#[derive(Deserialize)]
pub(crate) struct LastRows {
    source: String,
    revision: String,
    date: String,
    models: Box<RawValue>,
}

impl LastRows {
    pub(crate) fn of(
        version: &str,
        revision: String,
        date: String,
        map: &CostMap,
    ) -> Result<Self, Box<dyn Error>> {
        let snapshot = map.snapshot();
        // The prices that rules fill in are written down: the rules of the newest map may be others.
        let models = snapshot.models().map(ModelInfo::into_owned);
        let rows = models.map(|model| Ok((model.key().to_owned(), without(model.json(), &PROSE)?)));
        let rows: Vec<(String, String)> = rows.collect::<Result<_, serde_json::Error>>()?;
        let source = format!("LiteLLM {version}");
        Ok(Self { source, revision, date, models: RawValue::from_string(object(&rows)?)? })
    }
}

/// Returns an object with one field a line.
fn object(rows: &[(String, String)]) -> Result<String, serde_json::Error> {
    let lines = rows.iter().map(|(name, json)| Ok(format!("{}:{json}", serde_json::to_string(name)?)));
    Ok(format!("{{\n{}\n}}", lines.collect::<Result<Vec<_>, serde_json::Error>>()?.join(",\n")))
}

/// Returns the last rows of the models that earlier maps have and the newest has not. The maps are sorted from
/// the oldest to the newest.
pub(crate) fn retired(last_rows: Vec<LastRows>, newest: &str) -> Result<String, Box<dyn Error>> {
    let mut known: HashSet<String> = fields(newest)?.into_iter().map(|(name, _)| name.into_owned()).collect();
    let mut maps = Vec::new();
    for LastRows { source, revision, date, models } in last_rows.into_iter().rev() {
        let mut rows = Vec::new();
        for (name, row) in fields(models.get())? {
            if known.insert(name.clone().into_owned()) {
                rows.push((name.into_owned(), row.get().to_owned()));
            }
        }
        if !rows.is_empty() {
            let [source, revision, date] = [source, revision, date].map(serde_json::Value::from);
            let models = object(&rows)?;
            maps.push(format!(
                r#"{{"source":{source},"revision":{revision},"date":{date},"models":{models}}}"#
            ));
        }
    }
    maps.reverse();
    Ok(format!("[\n{}\n]\n", maps.join(",\n")))
}

/// Returns the map without its prose.
pub(crate) fn prune(json: &str) -> Result<String, Box<dyn Error>> {
    let mut pruned = String::from("{\n");
    for (position, (name, entry)) in fields(json)?.into_iter().enumerate() {
        if position > 0 {
            pruned.push_str(",\n");
        }
        write!(pruned, "{}:", serde_json::to_string(&name)?)?;
        if name == RULES {
            pruned.push_str(&prune_rules(entry.get())?);
        } else if entry.get().starts_with('{') {
            pruned.push_str(&without(entry.get(), &PROSE)?);
        } else {
            minify(entry.get(), &mut pruned);
        }
    }
    pruned.push_str("\n}\n");
    Ok(pruned)
}

fn prune_rules(json: &str) -> Result<String, Box<dyn Error>> {
    let mut parts = Vec::new();
    for (name, value) in fields(json)? {
        let mut text = String::new();
        if name == "rules" {
            let rules: Vec<&RawValue> = serde_json::from_str(value.get())?;
            let rules = rules.into_iter().map(|rule| without(rule.get(), &["description"]));
            write!(text, "[{}]", rules.collect::<Result<Vec<_>, _>>()?.join(","))?;
        } else {
            minify(value.get(), &mut text);
        }
        parts.push(format!("{}:{text}", serde_json::to_string(&name)?));
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

/// Returns an object without the fields in `names`.
fn without(json: &str, names: &[&str]) -> Result<String, serde_json::Error> {
    let mut parts = Vec::new();
    for (name, value) in fields(json)? {
        if !names.contains(&&*name) {
            let mut part = format!("{}:", serde_json::to_string(&name)?);
            minify(value.get(), &mut part);
            parts.push(part);
        }
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

/// Returns the fields of an object, in their order.
fn fields(json: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, serde_json::Error> {
    struct Fields;

    impl<'de> serde::de::Visitor<'de> for Fields {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }

    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(json), Fields)
}

/// Appends JSON without the white space between its tokens. Digits and strings stay as they are
/// written.
fn minify(json: &str, out: &mut String) {
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
}

/// Returns the git blob id of the bytes, as `git hash-object` prints it.
pub(crate) fn blob_id(bytes: &[u8]) -> String {
    use sha1::Digest;
    let mut hash = sha1::Sha1::new();
    hash.update(format!("blob {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn version_item(revision: &str, version: &str, date: &str) -> String {
    format!(
        r#"// Written by examples/refresh_bundled.rs.

/// The public map that this version of the crate carries: `model_prices_and_context_window.json` as `litellm`
/// {version} shipped it, without its prose. The data is MIT licensed, (c) 2023 Berri AI.
pub const BUNDLED: BundledCatalog = BundledCatalog {{
    source_revision: "{revision}",
    package_version: "{version}",
    date: "{date}",
}};
"#
    )
}
