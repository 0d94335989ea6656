//! Mercurial's own server over repositories that are made for it. `make setup` installs it.
//!
//! ```no_run
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use buildhub_testkit::mercurial::Mercurial;
//!
//! let files = [("README", b"hello".to_vec()), ("testing/mozharness/run.py", b"pass".to_vec())];
//! let hg = Mercurial::start("projects/ash", &files).await?;
//! println!("ARCHIVER_HGMO_URL_TEMPLATE={}", hg.template());
//! let archive = hg.archive(&hg.revision()[..12], "tar.gz", "").await?;
//! assert_eq!(hg.downloads()?, 1);
//! # Ok(()) }
//! ```
//!
//! Its archives come chunked and without a length, `HEAD` answers 500, and ranges are passed over.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, ServerError, free_port, local_client, root};

/// Where `make setup` puts it, below the repository's root.
const PROGRAM: &str = ".tools/mercurial/bin/hg";
/// How long it may take until it answers.
const START: Duration = Duration::from_mins(1);
/// How often a start is tried, since a port that was free may be taken before the server has it.
const TRIES: usize = 3;

/// A server with one repository. It ends when the value is dropped, and when the thread that started it ends.
#[derive(Debug)]
pub struct Mercurial {
    client: Client,
    port: u16,
    path: String,
    revision: String,
    _process: Process,
    folder: TempDir,
}

impl Mercurial {
    /// Makes a repository by that path, with one revision of these files, and serves it.
    pub async fn start(path: &str, files: &[(&str, Vec<u8>)]) -> Result<Self, ServerError> {
        let program = root().join(PROGRAM);
        if !program.is_file() {
            return Err(ServerError::NotInstalled { name: "mercurial", path: program });
        }
        let folder = tempfile::tempdir().map_err(ServerError::io("make a folder for Mercurial"))?;
        let repository = folder.path().join("repository");
        let revision = commit(&program, &repository, files).await?;
        let config = folder.path().join("hgweb.conf");
        let text = format!("[web]\nallow-archive = gz zip bz2\n[paths]\n{path} = {}\n", repository.display());
        std::fs::write(&config, text).map_err(ServerError::io("write hgweb.conf"))?;
        let client = local_client().map_err(|error| ServerError::Io {
            what: "make a client for Mercurial".into(),
            source: std::io::Error::other(error),
        })?;
        let mut tries = 1..=TRIES;
        loop {
            let port = free_port()?;
            let mut process = Process::spawn("mercurial", serve(&program, &folder, port), log(&folder))?;
            let page = format!("http://127.0.0.1:{port}/{path}?style=raw");
            let answers = async || client.get(&page).send().await.is_ok_and(|answer| answer.status().is_success());
            match process.until(START, answers).await {
                Ok(()) => {
                    let path = path.to_owned();
                    return Ok(Self { client, port, path, revision, folder, _process: process });
                }
                Err(error) if tries.next().is_none() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The address of its archives, as `ARCHIVER_HGMO_URL_TEMPLATE` has it.
    pub fn template(&self) -> String {
        format!("http://127.0.0.1:{}/{{repo}}/archive/{{rev}}.{{suffix}}/{{subdir}}", self.port)
    }

    /// The repository's path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The revision: 40 hexadecimal digits.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// An archive as it gives it.
    pub async fn archive(&self, revision: &str, suffix: &str, subdir: &str) -> reqwest::Result<Bytes> {
        let url = format!("http://127.0.0.1:{}/{}/archive/{revision}.{suffix}/{subdir}", self.port, self.path);
        self.client.get(url).send().await?.error_for_status()?.bytes().await
    }

    /// How many archives it was asked for.
    pub fn downloads(&self) -> Result<usize, ServerError> {
        let log = std::fs::read_to_string(self.folder.path().join("access.log"));
        let log = log.map_err(ServerError::io("read Mercurial's log"))?;
        Ok(log.lines().filter(|line| line.contains("/archive/")).count())
    }
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("hg.log")
}

/// A command that knows nobody's settings.
fn hg(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HGRCPATH", "").env("HGPLAIN", "1");
    command.env("HGENCODING", "utf-8").env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn serve(program: &Path, folder: &TempDir, port: u16) -> Command {
    let at = |name: &str| folder.path().join(name);
    let mut command = hg(program);
    command.arg("serve").arg("--web-conf").arg(at("hgweb.conf")).args(["-a", "127.0.0.1", "-p", &port.to_string()]);
    command.arg("-A").arg(at("access.log")).arg("-E").arg(at("error.log"));
    command
}

/// Makes a repository with one revision, the same one of the same files, and tells which.
async fn commit(program: &Path, repository: &Path, files: &[(&str, Vec<u8>)]) -> Result<String, ServerError> {
    run(program, repository, ["init".as_ref(), repository.as_os_str()]).await?;
    for (name, bytes) in files {
        let path = repository.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(repository)).map_err(ServerError::io("make a folder"))?;
        std::fs::write(&path, bytes).map_err(ServerError::io("write a file"))?;
    }
    let message = ["commit", "-A", "-q", "-m", "all", "-u", "testkit", "-d", "1500000000 0"];
    run(program, repository, message.map(AsRef::as_ref)).await?;
    run(program, repository, ["log", "-r", "tip", "-T", "{node}"].map(AsRef::as_ref)).await
}

async fn run<const N: usize>(program: &Path, folder: &Path, arguments: [&OsStr; N]) -> Result<String, ServerError> {
    let mut command = hg(program);
    if folder.is_dir() {
        command.current_dir(folder);
    }
    let output = command.args(arguments).output().await.map_err(ServerError::io("run hg"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(ServerError::Io { what: format!("run hg {arguments:?}"), source: std::io::Error::other(reason) })
}
