//! The branches that there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The branches by their names.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Branches(BTreeMap<String, Entry>);

/// A branch as its document has it, whatever else that says.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repo: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repo_type: Option<RepositoryKind>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What kind of repository a branch is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryKind {
    /// Mercurial.
    Hg,
    /// Git.
    Git,
}

/// One branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its repository's address, where it has one.
    pub repository: Option<&'a str>,
    /// What kind that is.
    pub kind: RepositoryKind,
}

impl Branches {
    /// A branch by its name.
    pub fn get(&self, name: &str) -> Option<Branch<'_>> {
        let (name, entry) = self.0.get_key_value(name)?;
        let kind = entry.repo_type.unwrap_or(RepositoryKind::Hg);
        Some(Branch { name, repository: entry.repo.as_deref().filter(|text| !text.is_empty()), kind })
    }

    /// A branch by whichever of its spellings.
    pub fn called(&self, spelling: &str) -> Option<Branch<'_>> {
        self.get(spelling)
            .or_else(|| self.names().filter_map(|name| self.get(name)).find(|known| known.path() == spelling))
    }

    /// All of their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Branch<'_> {
    /// What build systems call it beside its name: its repository's path, without a `/` at either end (`projects/ash`). Its
    /// name where it has no repository.
    pub fn path(&self) -> &str {
        let path = self.repository.and_then(|url| url.split_once("://")).and_then(|(_, rest)| rest.split_once('/'));
        path.map(|(_, path)| path.trim_matches('/')).filter(|path| !path.is_empty()).unwrap_or(self.name)
    }

    /// All that it is called: its name, and its path where that is another.
    pub fn spellings(&self) -> Vec<String> {
        let mut spellings = vec![self.name.to_owned()];
        if self.path() != self.name {
            spellings.push(self.path().to_owned());
        }
        spellings
    }

    /// Where a person sees a revision of it; empty where it has no repository.
    pub fn link(&self, revision: &str) -> String {
        let Some(repository) = self.repository else { return String::new() };
        let repository = repository.trim_end_matches('/');
        match self.kind {
            RepositoryKind::Hg => format!("{repository}/rev/{revision}"),
            RepositoryKind::Git => format!("{}/commit/{revision}", repository.trim_end_matches(".git")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_branch_is_known_by_its_name_and_by_its_repositorys_path() {
        let document = json!({
            "ash": { "repo": "https://hg.mozilla.org/projects/ash/", "repo_type": "hg", "graph_branches": ["Ash"], "x": 1 },
            "gaia": { "repo": "https://github.com/mozilla-b2g/gaia.git", "repo_type": "git" },
            "bare": {}
        });
        let branches: Branches = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(&branches).unwrap(), document, "it is told as it was written");
        let ash = branches.get("ash").unwrap();
        assert_eq!((ash.path(), ash.spellings()), ("projects/ash", vec!["ash".to_owned(), "projects/ash".to_owned()]));
        assert_eq!(ash.link("abc"), "https://hg.mozilla.org/projects/ash/rev/abc");
        assert_eq!(branches.get("gaia").unwrap().link("abc"), "https://github.com/mozilla-b2g/gaia/commit/abc");
        let bare = branches.get("bare").unwrap();
        assert_eq!((bare.path(), bare.spellings().len(), bare.link("abc").as_str()), ("bare", 1, ""));
        assert_eq!(["ash", "projects/ash"].map(|name| branches.called(name).unwrap().name), ["ash", "ash"]);
        assert!(branches.called("projects").is_none());
        assert!(branches.get("projects/ash").is_none() && branches.get("").is_none());
        assert_eq!(branches.names().collect::<Vec<_>>(), ["ash", "bare", "gaia"]);
    }
}
