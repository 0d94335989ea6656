//! What can go wrong with a request.

use std::error::Error;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use url::Url;

use crate::guard::Forbidden;

/// A request that failed: which one, how often it was tried, and why.
///
/// The address is shown without credentials, and without the values of query parameters that look like secrets.
#[derive(Debug, thiserror::Error)]
#[error("{method} {url} failed{}: {cause}", times(*attempts))]
pub struct HttpError {
    /// The method.
    pub method: Method,
    /// The address, fit to print.
    pub url: String,
    /// Attempts made; 0 when nothing could be sent at all.
    pub attempts: u32,
    /// Why the last attempt failed.
    #[source]
    pub cause: Cause,
}

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The client could not be made, or the request is not one that can be sent.
    #[error("the request cannot be made: {}", root(.0))]
    Unusable(#[source] reqwest::Error),
    /// No connection: nothing was sent.
    #[error("no connection ({}); is the address right, and the server up?", root(.0))]
    Connect(#[source] reqwest::Error),
    /// No connection in time: nothing was sent.
    #[error("no connection within {limit:?}; is the address right, and the server up?")]
    ConnectTimeout {
        /// The limit that was passed.
        limit: Duration,
    },
    /// The host is a machine that this client may not connect to: nothing was sent.
    #[error(transparent)]
    Forbidden(Forbidden),
    /// The connection broke while sending or receiving.
    #[error("the connection broke: {}", root(.0))]
    Broken(#[source] reqwest::Error),
    /// The server did not answer in time, or did not end its answer in time.
    #[error("no answer, or not the whole of it, within {limit:?}")]
    Timeout {
        /// The limit that was passed.
        limit: Duration,
    },
    /// The answer is larger than the caller is ready to hold.
    #[error("the answer is larger than the {limit} bytes expected")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The server asks to be left alone for longer than this client waits.
    #[error("the server asks to come back in {asked:?}, longer than the {limit:?} this client waits; try again then")]
    AskedToWait {
        /// What the server asked for.
        asked: Duration,
        /// What the settings allow.
        limit: Duration,
    },
    /// The answer is not a success.
    #[error("the server answered {status}{}", excerpt(.text))]
    Status {
        /// The answer's status.
        status: StatusCode,
        /// The beginning of its body.
        text: String,
    },
    /// The answer's body is not the JSON it should be.
    #[error("the answer is not the JSON expected: {0}")]
    Json(#[source] serde_json::Error),
}

impl HttpError {
    pub(crate) fn new(method: &Method, url: &Url, attempts: u32, cause: Cause) -> Self {
        Self { method: method.clone(), url: printable(url), attempts, cause }
    }

    /// Whether nothing was wrong with the request itself: the server could not be reached, broke off, was too slow,
    /// or asked for patience. The same request may work later.
    pub fn is_transient(&self) -> bool {
        match &self.cause {
            Cause::Connect(_)
            | Cause::ConnectTimeout { .. }
            | Cause::Broken(_)
            | Cause::Timeout { .. }
            | Cause::AskedToWait { .. } => true,
            Cause::Status { status, .. } => status.is_server_error() || status.as_u16() == 429,
            Cause::Unusable(_) | Cause::Forbidden(_) | Cause::TooLarge { .. } | Cause::Json(_) => false,
        }
    }

    /// The status of the answer, when there was one and it was no success.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.cause {
            Cause::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// An address without what must not print.
pub(crate) fn printable(url: &Url) -> String {
    let mut url = url.clone();
    // An address that can carry no credentials refuses to have them removed.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query_pairs().any(|(name, _)| is_secret(&name)) {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let mut query = url.query_pairs_mut();
        query.clear();
        for (name, value) in &pairs {
            query.append_pair(name, if is_secret(name) { "***" } else { value });
        }
    }
    url.into()
}

fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 7] = ["signature", "credential", "token", "password", "secret", "auth", "key"];
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// The innermost reason: the layers above it say only that a request failed.
fn root(error: &reqwest::Error) -> String {
    let mut reason: &dyn Error = error;
    while let Some(deeper) = reason.source() {
        reason = deeper;
    }
    reason.to_string()
}

fn times(attempts: u32) -> String {
    if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() }
}

fn excerpt(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_without_its_secrets() {
        let url = "https://user:pass@host/a?X-Amz-Signature=abc&X-Amz-Date=1".parse().unwrap();
        assert_eq!(printable(&url), "https://host/a?X-Amz-Signature=***&X-Amz-Date=1");
    }

    #[test]
    fn an_error_names_the_request_the_attempts_and_the_reason() {
        let url = "http://u:p@host/x".parse().unwrap();
        let cause = Cause::Timeout { limit: Duration::from_secs(3) };
        let error = HttpError::new(&Method::GET, &url, 4, cause);
        assert_eq!(
            error.to_string(),
            "GET http://host/x failed after 4 attempts: no answer, or not the whole of it, within 3s"
        );
        assert!(error.is_transient());
    }
}
