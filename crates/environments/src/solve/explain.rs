//! Why there is no solution, in words.

use std::collections::BTreeSet;

use super::asked::Asked;
use super::clauses::{Clause, Why};
use super::pool::{Id, Pool};
use super::rich::is_rich;
use super::state::State;

/// Most reasons that one error tells.
const REASONS_MAX: usize = 20;
/// Most packages that one reason names.
const NAMES_MAX: usize = 5;

/// Most ways that are tried to find out why there is none.
const WAYS_MAX: usize = 200;

/// A sentence for each thing that stands in the way; those that are the root of the trouble first.
pub(super) fn reasons(pool: &Pool<'_>, asked: &[Asked], clauses: &[Clause<'_>]) -> Vec<String> {
    let mut state = State::new(pool.len(), clauses);
    let mut guilty = BTreeSet::new();
    match state.settle() {
        Err(contradiction) => guilty.extend(state.causes(contradiction)),
        Ok(()) => refute(&mut state, clauses, &mut guilty, &mut 0),
    }
    let involved = guilty.iter().filter_map(|index| clauses.get(*index));
    let mut sentences: Vec<(usize, String)> = involved.map(|clause| sentence(pool, asked, clause)).collect();
    sentences.sort();
    sentences.dedup();
    let more = sentences.len().saturating_sub(REASONS_MAX);
    let mut reasons: Vec<String> = sentences.into_iter().take(REASONS_MAX).map(|(_, text)| text).collect();
    if more > 0 {
        reasons.push(format!("and {more} more of the kind"));
    }
    reasons
}

/// Tries every way that is left, the narrowest choice first, and collects what stands in each.
fn refute(state: &mut State<'_, '_>, clauses: &[Clause<'_>], guilty: &mut BTreeSet<usize>, ways: &mut usize) {
    let open = clauses.iter().enumerate().filter_map(|(index, clause)| Some((index, state.choice(clause)?)));
    let Some((index, candidates)) = open.min_by_key(|(_, candidates)| candidates.len()) else { return };
    guilty.insert(index);
    for id in candidates {
        *ways += 1;
        if *ways > WAYS_MAX {
            return;
        }
        let level = state.level();
        match state.decide(id, true) {
            Err(contradiction) => guilty.extend(state.causes(contradiction)),
            Ok(()) => refute(state, clauses, guilty, ways),
        }
        state.back_to(level);
    }
}

fn sentence(pool: &Pool<'_>, asked: &[Asked], clause: &Clause<'_>) -> (usize, String) {
    let owner = clause.owner.map_or_else(|| "the definition".to_owned(), |id| pool.name(id));
    let other = || list(pool, &clause.given);
    match clause.why {
        Why::Asked(index) => {
            let wish = asked.get(index).map_or("", |wish| wish.text.as_str());
            (3, format!("the definition asks for {wish}, which is {}", list(pool, &clause.one_of)))
        }
        Why::Requires(wanted) => {
            let (rank, end) = match clause.one_of.as_slice() {
                [] => nobody(pool, clause, wanted),
                some => (2, format!("which {} provides", list(pool, some))),
            };
            (rank, format!("{owner} requires {wanted}, {end}"))
        }
        Why::Conflicts(unwanted) if clause.given.is_empty() => {
            (1, format!("{owner} conflicts with {unwanted}, which is always so"))
        }
        Why::Conflicts(unwanted) => (1, format!("{owner} conflicts with {unwanted}, which is {}", other())),
        Why::Obsoletes(old) => (1, format!("{owner} takes the place of {old}, which is {}", other())),
        Why::SameName => (1, format!("{owner} and {} cannot be installed at once", other())),
        Why::Twin if clause.one_of.is_empty() => {
            (1, format!("{owner} is not for the environment's own architecture, and has no twin that is"))
        }
        Why::Twin => (2, format!("{owner} comes only beside its twin {}", list(pool, &clause.one_of))),
    }
}

fn nobody(pool: &Pool<'_>, clause: &Clause<'_>, wanted: &crate::repo::Dependency) -> (usize, String) {
    if is_rich(&wanted.name) {
        return match clause.given.as_slice() {
            [] => (0, "which nothing fulfils".into()),
            given => (0, format!("which nothing fulfils beside {}", list(pool, given))),
        };
    }
    let (_, excluded) = pool.providers(wanted);
    let reason = excluded.first().and_then(|id| pool.excluded(*id));
    match reason {
        Some(reason) => (0, format!("which only {} provides, and that is excluded ({reason})", list(pool, &excluded))),
        None if pool.knows(&wanted.name) => (0, "which nothing provides in such a version".into()),
        None => (0, "which nothing provides".into()),
    }
}

fn list(pool: &Pool<'_>, ids: &[Id]) -> String {
    let names: Vec<String> = ids.iter().take(NAMES_MAX).map(|id| pool.name(*id)).collect();
    match ids.len().saturating_sub(NAMES_MAX) {
        0 => names.join(" or "),
        more => format!("{} or one of {more} more", names.join(" or ")),
    }
}
