//! What of which inventory is in: the checkpoint of a run that had no time for all of it, and the way past an inventory
//! that holds nothing new.

use std::collections::{BTreeMap, BTreeSet};

use buildhub_inventory::{Found, Part};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::gaps::Gaps;

/// Parts of inventories whose builds were all written, under the settings of one kind of work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Hash of everything that decides what becomes of a row, beside the row itself.
    work: u64,
    /// Hashes of the parts that are in, by the folder of dated inventories. Only the latest inventory is remembered.
    parts: BTreeMap<String, BTreeSet<u64>>,
    /// What of them could not be brought in, and no other run could.
    #[serde(default)]
    faults: Vec<String>,
    /// Builds of them that may have no record.
    #[serde(default)]
    missing: Gaps,
}

impl State {
    /// The state for this work: what is known if it is the same work, nothing if it is another.
    #[must_use]
    pub fn for_work(self, work: &str) -> Self {
        let work = xxh3_64(work.as_bytes());
        if self.work == work { self } else { Self { work, ..Self::default() } }
    }

    /// Whether this part is in.
    pub fn has(&self, found: &Found, part: &Part) -> bool {
        self.parts.get(parent(found)).is_some_and(|parts| parts.contains(&hash(part)))
    }

    /// Whether all of this inventory is in.
    pub fn has_all(&self, found: &Found) -> bool {
        self.parts.contains_key(parent(found)) && found.manifest.parts.iter().all(|part| self.has(found, part))
    }

    /// What of the parts that are in could not be brought in.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Which builds of the parts that are in may have no record.
    pub fn missing(&self) -> &Gaps {
        &self.missing
    }

    /// Replaces what could not be brought in.
    pub fn set_faults(&mut self, faults: &[String], missing: &Gaps) {
        self.faults = faults.to_vec();
        self.missing = missing.clone();
    }

    /// Forgets what belongs to other inventories than these.
    #[must_use]
    pub fn of(self, found: &[Found]) -> Self {
        if found.iter().any(|found| found.manifest.parts.iter().any(|part| self.has(found, part))) {
            self
        } else {
            Self { faults: Vec::new(), missing: Gaps::default(), ..self }
        }
    }

    /// Notes that the parts for which `is_in` says so are in, and forgets those of older inventories.
    pub fn add(&mut self, found: &Found, is_in: impl Fn(&Part) -> bool) {
        let parts = found.manifest.parts.iter().filter(|part| self.has(found, part) || is_in(part)).map(hash).collect();
        self.parts.insert(parent(found).to_owned(), parts);
    }
}

/// The folder of dated inventories.
fn parent(found: &Found) -> &str {
    found.folder.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A part is the same when its bytes are.
fn hash(part: &Part) -> u64 {
    xxh3_64(format!("{} {:?}", part.key, part.md5).as_bytes())
}

#[cfg(test)]
mod tests {
    use buildhub_inventory::{Manifest, Md5Hex};

    use super::*;

    fn found(dated: &str, parts: &[&str]) -> Found {
        let manifest = r#"{"sourceBucket": "b", "destinationBucket": "d", "version": "1", "creationTimestamp": "1",
            "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size, LastModifiedDate", "files": []}"#;
        let mut manifest = Manifest::parse(manifest.as_bytes()).unwrap();
        let part = |text: &&str| Part { key: (*text).to_owned(), size: 1, md5: Md5Hex::of(text.as_bytes()) };
        manifest.parts = parts.iter().map(part).collect();
        Found { folder: format!("inventories/firefox/{dated}/"), manifest }
    }

    #[test]
    fn an_inventory_is_in_when_its_last_part_is() {
        let mut state = State::default().for_work("work");
        let inventory = found("2018-06-01T04-00Z", &["a", "b"]);
        assert!(!state.has_all(&inventory));
        state.add(&inventory, |part| part.key == "a");
        assert!(state.has(&inventory, &inventory.manifest.parts[0]) && !state.has_all(&inventory));
        state.add(&inventory, |part| part.key == "b");
        assert!(state.has_all(&inventory));
    }

    #[test]
    fn another_inventory_or_other_work_begins_anew() {
        let mut state = State::default().for_work("work");
        state.add(&found("2018-06-01T04-00Z", &["a"]), |_| true);
        assert!(!state.has_all(&found("2018-06-02T04-00Z", &["c"])));
        assert!(!state.clone().for_work("other").has_all(&found("2018-06-01T04-00Z", &["a"])));
        assert!(state.for_work("work").has_all(&found("2018-06-01T04-00Z", &["a"])));
    }
}
