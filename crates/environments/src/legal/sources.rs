//! The list of source packages.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Component;

/// The source packages of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// Each source package, in the order of their files' names.
    pub sources: Vec<Source>,
    /// Packages whose source is not offered from the same place, in their order.
    pub missing: Vec<String>,
}

/// A source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its file's name, as the packages built from it say.
    pub file: String,
    /// Its SHA-256, where it is at hand.
    pub sha256: Option<String>,
    /// Where it is published, beside the environment, where it is at hand.
    pub key: Option<String>,
    /// The packages that were built from it.
    pub packages: Vec<String>,
}

/// Where a source package is published.
fn key(sha256: &str) -> String {
    format!("srpms/{sha256}.src.rpm")
}

pub(super) fn sources(components: &[&Component]) -> Sources {
    let mut built: BTreeMap<(&str, Option<&str>), Vec<String>> = BTreeMap::new();
    let mut missing = Vec::new();
    for component in components {
        let source = component.source.as_ref();
        let sha256 = source.and_then(|source| source.sha256.as_deref());
        if sha256.is_none() {
            missing.push(component.to_string());
        }
        if let Some(source) = source {
            built.entry((&source.file, sha256)).or_default().push(component.to_string());
        }
    }
    let source = |((file, sha256), packages): ((&str, Option<&str>), _)| Source {
        file: file.to_owned(),
        sha256: sha256.map(str::to_owned),
        key: sha256.map(key),
        packages,
    };
    Sources { sources: built.into_iter().map(source).collect(), missing }
}
