//! What costs no memory. Six in seven keys of an archive are no builds; to say so must be free.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "what is not as said fails the test")]

mod common;

use allocation_counter::measure;
use buildhub_releases::{Key, Product, Products, classify};
use common::{archive, every_product, table};

#[test]
fn nothing_is_allocated_to_say_that_a_key_is_no_build() {
    let products: Products = Product::ALL.into_iter().collect();
    for line in table("no-builds.tsv", 2) {
        let key = &line[1];
        let count = measure(|| assert!(matches!(classify(key, products), Key::Other(_)))).count_total;
        assert_eq!(count, 0, "{key}");
    }
}

#[test]
fn nothing_is_allocated_to_see_that_a_key_is_metadata_or_an_ordinary_build() {
    for key in [
        "pub/firefox/candidates/59.0b3-candidates/build2/mac/en-US/firefox-59.0b3.json",
        "pub/firefox/candidates/59.0b3-candidates/build2/mac/ja-JP-mac/Firefox 59.0b3.dmg",
        "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central-l10n/firefox-65.0a1.az.win64.installer.exe",
    ] {
        let count = measure(|| assert!(!matches!(classify(key, every_product()), Key::Other(_)))).count_total;
        assert_eq!(count, 0, "{key}");
    }
}

#[test]
fn an_id_is_written_into_memory_that_is_there() {
    let archive = archive("pub/firefox/candidates/59.0b3-candidates/build2/mac/fr/Firefox 59.0b3.dmg");
    let mut id = String::with_capacity(128);
    assert_eq!(measure(|| archive.write_id(&mut id)).count_total, 0);
    assert_eq!(id, "firefox_beta_59-0b3rc2_macosx_fr");
}
