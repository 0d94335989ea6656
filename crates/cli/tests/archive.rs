//! `buildhub archive` against an archiver that is played: what it waits for, what it writes, and how it ends.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// What is downloaded: a zip archive with nothing in it (its end of central directory, and no more), and its SHA-256.
const ARCHIVE: &str = "PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const SHA256: &str = "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85";
/// How much of it comes before the connection breaks.
const HALF: usize = 11;

/// Answers one request after the other with what is played: what it was asked, head and all, is kept.
struct Played {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Played {
    /// Each answer is sent as it is, with its connection closed behind it; `HOST` in it is this server.
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (host, kept) = (address.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let head = head(&mut stream).await;
                kept.lock().unwrap().push(head);
                stream.write_all(answer.replace("HOST", &host).as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            }
        });
        Self { address, asked }
    }

    /// The request lines.
    fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|head| head.lines().next().unwrap().replace(" HTTP/1.1", "")).collect()
    }

    async fn archive(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_buildhub"));
        command.env_clear().env("ARCHIVER_URL", format!("http://{}/base", self.address)).env("NB_RETRY_REQUEST", "0");
        command.args(["archive", "projects/ash", "42bf8560b395"]).args(args).output().await.unwrap()
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

fn there() -> String {
    answer("302 Found", "Location: http://HOST/object?X-Amz-Signature=hush\r\n", "{}")
}

fn coming() -> String {
    answer("202 Accepted", "Location: http://HOST/base/archiver/status/a\r\n", r#"{"result":{}}"#)
}

fn report(state: &str, status: &str) -> String {
    let result = json!({ "state": state, "status": status, "src_url": "", "s3_urls": {}, "progress": { "bytes": 5 } });
    answer("200 OK", "", &json!({ "result": result, "request_id": "one" }).to_string())
}

fn refused(code: u16, description: &str) -> String {
    let body = json!({ "error": { "code": code, "name": "no", "description": description }, "request_id": "one" });
    answer(&format!("{code} No"), "", &body.to_string())
}

fn object(sha256: &str) -> String {
    answer("200 OK", &format!("ETag: \"e\"\r\nx-amz-meta-sha256: {sha256}\r\n"), ARCHIVE)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn entries(folder: &Path) -> usize {
    folder.read_dir().unwrap().count()
}

#[tokio::test]
async fn an_archive_is_waited_for_downloaded_and_verified() {
    let reports = ["PENDING", "STARTED", "SUCCESS"].map(|state| report(state, "…"));
    let answers = [vec![coming()], reports.to_vec(), vec![there(), object(SHA256)]].concat();
    let played = Played::start(answers).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ash.zip");
    let args = ["--suffix", "zip", "--subdir", "a/b c", "--region", "us-west-2", "--json", "-o"];
    let output = played.archive(&[&args[..], &[file.to_str().unwrap()]].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ARCHIVE);
    assert_eq!(entries(folder.path()), 1, "nothing else is left");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["state"], &summary["size"]), (&json!("SUCCESS"), &json!(ARCHIVE.len())));
    assert_eq!((&summary["sha256"], &summary["verified"]), (&json!(SHA256), &json!(true)));
    let asked =
        "GET /base/archiver/hgmo/projects/ash/42bf8560b395?subdir=a%2Fb+c&suffix=zip&preferred_region=us-west-2";
    let status = "GET /base/archiver/status/a";
    assert_eq!(played.lines(), [asked, status, status, status, asked, "GET /object?X-Amz-Signature=hush"]);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_gone_on_with_from_there() {
    let whole = object(SHA256);
    let half = whole[..whole.len() - (ARCHIVE.len() - HALF)].to_owned();
    let headers = format!("ETag: \"e\"\r\nx-amz-meta-sha256: {SHA256}\r\n");
    let rest = answer("206 Partial Content", &headers, &ARCHIVE[HALF..]);
    let played = Played::start(vec![there(), half, there(), rest]).await;
    let output = played.archive(&["--suffix", "zip", "--output", "-"]).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), ARCHIVE);
    let asked = played.asked.lock().unwrap();
    assert!(asked[3].contains("range: bytes=11-\r\n") && asked[3].contains("if-match: \"e\"\r\n"), "{}", asked[3]);
}

#[tokio::test]
async fn what_is_not_what_the_store_has_is_not_kept() {
    let played = Played::start(vec![there(), object(&"0".repeat(64))]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let output = played.archive(&["--suffix", "zip", "-o", file.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("what came is not the archive"), "{}", said(&output));
    assert_eq!(entries(folder.path()), 0);
}

#[tokio::test]
async fn without_waiting_the_address_of_archive_or_task_is_all_that_is_told() {
    let played = Played::start(vec![coming(), there()]).await;
    let output = played.archive(&[]).await;
    let address = format!("http://{}/base/archiver/status/a\n", played.address);
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), address));
    let output = played.archive(&[]).await;
    let address = format!("http://{}/object?X-Amz-Signature=hush\n", played.address);
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), address));
}

#[tokio::test]
async fn a_refusal_is_wrong_usage_and_a_failure_is_one_each_with_its_reason() {
    let failed = "Could not get a valid response from src_url. Does http://hg/ exist?";
    for (answers, code, reason) in [
        (vec![refused(400, "the revision \"tip\" cannot be asked for")], 2, "the revision \"tip\" cannot be asked for"),
        (vec![refused(404, "http://hg/ is not there")], 1, "http://hg/ is not there"),
        (vec![refused(503, "no region says")], 1, "no region says"),
        (vec![coming(), report("FAILURE", failed)], 1, failed),
        (vec![answer("200 OK", "", "hello")], 1, "as no archiver does"),
        (vec![coming(), report("PENDING", "no status")], 1, "it is not there yet (PENDING: no status)"),
    ] {
        let played = Played::start(answers).await;
        let output = played.archive(&["--wait", "--patience", "0"]).await;
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
}

#[tokio::test]
async fn a_signed_address_is_in_no_error() {
    let played = Played::start(vec![there(), answer("403 Forbidden", "", "expired")]).await;
    let output = played.archive(&["-o", "-"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("403") && !said(&output).contains("hush"), "{}", said(&output));
}
