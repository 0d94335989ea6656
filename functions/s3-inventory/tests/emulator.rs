//! The function's program under AWS's emulator of Lambda's runtime.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;

use buildhub_testkit::emulator::{Emulator, FunctionError, StartError};
use serde_json::{Value, json};

async fn function(size: usize) -> Emulator {
    let bootstrap = Path::new(env!("CARGO_BIN_EXE_s3-inventory"));
    let variables = [("AWS_NO_SIGN_REQUEST", "true"), ("LOG_LEVEL", "ERROR")];
    Emulator::pool(bootstrap, &variables, size).await.unwrap()
}

#[tokio::test]
async fn an_event_it_does_not_know_is_an_error_with_a_kind_and_the_requests_id_in_the_log() {
    let function = function(1).await;
    let error = function.invoke(&json!({ "hello": "world" })).await.unwrap_err();
    let FunctionError::Function { kind, message } = error else { panic!("{error}") };
    assert_eq!(kind, "Trigger");
    assert!(message.contains("(an object with hello)"), "{message}");

    let logs = function.logs().unwrap();
    let line = logs.lines().find(|line| line.starts_with('{')).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert!(line["span"]["requestId"].is_string(), "{line}");
}

#[tokio::test]
async fn calls_at_the_same_time_each_have_an_emulator_of_their_own() {
    let function = function(2).await;
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "archive" });
    let calls = (0..8).map(|_| function.invoke(&test));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.unwrap(), json!({ "outcome": "nothing" }));
    }
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_ends_the_function_with_its_name_in_the_log() {
    let bootstrap = Path::new(env!("CARGO_BIN_EXE_s3-inventory"));
    let function = Emulator::start(bootstrap, &[("AWS_ENDPOINT_URL", "localhost")]).await.unwrap();
    assert!(function.invoke(&json!({})).await.is_err());
    assert!(function.logs().unwrap().contains("AWS_ENDPOINT_URL"));
}

#[tokio::test]
async fn a_function_that_was_not_built_is_said_to_be_missing() {
    let error = Emulator::start(Path::new("target/nothing/bootstrap"), &[]).await.unwrap_err();
    assert!(matches!(error, StartError::NoFunction(_)), "{error}");
}
