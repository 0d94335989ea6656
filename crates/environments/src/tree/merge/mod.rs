//! Packages become one tree: every file once, as rpm would install them into an empty root, without running anything.
//!
//! **Order does not matter.** Packages are taken in the order of their names; the same packages give the same tree.
//!
//! **Conflicts** are those of rpm's own transaction test: a path that several packages have is one file when mode, owner
//! and contents (or the link's target) are the same, and a conflict otherwise. A ghost conflicts with nothing. Where a
//! 32-bit and a 64-bit program want the same path, the 64-bit one gets it, as rpm has it on `x86_64`.
//!
//! **Links in paths** are followed: where a package has `/lib` as a link to `usr/lib`, another's `/lib/x` is `/usr/lib/x`.
//!
//! **Owners** are looked up by name: in the definition, in the packages' own `etc/passwd` and `etc/group`, and in their
//! `sysusers.d`. A name that nobody knows is an error: rpm would give the file to root.
//!
//! **Left out** are ghosts, device nodes, pipes and sockets, and what the definition excludes by path. Of a file's names all
//! are excluded or none: what may not be passed on must not stay under another name.
//!
//! **Scriptlets** are never run. One that installing would run, of whatever kind, is declared in the definition, by package
//! and phase, or there is no tree. What stands in for them is done: accounts are written to `etc/passwd` and `etc/group`,
//! links to libraries and alternatives are made. Repository files name public mirrors; rpm's database is written last.

mod claims;
mod decisions;
mod error;
mod links;
mod owners;
mod place;

use std::collections::BTreeSet;

pub use decisions::Decision;
pub use error::{Conflict, MergeError, Undeclared};
pub(crate) use links::{end_of, within};

use super::{Content, Entries, Entry, Kind, Path, Spool, add_missing_parents};
use crate::definition::Action;
use crate::lock::Identity;
use crate::progress::Pulse;
use crate::rpm::Package;
use crate::rpmdb::{self, Installed};
use crate::tree::{ldconfig, repositories};
use claims::Claims;
use owners::Accounts;
use place::Placed;

/// Packages that were merged.
#[derive(Debug)]
pub struct Merged {
    /// Everything that is in the environment.
    pub entries: Entries,
    /// No file is dated later, in seconds since 1970: the lock's word, or else when the newest package was built.
    pub clamp_time: i64,
    /// What the packages would have run on installing, and what was done instead.
    pub scriptlets: Vec<Decision>,
    /// How many device nodes, pipes and sockets were left out.
    pub special: u64,
}

/// Merges packages by the rules of a lock; contents go to `spool`. `pulse` hears how many bytes of packages are read.
pub fn merge(
    packages: &[Package],
    identity: &Identity,
    spool: &mut Spool,
    pulse: &mut Pulse<'_>,
) -> Result<Merged, MergeError> {
    let packages = ordered(packages, identity)?;
    let scriptlets = decisions::decide(&packages, &identity.scriptlets)?;
    let clamp_time = match identity.clamp_time {
        Some(time) => time,
        None => newest(&packages)?,
    };
    let files = packages.iter().map(|package| package.files()).collect::<Result<Vec<_>, _>>()?;
    let claims = Claims::of(&packages, &files, identity)?;
    let placed = place::place(&packages, &files, &claims, spool, pulse)?;

    let accounts = Accounts::read(identity, &placed, spool)?;
    let mut entries = Entries::new();
    for Placed { path, kind, file, package } in placed {
        let (uid, gid) = accounts.owner(file, &path, package)?;
        let capability = file.capability(package)?;
        let mtime = file.mtime.min(clamp_time);
        let mode = file.permissions();
        entries.insert(path, Entry { kind, mode, uid, gid, mtime, capability });
    }

    accounts.write(&mut entries, spool, clamp_time)?;
    if scriptlets.iter().any(|decision| decision.action == Action::Ldconfig) {
        ldconfig::link(&mut entries, spool, clamp_time)?;
    }
    alternatives(identity, &mut entries, clamp_time)?;
    repositories::rewrite(&mut entries, spool, &identity.mirrors, clamp_time)?;
    let installed = packages.iter().zip(&claims.states).map(|(package, states)| Installed { package, states });
    add_database(&installed.collect::<Vec<_>>(), identity, &mut entries, spool, clamp_time)?;
    add_missing_parents(&mut entries, clamp_time);
    parents_are_folders(&entries)?;
    check_rights(&entries, &identity.setuid)?;
    Ok(Merged { entries, clamp_time, scriptlets, special: claims.special })
}

/// In the order of their names; none twice, none that is excluded.
fn ordered<'a>(packages: &'a [Package], identity: &Identity) -> Result<Vec<&'a Package>, MergeError> {
    let mut packages: Vec<_> = packages.iter().collect();
    packages.sort_by(|one, other| one.order().cmp(&other.order()));
    for package in &packages {
        let excludes = |exclude: &&crate::definition::Exclude| exclude.package.as_deref() == Some(package.name());
        if let Some(rule) = identity.excludes.iter().find(excludes) {
            return Err(MergeError::Excluded { package: package.nevra(), reason: rule.reason.clone() });
        }
    }
    match packages.windows(2).find(|two| matches!(two, [one, other] if one.order() == other.order())) {
        Some([twice, ..]) => Err(MergeError::Twice { package: twice.nevra() }),
        _ => Ok(packages),
    }
}

fn newest(packages: &[&Package]) -> Result<i64, MergeError> {
    let built = packages.iter().map(|package| package.built()).collect::<Result<Vec<_>, _>>()?;
    Ok(built.into_iter().max().unwrap_or_default())
}

fn alternatives(identity: &Identity, entries: &mut Entries, mtime: i64) -> Result<(), MergeError> {
    for alternative in &identity.alternatives {
        let link = Path::new(alternative.link.as_bytes())?;
        let link = within(entries, &link);
        let kind = Kind::Symlink(alternative.target.as_bytes().into());
        let entry = Entry { kind, mode: 0o777, uid: 0, gid: 0, mtime, capability: None };
        if entries.get(&link).is_some_and(|there| there.kind != entry.kind) {
            return Err(MergeError::AlternativeTaken { link });
        }
        entries.insert(link, entry);
    }
    Ok(())
}

fn add_database(
    installed: &[Installed<'_>],
    identity: &Identity,
    entries: &mut Entries,
    spool: &mut Spool,
    mtime: i64,
) -> Result<(), MergeError> {
    let folder = Path::new(identity.rpmdb.as_bytes())?;
    let path = within(entries, &Path::new(&[folder.as_bytes(), b"/", rpmdb::FILE.as_bytes()].concat())?);
    let content = rpmdb::write(installed, mtime, spool)?;
    let entry = Entry { kind: Kind::File(content), mode: 0o644, uid: 0, gid: 0, mtime, capability: None };
    entries.insert(path, entry);
    Ok(())
}

/// A file in what is no folder could not be unpacked.
fn parents_are_folders(entries: &Entries) -> Result<(), MergeError> {
    let folder = |path: &Path| entries.get(path).is_some_and(|entry| entry.kind == Kind::Directory);
    match entries.keys().find(|path| path.parent().is_some_and(|parent| !folder(&parent))) {
        Some(path) => Err(MergeError::NoFolder { path: path.clone() }),
        None => Ok(()),
    }
}

/// Files that give whoever runs them another's rights are declared.
fn check_rights(entries: &Entries, declared: &[String]) -> Result<(), MergeError> {
    let declared: BTreeSet<&str> = declared.iter().map(String::as_str).collect();
    let rights = |entry: &Entry| entry.capability.is_some() || entry.mode & 0o6000 != 0;
    let file = |entry: &Entry| matches!(entry.kind, Kind::File(_) | Kind::Hardlink(_));
    let undeclared = entries.iter().filter(|(_, entry)| file(entry) && rights(entry));
    let paths: Vec<_> =
        undeclared.map(|(path, _)| path.to_string()).filter(|path| !declared.contains(&**path)).collect();
    if paths.is_empty() { Ok(()) } else { Err(MergeError::Setuid { paths }) }
}

/// An entry of root's, made here.
fn made(content: Content, mtime: i64) -> Entry {
    Entry { kind: Kind::File(content), mode: 0o644, uid: 0, gid: 0, mtime, capability: None }
}
