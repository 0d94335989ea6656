//! Tasks as objects: read with their version, written on condition.

use buildhub_core::store::{SharedStore, StoreError, StoreErrorKind, Version};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Task;

/// The largest task that is read.
const LIMIT: usize = 4 << 20;

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
        match self.store.read(&key, LIMIT).await {
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
        Ok(self.store.create(&key(&task.id), bytes(task)).await?)
    }

    /// Writes a task over the version that was read. `None` when somebody else was quicker.
    pub async fn replace(&self, stored: &Stored, task: Task) -> Result<Option<Stored>, TaskError> {
        let version = self.store.replace(&key(&stored.task.id), bytes(&task), &stored.version).await?;
        Ok(version.map(|version| Stored { task, version }))
    }

    /// Removes a task, as long as it is the version that was read; whether it did.
    pub async fn remove(&self, stored: &Stored) -> Result<bool, TaskError> {
        Ok(self.store.remove(&key(&stored.task.id), &stored.version).await?)
    }

    /// The ids of tasks behind `after`, in order, with when each was written last: `limit` of them at most. Fewer mean that
    /// there are no more.
    pub(crate) async fn ids(&self, after: &str, limit: usize) -> Result<Vec<(String, Timestamp)>, TaskError> {
        let found = self.store.list_after("", after, limit).await?;
        Ok(found.into_iter().map(|entry| (entry.key, entry.attributes.last_modified)).collect())
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
