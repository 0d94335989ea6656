//! The beginning: what is to be done, written down once, and a message for each part.

use std::time::{Duration, Instant};

use buildhub_core::Deadline;
use buildhub_core::queue::Outgoing;
use buildhub_inventory::Found;
use jiff::{SignedDuration, Timestamp};

use super::folder::{Plan, PlannedPart, RunFolder};
use super::message::{Job, PartJob};
use super::{FanOut, FanOutError, RunReport, body};
use crate::catchup::State;
use crate::index::Index;
use crate::report::Report;

/// After this a run that did not end is given up: its messages were received as often as their queue allows.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(12);

/// After this all parts of a run are on their queue, or its planner died: no invocation lasts longer (AWS, "Lambda
/// quotas").
const QUEUED_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// What became of a schedule's turn.
#[derive(Debug)]
pub enum Planned {
    /// Parts were queued.
    Queued {
        /// The run.
        run: String,
        /// How many parts.
        parts: usize,
    },
    /// The same inventories are being worked on.
    Running(String),
    /// There was nothing to read.
    Done(Box<RunReport>),
}

impl FanOut {
    /// Plans a run over the newest inventories, or over the one that landed in a folder of a bucket.
    pub async fn plan(
        &self,
        landed: Option<(&str, &str)>,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Planned, FanOutError> {
        let mut work = self.work(now, deadline);
        if let Some((bucket, folder)) = landed {
            work = work.landed(bucket, folder)?;
        }
        let steps = async {
            let mut report = Report::default();
            let found = work.manifests(&mut report).await?;
            let run = match self.next_run(&found, now).await? {
                Ok(run) => run,
                Err(running) => return Ok(Planned::Running(running)),
            };
            let began = Instant::now();
            let opened = work.target.open(&work.caches, &*work.progress, &mut report).await?;
            let known = if opened.intact && !work.is_limited() { work.caches.state().await } else { State::default() };
            let state = known.for_work(&work.describe()).of(&found);
            let plan = Plan {
                planner: fastrand::u64(..),
                began: now,
                work: work.describe(),
                inventories: found.iter().map(|found| found.folder.clone()).collect(),
                parts: parts(&found, &state),
                batch_max: self.batch_max().await?,
                faults: report.faults.clone(),
                lasting: state.faults().to_vec(),
                missing: state.missing().clone(),
                removed: work.removed_since(&found).await?,
                records_read: report.store.read,
                reading: u64::try_from(Duration::from_secs_f64(report.seconds.store).as_millis()).unwrap_or(u64::MAX),
            };
            tracing::info!(run, parts = plan.parts.len(), seconds = began.elapsed().as_secs_f64(), "planned");
            self.begin(&run, &plan, opened.index, now, deadline).await
        };
        let steps = deadline.allow(super::margin_of(deadline), Box::pin(steps));
        steps.await.unwrap_or(Err(FanOutError::Time("plan a run")))
    }

    async fn batch_max(&self) -> Result<usize, FanOutError> {
        Ok(self.loader_settings().await?.batch_max)
    }

    /// The name of the run to be begun; or of the one that works on the same.
    async fn next_run(&self, found: &[Found], now: Timestamp) -> Result<Result<String, String>, FanOutError> {
        let base = name(found, &self.base.describe());
        let attempts = self.base.caches.attempts(&base).await.map_err(super::folder::FolderError::from)?;
        let Some(last) = attempts.iter().max() else { return Ok(Ok(format!("{base}-1"))) };
        let run = format!("{base}-{last}");
        let folder = self.folder(&run);
        if !folder.is_over().await? {
            match folder.plan().await {
                Ok(plan) if self.is_running(&folder, &plan, now).await? => return Ok(Err(run)),
                Ok(_) => {
                    tracing::warn!(run, "the run did not end and is given up; see the dead letters of its queues");
                    self.finish(&run, now, Deadline::NONE).await?;
                }
                // Of another version of this program, or swept away: nobody can end it.
                Err(error) if error.is_lasting() => {
                    tracing::warn!(run, %error, "the run has no plan that can be used and is given up");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Ok(format!("{base}-{}", last + 1)))
    }

    /// Whether somebody still works on a run that is not over.
    async fn is_running(&self, folder: &RunFolder, plan: &Plan, now: Timestamp) -> Result<bool, FanOutError> {
        let age = now.duration_since(plan.began);
        // Where the planner died before all parts were queued, nobody comes to the end.
        Ok(age <= QUEUED_WITHIN || age <= GIVEN_UP_AFTER && folder.is_queued().await?)
    }

    async fn begin(
        &self,
        run: &str,
        plan: &Plan,
        mut index: Index,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Planned, FanOutError> {
        let folder = self.folder(run);
        if !folder.create_plan(plan).await? {
            return Ok(Planned::Running(run.to_owned()));
        }
        let begun = async {
            folder.put_index(self.base.caches.index_file(&mut index)).await?;
            let jobs = (0..plan.parts.len()).map(|number| {
                let job = Job::Part(PartJob { run: run.to_owned(), number, hop: 0 });
                Ok(Outgoing { body: body(run, &job)?, ..Outgoing::default() })
            });
            self.parts.send(jobs.collect::<Result<_, FanOutError>>()?).await?;
            Ok(folder.set_queued().await?)
        };
        if let Err(error) = begun.await {
            // The next turn is to begin anew, and not to wait for this run.
            self.finish(run, now, deadline).await?;
            return Err(error);
        }
        if plan.parts.is_empty() {
            let report = self.finish(run, now, deadline).await?;
            return Ok(report.map_or_else(|| Planned::Running(run.to_owned()), Planned::Done));
        }
        Ok(Planned::Queued { run: run.to_owned(), parts: plan.parts.len() })
    }
}

/// The parts that are not in.
fn parts(found: &[Found], state: &State) -> Vec<PlannedPart> {
    let of = |(inventory, found): (usize, &Found)| {
        let wanted = found.manifest.parts.iter().filter(|part| !state.has(found, part));
        wanted.map(|part| PlannedPart { inventory, key: part.key.clone() }).collect::<Vec<_>>()
    };
    found.iter().enumerate().flat_map(of).collect()
}

/// The name of runs over these inventories: the newest one's date, for people, and a hash of all.
fn name(found: &[Found], work: &str) -> String {
    let folders: Vec<_> = found.iter().map(|found| found.folder.trim_end_matches('/')).collect();
    let dates = folders.iter().map(|folder| folder.rsplit_once('/').map_or(*folder, |(_, date)| date));
    let hash = xxhash_rust::xxh3::xxh3_64(format!("{} {work}", folders.join(" ")).as_bytes());
    format!("{}-{hash:016x}", dates.max().unwrap_or_default())
}
