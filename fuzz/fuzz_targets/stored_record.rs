//! What a store has, which others may have written: whatever it is, it has a place in the index.
#![no_main]

use buildhub_indexer::ready::entry_of;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    let entry = entry_of("id", 7, json);
    assert_eq!(entry, entry_of("id", 7, json));
});
