//! A server that takes crash reports as Sentry does, and keeps them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// A server on a free port of this machine, stopped when dropped.
#[derive(Debug)]
pub struct SentryServer {
    address: SocketAddr,
    envelopes: Envelopes,
    task: AbortHandle,
}

type Envelopes = Arc<Mutex<Vec<String>>>;

impl SentryServer {
    /// Starts a server that has no reports yet.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let envelopes = Envelopes::default();
        let router = Router::new().route("/api/{project}/envelope/", post(keep)).with_state(Arc::clone(&envelopes));
        let task = tokio::spawn(async { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, envelopes, task })
    }

    /// The address that `SENTRY_DSN` takes, with the key given.
    pub fn dsn(&self, key: &str) -> String {
        format!("http://{key}@{}/42", self.address)
    }

    /// The reports so far, each an envelope as it was sent (Sentry, "Envelopes").
    pub fn envelopes(&self) -> Vec<String> {
        self.envelopes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for SentryServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(State(envelopes): State<Envelopes>, body: String) -> &'static str {
    envelopes.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    "{}"
}
