//! An archive and its metadata in three requests: of every layout, with every choice of metadata files that are there,
//! are not, or cannot be used.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod common;

use std::num::NonZeroUsize;
use std::sync::Arc;

use buildhub_indexer::archive::Archive as _;
use buildhub_indexer::events::search::{MOST_REQUESTS, search};
use buildhub_indexer::metadata::{Library, Lookup};
use buildhub_releases::{Archive, Form, Key, Product, classify};
use common::{Memory, buildhub_json, json, minute};

/// What may lie at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Absent,
    Good,
    Unusable,
}

/// Keys of every layout there is, and of localised and repacked builds in each.
const FURTHER: [&str; 12] = [
    "pub/firefox/candidates/64.0-candidates/build2/mac/fr/Firefox 64.0.dmg",
    "pub/firefox/candidates/64.0-candidates/build2/mac/en-US/Firefox 64.0.dmg",
    "pub/firefox/candidates/60.0-candidates/build2/win32-EME-free/fr/Firefox Setup 60.0.exe",
    "pub/firefox/candidates/60.0-candidates/build2/win32-EME-free/en-US/Firefox Setup 60.0.exe",
    "pub/firefox/releases/64.0/mac/fr/Firefox 64.0.dmg",
    "pub/firefox/releases/64.0/mac/en-US/Firefox 64.0.dmg",
    "pub/firefox/releases/60.0/win32-EME-free/fr/Firefox Setup 60.0.exe",
    "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central/firefox-65.0a1.en-US.win64.installer.exe",
    "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central-l10n/firefox-65.0a1.fr.win64.installer.exe",
    "pub/mobile/nightly/2018/11/2018-11-10-19-37-05-mozilla-central-android-api-16-l10n/fennec-65.0a1.fr.android-arm.apk",
    "pub/mobile/candidates/64.0-candidates/build2/android-api-16/multi/fennec-64.0.multi.android-arm.apk",
    "pub/mobile/candidates/64.0-candidates/build2/android-api-16/fr/fennec-64.0.fr.android-arm.apk",
];

fn keys() -> Vec<String> {
    let table = include_str!("../../releases/tests/fixtures/layouts.tsv");
    let layouts = table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').next().unwrap());
    layouts.chain(FURTHER).map(str::to_owned).collect()
}

fn build(key: &str) -> Archive<'_> {
    match classify(key, Product::ALL.into_iter().collect()) {
        Key::Archive(build) => build,
        found => panic!("{key}: {found:?}"),
    }
}

/// Every way the files at so many addresses can be.
fn choices(addresses: usize) -> Vec<Vec<File>> {
    let each = [File::Absent, File::Good, File::Unusable];
    (0..addresses).fold(vec![Vec::new()], |choices, _| {
        let longer = choices.iter().flat_map(|choice| each.map(|file| [choice.as_slice(), &[file]].concat()));
        longer.collect()
    })
}

fn body(key: &str, file: File, number: usize) -> Option<String> {
    let revision = format!("abc{number}");
    match (file, Form::of(key)) {
        (File::Absent, _) => None,
        (File::Unusable, _) => Some("{}".to_owned()),
        (_, Some(Form::Text)) => Some(format!("20181114190000 {revision}")),
        (_, Some(Form::Buildhub)) => Some(buildhub_json("https://a.example/", "release", &revision)),
        _ => Some(json("release", &revision)),
    }
}

fn is_found(lookup: &Lookup) -> Option<String> {
    match lookup {
        Lookup::Found(metadata) => metadata.source.revision.as_deref().map(str::to_owned),
        Lookup::Missing | Lookup::Malformed => None,
    }
}

/// Whether three requests may not be enough to find just the same.
///
/// A release's take one for itself and one for the candidates, so one file is asked for: the one beside the highest
/// candidate, where it nearly always is. Without candidates it is the one that was seen beside the archive, though the
/// en-US build may have a file, too. An unusable file among several may use up what was left. Those of a repack may lie
/// in three folders, of which two are listed.
fn may_differ(build: &Archive<'_>, highest: Option<u32>, files: &[File]) -> bool {
    let first = files.iter().position(|file| *file == File::Good).unwrap_or(0);
    if build.candidates_folder().is_some() && build.metadata_keys(None) != build.metadata_keys(Some(1)) {
        return first > 0 || highest.is_none() && files.get(1).is_some_and(|file| *file != File::Absent);
    }
    let is_repack = build.platform.ends_with("-eme-free") && files.len() == 4;
    files.len() > 2 && files[..first].contains(&File::Unusable) || is_repack && first == 1
}

fn library(archive: &Arc<Memory>) -> Library {
    Library::new(Arc::clone(archive) as Arc<dyn buildhub_indexer::archive::Archive>, NonZeroUsize::MIN, minute(0))
}

#[tokio::test]
async fn three_requests_find_what_an_inventory_would() {
    let (mut compared, mut differing) = (0, 0);
    for key in keys() {
        let build = build(&key);
        let builds: &[Option<u32>] = if build.candidates_folder().is_some() { &[Some(12), None] } else { &[None] };
        for highest in builds {
            let addresses = build.metadata_keys(*highest);
            for files in choices(addresses.len()) {
                for is_site in [false, true] {
                    let archive = Memory::new(is_site);
                    archive.put(&key, minute(3), "archive");
                    if let Some((folder, highest)) = build.candidates_folder().zip(*highest) {
                        for number in [1, 9, highest] {
                            archive.put(&format!("{folder}build{number}/SHA256SUMS"), minute(0), "x");
                        }
                    }
                    for (number, (address, file)) in addresses.iter().zip(&files).enumerate() {
                        if let Some(body) = body(address, *file, number) {
                            archive.put(address, minute(0), &body);
                        }
                    }
                    let found = search(&*archive, &library(&archive), &build).await.unwrap().unwrap();
                    let requests = archive.take_requests();
                    assert!(requests.len() <= MOST_REQUESTS, "{key} {files:?}: {requests:?}");
                    assert_eq!(found.facts, archive.head(&key).await.unwrap().unwrap());
                    let expected = library(&archive).first(&addresses).await.unwrap();
                    let (ours, expected) = (is_found(&found.metadata), is_found(&expected));
                    if ours != expected {
                        assert!(
                            may_differ(&build, *highest, &files),
                            "{key} {files:?}: {expected:?}, found {ours:?} {requests:?}"
                        );
                        differing += 1;
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1_000 && differing < compared / 2, "{differing} of {compared} differ");
}

#[tokio::test]
async fn an_archive_that_is_not_there_costs_one_request() {
    for key in keys() {
        let archive = Memory::new(true);
        assert!(search(&*archive, &library(&archive), &build(&key)).await.unwrap().is_none());
        assert_eq!(archive.take_requests().len(), 1, "{key}");
    }
}

/// What an event of each kind of build asks for where all metadata is there, and in which archive.
#[tokio::test]
async fn each_kind_of_build_costs_what_it_is_said_to() {
    let nightly = "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central";
    let kinds = [
        (format!("{nightly}/firefox-65.0a1.en-US.win64.installer.exe"), 2),
        (format!("{nightly}-l10n/firefox-65.0a1.fr.win64.installer.exe"), 3),
        ("pub/firefox/nightly/2015/11/2015-11-10-19-37-05-mozilla-central/firefox-45.0a1.fr.mac.dmg".to_owned(), 2),
        ("pub/firefox/candidates/50.0-candidates/build2/mac/fr/Firefox 50.0.dmg".to_owned(), 2),
        ("pub/firefox/candidates/64.0-candidates/build2/mac/en-US/Firefox 64.0.dmg".to_owned(), 2),
        ("pub/firefox/candidates/64.0-candidates/build2/mac/fr/Firefox 64.0.dmg".to_owned(), 3),
        ("pub/firefox/releases/50.0/mac/fr/Firefox 50.0.dmg".to_owned(), 3),
        ("pub/firefox/releases/64.0/mac/fr/Firefox 64.0.dmg".to_owned(), 3),
        ("pub/fenix/releases/107.0b6/android/fenix-107.0b6-android/fenix-107.0b6.multi.android.aab".to_owned(), 2),
    ];
    for (key, expected) in kinds {
        for is_site in [false, true] {
            let archive = Memory::new(is_site);
            archive.put(&key, minute(0), "archive");
            for (number, address) in build(&key).metadata_keys(Some(2)).iter().enumerate() {
                archive.put(address, minute(0), &body(address, File::Good, number).unwrap());
            }
            let found = search(&*archive, &library(&archive), &build(&key)).await.unwrap().unwrap();
            assert_eq!(is_found(&found.metadata).as_deref(), Some("abc0"), "{key}");
            let requests = archive.take_requests();
            assert_eq!(requests.len(), expected, "{key}: {requests:?}");
        }
    }
}
