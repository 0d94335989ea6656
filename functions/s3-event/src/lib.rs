//! Events about objects as a Lambda function: an archive that was uploaded is a record within seconds.
//!
//! [`handle`] is a plain function of a payload, a context and a deadline, so that a test, the command line and Lambda's
//! runtime call the same thing; [`handler`] is the same with the answer Lambda wants. Each event is handled by itself,
//! several of one object once. What can never be handled is logged with its reason, counted and acknowledged; what may be
//! another time comes again: from a queue that message alone, else the whole invocation.

mod batch;
pub mod item;
mod metrics;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use buildhub_core::event::{BatchResponse, Envelope, EventError, ObjectEvent};
use buildhub_core::store::S3Settings;
use buildhub_core::{Deadline, Variables};
use buildhub_indexer::ConnectError;
use buildhub_indexer::events::order::latest;
use buildhub_indexer::events::{self, EventFault, Events};
use futures::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use batch::{Batch, Group};
pub use item::{Failure, Item, Outcome};

/// Objects handled at the same time.
const PARALLEL: usize = 8;

/// What is left of the time when an event that is not done is given up, so that the others are answered for. A quarter of
/// the time, where that is less.
const MARGIN: Duration = Duration::from_secs(3);

/// What a function keeps from one invocation to the next: settings, and connections made when first needed.
#[derive(Debug)]
pub struct Context {
    events: Events,
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, ConnectError> {
        S3Settings::from_variables(variables)?;
        Ok(Self { events: Events::from_variables(variables)? })
    }
}

/// What became of a payload.
#[derive(Debug)]
pub struct Handling {
    /// Every event, and every message that could not be read.
    pub items: Vec<Item>,
    is_of_queue: bool,
}

/// The function's answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a queue: which of its messages come again.
    Batch(BatchResponse),
    /// To anybody else: how many events are done.
    Done {
        /// Events handled, or acknowledged for good.
        events: usize,
    },
}

/// Why an invocation failed. Lambda tries an asynchronous one again, and a queue all of its messages.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A batch of messages cannot be told apart.
    #[error(transparent)]
    Batch(EventError),
    /// Events are to come again, which came in no queue.
    #[error("{count} of the events could not be handled now, the first because {reason}")]
    Retry {
        /// How many.
        count: usize,
        /// Why the first could not.
        reason: String,
    },
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Batch(_) => "Batch",
            Error::Retry { .. } => "Retry",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Handles a payload for Lambda.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Answer, Error> {
    let handling = handle(&payload, context, deadline).await?;
    metrics::emit(&handling.items, Timestamp::now());
    handling.answer()
}

/// Handles a payload: what became of each event in it. An error only where messages of a queue cannot be told apart.
pub async fn handle(payload: &Value, context: &Context, deadline: Deadline) -> Result<Handling, Error> {
    let batch = match Envelope::read(payload) {
        Err(error @ EventError::Malformed { envelope: "SQS", .. }) => return Err(Error::Batch(error)),
        envelope => Batch::of(envelope),
    };
    let margin = deadline.remaining().map_or(MARGIN, |left| MARGIN.min(left / 4));
    let Batch { groups, done: mut items, is_of_queue, .. } = batch;
    let handled = stream::iter(groups).map(|group| handle_group(group, context, deadline, margin));
    let handled: Vec<Vec<Item>> = handled.buffer_unordered(PARALLEL).collect().await;
    items.extend(handled.into_iter().flatten());
    for item in &items {
        item.log();
    }
    Ok(Handling { items, is_of_queue })
}

/// The events of one object: handled as one, answered for each.
async fn handle_group(group: Group, context: &Context, deadline: Deadline, margin: Duration) -> Vec<Item> {
    let events: Vec<&ObjectEvent> = group.iter().map(|(_, event)| event).collect();
    let mut requests = 0;
    let mut outcome = None;
    for event in latest(&events) {
        // A panic is this item's affair: it is in the log and reported by now, and the others go on.
        let handling = AssertUnwindSafe(context.events.handle(&event, Timestamp::now())).catch_unwind();
        let failed = |fault| events::Answer { result: Err(fault), requests: 0 };
        let answer = match deadline.allow(margin, handling).await {
            None => failed(EventFault::Late),
            Some(Err(_)) => failed(EventFault::Broken),
            Some(Ok(answer)) => answer,
        };
        requests += answer.requests;
        let next = Outcome::from(&answer.result);
        // Should one of them come again, all do; else what was done says more than that nothing was.
        let is_said = |said: &Outcome| said.is_retry() || said.changed_records() && !next.is_retry();
        if !outcome.as_ref().is_some_and(is_said) {
            outcome = Some(next);
        }
    }
    let now = Timestamp::now();
    let ignored = || Outcome::Failed(Failure::Refused { reason: "it has no event".to_owned() });
    let outcome = outcome.unwrap_or_else(ignored);
    let items = group.iter().enumerate().map(|(at, (message, event))| {
        let requests = if at == 0 { requests } else { 0 };
        Item { is_first: at == 0, ..Item::of(message.as_deref(), event, outcome.clone(), requests, now) }
    });
    items.collect()
}

impl Handling {
    /// Whether something is to come again.
    pub fn must_be_retried(&self) -> bool {
        self.items.iter().any(|item| item.outcome.is_retry())
    }

    /// What Lambda is answered.
    pub fn answer(self) -> Result<Answer, Error> {
        let failed: Vec<&Item> = self.items.iter().filter(|item| item.outcome.is_retry()).collect();
        if self.is_of_queue {
            // A message may hold several events; it comes again once.
            let ids: std::collections::BTreeSet<&str> =
                failed.iter().filter_map(|item| item.message.as_deref()).collect();
            return Ok(Answer::Batch(ids.into_iter().collect()));
        }
        match failed.first().map(|item| &item.outcome) {
            Some(Outcome::Failed(Failure::Retry { reason, .. })) => {
                Err(Error::Retry { count: failed.len(), reason: reason.clone() })
            }
            _ => Ok(Answer::Done { events: self.items.len() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use buildhub_indexer::archive::{Archive, ArchiveError, FileFacts, Folder};
    use serde_json::json;

    use super::*;

    /// An archive on which the program breaks.
    #[derive(Debug)]
    struct Breaking;

    #[async_trait]
    impl Archive for Breaking {
        async fn get(&self, key: &str) -> Result<Option<bytes::Bytes>, ArchiveError> {
            panic!("at {key}")
        }

        async fn head(&self, key: &str) -> Result<Option<FileFacts>, ArchiveError> {
            panic!("at {key}")
        }

        async fn list(&self, key: &str) -> Result<Folder, ArchiveError> {
            panic!("at {key}")
        }
    }

    #[tokio::test]
    async fn an_item_on_which_the_program_breaks_comes_again_alone() {
        let variables = Variables::default().with("INITIALIZE_SERVER", "false");
        let mut context = Context::from_variables(&variables).unwrap();
        context.events = context.events.reading(Arc::new(Breaking));
        let message = |id: &str, key: &str| {
            let event = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "eventSource": "aws:s3",
                "s3": { "bucket": { "name": "builds" }, "object": { "key": key } } }] });
            json!({ "messageId": id, "body": event.to_string(), "eventSource": "aws:sqs" })
        };
        let build = "pub/firefox/releases/60.0/win32/fr/Firefox+Setup+60.0.exe";
        let payload = json!({ "Records": [message("sound", "pub/firefox/notes.html"), message("broken", build)] });
        let answer = handle(&payload, &context, Deadline::NONE).await.unwrap().answer().unwrap();
        let Answer::Batch(again) = answer else { panic!("a batch is answered as one") };
        assert_eq!(again.failed().collect::<Vec<_>>(), ["broken"]);
    }
}
