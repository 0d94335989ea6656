//! A tree as an archive: one tar, compressed by xz, the same bytes each time.
//!
//! *The tar.* POSIX (`ustar`), with extended headers where a field is too small. Entries in the order of their [paths](Path),
//! so that a folder comes right before what is in it and a file before its hard links; folders end with a slash, and the root,
//! where the tree has it, is `./`. Owners are numbers without names, since a name would be looked up on the machine where
//! the archive is unpacked. Capabilities are `SCHILY.xattr.security.capability`, as GNU tar, libarchive and container
//! tools know them. Two blocks of zeros end it, and nothing follows.
//!
//! *The compression.* liblzma's multi-threaded encoder, always, also for one thread: it compresses blocks of a fixed size
//! each by itself, so that the bytes do not depend on how many threads there are. The single-threaded encoder gives others.

mod encoder;
mod hashing;
mod oci;
mod write;

use std::io::Write;
use std::num::NonZeroU32;

pub use encoder::{encoder, has, memory, threads_within};
pub use oci::{Oci, OciError, write_oci};

use crate::lock::Encoder;
use crate::progress::Pulse;
use crate::tree::{Entries, Path, Spool};
use hashing::Hashing;

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The SHA-256 of its bytes: its name.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// The SHA-256 of the tar in it: container tools call it the layer's diff id.
    pub tar_sha256: String,
    /// The tar's bytes.
    pub tar_size: u64,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The lock names another encoder than this program has, which might give other bytes.
    #[error(
        "the lock wants the archive compressed by {} {}, and this program has {} {}: make a new lock, or use the release of \
         this program that the lock was made by", .wanted.name, .wanted.version, .ours.name, .ours.version
    )]
    OtherEncoder {
        /// The lock's.
        wanted: Box<Encoder>,
        /// This program's.
        ours: Box<Encoder>,
    },
    /// It does not start.
    #[error(
        "the xz encoder does not start with preset {preset}, blocks of {block_size} bytes and {threads} threads: {reason}"
    )]
    Start {
        /// The lock's preset.
        preset: u32,
        /// The lock's block size.
        block_size: u64,
        /// How many threads were asked for.
        threads: NonZeroU32,
        /// What liblzma says.
        reason: String,
    },
    /// An entry is in nothing, or in something that is no folder.
    #[error("{path} is in no folder: the tree is wrong")]
    NoParent {
        /// The entry.
        path: Path,
    },
    /// A hard link leads to nothing that comes before it, or to no file.
    #[error("{path} is a hard link to {target}, which is no file that comes before it: the tree is wrong")]
    NoTarget {
        /// The link.
        path: Path,
        /// Where it leads.
        target: Path,
    },
    /// Contents cannot be read from disk again.
    #[error("the contents of {path} cannot be read again from disk: {source}")]
    Read {
        /// The file.
        path: Path,
        /// What the system says.
        source: std::io::Error,
    },
    /// The archive cannot be written, or whoever waits broke it off.
    #[error("the archive cannot be written after {at} bytes of tar: {source}; is there room for it?")]
    Write {
        /// How much of the tar there was.
        at: u64,
        /// What the system, or the encoder, says.
        source: std::io::Error,
    },
}

/// Writes the tree, compressed as the lock says, to `out`, and tells what was written. `pulse` hears how many bytes of
/// the tar are done; [`tar_size`] is all of them.
///
/// Memory is that of the encoder, [`memory`], whatever the tree.
pub fn write<W: Write>(
    entries: &Entries,
    spool: &Spool,
    encoder: &Encoder,
    threads: NonZeroU32,
    out: W,
    pulse: &mut Pulse<'_>,
) -> Result<Archive, ArchiveError> {
    let compressed = encoder::start(encoder, threads, Hashing::new(out))?;
    let mut tar = Hashing::new(compressed);
    write::tar(entries, spool, &mut tar, pulse)?;
    let (compressed, tar_sha256, tar_size) = tar.end();
    let failed = |source| ArchiveError::Write { at: tar_size, source };
    let mut file = compressed.finish().map_err(failed)?;
    file.flush().map_err(failed)?;
    let (_, sha256, size) = file.end();
    Ok(Archive { sha256, size, tar_sha256, tar_size })
}

/// Writes the tree as a tar that is not compressed, and gives its SHA-256 and size.
pub fn write_tar<W: Write>(
    entries: &Entries,
    spool: &Spool,
    out: W,
    pulse: &mut Pulse<'_>,
) -> Result<(String, u64), ArchiveError> {
    let mut tar = Hashing::new(out);
    write::tar(entries, spool, &mut tar, pulse)?;
    let at = tar.written();
    tar.flush().map_err(|source| ArchiveError::Write { at, source })?;
    let (_, sha256, size) = tar.end();
    Ok((sha256, size))
}

/// How many bytes the tree's tar has.
pub fn tar_size(entries: &Entries) -> u64 {
    write::size(entries)
}
