//! The sample archive is what it says it is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "tests stop at what they did not expect, and the archive writes its extensions in one way"
)]

use std::collections::{HashMap, HashSet};
use std::io::Read as _;

use buildhub_testkit::sample::{Inventory, Kind, Object, Sample, SampleSpec};

fn small() -> Sample {
    Sample::new(SampleSpec::of(2_000))
}

fn is_build(object: &Object) -> bool {
    matches!(object.kind, Kind::Build { .. })
}

#[test]
fn a_sample_has_exactly_as_many_rows_as_asked_and_no_key_twice() {
    for rows in [0, 1, 500, 2_000, 70_001] {
        let sample = Sample::new(SampleSpec::of(rows));
        let keys: HashSet<String> = sample.objects().map(|object| object.key).collect();
        assert_eq!(keys.len() as u64, rows);
        assert_eq!(sample.summary().rows, rows);
    }
}

#[test]
fn a_large_sample_has_the_archives_proportions() {
    let summary = Sample::new(SampleSpec::of(1_000_000)).summary();
    let share = summary.builds * 1000 / summary.rows;
    assert!((135..=150).contains(&share), "{share} ‰ are builds");
    assert!((1_800..=2_200).contains(&summary.metadata), "{} metadata files", summary.metadata);
    assert!(summary.builds_without_metadata * 100 < summary.builds, "almost all builds have metadata: {summary:?}");
}

#[test]
fn a_small_sample_has_every_kind_of_object() {
    let objects: Vec<Object> = small().objects().collect();
    for (text, expected) in [
        ("pub/firefox/candidates/45.0-candidates/build1/linux-x86_64/fr/firefox-45.0.tar.bz2", true),
        ("pub/firefox/candidates/45.0-candidates/build2/mac/en-US/Firefox 45.0.dmg", true),
        ("pub/firefox/releases/45.0/win64/en-US/Firefox Setup 45.0.exe", true),
        ("pub/firefox/releases/45.0/win32/en-US/Firefox Installer.exe", true),
        ("pub/firefox/candidates/45.0.0esr-candidates/build10/", true),
        ("pub/firefox/releases/46.0b1/win32-EME-free/", true),
        ("pub/firefox/releases/46.0b1/win32-sha1/", true),
        ("pub/firefox/releases/136.0.1/linux-aarch64/en-US/firefox-136.0.1.tar.xz", true),
        ("pub/firefox/releases/136.0.1/linux-x86_64/en-US/firefox-136.0.1.deb", true),
        ("pub/firefox/releases/136.0.1/mac/en-US/Firefox 136.0.1.pkg", true),
        ("pub/firefox/releases/136.0.1/win64/multi/Firefox Setup 136.0.1.msix", true),
        ("pub/firefox/releases/2.0.0.1/", true),
        ("pub/firefox/releases/1.5.0.1/firefox-1.5.0.1.en-US.linux-i686.installer.tar.gz", true),
        ("pub/thunderbird/releases/38.2.1/", true),
        ("pub/devedition/candidates/61.0b1-candidates/build12/", true),
        (
            "pub/mobile/candidates/50.0.1-candidates/build12/android-api-16/multi/fennec-50.0.1.multi.android-arm.apk",
            true,
        ),
        ("pub/mobile/releases/50.0.1/android-x86/en-US/fennec-50.0.1.en-US.android-i386.apk", true),
        ("-mozilla-central/firefox-53.0a1.en-US.linux-x86_64.zip", true),
        ("-mozilla-central-l10n/firefox-53.0a1.fr.win32.installer.exe", true),
        ("-comm-central-l10n/thunderbird-53.0a1.fr.mac.dmg", true),
        ("-mozilla-central-android-api-16-l10n/fennec-53.0a1.fr.android-arm.apk", true),
        ("-mozilla-central-android-api-16-old-id/fennec-53.0a1.multi.android-arm.apk", true),
        ("pub/firefox/nightly/2011/01/2011-01-02-03-mozilla-central/firefox-4.0b2pre.en-US.linux-i686.tar.bz2", true),
        ("pub/firefox/nightly/2011/01/2011-01-02-03-mozilla-central-l10n/", true),
        ("pub/firefox/releases/1.5.0.1/Firefox Setup (1.5.0.1, en-US).exe", false),
        ("pub/firefox/try-builds/user0@mozilla.com-", false),
        ("pub/firefox/tinderbox-builds/", false),
        ("-mozilla-aurora/", false),
        ("/partner-repacks/", false),
        ("/latest-mozilla-central-0/", false),
        (".complete.mar", false),
        (".xpi", false),
        ("SHA512SUMS.asc", false),
    ] {
        let found = objects.iter().any(|object| object.key.contains(text) && is_build(object) == expected);
        assert!(found, "{text} (a build: {expected})");
    }
    let large = Sample::new(SampleSpec::of(200_000));
    let locales: HashSet<String> =
        large.objects().filter_map(|object| Some(object.key.rsplit_once("/xpi/")?.1.to_owned())).collect();
    assert!(locales.len() > 90, "{} locales", locales.len());
}

#[test]
fn the_same_seed_gives_the_same_archive_and_another_seed_another() {
    let of = |seed| Sample::new(SampleSpec { rows: 3_000, seed, parts: 1 });
    let bodies = |sample: &Sample| -> Vec<_> { sample.objects().map(|object| sample.metadata(&object.key)).collect() };
    assert!(of(1).objects().eq(of(1).objects()));
    assert_eq!(bodies(&of(1)), bodies(&of(1)));
    assert!(!of(1).objects().eq(of(2).objects()));
    assert_ne!(bodies(&of(1)), bodies(&of(2)));
}

#[test]
fn every_metadata_file_has_a_body_that_can_be_read() {
    let sample = small();
    let mut forms: HashMap<&str, usize> = HashMap::new();
    for object in sample.objects() {
        let Some(body) = sample.metadata(&object.key) else {
            assert_ne!(object.kind, Kind::Metadata, "{}", object.key);
            continue;
        };
        assert_eq!(object.kind, Kind::Metadata, "{}", object.key);
        let text = std::str::from_utf8(&body.bytes).unwrap();
        let (form, id) = if object.key.ends_with(".txt") {
            let form = if text.contains("/rev/") { "two lines" } else { "one line" };
            (form, text.split_whitespace().next().unwrap().to_owned())
        } else {
            let json: serde_json::Value = serde_json::from_str(text).unwrap();
            match json.get("buildid") {
                Some(id) => ("json", id.as_str().unwrap().to_owned()),
                None => ("buildhub.json", json["build"]["id"].as_str().unwrap().to_owned()),
            }
        };
        assert!(id.len() == 14 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id} in {}", object.key);
        *forms.entry(form).or_default() += 1;
    }
    for form in ["two lines", "one line", "json", "buildhub.json"] {
        assert!(forms.contains_key(form), "{form}: {forms:?}");
    }
}

/// The folder in which a build's metadata lies, by the archive's rules: beside the `en-US` build of the plain platform,
/// for a release in its highest candidate, for a localised nightly in its base folder.
fn metadata_folder(key: &str, highest: &HashMap<(String, String), u32>) -> Option<String> {
    let pieces: Vec<&str> = key.split('/').collect();
    let plain = |platform: &str| platform.trim_end_matches("-EME-free").trim_end_matches("-sha1").to_owned();
    match pieces.as_slice() {
        ["pub", product, "candidates", version, build, platform, ..] => {
            Some(format!("pub/{product}/candidates/{version}/{build}/{}/en-US/", plain(platform)))
        }
        ["pub", product, "releases", version, platform, _, _] => {
            let build = highest.get(&((*product).to_owned(), (*version).to_owned()))?;
            Some(format!("pub/{product}/candidates/{version}-candidates/build{build}/{}/en-US/", plain(platform)))
        }
        ["pub", product, "nightly", year, month, folder, _] => {
            Some(format!("pub/{product}/nightly/{year}/{month}/{}/", folder.trim_end_matches("-l10n")))
        }
        _ => None,
    }
}

#[test]
fn builds_have_metadata_just_where_it_is_said() {
    let sample = Sample::new(SampleSpec::of(20_000));
    let objects: Vec<Object> = sample.objects().collect();
    let mut highest = HashMap::new();
    for object in &objects {
        let pieces: Vec<&str> = object.key.split('/').collect();
        if let ["pub", product, "candidates", version, build, ..] = pieces.as_slice()
            && let Some(number) = build.strip_prefix("build").and_then(|number| number.parse::<u32>().ok())
        {
            let version = version.trim_end_matches("-candidates").to_owned();
            let entry = highest.entry(((*product).to_owned(), version)).or_insert(number);
            *entry = number.max(*entry);
        }
    }
    let metadata: Vec<&str> =
        objects.iter().filter(|object| object.kind == Kind::Metadata).map(|object| object.key.as_str()).collect();
    for object in &objects {
        let Kind::Build { has_metadata } = object.kind else { continue };
        let platform = object
            .key
            .rsplit('.')
            .find(|piece| ["linux", "mac", "win", "android"].iter().any(|os| piece.starts_with(os)));
        let found = metadata_folder(&object.key, &highest).is_some_and(|folder| {
            metadata.iter().any(|key| {
                // A nightly's folder has the metadata of all platforms.
                key.strip_prefix(folder.as_str()).is_some_and(|name| {
                    !name.contains('/')
                        && (!folder.contains("/nightly/") || platform.is_some_and(|p| name.contains(&format!(".{p}."))))
                })
            })
        });
        assert_eq!(found, has_metadata, "{}", object.key);
    }
}

#[test]
fn its_inventory_is_written_as_s3_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(SampleSpec { rows: 2_000, seed: 1, parts: 3 });
    let inventory = Inventory::of("archive");
    sample.write_inventory(folder.path(), &inventory).unwrap();
    let delivery = "public/inventories/net-mozaws-prod-delivery-archive/delivery-archive/2030-11-15T00-00Z/";
    assert_eq!(inventory.delivery(), delivery);
    let text = std::fs::read_to_string(folder.path().join(delivery).join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["fileSchema"], "Bucket, Key, Size, LastModifiedDate, ETag");
    let mut rows = Vec::new();
    for file in manifest["files"].as_array().unwrap() {
        let bytes = std::fs::read(folder.path().join("public").join(file["key"].as_str().unwrap())).unwrap();
        assert_eq!(file["size"], bytes.len());
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        rows.extend(text.lines().map(str::to_owned));
    }
    assert_eq!(manifest["files"].as_array().unwrap().len(), 3);
    assert_eq!(rows.len(), 2_000);
    let start = "\"net-mozaws-prod-delivery-archive\",\"pub/";
    assert!(rows.iter().all(|row| row.starts_with(start) && row.split("\",\"").count() == 5));
    assert!(rows.iter().any(|row| row.contains("/Firefox+Setup+45.0.exe\"")));
    assert!(rows.iter().any(|row| row.contains("/Firefox+Setup+%281.5.0.1%2C+en-US%29.exe\"")));
    assert!(rows.iter().any(|row| row.contains("try-builds/user0%40mozilla.com-")));
}

#[test]
fn an_archive_of_files_has_the_samples_sizes_and_dates() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(SampleSpec::of(500));
    sample.write_archive(folder.path()).unwrap();
    for object in sample.objects() {
        let found = std::fs::metadata(folder.path().join(&object.key)).unwrap();
        let size = sample.metadata(&object.key).map_or(object.size, |body| body.bytes.len() as u64);
        assert_eq!(found.len(), size, "{}", object.key);
        assert_eq!(found.modified().unwrap(), std::time::SystemTime::from(object.last_modified), "{}", object.key);
    }
}
