//! The parts of an archive, on their way to the regions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use buildhub_core::store::{ObjectHeaders, Part, StoreError, StoreErrorKind, Upload, settled};
use futures::future;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::window::Piece;
use super::{Checkpoint, Plan, Staged};
use crate::regions::Region;

/// How long a region may take for one part, or to begin: a quarter of a megabyte a second is slow. One that is slower is
/// left out, since all the others would wait for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An upload of each region.
#[derive(Debug)]
pub(super) struct Uploads {
    regions: Vec<Sending>,
    begun: Instant,
}

#[derive(Debug)]
struct Sending {
    region: Region,
    // Bounded by the window: there are no more parts than it has room for.
    pieces: UnboundedSender<Piece>,
    progress: Progress,
    sent: usize,
    /// How long another had everything, and the reading waited for this one.
    kept_waiting: Duration,
    // Ends with what began it.
    task: AbortOnDropHandle<Result<Held, StoreError>>,
}

/// How far a region is, and whether the others go on without it.
#[derive(Debug, Clone, Default)]
struct Progress {
    taken: Arc<AtomicUsize>,
    is_left_out: CancellationToken,
}

/// What a region has: an upload, and its parts.
pub(super) type Held = (Upload, Vec<Part>);

/// What each region has, or why it has nothing.
#[derive(Debug)]
pub(super) struct Sent(pub(super) Vec<(Region, Result<Held, String>)>);

impl Uploads {
    /// Begins an upload in every region.
    pub(super) fn begin(plan: &Plan) -> Self {
        Self::of(plan.regions.iter().map(|region| Sending::start(region, plan, None)))
    }

    /// Goes on with those of a checkpoint. A region that is not in it had failed before.
    pub(super) fn resume(plan: &Plan, checkpoint: Checkpoint) -> Self {
        let found = checkpoint.regions.into_iter().filter_map(|staged| {
            let region = plan.regions.iter().find(|region| region.name == staged.region)?;
            Some(Sending::start(region, plan, Some((staged.upload, staged.parts))))
        });
        Self::of(found)
    }

    fn of(regions: impl Iterator<Item = Sending>) -> Self {
        Self { regions: regions.collect(), begun: Instant::now() }
    }

    /// Sends a part to every region that has not failed; says whether there is any.
    pub(super) fn send(&mut self, piece: &Piece) -> bool {
        // Every one of them is asked.
        self.regions.iter_mut().filter_map(|region| region.send(piece)).count() > 0
    }

    /// Notes that for so long there was no room. Who has kept another waiting longer than the patience, and for more than half of
    /// the time, is left out.
    pub(super) fn waited(&mut self, tick: Duration, patience: Duration) {
        let is_there = |region: &&mut Sending| !region.pieces.is_closed();
        if !self.regions.iter_mut().filter(is_there).any(|region| region.left() == 0) {
            return;
        }
        let limit = patience.max(self.begun.elapsed() / 2);
        for region in self.regions.iter_mut().filter(is_there).filter(|region| region.left() > 0) {
            region.kept_waiting += tick;
            if region.kept_waiting > limit {
                region.progress.is_left_out.cancel();
            }
        }
    }

    /// Waits until everything that was sent is there.
    pub(super) async fn finish(self) -> Sent {
        let ends = self.regions.into_iter().map(|sending| async {
            let Sending { region, pieces, task, .. } = sending;
            drop(pieces);
            let sent = match task.await {
                Ok(sent) => sent.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            (region, sent)
        });
        Sent(future::join_all(ends).await)
    }
}

impl Sent {
    /// Whether any region has what was sent.
    pub(super) fn is_anywhere(&self) -> bool {
        self.0.iter().any(|(_, sent)| sent.is_ok())
    }

    /// Why regions failed, by their names.
    pub(super) fn reasons(&self) -> Vec<(String, String)> {
        self.0.iter().filter_map(|(region, sent)| Some((region.name.clone(), sent.as_ref().err()?.clone()))).collect()
    }

    /// What another goes on with.
    pub(super) fn into_checkpoint(self, bytes: u64) -> Checkpoint {
        let staged = self.0.into_iter().filter_map(|(region, sent)| {
            let (upload, parts) = sent.ok()?;
            Some(Staged { region: region.name, upload, parts })
        });
        Checkpoint { bytes, regions: staged.collect(), is_all: false }
    }

    /// Gives everything up.
    pub(super) async fn abort(self) {
        let aborts = self.0.iter().filter_map(|(region, sent)| Some(abort(region, &sent.as_ref().ok()?.0)));
        future::join_all(aborts).await;
    }
}

impl Sending {
    fn start(region: &Region, plan: &Plan, begun: Option<Held>) -> Self {
        let (pieces, received) = mpsc::unbounded_channel();
        let progress = Progress::default();
        let task = tokio::spawn(upload(region.clone(), plan.staging.clone(), begun, received, progress.clone()));
        let (sent, kept_waiting, task) = (0, Duration::ZERO, AbortOnDropHandle::new(task));
        Self { region: region.clone(), pieces, progress, sent, kept_waiting, task }
    }

    /// Sends it a part, unless it has failed.
    fn send(&mut self, piece: &Piece) -> Option<()> {
        self.pieces.send(piece.clone()).ok()?;
        self.sent += 1;
        Some(())
    }

    /// Parts that it does not have yet.
    fn left(&self) -> usize {
        self.sent.saturating_sub(self.progress.taken.load(Ordering::Relaxed))
    }
}

/// One region's upload. Where it fails nothing of it is left.
async fn upload(
    region: Region,
    key: String,
    begun: Option<Held>,
    received: UnboundedReceiver<Piece>,
    progress: Progress,
) -> Result<Held, StoreError> {
    let (upload, parts) = match begun {
        Some(begun) => begun,
        None => (patiently(&region, region.store.begin(&key, &ObjectHeaders::default())).await?, Vec::new()),
    };
    match send(&region, &upload, parts, received, &progress).await {
        Ok(parts) => Ok((upload, parts)),
        Err(error) => {
            tracing::warn!(region = region.name, %error, "a region is left out of a copy");
            abort(&region, &upload).await;
            Err(error)
        }
    }
}

async fn send(
    region: &Region,
    upload: &Upload,
    mut parts: Vec<Part>,
    mut received: UnboundedReceiver<Piece>,
    progress: &Progress,
) -> Result<Vec<Part>, StoreError> {
    let mut sending = FuturesUnordered::new();
    let mut is_open = true;
    loop {
        tokio::select! {
            () = progress.is_left_out.cancelled(), if is_open || !sending.is_empty() => {
                // What is on its way is waited for once more, but no longer than a part may take: it would stay otherwise.
                drop(received);
                settled(sending).await;
                return Err(too_slow(region));
            }
            piece = received.recv(), if is_open => match piece {
                Some(piece) => sending.push(patiently(region, part(region, upload, piece))),
                None => is_open = false,
            },
            Some(part) = sending.next() => match part {
                Ok(part) => {
                    parts.push(part);
                    progress.taken.fetch_add(1, Ordering::Relaxed);
                }
                // Those that arrive after the upload was given up would stay. What was not sent yet is let go at once: the
                // other regions wait for its room.
                Err(error) => {
                    drop(received);
                    settled(sending).await;
                    return Err(error);
                }
            },
            else => return Ok(parts),
        }
    }
}

async fn part(region: &Region, upload: &Upload, piece: Piece) -> Result<Part, StoreError> {
    // The piece is held until it is there, and its room with it.
    region.store.part(upload, piece.number(), piece.bytes()).await
}

/// Waits for a region, but not for ever.
async fn patiently<T>(region: &Region, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(left_out(region, format!("the region {} took longer than {PATIENCE:?}", region.name))))
}

fn too_slow(region: &Region) -> StoreError {
    left_out(region, format!("the region {} is much slower than another, and is copied to later", region.name))
}

fn left_out(region: &Region, reason: String) -> StoreError {
    let bucket = buildhub_core::store::ObjectStore::describe(&region.store);
    StoreError::new(StoreErrorKind::Transient, "write a part to", bucket, reason)
}

/// Gives an upload up. What cannot be given up now is the sweeper's.
pub(super) async fn abort(region: &Region, upload: &Upload) {
    if let Err(error) = patiently(region, region.store.abort(upload)).await {
        tracing::warn!(region = region.name, key = upload.key, %error, "an upload could not be aborted; it is swept later");
    }
}
