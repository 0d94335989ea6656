//! Self-serve: its API with the masters' events, an agent, and a sweep.

use std::sync::Arc;
use std::time::Duration;

use buildhub_core::queue::{Delivery, MemoryQueue, SharedQueue};
use buildhub_core::{Deadline, Variables};
use buildhub_self_serve::api::{Api, ApiSettings, Parts};
use buildhub_self_serve::builds::Builds;
use buildhub_self_serve::builds::refresh::Refresher;
use buildhub_self_serve::jobs::Jobs;
use buildhub_self_serve::settings::Connections;
use buildhub_self_serve::work::{Agent, Message, WorkError};
use jiff::Timestamp;

use super::work::{Made, Workers};
use crate::CommandError;

/// Jobs that wait for the agent. More are left to the sweep.
const WAITING: usize = 10_000;
/// How long a message that the agent did not come to an end with stays unseen.
const UNSEEN: Duration = Duration::from_secs(30);

/// Starts it; its API. Bucket and collections are made where they are not there.
pub(super) async fn start(vars: &Variables, workers: &mut Workers) -> Result<Api, CommandError> {
    let settings = ApiSettings::from_variables(vars)?;
    let Connections { store, backend, documents } = Connections::from_variables(vars)?;
    let backend = backend.open().map_err(super::ServeError::from)?;
    let documents = Arc::new(documents.open().map_err(super::ServeError::from)?);
    let client = store.client()?;
    if store.initialise {
        let manifest = store.manifest().map_err(super::ServeError::from)?;
        client.initialise(&manifest).await?;
    }
    let (jobs, builds) = (Jobs::new(&client, &store.bucket)?, Builds::new(&client, &store.bucket)?);

    let queue = Arc::new(MemoryQueue::new(WAITING, UNSEEN));
    let shared: SharedQueue = Arc::<MemoryQueue>::clone(&queue);
    let refresher = Refresher::new(builds.clone(), Arc::clone(&backend));
    let (system, places) = (Arc::clone(&backend), Arc::clone(&documents));
    let agent = Arc::new(Agent::new(jobs.clone(), refresher, system, places, Arc::clone(&shared)));
    // One, so that jobs are carried out in the order in which they were asked for.
    let hand = Arc::clone(&agent);
    workers.work(queue, move |delivery| carry_out(Arc::clone(&hand), delivery));
    workers.sweep("self-serve", move || {
        let agent = Arc::clone(&agent);
        async move {
            let report = agent.sweep(Timestamp::now(), Deadline::NONE).await?;
            tracing::debug!(?report, "swept");
            Ok::<_, WorkError>(())
        }
    });
    Ok(Api::new(settings, Parts { jobs, builds, backend, documents, queue: shared }))
}

async fn carry_out(agent: Arc<Agent>, delivery: Delivery) -> Made {
    let message = match Message::parse(&delivery.body) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(%error, "a message cannot be read, and is dropped");
            return Made::Done;
        }
    };
    match agent.handle(message, Timestamp::now(), Deadline::NONE).await {
        Ok(handled) => {
            tracing::info!(job = message.job, ?handled, "a job is done with");
            Made::Done
        }
        Err(error) => {
            tracing::warn!(job = message.job, %error, "a job comes again");
            Made::Again
        }
    }
}
