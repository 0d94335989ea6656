//! The index of the store at a million records: bytes a record, look-ups, and its file.
//!
//! `cargo bench -p buildhub-indexer --bench index`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark, not the product"
)]

use std::hint::black_box;

use buildhub_indexer::fact::{Fact, IdHash};
use buildhub_indexer::index::{Entry, Index};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: u64 = 1_000_000;
/// Look-ups in one measurement.
const QUESTIONS: u64 = 100_000;
const STORE: u64 = 7;

/// Ids as records have them, of a product that has the versions 1 to 1,000,000.
fn id(number: u64) -> IdHash {
    IdHash::of(&format!("firefox_{number}-0_linux-x86_64_en-us"))
}

fn entry(number: u64) -> Entry {
    let fact = Fact { source: number ^ 7, content: number ^ 9, date: 3, rank: 4 };
    Entry { id: id(number), fact, last_modified: number + 1 }
}

fn filled() -> Index {
    let mut index = Index::default();
    (0..RECORDS).for_each(|number| index.insert(entry(number)));
    assert_eq!(index.len() as u64, RECORDS);
    index
}

fn index(criterion: &mut Criterion) {
    let mut index = filled();
    let file = index.to_bytes(STORE);
    let a_record = |bytes: usize| bytes as f64 / RECORDS as f64;
    println!(
        "{RECORDS} records: {:.2} bytes a record in memory, {:.2} in the file",
        a_record(index.memory()),
        a_record(file.len())
    );

    let mut group = criterion.benchmark_group("index of 1 M records");
    group.sample_size(10);
    // Spread over the whole index, so that no look-up finds its neighbours warm.
    let known: Vec<IdHash> = (0..QUESTIONS).map(|number| id(number * 7_919 % RECORDS)).collect();
    let unknown: Vec<IdHash> = (0..QUESTIONS).map(|number| id(RECORDS + number)).collect();
    group.throughput(Throughput::Elements(QUESTIONS));
    for (name, ids) in [("look up, known", &known), ("look up, unknown", &unknown)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| ids.iter().filter(|id| black_box(&index).get(**id).is_some()).count());
        });
    }
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("fill", |bencher| bencher.iter(filled));
    group.bench_function("write the file", |bencher| bencher.iter(|| index.to_bytes(STORE)));
    group.bench_function("read the file", |bencher| bencher.iter(|| Index::from_bytes(&file, STORE).unwrap()));
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);
