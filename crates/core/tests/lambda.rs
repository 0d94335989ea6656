//! The runner that all functions share, around `examples/function.rs`, under AWS's emulator of Lambda's runtime.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::PathBuf;

use buildhub_testkit::emulator::{Emulator, FunctionError};
use buildhub_testkit::moto::Moto;
use buildhub_testkit::sentry::SentryServer;
use serde_json::{Value, json};

/// The example's program, which cargo builds with the tests.
fn bootstrap() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/function")
}

async fn function(variables: &[(&str, &str)]) -> Emulator {
    Emulator::start(&bootstrap(), variables).await.unwrap()
}

fn error(answer: Result<Value, FunctionError>) -> (String, String) {
    match answer {
        Err(FunctionError::Function { kind, message }) => (kind, message),
        other => panic!("{other:?}"),
    }
}

/// The log's lines that are JSON.
fn lines(function: &Emulator) -> Vec<Value> {
    function.logs().unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_delivered_before_the_answer_and_the_next_event_is_handled() {
    let sentry = SentryServer::start().await.unwrap();
    let dsn = sentry.dsn("hush");
    let function = function(&[("AUTH", "me:secret"), ("SENTRY_DSN", &dsn)]).await;

    let (kind, message) = error(function.invoke(&json!({ "panic": "the sky fell" })).await);
    // No waiting here: Lambda would have frozen the function by now.
    let reports = sentry.envelopes();
    assert!(reports.iter().any(|report| report.contains("the sky fell")), "{reports:?}");
    assert_eq!((kind.as_str(), message.as_str()), ("Panic", "the function panicked: the sky fell"));
    assert_eq!(function.invoke(&json!({ "echo": 1 })).await.unwrap(), json!({ "echo": 1 }));

    let log = function.logs().unwrap();
    assert!(!log.contains("hush") && !log.contains("me:secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_delivered_before_the_answer_with_its_kind() {
    let sentry = SentryServer::start().await.unwrap();
    let dsn = sentry.dsn("hush");
    let function = function(&[("AUTH", "me:secret"), ("SENTRY_DSN", &dsn)]).await;
    let (kind, message) = error(function.invoke(&json!({ "fail": "no bread" })).await);
    let reports = sentry.envelopes();
    assert!(reports.iter().any(|report| report.contains("no bread")), "{reports:?}");
    assert_eq!((kind.as_str(), message.as_str()), ("Failure", "it was told to fail: no bread"));
}

#[tokio::test]
async fn every_line_of_an_invocation_has_its_requests_id() {
    let function = function(&[("AUTH", "me:secret")]).await;
    function.invoke(&json!({ "log": "first" })).await.unwrap();
    function.invoke(&json!({ "log": "second" })).await.unwrap();
    error(function.invoke(&json!({ "panic": "third" })).await);
    let lines = lines(&function);
    let id = |message: &str| {
        let line = lines.iter().find(|line| line["message"].as_str().is_some_and(|text| text.contains(message)));
        line.unwrap_or_else(|| panic!("{message}: {lines:?}"))["span"]["requestId"].as_str().unwrap().to_owned()
    };
    let ids = [id("first"), id("second"), id("third")];
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    assert_eq!(lines.iter().filter(|line| line["span"]["requestId"] == ids[0].as_str()).count(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line["span"]["requestId"].is_string()), "{lines:?}");
}

#[tokio::test]
async fn the_deadline_is_that_of_lambdas_context() {
    let function = function(&[("AUTH", "me:secret"), ("AWS_LAMBDA_FUNCTION_TIMEOUT", "120")]).await;
    let left = function.invoke(&json!({ "remaining": true })).await.unwrap().as_u64().unwrap();
    assert!((60..=120).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_by_arn_are_read_at_the_start_and_are_not_logged() {
    let (moto, sentry) = (Moto::start().await.unwrap(), SentryServer::start().await.unwrap());
    let auth = moto.create_secret("auth", "me:secret").await.unwrap();
    let dsn = moto.put_parameter("/dsn", &sentry.dsn("hush")).await.unwrap();
    let mut variables = moto.variables();
    variables.extend([("AUTH_ARN".into(), auth), ("SENTRY_DSN_ARN".into(), dsn), ("LOG_LEVEL".into(), "TRACE".into())]);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let function = function(&variables).await;
    error(function.invoke(&json!({ "fail": "no bread" })).await);
    assert!(sentry.envelopes().iter().any(|report| report.contains("no bread")));
    let log = function.logs().unwrap();
    assert!(log.contains("begun"), "{log}");
    for secret in ["hush", "me:secret", "testkit-secret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let function = function(&[]).await;
    assert!(function.invoke(&json!({})).await.is_err());
    let log = function.logs().unwrap();
    assert!(log.contains("function: AUTH is not set: it is user:password"), "{log}");
}
