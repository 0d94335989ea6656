//! A source of archives that does as it is told: what no real one does on demand.
//!
//! ```no_run
//! # #[tokio::main] async fn main() -> std::io::Result<()> {
//! use buildhub_testkit::source::{Archive, Misdeed, SourceServer};
//!
//! let source = SourceServer::start(Archive::gzip(20 << 20)).await?;
//! source.next([Misdeed::Status(503, Some(1)), Misdeed::Cut(9 << 20)]);
//! println!("ARCHIVER_HGMO_URL_TEMPLATE={}", source.template());
//! # Ok(()) }
//! ```

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LOCATION, RANGE,
    RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::site::serve;

/// Bytes that are sent at once.
const PIECE: usize = 64 << 10;

/// What the source has: the same archive at every address.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Its bytes, or those that it repeats.
    pub bytes: Bytes,
    /// How often they stand in it. Several gzip files behind each other are one.
    pub times: u64,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its strong `ETag`, quotes included: with one, the source knows ranges.
    pub etag: Option<&'static str>,
    /// Whether its length is announced, or it comes chunked.
    pub has_length: bool,
    /// Bytes a second, where it is not as fast as it can.
    pub pace: Option<u64>,
}

/// What the source does instead of answering well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misdeed {
    /// Answers with that status, and `Retry-After` of so many seconds.
    Status(u16, Option<u64>),
    /// Breaks off after so many bytes.
    Cut(u64),
    /// Says that it is at its end after so many bytes.
    Short(u64),
    /// Sends no more after so many bytes, and keeps the connection.
    Stall(u64),
    /// Never comes to an end: what it has comes again and again.
    Endless,
    /// Another `Content-Type`.
    Type(&'static str),
    /// A `Content-Encoding`.
    Encoding(&'static str),
    /// Leads elsewhere.
    Redirect(String),
    /// Passes over `Range`.
    NoRange,
    /// Begins to answer so much later.
    Late(Duration),
}

/// A running source. It is stopped, its connections with it, when it is dropped.
#[derive(Debug)]
pub struct SourceServer {
    address: SocketAddr,
    served: Arc<Served>,
    serving: AbortHandle,
}

#[derive(Debug)]
struct Served {
    archive: Archive,
    misdeeds: Mutex<VecDeque<Misdeed>>,
    /// The `Range` of each request, or nothing.
    asked: Mutex<Vec<Option<String>>>,
}

impl Archive {
    /// A gzip file of about so many bytes that do not shrink.
    pub fn gzip(size: usize) -> Self {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..size / 8 {
            // xorshift64 (Marsaglia): the same bytes every time.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Writing into memory does not fail.
            let _ = encoder.write_all(&state.to_le_bytes());
        }
        Self::of(encoder.finish().unwrap_or_default().into(), "application/x-gzip")
    }

    /// An archive of these bytes.
    pub fn of(bytes: Bytes, content_type: &'static str) -> Self {
        Self { bytes, times: 1, content_type, etag: None, has_length: false, pace: None }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 * self.times
    }

    /// What comes from byte `from` on.
    fn pieces(&self, from: u64) -> impl Stream<Item = Bytes> + use<> {
        let (bytes, size) = (self.bytes.clone(), self.size());
        stream::unfold(from, move |at| {
            let length = bytes.len() as u64;
            let piece = (at < size).then(|| {
                let begin = usize::try_from(at % length).unwrap_or_default();
                bytes.slice(begin..bytes.len().min(begin + PIECE))
            });
            async move { piece.map(|piece| (piece.clone(), at + piece.len() as u64)) }
        })
    }
}

impl SourceServer {
    /// Serves an archive on a free port of the loopback interface, from tasks of the current runtime.
    pub async fn start(archive: Archive) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let served = Arc::new(Served { archive, misdeeds: Mutex::default(), asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let serving = tokio::spawn(serve(listener, router, false)).abort_handle();
        Ok(Self { address, served, serving })
    }

    /// The address of its archives, as `ARCHIVER_HGMO_URL_TEMPLATE` has it.
    pub fn template(&self) -> String {
        format!("http://{}/{{repo}}/archive/{{rev}}.{{suffix}}/{{subdir}}", self.address)
    }

    /// An address of it.
    pub fn url(&self) -> String {
        format!("http://{}/projects/ash/archive/42bf8560b395.tar.gz/", self.address)
    }

    /// What it does at the next requests, one misdeed each; then it answers well again.
    pub fn next(&self, misdeeds: impl IntoIterator<Item = Misdeed>) {
        lock(&self.served.misdeeds).extend(misdeeds);
    }

    /// How many requests have come.
    pub fn requests(&self) -> usize {
        lock(&self.served.asked).len()
    }

    /// The `Range` of each request, where it had one.
    pub fn ranges(&self) -> Vec<Option<String>> {
        lock(&self.served.asked).clone()
    }
}

impl Drop for SourceServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(served): State<Arc<Served>>, asked: HeaderMap) -> Response {
    let text = |name: HeaderName| asked.get(name)?.to_str().ok().map(str::to_owned);
    let (range, if_range) = (text(RANGE), text(IF_RANGE));
    lock(&served.asked).push(range.clone());
    let misdeed = lock(&served.misdeeds).pop_front();
    let archive = &served.archive;
    match &misdeed {
        Some(Misdeed::Status(status, after)) => return refusal(*status, *after),
        Some(Misdeed::Redirect(to)) => return (StatusCode::FOUND, [(LOCATION, to.clone())]).into_response(),
        Some(Misdeed::Late(by)) => tokio::time::sleep(*by).await,
        _ => {}
    }
    let is_same = if_range.is_none_or(|etag| Some(etag.as_str()) == archive.etag);
    let wanted = range.filter(|_| is_same && archive.etag.is_some() && misdeed != Some(Misdeed::NoRange));
    let from = wanted.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let mut response = body(archive, from.unwrap_or_default(), misdeed.as_ref()).into_response();
    *response.headers_mut() = headers(archive, from, misdeed.as_ref());
    if from.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn refusal(status: u16, after: Option<u64>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, "<html>no</html>").into_response();
    if let Some(seconds) = after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn headers(archive: &Archive, from: Option<u64>, misdeed: Option<&Misdeed>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(CONTENT_TYPE, if let Some(Misdeed::Type(other)) = misdeed { other } else { archive.content_type });
    if let Some(Misdeed::Encoding(encoding)) = misdeed {
        set(CONTENT_ENCODING, encoding);
    }
    set(HeaderName::from_static("content-disposition"), "attachment; filename=ash-42bf8560b395.tar.gz");
    if let Some(etag) = archive.etag {
        set(ETAG, etag);
        set(ACCEPT_RANGES, "bytes");
    }
    let size = archive.size();
    if let Some(from) = from {
        set(CONTENT_RANGE, &format!("bytes {from}-{}/{size}", size.saturating_sub(1)));
    }
    if archive.has_length {
        set(CONTENT_LENGTH, &(size - from.unwrap_or_default()).to_string());
    }
    headers
}

fn body(archive: &Archive, from: u64, misdeed: Option<&Misdeed>) -> Body {
    let mut archive = archive.clone();
    if misdeed == Some(&Misdeed::Endless) {
        archive.times = u64::MAX / (archive.bytes.len() as u64).max(1);
    }
    let pieces = archive.pieces(from);
    let pieces = match archive.pace {
        Some(pace) => paced(pieces, pace).boxed(),
        None => pieces.boxed(),
    };
    let whole = pieces.map(Ok::<_, io::Error>);
    // What was written so far is on its way when the body waits.
    let cut = stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::other("cut off by order"))
    });
    match misdeed {
        Some(Misdeed::Cut(bytes)) => Body::from_stream(first(whole, *bytes).chain(cut)),
        Some(Misdeed::Short(bytes)) => Body::from_stream(first(whole, *bytes)),
        Some(Misdeed::Stall(bytes)) => Body::from_stream(first(whole, *bytes).chain(stream::pending())),
        _ => Body::from_stream(whole),
    }
}

/// The first bytes of a body.
fn first(body: impl Stream<Item = io::Result<Bytes>>, bytes: u64) -> impl Stream<Item = io::Result<Bytes>> {
    let cut = body.scan(bytes, |left, piece| {
        let piece = piece.map(|mut piece| {
            piece.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= piece.len() as u64;
            piece
        });
        std::future::ready(Some(piece).filter(|piece| piece.as_ref().is_ok_and(|piece| !piece.is_empty())))
    });
    cut.fuse()
}

/// The pieces, each when it is its time.
fn paced(pieces: impl Stream<Item = Bytes>, pace: u64) -> impl Stream<Item = Bytes> {
    let begun = Instant::now();
    let timed = pieces.scan(0_u64, move |sent, piece| {
        let micros = sent.saturating_mul(1_000_000) / pace.max(1);
        *sent += piece.len() as u64;
        std::future::ready(Some((begun + Duration::from_micros(micros), piece)))
    });
    timed.then(|(at, piece)| async move {
        sleep_until(at).await;
        piece
    })
}
