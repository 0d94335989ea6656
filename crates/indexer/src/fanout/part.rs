//! One part: its news, made into records, queued in batches.

use std::sync::Arc;
use std::time::Instant;

use buildhub_core::Deadline;
use buildhub_inventory::{Found, manifest_in};
use futures::{Stream, StreamExt as _, pin_mut};
use jiff::Timestamp;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use super::folder::{PartRecord, Plan, RunFolder};
use super::message::{Batch, Job, PartJob};
use super::{FanOut, FanOutError, MAX_HOPS, margin_of};
use crate::catchup::{CatchUp, Scanned, State};
use crate::index::Index;
use crate::pipeline::{Chunk, PipelineError, read_spools, resolve_all};
use crate::report::Report;
use crate::resolve::Resolved;

/// Most bytes of records in a message: with its envelope it stays below the 256 KiB that every SQS queue takes.
const MAX_BATCH_BYTES: usize = 200 * 1024;

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOutcome {
    /// It is done.
    Done,
    /// It is done, as far as it could be: the report names what was wrong.
    Failed,
    /// The time was over; another invocation goes on.
    Continued,
    /// It took more invocations than any should.
    TooManyHops,
    /// It was done before, or its run is over.
    Nothing,
}

/// Records on their way into batches.
struct Outbox<'a> {
    fan_out: &'a FanOut,
    job: &'a PartJob,
    most: usize,
    records: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Outbox<'_> {
    async fn add(&mut self, resolved: Resolved, record: &mut PartRecord) -> Result<(), FanOutError> {
        for ready in resolved.ready {
            let bytes = ready.json.get().len();
            if self.records.len() >= self.most || self.bytes + bytes > MAX_BATCH_BYTES {
                self.flush(record).await?;
            }
            self.bytes += bytes;
            self.records.push(ready.json);
        }
        Ok(())
    }

    /// Queues what waits, and notes it.
    async fn flush(&mut self, record: &mut PartRecord) -> Result<(), FanOutError> {
        let records = std::mem::take(&mut self.records);
        self.bytes = 0;
        if records.is_empty() {
            return Ok(());
        }
        let id = batch_id(self.job.number, &records);
        let batch = Batch { run: self.job.run.clone(), id: id.clone(), records };
        self.fan_out.send_ordered(&self.job.run, vec![(id.clone(), Job::Batch(batch))]).await?;
        record.batches.push(id);
        Ok(())
    }
}

/// A batch's name follows from what is in it: sent again by another worker, it is the same batch.
fn batch_id(part: usize, records: &[Box<RawValue>]) -> String {
    let mut hasher = Xxh3::new();
    for record in records {
        hasher.update(record.get().as_bytes());
        hasher.update(b"\n");
    }
    format!("{part:05}-{:032x}", hasher.digest128())
}

impl FanOut {
    /// Works on a part until it is done, or the time is over.
    pub async fn part(&self, job: &PartJob, now: Timestamp, deadline: Deadline) -> Result<PartOutcome, FanOutError> {
        let began = Instant::now();
        let folder = self.folder(&job.run);
        let plan = folder.plan().await?;
        if folder.is_over().await? {
            return Ok(PartOutcome::Nothing);
        }
        if folder.has_part(job.number).await? {
            // Its worker may have died before it could announce the end.
            self.announce_end(&job.run, plan.parts.len()).await?;
            return Ok(PartOutcome::Nothing);
        }
        let mut record = match job.hop {
            0 => PartRecord::default(),
            hop => folder.checkpoint(job.number, hop).await?,
        };
        let built = record.built;
        let work = self.work(now, deadline);
        let all = self.build(&work, job, &plan, &mut record).await?;
        record.hops = job.hop + 1;
        record.seconds += began.elapsed().as_secs_f64();
        let outcome = match () {
            () if all && record.has_failed() => PartOutcome::Failed,
            () if all => PartOutcome::Done,
            () if job.hop + 1 >= MAX_HOPS => {
                record.work.failed_part(part_key(&plan, job), format!("it took more than {MAX_HOPS} invocations"));
                PartOutcome::TooManyHops
            }
            () if record.built == built => {
                let reason = "one invocation has no time to get on with it; raise the function's timeout";
                record.work.failed_part(part_key(&plan, job), reason);
                PartOutcome::Failed
            }
            () => {
                folder.put_checkpoint(job.number, job.hop + 1, &record).await?;
                self.send_part(&job.run, job.number, job.hop + 1).await?;
                return Ok(PartOutcome::Continued);
            }
        };
        if let Ok(file) = work.library.to_bytes() {
            folder.put_metadata(job.number, file).await?;
        }
        folder.create_part(job.number, &record).await?;
        self.announce_end(&job.run, plan.parts.len()).await?;
        Ok(outcome)
    }

    /// Reads the part, and queues the records of what is news behind the checkpoint. Says whether that was all.
    async fn build(
        &self,
        work: &CatchUp,
        job: &PartJob,
        plan: &Plan,
        record: &mut PartRecord,
    ) -> Result<bool, FanOutError> {
        let found = self.inventory_of(work, job, plan).await?;
        let index = self.index(&job.run, &self.folder(&job.run)).await?;
        // The part is read anew, so its rows count anew.
        let mut report = Report::default();
        let Scanned { knowledge, spools, complete, .. } =
            work.scan(&[found], &State::default(), &index, Arc::new(plan.removed.clone()), &mut report).await;
        record.read = report;
        if !complete {
            let reason = "it cannot be read within one invocation's time; raise the function's timeout or memory";
            record.work.failed_part(part_key(plan, job), reason);
            return Ok(true);
        }
        work.caches.restore_metadata(&work.library, &knowledge.learned).await;
        // What lies in other parts is not known here.
        let mut knowledge = knowledge;
        knowledge.complete = false;
        let chunks = behind(read_spools(spools), record.built);
        let results = resolve_all(work.resolver(), Arc::new(knowledge), chunks);
        let mut outbox = Outbox { fan_out: self, job, most: plan.batch_max, records: Vec::new(), bytes: 0 };
        let all = match queue(&mut outbox, results, work.deadline, record).await {
            // Nobody else would fare better now. The next run looks at the part again.
            Err(FanOutError::Pipeline(error)) => {
                record.work.failed_part(part_key(plan, job), error);
                true
            }
            other => other?,
        };
        outbox.flush(record).await?;
        record.work.metadata.add(&work.library.counts());
        record.missing.absorb(std::mem::take(&mut record.work.missing));
        Ok(all)
    }

    /// The inventory of a part, with no other part in it.
    async fn inventory_of(&self, work: &CatchUp, job: &PartJob, plan: &Plan) -> Result<Found, FanOutError> {
        let missing = || FanOutError::NoPart { run: job.run.clone(), number: job.number };
        let planned = plan.parts.get(job.number).ok_or_else(missing)?;
        let folder = plan.inventories.get(planned.inventory).ok_or_else(missing)?;
        let mut found = manifest_in(&*work.inventory, folder).await?;
        found.manifest.parts.retain(|part| part.key == planned.key);
        if found.manifest.parts.is_empty() { Err(missing()) } else { Ok(found) }
    }

    /// The run's index, read once for all parts that one instance of the function works on.
    async fn index(&self, run: &str, folder: &RunFolder) -> Result<Arc<Index>, FanOutError> {
        let mut kept = self.index.lock().await;
        match &*kept {
            Some((of, index)) if of == run => Ok(Arc::clone(index)),
            _ => {
                *kept = None;
                let index = self.base.caches.read_index(&folder.index().await?);
                let index = index.map_err(|source| FanOutError::Index { run: run.to_owned(), source })?;
                let index = Arc::new(index);
                *kept = Some((run.to_owned(), Arc::clone(&index)));
                Ok(index)
            }
        }
    }
}

impl PartRecord {
    fn has_failed(&self) -> bool {
        !self.read.failed_parts.is_empty() || !self.work.failed_parts.is_empty()
    }
}

fn part_key<'a>(plan: &'a Plan, job: &PartJob) -> &'a str {
    plan.parts.get(job.number).map_or("", |part| part.key.as_str())
}

/// The builds behind the first `built` of them.
fn behind(chunks: impl Stream<Item = Chunk> + Send, built: u64) -> impl Stream<Item = Chunk> + Send {
    let mut left = built;
    chunks.filter_map(move |chunk| {
        let chunk = chunk.map(|mut builds| {
            let passed = usize::try_from(left).unwrap_or(usize::MAX).min(builds.len());
            left -= passed as u64;
            builds.drain(..passed);
            builds
        });
        let is_passed = chunk.as_ref().is_ok_and(Vec::is_empty);
        std::future::ready((!is_passed).then_some(chunk))
    })
}

/// Queues records until there are no more, or no time; says which.
async fn queue(
    outbox: &mut Outbox<'_>,
    results: impl Stream<Item = Result<(u64, Resolved), PipelineError>>,
    deadline: Deadline,
    record: &mut PartRecord,
) -> Result<bool, FanOutError> {
    let margin = margin_of(deadline);
    pin_mut!(results);
    loop {
        // What is ready would be handed out even after the time.
        if deadline.is_within(margin) {
            return Ok(false);
        }
        let Some(next) = deadline.allow(margin, results.next()).await else { return Ok(false) };
        let Some(result) = next else { return Ok(true) };
        let (builds, mut resolved) = result?;
        record.work.add_resolved(&mut resolved);
        record.work.records += resolved.ready.len() as u64;
        outbox.add(resolved, record).await?;
        record.built += builds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Pending;

    fn builds(numbers: std::ops::Range<u64>) -> Vec<Pending> {
        numbers.map(|n| Pending { key: format!("key {n}"), size: n, date: Timestamp::UNIX_EPOCH }).collect()
    }

    #[tokio::test]
    async fn work_goes_on_behind_its_checkpoint_wherever_that_is() {
        for built in 0..=10 {
            let chunks = futures::stream::iter([Ok(builds(0..4)), Ok(builds(4..8)), Ok(builds(8..10))]);
            let rest: Vec<_> = behind(chunks, built).collect().await;
            let rest: Vec<_> = rest.into_iter().flat_map(Result::unwrap).collect();
            assert_eq!(rest, builds(built..10), "{built}");
        }
    }

    #[test]
    fn a_batch_is_named_by_its_part_and_its_contents() {
        let record = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let id = batch_id(7, &[record("{}"), record("[1]")]);
        assert!(id.starts_with("00007-") && id.len() == 38, "{id}");
        assert_eq!(id, batch_id(7, &[record("{}"), record("[1]")]));
        assert_ne!(id, batch_id(7, &[record("[1]"), record("{}")]));
        assert_ne!(id, batch_id(8, &[record("{}"), record("[1]")]));
    }
}
