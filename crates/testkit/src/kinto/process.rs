//! A program in the background, with a log, watched until it is ready.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::KintoServerError;

/// Time between two looks at whether a program is ready.
const LOOK: Duration = Duration::from_millis(50);

/// Lines of a log that an error repeats.
const LINES: usize = 20;

/// A running program; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(super) fn spawn(name: &'static str, mut command: Command, log: PathBuf) -> Result<Self, KintoServerError> {
        let fault = || KintoServerError::io(format!("start {name}"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).map_err(fault())?;
        let twin = file.try_clone().map_err(fault())?;
        command.stdin(Stdio::null()).stdout(file).stderr(twin).kill_on_drop(true);
        let child = command.spawn().map_err(fault())?;
        Ok(Self { name, child, log })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until `ready` says so, while the program lives.
    pub(super) async fn until(
        &mut self,
        limit: Duration,
        ready: impl AsyncFn() -> bool,
    ) -> Result<(), KintoServerError> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().map_err(KintoServerError::io("watch a program"))? {
                return Err(self.not_ready(format!("ended ({status})")));
            }
            if ready().await {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(self.not_ready(format!("was not ready within {limit:?}")));
            }
            sleep(LOOK).await;
        }
    }

    /// Ends the program at once and waits for its end.
    pub(super) async fn kill(&mut self) -> Result<(), KintoServerError> {
        self.child.kill().await.map_err(KintoServerError::io(format!("stop {}", self.name)))
    }

    /// Asks the program to end by a signal, and waits until it has.
    pub(super) async fn signal(&mut self, signal: &str) -> Result<(), KintoServerError> {
        let fault = || KintoServerError::io(format!("stop {}", self.name));
        if let Some(id) = self.id() {
            Command::new("kill").args(["-s", signal, &id.to_string()]).status().await.map_err(fault())?;
        }
        self.child.wait().await.map(drop).map_err(fault())
    }

    fn not_ready(&self, what: String) -> KintoServerError {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n");
        KintoServerError::NotReady { name: self.name, what, log: tail }
    }
}

/// A port nobody listens on now.
pub(super) fn free_port() -> Result<u16, KintoServerError> {
    let fault = || KintoServerError::io("look for a free port");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fault())?;
    Ok(listener.local_addr().map_err(fault())?.port())
}
