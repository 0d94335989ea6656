//! The numbered defects of the original Buildhub that concern what a build is, each cured.
//!
//! Numbers 2, 12, 13, 15 (the batch), 16, 19 and 20 concern reading, writing and events and are cured there. Of 1 and
//! 18, this crate has the part that decides which archive is a record. Defects of a single coordinate (6, 9, 10, 11, 17)
//! have more tests beside the code.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what is not as said fails the test")]

mod common;

use buildhub_releases::{Extension, Key, Metadata, classify, rank_of_url};
use common::{archive, every_product, facts, metadata, record};

fn is_build(key: &str) -> bool {
    matches!(classify(key, every_product()), Key::Archive(_))
}

#[test]
fn defect_01_the_same_object_always_gives_the_same_record() {
    let key = "pub/firefox/candidates/50.0b11-candidates/build2/mac/el/Firefox 50.0b11.dmg";
    let found = metadata(&archive(key).metadata_keys(None)[0]);
    let one = archive(key).record(&facts(), Some(&found));
    let two = archive(key).record(&facts(), Some(&found));
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());
    // And as it comes back from a store, with the fields that the store adds, it is equal to what was sent.
    let mut stored = serde_json::to_value(&one).unwrap();
    stored["last_modified"] = 1_541_000_000_000_u64.into();
    stored["schema"] = 1.into();
    assert_eq!(serde_json::from_value::<buildhub_releases::Record>(stored).unwrap(), one);
}

#[test]
fn defect_03_a_release_needs_no_listing_of_all_candidates() {
    let release = archive("pub/firefox/releases/64.0/mac/fr/Firefox 64.0.dmg");
    assert_eq!(release.candidates_folder().as_deref(), Some("pub/firefox/candidates/64.0-candidates/"));
    assert!(!release.metadata_keys(None).is_empty(), "and where there is none, there still are addresses");
}

#[test]
fn defect_04_build_number_is_the_whole_number() {
    let key = "pub/firefox/candidates/58.0-candidates/build12/mac/en-US/firefox-58.0.json";
    assert_eq!(metadata(key).build.number, Some(12));
    let archive = archive("pub/firefox/candidates/58.0-candidates/build12/mac/fr/Firefox 58.0.dmg");
    assert_eq!(archive.candidate_of().unwrap().2, 12);
    assert!(archive.id().contains("58-0rc12"));
}

#[test]
fn defect_05_all_locales_of_a_platform_share_their_addresses() {
    let keys = |locale| {
        archive(&format!("pub/firefox/candidates/58.0-candidates/build9/mac/{locale}/Firefox 58.0.dmg"))
            .metadata_keys(None)
    };
    assert_eq!(keys("fr"), keys("ja-JP-mac"));
    let nightly = "pub/firefox/nightly/2017/08/2017-08-05-10-03-34-mozilla-central";
    let localized = format!("{nightly}-l10n/firefox-57.0a1.ru.mac.dmg");
    let plain = format!("{nightly}/firefox-57.0a1.en-US.mac.dmg");
    assert_eq!(archive(&localized).metadata_keys(None), archive(&plain).metadata_keys(None));
}

#[test]
fn defect_06_no_letter_is_stripped_from_a_version() {
    for version in ["52.0a", "4.0-d", "3.0.19-real-real", "38.0.5b1-2", "3.6.3plugin1", "60.9.0esr"] {
        let key = format!("pub/firefox/releases/{version}/mac/fr/Firefox {version}.dmg");
        assert_eq!(record(&key).target.version, version);
        let keys = archive(&key).metadata_keys(Some(1));
        assert!(
            keys[0].ends_with(&format!("{version}-candidates/build1/mac/en-US/firefox-{version}.json")),
            "{keys:?}"
        );
    }
}

#[test]
fn defect_07_of_two_archives_with_one_id_the_installer_is_the_record() {
    for (wanted, other) in [
        ("releases/60.0/win32/fr/Firefox Setup 60.0.exe", "releases/60.0/win32/fr/Firefox Installer.exe"),
        ("releases/135.0/win32/fr/Firefox Setup 135.0.exe", "releases/135.0/win32/fr/Firefox Setup 135.0.msix"),
        ("releases/135.0/win32/fr/Firefox Setup 135.0.msix", "releases/135.0/win32/fr/Firefox Installer.exe"),
        ("releases/135.0/win32/fr/Firefox Setup 135.0.exe", "releases/135.0/win32/fr/Firefox Setup 135.0.msi"),
        ("releases/135.0/mac/fr/Firefox 135.0.dmg", "releases/135.0/mac/fr/Firefox 135.0.pkg"),
        ("releases/135.0/linux-x86_64/fr/firefox-135.0.tar.xz", "releases/135.0/linux-x86_64/fr/firefox-135.0.tar.bz2"),
        ("releases/135.0/linux-x86_64/fr/firefox-135.0.tar.xz", "releases/135.0/linux-x86_64/fr/firefox-135.0.deb"),
        ("releases/60.0/linux-x86_64/fr/firefox-60.0.tar.bz2", "releases/60.0/linux-x86_64/fr/firefox-60.0.tar.gz"),
        ("releases/1.0rc1/firefox-1.0rc1.fr.mac.dmg", "candidates/1.0-candidates/build1/mac/fr/Firefox 1.0.dmg"),
    ] {
        let (wanted, other) = (format!("pub/firefox/{wanted}"), format!("pub/firefox/{other}"));
        let (wanted, other) = (archive(&wanted), archive(&other));
        assert_eq!(wanted.id(), other.id());
        assert!(wanted.rank() > other.rank(), "{} before {}", wanted.key, other.key);
    }
    let (apk, aab) = (
        "pub/fenix/releases/9.0/android/fenix-9.0-android/fenix-9.0.multi.android.apk",
        "x/fenix-9.0.multi.android.aab",
    );
    assert!(rank_of_url(apk) > rank_of_url(aab));
}

#[test]
fn defect_08_the_url_is_the_key_as_it_is() {
    let key = "pub/firefox/releases/60.0/win32/en-US/Firefox Setup 60.0.exe";
    assert_eq!(record(key).download.url, format!("https://archive.mozilla.org/{key}"));
}

#[test]
fn defect_09_locales_are_those_that_exist() {
    for locale in ["es-419", "ca-valencia", "zh-Hant-TW"] {
        let key = format!("pub/firefox/releases/60.0/mac/{locale}/Firefox 60.0.dmg");
        assert_eq!(record(&key).target.locale, locale);
    }
    assert!(!is_build("pub/firefox/releases/60.0/mac/source/Firefox 60.0.dmg"));
}

#[test]
fn defect_10_archives_of_today_are_builds_and_darwin_is_no_windows() {
    for extension in Extension::ALL {
        let key = format!("pub/firefox/releases/140.0/linux-x86_64/fr/firefox-140.0{}", extension.suffix());
        assert!(is_build(&key), "{key}");
    }
    assert!(!is_build("pub/firefox/releases/60.0/darwin/en-US/firefox-60.0.tar.bz2"));
}

#[test]
fn defect_11_dots_are_dots() {
    assert!(!is_build("pub/firefox/releases/60.0/linux-x86_64/en-US/firefox-60.0xtarxgz"));
    let folder = "pub/firefox/candidates/59.0b3-candidates/build2/mac/en-US";
    for name in
        ["firefox-59.0b3.mozinfo.json", "firefox-59.0b3.test_packages.json", "firefox-59.0b3xjson", "mozharness.json"]
    {
        let key = format!("{folder}/{name}");
        assert!(matches!(classify(&key, every_product()), Key::Other(_)), "{key}");
    }
    assert!(matches!(classify(&format!("{folder}/firefox-59.0b3.json"), every_product()), Key::Metadata(_)));
}

#[test]
fn defect_14_tar_in_a_name_changes_no_address() {
    let nightly = "pub/firefox/nightly/2017/06/2017-06-21-15-02-57-mozilla-central";
    let key = format!("{nightly}/firefox-56.0a1.tarn.win32.installer.exe");
    assert_eq!(archive(&key).metadata_keys(None)[0], format!("{nightly}/firefox-56.0a1.en-US.win32.json"));
    assert!(!is_build("pub/firefox/releases/60.0/linux-x86_64/en-US/starfox-60.0.tar.bz2"));
}

#[test]
fn defect_15_a_name_in_parentheses_is_no_build_and_no_fault() {
    assert!(!is_build("pub/firefox/releases/1.0rc1/Firefox Setup (1.0rc1, en-US).exe"));
}

#[test]
fn defect_17_build_ids_of_12_digits_end_in_minutes() {
    let body = br#"{"buildid": "201706121152", "moz_source_repo": "x", "moz_source_stamp": "y"}"#;
    let found = Metadata::parse("firefox-60.0.json", body).unwrap();
    assert_eq!(found.build.date.as_deref(), Some("2017-06-12T11:52:00Z"));
}

#[test]
fn defect_18_every_writer_ranks_a_stored_url_as_the_archive_itself() {
    let archive = archive("pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe");
    let stored = archive.record(&facts(), None).download.url;
    assert_eq!(rank_of_url(&stored), archive.rank());
    assert_eq!(rank_of_url("s3://mirror/pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe"), archive.rank());
}
