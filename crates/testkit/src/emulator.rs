//! AWS's own emulator of Lambda's runtime, around a function's `bootstrap`: what a zip does in Lambda, without Lambda.
//!
//! The emulator falls over when it is called while a call runs, so there is a pool of them: [`Emulator::invoke`] waits
//! for a free one. Each runs its own process of the function, as each instance of a function does in Lambda, and is
//! replaced by another when it has died.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

use crate::process::local_client;

/// Where `make setup` puts the emulator, below the repository's root.
const PROGRAM: &str = ".tools/emulator/aws-lambda-rie";
/// How long an emulator may take until it listens.
const START: Duration = Duration::from_secs(20);
/// How often a start is tried, since a port that was free may be taken before the emulator has it.
const TRIES: usize = 3;

/// Running functions, stopped when dropped.
#[derive(Debug)]
pub struct Emulator {
    client: reqwest::Client,
    free: Mutex<mpsc::Receiver<Instance>>,
    back: mpsc::Sender<Instance>,
    /// The process ids of the emulators that have a call now.
    busy: SyncMutex<Vec<u32>>,
    peak: AtomicU64,
    launch: Launch,
    folder: TempDir,
}

/// Why the emulator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The emulator is not installed.
    #[error("there is no {0}: run `make setup`")]
    Missing(PathBuf),
    /// The function is not there, or cannot be run.
    #[error("{0} is no program; build the function, or unpack its zip")]
    NoFunction(PathBuf),
    /// A process could not be started or prepared.
    #[error("cannot start the emulator: {0}")]
    Io(#[from] io::Error),
    /// No client can be made for it.
    #[error("no client can be made for the emulator")]
    Client(#[from] reqwest::Error),
    /// It started and did not listen.
    #[error("the emulator does not listen; it said:\n{0}")]
    Silent(String),
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The function answered with an error, which the emulator hands on with status 200.
    #[error("{kind}: {message}")]
    Function {
        /// The error's `errorType`.
        kind: String,
        /// The error's `errorMessage`.
        message: String,
    },
    /// The emulator answered with something that is neither a result nor an error: a function that timed out or died.
    #[error("the runtime answered {status}: {body}")]
    Runtime {
        /// The HTTP status.
        status: u16,
        /// What came with it.
        body: String,
    },
    /// The emulator could not be reached, or died before it answered.
    #[error("the emulator cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// It died, and none could be started in its place.
    #[error(transparent)]
    Gone(#[from] StartError),
    /// All emulators are gone.
    #[error("no emulator is left")]
    NoneLeft,
}

impl Emulator {
    /// Starts one emulator around `bootstrap`, which sees the variables given, those that Lambda sets, and none of this process's.
    pub async fn start(bootstrap: &Path, variables: &[(&str, &str)]) -> Result<Self, StartError> {
        Self::pool(bootstrap, variables, 1).await
    }

    /// Starts `size` emulators: that many calls run at the same time.
    pub async fn pool(bootstrap: &Path, variables: &[(&str, &str)], size: usize) -> Result<Self, StartError> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PROGRAM);
        if !program.is_file() {
            return Err(StartError::Missing(std::path::absolute(program)?));
        }
        let runnable =
            std::fs::metadata(bootstrap).is_ok_and(|file| file.is_file() && file.permissions().mode() & 1 == 1);
        if !runnable {
            return Err(StartError::NoFunction(bootstrap.to_owned()));
        }
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let launch = Launch { program, bootstrap: std::path::absolute(bootstrap)?, variables };
        let folder = tempfile::tempdir()?;
        let (back, free) = mpsc::channel(size.max(1));
        for number in 0..size.max(1) {
            let instance = launch.start(folder.path().join(format!("{number}.log"))).await?;
            // The channel holds them all.
            let _ = back.try_send(instance);
        }
        let client = local_client()?;
        Ok(Self {
            client,
            free: Mutex::new(free),
            back,
            busy: SyncMutex::default(),
            peak: AtomicU64::new(0),
            launch,
            folder,
        })
    }

    /// Calls the function with an event, and waits for its answer. An instance that died of it is replaced.
    pub async fn invoke(&self, payload: &Value) -> Result<Value, FunctionError> {
        let mut instance = self.free.lock().await.recv().await.ok_or(FunctionError::NoneLeft)?;
        // One that was killed may have died only after its last call had an answer.
        if instance.is_dead() {
            instance = self.launch.start(instance.log.clone()).await?;
        }
        let id = instance.emulator.id();
        self.busy().push(id);
        let url = format!("http://{}/2015-03-31/functions/function/invocations", instance.address);
        let answered = answer(self.client.post(url).body(payload.to_string())).await;
        self.busy().retain(|busy| *busy != id);
        self.peak.fetch_max(peak_memory(id), Ordering::Relaxed);
        // A process that was killed is gone a moment later than its connections.
        let is_cut_off = matches!(answered, Err(FunctionError::Unreachable(_)));
        if is_cut_off || answered.is_err() && instance.is_dead() {
            instance = self.launch.start(instance.log.clone()).await?;
        }
        let _ = self.back.try_send(instance);
        answered
    }

    /// Ends one instance that has a call now, emulator and function, as a machine's end would: the call fails without an
    /// answer. False when none has one.
    pub fn kill_busy(&self) -> bool {
        let busy = self.busy().first().copied();
        busy.is_some_and(|id| {
            kill(&children(id));
            kill(&[id.to_string()]);
            true
        })
    }

    /// How many calls run now.
    pub fn calls(&self) -> usize {
        self.busy().len()
    }

    /// The most memory that a process of the function had resident in any call so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Bytes on disk below a folder now. Files without a name that functions have open there are among them.
    pub fn disk(&self, folder: &Path) -> u64 {
        let mut files = std::collections::HashMap::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(path) = waiting.pop() {
            // What is gone by now is none.
            let Ok(about) = std::fs::symlink_metadata(&path) else { continue };
            if about.is_dir() {
                waiting.extend(std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
            files.insert(about.ino(), about.blocks() * 512);
        }
        let functions: Vec<String> = self.busy().iter().flat_map(|id| children(*id)).collect();
        let open = functions.iter().flat_map(|id| std::fs::read_dir(format!("/proc/{id}/fd"))).flatten().flatten();
        for descriptor in open.map(|entry| entry.path()) {
            let target = std::fs::read_link(&descriptor).unwrap_or_default();
            if target.starts_with(folder) && target.to_string_lossy().ends_with(" (deleted)") {
                let about = std::fs::metadata(&descriptor).map(|about| (about.ino(), about.blocks() * 512));
                files.extend(about.ok());
            }
        }
        files.values().sum()
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What functions and emulators have logged so far.
    pub fn logs(&self) -> io::Result<String> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.folder.path())?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.sort_unstable();
        files.iter().map(std::fs::read_to_string).collect()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, FunctionError> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let body = answer.text().await?;
    let text = |value: &Value, name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match serde_json::from_str::<Value>(&body) {
        Ok(value) => match (text(&value, "errorType"), text(&value, "errorMessage")) {
            (Some(kind), Some(message)) => Err(FunctionError::Function { kind, message }),
            _ if status == 200 => Ok(value),
            _ => Err(FunctionError::Runtime { status, body }),
        },
        Err(_) => Err(FunctionError::Runtime { status, body }),
    }
}

/// What each instance is started with.
#[derive(Debug)]
struct Launch {
    program: PathBuf,
    bootstrap: PathBuf,
    variables: Vec<(String, String)>,
}

impl Launch {
    /// Starts an instance, whose log goes on where the one before it ended.
    async fn start(&self, log: PathBuf) -> Result<Instance, StartError> {
        for _ in 0..TRIES {
            let (address, runtime) = (free_port()?, free_port()?);
            let output = File::options().create(true).append(true).open(&log)?;
            let emulator = Command::new(&self.program)
                .args(["--runtime-interface-emulator-address", &address.to_string()])
                .args(["--runtime-api-address", &runtime.to_string()])
                .arg(&self.bootstrap)
                .env_clear()
                .envs(lambda_variables(&self.bootstrap))
                .envs(self.variables.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .spawn()?;
            let mut instance = Instance { emulator, address, log: log.clone() };
            if instance.listens().await? {
                return Ok(instance);
            }
        }
        Err(StartError::Silent(std::fs::read_to_string(log)?))
    }
}

/// One emulator and the function's process in it.
#[derive(Debug)]
struct Instance {
    emulator: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Instance {
    /// Whether the emulator has ended; it was killed then.
    fn is_dead(&mut self) -> bool {
        !matches!(self.emulator.try_wait(), Ok(None))
    }

    /// Waits until the emulator accepts connections; false when it ended or took too long.
    async fn listens(&mut self) -> io::Result<bool> {
        let mut turn = tokio::time::interval(Duration::from_millis(10));
        let listening = async {
            while self.emulator.try_wait()?.is_none() {
                if tokio::net::TcpStream::connect(self.address).await.is_ok() {
                    return Ok(true);
                }
                turn.tick().await;
            }
            Ok(false)
        };
        tokio::time::timeout(START, listening).await.unwrap_or(Ok(false))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The function first: the emulator runs it in a group of its own, and would leave it behind.
        kill(&children(self.emulator.id()));
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}

/// The processes that a process has started, by whichever of its threads.
fn children(id: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The most memory that the processes under an emulator ever had resident, in KiB (`VmHWM` of `proc_pid_status(5)`).
fn peak_memory(emulator: u32) -> u64 {
    let peak = |id: String| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    children(emulator).into_iter().filter_map(peak).max().unwrap_or(0)
}

/// Ends processes at once.
fn kill(ids: &[String]) {
    if !ids.is_empty() {
        let _ = Command::new("kill").arg("-KILL").args(ids).stderr(Stdio::null()).status();
    }
}

/// What Lambda sets for every function.
fn lambda_variables(bootstrap: &Path) -> [(&'static str, String); 7] {
    let folder = bootstrap.parent().unwrap_or(Path::new("/")).display().to_string();
    [
        ("AWS_LAMBDA_FUNCTION_NAME", "function".to_owned()),
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", "300".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("LAMBDA_TASK_ROOT", folder),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// An address that was free a moment ago.
fn free_port() -> io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
