//! Files that are read whole, without a wait when they are opened.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a regular file for reading. Anything else is an error, such as a pipe that nobody writes
/// to or a device without an end.
///
/// The type is checked after the file is opened, so that nothing can replace the file in between.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a file")) }
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
