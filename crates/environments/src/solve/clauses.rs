//! What must hold, as clauses over packages: what a solver can reason about.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::SolveError;
use super::asked::Asked;
use super::pool::{Id, Pool};
use super::rich::{Expression, Expressions, is_rich};
use crate::repo::{Budget, Dependency};

/// Most clauses that one rich dependency may become.
const RICH_MAX: usize = 4096;

/// Where the owner and all of `unless_missing` are installed, one of `one_of` must be too.
#[derive(Debug, Clone)]
pub(super) struct Clause<'a> {
    /// Whose it is; none is the definition's.
    pub(super) owner: Option<Id>,
    /// Further packages of which all must be there for it to count.
    pub(super) given: Vec<Id>,
    /// The packages of which one must be there.
    pub(super) one_of: Vec<Id>,
    /// Why.
    pub(super) why: Why<'a>,
}

impl Clause<'_> {
    /// All packages in it.
    pub(super) fn packages(&self) -> impl Iterator<Item = &Id> {
        self.owner.iter().chain(&self.given).chain(&self.one_of)
    }
}

/// Why a clause holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why<'a> {
    /// The definition asks for it: the number of its wish.
    Asked(usize),
    /// The owner requires it.
    Requires(&'a Dependency),
    /// The owner conflicts with it.
    Conflicts(&'a Dependency),
    /// The owner takes its place.
    Obsoletes(&'a Dependency),
    /// Two of one name.
    SameName,
    /// A package for another word length comes only beside its twin for the environment's own.
    Twin,
}

/// All clauses that can matter, in the order in which choices are made.
pub(super) struct Clauses<'a> {
    pub(super) all: Vec<Clause<'a>>,
    /// Packages that may come into play.
    pub(super) reached: Vec<bool>,
}

/// A rich dependency as clauses without their owner: (given, one of).
pub(super) type Parts = Vec<(Vec<Id>, Vec<Id>)>;

struct Builder<'a, 'p> {
    pool: &'p Pool<'a>,
    expressions: &'p mut Expressions,
    all: Vec<Clause<'a>>,
    reached: Vec<bool>,
    waiting: VecDeque<Id>,
    budget: &'p mut Budget,
}

impl<'a> Clauses<'a> {
    /// The clauses of everything that can be reached from what is asked for; with `weak`, from what is recommended too.
    pub(super) fn new(
        pool: &Pool<'a>,
        asked: &[Asked],
        weak: bool,
        expressions: &mut Expressions,
        budget: &mut Budget,
    ) -> Result<Self, SolveError> {
        let reached = vec![false; pool.len()];
        let mut builder = Builder { pool, expressions, all: Vec::new(), reached, waiting: VecDeque::new(), budget };
        for (index, wish) in asked.iter().enumerate() {
            for (given, one_of) in &wish.parts {
                builder.add(None, given.clone(), one_of.clone(), Why::Asked(index))?;
            }
        }
        builder.drain(weak)?;
        while weak && builder.reach_supplements()? {
            builder.drain(weak)?;
        }
        let exempt = asked.iter().filter_map(|wish| wish.name.clone()).collect();
        builder.same_names()?;
        builder.twins(&exempt)?;
        let Builder { mut all, reached, .. } = builder;
        all.sort_by_cached_key(order);
        Ok(Self { all, reached })
    }
}

/// libsolv decides in the order of its rules, which are sorted as lists of numbers: minus those that must not be, then
/// those of which one must be. What the definition asks for comes first, in its own order.
fn order(clause: &Clause<'_>) -> (Option<usize>, Vec<i64>) {
    let number = |id: Id| i64::try_from(id).unwrap_or(i64::MAX - 1) + 1;
    let mut literals: Vec<i64> = clause.owner.iter().chain(&clause.given).map(|id| -number(*id)).collect();
    literals.extend(clause.one_of.iter().map(|id| number(*id)));
    literals.sort_unstable();
    match clause.why {
        Why::Asked(index) => (Some(index), Vec::new()),
        _ => (Some(usize::MAX), literals),
    }
}

impl<'a> Builder<'a, '_> {
    fn add(&mut self, owner: Option<Id>, mut given: Vec<Id>, one_of: Vec<Id>, why: Why<'a>) -> Result<(), SolveError> {
        given.retain(|id| Some(*id) != owner);
        let itself = owner.is_some_and(|owner| one_of.contains(&owner)) || one_of.iter().any(|id| given.contains(id));
        if itself {
            return Ok(());
        }
        self.budget.rule(given.len() + one_of.len())?;
        for id in &one_of {
            self.reach(*id)?;
        }
        self.all.push(Clause { owner, given, one_of, why });
        Ok(())
    }

    fn reach(&mut self, id: Id) -> Result<(), SolveError> {
        if let Some(reached) = self.reached.get_mut(id).filter(|reached| !**reached) {
            *reached = true;
            self.budget.reached()?;
            self.waiting.push_back(id);
        }
        Ok(())
    }

    fn drain(&mut self, weak: bool) -> Result<(), SolveError> {
        while let Some(id) = self.waiting.pop_front() {
            self.package(id)?;
            if weak {
                for wanted in &self.pool.package(id).recommends {
                    let parts = parts(self.pool, self.expressions, id, wanted)?;
                    parts.iter().flat_map(|(_, one_of)| one_of).try_for_each(|id| self.reach(*id))?;
                }
            }
        }
        Ok(())
    }

    fn package(&mut self, id: Id) -> Result<(), SolveError> {
        let package = self.pool.package(id);
        for twin in self.better_twins(id) {
            self.reach(twin)?;
        }
        for wanted in package.requires.iter().filter(|wanted| !is_internal(wanted)) {
            for (given, one_of) in parts(self.pool, self.expressions, id, wanted)? {
                self.add(Some(id), given, one_of, Why::Requires(wanted))?;
            }
        }
        for unwanted in &package.conflicts {
            for (given, one_of) in refusals(self.pool, self.expressions, id, unwanted)? {
                self.add(Some(id), given, one_of, Why::Conflicts(unwanted))?;
            }
        }
        for old in &package.obsoletes {
            let share = |other: &Id| self.pool.arches.share(&package.arch, &self.pool.package(*other).arch);
            let others: Vec<Id> = self.pool.obsoleted(old).filter(|other| *other != id && share(other)).collect();
            for other in others {
                self.add(Some(id), vec![other], Vec::new(), Why::Obsoletes(old))?;
            }
        }
        Ok(())
    }

    /// Reaches packages that supplement what is reached; whether there were any.
    fn reach_supplements(&mut self) -> Result<bool, SolveError> {
        let mut found = false;
        for id in 0..self.pool.len() {
            if self.reached.get(id).copied().unwrap_or(true) || self.pool.excluded(id).is_some() {
                continue;
            }
            for beside in &self.pool.package(id).supplements {
                let mut all = BTreeSet::new();
                let expression = expression(self.expressions, self.pool, id, beside)?;
                mentioned(self.pool, &expression, &mut all);
                if all.iter().any(|id| self.reached.get(*id).copied().unwrap_or(false)) {
                    self.reach(id)?;
                    found = true;
                    break;
                }
            }
        }
        Ok(found)
    }

    fn reached_named(&self, name: &str) -> Vec<Id> {
        let reached = |id: &Id| self.reached.get(*id).copied().unwrap_or(false);
        self.pool.named(name).0.into_iter().filter(reached).collect()
    }

    fn each_name(&self) -> BTreeSet<&'a str> {
        let reached = self.reached.iter().enumerate().filter_map(|(id, reached)| reached.then_some(id));
        reached.map(|id| &*self.pool.package(id).name).collect()
    }

    /// Two packages of a name cannot be there at once, unless they are for different word lengths.
    fn same_names(&mut self) -> Result<(), SolveError> {
        for name in self.each_name() {
            let all = self.reached_named(name);
            for (index, one) in all.iter().enumerate() {
                for other in all.iter().skip(index + 1) {
                    if self.pool.arches.share(&self.pool.package(*one).arch, &self.pool.package(*other).arch) {
                        self.add(Some(*other), vec![*one], Vec::new(), Why::SameName)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Packages of the same name and version for an architecture that is preferred.
    fn better_twins(&self, id: Id) -> Vec<Id> {
        let package = self.pool.package(id);
        let class = |id: Id| self.pool.arches.class(&self.pool.package(id).arch);
        let better = |other: &Id| {
            self.pool.package(*other).evr == package.evr && class(*other).is_some_and(|other| Some(other) < class(id))
        };
        self.pool.named(&package.name).0.into_iter().filter(better).collect()
    }

    /// A package for another word length comes only beside one of the same name and version for the preferred one, where
    /// there is a preferred one of that name at all. What is asked
    /// for is exempt, as with dnf.
    fn twins(&mut self, exempt: &HashSet<String>) -> Result<(), SolveError> {
        for name in self.each_name() {
            let class = |id: &Id| self.pool.arches.class(&self.pool.package(*id).arch);
            let all = self.reached_named(name);
            let Some(best) = all.iter().filter_map(class).min() else { continue };
            if exempt.contains(name) {
                continue;
            }
            let lesser: Vec<Id> =
                all.iter().copied().filter(|id| class(id).is_some_and(|class| class > best)).collect();
            for id in lesser {
                let evr = &self.pool.package(id).evr;
                let twin = |other: &Id| {
                    class(other).is_none_or(|class| class == best) && self.pool.package(*other).evr == *evr
                };
                let twins = self.pool.named(name).0.into_iter().filter(twin).collect();
                self.add(Some(id), Vec::new(), twins, Why::Twin)?;
            }
        }
        Ok(())
    }
}

/// What rpm itself provides: features of the format, such as `rpmlib(CompressedFileNames)`.
fn is_internal(wanted: &Dependency) -> bool {
    wanted.name.starts_with("rpmlib(")
}

fn expression(
    expressions: &mut Expressions,
    pool: &Pool<'_>,
    id: Id,
    wanted: &Dependency,
) -> Result<std::sync::Arc<Expression>, SolveError> {
    if !is_rich(&wanted.name) {
        return Ok(std::sync::Arc::new(Expression::Plain(wanted.clone())));
    }
    expressions.get(&wanted.name).map_err(|reason| SolveError::Rich {
        package: pool.name(id),
        text: wanted.name.to_string(),
        reason,
    })
}

/// A requirement or recommendation of a package as clauses.
pub(super) fn parts(
    pool: &Pool<'_>,
    expressions: &mut Expressions,
    id: Id,
    wanted: &Dependency,
) -> Result<Parts, SolveError> {
    if !is_rich(&wanted.name) {
        return Ok(vec![(Vec::new(), pool.providers(wanted).0)]);
    }
    let expression = expression(expressions, pool, id, wanted)?;
    normal(pool, &expression, true).ok_or_else(|| SolveError::Rich {
        package: pool.name(id),
        text: wanted.name.to_string(),
        reason: format!("it is more than {RICH_MAX} cases"),
    })
}

/// A conflict of a package as clauses. A package never conflicts with itself.
fn refusals(
    pool: &Pool<'_>,
    expressions: &mut Expressions,
    id: Id,
    unwanted: &Dependency,
) -> Result<Parts, SolveError> {
    if !is_rich(&unwanted.name) {
        let others = pool.providers(unwanted).0.into_iter().filter(|other| *other != id);
        return Ok(others.map(|other| (vec![other], Vec::new())).collect());
    }
    let expression = expression(expressions, pool, id, unwanted)?;
    let parts = normal(pool, &expression, false).ok_or_else(|| SolveError::Rich {
        package: pool.name(id),
        text: unwanted.name.to_string(),
        reason: format!("it is more than {RICH_MAX} cases"),
    })?;
    Ok(parts.into_iter().filter(|(given, one_of)| !(one_of.is_empty() && *given == [id])).collect())
}

/// The clauses of an expression, or of its opposite; `None` where there would be too many.
pub(super) fn normal(pool: &Pool<'_>, expression: &Expression, holds: bool) -> Option<Parts> {
    use Expression::{And, If, Or, Plain, Unless, With, Without};
    let all = |parts: Vec<Option<Parts>>| {
        let parts: Parts = parts.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        (parts.len() <= RICH_MAX).then_some(parts)
    };
    match (expression, holds) {
        (Plain(_) | With(_) | Without(..), true) => Some(vec![(Vec::new(), members(pool, expression))]),
        (Plain(_) | With(_) | Without(..), false) => {
            Some(members(pool, expression).into_iter().map(|id| (vec![id], Vec::new())).collect())
        }
        (And(list), true) | (Or(list), false) => all(list.iter().map(|part| normal(pool, part, holds)).collect()),
        (And(list), false) | (Or(list), true) => any(list.iter().map(|part| normal(pool, part, holds))),
        // a ∨ ¬b, and where there is an else: (a ∨ ¬b) ∧ (c ∨ b).
        (If(then, condition, otherwise), true) => {
            let first = any([normal(pool, then, true), normal(pool, condition, false)]);
            let second = otherwise.iter().map(|other| any([normal(pool, other, true), normal(pool, condition, true)]));
            all(std::iter::once(first).chain(second).collect())
        }
        // ¬a ∧ b, and where there is an else: (¬a ∨ ¬b) ∧ (¬c ∨ b).
        (If(then, condition, None), false) => all(vec![normal(pool, then, false), normal(pool, condition, true)]),
        (If(then, condition, Some(otherwise)), false) => all(vec![
            any([normal(pool, then, false), normal(pool, condition, false)]),
            any([normal(pool, otherwise, false), normal(pool, condition, true)]),
        ]),
        // a ∧ ¬b, and where there is an else: (a ∨ b) ∧ (c ∨ ¬b).
        (Unless(then, condition, None), true) => all(vec![normal(pool, then, true), normal(pool, condition, false)]),
        (Unless(then, condition, Some(otherwise)), true) => all(vec![
            any([normal(pool, then, true), normal(pool, condition, true)]),
            any([normal(pool, otherwise, true), normal(pool, condition, false)]),
        ]),
        // ¬a ∨ b, and where there is an else: (¬a ∨ b) ∧ (¬c ∨ ¬b).
        (Unless(then, condition, otherwise), false) => {
            let first = any([normal(pool, then, false), normal(pool, condition, true)]);
            let second =
                otherwise.iter().map(|other| any([normal(pool, other, false), normal(pool, condition, false)]));
            all(std::iter::once(first).chain(second).collect())
        }
    }
}

/// The clauses of "one of them holds": each of one with each of the others.
fn any(lists: impl IntoIterator<Item = Option<Parts>>) -> Option<Parts> {
    let mut product: Parts = vec![(Vec::new(), Vec::new())];
    for list in lists {
        let list = list?;
        if product.len().saturating_mul(list.len()) > RICH_MAX {
            return None;
        }
        let with = |(given, one_of): &(Vec<Id>, Vec<Id>)| {
            let (given, one_of) = (given.clone(), one_of.clone());
            list.iter().map(move |(more_given, more)| (merged(&given, more_given), merged(&one_of, more)))
        };
        product = product.iter().flat_map(with).collect();
    }
    product.retain(|(given, one_of)| !one_of.iter().any(|id| given.contains(id)));
    Some(product)
}

fn merged(one: &[Id], other: &[Id]) -> Vec<Id> {
    one.iter().chain(other).copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The packages that are what a leaf says.
fn members(pool: &Pool<'_>, expression: &Expression) -> Vec<Id> {
    match expression {
        Expression::Plain(dependency) => pool.providers(dependency).0,
        Expression::With(list) => {
            let mut sets = list.iter().map(|part| members(pool, part).into_iter().collect::<BTreeSet<_>>());
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |all, set| &all & &set).into_iter().collect()
        }
        Expression::Without(one, other) => {
            let other = members(pool, other);
            members(pool, one).into_iter().filter(|id| !other.contains(id)).collect()
        }
        Expression::Or(list) => {
            let all: BTreeSet<Id> = list.iter().flat_map(|part| members(pool, part)).collect();
            all.into_iter().collect()
        }
        // Packages are no sets of these; rpmbuild refuses them inside `with` and `without`.
        Expression::And(_) | Expression::If(..) | Expression::Unless(..) => Vec::new(),
    }
}

/// All packages that an expression speaks of.
fn mentioned(pool: &Pool<'_>, expression: &Expression, all: &mut BTreeSet<Id>) {
    match expression {
        Expression::Plain(_) | Expression::With(_) | Expression::Without(..) => all.extend(members(pool, expression)),
        Expression::And(list) | Expression::Or(list) => list.iter().for_each(|part| mentioned(pool, part, all)),
        Expression::If(one, two, three) | Expression::Unless(one, two, three) => {
            let parts = [Some(one), Some(two), three.as_ref()];
            parts.into_iter().flatten().for_each(|part| mentioned(pool, part, all));
        }
    }
}

/// Whether an expression holds where these packages are installed.
pub(super) fn holds(pool: &Pool<'_>, expression: &Expression, installed: &impl Fn(Id) -> bool) -> bool {
    let of = |part: &Expression| holds(pool, part, installed);
    match expression {
        Expression::Plain(_) | Expression::With(_) | Expression::Without(..) => {
            members(pool, expression).into_iter().any(installed)
        }
        Expression::And(list) => list.iter().all(of),
        Expression::Or(list) => list.iter().any(of),
        Expression::If(then, condition, otherwise) => {
            if of(condition) {
                of(then)
            } else {
                otherwise.as_deref().is_none_or(of)
            }
        }
        Expression::Unless(then, condition, otherwise) => {
            if of(condition) {
                otherwise.as_deref().is_some_and(of)
            } else {
                of(then)
            }
        }
    }
}
