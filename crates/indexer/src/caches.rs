//! What is kept between runs, in `CACHE_FOLDER`: three files, each written whole and refused when anything is off.
//!
//! | file | what | without it |
//! |---|---|---|
//! | `buildhub-index-STORE.bin` | what the store has | it is read from the store |
//! | `buildhub-state-STORE.json` | which inventories were brought in completely | they are read again, and nothing is sent |
//! | `buildhub-metadata.jsonl.gz` | metadata found | it is fetched when a build needs it |
//!
//! `STORE` is a hash of the server's address, bucket and collection, so that several stores share a folder.

use std::collections::BTreeMap;

use buildhub_core::store::{SharedStore, StoreError};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::index::Index;
use crate::metadata::Library;

/// The largest cache that is read back: an index of some 20 million records.
const MAX_CACHE: usize = 1 << 30;

const METADATA: &str = "buildhub-metadata.jsonl.gz";

/// The caches of one store.
#[derive(Debug, Clone)]
pub struct Caches {
    folder: SharedStore,
    store: u64,
}

/// What was brought in completely: the next run passes over it when nothing changed on either side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Everything that decides what a run does, beside the inventories: other settings, other outcome.
    pub settings: u64,
    /// The dated folder of each inventory, by the folder above it.
    pub inventories: BTreeMap<String, String>,
}

impl Caches {
    /// The caches in `folder` for the collection at that address.
    pub fn new(folder: SharedStore, server: &str, bucket: &str, collection: &str) -> Self {
        Self { folder, store: xxh3_64(format!("{server}\n{bucket}\n{collection}").as_bytes()) }
    }

    /// Where they are, for a person.
    pub fn describe(&self) -> String {
        self.folder.describe()
    }

    /// The index of the last run; an empty one where there is none that can be used.
    pub async fn index(&self) -> Index {
        let key = self.index_key();
        let Some(bytes) = self.read(&key).await else { return Index::default() };
        Index::from_bytes(&bytes, self.store).unwrap_or_else(|error| {
            tracing::warn!(file = key, %error, "the index is read from the store again");
            Index::default()
        })
    }

    /// Keeps the index.
    pub async fn keep_index(&self, index: &mut Index) -> Result<(), StoreError> {
        self.folder.put(&self.index_key(), index.to_bytes(self.store)).await
    }

    /// Gives the library what earlier runs found.
    pub async fn restore_metadata(&self, library: &Library) {
        let Some(bytes) = self.read(METADATA).await else { return };
        if let Err(error) = library.take_over(&bytes) {
            tracing::warn!(file = METADATA, %error, "metadata is fetched again");
        }
    }

    /// Keeps what the library found.
    pub async fn keep_metadata(&self, library: &Library) -> Result<(), StoreError> {
        match library.to_bytes() {
            Ok(bytes) => self.folder.put(METADATA, bytes).await,
            Err(error) => {
                let kind = buildhub_core::store::StoreErrorKind::Other;
                Err(StoreError::new(kind, "write", METADATA, error.to_string()))
            }
        }
    }

    /// What was brought in completely.
    pub async fn done(&self) -> Done {
        let bytes = self.read(&self.done_key()).await.unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps what was brought in completely.
    pub async fn keep_done(&self, done: &Done) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(done).unwrap_or_default();
        self.folder.put(&self.done_key(), bytes.into()).await
    }

    fn index_key(&self) -> String {
        format!("buildhub-index-{:016x}.bin", self.store)
    }

    fn done_key(&self) -> String {
        format!("buildhub-state-{:016x}.json", self.store)
    }

    /// A cache that cannot be read is a cache that is not there, but for a word in the log.
    async fn read(&self, key: &str) -> Option<Bytes> {
        let read = match self.folder.get(key).await {
            Ok(object) => object.bytes(key, MAX_CACHE).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(bytes) => Some(bytes),
            Err(error) if error.is_not_found() => None,
            Err(error) => {
                tracing::warn!(%error, "a cache cannot be read and is made anew");
                None
            }
        }
    }
}
