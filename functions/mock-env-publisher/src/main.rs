//! The Lambda function `mock-env-publisher`.

use std::process::ExitCode;

use buildhub_core::{Variables, lambda};
use mock_env_publisher::{Context, handler};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("mock-env-publisher", Variables::from_process(), Context::from_variables, handler).await
}
