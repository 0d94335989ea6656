//! The function's program under AWS's emulator of Lambda's runtime.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;

use buildhub_testkit::emulator::{Emulator, FunctionError};
use serde_json::{Value, json};

async fn function(settings: &[(&str, &str)]) -> Emulator {
    let bootstrap = Path::new(env!("CARGO_BIN_EXE_s3-event"));
    // Nothing listens on the port of the discard service.
    let mut variables = vec![("SERVER_URL", "http://127.0.0.1:9/v1"), ("NB_RETRY_REQUEST", "0")];
    variables.extend(settings);
    Emulator::start(bootstrap, &variables).await.unwrap()
}

fn sample(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/s3-event");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

/// The function's own lines in its log, which are JSON.
fn lines(function: &Emulator) -> Vec<Value> {
    let logs = function.logs().unwrap();
    logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn a_queue_is_answered_by_the_messages_that_come_again_and_each_event_is_a_line_of_the_log() {
    let function = function(&[]).await;
    let payload = sample("sqs-poison.json");
    let id = |at: usize| json!({ "itemIdentifier": payload["Records"][at]["messageId"] });
    let answer = function.invoke(&payload).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [id(0), id(3)] }));

    let lines = lines(&function);
    let of_items: Vec<_> = lines.iter().filter(|line| line["outcome"].is_string()).collect();
    assert_eq!(of_items.len(), 5, "{lines:#?}");
    assert!(of_items.iter().all(|line| line["span"]["requestId"].is_string() && line["message_id"].is_string()));
    let retried = of_items.iter().find(|line| line["outcome"] == "retry").unwrap();
    assert_eq!((&retried["level"], &retried["bucket"]), (&json!("WARN"), &json!("net-mozaws-prod-delivery-firefox")));
    assert!(retried["reason"].as_str().unwrap().contains("127.0.0.1:9"), "{retried}");
    let numbers = lines.iter().find(|line| line["_aws"].is_object()).unwrap();
    let of = |name: &str| numbers[name].as_u64().unwrap();
    assert_eq!((of("EventsReceived"), of("EventsRetried"), of("EventsRefused"), of("EventsIgnored")), (5, 2, 1, 1));
}

#[tokio::test]
async fn an_event_without_a_queue_that_must_come_again_is_an_error_that_lambda_repeats() {
    let function = function(&[]).await;
    let error = function.invoke(&sample("eventbridge.json")).await.unwrap_err();
    let FunctionError::Function { kind, .. } = error else { panic!("{error}") };
    assert_eq!(kind, "Retry");
    assert_eq!(function.invoke(&sample("s3-test.json")).await.unwrap(), json!({ "events": 1 }));
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_ends_the_function_with_its_name_in_the_log() {
    let function = function(&[("REMOVE_DELETED", "perhaps")]).await;
    assert!(function.invoke(&json!({})).await.is_err());
    assert!(function.logs().unwrap().contains("REMOVE_DELETED"));
}
