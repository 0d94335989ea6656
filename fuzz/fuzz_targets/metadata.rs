//! Metadata files of every form: what is read has a build id, and comes back from the cache as it was.
#![no_main]

use buildhub_releases::Metadata;
use libfuzzer_sys::fuzz_target;

const KEYS: [&str; 4] = [
    "pub/firefox/candidates/60.0-candidates/build12/mac/en-US/firefox-60.0.json",
    "pub/firefox/nightly/2010/05/2010-05-01-03-mozilla-central/firefox-3.7a5pre.en-US.mac.txt",
    "pub/firefox/releases/62.0/win64/en-US/buildhub.json",
    "pub/firefox/releases/62.0/SHA256SUMS",
];

fuzz_target!(|input: (u8, &[u8])| {
    let (which, body) = input;
    let Ok(metadata) = Metadata::parse(KEYS[usize::from(which) % KEYS.len()], body) else { return };
    assert!(metadata.build.id.as_deref().is_some_and(|id| !id.is_empty() && !id.contains('\0')));
    let kept = serde_json::to_vec(&metadata).unwrap();
    assert_eq!(serde_json::from_slice::<Metadata>(&kept).unwrap(), metadata);
});
