//! What nobody works on any more: found, and sent again or removed.
//!
//! A schedule's turn looks at the tasks, at uploads, and at what lies in the regions by hidden keys:
//!
//! | found | done |
//! |---|---|
//! | a task that nobody took, or whose worker died, or whose time to try again has come | its message is sent again, less and less often |
//! | the same, too often | it is given up: who wants it asks again |
//! | an archive that a region lacks | a message is sent, and a worker brings it there |
//! | a task that has been over for a day | it is removed |
//! | an upload or an object by a hidden key that is no live worker's | it is aborted or removed |
//! | an upload by an archive's key that is no live worker's | it is aborted |
//!
//! Each change is made on condition that nobody else has changed the task, so that any number of sweepers may run beside
//! one another. A turn looks at a bounded number of tasks, and the next one goes on from there.

mod orphans;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use buildhub_core::Deadline;
use buildhub_core::queue::SharedQueue;
use jiff::Timestamp;
use serde::Serialize;

use crate::regions::Regions;
use crate::task::{TaskError, Tasks};

/// With less time than this nothing more is looked at.
const LEAST: Duration = Duration::from_secs(5);

/// Looks after tasks and regions.
#[derive(Debug)]
pub struct Sweeper {
    tasks: Tasks,
    regions: Regions,
    queue: SharedQueue,
    memory: Mutex<Memory>,
}

/// What a sweeper knows from one turn to the next. It may be lost.
#[derive(Debug, Default)]
struct Memory {
    /// Behind which task the next turn begins.
    after: String,
    /// Tasks that were looked at, with when they were written then and when they are due: so long as they were not written
    /// since, they need not be read before.
    due: BTreeMap<String, (Timestamp, Timestamp)>,
}

/// What a turn did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// Tasks that there are, as far as the turn came.
    pub seen: u64,
    /// Messages sent again.
    pub sent: u64,
    /// Of those, for archives that a region lacks.
    pub repairs: u64,
    /// Tasks given up.
    pub given_up: u64,
    /// Tasks removed, for they were over long ago.
    pub removed: u64,
    /// Uploads aborted.
    pub aborted: u64,
    /// Objects by hidden keys removed.
    pub deleted: u64,
    /// What could not be done, each with its reason in the log.
    pub faults: u64,
    /// Whether there is more than one turn looks at.
    pub is_partial: bool,
}

impl Sweeper {
    /// A sweeper of these.
    pub fn new(tasks: Tasks, regions: Regions, queue: SharedQueue) -> Self {
        Self { tasks, regions, queue, memory: Mutex::default() }
    }

    /// One turn. An error only where the tasks cannot be listed.
    pub async fn sweep(&self, now: Timestamp, deadline: Deadline) -> Result<Swept, TaskError> {
        let mut swept = Swept::default();
        self.sweep_tasks(now, deadline, &mut swept).await?;
        self.sweep_orphans(now, deadline, &mut swept).await;
        Ok(swept)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
