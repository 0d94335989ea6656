//! A header of rpm: whatever it says, what is read of it lies inside it.
#![no_main]

use buildhub_environments::rpm::{Ceiling, File, Header, Scriptlet, capability};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let packed = [&[0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0][..], bytes].concat();
    if let Ok(header) = Header::read(&mut &*packed, Ceiling::MAIN) {
        let again = Header::parse(header.blob().to_vec(), Ceiling::MAIN);
        assert!(again.is_ok_and(|again| again.blob() == header.blob()));
        if let Ok(files) = File::all(&header) {
            for file in files {
                let _ = (file.kind(), capability::attribute(&file.capabilities));
            }
        }
        let _ = Scriptlet::all(&header).map(|scriptlets| scriptlets.len());
    }
});
