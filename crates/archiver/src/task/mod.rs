//! A task: who works on an archive, and what those who wait are told.
//!
//! A task is a small JSON object, `<id>.json` in the folder of tasks, and each change of it is a conditional write: of
//! two who act on the same version one does, and the other looks again. What becomes of a task is decided by functions
//! of the task and the time alone ([`Task::ask`], [`Task::take`], [`Task::look_after`]):
//!
//! ```text
//!             asked for                       taken by a worker
//!  (nothing) ───────────► PENDING ─────────────────────────────► STARTED ──► SUCCESS ──► (removed after a day)
//!       ▲                   ▲  │ nobody takes it, sent again        │  ▲          │
//!       │   asked for again │  └──────────► REVOKED                 │  │          └── a region lacks it: taken again,
//!       └── when it is over ┴───────────────────────── FAILURE ◄────┤  │              and stays SUCCESS meanwhile
//!                                                                   ▼  │
//!                                                                  RETRY: the source may answer another time
//! ```
//!
//! Each time it is asked for anew it has another *generation*, and a message of an older one is nobody's order any more.
//! A worker holds a *lease*: until it is over, nobody else works on the task; renewing it says how far the worker is.

mod message;
mod status;
mod step;
mod store;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::copy::Checkpoint;

pub use message::Message;
pub use status::Status;
pub use step::{Asked, Due, LEASE, MAX_ATTEMPTS, Taken};
pub use store::{Stored, TaskError, Tasks};

/// What a task is about. It does not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The source's name, `hgmo`.
    pub source: String,
    /// The archive's address at its source.
    pub url: String,
    /// The key that the archive is to have in every region.
    pub key: String,
    /// What kind of archive it is, as it stands in names: `tar.gz`.
    pub suffix: String,
}

/// A task as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    pub id: String,
    /// What it is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// How often it was asked for, counted where an earlier one was over: from 1.
    pub generation: u64,
    /// When this generation was asked for.
    pub asked: Timestamp,
    /// When it was written last.
    pub changed: Timestamp,
    /// When a message about it was last to be sent.
    pub sent: Timestamp,
    /// How often it was sent again since anybody took it.
    pub sends: u32,
    /// How often a worker began with it, in this generation.
    pub attempts: u32,
    /// How far it is.
    pub state: State,
    /// Who works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// The regions that a worker dealt with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, Place>,
    /// Where a worker whose time was over left off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// How far a task is. Every state has its text for those who ask ([`Task::status`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has begun.
    Pending,
    /// A worker has begun; whether it lives, its lease says.
    Started,
    /// The source may answer another time.
    Retry {
        /// No earlier than this.
        not_before: Timestamp,
        /// Why it did not work this time.
        reason: String,
    },
    /// The archive is there, in one region at least.
    Success {
        /// Its bytes.
        size: u64,
        /// Its SHA-256, in hexadecimal. Archives of the older system have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// There will be no archive.
    Failure(Failure),
    /// Nobody did the work, however often it was sent.
    Revoked,
}

/// Why there is no archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind, for programs.
    pub code: FailureCode,
    /// What was seen, for people.
    pub description: String,
    /// Until when nothing is begun for those who ask again.
    pub until: Timestamp,
}

/// The kinds of failure, by the names that programs see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// The source has no such archive.
    SourceNotFound,
    /// The source refuses it, or gives something else.
    SourceError,
    /// The source could not be reached, or was too busy, each time.
    SourceUnavailable,
    /// What the source gave was never whole.
    SourceDamaged,
    /// The archive is larger than is taken.
    SourceTooLarge,
    /// The archive cannot be read in the time a worker has.
    SourceTooSlow,
    /// No region could be written to, each time.
    RegionsUnavailable,
    /// Workers began, and none came to an end.
    WorkersLost,
}

impl FailureCode {
    /// As programs see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SourceNotFound => "source_not_found",
            Self::SourceError => "source_error",
            Self::SourceUnavailable => "source_unavailable",
            Self::SourceDamaged => "source_damaged",
            Self::SourceTooLarge => "source_too_large",
            Self::SourceTooSlow => "source_too_slow",
            Self::RegionsUnavailable => "regions_unavailable",
            Self::WorkersLost => "workers_lost",
        }
    }
}

/// Who works on a task, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The worker, by a name that no other has.
    pub owner: String,
    /// When it is over, unless it is renewed.
    pub until: Timestamp,
    /// Bytes read so far.
    pub bytes: u64,
}

/// Where a worker left off, for another to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// What the regions have.
    pub copied: Checkpoint,
    /// What tells that the source still has the same archive.
    pub validator: String,
    /// The hidden key that it is put together by.
    pub staging: String,
    /// How often it was taken up.
    pub hops: u32,
}

/// What is known of an archive in one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It is there.
    Done,
    /// It is not, and why.
    Missing(String),
}

impl Task {
    /// Whether some region lacks the archive.
    pub fn is_incomplete(&self) -> bool {
        self.regions.values().any(|place| *place != Place::Done)
    }

    /// Whether nothing more becomes of it, but for regions that lack it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Success { .. } | State::Failure(_) | State::Revoked)
    }

    /// The message that asks a worker to work on it.
    pub fn message(&self) -> Message {
        Message { task: self.id.clone(), generation: self.generation }
    }
}
