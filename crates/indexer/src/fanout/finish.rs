//! The end of a run: what was acknowledged is compared with what is there, gaps are counted, and the report is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use buildhub_core::Deadline;
use buildhub_inventory::{Found, manifest_in};
use jiff::Timestamp;

use super::folder::{BatchRecord, PartRecord, Plan, RunFolder};
use super::{BatchesReport, FanOut, FanOutError, PartsReport, RunReport, margin_of};
use crate::catchup::CatchUp;
use crate::fact::IdHash;
use crate::index::{Index, confirm, refresh};
use crate::report::{MAX_FAULTS, Report};
use crate::target::keep;

/// Everything the workers left behind.
struct Left {
    plan: Plan,
    parts: BTreeMap<usize, PartRecord>,
    batches: HashMap<String, BatchRecord>,
}

impl FanOut {
    /// Ends a run. Done twice, it changes nothing more.
    pub async fn finish(&self, run: &str, now: Timestamp, deadline: Deadline) -> Result<Box<RunReport>, FanOutError> {
        let ending = deadline.allow(margin_of(deadline), self.end(run, now, deadline));
        ending.await.unwrap_or(Err(FanOutError::Time("end a run")))
    }

    async fn end(&self, run: &str, now: Timestamp, deadline: Deadline) -> Result<Box<RunReport>, FanOutError> {
        let folder = self.folder(run);
        let left = Left::read(&folder).await?;
        let work = self.work(now, deadline);
        let mut report = left.count();
        let (mut index, lost) = self.compare(&folder, &left, &work, &mut report).await?;
        report.lost(&lost);
        report.count_gaps(&index, now);
        keep(&mut report, work.caches.keep_index(&mut index).await);
        self.keep_metadata(&folder, &work, &mut report).await;
        self.keep_state(&left, &work, &report).await?;
        report.complete = left.parts.len() == left.plan.parts.len();
        report.seconds.total = (now.duration_since(left.plan.began)).as_secs_f64();
        let report = Box::new(RunReport {
            run: run.to_owned(),
            began: left.plan.began,
            ended: now,
            parts: left.parts_report(),
            batches: left.batches_report(),
            report,
        });
        folder.create_report(&*report).await?;
        Ok(report)
    }

    /// What the store has now, and what of the acknowledged it has not.
    async fn compare(
        &self,
        folder: &RunFolder,
        left: &Left,
        work: &CatchUp,
        report: &mut Report,
    ) -> Result<(Index, Vec<IdHash>), FanOutError> {
        let mut index = match folder.index().await {
            Ok(bytes) => work.caches.read_index(&bytes).unwrap_or_default(),
            // A run that was given up before it had one.
            Err(error) if error.is_not_found() => Index::default(),
            Err(error) => return Err(error.into()),
        };
        let since = index.timestamp();
        let refreshed = refresh(&mut index, &work.target.collection, &*work.progress).await;
        report.store.read += refreshed.map_err(crate::target::TargetError::from)?.read;
        let written = left.batches.values().flat_map(|batch| batch.written.iter().copied());
        let lost = confirm(&mut index, &work.target.collection, since, written).await;
        Ok((index, lost.map_err(crate::target::TargetError::from)?))
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
        state.set_faults(&left.lasting(), &report.missing);
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

    fn parts_report(&self) -> PartsReport {
        PartsReport {
            planned: self.plan.parts.len(),
            done: self.parts.len(),
            invocations: self.parts.values().map(|part| u64::from(part.hops)).sum(),
            seconds: self.parts.values().map(|part| part.seconds).sum(),
        }
    }

    fn batches_report(&self) -> BatchesReport {
        let queued: BTreeSet<&String> = self.parts.values().flat_map(|part| &part.batches).collect();
        BatchesReport { queued: queued.len(), written: self.batches.len() }
    }
}
