//! The sample events, each read as the handler reads it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use buildhub_core::trigger::Trigger;
use buildhub_indexer::fanout::message::Job;
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
        ("s3-test.json", Trigger::Test),
        ("schedule.json", Trigger::Schedule),
    ]
}

/// Every sample of a run's own queues, and whether a job is what its name says.
type Step = (&'static str, fn(&Job) -> bool);
const STEPS: [Step; 3] = [
    ("sqs-batch.json", |job| matches!(job, Job::Batch(batch) if batch.records.len() == 1)),
    ("sqs-finish.json", |job| matches!(job, Job::Finish(_))),
    ("sqs-part.json", |job| matches!(job, Job::Part(part) if (part.number, part.hop) == (0, 0))),
];

fn sample(name: &str) -> Trigger {
    let payload: Value = serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap();
    Trigger::read(&payload).unwrap()
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/s3-inventory")
}

#[test]
fn every_sample_event_starts_what_its_name_says() {
    for (name, expected) in samples() {
        assert_eq!(sample(name), expected, "{name}");
    }
}

#[test]
fn every_sample_message_is_the_step_that_its_name_says() {
    for (name, is_it) in STEPS {
        let Trigger::Messages(messages) = sample(name) else { panic!("{name} is no batch of messages") };
        let [message] = &*messages else { panic!("{name} has {} messages", messages.len()) };
        assert!(is_it(&Job::parse(&message.body).unwrap()), "{name}");
    }
}

#[test]
fn no_sample_event_is_left_untried() {
    let mut names: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    let mut tried: Vec<_> = samples().into_iter().map(|(name, _)| name).chain(STEPS.map(|(name, _)| name)).collect();
    tried.sort_unstable();
    assert_eq!(names, tried);
}
