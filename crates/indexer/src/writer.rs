//! Records to the store: compared first, sent in batches under conditions, one batch at a time.

use buildhub_kinto::{Condition, LoadError, Loader, Outcome, Write};

use crate::fact::{Verdict, judge};
use crate::gaps::GapReason;
use crate::index::{Entry, Index};
use crate::ready::{Ready, entry_of};
use crate::report::Report;

/// How often a record is sent again because somebody else wrote it in between. Each time, one of the two writers got
/// on, so this many in a row mean that something is wrong.
const MAX_CONFLICTS: u32 = 10;

/// Writes records into one collection.
#[derive(Debug)]
pub struct Writer {
    loader: Loader,
    index: Index,
    waiting: Vec<Ready>,
    batch_max: usize,
    send_unchanged: bool,
    outcome: Report,
}

impl Writer {
    /// A writer that knows from `index` what the store has.
    pub fn new(loader: Loader, index: Index, batch_max: usize) -> Self {
        let batch_max = batch_max.max(1);
        let waiting = Vec::with_capacity(batch_max);
        Self { loader, index, waiting, batch_max, send_unchanged: false, outcome: Report::default() }
    }

    /// The same writer, sending also what the store has already.
    #[must_use]
    pub fn sending_unchanged(mut self, all: bool) -> Self {
        self.send_unchanged = all;
        self
    }

    /// Takes a record; sends a batch when enough are waiting. What the store has already is not sent.
    pub async fn offer(&mut self, ready: Ready) -> Result<(), LoadError> {
        if let Some(other) = self.waiting.iter_mut().find(|other| other.hash == ready.hash) {
            // Two archives of one build in one batch: the better one goes, the other is what it replaces.
            if judge(Some(&other.fact), &ready.fact) == Verdict::Changed {
                *other = ready;
            }
            self.outcome.store.kept += 1;
            return Ok(());
        }
        if self.is_wanted(&ready) {
            self.waiting.push(ready);
        }
        if self.waiting.len() >= self.batch_max { self.flush().await } else { Ok(()) }
    }

    /// Sends what is waiting. Afterwards the index says what the store acknowledged.
    pub async fn flush(&mut self) -> Result<(), LoadError> {
        let mut round = 0;
        while !self.waiting.is_empty() {
            round += 1;
            let batch = std::mem::take(&mut self.waiting);
            let writes = batch.iter().map(|ready| self.write(ready)).collect();
            let outcomes = self.loader.store(writes).await?;
            for (ready, outcome) in batch.into_iter().zip(outcomes) {
                if let Some(again) = self.settle(ready, outcome) {
                    self.again(again, round);
                }
            }
        }
        Ok(())
    }

    /// Ends the writing: what the store has now. The report gets what was done, and what could not be.
    pub fn finish(self, report: &mut Report) -> Index {
        report.add_outcome(self.outcome);
        self.index
    }

    fn is_wanted(&mut self, ready: &Ready) -> bool {
        match judge(self.index.get(ready.hash).map(|entry| &entry.fact), &ready.fact) {
            Verdict::New | Verdict::Changed => return true,
            Verdict::Same if self.send_unchanged => return true,
            Verdict::Same => self.outcome.store.unchanged += 1,
            Verdict::Older | Verdict::Outranked => self.outcome.store.kept += 1,
        }
        false
    }

    fn write(&self, ready: &Ready) -> Write {
        let condition = match self.index.get(ready.hash) {
            Some(entry) => Condition::IfMatch(entry.last_modified),
            None => Condition::IfNoneMatch,
        };
        Write::new(&ready.id, ready.json.clone()).when(condition)
    }

    /// Notes what became of a record; gives it back if it is still wanted after somebody else wrote it.
    fn settle(&mut self, ready: Ready, outcome: Outcome) -> Option<Ready> {
        match outcome {
            Outcome::Stored { last_modified } => {
                let count = if self.index.get(ready.hash).is_some() {
                    &mut self.outcome.store.updated
                } else {
                    &mut self.outcome.store.created
                };
                *count += 1;
                self.index.insert(Entry { id: ready.hash, fact: ready.fact, last_modified });
                None
            }
            Outcome::Conflict { existing } => {
                match existing.as_ref().and_then(|existing| Some((existing, existing.get("last_modified")?.as_u64()?)))
                {
                    Some((existing, last_modified)) => {
                        self.index.insert(entry_of(&ready.id, last_modified, &existing.to_string()));
                    }
                    None => self.index.remove(ready.hash),
                }
                self.is_wanted(&ready).then_some(ready)
            }
            Outcome::Refused(refusal) => {
                self.outcome.store.refused += 1;
                self.outcome.missing.note(GapReason::RefusedByStore, ready.hash, ready.fact.date);
                self.outcome.lasting(format!("the store refuses the record {}: {refusal}", ready.id));
                None
            }
        }
    }

    fn again(&mut self, ready: Ready, round: u32) {
        if round < MAX_CONFLICTS {
            self.waiting.push(ready);
        } else {
            self.outcome.missing.note(GapReason::Contended, ready.hash, ready.fact.date);
            self.outcome.fault(format!(
                "the record {} was written by others {MAX_CONFLICTS} times in a row; run again",
                ready.id
            ));
        }
    }
}
