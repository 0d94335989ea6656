//! What an answer is when it is not what was asked for.

use std::fmt;

use buildhub_core::web::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use buildhub_core::web::{Page, Request, Response, StatusCode};
use serde::Serialize;

use super::format::Format;

/// A refusal, or a failure: a status, and what a person can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    status: &'static str,
    msg: &'a str,
}

impl Fault {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 400: something asked for is not as it must be.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: nobody is named, or not so that it can be believed.
    pub(super) fn nobody(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: who asks may not.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: there is no such thing.
    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 405: that is not what can be done here.
    pub(super) fn method(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// 409: it contradicts what was asked for before.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 503: something that is needed does not answer. The error goes to the log; whoever asks is told to ask again.
    pub(super) fn unavailable(message: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let message = message.into();
        tracing::error!(error = error.to_string(), message, "a request cannot be answered");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer to a request.
    pub(super) fn response(&self, request: &Request) -> Response {
        let answer = match Format::of(request).unwrap_or_else(|_| Format::by_accept(request)) {
            Format::Json => Response::json(self.status, &Body { status: "FAILED", msg: &self.message }),
            Format::Html => {
                let name = self.status.canonical_reason().unwrap_or("Error");
                let page = Page::new(&format!("{} {name}", self.status.as_u16())).paragraph(&self.message);
                Response::page(self.status, page.link(&format!("{}/self-serve", request.base), "Self-serve"))
            }
        };
        match self.status {
            StatusCode::UNAUTHORIZED => answer.with(WWW_AUTHENTICATE, "Bearer realm=\"self-serve\""),
            StatusCode::SERVICE_UNAVAILABLE => answer.with(RETRY_AFTER, "5"),
            _ => answer,
        }
    }
}
