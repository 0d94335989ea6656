//! The Lambda function `self-serve-api`.

use std::process::ExitCode;

use buildhub_core::{Variables, lambda};
use self_serve_api::{Context, handler};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("self-serve-api", Variables::from_process(), Context::from_variables, handler).await
}
