//! Batches into the store, one after another.

use std::time::Instant;

use buildhub_core::Deadline;
use buildhub_kinto::LoaderSettings;
use buildhub_releases::Record;
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::folder::{BatchRecord, RunFolder};
use super::message::Batch;
use super::{FanOut, FanOutError, margin_of};
use crate::fact::IdHash;
use crate::index::Index;
use crate::ready::Ready;
use crate::removed::{Removed, removed_since};
use crate::report::Report;
use crate::target::TargetError;

/// What became of a batch.
#[derive(Debug)]
pub enum Drained {
    /// The store acknowledged what it takes of it.
    Written(Box<Report>),
    /// It was written before.
    Nothing,
}

impl FanOut {
    /// Writes one batch. `received` says how often its message came: the first time nobody can have written it.
    ///
    /// What the store has already is found out by writing: a record that is there comes back with the refusal of its
    /// condition, and is judged then.
    pub async fn drain(&self, batch: &Batch, received: u32, deadline: Deadline) -> Result<Drained, FanOutError> {
        let margin = margin_of(deadline);
        let writing = deadline.allow(margin, self.write(batch, received));
        writing.await.unwrap_or(Err(FanOutError::Time("write a batch")))
    }

    async fn write(&self, batch: &Batch, received: u32) -> Result<Drained, FanOutError> {
        let folder = self.folder(&batch.run);
        if received > 1 && folder.has_batch(&batch.id).await? {
            return Ok(Drained::Nothing);
        }
        let (began, mut report) = (Instant::now(), Report::default());
        let settings = self.loader_settings().await?;
        let removed = self.removed_meanwhile(&folder).await?;
        let mut writer = self.base.target.writer_with(settings, Index::default());
        for record in &batch.records {
            match read(record) {
                Ok(ready) if removed.hides(ready.hash, ready.fact.date) => report.builds.removed += 1,
                Ok(ready) => writer.offer(ready).await.map_err(TargetError::from)?,
                Err(reason) => {
                    report.lasting(format!("a record of the batch {} cannot be written: {reason}", batch.id));
                }
            }
        }
        writer.flush().await.map_err(TargetError::from)?;
        let mut index = writer.finish(&mut report);
        let ids: Vec<IdHash> = index.newer_than(0).collect();
        let written = ids.into_iter().filter_map(|id| Some((id, index.get(id)?.last_modified))).collect();
        let (lasting, faults) = match report.fault_count - report.lasting_count {
            0 => (report.faults.clone(), Vec::new()),
            _ => (Vec::new(), report.faults.clone()),
        };
        let missing = std::mem::take(&mut report.missing);
        let seconds = began.elapsed().as_secs_f64();
        let record = BatchRecord { store: report.store, seconds, written, missing, lasting, faults };
        folder.create_batch(&batch.id, &record).await?;
        Ok(Drained::Written(Box::new(report)))
    }

    /// What was removed since the run's inventories were made, asked again, since the plan is some time ago.
    async fn removed_meanwhile(&self, folder: &RunFolder) -> Result<Removed, FanOutError> {
        if !self.base.are_removals_kept() {
            return Ok(Removed::default());
        }
        let moment = match folder.plan().await {
            Ok(plan) => plan.removed.moment(),
            // A batch that comes after its run was swept away.
            Err(error) if error.is_lasting() => Some(Timestamp::UNIX_EPOCH),
            Err(error) => return Err(error.into()),
        };
        match moment {
            Some(moment) => Ok(removed_since(&self.base.target.collection, moment).await.map_err(TargetError::from)?),
            None => Ok(Removed::default()),
        }
    }

    /// The limits of batches, asked of the server once.
    pub(super) async fn loader_settings(&self) -> Result<LoaderSettings, FanOutError> {
        let asked = self.loader.get_or_try_init(|| self.base.target.loader_settings()).await?;
        Ok(asked.clone())
    }
}

fn read(record: &RawValue) -> Result<Ready, String> {
    let record: Record = serde_json::from_str(record.get()).map_err(|error| error.to_string())?;
    Ready::new(&record).map_err(|error| error.to_string())
}
