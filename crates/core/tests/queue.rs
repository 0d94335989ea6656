//! What is sent to a queue arrives, each message once where nothing fails, and an error says what may come of it later.
//! Where messages are refused the server is one that answers as it is told: a real one does not do that on demand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use buildhub_core::Variables;
use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::queue::{MESSAGE_LIMIT, Outgoing, QueueError, Queues, SharedQueue};
use buildhub_testkit::moto::{Moto, QueueSettings};
use serde_json::{Value, json};

const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/records.fifo";

/// How an entry is answered, by its body and how often it was offered before.
type Rule = fn(&str, usize) -> Reply;

enum Reply {
    Taken,
    Busy,
    Never,
    LeftOut,
    /// The whole call fails.
    Fails(u16, &'static str),
}

/// What a server was asked: the bodies of each call, in order.
#[derive(Clone)]
struct Script {
    rule: Rule,
    calls: Arc<Mutex<Vec<Vec<Value>>>>,
}

impl Script {
    async fn start(rule: Rule) -> (Self, SharedQueue) {
        let script = Self { rule, calls: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(answer)).with_state(script.clone());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (script, open(&format!("http://{address}")).await)
    }

    fn bodies(&self) -> Vec<Vec<String>> {
        let calls = self.calls.lock().unwrap();
        let body = |entry: &Value| entry["MessageBody"].as_str().unwrap().to_owned();
        calls.iter().map(|call| call.iter().map(body).collect()).collect()
    }
}

async fn open(endpoint: &str) -> SharedQueue {
    let variables = Variables::default()
        .with("AWS_ENDPOINT_URL_SQS", endpoint)
        .with("AWS_ACCESS_KEY_ID", "key")
        .with("AWS_SECRET_ACCESS_KEY", "hush");
    Queues::new(AwsSettings::from_variables(&variables, Service::Sqs).unwrap()).open(URL).await
}

async fn answer(State(script): State<Script>, body: String) -> (StatusCode, Json<Value>) {
    let request: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(request["QueueUrl"], URL);
    let entries = request["Entries"].as_array().unwrap().clone();
    let (mut taken, mut failed) = (Vec::new(), Vec::new());
    let mut calls = script.calls.lock().unwrap();
    for entry in &entries {
        let before = calls.iter().flatten().filter(|other| other["MessageBody"] == entry["MessageBody"]).count();
        let fault =
            |sender: bool, code| json!({ "Id": entry["Id"], "SenderFault": sender, "Code": code, "Message": "no" });
        match (script.rule)(entry["MessageBody"].as_str().unwrap(), before) {
            Reply::Taken => taken.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0" })),
            Reply::Busy => failed.push(fault(false, "InternalError")),
            Reply::Never => failed.push(fault(true, "InvalidMessageContents")),
            Reply::LeftOut => {}
            Reply::Fails(status, code) => {
                calls.push(entries);
                let body = json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": "no" });
                return (StatusCode::from_u16(status).unwrap(), Json(body));
            }
        }
    }
    calls.push(entries);
    (StatusCode::OK, Json(json!({ "Successful": taken, "Failed": failed })))
}

fn messages(bodies: impl IntoIterator<Item = impl Into<String>>) -> Vec<Outgoing> {
    bodies.into_iter().map(|body| Outgoing { body: body.into(), ..Outgoing::default() }).collect()
}

#[tokio::test]
async fn messages_are_sent_ten_in_a_call_with_their_group_and_in_their_order() {
    let (script, queue) = Script::start(|_, _| Reply::Taken).await;
    let mut sent = messages((0..12).map(|number| number.to_string()));
    sent[0].group = Some("build-hub/releases".into());
    sent[0].deduplication = Some("part-1".into());
    sent[1].delay = std::time::Duration::from_secs(90);
    sent[2].delay = std::time::Duration::from_hours(1);
    queue.send(sent).await.unwrap();
    let bodies = script.bodies();
    assert_eq!(bodies.iter().map(Vec::len).collect::<Vec<_>>(), [10, 2]);
    assert_eq!(bodies.concat(), (0..12).map(|number| number.to_string()).collect::<Vec<_>>());
    let first = script.calls.lock().unwrap()[0][0].clone();
    assert_eq!(first["MessageGroupId"], "build-hub/releases");
    assert_eq!(first["MessageDeduplicationId"], "part-1");
    let delays: Vec<_> = (0..3).map(|at| script.calls.lock().unwrap()[0][at]["DelaySeconds"].as_u64()).collect();
    assert_eq!(delays, [None, Some(90), Some(900)], "kept back as long as a queue can");
    assert_eq!(queue.describe(), URL);
}

#[tokio::test]
async fn a_fifo_queue_has_each_message_once_in_the_order_in_which_they_were_sent() {
    let moto = Moto::start().await.unwrap();
    let settings = QueueSettings { visibility: 60, fifo: true, dead_letters: None };
    let real = moto.create_queue("records.fifo", &settings).await.unwrap();
    let queues =
        Queues::new(AwsSettings::from_variables(&moto.variables().into_iter().collect(), Service::Sqs).unwrap());
    let queue = queues.open(&real.url).await;
    let message = |number: usize| Outgoing {
        body: number.to_string(),
        group: Some("releases".into()),
        // The third is the first once more.
        deduplication: Some(if number == 2 { "0".into() } else { number.to_string() }),
        ..Outgoing::default()
    };
    queue.send((0..12).map(message).collect()).await.unwrap();
    let mut received = Vec::new();
    while received.len() < 11 {
        for message in moto.receive(&real, 10).await.unwrap() {
            moto.delete(&real, &message.receipt).await.unwrap();
            received.push(message.body);
        }
    }
    assert_eq!(received.join(" "), "0 1 3 4 5 6 7 8 9 10 11");

    let nowhere = queues.open(&real.url.replace("records.fifo", "nowhere.fifo")).await;
    let error = nowhere.send(vec![message(0)]).await.unwrap_err().to_string();
    assert!(error.contains("nowhere.fifo") && error.contains("us-east-1 is asked"), "{error}");
}

#[tokio::test]
async fn nothing_to_send_is_no_call() {
    let (script, queue) = Script::start(|_, _| Reply::Taken).await;
    queue.send(Vec::new()).await.unwrap();
    assert_eq!(script.bodies().len(), 0);
}

#[tokio::test]
async fn what_a_call_could_not_take_in_passing_is_sent_again_alone() {
    let (script, queue) = Script::start(|body, before| match (body, before) {
        ("b", 0) => Reply::Busy,
        ("c", 0) => Reply::LeftOut,
        _ => Reply::Taken,
    })
    .await;
    queue.send(messages(["a", "b", "c", "d"])).await.unwrap();
    assert_eq!(script.bodies(), [vec!["a", "b", "c", "d"], vec!["b", "c"]]);
}

#[tokio::test]
async fn a_message_that_is_never_taken_is_given_up_and_counted() {
    let (script, queue) = Script::start(|body, _| if body == "b" { Reply::Busy } else { Reply::Taken }).await;
    let error = queue.send(messages(["a", "b"])).await.unwrap_err();
    assert!(matches!(&error, QueueError::Unavailable { unsent: 1, .. }) && error.is_transient(), "{error}");
    assert_eq!(
        error.to_string(),
        format!("cannot send 1 messages to {URL} for now: the server answered InternalError: no")
    );
    assert_eq!(script.bodies().len(), 5, "as often as is said");
}

#[tokio::test]
async fn a_message_that_the_queue_refuses_does_not_hold_back_the_others() {
    let (script, queue) = Script::start(|body, _| if body == "0" { Reply::Never } else { Reply::Taken }).await;
    let error = queue.send(messages((0..12).map(|number| number.to_string()))).await.unwrap_err();
    assert!(matches!(&error, QueueError::Refused { unsent: 1, .. }) && !error.is_transient(), "{error}");
    assert!(error.to_string().ends_with("InvalidMessageContents: no"), "{error}");
    assert_eq!(script.bodies().iter().map(Vec::len).collect::<Vec<_>>(), [10, 2], "and is not sent again");
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_before_anything_is_sent() {
    let (script, queue) = Script::start(|_, _| Reply::Taken).await;
    let error = queue.send(messages(["a".to_owned(), "b".repeat(MESSAGE_LIMIT + 1)])).await.unwrap_err();
    assert!(matches!(error, QueueError::TooLong { size, .. } if size == MESSAGE_LIMIT + 1), "{error}");
    assert_eq!(script.bodies().len(), 0);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named_with_the_region_that_was_asked() {
    let (_script, queue) = Script::start(|_, _| Reply::Fails(400, "QueueDoesNotExist")).await;
    let error = queue.send(messages(["a"])).await.unwrap_err();
    assert!(!error.is_transient());
    let text = error.to_string();
    assert!(text.contains(URL) && text.contains("us-east-1 is asked"), "{text}");
}

#[tokio::test]
async fn a_policy_that_is_missing_says_what_to_allow() {
    let (_script, queue) = Script::start(|_, _| Reply::Fails(403, "AccessDenied")).await;
    let error = queue.send(messages(["a"])).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("sqs:SendMessage"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_busy_is_a_fault_that_may_pass() {
    let (script, queue) = Script::start(|_, _| Reply::Fails(503, "ServiceUnavailable")).await;
    let error = queue.send(messages(["a", "b"])).await.unwrap_err();
    assert!(matches!(error, QueueError::Unavailable { unsent: 2, .. }), "{error}");
    assert!(script.bodies().len() > 1, "the SDK tries again");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_fault_that_may_pass() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let error = open(&format!("http://{closed}")).await.send(messages(["a"])).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
