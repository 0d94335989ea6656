//! What a client may be told.

use std::time::Duration;

use crate::{Backoff, Trust};

/// Limits of one [`Http`](crate::Http).
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Time for the connection, TLS included.
    pub connect_timeout: Duration,
    /// How long one attempt of [`fetch`](crate::Http::fetch) may take, from the connection to the last byte of the
    /// answer; of [`stream`](crate::Http::stream), to the head of the answer only.
    pub timeout: Duration,
    /// Time between two pieces of an answer's body. The only limit on the body of a stream, which may be of any size.
    pub read_timeout: Duration,
    /// Attempts after the first.
    pub retries: u32,
    /// Longest wait before the first repetition; it doubles with each further one.
    pub backoff_base: Duration,
    /// Longest wait the doubling may reach.
    pub backoff_max: Duration,
    /// Longest wait a server may ask for. A longer `Retry-After` is an error that says so.
    pub wait_max: Duration,
    /// Redirections followed for one request. With 0 an answer of 3xx is handed to the caller.
    pub redirects: usize,
    /// Connections kept open to one host while nothing is sent.
    pub idle_connections: usize,
    /// The `User-Agent`.
    pub user_agent: String,
    /// Whose certificates are believed. Clients of cloned settings share what was read of them.
    pub trust: Trust,
}

impl HttpSettings {
    /// The waits between its attempts.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.backoff_base, self.backoff_max)
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(5),
            read_timeout: Duration::from_mins(1),
            retries: 3,
            backoff_base: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            wait_max: Duration::from_mins(2),
            redirects: 5,
            idle_connections: 32,
            user_agent: concat!("buildhub/", env!("CARGO_PKG_VERSION")).to_owned(),
            trust: Trust::default(),
        }
    }
}
