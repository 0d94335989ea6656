//! Jobs: what was asked for, by whom, and what became of it, as records of a Kinto.
//!
//! | collection | record id | what |
//! |---|---|---|
//! | `jobs` | the job's number | a [`Job`] |
//! | `counters` | `jobs` | the number that was given last, and the store's [name](StoreId) |
//! | `keys` | a hash of who asked and their `Idempotency-Key` | which job that key is, and of what |
//!
//! Numbers are given by a conditional write, so no two jobs have one. A job is completed once, by the first who says how it
//! ended.

mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::Action;
use crate::backend::{Piece, StoreId};

pub use store::{Asked, Jobs, JobsError, Listed};

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number: 1, 2, …
    pub number: u64,
    /// What was asked for.
    #[serde(flatten)]
    pub action: Action,
    /// By whom.
    pub who: String,
    /// When, in seconds since 1970.
    pub when: i64,
    /// When it was over, if it is.
    #[serde(default)]
    pub completed_at: Option<i64>,
    /// How it ended, if it has.
    #[serde(default)]
    pub complete_data: Option<Completion>,
    /// What was done of it so far: each piece by its number, with what was started.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub steps: Map<String, Value>,
    /// How often its message was sent again, and when the last time, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
    /// Why it could not be carried out when it was tried last, if it was and is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Since when, each time it was tried, the build system lacked what it takes (seconds since 1970).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking_since: Option<i64>,
    /// The store that counts it; none for one of before stores had names. What it starts is named by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
}

/// A message that was sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// How often.
    pub times: u32,
    /// When the last time, in seconds since 1970.
    pub last: i64,
}

impl Job {
    /// A job of which nothing is done yet.
    pub fn new(number: u64, action: Action, who: &str, when: i64) -> Self {
        let who = who.to_owned();
        let (completed_at, complete_data, steps, sent, trouble, lacking_since, store) = Default::default();
        Self { number, action, who, when, completed_at, complete_data, steps, sent, trouble, lacking_since, store }
    }

    /// The name of one of the things that it starts, counted from 1.
    pub(crate) fn piece(&self, number: u32) -> Piece {
        Piece { store: self.store, job: self.number, number }
    }

    /// Whether it is still to be done.
    pub fn is_open(&self) -> bool {
        self.completed_at.is_none()
    }
}

/// How a job ended, in the shape that its users know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The job's number.
    pub request_id: u64,
    /// What there is to say.
    pub body: CompletionBody,
}

/// What there is to say of a job's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletionBody {
    /// Whether something could not be done.
    pub errors: bool,
    /// What was done, or not; a line each.
    pub msg: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_reads_as_its_users_know_it() {
        let mut job = Job::new(7, Action::CancelBuild { bid: 9 }, "alice", 1_700_000_000);
        job.completed_at = Some(1_700_000_005);
        job.complete_data =
            Some(Completion { request_id: 7, body: CompletionBody { errors: false, msg: "Ok".to_owned() } });
        let written = json!({
            "number": 7,
            "action": "cancel_build",
            "what": { "bid": 9 },
            "who": "alice",
            "when": 1_700_000_000,
            "completed_at": 1_700_000_005,
            "complete_data": { "request_id": 7, "body": { "errors": false, "msg": "Ok" } }
        });
        assert_eq!(serde_json::to_value(&job).unwrap(), written);
        assert_eq!(serde_json::from_value::<Job>(written).unwrap(), job);
    }
}
