//! What a function is called with.
#![no_main]

use buildhub_core::event::Envelope;
use buildhub_core::trigger::Trigger;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = serde_json::from_slice(bytes) else { return };
    let _ = Envelope::read(&payload);
    match Trigger::read(&payload) {
        Ok(Trigger::Inventory { folder, .. }) => assert!(folder.ends_with('/')),
        Ok(Trigger::Schedule | Trigger::Test) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
