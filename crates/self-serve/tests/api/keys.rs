//! What is asked for again with one `Idempotency-Key`: it is answered as it was the first time, whatever became of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use buildhub_core::Deadline;
use buildhub_core::queue::{Outgoing, Queue, QueueError};
use buildhub_core::web::header::{ACCEPT, LOCATION};
use buildhub_core::web::{HeaderName, HeaderValue, Method};
use buildhub_self_serve::api::{Api, Parts};
use buildhub_self_serve::work::Message;
use buildhub_testkit::buildbot::Settings;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use crate::support::site::{Ask, Site, parts, settings};
use crate::support::{REVISION, until};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The job that is told of, by its number.
async fn taken(ask: Ask<'_>) -> u64 {
    let answer = ask.answer().await;
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status.as_u16(), &said["status"]), (202, &json!("OK")), "{said}");
    assert!(answer.header(&LOCATION).unwrap().ends_with(&format!("/self-serve/jobs/{}", said["request_id"])));
    said["request_id"].as_u64().unwrap()
}

/// Bob's wish that a request goes first, with a key.
fn move_it<'a>(site: &'a Site, path: &str, key: &str) -> Ask<'a> {
    site.ask(Method::PUT, path).by("bob").form("priority=5").header(KEY, key)
}

/// A queue that takes nothing, and says nothing.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Queue for Silent {
    async fn send(&self, _messages: Vec<Outgoing>) -> Result<(), QueueError> {
        std::future::pending().await
    }

    fn describe(&self) -> String {
        "a silent queue".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_accepted_also_where_the_queue_is_silent_and_is_sent_by_the_sweep() {
    let mut site = Site::start(Settings::default()).await;
    site.api = Api::new(settings(), Parts { queue: Arc::new(Silent), ..parts(&site.world) });
    let path = format!("/self-serve/try/rev/{REVISION}/nightly");
    let asked = tokio::time::timeout(Duration::from_secs(20), taken(site.ask(Method::POST, &path).by("alice")));
    let job = asked.await.expect("it is answered");
    let later = Timestamp::now() + 3.minutes();
    assert_eq!(site.world.agent.sweep(later, Deadline::NONE).await.unwrap().sent, 1);
    assert_eq!(Message::parse(&site.world.queue.receive().await.body).unwrap(), Message { job });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_again_with_a_key_gets_the_first_answer_whatever_became_of_it() {
    let mut site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (_, _, pending) = site.world.three().await;
    let path = format!("/self-serve/try/request/{pending}");
    let first = taken(move_it(&site, &path, "k1")).await;
    assert_eq!(taken(move_it(&site, &path, "k1")).await, first, "while it waits");
    let end = taken(site.ask(Method::DELETE, &path).by("bob").header(KEY, "end")).await;
    site.world.handle(first).await;
    site.world.handle(end).await;
    until("the request is over", async || {
        site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
        (site.get(&path).await["complete"] == 1).then_some(())
    })
    .await;

    // What is new is ruled out by what became of the request; what was asked for before is not.
    let (status, message) = move_it(&site, &path, "k2").refusal().await;
    assert_eq!((status, message.as_str()), (400, "Request already complete"));
    assert_eq!(taken(move_it(&site, &path, "k1")).await, first);
    assert_eq!(taken(move_it(&site, &path, " k1 ")).await, first, "blanks around it are none of it");
    let page = move_it(&site, &path, "k1").header(ACCEPT, "text/html").answer().await;
    assert_eq!((page.status.as_u16(), page.header(&LOCATION)), (302, Some(&*format!("/self-serve/jobs/{first}"))));
    // Something else with the same key is told so, before anything is said of the request.
    for (method, body) in [(Method::PUT, "priority=6"), (Method::DELETE, "")] {
        let (status, message) = site.ask(method, &path).by("bob").form(body).header(KEY, "k1").refusal().await;
        assert!(status == 409 && message.contains("used for something else"), "{status} {message}");
    }
    // What makes no sense is none of it, nor is what nobody asks for, or on no branch; and a key is one person's.
    let again = |body: &str| site.ask(Method::PUT, &path).form(body).header(KEY, "k1");
    assert_eq!(again("priority=x").by("bob").refusal().await.0, 400);
    assert_eq!(again("priority=5").refusal().await.0, 401);
    assert_eq!(again("priority=5").by("carol").refusal().await.0, 403);
    let nowhere = path.replace("/try/", "/nope/");
    assert_eq!(site.ask(Method::PUT, &nowhere).by("bob").form("priority=5").header(KEY, "k1").refusal().await.0, 404);
    assert_eq!(site.world.jobs.newest(10, None).await.unwrap().jobs.len(), 2, "the move and the end, and nothing else");

    // Nobody has to know the object for it: not the master, nor the projection.
    site.world.master.kill().await.unwrap();
    let requests = site.world.client.collection("self-serve", "requests").unwrap();
    let gone = requests.delete(&pending.to_string(), buildhub_kinto::Condition::None).await.unwrap();
    assert!(!matches!(gone, buildhub_kinto::Deletion::Conflict { .. }), "{gone:?}");
    assert_eq!(move_it(&site, &path, "k2").refusal().await.0, 503);
    assert_eq!(taken(move_it(&site, &path, "k1")).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_given_once_and_is_of_signs_that_a_header_can_hold() {
    let site = Site::start(Settings::default()).await;
    let ask = || site.ask(Method::POST, &format!("/self-serve/try/rev/{REVISION}/nightly")).by("alice").form("");
    let with = |values: &[&[u8]]| {
        let mut ask = ask();
        for value in values {
            ask.request.headers.append(KEY, HeaderValue::from_bytes(value).unwrap());
        }
        ask
    };
    let long = [b'k'; 256];
    for wrong in
        [&[b"".as_slice()][..], &[b" "], &[&long], &["schlüssel".as_bytes()], &[b"a\tb"], &[b"a", b"b"], &[b"a", b"a"]]
    {
        let (status, message) = with(wrong).refusal().await;
        assert!(status == 400 && message.starts_with("Bad Idempotency-Key: "), "{wrong:?}: {message}");
    }
    assert_eq!(site.world.jobs.newest(10, None).await.unwrap().jobs, []);
    let long = &long[..255];
    for (number, good) in
        [b"5d2c0b8e-6d8e-4c3f".as_slice(), b"\"in quotes\"", b"!#$%&'*+-.^_`|~ <>", long].into_iter().enumerate()
    {
        assert_eq!(taken(with(&[good])).await, number as u64 + 1, "{good:?}");
        assert_eq!(taken(with(&[good])).await, number as u64 + 1, "{good:?}");
    }
}
