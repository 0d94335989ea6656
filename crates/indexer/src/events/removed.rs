//! An archive was removed: its record goes too, where that is wanted.

use buildhub_core::event::ObjectEvent;
use buildhub_kinto::{Condition, Deletion, KintoError};
use buildhub_releases::{Archive as Build, Key, classify};
use serde_json::Value;

use super::outcome::{EventFault, Handled};
use super::search::{Found, Seen, metadata_of};
use super::work::Work;
use crate::archive::{Archive as _, beginning_with};

/// How often a record is looked at again because others wrote it in between.
const ATTEMPTS: u32 = 10;

/// What became of the record of an archive that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// It was of this archive, and is gone, too.
    Removed,
    /// There was none.
    NoneThere,
    /// It is of another archive, or the archive is there again.
    AnotherStays,
}

impl Work<'_> {
    /// An archive was removed. Its record is removed only if it is of this very object, and the object is gone.
    pub(super) async fn archive_removed(&self, build: &Build<'_>, event: &ObjectEvent) -> Result<Handled, EventFault> {
        if !self.remove_deleted {
            return Ok(Handled::Ignored { reason: "a removal, and REMOVE_DELETED is off" });
        }
        if self.archive.head(build.key).await?.is_some() {
            return Ok(Handled::Ignored { reason: "a removal of an object that is there" });
        }
        let removal = self.remove(&build.id(), build.key).await?;
        let mut records = u64::from(removal == Removal::Removed);
        if let Some(beta) = build.beta_id() {
            records += u64::from(self.remove(&beta, build.key).await? == Removal::Removed);
        }
        if records > 0 {
            tracing::info!(bucket = event.bucket, key = build.key, records, "removed with its archive");
        }
        // Where there is none, it may be that this event removed it before and came to no end.
        if removal != Removal::AnotherStays {
            self.succeed(build).await?;
        }
        Ok(Handled::Removed { records })
    }

    /// Removes a record if it is of this object.
    async fn remove(&self, id: &str, key: &str) -> Result<Removal, EventFault> {
        let url = format!("{}{key}", self.making.download_url);
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.collection.get::<Value>(id).await? else {
                return Ok(Removal::NoneThere);
            };
            let is_of_it = stored.data.pointer("/download/url").and_then(Value::as_str) == Some(url.as_str());
            if !is_of_it {
                return Ok(Removal::AnotherStays);
            }
            match self.collection.delete(id, Condition::IfMatch(stored.last_modified)).await? {
                Deletion::Deleted { .. } => return Ok(Removal::Removed),
                Deletion::Absent => return Ok(Removal::NoneThere),
                // Somebody wrote it, perhaps because the archive is there again.
                Deletion::Conflict { .. } if self.archive.head(key).await?.is_some() => {
                    return Ok(Removal::AnotherStays);
                }
                Deletion::Conflict { .. } => {}
            }
        }
        Err(KintoError::Contended { what: format!("delete {id}"), attempts: ATTEMPTS }.into())
    }

    /// The best of the other archives of the same build in the same folder, which this one outranked, becomes the record.
    async fn succeed(&self, build: &Build<'_>) -> Result<(), EventFault> {
        let folder = build.key.strip_suffix(build.file).unwrap_or_default();
        let id = build.id();
        let files = beginning_with(&*self.archive, folder).await?;
        let archives = files.iter().filter_map(|(key, facts)| match classify(key, self.products) {
            Key::Archive(other) if other.id() == id => Some((other, *facts)),
            _ => None,
        });
        let mut archives: Vec<_> = archives.collect();
        archives.sort_by_key(|(other, _)| std::cmp::Reverse(other.rank().as_u32()));
        for (other, facts) in archives {
            let metadata = metadata_of(&*self.archive, &self.library, &other, Seen::default()).await?;
            if let Handled::Stored(_) = self.record(&other, Found { facts, metadata }).await? {
                break;
            }
        }
        Ok(())
    }
}
