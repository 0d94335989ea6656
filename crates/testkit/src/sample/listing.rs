//! Folders as the archive lists them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{Object, Sample};

/// A listing in the archive's form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Listing {
    /// Names of folders, each ending in `/`.
    pub prefixes: Vec<String>,
    /// Files.
    pub files: Vec<File>,
}

/// A file in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name, without folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub last_modified: Timestamp,
}

pub(super) fn list(sample: &Sample, folder: &str) -> Option<Listing> {
    let mut prefixes = below(sample, folder);
    let mut files = Vec::new();
    let group = match sample.by_folder.get(folder) {
        Some(at) => sample.groups.get(*at),
        None => sample.group_of(folder),
    };
    for object in group.into_iter().flat_map(super::group::Group::objects) {
        let Some(name) = object.key.strip_prefix(folder) else { continue };
        match name.split_once('/') {
            Some((first, _)) => {
                prefixes.insert(format!("{first}/"));
            }
            None => files.push(file(name, &object)),
        }
    }
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let listing = Listing { prefixes: prefixes.into_iter().collect(), files };
    (listing != Listing::default()).then_some(listing)
}

fn file(name: &str, object: &Object) -> File {
    File { name: name.to_owned(), size: object.size, last_modified: object.last_modified }
}

/// The folders between `folder` and the groups below it.
fn below(sample: &Sample, folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut from = folder.to_owned();
    while let Some((group, _)) = sample.by_folder.range(from.clone()..).next() {
        let Some(rest) = group.strip_prefix(folder) else { break };
        match rest.split_once('/') {
            Some((first, _)) => {
                found.insert(format!("{first}/"));
                // `0` follows `/`: the next folder that does not begin like this one.
                from = format!("{folder}{first}0");
            }
            // The folder itself.
            None => from = format!("{folder}\0"),
        }
    }
    found
}
