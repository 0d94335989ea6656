//! What differs between two locks: packages, and everything else that was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Identity, Lock, LockError, Package};

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Diff {
    /// Packages that only the second has.
    pub added: Vec<String>,
    /// Packages that only the first has.
    pub removed: Vec<String>,
    /// Packages of one name and architecture that are others.
    pub changed: Vec<Changed>,
    /// Decisions that are others: exclusions, scriptlets, users, encoder and so on.
    pub decisions: Vec<Decision>,
}

/// A package that is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name and architecture: `gcc.x86_64`.
    pub package: String,
    /// What it was: epoch, version and release.
    pub from: String,
    /// What it is.
    pub to: String,
    /// Whether version and release are the same and only the file is another: it was built, or signed, again.
    pub rebuilt: bool,
}

/// A decision that is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Which: a field of the lock's identity, and for lists the entry's beginning.
    pub what: String,
    /// What it was; nothing where it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl Diff {
    /// What differs from `first` to `second`, in what decides their bytes.
    pub fn between(first: &Lock, second: &Lock) -> Result<Self, LockError> {
        let mut diff = Self::default();
        diff.packages(&first.identity, &second.identity);
        diff.decide(&first.identity, &second.identity)?;
        Ok(diff)
    }

    /// Whether nothing differs: both are the same build.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn packages(&mut self, first: &Identity, second: &Identity) {
        let (mut before, mut after) = (by_name(first), by_name(second));
        let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
        for name in names {
            let (mut old, mut new) =
                (before.remove(&name).unwrap_or_default(), after.remove(&name).unwrap_or_default());
            // What both have is no difference; several of one name are told apart by their hashes.
            let same: BTreeSet<&str> = old.iter().map(|package| package.sha256.as_str()).collect();
            let same: BTreeSet<&str> =
                new.iter().map(|package| package.sha256.as_str()).filter(|hash| same.contains(hash)).collect();
            old.retain(|package| !same.contains(package.sha256.as_str()));
            new.retain(|package| !same.contains(package.sha256.as_str()));
            match (old.as_slice(), new.as_slice()) {
                ([old], [new]) => self.changed.push(Changed {
                    package: name,
                    from: version(old),
                    to: version(new),
                    rebuilt: version(old) == version(new),
                }),
                (old, new) => {
                    self.removed.extend(old.iter().map(|package| package.nevra()));
                    self.added.extend(new.iter().map(|package| package.nevra()));
                }
            }
        }
    }

    fn decide(&mut self, first: &Identity, second: &Identity) -> Result<(), LockError> {
        let (first, second) = (fields(first)?, fields(second)?);
        let names: BTreeSet<&String> = first.keys().chain(second.keys()).filter(|name| *name != "packages").collect();
        for name in names {
            match (first.get(name), second.get(name)) {
                (from, to) if from == to => {}
                (Some(Value::Array(from)), Some(Value::Array(to))) => {
                    let gone = from.iter().filter(|item| !to.contains(item));
                    let come = to.iter().filter(|item| !from.contains(item));
                    let made = |from: Option<&Value>, to: Option<&Value>| Decision {
                        what: name.clone(),
                        from: from.cloned(),
                        to: to.cloned(),
                    };
                    self.decisions.extend(gone.map(|item| made(Some(item), None)));
                    self.decisions.extend(come.map(|item| made(None, Some(item))));
                    if from.len() == to.len() && from.iter().all(|item| to.contains(item)) {
                        self.decisions.push(made(Some(&Value::Array(from.clone())), Some(&Value::Array(to.clone()))));
                    }
                }
                (from, to) => {
                    self.decisions.push(Decision { what: name.clone(), from: from.cloned(), to: to.cloned() });
                }
            }
        }
        Ok(())
    }
}

fn by_name(identity: &Identity) -> BTreeMap<String, Vec<&Package>> {
    let mut packages: BTreeMap<String, Vec<&Package>> = BTreeMap::new();
    for package in &identity.packages {
        packages.entry(format!("{}.{}", package.name, package.arch)).or_default().push(package);
    }
    packages
}

fn version(package: &Package) -> String {
    let Package { epoch, version, release, .. } = package;
    if *epoch == 0 { format!("{version}-{release}") } else { format!("{epoch}:{version}-{release}") }
}

fn fields(identity: &Identity) -> Result<serde_json::Map<String, Value>, LockError> {
    match serde_json::to_value(identity).map_err(LockError::Write)? {
        Value::Object(fields) => Ok(fields),
        _ => Ok(serde_json::Map::new()),
    }
}

impl fmt::Display for Diff {
    /// One line a difference: `+`, `-` and `~`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "The same build.");
        }
        self.removed.iter().try_for_each(|package| writeln!(f, "- {package}"))?;
        self.added.iter().try_for_each(|package| writeln!(f, "+ {package}"))?;
        for Changed { package, from, to, rebuilt } in &self.changed {
            let again = if *rebuilt { " (another file)" } else { "" };
            writeln!(f, "~ {package}: {from} → {to}{again}")?;
        }
        for Decision { what, from, to } in &self.decisions {
            match (from, to) {
                (Some(from), Some(to)) => writeln!(f, "~ {what}: {from} → {to}")?,
                (Some(from), None) => writeln!(f, "- {what}: {from}")?,
                (None, to) => writeln!(f, "+ {what}: {}", to.clone().unwrap_or_default())?,
            }
        }
        Ok(())
    }
}
