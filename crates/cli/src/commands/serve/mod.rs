//! `buildhub serve`: the archiver in one process, its API and its worker, with a queue of its own.
//!
//! What a Lambda function has from its platform is here: sockets, workers that wait for messages, a sweep from time to
//! time. The queue ends with the process; the tasks do not, and the first sweep of the next one sends them again.

mod work;

use std::sync::Arc;
use std::time::Duration;

use buildhub_archiver::api::Api;
use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::task::Tasks;
use buildhub_core::Variables;
use buildhub_core::queue::MemoryQueue;
use buildhub_core::web::{Limits, Server};
use buildhub_http::HttpError;
use clap::ArgMatches;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::CommandError;
use work::Workers;

/// Tasks that wait for a worker. More are left to the sweep.
const WAITING: usize = 10_000;

/// How long a message that a worker did not come to an end with stays unseen.
const UNSEEN: Duration = Duration::from_mins(1);

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
    /// It would not be heard when it is to stop.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let settings = ArchiverSettings::from_variables(vars)?;
    let address = matches.get_one::<String>("listen").map_or("127.0.0.1:8080", String::as_str);
    let in_vain = |source| ServeError::Listen { address: address.to_owned(), source };
    let mut stop = Stop::new().map_err(ServeError::Signals)?;
    let listener = TcpListener::bind(address).await.map_err(in_vain)?;
    let bound = listener.local_addr().map_err(in_vain)?;

    let queue = Arc::new(MemoryQueue::new(WAITING, UNSEEN));
    let tasks = Tasks::new(settings.tasks_store().await);
    let regions = Regions::open(&settings.regions).await;
    let workers = Workers::start(&settings, &tasks, &regions, &queue).map_err(ServeError::Client)?;
    let api = Api::new(&settings, Arc::new(regions), tasks, queue);
    tracing::info!("listening on http://{bound}/");

    let is_answered = Server::new(listener, Limits::default(), Arc::new(api)).run(stop.told()).await;
    let is_done = workers.stop().await;
    tracing::info!(is_answered, is_done, "stopped");
    Ok(true)
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
