//! Builds through the resolver, some steps ahead of whoever takes the records.

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use crate::gaps::GapReason;
use crate::metadata::LibraryError;
use crate::resolve::{Knowledge, Resolved, Resolver};
use crate::scan::{News, ScanError};
use crate::spool::{Pending, Spool, SpoolError};

/// Builds resolved together: enough to share a look-up among the locales of a version.
const CHUNK: usize = 512;

/// Chunks that wait between two stages.
const WAITING: usize = 4;

/// Chunks that are resolved at the same time.
const AHEAD: usize = 4;

/// Builds on their way, or why there are no more.
pub(crate) type Chunk = Result<Vec<Pending>, SpoolError>;

/// The resolving stopped.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The archive answers nothing any more.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The list of waiting builds cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A task ended without an answer.
    #[error("a task stopped: {0}")]
    Task(String),
}

impl PipelineError {
    /// Why the builds that were left have no record.
    pub(crate) fn gap(&self) -> GapReason {
        match self {
            Self::Library(_) => GapReason::OutOfReach,
            Self::Spool(_) | Self::Task(_) => GapReason::NotReached,
        }
    }
}

/// The sending end, for a thread that reads: collects builds into chunks and waits while the other end is busy.
#[derive(Debug)]
pub(crate) struct Feed {
    sender: mpsc::Sender<Chunk>,
    chunk: Vec<Pending>,
}

impl Feed {
    /// A feed, and the chunks that come out of it.
    pub(crate) fn new() -> (Self, impl Stream<Item = Chunk> + Send) {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let chunks = stream::poll_fn(move |context| receiver.poll_recv(context));
        (Self { sender, chunk: Vec::with_capacity(CHUNK) }, chunks)
    }

    /// Adds a build; blocks while enough chunks wait.
    pub(crate) fn push(&mut self, build: Pending) -> Result<(), ScanError> {
        self.chunk.push(build);
        if self.chunk.len() < CHUNK {
            return Ok(());
        }
        self.flush()
    }

    /// Sends what was collected.
    pub(crate) fn flush(&mut self) -> Result<(), ScanError> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(chunk)).map_err(|_| ScanError::Stopped)
    }
}

/// Routes news: what is clear goes on at once, what waits for the end is kept.
pub(crate) fn route(news: News, feed: &mut Feed, spool: &mut Spool) -> Result<(), ScanError> {
    if news.waits { Ok(spool.push(&news.build)?) } else { feed.push(news.build) }
}

/// The builds of some lists, in chunks, read on a thread of their own.
pub(crate) fn read_spools(spools: Vec<Spool>) -> impl Stream<Item = Chunk> + Send {
    let (mut feed, chunks) = Feed::new();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = feed_spools(spools, &mut feed) {
            // Nobody listens when the run has stopped.
            let _ = feed.sender.blocking_send(Err(error));
        }
    });
    chunks
}

fn feed_spools(spools: Vec<Spool>, feed: &mut Feed) -> Result<(), SpoolError> {
    for spool in spools {
        for build in spool.read()? {
            if feed.push(build?).is_err() {
                return Ok(());
            }
        }
    }
    let _ = feed.flush();
    Ok(())
}

/// Resolves the chunks on all cores and hands over the results in their order, with the number of builds each is of.
pub(crate) fn resolve_all(
    resolver: Arc<Resolver>,
    knowledge: Arc<Knowledge>,
    chunks: impl Stream<Item = Chunk> + Send,
) -> impl Stream<Item = Result<(u64, Resolved), PipelineError>> + Send {
    chunks
        .map(move |chunk| {
            let (resolver, knowledge) = (Arc::clone(&resolver), Arc::clone(&knowledge));
            async move {
                let chunk = chunk?;
                let work = async move {
                    let outcome = resolver.resolve(&chunk, &knowledge).await?;
                    Ok((chunk.len() as u64, outcome))
                };
                // What it logs is of the same invocation.
                let task = tokio::spawn(work.in_current_span());
                task.await.unwrap_or_else(|stopped| Err(PipelineError::Task(stopped.to_string())))
            }
        })
        .buffered(AHEAD)
}
