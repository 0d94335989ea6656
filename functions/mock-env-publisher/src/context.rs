//! What the function keeps from one invocation to the next.

use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::queue::{Queues, SharedQueue};
use buildhub_core::store::{Location, SharedStore};
use buildhub_core::{SettingError, Variables};
use buildhub_environments::build::Builder;
use buildhub_environments::places::{Places, PlacesError};
use buildhub_environments::publish::Publisher;
use buildhub_environments::settings::{self, Means};

/// What a function keeps from one invocation to the next: settings, and connections.
#[derive(Debug)]
pub struct Context {
    pub(crate) builder: Builder,
    pub(crate) definitions: Location,
    store: Location,
    queue: String,
    queues: Queues,
}

/// Why the function does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Nothing can be reached.
    #[error(transparent)]
    Places(#[from] PlacesError),
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, StartError> {
        let (definitions, store) = (settings::definitions(variables)?, settings::store(variables)?);
        let queue = settings::queue(variables)?;
        let queues = Queues::new(AwsSettings::from_variables(variables, Service::Sqs)?);
        let builder = Builder::new(Places::from_variables(variables)?, Means::from_variables(variables)?);
        Ok(Self { builder, definitions, store, queue, queues })
    }

    /// Where definitions are.
    pub(crate) async fn definitions(&self) -> SharedStore {
        self.builder.places().stores().open(&self.definitions).await
    }

    /// Where environments are published.
    pub(crate) async fn publisher(&self) -> Publisher {
        Publisher::new(self.builder.places().stores().open(&self.store).await)
    }

    pub(crate) async fn queue(&self) -> SharedQueue {
        self.queues.open(&self.queue).await
    }
}
