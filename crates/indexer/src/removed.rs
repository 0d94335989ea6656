//! Records that were removed while an inventory was on its way.
//!
//! An inventory is hours old when it is read. What it lists may have been removed since, and its record with it, by the
//! event of the removal. Without this the inventory's row would bring the record back, and no later inventory would
//! take it away again.

use std::collections::HashMap;

use buildhub_kinto::{Collection, Entry, KintoError, Query};
use futures::{StreamExt as _, pin_mut};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fact::IdHash;

/// The records that were removed since a moment, each with the moment of its removal in seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// From where on removals were asked for, in milliseconds; none were where it is `None`.
    since: Option<u64>,
    records: Tombstones,
}

/// The moments of removals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tombstones(HashMap<IdHash, u32>);

/// As it is written down: pairs of both.
impl Serialize for Tombstones {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tombstones {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|pairs| Self(pairs.into_iter().collect()))
    }
}

impl Removed {
    /// Whether the record was removed after its archive was written at this moment (seconds since 1970): the archive is
    /// gone. One that was written again later is another.
    pub fn hides(&self, id: IdHash, written: u32) -> bool {
        self.records.0.get(&id).is_some_and(|removed| written <= *removed)
    }

    /// Whether a record was written since. It may have taken the place of a better archive's that was removed, and whose
    /// tombstone is gone with that: a better one that the inventory lists waits for the next inventory.
    pub fn is_since(&self, last_modified: u64) -> bool {
        self.since.is_some_and(|since| last_modified > since)
    }

    /// From where on removals were asked for, if they were.
    pub fn moment(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(i64::try_from(self.since?).ok()?).ok()
    }
}

/// Asks a store for its tombstones since a moment.
pub async fn removed_since(collection: &Collection, moment: Timestamp) -> Result<Removed, KintoError> {
    let moment = u64::try_from(moment.as_millisecond()).unwrap_or_default();
    // Without being named, even `deleted` would be left out.
    let query = Query::new().since(moment).fields(["id", "last_modified", "deleted"]).limit(10_000);
    let pages = collection.pages::<IgnoredAny>(query);
    pin_mut!(pages);
    let mut removed = HashMap::new();
    while let Some(page) = pages.next().await {
        for entry in &page?.entries {
            if let Entry::Deleted { id, last_modified } = entry {
                removed.insert(IdHash::of(id), u32::try_from(last_modified / 1000).unwrap_or(u32::MAX));
            }
        }
    }
    Ok(Removed { since: Some(moment), records: Tombstones(removed) })
}

/// A moment before which nothing in inventories was removed that were made at these moments.
pub(crate) fn beginning(created: impl Iterator<Item = Timestamp>, now: Timestamp) -> Option<Timestamp> {
    /// How far apart S3's clock and the store's may be.
    const APART: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
    // A moment that is still to come is no moment to a store.
    let first = created.min()?.min(now);
    Some(first.saturating_sub(APART).unwrap_or(Timestamp::UNIX_EPOCH))
}
