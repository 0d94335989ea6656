//! Numbers for CloudWatch, on standard output, where Lambda's log takes them from.

use std::time::Duration;

use buildhub_core::metrics::{self, Metrics};
use buildhub_self_serve::jobs::Job;
use buildhub_self_serve::work::Swept;
use jiff::Timestamp;

const FUNCTION: &str = "self-serve-agent";

/// What became of the messages of an invocation.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    done: u64,
    failed: u64,
    delay: Option<Duration>,
    /// Messages that come again.
    pub(crate) retried: u64,
    /// Messages that never can be read, and breaks.
    pub(crate) faults: u64,
}

impl Numbers {
    /// Counts a job that is over.
    pub(crate) fn add(&mut self, job: &Job, errors: bool) {
        if errors {
            self.failed += 1;
        } else {
            self.done += 1;
        }
        let seconds = job.completed_at.unwrap_or(job.when).saturating_sub(job.when).max(0);
        self.delay = self.delay.max(Some(Duration::from_secs(seconds.unsigned_abs())));
    }

    /// Adds those of a group.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.done += other.done;
        self.failed += other.failed;
        self.retried += other.retried;
        self.faults += other.faults;
        self.delay = self.delay.max(other.delay);
    }

    /// Writes them.
    pub(crate) fn emit(&self, at: Timestamp) {
        let mut numbers = Metrics::new(FUNCTION);
        for (metric, count) in [
            (&metrics::JOBS_DONE, self.done),
            (&metrics::JOBS_FAILED, self.failed),
            (&metrics::JOBS_RETRIED, self.retried),
            (&metrics::FAULTS, self.faults),
        ] {
            numbers.count(metric, count);
        }
        if let Some(delay) = self.delay {
            numbers.duration(&metrics::JOB_DELAY, delay);
        }
        numbers.emit(at);
    }
}

/// Writes what a turn of the sweep did.
pub(crate) fn of_sweep(swept: &Swept, at: Timestamp) {
    let mut numbers = Metrics::new(FUNCTION);
    for (metric, count) in [
        (&metrics::JOBS_OPEN, swept.open),
        (&metrics::JOBS_SENT_AGAIN, swept.sent),
        (&metrics::JOBS_GIVEN_UP, swept.expired),
        (&metrics::REQUESTS_CORRECTED, swept.builds.refreshed),
        (&metrics::FAULTS, swept.faults),
    ] {
        numbers.count(metric, count);
    }
    numbers.emit(at);
}
