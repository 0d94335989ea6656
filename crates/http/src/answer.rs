//! What a server answered.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::error::{Cause, HttpError};

/// Characters of a refusing answer's body that its error repeats.
const EXCERPT: usize = 300;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status, whatever it is; [`Answer::ok`] makes an error of what is no success.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Attempts made to get it: more than one means that an earlier one may have had its effect too.
    pub attempts: u32,
    pub(crate) method: Method,
    pub(crate) url: Url,
}

impl Answer {
    /// The answer, if its status is 2xx; else an error with the beginning of its body.
    pub fn ok(self) -> Result<Self, HttpError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim().chars().take(EXCERPT).collect();
        let cause = Cause::Status { status: self.status, text };
        Err(self.error(cause))
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| self.error(Cause::Json(error)))
    }

    /// The text of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn error(&self, cause: Cause) -> HttpError {
        HttpError::new(&self.method, &self.url, self.attempts, cause)
    }
}

/// An answer whose body is read as it comes.
#[derive(Debug)]
pub struct Streamed {
    response: Response,
    method: Method,
    url: Url,
    attempts: u32,
    read_timeout: Duration,
}

impl Streamed {
    pub(crate) fn new(response: Response, method: Method, url: Url, attempts: u32, read_timeout: Duration) -> Self {
        Self { response, method, url, attempts, read_timeout }
    }

    /// The status, whatever it is.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece of the body; `None` at its end. A body shorter than announced is an error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let limit = self.read_timeout;
        let piece = match tokio::time::timeout(limit, self.response.chunk()).await {
            Ok(piece) => piece.map_err(|error| Cause::Broken(error.without_url())),
            Err(_) => Err(Cause::Timeout { limit }),
        };
        piece.map_err(|cause| self.error(cause))
    }

    /// The body as a stream of pieces.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, HttpError>> + Send {
        futures::stream::try_unfold(self, |mut this| async move {
            let piece = this.chunk().await?;
            Ok(piece.map(|piece| (piece, this)))
        })
    }

    /// Reads the whole body, refusing one of more than `limit` bytes.
    pub async fn whole(mut self, limit: usize) -> Result<Answer, HttpError> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            if body.len().saturating_add(piece.len()) > limit {
                return Err(self.error(Cause::TooLarge { limit }));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status: self.response.status(),
            headers: std::mem::take(self.response.headers_mut()),
            body: body.freeze(),
            attempts: self.attempts,
            method: self.method,
            url: self.url,
        })
    }

    fn error(&self, cause: Cause) -> HttpError {
        HttpError::new(&self.method, &self.url, self.attempts, cause)
    }
}
