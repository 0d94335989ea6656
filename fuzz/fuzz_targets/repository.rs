//! Metadata of a repository: whatever the XML says, no package lies outside of it.
#![no_main]

use buildhub_environments::repo::{self, Budget};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(repomd) = repo::read_repomd(bytes) {
        assert!(!repomd.primary.checksum.to_string().is_empty());
    }
    let Ok(packages) = repo::read_primary(bytes, 100, &mut Budget::new(64 << 20)) else { return };
    assert!(packages.len() <= 100);
    for package in packages {
        assert!(!package.name.is_empty() && !package.location.starts_with('/') && !package.location.contains("://"));
        assert!(package.location.split('/').all(|part| !matches!(part, "" | "." | "..")));
    }
});
