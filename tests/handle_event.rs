//! Events through the command: one line for each, and an exit code that says whether something must come again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use buildhub_testkit::kinto::Backend;
use buildhub_testkit::sample::Kind;
use harness::{Ran, World, inventory, root, run};
use serde_json::{Value, json};

const METADATA: &str = "pub/firefox/candidates/60.0-candidates/build2/win32/en-US/firefox-60.0.json";
const ARCHIVE: &str = "pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe";

async fn world() -> World {
    let metadata = inventory::metadata("20180503143129", "aaaa");
    World::of_files_on(Backend::Memory, &[(METADATA, &metadata), (ARCHIVE, "archive")]).await
}

fn sample(name: &str) -> String {
    root().join("events/s3-event").join(name).display().to_string()
}

async fn handle(world: &World, payload: &Value) -> Ran {
    run(world.command(&["handle-event", "-"]), payload.to_string()).await
}

fn created(key: &str, time: &str) -> Value {
    let form: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    json!({ "Records": [{ "eventName": "ObjectCreated:Put", "eventTime": time, "eventSource": "aws:s3",
                          "s3": { "bucket": { "name": "builds" }, "object": { "key": form } } }] })
}

#[tokio::test]
async fn each_event_is_one_line_and_its_record_is_there() {
    let world = world().await;
    let ran = world.run(&["handle-event", &sample("sqs-sns.json")]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let [line] = &ran.lines()[..] else { panic!("{}", ran.stdout) };
    assert_eq!((&line["outcome"], &line["key"], &line["created"]), (&json!("stored"), &json!(ARCHIVE), &json!(1)));
    assert!(line["requests"].as_u64().unwrap() <= 3);
    let record = world.record("firefox_60-0_win32_fr").await.unwrap();
    assert_eq!(record["build"]["number"], 2);
    assert_eq!(record["download"]["url"], format!("{}{ARCHIVE}", world.site.url()));
}

#[tokio::test]
async fn one_poison_message_takes_no_other_with_it_and_is_acknowledged() {
    let world = world().await;
    let ran = world.run(&["handle-event", &sample("sqs-poison.json")]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let outcome = |line: &Value| line["outcome"].as_str().unwrap().to_owned();
    let mut outcomes: Vec<_> = ran.lines().iter().map(outcome).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["ignored", "refused", "stored", "stored", "test"]);
    let poison = ran.lines().into_iter().find(|line| outcome(line) == "refused").unwrap();
    assert!(poison["reason"].as_str().unwrap().contains("no JSON"), "{poison}");
}

#[tokio::test]
async fn what_must_come_again_is_said_by_the_exit_code_and_the_reason() {
    let mut world = world().await;
    let far_future = "2999-01-01T00:00:00Z";
    let ran = handle(&world, &created("pub/firefox/releases/60.0/win32/de/Firefox Setup 60.0.exe", far_future)).await;
    assert_eq!((ran.code, &ran.lines()[0]["outcome"]), (1, &json!("retry")), "{}", ran.stdout);
    assert!(ran.lines()[0]["reason"].as_str().unwrap().contains("cannot be seen yet"));
    world.kinto.stop().await.unwrap();
    let ran = world.run(&["handle-event", &sample("s3.json")]).await;
    assert_eq!((ran.code, &ran.lines()[0]["outcome"]), (1, &json!("retry")), "{}", ran.stdout);
}

#[tokio::test]
async fn an_object_that_is_gone_is_acknowledged() {
    let world = world().await;
    let gone = created("pub/firefox/releases/60.0/win32/de/Firefox Setup 60.0.exe", "2018-05-09T10:00:00Z");
    let ran = handle(&world, &gone).await;
    assert_eq!((ran.code, &ran.lines()[0]["outcome"]), (0, &json!("gone")), "{}", ran.stdout);
}

#[tokio::test]
async fn a_removal_removes_the_record_only_where_it_is_asked_for() {
    let world = world().await;
    world.run(&["handle-event", &sample("s3.json")]).await;
    std::fs::remove_file(world.folder.path().join("archive").join(ARCHIVE)).unwrap();
    let ran = world.run(&["handle-event", &sample("s3-removal.json")]).await;
    assert_eq!((ran.code, &ran.lines()[0]["outcome"]), (0, &json!("ignored")), "{}", ran.stdout);
    assert!(world.record("firefox_60-0_win32_fr").await.is_some());
    let ran = world.run(&["handle-event", &sample("s3-removal.json"), "--remove-deleted"]).await;
    assert_eq!((ran.code, &ran.lines()[0]["records"]), (0, &json!(1)), "{}", ran.stdout);
    assert!(world.record("firefox_60-0_win32_fr").await.is_none());
}

#[tokio::test]
async fn an_event_and_the_inventory_write_the_same_record() {
    let world = world().await;
    let ran = world.run(&["handle-event", &sample("s3.json"), "--release-as-beta"]).await;
    assert_eq!(ran.lines()[0]["created"], 2, "{}", ran.stdout);
    let date = world.record("firefox_60-0_win32_fr").await.unwrap()["download"]["date"].as_str().unwrap().to_owned();
    let row = |key: &str, size: usize| format!("\"builds\",\"{}\",\"{size}\",\"{date}\",\"\"\n", key.replace(' ', "+"));
    let rows = [row(ARCHIVE, "archive".len()), row(METADATA, 1)].concat();
    let parts = inventory::gzip(rows.as_bytes());
    inventory::write_parts(&world.bucket(), "2018-06-01T04-00Z", &[&parts]);
    // A lost second record is repaired by the inventory, and the first is left alone.
    world.delete("firefox_beta_60-0_win32_fr").await;
    let report = world.run(&["latest-inventory-to-kinto", "--json", "--release-as-beta"]).await.json();
    let store = &report["store"];
    assert_eq!((&store["created"], &store["updated"], &store["unchanged"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(world.record("firefox_beta_60-0_win32_fr").await.unwrap()["target"]["channel"], "beta");
}

#[tokio::test]
async fn a_payload_that_is_no_file_or_no_json_and_a_setting_that_is_wrong_are_wrong_usage() {
    let world = world().await;
    for args in [
        &["handle-event", "not-there.json"][..],
        &["handle-event"],
        &["handle-event", &sample("s3.json"), "--archive-url", "ftp://x"],
    ] {
        let ran = world.run(args).await;
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    let ran = run(world.command(&["handle-event", "-"]), "no JSON").await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("standard input is no JSON"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_is_no_event_is_refused_once_and_for_all() {
    let world = world().await;
    let ran = handle(&world, &json!({ "hello": "world" })).await;
    assert_eq!((ran.code, &ran.lines()[0]["outcome"]), (0, &json!("refused")), "{}", ran.stdout);
}

/// Every object of the sample as a message of one queue, in an order of chance.
fn messages(world: &World) -> Value {
    let mut keys: Vec<String> = world.sample.objects().map(|object| object.key).collect();
    // A fixed order that has nothing to do with that of the keys.
    keys.sort_by_key(|key| key.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)));
    let message = |(at, key): (usize, &String)| {
        let body = created(key, "2018-06-01T00:00:00Z").to_string();
        json!({ "messageId": at.to_string(), "eventSource": "aws:sqs", "eventSourceARN": "arn", "body": body })
    };
    json!({ "Records": keys.iter().enumerate().map(message).collect::<Vec<_>>() })
}

#[tokio::test]
async fn after_the_events_of_a_whole_archive_the_inventory_has_nothing_left_to_do() {
    let world = World::new(Backend::Memory, 2_000).await;
    let ran = handle(&world, &messages(&world)).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines = ran.lines();
    assert!(lines.iter().all(|line| line["outcome"] != "refused" && line["outcome"] != "retry"));
    for line in &lines {
        let (kind, requests) = (world.sample.object(line["key"].as_str().unwrap()).unwrap().kind, &line["requests"]);
        let bound = match kind {
            Kind::Build { .. } => 3,
            Kind::Metadata => u64::MAX,
            Kind::Other => 0,
        };
        assert!(requests.as_u64().unwrap() <= bound, "{kind:?} {line}");
    }
    let by_events = world.records().await;
    assert!(by_events.len() > 100, "{}", by_events.len());
    let report = world.catch_up().await;
    let store = &report["store"];
    assert_eq!((&store["created"], &store["updated"]), (&json!(0), &json!(0)), "{report:#}");
    // Nor would an inventory alone have written anything else.
    for record in &by_events {
        world.delete(record["id"].as_str().unwrap()).await;
    }
    let report = world.catch_up().await;
    assert_eq!(report["store"]["created"], by_events.len());
    let by_inventory = world.records().await;
    let differing: Vec<_> =
        by_inventory.iter().zip(&by_events).filter(|(ours, theirs)| ours != theirs).take(3).collect();
    assert!(differing.is_empty(), "{differing:#?}");
}
