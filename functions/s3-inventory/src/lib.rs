//! The Lambda function that brings the store up to date with S3 Inventory.
//!
//! It is started by a schedule, by an inventory that has just landed, and, where its queues are set, by the messages of
//! a run that is spread over many invocations ([`buildhub_indexer::fanout`]). [`handler`] is a plain function of a
//! payload, a context and a deadline, so that a test and Lambda's runtime call the same thing. A run whose time is over
//! stops at a record's boundary, and says so; what is stored stays, and work goes on from there.

mod messages;
mod metrics;
mod run;

use std::sync::Arc;

use buildhub_core::event::BatchResponse;
use buildhub_core::trigger::{Trigger, TriggerError};
use buildhub_core::{Deadline, SettingError, Variables};
use buildhub_indexer::fanout::{FanOut, FanOutError, FanOutSettings, RunReport};
use buildhub_indexer::settings::{ArchiveSettings, FolderSettings, InventorySettings, KintoSettings};
use buildhub_indexer::{ConnectError, LogProgress, RunError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;

/// What a function keeps from one invocation to the next.
#[derive(Debug)]
pub struct Context {
    variables: Variables,
    fan_out: OnceCell<Option<FanOut>>,
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        KintoSettings::from_variables(variables)?;
        ArchiveSettings::from_variables(variables)?;
        InventorySettings::from_variables(variables)?;
        FolderSettings::from_variables(variables)?;
        FanOutSettings::from_variables(variables)?;
        buildhub_core::store::S3Settings::from_variables(variables)?;
        Ok(Self { variables: variables.clone(), fan_out: OnceCell::new() })
    }

    /// The fanned-out run, where the settings ask for one.
    async fn fan_out(&self) -> Result<Option<&FanOut>, ConnectError> {
        let set_up = || FanOut::from_variables(&self.variables, Timestamp::now(), Arc::new(LogProgress::default()));
        Ok(self.fan_out.get_or_try_init(set_up).await?.as_ref())
    }
}

/// The function's answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a schedule or an inventory.
    Run(Outcome),
    /// To messages of a queue: those that must come again.
    Messages(BatchResponse),
}

/// What became of a run that an invocation began.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// All was done that could be; the report says what could not.
    Done(Box<RunReport>),
    /// Time ran out first; the next run goes on.
    Unfinished(Box<RunReport>),
    /// The parts are on their queue, for other invocations.
    Queued {
        /// The run.
        run: String,
        /// How many parts.
        parts: usize,
    },
    /// Other invocations are working on the same inventories.
    Running {
        /// The run.
        run: String,
    },
}

/// Why an invocation failed. Lambda tries an asynchronous one again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload starts no run.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// Something could not be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The run was stopped.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run could not be spread.
    #[error(transparent)]
    FanOut(#[from] FanOutError),
    /// Messages came, and no queue is set.
    #[error("messages of a queue came, but PARTS_QUEUE_URL and BATCHES_QUEUE_URL are not set")]
    NoQueues,
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Trigger(_) => "Trigger",
            Error::Connect(_) | Error::NoQueues => "Connect",
            Error::Run(error) | Error::FanOut(FanOutError::Run(error)) => kind_of(error),
            Error::FanOut(FanOutError::Target(_)) => "Store",
            Error::FanOut(FanOutError::Inventory(_)) => "Inventory",
            Error::FanOut(_) => "FanOut",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

fn kind_of(error: &RunError) -> &'static str {
    match error {
        RunError::Connect(_) => "Connect",
        RunError::Target(_) => "Store",
        RunError::Inventory(_) | RunError::Elsewhere { .. } => "Inventory",
        RunError::Pipeline(_) => "Archive",
    }
}

/// Handles one event.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Answer, Error> {
    let landed = match Trigger::read(&payload)? {
        Trigger::Test => return Ok(Answer::Run(Outcome::Nothing)),
        Trigger::Messages(messages) => {
            let fan_out = context.fan_out().await?.ok_or(Error::NoQueues)?;
            return Ok(Answer::Messages(messages::handle(fan_out, messages, deadline).await));
        }
        Trigger::Schedule => None,
        Trigger::Inventory { bucket, folder } => Some((bucket, folder)),
    };
    tracing::info!(?landed, "started");
    let landed = landed.as_ref().map(|(bucket, folder)| (bucket.as_str(), folder.as_str()));
    let outcome = match context.fan_out().await? {
        Some(fan_out) => run::planned(fan_out, landed, deadline).await?,
        None => run::whole(&context.variables, landed, deadline).await?,
    };
    Ok(Answer::Run(outcome))
}
