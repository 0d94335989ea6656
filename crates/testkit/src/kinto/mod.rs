//! A real Kinto, in memory or on a PostgreSQL of its own.
//!
//! Both come from the distribution in `kinto/` of the repository: the same packages and the same configuration as in
//! production. `make setup` (or `kinto/bin/install`) installs them.

mod database;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, ServerError, free_port, local_client, root};
use database::Database;

/// How often a start is tried, since a port that was free may be taken before the server has it.
const TRIES: usize = 3;

/// What a Kinto keeps its records in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The process's own memory: fast to start, gone with it.
    Memory,
    /// A PostgreSQL cluster made for this server.
    Postgresql,
}

/// A running Kinto. It is killed when the value is dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct KintoServer {
    backend: Backend,
    settings: Vec<(String, String)>,
    port: u16,
    process: Process,
    database: Option<Database>,
    folder: TempDir,
}

impl KintoServer {
    /// Starts a server with the distribution's configuration and returns when its heartbeat is well.
    pub async fn start(backend: Backend) -> Result<Self, ServerError> {
        Self::with_settings(backend, &[]).await
    }

    /// Starts a server with further settings: `("readonly", "true")` stands for `kinto.readonly = true`.
    pub async fn with_settings(backend: Backend, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        let folder = tempfile::tempdir().map_err(ServerError::io("make a folder for Kinto"))?;
        let database = match backend {
            Backend::Memory => None,
            Backend::Postgresql => Some(Database::start(folder.path().join("postgresql")).await?),
        };
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let run = Run { backend, settings: &settings, database: database.as_ref(), folder: folder.path() };
        run.migrate().await?;
        let (port, process) = on_free_port(async |port| run.serve(port).await).await?;
        Ok(Self { backend, settings, port, process, database, folder })
    }

    /// The address for a client: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// The server's process.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Stops the server and starts it again at the same address, with these settings in place of those before. What
    /// PostgreSQL holds stays; memory is lost.
    pub async fn restart(&mut self, settings: &[(&str, &str)]) -> Result<(), ServerError> {
        self.settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.stop().await?;
        let (backend, settings, database) = (self.backend, &self.settings, self.database.as_ref());
        let run = Run { backend, settings, database, folder: self.folder.path() };
        self.process = run.serve(self.port).await?;
        Ok(())
    }

    /// Stops the server; [`KintoServer::restart`] brings it back.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        self.process.kill().await
    }

    /// The address of the PostgreSQL under the server, password included; `None` for a server in memory.
    pub fn database_url(&self) -> Result<Option<String>, ServerError> {
        self.database.as_ref().map(Database::url).transpose()
    }

    /// Stops PostgreSQL under the running server. Nothing happens to a server in memory.
    pub async fn stop_database(&mut self) -> Result<(), ServerError> {
        match &mut self.database {
            Some(database) => database.stop().await,
            None => Ok(()),
        }
    }

    /// Starts PostgreSQL again with what it held.
    pub async fn start_database(&mut self) -> Result<(), ServerError> {
        match &mut self.database {
            Some(database) => database.restart().await,
            None => Ok(()),
        }
    }
}

/// What Kinto's programs are started with.
struct Run<'a> {
    backend: Backend,
    settings: &'a Vec<(String, String)>,
    database: Option<&'a Database>,
    folder: &'a Path,
}

impl Run<'_> {
    /// Makes or updates the tables.
    async fn migrate(&self) -> Result<(), ServerError> {
        if self.backend == Backend::Memory {
            return Ok(());
        }
        let mut command = self.command("migrate", None)?;
        let output = command.output().await.map_err(ServerError::io("run kinto migrate"))?;
        if output.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ServerError::NotReady { name: "kinto migrate", what: format!("ended ({})", output.status), log })
    }

    async fn serve(&self, port: u16) -> Result<Process, ServerError> {
        let command = self.command("start", Some(port))?;
        let mut process = Process::spawn("kinto", command, self.folder.join("kinto.log"))?;
        let address = format!("{}/__heartbeat__", url(port));
        let well = async || heartbeat(&address).await;
        process.until(Duration::from_mins(1), well).await?;
        Ok(process)
    }

    /// One of Kinto's commands in an environment of its own: Kinto would take `READONLY` and the like from ours.
    fn command(&self, name: &str, port: Option<u16>) -> Result<Command, ServerError> {
        let path = root().join(".tools/kinto/bin/kinto");
        if !path.exists() {
            return Err(ServerError::NotInstalled { name: "Kinto", path });
        }
        let file = match self.backend {
            Backend::Memory => "memory.ini",
            Backend::Postgresql => "postgresql.ini",
        };
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(path).arg(name);
        command.arg("--ini").arg(root().join("kinto/config").join(file));
        if let Some(port) = port {
            command.arg("--port").arg(port.to_string());
        }
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("PYTHONWARNINGS", "ignore");
        command.env("PYTHONPATH", root().join("kinto/plugins")).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("KINTO_USERID_HMAC_SECRET", "for tests only");
        if let Some(database) = self.database {
            for name in ["KINTO_STORAGE_URL", "KINTO_CACHE_URL", "KINTO_PERMISSION_URL"] {
                command.env(name, database.url()?);
            }
            // There is one process, so its memory does for the cache, and no memcached has to run.
            command.env("KINTO_CACHE_BACKEND", "kinto.core.cache.memory");
        }
        command.envs(self.settings.iter().map(|(name, value)| (variable(name), value)));
        Ok(command)
    }
}

/// Whether the server says that all its parts are well.
async fn heartbeat(address: &str) -> bool {
    let Ok(client) = local_client() else { return false };
    client.get(address).send().await.is_ok_and(|answer| answer.status().is_success())
}

/// The variable by which Kinto takes a setting from its environment.
fn variable(setting: &str) -> String {
    format!("KINTO_{}", setting.to_ascii_uppercase().replace(['.', '-'], "_"))
}

/// Starts a server on a port that was free a moment ago; on another where that one was taken meanwhile.
async fn on_free_port<T>(serve: impl AsyncFn(u16) -> Result<T, ServerError>) -> Result<(u16, T), ServerError> {
    let mut tries = 1;
    loop {
        let port = free_port()?;
        match serve(port).await {
            Ok(served) => return Ok((port, served)),
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/v1")
}
