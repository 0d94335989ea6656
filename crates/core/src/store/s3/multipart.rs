//! Objects that are written in parts, and are not there until they are completed.

use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MultipartUpload};
use bytes::Bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{Created, S3Store};
use crate::store::{ObjectHeaders, StoreError, StoreErrorKind};

/// The smallest part but the last (AWS, "Amazon S3 multipart upload limits").
pub const PART_MIN: usize = 5 << 20;
/// The most parts of an upload.
pub const PARTS_MAX: u32 = 10_000;
/// The most bytes that one part copies.
pub const COPY_MAX: u64 = 5 << 30;

/// What stands as it is in the name of an object to copy from.
const SOURCE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An upload that was begun. It costs storage until it is completed or aborted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The key of the object that is to be.
    pub key: String,
    /// The bucket's name for the upload.
    pub id: String,
}

/// A part that the bucket has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its place, from 1.
    pub number: u32,
    /// What the bucket calls its bytes.
    pub etag: String,
    /// The CRC-32 that the bucket checked it by, in base64, where it did: it asks for it again at the end (AWS, "Checking
    /// object integrity in Amazon S3").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
}

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The upload.
    pub upload: Upload,
    /// When it was begun.
    pub begun: Timestamp,
}

impl S3Store {
    /// Begins an upload. The headers are fixed from here on.
    pub async fn begin(&self, key: &str, headers: &ObjectHeaders) -> Result<Upload, StoreError> {
        let metadata = headers.metadata.clone().into_iter().collect();
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(self.full(key));
        let request = request
            .set_content_type(headers.content_type.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_metadata(Some(metadata));
        let answer = request.send().await.map_err(|error| self.fault("begin an upload of", key, &error))?;
        let id = answer.upload_id.ok_or_else(|| self.nameless("begin an upload of", key))?;
        Ok(Upload { key: key.to_owned(), id })
    }

    /// Sends a part: [`PART_MIN`] bytes or more, unless it is the last one. Sent again, it replaces itself.
    pub async fn part(&self, upload: &Upload, number: u32, bytes: Bytes) -> Result<Part, StoreError> {
        const WRITE: &str = "write a part of";
        let request = self.client.upload_part().bucket(&self.bucket).key(self.full(&upload.key)).upload_id(&upload.id);
        let request = request.part_number(self.number(upload, number)?).body(ByteStream::from(bytes));
        // Its CRC-32 is signed and the bucket checks it, so a hash of the bytes for the signature would be work for nothing.
        let answer = request.customize().disable_payload_signing().send().await;
        let answer = answer.map_err(|error| self.fault(WRITE, &upload.key, &error))?;
        let etag = answer.e_tag.ok_or_else(|| self.nameless(WRITE, &upload.key))?;
        Ok(Part { number, etag, crc32: answer.checksum_crc32 })
    }

    /// Makes a part of a range of another object of this bucket ([`COPY_MAX`] bytes at most), without its bytes coming by
    /// here.
    pub async fn copy_part(
        &self,
        upload: &Upload,
        number: u32,
        source: &str,
        range: Range<u64>,
    ) -> Result<Part, StoreError> {
        const COPY: &str = "copy a part of";
        let path = format!("{}/{}", self.bucket, self.full(source));
        let request = self.client.upload_part_copy().bucket(&self.bucket).key(self.full(&upload.key));
        let request = request
            .upload_id(&upload.id)
            .part_number(self.number(upload, number)?)
            .copy_source(utf8_percent_encode(&path, SOURCE).to_string())
            .copy_source_range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let answer = request.send().await.map_err(|error| self.fault(COPY, source, &error))?;
        let copied = answer.copy_part_result.ok_or_else(|| self.nameless(COPY, source))?;
        let etag = copied.e_tag.ok_or_else(|| self.nameless(COPY, source))?;
        Ok(Part { number, etag, crc32: copied.checksum_crc32 })
    }

    /// Puts the parts together, in the order of their numbers, unless there is an object by that key: only now is there
    /// one. Where it is not [`Created::Done`] the upload stands until it is aborted.
    ///
    /// `NotFound` when the upload is not there: it was aborted, or completed by a request whose answer was lost.
    pub async fn complete(&self, upload: &Upload, mut parts: Vec<Part>) -> Result<Created, StoreError> {
        const COMPLETE: &str = "complete the upload of";
        parts.sort_unstable_by_key(|part| part.number);
        let mut completed = Vec::with_capacity(parts.len());
        for part in parts {
            let number = self.number(upload, part.number)?;
            let made = CompletedPart::builder().part_number(number).e_tag(part.etag).set_checksum_crc32(part.crc32);
            completed.push(made.build());
        }
        let whole = CompletedMultipartUpload::builder().set_parts(Some(completed)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(self.full(&upload.key));
        let request = request.upload_id(&upload.id).multipart_upload(whole).if_none_match("*");
        match request.send().await {
            Ok(_) => Ok(Created::Done),
            Err(error) => Created::of(&error).ok_or_else(|| self.fault(COMPLETE, &upload.key, &error)),
        }
    }

    /// Gives an upload up and frees its parts; nothing happens when it is not there.
    pub async fn abort(&self, upload: &Upload) -> Result<(), StoreError> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(self.full(&upload.key));
        match request.upload_id(&upload.id).send().await.map_err(|error| self.fault("abort", &upload.key, &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    /// The uploads of keys that begin with `prefix` which are neither completed nor aborted: at most `limit` of them.
    pub async fn uploads(&self, prefix: &str, limit: usize) -> Result<Vec<Unfinished>, StoreError> {
        let (mut found, mut key_marker, mut id_marker) = (Vec::new(), None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(self.full(prefix));
            let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = request.send().await.map_err(|error| self.fault("list the uploads of", prefix, &error))?;
            found.extend(page.uploads().iter().filter_map(|upload| self.unfinished(upload)));
            if found.len() >= limit || page.is_truncated() != Some(true) || page.next_key_marker().is_none() {
                found.truncate(limit);
                return Ok(found);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    fn unfinished(&self, upload: &MultipartUpload) -> Option<Unfinished> {
        let key = upload.key()?.strip_prefix(self.prefix.as_str())?.to_owned();
        let begun = Timestamp::new(upload.initiated()?.secs(), 0).ok()?;
        Some(Unfinished { upload: Upload { key, id: upload.upload_id()?.to_owned() }, begun })
    }

    /// A part's number, as the protocol has it.
    fn number(&self, upload: &Upload, number: u32) -> Result<i32, StoreError> {
        let counts = (1..=PARTS_MAX).contains(&number);
        let number = i32::try_from(number).ok().filter(|_| counts);
        number.ok_or_else(|| {
            let reason = format!("an upload has parts 1 to {PARTS_MAX}; make them larger");
            StoreError::new(StoreErrorKind::Other, "write a part of", self.url(&upload.key), reason)
        })
    }

    /// An answer that lacks what every S3 server gives.
    fn nameless(&self, operation: &'static str, key: &str) -> StoreError {
        let reason = "the server's answer names nothing to go on with; is it an S3 server?";
        StoreError::new(StoreErrorKind::Other, operation, self.url(key), reason)
    }
}
