//! Jobs, carried out: one message is one job.
//!
//! A job may be begun by several agents, or by one that died on the way. What it starts is named by its number
//! ([`Piece`](crate::backend::Piece)), so that the build system starts it once; what it ends or moves is the same done
//! twice. What a build system only acknowledges is looked at again until it is so. Who first says how the job ended is
//! heard.
//!
//! What can pass (a master that is away, rules that an operator has to mend) makes the message come again; what cannot
//! (no such builder, a master without `buildbot/self_serve`) ends the job with an error that a person understands. What
//! nobody carries out within a day ends so too.

mod begin;
mod confirm;
mod end;
mod message;
mod properties;
mod sweep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use buildhub_core::Deadline;
use buildhub_core::queue::{QueueError, SharedQueue};
use jiff::Timestamp;

use crate::action::Action;
use crate::backend::{Backend, BackendError};
use crate::builds::refresh::Refresher;
use crate::config::{ConfigError, Documents};
use crate::jobs::{Job, Jobs, JobsError};

pub use message::Message;
pub use properties::is_reserved;
pub use sweep::Swept;

/// What is left of an invocation's time when work on a job stops, so that what is done can be written.
const LEAST: Duration = Duration::from_secs(3);
/// For how long the build system lacks what a job needs before the job ends by it: one that has just begun may lack it for a
/// moment.
const PATIENCE: Duration = Duration::from_mins(5);
/// Characters kept of a reason.
const REASON_MAX: usize = 500;

/// Carries out jobs.
#[derive(Debug)]
pub struct Agent {
    jobs: Jobs,
    refresher: Refresher,
    backend: Arc<dyn Backend>,
    documents: Arc<Documents>,
    queue: SharedQueue,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Handled {
    /// Its job is over, by this or by another who was faster.
    Done(Box<Job>),
    /// Its job was over before.
    Over,
    /// There is no such job.
    Unknown,
}

/// Why a job is not carried out, or not yet.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The job cannot be read or written.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The build system cannot be asked, or does not do it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A message cannot be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The site's documents cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The build system took it, and it is not so yet.
    #[error("{what} after {waited:?}; it is looked at again")]
    NotYet {
        /// What is not so.
        what: String,
        /// How long it was looked at.
        waited: Duration,
    },
    /// The invocation's time was over first.
    #[error("the time of this invocation was over first; the job goes on in another")]
    Late,
    /// The branch was taken away since.
    #[error("there is no branch {0:?} any more")]
    Branch(String),
    /// One job would start too much.
    #[error("{count} builders match, and one job starts {max} builds at most")]
    TooMany {
        /// Builders.
        count: usize,
        /// The limit.
        max: u32,
    },
    /// A property that builds get from the build system.
    #[error("the property {0:?} is the build system's own, and cannot be asked for")]
    Reserved(String),
}

impl WorkError {
    /// Whether the build system lacks what it takes.
    fn is_lack(&self) -> bool {
        matches!(self, Self::Backend(BackendError::Lacks { .. }))
    }

    /// Whether the job can never be carried out as it is.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Backend(BackendError::Refused { .. })
            | Self::Branch(_)
            | Self::TooMany { .. }
            | Self::Reserved(_) => true,
            // Credentials and rules are an operator's to mend: what was asked for waits for that.
            Self::Backend(_) | Self::Jobs(_) | Self::Queue(_) | Self::Config(_) | Self::NotYet { .. } | Self::Late => {
                false
            }
        }
    }
}

/// How long ago a second was.
fn elapsed(since: i64, now: Timestamp) -> Duration {
    Duration::from_secs(now.as_second().saturating_sub(since).max(0).unsigned_abs())
}

/// What there is to say of a job's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    errors: bool,
    message: String,
}

impl Said {
    fn well(message: impl Into<String>) -> Self {
        Self { errors: false, message: message.into() }
    }

    fn wrong(message: impl Into<String>) -> Self {
        Self { errors: true, message: message.into() }
    }
}

impl Agent {
    /// An agent of these. Nothing is asked of anybody yet.
    pub fn new(
        jobs: Jobs,
        refresher: Refresher,
        backend: Arc<dyn Backend>,
        documents: Arc<Documents>,
        queue: SharedQueue,
    ) -> Self {
        Self { jobs, refresher, backend, documents, queue }
    }

    /// Carries out the job that a message names. An error means that the message is to come again.
    pub async fn handle(&self, message: Message, now: Timestamp, deadline: Deadline) -> Result<Handled, WorkError> {
        let began = Instant::now();
        let Some(job) = self.jobs.find(message.job).await? else { return Ok(Handled::Unknown) };
        if !job.is_open() {
            return Ok(Handled::Over);
        }
        let acted = deadline.allow(LEAST, Box::pin(self.act(&job))).await.unwrap_or(Err(WorkError::Late));
        let said = match acted {
            Ok(said) => said,
            Err(error) if error.is_lasting() => Said::wrong(error.to_string()),
            Err(error) => {
                let since = error.is_lack().then(|| job.lacking_since.unwrap_or(now.as_second()));
                if since.is_none_or(|since| elapsed(since, now) < PATIENCE) {
                    self.note(&job, &error, since).await;
                    return Err(error);
                }
                Said::wrong(error.to_string())
            }
        };
        let at = now.as_second().saturating_add_unsigned(began.elapsed().as_secs());
        let over = self.jobs.complete(job.number, said.errors, &said.message, at).await?;
        Ok(Handled::Done(Box::new(over)))
    }

    async fn act(&self, job: &Job) -> Result<Said, WorkError> {
        match &job.action {
            Action::Reprioritize { brid, priority } => self.reprioritise(job, *brid, *priority).await,
            Action::CancelRequest { brid } => self.cancel_request(job, *brid).await,
            Action::CancelBuild { bid } => self.cancel_build(job, *bid).await,
            Action::CancelRevision { branch, revision } => self.cancel_revision(job, branch, revision).await,
            Action::RebuildBuild { bid, priority, count } => self.rebuild_build(job, *bid, *priority, *count).await,
            Action::RebuildRequest { brid, priority, count } => {
                self.rebuild_request(job, *brid, *priority, *count).await
            }
            Action::NewBuildAtRevision { branch, revision } => self.new_build(job, branch, revision).await,
            Action::NewNightlyAtRevision { branch, revision, priority } => {
                self.new_builds(job, branch, revision, *priority, begin::is_nightly).await
            }
            Action::NewPgobuildAtRevision { branch, revision, priority } => {
                self.new_builds(job, branch, revision, *priority, begin::is_pgo).await
            }
            Action::NewBuildForBuilder { branch, revision, priority, builder_name, properties, files } => {
                let asked = begin::Asked { builder: builder_name, properties, files };
                self.new_build_for(job, branch, revision, *priority, &asked).await
            }
        }
    }

    /// Keeps why a job was not carried out, for whoever follows it.
    async fn note(&self, job: &Job, error: &WorkError, lacking_since: Option<i64>) {
        let why: String = error.to_string().chars().take(REASON_MAX).collect();
        let is_new = job.trouble.as_deref() != Some(&why) || job.lacking_since != lacking_since;
        if is_new && let Err(error) = self.jobs.trouble(job.number, &why, lacking_since).await {
            tracing::warn!(job = job.number, %error, "what is in a job's way cannot be kept");
        }
    }

    /// Brings requests into the projection at once, where that can be done; else reconciliation will.
    async fn show(&self, requests: impl IntoIterator<Item = u64>) {
        for request in requests {
            if let Err(error) = self.refresher.refresh(request).await {
                tracing::warn!(request, %error, "a request that a job changed is not yet known as it is");
            }
        }
    }
}
