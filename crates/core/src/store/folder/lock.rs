//! Writes that depend on what is there: in a folder, under a lock.

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::{UNFINISHED, write_whole};

/// Writes `bytes` over a file that holds `expected`; whether it did.
pub(super) fn replace(path: &Path, bytes: &[u8], expected: &Bytes) -> io::Result<bool> {
    if_still(path, expected, || write_whole(path, bytes, true))
}

/// Removes a file that holds `expected`; whether it did.
pub(super) fn remove(path: &Path, expected: &Bytes) -> io::Result<bool> {
    if_still(path, expected, || std::fs::remove_file(path))
}

/// Does something to a file as long as it holds what is expected. Of all who come this way, one at a time does: the lock
/// is the system's, so that a process that dies holds it no longer.
fn if_still(path: &Path, expected: &Bytes, act: impl FnOnce() -> io::Result<()>) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let lock = match File::create(folder.join(format!("{UNFINISHED}lock"))) {
        Ok(lock) => lock,
        // There is no such folder, and so no such file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    lock.lock()?;
    match std::fs::read(path) {
        Ok(found) if found == *expected => act().map(|()| true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
