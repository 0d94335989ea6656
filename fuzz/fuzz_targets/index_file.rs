//! The kept index: as it is, and with a checksum that holds, so that what lies behind it is reached.
#![no_main]

use buildhub_indexer::fact::IdHash;
use buildhub_indexer::index::Index;
use libfuzzer_sys::fuzz_target;

const STORE: u64 = 0;

fn read(bytes: &[u8]) {
    if let Ok(mut index) = Index::from_bytes(bytes, STORE) {
        let _ = index.get(IdHash(1));
        assert_eq!(&index.to_bytes(STORE)[..], bytes);
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut sealed = b"BHINDEX\x01".to_vec();
    sealed.extend_from_slice(&STORE.to_le_bytes());
    sealed.extend_from_slice(bytes);
    let checksum = crc32fast::hash(&sealed);
    sealed.extend_from_slice(&checksum.to_le_bytes());
    read(&sealed);
});
