//! The Lambda function `self-serve-agent`.

use std::process::ExitCode;

use buildhub_core::{Variables, lambda};
use self_serve_agent::{Context, handler};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("self-serve-agent", Variables::from_process(), Context::from_variables, handler).await
}
