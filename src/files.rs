//! Files that are read whole: whatever stands under their names, opening them does not wait.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a regular file for reading. What else there is, such as a pipe that nobody writes to or a device without an end, is an error.
///
/// It is looked at once it is open, so that nothing can take its place in between.
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

/// Why a file may be somebody else's work, if so: it belongs to another user than this process's or the system's, or others may write
/// to it. Nothing is known of that on systems other than Unix.
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
