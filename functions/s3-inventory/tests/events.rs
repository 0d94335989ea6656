//! The sample events, each through the handler.

use buildhub_core::trigger::Trigger;
use serde_json::Value;

/// Every sample, and what it starts.
fn samples() -> Vec<(&'static str, Trigger)> {
    let inventory = Trigger::Inventory {
        bucket: "net-mozaws-prod-delivery-inventory-us-east-1".into(),
        folder: "public/inventories/net-mozaws-prod-delivery-firefox/delivery-firefox/2018-06-01T04-00Z/".into(),
    };
    vec![
        ("object-created-eventbridge.json", inventory.clone()),
        ("object-created-s3.json", inventory),
        ("schedule.json", Trigger::Schedule),
    ]
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/s3-inventory")
}

#[test]
fn every_sample_event_starts_what_its_name_says() {
    for (name, expected) in samples() {
        let payload: Value = serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap();
        assert_eq!(Trigger::read(&payload).unwrap(), expected, "{name}");
    }
}

#[test]
fn no_sample_event_is_left_untried() {
    let mut names: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, samples().into_iter().map(|(name, _)| name).collect::<Vec<_>>());
}
