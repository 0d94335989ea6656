//! The Lambda function `s3-event`.

use std::process::ExitCode;

use buildhub_core::{Variables, lambda};
use s3_event::{Context, handler};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("s3-event", Variables::from_process(), Context::from_variables, handler).await
}
