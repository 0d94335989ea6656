//! The `buildhub` command: the same code as the Lambda functions, for a terminal or a pipe.
//!
//! Called by one of the three names that scripts have used for years (`inventory-to-records`, `to-kinto`,
//! `latest-inventory-to-kinto`), it is that command.
//!
//! Results go to standard output, everything for people's eyes to standard error. Exit codes: 0, all was done; 1,
//! something could not be done, and the summary says what; 2, the command line or a setting is wrong.
//!
//! | module | holds |
//! |---|---|
//! | [`variables`] | every setting of every crate |
//! | [`arguments`] | the command line, made from them |
//! | `commands` | one file a command |
//! | `bar`, `summary` | how far it is, and what was done |
//! | `printable` | what others wrote, as a terminal may have it |

pub mod arguments;
mod bar;
mod commands;
mod error;
mod printable;
mod summary;
pub mod variables;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use buildhub_core::Variables;
use buildhub_core::aws::secrets;
use buildhub_core::telemetry::{LogFormat, Telemetry, TelemetrySettings};
use clap::ArgMatches;

pub use error::CommandError;

/// Names under which the command was known before it had sub-commands.
const OLD_NAMES: [&str; 3] = ["inventory-to-records", "to-kinto", "latest-inventory-to-kinto"];

/// Runs the command line `args` with the settings `vars`.
pub fn run(args: impl IntoIterator<Item = OsString>, vars: Variables) -> ExitCode {
    let matches = match arguments::command().try_get_matches_from(expand(args)) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version go to standard output with 0, mistakes to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(2) };
    // The settings of a command that has commands of its own are theirs.
    let innermost = matches.subcommand().map_or(matches, |(_, matches)| matches);
    match perform(name, matches, arguments::overlay(vars, innermost)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            if !error.is_unheard() {
                let _ = writeln!(std::io::stderr(), "buildhub {name}: {error}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// The command line with the sub-command that an old name stands for.
fn expand(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let called = args.first().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str());
    if let Some(name) = called.and_then(|called| OLD_NAMES.into_iter().find(|name| *name == called)) {
        args.insert(1, name.into());
    }
    args
}

/// Performs a command; says whether all of it could be done.
fn perform(name: &str, matches: &ArgMatches, vars: Variables) -> Result<bool, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let vars = &runtime.block_on(secrets::resolve(vars))?;
    let telemetry = Telemetry::start(&TelemetrySettings::from_variables(vars, LogFormat::Human)?)?;
    let done = runtime.block_on(async {
        match name {
            "inventory-to-records" => commands::convert::run(matches, vars).await,
            "to-kinto" => commands::load::run(matches, vars).await,
            "latest-inventory-to-kinto" => commands::latest::run(matches, vars).await,
            "init-kinto" => commands::init::run(matches, vars).await,
            "handle-event" => commands::event::run(matches, vars).await,
            "doctor" => commands::doctor::run(matches, vars).await,
            "find" => commands::find::run(matches, vars).await,
            "archive" => commands::archive::run(matches, vars).await,
            "serve" => commands::serve::run(matches, vars).await,
            "env" => commands::env::run(matches, vars).await,
            "self-serve" => Box::pin(commands::self_serve::run(matches, vars)).await,
            other => Err(CommandError::Usage(format!("there is no command {other}"))),
        }
    });
    // A thread may still be waiting for standard input; the process need not.
    runtime.shutdown_background();
    done.inspect_err(|error| {
        if !error.is_usage() && !error.is_unheard() {
            telemetry.report(error);
        }
    })
}

/// Whether a person watches: then a bar and a table, else log lines and JSON.
fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
