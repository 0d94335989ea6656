//! The function answers payloads of HTTP APIs and function URLs: each of the samples in `events/self-serve-api`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use buildhub_core::{Deadline, Variables};
use buildhub_kinto::{Client, ClientSettings};
use buildhub_self_serve::settings::Connections;
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::moto::{Moto, QueueSettings};
use self_serve_api::{Context, handler};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Each sample, and what is answered where the store has nothing and the master is away.
const SAMPLES: [(&str, u16); 9] = [
    ("cancel.json", 403),
    ("day.json", 200),
    ("function-url.json", 200),
    ("master.json", 503),
    ("new-builds.json", 202),
    ("nobody.json", 401),
    ("other-site.json", 403),
    ("page.json", 200),
    ("rebuild.json", 503),
];

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/self-serve-api")
}

#[test]
fn no_sample_is_left_untried() {
    let there: BTreeSet<String> =
        samples().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, SAMPLES.map(|(name, _)| name.to_owned()).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_answered_and_what_is_asked_for_is_a_message() {
    let (moto, kinto) = tokio::join!(Moto::start(), KintoServer::start(Backend::Memory));
    let (moto, kinto) = (moto.unwrap(), kinto.unwrap());
    let queue =
        moto.create_queue("jobs.fifo", &QueueSettings { fifo: true, ..QueueSettings::default() }).await.unwrap();
    moto.create_bucket("config").await.unwrap();
    let branches = json!({ "mozilla-central": { "repo": "https://hg.example/mozilla-central" }, "try": {} });
    moto.put_object("config", "branches.json", branches.to_string()).await.unwrap();
    let variables: Variables = moto.variables().into_iter().collect();
    let variables = variables
        .with("SERVER_URL", kinto.url())
        .with("AUTH", "user:pass")
        .with("SELF_SERVE_QUEUE_URL", &queue.url)
        .with("BUILDBOT_URL", "http://127.0.0.1:9/")
        .with("NB_RETRY_REQUEST", "0")
        .with("BRANCHES_URL", "s3://config/branches.json")
        .with("SELF_SERVE_IDENTITY", "claims")
        .with("SELF_SERVE_EVENTS_AUTH", "events:push");
    let store = Connections::from_variables(&variables).unwrap().store;
    let settings = ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    Client::new(&settings).unwrap().initialise(&store.manifest().unwrap()).await.unwrap();
    let context = Context::from_variables(&variables).unwrap();

    for (name, status) in SAMPLES {
        let payload: Value = serde_json::from_slice(&std::fs::read(samples().join(name)).unwrap()).unwrap();
        let answer = serde_json::to_value(handler(payload, &context, Deadline::NONE).await.unwrap()).unwrap();
        assert_eq!(answer["statusCode"], status, "{name}: {answer}");
    }
    let deliveries = moto.receive(&queue, 10).await.unwrap();
    let bodies: Vec<_> = deliveries.iter().map(|delivery| delivery.body.as_str()).collect();
    assert_eq!(bodies, [r#"{"job":1}"#], "new-builds.json is all that was taken up");
}

#[tokio::test]
async fn what_is_no_request_is_an_error_that_says_what_to_set() {
    let variables = Variables::default()
        .with("SELF_SERVE_QUEUE_URL", "http://127.0.0.1:9/jobs.fifo")
        .with("BUILDBOT_URL", "http://127.0.0.1:9/")
        .with("BRANCHES_URL", "branches.json");
    let context = Context::from_variables(&variables).unwrap();
    let error = handler(json!({ "Records": [] }), &context, Deadline::NONE).await.unwrap_err();
    assert!(error.to_string().contains("PayloadFormatVersion 2.0"), "{error}");
    for missing in ["SELF_SERVE_QUEUE_URL", "BUILDBOT_URL", "BRANCHES_URL"] {
        let error = Context::from_variables(&variables.clone().without(missing)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{missing} is not set")), "{error}");
    }
}

/// A store that takes what it is sent, and never answers.
async fn silent() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let taking = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    (address, taking)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_answers_is_told_of_before_the_time_is_over() {
    let (server, taking) = silent().await;
    let folder = tempfile::tempdir().unwrap();
    let branches = folder.path().join("branches.json");
    std::fs::write(&branches, r#"{"mozilla-central": {}, "try": {}}"#).unwrap();
    let variables = Variables::default()
        .with("SERVER_URL", server)
        .with("SELF_SERVE_QUEUE_URL", "http://127.0.0.1:9/jobs.fifo")
        .with("BUILDBOT_URL", "http://127.0.0.1:9/")
        .with("BRANCHES_URL", branches.to_str().unwrap())
        .with("SELF_SERVE_IDENTITY", "claims")
        .with("SELF_SERVE_EVENTS_AUTH", "events:push");
    let context = Context::from_variables(&variables).unwrap();
    // The last two seconds belong to the answer. The store's own client has patience for half a minute, and that four times.
    for (name, expected) in [
        ("day.json", "does not answer in time; ask again"),
        ("rebuild.json", "it may be stored; ask again, with the same Idempotency-Key"),
        ("new-builds.json", "it may be stored; ask again, with the same Idempotency-Key"),
        ("page.json", "<h1>503 Service Unavailable</h1>"),
    ] {
        let payload: Value = serde_json::from_slice(&std::fs::read(samples().join(name)).unwrap()).unwrap();
        let deadline = Deadline::after(Duration::from_millis(2_200));
        let answer = serde_json::to_value(handler(payload, &context, deadline).await.unwrap()).unwrap();
        assert!(deadline.remaining() > Some(Duration::ZERO), "{name}: it was too late");
        assert_eq!(
            (&answer["statusCode"], &answer["headers"]["retry-after"]),
            (&json!(503), &json!("5")),
            "{name}: {answer}"
        );
        let body = answer["body"].as_str().unwrap();
        assert!(body.contains(expected), "{name}: {body}");
        if let Ok(said) = serde_json::from_str::<Value>(body) {
            assert_eq!(said["status"], "FAILED", "{name}");
        }
    }
    taking.abort();
}
