//! The archiver's API as a Lambda function, behind an HTTP API or a function URL (payload format 2.0).
//!
//! What is answered, `buildhub_archiver::api` decides; here payloads become requests, and answers payloads.

use std::time::Duration;

use buildhub_archiver::api::Api;
use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::task::Tasks;
use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::metrics::{self, Metrics};
use buildhub_core::queue::Queues;
use buildhub_core::web::{Answer, PayloadError, Request};
use buildhub_core::{Deadline, SettingError, Variables};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::Instant;

/// What a function keeps from one invocation to the next: settings, and connections made when first needed.
#[derive(Debug)]
pub struct Context {
    settings: ArchiverSettings,
    queue: String,
    queues: Queues,
    api: OnceCell<Api>,
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        let settings = ArchiverSettings::from_variables(variables)?;
        let queue = settings.queue()?.to_owned();
        let queues = Queues::new(AwsSettings::from_variables(variables, Service::Sqs)?);
        Ok(Self { settings, queue, queues, api: OnceCell::new() })
    }

    async fn api(&self) -> &Api {
        let open = async || {
            let regions = Regions::open(&self.settings.regions).await;
            let tasks = Tasks::new(self.settings.tasks_store().await);
            Api::new(&self.settings, regions.into(), tasks, self.queues.open(&self.queue).await)
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
pub async fn handler(payload: Value, context: &Context, _: Deadline) -> Result<Answer, Error> {
    let begun = Instant::now();
    let request = Request::from_payload(&payload)?;
    let answered = context.api().await.answer(&request, Timestamp::now()).await;
    let status = answered.response.status.as_u16();
    tracing::info!(request = request.id, method = %request.method, path = request.path, status, "answered");
    let mut numbers = Metrics::new("archiver-api").with("request", request.id);
    answered.outcome.count(&mut numbers);
    emit(numbers, begun.elapsed());
    Ok(answered.response.into())
}

/// Writes the numbers of an invocation to standard output, where Lambda's log takes them from.
fn emit(mut numbers: Metrics, took: Duration) {
    numbers.duration(&metrics::ANSWER_DURATION, took);
    numbers.emit(Timestamp::now());
}
