//! Classifying keys and making ids and records of them, over a mix as archives have it: about 14 % builds.
//!
//! `cargo bench -p buildhub-releases --bench classify`; criterion prints keys a second.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a benchmark, not the product")]

use std::hint::black_box;

use buildhub_releases::{Facts, Key, Metadata, Products, classify};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LOCALES: [&str; 12] =
    ["en-US", "ach", "ar", "bn-BD", "de", "es-MX", "fr", "fy-NL", "ja-JP-mac", "pt-BR", "zh-CN", "zh-TW"];

fn builds() -> Vec<String> {
    let mut keys = Vec::new();
    for (index, locale) in LOCALES.iter().enumerate() {
        let day = index + 10;
        let nightly = format!("pub/firefox/nightly/2018/11/2018-11-{day}-10-00-51-mozilla-central-l10n");
        keys.push(format!("{nightly}/firefox-65.0a1.{locale}.linux-x86_64.tar.bz2"));
        keys.push(format!("{nightly}/firefox-65.0a1.{locale}.win32.installer.exe"));
        keys.push(format!(
            "pub/firefox/candidates/60.0.{index}-candidates/build2/mac/{locale}/Firefox 60.0.{index}.dmg"
        ));
        keys.push(format!("pub/thunderbird/releases/52.0b{index}/win64/{locale}/Thunderbird Setup 52.0b{index}.exe"));
        keys.push(format!(
            "pub/mobile/nightly/2018/11/2018-11-{day}-09-50-06-mozilla-central-android-api-16-l10n/fennec-65.0a1.{locale}.android-arm.apk"
        ));
    }
    keys
}

/// What stands beside builds, each key refused at another step.
fn others() -> Vec<String> {
    let mut keys = Vec::new();
    for locale in LOCALES {
        let nightly = "pub/firefox/nightly/2018/11/2018-11-11-07-50-16-mozilla-central-l10n";
        for end in ["win64.zip", "mac.checksums", "win32.complete.mar", "linux-i686.langpack.xpi", "mac.dmg.asc"] {
            keys.push(format!("{nightly}/firefox-65.0a1.{locale}.{end}"));
        }
        let candidate = format!("pub/firefox/candidates/45.0b7-candidates/build2/win32/{locale}");
        for end in ["awsy.tests.zip", "mozinfo.json", "test_packages.json", "txt", "sdk.tar.bz2"] {
            keys.push(format!("{candidate}/firefox-45.0b7.{end}"));
        }
        keys.push(format!("pub/firefox/releases/45.0b7/update/mac/{locale}/firefox-44.0b9-45.0b7.partial.mar"));
        keys.push(format!(
            "pub/firefox/tinderbox-builds/mozilla-inbound-linux64/1502420068/firefox-35.0a1.{locale}.zip"
        ));
        keys.push(format!("pub/firefox/nightly/latest-mozilla-central-l10n/firefox-65.0a1.{locale}.mac.dmg"));
        keys.push(format!("pub/firefox/nightly/2016/06/2016-06-08-06-07-20-date-l10n/firefox-50.0a1.{locale}.mac.dmg"));
        keys.push(format!("pub/calendar/lightning/2017-05-05/2d919a0bdee5/lightning-5.{locale}.linux-x86_64.tar.bz2"));
    }
    keys
}

fn mix() -> Vec<String> {
    let (builds, others) = (builds(), others());
    let mut keys = Vec::new();
    // Six others to one build, spread as an inventory in key order never is: no branch can be learnt by heart.
    for (index, build) in builds.iter().enumerate() {
        keys.push(build.clone());
        keys.extend((0..6).map(|step| others[(index * 37 + step * 61) % others.len()].clone()));
    }
    keys
}

fn classifying(c: &mut Criterion) {
    let products = Products::default();
    let keys = mix();
    let mut group = c.benchmark_group("mix of 14 % builds");
    group.throughput(Throughput::Elements(keys.len() as u64));
    group.bench_function("classify", |b| {
        b.iter(|| keys.iter().filter(|key| matches!(classify(black_box(key), products), Key::Archive(_))).count());
    });
    group.bench_function("classify and id", |b| {
        let mut id = String::new();
        b.iter(|| {
            for key in &keys {
                if let Key::Archive(archive) = classify(black_box(key), products) {
                    id.clear();
                    archive.write_id(&mut id);
                    black_box(&id);
                }
            }
        });
    });
    group.finish();

    let builds = builds();
    let mut group = c.benchmark_group("builds only");
    group.throughput(Throughput::Elements(builds.len() as u64));
    group.bench_function("classify and id", |b| {
        let mut id = String::new();
        b.iter(|| {
            for key in &builds {
                if let Key::Archive(archive) = classify(black_box(key), products) {
                    id.clear();
                    archive.write_id(&mut id);
                    black_box(&id);
                }
            }
        });
    });
    group.bench_function("classify, rank and metadata addresses", |b| {
        b.iter(|| {
            for key in &builds {
                if let Key::Archive(archive) = classify(black_box(key), products) {
                    black_box((archive.rank(), archive.metadata_keys(Some(2))));
                }
            }
        });
    });
    let body = br#"{"buildid": "20180101020304", "moz_source_stamp": "9c38c43e06ecb42ead8cc8735136ebf905b00be4",
        "moz_source_repo": "https://hg.mozilla.org/releases/mozilla-release", "moz_update_channel": "release"}"#;
    let metadata = Metadata::parse("firefox-60.0.json", body).unwrap();
    let facts = Facts { archive_url: "https://archive.mozilla.org/", size: 1, date: jiff::Timestamp::UNIX_EPOCH };
    group.bench_function("classify and record", |b| {
        b.iter(|| {
            for key in &builds {
                if let Key::Archive(archive) = classify(black_box(key), products) {
                    black_box(archive.record(&facts, Some(&metadata)));
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, classifying);
criterion_main!(benches);
