//! Keys of an archive: whatever they are, what is said of them agrees with itself.
#![no_main]

use buildhub_releases::{Facts, Key, Product, Products, classify, rank_of_url};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const URL: &str = "https://archive.mozilla.org/";

fuzz_target!(|key: &str| {
    let products: Products = Product::ALL.into_iter().collect();
    match classify(key, products) {
        Key::Archive(archive) => {
            let id = archive.id();
            assert_eq!(id, id.to_ascii_lowercase());
            assert!(archive.metadata_keys(Some(3)).len() <= 4);
            assert!(archive.metadata_keys(None).len() <= 4);
            let facts = Facts { archive_url: URL, size: 1, date: Timestamp::UNIX_EPOCH };
            let record = archive.record(&facts, None);
            assert_eq!(record.id, id);
            assert_eq!(record.download.url, format!("{URL}{key}"));
            // Without metadata there is no build id, and never a record.
            assert!(record.check().is_err());
            if key.rfind("/pub/").is_none() {
                assert_eq!(rank_of_url(&record.download.url), archive.rank());
            }
        }
        Key::Metadata(metadata) => {
            assert_eq!(metadata.key, key);
            assert!(metadata.folders().iter().all(|folder| folder.ends_with('/')));
        }
        Key::Other(reason) => assert!(!reason.as_str().is_empty()),
    }
});
