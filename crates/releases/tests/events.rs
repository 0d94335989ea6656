//! The records that the original Buildhub (1.4.1) made of events, made again from keys and files alone.
//!
//! `original-events.json.gz` has a small archive (`files`: key → body) and events (`key` of the object, `created`: the
//! records the original wrote for it).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a fixture that is not as said fails the test")]

mod common;

use std::collections::BTreeMap;
use std::io::Read;

use buildhub_releases::{Archive, Download, Facts, Key, Metadata, Product, Record, classify};
use common::{BASE, archive, every_product, fixture};
use serde::Deserialize;

#[derive(Deserialize)]
struct Original {
    files: BTreeMap<String, String>,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    key: String,
    created: Vec<Record>,
}

impl Original {
    fn read() -> Self {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&fixture("original-events.json.gz")[..]).read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn highest_build(&self, product: Product, version: &str) -> Option<u32> {
        let builds = self.files.keys().filter_map(|key| match classify(key, every_product()) {
            Key::Metadata(found) => found.candidate_of().map(|(product, version, n)| (product, version.to_owned(), n)),
            _ => None,
        });
        builds.filter(|(of, v, _)| *of == product && v == version).map(|(_, _, n)| n).max()
    }

    /// The metadata of an archive, found as an indexer would: the first address that answers.
    fn metadata(&self, archive: &Archive<'_>) -> Metadata {
        let highest = archive.release_of().and_then(|(product, version)| self.highest_build(product, version));
        let keys = archive.metadata_keys(highest);
        let Some((key, body)) = keys.iter().find_map(|key| self.files.get_key_value(key)) else {
            panic!("none of {keys:?} is there");
        };
        Metadata::parse(key, body.as_bytes()).unwrap()
    }
}

fn key_of(record: &Record) -> &str {
    record.download.url.strip_prefix(BASE).unwrap()
}

/// What the original should have written: for a release it took the last digit of the highest build, build12
/// (defect 4).
fn with_whole_number(mut theirs: Record) -> Record {
    if theirs.download.url.contains("/releases/58.0/") {
        let number = &mut theirs.build.as_mut().unwrap().number;
        assert_eq!(number.replace(12), Some(2));
    }
    theirs
}

#[test]
fn the_records_of_events_are_those_of_the_original() {
    let original = Original::read();
    let mut compared = 0;
    for event in &original.events {
        // The event of a metadata file: that file is the metadata of all its archives.
        let own = original.files.get(&event.key).map(|body| Metadata::parse(&event.key, body.as_bytes()).unwrap());
        for theirs in &event.created {
            let archive = archive(key_of(theirs));
            let Download { size, date, .. } = &theirs.download;
            let facts = Facts { archive_url: BASE, size: *size, date: date.parse().unwrap() };
            let metadata = own.clone().unwrap_or_else(|| original.metadata(&archive));
            let ours = archive.record(&facts, Some(&metadata));
            assert_eq!(ours, with_whole_number(theirs.clone()));
            ours.check().unwrap();
            compared += 1;
        }
    }
    assert_eq!(compared, 79);
}

#[test]
fn a_metadata_file_describes_the_archives_that_the_original_found_for_it() {
    let original = Original::read();
    let mut found = 0;
    for event in &original.events {
        let Key::Metadata(metadata) = classify(&event.key, every_product()) else { continue };
        let folders = metadata.folders();
        for record in &event.created {
            let archive = archive(key_of(record));
            assert!(folders.iter().any(|folder| archive.key.starts_with(folder)), "{folders:?} hold {}", archive.key);
            assert!(metadata.describes(&archive, None), "{} describes {}", event.key, archive.key);
            found += 1;
        }
    }
    assert!(found > 30, "{found} archives found");
}
