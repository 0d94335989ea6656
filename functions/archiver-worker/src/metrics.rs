//! Numbers for CloudWatch, on standard output, where Lambda's log takes them from.

use std::time::Duration;

use buildhub_archiver::sweep::Swept;
use buildhub_archiver::work::Outcome;
use buildhub_core::metrics::{self, Metrics};
use jiff::Timestamp;

const FUNCTION: &str = "archiver-worker";

/// What became of the messages of an invocation.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    copied: u64,
    bytes: u64,
    repaired: u64,
    incomplete: u64,
    failed: u64,
    retried: u64,
    lost: u64,
    longest: Option<Duration>,
    /// Messages that come again, or never can be read.
    pub(crate) faults: u64,
}

impl Numbers {
    /// Counts one message.
    pub(crate) fn add(&mut self, outcome: &Outcome, took: Duration) {
        match outcome {
            Outcome::Copied { bytes, missing } => {
                self.copied += 1;
                self.bytes += bytes;
                self.incomplete += u64::from(*missing > 0);
                self.longest = self.longest.max(Some(took));
            }
            Outcome::Repaired { missing, .. } | Outcome::AlreadyThere { missing } if *missing > 0 => {
                self.incomplete += 1;
            }
            Outcome::Repaired { .. } => self.repaired += 1,
            Outcome::Failed(_) | Outcome::Revoked => self.failed += 1,
            Outcome::Retrying { .. } => self.retried += 1,
            Outcome::Lost => self.lost += 1,
            Outcome::AlreadyThere { .. }
            | Outcome::Paused { .. }
            | Outcome::Held
            | Outcome::Over
            | Outcome::Stale
            | Outcome::Early
            | Outcome::Unknown => {}
        }
    }

    /// Writes them.
    pub(crate) fn emit(&self, at: Timestamp) {
        let mut numbers = Metrics::new(FUNCTION);
        for (metric, count) in [
            (&metrics::ARCHIVES_COPIED, self.copied),
            (&metrics::ARCHIVE_BYTES, self.bytes),
            (&metrics::ARCHIVES_REPAIRED, self.repaired),
            (&metrics::ARCHIVES_INCOMPLETE, self.incomplete),
            (&metrics::ARCHIVES_FAILED, self.failed),
            (&metrics::ARCHIVES_RETRIED, self.retried),
            (&metrics::LEASES_LOST, self.lost),
            (&metrics::FAULTS, self.faults),
        ] {
            numbers.count(metric, count);
        }
        if let Some(longest) = self.longest {
            numbers.duration(&metrics::COPY_DURATION, longest);
        }
        numbers.emit(at);
    }
}

/// Writes what a turn of the sweeper did.
pub(crate) fn of_sweep(swept: &Swept, at: Timestamp) {
    let mut numbers = Metrics::new(FUNCTION);
    for (metric, count) in [
        (&metrics::TASKS_SEEN, swept.seen),
        (&metrics::TASKS_SENT_AGAIN, swept.sent - swept.repairs),
        (&metrics::REPAIRS_SENT, swept.repairs),
        (&metrics::TASKS_GIVEN_UP, swept.given_up),
        (&metrics::UPLOADS_SWEPT, swept.aborted + swept.deleted),
        (&metrics::FAULTS, swept.faults),
    ] {
        numbers.count(metric, count);
    }
    numbers.emit(at);
}
