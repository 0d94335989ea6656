//! A real Buildbot: a master with its REST API, and a worker. `make setup` installs two releases of it.
//!
//! ```no_run
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use buildhub_testkit::buildbot::{Buildbot, Settings};
//!
//! let buildbot = Buildbot::start(Settings::default()).await?;
//! buildbot.hold("try linux64 build")?;
//! println!("BUILDBOT_URL={} BUILDBOT_AUTH={}", buildbot.url(), buildbot.auth());
//! let builders = buildbot.get("builders").await?;
//! # Ok(()) }
//! ```
//!
//! It has the builders `BRANCH linux64 KIND` of two branches (`mozilla-central`, `try`) and three kinds (`build`,
//! `nightly`, `pgo-build`). A build is over at once, unless its builder is [held](Buildbot::hold).

use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, ServerError, free_port, local_client, root};

/// How long master and worker may take until builds can begin.
const START: Duration = Duration::from_mins(2);
/// How often a start is tried, since a port that was free may be taken before the server has it.
const TRIES: usize = 3;
/// What every master here is made of.
const FILES: [(&str, &str); 2] =
    [("master.cfg", include_str!("master.cfg")), ("buildbot.tac", include_str!("buildbot.tac"))];
/// What every worker is made of.
const WORKER: &str = include_str!("worker.tac");
/// What self-serve needs of a master, below the repository's root.
const SELF_SERVE: &str = "buildbot/self_serve";

/// A release of Buildbot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// 4.3: a request's priority cannot be changed, unless it is repaired.
    #[default]
    Newest,
    /// 4.0: it can.
    Old,
}

impl Release {
    /// Where `make setup` puts it, below the repository's root.
    fn folder(self) -> &'static str {
        match self {
            Self::Newest => ".tools/buildbot",
            Self::Old => ".tools/buildbot-4.0",
        }
    }
}

/// How a Buildbot is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which release.
    pub release: Release,
    /// Whether it lacks what self-serve needs of a master.
    pub plain: bool,
    /// Where builds are reported to, as `events` with the password `push`.
    pub events: Option<String>,
    /// How many builds run at the same time; 0: four.
    pub builds: usize,
    /// Whether requests for the same are collapsed, as Buildbot does where it is not told otherwise.
    pub collapse: bool,
    /// Whether there are more schedulers of what is pushed to `try`: one that makes nightlies of it when it has been quiet for
    /// a second (`try-quiet`), and one that makes nothing of it.
    pub more_schedulers: bool,
    /// A builder that self-serve may not start.
    pub left_out: Option<String>,
}

/// A master and its worker. They end when the value is dropped.
#[derive(Debug)]
pub struct Buildbot {
    client: Client,
    settings: Settings,
    ports: (u16, u16),
    master: Option<Process>,
    worker: Process,
    /// The last to go: while one of them writes into it, it cannot be removed.
    folder: TempDir,
}

impl Buildbot {
    /// Starts both, and waits until the worker is there.
    pub async fn start(settings: Settings) -> Result<Self, ServerError> {
        let program = root().join(settings.release.folder()).join("bin/buildbot");
        if !program.is_file() {
            return Err(ServerError::NotInstalled { name: "buildbot", path: program });
        }
        let folder = tempfile::tempdir().map_err(ServerError::io("make a folder for Buildbot"))?;
        let mut tries = 1..=TRIES;
        loop {
            match Self::try_start(settings.clone(), &folder).await {
                Ok((ports, client, master, worker)) => {
                    let master = Some(master);
                    return Ok(Self { client, settings, ports, master, worker, folder });
                }
                Err(error) if tries.next().is_none() => return Err(error),
                Err(_) => {}
            }
        }
    }

    async fn try_start(
        settings: Settings,
        folder: &TempDir,
    ) -> Result<((u16, u16), Client, Process, Process), ServerError> {
        let ports = (free_port()?, free_port()?);
        prepare(&settings, folder.path(), ports).await?;
        let client = local_client().map_err(|error| ServerError::Io {
            what: "make a client for Buildbot".into(),
            source: std::io::Error::other(error),
        })?;
        let spawn = |part| {
            Process::spawn(
                "buildbot",
                twistd(&settings, folder.path(), part, ports),
                folder.path().join(format!("{part}.log")),
            )
        };
        let mut master = spawn("master")?;
        // A worker that finds no master waits longer each time before it looks again.
        master.until(START, async || workers(&client, ports.0).await.is_some()).await?;
        let worker = spawn("worker")?;
        master.until(START, async || is_ready(&client, ports.0).await).await?;
        Ok((ports, client, master, worker))
    }

    /// Its address, as `BUILDBOT_URL` has it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.ports.0)
    }

    /// Who may do everything, as `BUILDBOT_AUTH` has it. `guest:guest` may look only.
    pub fn auth(&self) -> &'static str {
        "self-serve:secret"
    }

    /// What the master's API answers to a path below `/api/v2/`.
    pub async fn get(&self, path: &str) -> reqwest::Result<Value> {
        let url = format!("{}api/v2/{path}", self.url());
        self.client.get(url).header("Accept", "application/json").send().await?.error_for_status()?.json().await
    }

    /// Somebody pushes a revision, of which a repository's hook tells the master.
    pub async fn push(&self, repository: &str, branch: &str, revision: &str, author: &str) -> reqwest::Result<()> {
        let fields = [("repository", repository), ("branch", branch), ("revision", revision), ("author", author)];
        let encoded = fields.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        let request = self.client.post(format!("{}change_hook/base", self.url())).body(encoded.join("&"));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        request.send().await?.error_for_status().map(drop)
    }

    /// Has the master do something, as who may do everything: calls a method of what a path below `/api/v2/` names.
    pub async fn control(&self, path: &str, method: &str, parameters: &Value) -> reqwest::Result<Value> {
        let (user, password) = self.auth().split_once(':').unwrap_or_default();
        // The cookies are the redirection's.
        let here = reqwest::redirect::Policy::none();
        let client = Client::builder().no_proxy().tls_certs_only([]).redirect(here).build()?;
        let login = client.get(format!("{}auth/login", self.url())).basic_auth(user, Some(password)).send().await?;
        // There are two of one name, and the last one is the user's.
        let mut cookies = login.headers().get_all("Set-Cookie").iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies.next_back().and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
        let call = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let request = self.client.post(format!("{}api/v2/{path}", self.url())).header("Cookie", cookie).json(&call);
        let mut answer: Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
    }

    /// Has the master's database carry out some SQL, behind its back.
    pub async fn database(&self, sql: &str) -> Result<(), ServerError> {
        const SCRIPT: &str =
            "import sqlite3, sys; sqlite3.connect('state.sqlite', timeout=30).executescript(sys.argv[1])";
        let program = root().join(self.settings.release.folder()).join("bin/python");
        let mut command = Command::new(program);
        command.args(["-c", SCRIPT, sql]).current_dir(self.folder.path().join("master"));
        run(&mut command, "change Buildbot's database").await.map(drop)
    }

    /// What a question to the master's database comes to, which is a number.
    pub async fn number(&self, sql: &str) -> Result<i64, ServerError> {
        const SCRIPT: &str = "import sqlite3, sys; \
            print(sqlite3.connect('state.sqlite', timeout=30).execute(sys.argv[1]).fetchone()[0])";
        let mut command = Command::new(root().join(self.settings.release.folder()).join("bin/python"));
        command.args(["-c", SCRIPT, sql]).current_dir(self.folder.path().join("master"));
        let what = "ask Buildbot's database";
        let answer = run(&mut command, what).await?;
        answer.trim().parse().map_err(|error| ServerError::io(what)(std::io::Error::other(error)))
    }

    /// Has the master read its configuration again, and waits until it does so. It goes on when a test lets it.
    pub async fn hold_configuration(&mut self) -> Result<(), ServerError> {
        let read = self.gate("configuration.read");
        if read.exists() {
            self.release("configuration.read")?;
        }
        self.hold("configuration")?;
        let Some(master) = &mut self.master else { return Ok(()) };
        master.send("HUP").await?;
        master.until(START, async || read.exists()).await
    }

    /// It reads on.
    pub fn release_configuration(&self) -> Result<(), ServerError> {
        self.release("configuration")
    }

    /// From now on no build of this builder ends.
    pub fn hold(&self, builder: &str) -> Result<(), ServerError> {
        std::fs::write(self.gate(builder), "").map_err(ServerError::io("write a gate"))
    }

    /// From now on builds of this builder do not begin, though a request is claimed for one.
    pub fn hold_start(&self, builder: &str) -> Result<(), ServerError> {
        self.hold(&format!("{builder}.start"))
    }

    /// From now on the scheduler of what is pushed to a branch makes nothing of it.
    pub fn hold_changes(&self, branch: &str) -> Result<(), ServerError> {
        self.hold_start(&format!("{branch}-changes"))
    }

    /// From now on the scheduler that waits for quiet does not find it for what comes, before the master is started again after
    /// [`Self::release_quiet`].
    pub fn hold_quiet(&self) -> Result<(), ServerError> {
        self.hold_start("try-quiet")
    }

    /// It finds quiet again.
    pub fn release_quiet(&self) -> Result<(), ServerError> {
        self.release_start("try-quiet")
    }

    /// It makes of it what it does.
    pub fn release_changes(&self, branch: &str) -> Result<(), ServerError> {
        self.release_start(&format!("{branch}-changes"))
    }

    /// Builds begin again.
    pub fn release_start(&self, builder: &str) -> Result<(), ServerError> {
        self.release(&format!("{builder}.start"))
    }

    /// Builds end again.
    pub fn release(&self, builder: &str) -> Result<(), ServerError> {
        std::fs::remove_file(self.gate(builder)).map_err(ServerError::io("remove a gate"))
    }

    /// From now on builds of this builder end with this exit code: anything but 0 is a failure.
    pub fn end_with(&self, builder: &str, code: u8) -> Result<(), ServerError> {
        let path = self.gate(&format!("{builder}.result"));
        std::fs::write(path, code.to_string()).map_err(ServerError::io("write a result"))
    }

    /// Ends the master at once, as a crash would.
    pub async fn kill(&mut self) -> Result<(), ServerError> {
        match self.master.take() {
            Some(mut master) => master.kill().await,
            None => Ok(()),
        }
    }

    /// Starts the master again, at the same address, with all that it knew. Its worker begins anew too: one that looked for
    /// the master in vain looks less and less often.
    pub async fn start_again(&mut self) -> Result<(), ServerError> {
        self.kill().await?;
        self.worker.kill().await?;
        let spawn = |part| {
            let command = twistd(&self.settings, self.folder.path(), part, self.ports);
            Process::spawn("buildbot", command, self.folder.path().join(format!("{part}.log")))
        };
        let mut master = spawn("master")?;
        self.worker = spawn("worker")?;
        master.until(START, async || is_ready(&self.client, self.ports.0).await).await?;
        self.master = Some(master);
        Ok(())
    }

    fn gate(&self, name: &str) -> PathBuf {
        self.folder.path().join("gates").join(name)
    }
}

/// Whether builds can begin: the worker is connected to a master.
async fn is_ready(client: &Client, port: u16) -> bool {
    workers(client, port).await.is_some_and(|workers| workers.pointer("/workers/0/connected_to/0").is_some())
}

/// What a master says of its workers, if it says anything yet.
async fn workers(client: &Client, port: u16) -> Option<Value> {
    client.get(format!("http://127.0.0.1:{port}/api/v2/workers")).send().await.ok()?.json().await.ok()
}

/// Lays out the folders of master and worker, and makes the master's database.
async fn prepare(settings: &Settings, folder: &Path, ports: (u16, u16)) -> Result<(), ServerError> {
    let write = |path: PathBuf, text: &[u8]| {
        std::fs::write(&path, text).map_err(ServerError::io(format!("write {}", path.display())))
    };
    for name in ["master/self_serve", "worker/info", "gates"] {
        std::fs::create_dir_all(folder.join(name)).map_err(ServerError::io("make a folder"))?;
    }
    for (name, text) in FILES {
        write(folder.join("master").join(name), text.as_bytes())?;
    }
    for entry in std::fs::read_dir(root().join(SELF_SERVE)).map_err(ServerError::io("list buildbot/self_serve"))? {
        let path = entry.map_err(ServerError::io("list buildbot/self_serve"))?.path();
        if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|kind| kind == "py")) {
            let text = std::fs::read(&path).map_err(ServerError::io("read buildbot/self_serve"))?;
            write(folder.join("master/self_serve").join(name), &text)?;
        }
    }
    write(folder.join("worker/buildbot.tac"), WORKER.as_bytes())?;
    let program = root().join(settings.release.folder()).join("bin/buildbot");
    let mut command = Command::new(program);
    environment(command.args(["upgrade-master", "-q", "."]), settings, folder, ports)
        .current_dir(folder.join("master"));
    run(&mut command, "make Buildbot's database").await.map(drop)
}

/// Runs a command to its end, and answers what it prints.
async fn run(command: &mut Command, what: &'static str) -> Result<String, ServerError> {
    let output = command.output().await.map_err(ServerError::io(what))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Err(ServerError::Io { what: what.into(), source: std::io::Error::other(reason) })
}

fn twistd(settings: &Settings, folder: &Path, part: &str, ports: (u16, u16)) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(root().join(settings.release.folder()).join("bin/twistd"));
    command.args(["--nodaemon", "--no_save", "--pidfile=", "-y", "buildbot.tac"]).current_dir(folder.join(part));
    environment(&mut command, settings, folder, ports);
    command
}

/// Nobody's settings but these.
fn environment<'a>(
    command: &'a mut Command,
    settings: &Settings,
    folder: &Path,
    (http, worker): (u16, u16),
) -> &'a mut Command {
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONPATH", ".").env("HOME", folder).env("LANG", "C.UTF-8").env("GATES", folder.join("gates"));
    command.env("HTTP_PORT", http.to_string()).env("WORKER_PORT", worker.to_string());
    if settings.builds > 0 {
        command.env("MAX_BUILDS", settings.builds.to_string());
    }
    if settings.plain {
        command.env("PLAIN", "yes");
    }
    if settings.collapse {
        command.env("COLLAPSE", "yes");
    }
    if settings.more_schedulers {
        command.env("MORE_SCHEDULERS", "yes");
    }
    if let Some(builder) = &settings.left_out {
        command.env("LEFT_OUT", builder);
    }
    if let Some(events) = &settings.events {
        command.env("EVENTS", events);
    }
    command
}
