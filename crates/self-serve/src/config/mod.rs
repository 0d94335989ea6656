//! What a site says of itself in three documents: its branches, what is built for each, and which masters do that.
//!
//! They are read when they are first needed, and again after a while. What cannot be read again stays as it was: a document
//! that is away for a moment takes no branch away.
//!
//! | document | shape |
//! |---|---|
//! | branches | `{NAME: {"repo": "https://hg.mozilla.org/projects/NAME", "repo_type": "hg", "graph_branches": […]}}` |
//! | builders | `{"builders": {NAME: {"properties": {"branch": …}}}}` |
//! | masters | `[{"name", "hostname", "http_port", "pb_port", "db_name", "role"}]`, `db_name` being Buildbot's own name of it |

mod branches;
mod builders;
mod masters;
mod place;

use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use buildhub_core::store::{StoreError, Stores};
use buildhub_http::{Http, HttpError};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::backend::{Backend, BackendError};

pub use branches::{Branch, Branches, RepositoryKind};
pub use builders::Builders;
pub use masters::{Masters, Pool, PoolError};
pub use place::{Place, PlaceError};

/// How long documents are used before they are read again.
const KEPT: Duration = Duration::from_mins(5);
/// How soon they are tried again when they could not be read.
const AGAIN: Duration = Duration::from_secs(30);
/// The largest document, in bytes. A list of builders with all their properties has tens of MiB.
const SIZE_MAX: usize = 128 << 20;

/// Where the documents are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The branches.
    pub branches: Place,
    /// What is built for each; without it, what the build system has tagged with the branch.
    pub builders: Option<Place>,
    /// The masters; without it, there are no pools.
    pub masters: Option<Place>,
}

/// What the documents say, as they were read at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The branches by their names.
    pub branches: Branches,
    /// What is built.
    pub builders: Builders,
    /// Who builds.
    pub masters: Masters,
}

impl Snapshot {
    /// The names of a branch's builders: by their document, or, where there is none, those that the build system has tagged
    /// with the branch.
    pub async fn builders_of(&self, branch: &Branch<'_>, backend: &dyn Backend) -> Result<Vec<String>, BackendError> {
        if !self.builders.is_empty() {
            return Ok(self.builders.of(branch).map(str::to_owned).collect());
        }
        let spellings = branch.spellings();
        let is_its = |tags: &[String]| tags.iter().any(|tag| spellings.contains(tag));
        let builders = backend.builders().await?.into_iter().filter(|builder| is_its(&builder.tags));
        Ok(builders.map(|builder| builder.name).collect())
    }
}

/// Why a document says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read from its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be fetched.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is something else.
    #[error("{place} is no list of {what}: {reason}")]
    Shape {
        /// Where it is.
        place: String,
        /// What it should be of.
        what: &'static str,
        /// What does not fit.
        reason: String,
    },
}

/// The documents, wherever they are.
pub struct Documents {
    places: Places,
    stores: Stores,
    http: Http,
    held: SyncMutex<Option<Held>>,
    /// Whoever reads them.
    reading: Mutex<()>,
}

#[derive(Clone)]
struct Held {
    snapshot: Arc<Snapshot>,
    until: Instant,
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Documents {
    /// Documents at these places. Nothing is read yet.
    pub fn new(places: Places, stores: Stores, http: Http) -> Self {
        Self { places, stores, http, held: SyncMutex::default(), reading: Mutex::default() }
    }

    /// What they say now, at most some minutes old; older where they cannot be read again, and while somebody reads them.
    pub async fn now(&self) -> Result<Arc<Snapshot>, ConfigError> {
        let known = self.held();
        let _turn = match (self.reading.try_lock(), &known) {
            (_, Some(known)) if Instant::now() < known.until => return Ok(Arc::clone(&known.snapshot)),
            (Ok(turn), _) => turn,
            (Err(_), Some(known)) => return Ok(Arc::clone(&known.snapshot)),
            (Err(_), None) => self.reading.lock().await,
        };
        // Whoever waited for a first reading has it.
        if let Some(fresh) = self.held().filter(|held| Instant::now() < held.until) {
            return Ok(fresh.snapshot);
        }
        let (snapshot, kept) = match (self.read().await, known) {
            (Ok(snapshot), _) => (Arc::new(snapshot), KEPT),
            (Err(error), Some(old)) => {
                tracing::warn!(%error, "branches, builders or masters cannot be read again; they stay as they were");
                (old.snapshot, AGAIN)
            }
            (Err(error), None) => return Err(error),
        };
        let held = Held { snapshot: Arc::clone(&snapshot), until: Instant::now() + kept };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(snapshot)
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self) -> Result<Snapshot, ConfigError> {
        let Places { branches, builders, masters } = &self.places;
        Ok(Snapshot {
            branches: self.document(branches, "branches").await?,
            builders: self.optional(builders.as_ref(), "builders").await?,
            masters: self.optional(masters.as_ref(), "masters").await?,
        })
    }

    async fn optional<T: DeserializeOwned + Default>(
        &self,
        place: Option<&Place>,
        what: &'static str,
    ) -> Result<T, ConfigError> {
        match place {
            Some(place) => self.document(place, what).await,
            None => Ok(T::default()),
        }
    }

    async fn document<T: DeserializeOwned>(&self, place: &Place, what: &'static str) -> Result<T, ConfigError> {
        let bytes = place.read(&self.stores, &self.http, SIZE_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|error| ConfigError::Shape {
            place: place.to_string(),
            what,
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use buildhub_core::Variables;
    use buildhub_core::store::S3Settings;
    use buildhub_http::HttpSettings;

    use super::*;

    #[tokio::test]
    async fn who_reads_again_keeps_nobody_waiting() {
        let places = Places { branches: "/nowhere/branches.json".parse().unwrap(), builders: None, masters: None };
        let stores = Stores::new(S3Settings::from_variables(&Variables::default()).unwrap());
        let documents = Documents::new(places, stores, Http::new(&HttpSettings::default()).unwrap());
        documents.now().await.unwrap_err();
        let snapshot = Arc::new(Snapshot::default());
        *documents.held.lock().unwrap() = Some(Held { snapshot: Arc::clone(&snapshot), until: Instant::now() });
        let turn = documents.reading.lock().await;
        assert!(Arc::ptr_eq(&documents.now().await.unwrap(), &snapshot), "it does not wait for who reads");
        drop(turn);
        assert!(Arc::ptr_eq(&documents.now().await.unwrap(), &snapshot), "what cannot be read again stays");
        assert!(documents.held().unwrap().until > Instant::now());
    }
}
