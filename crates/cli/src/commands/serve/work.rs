//! The workers of one process, and its sweep.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::sweep::Sweeper;
use buildhub_archiver::task::{Message, Tasks};
use buildhub_archiver::work::Worker;
use buildhub_core::Deadline;
use buildhub_core::queue::{MemoryQueue, SharedQueue};
use buildhub_http::HttpError;
use futures::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Archives that are copied at the same time.
const WORKERS: usize = 2;

/// Time between two sweeps.
const SWEEP: Duration = Duration::from_mins(1);

/// How long archives that are being copied may take when the process stops. What is left is broken off, as if the process
/// had died: its lease is over a minute later, and the next sweep sends it again.
const STOPPING: Duration = Duration::from_secs(10);

/// Workers and sweep, until they are stopped.
pub(super) struct Workers {
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Workers {
    pub(super) fn start(
        settings: &ArchiverSettings,
        tasks: &Tasks,
        regions: &Regions,
        queue: &Arc<MemoryQueue>,
    ) -> Result<Self, HttpError> {
        let shared: SharedQueue = Arc::<MemoryQueue>::clone(queue);
        let worker = Arc::new(Worker::new(settings, tasks.clone(), regions.clone(), Arc::clone(&shared))?);
        let sweeper = Sweeper::new(tasks.clone(), regions.clone(), shared);
        let (stop, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        for _ in 0..WORKERS {
            running.spawn(work(Arc::clone(queue), Arc::clone(&worker), stopped.clone()));
        }
        running.spawn(sweep(sweeper, stopped));
        Ok(Self { running, stop })
    }

    /// Takes nothing more, and waits for what was taken; whether all of it came to its end.
    pub(super) async fn stop(mut self) -> bool {
        let _ = self.stop.send(true);
        let all = async { while self.running.join_next().await.is_some() {} };
        tokio::time::timeout(STOPPING, all).await.is_ok()
    }
}

/// One message after the other.
async fn work(queue: Arc<MemoryQueue>, worker: Arc<Worker>, mut stopped: watch::Receiver<bool>) {
    loop {
        let delivery = tokio::select! {
            biased;
            _ = stopped.wait_for(|is| *is) => return,
            delivery = queue.receive() => delivery,
        };
        let message = match Message::parse(&delivery.body) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, "a message cannot be read, and is dropped");
                queue.remove(&delivery);
                continue;
            }
        };
        let task = message.task.as_str();
        let work = worker.handle(&message, Timestamp::now(), Deadline::NONE);
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(outcome)) => {
                tracing::info!(task, outcome = outcome.name(), detail = ?outcome, "a message is done with");
                queue.remove(&delivery);
            }
            Ok(Err(error)) => tracing::warn!(task, %error, "a message comes again"),
            // It is in the log and reported by now, and is tried again as after a crash.
            Err(_) => tracing::error!(task, "the worker broke; its message comes again"),
        }
    }
}

async fn sweep(sweeper: Sweeper, mut stopped: watch::Receiver<bool>) {
    let mut times = tokio::time::interval(SWEEP);
    times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|is| *is) => return,
            _ = times.tick() => {}
        }
        match AssertUnwindSafe(sweeper.sweep(Timestamp::now(), Deadline::NONE)).catch_unwind().await {
            Ok(Ok(report)) => tracing::debug!(?report, "swept"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot sweep; it is tried again in a minute"),
            Err(_) => tracing::error!("the sweep broke; it is tried again in a minute"),
        }
    }
}
