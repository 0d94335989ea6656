//! `buildhub.json`, a whole record: what is read is written and read again as the same.
#![no_main]

use buildhub_releases::{Products, Record, record_from_buildhub_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let key = "pub/firefox/releases/62.0/win64/en-US/buildhub.json";
    let Ok(record) = record_from_buildhub_json(key, body, Products::default()) else { return };
    let _ = record.check();
    let written = serde_json::to_vec(&record).unwrap();
    assert_eq!(serde_json::from_slice::<Record>(&written).unwrap(), record);
});
