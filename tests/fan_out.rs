//! A run spread over many instances of the function, under AWS's runtime emulator, between real queues and a real Kinto.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::moto::{Counts, Moto, Queue, QueueSettings};
use buildhub_testkit::sample::{Inventory, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content};
use serde_json::{Value, json};

/// Seconds that a message stays unseen which a worker has: nobody dies.
const PATIENT: u32 = 300;

struct Cloud {
    kinto: KintoServer,
    site: ArchiveSite,
    moto: Arc<Moto>,
    sample: Arc<Sample>,
    parts: Queue,
    batches: Queue,
    events: Queue,
    dead: Queue,
    client: reqwest::Client,
}

impl Cloud {
    /// An archive of `rows` objects, its inventory and the caches on S3, queues, and an empty store.
    async fn new(backend: Backend, rows: u64, parts: usize, visibility: u32) -> Self {
        let sample = Arc::new(Sample::new(SampleSpec { rows, seed: 5, parts }));
        let moto = Arc::new(Moto::start().await.unwrap());
        let inventory = Inventory::of("firefox");
        moto.create_bucket(&inventory.destination_bucket).await.unwrap();
        moto.create_bucket("caches").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        sample.write_inventory(folder.path(), &inventory).unwrap();
        for file in files(folder.path()) {
            let key = file.strip_prefix(folder.path()).unwrap().to_str().unwrap();
            moto.put_object(&inventory.destination_bucket, key, std::fs::read(&file).unwrap()).await.unwrap();
        }
        let plain = QueueSettings { visibility, fifo: false, dead_letters: None };
        let fifo = QueueSettings { visibility: PATIENT, fifo: true, dead_letters: None };
        let dead = moto.create_queue("dead", &plain).await.unwrap();
        let five = QueueSettings { dead_letters: Some((&dead, 5)), ..plain };
        Self {
            kinto: KintoServer::start(backend).await.unwrap(),
            site: ArchiveSite::start(Content::sample(Arc::clone(&sample))).await.unwrap(),
            parts: moto.create_queue("parts", &five).await.unwrap(),
            batches: moto.create_queue("batches.fifo", &fifo).await.unwrap(),
            events: moto.create_queue("events", &QueueSettings { visibility: 5, ..five }).await.unwrap(),
            dead,
            moto,
            sample,
            client: reqwest::Client::new(),
        }
    }

    /// So many instances of a function.
    async fn function(&self, name: &str, size: usize, collection: &str) -> Arc<Emulator> {
        let mut variables = self.moto.variables();
        let settings = [
            ("SERVER_URL", self.kinto.url()),
            ("COLLECTION", collection.to_owned()),
            ("ARCHIVE_URL", self.site.url()),
            ("INVENTORIES", "firefox".to_owned()),
            ("CACHE_FOLDER", "s3://caches/buildhub".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
            ("PARTS_QUEUE_URL", self.parts.url.clone()),
            ("BATCHES_QUEUE_URL", self.batches.url.clone()),
        ];
        // What a run in one piece is compared with has no queues.
        let settings =
            settings.into_iter().filter(|(name, _)| collection == "releases" || !name.ends_with("_QUEUE_URL"));
        variables.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Arc::new(Emulator::pool(&bootstrap(name), &variables, size).await.unwrap())
    }

    fn source(&self, function: &Arc<Emulator>, queue: &Queue, batch: usize, concurrency: usize) -> EventSource {
        EventSource::start(&self.moto, function, Mapping { queue: queue.clone(), batch, concurrency })
    }

    /// Waits for the report of a run.
    async fn report(&self, run: &str) -> Value {
        let end = format!("/{run}/report.json");
        let mut turn = tokio::time::interval(Duration::from_millis(100));
        loop {
            turn.tick().await;
            let keys = self.moto.object_keys("caches", "buildhub/buildhub-runs-").await.unwrap();
            if let Some(key) = keys.iter().find(|key| key.ends_with(&end)) {
                return serde_json::from_str(&self.moto.get_object("caches", key).await.unwrap()).unwrap();
            }
        }
    }

    /// Every record of a collection, without what the server adds.
    async fn records(&self, collection: &str) -> Vec<Value> {
        let start = format!("buckets/build-hub/collections/{collection}/records?_limit=1000&_sort=id");
        let (mut records, mut next) = (Vec::new(), Some(format!("{}/{start}", self.kinto.url())));
        while let Some(url) = next.take() {
            let answer = self.client.get(url).send().await.unwrap().error_for_status().unwrap();
            next = answer.headers().get("next-page").map(|url| url.to_str().unwrap().to_owned());
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            records.extend(body["data"].as_array().unwrap().iter().cloned());
        }
        for record in &mut records {
            record.as_object_mut().unwrap().retain(|name, _| name != "last_modified" && name != "schema");
        }
        records
    }

    /// What one instance makes of the same inventory, alone.
    async fn in_one_piece(&self) -> Vec<Value> {
        let function = self.function("s3-inventory", 1, "in-one-piece").await;
        let answer = function.invoke(&schedule()).await.unwrap();
        assert_eq!(answer["outcome"], "done", "{answer}");
        self.records("in-one-piece").await
    }

    /// An event for each of these objects, as S3 sends them to a queue.
    async fn announce(&self, keys: impl Iterator<Item = String>) {
        for key in keys {
            let form: String = key.bytes().map(form_encoded).collect();
            let event = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "eventSource": "aws:s3",
                "s3": { "bucket": { "name": "builds" }, "object": { "key": form } } }] });
            self.moto.send(&self.events, &event.to_string(), None).await.unwrap();
        }
    }
}

/// A byte as S3 writes it in a notification.
fn form_encoded(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'/' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    }
}

/// A function's program: that of this package, or the one built beside it.
fn bootstrap(name: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_s3-inventory"));
    let path = own.with_file_name(name);
    assert!(path.is_file(), "{} is not there: cargo build --package {name}", path.display());
    path
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn schedule() -> Value {
    json!({ "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} })
}

#[tokio::test]
async fn four_workers_and_eight_event_handlers_at_once_lose_nothing_that_was_acknowledged() {
    let cloud = Cloud::new(Backend::Postgresql, 8_000, 8, PATIENT).await;
    let expected = cloud.in_one_piece().await;
    let planner = cloud.function("s3-inventory", 1, "releases").await;
    let workers = cloud.function("s3-inventory", 4, "releases").await;
    let writer = cloud.function("s3-inventory", 1, "releases").await;
    let handlers = cloud.function("s3-event", 8, "releases").await;
    let keys: Vec<String> = cloud.sample.objects().map(|object| object.key.clone()).collect();
    let is_archive = |key: &&String| [".exe", ".dmg", ".tar.bz2", ".apk"].iter().any(|end| key.ends_with(end));
    let announced: Vec<String> = keys.iter().filter(is_archive).step_by(5).cloned().collect();
    assert!(announced.len() > 100, "{}", announced.len());
    cloud.announce(announced.into_iter()).await;

    let answer = planner.invoke(&schedule()).await.unwrap();
    assert_eq!((&answer["outcome"], &answer["parts"]), (&json!("queued"), &json!(8)), "{answer}");
    let parts = cloud.source(&workers, &cloud.parts, 1, 4);
    let batches = cloud.source(&writer, &cloud.batches, 10, 1);
    let events = cloud.source(&handlers, &cloud.events, 1, 8);
    let report = cloud.report(answer["run"].as_str().unwrap()).await;
    events.drained().await.unwrap();
    assert_eq!(cloud.moto.counts(&cloud.dead).await.unwrap(), Counts::default(), "{}", handlers.logs().unwrap());
    assert_eq!((parts.failures(), batches.failures(), events.failures()), (0, 0, 0));
    assert!(parts.most_at_a_time() > 1 && events.most_at_a_time() > 4, "they met");
    assert_eq!((&report["faults"], &report["store"]["lost"]), (&json!([]), &json!(0)), "{report}");
    assert_eq!((&report["complete"], &report["parts"]["done"]), (&json!(true), &json!(8)), "{report}");
    let records = cloud.records("releases").await;
    assert_eq!(records.len(), expected.len());
    assert_eq!(records, expected);
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_part_is_followed_by_another() {
    // Large enough a part to be met at work, and a message that comes again after some seconds.
    let cloud = Cloud::new(Backend::Memory, 12_000, 2, 8).await;
    let expected = cloud.in_one_piece().await;
    let planner = cloud.function("s3-inventory", 1, "releases").await;
    let workers = cloud.function("s3-inventory", 2, "releases").await;
    let answer = planner.invoke(&schedule()).await.unwrap();
    assert_eq!(answer["outcome"], "queued", "{answer}");
    let parts = cloud.source(&workers, &cloud.parts, 1, 2);
    let mut turn = tokio::time::interval(Duration::from_millis(5));
    // A batch that is queued is the sign of a part half done.
    while cloud.moto.counts(&cloud.batches).await.unwrap().visible == 0 {
        turn.tick().await;
    }
    assert!(workers.kill_busy(), "a worker is met at work");
    let writer = cloud.function("s3-inventory", 1, "releases").await;
    let batches = cloud.source(&writer, &cloud.batches, 10, 1);
    let report = cloud.report(answer["run"].as_str().unwrap()).await;
    assert_eq!((parts.failures(), batches.failures()), (1, 0));
    assert_eq!((&report["faults"], &report["parts"]["done"]), (&json!([]), &json!(2)), "{report}");
    assert_eq!(cloud.moto.counts(&cloud.dead).await.unwrap(), Counts::default());
    assert_eq!(cloud.records("releases").await, expected);
}
