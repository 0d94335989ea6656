//! The bytes of an S3 object as they come, going on where a broken connection left off.

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::super::{StoreError, StoreErrorKind};
use super::S3Store;

/// How often one object's reading is taken up again.
const RESUMES: u32 = 5;
/// `412 Precondition Failed`: the object is no longer the one that was begun.
const CHANGED: u16 = 412;

/// An object that is being read.
pub(super) struct Reading {
    pub(super) store: S3Store,
    pub(super) key: String,
    pub(super) body: ByteStream,
    pub(super) size: u64,
    /// Without it a changed object could not be told from the one begun.
    pub(super) etag: Option<String>,
}

/// A reading, how far it is, and how often it may still be taken up again.
struct Progress {
    reading: Reading,
    read: u64,
    resumes: u32,
}

impl Reading {
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        let start = Progress { reading: self, read: 0, resumes: RESUMES };
        stream::unfold(Some(start), |progress| async move { progress?.next().await }).boxed()
    }

    /// Opens the rest of the same object. Servers that pass over `If-Match` show another object by its `ETag`, and those
    /// that pass over `Range` (they may: RFC 9110 §14.2) send the beginning again, without `Content-Range`.
    async fn resume(&mut self, read: u64) -> Result<(), StoreError> {
        let request = self.store.request(&self.key).range(format!("bytes={read}-")).set_if_match(self.etag.clone());
        match request.send().await {
            Ok(answer) if answer.e_tag() != self.etag.as_deref() => Err(self.changed()),
            Ok(answer) => {
                let range = answer.content_range().unwrap_or_default();
                if !range.starts_with(&format!("bytes {read}-")) {
                    return Err(self.transient(format!("the server did not go on at byte {read}; read it again")));
                }
                self.body = answer.body;
                Ok(())
            }
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == CHANGED) => {
                Err(self.changed())
            }
            Err(error) => Err(self.store.fault("read", &self.key, &error)),
        }
    }

    fn changed(&self) -> StoreError {
        self.transient("it changed while it was read; read it again")
    }

    fn transient(&self, reason: impl Into<String>) -> StoreError {
        StoreError::new(StoreErrorKind::Transient, "read", self.store.url(&self.key), reason)
    }
}

impl Progress {
    async fn next(mut self) -> Option<(Result<Bytes, StoreError>, Option<Self>)> {
        loop {
            let broken = match self.reading.body.next().await? {
                Ok(piece) => {
                    self.read += piece.len() as u64;
                    return Some((Ok(piece), Some(self)));
                }
                Err(broken) => broken,
            };
            // At the end nothing is left to ask for: what failed is the check of the whole (its checksum).
            let whole = self.read >= self.reading.size;
            if whole || self.resumes == 0 || self.reading.etag.is_none() {
                return Some((Err(self.error(&broken)), None));
            }
            self.resumes -= 1;
            tracing::warn!(key = self.reading.key, read = self.read, "reading broke off; going on from there");
            if let Err(error) = self.reading.resume(self.read).await {
                return Some((Err(error), None));
            }
        }
    }

    fn error(&self, broken: &ByteStreamError) -> StoreError {
        let reason = format!(
            "it broke off after {} of {} bytes: {}",
            self.read,
            self.reading.size,
            aws_sdk_s3::error::DisplayErrorContext(broken)
        );
        self.reading.transient(reason)
    }
}
