//! `manifest.json` and its `fileSchema`.
#![no_main]

use buildhub_inventory::{Column, Manifest, Schema};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert!(manifest.size() >= manifest.parts.iter().map(|part| part.size).max().unwrap_or(0));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(schema) = Schema::parse(text)
    {
        assert!(schema.position(Column::Key).is_some());
    }
});
