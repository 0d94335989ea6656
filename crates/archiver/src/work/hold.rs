//! A lease that is held, renewed, and given back with a result.

use std::time::Duration;

use jiff::Timestamp;

use super::Clock;
use crate::task::{Stored, Task, TaskError, Tasks};

/// How often a result is written over what this worker itself wrote a moment before, and did not hear of.
const ROUNDS: u32 = 5;

/// A task whose lease is this worker's.
#[derive(Debug)]
pub(super) struct Hold {
    tasks: Tasks,
    stored: Stored,
    owner: String,
}

impl Hold {
    pub(super) fn new(tasks: Tasks, stored: Stored, owner: String) -> Self {
        Self { tasks, stored, owner }
    }

    pub(super) fn task(&self) -> &Task {
        &self.stored.task
    }

    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Writes what becomes of the task, as long as the lease is this worker's; whether it was.
    ///
    /// A renewal may be under way when the work ends, and its answer is not waited for. So what was written meanwhile is
    /// looked at before it counts as another's.
    pub(super) async fn write(&mut self, next: impl Fn(&Task) -> Task) -> Result<bool, TaskError> {
        for _ in 0..ROUNDS {
            if let Some(stored) = self.tasks.replace(&self.stored, next(self.task())).await? {
                self.stored = stored;
                return Ok(true);
            }
            match self.tasks.load(&self.task().id).await? {
                Some(stored) if self.is_ours(&stored.task) => self.stored = stored,
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    fn is_ours(&self, task: &Task) -> bool {
        let is_owner = task.lease.as_ref().is_some_and(|lease| lease.owner == self.owner);
        is_owner && task.generation == self.task().generation
    }

    /// Renews the lease again and again; returns when it is lost.
    pub(super) async fn keep(&mut self, every: Duration, clock: Clock, bytes: impl Fn() -> u64) {
        loop {
            tokio::time::sleep(every).await;
            let renewed = self.write(|task| task.renewed(bytes(), clock.now())).await;
            match renewed {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(task = self.task().id, %error, "a lease cannot be renewed now");
                    if self.is_over(clock.now()) {
                        return;
                    }
                }
            }
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.task().lease.as_ref().is_none_or(|lease| now >= lease.until)
    }
}
