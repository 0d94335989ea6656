//! Metadata by address: each fetched once, however many builds ask for it at the same time.

mod cache;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use buildhub_releases::{Metadata, MetadataError, build_number};
use bytes::Bytes;
use jiff::Timestamp;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::archive::{ArchiveError, Folder, SharedArchive};
use crate::fact::seconds;
use crate::report::MetadataCounts;

pub use cache::MetadataCacheError;

/// Answers kept in memory, at about half a kilobyte each. An inventory lists the builds of one address close together,
/// so a bound costs nothing but the rare second fetch.
const MAX_ANSWERS: usize = 50_000;

/// Requests in a row that may fail before the archive counts as unreachable and the run stops: a storm of errors must
/// not be waited out file by file.
const MAX_FAILURES: u64 = 20;

/// Fetches and keeps metadata. One for a run.
#[derive(Debug)]
pub struct Library {
    archive: SharedArchive,
    parallel: NonZeroUsize,
    permits: Semaphore,
    answers: Cache<String, Answer>,
    highest: Cache<String, Option<u32>>,
    counts: Counts,
    /// When this run began, in seconds since 1970: nothing it fetches is older.
    now: u32,
    /// The last of too many failures in a row: from then on nothing is asked any more.
    out_of_reach: OnceLock<ArchiveError>,
}

/// What is known of an address, and since when (seconds since 1970). What is not there, or cannot be used, is known for
/// this run only.
#[derive(Debug, Clone)]
struct Answer {
    lookup: Lookup,
    asked: u32,
}

/// What a look-up found.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// Metadata.
    Found(Arc<Metadata>),
    /// No file.
    Missing,
    /// A file that is no metadata, and no other.
    Malformed,
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    fetched: AtomicU64,
    missing: AtomicU64,
    malformed: AtomicU64,
    failed: AtomicU64,
    failed_in_a_row: AtomicU64,
}

/// Metadata could not be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LibraryError {
    /// This file could not be fetched; others may.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Nothing can be fetched.
    #[error(
        "the archive is out of reach: {MAX_FAILURES} requests in a row failed, the last with: {0}; see ARCHIVE_URL"
    )]
    OutOfReach(ArchiveError),
}

impl Library {
    /// A library on `archive`, fetching at most `parallel` files at the same time, in a run that begins `now`.
    pub fn new(archive: SharedArchive, parallel: NonZeroUsize, now: Timestamp) -> Self {
        Self {
            archive,
            parallel,
            permits: Semaphore::new(parallel.get()),
            answers: Cache::new(MAX_ANSWERS),
            highest: Cache::new(MAX_ANSWERS),
            counts: Counts::default(),
            now: seconds(now),
            out_of_reach: OnceLock::new(),
        }
    }

    /// A library on the same archive that knows nothing yet, for a run that begins `now`.
    #[must_use]
    pub fn renewed(&self, now: Timestamp) -> Self {
        Self::new(SharedArchive::clone(&self.archive), self.parallel, now)
    }

    /// The metadata at the first of `keys` that has any.
    pub async fn first(&self, keys: &[String]) -> Result<Lookup, LibraryError> {
        let mut result = Lookup::Missing;
        for key in keys {
            match self.answers.get_or_insert_async(key.as_str(), self.fetch(key)).await?.lookup {
                Lookup::Missing => {}
                Lookup::Malformed => result = Lookup::Malformed,
                found @ Lookup::Found(_) => return Ok(found),
            }
        }
        Ok(result)
    }

    /// The bytes of one file, asked for now, whatever is known of it; `None` where there is none. What is in it is known
    /// from then on.
    pub async fn read(&self, key: &str) -> Result<Option<Bytes>, LibraryError> {
        let Some(body) = self.ask(self.archive.get(key)).await? else { return Ok(None) };
        let answer = self.answer(key, Some(understand(key, &body)?));
        self.answers.insert(key.to_owned(), answer);
        Ok(Some(body))
    }

    /// The highest build of a version, by listing its candidates: for a release whose candidates may not all have been
    /// in the inventory.
    pub async fn highest_build(&self, candidates_folder: &str) -> Result<Option<u32>, LibraryError> {
        self.highest.get_or_insert_async(candidates_folder, self.list_builds(candidates_folder)).await
    }

    /// What was asked so far.
    pub fn counts(&self) -> MetadataCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counts { requests, fetched, missing, malformed, failed, .. } = &self.counts;
        MetadataCounts {
            requests: of(requests),
            fetched: of(fetched),
            missing: of(missing),
            malformed: of(malformed),
            failed: of(failed),
        }
    }

    async fn fetch(&self, key: &str) -> Result<Answer, LibraryError> {
        let parsed = self.ask(self.parsed(key)).await?;
        Ok(self.answer(key, parsed))
    }

    /// What an answer of the archive is, counted.
    fn answer(&self, key: &str, parsed: Option<Result<Metadata, MetadataError>>) -> Answer {
        let (count, lookup) = match parsed {
            None => (&self.counts.missing, Lookup::Missing),
            Some(Ok(metadata)) => (&self.counts.fetched, Lookup::Found(Arc::new(metadata))),
            Some(Err(error)) => {
                tracing::warn!(key, %error, "a metadata file cannot be used; its builds are left out");
                (&self.counts.malformed, Lookup::Malformed)
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        Answer { lookup, asked: self.now }
    }

    async fn parsed(&self, key: &str) -> Result<Option<Result<Metadata, MetadataError>>, ArchiveError> {
        let Some(body) = self.archive.get(key).await? else { return Ok(None) };
        understand(key, &body).map(Some)
    }

    async fn list_builds(&self, folder: &str) -> Result<Option<u32>, LibraryError> {
        let Folder { folders, .. } = self.ask(self.archive.list(folder)).await?;
        Ok(folders.iter().filter_map(|name| build_number(name)).max())
    }

    /// Makes one request, when there is room for it, and watches for an archive that answers nothing any more.
    async fn ask<T>(&self, request: impl Future<Output = Result<T, ArchiveError>>) -> Result<T, LibraryError> {
        // The semaphore is never closed, so there is always a permit to wait for.
        let _permit = self.permits.acquire().await;
        if let Some(error) = self.out_of_reach.get() {
            return Err(LibraryError::OutOfReach(error.clone()));
        }
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        match request.await {
            Ok(answer) => {
                self.counts.failed_in_a_row.store(0, Ordering::Relaxed);
                Ok(answer)
            }
            Err(error) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                let failures = self.counts.failed_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
                if failures < MAX_FAILURES {
                    return Err(LibraryError::Archive(error));
                }
                Err(LibraryError::OutOfReach(self.out_of_reach.get_or_init(|| error).clone()))
            }
        }
    }
}

/// A file, understood or not. A web page in its place is a failure of the request: a proxy or a sign-in page answered,
/// and the file itself may be well.
fn understand(key: &str, body: &[u8]) -> Result<Result<Metadata, MetadataError>, ArchiveError> {
    match Metadata::parse(key, body) {
        Err(MetadataError::Html { .. }) => {
            let reason = "an HTML page came instead; does a proxy or a sign-in page answer for the archive?".to_owned();
            Err(ArchiveError { operation: "read", address: key.to_owned(), reason })
        }
        parsed => Ok(parsed),
    }
}
