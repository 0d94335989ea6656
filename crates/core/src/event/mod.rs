//! Events about objects, in the envelopes they come in.
//!
//! Each envelope has its own rule for writing keys; here they are decoded by it, and nobody decodes after.
//!
//! | from | to | read as |
//! |---|---|---|
//! | S3 | the function | [`Envelope::Objects`], or once [`Envelope::Test`] |
//! | S3 | SNS, then the function | the same, unwrapped |
//! | S3 | `EventBridge`, then the function | [`Envelope::Objects`] with one |
//! | any of these | SQS, then the function | [`Envelope::Messages`]; [`Message::read`] reads each by the same rules |
//! | a schedule | the function | [`Envelope::Schedule`] |

mod object;
mod queue;
mod topic;

use jiff::Timestamp;
use serde_json::Value;

use crate::ObjectKey;
use crate::key::KeyError;

pub use queue::{BatchResponse, Message};

/// How many envelopes may lie in one another. Three are met: a notification in SNS in SQS.
const DEEPEST: u8 = 4;

/// Something happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    /// What happened.
    pub change: Change,
    /// The object's bucket.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: ObjectKey<'static>,
    /// When it happened, where the event says so. It is the event's own time, not the object's `LastModified`.
    pub time: Option<Timestamp>,
    /// Orders the events of one key, where it is given: a hexadecimal text (AWS, "Event message structure").
    pub sequencer: Option<String>,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was written: put, copied, or completed from parts.
    Created,
    /// It was deleted, or hidden by a delete marker.
    Removed,
    /// Anything else, by its name: restored, tagged, …
    Other(String),
}

/// What a payload turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// A schedule's turn, by an EventBridge rule or EventBridge Scheduler.
    Schedule,
    /// Events about objects, each by itself: one that cannot be read takes no other with it.
    Objects(Vec<Result<ObjectEvent, EventError>>),
    /// A batch of a queue's messages, none of them read yet.
    Messages(Vec<Message>),
    /// The message S3 sends once, when notifications are configured.
    Test,
}

/// A payload, or an event in it, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is none of the envelopes.
    #[error(
        "the payload is no event known here ({found}); expected a schedule's event, an S3 object event, or either \
         through SNS, SQS or EventBridge"
    )]
    Unknown {
        /// What it looked like: its `detail-type`, or its fields.
        found: String,
    },
    /// It is one of them, with something missing or of the wrong type.
    #[error("a {envelope} event has an unexpected shape: {reason}")]
    Malformed {
        /// Which envelope it is.
        envelope: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The object's key is no text.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl EventError {
    fn malformed(envelope: &'static str, reason: &impl ToString) -> Self {
        Self::Malformed { envelope, reason: reason.to_string() }
    }
}

impl Envelope {
    /// Reads a payload: an S3 notification (AWS, "Event message structure"), an S3 event through `EventBridge` (AWS,
    /// "EventBridge event message structure"), either inside SNS (AWS, "Using Lambda with Amazon SNS"), a batch of SQS
    /// messages (AWS, "Using Lambda with Amazon SQS"), or a schedule's event.
    pub fn read(payload: &Value) -> Result<Self, EventError> {
        Self::read_at(payload, 0)
    }

    /// Reads what lies in `depth` other envelopes.
    fn read_at(payload: &Value, depth: u8) -> Result<Self, EventError> {
        if depth > DEEPEST {
            return Err(EventError::malformed("nested", &format!("more than {DEEPEST} envelopes in one another")));
        }
        if let Some(records) = payload.get("Records").and_then(Value::as_array) {
            return Self::read_records(records, depth);
        }
        if payload.get("Event").is_some_and(|event| event == "s3:TestEvent") {
            return Ok(Self::Test);
        }
        if field(payload, "Type") == "Notification" {
            return topic::delivered(payload, depth);
        }
        match (field(payload, "source"), field(payload, "detail-type")) {
            (_, "Scheduled Event") => Ok(Self::Schedule),
            ("aws.s3", kind) => Ok(Self::Objects(vec![object::through_eventbridge(payload, kind)])),
            _ => Err(EventError::Unknown { found: describe(payload) }),
        }
    }

    /// SQS, SNS and S3 all send `Records`, and each record names its source, SNS with a capital letter.
    fn read_records(records: &[Value], depth: u8) -> Result<Self, EventError> {
        let is_from = |name: &'static str, source: &'static str| move |record| field(record, name) == source;
        if records.iter().any(is_from("eventSource", "aws:sqs")) {
            let messages: Result<_, _> = records.iter().map(|record| queue::message(record, depth)).collect();
            return messages.map(Self::Messages);
        }
        if records.iter().any(is_from("EventSource", "aws:sns")) {
            return Ok(topic::records(records, depth));
        }
        Ok(Self::Objects(records.iter().map(object::notification).collect()))
    }
}

fn field<'a>(payload: &'a Value, name: &str) -> &'a str {
    payload.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Reads the text inside an envelope as JSON.
fn json_in(envelope: &'static str, text: &str) -> Result<Value, EventError> {
    serde_json::from_str(text)
        .map_err(|error| EventError::malformed(envelope, &format!("its text is no JSON: {error}")))
}

/// Enough of a payload to recognise it, and nothing of what may be secret in it: the names of its fields.
fn describe(payload: &Value) -> String {
    const MOST: usize = 8;
    match payload {
        Value::Object(fields) if fields.contains_key("detail-type") => {
            format!("detail-type {:?} from {:?}", field(payload, "detail-type"), field(payload, "source"))
        }
        Value::Object(fields) if fields.is_empty() => "an empty object".to_owned(),
        Value::Object(fields) => {
            format!("an object with {}", fields.keys().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) => "a list".to_owned(),
        _ => "neither an object nor a list".to_owned(),
    }
}

#[cfg(test)]
mod tests;
