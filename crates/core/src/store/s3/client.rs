//! One client for all buckets.

use std::sync::Arc;

use aws_sdk_s3::Client;
use tokio::sync::OnceCell;

use super::super::{FolderStore, Location, SharedStore};
use super::{S3Settings, S3Store};

/// A connection to S3: cheap to clone, shared by all its buckets.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// Makes the client. Nothing is sent; credentials are looked for with the first request, and then only where the
    /// settings do not give them.
    pub async fn connect(settings: &S3Settings) -> Self {
        let config = aws_sdk_s3::config::Builder::from(&crate::aws::load(&settings.aws).await);
        let config = config.force_path_style(settings.path_style);
        Self { client: Client::from_conf(config.build()) }
    }

    /// The objects of a bucket below `prefix` (empty, or ending in `/`).
    pub fn bucket(&self, bucket: &str, prefix: &str) -> S3Store {
        S3Store::new(self.client.clone(), bucket, prefix)
    }
}

/// Opens locations. The S3 client is made when the first bucket is asked for, so that work on folders alone needs
/// neither certificates nor credentials.
#[derive(Debug)]
pub struct Stores {
    settings: S3Settings,
    s3: OnceCell<S3>,
}

impl Stores {
    /// Stores whose buckets are reached by `settings`.
    pub fn new(settings: S3Settings) -> Self {
        Self { settings, s3: OnceCell::new() }
    }

    /// The store at a location. Nothing is asked of it yet.
    pub async fn open(&self, location: &Location) -> SharedStore {
        match location {
            Location::Folder(path) => Arc::new(FolderStore::new(path)),
            Location::S3 { bucket, prefix } => {
                let s3 = self.s3.get_or_init(|| S3::connect(&self.settings)).await;
                Arc::new(s3.bucket(bucket, prefix))
            }
        }
    }
}
