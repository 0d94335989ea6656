//! Bringing the index up to date with the store, and proving that what was acknowledged is there.

use std::collections::{HashMap, HashSet};

use buildhub_kinto::{Collection, Entry, KintoError, Query};
use futures::{StreamExt as _, pin_mut};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Index;
use crate::fact::{Fact, IdHash, Verdict, judge};
use crate::progress::Progress;
use crate::ready::entry_of;

/// Records in a page: a page of whole records takes some megabytes.
const PAGE: usize = 5_000;

/// How far a refresh reaches back behind what it knows, in milliseconds: writers on several servers may commit a
/// little out of order.
const OVERLAP: u64 = 10_000;

/// What a refresh found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Records read.
    pub read: u64,
    /// Records that the index did not know in this state, and records it knew and that are gone.
    pub news: u64,
    /// What of it took something away: records that are gone, or that an inventory's rows would win against again.
    /// What others only added or brought further is no loss.
    pub losses: u64,
}

impl Refreshed {
    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.news += other.news;
        self.losses += other.losses;
    }
}

/// What a proof found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Records written since, read back.
    pub read: u64,
    /// Records acknowledged that are not there; the index has forgotten them, so that the next run sends them again.
    pub lost: Vec<IdHash>,
}

/// Reads what changed in the store since the index was last brought up to date; everything, where the index is empty
/// or does not agree with the store's number of records (a collection that was flushed keeps no tombstones).
pub async fn refresh(
    index: &mut Index,
    collection: &Collection,
    progress: &dyn Progress,
) -> Result<Refreshed, KintoError> {
    let (was_empty, before) = (index.is_empty(), index.timestamp);
    let (mut refreshed, now) = read_changes(index, collection, progress).await?;
    let mut count = collection.count().await?;
    if count != index.len() as u64 && !was_empty {
        // Somebody may have written between the pages and the counting.
        refreshed.add(read_changes(index, collection, progress).await?.0);
        count = collection.count().await?;
    }
    // A store whose time went back was restored from an earlier one: what it was told since, it does not have.
    let is_another = now.is_some_and(|now| now < before);
    if !was_empty && (is_another || count != index.len() as u64) {
        tracing::info!(known = index.len(), stored = count, "the index does not agree with the store and is read anew");
        *index = Index::default();
        let (again, _) = read_changes(index, collection, progress).await?;
        // That the two disagreed is a loss by itself, also when nothing is left to read.
        refreshed.add(Refreshed { news: again.news + 1, losses: again.losses + 1, ..again });
    }
    Ok(refreshed)
}

/// Reads the changes, and the store's time when the reading began.
async fn read_changes(
    index: &mut Index,
    collection: &Collection,
    progress: &dyn Progress,
) -> Result<(Refreshed, Option<u64>), KintoError> {
    let mut query = Query::new().limit(PAGE);
    if index.timestamp > 0 {
        query = query.since(index.timestamp.saturating_sub(OVERLAP));
    }
    let mut refreshed = Refreshed::default();
    let mut timestamp = None;
    let pages = collection.pages::<Box<RawValue>>(query);
    pin_mut!(pages);
    while let Some(page) = pages.next().await {
        let page = page?;
        timestamp.get_or_insert(page.timestamp);
        progress.advance(page.entries.len() as u64);
        for change in &page.entries {
            refreshed.read += 1;
            let (news, loss) = apply(index, change);
            refreshed.news += u64::from(news);
            refreshed.losses += u64::from(loss);
        }
    }
    // Only what was there when the reading began is known for certain.
    index.timestamp = index.timestamp.max(timestamp.unwrap_or_default());
    Ok((refreshed, timestamp))
}

/// Takes over one change; says whether it was news, and whether a loss.
fn apply(index: &mut Index, change: &Entry<Box<RawValue>>) -> (bool, bool) {
    match change {
        Entry::Record(stored) => {
            let entry = entry_of(&stored.id, stored.last_modified, stored.data.get());
            let known = index.get(entry.id).copied();
            index.insert(entry);
            // Of what was known only the archive counts, as a row of an inventory shows it.
            let row = known.map(|known| Fact { content: 0, ..known.fact });
            let is_loss = row.is_some_and(|row| judge(Some(&entry.fact), &row) == Verdict::Changed);
            (known != Some(entry), is_loss)
        }
        Entry::Deleted { id, .. } => {
            let id = IdHash::of(id);
            let known = index.get(id).is_some();
            index.remove(id);
            (known, known)
        }
    }
}

/// Reads back what was written after `since` and compares it with what the store acknowledged, as the index has it.
///
/// A record that somebody else wrote or deleted after us is there (or rightly gone) and counts as proven.
pub async fn prove(
    index: &mut Index,
    collection: &Collection,
    since: u64,
    progress: &dyn Progress,
) -> Result<Proof, KintoError> {
    let mut proof = Proof::default();
    let (mut proven, mut foreign, mut timestamp) = (0, false, None);
    let expected = index.newer_than(since).count();
    let query = || Query::new().since(since).fields(["id", "last_modified"]).limit(10_000);
    let pages = collection.pages::<IgnoredAny>(query());
    pin_mut!(pages);
    while let Some(page) = pages.next().await {
        let page = page?;
        timestamp.get_or_insert(page.timestamp);
        progress.advance(page.entries.len() as u64);
        for change in &page.entries {
            proof.read += 1;
            let (id, last_modified) = trace(change);
            let written = index.get(id).map_or(0, |entry| entry.last_modified);
            proven += usize::from(written > since);
            foreign |= written != last_modified;
        }
    }
    if proven < expected {
        proof.lost = forget_lost(index, collection, since, query()).await?;
    } else if !foreign {
        // All changes up to here are our own, and known.
        index.timestamp = index.timestamp.max(timestamp.unwrap_or_default());
    }
    Ok(proof)
}

/// Finds the acknowledged records that are not there. Costs memory for their ids, which only a loss is worth.
async fn forget_lost(
    index: &mut Index,
    collection: &Collection,
    since: u64,
    query: Query,
) -> Result<Vec<IdHash>, KintoError> {
    let mut there = HashSet::new();
    let pages = collection.pages::<IgnoredAny>(query);
    pin_mut!(pages);
    while let Some(page) = pages.next().await {
        there.extend(page?.entries.iter().map(|change| trace(change).0));
    }
    let lost: Vec<_> = index.newer_than(since).filter(|id| !there.contains(id)).collect();
    for id in &lost {
        index.remove(*id);
    }
    Ok(lost)
}

/// Which of the writes that the store acknowledged since `since` are not there, by id and moment of the write. The index
/// is up to date, and forgets them.
///
/// A record that was written again, or deleted, after its write was acknowledged is no loss.
pub async fn confirm(
    index: &mut Index,
    collection: &Collection,
    since: u64,
    written: impl Iterator<Item = (IdHash, u64)>,
) -> Result<Vec<IdHash>, KintoError> {
    let is_there = |id, at| index.get(id).is_some_and(|entry| entry.last_modified >= at);
    let mut missing: HashMap<IdHash, u64> = written.filter(|(id, at)| !is_there(*id, *at)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let pages = collection.pages::<IgnoredAny>(Query::new().since(since).fields(["id", "last_modified"]).limit(10_000));
    pin_mut!(pages);
    while let Some(page) = pages.next().await {
        for change in &page?.entries {
            let (id, at) = trace(change);
            if missing.get(&id).is_some_and(|written| at >= *written) {
                missing.remove(&id);
            }
        }
    }
    let lost: Vec<_> = missing.into_keys().collect();
    for id in &lost {
        index.remove(*id);
    }
    Ok(lost)
}

/// Which record an entry is of, and when it was written.
fn trace<T>(entry: &Entry<T>) -> (IdHash, u64) {
    match entry {
        Entry::Record(stored) => (IdHash::of(&stored.id), stored.last_modified),
        Entry::Deleted { id, last_modified } => (IdHash::of(id), *last_modified),
    }
}
