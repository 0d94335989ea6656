//! From wishes to packages: which packages an environment has, and from where.
//!
//! A solution is always the same for the same metadata, in whatever order they are written, and it is the one that dnf
//! finds (tests compare the two on generated repositories). What is asked for comes in its best version or not at all, as
//! with dnf's `best`; what is required comes in the best that there is a way for. Requirements may name packages, files,
//! anything provided, versions of it, and rich expressions. Two packages of one name are never there at once, except for
//! different word lengths (`multilib`): then both are of one version. What the definition excludes is not there, and if
//! it is needed, that is an error that says who needs it.
//!
//! | module | holds |
//! |---|---|
//! | `pool` | all packages, and who provides what |
//! | `asked` | what the definition asks for, as packages |
//! | `rich`, `clauses` | dependencies as clauses |
//! | `walk`, `state`, `policy` | choices, in dnf's order and by its rules |
//! | `prover` | the SAT solver: whether there is a way, and why not |
//! | `explain` | that in words |
//! | `resolve` | from a definition alone: its repositories read, then solved |

mod arch;
mod asked;
mod clauses;
mod explain;
mod policy;
mod pool;
mod prover;
mod resolve;
mod rich;
mod state;
mod walk;

use std::collections::HashSet;
use std::sync::Arc;

use asked::Asked;
use clauses::Clauses;
use pool::{Id, Pool};
pub use resolve::{ResolveError, Resolved, resolve};
use rich::{Expression, Expressions, is_rich, parse};

use crate::definition::Definition;
use crate::lock;
use crate::places::Address;
use crate::repo::{Budget, Checksum, Dependency, NoRoom, Repository};

/// A package of an environment, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The package as the lock has it; without its SHA-256 where its repository knows it by another checksum only.
    pub package: lock::Package,
    /// What its file must hash to, as its repository says.
    pub checksum: Checksum,
    /// The id of its repository.
    pub repository: String,
    /// Where its file is, from the repository's address on.
    pub location: String,
    /// The whole address of its file.
    pub address: Address,
    /// When it was built, in seconds since 1970.
    pub built: i64,
    /// Bytes of its files together, and of what rpm's database has of it, about; where its repository says so.
    pub installed: Option<u64>,
}

/// Why there are no packages for a definition.
#[derive(Debug, thiserror::Error)]
pub enum SolveError {
    /// Nothing is asked for.
    #[error("the definition asks for no packages; name some in environment.packages")]
    Nothing,
    /// A wish that cannot be read.
    #[error("the definition asks for {text:?}, which cannot be read: {reason}")]
    Wish {
        /// What is asked for.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A wish that nothing fulfils.
    #[error(
        "the definition asks for {text:?}: no repository has a package, a file, or anything provided by this name for the environment's architecture"
    )]
    NotFound {
        /// What is asked for.
        text: String,
    },
    /// A wish that only something excluded fulfils.
    #[error("the definition asks for {text:?} and excludes {package}, which is what it is ({reason})")]
    AskedAndExcluded {
        /// What is asked for.
        text: String,
        /// The excluded package.
        package: String,
        /// Why it is excluded.
        reason: String,
    },
    /// A rich dependency that cannot be read.
    #[error("{package} depends on {text:?}, which cannot be read: {reason}")]
    Rich {
        /// The package.
        package: String,
        /// What it says.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such set of packages.
    #[error("what the definition asks for cannot be installed together:{}", lines(.reasons))]
    Unsolvable {
        /// What stands in the way, a sentence each; those that are the root of it first.
        reasons: Vec<String>,
    },
    /// There is less memory than the rules take that follow from the packages.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

fn lines(reasons: &[String]) -> String {
    reasons.iter().flat_map(|reason| ["\n  - ", reason.as_str()]).collect()
}

/// The packages of a definition, in the order of their names.
///
/// Whoever calls it has looked for the [`missing_files`] before. `budget` is what the packages left.
pub fn solve(
    repositories: &[Repository],
    definition: &Definition,
    budget: &mut Budget,
) -> Result<Vec<Chosen>, SolveError> {
    let pool = Pool::new(repositories, definition);
    let asked = wishes(&pool, definition)?;
    let (weak, mut expressions) = (definition.environment.weak, Expressions::default());
    let clauses = Clauses::new(&pool, &asked, weak, &mut expressions, budget)?;
    let found = walk::walk(&pool, &clauses, weak, &mut expressions)
        .map_err(|_| SolveError::Unsolvable { reasons: explain::reasons(&pool, &asked, &clauses.all) })?;
    let mut chosen: Vec<Chosen> = found.into_iter().map(|id| chosen(&pool, id)).collect();
    chosen.sort_by(|a, b| (&a.package.name, &a.package.arch).cmp(&(&b.package.name, &b.package.arch)));
    Ok(chosen)
}

/// Files that packages which come into question require, and that the metadata read so far do not know:
/// [`Repository::find_files`] finds them. Empty where there is nothing to look for.
pub fn missing_files(
    repositories: &[Repository],
    definition: &Definition,
    budget: &mut Budget,
) -> Result<HashSet<Arc<str>>, SolveError> {
    let pool = Pool::new(repositories, definition);
    let mut missing = HashSet::new();
    let wanted = definition.environment.packages.iter().filter(|text| text.starts_with('/'));
    missing.extend(wanted.filter(|path| !pool.knows(path)).map(|path| Arc::from(path.as_str())));
    // What is only found with the missing files is looked at in the next round.
    let asked = definition.environment.packages.iter().filter(|text| !missing.contains(text.as_str()));
    let asked = asked.map(|text| asked::read(&pool, text)).collect::<Result<Vec<_>, _>>()?;
    let (weak, mut expressions) = (definition.environment.weak, Expressions::default());
    let clauses = Clauses::new(&pool, &asked, weak, &mut expressions, budget)?;
    for (id, _) in clauses.reached.iter().enumerate().filter(|(_, reached)| **reached) {
        let package = pool.package(id);
        let lists = [&package.requires, &package.conflicts, &package.recommends, &package.supplements];
        lists.into_iter().flatten().for_each(|wanted| unknown_files(&pool, wanted, &mut missing));
    }
    Ok(missing)
}

fn unknown_files(pool: &Pool<'_>, wanted: &Dependency, missing: &mut HashSet<Arc<str>>) {
    if is_rich(&wanted.name) {
        if let Ok(expression) = parse(&wanted.name) {
            leaves(&expression, &mut |leaf| unknown_files(pool, leaf, missing));
        }
    } else if wanted.name.starts_with('/') && !pool.knows(&wanted.name) {
        missing.insert(Arc::clone(&wanted.name));
    }
}

fn leaves(expression: &Expression, see: &mut impl FnMut(&Dependency)) {
    match expression {
        Expression::Plain(dependency) => see(dependency),
        Expression::And(list) | Expression::Or(list) | Expression::With(list) => {
            for part in list {
                leaves(part, see);
            }
        }
        Expression::If(one, two, three) | Expression::Unless(one, two, three) => {
            [Some(one), Some(two), three.as_ref()].into_iter().flatten().for_each(|part| leaves(part, see));
        }
        Expression::Without(one, two) => [one, two].into_iter().for_each(|part| leaves(part, see)),
    }
}

fn wishes(pool: &Pool<'_>, definition: &Definition) -> Result<Vec<Asked>, SolveError> {
    if definition.environment.packages.is_empty() {
        return Err(SolveError::Nothing);
    }
    definition.environment.packages.iter().map(|text| asked::read(pool, text)).collect()
}

fn chosen(pool: &Pool<'_>, id: Id) -> Chosen {
    let (package, repository) = (pool.package(id), pool.repository(id));
    let source = package.source.as_ref().map(|file| lock::SourcePackage::named(&**file));
    let locked = lock::Package {
        signed_by: Vec::new(),
        name: package.name.to_string(),
        epoch: package.evr.epoch,
        version: package.evr.version.to_string(),
        release: package.evr.release.as_deref().unwrap_or_default().to_owned(),
        arch: package.arch.to_string(),
        sha256: package.checksum.as_sha256().unwrap_or_default().to_owned(),
        size: package.size,
        licence: package.licence.to_string(),
        source,
    };
    Chosen {
        package: locked,
        checksum: package.checksum.clone(),
        repository: repository.id.clone(),
        location: package.location.to_string(),
        address: repository.address.join(&package.location),
        built: package.built,
        installed: package.installed,
    }
}
