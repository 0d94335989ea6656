//! Numbers for CloudWatch, on standard output, where Lambda's log takes them from.

use std::time::Duration;

use buildhub_core::metrics::{self, Metrics};
use buildhub_indexer::Report;
use jiff::Timestamp;

/// Writes the numbers of a run.
pub(crate) fn of_run(report: &Report, at: Timestamp) {
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
        (&metrics::GAPS, report.gaps.values().sum()),
        (&metrics::RUNS_UNFINISHED, u64::from(!report.complete)),
        (&metrics::FAULTS, report.fault_count),
    ] {
        numbers.count(metric, count);
    }
    numbers.duration(&metrics::RUN_DURATION, Duration::from_secs_f64(seconds.total.max(0.0)));
    numbers.duration(&metrics::FETCH_EXISTING_DURATION, Duration::from_secs_f64(seconds.store));
    numbers.duration(&metrics::PUBLISH_DURATION, Duration::from_secs_f64(seconds.records));
    numbers.emit(at);
}

/// Steps of a run that one invocation did.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) parts_done: u64,
    pub(crate) parts_failed: u64,
    pub(crate) hops_exceeded: u64,
    pub(crate) batches_done: u64,
    /// Steps that come again.
    pub(crate) failed: u64,
    /// Messages that are no step.
    pub(crate) dropped: u64,
}

impl Steps {
    /// Writes them.
    pub(crate) fn emit(&self) {
        let mut numbers = Metrics::new("s3-inventory");
        for (metric, count) in [
            (&metrics::PARTS_DONE, self.parts_done),
            (&metrics::PARTS_FAILED, self.parts_failed),
            (&metrics::HOPS_EXCEEDED, self.hops_exceeded),
            (&metrics::BATCHES_DONE, self.batches_done),
            (&metrics::STEPS_FAILED, self.failed),
            (&metrics::FAULTS, self.dropped),
        ] {
            numbers.count(metric, count);
        }
        numbers.emit(Timestamp::now());
    }
}
