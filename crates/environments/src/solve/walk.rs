//! From what is asked for to one set of packages: the one that dnf finds.
//!
//! A SAT solver finds some solution; people expect a particular one. So choices are made here, one after another in
//! dnf's order and by its rules ([`Policy`]), and everything that follows from each is drawn. As long as nothing
//! contradicts, no search is needed. Where something does, the SAT solver ([`Prover`]) is asked before every further
//! choice whether it can be made at all, and says at the end, where nothing can, why.

use std::collections::BTreeSet;

use super::clauses::{Clauses, Why, parts};
use super::policy::Policy;
use super::pool::{Id, Pool};
use super::prover::{Prover, Unsolvable};
use super::rich::Expressions;
use super::state::State;

/// The way from wish to packages.
struct Walk<'w, 'a, 'e> {
    policy: Policy<'w, 'a>,
    clauses: &'w Clauses<'a>,
    expressions: &'e mut Expressions,
    prover: Prover<'w, 'a>,
    state: State<'w, 'a>,
    /// Whether the prover is asked before every choice.
    careful: bool,
    branches: Vec<Branch>,
}

/// A choice that might have gone otherwise.
struct Branch {
    /// The level before it was made.
    level: usize,
    candidates: Vec<Id>,
    tried: BTreeSet<Id>,
}

/// The way ends where it cannot: start again, carefully.
struct DeadEnd;

/// The packages that come of it, in the order of ids.
pub(super) fn walk<'a>(
    pool: &Pool<'a>,
    clauses: &Clauses<'a>,
    weak: bool,
    expressions: &mut Expressions,
) -> Result<Vec<Id>, Unsolvable> {
    for careful in [false, true] {
        let prover = Prover::new(pool.len(), &clauses.all);
        if careful {
            prover.solve([])?;
        }
        let mut state = State::new(pool.len(), &clauses.all);
        state.settle().map_err(|_| Unsolvable)?;
        let (policy, expressions, branches) = (Policy { pool }, &mut *expressions, Vec::new());
        let mut walk = Walk { policy, clauses, expressions, prover, state, careful, branches };
        if walk.run(weak).is_ok() {
            let mut found: Vec<Id> = walk.state.all_in().collect();
            found.sort_unstable();
            return walk.confirm(found);
        }
    }
    Err(Unsolvable)
}

impl Walk<'_, '_, '_> {
    /// Lets the solver confirm what was found: with all of it in, nothing is missing.
    fn confirm(&self, found: Vec<Id>) -> Result<Vec<Id>, Unsolvable> {
        let mut confirmed = self.prover.solve(found.iter().map(|id| (*id, true)))?;
        confirmed.sort_unstable();
        if confirmed == found { Ok(found) } else { Err(Unsolvable) }
    }

    fn run(&mut self, weak: bool) -> Result<(), DeadEnd> {
        loop {
            self.wishes()?;
            self.dependencies()?;
            if weak && self.recommendations()? {
                continue;
            }
            if !self.improve()? {
                return Ok(());
            }
        }
    }

    /// Puts a package in, if it can be. `false`: it is out now.
    fn take(&mut self, id: Id) -> Result<bool, DeadEnd> {
        if self.careful {
            let decided: Vec<_> = self.state.decisions().chain([(id, true)]).collect();
            if self.prover.solve(decided).is_err() {
                self.state.decide(id, false).map_err(|_| DeadEnd)?;
                return Ok(false);
            }
        }
        let level = self.state.level();
        match self.state.decide(id, true) {
            Ok(()) => Ok(true),
            Err(_) if self.careful => Err(DeadEnd),
            Err(_) => {
                self.state.back_to(level);
                // From here on with care, where that still helps.
                let decided: Vec<_> = self.state.decisions().collect();
                self.prover.solve(decided).map_err(|_| DeadEnd)?;
                self.careful = true;
                self.take(id)
            }
        }
    }

    /// Chooses among candidates and remembers what else there was. Whether the chosen one is in.
    fn choose(&mut self, candidates: &[Id]) -> Result<bool, DeadEnd> {
        let worthy = self.policy.worthy(candidates, &self.state, self.expressions);
        let ordered = self.policy.order(&worthy, &self.state, self.expressions);
        let Some(first) = ordered.first().copied() else { return Ok(true) };
        let level = self.state.level();
        if ordered.len() > 1 {
            self.branches.push(Branch { level, candidates: ordered, tried: BTreeSet::from([first]) });
        }
        self.take(first)
    }

    /// What the definition asks for, in its order.
    fn wishes(&mut self) -> Result<(), DeadEnd> {
        let clauses = self.clauses;
        for clause in clauses.all.iter().filter(|clause| matches!(clause.why, Why::Asked(_))) {
            while let Some(open) = self.state.choice(clause) {
                self.choose(&open)?;
            }
        }
        Ok(())
    }

    /// What packages require. Choices that the rules settle are made first, for they may settle others.
    fn dependencies(&mut self) -> Result<(), DeadEnd> {
        let clauses = self.clauses;
        let count = clauses.all.len();
        let (mut at, mut seen, mut postponed) = (0, 0, None);
        let mut settle = false;
        loop {
            if seen >= count {
                match postponed.take() {
                    Some(first) if !settle => (at, seen, settle) = (first, 0, true),
                    _ => return Ok(()),
                }
            }
            let index = at % count;
            (at, seen) = (index + 1, seen + 1);
            let Some(clause) = clauses.all.get(index) else { continue };
            let Some(open) = self.state.choice(clause) else { continue };
            if !settle && self.policy.worthy(&open, &self.state, self.expressions).len() > 1 {
                postponed = postponed.or(Some(index));
                continue;
            }
            self.choose(&open)?;
            // Look at all again, from the next one on, also where the choice failed and this one is still open: so does
            // libsolv.
            seen = 0;
        }
    }

    /// What is recommended, as far as it can be had. Whether anything was tried.
    fn recommendations(&mut self) -> Result<bool, DeadEnd> {
        let (recommended, supplements) = self.recommended();
        let mut all = recommended;
        push_new(&mut all, &supplements);
        match all.as_slice() {
            [] => return Ok(false),
            [only] => {
                self.take(*only)?;
                return Ok(true);
            }
            _ => {}
        }
        let best: BTreeSet<Id> = self.policy.best(&all).into_iter().collect();
        let supplements: Vec<Id> = supplements.into_iter().filter(|id| best.contains(id)).collect();
        let before: Vec<Id> = self.state.all_in().collect();
        for id in self.policy.order(&supplements, &self.state, self.expressions) {
            if self.state.value(id).is_none() && !self.take(id)? {
                return Ok(true);
            }
        }
        for owner in before {
            for wanted in &self.policy.pool.package(owner).recommends {
                let open: Vec<Id> = self.open(owner, wanted).into_iter().filter(|id| best.contains(id)).collect();
                if !open.is_empty() && !self.choose(&open)? {
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    /// What installed packages recommend, and what supplements them; not decided yet, in the order of ids.
    fn recommended(&mut self) -> (Vec<Id>, Vec<Id>) {
        let (mut recommended, mut supplements) = (Vec::new(), Vec::new());
        for (id, _) in self.clauses.reached.iter().enumerate().filter(|(_, reached)| **reached) {
            match self.state.value(id) {
                Some(true) => {
                    for wanted in &self.policy.pool.package(id).recommends {
                        let open = self.open(id, wanted);
                        push_new(&mut recommended, &open);
                    }
                }
                None if self.policy.supplements(id, &self.state) && !self.has_twin(id) => supplements.push(id),
                _ => {}
            }
        }
        (recommended, supplements)
    }

    /// Whether a package of the name is in already, for another architecture.
    fn has_twin(&self, id: Id) -> bool {
        let pool = self.policy.pool;
        let own = pool.package(id);
        let others = pool.named(&own.name).0.into_iter().filter(|other| pool.package(*other).arch != own.arch);
        others.into_iter().any(|other| self.state.is_in(other))
    }

    /// The packages that would meet a recommendation that nothing meets yet.
    fn open(&mut self, owner: Id, wanted: &crate::repo::Dependency) -> Vec<Id> {
        let parts = parts(self.policy.pool, self.expressions, owner, wanted).unwrap_or_default();
        let mut open = Vec::new();
        for (given, one_of) in parts {
            let counts = given.iter().all(|id| self.state.is_in(*id));
            if counts && !one_of.iter().any(|id| self.state.is_in(*id)) {
                open.extend(one_of.into_iter().filter(|id| self.state.value(*id).is_none()));
            }
        }
        open.sort_unstable();
        open.dedup();
        open
    }

    /// Makes a choice anew that was made for what another package, chosen later, would have done too; the earliest such
    /// choice. Whether there was one.
    fn improve(&mut self) -> Result<bool, DeadEnd> {
        let mut better = None;
        for (place, branch) in self.branches.iter().enumerate().rev() {
            let untried = || branch.candidates.iter().copied().filter(|id| !branch.tried.contains(id));
            let later = |id: &Id| self.state.level_in(*id).is_some_and(|level| level > branch.level);
            if let Some(id) = untried().find(later) {
                better = Some((place, id));
                continue;
            }
            let recommended = untried().find(|id| self.policy.is_recommended(*id, &self.state, self.expressions));
            let current = branch.candidates.iter().find(|id| self.state.level_in(**id) == Some(branch.level + 1));
            if let (Some(id), Some(current)) = (recommended, current)
                && !self.policy.is_recommended(*current, &self.state, self.expressions)
            {
                better = Some((place, id));
            }
        }
        let Some((place, id)) = better else { return Ok(false) };
        let Some(branch) = self.branches.get_mut(place) else { return Ok(false) };
        branch.tried.insert(id);
        let level = branch.level;
        self.branches.truncate(place + 1);
        self.state.back_to(level);
        self.take(id)?;
        Ok(true)
    }
}

fn push_new(list: &mut Vec<Id>, more: &[Id]) {
    for id in more {
        if !list.contains(id) {
            list.push(*id);
        }
    }
}
