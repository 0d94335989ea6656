//! The Lambda function that publishes build environments.
//!
//! A schedule's turn plans: each definition becomes a message of the queue. Each message is one environment, resolved,
//! built where it is another than before, and published ([`buildhub_environments::build`]). Called with a definition, or
//! with the key of one, the function publishes just that, at once, and answers what came of it.
//!
//! [`handler`] is a plain function of a payload, a context and a deadline, so that a test and Lambda's runtime call the
//! same thing. One environment that cannot be made takes no other with it.

mod context;
mod messages;
mod metrics;
mod order;
mod plan;

use buildhub_core::Deadline;
use buildhub_core::event::{BatchResponse, Envelope, EventError};
use buildhub_core::queue::QueueError;
use buildhub_core::store::StoreError;
use buildhub_environments::build::{BuildError, OrderError};
use serde::Serialize;
use serde_json::Value;

pub use context::{Context, StartError};
pub use order::{Ask, Published};
pub use plan::Planned;

/// The function's answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a queue: which of its messages come again.
    Batch(BatchResponse),
    /// To a schedule: what is to be made.
    Planned(Planned),
    /// To one who asked for an environment.
    Published(Box<Published>),
}

/// Why an invocation failed. Lambda tries an asynchronous one again, and a queue all of its messages.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
    /// It is none of the things that are asked of this function.
    #[error(
        "this function is called by a schedule, by its queue, or with {{\"key\": …}} or {{\"name\": …, \"definition\": …}}: \
         {reason}"
    )]
    Ask {
        /// What is wrong with it.
        reason: String,
    },
    /// The definitions cannot be listed.
    #[error(transparent)]
    Definitions(#[from] StoreError),
    /// The messages cannot be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The definition that was asked for cannot be used.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The environment that was asked for cannot be published.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Event(_) | Error::Ask { .. } => "Trigger",
            Error::Definitions(_) => "Definitions",
            Error::Queue(_) => "Queue",
            Error::Order(_) => "Definition",
            Error::Build(BuildError::DoesNotFit { .. }) => "DoesNotFit",
            Error::Build(_) => "Build",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Handles one event.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Answer, Error> {
    if let Some(ask) = Ask::of_payload(&payload)? {
        let published = Box::pin(order::publish(&ask, context, deadline)).await?;
        return Ok(Answer::Published(Box::new(published)));
    }
    match Envelope::read(&payload)? {
        Envelope::Schedule => Ok(Answer::Planned(plan::plan(context).await?)),
        Envelope::Messages(messages) => Ok(Answer::Batch(messages::handle(messages, context, deadline).await)),
        Envelope::Objects(_) | Envelope::Test => {
            Err(Error::Ask { reason: "it was called by an event of an object; mend the trigger".to_owned() })
        }
    }
}
