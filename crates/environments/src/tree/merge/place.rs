//! Contents of packages, and the entries they belong to.

use std::collections::{HashMap, HashSet};

use super::claims::Claims;
use super::error::MergeError;
use crate::progress::Pulse;
use crate::rpm::{Fault, File, FileKind, Links, Package, PackageError, capability};
use crate::tree::{Content, Kind, Path, Spool};

/// A package's file at its place.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) path: Path,
    pub(super) kind: Kind,
    pub(super) file: &'a File,
    pub(super) package: &'a Package,
}

impl File {
    /// Its capabilities as the kernel keeps them.
    pub(super) fn capability(&self, package: &Package) -> Result<Option<Box<[u8]>>, PackageError> {
        if self.capabilities.is_empty() {
            return Ok(None);
        }
        let fault =
            || package.fault(Fault::Capability { path: self.path.clone(), text: self.capabilities.to_string() });
        capability::attribute(&self.capabilities).map(Some).ok_or_else(fault)
    }
}

/// Reads all payloads; contents of files that have their path go to `spool`.
pub(super) fn place<'a>(
    packages: &[&'a Package],
    files: &'a [Vec<File>],
    claims: &Claims,
    spool: &mut Spool,
    pulse: &mut Pulse<'_>,
) -> Result<Vec<Placed<'a>>, MergeError> {
    let mut placed = Vec::with_capacity(claims.owners.len());
    let mut read = 0;
    for (index, (package, files)) in packages.iter().zip(files).enumerate() {
        let links = Links::of(files);
        let has = |file: usize| claims.has(index, file);
        // Of a file's names, the one that has the contents in the archive may belong to another package: any will do.
        let set = |file: usize| links.set(file).unwrap_or(file);
        let needed: HashSet<usize> = (0..files.len()).filter(|file| has(*file)).map(set).collect();
        let wanted = |file: usize| needed.contains(&set(file));
        let kept = package.unpack(files, &wanted, spool, &mut |bytes| pulse(read + bytes))?;
        // Should several names have contents, those of the last count, as for rpm.
        let mut kept: Vec<(usize, Content)> = kept.into_iter().collect();
        kept.sort_unstable_by_key(|(file, _)| *file);
        let contents: HashMap<usize, Content> = kept.into_iter().map(|(file, content)| (set(file), content)).collect();

        let spots = claims.places.get(index).map(Vec::as_slice).unwrap_or_default();
        let mut first: HashMap<usize, &Path> = HashMap::new();
        let own = || files.iter().zip(spots).enumerate().filter(|(file, _)| has(*file));
        for (file, (_, place)) in own() {
            first.entry(set(file)).and_modify(|first| *first = place.min(first)).or_insert(place);
        }
        for (number, (file, place)) in own() {
            let kind = match file.kind() {
                FileKind::Directory => Kind::Directory,
                FileKind::Symlink => Kind::Symlink(file.link.clone()),
                FileKind::Special => continue,
                FileKind::Regular => match first.get(&set(number)) {
                    Some(first) if *first != place => Kind::Hardlink((*first).clone()),
                    _ => Kind::File(contents.get(&set(number)).copied().unwrap_or_default()),
                },
            };
            // A file's names share what is said of it; rpm sets it for each name, so the last one's stays.
            let shared =
                links.set(number).and_then(|last| files.get(last)).filter(|_| file.kind() == FileKind::Regular);
            placed.push(Placed { path: place.clone(), kind, file: shared.unwrap_or(file), package });
        }
        read += package.size();
        pulse(read).map_err(MergeError::Stopped)?;
    }
    Ok(placed)
}
