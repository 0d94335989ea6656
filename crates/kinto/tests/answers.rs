//! Answers a healthy Kinto rarely gives, from a small server that gives them by a script: headers, lost answers,
//! answers of something else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use buildhub_kinto::{Client, Collection, KintoError, Loader, LoaderSettings, Outcome, Query, Write};
use serde_json::{Value, json};

type Script = Arc<Mutex<(Vec<Reply>, Vec<String>)>>;

/// What the server says to one request.
#[derive(Clone)]
struct Reply(u16, &'static [(&'static str, &'static str)], String);

fn reply(status: u16, body: &Value) -> Reply {
    Reply(status, &[], body.to_string())
}

/// A server that answers with the replies in their order, the last one for ever, and keeps the bodies it was sent.
struct Scripted {
    url: String,
    script: Script,
}

impl Scripted {
    async fn start(replies: Vec<Reply>) -> Self {
        let script: Script = Arc::new(Mutex::new((replies, Vec::new())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, script }
    }

    fn client(&self) -> Client {
        Client::new(&common::settings(&self.url, "user:pass")).unwrap()
    }

    fn records(&self) -> Collection {
        self.client().collection("b", "c").unwrap()
    }

    fn loader(&self) -> Loader {
        Loader::new(self.records(), LoaderSettings::default())
    }

    fn bodies(&self) -> Vec<String> {
        self.script.lock().unwrap().1.clone()
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mut script = script.lock().unwrap();
    script.1.push(String::from_utf8(body.to_vec()).unwrap());
    let Reply(status, headers, text) = if script.0.len() > 1 { script.0.remove(0) } else { script.0[0].clone() };
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    (StatusCode::from_u16(status).unwrap(), headers, text).into_response()
}

/// The answers to a batch of the records `a`, `b`, ….
fn batch(items: &[(u16, Value)]) -> Reply {
    let item = |(number, (status, body)): (usize, &(u16, Value))| {
        let id = char::from(b'a' + u8::try_from(number).unwrap());
        json!({"status": status, "path": format!("/v1/buckets/b/collections/c/records/{id}"), "body": body})
    };
    reply(200, &json!({"responses": items.iter().enumerate().map(item).collect::<Vec<_>>()}))
}

fn stored(date: u64) -> (u16, Value) {
    (201, json!({"data": {"last_modified": date}}))
}

fn overtaken(existing: &Value) -> (u16, Value) {
    (412, json!({"errno": 114, "message": "Resource was modified meanwhile", "details": {"existing": existing}}))
}

fn writes(count: u8) -> Vec<Write> {
    let write = |number| Write::of(char::from(b'a' + number), &json!({"v": number})).unwrap();
    (0..count).map(write).collect()
}

fn dates(outcomes: &[Outcome]) -> Vec<Option<u64>> {
    let date = |outcome: &Outcome| match outcome {
        Outcome::Stored { last_modified } => Some(*last_modified),
        _ => None,
    };
    outcomes.iter().map(date).collect()
}

#[tokio::test]
async fn a_batch_with_a_409_or_a_5xx_is_sent_again_whole() {
    for status in [409, 500, 503] {
        let broken = (status, json!({"errno": 122, "message": "Integrity constraint violated, please retry."}));
        // The 201 beside it was rolled back: its date must not be believed.
        let server = Scripted::start(vec![batch(&[stored(1), broken]), batch(&[stored(7), stored(8)])]).await;
        let outcomes = server.loader().store(writes(2)).await.unwrap();
        assert_eq!(dates(&outcomes), [Some(7), Some(8)]);
        let bodies = server.bodies();
        assert_eq!(bodies.len(), 2);
        assert_eq!(bodies[0], bodies[1]);
    }
}

#[tokio::test]
async fn our_own_earlier_write_is_no_conflict_and_anothers_is() {
    let ours = overtaken(&json!({"v": 0, "id": "a", "last_modified": 5, "schema": 1}));
    let anothers = overtaken(&json!({"v": 99, "id": "b", "last_modified": 6}));
    // The answer to the first attempt is lost on the way; the second meets what the first has written.
    let lost = reply(504, &json!({}));
    let server = Scripted::start(vec![lost, batch(&[ours.clone(), anothers])]).await;
    let outcomes = server.loader().store(writes(2)).await.unwrap();
    assert_eq!(dates(&outcomes), [Some(5), None]);
    assert!(matches!(&outcomes[1], Outcome::Conflict { existing: Some(it) } if it["v"] == 99));

    // At the first attempt a record that looks like ours is somebody's.
    let server = Scripted::start(vec![batch(&[ours])]).await;
    assert_eq!(dates(&server.loader().store(writes(1)).await.unwrap()), [None]);
}

#[tokio::test]
async fn a_server_that_is_not_well_is_not_taken_for_bad_records() {
    let down = reply(503, &json!({"errno": 201, "message": "Service temporary unavailable"}));
    let ill = reply(503, &json!({"storage": false, "cache": true}));
    // Four attempts at the batch, one at the heartbeat, and that is all.
    let server = Scripted::start(vec![down.clone(), down.clone(), down.clone(), down, ill]).await;
    let error = server.loader().store(writes(20)).await.unwrap_err();
    assert!(matches!(error.source, KintoError::Unavailable { .. }), "{error}");
    assert_eq!(server.bodies().len(), 5);
}

#[tokio::test]
async fn answers_that_do_not_fit_the_batch_are_not_believed() {
    for answers in [batch(&[stored(1)]), batch(&[stored(1), stored(2), stored(3)])] {
        let server = Scripted::start(vec![answers]).await;
        let error = server.loader().store(writes(2)).await.unwrap_err();
        assert!(matches!(error.source, KintoError::NotKinto { .. }), "{error}");
    }
    let mut turned = writes(2);
    turned.reverse();
    let server = Scripted::start(vec![batch(&[stored(1), stored(2)])]).await;
    let error = server.loader().store(turned).await.unwrap_err();
    assert!(error.to_string().contains("in another order"), "{error}");
}

#[tokio::test]
async fn what_is_no_kinto_is_told_apart() {
    let html = Reply(200, &[], "<html>Welcome</html>".to_owned());
    let error = Scripted::start(vec![html]).await.client().info().await.unwrap_err();
    assert!(matches!(error, KintoError::NotKinto { .. }), "{error}");
    let moved = Reply(301, &[("location", "https://elsewhere.example/v1/")], String::new());
    let error = Scripted::start(vec![moved]).await.client().info().await.unwrap_err();
    assert!(error.to_string().contains("moved to https://elsewhere.example/v1/"), "{error}");
    let error = Client::new(&common::settings("ftp://x/v1", "")).unwrap_err();
    assert!(matches!(error, KintoError::NotKinto { .. }), "{error}");
}

#[tokio::test]
async fn credentials_are_not_taken_to_another_server() {
    let foreign = &[("next-page", "http://elsewhere.example/v1/x"), ("etag", "\"5\"")];
    let server = Scripted::start(vec![Reply(200, foreign, json!({"data": []}).to_string())]).await;
    let error = server.records().list::<Value>(Query::new()).await.unwrap_err();
    assert!(matches!(&error, KintoError::ForeignPage { url, .. } if url == "http://elsewhere.example/v1/x"), "{error}");
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn a_retry_after_beyond_all_patience_ends_the_load() {
    let later = Reply(503, &[("retry-after", "86400")], "{}".to_owned());
    let server = Scripted::start(vec![later]).await;
    let error = server.loader().store(writes(2)).await.unwrap_err();
    assert!(error.source.is_transient() && error.to_string().contains("asks to come back in 86400s"), "{error}");
    assert_eq!(server.bodies().len(), 1);
}
