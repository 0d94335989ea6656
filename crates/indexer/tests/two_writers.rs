//! A load and a writer of single records, as an event's is, on the same records at the same time: of each record the
//! newest state stays, whoever wrote it and whoever came first.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::sync::Arc;

use buildhub_core::Variables;
use buildhub_indexer::fact::{Verdict, judge};
use buildhub_indexer::ready::{Ready, entry_of};
use buildhub_indexer::settings::{FolderSettings, KintoSettings};
use buildhub_indexer::{Connector, Load, NoProgress};
use buildhub_kinto::{Collection, Decision, Query, Upserted};
use buildhub_releases::Record;
use buildhub_testkit::kinto::{Backend, KintoServer};
use serde_json::{Value, json};

const RECORDS: usize = 300;
const OLD: &str = "2018-05-09T10:00:00Z";
const NEW: &str = "2018-05-10T10:00:00Z";

/// An archive's record; its size says who wrote it.
fn record(number: usize, date: &str, size: u64) -> Value {
    json!({
        "id": format!("firefox_{number}-0_win64_fr"),
        "source": {"product": "firefox"},
        "target": {"platform": "win64", "os": "win", "version": format!("{number}.0"), "channel": "release",
                   "locale": "fr"},
        "download": {"url": format!("https://archive.mozilla.org/pub/Firefox Setup {number}.0.exe"),
                     "mimetype": "application/msdos-windows", "size": size, "date": date},
    })
}

const BY_LOAD: u64 = 1;
const BY_EVENT: u64 = 2;

/// Of every other record the load has the newer state, of the rest the events have it.
fn loaded(number: usize) -> Value {
    record(number, if number.is_multiple_of(2) { NEW } else { OLD }, BY_LOAD)
}

fn announced(number: usize) -> Value {
    record(number, if number.is_multiple_of(2) { OLD } else { NEW }, BY_EVENT)
}

/// Writes one record unless the store has a better or newer one.
async fn write(collection: &Collection, record: &Value) -> Upserted {
    let record: Record = serde_json::from_value(record.clone()).unwrap();
    let ready = Ready::new(&record).unwrap();
    let decide = |existing: Option<&buildhub_kinto::Stored<Value>>| {
        let stored = existing.map(|it| entry_of(&it.id, it.last_modified, &it.data.to_string()).fact);
        match judge(stored.as_ref(), &ready.fact) {
            Verdict::New | Verdict::Changed => Decision::Write(&record),
            Verdict::Same | Verdict::Older | Verdict::Outranked => Decision::Keep,
        }
    };
    collection.upsert(&record.id, decide).await.unwrap()
}

async fn nothing_is_lost_either_way(backend: Backend) {
    let kinto = KintoServer::with_settings(backend, &[("retry_after_seconds", "0")]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let vars = Variables::default()
        .with("SERVER_URL", kinto.url())
        .with("CACHE_FOLDER", folder.path().display().to_string())
        .with("NB_RETRY_REQUEST", "9");
    let connector = Connector::from_variables(&vars).unwrap();
    let target = connector.target(KintoSettings::from_variables(&vars).unwrap()).unwrap();
    let collection = target.collection.clone();
    target.initialise().await.unwrap();
    let caches = connector.caches(&FolderSettings::from_variables(&vars).unwrap(), &target, None).await;

    let lines: Vec<_> = (0..RECORDS).map(loaded).map(|record| json!({ "data": record }).to_string()).collect();
    let lines = lines.join("\n");
    let load = Load { target, caches, send_all: false };
    let loading = tokio::spawn(load.run(std::io::Cursor::new(lines), Arc::new(NoProgress)));
    // From the other end, so that the two meet.
    let mut acknowledged = 0;
    for number in (0..RECORDS).rev() {
        match write(&collection, &announced(number)).await {
            Upserted::Written { .. } => acknowledged += 1,
            Upserted::Kept => assert!(number.is_multiple_of(2), "{number}: the newer state is never kept out"),
            Upserted::Refused(fault) => panic!("{number}: {fault}"),
        }
    }
    let (report, result) = loading.await.unwrap();
    result.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert_eq!(report.store.lost, 0);
    assert!(acknowledged >= RECORDS / 2);

    let stored = collection.list::<Value>(Query::new()).await.unwrap();
    assert_eq!(stored.len(), RECORDS);
    for record in stored {
        let number: usize = record.id.split(['_', '-']).nth(1).unwrap().parse().unwrap();
        let winner = if number.is_multiple_of(2) { BY_LOAD } else { BY_EVENT };
        let download = &record.data["download"];
        assert_eq!((&download["date"], &download["size"]), (&json!(NEW), &json!(winner)), "{}", record.id);
    }
}

#[tokio::test]
async fn the_newest_state_of_every_record_stays_in_postgresql() {
    nothing_is_lost_either_way(Backend::Postgresql).await;
}

#[tokio::test]
async fn the_newest_state_of_every_record_stays_in_memory() {
    nothing_is_lost_either_way(Backend::Memory).await;
}
