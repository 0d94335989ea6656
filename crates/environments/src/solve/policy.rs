//! Which package is chosen where several would do: as dnf chooses.
//!
//! The rules are libsolv's, found by comparing: the preferred architecture; of each name the highest version; none that
//! another candidate takes the place of; those that something installed recommends; then in the order of names, behind
//! all others those of which there is a newer one, and those that provide an older version of what others provide too;
//! first of all those that something installed suggests.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::arch::Rank;
use super::clauses::{holds, parts};
use super::pool::{Id, Pool};
use super::rich::{Expressions, is_rich, parse};
use super::state::State;
use crate::evr::Evr;
use crate::repo::{Dependency, Package};

/// The rules, and what they look at.
pub(super) struct Policy<'p, 'a> {
    pub(super) pool: &'p Pool<'a>,
}

impl Policy<'_, '_> {
    /// The candidates that are worth having, whatever is installed: the best architecture, the highest version of each
    /// name, none obsoleted by another. In the order of names.
    pub(super) fn best(&self, candidates: &[Id]) -> Vec<Id> {
        self.not_obsoleted(&self.highest(&self.best_arch(candidates)))
    }

    /// [`best`](Self::best), and of those the recommended ones, where there are any.
    pub(super) fn worthy(&self, candidates: &[Id], state: &State<'_, '_>, expressions: &mut Expressions) -> Vec<Id> {
        let best = self.best(candidates);
        if best.len() < 2 {
            return best;
        }
        let recommended = self.wanted_by_installed(state, expressions, |package| &package.recommends);
        let is = |id: &Id| recommended.contains(id) || self.fits_installed(*id, state, |package| &package.supplements);
        let chosen: Vec<Id> = best.iter().copied().filter(is).collect();
        if chosen.is_empty() { best } else { chosen }
    }

    /// The candidates with the one that is taken first.
    pub(super) fn order(&self, candidates: &[Id], state: &State<'_, '_>, expressions: &mut Expressions) -> Vec<Id> {
        let mut list = candidates.to_vec();
        if list.len() < 2 {
            return list;
        }
        list.sort_by_key(|id| self.has_newer(*id));
        let badness = self.badness(&list);
        list = sorted_by(list, &badness);
        let suggested = self.wanted_by_installed(state, expressions, |package| &package.suggests);
        let is = |id: &Id| suggested.contains(id) || self.fits_installed(*id, state, |package| &package.enhances);
        list.sort_by_key(|id| !is(id));
        list
    }

    /// Whether something installed recommends a package, or is supplemented by it.
    pub(super) fn is_recommended(&self, id: Id, state: &State<'_, '_>, expressions: &mut Expressions) -> bool {
        self.wanted_by_installed(state, expressions, |package| &package.recommends).contains(&id)
            || self.supplements(id, state)
    }

    /// Whether a package supplements something installed.
    pub(super) fn supplements(&self, id: Id, state: &State<'_, '_>) -> bool {
        self.fits_installed(id, state, |package| &package.supplements)
    }

    fn rank(&self, id: Id) -> Option<Rank> {
        self.pool.arches.rank(&self.pool.package(id).arch)
    }

    fn best_arch(&self, candidates: &[Id]) -> Vec<Id> {
        let class = |id: &Id| self.pool.arches.class(&self.pool.package(*id).arch);
        let best = candidates.iter().filter_map(class).min();
        candidates.iter().copied().filter(|id| class(id).is_none_or(|class| Some(class) == best)).collect()
    }

    /// Of each name the highest version; of that the preferred architecture, then the first repository.
    fn highest(&self, candidates: &[Id]) -> Vec<Id> {
        let mut names: BTreeMap<&str, Vec<Id>> = BTreeMap::new();
        for id in candidates {
            names.entry(&self.pool.package(*id).name).or_default().push(*id);
        }
        let preferred = |one: Id, two: Id| match (self.rank(one), self.rank(two)) {
            (Some(a @ Rank::Class(..)), Some(b @ Rank::Class(..))) => a.cmp(&b).then(one.cmp(&two)),
            _ => one.cmp(&two),
        };
        let best = |mut list: Vec<Id>| {
            list.sort_by(|one, two| preferred(*one, *two));
            list.into_iter().reduce(|best, next| {
                let newer = self.pool.package(next).evr.order(&self.pool.package(best).evr) == Ordering::Greater;
                if newer { next } else { best }
            })
        };
        names.into_values().filter_map(best).collect()
    }

    /// Without those that another takes the place of, unless each takes the other's.
    fn not_obsoleted(&self, candidates: &[Id]) -> Vec<Id> {
        let obsoletes = |one: Id, other: Id| one != other && self.pool.obsoletes(one, other);
        if !candidates.iter().any(|one| candidates.iter().any(|other| obsoletes(*one, *other))) {
            return candidates.to_vec();
        }
        let reaches = |from: Id, to: Id| {
            let (mut seen, mut waiting) = (BTreeSet::from([from]), vec![from]);
            while let Some(at) = waiting.pop() {
                if at == to {
                    return true;
                }
                waiting.extend(candidates.iter().copied().filter(|next| obsoletes(at, *next) && seen.insert(*next)));
            }
            false
        };
        let stays = |id: &Id| !candidates.iter().any(|other| reaches(*other, *id) && !reaches(*id, *other));
        candidates.iter().copied().filter(stays).collect()
    }

    fn has_newer(&self, id: Id) -> bool {
        let own = self.pool.package(id);
        self.pool
            .named(&own.name)
            .0
            .into_iter()
            .map(|other| self.pool.package(other))
            .any(|other: &Package| other.arch == own.arch && other.evr.order(&own.evr) == Ordering::Greater)
    }

    /// For each candidate, how often others provide a newer version of what it provides.
    fn badness(&self, candidates: &[Id]) -> Vec<usize> {
        let mut provided: BTreeMap<&str, Vec<(usize, &Evr, bool)>> = BTreeMap::new();
        for (place, id) in candidates.iter().enumerate() {
            for dependency in &self.pool.package(*id).provides {
                let Some((comparison, evr)) = &dependency.version else { continue };
                if comparison.greater || (comparison.equal && !comparison.less && is_hash(evr)) {
                    continue;
                }
                let below = comparison.less && !comparison.equal;
                provided.entry(&dependency.name).or_default().push((place, evr, below));
            }
        }
        let mut badness = vec![0; candidates.len()];
        for list in provided.values_mut() {
            list.sort_by(|(_, one, one_below), (_, two, two_below)| two.order(one).then(one_below.cmp(two_below)));
            let mut bad = 0;
            let mut last: Option<(usize, &Evr, bool)> = None;
            for (place, evr, below) in list.iter() {
                if let Some((last_place, last_evr, last_below)) = last {
                    let lower = is_lower(last_evr, evr, !last_below && *below);
                    bad += usize::from(last_place != *place && lower);
                }
                badness.get_mut(*place).into_iter().for_each(|own| *own += bad);
                last = Some((*place, evr, *below));
            }
        }
        badness
    }

    /// Packages that installed ones recommend or suggest.
    fn wanted_by_installed(
        &self,
        state: &State<'_, '_>,
        expressions: &mut Expressions,
        list: impl Fn(&Package) -> &Vec<Dependency>,
    ) -> BTreeSet<Id> {
        let mut wanted = BTreeSet::new();
        for id in state.all_in() {
            for dependency in list(self.pool.package(id)) {
                // An expression that cannot be read recommends nothing; one that is required is an error elsewhere.
                let parts = parts(self.pool, expressions, id, dependency).unwrap_or_default();
                let counts = parts.into_iter().filter(|(given, _)| given.iter().all(|id| state.is_in(*id)));
                wanted.extend(counts.flat_map(|(_, one_of)| one_of));
            }
        }
        wanted
    }

    fn fits_installed(&self, id: Id, state: &State<'_, '_>, list: impl Fn(&Package) -> &Vec<Dependency>) -> bool {
        list(self.pool.package(id)).iter().any(|dependency| {
            if !is_rich(&dependency.name) {
                return self.pool.providers(dependency).0.into_iter().any(|id| state.is_in(id));
            }
            parse(&dependency.name).is_ok_and(|rich| holds(self.pool, &rich, &|id| state.is_in(id)))
        })
    }
}

/// A version that is a commit's hash tells nothing of old and new.
fn is_hash(evr: &Evr) -> bool {
    evr.epoch == 0
        && evr.release.is_none()
        && evr.version.len() >= 4
        && evr.version.bytes().all(|byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'))
}

/// Whether the second is an older version than the first, and not only one with or without a release.
fn is_lower(first: &Evr, second: &Evr, below: bool) -> bool {
    let order = second.order_of_versions(first).then_with(|| match (&first.release, &second.release) {
        (Some(first), Some(second)) => crate::evr::compare(second, first),
        _ => Ordering::Equal,
    });
    order == Ordering::Less || (order == Ordering::Equal && first.release == second.release && below)
}

fn sorted_by(list: Vec<Id>, badness: &[usize]) -> Vec<Id> {
    let mut pairs: Vec<(Id, usize)> = list.into_iter().zip(badness.iter().copied()).collect();
    pairs.sort_by_key(|(_, bad)| *bad);
    pairs.into_iter().map(|(id, _)| id).collect()
}
