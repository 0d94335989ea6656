//! Batches against a real Kinto: nothing that was acknowledged is lost, and one bad record never takes the others.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;

use buildhub_kinto::{Client, Condition, KintoError, Loader, LoaderSettings, Outcome, Write};
use buildhub_testkit::kinto::Backend;
use common::{client_as, id, loader, record, releases, server, server_with, stored_ids, write};
use serde_json::{Value, json};

fn refused(outcomes: &[Outcome]) -> Vec<usize> {
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(_));
    outcomes.iter().enumerate().filter(|(_, outcome)| refused(outcome)).map(|(at, _)| at).collect()
}

/// Kinto as it comes, without the distribution's plugin that keeps writers apart: they meet, and batches fail.
const STOCK: &[(&str, &str)] = &[("includes", "kinto.plugins.flush")];

/// 1,000 records by several writers at once, each with its own part of them: all acknowledged, all there.
async fn write_a_thousand(writers: usize, settings: &[(&str, &str)]) {
    let server = server_with(Backend::Postgresql, settings).await;
    let releases = releases(&server).await;
    let part = 1000 / writers;
    let loads = (0..writers).map(async |writer| {
        let settings = LoaderSettings { batch_max: 25, ..LoaderSettings::default() };
        // Many writers meet often: more attempts than one alone needs.
        let mut patient = common::settings(&server.url(), "user:pass");
        patient.http.retries = 30;
        let client = Client::new(&patient).unwrap();
        let mut loader = Loader::new(client.collection("build-hub", "releases").unwrap(), settings);
        loader.store((writer * part..(writer + 1) * part).map(write).collect()).await.unwrap()
    });
    let outcomes = futures::future::join_all(loads).await.concat();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_stored()).count(), 1000);
    assert_eq!(stored_ids(&releases).await.len(), 1000);
}

#[tokio::test]
async fn a_thousand_records_by_two_writers_are_all_there() {
    write_a_thousand(2, STOCK).await;
}

#[tokio::test]
async fn a_thousand_records_by_four_writers_are_all_there() {
    write_a_thousand(4, STOCK).await;
}

#[tokio::test]
async fn a_thousand_records_by_four_writers_kept_apart_are_all_there() {
    write_a_thousand(4, &[]).await;
}

#[tokio::test]
async fn writers_of_the_same_records_in_crossed_order_both_finish() {
    let server = server_with(Backend::Postgresql, STOCK).await;
    let releases = releases(&server).await;
    let mut patient = common::settings(&server.url(), "user:pass");
    patient.http.retries = 30;
    let client = Client::new(&patient).unwrap();
    let load = async |turned: bool| {
        let mut writes: Vec<_> = (0..200).map(write).collect();
        if turned {
            writes.reverse();
        }
        let collection = client.collection("build-hub", "releases").unwrap();
        Loader::new(collection, LoaderSettings::default()).store(writes).await.unwrap()
    };
    let (one, other) = futures::future::join(load(false), load(true)).await;
    assert!(one.iter().chain(&other).all(Outcome::is_stored));
    assert_eq!(stored_ids(&releases).await.len(), 200);
}

#[tokio::test]
async fn an_item_refused_or_in_conflict_leaves_the_others_stored() {
    let server = server(Backend::Memory).await;
    let releases = releases(&server).await;
    assert!(releases.put(&id(3), &record("3.0"), Condition::None).await.unwrap().is_stored());
    let mut writes: Vec<_> = (0..10).map(write).collect();
    writes[3].condition = Condition::IfNoneMatch;
    writes[5].condition = Condition::IfMatch(1);
    writes[7] = Write::of(id(7), &json!({"target": {"platform": "win32"}})).unwrap();
    writes[8] = Write::of("bad.id", &record("1.0")).unwrap();
    let outcomes = loader(&releases).await.store(writes).await.unwrap();
    assert_eq!(outcomes.len(), 10);
    let Outcome::Conflict { existing: Some(existing) } = &outcomes[3] else { panic!("{:?}", outcomes[3]) };
    assert_eq!(existing["target"]["version"], "3.0");
    assert_eq!(outcomes[5], Outcome::Conflict { existing: None });
    let Outcome::Refused(fault) = &outcomes[7] else { panic!("{:?}", outcomes[7]) };
    assert_eq!((fault.status, fault.errno), (400, 107));
    assert!(fault.descriptions().concat().contains("'locale' is a required property"), "{fault:?}");
    assert_eq!(refused(&outcomes), [7, 8]);
    let expected: BTreeSet<_> = [0, 1, 2, 3, 4, 6, 9].map(id).into();
    assert_eq!(stored_ids(&releases).await.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn the_record_that_breaks_the_server_is_found_and_the_rest_is_stored() {
    let server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    let mut writes: Vec<_> = (0..60).map(write).collect();
    // PostgreSQL's jsonb takes no NUL: the whole batch is answered 503, for ever.
    for poisoned in [17, 41, 42] {
        writes[poisoned] = Write::of(id(poisoned), &record("1\0")).unwrap();
    }
    // Half of a surrogate pair: the whole batch is answered 400.
    let half = record("1.0").to_string().replace(r#""1.0""#, r#""\ud800""#);
    writes[3] = Write::new(id(3), serde_json::value::RawValue::from_string(half).unwrap());
    let outcomes = loader(&releases).await.store(writes).await.unwrap();
    assert_eq!(refused(&outcomes), [3, 17, 41, 42]);
    let status = |at: usize| match &outcomes[at] {
        Outcome::Refused(fault) => fault.status,
        other => panic!("{other:?}"),
    };
    assert_eq!([status(3), status(17), status(41)], [400, 503, 503]);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_stored()).count(), 56);
    assert_eq!(stored_ids(&releases).await.len(), 56);
}

#[tokio::test]
async fn a_server_that_breaks_on_every_record_ends_the_load() {
    let server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    let writes = (0..60).map(|number| Write::of(id(number), &record("1\0")).unwrap()).collect();
    let error = loader(&releases).await.store(writes).await.unwrap_err();
    assert!(matches!(error.source, KintoError::EverythingFails { count: 11, .. }), "{error}");
    assert!(error.outcomes.is_empty());
}

#[tokio::test]
async fn a_database_that_is_down_ends_the_load_and_loses_nothing_when_it_is_back() {
    let mut server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    let mut loader = loader(&releases).await;
    assert!(loader.store((0..50).map(write).collect()).await.unwrap().iter().all(Outcome::is_stored));
    server.stop_database().await.unwrap();
    let error = loader.store((50..150).map(write).collect()).await.unwrap_err();
    assert!(matches!(error.source, KintoError::Unavailable { .. }), "{error}");
    assert!(error.outcomes.is_empty() && error.source.is_transient());
    server.start_database().await.unwrap();
    assert!(loader.store((50..150).map(write).collect()).await.unwrap().iter().all(Outcome::is_stored));
    assert_eq!(stored_ids(&releases).await.len(), 150);
}

#[tokio::test]
async fn a_server_that_is_gone_ends_the_load_with_its_address() {
    let mut server = server(Backend::Memory).await;
    let releases = releases(&server).await;
    let mut loader = loader(&releases).await;
    server.stop().await.unwrap();
    let error = loader.store((0..100).map(write).collect()).await.unwrap_err();
    assert!(matches!(error.source, KintoError::Http(_)), "{error}");
    assert!(error.to_string().contains(&server.url()) && error.source.is_transient(), "{error}");
}

#[tokio::test]
async fn batches_keep_to_the_servers_limit_and_to_the_bytes() {
    let server = server_with(Backend::Memory, &[("batch_max_requests", "7")]).await;
    let releases = releases(&server).await;
    let info = client_as(&server, "").info().await.unwrap();
    assert_eq!(info.settings.batch_max_requests, Some(7));
    assert_eq!(LoaderSettings::for_server(&info, Some(500)).batch_max, 7);
    assert_eq!(LoaderSettings::for_server(&info, Some(3)).batch_max, 3);

    // One more than the limit is answered 400 as a whole; halving stores it all the same.
    let too_many = LoaderSettings { batch_max: 8, ..LoaderSettings::default() };
    let outcomes = Loader::new(releases.clone(), too_many).store((0..20).map(write).collect()).await.unwrap();
    assert!(outcomes.iter().all(Outcome::is_stored));

    let few_bytes = LoaderSettings { batch_bytes: 10, ..LoaderSettings::for_server(&info, None) };
    let outcomes = Loader::new(releases.clone(), few_bytes).store((20..30).map(write).collect()).await.unwrap();
    assert!(outcomes.iter().all(Outcome::is_stored));
    assert_eq!(stored_ids(&releases).await.len(), 30);
    assert_eq!(releases.get::<Value>(&id(29)).await.unwrap().unwrap().data["target"]["version"], "29.0");
}

#[tokio::test]
async fn the_heartbeat_says_what_is_well() {
    let mut server = server(Backend::Postgresql).await;
    let client = client_as(&server, "");
    assert!(client.heartbeat().await.unwrap().is_healthy());
    server.stop_database().await.unwrap();
    let heartbeat = client.heartbeat().await.unwrap();
    assert!(!heartbeat.is_healthy() && heartbeat.parts.contains_key("storage"), "{heartbeat:?}");
}
