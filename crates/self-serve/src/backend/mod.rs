//! What a build system must be able to do to be steered: narrow, so that another than Buildbot can be the next.
//!
//! Everything that changes something has the same effect done once or twice. What starts builds is named by a [`Piece`],
//! and of one piece there is one set of requests, however often it is asked for; the rest is so by its nature.
//!
//! What Taskcluster would do for each of these (its API's names):
//!
//! | here | there |
//! |---|---|
//! | [`Backend::start`] | `createTask` with a task id made from the piece: the same id and definition again is no error; of what is made again, with the first one's definition |
//! | [`Backend::change`] | `triggerHook`, or a decision task created likewise |
//! | [`Backend::prioritise`] | `changeTaskPriority` |
//! | [`Backend::cancel_request`], [`Backend::stop_build`] | `cancelTask` |
//! | [`Backend::request`], [`Backend::build`] | `status`, a run being a build |
//! | [`Backend::open_requests`] | `listTaskGroup`, or the index by revision |
//! | [`Backend::requests_since`] | its tasks have no numbers: the events of its Pulse, kept in order |

mod error;
mod piece;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};

pub use error::BackendError;
pub use piece::{Piece, StoreId, StoreIdError};

/// A build system.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// Whether it can do all of this; the error says what is missing, and what to do.
    async fn check(&self) -> Result<(), BackendError>;

    /// A request to build something, if there is one by that number.
    async fn request(&self, id: u64) -> Result<Option<Request>, BackendError>;

    /// A build, if there is one by that number.
    async fn build(&self, id: u64) -> Result<Option<Build>, BackendError>;

    /// The builds of a request, the first one first.
    async fn builds_of(&self, request: u64) -> Result<Vec<Build>, BackendError>;

    /// All requests that are not over, in the order of their numbers, without their properties and authors.
    async fn open_requests(&self) -> Result<Vec<Request>, BackendError>;

    /// The numbers of the first `limit` requests with a higher number than this, in their order.
    async fn requests_since(&self, number: u64, limit: usize) -> Result<Vec<u64>, BackendError>;

    /// What can be built, by name.
    async fn builders(&self) -> Result<Vec<Builder>, BackendError>;

    /// Starts builds: a request for each builder. Asked for the same piece again it answers the same requests, and starts
    /// nothing.
    async fn start(&self, start: &Start) -> Result<Started, BackendError>;

    /// Tells of a change, so that what follows from it is built. The same piece again is the same change; its number.
    async fn change(&self, change: &Change) -> Result<u64, BackendError>;

    /// Gives a request that waits another priority. The higher one goes first.
    async fn prioritise(&self, request: u64, priority: i64) -> Result<(), BackendError>;

    /// Asks for a request to end, with its build if it has one. That it is taken does not say that it is over: look again.
    async fn cancel_request(&self, id: u64, reason: &str) -> Result<(), BackendError>;

    /// Asks for a build to be stopped, likewise.
    async fn stop_build(&self, id: u64, reason: &str) -> Result<(), BackendError>;
}

/// Something that can be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Builder {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it is tagged with; by convention its branch is among them.
    pub tags: Vec<String>,
}

/// Asked-for work, built or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its number.
    pub id: u64,
    /// What is built.
    pub builder: String,
    /// The branch, where it has one.
    pub branch: Option<String>,
    /// The revision, where it has one.
    pub revision: Option<String>,
    /// The address of the repository that it is of; empty where the builder knows it by itself.
    pub repository: String,
    /// Why it was made.
    pub reason: String,
    /// The higher one goes first.
    pub priority: i64,
    /// When it was made, in seconds since 1970.
    pub submitted: i64,
    /// When a build system took it, if one has.
    pub claimed: Option<i64>,
    /// When it was over, if it is.
    pub completed: Option<i64>,
    /// Whose change it follows from, where nobody asked for it by hand and that is known.
    pub author: Option<String>,
    /// Its properties by name.
    pub properties: Map<String, Value>,
}

/// One attempt at a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Build {
    /// Its number.
    pub id: u64,
    /// Its request.
    pub request: u64,
    /// What is built.
    pub builder: String,
    /// Its number among those of its builder.
    pub number: u64,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// When it ended, if it has.
    pub ended: Option<i64>,
    /// How it ended; nothing while it runs.
    pub result: Option<Outcome>,
    /// Who builds it.
    pub worker: Option<String>,
    /// Who has it built.
    pub master: Option<String>,
    /// Its properties by name.
    pub properties: Map<String, Value>,
}

/// How a build ended, by the numbers that its readers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "i8")]
pub enum Outcome {
    /// 0: well.
    Success,
    /// 1: well, with warnings.
    Warnings,
    /// 2: not well.
    Failure,
    /// 3: there was nothing to do.
    Skipped,
    /// 4: the build system itself failed.
    Exception,
    /// 5: it is tried again.
    Retry,
    /// 6: it was cancelled.
    Cancelled,
}

impl From<Outcome> for i8 {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => 0,
            Outcome::Warnings => 1,
            Outcome::Failure => 2,
            Outcome::Skipped => 3,
            Outcome::Exception => 4,
            Outcome::Retry => 5,
            Outcome::Cancelled => 6,
        }
    }
}

impl Outcome {
    /// By its number.
    pub fn of(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Success,
            1 => Self::Warnings,
            2 => Self::Failure,
            3 => Self::Skipped,
            4 => Self::Exception,
            5 => Self::Retry,
            6 => Self::Cancelled,
            _ => return None,
        })
    }
}

/// Builds to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// By which it is known again.
    pub piece: Piece,
    /// What is built, by name; one at least.
    pub builders: Vec<String>,
    /// A request that is made again: all that it is of is built, other codebases and patches too. The branch, the revision
    /// and the repository are its own then.
    pub again: Option<u64>,
    /// The branch.
    pub branch: Option<String>,
    /// The revision.
    pub revision: Option<String>,
    /// The address of the repository that it is of; empty where the builder knows it by itself.
    pub repository: String,
    /// Why.
    pub reason: String,
    /// The higher one goes first.
    pub priority: i64,
    /// Who asked.
    pub requester: String,
    /// Properties that the builds have beside their builder's.
    pub properties: Map<String, Value>,
}

/// Builds that were started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The number of what holds the requests together.
    pub set: u64,
    /// The requests by the numbers of their builders.
    pub requests: BTreeMap<u64, u64>,
    /// Those of the builders that self-serve may not start there, by name: nothing was started of them.
    pub left_out: Vec<String>,
}

/// A change to be told of.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// By which it is known again.
    pub piece: Piece,
    /// The branch, as schedulers know it.
    pub branch: String,
    /// The revision.
    pub revision: String,
    /// The repository's address.
    pub repository: String,
    /// Where a person sees the revision.
    pub link: String,
    /// What is said of it.
    pub comments: String,
    /// Who asked.
    pub requester: String,
    /// Files that count as changed.
    pub files: Vec<String>,
    /// Properties that its builds have.
    pub properties: Map<String, Value>,
}
