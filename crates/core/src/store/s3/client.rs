//! One client for all buckets.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::OnceCell;

use super::super::{FolderStore, Location, SharedStore};
use super::{S3Settings, S3Store, Signing};

/// Tries of one request, the first included; between them the SDK waits, longer each time and with jitter.
const ATTEMPTS: u32 = 5;
/// A server that cannot be reached in this time is down.
const CONNECT: Duration = Duration::from_secs(5);
/// From the first byte sent to the answer's first byte. Bodies that stall later are the SDK's stalled-stream
/// protection's affair.
const ANSWER: Duration = Duration::from_mins(1);
/// One request with all its tries, the streaming of its body apart.
const OPERATION: Duration = Duration::from_mins(5);

/// A connection to S3: cheap to clone, shared by all its buckets.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
}

impl S3 {
    /// Makes the client. Nothing is sent; credentials are looked for with the first request, and then only where the
    /// settings do not give them.
    pub async fn connect(settings: &S3Settings) -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER).operation_timeout(OPERATION).build();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(settings.region.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        let loader = match &settings.signing {
            Signing::Unsigned => loader.no_credentials(),
            Signing::Key { id, secret, token } => {
                let token = token.as_ref().map(|token| token.expose().to_owned());
                loader.credentials_provider(Credentials::new(id, secret.expose(), token, None, "settings"))
            }
            Signing::Found => loader,
        };
        let loader = match &settings.endpoint {
            Some(url) => loader.endpoint_url(url),
            None => loader,
        };
        let config = aws_sdk_s3::config::Builder::from(&loader.load().await).force_path_style(settings.path_style);
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
