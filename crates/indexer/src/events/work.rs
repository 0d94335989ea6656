//! One event of one object.

use std::sync::Arc;

use buildhub_core::event::ObjectEvent;
use buildhub_kinto::Collection;
use buildhub_releases::{Archive as Build, Products};
use jiff::{SignedDuration, Timestamp};

use super::outcome::{EventFault, Handled, Stored};
use super::search::{Found, search};
use super::write::write_all;
use crate::archive::Counted;
use crate::make::{MakeError, Making};
use crate::metadata::{Library, Lookup};

/// How long an object that was written may be out of sight. S3 itself shows it at once; mirrors, caches and copies that
/// are still under way have taken minutes.
pub const VISIBLE_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What handling an event takes.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) archive: Arc<Counted>,
    /// Of this event alone: what is not there now may be there at the next.
    pub(super) library: Library,
    pub(super) collection: &'a Collection,
    pub(super) making: Making<'a>,
    pub(super) products: Products,
    pub(super) remove_deleted: bool,
    pub(super) now: Timestamp,
}

impl Work<'_> {
    /// An archive was written: its record.
    pub(super) async fn archive_written(&self, build: &Build<'_>, event: &ObjectEvent) -> Result<Handled, EventFault> {
        match self.store(build).await? {
            None => self.absent(event),
            Some(handled) => Ok(handled),
        }
    }

    /// Brings an archive's record up to date; `None` where the archive is not there.
    pub(super) async fn store(&self, build: &Build<'_>) -> Result<Option<Handled>, EventFault> {
        match search(&*self.archive, &self.library, build).await? {
            Some(found) => self.record(build, found).await.map(Some),
            None => Ok(None),
        }
    }

    /// Brings the record of an archive that was found up to date.
    pub(super) async fn record(&self, build: &Build<'_>, found: Found) -> Result<Handled, EventFault> {
        let Lookup::Found(metadata) = found.metadata else { return Ok(Handled::WithoutMetadata) };
        let records = self.making.records(build, found.facts.size, found.facts.date, Some(&metadata));
        let records = records.map_err(|error| refused(build.key, &error))?;
        let stored = write_all(self.collection, &records, &[]).await?;
        all_refused(&stored)?;
        Ok(Handled::Stored(stored))
    }

    /// The object is not there: it may come into sight, or it is gone.
    pub(super) fn absent(&self, event: &ObjectEvent) -> Result<Handled, EventFault> {
        match event.time.map(|time| self.now.duration_since(time)) {
            Some(age) if age < VISIBLE_WITHIN => {
                Err(EventFault::NotYet { key: event.key.to_string(), seconds: age.as_secs() })
            }
            _ => Ok(Handled::Gone),
        }
    }
}

/// A record that our checks refuse, with the archive it is of.
pub(super) fn refused(key: &str, error: &MakeError) -> EventFault {
    EventFault::Refused(format!("{key}: {error}"))
}

/// An event whose every record was refused is refused itself.
pub(super) fn all_refused(stored: &Stored) -> Result<(), EventFault> {
    let Stored { created, updated, unchanged, kept, refused } = stored;
    if !refused.is_empty() && created + updated + unchanged + kept == 0 {
        return Err(EventFault::Refused(refused.join("; ")));
    }
    Ok(())
}
