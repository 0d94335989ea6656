//! A program in the background, with a log, watched until it is ready; and what all servers that are programs share.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Time between two looks at whether a program is ready.
const LOOK: Duration = Duration::from_millis(50);

/// How long one look may take: a server that is about to begin may take a connection and never answer it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines of a log that an error repeats.
const LINES: usize = 20;

/// A server that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The packages are not there.
    #[error("there is no {name} at {}; run `make setup`, which installs it", path.display())]
    NotInstalled {
        /// Which program.
        name: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A program cannot be run, or a file not be written.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program ended, or was not ready in time.
    #[error("{name} {what}; the end of its log:\n{log}")]
    NotReady {
        /// Which program.
        name: &'static str,
        /// What happened.
        what: String,
        /// The last lines it wrote.
        log: String,
    },
}

impl ServerError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn spawn(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self, ServerError> {
        let fault = || ServerError::io(format!("start {name}"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).map_err(fault())?;
        let twin = file.try_clone().map_err(fault())?;
        command.stdin(Stdio::null()).stdout(file).stderr(twin).kill_on_drop(true);
        let child = command.spawn().map_err(fault())?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until `ready` says so, while the program lives.
    pub(crate) async fn until(&mut self, limit: Duration, ready: impl AsyncFn() -> bool) -> Result<(), ServerError> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().map_err(ServerError::io("watch a program"))? {
                return Err(self.not_ready(format!("ended ({status})")));
            }
            if timeout(PATIENCE, ready()).await.unwrap_or(false) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(self.not_ready(format!("was not ready within {limit:?}")));
            }
            sleep(LOOK).await;
        }
    }

    /// Ends the program at once and waits for its end.
    pub(crate) async fn kill(&mut self) -> Result<(), ServerError> {
        self.child.kill().await.map_err(ServerError::io(format!("stop {}", self.name)))
    }

    /// Sends the program a signal.
    pub(crate) async fn send(&self, signal: &str) -> Result<(), ServerError> {
        let Some(id) = self.id() else { return Ok(()) };
        let sent = Command::new("kill").args(["-s", signal, &id.to_string()]).status().await;
        sent.map(drop).map_err(ServerError::io(format!("send {signal} to {}", self.name)))
    }

    /// Asks the program to end by a signal, and waits until it has.
    pub(crate) async fn end_by(&mut self, signal: &str) -> Result<(), ServerError> {
        self.send(signal).await?;
        self.child.wait().await.map(drop).map_err(ServerError::io(format!("stop {}", self.name)))
    }

    fn not_ready(&self, what: String) -> ServerError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n");
        ServerError::NotReady { name: self.name, what, log: tail }
    }
}

/// A port nobody listens on now.
pub(crate) fn free_port() -> Result<u16, ServerError> {
    let fault = || ServerError::io("look for a free port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fault())?;
    Ok(listener.local_addr().map_err(fault())?.port())
}

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    crates.unwrap_or(Path::new(".")).to_owned()
}

/// A client for what listens on this machine: without proxies, and without certificates, which plain `http` needs not.
pub(crate) fn local_client() -> reqwest::Result<reqwest::Client> {
    // The first TLS provider set serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_look_that_is_never_answered_is_followed_by_another() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::spawn("sleep", command, folder.path().join("log")).unwrap();
        let looks = Cell::new(0);
        let ready = async || {
            looks.set(looks.get() + 1);
            if looks.get() == 1 { std::future::pending().await } else { true }
        };
        process.until(Duration::from_secs(30), ready).await.unwrap();
        process.kill().await.unwrap();
        assert_eq!(looks.get(), 2);
    }
}
