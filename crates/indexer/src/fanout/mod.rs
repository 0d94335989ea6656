//! A catch-up run spread over many invocations.
//!
//! ```text
//! schedule ─► plan ──► queue of parts ──► part ─┬─► queue of batches ──► drain ──► Kinto
//!                        ▲     (side by side)   │     (one group, one at a time)
//!                        └── checkpoint, hop+1 ─┤
//!                                               └─► behind the last: finish ──► report
//! ```
//!
//! - **plan** verifies the manifests, brings the index up to date and queues one message for each part;
//! - **part** reads one part, makes records of what is news, and queues them in batches. When its time is over it leaves
//!   a checkpoint and a message to go on from there. Reading again is cheap and gives the same news in the same order,
//!   for the index is the run's own, so the checkpoint is a number;
//! - **drain** writes one batch at a time, since Kinto takes one writer for a collection: the queue is FIFO with one
//!   message group;
//! - **finish** comes behind all batches in that queue. It compares what was acknowledged with what is there, counts
//!   gaps, keeps the caches and writes the report.
//!
//! Messages come at least once and workers die. So every step can be done twice: batches are named by their contents,
//! records are judged when they are written, and what was done is noted by conditional writes in the run's folder
//! ([`folder`]).

mod drain;
mod finish;
pub mod folder;
pub mod message;
mod part;
mod plan;
mod run_report;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::queue::{Outgoing, QueueError, Queues, SharedQueue};
use buildhub_core::{Deadline, Variables};
use buildhub_inventory::ManifestError;
use buildhub_kinto::LoaderSettings;
use jiff::Timestamp;
use tokio::sync::{Mutex, OnceCell};

use crate::catchup::{CatchUp, RunError};
use crate::connect::ConnectError;
use crate::index::Index;
use crate::pipeline::PipelineError;
use crate::progress::Progress;
use crate::target::TargetError;
use folder::{FolderError, RunFolder};
use message::Job;

pub use drain::Drained;
pub use part::PartOutcome;
pub use plan::Planned;
pub use run_report::{BatchesReport, PartsReport, RunReport};
pub use settings::FanOutSettings;

/// How many invocations may work on one part. Beyond, something is wrong, and going on would cost without end.
pub const MAX_HOPS: u32 = 100;

/// A step of a run that could not be done. The message comes again.
#[derive(Debug, thiserror::Error)]
pub enum FanOutError {
    /// An object of the run's folder cannot be had.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A message cannot be sent.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A message cannot be written.
    #[error("a message of the run {run} cannot be written: {source}")]
    Message {
        /// The run.
        run: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// The run's index is not what was written.
    #[error("the index of the run {run} cannot be used: {source}")]
    Index {
        /// The run.
        run: String,
        /// Why not.
        source: crate::index::IndexFileError,
    },
    /// The plan and the manifest do not go together.
    #[error("the plan of the run {run} has no part {number}, or its inventory has none any more")]
    NoPart {
        /// The run.
        run: String,
        /// The part.
        number: usize,
    },
    /// Something could not be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The store does not take it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The inventory cannot be had.
    #[error(transparent)]
    Inventory(#[from] ManifestError),
    /// The run cannot begin.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Records could not be made.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The time was over before the step was.
    #[error("there was no time left to {0}")]
    Time(&'static str),
}

/// A run's index, kept from one invocation to the next.
type KeptIndex = Mutex<Option<(String, Arc<Index>)>>;

/// Everything a fanned-out run needs. Kept from one invocation to the next.
#[derive(Debug)]
pub struct FanOut {
    base: CatchUp,
    parts: SharedQueue,
    batches: SharedQueue,
    loader: OnceCell<LoaderSettings>,
    index: KeptIndex,
}

impl FanOut {
    /// Sets it up, where the settings name its queues.
    pub async fn from_variables(
        vars: &Variables,
        now: Timestamp,
        progress: Arc<dyn Progress>,
    ) -> Result<Option<Self>, ConnectError> {
        let Some(settings) = FanOutSettings::from_variables(vars)? else { return Ok(None) };
        let queues = Queues::new(AwsSettings::from_variables(vars, Service::Sqs)?);
        let (parts, batches) = (queues.open(&settings.parts).await, queues.open(&settings.batches).await);
        let base = CatchUp::from_variables(vars, now, progress).await?;
        Ok(Some(Self::new(base, parts, batches)))
    }

    /// The run that `base` would do alone, spread by these queues.
    pub fn new(base: CatchUp, parts: SharedQueue, batches: SharedQueue) -> Self {
        Self { base, parts, batches, loader: OnceCell::new(), index: Mutex::new(None) }
    }

    fn folder(&self, run: &str) -> RunFolder {
        self.base.caches.run(run)
    }

    /// The catch-up's own steps, in an invocation that begins `now`.
    fn work(&self, now: Timestamp, deadline: Deadline) -> CatchUp {
        self.base.at(now).until(deadline)
    }

    async fn send_part(&self, run: &str, number: usize, hop: u32) -> Result<(), FanOutError> {
        let job = Job::Part(message::PartJob { run: run.to_owned(), number, hop });
        let message = Outgoing { body: body(run, &job)?, ..Outgoing::default() };
        Ok(self.parts.send(vec![message]).await?)
    }

    /// Sends to the queue of batches, where what is of one collection is one group, in order.
    async fn send_ordered(&self, run: &str, jobs: Vec<(String, Job)>) -> Result<(), FanOutError> {
        let group = self.base.caches.store_name();
        let message = |(name, job): (String, Job)| {
            let deduplication =
                Some(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(format!("{run}/{name}").as_bytes())));
            Ok(Outgoing { body: body(run, &job)?, group: Some(group.clone()), deduplication, ..Outgoing::default() })
        };
        let messages = jobs.into_iter().map(message).collect::<Result<Vec<_>, FanOutError>>()?;
        Ok(self.batches.send(messages).await?)
    }

    /// Announces the end of a run when its last part is done. Two that are last at the same moment both do; the queue
    /// takes one.
    async fn announce_end(&self, run: &str, parts: usize) -> Result<(), FanOutError> {
        if self.folder(run).parts_done().await? < parts {
            return Ok(());
        }
        let finish = Job::Finish(message::Finish { run: run.to_owned() });
        self.send_ordered(run, vec![("finish".to_owned(), finish)]).await
    }
}

/// A message's body. Two characters that are no text to a queue (AWS, `SendMessage`) are to JSON, and can be escaped.
fn body(run: &str, job: &Job) -> Result<String, FanOutError> {
    let escaped = |body: String| body.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff");
    job.to_body().map(escaped).map_err(|source| FanOutError::Message { run: run.to_owned(), source })
}

/// Time kept back at the end of a step that goes on elsewhere: enough to leave a checkpoint and send a message.
fn margin_of(deadline: Deadline) -> Duration {
    const MARGIN: Duration = Duration::from_secs(20);
    deadline.remaining().map_or(MARGIN, |left| MARGIN.min(left / 4))
}
