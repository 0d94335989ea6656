//! What can go wrong, in Kinto's words and in ours.

use std::fmt;

use buildhub_http::{Answer, HttpError};
use serde::Deserialize;
use serde_json::Value;

/// An operation that failed. Each says on what, and what a person can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KintoError {
    /// The server could not be reached, broke off, or asks for more patience than the settings allow.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// 401: the server does not know who asks.
    #[error("{what}: the server does not know this user; check the user and password (or token)")]
    Unauthorized {
        /// What was asked of which object.
        what: String,
    },
    /// 403: known, but not allowed. Kinto says this also of a bucket that does not exist.
    #[error("{what}: this user is not allowed to; check that the bucket exists and gives this user the permission")]
    Forbidden {
        /// What was asked of which object.
        what: String,
    },
    /// 405: the server takes no writes for now.
    #[error("{what}: the server is read-only (maintenance?); nothing was written, run again when it takes writes")]
    ReadOnly {
        /// What was asked of which object.
        what: String,
    },
    /// 404, errno 111: the bucket or the collection does not exist.
    #[error("{what}: there is no {missing}; create it first (initialisation does)")]
    Missing {
        /// What was asked of which object.
        what: String,
        /// The object that is not there: `collection "releases"`.
        missing: String,
    },
    /// 5xx (or 409, 429) to the end of the attempts.
    #[error("{what}: the server keeps failing ({fault}); look at its log and its heartbeat")]
    Unavailable {
        /// What was asked of which object.
        what: String,
        /// What the server said last.
        fault: Fault,
    },
    /// The server refuses the request as it is.
    #[error("{what}: refused ({fault})")]
    Refused {
        /// What was asked of which object.
        what: String,
        /// What the server said.
        fault: Fault,
    },
    /// What answers is no Kinto, or not the one the address means.
    #[error("{what}: the answer is not Kinto's ({reason}); does the server's address end in /v1?")]
    NotKinto {
        /// What was asked of which object.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// An id Kinto cannot have (`^[a-zA-Z0-9][a-zA-Z0-9_-]*$`).
    #[error("{id:?} cannot be a {kind}'s id: letters, digits, - and _, the first a letter or digit")]
    BadId {
        /// `bucket`, `collection` or `record`.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// The next page is on another server; credentials are not taken there.
    #[error("{what}: the next page is at {url}, which is not this server; check the public address Kinto is set to")]
    ForeignPage {
        /// What was asked of which object.
        what: String,
        /// Where the page is.
        url: String,
    },
    /// Others kept changing the object between looking and writing.
    #[error("{what}: changed by others {attempts} times between looking and writing; try again when it is quiet")]
    Contended {
        /// What was asked of which object.
        what: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Many records in a row broke the server although its heartbeat is well: the records are not to blame.
    #[error("{what}: {count} records in a row failed ({fault}) though the server's heartbeat is well; look at its log")]
    EverythingFails {
        /// What was asked of which object.
        what: String,
        /// How many.
        count: usize,
        /// What the server said last.
        fault: Fault,
    },
    /// A record that cannot be written as JSON.
    #[error("{what}: cannot be written as JSON: {source}")]
    Json {
        /// What was to be written.
        what: String,
        /// Why not.
        source: serde_json::Error,
    },
}

impl KintoError {
    /// Whether the same call may work later, nothing being wrong with what was asked.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(error) => error.is_transient(),
            Self::Unavailable { .. } | Self::ReadOnly { .. } | Self::Contended { .. } => true,
            _ => false,
        }
    }

    /// The error for an answer that is no success.
    pub(crate) fn from_fault(what: String, fault: Fault) -> Self {
        match fault.status {
            401 => Self::Unauthorized { what },
            403 => Self::Forbidden { what },
            405 => Self::ReadOnly { what },
            404 if fault.errno == Fault::MISSING_PARENT => Self::Missing { what, missing: fault.missing() },
            409 | 429 | 500.. => Self::Unavailable { what, fault },
            300..=399 => Self::NotKinto { what, reason: fault.to_string() },
            _ => Self::Refused { what, fault },
        }
    }
}

/// Kinto's own account of a fault (its documentation, "Error responses").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Kinto's number for the kind of fault; 0 when the answer carried none.
    pub errno: u32,
    /// The message, or the beginning of an answer that is not Kinto's.
    pub message: String,
    /// What is wrong where; an object with `existing` for a failed precondition. `Null` when there is nothing.
    pub details: Value,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    errno: u32,
    error: Option<String>,
    message: Option<String>,
    #[serde(default)]
    details: Value,
}

impl Fault {
    /// 404 of a parent object: the bucket or the collection.
    pub const MISSING_PARENT: u32 = 111;

    /// Characters kept of an answer that is not Kinto's.
    const EXCERPT: usize = 200;

    pub(crate) fn from_body(status: u16, body: &[u8]) -> Self {
        let Ok(wire) = serde_json::from_slice::<Wire>(body) else {
            let text = String::from_utf8_lossy(body).trim().chars().take(Self::EXCERPT).collect();
            return Self { status, errno: 0, message: text, details: Value::Null };
        };
        let message = wire.message.or(wire.error).unwrap_or_default();
        Self { status, errno: wire.errno, message, details: wire.details }
    }

    pub(crate) fn of(answer: &Answer) -> Self {
        let status = answer.status.as_u16();
        match answer.header("location") {
            Some(place) if answer.status.is_redirection() => {
                Self { status, errno: 0, message: format!("it moved to {place}"), details: Value::Null }
            }
            _ => Self::from_body(status, &answer.body),
        }
    }

    /// The fault of something that got no answer, or was not sent.
    pub(crate) fn unsent(reason: &impl fmt::Display) -> Self {
        Self { status: 0, errno: 0, message: reason.to_string(), details: Value::Null }
    }

    /// The record that stood in the way of a conditional write.
    pub fn existing(&self) -> Option<&Value> {
        self.details.get("existing")
    }

    fn missing(&self) -> String {
        let text = |name| self.details.get(name).and_then(Value::as_str);
        let kind = text("resource_name").unwrap_or("bucket or collection");
        text("id").map_or_else(|| kind.to_owned(), |id| format!("{kind} {id:?}"))
    }

    /// Where and what, one text for each detail Kinto gave: `body target.os: 'amiga' is not one of …`.
    pub fn descriptions(&self) -> Vec<String> {
        let Value::Array(details) = &self.details else { return Vec::new() };
        let text = |detail: &Value, name: &str| detail.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let line = |detail| {
            let place = format!("{} {}", text(detail, "location"), text(detail, "name"));
            format!("{}: {}", place.trim(), text(detail, "description"))
        };
        details.iter().map(line).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.errno) {
            (0, _) => return f.write_str(&self.message),
            (status, 0) => write!(f, "{status}")?,
            (status, errno) => write!(f, "{status} errno {errno}")?,
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_is_not_kintos_is_quoted_at_its_beginning() {
        let fault = Fault::from_body(502, b"<html>Bad Gateway</html>");
        assert_eq!(fault.to_string(), "502: <html>Bad Gateway</html>");
    }

    #[test]
    fn a_schema_fault_says_where() {
        let body = json!({"errno": 107, "error": "Invalid parameters", "message": "no", "details": [
            {"location": "body", "name": "target.os", "description": "'amiga' is not one of []"}]});
        let fault = Fault::from_body(400, body.to_string().as_bytes());
        assert_eq!(fault.descriptions(), ["body target.os: 'amiga' is not one of []"]);
    }
}
