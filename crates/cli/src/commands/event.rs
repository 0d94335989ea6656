//! `buildhub handle-event`.

use std::io::{Read as _, Write as _};

use buildhub_core::{Deadline, Variables};
use clap::ArgMatches;
use s3_event::{Context, handle};
use serde_json::Value;

use crate::CommandError;

/// The largest payload that is read: AWS's largest is a message of 1 MiB, of which a queue hands over ten at a time.
const MAX_PAYLOAD: u64 = 64 << 20;

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let payload = read(matches.get_one::<String>("FILE").map_or("-", String::as_str))?;
    let context = Context::from_variables(vars)?;
    let handling = Box::pin(handle(&payload, &context, Deadline::NONE)).await;
    let handling = handling.map_err(|error| CommandError::Usage(error.to_string()))?;
    let mut output = std::io::stdout().lock();
    for item in &handling.items {
        let line = serde_json::to_string(item).map_err(|error| CommandError::Output(error.into()))?;
        writeln!(output, "{line}").map_err(CommandError::Output)?;
    }
    Ok(!handling.must_be_retried())
}

/// Reads a payload from a file, or from standard input where the name is `-`.
fn read(name: &str) -> Result<Value, CommandError> {
    let mut text = Vec::new();
    let result = match name {
        "-" => std::io::stdin().lock().take(MAX_PAYLOAD).read_to_end(&mut text),
        path => std::fs::File::open(path).and_then(|file| file.take(MAX_PAYLOAD).read_to_end(&mut text)),
    };
    let said = if name == "-" { "standard input" } else { name };
    result.map_err(|error| CommandError::Usage(format!("cannot read {said}: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| CommandError::Usage(format!("{said} is no JSON: {error}")))
}
