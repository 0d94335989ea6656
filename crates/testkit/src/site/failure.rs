//! Answers that a test orders instead of the right ones.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

/// How a request goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// An answer of that status, with `Retry-After` of so many seconds if given.
    Status {
        /// The status.
        status: StatusCode,
        /// Seconds.
        retry_after: Option<u64>,
    },
    /// A page for people, with status 200, as a proxy shows it.
    Html,
    /// The right answer, late.
    Slow(Duration),
    /// An answer that breaks off in its middle, its connection with it.
    Cut,
}

impl Failure {
    /// An answer of that status; 500 where the number is no status.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::Status { status, retry_after: None }
    }

    /// The answer, or none where the right one follows.
    pub(super) async fn answer(self) -> Option<Response> {
        match self {
            Self::Status { status, retry_after } => {
                let mut response = (status, status.canonical_reason().unwrap_or("Failed")).into_response();
                if let Some(seconds) = retry_after {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                Some(response)
            }
            Self::Html => {
                Some(([(CONTENT_TYPE, "text/html")], "<html><body>Please sign in.</body></html>").into_response())
            }
            Self::Slow(duration) => {
                tokio::time::sleep(duration).await;
                None
            }
            Self::Cut => Some(cut()),
        }
    }
}

fn cut() -> Response {
    let pieces = [Ok(Bytes::from_static(b"{\"buildid\": \"2018")), Err(std::io::Error::other("cut off by order"))];
    ([(CONTENT_TYPE, "application/json")], Body::from_stream(futures::stream::iter(pieces))).into_response()
}

/// The failures that were ordered.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<Ordered>);

#[derive(Debug, Default)]
struct Ordered {
    paths: HashMap<String, Failure>,
    next: Option<(u64, Failure)>,
}

impl Failures {
    fn ordered(&self) -> MutexGuard<'_, Ordered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn at(&self, path: String, failure: Failure) {
        self.ordered().paths.insert(path, failure);
    }

    pub(super) fn next(&self, count: u64, failure: Failure) {
        self.ordered().next = Some((count, failure));
    }

    pub(super) fn clear(&self) {
        *self.ordered() = Ordered::default();
    }

    /// The failure of a request that has come.
    pub(super) fn of(&self, path: &str) -> Option<Failure> {
        let mut ordered = self.ordered();
        if let Some((count, failure)) = &mut ordered.next
            && *count > 0
        {
            *count -= 1;
            return Some(failure.clone());
        }
        ordered.paths.get(path).cloned()
    }
}
