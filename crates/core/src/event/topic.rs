//! Events inside SNS: the function called by a topic, or a topic's envelope in a queue's message.

use serde_json::Value;

use super::{Envelope, EventError, describe, json_in};

/// What a topic delivered: its message is text, which holds the next envelope.
pub(super) fn delivered(sns: &Value, depth: u8) -> Result<Envelope, EventError> {
    let message = sns.get("Message").and_then(Value::as_str).ok_or_else(|| no_message(sns))?;
    Envelope::read_at(&json_in("SNS", message)?, depth + 1)
}

/// A topic's call of the function. Its records are gathered; each that cannot be read is so by itself.
pub(super) fn records(records: &[Value], depth: u8) -> Envelope {
    let mut events = Vec::with_capacity(records.len());
    let mut is_a_test = false;
    for record in records {
        match record.get("Sns").map_or_else(|| Err(no_message(record)), |sns| delivered(sns, depth)) {
            Ok(Envelope::Objects(found)) => events.extend(found),
            Ok(Envelope::Test) => is_a_test = true,
            // A topic passes on what others publish; a batch of a queue's messages is none of that.
            Ok(Envelope::Schedule | Envelope::Messages(_)) => events.push(Err(not_an_object())),
            Err(error) => events.push(Err(error)),
        }
    }
    if events.is_empty() && is_a_test { Envelope::Test } else { Envelope::Objects(events) }
}

fn no_message(found: &Value) -> EventError {
    EventError::malformed("SNS", &format!("it has no Message ({})", describe(found)))
}

fn not_an_object() -> EventError {
    EventError::malformed("SNS", &"its message is about no object")
}
