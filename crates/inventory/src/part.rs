//! Reading a part of an inventory out of a store, verified.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use buildhub_core::store::{SharedStore, StoreError};
use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use md5::{Digest as _, Md5};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::Instrument as _;

use crate::csv::CsvRows;
use crate::gzip::gzip_or_plain;
use crate::manifest::{Md5Hex, Part};
use crate::row::Rows;
use crate::schema::Schema;

/// Pieces of a part that wait to be read: enough to keep both sides busy. Stores give pieces of at most some hundred
/// KiB.
const PIECES: usize = 8;

/// Why a part could not be read to its end. Rows given out before it may be wrong: read the part again, whole.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The store does not give it.
    #[error("inventory part {part}: {source}{}", missing_hint(.source))]
    Store {
        /// The part.
        part: String,
        /// Why not.
        source: StoreError,
    },
    /// It is shorter or longer than the manifest says.
    #[error(
        "inventory part {part} is damaged: it has {found} bytes where the manifest says {expected}; \
         read it again, and if it stays so, take another inventory"
    )]
    Size {
        /// The part.
        part: String,
        /// As the manifest says, in bytes.
        expected: u64,
        /// As counted, in bytes; counting stops when it is more than expected.
        found: u64,
    },
    /// Its bytes are not those that S3 wrote.
    #[error(
        "inventory part {part} is damaged: its MD5 is {found} where the manifest says {expected}; \
         read it again, and if it stays so, take another inventory"
    )]
    Checksum {
        /// The part.
        part: String,
        /// As the manifest says.
        expected: Md5Hex,
        /// Of the bytes.
        found: Md5Hex,
    },
    /// It cannot be decompressed.
    #[error("inventory part {part} is truncated or damaged, it cannot be decompressed ({source}); fetch it again")]
    Gzip {
        /// The part.
        part: String,
        /// What the decompressor says.
        source: io::Error,
    },
    /// The source (a file, standard input) cannot be read.
    #[error("cannot read inventory part {part}: {source}")]
    Read {
        /// The part.
        part: String,
        /// Why not.
        source: io::Error,
    },
    /// Reading went on after an error, or the runtime stopped meanwhile.
    #[error("reading inventory part {part} was broken off before its end; read it again")]
    Interrupted {
        /// The part.
        part: String,
    },
}

impl PartError {
    /// The error of a reader, which may carry one of ours.
    pub(crate) fn reading(part: &str, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(source) => {
                let part = part.to_owned();
                match source.kind() {
                    // What the decompressor makes of bytes that are wrong or too few.
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                        Self::Gzip { part, source }
                    }
                    _ => Self::Read { part, source },
                }
            }
        }
    }
}

fn missing_hint(source: &StoreError) -> &'static str {
    if source.is_not_found() {
        "; the manifest names it: check the prefix put before its key, or take a newer inventory if this one expired"
    } else {
        ""
    }
}

/// Reads the rows of a part: the object `prefix` + `part.key` of `store`.
///
/// The rows are to be read on a thread that may block (`tokio::task::spawn_blocking`): the bytes are fetched by a task
/// on `handle`, checked there, and handed over in a bounded channel. The task ends when the rows are dropped.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use buildhub_core::store::{FolderStore, SharedStore};
/// # use buildhub_inventory::{latest, open_part, Rows};
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store: SharedStore = Arc::new(FolderStore::new("bucket"));
/// let found = latest(&*store, "public/inventories/delivery/delivery-firefox/").await?;
/// let handle = tokio::runtime::Handle::current();
/// let reading = tokio::task::spawn_blocking(move || {
///     let mut bytes = 0;
///     for part in &found.manifest.parts {
///         let mut rows = open_part(store.clone(), handle.clone(), "public/", part, &found.manifest.schema);
///         while let Some(row) = rows.next()? {
///             bytes += row.and_then(|row| row.size()).unwrap_or(0);
///         }
///     }
///     Ok::<_, buildhub_inventory::PartError>(bytes)
/// });
/// println!("{} bytes", reading.await??);
/// # Ok(()) }
/// ```
#[expect(clippy::needless_pass_by_value, reason = "a handle and a shared store are passed like any owned thing")]
pub fn open_part(store: SharedStore, handle: Handle, prefix: &str, part: &Part, schema: &Schema) -> impl Rows + use<> {
    let key = format!("{prefix}{}", part.key);
    let (sender, receiver) = mpsc::channel(PIECES);
    let fetching = fetch(Arc::clone(&store), key.clone(), part.clone(), sender).in_current_span();
    let fetching = handle.spawn(fetching).abort_handle();
    let bytes = Arc::new(AtomicU64::new(0));
    let body =
        Body { part: key.clone(), receiver, piece: Bytes::new(), is_whole: false, bytes: Arc::clone(&bytes), fetching };
    CsvRows::new(gzip_or_plain(body), bytes, schema, key)
}

/// What the fetching task hands over.
type Handed = Result<Piece, PartError>;

enum Piece {
    Bytes(Bytes),
    /// All bytes were handed over, and they are the right ones.
    Whole,
}

/// Hands over a part's bytes, then the verdict on them.
async fn fetch(store: SharedStore, key: String, part: Part, sender: mpsc::Sender<Handed>) {
    let last = match stream(&store, &key, &part, &sender).await {
        Ok(()) => Ok(Piece::Whole),
        Err(error) => Err(error),
    };
    // Nobody listens when the rows were dropped.
    let _ = sender.send(last).await;
}

async fn stream(store: &SharedStore, key: &str, part: &Part, sender: &mpsc::Sender<Handed>) -> Result<(), PartError> {
    let unread = |source| PartError::Store { part: key.to_owned(), source };
    let mut body = store.get(key).await.map_err(unread)?.body;
    let mut hasher = Md5::new();
    let mut found = 0_u64;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(unread)?;
        found = found.saturating_add(piece.len() as u64);
        if found > part.size {
            break;
        }
        hasher.update(&piece);
        if sender.send(Ok(Piece::Bytes(piece))).await.is_err() {
            return Err(PartError::Interrupted { part: key.to_owned() });
        }
    }
    if found != part.size {
        return Err(PartError::Size { part: key.to_owned(), expected: part.size, found });
    }
    let found = Md5Hex::finish(hasher);
    if found != part.md5 {
        return Err(PartError::Checksum { part: key.to_owned(), expected: part.md5, found });
    }
    Ok(())
}

/// A part's bytes as a blocking reader.
struct Body {
    part: String,
    receiver: mpsc::Receiver<Handed>,
    piece: Bytes,
    is_whole: bool,
    bytes: Arc<AtomicU64>,
    fetching: AbortHandle,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() && !self.is_whole {
            match self.receiver.blocking_recv() {
                Some(Ok(Piece::Bytes(piece))) => {
                    self.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
                    self.piece = piece;
                }
                Some(Ok(Piece::Whole)) => self.is_whole = true,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Err(io::Error::other(PartError::Interrupted { part: self.part.clone() })),
            }
        }
        let length = buffer.len().min(self.piece.len());
        if let Some(room) = buffer.get_mut(..length) {
            self.piece.copy_to_slice(room);
        }
        Ok(length)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.fetching.abort();
    }
}
