//! The function answers its queue message by message, and a schedule with what it swept.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::time::Duration;

use archiver_worker::{Context, handler};
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::task::{Subject, Task, Tasks};
use buildhub_core::{Deadline, Variables};
use buildhub_testkit::moto::{Moto, Queue, QueueSettings};
use buildhub_testkit::source::{Archive, SourceServer};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

const KEY: &str = "projects/ash-42bf8560b395.tar.gz";
const ID: &str = "projects_ash-42bf8560b395.tar.gz";

fn batch(bodies: &[&str]) -> Value {
    let record = |(number, body): (usize, &&str)| {
        json!({ "messageId": number.to_string(), "body": body, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:archiver", "attributes": {} })
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

fn schedule() -> Value {
    json!({ "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": {} })
}

async fn answer(context: &Context, payload: Value, deadline: Deadline) -> Value {
    serde_json::to_value(handler(payload, context, deadline).await.unwrap()).unwrap()
}

async fn settings(moto: &Moto, source: &SourceServer) -> (Variables, Queue) {
    for bucket in ["east", "west"] {
        moto.create_bucket(bucket).await.unwrap();
    }
    let queue = moto.create_queue("archiver", &QueueSettings::default()).await.unwrap();
    let variables: Variables = moto.variables().into_iter().collect();
    let variables = variables
        .with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west")
        .with("ARCHIVER_HGMO_URL_TEMPLATE", source.template())
        .with("ARCHIVER_QUEUE_URL", &queue.url);
    (variables, queue)
}

async fn create(variables: &Variables, source: &SourceServer, asked: Timestamp) {
    let settings = ArchiverSettings::from_variables(variables).unwrap();
    let subject = Subject { source: "hgmo".into(), url: source.url(), key: KEY.into(), suffix: "tar.gz".into() };
    let task = Task::new(ID, subject, asked);
    assert!(Tasks::new(settings.tasks_store().await).create(&task).await.unwrap());
}

#[tokio::test]
async fn each_message_is_answered_for_by_itself() {
    let moto = Moto::start().await.unwrap();
    let source = SourceServer::start(Archive::gzip(50_000)).await.unwrap();
    let (variables, _queue) = settings(&moto, &source).await;
    create(&variables, &source, Timestamp::now()).await;
    moto.put_object("east", ".tasks/spoilt.json", "{").await.unwrap();
    let context = Context::from_variables(&variables).unwrap();
    let good = format!(r#"{{"task":"{ID}","generation":1}}"#);
    let spoilt = r#"{"task":"spoilt","generation":1}"#;
    let unknown = r#"{"task":"unknown","generation":1}"#;
    let late = answer(&context, batch(&[&good]), Deadline::after(Duration::from_secs(5))).await;
    assert_eq!(
        late,
        json!({ "batchItemFailures": [{ "itemIdentifier": "0" }] }),
        "what there is no time for comes again"
    );
    let all = answer(&context, batch(&["no order", spoilt, unknown, &good]), Deadline::NONE).await;
    assert_eq!(all, json!({ "batchItemFailures": [] }), "what never can be done is dropped");
    for bucket in ["east", "west"] {
        assert_eq!(moto.object_keys(bucket, "projects/").await.unwrap(), [KEY]);
    }
    assert_eq!(source.requests(), 1);
}

#[tokio::test]
async fn a_schedules_turn_looks_at_tasks_and_leaves_alone_what_was_just_written() {
    let moto = Moto::start().await.unwrap();
    let source = SourceServer::start(Archive::gzip(50_000)).await.unwrap();
    let (variables, queue) = settings(&moto, &source).await;
    create(&variables, &source, Timestamp::now() - 1.hour()).await;
    let context = Context::from_variables(&variables).unwrap();
    // What was written in the last minute is left alone.
    let swept = answer(&context, schedule(), Deadline::NONE).await;
    assert_eq!((&swept["seen"], &swept["sent"]), (&json!(1), &json!(0)));
    assert_eq!(moto.counts(&queue).await.unwrap().visible, 0);
}

/// As Lambda sends them, each is understood to its last word.
#[tokio::test]
async fn the_samples_are_a_message_that_brings_its_archive_and_a_turn_that_sweeps() {
    let moto = Moto::start().await.unwrap();
    let source = SourceServer::start(Archive::gzip(50_000)).await.unwrap();
    let (variables, _queue) = settings(&moto, &source).await;
    let sample = |name: &str| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/archiver-worker");
        serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let (id, key) = (format!("{ID}_testing_mozharness"), format!("{KEY}/testing/mozharness"));
    let subject = Subject { source: "hgmo".into(), url: source.url(), key: key.clone(), suffix: "tar.gz".into() };
    let tasks = Tasks::new(ArchiverSettings::from_variables(&variables).unwrap().tasks_store().await);
    assert!(tasks.create(&Task::new(&id, subject, Timestamp::now())).await.unwrap());
    let context = Context::from_variables(&variables).unwrap();
    assert_eq!(answer(&context, sample("sqs.json"), Deadline::NONE).await, json!({ "batchItemFailures": [] }));
    for bucket in ["east", "west"] {
        assert_eq!(moto.object_keys(bucket, "projects/").await.unwrap(), [key.as_str()]);
    }
    let swept = answer(&context, sample("schedule.json"), Deadline::NONE).await;
    assert_eq!((&swept["seen"], &swept["faults"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn what_is_neither_is_refused_with_its_kind() {
    let variables = Variables::default().with("ARCHIVER_S3_BUCKETS", "us-east-1=east");
    let error = Context::from_variables(&variables).unwrap_err().to_string();
    assert!(error.starts_with("ARCHIVER_QUEUE_URL is not set"), "{error}");
    let context = Context::from_variables(&variables.with("ARCHIVER_QUEUE_URL", "http://localhost:1/q")).unwrap();
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
    for payload in [json!({ "other": 1 }), test] {
        let error = handler(payload, &context, Deadline::NONE).await.unwrap_err();
        assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "Trigger");
    }
}
