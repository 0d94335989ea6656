//! What an object is beside its bytes: the headers it is written and served with, and addresses that open it for a while.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use bytes::Bytes;

use super::S3Store;
use super::fault::NO_BUCKET;
use crate::store::{Attributes, ObjectHeaders, StoreError, StoreErrorKind};

/// What a bucket tells of an object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Size and date.
    pub attributes: Attributes,
    /// What it was written with.
    pub headers: ObjectHeaders,
}

/// What came of writing an object on condition that there is none by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was written.
    Done,
    /// There is one already: it was left alone.
    Exists,
    /// Another was being written at the same moment, and which of them stands is not known: try again (S3's
    /// `409 ConditionalRequestConflict`; AWS, "How to prevent object overwrites with conditional writes").
    Conflict,
}

impl Created {
    /// What a refused condition means; `None` of any other fault.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Option<Self> {
        match error.raw_response().map(|answer| answer.status().as_u16()) {
            Some(412) => Some(Self::Exists),
            Some(409) => Some(Self::Conflict),
            _ => None,
        }
    }
}

impl S3Store {
    /// Whether there is the bucket at all: `NoBucket` where there is none. A missing key and a missing bucket are the same
    /// to a `HEAD` of an object, for its answer has no body (AWS, `HeadObject`).
    pub async fn check_bucket(&self) -> Result<(), StoreError> {
        const REACH: &str = "reach";
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(match self.fault(REACH, "", &error) {
                error if error.is_not_found() => {
                    StoreError::new(StoreErrorKind::NoBucket, REACH, error.object, NO_BUCKET)
                }
                error => error,
            }),
        }
    }

    /// Size, date and headers of an object. `NotFound` when there is none.
    pub async fn details(&self, key: &str) -> Result<Details, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full(key));
        let answer = request.send().await.map_err(|error| self.fault("read", key, &error))?;
        let attributes = self.attributes(key, answer.content_length(), answer.last_modified())?;
        let headers = ObjectHeaders {
            content_type: answer.content_type,
            content_disposition: answer.content_disposition,
            metadata: answer.metadata.unwrap_or_default().into_iter().collect(),
        };
        Ok(Details { attributes, headers })
    }

    /// Writes an object whole with its headers, unless there is one by this key.
    pub async fn create_with(&self, key: &str, bytes: Bytes, headers: &ObjectHeaders) -> Result<Created, StoreError> {
        let metadata = headers.metadata.clone().into_iter().collect();
        let request = self.client.put_object().bucket(&self.bucket).key(self.full(key)).body(ByteStream::from(bytes));
        let request = request
            .set_content_type(headers.content_type.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_metadata(Some(metadata))
            .if_none_match("*");
        match request.send().await {
            Ok(_) => Ok(Created::Done),
            Err(error) => Created::of(&error).ok_or_else(|| self.fault("write", key, &error)),
        }
    }

    /// An address by which anyone may read the object until `expires` is over (at most a week; less where the credentials
    /// end before). Nothing is sent, so whether there is such an object is not known. It carries a signature: it is not
    /// for logs.
    pub async fn presign_get(&self, key: &str, expires: Duration) -> Result<String, StoreError> {
        let signed = self.request(key).presigned(self.presigning(key, expires)?).await;
        let signed = signed.map_err(|error| self.fault("sign the address of", key, &error))?;
        Ok(signed.uri().to_owned())
    }

    /// The same for who asks by `HEAD`: a signature is of one method (AWS, "Authenticating requests: using query parameters").
    pub async fn presign_head(&self, key: &str, expires: Duration) -> Result<String, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full(key));
        let signed = request.presigned(self.presigning(key, expires)?).await;
        let signed = signed.map_err(|error| self.fault("sign the address of", key, &error))?;
        Ok(signed.uri().to_owned())
    }

    fn presigning(&self, key: &str, expires: Duration) -> Result<PresigningConfig, StoreError> {
        PresigningConfig::expires_in(expires).map_err(|error| {
            StoreError::new(StoreErrorKind::Other, "sign the address of", self.url(key), error.to_string())
        })
    }
}
