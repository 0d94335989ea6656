//! The `buildhub` command.

use std::process::ExitCode;

use buildhub_core::Variables;

fn main() -> ExitCode {
    buildhub_cli::run(std::env::args_os(), Variables::from_process())
}
