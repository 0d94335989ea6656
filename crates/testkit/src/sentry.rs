//! A server that takes crash reports as Sentry does, and keeps them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// A server on a free port of this machine, stopped when dropped.
#[derive(Debug)]
pub struct SentryServer {
    address: SocketAddr,
    kept: Arc<Kept>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Kept {
    envelopes: Mutex<Vec<String>>,
    came: Notify,
}

impl SentryServer {
    /// Starts a server that has no reports yet.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let kept = Arc::<Kept>::default();
        let router = Router::new().route("/api/{project}/envelope/", post(keep)).with_state(Arc::clone(&kept));
        let task = tokio::spawn(async { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, kept, task })
    }

    /// The address that `SENTRY_DSN` takes, with the key given.
    pub fn dsn(&self, key: &str) -> String {
        format!("http://{key}@{}/42", self.address)
    }

    /// The reports so far, each an envelope as it was sent (Sentry, "Envelopes").
    pub fn envelopes(&self) -> Vec<String> {
        self.kept.envelopes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first report with that text in it, waited for.
    pub async fn report_with(&self, text: &str) -> String {
        loop {
            let came = self.kept.came.notified();
            if let Some(found) = self.envelopes().into_iter().find(|envelope| envelope.contains(text)) {
                return found;
            }
            came.await;
        }
    }
}

impl Drop for SentryServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(State(kept): State<Arc<Kept>>, body: String) -> &'static str {
    kept.envelopes.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    kept.came.notify_waiters();
    "{}"
}
