//! Self-serve's API as a Lambda function, behind an HTTP API or a function URL (payload format 2.0).
//!
//! What is answered, `buildhub_self_serve::api` decides; here payloads become requests, and answers payloads.

use std::sync::Arc;
use std::time::Duration;

use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::metrics::{self, Metrics};
use buildhub_core::queue::Queues;
use buildhub_core::web::{Answer, PayloadError, Request, StatusCode};
use buildhub_core::{Deadline, SettingError, Variables};
use buildhub_http::HttpError;
use buildhub_kinto::KintoError;
use buildhub_self_serve::api::{Api, ApiSettings, Parts};
use buildhub_self_serve::backend::{Backend, BackendError};
use buildhub_self_serve::builds::Builds;
use buildhub_self_serve::config::Documents;
use buildhub_self_serve::jobs::Jobs;
use buildhub_self_serve::settings::{Connections, queue};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// What a function keeps from one invocation to the next: settings, and connections made when first needed.
#[derive(Debug)]
pub struct Context {
    settings: ApiSettings,
    jobs: Jobs,
    builds: Builds,
    backend: Arc<dyn Backend>,
    documents: Arc<Documents>,
    queue: String,
    queues: Queues,
    api: OnceCell<Api>,
}

/// Why the function does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no client for the store.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// There is none for the build system.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// There is none for documents.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use. Nothing is sent yet.
    pub fn from_variables(variables: &Variables) -> Result<Self, StartError> {
        let Connections { store, backend, documents } = Connections::from_variables(variables)?;
        let client = store.client()?;
        Ok(Self {
            settings: ApiSettings::from_variables(variables)?,
            jobs: Jobs::new(&client, &store.bucket)?,
            builds: Builds::new(&client, &store.bucket)?,
            backend: backend.open()?,
            documents: Arc::new(documents.open()?),
            queue: queue(variables)?,
            queues: Queues::new(AwsSettings::from_variables(variables, Service::Sqs)?),
            api: OnceCell::new(),
        })
    }

    async fn api(&self) -> &Api {
        let open = async || {
            let parts = Parts {
                jobs: self.jobs.clone(),
                builds: self.builds.clone(),
                backend: Arc::clone(&self.backend),
                documents: Arc::clone(&self.documents),
                queue: self.queues.open(&self.queue).await,
            };
            Api::new(self.settings.clone(), parts)
        };
        self.api.get_or_init(open).await
    }
}

/// Why an invocation failed: what is wrong with a request is an answer, and no fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload is no request.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: "Payload".to_owned(), error_message: error.to_string() }
    }
}

/// Answers a request for Lambda.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Answer, Error> {
    let begun = Instant::now();
    let request = Request::from_payload(&payload)?;
    let response = Box::pin(context.api().await.answer(&request, Timestamp::now(), deadline)).await;
    let status = response.status;
    tracing::info!(request = request.id, method = %request.method, path = request.path, status = status.as_u16(), "answered");
    emit(&request.id, status, context.builds.take_unreadable(), begun.elapsed());
    Ok(response.into())
}

/// Writes the numbers of an invocation to standard output, where Lambda's log takes them from.
fn emit(request: &str, status: StatusCode, faults: u64, took: Duration) {
    let mut numbers = Metrics::new("self-serve-api").with("request", request);
    let is_denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    for (metric, is_it) in [
        (&metrics::REQUESTS_ANSWERED, !status.is_client_error() && !status.is_server_error()),
        (&metrics::REQUESTS_DENIED, is_denied),
        (&metrics::REQUESTS_REFUSED, status.is_client_error() && !is_denied),
        (&metrics::REQUESTS_UNAVAILABLE, status.is_server_error()),
    ] {
        numbers.count(metric, u64::from(is_it));
    }
    numbers.count(&metrics::FAULTS, faults);
    numbers.duration(&metrics::ANSWER_DURATION, took);
    numbers.emit(Timestamp::now());
}
