//! What can only be judged when all members are known.

use std::collections::BTreeMap;

use super::collect::Collector;
use super::{ChrootError, LeftOut, Refusal, packages, paths};
use crate::lock::Identity;
use crate::tree::{self, Entries, Entry, Kind, Path, Spool};

/// How many paths an error names.
const NAMED: usize = 100;

impl Collector {
    /// The tree.
    pub(super) fn finish(mut self, identity: &Identity, spool: &mut Spool) -> Result<(Entries, LeftOut), ChrootError> {
        self.check_rules()?;
        self.check_parents()?;
        order_hardlinks(&mut self.entries);
        packages::exclude(&mut self.entries, spool, identity, &mut self.left_out)?;
        if self.entries.keys().all(|path| path.as_bytes().is_empty()) {
            return Err(ChrootError::Empty);
        }
        tree::add_missing_parents(&mut self.entries, identity.clamp_time.unwrap_or_default());
        check_symlinks(&self.entries)?;
        check_rights(&self.entries, &identity.setuid)?;
        Ok((self.entries, self.left_out))
    }

    /// A rule that names a path through a link, a link alone, or a path that is not there would exclude nothing, unseen; and
    /// what is published says that it was left out.
    fn check_rules(&self) -> Result<(), ChrootError> {
        for rule in self.rules.paths() {
            for folder in ancestors(rule) {
                if let Some(Entry { kind: Kind::Symlink(target), .. }) = self.entries.get(&folder) {
                    let target = String::from_utf8_lossy(target).into_owned();
                    return Err(ChrootError::RuleThroughLink { rule: rule.to_string(), link: folder, target });
                }
            }
            if !self.gone.keys().any(|path| paths::holds(rule, path)) {
                return Err(ChrootError::RuleForNothing { rule: rule.to_string() });
            }
        }
        for (link, target) in &self.links {
            let target = paths::leads_to(link, target).and_then(|target| tree::end_of(&self.entries, &target));
            let Some(target) = target else { continue };
            // It need not be a member itself.
            let mut near =
                self.entries.range(&target..).take_while(|(path, _)| path.as_bytes().starts_with(target.as_bytes()));
            let is_folder =
                near.any(
                    |(path, entry)| {
                        if *path == target { entry.kind == Kind::Directory } else { paths::holds(&target, path) }
                    },
                );
            if is_folder {
                return Err(ChrootError::RuleForLink { rule: link.to_string(), target });
            }
        }
        Ok(())
    }

    /// What an entry is in is a folder, or nothing at all, and then it is made.
    fn check_parents(&self) -> Result<(), ChrootError> {
        for path in self.entries.keys() {
            let Some(parent) = path.parent() else { continue };
            let fits = match self.entries.get(&parent) {
                Some(entry) => entry.kind == Kind::Directory,
                None => !ancestors(path).any(|folder| {
                    self.gone.contains_key(&folder)
                        || self.entries.get(&folder).is_some_and(|entry| entry.kind != Kind::Directory)
                }),
            };
            if !fits {
                let reason = Refusal::Through(parent);
                return Err(ChrootError::Refused { path: path.to_string(), reason });
            }
        }
        Ok(())
    }
}

/// The folders that it is in, without the root.
fn ancestors(path: &Path) -> impl Iterator<Item = Path> {
    std::iter::successors(path.parent(), Path::parent).filter(|folder| !folder.as_bytes().is_empty())
}

/// Of a file's names, the first in the order of paths has the contents, and the others lead to it.
fn order_hardlinks(entries: &mut Entries) {
    let mut first: BTreeMap<Path, Path> = BTreeMap::new();
    for (path, entry) in &*entries {
        if let Kind::Hardlink(target) = &entry.kind {
            first
                .entry(target.clone())
                .and_modify(|first| *first = path.min(first).clone())
                .or_insert_with(|| path.min(target).clone());
        }
    }
    for (target, first) in &first {
        if first != target
            && let Some(kind) = entries.get(target).map(|entry| entry.kind.clone())
        {
            entries.entry(first.clone()).and_modify(|entry| entry.kind = kind);
            entries.entry(target.clone()).and_modify(|entry| entry.kind = Kind::Hardlink(first.clone()));
        }
    }
    for (path, entry) in entries {
        if let Kind::Hardlink(target) = &mut entry.kind
            && let Some(first) = first.get(target).filter(|first| *first != path)
        {
            *target = first.clone();
        }
    }
}

fn check_symlinks(entries: &Entries) -> Result<(), ChrootError> {
    for (path, entry) in entries {
        if let Kind::Symlink(target) = &entry.kind {
            paths::symlink(path, target).map_err(|reason| ChrootError::Refused { path: path.to_string(), reason })?;
        }
    }
    Ok(())
}

/// Files that give whoever runs them another's rights are declared.
fn check_rights(entries: &Entries, declared: &[String]) -> Result<(), ChrootError> {
    let rights = |entry: &Entry| entry.capability.is_some() || entry.mode & 0o6000 != 0;
    let undeclared = entries.iter().filter(|(path, entry)| {
        let file = matches!(entry.kind, Kind::File(_) | Kind::Hardlink(_));
        file && rights(entry) && !declared.contains(&path.to_string())
    });
    let paths: Vec<String> = undeclared.map(|(path, _)| path.to_string()).take(NAMED).collect();
    if paths.is_empty() { Ok(()) } else { Err(ChrootError::Setuid { paths }) }
}
