//! The list of published environments, and how it changes: pure functions of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::definition::{Exclude, Label, SourceKind};

/// The version of the list's shape.
pub const VERSION: u32 = 1;

/// All published environments: `environments.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The version of its shape: 1.
    pub version: u32,
    /// When it became what it is. Each change is later than the one before, whatever the clocks say.
    pub updated: Timestamp,
    /// The lock whose publication made it what it is.
    pub published: String,
    /// The environments, the newest first.
    pub environments: Vec<Listed>,
    /// When each definition was resolved that changed labels, the last time that it did: one that was resolved earlier and
    /// comes later changes none, also not those that were given up meanwhile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub definitions: BTreeMap<String, Timestamp>,
}

/// An environment of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What was built.
    #[serde(flatten)]
    pub build: Build,
    /// Who uses it now. None, where others took its place, or nobody ever did.
    pub labels: Vec<Use>,
}

/// What was built of a lock: the completion record `builds/<lock>`, and an entry of the list without its labels. It never
/// changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The archive's key, beside the list: `<sha256>.tar.xz`.
    pub name: String,
    /// The lock's key.
    pub lock: String,
    /// The archive's SHA-256.
    pub sha256: String,
    /// The archive's size in bytes.
    pub size: u64,
    /// When it was made: the moment at which its publisher began.
    pub created: Timestamp,
    /// Where its files came from.
    pub source: SourceKind,
    /// The architecture, by rpm's name.
    pub arch: String,
    /// The key of the list of licences.
    pub licences: String,
    /// The key of the bill of materials.
    pub sbom: String,
    /// The key of the list of source packages.
    pub sources: String,
    /// The folder of the OCI image layout, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<String>,
    /// What is left out, and why.
    pub exclusions: Vec<Exclude>,
}

/// Who uses an environment, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// Who.
    #[serde(flatten)]
    pub label: Label,
    /// The definition that says so, by its name.
    pub definition: String,
    /// When it was resolved to this environment first.
    pub since: Timestamp,
}

/// Who is to use an environment, as a definition says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The definition's name.
    pub definition: &'a str,
    /// Who uses it. What else the definition's name is at is given up.
    pub labels: &'a [Label],
    /// When it was resolved. A label that was given later stays where it is.
    pub at: Timestamp,
}

impl Index {
    /// A list of nothing.
    pub fn empty() -> Self {
        let (updated, published) = (Timestamp::UNIX_EPOCH, String::new());
        Self { version: VERSION, updated, published, environments: Vec::new(), definitions: BTreeMap::new() }
    }

    /// The environment that a label means, and its use.
    pub fn holder(&self, label: &Label) -> Option<(&Listed, &Use)> {
        let uses = self.environments.iter().flat_map(|listed| listed.labels.iter().map(move |one| (listed, one)));
        uses.into_iter().find(|(_, one)| one.label == *label)
    }

    /// The list with a build in it and its labels where they are claimed; `None` where it says all that already.
    ///
    /// Its date is `now`, or a little later than the list's before, whichever is later: no two lists have one date.
    #[must_use]
    pub fn with(&self, build: &Build, claim: Option<&Claim<'_>>, now: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        match next.environments.iter_mut().find(|listed| listed.build.lock == build.lock) {
            // Its record was removed by somebody, and it was built again.
            Some(listed) => listed.build = build.clone(),
            None => next.environments.push(Listed { build: build.clone(), labels: Vec::new() }),
        }
        if let Some(claim) = claim {
            next.give(&build.lock, claim);
        }
        let age = |listed: &Listed| (std::cmp::Reverse(listed.build.created), listed.build.lock.clone());
        next.environments.sort_by_cached_key(age);
        if next.environments == self.environments {
            return None;
        }
        let later = self.updated.saturating_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
        let now = now.round(jiff::Unit::Microsecond).unwrap_or(now);
        (next.updated, next.published) = (now.max(later), build.lock.clone());
        Some(next)
    }

    /// Moves labels to where they are claimed to be.
    fn give(&mut self, lock: &str, claim: &Claim<'_>) {
        if self.definitions.get(claim.definition).is_some_and(|last| *last > claim.at) {
            return;
        }
        let before = self.environments.clone();
        let is_claimed = |one: &Use| claim.labels.contains(&one.label);
        for listed in &mut self.environments {
            let is_here = listed.build.lock == lock;
            listed.labels.retain(|one| {
                let is_ours = one.definition == claim.definition;
                let is_kept = is_here && is_ours && is_claimed(one);
                let is_gone = is_ours || is_claimed(one);
                is_kept || one.since > claim.at || !is_gone
            });
        }
        let free: Vec<&Label> = claim.labels.iter().filter(|label| self.holder(label).is_none()).collect();
        let (definition, since) = (claim.definition, claim.at);
        let made = |label: &Label| Use { label: label.clone(), definition: definition.to_owned(), since };
        let uses = free.into_iter().map(made).collect::<Vec<_>>();
        if let Some(listed) = self.environments.iter_mut().find(|listed| listed.build.lock == lock) {
            listed.labels.extend(uses);
            listed.labels.sort_by_cached_key(|one| one.label.clone());
        }
        if self.environments != before {
            self.definitions.insert(definition.to_owned(), since);
        }
    }

    /// What of it is worth keeping for ever: what was in use then, and what was published by that change.
    #[must_use]
    pub fn in_use(&self) -> Self {
        let is_kept = |listed: &&Listed| !listed.labels.is_empty() || listed.build.lock == self.published;
        Self { environments: self.environments.iter().filter(is_kept).cloned().collect(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests;
