//! A run begins: in this invocation, or spread over many.

use std::sync::Arc;

use buildhub_core::{Deadline, Variables};
use buildhub_indexer::fanout::{FanOut, FanOutError, Planned, RunReport};
use buildhub_indexer::{CatchUp, LogProgress};
use jiff::Timestamp;

use crate::{Error, Outcome, metrics};

/// The folder of an inventory that has just landed, and its bucket.
pub(crate) type Landed<'a> = Option<(&'a str, &'a str)>;

/// Plans a run for other invocations.
pub(crate) async fn planned(fan_out: &FanOut, landed: Landed<'_>, deadline: Deadline) -> Result<Outcome, FanOutError> {
    Ok(match fan_out.plan(landed, Timestamp::now(), deadline).await? {
        Planned::Queued { run, parts } => Outcome::Queued { run, parts },
        Planned::Running(run) => Outcome::Running { run },
        Planned::Done(report) => {
            ended(&report);
            Outcome::Done(report)
        }
    })
}

/// Does all of it in this invocation.
pub(crate) async fn whole(variables: &Variables, landed: Landed<'_>, deadline: Deadline) -> Result<Outcome, Error> {
    let began = Timestamp::now();
    let mut run = CatchUp::from_variables(variables, began, Arc::new(LogProgress::default())).await?.until(deadline);
    if let Some((bucket, folder)) = landed {
        run = run.landed(bucket, folder)?;
    }
    let (report, result) = run.run().await;
    let report = RunReport::of_one_invocation(report, began, Timestamp::now());
    ended(&report);
    run.keep_report(&report).await;
    result?;
    let report = Box::new(report);
    Ok(if report.report.complete { Outcome::Done(report) } else { Outcome::Unfinished(report) })
}

/// A run is over: its numbers go to CloudWatch, and what it could not do into the log.
pub(crate) fn ended(report: &RunReport) {
    metrics::of_run(&report.report, Timestamp::now());
    for fault in &report.report.faults {
        tracing::warn!(run = report.run, fault, "not done");
    }
}
