//! Tasks as objects: read with their version, written on condition.

use std::time::Duration;

use buildhub_core::store::{SharedStore, StoreError, StoreErrorKind, Version};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Task;

/// The largest task that is read.
const LIMIT: usize = 4 << 20;

/// How long the folder may take for one task. A lease is longer by far, so that its holder sees in time that it cannot be
/// renewed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The folder of tasks.
#[derive(Debug, Clone)]
pub struct Tasks {
    store: SharedStore,
}

/// A task and the version of it that was read or written.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The task.
    pub task: Task,
    version: Version,
}

/// Why a task cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What lies there is no task.
    #[error("{object} is no task ({reason}); remove it, and the archive can be asked for again")]
    Unreadable {
        /// The object.
        object: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl TaskError {
    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(StoreError { kind: StoreErrorKind::Transient, .. }))
    }
}

/// A task with something that no other write has: the version follows from the bytes, and of two equal writes both would
/// seem to have won.
#[derive(Serialize, Deserialize)]
struct Written<T> {
    #[serde(flatten)]
    task: T,
    write: u64,
}

impl Tasks {
    /// The tasks that lie in `store`.
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// The task of that name.
    pub async fn load(&self, id: &str) -> Result<Option<Stored>, TaskError> {
        let key = key(id);
        match self.patiently("read", &key, self.store.read(&key, LIMIT)).await {
            Ok(found) => {
                let unreadable = |error: serde_json::Error| TaskError::Unreadable {
                    object: format!("{}{key}", self.store.describe()),
                    reason: error.to_string(),
                };
                let Written { task, .. } = serde_json::from_slice::<Written<Task>>(&found.bytes).map_err(unreadable)?;
                Ok(Some(Stored { task, version: found.version }))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Finds the task about `subject_key` by its first name, or by the other one where the first is another's; with the
    /// name it has or is to have.
    pub async fn find(
        &self,
        first: &str,
        other: &str,
        subject_key: &str,
    ) -> Result<(String, Option<Stored>), TaskError> {
        let found = self.load(first).await?;
        if found.as_ref().is_some_and(|stored| stored.task.subject.key == subject_key) {
            return Ok((first.to_owned(), found));
        }
        // Its other name stays with it, though the first may have become free meanwhile.
        match self.load(other).await? {
            Some(stored) => Ok((other.to_owned(), Some(stored))),
            None if found.is_some() => Ok((other.to_owned(), None)),
            None => Ok((first.to_owned(), None)),
        }
    }

    /// Makes a task, unless there is one of its name; whether it did.
    pub async fn create(&self, task: &Task) -> Result<bool, TaskError> {
        let key = key(&task.id);
        Ok(self.patiently("write", &key, self.store.create(&key, bytes(task))).await?)
    }

    /// Writes a task over the version that was read. `None` when somebody else was quicker.
    pub async fn replace(&self, stored: &Stored, task: Task) -> Result<Option<Stored>, TaskError> {
        let key = key(&stored.task.id);
        let replace = self.store.replace(&key, bytes(&task), &stored.version);
        let version = self.patiently("write", &key, replace).await?;
        Ok(version.map(|version| Stored { task, version }))
    }

    /// Removes a task, as long as it is the version that was read; whether it did.
    pub async fn remove(&self, stored: &Stored) -> Result<bool, TaskError> {
        let key = key(&stored.task.id);
        Ok(self.patiently("remove", &key, self.store.remove(&key, &stored.version)).await?)
    }

    /// The ids of tasks behind `after`, in order, with when each was written last: `limit` of them at most. Fewer mean that
    /// there are no more.
    pub(crate) async fn ids(&self, after: &str, limit: usize) -> Result<Vec<(String, Timestamp)>, TaskError> {
        let found = self.store.list_after("", after, limit).await?;
        Ok(found.into_iter().map(|entry| (entry.key, entry.attributes.last_modified)).collect())
    }

    /// Waits for the folder, but not for ever.
    async fn patiently<T>(
        &self,
        verb: &'static str,
        key: &str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            let object = format!("{}{key}", self.store.describe());
            Err(StoreError::new(StoreErrorKind::Transient, verb, object, format!("no answer within {PATIENCE:?}")))
        })
    }
}

/// The task's object.
fn key(id: &str) -> String {
    format!("{id}.json")
}

fn bytes(task: &Task) -> Bytes {
    // Texts, numbers and times, in maps with texts as keys: this cannot fail.
    serde_json::to_vec(&Written { task, write: fastrand::u64(..) }).unwrap_or_default().into()
}
