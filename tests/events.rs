//! An object that appears in a bucket is a record: the bucket's notifications, a queue, Lambda's event source, the
//! function's program under AWS's emulator, and a real Kinto.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[allow(dead_code, clippy::format_collect, unreachable_pub, reason = "other scenarios use the rest")]
#[path = "harness/inventory.rs"]
mod inventory;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use buildhub_core::Variables;
use buildhub_core::store::{Location, S3Settings, Stores};
use buildhub_indexer::{CatchUp, LogProgress};
use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::moto::{Counts, Moto, Queue, QueueSettings};
use serde_json::{Value, json};

const METADATA: &str = "pub/firefox/candidates/60.0-candidates/build2/win32/en-US/firefox-60.0.json";
const CANDIDATE: &str = "pub/firefox/candidates/60.0-candidates/build2/win32/de/Firefox Setup 60.0.exe";
const NIGHTLY: &str =
    "pub/firefox/nightly/2018/05/2018-05-03-10-01-00-mozilla-central/firefox-61.0a1.en-US.linux-x86_64";
/// How often a message is received before it is a dead letter.
const RECEIVES: u32 = 3;

fn release(locale: &str) -> String {
    format!("pub/firefox/releases/60.0/win32/{locale}/Firefox Setup 60.0.exe")
}

fn metadata() -> String {
    inventory::metadata("20180503143129", "f03f0a7b4f1e")
}

/// Everything between a bucket and its records.
struct World {
    moto: Arc<Moto>,
    kinto: KintoServer,
    function: Arc<Emulator>,
    dead: Queue,
    client: reqwest::Client,
}

impl World {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A world whose function has these settings besides.
    async fn with(settings: &[(&str, &str)]) -> Self {
        let moto = Arc::new(Moto::start().await.unwrap());
        let kinto = KintoServer::start(Backend::Memory).await.unwrap();
        let server = kinto.url();
        let mut variables = moto.variables();
        variables.push(("SERVER_URL".to_owned(), server));
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let bootstrap = Path::new(env!("CARGO_BIN_EXE_s3-event"));
        let function = Arc::new(Emulator::pool(bootstrap, &variables, 2).await.unwrap());
        let dead =
            moto.create_queue("dead", &QueueSettings { visibility: 1, ..QueueSettings::default() }).await.unwrap();
        Self { moto, kinto, function, dead, client: reqwest::Client::new() }
    }

    async fn queue(&self, name: &str) -> Queue {
        let dead_letters = Some((&self.dead, RECEIVES));
        self.moto.create_queue(name, &QueueSettings { visibility: 5, fifo: false, dead_letters }).await.unwrap()
    }

    /// A bucket that tells a queue what happens in it.
    async fn bucket(&self) -> Queue {
        let queue = self.queue("events").await;
        self.moto.create_bucket("builds").await.unwrap();
        self.moto.notify_queue("builds", &queue).await.unwrap();
        queue
    }

    async fn put(&self, key: &str, body: &str) {
        self.moto.put_object("builds", key, body.to_owned()).await.unwrap();
    }

    fn source(&self, queue: &Queue) -> EventSource {
        EventSource::start(&self.moto, &self.function, Mapping { queue: queue.clone(), batch: 10, concurrency: 2 })
    }

    /// Handles what is in a queue, until nothing is left in it.
    async fn drain(&self, queue: &Queue) {
        let source = self.source(queue);
        source.drained().await.unwrap();
        assert_eq!(source.failures(), 0, "{}", self.function.logs().unwrap());
        source.stop().await.unwrap();
    }

    async fn records(&self, collection: &str) -> BTreeMap<String, Value> {
        let url = format!("{}/buckets/build-hub/collections/{collection}/records", self.kinto.url());
        let answer = self.client.get(url).send().await.unwrap().bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&answer).unwrap();
        let records = body["data"].as_array().cloned().unwrap_or_default();
        let named = records.into_iter().map(|mut record| {
            record.as_object_mut().unwrap().remove("last_modified");
            record.as_object_mut().unwrap().remove("schema");
            (record["id"].as_str().unwrap().to_owned(), record)
        });
        named.collect()
    }

    async fn ids(&self) -> Vec<String> {
        self.records("releases").await.into_keys().collect()
    }
}

#[tokio::test]
async fn by_every_way_a_notification_takes_the_object_is_a_record_with_its_own_address() {
    let world = World::new().await;
    for (bucket, locale) in [("queue", "fr"), ("topic", "de"), ("raw-topic", "it"), ("event-bridge", "es-ES")] {
        let queue = world.queue(bucket).await;
        world.moto.create_bucket(bucket).await.unwrap();
        world.moto.put_object(bucket, METADATA, metadata()).await.unwrap();
        match bucket {
            "queue" => world.moto.notify_queue(bucket, &queue).await.unwrap(),
            "topic" => world.moto.notify_topic(bucket, &queue, false).await.unwrap(),
            "raw-topic" => world.moto.notify_topic(bucket, &queue, true).await.unwrap(),
            _ => world.moto.notify_event_bridge(bucket, &queue).await.unwrap(),
        }
        world.moto.put_object(bucket, &release(locale), "MZ").await.unwrap();
        world.drain(&queue).await;
        let records = world.records("releases").await;
        let record = records.get(&format!("firefox_60-0_win32_{}", locale.to_ascii_lowercase()));
        let record = record.unwrap_or_else(|| panic!("{bucket}: {records:?}\n{}", world.function.logs().unwrap()));
        let address = format!("{}/{bucket}/{}", world.moto.endpoint(), release(locale));
        assert_eq!(record["download"]["url"], address);
        assert_eq!(record["download"]["size"], 2);
        assert_eq!(record["build"]["number"], 2);
    }
    assert_eq!(world.moto.counts(&world.dead).await.unwrap(), Counts::default());
}

#[tokio::test]
async fn an_archive_whose_metadata_is_late_is_a_record_once_that_is_there() {
    let world = World::new().await;
    let queue = world.bucket().await;
    world.put(&release("fr"), "MZ").await;
    world.drain(&queue).await;
    assert_eq!(world.ids().await, [""; 0], "and it is no error");
    world.put(METADATA, &metadata()).await;
    world.drain(&queue).await;
    assert_eq!(world.ids().await, ["firefox_60-0_win32_fr"]);
    assert_eq!(world.moto.counts(&world.dead).await.unwrap(), Counts::default());
}

#[tokio::test]
async fn one_item_that_never_works_is_a_dead_letter_in_the_end_and_harms_no_other() {
    let world = World::new().await;
    let queue = world.bucket().await;
    world.put(METADATA, &metadata()).await;
    // An object that is announced and never seen; its event is young for ever.
    let event = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "eventTime": "2999-01-01T00:00:00Z",
        "s3": { "bucket": { "name": "builds" }, "object": { "key": release("de").replace(' ', "+") } } }] });
    world.moto.send(&queue, &event.to_string(), None).await.unwrap();
    world.moto.send(&queue, "no JSON", None).await.unwrap();
    world.put(&release("fr"), "MZ").await;
    world.drain(&queue).await;

    assert_eq!(world.ids().await, ["firefox_60-0_win32_fr"]);
    let letters = world.moto.receive(&world.dead, 10).await.unwrap();
    assert_eq!(letters.len(), 1, "what cannot be read is acknowledged: {letters:?}");
    assert_eq!(serde_json::from_str::<Value>(&letters[0].body).unwrap(), event);
    // It came again alone.
    let log = world.function.logs().unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let items: Vec<_> = lines.filter(|line| line["key"].is_string() && line["outcome"].is_string()).collect();
    let of = |key: &str| items.iter().filter(|item| item["key"] == key).collect::<Vec<_>>();
    assert_eq!(of(&release("de")).len(), RECEIVES as usize, "{log}");
    assert_eq!(of(&release("fr")).len(), 1, "{log}");
    assert!(items.iter().all(|item| item["span"]["requestId"].is_string()), "{items:?}");
}

#[tokio::test]
async fn a_removed_archive_removes_its_record_where_it_is_asked_for() {
    let world = World::with(&[("REMOVE_DELETED", "true")]).await;
    let queue = world.bucket().await;
    for (key, body) in [(METADATA, metadata()), (&release("fr"), "MZ".to_owned()), (&release("de"), "MZ".to_owned())] {
        world.put(key, &body).await;
    }
    world.drain(&queue).await;
    assert_eq!(world.ids().await, ["firefox_60-0_win32_de", "firefox_60-0_win32_fr"]);
    world.moto.delete_object("builds", &release("fr")).await.unwrap();
    world.drain(&queue).await;
    assert_eq!(world.ids().await, ["firefox_60-0_win32_de"]);
}

#[tokio::test]
async fn the_records_are_those_of_a_catch_up_over_the_same_bucket() {
    let world = World::new().await;
    let queue = world.bucket().await;
    let source = world.source(&queue);
    let nightly = [format!("{NIGHTLY}.tar.bz2"), format!("{NIGHTLY}.json")];
    let objects = [
        (release("fr"), "MZ".to_owned()),
        (METADATA.to_owned(), metadata()),
        (CANDIDATE.to_owned(), "MZ, a candidate".to_owned()),
        (release("de"), "MZ".to_owned()),
        (nightly[0].clone(), "BZ".to_owned()),
        ("pub/firefox/releases/60.0/SHA256SUMS".to_owned(), "0 *".to_owned()),
        (nightly[1].clone(), metadata()),
    ];
    for (key, body) in &objects {
        world.put(key, body).await;
    }
    // Published again: the newer object's size is the record's.
    world.put(&release("fr"), "MZ, once more").await;
    source.drained().await.unwrap();
    source.stop().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let variables = world.moto.variables().into_iter().collect::<Variables>();
    let builds = Stores::new(S3Settings::from_variables(&variables).unwrap());
    let builds = builds.open(&"s3://builds".parse::<Location>().unwrap()).await;
    let mut rows = Vec::new();
    for (key, _) in &objects {
        let attributes = builds.head(key).await.unwrap();
        rows.push((key.replace(' ', "+"), attributes.size, attributes.last_modified.to_string()));
    }
    let rows: Vec<_> = rows.iter().map(|(key, size, date)| (key.as_str(), *size, date.as_str())).collect();
    inventory::write(folder.path(), "2018-06-01T00-00Z", &rows);
    let variables = variables
        .with("SERVER_URL", world.kinto.url())
        .with("COLLECTION", "caught-up")
        .with("ARCHIVE_URL", "s3://builds")
        .with("INVENTORY_LOCATION", path("public"))
        .with("INVENTORIES", "firefox")
        .with("CACHE_FOLDER", path("cache"));
    let run = CatchUp::from_variables(&variables, jiff::Timestamp::now(), Arc::new(LogProgress::default()));
    let (report, result) = run.await.unwrap().run().await;
    result.unwrap();
    assert_eq!(report.faults, [""; 0]);

    let records = world.records("releases").await;
    assert_eq!(records.len(), 4, "{:?}", records.keys());
    assert_eq!(records, world.records("caught-up").await);
    assert_eq!(records["firefox_60-0_win32_fr"]["download"]["size"], 13);
}
