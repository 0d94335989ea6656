//! A stream, cut into parts.

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;

use super::window::{Piece, Room, Window};
use super::{Control, CopyError, PART};
use crate::fetch::Body;

/// How long room is waited for before it is said that there is none.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A stream that is cut into parts: all of [`PART`] bytes but the last.
pub(super) struct Parts<'a> {
    source: Body,
    control: &'a Control,
    window: Window,
    /// What came with the end of a part and belongs to the next.
    left: Bytes,
    /// Bytes before this stream, and of it in whole parts.
    bytes: u64,
    is_at_end: bool,
    is_over: bool,
}

/// What comes next.
pub(super) enum Next {
    Part(Piece),
    End,
    /// The time is over.
    Pause,
    /// For [`TICK`] there was no room: what was read is not taken off as fast as it comes.
    Full,
}

impl<'a> Parts<'a> {
    /// Cuts what comes behind the first `bytes` of an archive.
    pub(super) fn new(source: Body, bytes: u64, control: &'a Control) -> Self {
        control.read(bytes);
        let (window, left) = (Window::new(), Bytes::new());
        Self { source, control, window, left, bytes, is_at_end: false, is_over: false }
    }

    /// The next part. An empty stream has one, an empty one.
    pub(super) async fn next(&mut self) -> Result<Next, CopyError> {
        if self.is_over {
            return Ok(Next::End);
        }
        let mut room = match self.control.allow(tokio::time::timeout(TICK, self.window.room())).await? {
            Some(Ok(Some(room))) => room,
            Some(Err(_)) => return Ok(Next::Full),
            Some(Ok(None)) | None => return Ok(Next::Pause),
        };
        while room.bytes.len() < PART {
            if self.left.has_remaining() {
                let more = self.left.split_to(self.left.len().min(PART - room.bytes.len()));
                room.bytes.extend_from_slice(&more);
                continue;
            }
            if self.is_at_end {
                return Ok(self.last(room));
            }
            match self.control.allow(self.source.next()).await? {
                Some(Some(piece)) => self.left = piece?,
                Some(None) => self.is_at_end = true,
                None => return Ok(Next::Pause),
            }
            self.control.read(self.bytes + (room.bytes.len() + self.left.len()) as u64);
        }
        Ok(Next::Part(self.cut(room)))
    }

    /// The next part, however long there is no room for it.
    pub(super) async fn with_room(&mut self) -> Result<Next, CopyError> {
        loop {
            match self.next().await? {
                Next::Full => {}
                next => return Ok(next),
            }
        }
    }

    /// Bytes of the archive in whole parts.
    pub(super) fn whole_bytes(&self) -> u64 {
        self.bytes
    }

    fn last(&mut self, room: Room) -> Next {
        self.is_over = true;
        if room.bytes.is_empty() && self.bytes > 0 { Next::End } else { Next::Part(self.cut(room)) }
    }

    fn cut(&mut self, room: Room) -> Piece {
        let number = u32::try_from(self.bytes / PART as u64).unwrap_or(u32::MAX).saturating_add(1);
        self.bytes += room.bytes.len() as u64;
        room.into_piece(number)
    }
}
