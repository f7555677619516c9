//! Maps in files, and the detection of changes to them.

use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::{Content, Fetched, Known, MAX_BYTES, Origin, Place, Stop, locate_on_web};
use crate::error::Error;
use crate::files;
use crate::sync::lock;
use crate::version::MapBytes;

/// A file, and its state when it was last read.
pub(crate) struct FileSource {
    path: PathBuf,
    /// `None` before the first read.
    seen: Mutex<Option<Seen>>,
}

/// The state of a file when it was last read.
struct Seen {
    look: Look,
    at: SystemTime,
    /// The git blob id of its bytes. `None` if the file could not be read.
    id: Option<String>,
}

/// The granularity of file times that is assumed. A file that is written twice within this time may
/// have the same [`Look`] both times.
const TICK: Duration = Duration::from_secs(1);

impl Seen {
    /// Returns whether the file was so new when it was read that a later change may not show in its
    /// [`Look`].
    fn is_fresh(&self) -> bool {
        let Look::There { modified: Some(modified), .. } = self.look else { return false };
        let apart = self.at.duration_since(modified).or_else(|_| modified.duration_since(self.at));
        apart.is_ok_and(|apart| apart < TICK)
    }
}

impl Origin for FileSource {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn identity(&self) -> String {
        std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone()).display().to_string()
    }

    fn url(&self) -> Option<String> {
        None
    }

    fn as_file(&self) -> Option<&FileSource> {
        Some(self)
    }

    fn locate(&self, url: &str) -> Result<Place, String> {
        let path = path_of_url(url).map_err(|_| "its url is a file of another host, or no path")?;
        match path {
            Some(path) => Ok(Place::File(path)),
            None if url.contains("://") => locate_on_web(url),
            // An absolute path replaces the folder.
            None => Ok(Place::File(self.path.parent().unwrap_or(Path::new("")).join(url))),
        }
    }

    fn fetch(&self, _: &Known, _: &Stop) -> Result<Fetched, Error> {
        self.read().map(|map| Fetched::of(Content::Map(map)))
    }

    fn forget(&self) {
        *self.seen() = None;
    }
}

/// The metadata that tells one state of a file from another.
///
/// The path is followed anew each time, since a file that Kubernetes mounts is replaced by swapping
/// a symlink on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    Missing,
    There { len: u64, modified: Option<SystemTime>, identity: Identity },
}

/// The device, the inode, and the time of the inode's last change, which tells of a change even if
/// the file's modification time was set back.
///
/// All zero on systems other than Unix.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity([i128; 4]);

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self([
            metadata.dev().into(),
            metadata.ino().into(),
            metadata.ctime().into(),
            metadata.ctime_nsec().into(),
        ])
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self([0; 4])
    }
}

impl Look {
    fn at(path: &Path) -> Self {
        std::fs::metadata(path).map_or(Self::Missing, |metadata| Self::There {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            identity: Identity::of(&metadata),
        })
    }
}

impl FileSource {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, seen: Mutex::default() }
    }

    /// Reads the file.
    ///
    /// After this, [`has_changed`](Self::has_changed) returns `false` until the file changes, even
    /// if it cannot be read or holds no map.
    pub(crate) fn read(&self) -> Result<MapBytes, Error> {
        let mut seen = self.seen();
        // The look is taken before the file is read, so that a change in between shows at the next
        // look.
        let (look, at) = (Look::at(&self.path), SystemTime::now());
        let map = read(&self.path).map(MapBytes::from);
        *seen = Some(Seen { look, at, id: map.as_ref().ok().map(|map| map.revision.clone()) });
        map
    }

    /// Returns whether the file has changed since it was last read.
    pub(crate) fn has_changed(&self) -> bool {
        let mut seen = self.seen();
        let (look, at) = (Look::at(&self.path), SystemTime::now());
        match &mut *seen {
            Some(seen) if seen.look == look => {
                if !seen.is_fresh() {
                    return false;
                }
                let id = read(&self.path).ok().map(|bytes| MapBytes::from(bytes).revision);
                seen.at = at;
                seen.id != id
            }
            _ => true,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        lock(&self.seen)
    }
}

/// Reads a whole file of at most 64 MiB.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source: io::Error| Error::Io { path: path.to_owned(), source: Arc::new(source) };
    let mut bytes = Vec::new();
    let (file, _) = files::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(io::Error::other("larger than 64 MiB, the limit for maps")));
    }
    Ok(bytes)
}

/// Returns the path of a `file://` URL, or `None` if the URL has another scheme.
///
/// # Errors
///
/// [`Error::InvalidSetting`] if the URL names another host, or if its path does not decode to
/// UTF-8.
pub(crate) fn path_of_url(url: &str) -> Result<Option<PathBuf>, Error> {
    let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("file"))
    else {
        return Ok(None);
    };
    // The URL is not shown: the text in the place of a host may be a password.
    let invalid = |reason: &str| Error::InvalidSetting { setting: "url", reason: reason.to_owned() };
    let path = match rest.split_once('/') {
        Some(("" | "localhost", _)) => rest.strip_prefix("localhost").unwrap_or(rest),
        _ => return Err(invalid("a file of another host; write file:///path")),
    };
    let path =
        decode(path).ok_or_else(|| invalid("a % that no two hexadecimal digits follow, or not UTF-8"))?;
    // On Windows, `file:///C:/map.json` is the path `C:/map.json`.
    let drive = path.strip_prefix('/').filter(|path| cfg!(windows) && path.get(1..2) == Some(":"));
    Ok(Some(PathBuf::from(drive.unwrap_or(&path))))
}

/// Percent-decodes a path. Returns `None` if it is malformed or not UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_within_a_tick_of_the_clock_shows() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("map.json");
        let write = |text: &str, modified: SystemTime| {
            std::fs::write(&path, text).unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        };
        let source = FileSource::new(path.clone());
        // Makes a change invisible in the look, as on a file system with coarse times.
        let same_look = |source: &FileSource| {
            if let Some(seen) = &mut *source.seen() {
                seen.look = Look::at(&path);
            }
        };
        let now = SystemTime::now();
        write("{1}", now);
        assert_eq!(source.read().unwrap().bytes, b"{1}");
        assert!(!source.has_changed());
        write("{2}", now);
        same_look(&source);
        assert!(source.has_changed());
        assert_eq!(source.read().unwrap().bytes, b"{2}");
        // A file that was older than a tick when it was read is compared by its look alone.
        write("{3}", now - 2 * TICK);
        source.read().unwrap();
        write("{4}", now - 2 * TICK);
        same_look(&source);
        assert!(!source.has_changed());
    }

    #[test]
    fn reads_paths_out_of_urls() {
        let path = |url: &str| path_of_url(url).map_err(|error| error.to_string());
        assert_eq!(path("file:///a/b%20c%C3%A9.json"), Ok(Some(PathBuf::from("/a/b cé.json"))));
        assert_eq!(path("FILE://localhost/a"), Ok(Some(PathBuf::from("/a"))));
        assert_eq!(path("https://host/a"), Ok(None));
        assert_eq!(path("/a/b"), Ok(None));
        assert_eq!(
            path("file://host/a"),
            Err("invalid url: a file of another host; write file:///path".to_owned())
        );
        for bad in ["file:///%", "file:///%4", "file:///%zz", "file:///%ff"] {
            assert_eq!(
                path(bad),
                Err("invalid url: a % that no two hexadecimal digits follow, or not UTF-8".to_owned())
            );
        }
    }
}
