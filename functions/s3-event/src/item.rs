//! What became of one event, to be printed, logged and counted.

use buildhub_core::event::{EventError, ObjectEvent};
use buildhub_indexer::events::{EventFault, Handled};
use jiff::Timestamp;
use serde::Serialize;

/// One event, or one message that could not be read, and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// The message it came in, where it came from a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The object's bucket; absent where the event could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The object's key, decoded; absent where the event could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Milliseconds from the event to the end of its handling, where the event says its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<u64>,
    /// Requests to the archive; those for several events of one object stand with the first of them.
    pub requests: u64,
    /// Whether it is the first of the events of its object that came together, which are handled as one.
    #[serde(skip)]
    pub is_first: bool,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It was handled.
    Handled(Handled),
    /// It was not.
    Failed(Failure),
}

/// Why an event was not handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Failure {
    /// S3 trying out a notification: there is nothing to do.
    Test,
    /// It can never be; it is acknowledged.
    Refused {
        /// Why.
        reason: String,
    },
    /// It may be another time: it is to come again.
    Retry {
        /// Why.
        reason: String,
        /// Whether all of them will until a person repairs it.
        #[serde(skip)]
        needs_a_person: bool,
    },
}

impl From<&Result<Handled, EventFault>> for Outcome {
    fn from(result: &Result<Handled, EventFault>) -> Self {
        match result {
            Ok(handled) => Self::Handled(handled.clone()),
            Err(fault) if fault.is_transient() => {
                let (reason, needs_a_person) = (fault.to_string(), fault.needs_a_person());
                Self::Failed(Failure::Retry { reason, needs_a_person })
            }
            Err(fault) => Self::Failed(Failure::Refused { reason: fault.to_string() }),
        }
    }
}

impl Outcome {
    /// Whether the event is to come again.
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Failed(Failure::Retry { .. }))
    }

    /// Whether records were written or removed.
    pub(crate) fn changed_records(&self) -> bool {
        match self {
            Self::Handled(Handled::Stored(stored)) => stored.created + stored.updated > 0,
            Self::Handled(Handled::Removed { records }) => *records > 0,
            _ => false,
        }
    }

    /// Its name, as it is printed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Handled(Handled::Stored(_)) => "stored",
            Self::Handled(Handled::WithoutMetadata) => "without_metadata",
            Self::Handled(Handled::WithoutArchives) => "without_archives",
            Self::Handled(Handled::Ignored { .. }) => "ignored",
            Self::Handled(Handled::Removed { .. }) => "removed",
            Self::Handled(Handled::Gone) => "gone",
            Self::Failed(Failure::Test) => "test",
            Self::Failed(Failure::Refused { .. }) => "refused",
            Self::Failed(Failure::Retry { .. }) => "retry",
        }
    }
}

impl Item {
    /// Of an event that could be read.
    pub fn of(message: Option<&str>, event: &ObjectEvent, outcome: Outcome, requests: u64, now: Timestamp) -> Self {
        let delay = event.time.map(|time| now.duration_since(time).as_millis());
        Self {
            message: message.map(str::to_owned),
            bucket: Some(event.bucket.clone()),
            key: Some(event.key.to_string()),
            outcome,
            delay: delay.map(|delay| u64::try_from(delay).unwrap_or_default()),
            requests,
            is_first: true,
        }
    }

    /// Of something else than an event of an object.
    pub fn without_object(message: Option<&str>, failure: Failure) -> Self {
        let (message, outcome) = (message.map(str::to_owned), Outcome::Failed(failure));
        Self { message, bucket: None, key: None, outcome, delay: None, requests: 0, is_first: true }
    }

    /// Of something that could not be read: it never can be.
    pub fn unreadable(message: Option<&str>, error: &EventError) -> Self {
        Self::without_object(message, Failure::Refused { reason: error.to_string() })
    }

    /// One line into the log.
    pub fn log(&self) {
        let (message, bucket, key) = (self.message.as_deref(), self.bucket.as_deref(), self.key.as_deref());
        let (outcome, requests) = (self.outcome.name(), self.requests);
        match &self.outcome {
            Outcome::Failed(Failure::Retry { reason, needs_a_person: true }) => {
                tracing::error!(
                    message_id = message,
                    bucket,
                    key,
                    outcome,
                    requests,
                    reason,
                    "to be repaired by a person"
                );
            }
            Outcome::Failed(Failure::Retry { reason, .. }) => {
                tracing::warn!(message_id = message, bucket, key, outcome, requests, reason, "to come again");
            }
            Outcome::Failed(Failure::Refused { reason }) => {
                tracing::error!(message_id = message, bucket, key, outcome, requests, reason, "refused for good");
            }
            Outcome::Handled(Handled::Ignored { reason }) => {
                tracing::info!(message_id = message, bucket, key, outcome, requests, reason, "handled");
            }
            Outcome::Handled(Handled::Stored(stored)) if !stored.refused.is_empty() => {
                let reason = stored.refused.join("; ");
                tracing::error!(
                    message_id = message,
                    bucket,
                    key,
                    outcome,
                    requests,
                    reason,
                    "some records are refused"
                );
            }
            _ => tracing::info!(message_id = message, bucket, key, outcome, requests, "handled"),
        }
    }
}
