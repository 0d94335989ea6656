//! The report of a run, as it is kept in its folder.

use jiff::Timestamp;
use serde::Serialize;

use crate::report::Report;

/// What a run did: one JSON object.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// The run.
    pub run: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The parts of its inventories.
    pub parts: PartsReport,
    /// The batches of its records.
    pub batches: BatchesReport,
    /// What was counted, over all parts. Of the durations `total` is the run's, the others are added up over its workers.
    #[serde(flatten)]
    pub report: Report,
}

/// Parts of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PartsReport {
    /// To be read.
    pub planned: usize,
    /// Read, and their records queued.
    pub done: usize,
    /// Invocations that worked on them.
    pub invocations: u64,
    /// Time of those, in seconds.
    pub seconds: f64,
}

/// Batches of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BatchesReport {
    /// Queued.
    pub queued: usize,
    /// Written.
    pub written: usize,
}

impl RunReport {
    /// The report of a run that one invocation did, named by the moment it began.
    pub fn of_one_invocation(report: Report, began: Timestamp, ended: Timestamp) -> Self {
        let done = usize::try_from(report.read.parts).unwrap_or(usize::MAX);
        let planned = done.saturating_add(report.failed_parts.len());
        let parts = PartsReport { planned, done, invocations: 1, seconds: report.seconds.total };
        let run = began.strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        Self { run, began, ended, parts, batches: BatchesReport::default(), report }
    }
}
