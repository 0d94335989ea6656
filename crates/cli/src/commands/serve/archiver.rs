//! The archiver: its API, two workers, and a sweep.

use std::sync::Arc;
use std::time::Duration;

use buildhub_archiver::api::Api;
use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::sweep::Sweeper;
use buildhub_archiver::task::{Message, TaskError, Tasks};
use buildhub_archiver::work::Worker;
use buildhub_core::Deadline;
use buildhub_core::queue::{Delivery, MemoryQueue, SharedQueue};
use jiff::Timestamp;

use super::ServeError;
use super::work::{Made, Workers};

/// Archives that are copied at the same time.
const WORKERS: usize = 2;
/// Tasks that wait for a worker. More are left to the sweep.
const WAITING: usize = 10_000;
/// How long a message that a worker did not come to an end with stays unseen.
const UNSEEN: Duration = Duration::from_mins(1);

/// Starts it; its API.
pub(super) async fn start(settings: &ArchiverSettings, workers: &mut Workers) -> Result<Api, ServeError> {
    let queue = Arc::new(MemoryQueue::new(WAITING, UNSEEN));
    let shared: SharedQueue = Arc::<MemoryQueue>::clone(&queue);
    let tasks = Tasks::new(settings.tasks_store().await);
    let regions = Regions::open(&settings.regions).await;
    let worker = Arc::new(Worker::new(settings, tasks.clone(), regions.clone(), Arc::clone(&shared))?);
    for _ in 0..WORKERS {
        let worker = Arc::clone(&worker);
        workers.work(Arc::clone(&queue), move |delivery| copy(Arc::clone(&worker), delivery));
    }
    let sweeper = Arc::new(Sweeper::new(tasks.clone(), regions.clone(), Arc::clone(&shared)));
    workers.sweep("archiver", move || {
        let sweeper = Arc::clone(&sweeper);
        async move {
            let report = sweeper.sweep(Timestamp::now(), Deadline::NONE).await?;
            tracing::debug!(?report, "swept");
            Ok::<_, TaskError>(())
        }
    });
    Ok(Api::new(settings, Arc::new(regions), tasks, shared))
}

async fn copy(worker: Arc<Worker>, delivery: Delivery) -> Made {
    let message = match Message::parse(&delivery.body) {
        Ok(message) => message,
        Err(error) => {
            tracing::error!(%error, "a message cannot be read, and is dropped");
            return Made::Done;
        }
    };
    let task = message.task.as_str();
    match worker.handle(&message, Timestamp::now(), Deadline::NONE).await {
        Ok(outcome) => {
            tracing::info!(task, outcome = outcome.name(), detail = ?outcome, "a message is done with");
            Made::Done
        }
        Err(error) => {
            tracing::warn!(task, %error, "a message comes again");
            Made::Again
        }
    }
}
