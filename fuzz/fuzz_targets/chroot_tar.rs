//! Uploaded roots: whatever they are, what is taken of one is written, and read again as the same.
#![no_main]

use std::sync::LazyLock;

use buildhub_environments::archive;
use buildhub_environments::chroot::{self, Limits};
use buildhub_environments::lock::Lock;
use buildhub_environments::tree::{Entries, Kind, Spool};
use libfuzzer_sys::fuzz_target;

static LOCK: LazyLock<Lock> = LazyLock::new(|| {
    serde_json::from_slice(include_bytes!("../../crates/environments/tests/fixtures/lock/two-packages.json")).unwrap()
});

const LIMITS: Limits = Limits { tar: 1 << 20, members: 1000, names: 1 << 16 };

fuzz_target!(|upload: &[u8]| {
    let mut identity = LOCK.identity.clone();
    identity.excludes.clear();
    let folder = std::env::temp_dir();
    let mut spool = Spool::create(&folder).unwrap();
    let Ok(root) = chroot::read(upload, &identity, &LIMITS, &mut spool, &mut |_| Ok(())) else { return };
    let mut tar = Vec::new();
    let (_, size) = archive::write_tar(&root.entries, &spool, &mut tar, &mut |_| Ok(())).unwrap();
    assert_eq!((size, size), (tar.len() as u64, archive::tar_size(&root.entries)));
    let mut again = Spool::create(&folder).unwrap();
    let limits = Limits { tar: 1 << 24, members: 10_000, names: 1 << 20 };
    let read = chroot::read(tar.as_slice(), &identity, &limits, &mut again, &mut |_| Ok(())).unwrap();
    assert_eq!(without_places(read.entries), without_places(root.entries));
});

/// Where contents lie on disk is no part of a tree.
fn without_places(mut entries: Entries) -> Entries {
    for entry in entries.values_mut() {
        if let Kind::File(content) = &mut entry.kind {
            content.at = 0;
        }
    }
    entries
}
