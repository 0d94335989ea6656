//! The function's program under AWS's emulator of Lambda's runtime.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[allow(dead_code, clippy::format_collect, unreachable_pub, reason = "other scenarios use the rest")]
#[path = "../../../tests/harness/inventory.rs"]
mod inventory;

use std::path::Path;

use buildhub_testkit::emulator::{Emulator, FunctionError, StartError};
use buildhub_testkit::kinto::{Backend, KintoServer};
use serde_json::{Value, json};

const BUILD: &str = "pub/firefox/releases/60.0/win32/fr/Firefox+Setup+60.0.exe";

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
async fn what_the_threads_of_a_run_log_has_the_requests_id_too() {
    let kinto = KintoServer::start(Backend::Memory).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    inventory::write(folder.path(), "2018-06-01T00-00Z", &[(BUILD, 2, "yesterday")]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (server, location, cache) = (kinto.url(), path("public"), path("cache"));
    let bootstrap = Path::new(env!("CARGO_BIN_EXE_s3-inventory"));
    let variables = [
        ("SERVER_URL", server.as_str()),
        ("INVENTORY_LOCATION", &location),
        ("INVENTORIES", "firefox"),
        ("CACHE_FOLDER", &cache),
        ("ARCHIVE_URL", "http://127.0.0.1:1/"),
    ];
    let function = Emulator::start(bootstrap, &variables).await.unwrap();
    let schedule = json!({ "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} });
    let answer = function.invoke(&schedule).await.unwrap();
    assert_eq!(answer["outcome"], "done", "{answer}");

    let logs = function.logs().unwrap();
    let lines: Vec<Value> = logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let row = lines.iter().find(|line| line["message"] == "a row of the inventory is left out");
    assert!(row.unwrap_or_else(|| panic!("{logs}"))["span"]["requestId"].is_string(), "{row:?}");
    let logged = lines.iter().filter(|line| line["level"].is_string());
    assert!(logged.clone().all(|line| line["span"]["requestId"].is_string()), "{:?}", logged.collect::<Vec<_>>());
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
