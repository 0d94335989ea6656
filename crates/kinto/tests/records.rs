//! One record at a time, lists, and who may do what: against a real Kinto in memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use buildhub_kinto::{Client, Condition, Decision, Deletion, Entry, KintoError, Outcome, Query, Upserted};
use buildhub_testkit::kinto::Backend;
use common::{client_as, id, loader, record, releases, server, server_with, write};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

fn date(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Stored { last_modified } => last_modified,
        other => panic!("not stored: {other:?}"),
    }
}

#[tokio::test]
async fn a_conditional_write_never_overwrites_what_it_has_not_seen() {
    let server = server(Backend::Memory).await;
    let releases = releases(&server).await;
    let first = date(releases.put("a", &record("1.0"), Condition::IfNoneMatch).await.unwrap());

    // PUT If-None-Match on an existing record: 412 with the whole record.
    let Outcome::Conflict { existing: Some(existing) } =
        releases.put("a", &record("2.0"), Condition::IfNoneMatch).await.unwrap()
    else {
        panic!("it was overwritten")
    };
    assert_eq!(existing["target"]["version"], "1.0");

    // PUT If-Match: the right entity tag writes, a stale one does not.
    let second = date(releases.put("a", &record("2.0"), Condition::IfMatch(first)).await.unwrap());
    let stale = releases.put("a", &record("3.0"), Condition::IfMatch(first)).await.unwrap();
    assert!(matches!(stale, Outcome::Conflict { existing: Some(_) }));
    let got = releases.get::<Value>("a").await.unwrap().unwrap();
    assert_eq!((got.last_modified, &got.data["target"]["version"]), (second, &json!("2.0")));

    // A record gains `last_modified` and, the schema being checked, `schema`.
    assert!(got.data["last_modified"].is_u64() && got.data["schema"].is_u64());

    // Writing the same again is not nothing: the date moves.
    assert!(date(releases.put("a", &record("2.0"), Condition::None).await.unwrap()) > second);

    // Over a tombstone, If-None-Match writes.
    let stale = releases.delete("a", Condition::IfMatch(first)).await.unwrap();
    assert!(matches!(stale, Deletion::Conflict { existing: Some(_) }));
    assert!(matches!(releases.delete("a", Condition::None).await.unwrap(), Deletion::Deleted { .. }));
    assert_eq!(releases.delete("a", Condition::None).await.unwrap(), Deletion::Absent);
    assert_eq!(releases.get::<Value>("a").await.unwrap(), None);
    assert!(releases.put("a", &record("3.0"), Condition::IfNoneMatch).await.unwrap().is_stored());
}

#[tokio::test]
async fn a_record_the_schema_refuses_says_where_and_why() {
    let server = server(Backend::Memory).await;
    let releases = releases(&server).await;
    let mut bad = record("1.0");
    bad["target"]["os"] = json!("amiga");
    let Outcome::Refused(fault) = releases.put("a", &bad, Condition::None).await.unwrap() else {
        panic!("it was stored")
    };
    assert_eq!((fault.status, fault.errno), (400, 107));
    let text = fault.descriptions().join("; ");
    assert!(text.contains("body os") && text.contains("amiga"), "{text}");
}

#[tokio::test]
async fn an_id_kinto_cannot_have_is_refused_before_anything_is_sent() {
    let client = Client::new(&common::settings("http://127.0.0.1:1/v1", "")).unwrap();
    let records = client.collection("b", "c").unwrap();
    for id in ["", "-a", "a.b", "a/../b", "é"] {
        assert!(matches!(records.get::<Value>(id).await, Err(KintoError::BadId { .. })), "{id}");
    }
    assert!(matches!(client.collection("a b", "c"), Err(KintoError::BadId { kind: "bucket", .. })));
}

#[tokio::test]
async fn quoted_filters_find_text_that_looks_like_a_number() {
    let server = server(Backend::Memory).await;
    let releases = releases(&server).await;
    for (id, version) in [("a", "50.0"), ("b", "51.0"), ("c", "52.0")] {
        let _ = releases.put(id, &record(version), Condition::None).await.unwrap();
    }
    let ids = async |query: Query| -> String {
        releases.list::<Value>(query).await.unwrap().into_iter().map(|it| it.id).collect()
    };
    assert_eq!(ids(Query::new().eq("target.version", "50.0")).await, "a");
    assert_eq!(ids(Query::new().eq("build.id", "20161027110534")).await, "abc");
    assert_eq!(ids(Query::new().one_of("target.version", ["50.0", "52.0"])).await, "ac");
    assert_eq!(ids(Query::new().not("target.version", "50.0")).await, "bc");
    assert_eq!(ids(Query::new().min("target.version", "51.0")).await, "bc");
    assert_eq!(ids(Query::new().gt("target.version", "51.0")).await, "c");
    assert_eq!(ids(Query::new().max("target.version", "51.0")).await, "ab");
    assert_eq!(ids(Query::new().lt("target.version", "51.0")).await, "a");
    assert_eq!(ids(Query::new().like("target.version", "2.0")).await, "c");
    assert_eq!(ids(Query::new().has("build.number", true)).await, "");
    assert_eq!(ids(Query::new().has("build.number", false)).await, "abc");
    assert_eq!(ids(Query::new().eq("download.size", 1).sort(["-target.version"])).await, "cba");

    let fields = releases.list::<Value>(Query::new().fields(["target.version"]).limit(1)).await.unwrap();
    assert_eq!(fields[0].data["target"], json!({"version": "50.0"}));
    assert_eq!(fields[0].data.get("download"), None);
}

#[tokio::test]
async fn a_list_longer_than_the_servers_page_is_read_whole_and_deletions_are_told() {
    let server = server_with(Backend::Memory, &[("storage_max_fetch_size", "100")]).await;
    let releases = releases(&server).await;
    let writes: Vec<_> = (0..1050).map(write).collect();
    let outcomes = loader(&releases).await.store(writes).await.unwrap();
    assert!(outcomes.iter().all(Outcome::is_stored));
    assert_eq!(releases.count().await.unwrap(), 1050);

    // The server caps the page, whatever is asked, and the pages' addresses are absolute.
    let pages: Vec<_> = releases.pages::<Value>(Query::new().limit(10_000)).try_collect().await.unwrap();
    assert!(pages.iter().all(|page| page.entries.len() <= 100));
    assert_eq!(common::stored_ids(&releases).await.len(), 1050);

    let now = releases.timestamp().await.unwrap();
    assert_eq!(pages[0].timestamp, now);
    let _ = releases.put("new", &record("1.0"), Condition::None).await.unwrap();
    let _ = releases.delete(&id(7), Condition::None).await.unwrap();
    let since = releases.first_page::<Value>(Query::new().since(now)).await.unwrap();
    let told = since.entries.iter().map(|entry| match entry {
        Entry::Record(stored) => ("written", stored.id.as_str()),
        Entry::Deleted { id, .. } => ("deleted", id.as_str()),
    });
    assert_eq!(told.collect::<Vec<_>>(), [("written", "new"), ("deleted", id(7).as_str())]);
}

#[tokio::test]
async fn everyone_reads_and_only_the_creator_writes() {
    let server = server(Backend::Memory).await;
    let ours = releases(&server).await;
    let _ = ours.put("a", &record("1.0"), Condition::None).await.unwrap();
    let anonymous = client_as(&server, "").collection("build-hub", "releases").unwrap();
    let stranger = client_as(&server, "other:pass").collection("build-hub", "releases").unwrap();

    assert_eq!(anonymous.count().await.unwrap(), 1);
    assert!(anonymous.get::<Value>("a").await.unwrap().is_some());
    let put = |error| matches!(error, Err(KintoError::Unauthorized { .. }));
    assert!(put(anonymous.put("a", &record("2.0"), Condition::None).await));
    let put = |error| matches!(error, Err(KintoError::Forbidden { .. }));
    assert!(put(stranger.put("a", &record("2.0"), Condition::None).await));

    // A batch is answered 200 and each of its items 401 or 403: the load stops at once, not once a record.
    let error = loader(&anonymous).await.store((0..60).map(write).collect()).await.unwrap_err();
    assert!(matches!(error.source, KintoError::Unauthorized { .. }), "{error}");
    let error = loader(&stranger).await.store((0..60).map(write).collect()).await.unwrap_err();
    assert!(matches!(error.source, KintoError::Forbidden { .. }), "{error}");
    assert_eq!(ours.count().await.unwrap(), 1);
    assert_eq!(
        client_as(&server, "user:pass").info().await.unwrap().user.unwrap().id.split(':').next(),
        Some("basicauth")
    );
}

#[tokio::test]
async fn a_missing_collection_says_which_and_what_to_do() {
    let server = server(Backend::Memory).await;
    let ours = releases(&server).await;
    let other = ours.client().collection("build-hub", "nothing").unwrap();
    for error in [
        other.put("a", &json!({}), Condition::None).await.unwrap_err(),
        other.get::<Value>("a").await.unwrap_err(),
        other.count().await.unwrap_err(),
        other.list::<Value>(Query::new()).await.unwrap_err(),
        loader(&other).await.store((0..60).map(write).collect()).await.unwrap_err().source,
    ] {
        assert!(matches!(error, KintoError::Missing { .. }), "{error}");
        assert!(error.to_string().contains(r#"there is no collection "nothing"; create it first"#), "{error}");
    }
}

#[tokio::test]
async fn a_read_only_server_stops_every_write_and_is_still_read() {
    let mut server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    let _ = releases.put("a", &record("1.0"), Condition::None).await.unwrap();
    server.restart(&[("readonly", "true"), ("retry_after_seconds", "0")]).await.unwrap();
    assert!(releases.client().info().await.unwrap().settings.readonly);
    let read_only = |error: &KintoError| matches!(error, KintoError::ReadOnly { .. });
    assert!(read_only(&releases.put("b", &record("1.0"), Condition::None).await.unwrap_err()));
    assert!(read_only(&releases.delete("a", Condition::None).await.unwrap_err()));
    let error = loader(&releases).await.store((0..60).map(write).collect()).await.unwrap_err();
    assert!(read_only(&error.source), "{error}");
    assert_eq!(releases.count().await.unwrap(), 1);
}

/// Writes a record from another thread, by a client of its own, and returns when it is stored.
fn another_writer_puts(url: &str, version: &'static str) {
    let settings = common::settings(url, "user:pass");
    let write = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let collection = Client::new(&settings).unwrap().collection("build-hub", "releases").unwrap();
        let put = async { collection.put("a", &record(version), Condition::None).await.unwrap() };
        assert!(runtime.block_on(put).is_stored());
    };
    std::thread::spawn(write).join().unwrap();
}

#[tokio::test]
async fn a_write_that_another_one_overtook_looks_again_and_decides_again() {
    let server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    let mut seen = Vec::new();
    let done = releases.upsert("a", |existing| {
        seen.push(existing.map(|it| it.data["target"]["version"].as_str().unwrap().to_owned()));
        match seen.len() {
            1 => another_writer_puts(&server.url(), "1.0"),
            2 => another_writer_puts(&server.url(), "2.0"),
            _ => {}
        }
        Decision::Write(record("3.0"))
    });
    assert!(matches!(done.await.unwrap(), Upserted::Written { .. }));
    assert_eq!(seen, [None, Some("1.0".to_owned()), Some("2.0".to_owned())]);
    assert_eq!(releases.get::<Value>("a").await.unwrap().unwrap().data["target"]["version"], "3.0");
    let kept = releases.upsert("a", |_| Decision::<Value>::Keep).await.unwrap();
    assert_eq!(kept, Upserted::Kept);
}

#[tokio::test]
async fn a_record_that_is_never_left_alone_is_an_error_and_not_a_loop() {
    let server = server(Backend::Memory).await;
    let releases = releases(&server).await;
    let error = releases.upsert("a", |_| {
        another_writer_puts(&server.url(), "1.0");
        Decision::Write(record("2.0"))
    });
    let error = error.await.unwrap_err();
    assert!(matches!(error, KintoError::Contended { attempts: 10, .. }), "{error}");
}

#[tokio::test]
async fn single_writes_that_meet_lose_nothing() {
    let server = server(Backend::Postgresql).await;
    let releases = releases(&server).await;
    // Every write adds its own mark to what it saw, so a lost one is missed at the end.
    let add = |mark: String| {
        move |existing: Option<&buildhub_kinto::Stored<Value>>| {
            let before = existing.map_or("", |it| it.data["build"]["as"].as_str().unwrap());
            let mut next = record("1.0");
            next["build"]["as"] = json!(format!("{before} {mark}"));
            Decision::Write(next)
        }
    };
    let writers = (0..3).map(async |writer| {
        for number in 0..5 {
            let done = releases.upsert("a", add(format!("{writer}-{number}"))).await.unwrap();
            assert!(matches!(done, Upserted::Written { .. }));
        }
    });
    futures::future::join_all(writers).await;
    let all = releases.get::<Value>("a").await.unwrap().unwrap().data["build"]["as"].as_str().unwrap().to_owned();
    let mut marks: Vec<_> = all.split_whitespace().collect();
    marks.sort_unstable();
    let expected: Vec<_> = (0..3).flat_map(|writer| (0..5).map(move |number| format!("{writer}-{number}"))).collect();
    assert_eq!(marks, expected);
}
