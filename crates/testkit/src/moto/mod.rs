//! Amazon's services in one process: moto's server, for stories in which a notification, a queue or a secret has a part.
//! `make setup` installs it.
//!
//! What it does as Amazon does: `s3:TestEvent` when notifications are set, keys form-encoded in S3's notifications and as
//! they are in EventBridge's, visibility, receive counts, redrive to a dead-letter queue, FIFO groups that are locked
//! while a message of theirs is in flight. Where it differs:
//!
//! * Signatures and policies are not checked.
//! * Its own conditional writes let two at the same moment pass one check. `server.py` puts them one behind the other.
//! * Notifications arrive at once, each once, and say nothing useful in `sequencer`. The slash of a key is encoded too
//!   (`%2F`), as S3 does not.
//! * A message waits for its visibility timeout in whole seconds, and goes to the dead-letter queue when it would be
//!   received once too often.
//! * Two `ReceiveMessage` at the same time may both be given a message: receive from one task.
//! * An EventBridge event is written for the first rule alone: make one route by it in a server.
//! * A rule of EventBridge hears of an object's tags too when it is written.
//!
//! For tests of S3 alone `s3` is faster, and checks signatures.

mod notifications;
mod objects;
mod queues;
mod secrets;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, ServerError, free_port, local_client, root};

pub use queues::{Counts, Delivery, Queue, QueueSettings};

/// The account that everything belongs to.
pub const ACCOUNT: &str = "123456789012";
/// The region that everything is in.
pub const REGION: &str = "us-east-1";

/// Where `make setup` puts the server's Python, below the repository's root.
const PROGRAM: &str = ".tools/moto/bin/python3";
/// The server, with conditional writes made whole.
const SERVER: &str = include_str!("server.py");
/// How long it may take until it answers.
const START: Duration = Duration::from_mins(1);
/// How often a start is tried, since a port that was free may be taken before the server has it.
const TRIES: usize = 3;

/// Amazon's services on a free port of this machine, empty at first. They end when the value is dropped, and when the
/// thread that started them ends.
#[derive(Debug)]
pub struct Moto {
    client: Client,
    port: u16,
    next: AtomicU64,
    _process: Process,
    _folder: TempDir,
}

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum MotoError {
    /// The server cannot be reached.
    #[error("moto cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// It said no.
    #[error("moto answered {status} to {request}: {body}")]
    Refused {
        /// What was asked.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What came with it.
        body: String,
    },
    /// Its answer lacks what it should have.
    #[error("moto's answer to {request} has no {field}: {body}")]
    Incomplete {
        /// What was asked.
        request: String,
        /// What is missing.
        field: &'static str,
        /// The answer.
        body: String,
    },
}

impl Moto {
    /// Starts a server and returns when it answers.
    pub async fn start() -> Result<Self, ServerError> {
        let program = root().join(PROGRAM);
        if !program.is_file() {
            return Err(ServerError::NotInstalled { name: "moto", path: program });
        }
        let client = local_client().map_err(|error| ServerError::Io {
            what: "make a client for moto".into(),
            source: std::io::Error::other(error),
        })?;
        let folder = tempfile::tempdir().map_err(ServerError::io("make a folder for moto"))?;
        let mut tries = 1..=TRIES;
        loop {
            let port = free_port()?;
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(&program).args(["-c", SERVER]);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("PYTHONDONTWRITEBYTECODE", "1");
            let mut process = Process::spawn("moto", command, folder.path().join("moto.log"))?;
            let page = format!("http://127.0.0.1:{port}/moto-api/data.json");
            let answers = async || client.get(&page).send().await.is_ok_and(|answer| answer.status().is_success());
            match process.until(START, answers).await {
                Ok(()) => {
                    return Ok(Self { client, port, next: AtomicU64::new(0), _process: process, _folder: folder });
                }
                Err(error) if tries.next().is_none() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The server's URL, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The settings that lead a program here, by the names of their variables: endpoint, region and credentials.
    pub fn variables(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "testkit".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "testkit-secret".to_owned()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A number that this server was not given before.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A request; moto tells by its signature's scope which service it is for.
    fn request(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        let scope = format!("testkit/20200101/{REGION}/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        self.client.request(method, format!("{}{path}", self.endpoint())).header("Authorization", signature)
    }

    /// Sends a request, and takes the answer's text when it is a good one.
    async fn ask(&self, what: &str, request: RequestBuilder) -> Result<String, MotoError> {
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(MotoError::Refused { request: what.to_owned(), status: status.as_u16(), body })
    }

    /// A call of a service that speaks JSON, by its target (`AmazonSQS.SendMessage`).
    async fn call(&self, service: &str, target: &str, body: Value) -> Result<Value, MotoError> {
        let request = self.request(Method::POST, service, "/").header("X-Amz-Target", target);
        let request = request.header("Content-Type", "application/x-amz-json-1.0").body(body.to_string());
        let answer = self.ask(target, request).await?;
        // Some answers are empty.
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }
}

/// A field of an answer that must be there.
fn text(request: &str, answer: &Value, field: &'static str) -> Result<String, MotoError> {
    let found = answer.get(field).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| MotoError::Incomplete { request: request.to_owned(), field, body: answer.to_string() })
}
