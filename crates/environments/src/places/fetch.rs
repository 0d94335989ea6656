//! Bytes of an address: in memory, or in a file with their hash.

use std::path::Path;

use buildhub_core::store::{FolderStore, Location, ObjectStore as _};
use buildhub_http::{Repeat, Request};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::{Address, FetchError, Places};
use crate::digest::hex;

/// How often a body that breaks off is begun anew.
const ATTEMPTS: u32 = 4;
/// The most bytes of an answer that says no.
const REFUSAL: usize = 64 << 10;
/// Bytes that are written to disk at a time.
const BUFFER: usize = 1 << 20;

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// Something that is being read.
struct Open {
    expected: Option<u64>,
    body: BoxStream<'static, Result<Bytes, FetchError>>,
}

/// Where bytes go.
trait Sink: Send {
    /// Forgets what came so far.
    fn restart(&mut self) -> impl Future<Output = Result<(), FetchError>> + Send;
    /// Takes what comes.
    fn add(&mut self, piece: Bytes) -> impl Future<Output = Result<(), FetchError>> + Send;
}

impl Places {
    /// All bytes of what is at an address, in memory; at most `limit`.
    pub async fn read(&self, address: &Address, limit: usize) -> Result<Bytes, FetchError> {
        let mut sink = Memory(Vec::new());
        self.whole(address, limit as u64, &mut sink, &|_, _| {}).await?;
        Ok(sink.0.into())
    }

    /// Keeps what is at an address in a file; at most `limit` bytes. `advance` is told how many there are so far, and
    /// how many there will be where that is known.
    pub async fn fetch(
        &self,
        address: &Address,
        file: &Path,
        limit: u64,
        advance: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<Fetched, FetchError> {
        let mut sink = Disk::create(address, file).await?;
        let size = self.whole(address, limit, &mut sink, advance).await?;
        sink.file.flush().await.map_err(|error| FetchError::disk(address, file, error))?;
        Ok(Fetched { size, sha256: hex(&sink.hash.finalize()) })
    }

    /// How many bytes are at an address, where that can be told without reading them.
    pub async fn size(&self, address: &Address) -> Result<Option<u64>, FetchError> {
        // The body is not read: it ends with the connection.
        Ok(self.open(address).await?.expected)
    }

    /// Reads all of it, again from its beginning where it breaks off; how much it is.
    async fn whole(
        &self,
        address: &Address,
        limit: u64,
        sink: &mut impl Sink,
        advance: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<u64, FetchError> {
        let mut attempt = 1;
        loop {
            // What does not even begin was asked for again already, by whoever asked.
            let open = self.open(address).await?;
            match Self::once(open, address, limit, sink, advance).await {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    tracing::warn!(%error, "a download broke off and is begun anew");
                    self.http.back_off(attempt - 1).await;
                    attempt += 1;
                    sink.restart().await?;
                }
                done => return done,
            }
        }
    }

    async fn once(
        mut open: Open,
        address: &Address,
        limit: u64,
        sink: &mut impl Sink,
        advance: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<u64, FetchError> {
        let too_large = || FetchError::TooLarge { address: address.to_string(), limit };
        if open.expected.is_some_and(|expected| expected > limit) {
            return Err(too_large());
        }
        let mut size = 0;
        while let Some(piece) = open.body.next().await {
            let piece = piece?;
            size += piece.len() as u64;
            if size > limit {
                return Err(too_large());
            }
            sink.add(piece).await?;
            advance(size, open.expected);
        }
        match open.expected {
            Some(expected) if expected != size => {
                Err(FetchError::Short { address: address.to_string(), size, expected })
            }
            _ => Ok(size),
        }
    }

    async fn open(&self, address: &Address) -> Result<Open, FetchError> {
        let object = match address {
            Address::Web(url) => {
                let answer = self.http.stream(&Request::get(url.clone()), Repeat::Safe).await?;
                if !answer.status().is_success() {
                    answer.whole(REFUSAL).await?.ok()?;
                    return Ok(Open { expected: Some(0), body: futures::stream::empty().boxed() });
                }
                let length = answer.headers().get(buildhub_http::header::CONTENT_LENGTH);
                let expected = length.and_then(|length| length.to_str().ok()?.parse().ok());
                let body = answer.into_stream().map(|piece| piece.map_err(FetchError::from)).boxed();
                return Ok(Open { expected, body });
            }
            Address::S3 { bucket, key } => {
                let bucket = Location::S3 { bucket: bucket.clone(), prefix: String::new() };
                self.stores.open(&bucket).await.get(key).await?
            }
            Address::File(path) => {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                FolderStore::new(path.parent().unwrap_or(Path::new("."))).get(name).await?
            }
        };
        let body = object.body.map(|piece| piece.map_err(FetchError::from)).boxed();
        Ok(Open { expected: Some(object.attributes.size), body })
    }
}

struct Memory(Vec<u8>);

impl Sink for Memory {
    async fn restart(&mut self) -> Result<(), FetchError> {
        self.0.clear();
        Ok(())
    }

    async fn add(&mut self, piece: Bytes) -> Result<(), FetchError> {
        self.0.extend_from_slice(&piece);
        Ok(())
    }
}

struct Disk<'a> {
    address: &'a Address,
    path: &'a Path,
    file: BufWriter<File>,
    hash: Sha256,
}

impl<'a> Disk<'a> {
    async fn create(address: &'a Address, path: &'a Path) -> Result<Self, FetchError> {
        let file = File::create(path).await.map_err(|error| FetchError::disk(address, path, error))?;
        Ok(Self { address, path, file: BufWriter::with_capacity(BUFFER, file), hash: Sha256::new() })
    }
}

impl Sink for Disk<'_> {
    async fn restart(&mut self) -> Result<(), FetchError> {
        *self = Disk::create(self.address, self.path).await?;
        Ok(())
    }

    async fn add(&mut self, piece: Bytes) -> Result<(), FetchError> {
        self.hash.update(&piece);
        let written = self.file.write_all(&piece).await;
        written.map_err(|error| FetchError::disk(self.address, self.path, error))
    }
}
