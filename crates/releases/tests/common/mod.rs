//! What several tests need: fixtures, and keys that must be builds.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "shared by tests that each use a part; a fixture that is not as said fails the test"
)]

use std::path::Path;

use buildhub_releases::{Archive, Facts, Key, Metadata, Product, Products, Record, classify};

pub const BASE: &str = "https://archive.mozilla.org/";

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// The lines of a table, split at tabs; comments (`#`) and empty lines left out.
pub fn table(name: &str, columns: usize) -> Vec<Vec<String>> {
    let text = String::from_utf8(fixture(name)).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let split: Vec<_> = line.split('\t').map(str::to_owned).collect();
            assert_eq!(split.len(), columns, "{name}: {columns} columns in {line:?}");
            split
        })
        .collect()
}

pub fn every_product() -> Products {
    Product::ALL.into_iter().collect()
}

pub fn archive(key: &str) -> Archive<'_> {
    match classify(key, every_product()) {
        Key::Archive(archive) => archive,
        found => panic!("{key} should be a build, yet {found:?}"),
    }
}

pub fn facts() -> Facts<'static> {
    Facts { archive_url: BASE, size: 86_180_614, date: "2016-10-28T00:56:42.789Z".parse().unwrap() }
}

pub fn record(key: &str) -> Record {
    archive(key).record(&facts(), None)
}

/// Metadata as the build system of Firefox 50 wrote it.
pub fn metadata(key: &str) -> Metadata {
    Metadata::parse(key, &fixture("metadata/firefox-50.0b11.json")).unwrap()
}
