//! Writes on their way to the server, and what became of them.

use buildhub_http::Answer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::client::parse;
use crate::{Collection, Condition, Fault, KintoError};

/// A record to be written whole.
#[derive(Debug, Clone)]
pub struct Write {
    /// The record's id.
    pub id: String,
    /// The record as JSON, sent as it stands.
    pub data: Box<RawValue>,
    /// Under which condition.
    pub condition: Condition,
}

impl Write {
    /// An unconditional write of ready-made JSON.
    pub fn new(id: impl Into<String>, data: Box<RawValue>) -> Self {
        Self { id: id.into(), data, condition: Condition::None }
    }

    /// An unconditional write of a value.
    pub fn of<T: Serialize>(id: impl Into<String>, data: &T) -> Result<Self, KintoError> {
        let id = id.into();
        match serde_json::value::to_raw_value(data) {
            Ok(data) => Ok(Self::new(id, data)),
            Err(source) => Err(KintoError::Json { what: format!("write {id}"), source }),
        }
    }

    /// The same write under a condition.
    #[must_use]
    pub fn when(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }

    /// The bytes it takes in a batch, about: the record, its path and its punctuation.
    pub(crate) fn size(&self, path: &str) -> usize {
        const PUNCTUATION: usize = 80;
        self.data.get().len() + self.id.len() + path.len() + PUNCTUATION
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Outcome {
    /// It is stored.
    Stored {
        /// The record's new date, in milliseconds.
        last_modified: u64,
    },
    /// The record is another than the condition says; nothing was written.
    Conflict {
        /// The record that stands there; `None` where there is none (a stale `If-Match`).
        existing: Option<Value>,
    },
    /// The server does not take this record, or breaks on it; nothing was written.
    Refused(Fault),
}

impl Outcome {
    /// Whether it is stored.
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    data: &'a RawValue,
}

/// A record as the body of its own request.
pub(crate) fn envelope(data: &RawValue) -> Vec<u8> {
    // Valid JSON in, valid JSON out: writing to memory cannot fail.
    serde_json::to_vec(&Envelope { data }).unwrap_or_default()
}

#[derive(Serialize)]
struct Wire<'a> {
    defaults: Defaults,
    requests: Vec<WireItem<'a>>,
}

#[derive(Serialize)]
struct Defaults {
    method: &'static str,
}

#[derive(Serialize)]
struct WireItem<'a> {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<serde_json::Map<String, Value>>,
    body: Envelope<'a>,
}

/// Where a collection's records are, as a batch names them.
pub(crate) fn records_path(collection: &Collection) -> String {
    format!("/buckets/{}/collections/{}/records/", collection.bucket, collection.name)
}

/// The body of a batch.
pub(crate) fn body(path: &str, writes: &[Write]) -> Vec<u8> {
    let requests = writes.iter().map(|write| WireItem::new(path, write)).collect();
    // Valid JSON in, valid JSON out: writing to memory cannot fail.
    serde_json::to_vec(&Wire { defaults: Defaults { method: "PUT" }, requests }).unwrap_or_default()
}

impl<'a> WireItem<'a> {
    fn new(path: &str, write: &'a Write) -> Self {
        let header = write.condition.header();
        Self {
            path: format!("{path}{}", write.id),
            headers: header.map(|(name, value)| [(name.to_string(), value.into())].into_iter().collect()),
            body: Envelope { data: &write.data },
        }
    }
}

/// The answers to a batch.
#[derive(Deserialize)]
pub(crate) struct Answers<'a> {
    #[serde(borrow)]
    pub(crate) responses: Vec<Item<'a>>,
}

/// The answer to one write of a batch.
#[derive(Deserialize)]
pub(crate) struct Item<'a> {
    pub(crate) status: u16,
    #[serde(default)]
    path: String,
    #[serde(borrow)]
    pub(crate) body: &'a RawValue,
}

impl<'a> Answers<'a> {
    /// Reads a batch's answers, which must be those of the writes, in their order.
    pub(crate) fn read(what: &str, answer: &'a Answer, writes: &[Write]) -> Result<Self, KintoError> {
        let answers: Self = parse(what, &answer.body)?;
        let fits = answers.responses.len() == writes.len()
            && answers.responses.iter().zip(writes).all(|(item, write)| item.path.ends_with(&write.id));
        if fits {
            Ok(answers)
        } else {
            let reason = format!("{} answers to {} writes, or in another order", answers.responses.len(), writes.len());
            Err(KintoError::NotKinto { what: what.to_owned(), reason })
        }
    }

    /// The first item that says that the whole batch was rolled back.
    pub(crate) fn rolled_back(&self) -> Option<&Item<'a>> {
        self.responses.iter().find(|item| rolls_back(item.status))
    }
}

/// Whether an answer to a batch says that all of it must be sent again: an item 409 or 5xx (the loss rule).
pub(crate) fn must_be_resent(answer: &Answer) -> bool {
    #[derive(Deserialize)]
    struct Statuses {
        responses: Vec<Status>,
    }
    #[derive(Deserialize)]
    struct Status {
        status: u16,
    }
    answer.status.as_u16() == 409
        || answer.status.is_success()
            && serde_json::from_slice::<Statuses>(&answer.body)
                .is_ok_and(|statuses| statuses.responses.iter().any(|item| rolls_back(item.status)))
}

fn rolls_back(status: u16) -> bool {
    matches!(status, 409 | 500..)
}

#[derive(Deserialize)]
struct Written {
    data: Date,
}

#[derive(Deserialize)]
struct Date {
    last_modified: u64,
}

/// What an answer to one write means. `resent` says that the same write may have been done by an attempt whose answer
/// was lost. An error ends the whole work: it holds for every other write too.
pub(crate) fn outcome(
    what: &str,
    status: u16,
    body: &[u8],
    sent: &RawValue,
    resent: bool,
) -> Result<Outcome, KintoError> {
    if (200..300).contains(&status) {
        let written: Written = parse(what, body)?;
        return Ok(Outcome::Stored { last_modified: written.data.last_modified });
    }
    let fault = Fault::from_body(status, body);
    match status {
        412 => {
            let ours = fault.existing().filter(|existing| resent && is_same(existing, sent));
            let date = ours.and_then(|existing| existing.get("last_modified")).and_then(Value::as_u64);
            Ok(match date {
                Some(last_modified) => Outcome::Stored { last_modified },
                None => Outcome::Conflict { existing: fault.existing().cloned() },
            })
        }
        400 | 413 | 422 => Ok(Outcome::Refused(fault)),
        _ => Err(KintoError::from_fault(what.to_owned(), fault)),
    }
}

/// Whether a stored record is the one that was sent, what the server adds left out of account.
fn is_same(existing: &Value, sent: &RawValue) -> bool {
    let Ok(Value::Object(mut sent)) = serde_json::from_str(sent.get()) else { return false };
    let Value::Object(mut existing) = existing.clone() else { return false };
    for object in [&mut sent, &mut existing] {
        for added in ["id", "last_modified", "schema"] {
            object.remove(added);
        }
    }
    sent == existing
}
