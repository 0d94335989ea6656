//! `buildhub serve`: the archiver, self-serve, or both in one process: their APIs, and what does their work.
//!
//! What Lambda functions have from their platform is here: sockets, workers that wait for messages, a sweep from time to
//! time. The queues end with the process; tasks and jobs do not, and the first sweep of the next one sends them again.

mod archiver;
mod self_serve;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_core::Variables;
use buildhub_core::web::{Handler, Limits, Request, Response, Server, StatusCode};
use buildhub_http::HttpError;
use buildhub_kinto::manifest::ManifestError;
use buildhub_self_serve::backend::BackendError;
use clap::ArgMatches;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::CommandError;
use work::Workers;

/// What says that the archiver is wanted, and self-serve.
const ARCHIVER: &str = "ARCHIVER_S3_BUCKETS";
const SELF_SERVE: &str = "BUILDBOT_URL";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or is none of this machine's.
    #[error("cannot listen on {address}: {source}; --listen names another address")]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// There is no client to ask sources with.
    #[error(transparent)]
    Client(#[from] HttpError),
    /// There is no client to ask a build system with.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The store cannot be made ready.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is not said what is to be served.
    #[error("there is nothing to serve: set {ARCHIVER} for the archiver, {SELF_SERVE} for self-serve, or both")]
    Nothing,
    /// It would not be heard when it is to stop.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let address = matches.get_one::<String>("listen").map_or("127.0.0.1:8080", String::as_str);
    let in_vain = |source| ServeError::Listen { address: address.to_owned(), source };
    let mut stop = Stop::new().map_err(ServeError::Signals)?;
    let mut workers = Workers::new();
    let site = Site::start(vars, &mut workers).await?;
    let listener = TcpListener::bind(address).await.map_err(in_vain)?;
    let bound = listener.local_addr().map_err(in_vain)?;
    tracing::info!("listening on http://{bound}/");

    let is_answered = Server::new(listener, Limits::default(), Arc::new(site)).run(stop.told()).await;
    let is_done = workers.stop().await;
    tracing::info!(is_answered, is_done, "stopped");
    Ok(true)
}

/// All that is served at one address.
#[derive(Debug)]
struct Site {
    archiver: Option<buildhub_archiver::api::Api>,
    self_serve: Option<buildhub_self_serve::api::Api>,
}

impl Site {
    /// Starts what the settings ask for.
    async fn start(vars: &Variables, workers: &mut Workers) -> Result<Self, CommandError> {
        let archiver = match vars.get(ARCHIVER) {
            Some(_) => Some(archiver::start(&ArchiverSettings::from_variables(vars)?, workers).await?),
            None => None,
        };
        let self_serve = match vars.get(SELF_SERVE) {
            Some(_) => Some(Box::pin(self_serve::start(vars, workers)).await?),
            None => None,
        };
        if archiver.is_none() && self_serve.is_none() {
            return Err(ServeError::Nothing.into());
        }
        Ok(Self { archiver, self_serve })
    }
}

#[async_trait]
impl Handler for Site {
    async fn handle(&self, request: Request) -> Response {
        let is_archives = request.segments().first().is_some_and(|first| first == buildhub_archiver::api::ROOT);
        match (&self.archiver, &self.self_serve) {
            (Some(archiver), _) if is_archives => Handler::handle(archiver, request).await,
            (_, Some(self_serve)) => Handler::handle(self_serve, request).await,
            (Some(archiver), None) => Handler::handle(archiver, request).await,
            (None, None) => Response::empty(StatusCode::NOT_FOUND),
        }
    }
}

/// Both ways in which a process is asked to stop.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        tracing::info!("asked to stop");
    }
}
