//! A PostgreSQL cluster for one server.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::on_free_port;
use crate::process::{Process, ServerError, root};

/// A running cluster, made by the distribution's own script.
#[derive(Debug)]
pub(super) struct Database {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl Database {
    pub(super) async fn start(folder: PathBuf) -> Result<Self, ServerError> {
        std::fs::create_dir_all(&folder).map_err(ServerError::io("make a folder for PostgreSQL"))?;
        open_parent(&folder)?;
        let (port, process) = on_free_port(async |port| serve(&folder, port).await).await?;
        Ok(Self { folder, port, process })
    }

    /// The address for Kinto's settings.
    pub(super) fn url(&self) -> Result<String, ServerError> {
        let password = std::fs::read_to_string(self.folder.join("password"));
        let password = password.map_err(ServerError::io("read PostgreSQL's password"))?;
        Ok(format!("postgresql://kinto:{}@127.0.0.1:{}/postgres", password.trim(), self.port))
    }

    pub(super) async fn stop(&mut self) -> Result<(), ServerError> {
        self.process.end_by("INT").await
    }

    pub(super) async fn restart(&mut self) -> Result<(), ServerError> {
        self.process = serve(&self.folder, self.port).await?;
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SIGQUIT takes the whole of PostgreSQL down at once; its folder goes with it. SIGKILL, which follows, would
        // leave its children to find out by themselves.
        if let Some(id) = self.process.id() {
            let _ = std::process::Command::new("kill").args(["-s", "QUIT", &id.to_string()]).status();
        }
    }
}

/// PostgreSQL runs as another user when we are root, so the way to its folder must be open to it.
fn open_parent(folder: &std::path::Path) -> Result<(), ServerError> {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(parent) = folder.parent() else { return Ok(()) };
    let permissions = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(parent, permissions).map_err(ServerError::io("open a folder for PostgreSQL"))
}

async fn serve(folder: &std::path::Path, port: u16) -> Result<Process, ServerError> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]).arg(root().join("kinto/bin/postgresql"));
    command.args(["run", "--with-parent"]).arg(folder).arg(port.to_string());
    // What is tested is Kinto, not the disk: nothing has to outlive a crash of the machine.
    command.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
    let log = folder.with_extension("log");
    let mut process = Process::spawn("postgresql", command, log)?;
    process.until(Duration::from_mins(2), async || answers(port).await).await?;
    Ok(process)
}

/// Whether the server takes sessions: it answers a request for TLS with a single byte (PostgreSQL's protocol,
/// "SSL Session Encryption"), and only once it has recovered does it take the start of a session.
async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    // A start packet of protocol 3.0 for the user `kinto`: length, version, name and value, end.
    let packet = b"\x00\x00\x00\x14\x00\x03\x00\x00user\0kinto\0\0";
    if stream.write_all(packet).await.is_err() {
        return false;
    }
    // `R` asks for a password: the server is up. `E` says that it is starting or stopping.
    let mut kind = [0];
    stream.read_exact(&mut kind).await.is_ok() && kind == *b"R"
}
