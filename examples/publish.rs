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
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

const HELP: &str = "\
Publishes a map to a fleet.

Usage: publish MAP --to FOLDER [options]
       publish --revision REVISION --to FOLDER [options]
       publish --new-key FILE

MAP is a file in LiteLLM's format, packed with gzip or not. It is checked, packed and written to
FOLDER/maps/REVISION.json.gz. Then FOLDER/current.json, the pointer that instances follow, is replaced. Serve the
folder over HTTP (the packed maps as they are, without a Content-Encoding), sync it to a bucket, or mount it.

Options:
  --to FOLDER            The folder, which must exist.
  --revision REVISION    Goes back to a map that was published before. The first digits of its revision are enough.
  --at TIME              All instances swap at this time, by their own clocks: RFC 3339, such as
                         2026-12-01T00:00:00Z, or from now, such as +90s, +10m or +6h. Without it, each swaps as soon
                         as it sees the pointer. Leave them time to see it: at least the interval of their schedules.
                         Until then, instances that start use the map in force, which the pointer names as well.
  --no-previous          Leaves out the map in force, such as one that was signed with another key.
  --key FILE             Signs the pointer with an Ed25519 private key in PEM (PKCS #8), such as one of --new-key.
  --new-key FILE         Writes a new private key, which only you can read, and prints the public one, for
                         PointerSource::trust_key.
  --max-price-jump RATIO Refuses a map in which the prices of more than this share of the models change more than
                         tenfold. Default: 1, which is none.
  --force                Publishes a map that is refused for what it changes, or over a pointer that cannot be read.
                         The guards of the instances still apply.
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
    no_previous: bool,
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
            // What was done stays done if nobody reads of it.
            let _ = writeln!(std::io::stdout(), "{said}");
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
            Long("max-price-jump") => options.max_price_jump = Some(arguments.value()?.parse_with(ratio)?),
            Long("no-previous") => options.no_previous = true,
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

/// Reads a share of all models.
fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("{text:?} is no share: write a number from 0 to 1"))
}

/// Reads a time to come: in RFC 3339, or from now.
fn time(text: &str) -> Result<SystemTime, String> {
    let bad = || format!("{text:?} is no time: write 2026-12-01T00:00:00Z or +10m");
    let Some(from_now) = text.strip_prefix('+') else {
        let at = SystemTime::from(text.parse::<jiff::Timestamp>().map_err(|_| bad())?);
        return if at > SystemTime::now() { Ok(at) } else { Err(format!("{text} is over: leave out --at")) };
    };
    let (count, unit) = [('s', 1), ('m', 60), ('h', 3_600)]
        .iter()
        .find_map(|(letter, seconds)| Some((from_now.strip_suffix(*letter)?, *seconds)))
        .ok_or_else(bad)?;
    let seconds = count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit)).ok_or_else(bad)?;
    SystemTime::now().checked_add(Duration::from_secs(seconds)).ok_or_else(bad)
}

/// The beginning of an Ed25519 private key in PKCS #8, version 1, before its 32 bytes: RFC 8410, section 10.3.
/// OpenSSL reads no later version.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Writes a new private key, and returns the public one.
fn new_key(file: &Path) -> Result<String, Box<dyn Error>> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| "no random numbers")?;
    let key = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| error.to_string())?;
    let body = STANDARD.encode([PKCS8.as_slice(), &seed].concat());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    write!(written, "-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")?;
    written.sync_all()?;
    eprintln!("publish: {} is the private key of:", file.display());
    Ok(public(&key))
}

fn public(key: &Ed25519KeyPair) -> String {
    STANDARD.encode(key.public_key().as_ref())
}

fn publish(folder: &Path, options: &Options) -> Result<String, Box<dyn Error>> {
    let key = options.key.as_deref().map(read_key).transpose()?;
    let document = folder.join(DOCUMENT);
    // What takes time, or reads from a pipe, is done before the folder is locked.
    let text = options.map.as_deref().map(read).transpose()?;
    let _one_at_a_time = lock(folder)?;
    let (bytes, name) = match (&text, &options.revision) {
        (Some(text), _) => packed(folder, text)?,
        (None, revision) => published(folder, revision.as_deref().unwrap_or_default())?,
    };
    let former = match read_document(&document) {
        Err(error) if options.force => {
            eprintln!("publish: warning: {error}");
            None
        }
        former => former?,
    };
    let before = former.as_ref().and_then(in_force);
    let mut pointer = Pointer::to(bytes.clone(), name.clone())?;
    if let Some(at) = options.at {
        pointer = pointer.with_not_before(at)?;
        if let Some(before) = before.as_ref().filter(|_| !options.no_previous) {
            let is_ours = |key| former.as_ref().is_some_and(|former| is_signed(former, key));
            if !key.as_ref().is_none_or(is_ours) {
                let reason =
                    "is not signed with this key, and names the map in force: --no-previous leaves that out";
                return Err(format!("{} {reason}", document.display()).into());
            }
            pointer = pointer.with_previous(before.clone());
        }
    }
    if let Some(key) = &key {
        let signature = key.sign(pointer.signed_text().as_bytes());
        pointer = pointer.with_signature(signature.as_ref().try_into()?);
    }
    let mut said = match changes(folder, before.as_ref(), bytes.clone(), options)? {
        Some(report) if report.is_unchanged() && former.as_ref() == Some(&pointer) => {
            return Ok(format!("revision {} is in force already", pointer.map.revision));
        }
        Some(report) => format!("{pointer}\n{} bytes, packed; {report}", bytes.len()),
        None => format!(
            "{pointer}\n{} bytes, packed; no map is in force that it could be compared with",
            bytes.len()
        ),
    };
    if let Some(waits) =
        former.filter(|former| before.as_ref() != Some(&former.map) && former.map != pointer.map)
    {
        said = format!("{said}\nrevision {}, which waits for its time, will not go live", waits.map.revision);
    }
    if options.dry_run {
        return Ok(format!("{said}\nnothing is written"));
    }
    fs::create_dir_all(folder.join("maps"))?;
    if !folder.join(&name).exists() {
        replace(&folder.join(&name), &bytes)?;
    }
    // An instance of its own follows the pointer before all others do.
    let candidate = tempfile::Builder::new().prefix(DOCUMENT).tempfile_in(folder)?;
    fs::write(candidate.path(), pointer.to_string())?;
    let mut source = PointerSource::file(candidate.path());
    if let Some(key) = &key {
        source = source.trust_key(public(key));
    }
    let instance = CostMap::builder().pointer(source).json("{}").build()?;
    let followed = if options.force { instance.reload_forced() } else { instance.reload() };
    followed.map_err(|error| error.to_string().replace(&candidate.path().display().to_string(), DOCUMENT))?;
    // A map that waited may have gone live since.
    if !options.force && read_document(&document)?.as_ref().and_then(in_force) != before {
        return Err(format!(
            "another map of {} has gone live meanwhile: publish once more",
            document.display()
        )
        .into());
    }
    replace(&document, pointer.to_string().as_bytes())?;
    Ok(format!("{said}\n{} is written", document.display()))
}

/// Locks the folder, so that two publishers do not undo each other.
fn lock(folder: &Path) -> Result<File, Box<dyn Error>> {
    let path = folder.join(".publish.lock");
    let told = |error: String| format!("{}: {error}", path.display());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| told(error.to_string()))?;
    #[cfg(unix)]
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| told("another publisher is at work".to_owned()))?;
    Ok(file)
}

/// Reads the document that is published, if there is one.
fn read_document(document: &Path) -> Result<Option<Pointer>, Box<dyn Error>> {
    if !document.try_exists()? {
        return Ok(None);
    }
    let unreadable = |reason: String| format!("{}: {reason}; --force replaces it", document.display());
    let text = String::from_utf8(read(document)?).map_err(|error| unreadable(error.to_string()))?;
    Ok(Some(text.parse().map_err(|error: llm_costmap::Error| unreadable(error.to_string()))?))
}

/// Returns the map that is in force by a document.
fn in_force(document: &Pointer) -> Option<PublishedMap> {
    let waits = document.not_before.is_some_and(|at| at > SystemTime::now());
    if waits { document.previous.clone() } else { Some(document.map.clone()) }
}

/// Returns whether a document is signed with a key.
fn is_signed(document: &Pointer, key: &Ed25519KeyPair) -> bool {
    let signature = document.signature.as_deref().and_then(|text| STANDARD.decode(text).ok());
    let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref());
    signature.is_some_and(|signature| public.verify(document.signed_text().as_bytes(), &signature).is_ok())
}

/// Packs a map, unless it is packed. Returns its bytes and its name. A map that was published before keeps the bytes
/// that pointers name.
fn packed(folder: &Path, bytes: &[u8]) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let revision = Pointer::to(bytes, "map")?.map.revision;
    let name = format!("maps/{revision}.json.gz");
    if folder.join(&name).exists() {
        return Ok((read_map(folder, &name, &revision)?, name));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok((bytes.to_vec(), name));
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    Ok((packed.finish()?, name))
}

/// Reads a map of the folder, and checks that it is the one that its name says.
fn read_map(folder: &Path, name: &str, revision: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let file = folder.join(name);
    let bytes = read(&file)?;
    let found = Pointer::to(bytes.clone(), "map").map(|pointer| pointer.map.revision);
    if found.as_deref().ok() == Some(revision) {
        return Ok(bytes);
    }
    Err(format!("{} is not the map of revision {revision}: restore or remove it", file.display()).into())
}

/// Returns the bytes and the name of a map that was published before, by the first digits of its revision.
fn published(folder: &Path, digits: &str) -> Result<(Vec<u8>, String), Box<dyn Error>> {
    let maps = folder.join("maps");
    let files = fs::read_dir(&maps).map_err(|error| format!("{}: {error}", maps.display()))?.flatten();
    let revisions = files.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        name.strip_suffix(".json.gz")
            .filter(|name| !digits.is_empty() && name.starts_with(digits))
            .map(str::to_owned)
    });
    match revisions.collect::<Vec<String>>().as_slice() {
        [revision] => {
            let name = format!("maps/{revision}.json.gz");
            Ok((read_map(folder, &name, revision)?, name))
        }
        [] => Err(format!("no map of {} has the revision {digits:?}", maps.display()).into()),
        _ => Err(format!("several maps have the revision {digits:?}: give more of its digits").into()),
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
    let old = before.and_then(|before| {
        let old = fs::read(folder.join(&before.url)).ok()?;
        let found = Pointer::to(old.clone(), "map").ok()?.map;
        (found.sha256 == before.sha256).then_some(old)
    });
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
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
