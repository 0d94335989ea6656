//! Rows a second on one core, from gzipped parts to records ready to be written, beside `zcat | wc -l` on the same files.
//!
//! Everything of a catch-up run but its requests: gunzip, CSV, classification, the index, metadata looked up (from memory)
//! and parsed, records made, checked, written as JSON and hashed. Compare the two with each other, not with another
//! machine's.
//!
//! `cargo bench -p buildhub-indexer --bench pipeline`

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark, not the product")]

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use buildhub_core::Variables;
use buildhub_indexer::NoProgress;
use buildhub_indexer::archive::{Archive, ArchiveError, FileFacts, Folder};
use buildhub_indexer::index::{Entry, Index};
use buildhub_indexer::metadata::Library;
use buildhub_indexer::ready::Ready;
use buildhub_indexer::resolve::{Knowledge, MetadataUse, Resolver};
use buildhub_indexer::scan::Sieve;
use buildhub_indexer::settings::Selection;
use buildhub_indexer::spool::{Pending, Spool};
use buildhub_inventory::{Rows as _, Schema, csv_rows};
use buildhub_releases::{Facts, Key, Metadata, classify};
use buildhub_testkit::sample::{Inventory, Kind, Sample, SampleSpec};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ROWS: u64 = 1_000_000;
const URL: &str = "https://archive.mozilla.org/";
/// Builds resolved together, as in a run.
const CHUNK: usize = 512;
/// How often each side is timed for the ratio; the best time counts.
const TIMES: usize = 5;

/// An archive in memory.
#[derive(Debug)]
struct Memory(HashMap<String, Bytes>);

#[async_trait]
impl Archive for Memory {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ArchiveError> {
        Ok(self.0.get(key).cloned())
    }

    async fn head(&self, _: &str) -> Result<Option<FileFacts>, ArchiveError> {
        Ok(None)
    }

    async fn list(&self, _: &str) -> Result<Folder, ArchiveError> {
        Ok(Folder::default())
    }
}

/// The parts on disk, and what a run over them needs.
struct World {
    parts: Vec<PathBuf>,
    archive: Arc<Memory>,
    selection: Selection,
    folder: TempDir,
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sample = Sample::new(SampleSpec::of(ROWS));
        let inventory = Inventory::of("firefox");
        sample.write_inventory(folder.path(), &inventory).unwrap();
        let data = folder.path().join(inventory.folder()).join("data");
        let parts = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path()).collect();
        let files = sample.objects().filter(|object| object.kind == Kind::Metadata);
        let files = files.filter_map(|object| Some((sample.metadata(&object.key)?.bytes, object.key)));
        let archive = Arc::new(Memory(files.map(|(bytes, key)| (key, bytes)).collect()));
        let selection = Selection::from_variables(&Variables::default(), Timestamp::UNIX_EPOCH).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { parts, archive, selection, folder, runtime }
    }

    /// Rows to news, as a run does it; the builds that are news wait on disk.
    fn sift(&self, index: Option<&Index>) -> (Knowledge, Spool, u64) {
        let mut spool = Spool::new(self.folder.path()).unwrap();
        let mut knowledge = Knowledge { complete: true, ..Knowledge::default() };
        let mut read = 0;
        for part in &self.parts {
            let mut rows = csv_rows(File::open(part).unwrap(), &Schema::default_csv(), "part");
            let mut sieve = Sieve::new(&self.selection, URL, index);
            sieve.sift(&mut rows, &NoProgress, &|| false, &mut |news| Ok(spool.push(&news.build)?)).unwrap();
            read += sieve.read.rows;
            knowledge.learned.absorb(sieve.learned);
        }
        assert_eq!(read, ROWS);
        (knowledge, spool, read)
    }

    /// All of it on this thread; each record is handed to `take`.
    fn records(&self, take: &mut dyn FnMut(Ready)) {
        let (knowledge, spool, _) = self.sift(Some(&Index::default()));
        let archive = Arc::clone(&self.archive) as Arc<dyn Archive>;
        let library = Library::new(archive, NonZeroUsize::MIN, Timestamp::UNIX_EPOCH);
        let resolver = Resolver {
            library: Arc::new(library),
            products: self.selection.products,
            download_url: URL.to_owned(),
            release_as_beta: false,
            metadata: MetadataUse::Needed,
            parallel: 1,
        };
        let mut chunk: Vec<Pending> = Vec::with_capacity(CHUNK);
        let mut resolve = |chunk: &mut Vec<Pending>| {
            let outcome = self.runtime.block_on(resolver.resolve(chunk, &knowledge)).unwrap();
            outcome.ready.into_iter().for_each(&mut *take);
            chunk.clear();
        };
        for build in spool.read().unwrap() {
            chunk.push(build.unwrap());
            if chunk.len() == CHUNK {
                resolve(&mut chunk);
            }
        }
        resolve(&mut chunk);
    }

    /// Rows to records in memory, nothing looked up, written or kept: what the data itself costs.
    fn build(&self, metadata: &Metadata) -> u64 {
        let mut built = 0;
        for part in &self.parts {
            let mut rows = csv_rows(File::open(part).unwrap(), &Schema::default_csv(), "part");
            while let Some(row) = rows.next().unwrap() {
                let row = row.unwrap();
                let key = row.key().unwrap();
                if let Key::Archive(archive) = classify(key.as_str(), self.selection.products) {
                    let (size, date) = (row.size().unwrap(), row.last_modified().unwrap());
                    black_box(archive.record(&Facts { archive_url: URL, size, date }, Some(metadata)));
                    built += 1;
                }
            }
        }
        built
    }

    fn count_records(&self) -> u64 {
        let mut count = 0;
        self.records(&mut |_| count += 1);
        count
    }
}

/// `zcat PARTS | wc -l`, as a person would count the rows.
fn zcat(parts: &[PathBuf]) {
    let mut zcat = Command::new("zcat").args(parts).stdout(Stdio::piped()).spawn().unwrap();
    let lines = Command::new("wc").arg("-l").stdin(zcat.stdout.take().unwrap()).output().unwrap();
    assert!(zcat.wait().unwrap().success());
    assert_eq!(String::from_utf8_lossy(&lines.stdout).trim(), ROWS.to_string());
}

fn timed(work: impl Fn()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn rate(took: Duration) -> f64 {
    Duration::from_secs(ROWS).div_duration_f64(took) / 1e6
}

fn bytes(parts: &[PathBuf]) -> u64 {
    parts.iter().map(|part| part.metadata().unwrap().len()).sum()
}

fn pipeline(criterion: &mut Criterion) {
    let world = World::new();
    let mut index = Index::default();
    world.records(&mut |ready| index.insert(Entry { id: ready.hash, fact: ready.fact, last_modified: 1 }));
    let (records, known) = (world.count_records(), index.len());
    println!("{ROWS} rows in {} bytes, {records} records, {known} ids", bytes(&world.parts));

    let (key, body) = world.archive.0.iter().find(|(key, _)| key.contains("/candidates/")).unwrap();
    let metadata = Metadata::parse(key, body).unwrap();

    let mut group = criterion.benchmark_group("pipeline, one core");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    group.bench_function("zcat | wc -l", |bencher| bencher.iter(|| zcat(&world.parts)));
    group.bench_function("rows to news, all new", |bencher| bencher.iter(|| world.sift(Some(&Index::default())).2));
    group.bench_function("rows to news, all known", |bencher| bencher.iter(|| world.sift(Some(&index)).2));
    group.bench_function("rows to built records", |bencher| bencher.iter(|| world.build(&metadata)));
    group.bench_function("rows to records", |bencher| bencher.iter(|| world.count_records()));
    group.finish();

    // In turn, so that what else the machine does weighs on both.
    let (mut ours, mut built, mut theirs) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..TIMES {
        built = built.min(timed(|| assert!(world.build(&metadata) >= records)));
        ours = ours.min(timed(|| assert_eq!(world.count_records(), records)));
        theirs = theirs.min(timed(|| zcat(&world.parts)));
    }
    for (what, took) in [("rows to built records", built), ("rows to records ready to be written", ours)] {
        let times = theirs.div_duration_f64(took);
        println!(
            "{what} {:.2} M rows/s, zcat | wc -l {:.2} M rows/s: {times:.2} times as fast",
            rate(took),
            rate(theirs)
        );
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
