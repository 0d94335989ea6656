//! A published archive becomes a folder again, with everything that the one who unpacks it may give its files.

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use liblzma::read::XzDecoder;

/// Unpacks a `.tar.xz` into a folder, which is made. Whether owners and capabilities could be kept: only root's may be.
///
/// Nothing is written outside the folder, whatever the archive says.
pub fn unpack(archive: impl Read, folder: &Path) -> io::Result<bool> {
    std::fs::create_dir_all(folder)?;
    // Whoever makes a file owns it.
    let is_root = tempfile::tempfile_in(folder)?.metadata()?.uid() == 0;
    let mut tar = tar::Archive::new(XzDecoder::new_multi_decoder(archive));
    tar.set_preserve_permissions(true);
    tar.set_preserve_mtime(true);
    tar.set_preserve_ownerships(is_root);
    tar.set_unpack_xattrs(is_root);
    tar.unpack(folder)?;
    Ok(is_root)
}
