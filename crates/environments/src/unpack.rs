//! A published archive becomes a folder again, with everything that the one who unpacks it may give its files.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use liblzma::read::XzDecoder;

use crate::progress::Pulse;

/// Unpacks a `.tar.xz` into a folder, which is made. Whether owners and capabilities could be kept: only root's may be.
///
/// Nothing is written outside the folder, whatever the archive says. `pulse` hears how many bytes of the archive are read.
pub fn unpack(archive: impl Read, folder: &Path, pulse: &mut Pulse<'_>) -> io::Result<bool> {
    std::fs::create_dir_all(folder)?;
    // Whoever makes a file owns it.
    let is_root = tempfile::tempfile_in(folder)?.metadata()?.uid() == 0;
    let mut tar = tar::Archive::new(XzDecoder::new_multi_decoder(Counted { archive, read: 0, pulse }));
    tar.set_preserve_permissions(true);
    tar.set_preserve_mtime(true);
    tar.set_preserve_ownerships(is_root);
    tar.set_unpack_xattrs(is_root);
    tar.unpack(folder)?;
    Ok(is_root)
}

/// An archive that tells how much of it is read.
struct Counted<'a, 'b, R> {
    archive: R,
    read: u64,
    pulse: &'a mut Pulse<'b>,
}

impl<R: Read> Read for Counted<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.archive.read(buffer)?;
        self.read += read as u64;
        (self.pulse)(self.read)?;
        Ok(read)
    }
}
