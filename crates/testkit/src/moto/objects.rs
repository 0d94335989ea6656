//! Buckets and objects.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;

use super::{Moto, MotoError};

/// What stands as it is in the path of a request to S3.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Moto {
    /// Makes a bucket.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), MotoError> {
        let request = self.request(Method::PUT, "s3", &format!("/{bucket}"));
        self.ask("CreateBucket", request).await.map(drop)
    }

    /// Writes an object, and tells whoever is to be told.
    pub async fn put_object(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> Result<(), MotoError> {
        let request = self.request(Method::PUT, "s3", &path(bucket, key)).body(bytes.into());
        self.ask("PutObject", request).await.map(drop)
    }

    /// Reads an object whole.
    pub async fn get_object(&self, bucket: &str, key: &str) -> Result<String, MotoError> {
        self.ask("GetObject", self.request(Method::GET, "s3", &path(bucket, key))).await
    }

    /// The keys of a bucket that begin with `prefix`: the first thousand.
    pub async fn object_keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, MotoError> {
        let prefix = utf8_percent_encode(prefix, KEY);
        let request = self.request(Method::GET, "s3", &format!("/{bucket}?list-type=2&prefix={prefix}"));
        let listing = self.ask("ListObjectsV2", request).await?;
        // Keys with characters that XML escapes are not asked for here.
        let keys = listing.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        Ok(keys.map(str::to_owned).collect())
    }

    /// Removes an object, and tells whoever is to be told.
    pub async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), MotoError> {
        self.ask("DeleteObject", self.request(Method::DELETE, "s3", &path(bucket, key))).await.map(drop)
    }
}

fn path(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{}", utf8_percent_encode(key, KEY))
}
