//! One writer that sends ready-made batches, and nothing else: what a load is measured against.
//!
//! Reads records on standard input, one `{"data": record}` a line, makes the bodies of all batches, and only then starts
//! the clock. Each batch goes when the answer to the one before is there. The collection must exist and be empty.
//!
//! ```text
//! replay http://localhost:8888/v1 user:pass build-hub releases 25 < records.jsonl
//! ```
//!
//! Prints the number of records and the seconds they took.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measuring tool: what is off ends it"
)]

use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buildhub_http::header::HeaderValue;
use buildhub_http::{Http, HttpSettings, Method, Repeat, Request, Url};
use serde_json::{Value, json};

const ANSWER_MAX: usize = 64 << 20;

/// The body of one batch, of lines of the input.
fn body(lines: &[&str], path: &str) -> Vec<u8> {
    let write = |line: &&str| {
        let body: Value = serde_json::from_str(line).unwrap();
        let path = format!("{path}/{}", body["data"]["id"].as_str().unwrap());
        json!({ "path": path, "headers": { "If-None-Match": "*" }, "body": body })
    };
    let requests: Vec<_> = lines.iter().map(write).collect();
    json!({ "defaults": { "method": "PUT" }, "requests": requests }).to_string().into_bytes()
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, auth, bucket, collection, batch] = arguments.as_slice() else {
        panic!("usage: replay SERVER USER:PASSWORD BUCKET COLLECTION BATCH < records.jsonl");
    };
    let input = std::io::read_to_string(std::io::stdin()).unwrap();
    let lines: Vec<_> = input.lines().collect();
    let path = format!("/buckets/{bucket}/collections/{collection}/records");
    let bodies: Vec<_> = lines.chunks(batch.parse().unwrap()).map(|lines| body(lines, &path)).collect();

    let http = Http::new(&HttpSettings::default()).unwrap();
    let url: Url = format!("{server}/batch").parse().unwrap();
    let auth = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(auth))).unwrap();
    let began = Instant::now();
    for body in bodies {
        let request = Request::new(Method::POST, url.clone()).authorization(auth.clone()).json(body);
        let answer = http.fetch(&request, Repeat::Never, ANSWER_MAX).await.unwrap();
        let answers: Value = serde_json::from_slice(&answer.body).unwrap();
        for item in answers["responses"].as_array().unwrap() {
            assert_eq!(item["status"], 201, "{item}");
        }
    }
    println!("{} {:.3}", lines.len(), began.elapsed().as_secs_f64());
}
