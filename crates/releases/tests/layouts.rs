//! Every layout of the archive, one key and its record's coordinates a line of `layouts.tsv`: key, id, version,
//! channel, platform, operating system, locale, mime type.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a fixture that is not as said fails the test")]

mod common;

use buildhub_releases::{Key, NotABuild, Product, Products, classify};
use common::{archive, every_product, record, table};

#[test]
fn every_layout_gives_its_coordinates() {
    for line in table("layouts.tsv", 8) {
        let [key, expected @ ..] = &line[..] else { panic!("{line:?}") };
        let record = record(key);
        let os = record.target.os.map(|os| os.as_str().to_owned()).unwrap_or_default();
        let target = record.target;
        let found =
            [record.id, target.version, target.channel, target.platform, os, target.locale, record.download.mimetype];
        assert_eq!(found, expected, "{key}");
        assert_eq!(record.download.url, format!("https://archive.mozilla.org/{key}"));
    }
}

#[test]
fn what_is_no_build_says_why() {
    for line in table("no-builds.tsv", 2) {
        let [why, key] = &line[..] else { panic!("{line:?}") };
        match classify(key, every_product()) {
            Key::Other(found) => assert_eq!(found.as_str(), why, "{key}"),
            found => panic!("{key} is no build ({why}), yet {found:?}"),
        }
    }
}

#[test]
fn every_reason_to_be_no_build_has_an_example() {
    let lines = table("no-builds.tsv", 2);
    for why in NotABuild::ALL {
        assert!(lines.iter().any(|line| line[0] == why.as_str()), "{why:?}");
    }
}

#[test]
fn focus_and_fenix_are_asked_for_by_name() {
    let key = "pub/fenix/releases/142.0/android/fenix-142.0-android-arm64-v8a/fenix-142.0.multi.android-arm64-v8a.apk";
    assert_eq!(classify(key, Products::default()), Key::Other(NotABuild::OtherProduct));
    assert!(matches!(classify(key, Products::NONE.with(Product::Fenix)), Key::Archive(_)));
}

#[test]
fn a_release_asks_for_the_highest_candidate_and_a_candidate_teaches_it() {
    let release = archive("pub/firefox/releases/58.0/mac/fr/Firefox 58.0.dmg");
    assert_eq!(release.release_of(), Some((Product::Firefox, "58.0")));
    assert_eq!(release.candidate_of(), None);
    assert_eq!(release.candidates_folder().as_deref(), Some("pub/firefox/candidates/58.0-candidates/"));

    let candidate = archive("pub/firefox/candidates/58.0-candidates/build12/mac/fr/Firefox 58.0.dmg");
    assert_eq!(candidate.candidate_of(), Some((Product::Firefox, "58.0", 12)));
    assert_eq!(candidate.release_of(), None);
    assert_eq!(candidate.candidates_folder(), None);
}
