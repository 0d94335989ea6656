//! Figures of the functions under AWS's runtime emulator, between real servers. To be run on a quiet machine.
//!
//! ```text
//! measure-functions events target/release/s3-event
//! measure-functions fan-out target/release/s3-inventory --workers 1 --workers 4
//! measure-functions redirects target/release/archiver-api
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::moto::{Moto, QueueSettings};
use buildhub_testkit::s3::S3Server;
use buildhub_testkit::sample::{Inventory, Kind, Object, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Measures functions under AWS's runtime emulator.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// From an event to its record, one event after another, and the requests to the archive by kind.
    Events {
        /// The program of s3-event.
        function: PathBuf,
        /// How many events of archives.
        #[arg(long, default_value_t = 1000)]
        events: usize,
    },
    /// Rows a second of a run whose parts several workers read, until the last record is queued.
    FanOut {
        /// The program of s3-inventory.
        function: PathBuf,
        /// How many workers; given more than once, one run for each.
        #[arg(long, default_values_t = [1, 2, 4])]
        workers: Vec<usize>,
        /// Rows of the inventory.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// Parts of the inventory.
        #[arg(long, default_value_t = 8)]
        parts: usize,
    },
    /// From a request for an archive that is there to the redirection, one request after another.
    Redirects {
        /// The program of archiver-api.
        function: PathBuf,
        /// How many requests.
        #[arg(long, default_value_t = 1000)]
        requests: usize,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let measured = match Arguments::parse().what {
        What::Events { function, events } => measure_events(&function, events).await,
        What::FanOut { function, workers, rows, parts } => measure_fan_out(&function, &workers, rows, parts).await,
        What::Redirects { function, requests } => measure_redirects(&function, requests).await,
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be said, the exit code says it.
            let _ = writeln!(io::stderr(), "measure-functions: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn start(
    function: &Path,
    variables: &[(String, String)],
    size: usize,
) -> Result<Emulator, Box<dyn Error + Send + Sync>> {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Ok(Emulator::pool(function, &variables, size).await?)
}

fn settings(pairs: &[(&str, String)]) -> Vec<(String, String)> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    pairs.chain([("NO_PROXY".to_owned(), "127.0.0.1".to_owned())]).collect()
}

/// What the requests of an event depend on.
fn kind(object: &Object) -> &'static str {
    let of = |kinds: [&'static str; 3]| match object.key.split('/').nth(2) {
        Some("nightly") => kinds[0],
        Some("candidates") => kinds[1],
        _ => kinds[2],
    };
    match object.kind {
        Kind::Build { .. } => of(["nightly archive", "candidate archive", "release archive"]),
        Kind::Metadata => of(["nightly metadata", "candidate metadata", "release metadata"]),
        Kind::Other => "no build",
    }
}

async fn measure_events(function: &Path, events: usize) -> Outcome {
    let sample = Arc::new(Sample::new(SampleSpec { rows: 20_000, seed: 1, parts: 1 }));
    let site = ArchiveSite::start(Content::sample(Arc::clone(&sample))).await?;
    let kinto = KintoServer::start(Backend::Postgresql).await?;
    let variables = settings(&[("SERVER_URL", kinto.url()), ("ARCHIVE_URL", site.url())]);
    let function = start(function, &variables, 1).await?;
    let objects: Vec<Object> = sample.objects().collect();
    let archives: Vec<&Object> = objects.iter().filter(|object| matches!(object.kind, Kind::Build { .. })).collect();
    let others: Vec<&Object> = objects.iter().filter(|object| !matches!(object.kind, Kind::Build { .. })).collect();
    let step = (archives.len() / events.max(1)).max(1);
    let mut requests = BTreeMap::<&str, Vec<u64>>::new();
    let mut took = Vec::new();
    // The first event also makes the store ready, and connections.
    if let Some(first) = archives.first() {
        function.invoke(&event(&first.key)).await?;
    }
    for object in archives.into_iter().step_by(step).take(events) {
        let before = site.requests();
        let began = Instant::now();
        function.invoke(&event(&object.key)).await?;
        took.push(began.elapsed());
        requests.entry(kind(object)).or_default().push(site.requests() - before);
    }
    for object in others.into_iter().step_by(97) {
        let before = site.requests();
        function.invoke(&event(&object.key)).await?;
        requests.entry(kind(object)).or_default().push(site.requests() - before);
    }
    say_shares("event to stored record", took)?;
    say(format_args!("memory of the function: {:.1} MiB", mebibytes(function.peak_memory())))?;
    for (kind, mut counts) in requests {
        counts.sort_unstable();
        let (least, most) = (counts.first().copied().unwrap_or(0), counts.last().copied().unwrap_or(0));
        let median = counts.get(counts.len() / 2).copied().unwrap_or(0);
        say(format_args!("requests to the archive, {kind}: {median} ({least} to {most}, {} events)", counts.len()))?;
    }
    Ok(())
}

/// Half of them took no longer than this, and but for one of a hundred no longer than that.
fn say_shares(what: &str, mut took: Vec<Duration>) -> io::Result<()> {
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1000.0;
    say(format_args!("{what}, {} times: p50 {:.1} ms, p99 {:.1} ms", took.len(), at(50), at(99)))
}

async fn measure_redirects(function: &Path, requests: usize) -> Outcome {
    let store = S3Server::start().await?;
    let folder = store.create_bucket("east")?.join("projects");
    store.create_bucket("west")?;
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("ash-42bf8560b395.tar.gz"), "an archive")?;
    let mut variables = settings(&[
        ("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west".to_owned()),
        ("ARCHIVER_QUEUE_URL", format!("{}/queue", store.endpoint())),
    ]);
    variables.extend(store.variables());
    let function = start(function, &variables, 1).await?;
    for (what, region) in [("a redirection to the nearest region", "us-east-1"), ("to another", "us-west-2")] {
        let request = asked(region);
        let mut took = Vec::new();
        // The first request also makes connections.
        function.invoke(&request).await?;
        for _ in 0..requests {
            let began = Instant::now();
            let answer = function.invoke(&request).await?;
            took.push(began.elapsed());
            if answer.get("statusCode") != Some(&json!(302)) {
                return Err(format!("it is no redirection: {answer}").into());
            }
        }
        say_shares(what, took)?;
    }
    say(format_args!("memory of the function: {:.1} MiB", mebibytes(function.peak_memory())))?;
    Ok(())
}

/// As an HTTP API sends it.
fn asked(region: &str) -> Value {
    let path = "/archiver/hgmo/projects/ash/42bf8560b395";
    json!({ "version": "2.0", "rawPath": path, "rawQueryString": format!("preferred_region={region}"),
            "headers": { "accept": "*/*" }, "isBase64Encoded": false,
            "requestContext": { "domainName": "archives.example", "http": { "method": "GET", "path": path },
                "requestId": "one", "stage": "$default" } })
}

/// As `EventBridge` sends it: the key stands as it is.
fn event(key: &str) -> Value {
    json!({ "source": "aws.s3", "detail-type": "Object Created",
            "detail": { "bucket": { "name": "builds" }, "object": { "key": key } } })
}

async fn measure_fan_out(function: &Path, workers: &[usize], rows: u64, parts: usize) -> Outcome {
    let sample = Arc::new(Sample::new(SampleSpec { rows, seed: 1, parts }));
    let site = ArchiveSite::start(Content::sample(Arc::clone(&sample))).await?;
    site.count_paths(false);
    let folder = tempfile::tempdir()?;
    sample.write_inventory(folder.path(), &Inventory::of("firefox"))?;
    for count in workers {
        let kinto = KintoServer::start(Backend::Memory).await?;
        let moto = Arc::new(Moto::start().await?);
        moto.create_bucket("caches").await?;
        let plain = QueueSettings { visibility: 900, fifo: false, dead_letters: None };
        let queue = moto.create_queue("parts", &plain).await?;
        let batches = moto.create_queue("batches.fifo", &QueueSettings { fifo: true, ..plain }).await?;
        let mut variables = settings(&[
            ("SERVER_URL", kinto.url()),
            ("ARCHIVE_URL", site.url()),
            ("INVENTORIES", "firefox".to_owned()),
            ("INVENTORY_LOCATION", folder.path().join("public").display().to_string()),
            ("CACHE_FOLDER", "s3://caches".to_owned()),
            ("PARTS_QUEUE_URL", queue.url.clone()),
            ("BATCHES_QUEUE_URL", batches.url.clone()),
        ]);
        variables.extend(moto.variables());
        let pool = Arc::new(start(function, &variables, *count).await?);
        let answer = pool.invoke(&json!({ "detail-type": "Scheduled Event", "source": "aws.events" })).await?;
        if answer.get("outcome") != Some(&json!("queued")) {
            return Err(format!("nothing was queued: {answer}").into());
        }
        let began = Instant::now();
        let source = EventSource::start(&moto, &pool, Mapping { queue, batch: 1, concurrency: *count });
        source.drained().await?;
        let took = began.elapsed();
        if source.failures() > 0 {
            return Err(format!("{} calls failed: {}", source.failures(), pool.logs()?).into());
        }
        let messages = moto.counts(&batches).await?.visible;
        say(format_args!(
            "{rows} rows in {parts} parts, {count} workers: {} rows/s ({:.2} s, {messages} batches queued), {:.1} MiB a worker",
            per_second(rows, took),
            took.as_secs_f64(),
            mebibytes(pool.peak_memory()),
        ))?;
    }
    Ok(())
}

fn per_second(rows: u64, took: Duration) -> u128 {
    u128::from(rows) * 1000 / took.as_millis().max(1)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

fn say(line: std::fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
