//! The messages of the queue, one after another; the queue hands one over at a time.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use buildhub_core::Deadline;
use buildhub_core::event::{BatchResponse, Message};
use buildhub_environments::build::BuildError;
use futures::FutureExt as _;

use crate::order::{self, Ask};
use crate::{Context, Error, metrics};

/// With less time than this nothing more is begun.
const LEAST: Duration = Duration::from_secs(20);

/// Works on messages; says which must come again.
pub(crate) async fn handle(messages: Vec<Message>, context: &Context, deadline: Deadline) -> BatchResponse {
    let mut again = Vec::new();
    for message in messages {
        if deadline.is_within(LEAST) || !work(&message, context, deadline).await {
            again.push(message.id);
        }
    }
    again.into_iter().collect()
}

/// Works on one message; whether it is done with.
async fn work(message: &Message, context: &Context, deadline: Deadline) -> bool {
    let ask = match Ask::of_message(&message.body) {
        Ok(ask) => ask,
        // The same bytes will be none the next time either.
        Err(error) => {
            tracing::error!(message = message.id, %error, "a message asks for no environment and is dropped");
            metrics::failed();
            return true;
        }
    };
    // A panic is this message's affair: it is in the log and reported by now, and the others go on.
    let handling = AssertUnwindSafe(Box::pin(order::publish(&ask, context, deadline))).catch_unwind();
    let (environment, received) = (ask.name(), message.receives);
    match handling.await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) if may_pass(&error) => {
            tracing::error!(environment, received, %error, "an environment was not published; its message comes again");
            metrics::retried();
            false
        }
        Ok(Err(error)) => {
            tracing::error!(environment, %error, "an environment cannot be published; the others go on");
            metrics::failed();
            true
        }
        Err(_) => {
            tracing::error!(environment, "the publisher broke; the message comes again");
            metrics::retried();
            false
        }
    }
}

/// Whether the same may succeed later, by itself.
fn may_pass(error: &Error) -> bool {
    use buildhub_core::store::StoreErrorKind;
    match error {
        Error::Build(error) => BuildError::is_transient(error),
        Error::Order(error) => error.is_transient(),
        Error::Definitions(error) => error.kind == StoreErrorKind::Transient,
        _ => false,
    }
}
