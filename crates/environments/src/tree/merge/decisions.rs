//! What stands in for scriptlets. Nothing of a package is ever run.
//!
//! A scriptlet, trigger or file trigger that installing would run must be in the definition, by package and phase: else
//! there is no environment. Triggers count whether or not something would set them off. What comes with a removal (`preun`,
//! `postun`, …) and with `rpm -V` (`verify`) is not run when an environment is made, by rpm neither; it needs no word.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{MergeError, Undeclared};
use crate::definition::{self, Action};
use crate::rpm::Package;

/// What a package would have run, and what was done instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The package's name.
    pub package: String,
    /// When it would have run.
    pub phase: &'static str,
    /// By which program.
    pub program: String,
    /// What was done.
    pub action: Action,
}

/// The decisions of a definition for what these packages would run.
pub(super) fn decide(packages: &[&Package], declared: &[definition::Scriptlet]) -> Result<Vec<Decision>, MergeError> {
    let declared: BTreeMap<_, _> =
        declared.iter().map(|it| ((it.package.as_str(), it.phase.as_str()), it.action)).collect();
    let mut decisions = Vec::new();
    let mut undeclared = Vec::new();
    let mut told = BTreeSet::new();
    for package in packages {
        for scriptlet in package.scriptlets()?.into_iter().filter(|scriptlet| scriptlet.on_install) {
            let (phase, program) = (scriptlet.phase, scriptlet.program);
            let name = package.name().to_owned();
            match declared.get(&(package.name(), phase)) {
                Some(action) => decisions.push(Decision { package: name, phase, program, action: *action }),
                None if told.insert((name.clone(), phase, program.clone())) => {
                    undeclared.push(Undeclared { package: name, phase, program });
                }
                None => {}
            }
        }
    }
    if undeclared.is_empty() { Ok(decisions) } else { Err(MergeError::Undeclared(undeclared)) }
}
