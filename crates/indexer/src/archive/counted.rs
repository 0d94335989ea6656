//! An archive that counts what it is asked.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Archive, ArchiveError, FileFacts, Folder, SharedArchive};

/// Another archive, and how much it was asked. What the connection repeats by itself after a fault counts once; so do
/// the pages of a long listing.
#[derive(Debug)]
pub struct Counted {
    inner: SharedArchive,
    requests: AtomicU64,
}

impl Counted {
    /// Counts what is asked of `inner`, from nothing.
    pub fn new(inner: SharedArchive) -> Self {
        Self { inner, requests: AtomicU64::new(0) }
    }

    /// How much was asked so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Archive for Counted {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ArchiveError> {
        self.count();
        self.inner.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<FileFacts>, ArchiveError> {
        self.count();
        self.inner.head(key).await
    }

    async fn list(&self, folder: &str) -> Result<Folder, ArchiveError> {
        self.count();
        self.inner.list(folder).await
    }

    async fn list_all(&self, prefix: &str) -> Result<Option<Vec<(String, FileFacts)>>, ArchiveError> {
        let found = self.inner.list_all(prefix).await?;
        // Where there is no such listing nothing was asked.
        if found.is_some() {
            self.count();
        }
        Ok(found)
    }
}
