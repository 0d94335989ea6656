//! A request as a value, so that it can be sent again.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::Answer;

/// A request: its body is in memory, so that every attempt sends the same bytes.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: Url,
    /// Headers beside those of every request.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A `GET`.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A `HEAD`.
    pub fn head(url: Url) -> Self {
        Self::new(Method::HEAD, url)
    }

    /// The same request with a header set.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same request with an `Authorization`, marked so that it never prints.
    #[must_use]
    pub fn authorization(self, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.header(AUTHORIZATION, value)
    }

    /// The same request with a JSON body, already written.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }
}

/// Which failed attempts may be followed by another. The operation knows, not the transport.
#[derive(Clone, Copy)]
pub enum Repeat<'a> {
    /// None: one attempt.
    Never,
    /// Those where no connection could be made, so nothing was sent.
    Unsent,
    /// Faults of the connection, timeouts, and the answers 429, 500, 502, 503 and 504: for what has the same effect
    /// done once or twice.
    Safe,
    /// As `Safe`, and also answers of which the function says so.
    SafeAnd(&'a (dyn Fn(&Answer) -> bool + Send + Sync)),
}

impl Repeat<'_> {
    /// Whether a fault before any answer may be repeated.
    pub(crate) fn after_fault(self, unsent: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Unsent => unsent,
            Self::Safe | Self::SafeAnd(_) => true,
        }
    }

    /// Whether an answer with this status may be followed by another attempt.
    pub(crate) fn after_status(self, status: u16) -> bool {
        matches!(self, Self::Safe | Self::SafeAnd(_)) && matches!(status, 429 | 500 | 502 | 503 | 504)
    }

    /// Whether the operation itself wants another attempt.
    pub(crate) fn after_answer(self, answer: &Answer) -> bool {
        match self {
            Self::SafeAnd(judge) => judge(answer),
            _ => false,
        }
    }
}

impl std::fmt::Debug for Repeat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Unsent => "Unsent",
            Self::Safe => "Safe",
            Self::SafeAnd(_) => "SafeAnd(..)",
        })
    }
}
