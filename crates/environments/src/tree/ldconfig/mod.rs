//! What `ldconfig` would do, without running it: links from the names that programs ask for to the libraries.
//!
//! A shared library says in its own bytes what programs will ask for (its SONAME); `libz.so.1.3` says `libz.so.1`. For
//! each library in the folders that the loader looks in there is a link of that name beside it. Where several libraries
//! have one SONAME, the highest version gets the link. The loader's cache (`etc/ld.so.cache`) is not made: it speeds
//! looking up, and without it the loader looks in its own folders only.

mod elf;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Read as _;

use super::{Content, Entries, Entry, Kind, Path, Spool, SpoolError, within};

/// Folders that the loader looks in by itself.
const FOLDERS: [&str; 4] = ["lib", "lib64", "usr/lib", "usr/lib64"];
/// Most bytes of a list of folders.
const LIST_MAX: u64 = 1 << 20;

/// Makes the links that are missing, and turns those that lead to an older version.
pub(super) fn link(entries: &mut Entries, spool: &Spool, mtime: i64) -> Result<(), SpoolError> {
    for folder in folders(entries, spool)? {
        for (soname, library) in sonames(entries, spool, &folder)? {
            let Ok(link) = Path::new(&[folder.as_bytes(), b"/", &soname].concat()) else { continue };
            // A file of that name is the library itself, or somebody's choice.
            if entries.get(&link).is_some_and(|entry| !matches!(entry.kind, Kind::Symlink(_))) {
                continue;
            }
            let kind = Kind::Symlink(library.into());
            if entries.get(&link).is_none_or(|entry| entry.kind != kind) {
                entries.insert(link, Entry { kind, mode: 0o777, uid: 0, gid: 0, mtime, capability: None });
            }
        }
    }
    Ok(())
}

/// The loader's own folders, and those of `etc/ld.so.conf` and `etc/ld.so.conf.d/*.conf`.
fn folders(entries: &Entries, spool: &Spool) -> Result<Vec<Path>, SpoolError> {
    let mut text = FOLDERS.join("\n");
    for (path, entry) in entries {
        let name = path.as_bytes();
        let list = name == b"etc/ld.so.conf" || (name.starts_with(b"etc/ld.so.conf.d/") && name.ends_with(b".conf"));
        if let (true, Kind::File(content)) = (list, &entry.kind) {
            let mut bytes = Vec::new();
            spool.read(*content).take(LIST_MAX).read_to_end(&mut bytes).map_err(SpoolError::Read)?;
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let named = lines.filter(|line| !line.is_empty() && !line.starts_with("include") && !line.starts_with("hwcap"));
    let mut folders: Vec<_> = named
        .filter_map(|line| Path::new(line.as_bytes()).ok())
        // The folder may itself be a link: what is in it is elsewhere.
        .filter_map(|folder| Path::new(&[folder.as_bytes(), b"/."].concat()).ok())
        .map(|folder| real(entries, &folder))
        .collect();
    folders.sort();
    folders.dedup();
    Ok(folders)
}

fn real(entries: &Entries, folder: &Path) -> Path {
    let inside = Path::new(&[folder.as_bytes(), b"/x"].concat()).map(|inside| within(entries, &inside));
    inside.ok().and_then(|inside| inside.parent()).unwrap_or_else(|| folder.clone())
}

/// The libraries right in a folder: for each SONAME the file that it should lead to.
fn sonames(entries: &Entries, spool: &Spool, folder: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, SpoolError> {
    let mut best: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let start = [folder.as_bytes(), b"/"].concat();
    let inside = entries.range(folder.clone()..).skip_while(|(path, _)| *path == folder);
    for (path, entry) in inside.take_while(|(path, _)| path.as_bytes().starts_with(folder.as_bytes())) {
        let Some(name) = path.as_bytes().strip_prefix(&*start).filter(|name| !name.contains(&b'/')) else { continue };
        let Some(content) = library(entries, name, entry) else { continue };
        let Some(soname) = elf::soname(spool, content)? else { continue };
        if soname == name {
            continue;
        }
        let slot = best.entry(soname).or_insert_with(|| name.to_vec());
        if compare(name, slot) == Ordering::Greater {
            *slot = name.to_vec();
        }
    }
    Ok(best)
}

fn library(entries: &Entries, name: &[u8], entry: &Entry) -> Option<Content> {
    let library = (name.starts_with(b"lib") || name.starts_with(b"ld-")) && name.windows(3).any(|part| part == b".so");
    let content = |entry: &Entry| match &entry.kind {
        Kind::File(content) => Some(*content),
        _ => None,
    };
    match &entry.kind {
        _ if !library => None,
        Kind::Hardlink(to) => entries.get(to).and_then(content),
        _ => content(entry),
    }
}

/// The loader's order of versions: runs of digits by their numbers, all else by its bytes.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (Some(a), Some(b)) = (one.first(), other.first()) else { return one.len().cmp(&other.len()) };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (left, right) = (digits(&mut one), digits(&mut other));
            let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
            if order != Ordering::Equal {
                return order;
            }
        } else if a == b {
            (one, other) = (one.get(1..).unwrap_or_default(), other.get(1..).unwrap_or_default());
        } else {
            // A digit is higher than anything else.
            return a.is_ascii_digit().cmp(&b.is_ascii_digit()).then(a.cmp(b));
        }
    }
}

/// Takes the digits at the beginning, without leading zeros.
fn digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or_default();
    *text = rest;
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_is_the_one_of_the_highest_numbers() {
        for (lower, higher) in
            [("libz.so.1.9", "libz.so.1.10"), ("libz.so.1", "libz.so.1.0"), ("libz.so.1.a", "libz.so.1.2"), ("a", "b")]
        {
            assert_eq!(compare(lower.as_bytes(), higher.as_bytes()), Ordering::Less, "{lower} {higher}");
            assert_eq!(compare(higher.as_bytes(), lower.as_bytes()), Ordering::Greater, "{lower} {higher}");
        }
        assert_eq!(compare(b"libz.so.01", b"libz.so.1"), Ordering::Equal);
    }
}
