//! Rows per second on one core, of a generated inventory's gzipped CSV: decompression alone, the `csv` crate's
//! `ByteRecord`, and this crate, all in one run. Compare them with each other, not with another machine's.
//!
//! `cargo bench -p buildhub-inventory`

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on may stop")]

use std::hint::black_box;
use std::io::{Cursor, Read, Write as _};

use buildhub_inventory::{Rows, Schema, csv_rows};
use buildhub_testkit::sample::{Inventory, Sample, SampleSpec};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flate2::read::MultiGzDecoder;

const ROWS: u64 = 250_000;

/// The one part of a sample's inventory, as stored.
fn part() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let inventory = Inventory::of("firefox");
    let sample = Sample::new(SampleSpec { rows: ROWS, seed: 1, parts: 1 });
    sample.write_inventory(folder.path(), &inventory).unwrap();
    let data = folder.path().join(inventory.folder()).join("data");
    let file = std::fs::read_dir(data).unwrap().next().unwrap().unwrap();
    std::fs::read(file.path()).unwrap()
}

/// The same rows as few writers quote them: only where they must.
fn unquoted(part: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    MultiGzDecoder::new(part).read_to_end(&mut text).unwrap();
    text.retain(|byte| *byte != b'"');
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(&text).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(part: &[u8]) -> u64 {
    let mut decoder = MultiGzDecoder::new(part);
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match decoder.read(&mut buffer).unwrap() {
            0 => return bytes,
            read => bytes += read as u64,
        }
    }
}

fn byte_records(part: &[u8]) -> u64 {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).buffer_capacity(256 * 1024).from_reader(MultiGzDecoder::new(part));
    let mut record = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut record).unwrap() {
        black_box(record.get(1));
        rows += 1;
    }
    rows
}

fn keys(part: &[u8]) -> u64 {
    let mut rows = csv_rows(Cursor::new(part.to_vec()), &Schema::default_csv(), "part");
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        black_box(row.unwrap().key().unwrap().as_str());
        count += 1;
    }
    count
}

fn columns(part: &[u8]) -> u64 {
    let mut rows = csv_rows(Cursor::new(part.to_vec()), &Schema::default_csv(), "part");
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        let row = row.unwrap();
        black_box((row.key().unwrap(), row.size().unwrap(), row.last_modified().unwrap()));
        count += 1;
    }
    count
}

fn rows(criterion: &mut Criterion) {
    let part = part();
    let unquoted = unquoted(&part);
    assert_eq!(keys(&part), ROWS);
    assert_eq!(keys(&unquoted), ROWS);
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    let mut bench = |name, work: fn(&[u8]) -> u64, part: &[u8]| {
        group.bench_with_input(BenchmarkId::from_parameter(name), part, |bencher, part| bencher.iter(|| work(part)));
    };
    bench("gunzip alone", gunzip, &part);
    bench("gunzip, csv::ByteRecord", byte_records, &part);
    bench("gunzip, key", keys, &part);
    bench("gunzip, key, size, date", columns, &part);
    bench("gunzip, key, unquoted columns", keys, &unquoted);
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);
