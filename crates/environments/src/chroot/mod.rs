//! A root that a builder uploaded, as a tree: read once, from its first byte to its last, and judged.
//!
//! **What is read.** A tar archive (POSIX, GNU or older), plain or compressed by gzip, bzip2, xz or zstd, whose members are
//! the root's own paths: `tar -C ROOT -c .` makes one. Its end must be there, and nothing but zeros may follow.
//!
//! **What is refused**, since no `tar` makes it of a folder, or since it leads out of the one it is unpacked in:
//! - a member with an absolute path, or one with `..`;
//! - a member below a symbolic link or a file, wherever the link leads: who unpacks it would write through the link;
//! - a hard link to an absolute path, upward, or to what the archive did not have before it;
//! - a relative symbolic link that climbs above the root. An absolute one is normal: inside the root it stays inside;
//! - two members of one path, but for folders;
//! - sparse files and kinds of members that are none of a root; headers that contradict themselves;
//! - more bytes, members or names than [`Limits`] allow.
//!
//! **What must be declared.** Files with the set-user-id or set-group-id bit, or with capabilities, which are the same thing
//! by another name, must be in the definition's `setuid`. (The set-group-id bit of a folder gives nobody rights.)
//!
//! **What is left out**, and counted in [`LeftOut`]: device nodes, pipes and sockets, which the runtime supplies; what the
//! definition excludes; what only a running system has (everything in `proc`, `sys`, `tmp` and `var/tmp`, and files in
//! `dev` and `run`, whose folders and links stay); extended attributes but for capabilities, and access control lists.
//!
//! **What is changed.** No time is later than the definition's; fractions of a second are dropped. Names of owners are
//! dropped, their numbers stay. A missing folder is made (0755, root's). Of the names of a hard-linked file, the first in
//! the order of paths has the contents. A package that the definition excludes is removed from rpm's database, with the
//! files that no other package has; it is an error where a package that stays requires it.

mod collect;
mod error;
mod finish;
mod left_out;
mod members;
mod packages;
mod paths;
mod source;

use std::io::Read;

pub use error::{ChrootError, Refusal};
pub use left_out::{Excluded, LeftOut};

use crate::decompress::Compression;
use crate::lock::Identity;
use crate::progress::Pulse;
use crate::tree::{Entries, Spool};
use collect::Collector;
use members::Members;
use source::{Bounded, Counting};

/// How large a root may be. They bound disk, memory and time, whatever is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the tar, decompressed.
    pub tar: u64,
    /// How many members.
    pub members: u64,
    /// Bytes of all paths and links together, which are kept in memory.
    pub names: u64,
}

impl Default for Limits {
    /// 8 GiB, a million members, 128 MiB of names.
    fn default() -> Self {
        Self { tar: 8 << 30, members: 1_000_000, names: 128 << 20 }
    }
}

/// Bytes of memory that a member takes at most, with its name (measured: 240 for names of 85 bytes).
const MEMBER: u64 = 512;
/// What of them is its name.
const NAME: u64 = 134;

impl Limits {
    /// These, or what so many bytes of memory hold, where that is less.
    #[must_use]
    pub fn within(self, memory: u64) -> Self {
        let members = self.members.min(memory / MEMBER);
        Self { members, names: self.names.min(members.saturating_mul(NAME)), ..self }
    }
}

/// A root that was read.
#[derive(Debug)]
pub struct Root {
    /// The SHA-256 of what was uploaded, as it was compressed.
    pub sha256: String,
    /// Its bytes.
    pub size: u64,
    /// How it was compressed.
    pub compression: Compression,
    /// What is in it.
    pub entries: Entries,
    /// What was in it and is not in `entries`.
    pub left_out: LeftOut,
}

/// Reads an upload by the rules of a lock; contents go to `spool`. `pulse` hears how many bytes of the upload are read.
pub fn read(
    upload: impl Read,
    identity: &Identity,
    limits: &Limits,
    spool: &mut Spool,
    pulse: &mut Pulse<'_>,
) -> Result<Root, ChrootError> {
    let mut upload = Counting::new(upload, pulse);
    let (compression, start) = upload.compression()?;
    let mut collector = Collector::new(identity, limits)?;
    {
        let compressed = std::io::Cursor::new(start).chain(&mut upload);
        let tar = compression.open(compressed).map_err(|source| ChrootError::Read { at: 0, compression, source })?;
        let mut members = Members::new(Bounded::new(tar, limits.tar), compression);
        while let Some(member) = members.next()? {
            collector.take(member, &mut members, spool)?;
        }
        members.end()?;
    }
    upload.end()?;
    let (sha256, size) = upload.hash();
    let (entries, left_out) = collector.finish(identity, spool)?;
    Ok(Root { sha256, size, compression, entries, left_out })
}
