//! The Lambda function `archiver-api`.

use std::process::ExitCode;

use archiver_api::{Context, handler};
use buildhub_core::{Variables, lambda};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("archiver-api", Variables::from_process(), Context::from_variables, handler).await
}
