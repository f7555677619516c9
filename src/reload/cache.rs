//! The cache of the last good map, on disk.
//!
//! Each source has one file: a line of JSON, the [`Header`], followed by the bytes of the map. The
//! file is written under a temporary name, synced, and renamed, so that after a crash there is
//! either the old file or the new one. Any number of processes may share a folder.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files;
use crate::source::Validators;
use crate::version::MapBytes;

/// The file that holds the last good map of one source.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    file_name: String,
    source_id: String,
}

/// The first line of a cache file.
#[derive(Serialize, Deserialize)]
struct Header {
    llm_costmap_cache: u32,
    source_id: String,
    /// The name of the source, for people who read the file. The crate does not read it.
    source: String,
    source_revision: String,
    etag: Option<String>,
    last_modified: Option<String>,
    bytes: u64,
}

const FORMAT: u32 = 1;

/// The limits on the header and on the map, in bytes, when a cache file is read.
const MAX_HEADER: u64 = 64 << 10;
const MAX_BYTES: u64 = 1 << 30;

/// The age after which a temporary file is taken to be left behind by a process that has ended.
const ABANDONED: Duration = Duration::from_secs(600);

/// A map that was read from the cache.
#[derive(Debug)]
pub(crate) struct Cached {
    pub(crate) map: MapBytes,
    pub(crate) validators: Validators,
}

impl Cache {
    /// Creates the cache of a source in `folder`.
    ///
    /// `identity` tells the source from others. It must not contain a secret, since its hash does
    /// not hide one.
    pub(crate) fn new(folder: PathBuf, identity: &str) -> Self {
        let source_id = format!("{:x}", Sha256::digest(identity));
        let short = source_id.get(..16).unwrap_or(&source_id);
        let file_name = format!("llm-costmap-{short}.cache");
        Self { folder, file_name, source_id }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.file_name)
    }

    /// Reads the map in the cache. Returns `None` if nothing was ever written.
    ///
    /// # Errors
    ///
    /// Returns a message if the file cannot be read, may have been written by another user, or is
    /// not an intact cache of this source and version.
    pub(crate) fn read(&self) -> Result<Option<Cached>, String> {
        let path = self.path();
        let bad = |reason: &str| format!("the cache {} is ignored: {reason}", path.display());
        let (file, metadata) = match files::open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(bad(&error.to_string())),
        };
        if let Some(reason) = files::distrusted(&metadata) {
            return Err(bad(reason));
        }
        // The length in the header must agree with that of the file before the rest is read.
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        reader
            .by_ref()
            .take(MAX_HEADER)
            .read_until(b'\n', &mut line)
            .map_err(|error| bad(&error.to_string()))?;
        let header: Header = line
            .strip_suffix(b"\n")
            .and_then(|line| serde_json::from_slice(line).ok())
            .ok_or_else(|| bad("not a cache of this crate"))?;
        if header.llm_costmap_cache != FORMAT {
            return Err(bad("of another version of this crate"));
        }
        if header.source_id != self.source_id {
            return Err(bad("of another source"));
        }
        if metadata.len().checked_sub(line.len() as u64) != Some(header.bytes) || header.bytes > MAX_BYTES {
            return Err(bad("damaged"));
        }
        let mut text = Vec::new();
        reader.take(MAX_BYTES).read_to_end(&mut text).map_err(|error| bad(&error.to_string()))?;
        let map = MapBytes::from(text);
        if map.bytes.len() as u64 != header.bytes || map.revision != header.source_revision {
            return Err(bad("damaged"));
        }
        let mut validators = Validators::default();
        if let Some(etag) = header.etag {
            validators = validators.with_etag(etag);
        }
        if let Some(last_modified) = header.last_modified {
            validators = validators.with_last_modified(last_modified);
        }
        Ok(Some(Cached { map, validators }))
    }

    /// Writes a map. If this fails, the previous file stays in place.
    pub(crate) fn write(
        &self,
        source: &str,
        revision: &str,
        bytes: &[u8],
        validators: &Validators,
    ) -> Result<(), String> {
        let header = Header {
            llm_costmap_cache: FORMAT,
            source_id: self.source_id.clone(),
            source: source.to_owned(),
            source_revision: revision.to_owned(),
            etag: validators.etag().map(str::to_owned),
            last_modified: validators.last_modified().map(str::to_owned),
            bytes: bytes.len() as u64,
        };
        let failed = |error: io::Error| format!("cannot write the cache {}: {error}", self.path().display());
        let header = serde_json::to_string(&header).map_err(|error| failed(error.into()))?;
        fs::create_dir_all(&self.folder).map_err(failed)?;
        self.sweep();
        files::replace(&self.path(), &[header.as_bytes(), b"\n", bytes]).map_err(failed)
    }

    /// Removes the file, if there is one.
    pub(crate) fn remove(&self) -> Result<(), String> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove the cache {}: {error}", self.path().display()))
            }
            _ => Ok(()),
        }
    }

    /// Removes temporary files that crashed processes left behind.
    fn sweep(&self) {
        let Ok(files) = fs::read_dir(&self.folder) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let begun = name.to_str().is_some_and(|name| {
                name.starts_with(&self.file_name) && name.rsplit('.').next() == Some("tmp")
            });
            let age = || SystemTime::now().duration_since(file.metadata().ok()?.modified().ok()?).ok();
            if begun && age().is_some_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}
