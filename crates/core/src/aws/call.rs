//! One signed call of a service that speaks JSON.
//!
//! Parameter Store's SDK has hundreds of operations for the one that is needed, and takes two minutes to compile; so the
//! call is put together from the parts the SDKs themselves are made of: their signatures, tries and time limits.

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use serde_json::Value;

use super::fault::Fault;
use super::{AwsSettings, Service};
use crate::Secret;

/// Tries of a call, the first included: a start has no time for more.
const TRIES: u32 = 3;

/// What is asked of a service.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) service: Service,
    /// Region and address of the service, where the settings name no other server.
    pub(super) region: String,
    pub(super) address: String,
    /// The operation by its whole name (`AmazonSSM.GetParameter`).
    pub(super) target: &'static str,
    pub(super) body: Value,
    /// Where in the answer the text is that is wanted, as a JSON pointer (RFC 6901).
    pub(super) wanted: &'static str,
}

/// An answer that says no.
#[derive(Debug, thiserror::Error)]
#[error("the service said no")]
struct Refusal(ErrorMetadata);

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl Call {
    /// Makes the call; `None` where the answer lacks what is wanted.
    pub(super) async fn send(self, settings: &AwsSettings) -> Result<Option<Secret>, Fault> {
        let config = super::load(settings).await;
        let address = settings.endpoint.clone().unwrap_or_else(|| self.address.clone());
        let wanted = self.wanted;
        let builder = Operation::builder()
            .service_name(self.service.signing_name())
            .operation_name(self.target)
            .with_connection_poisoning()
            .endpoint_url(&address)
            .standard_retry(&RetryConfig::standard().with_max_attempts(TRIES))
            .retry_classifier(TransientErrorClassifier::<Refusal>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(AwsErrorCodeClassifier::<Refusal>::new())
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .runtime_plugin(self.signed(&config));
        let builder = match config.http_client() {
            Some(http) => builder.http_client(http),
            None => builder,
        };
        let builder = match config.sleep_impl() {
            Some(sleep) => builder.sleep_impl(sleep),
            None => builder,
        };
        let operation = builder
            .serializer(|call: Self| call.request())
            .deserializer(move |answer: &HttpResponse| text(answer, wanted))
            .build();
        operation.invoke(self).await.map_err(|error: SdkError<Refusal, HttpResponse>| Fault::of(&error))
    }

    /// Signatures; and answers that are not to be logged, at whatever level.
    fn signed(&self, config: &SdkConfig) -> StaticRuntimePlugin {
        let mut layer = Layer::new("Signed");
        layer.store_put(SensitiveOutput);
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(Region::new(self.region.clone()))),
            name: Some(SigningName::from_static(self.service.signing_name())),
            ..SigV4OperationSigningConfig::default()
        });
        let components = RuntimeComponentsBuilder::new("Signed")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])));
        let components = match config.credentials_provider() {
            Some(credentials) => components.with_identity_resolver(SCHEME_ID, credentials),
            None => components,
        };
        StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
    }

    fn request(&self) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
        let request = http::Request::builder()
            .method("POST")
            .uri("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", self.target)
            .body(SdkBody::from(self.body.to_string()))?;
        Ok(request.try_into()?)
    }
}

/// The wanted text of an answer, or what it says instead.
fn text(answer: &HttpResponse, wanted: &str) -> Result<Option<Secret>, OrchestratorError<Refusal>> {
    let body = serde_json::from_slice::<Value>(answer.body().bytes().unwrap_or_default()).unwrap_or_default();
    if answer.status().is_success() {
        return Ok(body.pointer(wanted).and_then(Value::as_str).map(Secret::new));
    }
    let field = |name| body.get(name).and_then(Value::as_str);
    let mut meta = ErrorMetadata::builder();
    // The name stands behind its namespace.
    if let Some(code) = field("__type").and_then(|code| code.rsplit('#').next()) {
        meta = meta.code(code);
    }
    if let Some(message) = field("message").or_else(|| field("Message")) {
        meta = meta.message(message);
    }
    Err(OrchestratorError::operation(Refusal(meta.build())))
}
