//! `buildhub serve` and `buildhub archive`: the archiver in one process, and one who asks it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::process::{ExitStatus, Stdio};

use buildhub_testkit::s3::S3Server;
use buildhub_testkit::source::{Archive, Misdeed, SourceServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

/// The command, serving.
struct Serving {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
    address: String,
}

fn buildhub(variables: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buildhub"));
    command.env_clear().envs(variables.iter().cloned()).kill_on_drop(true);
    command
}

impl Serving {
    async fn start(variables: &[(String, String)]) -> Self {
        let mut command = buildhub(variables);
        let mut process = command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = loop {
            let line = log.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended before it listened"));
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.trim().to_owned();
            }
        };
        Self { process, log, address }
    }

    async fn terminate(mut self) -> (ExitStatus, String) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let mut said = String::new();
        while let Some(line) = self.log.next_line().await.unwrap() {
            said += &line;
        }
        (self.process.wait().await.unwrap(), said)
    }
}

#[tokio::test]
async fn who_asks_waits_and_downloads_while_the_source_is_read_once() {
    let store = S3Server::start().await.unwrap();
    for bucket in ["east", "west"] {
        store.create_bucket(bucket).unwrap();
    }
    let source = SourceServer::start(Archive::gzip(3 << 20)).await.unwrap();
    source.next([Misdeed::Status(503, Some(0))]);
    let folder = tempfile::tempdir().unwrap();
    let mut variables = store.variables();
    for (name, value) in [
        ("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west".to_owned()),
        ("ARCHIVER_HGMO_URL_TEMPLATE", source.template()),
        ("ARCHIVER_TASKS_FOLDER", folder.path().join("tasks").to_str().unwrap().to_owned()),
    ] {
        variables.push((name.to_owned(), value));
    }
    let serving = Serving::start(&variables).await;

    let file = folder.path().join("ash.tar.gz");
    let mut command = buildhub(&[]);
    command.args(["archive", "projects/ash", "42bf8560b395", "--archiver", &serving.address, "--json"]);
    let output = command.args(["--region", "us-west-2", "-o", file.to_str().unwrap()]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["state"], &summary["verified"]), (&"SUCCESS".into(), &true.into()), "{summary}");
    assert!(summary["url"].as_str().unwrap().contains("/west/"), "{summary}");
    let downloaded = std::fs::read(&file).unwrap();
    for bucket in ["east", "west"] {
        let object = store.root().join(bucket).join("projects/ash-42bf8560b395.tar.gz");
        assert!(std::fs::read(object).unwrap() == downloaded, "{bucket} has the same bytes");
    }
    assert_eq!(source.requests(), 2, "once in vain, and once");

    let mut command = buildhub(&[]);
    command.args(["archive", "projects/ash", "tip", "--archiver", &serving.address]);
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("12 to 40 hexadecimal digits"));

    let (status, said) = serving.terminate().await;
    assert!(status.success() && said.contains("stopped"), "{status}: {said}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_said_with_the_flag_that_names_another() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let variables = [("ARCHIVER_S3_BUCKETS".to_owned(), "us-east-1=east".to_owned())];
    let output = buildhub(&variables).args(["serve", "--listen", &address]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("cannot listen on {address}")) && said.contains("--listen"), "{said}");
}
