//! Where archives lie that a metadata file describes, and the second record of a release.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a fixture that is not as said fails the test")]

mod common;

use buildhub_releases::{Key, MetadataKey, Reach, classify};
use common::{archive, every_product, record, table};

fn metadata(key: &str) -> MetadataKey<'_> {
    match classify(key, every_product()) {
        Key::Metadata(metadata) => metadata,
        found => panic!("{key}: {found:?}"),
    }
}

/// Whether a reach holds a key.
fn holds(reach: &Reach<'_>, key: &str) -> bool {
    match reach {
        Reach::Below(folder) => key.starts_with(folder.as_str()),
        Reach::Platforms { parent, .. } => key.strip_prefix(parent.as_str()).is_some_and(|rest| {
            let folder = rest.split_once('/').map(|(folder, _)| folder);
            folder.is_none_or(|folder| reach.includes(folder))
        }),
    }
}

#[test]
fn every_archive_is_within_the_reach_of_every_metadata_file_it_would_ask_for() {
    let mut compared = 0;
    for line in table("layouts.tsv", 8) {
        // Releases that lie beside the folders of versions are left to the inventory.
        if line[0].matches('/').count() == 3 {
            continue;
        }
        let build = archive(&line[0]);
        for key in build.metadata_keys(Some(2)) {
            let metadata = metadata(&key);
            let reach: Vec<_> = metadata.reach().into_iter().chain(metadata.release_reach()).collect();
            assert!(reach.iter().any(|reach| holds(reach, build.key)), "{} and {key}: {reach:?}", build.key);
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn the_file_of_one_locale_reaches_its_own_folder_only() {
    let key = "pub/firefox/candidates/64.0-candidates/build2/mac/fr/buildhub.json";
    let expected = Reach::Below("pub/firefox/candidates/64.0-candidates/build2/mac/fr/".to_owned());
    assert_eq!(metadata(key).reach(), [expected]);
    assert_eq!(metadata(key).release_reach(), None);
}

#[test]
fn a_platforms_file_reaches_its_repacks_and_no_other_platform() {
    let metadata = metadata("pub/firefox/candidates/51.0-candidates/build1/win64/en-US/firefox-51.0.json");
    let [reach] = &metadata.reach()[..] else { panic!("one") };
    for (folder, is_in) in
        [("win64", true), ("win64-EME-free", true), ("win64-sha1", true), ("win64-aarch64", false), ("win32", false)]
    {
        assert_eq!(reach.includes(folder), is_in, "{folder}");
    }
}

#[test]
fn a_release_of_firefox_has_a_second_record_of_beta_and_nothing_else_has() {
    let release = "pub/firefox/releases/64.0/mac/fr/Firefox 64.0.dmg";
    let beta = record(release).as_beta().unwrap();
    assert_eq!((beta.id.as_str(), beta.target.channel.as_str()), ("firefox_beta_64-0_macosx_fr", "beta"));
    assert_eq!(beta.download, record(release).download);
    assert_eq!(archive(release).beta_id(), Some(beta.id));
    for other in [
        "pub/firefox/releases/64.0b3/mac/fr/Firefox 64.0b3.dmg",
        "pub/firefox/releases/60.0esr/mac/fr/Firefox 60.0esr.dmg",
        "pub/devedition/releases/64.0b3/mac/fr/Firefox 64.0b3.dmg",
        "pub/thunderbird/releases/60.0/mac/fr/Thunderbird 60.0.dmg",
        "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central/firefox-65.0a1.en-US.mac.dmg",
    ] {
        assert_eq!((record(other).as_beta(), archive(other).beta_id()), (None, None), "{other}");
    }
    let mut odd = record("pub/firefox/releases/64.0b3/mac/fr/Firefox 64.0b3.dmg");
    odd.target.channel = "release".to_owned();
    assert_eq!(odd.as_beta(), None, "its id says beta already");
}
