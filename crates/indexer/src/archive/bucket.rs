//! An archive read straight from its object store: no listing pages, no cache in between.

use async_trait::async_trait;
use buildhub_core::store::{Attributes, SharedStore, StoreError};
use bytes::Bytes;
use jiff::Timestamp;

use super::{Archive, ArchiveError, FileFacts, Folder, MAX_FILE};

/// A bucket (or a folder) as an archive.
#[derive(Debug, Clone)]
pub struct BucketArchive {
    store: SharedStore,
}

impl BucketArchive {
    /// The archive whose keys are those of `store`.
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    fn fault(&self, operation: &'static str, key: &str, error: &StoreError) -> ArchiveError {
        let address = format!("{}{key}", self.store.describe());
        ArchiveError { operation, address, reason: error.to_string() }
    }
}

/// S3 dates objects to the second; a folder's files may be dated finer.
fn facts(attributes: Attributes) -> FileFacts {
    let date = Timestamp::from_second(attributes.last_modified.as_second()).unwrap_or(attributes.last_modified);
    FileFacts { size: attributes.size, date }
}

#[async_trait]
impl Archive for BucketArchive {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ArchiveError> {
        let read = match self.store.get(key).await {
            Ok(object) => object.bytes(key, MAX_FILE).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(self.fault("read", key, &error)),
        }
    }

    async fn head(&self, key: &str) -> Result<Option<FileFacts>, ArchiveError> {
        match self.store.head(key).await {
            Ok(attributes) => Ok(Some(facts(attributes))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(self.fault("read", key, &error)),
        }
    }

    async fn list_all(&self, prefix: &str) -> Result<Option<Vec<(String, FileFacts)>>, ArchiveError> {
        let entries = match self.store.list_all(prefix).await {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(self.fault("list", prefix, &error)),
        };
        // The object of a folder's own name, as some tools make them, is no file.
        let files = entries.into_iter().filter(|entry| !entry.key.ends_with('/'));
        Ok(Some(files.map(|entry| (entry.key, facts(entry.attributes))).collect()))
    }

    async fn list(&self, folder: &str) -> Result<Folder, ArchiveError> {
        let listing = match self.store.list(folder).await {
            Ok(listing) => listing,
            Err(error) if error.is_not_found() => return Ok(Folder::default()),
            Err(error) => return Err(self.fault("list", folder, &error)),
        };
        let name = |key: &str| key.strip_prefix(folder).unwrap_or(key).trim_end_matches('/').to_owned();
        let files = listing.objects.iter().map(|entry| (name(&entry.key), facts(entry.attributes)));
        Ok(Folder {
            folders: listing.folders.iter().map(|key| name(key)).collect(),
            // The object of a folder's own name, as some tools make them, is no file of it.
            files: files.filter(|(name, _)| !name.is_empty()).collect(),
        })
    }
}
