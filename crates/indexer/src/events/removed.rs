//! An archive was removed: its record goes too, where that is wanted.

use buildhub_core::event::ObjectEvent;
use buildhub_kinto::{Condition, Deletion, KintoError};
use buildhub_releases::{Archive as Build, Key, classify};
use serde_json::Value;

use super::outcome::{EventFault, Handled};
use super::work::Work;
use crate::archive::{Archive as _, beginning_with};

/// How often a record is looked at again because others wrote it in between.
const ATTEMPTS: u32 = 10;

impl Work<'_> {
    /// An archive was removed. Its record is removed only if it is of this very object, and the object is gone.
    pub(super) async fn archive_removed(&self, build: &Build<'_>, event: &ObjectEvent) -> Result<Handled, EventFault> {
        if !self.remove_deleted {
            return Ok(Handled::Ignored { reason: "a removal, and REMOVE_DELETED is off" });
        }
        if self.archive.head(build.key).await?.is_some() {
            return Ok(Handled::Ignored { reason: "a removal of an object that is there" });
        }
        let mut records = 0;
        for id in [Some(build.id()), build.beta_id()].into_iter().flatten() {
            records += u64::from(self.remove(&id, build.key).await?);
        }
        if records > 0 {
            tracing::info!(bucket = event.bucket, key = build.key, records, "removed with its archive");
            self.succeed(build).await?;
        }
        Ok(Handled::Removed { records })
    }

    /// Removes a record if it is of this object; says whether it did.
    async fn remove(&self, id: &str, key: &str) -> Result<bool, EventFault> {
        let url = format!("{}{key}", self.making.download_url);
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.collection.get::<Value>(id).await? else { return Ok(false) };
            let is_of_it = stored.data.pointer("/download/url").and_then(Value::as_str) == Some(url.as_str());
            if !is_of_it {
                return Ok(false);
            }
            match self.collection.delete(id, Condition::IfMatch(stored.last_modified)).await? {
                Deletion::Deleted { .. } => return Ok(true),
                Deletion::Absent => return Ok(false),
                // Somebody wrote it, perhaps because the archive is there again.
                Deletion::Conflict { .. } if self.archive.head(key).await?.is_some() => return Ok(false),
                Deletion::Conflict { .. } => {}
            }
        }
        Err(KintoError::Contended { what: format!("delete {id}"), attempts: ATTEMPTS }.into())
    }

    /// Another archive of the same build in the same folder, which this one outranked, becomes the record.
    async fn succeed(&self, build: &Build<'_>) -> Result<(), EventFault> {
        let folder = build.key.strip_suffix(build.file).unwrap_or_default();
        let id = build.id();
        for (key, _) in beginning_with(&*self.archive, folder).await? {
            if let Key::Archive(other) = classify(&key, self.products)
                && other.id() == id
            {
                self.store(&other).await?;
            }
        }
        Ok(())
    }
}
