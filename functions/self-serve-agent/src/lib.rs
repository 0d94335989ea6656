//! The Lambda function that carries out what self-serve is asked for.
//!
//! Its queue's messages each name a job ([`buildhub_self_serve::work`]). A schedule's turn looks for jobs that nobody works
//! on, and compares what is known of builds with the build system. [`handler`] is a plain function of a payload, a context
//! and a deadline, so that a test and Lambda's runtime call the same thing.
//!
//! The queue is a FIFO queue: jobs about one thing are one group, and come in the order in which they were asked for. Groups
//! are worked on side by side; where a job comes again, so do all that are behind it in its group.

mod context;
mod messages;
mod metrics;

use buildhub_core::Deadline;
use buildhub_core::event::{BatchResponse, Envelope, EventError};
use buildhub_self_serve::work::{Swept, WorkError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use context::Connected;
pub use context::{ConnectError, Context};

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
    /// The store or the build system cannot be used at all.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The jobs cannot be listed.
    #[error(transparent)]
    Sweep(#[from] WorkError),
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Event(_) | Error::Other => "Trigger",
            Error::Connect(_) => "Connect",
            Error::Sweep(_) => "Jobs",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Handles one event.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Answer, Error> {
    match Envelope::read(&payload)? {
        Envelope::Messages(messages) => {
            let Connected { agent, queue } = context.connected().await?;
            Ok(Answer::Batch(messages::handle(agent, queue.as_ref(), messages, deadline).await))
        }
        Envelope::Schedule => {
            context.initialise().await?;
            let swept = context.connected().await?.agent.sweep(Timestamp::now(), deadline).await?;
            tracing::info!(?swept, "swept");
            metrics::of_sweep(&swept, Timestamp::now());
            Ok(Answer::Swept(swept))
        }
        Envelope::Objects(_) | Envelope::Test => Err(Error::Other),
    }
}
