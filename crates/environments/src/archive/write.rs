//! The tar of a tree.

use std::io::{Read, Write};

use super::ArchiveError;
use super::hashing::Hashing;
use crate::progress::Pulse;
use crate::tar::{BLOCK, Member, kind, padding};
use crate::tree::{Content, Entries, Entry, Kind, Path, Spool};

/// What ends an archive.
const END: usize = 2 * BLOCK;

/// Writes it all.
pub(super) fn tar<W: Write>(
    entries: &Entries,
    spool: &Spool,
    out: &mut Hashing<W>,
    pulse: &mut Pulse<'_>,
) -> Result<(), ArchiveError> {
    for (path, entry) in entries {
        check(entries, path, entry)?;
        put(out, &header(path, entry))?;
        if let Kind::File(content) = entry.kind {
            contents(path, content, spool, out, pulse)?;
        }
        beat(out, pulse)?;
    }
    put(out, &[0; END])?;
    beat(out, pulse)
}

/// The size of all of it.
pub(super) fn size(entries: &Entries) -> u64 {
    let member = |(path, entry): (&Path, &Entry)| {
        let contents = if let Kind::File(content) = entry.kind { content.size } else { 0 };
        header(path, entry).len() as u64 + contents + padding(contents)
    };
    entries.iter().map(member).sum::<u64>() + END as u64
}

/// Whoever unpacks makes folders and files in the order of the archive: what an entry needs has to be there already.
fn check(entries: &Entries, path: &Path, entry: &Entry) -> Result<(), ArchiveError> {
    let is_folder = |parent| matches!(entries.get(&parent), Some(Entry { kind: Kind::Directory, .. }));
    if path.parent().is_some_and(|parent| !parent.as_bytes().is_empty() && !is_folder(parent)) {
        return Err(ArchiveError::NoParent { path: path.clone() });
    }
    if let Kind::Hardlink(target) = &entry.kind {
        let file = matches!(entries.get(target), Some(Entry { kind: Kind::File(_), .. }));
        if !file || target >= path {
            return Err(ArchiveError::NoTarget { path: path.clone(), target: target.clone() });
        }
    }
    Ok(())
}

fn header(path: &Path, entry: &Entry) -> Vec<u8> {
    let (kind, size, link) = match &entry.kind {
        Kind::Directory => (kind::DIRECTORY, 0, &[][..]),
        Kind::File(content) => (kind::FILE, content.size, &[][..]),
        Kind::Symlink(target) => (kind::SYMLINK, 0, target.as_ref()),
        Kind::Hardlink(target) => (kind::HARDLINK, 0, target.as_bytes()),
    };
    let mut name = path.as_bytes().to_vec();
    if name.is_empty() {
        name.push(b'.');
    }
    if entry.kind == Kind::Directory {
        name.push(b'/');
    }
    let Entry { mode, uid, gid, mtime, .. } = *entry;
    Member { path: &name, kind, mode, uid, gid, size, mtime, link, capability: entry.capability.as_deref() }.header()
}

fn contents<W: Write>(
    path: &Path,
    content: Content,
    spool: &Spool,
    out: &mut Hashing<W>,
    pulse: &mut Pulse<'_>,
) -> Result<(), ArchiveError> {
    let mut reader = spool.read(content);
    let mut buffer = [0; 16 << 10];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(ArchiveError::Read { path: path.clone(), source }),
        };
        put(out, buffer.get(..read).unwrap_or_default())?;
        beat(out, pulse)?;
    }
    let padding = usize::try_from(padding(content.size)).unwrap_or_default();
    put(out, [0; BLOCK].get(..padding).unwrap_or_default())
}

fn beat<W: Write>(out: &Hashing<W>, pulse: &mut Pulse<'_>) -> Result<(), ArchiveError> {
    let at = out.written();
    pulse(at).map_err(|source| ArchiveError::Write { at, source })
}

fn put<W: Write>(out: &mut Hashing<W>, bytes: &[u8]) -> Result<(), ArchiveError> {
    let at = out.written();
    out.write_all(bytes).map_err(|source| ArchiveError::Write { at, source })
}
