//! Jobs in a real Kinto.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;

use buildhub_kinto::{Client, ClientSettings, Manifest};
use buildhub_self_serve::action::Action;
use buildhub_self_serve::jobs::{Asked, Jobs, JobsError};
use buildhub_testkit::kinto::{Backend, KintoServer};
use serde_json::json;

const MANIFEST: &str = include_str!("../self-serve.json");

async fn jobs() -> (KintoServer, Jobs) {
    jobs_on(Backend::Memory).await
}

async fn jobs_on(backend: Backend) -> (KintoServer, Jobs) {
    let kinto = KintoServer::start(backend).await.unwrap();
    let settings = ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    let client = Client::new(&settings).unwrap();
    client.initialise(&Manifest::parse(MANIFEST).unwrap()).await.unwrap();
    let jobs = Jobs::new(&client, "self-serve").unwrap();
    (kinto, jobs)
}

fn cancel(bid: u64) -> Action {
    Action::CancelBuild { bid }
}

fn number(asked: &Asked) -> u64 {
    match asked {
        Asked::New(job) | Asked::Known(job) => job.number,
        Asked::Otherwise => panic!("{asked:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_has_a_number_of_its_own_however_many_ask_at_once() {
    let (_kinto, jobs) = jobs_on(Backend::Postgresql).await;
    let asking = (0..30).map(|bid| {
        let jobs = jobs.clone();
        tokio::spawn(async move { number(&jobs.ask(cancel(bid), "alice", 5, None).await.unwrap()) })
    });
    let mut numbers = BTreeSet::new();
    for asked in asking.collect::<Vec<_>>() {
        numbers.insert(asked.await.unwrap());
    }
    assert_eq!(numbers.len(), 30);
    let newest = jobs.newest(3, None).await.unwrap().jobs;
    assert_eq!(
        newest.iter().map(|job| job.number).collect::<Vec<_>>(),
        numbers.iter().rev().take(3).copied().collect::<Vec<_>>()
    );
    let older = jobs.newest(100, Some(newest[2].number)).await.unwrap().jobs;
    assert_eq!(older.len(), 27);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_the_same_words_is_the_same_job_and_with_others_none() {
    let (_kinto, jobs) = jobs().await;
    let first = jobs.ask(cancel(1), "alice", 5, Some("k")).await.unwrap();
    assert!(matches!(first, Asked::New(_)));
    let again = jobs.ask(cancel(1), "alice", 6, Some("k")).await.unwrap();
    assert!(matches!(&again, Asked::Known(job) if job.number == number(&first) && job.when == 5), "{again:?}");
    assert_eq!(jobs.ask(cancel(2), "alice", 6, Some("k")).await.unwrap(), Asked::Otherwise);
    // Somebody else's key is another key.
    assert_ne!(number(&jobs.ask(cancel(1), "bob", 6, Some("k")).await.unwrap()), number(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_with_one_key_at_once_all_get_one_job() {
    let (_kinto, jobs) = jobs_on(Backend::Postgresql).await;
    let asking = (0..10).map(|_| {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.ask(cancel(1), "alice", 5, Some("k")).await.unwrap() })
    });
    let mut answers = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        answers.push(asked.await.unwrap());
    }
    let numbers: BTreeSet<_> = answers.iter().map(number).collect();
    assert_eq!(numbers.len(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|asked| matches!(asked, Asked::New(_))).count(), 1);
    assert_eq!(jobs.newest(10, None).await.unwrap().jobs.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_completed_once_and_then_stays_as_it_is() {
    let (_kinto, jobs) = jobs().await;
    let job = number(&jobs.ask(cancel(1), "alice", 5, None).await.unwrap());
    let stepped = jobs.step(job, "1", json!({ "brid": 7 })).await.unwrap();
    assert_eq!(stepped.steps["1"], json!({ "brid": 7 }));
    assert!(stepped.is_open());

    let over = jobs.complete(job, false, "Ok", 9).await.unwrap();
    assert_eq!(over.complete_data.as_ref().unwrap().body.msg, "Ok");
    let late = jobs.complete(job, true, "it broke", 10).await.unwrap();
    assert_eq!(late, over);
    assert_eq!(jobs.step(job, "2", json!({})).await.unwrap(), over);
    assert_eq!(jobs.find(job).await.unwrap().unwrap(), over);

    assert!(jobs.find(999).await.unwrap().is_none());
    let error = jobs.complete(999, false, "Ok", 1).await.unwrap_err();
    assert!(matches!(error, JobsError::Unknown { number: 999 }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_a_name_that_its_jobs_keep_and_no_other_store_has() {
    let ((kinto, jobs), (_other, others)) = tokio::join!(jobs_on(Backend::Postgresql), jobs());
    let asking = (0..5).map(|bid| {
        let jobs = jobs.clone();
        tokio::spawn(async move { jobs.ask(cancel(bid), "alice", 5, None).await.unwrap() })
    });
    let mut stores = BTreeSet::new();
    for asked in asking.collect::<Vec<_>>() {
        let Asked::New(job) = asked.await.unwrap() else { panic!() };
        stores.insert(job.store.unwrap());
    }
    assert_eq!(stores.len(), 1, "whoever asks first names it");
    let keyed = jobs.ask(cancel(9), "alice", 5, Some("k")).await.unwrap();
    let Asked::New(keyed) = keyed else { panic!("{keyed:?}") };
    assert!(stores.contains(&keyed.store.unwrap()));
    assert_eq!(jobs.find(keyed.number).await.unwrap().unwrap(), keyed);
    let other = others.ask(cancel(1), "alice", 5, None).await.unwrap();
    let Asked::New(other) = other else { panic!("{other:?}") };
    assert!(!stores.contains(&other.store.unwrap()));

    // A store that counted before it had a name goes on counting, and its old jobs are named as they were.
    let settings = ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    let client = Client::new(&settings).unwrap();
    let put = async |collection: &str, id: &str, data: serde_json::Value| {
        let records = client.collection("self-serve", collection).unwrap();
        let outcome = records.put(id, &data, buildhub_kinto::Condition::None).await.unwrap();
        assert!(matches!(outcome, buildhub_kinto::Outcome::Stored { .. }), "{outcome:?}");
    };
    put("counters", "jobs", json!({ "last": 40 })).await;
    put("jobs", "40", json!({ "number": 40, "action": "cancel_build", "what": { "bid": 1 }, "who": "bob", "when": 1 }))
        .await;
    assert_eq!(jobs.find(40).await.unwrap().unwrap().store, None);
    let Asked::New(next) = jobs.ask(cancel(1), "alice", 5, None).await.unwrap() else { panic!() };
    let Asked::New(last) = jobs.ask(cancel(1), "alice", 5, None).await.unwrap() else { panic!() };
    assert_eq!((next.number, last.number), (41, 42));
    assert!(next.store.is_some() && next.store == last.store);
}
