//! The SAT solver: whether there is any way at all.
//!
//! To the solver every package is a name of its own with one candidate: so `Obsoletes`, conflicts and packages of one
//! name that may stand beside each other all become plain clauses. A package's absence is a further one, which forbids
//! it: "b if a" is "b, or the absence of a". The solver's own conditions are not used, for it overlooks some.

use std::fmt::Display;

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider, Interner,
    KnownDependencies, NameId, Problem, Requirement, SolvableId, Solver, SolverCache, StringId, VersionSetId,
    VersionSetUnionId,
};

use super::clauses::Clause;
use super::pool::Id;

/// Finds solutions, or that there are none.
pub(super) struct Prover<'c, 'a> {
    table: Table<'c, 'a>,
}

/// There is no solution.
#[derive(Debug)]
pub(super) struct Unsolvable;

impl<'c, 'a> Prover<'c, 'a> {
    pub(super) fn new(packages: usize, clauses: &'c [Clause<'a>]) -> Self {
        Self { table: Table::new(packages, clauses) }
    }

    /// A solution in which all of this is decided: the packages that are in.
    pub(super) fn solve(&self, decided: impl IntoIterator<Item = (Id, bool)>) -> Result<Vec<Id>, Unsolvable> {
        let (mut requirements, mut constraints) = (self.table.asked.clone(), self.table.asked_not.clone());
        for (id, is_in) in decided {
            if is_in {
                requirements.push(this(id).into());
            } else {
                constraints.push(other_than(id));
            }
        }
        let problem = Problem::new().requirements(requirements).constraints(constraints);
        // Each question has a solver of its own: one that was asked before may answer the next one wrong.
        let mut solver = Solver::new(Provider(&self.table));
        // It is never cancelled, so an error is that there is none.
        let found = solver.solve(problem).map_err(|_| Unsolvable)?;
        let found = found.into_iter().map(|solvable| solvable.into_raw() as usize);
        Ok(found.filter(|id| *id < self.table.packages).collect())
    }
}

/// The clauses as the solver asks for them.
struct Provider<'t, 'c, 'a>(&'t Table<'c, 'a>);

struct Table<'c, 'a> {
    packages: usize,
    clauses: &'c [Clause<'a>],
    by_owner: Vec<Vec<usize>>,
    asked: Vec<ConditionalRequirement>,
    asked_not: Vec<VersionSetId>,
}

/// The set of a package itself.
fn this(id: Id) -> VersionSetId {
    VersionSetId(number(id) * 2)
}

/// The set of nothing, by a package's name: what is constrained to it is not there.
fn other_than(id: Id) -> VersionSetId {
    VersionSetId(number(id) * 2 + 1)
}

fn number(id: usize) -> u32 {
    // A repository has at most half a million packages (`repo::Limits`).
    u32::try_from(id).unwrap_or(u32::MAX / 4)
}

/// A clause as a requirement, by its number.
fn requirement(index: usize) -> ConditionalRequirement {
    Requirement::Union(VersionSetUnionId(number(index))).into()
}

impl<'c, 'a> Table<'c, 'a> {
    fn new(packages: usize, clauses: &'c [Clause<'a>]) -> Self {
        let (by_owner, asked, asked_not) = (vec![Vec::new(); packages], Vec::new(), Vec::new());
        let mut this = Self { packages, clauses, by_owner, asked, asked_not };
        for (index, clause) in clauses.iter().enumerate() {
            match clause.owner {
                Some(owner) => this.by_owner.get_mut(owner).into_iter().for_each(|list| list.push(index)),
                None if is_refusal(clause) => this.asked_not.extend(clause.given.iter().map(|id| other_than(*id))),
                None => this.asked.push(requirement(index)),
            }
        }
        this
    }

    /// What stands for a package's absence.
    fn absence(&self, id: Id) -> Id {
        self.packages + id
    }
}

/// Whether a clause only says that two packages cannot be there at once.
fn is_refusal(clause: &Clause<'_>) -> bool {
    clause.one_of.is_empty() && clause.given.len() == 1
}

impl Interner for Provider<'_, '_, '_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        solvable.into_raw()
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        name.into_raw()
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl Display + '_ {
        version_set.0
    }

    fn display_string(&self, string_id: StringId) -> impl Display + '_ {
        string_id.0
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        NameId::from_raw(version_set.0 / 2)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        NameId::from_raw(solvable.into_raw())
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        let clause = self.0.clauses.get(union.0 as usize);
        clause.into_iter().flat_map(|clause| {
            let absent = clause.given.iter().map(|id| this(self.0.absence(*id)));
            absent.chain(clause.one_of.iter().map(|id| this(*id)))
        })
    }

    fn resolve_condition(&self, _: ConditionId) -> Condition {
        // There are no conditions.
        Condition::Requirement(VersionSetId(u32::MAX))
    }
}

impl DependencyProvider for Provider<'_, '_, '_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let nothing = version_set.0 % 2 == 1;
        if nothing == inverse { candidates.to_vec() } else { Vec::new() }
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let candidates = vec![SolvableId::from_raw(name.into_raw())];
        Some(Candidates { candidates, ..Candidates::default() })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, _: &mut [SolvableId]) {}

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let mut known = KnownDependencies::default();
        let id = solvable.into_raw() as usize;
        if let Some(absent) = id.checked_sub(self.0.packages) {
            known.constrains.push(other_than(absent));
        }
        for index in self.0.by_owner.get(id).into_iter().flatten().copied() {
            match self.0.clauses.get(index) {
                Some(clause) if is_refusal(clause) => {
                    known.constrains.extend(clause.given.iter().map(|id| other_than(*id)));
                }
                _ => known.requirements.push(requirement(index)),
            }
        }
        Dependencies::Known(known)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::solve::clauses::Why;

    const PACKAGES: usize = 7;

    fn holds(clause: &Clause<'_>, installed: impl Fn(Id) -> bool) -> bool {
        let counts = clause.owner.iter().chain(&clause.given).all(|id| installed(*id));
        !counts || clause.one_of.iter().any(|id| installed(*id))
    }

    fn clause() -> impl Strategy<Value = Clause<'static>> {
        let (ids, owner) = (|most| vec(0..PACKAGES, 0..=most), prop::option::weighted(0.85, 0..PACKAGES));
        (owner, ids(2), ids(3)).prop_map(|(owner, mut given, mut one_of)| {
            given.sort_unstable();
            given.dedup();
            given.retain(|id| Some(*id) != owner);
            one_of.retain(|id| !given.contains(id) && Some(*id) != owner);
            one_of.dedup();
            Clause { owner, given, one_of, why: Why::SameName }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_finds_a_solution_where_there_is_one_and_none_where_there_is_none(
            clauses in vec(clause(), 1..14),
            decided in vec((0..PACKAGES, any::<bool>()), 0..3),
        ) {
            let is_in = |set: usize, id: Id| set >> id & 1 == 1;
            let fits = |set: usize| {
                clauses.iter().all(|clause| holds(clause, |id| is_in(set, id)))
                    && decided.iter().all(|(id, wanted)| is_in(set, *id) == *wanted)
            };
            let solvable = (0..1usize << PACKAGES).any(fits);
            let found = Prover::new(PACKAGES, &clauses).solve(decided.iter().copied());
            prop_assert_eq!(found.is_ok(), solvable);
            if let Ok(found) = found {
                prop_assert!(fits(found.iter().fold(0, |set, id| set | 1 << id)));
            }
        }
    }
}
