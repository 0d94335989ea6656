//! The gap check: builds that an inventory lists, that are older than an hour, and of which the store has no record.
//!
//! Who meets a reason for which a build makes no record notes it here. Counted is at the end, against what the store
//! has then: a build whose record came from another archive, or from an event meanwhile, is no gap.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fact::{IdHash, seconds};
use crate::index::Index;

/// How old a build must be to be missed: its metadata may come after it.
const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Builds that are noted one by one, at 16 bytes each; what is beyond is counted without looking again.
const MAX_NOTED: usize = 1 << 20;

/// Why a build has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// There is no metadata, or none that can be used.
    WithoutMetadata,
    /// Its record does not pass our checks.
    Refused,
    /// The archive did not answer.
    OutOfReach,
    /// The store does not take its record.
    RefusedByStore,
    /// Others kept writing its record.
    Contended,
    /// The store acknowledged its record and does not have it.
    Lost,
    /// There was no time for it.
    NotReached,
}

/// As a person reads it.
impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WithoutMetadata => "without metadata",
            Self::Refused => "refused by the checks",
            Self::OutOfReach => "the archive did not answer",
            Self::RefusedByStore => "refused by the store",
            Self::Contended => "others kept writing it",
            Self::Lost => "acknowledged and not there",
            Self::NotReached => "no time for it",
        })
    }
}

/// Gaps by reason, as reports have them.
pub type GapCounts = BTreeMap<GapReason, u64>;

/// Builds that may be gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// Record id, date in seconds since 1970, reason.
    noted: Vec<(IdHash, u32, GapReason)>,
    /// Those that were not noted one by one.
    beyond: GapCounts,
}

impl Gaps {
    /// Notes a build by its record's id and its date (in seconds since 1970).
    pub fn note(&mut self, reason: GapReason, id: IdHash, date: u32) {
        if self.noted.len() < MAX_NOTED {
            self.noted.push((id, date, reason));
        } else {
            self.note_number(reason, 1);
        }
    }

    /// Notes builds of which only the number is known.
    pub fn note_number(&mut self, reason: GapReason, builds: u64) {
        if builds > 0 {
            *self.beyond.entry(reason).or_default() += builds;
        }
    }

    /// Takes over what another part of the work noted.
    pub fn absorb(&mut self, other: Self) {
        for (id, date, reason) in other.noted {
            self.note(reason, id, date);
        }
        for (reason, builds) in other.beyond {
            self.note_number(reason, builds);
        }
    }

    /// The gaps at the moment `now`, where `index` is what the store has. Several archives of one build are one gap.
    pub fn count(&self, index: &Index, now: Timestamp) -> GapCounts {
        let young = seconds(now.saturating_sub(GRACE).unwrap_or(Timestamp::UNIX_EPOCH));
        let mut counts = self.beyond.clone();
        let mut seen = HashSet::new();
        for (id, date, reason) in &self.noted {
            if *date < young && index.get(*id).is_none() && seen.insert(*id) {
                *counts.entry(*reason).or_default() += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Fact;
    use crate::index::Entry;

    const NOW: &str = "2018-06-01T12:00:00Z";

    fn date(text: &str) -> u32 {
        seconds(text.parse().unwrap())
    }

    #[test]
    fn a_build_is_a_gap_when_it_is_older_than_an_hour_and_the_store_has_no_record_of_it() {
        let mut gaps = Gaps::default();
        let (old, young) = (date("2018-06-01T10:59:59Z"), date("2018-06-01T11:00:00Z"));
        gaps.note(GapReason::WithoutMetadata, IdHash(1), old);
        gaps.note(GapReason::WithoutMetadata, IdHash(2), young);
        gaps.note(GapReason::OutOfReach, IdHash(3), old);
        gaps.note(GapReason::Refused, IdHash(3), old);
        gaps.note(GapReason::Refused, IdHash(4), old);
        gaps.note_number(GapReason::NotReached, 7);
        let mut index = Index::default();
        let fact = Fact { source: 0, content: 0, date: 0, rank: 0 };
        index.insert(Entry { id: IdHash(4), fact, last_modified: 1 });
        let counts = gaps.count(&index, NOW.parse().unwrap());
        let expected = [(GapReason::WithoutMetadata, 1), (GapReason::OutOfReach, 1), (GapReason::NotReached, 7)];
        assert_eq!(counts, GapCounts::from(expected));
    }

    #[test]
    fn gaps_are_read_back_as_they_were_written() {
        let mut gaps = Gaps::default();
        gaps.note(GapReason::Lost, IdHash(u64::MAX), 5);
        gaps.note_number(GapReason::NotReached, 2);
        let text = serde_json::to_string(&gaps).unwrap();
        assert_eq!(text, r#"{"noted":[[18446744073709551615,5,"lost"]],"beyond":{"not_reached":2}}"#);
        assert_eq!(serde_json::from_str::<Gaps>(&text).unwrap(), gaps);
    }
}
