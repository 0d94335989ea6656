//! Pointers: what each label means now. The list is the truth, and they follow it.
//!
//! A pointer is read before the list and written on condition that it is still what was read. So whoever writes it has
//! read a list that is newer than the pointer, and a publisher who changes the list later reads the pointer later too:
//! the newest list wins, whoever is slow.
//!
//! Where there is no pointer, there is nothing to hold on to: another may have read the same nothing, and a newer list that
//! wants nothing there. So who makes one reads the list once more behind it.

use std::collections::BTreeSet;

use buildhub_core::store::Versioned;
use serde::{Deserialize, Serialize};

use super::index::{Build, Claim, Index, Use};
use super::{BACKOFF, PublishError, Publisher, RECORD_LIMIT, ROUNDS, json, layout};

/// What a label means: `latest/<branch>/<platform>/<product>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// What was built.
    #[serde(flatten)]
    pub build: Build,
    /// The label, and whose it is.
    pub label: Use,
}

impl Publisher {
    /// Brings pointers up to the list: those of the claim's labels, and those of labels that are no more. How many were
    /// written or removed.
    pub(super) async fn point(&self, claim: Option<&Claim<'_>>) -> Result<u64, PublishError> {
        let there = self.store.list_all(layout::LATEST).await?;
        let there: BTreeSet<String> = there.into_iter().map(|entry| entry.key).collect();
        let index = self.index().await?;
        let listed: BTreeSet<String> = labels(&index).map(|one| layout::latest(&one.label)).collect();
        let claimed = claim.iter().flat_map(|claim| claim.labels).map(layout::latest);
        let missing = listed.difference(&there).cloned();
        let over = there.difference(&listed).cloned();
        let keys: BTreeSet<String> = claimed.chain(missing).chain(over).collect();
        let mut written = 0;
        for key in keys {
            written += u64::from(self.point_one(&key).await?);
        }
        Ok(written)
    }

    /// Brings one pointer up to the list; whether it was another.
    async fn point_one(&self, key: &str) -> Result<bool, PublishError> {
        let (mut is_changed, mut was_first) = (false, true);
        for round in 0..ROUNDS {
            if !was_first {
                BACKOFF.pause(round - 1).await;
            }
            let found = match self.store.read(key, RECORD_LIMIT).await {
                Ok(found) => Some(found),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error.into()),
            };
            // After the pointer: see above.
            let wanted = match pointer(&self.index().await?, key) {
                Some(pointer) => Some(json(key, &pointer)?),
                None => None,
            };
            let is_made = found.is_none();
            was_first = match (found, wanted) {
                (None, None) => return Ok(is_changed),
                (Some(Versioned { bytes, .. }), Some(wanted)) if bytes == wanted => return Ok(is_changed),
                (None, Some(wanted)) => self.store.create(key, wanted).await?,
                (Some(found), Some(wanted)) => self.store.replace(key, wanted, &found.version).await?.is_some(),
                (Some(found), None) => self.store.remove(key, &found.version).await?,
            };
            is_changed |= was_first;
            if was_first && !is_made {
                return Ok(true);
            }
        }
        // The last of them made it.
        if was_first { Ok(is_changed) } else { Err(self.contended(key)) }
    }
}

fn labels(index: &Index) -> impl Iterator<Item = &Use> {
    index.environments.iter().flat_map(|listed| &listed.labels)
}

/// What a pointer should say.
fn pointer(index: &Index, key: &str) -> Option<Pointer> {
    let label = labels(index).find(|one| layout::latest(&one.label) == key)?.label.clone();
    let (listed, one) = index.holder(&label)?;
    Some(Pointer { build: listed.build.clone(), label: one.clone() })
}
