//! What all of Amazon's services share: where they are, what requests to them are signed with, how long they are waited
//! for, and what the SDK's errors mean.

mod arn;
mod call;
pub(crate) mod fault;
pub mod secrets;
mod settings;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

pub use settings::{AwsSettings, Service, Signing};

/// Tries of one request, the first included; between them the SDK waits, longer each time and with jitter.
const ATTEMPTS: u32 = 5;
/// A server that cannot be reached in this time is down.
const CONNECT: Duration = Duration::from_secs(5);
/// From the first byte sent to the answer's first byte. Bodies that stall later are the SDK's stalled-stream
/// protection's affair.
const ANSWER: Duration = Duration::from_mins(1);
/// One request with all its tries, the streaming of its body apart.
const OPERATION: Duration = Duration::from_mins(5);

/// What a service's client is made of. Nothing is sent; credentials are looked for with the first request, and then
/// only where the settings do not give them.
pub(crate) async fn load(settings: &AwsSettings) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
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
    loader.load().await
}
