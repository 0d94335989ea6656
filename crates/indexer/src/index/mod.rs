//! What the store has, in 40 bytes a record.
//!
//! A sorted array of fixed-size entries, searched by halves, and beside it a small table of what changed since; when
//! the table is full it is merged in. Nothing in it depends on the length of an id or a url.

mod file;
mod sync;

use std::collections::HashMap;

use crate::fact::{Fact, IdHash};

pub use file::IndexFileError;
pub use sync::{Proof, Refreshed, confirm, prove, refresh};

/// Changes kept beside the sorted entries before they are merged: 4 MB at most.
const MAX_RECENT: usize = 1 << 16;

/// One record of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: IdHash,
    /// What it is of.
    pub fact: Fact,
    /// Kinto's `last_modified` (milliseconds): the `ETag` for a conditional write.
    pub last_modified: u64,
}

/// The store's records, for questions before any request is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    sorted: Vec<Entry>,
    /// `None` for a removed record.
    recent: HashMap<IdHash, Option<Entry>, foldhash::fast::FixedState>,
    timestamp: u64,
}

impl Index {
    /// The record with this id, if the store has it.
    pub fn get(&self, id: IdHash) -> Option<&Entry> {
        match self.recent.get(&id) {
            Some(changed) => changed.as_ref(),
            None => self.position(id).ok().and_then(|at| self.sorted.get(at)),
        }
    }

    /// Notes that the store has this record now.
    pub fn insert(&mut self, entry: Entry) {
        self.recent.insert(entry.id, Some(entry));
        self.merge_when_full();
    }

    /// Notes that the store has no such record (any more).
    pub fn remove(&mut self, id: IdHash) {
        self.recent.insert(id, None);
        self.merge_when_full();
    }

    /// How many records the store has. Merges what is pending.
    pub fn len(&mut self) -> usize {
        self.merge();
        self.sorted.len()
    }

    /// Whether the store has no record.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.recent.values().all(Option::is_none)
    }

    /// The server's time up to which every change is known, in milliseconds; 0 when nothing is.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Ids of the records written after `timestamp`. Merges what is pending.
    pub fn newer_than(&mut self, timestamp: u64) -> impl Iterator<Item = IdHash> + '_ {
        self.merge();
        self.sorted.iter().filter(move |entry| entry.last_modified > timestamp).map(|entry| entry.id)
    }

    /// Memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        let recent = self.recent.capacity() * (size_of::<(IdHash, Option<Entry>)>() + 1);
        self.sorted.capacity() * size_of::<Entry>() + recent
    }

    fn position(&self, id: IdHash) -> Result<usize, usize> {
        self.sorted.binary_search_by_key(&id, |entry| entry.id)
    }

    fn merge_when_full(&mut self) {
        if self.recent.len() >= MAX_RECENT {
            self.merge();
        }
    }

    /// Moves the recent changes into the sorted entries, in place: known ids are overwritten, removed ones dropped, and
    /// new ones merged in from the back.
    fn merge(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let mut added = Vec::new();
        let mut removed = false;
        for (id, change) in std::mem::take(&mut self.recent) {
            match (self.position(id), change) {
                (Ok(at), Some(entry)) => self.set(at, entry),
                (Err(_), Some(entry)) => added.push(entry),
                (Ok(at), None) => {
                    removed = true;
                    self.set(at, gravestone(id));
                }
                (Err(_), None) => {}
            }
        }
        if removed {
            self.sorted.retain(|entry| *entry != gravestone(entry.id));
        }
        added.sort_unstable_by_key(|entry| entry.id);
        merge_sorted(&mut self.sorted, &added);
    }

    fn set(&mut self, at: usize, entry: Entry) {
        if let Some(place) = self.sorted.get_mut(at) {
            *place = entry;
        }
    }
}

/// What a removed entry is overwritten with until the array is swept: no record has `last_modified` 0.
const fn gravestone(id: IdHash) -> Entry {
    Entry { id, fact: Fact { source: 0, content: 0, date: 0, rank: 0 }, last_modified: 0 }
}

/// Merges `added` (sorted, with no id of `sorted`) into `sorted`, keeping only the memory that is needed.
fn merge_sorted(sorted: &mut Vec<Entry>, added: &[Entry]) {
    let Some(last) = added.last() else { return };
    let mut old = sorted.len();
    let mut new = added.len();
    sorted.reserve_exact(new);
    sorted.resize(old + new, *last);
    for place in (0..old + new).rev() {
        let from_old = old.checked_sub(1).and_then(|at| sorted.get(at)).copied();
        let from_new = new.checked_sub(1).and_then(|at| added.get(at)).copied();
        let next = match (from_old, from_new) {
            // What is left of the old entries stands where it belongs.
            (_, None) => return,
            (Some(a), Some(b)) if a.id > b.id => {
                old -= 1;
                a
            }
            (_, Some(b)) => {
                new -= 1;
                b
            }
        };
        if let Some(slot) = sorted.get_mut(place) {
            *slot = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    pub(super) fn entry(id: u64, last_modified: u64) -> Entry {
        let fact = Fact { source: id ^ 7, content: id ^ 9, date: 3, rank: 4 };
        Entry { id: IdHash(id), fact, last_modified }
    }

    #[test]
    fn a_record_takes_forty_bytes() {
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn what_was_inserted_is_found_before_and_after_merging() {
        let mut index = Index::default();
        for id in [5, 1, 9] {
            index.insert(entry(id, id));
        }
        assert_eq!(index.get(IdHash(1)), Some(&entry(1, 1)));
        assert_eq!(index.len(), 3);
        index.insert(entry(5, 50));
        index.remove(IdHash(9));
        assert_eq!(index.get(IdHash(5)), Some(&entry(5, 50)));
        assert_eq!(index.get(IdHash(9)), None);
        assert_eq!(index.len(), 2);
        assert_eq!(index.newer_than(1).collect::<Vec<_>>(), [IdHash(5)]);
    }

    proptest! {
        #[test]
        fn the_index_says_what_a_map_would(changes in prop::collection::vec((0u64..200, any::<bool>(), any::<bool>()), 0..600)) {
            let mut index = Index::default();
            let mut map = BTreeMap::new();
            for (at, (id, keep, merge)) in changes.into_iter().enumerate() {
                let written = entry(id, at as u64 + 1);
                if keep {
                    index.insert(written);
                    map.insert(id, written);
                } else {
                    index.remove(IdHash(id));
                    map.remove(&id);
                }
                if merge {
                    index.merge();
                }
            }
            for id in 0..200 {
                prop_assert_eq!(index.get(IdHash(id)), map.get(&id));
            }
            prop_assert_eq!(index.len(), map.len());
        }
    }
}
