//! Writes the bundled map of the crate from an upstream file:
//!
//! ```text
//! cargo run --example refresh_bundled -- FILE --package-version 1.109.1 --date 2026-11-18
//! ```
//!
//! Prose is removed. Prices, limits and abilities are kept as they are written, in upstream's
//! order, one model per line. The same file always gives the same bytes.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

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
    let usage = "usage: refresh_bundled FILE --package-version VERSION --date YYYY-MM-DD";
    let (mut file, mut version, mut date) = (None, None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--package-version" => version = arguments.next(),
            "--date" => date = arguments.next(),
            _ => file = Some(argument),
        }
    }
    let (file, version, date) = (file.ok_or(usage)?, version.ok_or(usage)?, date.ok_or(usage)?);
    let upstream = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
    let pruned = prune(std::str::from_utf8(&upstream)?)?;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog");
    std::fs::write(folder.join("bundled.json"), &pruned)?;
    std::fs::write(folder.join("bundled_version.rs"), version_item(&blob_id(&upstream), &version, &date))?;
    Ok(format!("{}: {} bytes of {}", folder.join("bundled.json").display(), pruned.len(), upstream.len()))
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
fn without(json: &str, names: &[&str]) -> Result<String, Box<dyn Error>> {
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
