//! Keys as S3 encodes them: a key encoded as a form does comes back as it was, and nothing panics.
#![no_main]

use buildhub_core::ObjectKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = ObjectKey::form_encoded(text) {
        assert!(key.as_str().len() <= text.len());
    }
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(ObjectKey::form_encoded(&encoded).unwrap().as_str(), text);
});
