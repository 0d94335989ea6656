//! What a function is called with.
#![no_main]

use buildhub_core::event::{Envelope, Message};
use buildhub_core::trigger::Trigger;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = serde_json::from_slice(bytes) else { return };
    let _ = Envelope::read(&payload);
    if let Ok(body) = str::from_utf8(bytes) {
        let _ = Message { id: String::new(), queue: String::new(), receives: 1, group: None, body: body.to_owned() }.read();
    }
    match Trigger::read(&payload) {
        Ok(Trigger::Inventory { folder, .. }) => assert!(folder.ends_with('/')),
        Ok(Trigger::Schedule | Trigger::Messages(_) | Trigger::Test) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
