//! The end of a run: what was acknowledged is compared with what is there, gaps are counted, and the report is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use buildhub_core::Deadline;
use buildhub_inventory::{Found, manifest_in};
use jiff::{SignedDuration, Timestamp};

use super::folder::{BatchRecord, PartRecord, Plan, RunFolder};
use super::{BatchesReport, FanOut, FanOutError, PartsReport, RunReport, margin_of};
use crate::catchup::CatchUp;
use crate::fact::IdHash;
use crate::gaps::Gaps;
use crate::index::{Index, confirm, refresh};
use crate::report::{MAX_FAULTS, Report};
use crate::target::{TargetError, keep};

/// Everything the workers left behind.
struct Left {
    plan: Plan,
    parts: BTreeMap<usize, PartRecord>,
    batches: HashMap<String, BatchRecord>,
}

/// What the store has, beside what it should.
struct Compared {
    index: Index,
    /// Acknowledged, and not there.
    lost: Vec<IdHash>,
    /// Whether all is there that was when the run began.
    is_intact: bool,
}

impl FanOut {
    /// Ends a run; `None` where it is over: it is reported once.
    pub async fn finish(
        &self,
        run: &str,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<Option<Box<RunReport>>, FanOutError> {
        let ending = deadline.allow(margin_of(deadline), self.end(run, now, deadline));
        ending.await.unwrap_or(Err(FanOutError::Time("end a run")))
    }

    async fn end(&self, run: &str, now: Timestamp, deadline: Deadline) -> Result<Option<Box<RunReport>>, FanOutError> {
        let (began, folder) = (Instant::now(), self.folder(run));
        if folder.is_over().await? {
            return Ok(None);
        }
        let left = Left::read(&folder).await?;
        let work = self.work(now, deadline);
        let mut report = left.count();
        let Compared { mut index, lost, is_intact } = self.compare(&folder, &left, &work, &mut report).await?;
        report.lost(&lost);
        report.count_gaps(&index, now);
        // What the store lost since the run began may be of parts that are in. As at a run's beginning that is forgotten
        // before the index is kept, which will not know of the loss any more.
        let forgotten = if is_intact { Ok(()) } else { work.caches.forget_state().await };
        let kept = match forgotten {
            Ok(()) => work.caches.keep_index(&mut index).await,
            unforgotten => unforgotten,
        };
        keep(&mut report, kept);
        self.keep_metadata(&folder, &work, &mut report).await;
        if is_intact {
            self.keep_state(&left, &work, &report).await?;
        }
        report.complete = left.parts.len() == left.plan.parts.len();
        let ended = SignedDuration::try_from(began.elapsed()).ok().and_then(|took| now.checked_add(took).ok());
        let ended = ended.unwrap_or(now);
        report.seconds.total = ended.duration_since(left.plan.began).as_secs_f64();
        let report = Box::new(RunReport {
            run: run.to_owned(),
            began: left.plan.began,
            ended,
            parts: left.parts_report(),
            batches: left.batches_report(),
            report,
        });
        folder.create_report(&*report).await?;
        Ok(Some(report))
    }

    /// What the store has now, and what of the acknowledged it has not.
    async fn compare(
        &self,
        folder: &RunFolder,
        left: &Left,
        work: &CatchUp,
        report: &mut Report,
    ) -> Result<Compared, FanOutError> {
        let mut index = match folder.index().await {
            Ok(bytes) => work.caches.read_index(&bytes).unwrap_or_default(),
            // A run that was given up before it had one.
            Err(error) if error.is_not_found() => Index::default(),
            Err(error) => return Err(error.into()),
        };
        let (began, since) = (Instant::now(), index.timestamp());
        let refreshed =
            refresh(&mut index, &work.target.collection, &*work.progress).await.map_err(TargetError::from)?;
        report.store.read += refreshed.read;
        let written = left.batches.values().flat_map(|batch| batch.written.iter().copied());
        let lost = confirm(&mut index, &work.target.collection, since, written).await.map_err(TargetError::from)?;
        report.seconds.proof += began.elapsed().as_secs_f64();
        Ok(Compared { index, lost, is_intact: refreshed.losses == 0 })
    }

    /// Joins what the workers found to the shared cache.
    async fn keep_metadata(&self, folder: &RunFolder, work: &CatchUp, report: &mut Report) {
        let files = match folder.metadata().await {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(%error, "metadata is fetched again by the next run");
                return;
            }
        };
        if files.is_empty() {
            return;
        }
        work.caches.restore_all_metadata(&work.library).await;
        for file in files {
            if let Err(error) = work.library.take_over(&file, |_, _| true) {
                tracing::warn!(%error, "metadata of a part is fetched again by the next run");
            }
        }
        keep(report, work.caches.keep_metadata(&work.library).await);
    }

    /// Remembers which parts are in: all of their builds were written, but for what no run would bring in.
    async fn keep_state(&self, left: &Left, work: &CatchUp, report: &Report) -> Result<(), FanOutError> {
        if work.is_limited() || report.store.lost > 0 || left.plan.work != work.describe() {
            return Ok(());
        }
        let mut state = work.caches.state().await.for_work(&left.plan.work);
        let done: BTreeSet<&str> = left.in_store().collect();
        for (number, folder) in left.plan.inventories.iter().enumerate() {
            let of_this = left.plan.parts.iter().any(|part| part.inventory == number);
            if !of_this {
                continue;
            }
            let found: Found = manifest_in(&*work.inventory, folder).await?;
            state = state.of(std::slice::from_ref(&found));
            state.add(&found, |part| done.contains(part.key.as_str()));
        }
        state.set_faults(&left.lasting(), &left.missing());
        if let Err(error) = work.caches.keep_state(&state).await {
            tracing::warn!(%error, "the parts that are in are read again by the next run");
        }
        Ok(())
    }
}

impl Left {
    async fn read(folder: &RunFolder) -> Result<Self, FanOutError> {
        Ok(Self {
            plan: folder.plan().await?,
            parts: folder.parts().await?.into_iter().collect(),
            batches: folder.batches().await?.into_iter().collect(),
        })
    }

    /// All counts, and what could not be done.
    fn count(&self) -> Report {
        let mut report = Report { inventories: self.plan.inventories.clone(), ..Report::default() };
        report.store.read = self.plan.records_read;
        report.seconds.store = Duration::from_millis(self.plan.reading).as_secs_f64();
        report.missing = self.plan.missing.clone();
        self.plan.faults.iter().for_each(|fault| report.fault(fault));
        self.plan.lasting.iter().for_each(|fault| report.lasting(fault));
        for (number, planned) in self.plan.parts.iter().enumerate() {
            let Some(part) = self.parts.get(&number) else {
                let reason = "no worker came to its end; see the dead letters of the queue of parts";
                report.failed_part(&planned.key, format!("{}: {reason}", planned.key));
                continue;
            };
            report.absorb(&part.read);
            report.absorb(&part.work);
            report.missing.absorb(part.missing.clone());
            let lacking = part.batches.iter().filter(|id| !self.batches.contains_key(*id)).count();
            if lacking > 0 {
                let reason = "were not written; see the dead letters of the queue of batches";
                report.failed_part(&planned.key, format!("{}: {lacking} of its batches {reason}", planned.key));
            }
        }
        for batch in self.batches.values() {
            report.store.add(&batch.store);
            report.seconds.records += batch.seconds;
            report.missing.absorb(batch.missing.clone());
            batch.lasting.iter().for_each(|fault| report.lasting(fault));
            batch.faults.iter().for_each(|fault| report.fault(fault));
        }
        report
    }

    /// Keys of the parts whose builds are all in the store, but for what no run would bring in.
    fn in_store(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter(|(_, part)| self.is_in_store(part)).filter_map(|(number, _)| {
            let planned = self.plan.parts.get(*number)?;
            Some(planned.key.as_str())
        })
    }

    fn is_in_store(&self, part: &PartRecord) -> bool {
        let only_lasting = |report: &Report| report.fault_count == report.lasting_count;
        only_lasting(&part.read)
            && only_lasting(&part.work)
            && part.work.metadata.failed == 0
            && part.batches.iter().all(|id| self.batches.get(id).is_some_and(|batch| batch.faults.is_empty()))
    }

    /// What no run would bring in from these inventories.
    fn lasting(&self) -> Vec<String> {
        let of_batches = self.batches.values().flat_map(|batch| &batch.lasting);
        let of_parts = self.parts.values().filter(|part| self.is_in_store(part));
        let of_parts = of_parts.flat_map(|part| part.read.faults.iter().chain(&part.work.faults));
        self.plan.lasting.iter().chain(of_parts).chain(of_batches).take(MAX_FAULTS).cloned().collect()
    }

    /// Builds of the parts that are in which may have no record. The others' are met again by the next run.
    fn missing(&self) -> Gaps {
        let mut missing = self.plan.missing.clone();
        let of_parts = self.parts.values().filter(|part| self.is_in_store(part)).map(|part| &part.missing);
        let of_batches = self.batches.values().map(|batch| &batch.missing);
        of_parts.chain(of_batches).for_each(|found| missing.absorb(found.clone()));
        missing
    }

    fn parts_report(&self) -> PartsReport {
        PartsReport {
            planned: self.plan.parts.len(),
            done: self.parts.len(),
            invocations: self.parts.values().map(|part| u64::from(part.hops)).sum(),
            // A sum of nothing would be written as -0.0.
            seconds: self.parts.values().fold(0.0, |sum, part| sum + part.seconds),
        }
    }

    fn batches_report(&self) -> BatchesReport {
        let queued: BTreeSet<&String> = self.parts.values().flat_map(|part| &part.batches).collect();
        BatchesReport { queued: queued.len(), written: self.batches.len() }
    }
}
