//! Files that are read whole, without a wait when they are opened, and files that are replaced whole.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Opens a regular file for reading. Anything else is an error, such as a pipe that nobody writes
/// to or a device without an end.
///
/// The type is checked after the file is opened, so that nothing can replace the file in between.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = without_waiting().read(true).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a file")) }
}

/// Returns options that open a file without a wait.
pub(crate) fn without_waiting() -> OpenOptions {
    #[allow(unused_mut, reason = "systems other than Unix have no such flags")]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    options
}

/// Returns the folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the name of a new file to the disk, so that it survives a crash of the system. Does nothing on
/// systems other than Unix.
#[cfg_attr(not(unix), allow(unused_variables, clippy::unnecessary_wraps))]
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder_of(path))?.sync_all()?;
    Ok(())
}

/// Returns the reason that another user may have written a file: it belongs to a user who is
/// neither the process's nor root, or users other than its owner may write to it. Returns `None` if
/// there is no such reason, and always on systems other than Unix.
#[cfg_attr(not(unix), allow(unused_variables))]
pub(crate) fn distrusted(metadata: &Metadata) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != us && owner != 0 {
            return Some("it belongs to another user");
        }
        if metadata.mode() & 0o022 != 0 {
            return Some("others than its owner may write to it");
        }
    }
    None
}

/// Replaces a file, so that after a crash there is either the old one or the new one. On Unix, nobody but
/// its owner can read or write the new one.
///
/// The parts are written under a temporary name in the same folder, which begins with that of the file and
/// ends in `.tmp`, synced, and renamed.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let random = (crate::jitter::fraction() * 1e15).trunc();
    let mut name = path.file_name().ok_or_else(|| io::Error::other("not the name of a file"))?.to_owned();
    name.push(format!(".{}-{random}.tmp", std::process::id()));
    let temporary = folder_of(path).join(name);
    let written = put(&temporary, path, parts);
    if written.is_err() {
        // Best effort: the file is in nobody's way if this fails.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn put(temporary: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    // Synced before the rename: otherwise a crash could leave an empty file under the final name.
    file.sync_all()?;
    drop(file);
    fs::rename(temporary, path)?;
    sync_name(path)
}
