//! A definition resolved: its repositories read, its packages found.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use buildhub_core::store::Location;

use super::{Chosen, SolveError, missing_files, solve};
use crate::definition::Definition;
use crate::places::Places;
use crate::repo::{self, Budget, Limits, Repository, RepositoryError};

/// How often the lists of all files may be read anew because what they told needs further files.
const ROUNDS: usize = 4;

/// What a definition means today.
#[derive(Debug)]
pub struct Resolved {
    /// Its packages, in the order of their names.
    pub packages: Vec<Chosen>,
    /// The SHA-256 of each repository's `repomd.xml`, by the repository's id.
    pub repomd: BTreeMap<String, String>,
}

/// Why a definition cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A repository cannot be used.
    #[error(transparent)]
    Repository(#[from] Box<RepositoryError>),
    /// There are no such packages.
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// The work broke off.
    #[error("resolving broke off: {0}")]
    BrokeOff(String),
}

impl ResolveError {
    /// Whether the same may succeed later, by itself.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Repository(error) if error.is_transient())
    }
}

/// Reads the repositories of a definition, which lies in `beside`, and finds its packages. Metadata are kept in `folder`
/// while they are read; the lists of all files are only read where a required file is in none of the shorter lists.
pub async fn resolve(
    definition: Arc<Definition>,
    beside: &Location,
    places: &Places,
    folder: &Path,
    limits: Limits,
) -> Result<Resolved, ResolveError> {
    let mut repositories = Vec::new();
    let mut budget = Budget::new(limits.memory);
    for repo in &definition.repos {
        let keys = repo::keys(repo, places, beside).await.map_err(Box::new)?;
        let opened = Repository::open(repo, places, beside, &keys, folder, limits, &mut budget).await;
        repositories.push(opened.map_err(Box::new)?);
    }
    tracing::info!(repositories = repositories.len(), counted_mib = budget.taken() >> 20, "repositories are read");
    let mut known = HashSet::new();
    for _ in 0..ROUNDS {
        let missing;
        (repositories, missing) = blocking(repositories, &definition, budget, missing_files).await?;
        let missing: HashSet<Arc<str>> = missing.difference(&known).cloned().collect();
        if missing.is_empty() {
            break;
        }
        for repository in &mut repositories {
            repository.find_files(&missing, places, folder, &mut budget).await.map_err(Box::new)?;
        }
        known.extend(missing);
    }
    let (repositories, packages) = blocking(repositories, &definition, budget, solve).await?;
    let repomd = repositories.into_iter().map(|repository| (repository.id, repository.repomd_sha256)).collect();
    Ok(Resolved { packages, repomd })
}

async fn blocking<T: Send + 'static>(
    repositories: Vec<Repository>,
    definition: &Arc<Definition>,
    mut budget: Budget,
    work: impl FnOnce(&[Repository], &Definition, &mut Budget) -> Result<T, SolveError> + Send + 'static,
) -> Result<(Vec<Repository>, T), ResolveError> {
    let definition = Arc::clone(definition);
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&repositories, &definition, &mut budget)?;
        Ok((repositories, result))
    });
    done.await.map_err(|error| ResolveError::BrokeOff(error.to_string()))?
}
