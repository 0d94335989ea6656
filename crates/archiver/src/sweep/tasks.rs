//! Tasks, looked after one by one.

use std::collections::BTreeMap;

use buildhub_core::Deadline;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;

use super::orphans::YOUNG;
use super::{LEAST, Sweeper, Swept};
use crate::task::{Due, LEASE, Stored, Task, TaskError};
use crate::work::leftovers;

/// Tasks of one page, pages of one turn, and tasks that are looked at at the same time.
const PAGE: usize = 1000;
const PAGES: usize = 20;
const PARALLEL: usize = 16;

/// What became of one task.
enum Looked {
    Later(Timestamp),
    Sent {
        is_repair: bool,
    },
    GivenUp,
    Removed,
    /// Somebody else was at it.
    Changed,
    /// It is no task's object.
    Other,
}

impl Sweeper {
    pub(super) async fn sweep_tasks(
        &self,
        now: Timestamp,
        deadline: Deadline,
        swept: &mut Swept,
    ) -> Result<(), TaskError> {
        let mut after = self.memory().after.clone();
        let known = std::mem::take(&mut self.memory().due);
        let mut due = BTreeMap::new();
        for _ in 0..PAGES {
            let page = self.tasks.ids(&after, PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|(key, _)| key.clone()).unwrap_or_default();
            swept.seen += page.len() as u64;
            let looks = page.into_iter().map(|found| self.look(found, &known, now));
            let mut looks = stream::iter(looks).buffer_unordered(PARALLEL);
            while let Some((key, written, looked)) = looks.next().await {
                if let Some(at) = swept.add(&key, looked) {
                    due.insert(key, (written, at));
                }
            }
            if is_last {
                after = String::new();
                break;
            }
            if deadline.is_within(LEAST) {
                break;
            }
        }
        swept.is_partial = !after.is_empty();
        let mut memory = self.memory();
        // The next turn looks at others, should this one not have come to the end.
        (memory.after, memory.due) = (after, due);
        Ok(())
    }

    async fn look(
        &self,
        (key, written): (String, Timestamp),
        known: &BTreeMap<String, (Timestamp, Timestamp)>,
        now: Timestamp,
    ) -> (String, Timestamp, Result<Looked, TaskError>) {
        let looked = match known.get(&key) {
            Some((then, due)) if *then == written && now < *due => Ok(Looked::Later(*due)),
            // Whatever it is, somebody was at it a moment ago. (The clocks of a store and of this machine may differ: then
            // it is looked at a turn later.)
            _ if now.duration_since(written).unsigned_abs() < LEASE => Ok(Looked::Later(now)),
            _ => self.look_after(&key, now).await,
        };
        (key, written, looked)
    }

    async fn look_after(&self, key: &str, now: Timestamp) -> Result<Looked, TaskError> {
        let Some(id) = key.strip_suffix(".json") else { return Ok(Looked::Other) };
        let Some(stored) = self.tasks.load(id).await? else { return Ok(Looked::Changed) };
        match stored.task.look_after(now) {
            Due::Later(due) => Ok(Looked::Later(due)),
            Due::Send(next) => self.send(&stored, *next).await,
            Due::GiveUp(next) => {
                tracing::error!(
                    task = id,
                    sends = stored.task.sends,
                    "a task is given up: no worker does it; look at the queue"
                );
                let written = self.tasks.replace(&stored, *next).await?;
                Ok(written.map_or(Looked::Changed, |_| Looked::GivenUp))
            }
            Due::Remove => {
                if stored.task.is_incomplete() {
                    tracing::error!(task = id, regions = ?stored.task.regions, "a region never got an archive, and is left without");
                }
                if !self.tasks.remove(&stored).await? {
                    return Ok(Looked::Changed);
                }
                // What was on its way when its worker died may have come after all. A worker of a task by the same name may
                // have begun since.
                let before = now.checked_sub(YOUNG).unwrap_or(Timestamp::MIN);
                leftovers::clear(&self.regions, &stored.task, before).await;
                Ok(Looked::Removed)
            }
        }
    }

    /// Writes first: of several sweepers one sends.
    async fn send(&self, stored: &Stored, next: Task) -> Result<Looked, TaskError> {
        let is_repair = next.is_over();
        let Some(stored) = self.tasks.replace(stored, next).await? else { return Ok(Looked::Changed) };
        let task = &stored.task;
        tracing::info!(task = task.id, generation = task.generation, sends = task.sends, is_repair, "sent again");
        if let Err(error) = self.queue.send(vec![task.message().outgoing()]).await {
            tracing::error!(task = task.id, %error, "a message cannot be sent; another turn will");
        }
        Ok(Looked::Sent { is_repair })
    }
}

impl Swept {
    /// Counts what became of a task; when it is to be read again, where that is known.
    fn add(&mut self, key: &str, looked: Result<Looked, TaskError>) -> Option<Timestamp> {
        match looked {
            Ok(Looked::Later(due)) => return Some(due),
            Ok(Looked::Sent { is_repair }) => {
                self.sent += 1;
                self.repairs += u64::from(is_repair);
            }
            Ok(Looked::GivenUp) => self.given_up += 1,
            Ok(Looked::Removed) => self.removed += 1,
            Ok(Looked::Changed | Looked::Other) => {}
            Err(error) => {
                tracing::error!(key, %error, "a task cannot be looked after");
                self.faults += 1;
            }
        }
        None
    }
}
