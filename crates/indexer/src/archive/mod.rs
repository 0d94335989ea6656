//! The build archive, read over the web or straight from its bucket: one trait, two implementations.

mod bucket;
mod counted;
mod listing;
mod site;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

pub use bucket::BucketArchive;
pub use counted::Counted;
pub use listing::{beginning_with, below};
pub use site::SiteArchive;

/// The largest metadata file or listing page that is read: a real one has some kilobytes.
pub const MAX_FILE: usize = 16 << 20;

/// An archive that is shared between tasks.
pub type SharedArchive = Arc<dyn Archive>;

/// A place where build archives and their metadata lie. Keys are decoded, without a leading slash.
#[async_trait]
pub trait Archive: fmt::Debug + Send + Sync {
    /// A file's bytes, or `None` where there is none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ArchiveError>;

    /// Size and date of a file, or `None` where there is none.
    async fn head(&self, key: &str) -> Result<Option<FileFacts>, ArchiveError>;

    /// What stands in a folder (its key ends in `/`); empty where there is no such folder.
    async fn list(&self, folder: &str) -> Result<Folder, ArchiveError>;

    /// Every file whose key begins with `prefix`, at any depth, by its whole key; `None` where the archive can only be
    /// listed folder by folder. Ask through [`below`] or [`beginning_with`], which do either.
    async fn list_all(&self, prefix: &str) -> Result<Option<Vec<(String, FileFacts)>>, ArchiveError> {
        let _ = prefix;
        Ok(None)
    }
}

/// Size and date of a file of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// The object's `LastModified`, whole seconds.
    pub date: Timestamp,
}

/// One folder of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folder {
    /// Names of the folders in it, without slash.
    pub folders: Vec<String>,
    /// Names of the files in it, with their facts.
    pub files: Vec<(String, FileFacts)>,
}

/// The archive could not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the archive cannot {operation} {address}: {reason}")]
pub struct ArchiveError {
    /// `read` or `list`.
    pub operation: &'static str,
    /// The file or folder, as a person would look for it.
    pub address: String,
    /// What went wrong.
    pub reason: String,
}
