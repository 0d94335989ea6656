//! The check of an archive, on a thread of its own.

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;

use super::CopyError;
use super::window::Piece;
use crate::request::Suffix;
use crate::verify::{Check, Damage, Expected, Whole};

/// A check that goes on beside.
#[derive(Debug)]
pub(super) struct Checking {
    // Bounded by the window: there are no more parts than it has room for.
    pieces: UnboundedSender<Piece>,
    thread: JoinHandle<Result<Check, Damage>>,
}

impl Checking {
    pub(super) fn start(suffix: Suffix) -> Self {
        let (pieces, mut received) = mpsc::unbounded_channel::<Piece>();
        let thread = tokio::task::spawn_blocking(move || {
            let mut check = Check::new(suffix);
            while let Some(piece) = received.blocking_recv() {
                check.push(&piece.bytes())?;
            }
            Ok(check)
        });
        Self { pieces, thread }
    }

    /// Checks a part; says whether it may be whole so far.
    pub(super) fn send(&self, piece: &Piece) -> bool {
        self.pieces.send(piece.clone()).is_ok()
    }

    /// Whether all of it was whole.
    pub(super) async fn finish(self, expected: &Expected) -> Result<Whole, CopyError> {
        drop(self.pieces);
        let check = self.thread.await.map_err(|error| CopyError::Broken(error.to_string()))?;
        Ok(check?.finish(expected)?)
    }
}
