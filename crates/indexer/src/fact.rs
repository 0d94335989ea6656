//! What matters of a record when two writers meet: which archive it is of, how good, how new.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// A record's id as a number of 64 bits. At a million records two share one with a probability of 3 in 10⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IdHash(pub u64);

impl IdHash {
    /// The hash of a record id.
    pub fn of(id: &str) -> Self {
        Self(xxh3_64(id.as_bytes()))
    }
}

/// The few bytes that decide between two archives, or two states of one, that are the same record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Hash of the archive's url, size and date: equal means that nothing happened to the object.
    pub source: u64,
    /// Hash of the whole record as we would write it; 0 where only the object was looked at.
    pub content: u64,
    /// The object's date, in seconds since 1970, up to the year 2106.
    pub date: u32,
    /// Rank of the archive among those that share a record: a pure function of its url.
    pub rank: u32,
}

/// What is to be done with a fact offered to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The store has no such record.
    New,
    /// The store's record is to be replaced.
    Changed,
    /// The store has just this.
    Same,
    /// The store has the same archive from a later date.
    Older,
    /// The store has a better archive of the same build.
    Outranked,
}

/// Decides, whoever writes: the better archive wins, and of one archive the newest state.
#[expect(clippy::match_same_arms, reason = "a table of decisions, read from top to bottom")]
pub fn judge(stored: Option<&Fact>, offered: &Fact) -> Verdict {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let Some(stored) = stored else { return Verdict::New };
    match (offered.rank.cmp(&stored.rank), offered.date.cmp(&stored.date)) {
        (Less, _) => Verdict::Outranked,
        (Greater, _) => Verdict::Changed,
        (Equal, Less) => Verdict::Older,
        (Equal, Equal | Greater) if offered.source != stored.source => Verdict::Changed,
        // Before its metadata was fetched an object has no content to compare.
        (Equal, _) if offered.content == 0 || offered.content == stored.content => Verdict::Same,
        (Equal, _) => Verdict::Changed,
    }
}

/// The hash behind [`Fact::source`]; the url is given in two halves, so that nobody has to join them.
pub fn source_hash(archive_url: &str, key: &str, size: u64, date: Timestamp) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(archive_url.as_bytes());
    hasher.update(key.as_bytes());
    hasher.update(&size.to_le_bytes());
    hasher.update(&date.as_second().to_le_bytes());
    hasher.digest()
}

/// A date as [`Fact::date`] has it; what lies outside is pulled to the nearest end.
pub fn seconds(date: Timestamp) -> u32 {
    u32::try_from(date.as_second().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: Fact = Fact { source: 1, content: 10, date: 100, rank: 5 };

    #[test]
    fn what_the_store_does_not_have_is_new() {
        assert_eq!(judge(None, &STORED), Verdict::New);
    }

    #[test]
    fn the_same_object_is_the_same_before_and_after_its_metadata() {
        assert_eq!(judge(Some(&STORED), &STORED), Verdict::Same);
        assert_eq!(judge(Some(&STORED), &Fact { content: 0, ..STORED }), Verdict::Same);
    }

    #[test]
    fn an_older_row_never_overwrites_a_newer_record() {
        assert_eq!(judge(Some(&STORED), &Fact { source: 2, date: 99, ..STORED }), Verdict::Older);
    }

    #[test]
    fn a_republished_archive_replaces_its_record() {
        assert_eq!(judge(Some(&STORED), &Fact { source: 2, date: 101, ..STORED }), Verdict::Changed);
        assert_eq!(judge(Some(&STORED), &Fact { source: 2, ..STORED }), Verdict::Changed);
    }

    #[test]
    fn other_metadata_for_the_same_object_replaces_the_record() {
        assert_eq!(judge(Some(&STORED), &Fact { content: 11, ..STORED }), Verdict::Changed);
    }

    #[test]
    fn the_better_archive_wins_whatever_the_dates() {
        assert_eq!(judge(Some(&STORED), &Fact { rank: 4, date: 999, ..STORED }), Verdict::Outranked);
        assert_eq!(judge(Some(&STORED), &Fact { rank: 6, date: 1, ..STORED }), Verdict::Changed);
    }
}
