//! What is kept between runs, in `CACHE_FOLDER`: three files, each written whole and refused when anything is off, and
//! a folder for each fanned-out run.
//!
//! | file | what | without it |
//! |---|---|---|
//! | `buildhub-index-STORE.bin` | what the store has | it is read from the store |
//! | `buildhub-state-STORE.json` | which parts of the inventories are in | they are read again, and nothing is sent twice |
//! | `buildhub-metadata-ARCHIVE.jsonl.gz` | metadata found | it is fetched when a build needs it |
//! | `buildhub-runs-STORE/RUN/` | a fanned-out run ([`crate::fanout`]) | the run is lost; the next one begins anew |
//!
//! `STORE` is a hash of the server's address, bucket and collection, `ARCHIVE` one of where the archive is, so that
//! several of them share a folder and never each other's contents.

use buildhub_core::store::{SharedStore, StoreError};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::catchup::State;
use crate::fanout::folder::RunFolder;
use crate::index::{Index, IndexFileError};
use crate::metadata::Library;
use crate::scan::Learned;

/// The largest cache that is read back: an index of some 20 million records.
const MAX_CACHE: usize = 1 << 30;

/// The caches of one store.
#[derive(Debug, Clone)]
pub struct Caches {
    folder: SharedStore,
    store: u64,
    archive: u64,
}

impl Caches {
    /// The caches in `folder` of a store and an archive, each named by all that tells it from others.
    pub fn new(folder: SharedStore, store: &str, archive: &str) -> Self {
        Self { folder, store: xxh3_64(store.as_bytes()), archive: xxh3_64(archive.as_bytes()) }
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

    /// An index of this store from a file.
    pub fn read_index(&self, file: &[u8]) -> Result<Index, IndexFileError> {
        Index::from_bytes(file, self.store)
    }

    /// An index of this store as a file.
    pub fn index_file(&self, index: &mut Index) -> Bytes {
        index.to_bytes(self.store)
    }

    /// The folder of a fanned-out run.
    pub fn run(&self, run: &str) -> RunFolder {
        RunFolder::new(SharedStore::clone(&self.folder), &self.runs_key(), run)
    }

    /// The attempts at a run of which there is a folder: `N` of each `NAME-N`.
    pub async fn attempts(&self, name: &str) -> Result<Vec<u32>, StoreError> {
        let runs = self.runs_key();
        let folders = self.folder.list(&runs).await?.folders;
        let attempt = |folder: &String| {
            let run = folder.strip_prefix(&runs)?.trim_end_matches('/');
            run.strip_prefix(name)?.strip_prefix('-')?.parse().ok()
        };
        Ok(folders.iter().filter_map(attempt).collect())
    }

    /// What tells this store from others, as a short text.
    pub fn store_name(&self) -> String {
        format!("{:016x}", self.store)
    }

    /// Keeps the index.
    pub async fn keep_index(&self, index: &mut Index) -> Result<(), StoreError> {
        self.folder.put(&self.index_key(), index.to_bytes(self.store)).await
    }

    /// Gives the library what earlier runs found, as far as the inventory does not list it as written since.
    pub async fn restore_metadata(&self, library: &Library, learned: &Learned) {
        let key = self.metadata_key();
        let Some(bytes) = self.read(&key).await else { return };
        let is_current = |key: &str, asked| learned.metadata_date(key).is_some_and(|date| date < asked);
        if let Err(error) = library.take_over(&bytes, is_current) {
            tracing::warn!(file = key, %error, "metadata is fetched again");
        }
    }

    /// Gives the library all that earlier runs found.
    pub async fn restore_all_metadata(&self, library: &Library) {
        let key = self.metadata_key();
        let Some(bytes) = self.read(&key).await else { return };
        if let Err(error) = library.take_over(&bytes, |_, _| true) {
            tracing::warn!(file = key, %error, "metadata is fetched again");
        }
    }

    /// Keeps what the library found.
    pub async fn keep_metadata(&self, library: &Library) -> Result<(), StoreError> {
        match library.to_bytes() {
            Ok(bytes) => self.folder.put(&self.metadata_key(), bytes).await,
            Err(error) => {
                let kind = buildhub_core::store::StoreErrorKind::Other;
                Err(StoreError::new(kind, "write", self.metadata_key(), error.to_string()))
            }
        }
    }

    /// What of the inventories is in.
    pub async fn state(&self) -> State {
        let bytes = self.read(&self.state_key()).await.unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Forgets what of the inventories is in.
    pub async fn forget_state(&self) -> Result<(), StoreError> {
        self.folder.delete(&self.state_key()).await
    }

    /// Keeps what of the inventories is in.
    pub async fn keep_state(&self, state: &State) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(state).unwrap_or_default();
        self.folder.put(&self.state_key(), bytes.into()).await
    }

    fn runs_key(&self) -> String {
        format!("buildhub-runs-{:016x}/", self.store)
    }

    fn index_key(&self) -> String {
        format!("buildhub-index-{:016x}.bin", self.store)
    }

    fn metadata_key(&self) -> String {
        format!("buildhub-metadata-{:016x}.jsonl.gz", self.archive)
    }

    fn state_key(&self) -> String {
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
