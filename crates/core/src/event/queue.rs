//! Batches of a queue's messages, and what a function answers to them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Envelope, EventError, json_in};

/// A message of an SQS queue, as Lambda hands it to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id: what a [`BatchResponse`] calls it by.
    pub id: String,
    /// By what the queue knows that it was received, this time; empty where it does not say.
    pub receipt: String,
    /// The queue's ARN.
    pub queue: String,
    /// How often it was received, this time included; at least 1.
    pub receives: u32,
    /// In a FIFO queue, its group: nothing of it may be taken before what comes again.
    pub group: Option<String>,
    /// What was sent.
    pub body: String,
}

impl Message {
    /// Reads the body as an envelope of its own, by the rules of [`Envelope::read`].
    pub fn read(&self) -> Result<Envelope, EventError> {
        Envelope::read_at(&json_in("SQS", &self.body)?, 1)
    }
}

/// Which messages of a batch come again: a function's answer to a queue (AWS, "Implementing partial batch responses").
/// The event source must be set to `ReportBatchItemFailures`. All others are done and deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

impl BatchResponse {
    /// The ids of the messages that come again.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str())
    }
}

/// From the ids of the messages that are to come again.
impl<S: Into<String>> FromIterator<S> for BatchResponse {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        let failures = ids.into_iter().map(|id| Failure { item_identifier: id.into() });
        Self { batch_item_failures: failures.collect() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    #[serde(default)]
    receipt_handle: String,
    #[serde(default, rename = "eventSourceARN")]
    event_source_arn: String,
    #[serde(default)]
    attributes: Attributes,
    body: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    /// A number, written as text.
    #[serde(default)]
    approximate_receive_count: String,
    message_group_id: Option<String>,
}

/// One message of a batch. Without its id it could not come again alone: then the whole batch cannot be read.
pub(super) fn message(record: &Value, depth: u8) -> Result<Message, EventError> {
    if depth > 0 {
        return Err(EventError::malformed("SQS", &"a batch of messages lies inside another envelope"));
    }
    let record = Record::deserialize(record).map_err(|error| EventError::malformed("SQS", &error))?;
    let receives = record.attributes.approximate_receive_count.parse().unwrap_or(1);
    Ok(Message {
        id: record.message_id,
        receipt: record.receipt_handle,
        queue: record.event_source_arn,
        receives,
        group: record.attributes.message_group_id,
        body: record.body,
    })
}
