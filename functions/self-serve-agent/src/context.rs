//! What the function keeps from one invocation to the next.

use std::sync::Arc;

use buildhub_core::aws::{AwsSettings, Service};
use buildhub_core::queue::{Queues, SharedQueue};
use buildhub_core::{SettingError, Variables};
use buildhub_http::HttpError;
use buildhub_kinto::KintoError;
use buildhub_kinto::manifest::ManifestError;
use buildhub_self_serve::backend::BackendError;
use buildhub_self_serve::builds::Builds;
use buildhub_self_serve::builds::refresh::Refresher;
use buildhub_self_serve::jobs::Jobs;
use buildhub_self_serve::settings::{Connections, queue};
use buildhub_self_serve::work::Agent;
use tokio::sync::OnceCell;

/// What a function keeps from one invocation to the next: settings, and connections made when first needed.
#[derive(Debug)]
pub struct Context {
    connections: Connections,
    queue: String,
    sqs: AwsSettings,
    connected: OnceCell<Connected>,
    initialised: OnceCell<()>,
}

/// Who does the work, and where it comes from.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) agent: Agent,
    pub(crate) queue: SharedQueue,
}

/// Why nothing can be done at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The store cannot be used.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// What the store should be like cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The build system cannot be used.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Documents cannot be asked for.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Context {
    /// Takes the settings, and refuses at start what no invocation could use.
    pub fn from_variables(variables: &Variables) -> Result<Self, SettingError> {
        Ok(Self {
            connections: Connections::from_variables(variables)?,
            queue: queue(variables)?,
            sqs: AwsSettings::from_variables(variables, Service::Sqs)?,
            connected: OnceCell::new(),
            initialised: OnceCell::new(),
        })
    }

    /// The agent, and its queue.
    pub(crate) async fn connected(&self) -> Result<&Connected, ConnectError> {
        let connect = async || {
            let Connections { store, backend, documents } = self.connections.clone();
            let client = store.client()?;
            let (jobs, builds) = (Jobs::new(&client, &store.bucket)?, Builds::new(&client, &store.bucket)?);
            let (backend, documents) = (backend.open()?, Arc::new(documents.open()?));
            let queue = Queues::new(self.sqs.clone()).open(&self.queue).await;
            let refresher = Refresher::new(builds, Arc::clone(&backend));
            let agent = Agent::new(jobs, refresher, backend, documents, SharedQueue::clone(&queue));
            Ok(Connected { agent, queue })
        };
        self.connected.get_or_try_init(connect).await
    }

    /// Brings the store's bucket, collections and schemas up to date, once.
    pub(crate) async fn initialise(&self) -> Result<(), ConnectError> {
        let initialise = async || {
            let store = &self.connections.store;
            if store.initialise {
                for change in store.client()?.initialise(&store.manifest()?).await? {
                    tracing::info!(%change, "the store was brought up to date");
                }
            }
            Ok(())
        };
        self.initialised.get_or_try_init(initialise).await.copied()
    }
}
