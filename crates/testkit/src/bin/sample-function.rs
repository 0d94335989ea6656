//! A Lambda function that does as its messages say, to try the emulator and the event source with.
//!
//! It speaks the runtime's own API (AWS, "Using the Lambda runtime API for custom runtimes"). A message of an SQS event is
//! `{"name": …}` and what is to happen: `"log": PATH` adds its name as a line to a file, `"until": PATH` waits for that
//! file to be there, `"fails": N` fails it the first N times, `"error": N` fails the whole call the first N times. What is
//! no SQS event is the answer.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

type Fault = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = serve().await;
    let _ = writeln!(std::io::stderr(), "sample-function: {error}");
    ExitCode::FAILURE
}

async fn serve() -> Result<std::convert::Infallible, Fault> {
    // The address is the emulator's, and this program is nothing but a test's tool.
    #[expect(clippy::disallowed_methods, reason = "this is a main")]
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let base = format!("http://{api}/2018-06-01/runtime/invocation");
    loop {
        let event = client.get(format!("{base}/next")).send().await?;
        let id =
            event.headers().get("Lambda-Runtime-Aws-Request-Id").ok_or("an event without an id")?.to_str()?.to_owned();
        let payload: Value = event.json().await?;
        let (end, answer) = match handle(payload).await? {
            Ok(answer) => ("response", answer),
            Err(message) => ("error", json!({ "errorType": "Sample", "errorMessage": message })),
        };
        client.post(format!("{base}/{id}/{end}")).json(&answer).send().await?.error_for_status()?;
    }
}

/// The answer to an event, or an error's message.
async fn handle(payload: Value) -> Result<Result<Value, String>, Fault> {
    let Some(records) = payload.get("Records").and_then(Value::as_array) else { return Ok(Ok(payload)) };
    let mut failures = Vec::new();
    for record in records {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let message: Value = serde_json::from_str(text("/body"))?;
        let name = message.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut tries: usize = text("/attributes/ApproximateReceiveCount").parse()?;
        if let Some(path) = message.get("log").and_then(Value::as_str) {
            let mut file = std::fs::File::options().create(true).append(true).open(path)?;
            // In one call: other instances append to the same file, and a line must not end up in the middle of theirs.
            file.write_all(format!("{name}\n").as_bytes())?;
            // A message that was received and got lost on its way here was not tried.
            tries = std::fs::read_to_string(path)?.lines().filter(|line| *line == name).count();
        }
        let still = |what: &str| {
            message
                .get(what)
                .and_then(Value::as_u64)
                .and_then(|times| usize::try_from(times).ok())
                .is_some_and(|times| tries <= times)
        };
        if let Some(path) = message.get("until").and_then(Value::as_str) {
            wait_for(Path::new(path)).await;
        }
        if still("error") {
            return Ok(Err(format!("{name} fails all")));
        }
        if still("fails") {
            failures.push(json!({ "itemIdentifier": text("/messageId") }));
        }
    }
    Ok(Ok(json!({ "batchItemFailures": failures })))
}

async fn wait_for(path: &Path) {
    let mut turn = tokio::time::interval(Duration::from_millis(10));
    while !path.exists() {
        turn.tick().await;
    }
}
