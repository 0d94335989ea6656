//! A catch-up run as a Lambda function: started by a schedule, or by an inventory that has just landed.
//!
//! [`handler`] is a plain function of a payload, a context and a deadline, so that a test, the command line and
//! Lambda's runtime call the same thing.

use std::time::{Duration, SystemTime};

use buildhub_core::store::{Location, S3Settings, Stores};
use buildhub_core::trigger::{Trigger, TriggerError};
use buildhub_core::{Deadline, SettingError, Variables};
use serde::Serialize;
use serde_json::Value;

/// What a function keeps from one invocation to the next.
#[derive(Debug)]
pub struct Context {
    /// Opens buckets and folders.
    pub stores: Stores,
}

impl Context {
    /// Reads the settings and makes what they ask for.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        Ok(Self { stores: Stores::new(S3Settings::from_variables(variables)?) })
    }
}

/// What an invocation did: the function's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// There was nothing to do.
    Nothing,
    /// A run was started over this inventory's folder, or over the newest ones.
    Started {
        /// `s3://bucket/folder/`, when the event named an inventory.
        inventory: Option<String>,
    },
}

/// Why an invocation failed. Lambda tries an asynchronous one again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The payload starts no run.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
}

/// What Lambda shows of an error: its kind, to count and alarm by, and its message.
impl From<Error> for lambda_runtime::Diagnostic {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Trigger(_) => "Trigger",
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// Handles one event.
pub async fn handler(payload: Value, context: &Context, _deadline: Deadline) -> Result<Outcome, Error> {
    let inventory = match Trigger::read(&payload)? {
        Trigger::Test => return Ok(Outcome::Nothing),
        Trigger::Schedule => None,
        Trigger::Inventory { bucket, folder } => {
            let store = context.stores.open(&Location::S3 { bucket, prefix: folder }).await;
            Some(store.describe())
        }
    };
    tracing::info!(inventory, "started");
    Ok(Outcome::Started { inventory })
}

/// When Lambda stops this invocation.
pub fn deadline(context: &lambda_runtime::Context) -> Deadline {
    let left = context.deadline().duration_since(SystemTime::now());
    Deadline::after(left.unwrap_or(Duration::ZERO))
}
