//! How long work tells people how far it is.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading what the store has; counted in records.
    Store,
    /// Reading the inventory; counted in bytes of its parts.
    Inventory,
    /// Fetching metadata and sending records; counted in builds.
    Records,
    /// Proving that what was acknowledged is there; counted in records.
    Proof,
}

impl Stage {
    /// What a person reads.
    pub fn title(self) -> &'static str {
        match self {
            Self::Store => "Reading the store",
            Self::Inventory => "Reading the inventory",
            Self::Records => "Bringing records up to date",
            Self::Proof => "Proving what was written",
        }
    }

    /// What is counted.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Inventory => "bytes",
            Self::Records => "builds",
            Self::Store | Self::Proof => "records",
        }
    }
}

/// Somebody who is told how far the work is. Called often and from several threads: it must be cheap.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` where it is known.
    fn begin(&self, stage: Stage, total: Option<u64>);
    /// So much more of the stage is done.
    fn advance(&self, by: u64);
    /// The stage is over.
    fn end(&self);
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _: Stage, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// A log line at the beginning and the end of each stage, and every ten seconds in between, with the time it still
/// takes where that can be told.
#[derive(Debug, Default)]
pub struct LogProgress(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    stage: Stage,
    total: Option<u64>,
    done: u64,
    since: Instant,
    told: Instant,
}

const INTERVAL: Duration = Duration::from_secs(10);

impl Progress for LogProgress {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        tracing::info!(total, unit = stage.unit(), "{}", stage.title());
        let now = Instant::now();
        self.set(Some(Running { stage, total, done: 0, since: now, told: now }));
    }

    fn advance(&self, by: u64) {
        let Ok(mut running) = self.0.lock() else { return };
        let Some(running) = running.as_mut() else { return };
        running.done += by;
        if running.told.elapsed() >= INTERVAL {
            running.told = Instant::now();
            let eta = running.left().map(|left| left.as_secs());
            let Running { stage, done, total, .. } = *running;
            tracing::info!(done, total, unit = stage.unit(), eta_seconds = eta, "{}", stage.title());
        }
    }

    fn end(&self) {
        if let Some(Running { stage, done, since, .. }) = self.set(None) {
            let seconds = since.elapsed().as_secs_f64();
            tracing::info!(done, unit = stage.unit(), seconds, "{}: done", stage.title());
        }
    }
}

impl LogProgress {
    fn set(&self, running: Option<Running>) -> Option<Running> {
        self.0.lock().ok().and_then(|mut current| std::mem::replace(&mut *current, running))
    }
}

impl Running {
    /// The time left at the pace so far.
    fn left(&self) -> Option<Duration> {
        let left = u128::from(self.total?.saturating_sub(self.done));
        let nanoseconds = self.since.elapsed().as_nanos().saturating_mul(left).checked_div(self.done.into())?;
        u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
    }
}
