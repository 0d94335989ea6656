//! The function as Lambda runs it: inventory, caches and archive on S3, records in a real Kinto.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use buildhub_testkit::emulator::{Emulator, FunctionError};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::s3::S3Server;
use buildhub_testkit::sample::{Inventory, Kind, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content, Failure};
use serde_json::{Value, json};

/// A sample archive on the web, its inventory in the bucket that the settings name by default, and an empty Kinto.
struct World {
    kinto: KintoServer,
    s3: S3Server,
    site: ArchiveSite,
    sample: Arc<Sample>,
    client: reqwest::Client,
}

impl World {
    async fn new(rows: u64) -> Self {
        let sample = Arc::new(Sample::new(SampleSpec::of(rows)));
        let s3 = S3Server::start().await.unwrap();
        let inventory = Inventory::of("firefox");
        let bucket = s3.create_bucket(&inventory.destination_bucket).unwrap();
        sample.write_inventory(&bucket, &inventory).unwrap();
        s3.create_bucket("private-caches").unwrap();
        let site = ArchiveSite::start(Content::sample(Arc::clone(&sample))).await.unwrap();
        let kinto = KintoServer::start(Backend::Memory).await.unwrap();
        Self { kinto, s3, site, sample, client: reqwest::Client::new() }
    }

    /// The function with these settings beside those of the world.
    async fn function(&self, settings: &[(&str, &str)]) -> Emulator {
        let mut variables = self.s3.variables();
        let further = [
            ("SERVER_URL", self.kinto.url()),
            ("ARCHIVE_URL", self.site.url()),
            ("INVENTORIES", "firefox".to_owned()),
            ("CACHE_FOLDER", "s3://private-caches/buildhub".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        variables.extend(further.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.extend(settings);
        Emulator::start(Path::new(env!("CARGO_BIN_EXE_s3-inventory")), &variables).await.unwrap()
    }

    /// Every record of the store, without what the server adds and without the archive's address.
    async fn records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        let start = "buckets/build-hub/collections/releases/records?_limit=1000&_sort=id";
        let mut next = Some(format!("{}/{start}", self.kinto.url()));
        while let Some(url) = next.take() {
            let answer = self.client.get(url).send().await.unwrap().error_for_status().unwrap();
            next = answer.headers().get("next-page").map(|url| url.to_str().unwrap().to_owned());
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            records.extend(body["data"].as_array().unwrap().iter().cloned());
        }
        for record in &mut records {
            record.as_object_mut().unwrap().retain(|name, _| name != "last_modified" && name != "schema");
            let url = record["download"]["url"].as_str().unwrap();
            record["download"]["url"] = json!(url.split_once("/pub/").unwrap().1);
        }
        records
    }

    /// Whether each build of the archive became a record, lost to a better archive of the same build, or has no
    /// metadata.
    fn is_all_accounted_for(&self, answer: &Value) -> bool {
        let others = ["/store/kept", "/builds/outranked", "/builds/without_metadata"];
        let others: u64 = others.iter().map(|pointer| count(answer, pointer)).sum();
        let created = count(answer, "/store/created");
        created > 100 && created + others == self.sample.summary().builds
    }
}

fn sample_event(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/s3-inventory").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn schedule() -> Value {
    sample_event("schedule.json")
}

fn count(answer: &Value, pointer: &str) -> u64 {
    answer.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {answer}"))
}

#[tokio::test]
async fn a_schedule_brings_the_store_up_to_date_and_the_next_one_finds_nothing_to_do() {
    let world = World::new(3_000).await;
    let function = world.function(&[]).await;
    let first = function.invoke(&schedule()).await.unwrap();
    assert_eq!((&first["outcome"], &first["faults"]), (&json!("done"), &json!([])), "{first}");
    assert!(world.is_all_accounted_for(&first), "{first}");
    let records = world.records().await;
    assert_eq!(records.len() as u64, count(&first, "/store/created"));
    let caches = std::fs::read_dir(world.s3.root().join("private-caches/buildhub")).unwrap().count();
    assert_eq!(caches, 4, "index, state, metadata and runs are kept on S3");
    let runs = world.s3.root().join("private-caches/buildhub");
    let runs = std::fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let kept = runs.unwrap().join(first["run"].as_str().unwrap()).join("report.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!((&kept["store"], &kept["gaps"]), (&first["store"], &first["gaps"]));
    // Several archives of one build are one gap.
    let gaps = count(&first, "/gaps/without_metadata");
    assert!((1..=count(&first, "/builds/without_metadata")).contains(&gaps), "{first}");

    world.site.reset_counts();
    let second = function.invoke(&schedule()).await.unwrap();
    assert_eq!(second["outcome"], "done", "{second}");
    for pointer in ["/read/rows", "/metadata/requests", "/store/created", "/store/updated"] {
        assert_eq!(count(&second, pointer), 0, "{pointer} in {second}");
    }
    assert_eq!((world.records().await, world.site.requests()), (records, 0));

    let logs = function.logs().unwrap();
    let metrics: Vec<Value> = logs.lines().filter(|line| line.contains("\"_aws\"")).map(json_of).collect();
    assert_eq!(metrics.len(), 2, "one line of metrics for each run: {logs}");
    assert_eq!(metrics[0]["RecordsCreated"], first["store"]["created"]);
    assert_eq!(metrics[0]["BuildsFound"], json!(world.sample.summary().builds));
    assert_eq!((&metrics[1]["RecordsCreated"], &metrics[1]["MetadataRequests"]), (&json!(0), &json!(0)));
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Buildhub");
    assert!(!logs.contains("testkit-secret") && !logs.contains("user:pass"), "no secret is logged");
}

fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[tokio::test]
async fn an_inventory_that_lands_is_read_whichever_way_it_is_announced() {
    for (event, bucket, key) in [
        ("object-created-s3.json", "/Records/0/s3/bucket/name", "/Records/0/s3/object/key"),
        ("object-created-eventbridge.json", "/detail/bucket/name", "/detail/object/key"),
    ] {
        let world = World::new(2_000).await;
        let function = world.function(&[]).await;
        let mut event = sample_event(event);
        let delivery = Inventory::of("firefox").delivery();
        *event.pointer_mut(key).unwrap() = json!(format!("{delivery}manifest.checksum"));
        let answer = function.invoke(&event).await.unwrap();
        assert_eq!(answer["outcome"], "done", "{answer}");
        assert_eq!(answer["inventories"], json!([delivery.strip_prefix("public/").unwrap()]));
        assert!(world.is_all_accounted_for(&answer), "{answer}");
        // The schedule that follows knows that it is in.
        let answer = function.invoke(&schedule()).await.unwrap();
        assert_eq!((&answer["outcome"], count(&answer, "/read/rows")), (&json!("done"), 0));

        *event.pointer_mut(bucket).unwrap() = json!("somewhere-else");
        let error = function.invoke(&event).await.unwrap_err();
        let FunctionError::Function { kind, message } = error else { panic!("{error}") };
        assert_eq!(kind, "Inventory");
        assert!(message.contains("s3://somewhere-else/") && message.contains("INVENTORY_LOCATION"), "{message}");
    }
}

#[tokio::test]
async fn an_archive_read_from_its_bucket_gives_the_same_records_as_its_site() {
    let (web, bucket) = (World::new(2_000).await, World::new(2_000).await);
    let answer = web.function(&[]).await.invoke(&schedule()).await.unwrap();
    assert_eq!(answer["outcome"], "done", "{answer}");

    let folder = tempfile::tempdir().unwrap();
    bucket.sample.write_archive(folder.path()).unwrap();
    bucket.s3.link_bucket("builds", folder.path()).unwrap();
    let function = bucket.function(&[("ARCHIVE_URL", "s3://builds")]).await;
    let answer = function.invoke(&schedule()).await.unwrap();
    assert_eq!((&answer["outcome"], &answer["faults"]), (&json!("done"), &json!([])), "{answer}");
    assert_eq!(bucket.site.requests(), 0, "the site is not asked");
    assert_eq!(bucket.records().await, web.records().await);
}

#[tokio::test]
async fn a_run_whose_time_is_over_says_so_and_further_ones_end_it() {
    let world = World::new(8_000).await;
    let function = world.function(&[("AWS_LAMBDA_FUNCTION_TIMEOUT", "12")]).await;
    // Some files come later than that.
    let last = world.sample.objects().filter(|object| object.kind == Kind::Metadata).last().unwrap();
    for object in world.sample.objects().filter(|object| object.kind == Kind::Metadata) {
        if object.key.rsplit('/').next() == last.key.rsplit('/').next() {
            world.site.fail(format!("/{}", object.key), Failure::Slow(Duration::from_secs(20)));
        }
    }
    let first = function.invoke(&schedule()).await.unwrap();
    assert_eq!((&first["outcome"], &first["complete"]), (&json!("unfinished"), &json!(false)), "{first}");
    let stored = count(&first, "/store/created");
    assert!(!world.is_all_accounted_for(&first), "{first}");
    world.site.heal();

    let mut created = stored;
    let mut invocations = 1;
    loop {
        let answer = function.invoke(&schedule()).await.unwrap();
        created += count(&answer, "/store/created");
        invocations += 1;
        assert_eq!((count(&answer, "/store/updated"), &answer["faults"]), (0, &json!([])), "{answer}");
        if answer["outcome"] == "done" {
            break;
        }
        assert!(invocations < 10, "it goes on from where it was: {answer}");
    }
    let records = world.records().await;
    assert_eq!(records.len() as u64, created, "nothing is sent twice");
    let whole = World::new(8_000).await;
    assert_eq!(whole.function(&[]).await.invoke(&schedule()).await.unwrap()["outcome"], "done");
    assert_eq!(records, whole.records().await);

    let logs = function.logs().unwrap();
    let unfinished = logs.lines().filter(|line| line.contains("\"_aws\"")).map(json_of);
    assert_eq!(unfinished.map(|line| line["RunsUnfinished"].clone()).next(), Some(json!(1)));
}

#[tokio::test]
async fn a_store_that_is_not_there_is_an_error_of_its_kind_and_is_tried_again() {
    let mut world = World::new(2_000).await;
    world.kinto.stop().await.unwrap();
    let function = world.function(&[("NB_RETRY_REQUEST", "0")]).await;
    let error = function.invoke(&schedule()).await.unwrap_err();
    let FunctionError::Function { kind, message } = error else { panic!("{error}") };
    assert_eq!(kind, "Store");
    assert!(message.contains(&world.kinto.url()), "{message}");
    world.kinto.restart(&[]).await.unwrap();
    assert_eq!(function.invoke(&schedule()).await.unwrap()["outcome"], "done");
}
