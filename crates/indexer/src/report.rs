//! What a run did, counted: the summary for people, the result for programs, the numbers for metrics.

use std::borrow::Cow;
use std::collections::BTreeMap;

use buildhub_releases::NotABuild;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::IdHash;
use crate::gaps::{GapCounts, GapReason, Gaps};
use crate::index::Index;
use crate::resolve::Resolved;

/// Faults kept word for word; more are only counted.
pub(crate) const MAX_FAULTS: usize = 50;

/// Everything counted in a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// The dated inventory folders that were read.
    pub inventories: Vec<String>,
    /// What was read of them.
    pub read: Read,
    /// What became of the build archives among the rows.
    pub builds: Builds,
    /// What was asked of the archive.
    pub metadata: MetadataCounts,
    /// What was done to the store.
    pub store: StoreCounts,
    /// Records made, or read to be loaded.
    pub records: u64,
    /// How long the stages took, in seconds.
    pub seconds: Seconds,
    /// Whether the run came to its end; `false` when its time ran out first.
    pub complete: bool,
    /// Builds older than an hour of which the store has no record, by reason.
    pub gaps: GapCounts,
    /// Builds that may be such.
    #[serde(skip)]
    pub missing: Gaps,
    /// Parts of the inventory that could not be read or brought in, by key, each with its reason.
    pub failed_parts: BTreeMap<String, String>,
    /// What could not be done, each with its reason; the first fifty.
    pub faults: Vec<String>,
    /// How many things could not be done.
    pub fault_count: u64,
    /// How many of them no other run could do either, with the same inventory.
    pub lasting_count: u64,
}

/// Rows of the inventory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Read {
    /// Parts read whole and verified.
    pub parts: u64,
    /// Bytes of the parts, compressed.
    pub bytes: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows that could not be read.
    pub bad_rows: u64,
    /// Rows of versions that are not the latest, and delete markers.
    pub superseded: u64,
    /// Rows of objects that are no builds, by reason.
    pub skipped: BTreeMap<Cow<'static, str>, u64>,
    /// Builds passed over because of their age.
    pub too_old: u64,
    /// Metadata files seen.
    pub metadata_files: u64,
}

/// Build archives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Builds {
    /// All that were looked at.
    pub seen: u64,
    /// Those the store has already, seen before any request.
    pub known: u64,
    /// Those of which the store has a better archive.
    pub outranked: u64,
    /// Those of which the store has a newer state.
    pub older: u64,
    /// Those whose record was removed since the inventory was made.
    #[serde(default)]
    pub removed: u64,
    /// Those without metadata.
    pub without_metadata: u64,
    /// Those whose record does not pass the checks.
    pub refused: u64,
}

/// Requests to the archive.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct MetadataCounts {
    /// Files and folders asked for.
    pub requests: u64,
    /// Files fetched and understood.
    pub fetched: u64,
    /// Addresses where there is none.
    pub missing: u64,
    /// Files that are no metadata.
    pub malformed: u64,
    /// Files that could not be fetched.
    pub failed: u64,
}

/// Records of the store.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct StoreCounts {
    /// Read from the store to know what it has.
    pub read: u64,
    /// Made.
    pub created: u64,
    /// Replaced.
    pub updated: u64,
    /// Not sent, since the store has just that.
    pub unchanged: u64,
    /// Not sent, since the store has something newer or better.
    pub kept: u64,
    /// Refused by the store.
    pub refused: u64,
    /// Acknowledged, and not there when read back.
    pub lost: u64,
}

/// Durations in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Seconds {
    /// Reading what the store has.
    pub store: f64,
    /// Reading the inventory.
    pub inventory: f64,
    /// Fetching metadata and sending records.
    pub records: f64,
    /// Proving what was written.
    pub proof: f64,
    /// All of it.
    pub total: f64,
}

impl Report {
    /// Notes that something could not be done.
    pub fn fault(&mut self, what: impl std::fmt::Display) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(what.to_string());
        }
    }

    /// Notes that something could not be done, and cannot be by running again.
    pub fn lasting(&mut self, what: impl std::fmt::Display) {
        self.lasting_count += 1;
        self.fault(what);
    }

    /// Adds what another part of the work did, its inventories apart.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.read.add(&other.read);
        self.builds.add(&other.builds);
        self.metadata.add(&other.metadata);
        self.store.add(&other.store);
        self.seconds.add(&other.seconds);
        self.records += other.records;
        self.missing.absorb(other.missing.clone());
        self.failed_parts.extend(other.failed_parts.clone());
        self.lasting_count += other.lasting_count;
        self.add_faults(other.faults.clone(), other.fault_count);
    }

    fn add_faults(&mut self, faults: Vec<String>, count: u64) {
        let unsaid = count - faults.len() as u64;
        for fault in faults {
            self.fault(fault);
        }
        self.fault_count += unsaid;
    }

    /// Notes that a part of the inventory could not be read or brought in.
    pub(crate) fn failed_part(&mut self, key: &str, reason: impl std::fmt::Display) {
        let reason = reason.to_string();
        self.fault(&reason);
        self.failed_parts.insert(key.to_owned(), reason);
    }

    /// Notes records that the store acknowledged and does not have.
    pub(crate) fn lost(&mut self, lost: &[IdHash]) {
        if lost.is_empty() {
            return;
        }
        self.store.lost += lost.len() as u64;
        self.fault(format!(
            "{} records that the store acknowledged are not there; run again, and they are sent again",
            lost.len()
        ));
        for id in lost {
            self.missing.note(GapReason::Lost, *id, 0);
        }
    }

    /// Counts what the store, as `index` has it, lacks at the moment `now`.
    pub(crate) fn count_gaps(&mut self, index: &Index, now: Timestamp) {
        self.gaps = self.missing.count(index, now);
    }

    /// Notes rows that could not be read as one thing that could not be done.
    pub(crate) fn judge_rows(&mut self) {
        if self.read.bad_rows > 0 {
            self.lasting(format!(
                "{} rows of the inventory cannot be read; the log names the first of them",
                self.read.bad_rows
            ));
        }
    }

    /// Whether all that could be asked of the run was done: what a command's exit code says.
    pub fn is_success(&self) -> bool {
        self.complete && self.fault_count == 0
    }

    /// Adds what became of some builds; what was left out is logged, the first of each kind word for word.
    pub fn add_resolved(&mut self, resolved: &mut Resolved) {
        self.missing.absorb(std::mem::take(&mut resolved.missing));
        self.builds.without_metadata += resolved.without_metadata;
        self.builds.outranked += resolved.outranked;
        for refusal in &resolved.refused {
            self.builds.refused += 1;
            if self.builds.refused <= MAX_FAULTS as u64 {
                tracing::warn!(refusal, "a build makes no record");
            }
        }
        resolved.faults.iter().for_each(|fault| self.fault(fault));
    }

    /// Adds what a writer did, and what it could not do.
    pub(crate) fn add_outcome(&mut self, other: Self) {
        self.store.add(&other.store);
        self.missing.absorb(other.missing);
        self.lasting_count += other.lasting_count;
        self.add_faults(other.faults, other.fault_count);
    }
}

impl Seconds {
    /// Adds the durations of another part of the work.
    pub fn add(&mut self, other: &Self) {
        self.store += other.store;
        self.inventory += other.inventory;
        self.records += other.records;
        self.proof += other.proof;
        self.total += other.total;
    }
}

impl StoreCounts {
    /// Adds what another part of the work did.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.kept += other.kept;
        self.refused += other.refused;
        self.lost += other.lost;
    }
}

impl MetadataCounts {
    /// Adds what another part of the work asked.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.fetched += other.fetched;
        self.missing += other.missing;
        self.malformed += other.malformed;
        self.failed += other.failed;
    }
}

impl Read {
    /// Adds the rows of another part of the work.
    pub fn add(&mut self, other: &Self) {
        self.parts += other.parts;
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.bad_rows += other.bad_rows;
        self.superseded += other.superseded;
        self.too_old += other.too_old;
        self.metadata_files += other.metadata_files;
        for (reason, count) in &other.skipped {
            *self.skipped.entry(reason.clone()).or_default() += count;
        }
    }
}

impl Builds {
    /// Adds the builds of another part of the work.
    pub fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.known += other.known;
        self.outranked += other.outranked;
        self.older += other.older;
        self.removed += other.removed;
        self.without_metadata += other.without_metadata;
        self.refused += other.refused;
    }
}

/// Rows skipped, by reason, without a look-up in a map for each row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skipped(Vec<u64>);

impl Skipped {
    /// One more for this reason.
    pub(crate) fn count(&mut self, reason: NotABuild) {
        let at = reason as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        if let Some(count) = self.0.get_mut(at) {
            *count += 1;
        }
    }

    /// The counts by name.
    pub(crate) fn by_name(&self) -> BTreeMap<Cow<'static, str>, u64> {
        let named = NotABuild::ALL.iter().map(|reason| (reason.as_str(), self.0.get(*reason as usize).copied()));
        named.filter_map(|(name, count)| Some((name.into(), count.filter(|count| *count > 0)?))).collect()
    }
}
