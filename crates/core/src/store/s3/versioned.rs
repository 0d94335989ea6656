//! Writes that depend on what is there: in a bucket, by `If-Match` (AWS, "How to prevent object overwrites with
//! conditional writes" and "How to perform conditional deletes").

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use buildhub_http::Backoff;
use bytes::Bytes;

use super::super::versioned::{Kind, Version, Versioned};
use super::super::{Created, ObjectHeaders, ObjectStore as _, StoreError, StoreErrorKind};
use super::S3Store;

/// How often a write is offered that met another at the same moment.
const ROUNDS: u32 = 6;
/// The waits between them.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// What a conditional request was answered.
enum Refusal {
    /// 412, or 404: it is not the version any more.
    Changed,
    /// 409 `ConditionalRequestConflict`: another request was at the object at the same moment. Ask again.
    Conflict,
    /// Anything else.
    Fault,
}

impl S3Store {
    pub(super) async fn read_versioned(&self, key: &str, limit: usize) -> Result<Versioned, StoreError> {
        let (object, etag) = self.open(key).await?;
        let Some(etag) = etag else {
            let reason = "the server told no ETag; is it an S3 server?";
            return Err(StoreError::new(StoreErrorKind::Other, "read", self.url(key), reason));
        };
        Ok(Versioned { bytes: object.bytes(key, limit).await?, version: Version(Kind::ETag(etag)) })
    }

    /// Writes an object where there is none, again where another was being written at the same moment and came to nothing.
    pub(super) async fn create_in_turn(&self, key: &str, bytes: &Bytes) -> Result<bool, StoreError> {
        for round in 0..ROUNDS {
            wait(round).await;
            match self.create_with(key, bytes.clone(), &ObjectHeaders::default()).await? {
                Created::Done => return Ok(true),
                Created::Exists => return Ok(false),
                // What came of the other writer shows in whether there is one now.
                Created::Conflict if self.head(key).await.is_ok() => return Ok(false),
                Created::Conflict => {}
            }
        }
        Err(self.contended("write", key))
    }

    pub(super) async fn replace_version(
        &self,
        key: &str,
        bytes: Bytes,
        version: &Version,
    ) -> Result<Option<Version>, StoreError> {
        let Kind::ETag(etag) = &version.0 else { return Ok(None) };
        for round in 0..ROUNDS {
            wait(round).await;
            let request = self.client.put_object().bucket(&self.bucket).key(self.full(key)).if_match(etag);
            match request.body(ByteStream::from(bytes.clone())).send().await {
                Ok(answer) => match answer.e_tag() {
                    Some(etag) => return Ok(Some(Version(Kind::ETag(etag.to_owned())))),
                    None => return self.own_write(key, &bytes).await,
                },
                Err(error) => match refusal(&error) {
                    Refusal::Changed => return self.own_write(key, &bytes).await,
                    Refusal::Conflict => {}
                    Refusal::Fault => return Err(self.fault("write", key, &error)),
                },
            }
        }
        Err(self.contended("write", key))
    }

    pub(super) async fn remove_version(&self, key: &str, version: &Version) -> Result<bool, StoreError> {
        let Kind::ETag(etag) = &version.0 else { return Ok(false) };
        for round in 0..ROUNDS {
            wait(round).await;
            let request = self.client.delete_object().bucket(&self.bucket).key(self.full(key)).if_match(etag);
            match request.send().await {
                Ok(_) => return Ok(true),
                Err(error) => match refusal(&error) {
                    Refusal::Changed => return Ok(false),
                    Refusal::Conflict => {}
                    Refusal::Fault => return Err(self.fault("delete", key, &error)),
                },
            }
        }
        Err(self.contended("delete", key))
    }

    /// A write whose answer was lost is sent again by the SDK, and then refused because of itself. So what is refused is
    /// looked for: where it is there, it was written.
    async fn own_write(&self, key: &str, bytes: &Bytes) -> Result<Option<Version>, StoreError> {
        match self.read_versioned(key, bytes.len()).await {
            Ok(found) if found.bytes == *bytes => Ok(Some(found.version)),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind, StoreErrorKind::NotFound | StoreErrorKind::TooLarge) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn contended(&self, operation: &'static str, key: &str) -> StoreError {
        let reason = format!("others were at it at the same moment, {ROUNDS} times; try again later");
        StoreError::new(StoreErrorKind::Transient, operation, self.url(key), reason)
    }
}

fn refusal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Refusal {
    match error.raw_response().map(|answer| answer.status().as_u16()) {
        Some(412) => Refusal::Changed,
        Some(404) if error.code() != Some("NoSuchBucket") => Refusal::Changed,
        Some(409) => Refusal::Conflict,
        _ => Refusal::Fault,
    }
}

async fn wait(round: u32) {
    if round > 0 {
        BACKOFF.pause(round - 1).await;
    }
}
