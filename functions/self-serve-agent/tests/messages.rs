//! The function answers its queue message by message, and a schedule with what it swept.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;
use std::time::Duration;

use buildhub_core::{Deadline, Variables};
use buildhub_kinto::{Client, ClientSettings};
use buildhub_self_serve::action::Action;
use buildhub_self_serve::jobs::{Asked, Job, Jobs};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::moto::{Moto, QueueSettings};
use self_serve_agent::{Context, handler};
use serde_json::{Value, json};

fn event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/self-serve-agent").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A batch of messages, each of a group.
fn batch(messages: &[(&str, String)]) -> Value {
    let mut batch = event("sqs.json");
    let like = batch["Records"][0].clone();
    let record = |(number, (group, body)): (usize, &(&str, String))| {
        let mut record = like.clone();
        record["messageId"] = json!(number.to_string());
        record["body"] = json!(body);
        record["attributes"]["MessageGroupId"] = json!(group);
        record
    };
    batch["Records"] = messages.iter().enumerate().map(record).collect();
    batch
}

async fn answer(context: &Context, payload: Value, deadline: Deadline) -> Value {
    serde_json::to_value(handler(payload, context, deadline).await.unwrap()).unwrap()
}

/// Without a master: what asks it for something comes again.
fn variables() -> Variables {
    Variables::default()
        .with("BUILDBOT_URL", "http://127.0.0.1:1/")
        .with("BRANCHES_URL", "/nowhere/branches.json")
        .with("NB_RETRY_REQUEST", "0")
        .with("NO_PROXY", "127.0.0.1")
}

#[tokio::test]
async fn what_is_behind_a_message_that_comes_again_comes_again_too_and_other_groups_do_not_wait() {
    let (kinto, moto) = tokio::join!(KintoServer::start(Backend::Memory), Moto::start());
    let (kinto, moto) = (kinto.unwrap(), moto.unwrap());
    let queue =
        moto.create_queue("jobs.fifo", &QueueSettings { fifo: true, ..QueueSettings::default() }).await.unwrap();
    let mut all: Variables = moto.variables().into_iter().collect();
    for (name, value) in [("SERVER_URL", kinto.url()), ("SELF_SERVE_QUEUE_URL", queue.url.clone())] {
        all = all.with(name, value);
    }
    for name in ["BUILDBOT_URL", "BRANCHES_URL", "NB_RETRY_REQUEST", "NO_PROXY"] {
        all = all.with(name, variables().get(name).unwrap());
    }
    let context = Context::from_variables(&all).unwrap();

    // A schedule's turn makes what there has to be, though the master is away.
    let swept = answer(&context, event("schedule.json"), Deadline::NONE).await;
    assert_eq!((&swept["open"], &swept["sent"], &swept["faults"]), (&json!(0), &json!(0), &json!(1)));
    let settings = ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    let jobs = Jobs::new(&Client::new(&settings).unwrap(), "self-serve").unwrap();
    let ask = async |brid| match jobs.ask(Action::CancelRequest { brid }, "alice", 1, None).await.unwrap() {
        Asked::New(job) => job,
        other => panic!("{other:?}"),
    };
    let message = |job: &Job| json!({ "job": job.number }).to_string();
    let (over, first, second) = (ask(1).await, ask(2).await, ask(2).await);
    jobs.complete(over.number, false, "Ok", 2).await.unwrap();

    let messages = [
        ("a", message(&over)),
        ("b", message(&first)),
        ("b", message(&second)),
        ("b", message(&over)),
        ("c", "no job".to_owned()),
        ("c", json!({ "job": 9999 }).to_string()),
        ("c", message(&over)),
    ];
    let failures = answer(&context, batch(&messages), Deadline::NONE).await;
    let failures: Vec<_> = failures["batchItemFailures"].as_array().unwrap().clone();
    let failures: Vec<_> = failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
    assert_eq!(failures, ["1", "2", "3"], "what is behind one that fails is not worked on before it");
    let trouble = async |job: &Job| jobs.find(job.number).await.unwrap().unwrap().trouble;
    assert!(trouble(&first).await.is_some());
    assert_eq!(trouble(&second).await, None, "it was not begun");

    let late = answer(&context, batch(&messages[..1]), Deadline::after(Duration::from_secs(5))).await;
    assert_eq!(late, json!({ "batchItemFailures": [{ "itemIdentifier": "0" }] }), "there is no time for it");
}

#[tokio::test]
async fn what_is_neither_is_refused_with_its_kind_and_what_is_not_set_by_its_name() {
    let error = Context::from_variables(&variables()).unwrap_err().to_string();
    assert!(error.starts_with("SELF_SERVE_QUEUE_URL is not set"), "{error}");
    let context = Context::from_variables(&variables().with("SELF_SERVE_QUEUE_URL", "http://localhost:1/q")).unwrap();
    for payload in [json!({ "other": 1 }), json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" })] {
        let error = handler(payload, &context, Deadline::NONE).await.unwrap_err();
        assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "Trigger");
    }
}
