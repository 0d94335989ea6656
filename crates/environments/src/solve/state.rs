//! What is decided so far, and what follows from it.

use std::collections::BTreeSet;

use super::clauses::Clause;
use super::pool::Id;

/// Which packages are in and which are out, in the order in which that came about.
pub(super) struct State<'c, 'a> {
    clauses: &'c [Clause<'a>],
    /// The clauses that a package occurs in.
    occurs: Vec<Vec<u32>>,
    values: Vec<Option<Value>>,
    trail: Vec<(Id, bool)>,
    /// Where in the trail each level begins.
    levels: Vec<usize>,
    done: usize,
}

#[derive(Debug, Clone, Copy)]
struct Value {
    is_in: bool,
    level: usize,
    /// The clause that it follows from; none was decided.
    from: Option<usize>,
}

/// Nothing is left that would fulfil a clause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contradiction {
    /// Its number.
    pub(super) clause: usize,
}

impl<'c, 'a> State<'c, 'a> {
    /// Nothing decided.
    pub(super) fn new(packages: usize, clauses: &'c [Clause<'a>]) -> Self {
        let mut occurs = vec![Vec::new(); packages];
        for (index, clause) in clauses.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            for id in clause.packages() {
                occurs.get_mut(*id).into_iter().for_each(|list: &mut Vec<u32>| list.push(index));
            }
        }
        let values = vec![None; packages];
        Self { clauses, occurs, values, trail: Vec::new(), levels: Vec::new(), done: 0 }
    }

    /// Draws what follows from the clauses alone.
    pub(super) fn settle(&mut self) -> Result<(), Contradiction> {
        (0..self.clauses.len()).try_for_each(|index| self.look(index))?;
        self.propagate()
    }

    /// The clauses that a contradiction follows from, what was decided being taken for given.
    pub(super) fn causes(&self, contradiction: Contradiction) -> BTreeSet<usize> {
        let (mut causes, mut waiting) = (BTreeSet::from([contradiction.clause]), vec![contradiction.clause]);
        while let Some(clause) = waiting.pop().and_then(|index| self.clauses.get(index)) {
            for id in clause.packages() {
                let from = self.values.get(*id).copied().flatten().and_then(|value| value.from);
                waiting.extend(from.filter(|from| causes.insert(*from)));
            }
        }
        causes
    }

    /// Whether a package is in, out, or not decided.
    pub(super) fn value(&self, id: Id) -> Option<bool> {
        self.values.get(id).copied().flatten().map(|value| value.is_in)
    }

    /// Whether a package is in.
    pub(super) fn is_in(&self, id: Id) -> bool {
        self.value(id) == Some(true)
    }

    /// The level at which a package came in.
    pub(super) fn level_in(&self, id: Id) -> Option<usize> {
        self.values.get(id).copied().flatten().filter(|value| value.is_in).map(|value| value.level)
    }

    /// Packages that are in, in the order in which they came in.
    pub(super) fn all_in(&self) -> impl Iterator<Item = Id> + '_ {
        self.trail.iter().filter_map(|(id, is_in)| is_in.then_some(*id))
    }

    /// How many levels there are.
    pub(super) fn level(&self) -> usize {
        self.levels.len()
    }

    /// What was decided, and did not follow.
    pub(super) fn decisions(&self) -> impl Iterator<Item = (Id, bool)> + '_ {
        self.levels.iter().filter_map(|at| self.trail.get(*at).copied())
    }

    /// Decides about a package that nothing is decided of, at a new level, and everything that follows.
    pub(super) fn decide(&mut self, id: Id, is_in: bool) -> Result<(), Contradiction> {
        self.levels.push(self.trail.len());
        self.set(id, is_in, None);
        self.propagate()
    }

    /// Undoes everything above a level.
    pub(super) fn back_to(&mut self, level: usize) {
        let Some(at) = self.levels.get(level).copied() else { return };
        for (id, _) in self.trail.drain(at..) {
            self.values.get_mut(id).into_iter().for_each(|value| *value = None);
        }
        self.levels.truncate(level);
        self.done = self.trail.len();
    }

    /// The packages of which one must come in for a clause to hold, where that is not settled: two or more.
    pub(super) fn choice(&self, clause: &Clause<'_>) -> Option<Vec<Id>> {
        if !clause.owner.iter().chain(&clause.given).all(|id| self.is_in(*id)) {
            return None;
        }
        let mut open = Vec::new();
        for id in &clause.one_of {
            match self.value(*id) {
                Some(true) => return None,
                Some(false) => {}
                None => open.push(*id),
            }
        }
        (!open.is_empty()).then_some(open)
    }

    fn set(&mut self, id: Id, is_in: bool, from: Option<usize>) {
        let level = self.levels.len();
        self.values.get_mut(id).into_iter().for_each(|value| *value = Some(Value { is_in, level, from }));
        self.trail.push((id, is_in));
    }

    fn propagate(&mut self) -> Result<(), Contradiction> {
        while let Some((id, _)) = self.trail.get(self.done).copied() {
            self.done += 1;
            let mut place = 0;
            while let Some(index) = self.occurs.get(id).and_then(|list| list.get(place)).copied() {
                self.look(index as usize)?;
                place += 1;
            }
        }
        Ok(())
    }

    /// Sets the last open part of a clause that nothing else fulfils.
    fn look(&mut self, index: usize) -> Result<(), Contradiction> {
        let clauses = self.clauses;
        let Some(clause) = clauses.get(index) else { return Ok(()) };
        let mut open = None;
        let negative = clause.owner.iter().chain(&clause.given).map(|id| (*id, false));
        for (id, wanted) in negative.chain(clause.one_of.iter().map(|id| (*id, true))) {
            match self.value(id) {
                Some(value) if value == wanted => return Ok(()),
                Some(_) => {}
                None if open.is_some() => return Ok(()),
                None => open = Some((id, wanted)),
            }
        }
        let (id, wanted) = open.ok_or(Contradiction { clause: index })?;
        self.set(id, wanted, Some(index));
        Ok(())
    }
}
