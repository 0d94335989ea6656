//! Object stores: what holds inventories, archives and caches.
//!
//! One trait, [`ObjectStore`], with a folder ([`FolderStore`]) and an Amazon S3 bucket (`S3Store`, feature `aws`) behind
//! it. Nothing of the AWS SDK shows in its face.

mod folder;
mod headers;
mod location;
#[cfg(feature = "aws")]
mod s3;
mod together;
mod versioned;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

pub use folder::FolderStore;
pub use headers::ObjectHeaders;
pub use location::{Location, LocationError};
#[cfg(feature = "aws")]
pub use s3::{
    COPY_MAX, Created, Details, PART_MIN, PARTS_MAX, Part, S3, S3Settings, S3Store, Stores, Unfinished, Upload,
};
pub use together::{all_or_none, settled};
pub use versioned::{Version, Versioned};

/// A store that is shared between tasks.
pub type SharedStore = Arc<dyn ObjectStore>;

/// Who hears how many more bytes were sent.
pub type Sent<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// A flat space of keys with bytes behind them.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// Opens an object. `NotFound` when there is none.
    async fn get(&self, key: &str) -> Result<Object, StoreError>;

    /// Size and date of an object, without its bytes. `NotFound` when there is none.
    async fn head(&self, key: &str) -> Result<Attributes, StoreError>;

    /// Writes an object whole: a reader sees the old bytes or the new ones, never a part, whenever the writer dies.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError>;

    /// Writes an object whole, unless there is one by this key already; says whether it was written. Of several who try
    /// at the same moment, one does (Amazon S3: `If-None-Match: *`, "Conditional writes").
    async fn create(&self, key: &str, bytes: Bytes) -> Result<bool, StoreError>;

    /// Writes an object from a file, as [`ObjectStore::create`] does, whatever its size, in bounded memory: S3 takes a
    /// large one in parts, of which nobody sees any before all are there. What is there already is not sent. A folder
    /// keeps no headers. The file must stay as it is meanwhile. `sent` hears of each piece that is there how many bytes it
    /// has; nothing of what was there already.
    async fn create_from(
        &self,
        key: &str,
        file: &Path,
        headers: &ObjectHeaders,
        sent: Sent<'_>,
    ) -> Result<bool, StoreError>;

    /// Reads an object whole, with the version of it that was read. `NotFound` when there is none, `TooLarge` when it has
    /// more than `limit` bytes.
    async fn read(&self, key: &str, limit: usize) -> Result<Versioned, StoreError>;

    /// Writes an object whole, as long as it is still `version`; what it is then. `None` when somebody else has written
    /// or removed it. Of several who try with one version, one does (Amazon S3: `If-Match`, "Conditional writes").
    ///
    /// Bytes that are found there although the write was refused count as its own, for the answer to a write can be lost.
    async fn replace(&self, key: &str, bytes: Bytes, version: &Version) -> Result<Option<Version>, StoreError>;

    /// Removes an object, as long as it is still `version`; whether it was (Amazon S3: `If-Match`, "Conditional
    /// deletes").
    async fn remove(&self, key: &str, version: &Version) -> Result<bool, StoreError>;

    /// Removes an object; nothing happens when there is none.
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// What stands directly under `prefix` (empty, or ending in `/`): objects, and folders by their common prefixes.
    /// All pages of it, in the order of their names.
    async fn list(&self, prefix: &str) -> Result<Listing, StoreError>;

    /// Every object whose key begins with `prefix`, at any depth, in the order of keys. The prefix may end anywhere in a
    /// name. S3 tells a thousand in one request; a folder is walked.
    async fn list_all(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        let mut waiting = vec![prefix.rfind('/').and_then(|at| prefix.get(..=at)).unwrap_or_default().to_owned()];
        while let Some(folder) = waiting.pop() {
            let listing = self.list(&folder).await?;
            found.extend(listing.objects.into_iter().filter(|entry| entry.key.starts_with(prefix)));
            let folders = listing.folders.into_iter();
            waiting.extend(folders.filter(|folder| folder.starts_with(prefix)));
        }
        found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// The first objects whose key begins with `prefix` and comes behind `after`, in the order of keys: `limit` of them at
    /// most, a thousand or more being a page of S3's. What is not there any more may be named as `after`.
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let all = self.list_all(prefix).await?.into_iter();
        Ok(all.filter(|entry| entry.key.as_str() > after).take(limit).collect())
    }

    /// The store for a person's eye: `s3://bucket/prefix` or a path.
    fn describe(&self) -> String;
}

/// An open object: its bytes as they come.
pub struct Object {
    /// Size and date.
    pub attributes: Attributes,
    /// The bytes, in order, each piece of the size the store likes.
    pub body: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

impl Object {
    /// All bytes of the object, refusing one of more than `limit` bytes (`TooLarge`).
    pub async fn bytes(mut self, key: &str, limit: usize) -> Result<Bytes, StoreError> {
        use futures::StreamExt as _;
        let mut whole = Vec::new();
        while let Some(piece) = self.body.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > limit {
                let reason = format!("it is larger than the {limit} bytes expected of it");
                return Err(StoreError::new(StoreErrorKind::TooLarge, "read", key, reason));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

/// What a store knows of an object beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Size in bytes.
    pub size: u64,
    /// When the object was last written (S3 dates a multipart object at its initiation).
    pub last_modified: Timestamp,
}

/// One level of a store's keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Folders: their whole keys, each ending in `/`.
    pub folders: Vec<String>,
    /// Objects: whole keys.
    pub objects: Vec<Entry>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The object's whole key.
    pub key: String,
    /// Size and date.
    pub attributes: Attributes,
}

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {operation} {object}: {reason}")]
pub struct StoreError {
    /// What kind of fault it is: decides whether to go on, retry or stop.
    pub kind: StoreErrorKind,
    /// The verb: `read`, `write`, `list`, `delete`.
    pub operation: &'static str,
    /// The object, as a person would name it (`s3://bucket/key`, a path).
    pub object: String,
    /// What went wrong, and what to do about it where that is known.
    pub reason: String,
}

/// The kinds of fault of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// There is no such object (or folder).
    NotFound,
    /// There is no such bucket: a person has to make it, or to correct its name. `HEAD` of an object cannot tell; see
    /// `S3Store::check_bucket`.
    NoBucket,
    /// Credentials are missing, wrong, or not enough.
    Denied,
    /// The object is larger than the caller takes.
    TooLarge,
    /// The disk is full.
    Full,
    /// A fault that may pass: a timeout, a 5xx, a broken connection.
    Transient,
    /// Anything else.
    Other,
}

impl StoreError {
    /// Makes an error; `object` is how a person would name the thing.
    pub fn new(
        kind: StoreErrorKind,
        operation: &'static str,
        object: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self { kind, operation, object: object.into(), reason: reason.into() }
    }

    /// Whether the object was simply not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == StoreErrorKind::NotFound
    }
}
