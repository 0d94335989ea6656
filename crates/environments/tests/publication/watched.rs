//! A store that is watched, and that may die at any write.

use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use buildhub_core::store::{
    Attributes, Listing, Object, ObjectHeaders, ObjectStore, Sent, SharedStore, StoreError, StoreErrorKind, Version,
    Versioned,
};
use bytes::Bytes;
use futures::future::BoxFuture;

/// Hands everything on, notes what was written, and writes no more when its time is over.
pub(super) struct Watched {
    inner: SharedStore,
    written: Mutex<Vec<String>>,
    left: AtomicUsize,
    /// What another does right before the first thing of this beginning is made.
    before: Mutex<Option<(&'static str, BoxFuture<'static, ()>)>>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Watched {
    /// Dies before the write with this number, from 0.
    pub(super) fn dying(inner: &SharedStore, at: usize) -> Self {
        Self {
            inner: SharedStore::clone(inner),
            written: Mutex::default(),
            left: AtomicUsize::new(at),
            before: Mutex::default(),
        }
    }

    /// Lives on, and right before it makes the first object whose key begins so, another does something.
    pub(super) fn overtaken(inner: &SharedStore, key: &'static str, other: BoxFuture<'static, ()>) -> Self {
        Self { before: Mutex::new(Some((key, other))), ..Self::new(inner) }
    }

    /// Lives on.
    pub(super) fn new(inner: &SharedStore) -> Self {
        Self::dying(inner, usize::MAX)
    }

    /// The keys that were written or removed, in their order.
    pub(super) fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    fn write(&self, key: &str) -> Result<(), StoreError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| StoreError::new(StoreErrorKind::Other, "write", key, "the publisher was killed"))?;
        self.written.lock().unwrap().push(key.to_owned());
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn get(&self, key: &str) -> Result<Object, StoreError> {
        self.inner.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Attributes, StoreError> {
        self.inner.head(key).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.write(key)?;
        self.inner.put(key, bytes).await
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let other = self.before.lock().unwrap().take_if(|(begins, _)| key.starts_with(*begins));
        if let Some((_, other)) = other {
            other.await;
        }
        self.write(key)?;
        self.inner.create(key, bytes).await
    }

    async fn create_from(
        &self,
        key: &str,
        file: &Path,
        headers: &ObjectHeaders,
        sent: Sent<'_>,
    ) -> Result<bool, StoreError> {
        self.write(key)?;
        self.inner.create_from(key, file, headers, sent).await
    }

    async fn read(&self, key: &str, limit: usize) -> Result<Versioned, StoreError> {
        self.inner.read(key, limit).await
    }

    async fn replace(&self, key: &str, bytes: Bytes, version: &Version) -> Result<Option<Version>, StoreError> {
        self.write(key)?;
        self.inner.replace(key, bytes, version).await
    }

    async fn remove(&self, key: &str, version: &Version) -> Result<bool, StoreError> {
        self.write(key)?;
        self.inner.remove(key, version).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.write(key)?;
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        self.inner.list(prefix).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
