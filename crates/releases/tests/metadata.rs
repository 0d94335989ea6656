//! Metadata files in their forms, good and bad.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what is not as said fails the test")]

mod common;

use buildhub_releases::{Key, Metadata, MetadataError, NotABuild, Products, classify, record_from_buildhub_json};
use common::{archive, every_product, facts, fixture, metadata};

const CANDIDATE: &str = "pub/firefox/candidates/50.0b11-candidates/build12/mac/en-US/firefox-50.0b11.json";
const NIGHTLY: &str = "pub/firefox/nightly/2011/05/2011-05-05-03-mozilla-central/firefox-6.0a1.en-US.mac.txt";

fn fault(key: &str, body: &[u8]) -> MetadataError {
    match Metadata::parse(key, body) {
        Err(fault) => fault,
        Ok(found) => panic!("{key} should be refused, yet {found:?}"),
    }
}

#[test]
fn json_says_how_and_from_what_a_build_was_made() {
    insta::assert_json_snapshot!(metadata(CANDIDATE));
}

#[test]
fn a_record_with_metadata_has_the_shape_of_the_schema() {
    let archive = archive("pub/firefox/candidates/50.0b11-candidates/build2/mac/el/Firefox 50.0b11.dmg");
    let found = metadata(&archive.metadata_keys(None)[0]);
    insta::assert_json_snapshot!(archive.record(&facts(), Some(&found)));
}

#[test]
fn a_text_file_of_two_lines_names_its_repository() {
    let found = Metadata::parse(NIGHTLY, &fixture("metadata/two-lines.txt")).unwrap();
    assert_eq!(found.build.id.as_deref(), Some("20110505030000"));
    assert_eq!(found.build.date.as_deref(), Some("2011-05-05T03:00:00Z"));
    assert_eq!(found.source.repository.as_deref(), Some("http://hg.mozilla.org/mozilla-central"));
    assert_eq!(found.source.tree.as_deref(), Some("mozilla-central"));
    assert_eq!(found.source.revision.as_deref(), Some("779202431151"));
    assert_eq!(found.channel, None);
}

#[test]
fn a_text_file_of_one_line_is_of_mozilla_central() {
    let found = Metadata::parse(NIGHTLY, &fixture("metadata/one-line.txt")).unwrap();
    assert_eq!(found.build.id.as_deref(), Some("20100704050607"));
    assert_eq!(found.source.tree.as_deref(), Some("mozilla-central"));
    assert_eq!(found.source.revision.as_deref(), Some("779202431151"));
}

#[test]
fn buildhub_json_says_the_same_in_other_words() {
    let key = "pub/firefox/candidates/64.0-candidates/build12/mac/en-US/buildhub.json";
    insta::assert_json_snapshot!(Metadata::parse(key, &fixture("metadata/buildhub.json")).unwrap());
}

#[test]
fn buildhub_json_of_fenix_describes_the_builds_of_its_own_folder() {
    for (folder, platform) in [
        ("pub/fenix/releases/142.0/android/fenix-142.0-android-x86/", "android-x86"),
        ("pub/fenix/candidates/142.0-candidates/build1/android/fenix-142.0-android-arm64-v8a/", "android-arm64-v8a"),
        ("pub/focus/releases/107.0b6/android/focus-107.0b6-android/", "android"),
    ] {
        let key = format!("{folder}buildhub.json");
        let Key::Metadata(found) = classify(&key, every_product()) else { panic!("{key}") };
        assert_eq!((found.platform, found.locale), (platform, "multi"), "{key}");
        assert_eq!(found.folders(), [folder]);
    }
    for other in [
        "pub/fenix/releases/142.0/android/fenix-141.0-android-x86/buildhub.json",
        "pub/fenix/releases/142.0/android/fenix-142.0/buildhub.json",
        "pub/fenix/releases/142.0/buildhub.json",
        "pub/firefox/releases/142.0/buildhub.json",
    ] {
        assert_eq!(classify(other, every_product()), Key::Other(NotABuild::OtherFile), "{other}");
    }
}

#[test]
fn buildhub_json_is_a_whole_record_with_its_dates_normalised() {
    let key = "pub/firefox/candidates/64.0-candidates/build12/mac/en-US/buildhub.json";
    let record = record_from_buildhub_json(key, &fixture("metadata/buildhub.json"), Products::default()).unwrap();
    record.check().unwrap();
    assert_eq!(record.id, "firefox_64-0rc12_macosx_en-us");
    assert_eq!(record.download.date, "2018-11-13T12:36:05Z");
    insta::assert_json_snapshot!(record);
}

#[test]
fn a_buildhub_json_of_no_build_says_of_what() {
    let body = fixture("metadata/buildhub.json");
    let body = String::from_utf8(body).unwrap().replace("Firefox 64.0.dmg", "firefox-64.0.tests.zip");
    let fault = record_from_buildhub_json("x/buildhub.json", body.as_bytes(), Products::default()).unwrap_err();
    let MetadataError::NotABuild { why, url, .. } = &fault else { panic!("{fault:?}") };
    assert_eq!(*why, NotABuild::ExcludedName);
    assert!(fault.to_string().contains(url.as_str()));
}

#[test]
fn a_web_page_is_no_metadata_and_says_so() {
    let page = fixture("metadata/page.html");
    for key in [CANDIDATE, NIGHTLY, "pub/firefox/releases/64.0/mac/en-US/buildhub.json"] {
        let fault = fault(key, &page);
        assert!(matches!(fault, MetadataError::Html { .. }), "{fault:?}");
        assert!(fault.to_string().contains(key));
    }
}

#[test]
fn what_is_missing_is_named() {
    for field in ["buildid", "moz_source_repo", "moz_source_stamp"] {
        let mut body: serde_json::Value = serde_json::from_slice(&fixture("metadata/firefox-50.0b11.json")).unwrap();
        body.as_object_mut().unwrap().remove(field);
        let fault = fault(CANDIDATE, body.to_string().as_bytes());
        assert!(matches!(fault, MetadataError::Missing { field: found, .. } if found == field), "{fault:?}");
    }
}

#[test]
fn bad_metadata_is_an_error_that_names_the_file() {
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        br#"{"buildid": ["20161027110534"], "moz_source_repo": "x", "moz_source_stamp": "y"}"#,
        br#"{"buildid": "", "moz_source_repo": "x", "moz_source_stamp": "y"}"#,
        br#"{"buildid": "20161027110534", "moz_source_repo": "x", "moz_source_stamp": "y", "buildnumber": "two"}"#,
        br#"{"build": 7}"#,
    ];
    for body in bodies {
        for key in [CANDIDATE, NIGHTLY, "pub/firefox/releases/64.0/mac/en-US/buildhub.json", "pub/firefox/README"] {
            assert!(fault(key, body).to_string().contains(key));
        }
    }
    for body in [
        "20110505030000",
        "20110505030000 http://hg.mozilla.org/x",
        "ten 779202431151",
        "20110505030000 a b c",
        "20110505 xyz",
    ] {
        let fault = fault(NIGHTLY, body.as_bytes());
        assert!(matches!(fault, MetadataError::NotText { .. }), "{body}: {fault:?}");
    }
}

#[test]
fn no_nul_passes_into_a_record() {
    let body = br#"{"buildid": "20161027110534\u0000", "moz_source_repo": "https://hg.mozilla.org/\u0000x",
        "moz_source_stamp": "\u0000829a\u00003f99", "cc": "\u0000", "moz_update_channel": "be\u0000ta"}"#;
    let found = Metadata::parse(CANDIDATE, body).unwrap();
    assert_eq!(found.source.revision.as_deref(), Some("829a3f99"));
    assert_eq!(found.build.cc, None);
    assert!(!serde_json::to_string(&found).unwrap().contains("\\u0000"));
}

#[test]
fn metadata_survives_a_cache() {
    let found = metadata(CANDIDATE);
    let kept = serde_json::to_vec(&found).unwrap();
    assert_eq!(serde_json::from_slice::<Metadata>(&kept).unwrap(), found);
}

#[test]
fn a_build_id_that_is_no_date_keeps_the_date_the_file_gives() {
    let body = br#"{"build": {"id": "local-build", "date": "2018-11-13T10:00:51.5+01:00"}}"#;
    let found = Metadata::parse("pub/firefox/releases/64.0/mac/en-US/buildhub.json", body).unwrap();
    assert_eq!(found.build.date.as_deref(), Some("2018-11-13T09:00:51Z"));
}
