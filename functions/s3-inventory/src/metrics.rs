//! The report as CloudWatch metrics.

use std::time::Duration;

use buildhub_core::metrics::{self, Metrics};
use buildhub_indexer::Report;
use jiff::Timestamp;

/// Writes the numbers of a run to standard output, where Lambda's log takes them from.
pub(crate) fn emit(report: &Report, at: Timestamp) {
    let mut numbers = Metrics::new("s3-inventory").with("inventories", report.inventories.clone());
    let Report { read, builds, metadata, store, seconds, .. } = report;
    for (metric, count) in [
        (&metrics::ROWS_READ, read.rows),
        (&metrics::ROWS_REFUSED, read.bad_rows),
        (&metrics::BUILDS_FOUND, builds.seen),
        (&metrics::RECORDS_READ, store.read),
        (&metrics::RECORDS_UNCHANGED, builds.known + store.unchanged),
        (&metrics::RECORDS_CREATED, store.created),
        (&metrics::RECORDS_UPDATED, store.updated),
        (&metrics::RECORDS_REFUSED, builds.refused + store.refused),
        (&metrics::RECORDS_LOST, store.lost),
        (&metrics::METADATA_REQUESTS, metadata.requests),
        (&metrics::METADATA_MISSING, builds.without_metadata),
        (&metrics::RUNS_UNFINISHED, u64::from(!report.complete)),
        (&metrics::FAULTS, report.fault_count),
    ] {
        numbers.count(metric, count);
    }
    numbers.duration(&metrics::RUN_DURATION, Duration::from_secs_f64(seconds.total));
    numbers.duration(&metrics::FETCH_EXISTING_DURATION, Duration::from_secs_f64(seconds.store));
    numbers.duration(&metrics::PUBLISH_DURATION, Duration::from_secs_f64(seconds.records));
    if let Err(error) = numbers.write(at, &mut std::io::stdout()) {
        tracing::warn!(%error, "the metrics cannot be written");
    }
}
