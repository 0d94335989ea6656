//! How much of an archive is in memory.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PART;

/// Parts that are in memory at the same time: one that is being read, and others that are being sent and checked. They
/// are 32 MiB together, however many regions there are.
const PARTS: usize = 4;

/// Room for parts. Their memory is used again and again: what is given back and asked for anew comes in other places, and
/// the process grows.
#[derive(Debug, Clone)]
pub(super) struct Window {
    permits: Arc<Semaphore>,
    spare: Spare,
}

type Spare = Arc<Mutex<Vec<BytesMut>>>;

/// Room for one part.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) bytes: BytesMut,
    permit: OwnedSemaphorePermit,
    spare: Spare,
}

/// A part of an archive. Its room is free again when the last clone is gone.
#[derive(Debug, Clone)]
pub(super) struct Piece(Arc<Held>);

#[derive(Debug)]
struct Held {
    number: u32,
    bytes: Bytes,
    spare: Spare,
    _permit: OwnedSemaphorePermit,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(PARTS)), spare: Arc::default() }
    }

    /// Room for a part, as soon as there is; `None` never, for the window is not closed.
    pub(super) async fn room(&self) -> Option<Room> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let used = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = used.unwrap_or_else(|| BytesMut::with_capacity(PART));
        Some(Room { bytes, permit, spare: Arc::clone(&self.spare) })
    }
}

impl Room {
    /// What is in it, as the part of that number.
    pub(super) fn into_piece(self, number: u32) -> Piece {
        Piece(Arc::new(Held { number, bytes: self.bytes.freeze(), spare: self.spare, _permit: self.permit }))
    }
}

impl Piece {
    pub(super) fn number(&self) -> u32 {
        self.0.number
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.0.bytes.clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Where a connection still holds on to it, the memory goes its own way.
        if let Ok(mut bytes) = std::mem::take(&mut self.bytes).try_into_mut() {
            bytes.clear();
            if bytes.capacity() >= PART {
                self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
            }
        }
    }
}
