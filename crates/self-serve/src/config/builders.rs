//! What is built for each branch.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Branch;

/// Builders by their names.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Builders {
    builders: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Entry {
    #[serde(default)]
    properties: Properties,
}

/// What builds have from their builder, as far as it matters here: the rest may be large.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Properties {
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    platform: Option<String>,
}

impl Builders {
    /// The names of a branch's builders, in order.
    pub fn of<'a>(&'a self, branch: &Branch<'_>) -> impl Iterator<Item = &'a str> {
        let spellings = branch.spellings();
        let is_its = move |entry: &Entry| entry.properties.branch.as_ref().is_some_and(|name| spellings.contains(name));
        self.builders.iter().filter(move |(_, entry)| is_its(entry)).map(|(name, _)| name.as_str())
    }

    /// Whether there is none at all, as where there is no document.
    pub fn is_empty(&self) -> bool {
        self.builders.is_empty()
    }

    /// The platform that a builder builds for, if its document says so.
    pub fn platform(&self, builder: &str) -> Option<&str> {
        self.builders.get(builder)?.properties.platform.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Branches;

    #[test]
    fn a_branch_has_the_builders_whose_properties_name_it() {
        let branches: Branches =
            serde_json::from_value(json!({ "ash": { "repo": "https://hg.example/projects/ash" }, "as": {} })).unwrap();
        let builders: Builders = serde_json::from_value(json!({ "builders": {
            "ash linux build": { "properties": { "branch": "ash", "platform": "linux", "x": [1] }, "slaves": [] },
            "ash mac build": { "properties": { "branch": "projects/ash" } },
            "as build": { "properties": { "branch": "as" } },
            "none": {}
        }, "schedulers": {} }))
        .unwrap();
        let of = |name| builders.of(&branches.get(name).unwrap()).collect::<Vec<_>>();
        assert_eq!(of("ash"), ["ash linux build", "ash mac build"]);
        assert_eq!(of("as"), ["as build"], "no branch has another's because its name begins alike");
        assert_eq!(builders.platform("ash linux build"), Some("linux"));
        assert_eq!((builders.platform("none"), builders.platform("unknown")), (None, None));
    }
}
