//! The sample events, each through the handler, with an archive of the files they name.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use buildhub_core::{Deadline, Variables};
use buildhub_indexer::events::Handled;
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::s3::S3Server;
use buildhub_testkit::site::{ArchiveSite, Content, Failure};
use s3_event::{Answer, Context, Outcome, handle, handler};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Every sample, and what becomes of its events where the files are there.
const SAMPLES: [(&str, &[&str]); 11] = [
    ("eventbridge.json", &["stored"]),
    ("s3-buildhub-json.json", &["stored"]),
    ("s3-metadata.json", &["stored"]),
    ("s3-removal.json", &["ignored"]),
    ("s3-test.json", &["test"]),
    ("s3.json", &["stored"]),
    ("sns.json", &["stored"]),
    ("sqs-eventbridge.json", &["stored"]),
    ("sqs-poison.json", &["ignored", "refused", "stored", "stored", "test"]),
    ("sqs-sns.json", &["stored"]),
    ("sqs.json", &["stored"]),
];

struct World {
    kinto: KintoServer,
    site: ArchiveSite,
    folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = ArchiveSite::start(Content::folder(folder.path())).await.unwrap();
        Self { kinto: KintoServer::start(Backend::Memory).await.unwrap(), site, folder }
    }

    fn write(&self, key: &str, body: &str) {
        let path = self.folder.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }

    fn write_all(&self) {
        let build = json!({ "buildid": "20180503143129", "moz_source_stamp": "f03f0a7b4f1e",
                            "moz_source_repo": "https://hg.mozilla.org/releases/mozilla-release" });
        self.write("pub/firefox/candidates/60.0-candidates/build2/win32/en-US/firefox-60.0.json", &build.to_string());
        self.write("pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe", "archive");
        let folder = "pub/firefox/candidates/64.0-candidates/build3/mac/en-US";
        let url = format!("https://archive.mozilla.org/{folder}/Firefox 64.0.dmg");
        let record = json!({ "build": { "id": "20181204194213" }, "target": { "channel": "release" },
                             "source": { "revision": "02feb12d0f2c" },
                             "download": { "url": url, "size": 5, "date": "2018-12-04T20:00:00Z" } });
        self.write(&format!("{folder}/buildhub.json"), &record.to_string());
    }

    fn context(&self) -> Context {
        let variables = Variables::default().with("SERVER_URL", self.kinto.url()).with("ARCHIVE_URL", self.site.url());
        Context::from_variables(&variables).unwrap()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/s3-event")
}

fn sample(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn every_sample_becomes_what_its_name_says() {
    let world = World::new().await;
    world.write_all();
    let context = world.context();
    for (name, expected) in SAMPLES {
        let handling = handle(&sample(name), &context, Deadline::NONE).await.unwrap();
        let mut outcomes: Vec<_> = handling.items.iter().map(|item| item.outcome.name()).collect();
        outcomes.sort_unstable();
        assert_eq!(outcomes, expected, "{name}: {:?}", handling.items);
        assert!(!handling.must_be_retried(), "{name}");
    }
}

#[tokio::test]
async fn every_envelope_of_one_event_says_the_same() {
    let world = World::new().await;
    world.write_all();
    let context = world.context();
    let key = "pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe";
    for name in ["s3.json", "sns.json", "eventbridge.json", "sqs.json", "sqs-sns.json", "sqs-eventbridge.json"] {
        let handling = handle(&sample(name), &context, Deadline::NONE).await.unwrap();
        assert_eq!(handling.items.len(), 1, "{name}");
        assert_eq!(handling.items[0].key.as_deref(), Some(key), "{name}");
    }
}

#[test]
fn no_sample_is_left_untried() {
    let mut names: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, SAMPLES.map(|(name, _)| name));
}

#[tokio::test]
async fn a_queue_gets_back_only_what_must_come_again() {
    let mut world = World::new().await;
    world.write_all();
    let handling = handle(&sample("sqs-poison.json"), &world.context(), Deadline::NONE).await.unwrap();
    assert!(!handling.must_be_retried(), "{:?}", handling.items);
    let answer = handling.answer().unwrap();
    assert_eq!(serde_json::to_value(&answer).unwrap(), json!({ "batchItemFailures": [] }));
    // Without a store the two builds come again, and the others are still done with.
    world.kinto.stop().await.unwrap();
    let payload = sample("sqs-poison.json");
    let Answer::Batch(answer) = handler(payload.clone(), &world.context(), Deadline::NONE).await.unwrap() else {
        panic!("a batch is answered as one")
    };
    let id = |at: usize| payload["Records"][at]["messageId"].as_str().unwrap();
    assert_eq!(answer.failed().collect::<Vec<_>>(), [id(0), id(3)]);
}

#[tokio::test]
async fn an_event_without_a_queue_fails_the_invocation_when_it_must_come_again() {
    let mut world = World::new().await;
    world.kinto.stop().await.unwrap();
    let error = handler(sample("s3.json"), &world.context(), Deadline::NONE).await.unwrap_err();
    assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "Retry");
}

#[tokio::test]
async fn several_events_of_one_object_are_handled_once() {
    let world = World::new().await;
    world.write_all();
    let mut payload = sample("sqs.json");
    let mut again = payload["Records"][0].clone();
    again["messageId"] = json!("again");
    payload["Records"].as_array_mut().unwrap().push(again);
    let handling = handle(&payload, &world.context(), Deadline::NONE).await.unwrap();
    assert_eq!(handling.items.len(), 2);
    assert!(handling.items.iter().all(|item| item.outcome.name() == "stored"));
    assert_eq!(world.site.requests(), 3, "as for one");
}

#[tokio::test]
async fn an_archive_is_a_record_though_an_older_version_of_it_was_removed_after() {
    let world = World::new().await;
    world.write_all();
    let mut payload = sample("s3.json");
    let mut removal = payload["Records"][0].clone();
    removal["eventName"] = json!("ObjectRemoved:Delete");
    let mut tagging = payload["Records"][0].clone();
    tagging["eventName"] = json!("ObjectTagging:Put");
    for (event, sequencer) in [(&mut removal, "FF"), (&mut tagging, "FFF")] {
        event["s3"]["object"]["sequencer"] = json!(sequencer);
    }
    payload["Records"].as_array_mut().unwrap().extend([removal, tagging]);
    let handling = handle(&payload, &world.context(), Deadline::NONE).await.unwrap();
    let outcomes: Vec<_> = handling.items.iter().map(|item| item.outcome.name()).collect();
    assert_eq!(outcomes, ["stored"; 3], "{:?}", handling.items);
}

#[tokio::test]
async fn a_batch_whose_messages_cannot_be_told_apart_comes_again_whole() {
    let world = World::new().await;
    let mut payload = sample("sqs.json");
    payload["Records"][0].as_object_mut().unwrap().remove("messageId");
    assert!(handler(payload, &world.context(), Deadline::NONE).await.is_err());
}

#[tokio::test]
async fn without_another_the_archive_is_the_bucket_that_an_event_names() {
    let world = World::new().await;
    world.write_all();
    let s3 = S3Server::start().await.unwrap();
    s3.link_bucket("net-mozaws-prod-delivery-firefox", world.folder.path()).unwrap();
    let variables: Variables = s3.variables().into_iter().collect();
    let context = Context::from_variables(&variables.with("SERVER_URL", world.kinto.url())).unwrap();
    let handling = handle(&sample("sqs.json"), &context, Deadline::NONE).await.unwrap();
    assert_eq!(handling.items[0].outcome.name(), "stored", "{:?}", handling.items);
    assert_eq!(world.site.requests(), 0);
    // The record is of that object: its removal is its own.
    std::fs::remove_file(world.folder.path().join("pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe"))
        .unwrap();
    let variables: Variables = s3.variables().into_iter().collect();
    let variables = variables.with("SERVER_URL", world.kinto.url()).with("REMOVE_DELETED", "true");
    let context = Context::from_variables(&variables).unwrap();
    let handling = handle(&sample("s3-removal.json"), &context, Deadline::NONE).await.unwrap();
    assert_eq!(handling.items[0].outcome, Outcome::Handled(Handled::Removed { records: 1 }));
    // A bucket that is not there is a fault of somebody's settings: the event is kept until it is mended.
    let elsewhere = json!({ "Records": [{ "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "not-there" }, "object": { "key": "pub/firefox/releases/60.0/win32/fr/Firefox+Setup+60.0.exe" } } }] });
    assert_eq!(handle(&elsewhere, &context, Deadline::NONE).await.unwrap().items[0].outcome.name(), "retry");
}

#[tokio::test]
async fn a_slow_item_comes_again_alone() {
    let world = World::new().await;
    world.write_all();
    world.site.fail("/pub/firefox/releases/60.0/win32/fr/", Failure::Slow(Duration::from_hours(1)));
    let mut payload = sample("sqs.json");
    let slow = payload["Records"][0]["messageId"].as_str().unwrap().to_owned();
    let mut quick = payload["Records"][0].clone();
    quick["messageId"] = json!("quick");
    quick["body"] = json!(sample("s3-buildhub-json.json").to_string());
    payload["Records"].as_array_mut().unwrap().push(quick);
    let deadline = Deadline::after(Duration::from_secs(15));
    let handling = handle(&payload, &world.context(), deadline).await.unwrap();
    let outcome = |message: &str| {
        let item = handling.items.iter().find(|item| item.message.as_deref() == Some(message)).unwrap();
        item.outcome.name()
    };
    assert_eq!((outcome("quick"), outcome(&slow)), ("stored", "retry"));
    let Answer::Batch(answer) = handling.answer().unwrap() else { panic!("a batch is answered as one") };
    assert_eq!(answer.failed().collect::<Vec<_>>(), [slow]);
}
