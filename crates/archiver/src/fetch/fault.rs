//! Why an archive cannot be read.

use std::time::{Duration, SystemTime};

use buildhub_core::store::{StoreError, StoreErrorKind};
use buildhub_http::schedule::retry_after;
use buildhub_http::{Cause, HttpError, Streamed, Url};

/// An archive that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {url}: {fault}")]
pub struct FetchError {
    /// Its address, or its object's.
    pub url: String,
    /// Why not.
    pub fault: Fault,
}

/// Why an archive cannot be read: decides what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is none.
    #[error("there is nothing there (the server answered {status})")]
    NotFound {
        /// The answer: 404 or 410.
        status: u16,
    },
    /// The server says no, and will say no again.
    #[error("{reason}")]
    Permanent {
        /// What it says.
        reason: String,
    },
    /// No answer, or one that says to come again.
    #[error("{reason}")]
    Transient {
        /// What happened.
        reason: String,
        /// When to come again, where the server said so.
        retry_after: Option<Duration>,
    },
    /// It broke off in its middle, or stood still.
    #[error("it broke off after {read} bytes: {reason}")]
    Truncated {
        /// Bytes that were read, those before a resumption included.
        read: u64,
        /// What happened.
        reason: String,
    },
    /// There is more of it than may be.
    #[error("it is larger than the {limit} bytes that an archive may have (ARCHIVER_MAX_SIZE)")]
    TooLarge {
        /// The most bytes it may have.
        limit: u64,
    },
    /// It takes longer than it may.
    #[error("it was not through within {limit:?}: {read} bytes were")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
        /// Bytes that were read.
        read: u64,
    },
    /// It is something else than an archive of that kind.
    #[error("it is no such archive: it is {found}, not {expected}")]
    WrongType {
        /// What it says it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// It leads to where it may not.
    #[error("{reason}")]
    Refused {
        /// Where it leads.
        reason: String,
    },
    /// It is no longer the one whose beginning was read.
    #[error("it is not the one that was begun any more, or its server gives no ranges: begin again")]
    Changed,
}

impl FetchError {
    pub(super) fn new(url: &Url, fault: Fault) -> Self {
        Self { url: url.to_string(), fault }
    }

    /// Whether what was read before it is as good as ever.
    pub fn is_broken_off(&self) -> bool {
        matches!(self.fault, Fault::Truncated { .. })
    }
}

impl Fault {
    /// Whether the same request may work later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Truncated { .. } | Self::Changed)
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// What a request that got no answer means.
    pub(super) fn of(error: &HttpError) -> Self {
        let reason = error.cause.to_string();
        match &error.cause {
            Cause::Forbidden(_) => Self::Refused { reason },
            Cause::AskedToWait { asked, .. } => Self::Transient { reason, retry_after: Some(*asked) },
            _ if error.is_transient() => Self::Transient { reason, retry_after: None },
            _ => Self::Permanent { reason },
        }
    }

    /// What an answer means that is no redirection; `None` of a good one.
    pub(super) fn of_status(answer: &Streamed) -> Option<Self> {
        let status = answer.status();
        let reason = || format!("the server answered {status}");
        match status.as_u16() {
            200..=299 => None,
            404 | 410 => Some(Self::NotFound { status: status.as_u16() }),
            // The rest that was asked for lies behind the end of it.
            416 => Some(Self::Changed),
            408 | 425 | 429 | 500.. => {
                let retry_after = retry_after(answer.headers(), SystemTime::now());
                Some(Self::Transient { reason: reason(), retry_after })
            }
            _ => Some(Self::Permanent { reason: reason() }),
        }
    }

    pub(super) fn of_store(error: &StoreError) -> Self {
        match error.kind {
            StoreErrorKind::NotFound => Self::NotFound { status: 404 },
            StoreErrorKind::Transient => Self::Transient { reason: error.to_string(), retry_after: None },
            _ => Self::Permanent { reason: error.to_string() },
        }
    }
}
