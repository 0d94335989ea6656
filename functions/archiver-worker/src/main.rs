//! The Lambda function `archiver-worker`.

use std::process::ExitCode;

use archiver_worker::{Context, handler};
use buildhub_core::{Variables, lambda};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("archiver-worker", Variables::from_process(), Context::from_variables, handler).await
}
