//! What a copy is told while it goes on, and what it tells.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::CopyError;

/// How long a region may keep another waiting, in all.
const PATIENCE: Duration = Duration::from_secs(30);

/// The reins of a copy.
#[derive(Debug)]
pub struct Control {
    read: AtomicU64,
    stop: CancellationToken,
    pause: CancellationToken,
    end: CancellationToken,
    pause_at: Option<Instant>,
    end_at: Option<Instant>,
    may_pause: bool,
    begun: Instant,
    patience: Duration,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            read: AtomicU64::new(0),
            stop: CancellationToken::new(),
            pause: CancellationToken::new(),
            end: CancellationToken::new(),
            pause_at: None,
            end_at: None,
            may_pause: false,
            begun: Instant::now(),
            patience: PATIENCE,
        }
    }
}

impl Control {
    /// Of a copy that has all the time it needs, until it is told otherwise. Where it `may_pause`, see
    /// [`Control::until`].
    pub fn unhurried(may_pause: bool) -> Self {
        Self { may_pause, ..Self::default() }
    }

    /// Of a copy that reads no further from that moment on. Where it `may_pause`, what there is is kept for another to go
    /// on with ([`Ended::Paused`](super::Ended)), also where the source breaks off; else it fails, with
    /// [`CopyError::OutOfTime`]. What was read is put together until `end_at`: a region that is not through then is left out.
    pub fn until(pause_at: Instant, end_at: Instant, may_pause: bool) -> Self {
        Self { pause_at: Some(pause_at), end_at: Some(end_at), may_pause, ..Self::default() }
    }

    /// The same, with another patience: a region that has kept another waiting so long, and for more than half of the time, is left
    /// out.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Bytes of the archive that were read, those before a pause included.
    pub fn bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Stops the copy: it aborts what it began and fails with [`CopyError::Stopped`]. What is put together already is
    /// shown all the same: it is whole, whoever shows it.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Pauses the copy, as if its time were over.
    pub fn pause(&self) {
        self.pause.cancel();
    }

    /// Leaves out the regions that are not through, as if the time for putting together were over.
    pub fn end(&self) {
        self.end.cancel();
    }

    pub(super) fn read(&self, bytes: u64) {
        self.read.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    pub(super) fn may_pause(&self) -> bool {
        self.may_pause
    }

    pub(super) fn out_of_time(&self) -> CopyError {
        CopyError::OutOfTime { bytes: self.bytes(), took: self.begun.elapsed() }
    }

    /// Waits for `work` unless it is stopped; `None` when it is time to pause.
    pub(super) async fn allow<T>(&self, work: impl Future<Output = T>) -> Result<Option<T>, CopyError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(CopyError::Stopped),
            () = at(self.pause_at) => Ok(None),
            () = self.pause.cancelled() => Ok(None),
            done = work => Ok(Some(done)),
        }
    }

    /// Waits for what is done with an archive that was read; `None` when no time is left for it.
    pub(super) async fn to_the_end<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = at(self.end_at) => None,
            () = self.end.cancelled() => None,
        }
    }
}

/// A moment, or never.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
