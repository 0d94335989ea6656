//! Uploads, and objects by hidden keys, that are no live worker's.

use std::collections::BTreeMap;

use buildhub_core::Deadline;
use buildhub_core::store::{Entry, ObjectStore as _, StoreError, StoreErrorKind, Unfinished};
use jiff::{SignedDuration, Timestamp};

use super::{LEAST, Sweeper, Swept};
use crate::copy::INCOMING;
use crate::regions::Region;
use crate::request::task_ids;
use crate::task::{Task, TaskError};

/// The most of each that a turn looks at in one region.
const MOST: usize = 1000;
/// What is younger is left alone, whoever's it is: its task may be about to be written.
pub(super) const YOUNG: SignedDuration = SignedDuration::from_mins(10);
/// How long after its end a lease may still be renewed.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// Tasks by their ids, each read once a turn.
type Known = BTreeMap<String, Option<Task>>;

/// Why something could not be looked at.
#[derive(Debug, thiserror::Error)]
enum OrphanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl Sweeper {
    pub(super) async fn sweep_orphans(&self, now: Timestamp, deadline: Deadline, swept: &mut Swept) {
        let mut known = Known::new();
        for region in self.regions.iter() {
            if deadline.is_within(LEAST) {
                return;
            }
            if let Err(error) = self.sweep_region(region, now, &mut known, swept).await {
                tracing::warn!(region = region.name, %error, "a region cannot be swept now");
                swept.faults += 1;
            }
        }
    }

    async fn sweep_region(
        &self,
        region: &Region,
        now: Timestamp,
        known: &mut Known,
        swept: &mut Swept,
    ) -> Result<(), OrphanError> {
        // Those by hidden keys come first, as `.` comes before letters and digits.
        for found in region.store.uploads("", MOST).await? {
            match self.sweep_upload(region, &found, now, known).await {
                Ok(is_aborted) => swept.aborted += u64::from(is_aborted),
                Err(error) => swept.passed_over(region, &found.upload.key, error)?,
            }
        }
        for entry in region.store.list_after(INCOMING, "", MOST).await? {
            match self.sweep_object(region, &entry, now, known).await {
                Ok(is_deleted) => swept.deleted += u64::from(is_deleted),
                Err(error) => swept.passed_over(region, &entry.key, error)?,
            }
        }
        Ok(())
    }

    async fn sweep_upload(
        &self,
        region: &Region,
        found: &Unfinished,
        now: Timestamp,
        known: &mut Known,
    ) -> Result<bool, OrphanError> {
        let (key, begun) = (&found.upload.key, found.begun);
        let is_orphan = if key.starts_with(INCOMING) {
            self.is_orphan(key, begun, now, known).await?
        } else {
            self.is_left(key, begun, now, known).await?
        };
        if is_orphan {
            tracing::info!(region = region.name, key, "an upload is nobody's, and aborted");
            region.store.abort(&found.upload).await?;
        }
        Ok(is_orphan)
    }

    async fn sweep_object(
        &self,
        region: &Region,
        entry: &Entry,
        now: Timestamp,
        known: &mut Known,
    ) -> Result<bool, OrphanError> {
        let is_orphan = self.is_orphan(&entry.key, entry.attributes.last_modified, now, known).await?;
        if is_orphan {
            tracing::info!(region = region.name, key = entry.key, "a hidden object is nobody's, and removed");
            region.store.delete(&entry.key).await?;
        }
        Ok(is_orphan)
    }

    async fn is_orphan(
        &self,
        key: &str,
        since: Timestamp,
        now: Timestamp,
        known: &mut Known,
    ) -> Result<bool, OrphanError> {
        if now.duration_since(since) < YOUNG {
            return Ok(false);
        }
        // `.incoming/<task>/<generation>-<owner>`: what is called otherwise is nobody's.
        let Some((id, name)) = key.strip_prefix(INCOMING).and_then(|rest| rest.split_once('/')) else {
            return Ok(true);
        };
        let Some(task) = self.known(id, known).await? else { return Ok(true) };
        let is_paused = task.pause.as_ref().is_some_and(|pause| pause.staging == key);
        let owner = name.split_once('-').map(|(_, owner)| owner);
        let is_held = task.lease.as_ref().is_some_and(|lease| Some(lease.owner.as_str()) == owner);
        Ok(!(is_paused || is_held && is_live(task, now)))
    }

    /// Whether an upload by a key that anyone can see is of a worker that died while the bucket copied. Where no task is
    /// about that key it is another program's.
    async fn is_left(
        &self,
        key: &str,
        since: Timestamp,
        now: Timestamp,
        known: &mut Known,
    ) -> Result<bool, OrphanError> {
        if now.duration_since(since) < YOUNG {
            return Ok(false);
        }
        for id in task_ids(key).into_iter().flatten() {
            if let Some(task) = self.known(&id, known).await?
                && task.subject.key == key
            {
                return Ok(!is_live(task, now));
            }
        }
        Ok(false)
    }

    async fn known<'k>(&self, id: &str, known: &'k mut Known) -> Result<Option<&'k Task>, OrphanError> {
        if !known.contains_key(id) {
            let task = self.tasks.load(id).await?.map(|stored| stored.task);
            known.insert(id.to_owned(), task);
        }
        Ok(known.get(id).and_then(Option::as_ref))
    }
}

impl OrphanError {
    /// Whether the next is likely to go the same way.
    fn is_of_all(&self) -> bool {
        match self {
            Self::Store(error) => matches!(error.kind, StoreErrorKind::Transient | StoreErrorKind::Denied),
            Self::Task(error) => error.is_transient(),
        }
    }
}

impl Swept {
    /// Counts one that could not be looked at or removed. The others do not wait for it, unless they would go the same way.
    fn passed_over(&mut self, region: &Region, key: &str, error: OrphanError) -> Result<(), OrphanError> {
        if error.is_of_all() {
            return Err(error);
        }
        tracing::warn!(region = region.name, key, %error, "what may be nobody's cannot be looked at or removed");
        self.faults += 1;
        Ok(())
    }
}

/// Whether somebody holds a task's lease. One that was over a moment ago may be renewed yet.
fn is_live(task: &Task, now: Timestamp) -> bool {
    task.lease.as_ref().is_some_and(|lease| now.duration_since(lease.until) < GRACE)
}
