//! One part: its news, made into records, queued in batches.

use std::sync::Arc;
use std::time::Instant;

use buildhub_core::Deadline;
use buildhub_inventory::{Found, manifest_in};
use futures::{Stream, StreamExt as _, pin_mut};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use super::folder::{PartRecord, Plan, RunFolder};
use super::message::{Batch, Job, PartJob};
use super::{FanOut, FanOutError, MAX_HOPS, margin_of};
use crate::catchup::{CatchUp, Scanned, State};
use crate::gaps::GapReason;
use crate::index::Index;
use crate::pipeline::{Chunk, PipelineError, read_spools, resolve_all};
use crate::report::Report;
use crate::resolve::Resolved;
use crate::spool::Spool;

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
            let bytes = size_in_message(&ready.json);
            if bytes > MAX_BATCH_BYTES {
                // A message that no queue takes would come to nothing again and again, and its part with it.
                record.missing.note(GapReason::Refused, ready.hash, ready.fact.date);
                let limit = "more than a message takes; look at its metadata, or run without the queues";
                record.work.lasting(format!("the record {} has {bytes} bytes, {limit}", ready.id));
                continue;
            }
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

/// Bytes of a record within a message, where [`body`](super::body) escapes what a queue does not take for text.
fn size_in_message(record: &RawValue) -> usize {
    let text = record.get();
    let escaped = text.matches(['\u{fffe}', '\u{ffff}']).count();
    text.len() + escaped * (r"\uffff".len() - '\u{ffff}'.len_utf8())
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
    pub async fn part(&self, job: &PartJob, deadline: Deadline) -> Result<PartOutcome, FanOutError> {
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
        // For all invocations the run began at one moment: were ages counted anew, the checkpoint would count other builds.
        let work = self.work(plan.began, deadline);
        let all = self.build(&work, job, &plan, &mut record).await?;
        record.hops = job.hop + 1;
        record.seconds += began.elapsed().as_secs_f64();
        let outcome = match () {
            () if all && record.has_failed() => PartOutcome::Failed,
            () if all => PartOutcome::Done,
            () if job.hop + 1 >= MAX_HOPS => {
                let reason = format!("it took more than {MAX_HOPS} invocations");
                record.give_up(part_key(&plan, job), GapReason::NotReached, reason);
                PartOutcome::TooManyHops
            }
            () if record.built == built => {
                let reason = "one invocation has no time to get on with it; raise the function's timeout";
                record.give_up(part_key(&plan, job), GapReason::NotReached, reason);
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
        // Of the rows the last reading counts, of the time all of them.
        record.work.seconds.add(&std::mem::take(&mut report.seconds));
        record.read = report;
        record.news = spools.iter().map(Spool::len).sum();
        if !complete {
            let reason = "it cannot be read within one invocation's time; raise the function's timeout or memory";
            record.give_up(part_key(plan, job), GapReason::NotReached, reason);
            return Ok(true);
        }
        let began = Instant::now();
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
                record.give_up(part_key(plan, job), error.gap(), error);
                true
            }
            other => other?,
        };
        outbox.flush(record).await?;
        record.work.seconds.records += began.elapsed().as_secs_f64();
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

    /// Notes that nobody goes on with the part in this run: what is left of its news has no record.
    fn give_up(&mut self, part: &str, gap: GapReason, reason: impl std::fmt::Display) {
        self.missing.note_number(gap, self.news.saturating_sub(self.built));
        self.work.failed_part(part, reason);
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
    use std::sync::Mutex;

    use async_trait::async_trait;
    use buildhub_core::Variables;
    use buildhub_core::queue::{MESSAGE_LIMIT, Outgoing, Queue, QueueError};
    use jiff::Timestamp;

    use super::*;
    use crate::NoProgress;
    use crate::fact::{Fact, IdHash};
    use crate::ready::Ready;
    use crate::spool::Pending;

    /// A queue that takes what Amazon's takes.
    #[derive(Debug, Default)]
    struct Strict(Mutex<Vec<Outgoing>>);

    #[async_trait]
    impl Queue for Strict {
        async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
            if let Some(size) = messages.iter().map(|message| message.body.len()).find(|size| *size > MESSAGE_LIMIT) {
                return Err(QueueError::TooLong { queue: self.describe(), size });
            }
            self.0.lock().unwrap().extend(messages);
            Ok(())
        }

        fn describe(&self) -> String {
            "a strict queue".to_owned()
        }
    }

    #[tokio::test]
    async fn a_record_too_long_for_a_message_is_named_and_takes_no_other_with_it() {
        let (now, queue) = (Timestamp::UNIX_EPOCH, Arc::new(Strict::default()));
        let base = CatchUp::from_variables(&Variables::default(), now, Arc::new(NoProgress)).await.unwrap();
        let fan_out = FanOut::new(base, Arc::clone(&queue) as _, Arc::clone(&queue) as _);
        let job = PartJob { run: "run".to_owned(), number: 0, hop: 0 };
        let mut outbox = Outbox { fan_out: &fan_out, job: &job, most: 100, records: Vec::new(), bytes: 0 };
        let ready = |(number, text): (u64, String)| {
            let json = RawValue::from_string(format!("\"{text}\"")).unwrap();
            let fact = Fact { source: 0, content: 0, date: 0, rank: 0 };
            Ready { id: number.to_string(), hash: IdHash(number), fact, json }
        };
        let (long, escaped) = ("x".repeat(300_000), "\u{ffff}".repeat(45_000));
        let nearly = "\u{fffe}".repeat(30_000);
        let texts = ["a".to_owned(), long, "b".to_owned(), escaped, nearly.clone(), nearly, "c".to_owned()];
        let resolved = Resolved { ready: (0..).zip(texts).map(ready).collect(), ..Resolved::default() };
        let mut record = PartRecord::default();
        outbox.add(resolved, &mut record).await.unwrap();
        outbox.flush(&mut record).await.unwrap();
        let sent: String = queue.0.lock().unwrap().iter().map(|message| message.body.as_str()).collect();
        assert!(["\"a\"", "\"b\"", "\"c\""].iter().all(|text| sent.contains(text)));
        assert_eq!(sent.matches(r"\ufffe").count(), 60_000);
        assert_eq!((record.work.lasting_count, record.work.fault_count), (2, 2), "{:?}", record.work.faults);
        assert!(record.work.faults[0].starts_with("the record 1 has 300002 bytes"), "{:?}", record.work.faults);
    }

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
