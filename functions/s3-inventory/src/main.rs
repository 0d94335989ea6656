//! The Lambda function `s3-inventory`.

use std::process::ExitCode;

use buildhub_core::{Variables, lambda};
use s3_inventory::{Context, handler};

#[tokio::main]
async fn main() -> ExitCode {
    lambda::run("s3-inventory", Variables::from_process(), Context::from_variables, handler).await
}
