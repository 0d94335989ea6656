//! The function answers payloads of HTTP APIs and function URLs, in their own format.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use archiver_api::{Context, handler};
use buildhub_core::{Deadline, Variables};
use buildhub_testkit::moto::{Moto, QueueSettings};
use serde_json::{Value, json};

const HOST: &str = "x.execute-api.us-east-1.amazonaws.com";

/// A payload as an HTTP API with a stage sends it.
fn payload(method: &str, path: &str, query: &str) -> Value {
    let path = format!("/prod{path}");
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": { "accept": "*/*", "host": HOST },
        "requestContext": { "domainName": HOST, "http": { "method": method, "path": path }, "requestId": "one",
            "stage": "prod" },
        "isBase64Encoded": false
    })
}

async fn ask(context: &Context, payload: Value) -> Value {
    serde_json::to_value(handler(payload, context, Deadline::NONE).await.unwrap()).unwrap()
}

/// The story's beginning: 202 and a message, then a redirect once the object is there.
#[tokio::test]
async fn an_archive_is_asked_for_waited_for_and_there() {
    let moto = Moto::start().await.unwrap();
    for bucket in ["east", "west"] {
        moto.create_bucket(bucket).await.unwrap();
    }
    let queue = moto.create_queue("archiver", &QueueSettings::default()).await.unwrap();
    let variables: Variables = moto.variables().into_iter().collect();
    let variables =
        variables.with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west").with("ARCHIVER_QUEUE_URL", &queue.url);
    let context = Context::from_variables(&variables).unwrap();
    let (path, query) = ("/archiver/hgmo/projects/ash/42bf8560b395", "subdir=testing%2Fmozharness");
    let id = "projects_ash-42bf8560b395.tar.gz_testing_mozharness";

    let answer = ask(&context, payload("GET", path, query)).await;
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(202), &json!(r#"{"result":{},"request_id":"one"}"#)));
    let status = format!("/archiver/status/{id}");
    assert_eq!(answer["headers"]["location"], json!(format!("https://{HOST}/prod{status}")));
    let deliveries = moto.receive(&queue, 10).await.unwrap();
    let bodies: Vec<_> = deliveries.iter().map(|delivery| delivery.body.as_str()).collect();
    assert_eq!(bodies, [format!(r#"{{"task":"{id}","generation":1}}"#)]);
    let answer = ask(&context, payload("GET", &status, "")).await;
    assert_eq!(answer["statusCode"], 200);
    assert!(answer["body"].as_str().unwrap().starts_with(r#"{"result":{"state":"PENDING""#), "{answer}");

    moto.put_object("west", "projects/ash-42bf8560b395.tar.gz/testing/mozharness", "archive").await.unwrap();
    let answer = ask(&context, payload("HEAD", path, query)).await;
    assert_eq!((&answer["statusCode"], &answer["body"]), (&json!(302), &json!("")));
    assert!(answer["headers"]["location"].as_str().unwrap().contains("X-Amz-Signature="), "{answer}");
}

#[tokio::test]
async fn what_is_no_request_is_an_error_with_its_kind() {
    let variables = Variables::default().with("ARCHIVER_S3_BUCKETS", "us-east-1=east");
    let error = Context::from_variables(&variables).unwrap_err().to_string();
    assert!(error.starts_with("ARCHIVER_QUEUE_URL is not set"), "{error}");
    let context = Context::from_variables(&variables.with("ARCHIVER_QUEUE_URL", "http://localhost:1/q")).unwrap();
    let error = handler(json!({ "Records": [] }), &context, Deadline::NONE).await.unwrap_err();
    assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "Payload");
}

/// Each sample, and what is answered where nothing is there.
const SAMPLES: [(&str, u16); 7] = [
    ("browser.json", 200),
    ("function-url.json", 202),
    ("head.json", 202),
    ("http-api.json", 202),
    ("preflight.json", 204),
    ("refused.json", 400),
    ("status.json", 200),
];

#[tokio::test]
async fn every_sample_is_answered_of_http_apis_and_function_urls() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/archiver-api");
    let there: std::collections::BTreeSet<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, SAMPLES.map(|(name, _)| name.to_owned()).into());
    let moto = Moto::start().await.unwrap();
    moto.create_bucket("east").await.unwrap();
    let queue = moto.create_queue("archiver", &QueueSettings::default()).await.unwrap();
    let variables: Variables = moto.variables().into_iter().collect();
    let variables = variables
        .with("ARCHIVER_S3_BUCKETS", "us-east-1=east")
        .with("ARCHIVER_QUEUE_URL", &queue.url)
        .with("ARCHIVER_CORS_ORIGINS", "*");
    let context = Context::from_variables(&variables).unwrap();
    for (name, status) in SAMPLES {
        let sample: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let answered = ask(&context, sample).await;
        assert_eq!(answered["statusCode"], status, "{name}: {answered}");
    }
}
