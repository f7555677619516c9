//! The file of a history: read, locked, and appended to.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::format::{self, ReadHistory};
use crate::catalog::Timelines;
use crate::error::Error;
use crate::files;
use crate::version::HANDED_IN;

/// A file that this process alone appends to.
#[derive(Debug)]
pub(super) struct HistoryFile {
    file: LockedFile,
    path: PathBuf,
    /// The length of what is whole. Everything behind it is overwritten.
    whole: u64,
}

/// Reads a file, and writes nothing.
pub(super) fn read(path: &Path) -> Result<Timelines, Error> {
    let (mut file, _) = files::open(path).map_err(|error| bad(path, &format!("cannot read it: {error}")))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|error| bad(path, &format!("cannot read it: {error}")))?;
    Ok(parse(path, &text)?.timelines)
}

/// Reads the text of a file.
pub(super) fn from_bytes(text: &[u8]) -> Result<Timelines, Error> {
    Ok(parse(Path::new(HANDED_IN), text)?.timelines)
}

fn parse(path: &Path, text: &[u8]) -> Result<ReadHistory, Error> {
    format::read(text).map_err(|error| bad(path, &format!("line {}: {}", error.line, error.reason)))
}

fn bad(path: &Path, reason: &str) -> Error {
    Error::HistoryFile { path: path.to_owned(), reason: reason.to_owned() }
}

impl HistoryFile {
    /// Opens a file to append to it, and creates it if there is none.
    pub(super) fn open(path: &Path) -> Result<(Self, Timelines), Error> {
        let cannot = |what: &str, error: io::Error| bad(path, &format!("cannot {what} it: {error}"));
        let mut options = files::without_waiting();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| cannot("open", error))?;
        let metadata = file.metadata().map_err(|error| cannot("open", error))?;
        if !metadata.is_file() {
            return Err(bad(path, "not a file"));
        }
        if let Some(reason) = files::distrusted(&metadata) {
            return Err(bad(path, &format!("it is not used: {reason}")));
        }
        let mut file = LockedFile::new(file).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => {
                bad(path, "it is open already: give each program a file of its own, or read this one")
            }
            _ => cannot("lock", error),
        })?;
        let mut text = Vec::new();
        file.0.read_to_end(&mut text).map_err(|error| cannot("read", error))?;
        let ReadHistory { timelines, whole } = parse(path, &text)?;
        if text.is_empty() {
            files::sync_name(path).map_err(|error| cannot("create", error))?;
        }
        Ok((Self { file, path: path.to_owned(), whole: whole as u64 }, timelines))
    }

    /// Appends a text. After an error, the file is as it was before, or ends in a part of the text, which
    /// readers leave out and the next text overwrites.
    pub(super) fn append(&mut self, text: &str) -> Result<(), Error> {
        if let Some(reason) = self.is_another()? {
            return Err(bad(&self.path, reason));
        }
        let first = if self.whole == 0 { format!("{}\n", format::FIRST_LINE) } else { String::new() };
        let text = format!("{first}{text}");
        let written = self.put(text.as_bytes());
        if let Err(error) = written {
            // Best effort: what is left is no whole batch.
            let _ = self.file.0.set_len(self.whole);
            return Err(bad(&self.path, &format!("cannot write it: {error}")));
        }
        self.whole += text.len() as u64;
        Ok(())
    }

    /// Returns the reason that the file is not the one that was opened, as it was then.
    fn is_another(&self) -> Result<Option<&'static str>, Error> {
        let cannot = |error: io::Error| bad(&self.path, &format!("cannot write it: {error}"));
        let open = self.file.0.metadata().map_err(cannot)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            let named = std::fs::metadata(&self.path).map_err(cannot)?;
            if (named.dev(), named.ino()) != (open.dev(), open.ino()) {
                return Ok(Some("it was replaced while it was open: start the program again"));
            }
        }
        let is_cut = open.len() < self.whole;
        Ok(is_cut.then_some("it was cut while it was open: start the program again with a copy of it"))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.0.set_len(self.whole)?;
        self.file.0.seek(SeekFrom::Start(self.whole))?;
        self.file.0.write_all(bytes)?;
        self.file.0.sync_data()
    }
}

/// A file that no other program appends to until this is dropped.
#[derive(Debug)]
struct LockedFile(File);

impl LockedFile {
    #[cfg(unix)]
    fn new(file: File) -> io::Result<Self> {
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self(file))
    }

    /// Systems other than Unix have no lock that ends with the process.
    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps, reason = "as on Unix")]
    fn new(file: File) -> io::Result<Self> {
        Ok(Self(file))
    }
}

/// Closing the file would not do: while the program starts another one, that has a copy of the descriptor for a
/// moment, and the lock lasts until all copies are closed.
#[cfg(unix)]
impl Drop for LockedFile {
    fn drop(&mut self) {
        // If this fails, the lock ends when the file is closed.
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A copy of the descriptor is what a program has that is being started.
    #[test]
    fn the_lock_ends_with_the_history_whoever_has_a_copy_of_the_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let (first, _) = HistoryFile::open(&path).unwrap();
        let copy = first.file.0.try_clone().unwrap();
        let error = HistoryFile::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("it is open already: give each program a file of its own, or read this one"));
        drop(first);
        HistoryFile::open(&path).unwrap();
        drop(copy);
    }
}
