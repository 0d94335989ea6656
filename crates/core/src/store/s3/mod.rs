//! An Amazon S3 bucket, or one of a server that speaks like it, as an object store.

mod body;
mod client;
mod fault;
mod file;
mod multipart;
mod object;
mod settings;
mod versioned;

use std::error::Error;
use std::path::Path;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use jiff::Timestamp;

pub use client::{S3, Stores};
pub use multipart::{COPY_MAX, PART_MIN, PARTS_MAX, Part, Unfinished, Upload};
pub use object::{Created, Details};
pub use settings::S3Settings;

use super::{
    Attributes, Entry, Listing, Object, ObjectHeaders, ObjectStore, Sent, StoreError, StoreErrorKind, Version,
    Versioned,
};

/// The objects of one bucket, or those below one prefix of it.
///
/// A `put` is one `PutObject`, which S3 shows whole or not at all, and takes up to 5 GB. A body that breaks off while
/// it is read goes on from there, as long as the object is still the same one.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Store {
    fn new(client: Client, bucket: &str, prefix: &str) -> Self {
        Self { client, bucket: bucket.to_owned(), prefix: prefix.to_owned() }
    }

    fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The object as a person would name it.
    fn url(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.bucket, self.prefix)
    }

    fn request(&self, key: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.bucket).key(self.full(key))
    }

    fn fault<E>(&self, operation: &'static str, key: &str, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (kind, reason) = fault::describe(error);
        StoreError::new(kind, operation, self.url(key), reason)
    }

    /// An object, and its `ETag`.
    async fn open(&self, key: &str) -> Result<(Object, Option<String>), StoreError> {
        let answer = self.request(key).send().await.map_err(|error| self.fault("read", key, &error))?;
        let attributes = self.attributes(key, answer.content_length(), answer.last_modified())?;
        let etag = answer.e_tag().map(str::to_owned);
        let key = key.to_owned();
        let (body, size) = (answer.body, attributes.size);
        let reading = body::Reading { store: self.clone(), key, body, size, etag: etag.clone() };
        Ok((Object { attributes, body: reading.into_stream() }, etag))
    }

    fn attributes(&self, key: &str, size: Option<i64>, modified: Option<&DateTime>) -> Result<Attributes, StoreError> {
        let size = size.and_then(|size| u64::try_from(size).ok());
        let modified = modified.and_then(|time| Timestamp::new(time.secs(), 0).ok());
        if let (Some(size), Some(last_modified)) = (size, modified) {
            return Ok(Attributes { size, last_modified });
        }
        let reason = "the server told no size or no date; is it an S3 server?";
        Err(StoreError::new(StoreErrorKind::Other, "read", self.url(key), reason))
    }

    /// Whether a write on condition that there is nothing was done.
    async fn settle(&self, key: &str, created: Created) -> Result<bool, StoreError> {
        match created {
            Created::Done => Ok(true),
            Created::Exists => Ok(false),
            // What came of the other writer shows in whether there is one now.
            Created::Conflict if self.head(key).await.is_ok() => Ok(false),
            Created::Conflict => {
                let reason = "another was being written at the same moment; try again";
                Err(StoreError::new(StoreErrorKind::Transient, "write", self.url(key), reason))
            }
        }
    }

    /// Adds one page of a listing, with keys as the store's callers write them.
    fn add_page(&self, folder: &str, page: ListObjectsV2Output, listing: &mut Listing) -> Result<(), StoreError> {
        let relative = |key: &str| key.strip_prefix(self.prefix.as_str()).map(str::to_owned);
        let folders = page.common_prefixes.unwrap_or_default();
        listing.folders.extend(folders.iter().filter_map(|found| relative(found.prefix()?)));
        for object in page.contents.unwrap_or_default() {
            let Some(key) = object.key().and_then(relative) else { continue };
            // Consoles make an empty object to show a folder; it is no object of ours.
            if key != folder {
                let attributes = self.attributes(&key, object.size(), object.last_modified())?;
                listing.objects.push(Entry { key, attributes });
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn get(&self, key: &str) -> Result<Object, StoreError> {
        Ok(self.open(key).await?.0)
    }

    async fn head(&self, key: &str) -> Result<Attributes, StoreError> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full(key));
        let answer = request.send().await.map_err(|error| self.fault("read", key, &error))?;
        self.attributes(key, answer.content_length(), answer.last_modified())
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let request = self.client.put_object().bucket(&self.bucket).key(self.full(key)).body(ByteStream::from(bytes));
        request.send().await.map(drop).map_err(|error| self.fault("write", key, &error))
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<bool, StoreError> {
        self.create_in_turn(key, &bytes).await
    }

    async fn create_from(
        &self,
        key: &str,
        file: &Path,
        headers: &ObjectHeaders,
        sent: Sent<'_>,
    ) -> Result<bool, StoreError> {
        self.create_from_file(key, file, headers, sent).await
    }

    async fn read(&self, key: &str, limit: usize) -> Result<Versioned, StoreError> {
        self.read_versioned(key, limit).await
    }

    async fn replace(&self, key: &str, bytes: Bytes, version: &Version) -> Result<Option<Version>, StoreError> {
        self.replace_version(key, bytes, version).await
    }

    async fn remove(&self, key: &str, version: &Version) -> Result<bool, StoreError> {
        self.remove_version(key, version).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.full(key));
        match request.send().await.map_err(|error| self.fault("delete", key, &error)) {
            // S3 answers 204 where there was none; servers that answer 404 mean the same.
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.full(prefix)).delimiter("/");
        let mut pages = request.into_paginator().send();
        let mut listing = Listing::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.fault("list", prefix, &error))?;
            self.add_page(prefix, page, &mut listing)?;
        }
        Ok(listing)
    }

    async fn list_all(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.full(prefix));
        let mut pages = request.into_paginator().send();
        let mut listing = Listing::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.fault("list", prefix, &error))?;
            self.add_page(prefix, page, &mut listing)?;
        }
        Ok(listing.objects)
    }

    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.full(prefix));
        let after = (!after.is_empty()).then(|| self.full(after));
        let mut pages = request.set_start_after(after).into_paginator().send();
        let mut listing = Listing::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.fault("list", prefix, &error))?;
            self.add_page(prefix, page, &mut listing)?;
            if listing.objects.len() >= limit {
                listing.objects.truncate(limit);
                break;
            }
        }
        Ok(listing.objects)
    }

    fn describe(&self) -> String {
        self.url("")
    }
}
