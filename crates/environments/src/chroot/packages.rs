//! Packages that the definition excludes.

use std::collections::BTreeSet;

use super::{ChrootError, LeftOut, Refusal};
use crate::lock::Identity;
use crate::rpmdb;
use crate::tree::{Entries, Entry, Kind, Path, Spool};

/// Removes the packages that rules name: files and headers. A package that the root does not have is left out already; but
/// a root that has no database of rpm cannot tell.
pub(super) fn exclude(
    entries: &mut Entries,
    spool: &mut Spool,
    identity: &Identity,
    left_out: &mut LeftOut,
) -> Result<(), ChrootError> {
    let names: Vec<&str> = identity.excludes.iter().filter_map(|rule| rule.package.as_deref()).collect();
    let Some(first) = names.first() else { return Ok(()) };
    if rpmdb::list(entries, spool, &identity.rpmdb).map_err(ChrootError::Packages)?.is_none() {
        return Err(ChrootError::NoPackages { package: (*first).to_owned(), rpmdb: identity.rpmdb.clone() });
    }
    let before = entries.clone();
    let removed = rpmdb::remove(entries, spool, &identity.rpmdb, &names).map_err(ChrootError::Packages)?;
    left_out.packages = removed.iter().map(|it| format!("{}-{}-{}", it.name, it.version, it.release)).collect();
    let gone: Vec<(&Path, &Entry)> = before.iter().filter(|(path, _)| !entries.contains_key(*path)).collect();
    left_out.package_files = gone.len() as u64;
    other_names(&gone, &before, entries)
}

/// What may not be published must not stay under another name.
fn other_names(gone: &[(&Path, &Entry)], before: &Entries, entries: &Entries) -> Result<(), ChrootError> {
    let first = |path: &Path, entry: &Entry| match &entry.kind {
        Kind::Hardlink(target) => Some(target.clone()),
        Kind::File(_) => Some(path.clone()),
        Kind::Directory | Kind::Symlink(_) => None,
    };
    let files: BTreeSet<Path> = gone.iter().filter_map(|(path, entry)| first(path, entry)).collect();
    let left = before.iter().find_map(|(path, entry)| {
        let file = first(path, entry).filter(|file| entries.contains_key(path) && files.contains(file))?;
        let other = gone.iter().find(|(path, entry)| first(path, entry).as_ref() == Some(&file))?;
        Some((path.to_string(), other.0.clone()))
    });
    match left {
        Some((path, other)) => Err(ChrootError::Refused { path, reason: Refusal::HardlinkExcluded { other } }),
        None => Ok(()),
    }
}
