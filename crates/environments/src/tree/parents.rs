//! Folders that nothing brought.

use std::collections::BTreeSet;

use super::{Entries, Entry, Kind, Path};

/// Makes the folders that entries are in and that are missing: the root's, 0755, of that time. The root itself too.
pub fn add_missing_parents(entries: &mut Entries, mtime: i64) {
    let mut missing: BTreeSet<Path> = BTreeSet::new();
    for path in entries.keys() {
        let mut folder = path.parent();
        while let Some(parent) = folder.filter(|parent| !entries.contains_key(parent) && !missing.contains(parent)) {
            folder = parent.parent();
            missing.insert(parent);
        }
    }
    for path in missing {
        entries.entry(path).or_insert(Entry {
            kind: Kind::Directory,
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime,
            capability: None,
        });
    }
}
