//! What the definition asks for, as packages.

use std::collections::BTreeSet;

use super::SolveError;
use super::clauses::{Parts, normal};
use super::policy::Policy;
use super::pool::{Id, Pool};
use super::rich::{Expression, parse};
use crate::evr::Evr;

/// A wish of the definition.
#[derive(Debug)]
pub(super) struct Asked {
    /// As it is written.
    pub(super) text: String,
    /// The packages that fulfil it.
    pub(super) parts: Parts,
    /// The name of the packages that it may mean, where they have one name only.
    pub(super) name: Option<String>,
}

/// Reads a wish as dnf does: the first of these that anything meets — `name-version-release.arch`, `name.arch`, a name,
/// `name-version-release`, `name-version`, something provided (perhaps with a version), a file, a rich dependency. It
/// comes in its best version, or not at all.
pub(super) fn read(pool: &Pool<'_>, text: &str) -> Result<Asked, SolveError> {
    let asked = |candidates: Vec<Id>| Asked {
        text: text.to_owned(),
        parts: vec![(Vec::new(), Policy { pool }.best(&candidates))],
        name: only_name(pool, &candidates),
    };
    let with_arch = text.rsplit_once('.').filter(|(_, arch)| pool.arches.rank(arch).is_some());
    if let Some((rest, arch)) = with_arch {
        let of_arch =
            |ids: Vec<Id>| -> Vec<Id> { ids.into_iter().filter(|id| *pool.package(*id).arch == *arch).collect() };
        let found = of_arch(versioned(pool, rest, 2));
        if !found.is_empty() {
            return Ok(asked(found));
        }
        let found = of_arch(pool.named(rest).0);
        if !found.is_empty() {
            return Ok(asked(found));
        }
    }
    let (named, excluded) = pool.named(text);
    if !named.is_empty() {
        let successors = (0..pool.len())
            .filter(|id| pool.excluded(*id).is_none() && named.iter().any(|old| pool.obsoletes(*id, *old)));
        let mut all: Vec<Id> = successors.chain(named.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        return Ok(asked(all));
    }
    for dashes in [2, 1] {
        let found = versioned(pool, text, dashes);
        if !found.is_empty() {
            return Ok(asked(found));
        }
    }
    let expression = parse(text).map_err(|reason| SolveError::Wish { text: text.to_owned(), reason })?;
    if let Expression::Plain(dependency) = &expression {
        let (found, out) = pool.providers(dependency);
        return match found.as_slice() {
            [] => Err(not_found(pool, text, &[out, excluded].concat())),
            _ => Ok(asked(found)),
        };
    }
    let reason = "it has too many cases".to_owned();
    let parts = normal(pool, &expression, true).ok_or(SolveError::Wish { text: text.to_owned(), reason })?;
    if parts.iter().any(|(given, one_of)| given.is_empty() && one_of.is_empty()) {
        return Err(not_found(pool, text, &[]));
    }
    Ok(Asked { text: text.to_owned(), parts, name: None })
}

/// The name of the candidates, where they have one name only.
fn only_name(pool: &Pool<'_>, candidates: &[Id]) -> Option<String> {
    let names: BTreeSet<&str> = candidates.iter().map(|id| &*pool.package(*id).name).collect();
    names.first().filter(|_| names.len() == 1).map(ToString::to_string)
}

fn not_found(pool: &Pool<'_>, text: &str, excluded: &[Id]) -> SolveError {
    match excluded.first().and_then(|id| Some((id, pool.excluded(*id)?))) {
        Some((id, reason)) => {
            let (package, reason) = (pool.name(*id), reason.to_owned());
            SolveError::AskedAndExcluded { text: text.to_owned(), package, reason }
        }
        None => SolveError::NotFound { text: text.to_owned() },
    }
}

/// Packages named with so many of version and release.
fn versioned(pool: &Pool<'_>, text: &str, dashes: usize) -> Vec<Id> {
    let at = text.rmatch_indices('-').map(|(at, _)| at).nth(dashes - 1);
    let Some((name, evr)) = at.and_then(|at| text.split_at_checked(at)) else { return Vec::new() };
    let evr = Evr::parse(evr.trim_start_matches('-'));
    let same = |id: &Id| {
        let own = &pool.package(*id).evr;
        own.version == evr.version
            && (evr.epoch == 0 || own.epoch == evr.epoch)
            && (evr.release.is_none() || own.release == evr.release)
    };
    pool.named(name).0.into_iter().filter(same).collect()
}
