//! Publishes a map to a fleet: packs and checks it, and writes the pointer that all instances follow.
//!
//! ```text
//! cargo run --example publish --features signatures -- model_prices.json --to /srv/prices --at +10m
//! ```

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use lexopt::prelude::*;
use llm_costmap::CostMap;
use llm_costmap::reload::ReloadReport;
use llm_costmap::source::{Pointer, PointerSource, PublishedMap};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

const HELP: &str = "\
Publishes a map to a fleet.

Usage: publish MAP --to FOLDER [options]
       publish --revision REVISION --to FOLDER [options]
       publish --new-key FILE

MAP is a file in LiteLLM's format, packed with gzip or not. It is checked, packed and written to
FOLDER/maps/REVISION.json.gz. Then FOLDER/current.json, the pointer that instances follow, is replaced. Serve the
folder over HTTP, sync it to a bucket, or mount it.

Options:
  --to FOLDER            The folder, which must exist.
  --revision REVISION    Goes back to a map that was published before, or its first digits.
  --at TIME              All instances swap at this time: RFC 3339, such as 2026-12-01T00:00:00Z, or from now, such
                         as +90s, +10m or +6h. Without it, each swaps as soon as it sees the pointer. Leave them
                         time to see it: at least the interval of their schedules.
  --key FILE             Signs the pointer with an Ed25519 private key in PEM (PKCS #8), such as one of --new-key.
  --new-key FILE         Writes a new private key, which only you can read, and prints the public one, for
                         PointerSource::trust_key.
  --max-price-jump RATIO Refuses a map that changes more than this share of its models more than tenfold. Default: 1.
  --force                Publishes a map that is refused for what it changes.
  --dry-run              Says what would be published, and writes nothing.
  -h, --help             Prints this help.

Exit codes: 0 published, or nothing to do; 1 refused or failed, and the pointer is as it was; 2 wrong arguments.
";

/// The name of the document below the folder.
const DOCUMENT: &str = "current.json";

#[derive(Default)]
struct Options {
    map: Option<PathBuf>,
    revision: Option<String>,
    to: Option<PathBuf>,
    at: Option<SystemTime>,
    key: Option<PathBuf>,
    new_key: Option<PathBuf>,
    max_price_jump: Option<f64>,
    force: bool,
    dry_run: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("publish: {error}; see publish --help");
            return ExitCode::from(2);
        }
    };
    let done = match (&options.new_key, &options.to) {
        (Some(file), _) => new_key(file),
        (None, Some(folder)) => publish(folder, &options),
        (None, None) => Ok("nowhere to publish to".to_owned()),
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("publish: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the arguments. Returns `None` if they ask for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options::default();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("to") => options.to = Some(arguments.value()?.into()),
            Long("revision") => options.revision = Some(arguments.value()?.string()?.to_lowercase()),
            Long("at") => options.at = Some(arguments.value()?.parse_with(time)?),
            Long("key") => options.key = Some(arguments.value()?.into()),
            Long("new-key") => options.new_key = Some(arguments.value()?.into()),
            Long("max-price-jump") => options.max_price_jump = Some(arguments.value()?.parse()?),
            Long("force") => options.force = true,
            Long("dry-run") => options.dry_run = true,
            Short('h') | Long("help") => return Ok(None),
            Value(map) if options.map.is_none() => options.map = Some(map.into()),
            other => return Err(other.unexpected()),
        }
    }
    match (&options.new_key, &options.to, &options.map, &options.revision) {
        (Some(_), None, None, None) | (None, Some(_), Some(_), None) | (None, Some(_), None, Some(_)) => {}
        (Some(_), ..) => return Err("--new-key goes alone".into()),
        (None, None, ..) => return Err("--to FOLDER is missing".into()),
        (None, ..) => return Err("give a MAP or a --revision".into()),
    }
    Ok(Some(options))
}

/// Reads a time: in RFC 3339, or from now.
fn time(text: &str) -> Result<SystemTime, String> {
    let bad = || format!("{text:?} is no time: write 2026-12-01T00:00:00Z or +10m");
    let Some(from_now) = text.strip_prefix('+') else {
        return Ok(text.parse::<jiff::Timestamp>().map_err(|_| bad())?.into());
    };
    let (count, unit) = [('s', 1), ('m', 60), ('h', 3_600)]
        .iter()
        .find_map(|(letter, seconds)| Some((from_now.strip_suffix(*letter)?, *seconds)))
        .ok_or_else(bad)?;
    let seconds = count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(bad)?;
    SystemTime::now().checked_add(Duration::from_secs(seconds)).ok_or_else(bad)
}

/// Writes a new private key, and returns the public one.
fn new_key(file: &Path) -> Result<String, Box<dyn Error>> {
    let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no random numbers")?;
    let key = Ed25519KeyPair::from_pkcs8(der.as_ref()).map_err(|error| error.to_string())?;
    let body = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    write!(written, "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))?;
    Ok(format!("{}\nis the public key of {}", STANDARD.encode(key.public_key().as_ref()), file.display()))
}

fn publish(folder: &Path, options: &Options) -> Result<String, Box<dyn Error>> {
    let key = options.key.as_deref().map(read_key).transpose()?;
    let document = folder.join(DOCUMENT);
    let before = in_force(&document)?;
    let (bytes, name) = match (&options.map, &options.revision) {
        (Some(map), _) => packed(&read(map)?)?,
        (None, revision) => published(folder, revision.as_deref().unwrap_or_default())?,
    };
    let mut pointer = Pointer::to(bytes.clone(), name.clone())?;
    if let Some(at) = options.at {
        pointer = pointer.with_not_before(at);
        pointer = before.iter().fold(pointer, |pointer, before| pointer.with_previous(before.clone()));
    }
    if let Some(key) = &key {
        let signature = key.sign(pointer.signed_text().as_bytes());
        pointer = pointer.with_signature(signature.as_ref().try_into()?);
    }
    let said = match changes(folder, before.as_ref(), bytes.clone(), options)? {
        Some(report) if report.is_unchanged() && is_same(&document, &pointer) => {
            return Ok(format!("revision {} is in force already", pointer.map.revision));
        }
        Some(report) => report.to_string(),
        None => "no map is in force yet that it could be compared with".to_owned(),
    };
    let said = format!("{pointer}\n{} bytes, packed; {said}", bytes.len());
    if options.dry_run {
        return Ok(format!("{said}\nnothing is written"));
    }
    fs::create_dir_all(folder.join("maps"))?;
    replace(&folder.join(&name), &bytes)?;
    // An instance of its own follows the pointer before all others do.
    let candidate = tempfile::Builder::new().prefix(DOCUMENT).tempfile_in(folder)?;
    fs::write(candidate.path(), pointer.to_string())?;
    let mut source = PointerSource::file(candidate.path());
    if let Some(key) = &key {
        source = source.trust_key(STANDARD.encode(key.public_key().as_ref()));
    }
    CostMap::builder().pointer(source).json("{}").build()?.reload()?;
    replace(&document, pointer.to_string().as_bytes())?;
    Ok(format!("{said}\n{} is written", document.display()))
}

/// Returns the map that is in force by the document that is published, if there is one.
fn in_force(document: &Path) -> Result<Option<PublishedMap>, Box<dyn Error>> {
    if !document.try_exists()? {
        return Ok(None);
    }
    let pointer: Pointer = String::from_utf8(read(document)?)?.parse()?;
    let waits = pointer.not_before.is_some_and(|at| at > SystemTime::now());
    Ok(if waits { pointer.previous } else { Some(pointer.map) })
}

/// Returns whether the published document names the same map, with the same times and signature.
fn is_same(document: &Path, pointer: &Pointer) -> bool {
    fs::read_to_string(document).is_ok_and(|text| text == pointer.to_string())
}

/// Packs a map, unless it is packed. Returns its bytes and its name.
fn packed(bytes: &[u8]) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let revision = Pointer::to(bytes, "map")?.map.revision;
    let name = format!("maps/{revision}.json.gz");
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok((bytes.to_vec(), name));
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    Ok((packed.finish()?, name))
}

/// Returns the bytes and the name of a map that was published before, by the first digits of its revision.
fn published(folder: &Path, revision: &str) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let names =
        fs::read_dir(folder.join("maps"))?.flatten().filter_map(|file| file.file_name().into_string().ok());
    let mut found: Vec<String> =
        names.filter(|name| !revision.is_empty() && name.starts_with(revision)).collect();
    found.retain(|name| name.ends_with(".json.gz"));
    match found.as_slice() {
        [name] => Ok((read(&folder.join("maps").join(name))?, format!("maps/{name}"))),
        [] => {
            Err(format!("no map of {} has the revision {revision:?}", folder.join("maps").display()).into())
        }
        _ => Err(format!("several maps have the revision {revision:?}: give more of its digits").into()),
    }
}

/// Checks the map as an instance does that has the one in force, and returns what changes. Returns `None` if no
/// map is in force, or if its bytes are not in the folder.
fn changes(
    folder: &Path,
    before: Option<&PublishedMap>,
    bytes: Vec<u8>,
    options: &Options,
) -> Result<Option<ReloadReport>, Box<dyn Error>> {
    let old = before.and_then(|before| fs::read(folder.join(&before.url)).ok());
    let is_known = old.is_some();
    let mut builder = CostMap::builder().json(old.unwrap_or_else(|| b"{}".to_vec()));
    if let Some(ratio) = options.max_price_jump {
        builder = builder.max_price_jump_ratio(ratio);
    }
    let map = builder.build()?;
    let report =
        if options.force { map.reload_from_bytes_forced(bytes) } else { map.reload_from_bytes(bytes) };
    let report = report.map_err(|error| format!("{error}; --force publishes it nevertheless"))?;
    for row in &report.set_aside {
        eprintln!("publish: warning: {row}");
    }
    Ok(Some(report).filter(|_| is_known))
}

fn read_key(file: &Path) -> Result<Ed25519KeyPair, Box<dyn Error>> {
    let bad = |reason: String| format!("{}: {reason}", file.display());
    let der = PrivatePkcs8KeyDer::from_pem_file(file)
        .map_err(|error| bad(format!("no private key in PEM: {error}")))?;
    Ok(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
        .map_err(|error| bad(format!("no Ed25519 key: {error}")))?)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// Replaces a file whole, so that a reader has the old or the new one, and a crash leaves one of them.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = file.parent().ok_or("no folder")?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Servers read it.
        new.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    new.as_file().sync_all()?;
    new.persist(file)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}
