//! An S3 server that takes bytes and keeps none, for measurements: what a bucket's servers do is not this machine's work.
//!
//! It knows uploads in parts, copies within its one store, and what tells how large an object is. What it is asked beyond
//! that it answers with 501. It checks that parts and ranges are there, no signature and no bytes.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::site::serve;

/// A running server. It is stopped, its connections with it, when it is dropped.
#[derive(Debug)]
pub struct SinkServer {
    address: SocketAddr,
    serving: AbortHandle,
}

/// What there would be: sizes in bytes.
#[derive(Debug, Default)]
struct Held {
    objects: HashMap<String, u64>,
    uploads: HashMap<String, HashMap<u32, u64>>,
    begun: u64,
}

type Shared = Arc<Mutex<Held>>;

/// A request that the server does not take: its status.
type Refusal = StatusCode;

impl SinkServer {
    /// Serves on a free port of the loopback interface, from tasks of the current runtime.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(Shared::default());
        let serving = tokio::spawn(serve(listener, router, false)).abort_handle();
        Ok(Self { address, serving })
    }

    /// The server's URL, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for SinkServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (asked, body) = request.into_parts();
    let key = percent_decode_str(asked.uri.path()).decode_utf8_lossy().into_owned();
    let query = asked.uri.query().unwrap_or_default().split('&');
    let query: HashMap<&str, &str> = query.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    let is_wanted = query.contains_key("uploadId") && asked.method == Method::POST;
    let Ok(came) = drain(body, is_wanted).await else { return StatusCode::BAD_REQUEST.into_response() };
    let held = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = match (&asked.method, query.get("uploadId"), query.get("partNumber")) {
        (&Method::POST, None, None) if query.contains_key("uploads") => Ok(begin(held)),
        (&Method::PUT, Some(id), Some(number)) => part(held, id, number, &asked.headers, came.size),
        (&Method::POST, Some(id), None) => complete(held, &key, id, &asked.headers, &came.text),
        (&Method::DELETE, id, None) => Ok(remove(held, &key, id.copied())),
        (&Method::HEAD, None, None) => head_of(&held, &key),
        _ => Err(StatusCode::NOT_IMPLEMENTED),
    };
    answer.unwrap_or_else(Refusal::into_response)
}

/// What came: its size, and its text where that is wanted.
struct Came {
    size: u64,
    text: String,
}

async fn drain(body: Body, is_wanted: bool) -> Result<Came, axum::Error> {
    let mut came = Came { size: 0, text: String::new() };
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        came.size += piece.len() as u64;
        if is_wanted {
            came.text.push_str(&String::from_utf8_lossy(&piece));
        }
    }
    Ok(came)
}

fn begin(mut held: MutexGuard<'_, Held>) -> Response {
    held.begun += 1;
    let id = held.begun.to_string();
    let answer = xml("InitiateMultipartUploadResult", &format!("<UploadId>{id}</UploadId>"));
    held.uploads.insert(id, HashMap::new());
    answer
}

fn part(
    mut held: MutexGuard<'_, Held>,
    id: &str,
    number: &str,
    headers: &HeaderMap,
    sent: u64,
) -> Result<Response, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let size = match text("x-amz-copy-source") {
        Some(source) => {
            let source = percent_decode_str(source).decode_utf8_lossy();
            let whole = held.objects.get(&format!("/{source}")).ok_or(StatusCode::NOT_FOUND)?;
            let range = text("x-amz-copy-source-range").and_then(|range| range.strip_prefix("bytes="));
            let (first, last) = range.and_then(|range| range.split_once('-')).ok_or(StatusCode::BAD_REQUEST)?;
            let bound = |text: &str| text.parse::<u64>().ok().filter(|at| at < whole);
            let bounds = bound(first).zip(bound(last));
            let (first, last) = bounds.ok_or(StatusCode::RANGE_NOT_SATISFIABLE)?;
            last + 1 - first
        }
        // What is sent in signed pieces is larger than what is in them.
        None => text("x-amz-decoded-content-length").and_then(|size| size.parse().ok()).unwrap_or(sent),
    };
    let parts = held.uploads.get_mut(id).ok_or(StatusCode::NOT_FOUND)?;
    parts.insert(number.parse().map_err(|_| StatusCode::BAD_REQUEST)?, size);
    let etag = format!("\"{number}\"");
    if headers.contains_key("x-amz-copy-source") {
        return Ok(xml("CopyPartResult", &format!("<ETag>{etag}</ETag>")));
    }
    Ok([(ETAG, etag)].into_response())
}

fn complete(
    mut held: MutexGuard<'_, Held>,
    key: &str,
    id: &str,
    headers: &HeaderMap,
    named: &str,
) -> Result<Response, Refusal> {
    let parts = held.uploads.get(id).ok_or(StatusCode::NOT_FOUND)?;
    if parts.len() != named.matches("<PartNumber>").count() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let size = parts.values().sum();
    if headers.contains_key(IF_NONE_MATCH) && held.objects.contains_key(key) {
        return Err(StatusCode::PRECONDITION_FAILED);
    }
    held.uploads.remove(id);
    held.objects.insert(key.to_owned(), size);
    Ok(xml("CompleteMultipartUploadResult", "<ETag>\"whole\"</ETag>"))
}

fn remove(mut held: MutexGuard<'_, Held>, key: &str, id: Option<&str>) -> Response {
    match id {
        Some(id) => drop(held.uploads.remove(id)),
        None => drop(held.objects.remove(key)),
    }
    StatusCode::NO_CONTENT.into_response()
}

fn head_of(held: &Held, key: &str) -> Result<Response, Refusal> {
    let size = held.objects.get(key).ok_or(StatusCode::NOT_FOUND)?;
    Ok([(CONTENT_LENGTH, size.to_string()), (ETAG, "\"whole\"".to_owned())].into_response())
}

fn xml(name: &str, content: &str) -> Response {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name}>{content}</{name}>").into_response()
}
