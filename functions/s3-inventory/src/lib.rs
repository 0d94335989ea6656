//! A catch-up run as a Lambda function: started by a schedule, or by an inventory that has just landed.
//!
//! [`handler`] is a plain function of a payload, a context and a deadline, so that a test, the command line and
//! Lambda's runtime call the same thing. A run whose time is over stops at a record's boundary, and says so; what is
//! stored stays, and the next run goes on from there. (Handing the rest to further invocations would begin where
//! [`Outcome::Unfinished`] is made.)

mod metrics;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use buildhub_core::trigger::{Trigger, TriggerError};
use buildhub_core::{Deadline, SettingError, Variables};
use buildhub_indexer::settings::{ArchiveSettings, FolderSettings, InventorySettings, KintoSettings};
use buildhub_indexer::{CatchUp, ConnectError, LogProgress, Report, RunError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What a function keeps from one invocation to the next.
#[derive(Debug)]
pub struct Context {
    variables: Variables,
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        KintoSettings::from_variables(variables)?;
        ArchiveSettings::from_variables(variables)?;
        InventorySettings::from_variables(variables)?;
        FolderSettings::from_variables(variables)?;
        buildhub_core::store::S3Settings::from_variables(variables)?;
        Ok(Self { variables: variables.clone() })
    }
}

/// What an invocation did: the function's answer.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// All was done that could be; the report says what could not.
    Done(Box<Report>),
    /// Time ran out first; the next run goes on.
    Unfinished(Box<Report>),
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
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Trigger(_) => "Trigger",
            Error::Connect(_) | Error::Run(RunError::Connect(_)) => "Connect",
            Error::Run(RunError::Target(_)) => "Store",
            Error::Run(RunError::Inventory(_) | RunError::Elsewhere { .. }) => "Inventory",
            Error::Run(RunError::Pipeline(_)) => "Archive",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Handles one event.
pub async fn handler(payload: Value, context: &Context, deadline: Deadline) -> Result<Outcome, Error> {
    let trigger = Trigger::read(&payload)?;
    tracing::info!(?trigger, "started");
    let now = Timestamp::now();
    let progress = Arc::new(LogProgress::default());
    let run = match trigger {
        Trigger::Test => return Ok(Outcome::Nothing),
        // Nothing queues work for it yet.
        Trigger::Messages(messages) => return Err(TriggerError::NotOne(messages.len()).into()),
        Trigger::Schedule => CatchUp::from_variables(&context.variables, now, progress).await?,
        Trigger::Inventory { bucket, folder } => {
            CatchUp::from_variables(&context.variables, now, progress).await?.landed(&bucket, &folder)?
        }
    };
    let (report, result) = run.until(deadline).run().await;
    metrics::emit(&report, Timestamp::now());
    for fault in &report.faults {
        tracing::warn!(fault, "not done");
    }
    result?;
    let report = Box::new(report);
    Ok(if report.complete { Outcome::Done(report) } else { Outcome::Unfinished(report) })
}

/// When Lambda stops this invocation.
pub fn deadline(context: &lambda_runtime::Context) -> Deadline {
    let left = context.deadline().duration_since(SystemTime::now());
    Deadline::after(left.unwrap_or(Duration::ZERO))
}
