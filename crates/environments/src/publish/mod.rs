//! Publication: artefacts, completion record, list, pointers, in this order, so that nobody ever finds something that names
//! what is not there.
//!
//! ```text
//! <sha256>.tar.xz       an environment, by its own hash; never changes
//! locks/<lock>.json     what it was made of                              ┐
//! licenses/ sbom/ sources/ srpms/ oci/                                   │ written on condition
//! builds/<lock>         the completion record, written last of these     ┘ that there is none (papers of a
//!                       build that is not complete may be replaced)
//! environments.json     the list: one conditional write
//! history/<time>.json   the list as it was, from each change on
//! latest/<branch>/<platform>/<product>[/<build type>[/<channel>]].json    pointers
//! ```
//!
//! A publisher may die anywhere. Whoever comes next finds no completion record and writes what is missing, or finds one and
//! brings list, history and pointers up to it. Two at once each read the list again when the other has changed it.

mod artefacts;
mod index;
pub mod layout;
mod list;
mod pointers;

use std::time::Duration;

use buildhub_core::store::{SharedStore, StoreError};
use buildhub_http::Backoff;
use jiff::Timestamp;

use crate::lock::LockError;

pub use artefacts::{Artefacts, SourceFile};
pub use index::{Build, Claim, Index, Listed, Use, VERSION};
pub use pointers::Pointer;

/// The most bytes of the list: some fifty thousand environments.
pub const INDEX_LIMIT: usize = 64 << 20;
/// The most bytes of a completion record or a pointer.
pub const RECORD_LIMIT: usize = 4 << 20;

/// Publishes into a store.
#[derive(Debug, Clone)]
pub struct Publisher {
    store: SharedStore,
}

/// What a publication changed in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What was built.
    pub build: Build,
    /// Whether the list is another than before.
    pub changed: bool,
    /// Pointers that were written or removed.
    pub pointers: u64,
}

/// Why something could not be published. Whatever was written stays, and the same again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store does not give or take something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock cannot be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What is there is not what should be there.
    #[error(
        "{key} in {store} is not what this program writes there: {reason}; restore its last version; without one, the newest of `history/` says who uses what, and `builds/` what else there is"
    )]
    Damaged {
        /// The store.
        store: String,
        /// The object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The same lock gave other bytes before.
    #[error(
        "the lock {lock} gave the archive {ours} here, and {theirs} was published of it before: the same lock must give \
         the same bytes; compare both, and remove builds/{lock} if the published one is wrong"
    )]
    Differs {
        /// The lock's key.
        lock: String,
        /// The archive's SHA-256 here.
        ours: String,
        /// The published one's.
        theirs: String,
    },
    /// Others wrote it each time.
    #[error("others wrote {key} in {store} each time it was to be written; publish again")]
    Contended {
        /// The store.
        store: String,
        /// The object.
        key: String,
    },
    /// What was made here cannot be read.
    #[error("{folder} cannot be read: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Something cannot be written as JSON.
    #[error("{key} cannot be written: {source}")]
    Write {
        /// The object.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl PublishError {
    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        use buildhub_core::store::StoreErrorKind;
        match self {
            Self::Store(error) => error.kind == StoreErrorKind::Transient,
            Self::Contended { .. } => true,
            _ => false,
        }
    }
}

impl Publisher {
    /// Publishes into `store`.
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// What was built of a lock, if it is complete.
    pub async fn completed(&self, lock: &str) -> Result<Option<Build>, PublishError> {
        let key = layout::build(lock);
        match self.store.read(&key, RECORD_LIMIT).await {
            Ok(found) => Ok(Some(self.parse(&key, &found.bytes)?)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings list, history and pointers up to what was built, and to who uses it.
    pub async fn list(
        &self,
        build: &Build,
        claim: Option<&Claim<'_>>,
        now: Timestamp,
    ) -> Result<Published, PublishError> {
        let changed = self.bring_in(build, claim, now).await?;
        let pointers = self.point(claim).await?;
        Ok(Published { build: build.clone(), changed, pointers })
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T, PublishError> {
        serde_json::from_slice(bytes).map_err(|error| self.damaged(key, &error))
    }

    fn damaged(&self, key: &str, reason: &impl ToString) -> PublishError {
        PublishError::Damaged { store: self.store.describe(), key: key.to_owned(), reason: reason.to_string() }
    }

    fn contended(&self, key: &str) -> PublishError {
        PublishError::Contended { store: self.store.describe(), key: key.to_owned() }
    }
}

/// JSON for people and programs, the same for the same value.
fn json(key: &str, value: &impl serde::Serialize) -> Result<bytes::Bytes, PublishError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|source| PublishError::Write { key: key.to_owned(), source })?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// How often a conditional write is tried.
const ROUNDS: u32 = 40;
/// The waits between tries, the longer the more others there are.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(40), Duration::from_millis(1280));
