//! What was uploaded and is not published.

use std::collections::BTreeMap;

use crate::definition::Exclude;

/// How many names of attributes are told apart.
const ATTRIBUTES: usize = 64;

/// What was in an upload and is not in the environment, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Device nodes.
    pub devices: u64,
    /// Pipes. (Sockets cannot be in a tar archive.)
    pub pipes: u64,
    /// What only a running system has.
    pub transient: u64,
    /// Extended attributes and access control lists, by the name that the archive has for them; `others` are those beyond
    /// the first 64 names.
    pub attributes: BTreeMap<String, u64>,
    /// Packages that the definition excludes and that were there: name, version and release.
    pub packages: Vec<String>,
    /// Their files and folders that no other package has.
    pub package_files: u64,
    /// What the definition excludes by path: a rule each, in its order.
    pub excluded: Vec<Excluded>,
}

/// What one rule left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The rule.
    pub rule: Exclude,
    /// How many members.
    pub members: u64,
    /// Bytes of their contents.
    pub bytes: u64,
}

impl LeftOut {
    pub(super) fn new(rules: &[Exclude]) -> Self {
        let excluded = rules.iter().map(|rule| Excluded { rule: rule.clone(), members: 0, bytes: 0 }).collect();
        Self { excluded, ..Self::default() }
    }

    pub(super) fn attribute(&mut self, name: String) {
        let name = if self.attributes.len() >= ATTRIBUTES && !self.attributes.contains_key(&name) {
            "others".into()
        } else {
            name
        };
        *self.attributes.entry(name).or_default() += 1;
    }
}
