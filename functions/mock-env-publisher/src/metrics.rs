//! Numbers for CloudWatch, on standard output, where Lambda's log takes them from.

use std::time::Duration;

use buildhub_core::metrics::{self, Metric, Metrics};
use jiff::Timestamp;

const FUNCTION: &str = "mock-env-publisher";

/// One environment was published, or found to be.
pub(crate) fn of_one(built: bool, changed: bool, size: u64, took: Duration) {
    let mut numbers = counted(&[
        (&metrics::ENVIRONMENTS_BUILT, u64::from(built)),
        (&metrics::ENVIRONMENTS_UNCHANGED, u64::from(!built && !changed)),
        (&metrics::ENVIRONMENTS_RELABELLED, u64::from(!built && changed)),
        (&metrics::ENVIRONMENTS_FAILED, 0),
        (&metrics::ENVIRONMENT_BYTES, if built { size } else { 0 }),
    ]);
    numbers.duration(&metrics::ENVIRONMENT_DURATION, took);
    numbers.emit(Timestamp::now());
}

/// One cannot be published.
pub(crate) fn failed() {
    counted(&[(&metrics::ENVIRONMENTS_FAILED, 1)]).emit(Timestamp::now());
}

/// One was not published this time.
pub(crate) fn retried() {
    counted(&[(&metrics::ENVIRONMENTS_RETRIED, 1)]).emit(Timestamp::now());
}

/// A schedule's turn.
pub(crate) fn of_plan(planned: usize, refused: usize) {
    let numbers = [(&metrics::ENVIRONMENTS_PLANNED, planned), (&metrics::ENVIRONMENTS_FAILED, refused)];
    counted(&numbers.map(|(metric, count)| (metric, count as u64))).emit(Timestamp::now());
}

fn counted(counts: &[(&Metric, u64)]) -> Metrics {
    let mut numbers = Metrics::new(FUNCTION);
    for (metric, count) in counts {
        numbers.count(metric, *count);
    }
    numbers
}
