//! The bytes of an archive, counted.

use buildhub_http::{Streamed, Url};
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::{Body, Fault, FetchError, Limits};

/// A body that is being read.
struct Reading {
    answer: Streamed,
    url: Url,
    /// Bytes that were read, those before a resumption included.
    read: u64,
    limits: Limits,
    end: Option<Instant>,
}

/// The body, which ends with a fault where it passes a limit or breaks off.
pub(super) fn limited(url: &Url, answer: Streamed, from: u64, limits: &Limits) -> Body {
    let end = Instant::now().checked_add(limits.time);
    let reading = Reading { answer, url: url.clone(), read: from, limits: limits.clone(), end };
    stream::try_unfold(reading, |mut reading| async move {
        let piece = reading.next().await.map_err(|fault| FetchError::new(&reading.url, fault))?;
        Ok(piece.map(|piece| (piece, reading)))
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let chunk = match self.end {
            Some(end) => tokio::time::timeout_at(end, self.answer.chunk()).await,
            None => Ok(self.answer.chunk().await),
        };
        let Ok(chunk) = chunk else {
            return Err(Fault::TooSlow { limit: self.limits.time, read: self.read });
        };
        let piece = chunk.map_err(|error| Fault::Truncated { read: self.read, reason: error.cause.to_string() })?;
        self.read += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.read > self.limits.size {
            return Err(Fault::TooLarge { limit: self.limits.size });
        }
        Ok(piece)
    }
}
