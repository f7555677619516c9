//! Where the bytes of a map come from. The only room with I/O.

use std::path::Path;

use crate::error::Error;

/// The bytes of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}
