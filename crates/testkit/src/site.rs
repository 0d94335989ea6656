//! The archive's web site over HTTP: metadata files, and folders as JSON listings.
//!
//! ```no_run
//! # #[tokio::main] async fn main() -> std::io::Result<()> {
//! use buildhub_testkit::sample::{Sample, SampleSpec};
//! use buildhub_testkit::site::{ArchiveSite, Content, Failure};
//!
//! let site = ArchiveSite::start(Content::sample(Sample::new(SampleSpec::of(2_000)))).await?;
//! println!("ARCHIVE_URL={}", site.url());
//! site.fail_next(3, Failure::status(503));
//! // … whatever is under test asks the site …
//! assert!(site.requests() > 3);
//! # Ok(()) }
//! ```

mod content;
mod failure;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LAST_MODIFIED};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

pub use content::Content;
use content::Found;
pub use failure::Failure;
use failure::Failures;

/// The most paths that are counted one by one; more are in the total only.
const PATHS: usize = 100_000;

/// A running archive site. It is stopped, its connections with it, when it is dropped.
#[derive(Debug)]
pub struct ArchiveSite {
    address: SocketAddr,
    served: Arc<Served>,
    serving: AbortHandle,
}

/// What the connections share.
#[derive(Debug)]
struct Served {
    content: Content,
    failures: Failures,
    requests: AtomicU64,
    is_counting: AtomicBool,
    paths: Mutex<HashMap<String, u64>>,
}

impl ArchiveSite {
    /// Serves `content` on a free port of the loopback interface, from tasks of the current runtime.
    pub async fn start(content: Content) -> io::Result<Self> {
        Self::listen(content, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Serves `content` on that address.
    pub async fn listen(content: Content, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let served = Arc::new(Served {
            content,
            failures: Failures::default(),
            requests: AtomicU64::new(0),
            is_counting: AtomicBool::new(true),
            paths: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
        let serving = tokio::spawn(serve(listener, router, true)).abort_handle();
        Ok(Self { address, served, serving })
    }

    /// The site's address with a `/` behind it, as `ARCHIVE_URL` has it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many requests have come.
    pub fn requests(&self) -> u64 {
        self.served.requests.load(Ordering::Relaxed)
    }

    /// How many requests have come for each path (decoded, with its first `/`), of the first 100,000 paths.
    pub fn requests_by_path(&self) -> HashMap<String, u64> {
        self.served.paths().clone()
    }

    /// How many requests have come for one path (decoded, with its first `/`).
    pub fn requests_for(&self, path: &str) -> u64 {
        self.served.paths().get(path).copied().unwrap_or(0)
    }

    /// Forgets all counts.
    pub fn reset_counts(&self) {
        self.served.requests.store(0, Ordering::Relaxed);
        self.served.paths().clear();
    }

    /// Whether requests are counted by path (they are at first). The total is counted always.
    pub fn count_paths(&self, is_counting: bool) {
        self.served.is_counting.store(is_counting, Ordering::Relaxed);
    }

    /// Answers every request for `path` (decoded, with its first `/`) with a failure, until [`ArchiveSite::heal`].
    pub fn fail(&self, path: impl Into<String>, failure: Failure) {
        self.served.failures.at(path.into(), failure);
    }

    /// Answers the next `count` requests, whatever their path, with a failure.
    pub fn fail_next(&self, count: u64, failure: Failure) {
        self.served.failures.next(count, failure);
    }

    /// Takes back every failure that was ordered.
    pub fn heal(&self) {
        self.served.failures.clear();
    }
}

impl Drop for ArchiveSite {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Served {
    fn paths(&self) -> std::sync::MutexGuard<'_, HashMap<String, u64>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, path: &str) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if self.is_counting.load(Ordering::Relaxed) {
            let mut paths = self.paths();
            if let Some(count) = paths.get_mut(path) {
                *count += 1;
            } else if paths.len() < PATHS {
                paths.insert(path.to_owned(), 1);
            }
        }
    }
}

/// Takes connections in until it is aborted, and ends them with itself. Where it is pipelined, small answers are sent
/// together; of one that breaks off its head may then never be sent.
pub(crate) async fn serve(listener: TcpListener, router: Router, is_pipelined: bool) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file handles: the next one that is closed makes room.
                let Ok((stream, _)) = accepted else { tokio::task::yield_now().await; continue };
                connections.spawn(connection(stream, router.clone(), is_pipelined));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, router: Router, is_pipelined: bool) {
    // Small answers would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().pipeline_flush(is_pipelined);
    // A client that goes away is no fault of the site.
    let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

async fn answer(State(served): State<Arc<Served>>, request: Request) -> Response {
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    served.count(&path);
    if let Some(failure) = served.failures.of(&path)
        && let Some(response) = failure.answer().await
    {
        return response;
    }
    match *request.method() {
        Method::GET => get(&served.content, &path),
        Method::HEAD => head(&served.content, &path),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response(),
    }
}

fn get(content: &Content, path: &str) -> Response {
    match content.get(path) {
        Some(page) => match HeaderValue::from_str(&page.content_type) {
            Ok(content_type) => ([(CONTENT_TYPE, content_type)], page.bytes).into_response(),
            Err(_) => page.bytes.into_response(),
        },
        None => (StatusCode::NOT_FOUND, "Not Found").into_response(),
    }
}

fn head(content: &Content, path: &str) -> Response {
    let Some(Found { size, last_modified, content_type }) = content.head(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, size.into());
    if let Ok(value) = HeaderValue::from_str(&content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    let date = last_modified.map(|date| date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if let Some(Ok(value)) = date.as_deref().map(HeaderValue::from_str) {
        headers.insert(LAST_MODIFIED, value);
    }
    (headers, Body::empty()).into_response()
}
