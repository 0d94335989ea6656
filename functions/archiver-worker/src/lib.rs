//! The Lambda function that copies source archives into every region.
//!
//! Its queue's messages each name a task ([`buildhub_archiver::work`]); a schedule's turn sweeps
//! ([`buildhub_archiver::sweep`]). [`handler`] is a plain function of a payload, a context and a deadline, so that a test
//! and Lambda's runtime call the same thing. Each message is answered for by itself: what failed comes again.

mod messages;
mod metrics;

use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::sweep::{Sweeper, Swept};
use buildhub_archiver::task::{TaskError, Tasks};
use buildhub_archiver::work::Worker;
use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::event::{BatchResponse, Envelope, EventError};
use buildhub_core::queue::Queues;
use buildhub_core::{Deadline, SettingError, Variables};
use buildhub_http::HttpError;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;

/// What a function keeps from one invocation to the next: settings, and connections made when first needed.
#[derive(Debug)]
pub struct Context {
    settings: ArchiverSettings,
    queue: String,
    sqs: AwsSettings,
    parts: OnceCell<Parts>,
}

#[derive(Debug)]
struct Parts {
    worker: Worker,
    sweeper: Sweeper,
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        let settings = ArchiverSettings::from_variables(variables)?;
        let sqs = AwsSettings::from_variables(variables, Service::Sqs)?;
        Ok(Self { queue: settings.queue()?.to_owned(), settings, sqs, parts: OnceCell::new() })
    }

    async fn parts(&self) -> Result<&Parts, HttpError> {
        let connect = async || {
            let tasks = Tasks::new(self.settings.tasks_store().await);
            let regions = Regions::open(&self.settings.regions).await;
            let queue = Queues::new(self.sqs.clone()).open(&self.queue).await;
            let sweeper = Sweeper::new(tasks.clone(), regions.clone(), queue.clone());
            Ok(Parts { worker: Worker::new(&self.settings, tasks, regions, queue)?, sweeper })
        };
        self.parts.get_or_try_init(connect).await
    }
}

/// The function's answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a queue: which of its messages come again.
    Batch(BatchResponse),
    /// To a schedule: what was swept.
    Swept(Swept),
}

/// Why an invocation failed. Lambda tries an asynchronous one again, and a queue all of its messages.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It is an event of something else.
    #[error("this function is called by its queue and by a schedule, not by events of objects; mend the trigger")]
    Other,
    /// Sources cannot be asked at all.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The tasks cannot be listed.
    #[error(transparent)]
    Tasks(#[from] TaskError),
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Event(_) | Error::Other => "Trigger",
            Error::Http(_) => "Connect",
            Error::Tasks(_) => "Tasks",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Handles one event.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Answer, Error> {
    let messages = match Envelope::read(&payload)? {
        Envelope::Messages(messages) => messages,
        Envelope::Schedule => {
            let swept = context.parts().await?.sweeper.sweep(Timestamp::now(), deadline).await?;
            tracing::info!(?swept, "swept");
            metrics::of_sweep(&swept, Timestamp::now());
            return Ok(Answer::Swept(swept));
        }
        Envelope::Objects(_) | Envelope::Test => return Err(Error::Other),
    };
    let worker = &context.parts().await?.worker;
    Ok(Answer::Batch(messages::handle(worker, messages, deadline).await))
}
